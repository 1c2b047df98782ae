//! Readers that never read, while others chat for a minute at a steady rate: the server's resident memory, second by second.
//! Whoever of them is closed comes back at once, so that there are as many all the time.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;
use socket2::{Domain, Socket, Type};

use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::Server;
use crate::load::{Checking, Load};
use crate::mob::RECEIVE_BUFFER_BYTES;
use crate::peer::Sender;
use crate::report::Report;
use crate::server::kernel_tcp_bytes;
use crate::wire::{ATTACKER, parse_senders};

/// Readers that do not read, all the time, while others chat for a minute: memory, second by second.
#[derive(FromArgs)]
#[argh(subcommand, name = "stuck-minute")]
pub(crate) struct StuckMinute {
    /// how many do not read (default: 1000)
    #[argh(option, default = "1000")]
    readers: usize,

    /// how many chat (default: 100)
    #[argh(option, default = "100", from_str_fn(parse_senders))]
    talkers: usize,

    /// messages a second, of all of them together (default: 1000, at the rate limit)
    #[argh(option, default = "1000")]
    rate: u32,

    /// seconds that what is kept for those who are behind takes to fill, before it counts (default: 90)
    #[argh(option, default = "90")]
    fill_seconds: u64,

    /// seconds that count (default: 60)
    #[argh(option, default = "60")]
    seconds: u64,

    /// bytes that the server keeps for readers that are behind (default: 8388608)
    #[argh(option, default = "8 * 1024 * 1024")]
    backlog_bytes: u64,

    /// bytes that each stuck reader reads each second, and so makes some progress (default: 0)
    #[argh(option, default = "0")]
    sip_bytes: usize,

    /// let those who come back leave their old connection open at their end, too
    #[argh(switch)]
    hold: bool,
}

impl Default for StuckMinute {
    fn default() -> Self {
        let backlog_bytes = 8 * 1024 * 1024;
        Self {
            readers: 1000,
            talkers: 100,
            rate: 1000,
            fill_seconds: 90,
            seconds: 60,
            backlog_bytes,
            sip_bytes: 0,
            hold: false,
        }
    }
}

/// The stuck come over so many seconds, so that they are not all closed at once.
const GATHER_SECONDS: usize = 15;

/// One second of it.
struct Sample {
    resident_bytes: u64,
    /// Of all TCP sockets of this machine, both ends.
    kernel_bytes: u64,
    descriptors: usize,
    /// Stuck readers that were closed so far.
    closed: usize,
}

impl StuckMinute {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "{} readers that {}, {} others say {} messages a second of {TEXT_BYTES} bytes; {} s, after {} s",
            self.readers,
            if self.sip_bytes == 0 { "never read" } else { "hardly read" },
            self.talkers,
            self.rate,
            self.seconds,
            self.fill_seconds
        );
        let runs = Runs((0..runs).map(|_| self.run(binary)).collect());
        Report { scenario: "stuck-minute".into(), description, runs }
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let server = Server::start(binary, &["--backlog", &self.backlog_bytes.to_string()]);
        let mut crowd = Crowd::new(server.address(), self.hold);
        let mut load = Load::new(server.address(), Checking::All, self.talkers);
        load.join(0, self.talkers);
        let filling = self.chat(&server, &mut load, &mut crowd, self.fill_seconds);
        load.start_timing();
        let said_before: u64 = load.senders().iter().map(Sender::sent).sum();
        let (cpu_before, start) = (server.cpu_precise(), Instant::now());
        let samples = self.chat(&server, &mut load, &mut crowd, self.seconds);
        let cpu = server.cpu_precise().saturating_sub(cpu_before);
        let seconds = start.elapsed().as_secs_f64();
        load.settle();
        let said = load.senders().iter().map(Sender::sent).sum::<u64>() - said_before;
        run.add("messages_per_second", said as f64 / seconds);
        run.add("server_busy_percent", cpu.as_secs_f64() / seconds * 100.0);
        run.add_latencies_to_max("acknowledged", load.take_latencies());
        run.add_latencies_to_max("arrived", load.take_arrivals());
        run.faults = load.finish();
        print_samples(filling.iter().chain(&samples));
        add_samples(&mut run, &samples);
        run
    }

    /// So many seconds of it, sampled after each.
    fn chat(&self, server: &Server, load: &mut Load, crowd: &mut Crowd, seconds: u64) -> Vec<Sample> {
        let second = |_| {
            load.pace(self.rate, Duration::from_secs(1), |_| {});
            crowd.grow_to(self.readers);
            crowd.replace(&load.senders()[0].left);
            crowd.sip(self.sip_bytes);
            Sample {
                resident_bytes: server.resident_bytes(),
                kernel_bytes: kernel_tcp_bytes(),
                descriptors: server.descriptors(),
                closed: crowd.replaced,
            }
        };
        (0..seconds).map(second).collect()
    }
}

