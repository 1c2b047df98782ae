//! A flood of handshakes: clients that send a `ClientHello`, for which the server computes most of a handshake, and go away when it answers. Two
//! members over TCP chat beside it, and newcomers connect over TCP from another address.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::start;
use crate::attackers::{AttackPlan, Attackers, Closing};
use crate::attacks::recovers;
use crate::common::figures::Run;
use crate::common::server::Server;
use crate::common::socket::{connect_from, source};
use crate::load::{Checking, Load};

/// Messages per second of the two members together.
const RATE: u32 = 200;

/// Time before a measurement, in which the clients that flood connect and use up the burst of `--connect-rate`.
const WARM_UP: Duration = Duration::from_secs(1);

/// Time from one newcomer to the next.
const NEWCOMER_EVERY: Duration = Duration::from_millis(20);

/// How long a newcomer waits for the greeting.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(binary: &Path, clients: usize, seconds: u64) -> Run {
    let mut run = Run::default();
    let limits: [(_, &[&str]); 2] =
        [("", &["--line-rate", "0"]), ("_unlimited", &["--line-rate", "0", "--connect-rate", "0"])];
    for (suffix, options) in limits {
        let (mut server, client) = start(binary, options);
        let mut load = Load::new(server.address(), Checking::All, 2);
        load.join(0, 2);
        if suffix.is_empty() {
            let alone = measure(&server, &mut load, seconds);
            alone.add("alone", &mut run);
        }
        let descriptors = server.descriptors();
        let hello = client.session().output;
        let plan = AttackPlan { closing: Closing::Answered, reconnects: true, ..AttackPlan::once(hello) };
        let attackers = Attackers::start(server.second_address(), vec![plan; clients]);
        let flood_start = Instant::now();
        let beside = measure(&server, &mut load, seconds);
        let flood_seconds = flood_start.elapsed().as_secs_f64();
        let counts = attackers.stop();
        beside.add(&format!("beside{suffix}"), &mut run);
        run.add(format!("handshakes_per_second{suffix}"), counts.handshakes as f64 / flood_seconds);
        run.add(format!("connections_per_second{suffix}"), counts.connections as f64 / flood_seconds);
        run.faults.other += u64::from(!recovers(&mut server, &mut load, descriptors));
        run.faults.add(load.finish());
    }
    run
}

/// The delays during one measurement.
struct Delays {
    acknowledgements: Vec<Duration>,
    newcomers: NewcomerDelays,
    server_busy_percent: f64,
}

fn measure(server: &Server, load: &mut Load, seconds: u64) -> Delays {
    load.pace(RATE, WARM_UP, |_| {});
    let newcomers = Newcomers::start(server.address());
    load.start_timing();
    let (cpu_before, start) = (server.cpu_precise(), Instant::now());
    load.pace(RATE, Duration::from_secs(seconds), |_| {});
    let cpu = server.cpu_precise().saturating_sub(cpu_before).as_secs_f64();
    let server_busy_percent = cpu / start.elapsed().as_secs_f64() * 100.0;
    load.wait_for_acknowledgements();
    Delays { acknowledgements: load.take_latencies(), newcomers: newcomers.stop(), server_busy_percent }
}

impl Delays {
    fn add(self, name: &str, run: &mut Run) {
        run.add_latencies_to_max(&format!("acknowledged_{name}"), self.acknowledgements);
        run.add_latencies_to_max(&format!("greeted_{name}"), self.newcomers.greeted);
        run.add(format!("newcomers_not_greeted_{name}"), self.newcomers.failed as f64);
        run.add(format!("server_busy_percent_{name}"), self.server_busy_percent);
    }
}

/// Clients that connect one after the other on a thread of their own, read the greeting, and go away.
struct Newcomers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<NewcomerDelays>,
}

#[derive(Default)]
struct NewcomerDelays {
    /// The time from the connection to the greeting.
    greeted: Vec<Duration>,
    /// Newcomers that the server has refused.
    failed: u64,
}

impl Newcomers {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut delays = NewcomerDelays::default();
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                let mut line = String::new();
                // From an address of their own, because `--connect-rate` limits each address.
                let stream = connect_from(source(1), address);
                stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
                let read = BufReader::new(stream).read_line(&mut line);
                if read.is_ok() && line.starts_with("HELLO ") {
                    delays.greeted.push(start.elapsed());
                } else {
                    delays.failed += 1;
                }
                thread::sleep(NEWCOMER_EVERY.saturating_sub(start.elapsed()));
            }
            delays
        });
        Self { stop, thread }
    }

    fn stop(self) -> NewcomerDelays {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the newcomers' thread does not panic")
    }
}
