//! Stuck readers, which never read, while members chat for a minute at a steady rate: the server's resident memory,
//! second by second. A stuck reader that is disconnected is replaced at once, so their number stays constant.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;
use socket2::{Domain, Socket, Type};

use crate::attackers::RECEIVE_BUFFER_BYTES;
use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::Server;
use crate::connection::Sender;
use crate::load::{Checking, Load};
use crate::report::Report;
use crate::server::kernel_tcp_bytes;
use crate::wire::{ATTACKER, parse_senders};

/// A constant number of stuck readers while members chat for a minute: memory, second by second.
#[derive(FromArgs)]
#[argh(subcommand, name = "stuck-minute")]
pub(crate) struct StuckMinute {
    /// stuck readers (default: 1000)
    #[argh(option, default = "1000")]
    readers: usize,

    /// members that chat (default: 100)
    #[argh(option, default = "100", from_str_fn(parse_senders))]
    members: usize,

    /// messages per second of all members together (default: 1000, at the rate limit)
    #[argh(option, default = "1000")]
    rate: u32,

    /// seconds before the measurement, in which the backlog fills (default: 90)
    #[argh(option, default = "90")]
    fill_seconds: u64,

    /// seconds of the measurement (default: 60)
    #[argh(option, default = "60")]
    seconds: u64,

    /// the server's --backlog, in bytes (default: 8388608)
    #[argh(option, default = "8 * 1024 * 1024")]
    backlog_bytes: u64,

    /// bytes that each stuck reader reads per second, so that it makes some progress (default: 0)
    #[argh(option, default = "0")]
    read_bytes: usize,

    /// keep a stuck reader's end of the connection open after the server has closed its end
    #[argh(switch)]
    hold: bool,
}

impl Default for StuckMinute {
    fn default() -> Self {
        let backlog_bytes = 8 * 1024 * 1024;
        Self {
            readers: 1000,
            members: 100,
            rate: 1000,
            fill_seconds: 90,
            seconds: 60,
            backlog_bytes,
            read_bytes: 0,
            hold: false,
        }
    }
}

/// Seconds over which the stuck readers connect, so that they are not all disconnected at once.
const CONNECT_SECONDS: usize = 15;

/// The state at the end of one second.
struct Sample {
    resident_bytes: u64,
    /// Memory of all TCP sockets of this machine, both ends of each connection.
    kernel_bytes: u64,
    descriptors: usize,
    /// Stuck readers that were disconnected so far.
    closed: usize,
}

impl StuckMinute {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "{} readers that {}, {} members send {} messages a second of {TEXT_BYTES} bytes; {} s, after {} s",
            self.readers,
            if self.read_bytes == 0 { "never read" } else { "hardly read" },
            self.members,
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
        let mut stuck = StuckReaders::new(server.address(), self.hold);
        let mut load = Load::new(server.address(), Checking::All, self.members);
        load.join(0, self.members);
        let filling = self.chat(&server, &mut load, &mut stuck, self.fill_seconds);
        load.start_timing();
        let said_before: u64 = load.senders().iter().map(Sender::sent).sum();
        let (cpu_before, start) = (server.cpu_precise(), Instant::now());
        let samples = self.chat(&server, &mut load, &mut stuck, self.seconds);
        let cpu = server.cpu_precise().saturating_sub(cpu_before);
        let seconds = start.elapsed().as_secs_f64();
        load.wait_for_acknowledgements();
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

    /// Chats for this many seconds. Returns a sample of each.
    fn chat(&self, server: &Server, load: &mut Load, stuck: &mut StuckReaders, seconds: u64) -> Vec<Sample> {
        let second = |_| {
            load.pace(self.rate, Duration::from_secs(1), |_| {});
            stuck.grow_to(self.readers);
            stuck.replace(&load.senders()[0].left);
            stuck.read_some(self.read_bytes);
            Sample {
                resident_bytes: server.resident_bytes(),
                kernel_bytes: kernel_tcp_bytes(),
                descriptors: server.descriptors(),
                closed: stuck.replaced,
            }
        };
        (0..seconds).map(second).collect()
    }
}

/// The stuck readers, by the number in their nickname.
struct StuckReaders {
    address: SocketAddr,
    hold: bool,
    last: usize,
    readers: BTreeMap<usize, TcpStream>,
    /// Connections that only the server has closed.
    held: Vec<TcpStream>,
    /// The number of readers that were disconnected and replaced.
    replaced: usize,
}

impl StuckReaders {
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

    /// Connects further readers, up to this number.
    fn grow_to(&mut self, readers: usize) {
        let missing = readers.saturating_sub(self.readers.len());
        (0..missing.min(readers.div_ceil(CONNECT_SECONDS))).for_each(|_| self.connect());
    }

    /// Connects a new reader for each reader that left since the last call.
    fn replace(&mut self, left: &[(String, String)]) {
        for (name, _) in &left[self.replaced..] {
            let number = name.strip_prefix(ATTACKER).and_then(|number| number.parse().ok());
            let gone = number.and_then(|number: usize| self.readers.remove(&number)).expect("only stuck readers leave");
            self.held.extend(Some(gone).filter(|_| self.hold));
            self.connect();
        }
        self.replaced = left.len();
    }

    fn read_some(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        if bytes == 0 {
            return;
        }
        for reader in self.readers.values_mut() {
            // A disconnected reader is replaced when the members receive its `LEAVE`.
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
    run.add("resident_slope_bytes_per_second", slope(&resident().map(|bytes| bytes as f64).collect::<Vec<_>>()));
    run.add_bytes("kernel_both_ends_bytes_max", samples.iter().map(|sample| sample.kernel_bytes).max().unwrap_or(0));
    run.add_bytes("descriptors_max", samples.iter().map(|sample| sample.descriptors as u64).max().unwrap_or(0));
    run.add_bytes("stuck_closed", samples.last().map_or(0, |sample| sample.closed as u64));
}

/// The slope of the values, by least squares.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let offsets = || (0..values.len()).map(|index| index as f64 - middle);
    let squares: f64 = offsets().map(|offset| offset * offset).sum();
    offsets().zip(values).map(|(offset, value)| offset * value).sum::<f64>() / squares.max(1.0)
}