/// The stuck readers, by the number in their name.
struct Crowd {
    address: SocketAddr,
    hold: bool,
    last: usize,
    readers: BTreeMap<usize, TcpStream>,
    /// What was closed by the server only.
    held: Vec<TcpStream>,
    /// How many of those who left were replaced.
    replaced: usize,
}

impl Crowd {
    fn new(address: SocketAddr, hold: bool) -> Self {
        Self { address, hold, last: 0, readers: BTreeMap::new(), held: Vec::new(), replaced: 0 }
    }

    fn connect(&mut self) {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).expect("a socket");
        socket.connect(&self.address.into()).expect("the server accepts");
        socket.set_nonblocking(true).expect("a socket");
        let mut stream: TcpStream = socket.into();
        self.last += 1;
        stream
            .write_all(format!("NICK {ATTACKER}{:06}\n", self.last).as_bytes())
            .expect("a short line is sent at once");
        self.readers.insert(self.last, stream);
    }

    /// Lets some more come, until there are so many.
    fn grow_to(&mut self, readers: usize) {
        let missing = readers.saturating_sub(self.readers.len());
        (0..missing.min(readers.div_ceil(GATHER_SECONDS))).for_each(|_| self.connect());
    }

    /// Lets one come for each who left, if there was none for it.
    fn replace(&mut self, left: &[(String, String)]) {
        for (name, _) in &left[self.replaced..] {
            let number = name.strip_prefix(ATTACKER).and_then(|number| number.parse().ok());
            let gone = number.and_then(|number: usize| self.readers.remove(&number)).expect("one of the crowd left");
            self.held.extend(Some(gone).filter(|_| self.hold));
            self.connect();
        }
        self.replaced = left.len();
    }

    fn sip(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        if bytes == 0 {
            return;
        }
        for reader in self.readers.values_mut() {
            // Whoever was closed is replaced when that is told.
            let _ = reader.read(&mut buffer);
        }
    }
}

fn print_samples<'a>(samples: impl Iterator<Item = &'a Sample>) {
    println!("\n  second   resident KB     kernel KB   descriptors   closed so far");
    for (second, sample) in samples.enumerate() {
        let Sample { resident_bytes, kernel_bytes, descriptors, closed } = sample;
        println!("  {second:>6}{:>14}{:>14}{descriptors:>14}{closed:>16}", resident_bytes / 1000, kernel_bytes / 1000);
    }
}

fn add_samples(run: &mut Run, samples: &[Sample]) {
    let resident = || samples.iter().map(|sample| sample.resident_bytes);
    run.add_bytes("resident_bytes_min", resident().min().unwrap_or(0));
    run.add_bytes("resident_bytes_max", resident().max().unwrap_or(0));
    run.add("resident_slope_bytes_a_second", slope(&resident().map(|bytes| bytes as f64).collect::<Vec<_>>()));
    run.add_bytes("kernel_both_ends_bytes_max", samples.iter().map(|sample| sample.kernel_bytes).max().unwrap_or(0));
    run.add_bytes("descriptors_max", samples.iter().map(|sample| sample.descriptors as u64).max().unwrap_or(0));
    run.add_bytes("stuck_closed", samples.last().map_or(0, |sample| sample.closed as u64));
}

/// By how much the values grow from one to the next, by least squares.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let offsets = || (0..values.len()).map(|index| index as f64 - middle);
    let squares: f64 = offsets().map(|offset| offset * offset).sum();
    offsets().zip(values).map(|(offset, value)| offset * value).sum::<f64>() / squares.max(1.0)
}
