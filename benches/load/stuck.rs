//! Readers that never read, while much more is said than is kept: what they cost the server, and whom they delay.
//! Each run is done twice, without and with them, because the flood alone has its cost, too.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, Runs};
use crate::common::log::Faults;
use crate::common::server::Server;
use crate::load::{Checking, Load};
use crate::report::Report;
use crate::server::kernel_tcp_bytes;
use crate::wire::LINE_BYTES;

/// Readers that do not read, beside a flood of several times what is kept: memory, and the delay for others.
#[derive(FromArgs)]
#[argh(subcommand, name = "stuck")]
pub(crate) struct Stuck {
    /// how many do not read (default: 200)
    #[argh(option, default = "200")]
    readers: usize,

    /// bytes that the server keeps for readers that are behind (default: 8388608)
    #[argh(option, default = "8 * 1024 * 1024")]
    backlog_bytes: u64,

    /// how many times that is said (default: 6)
    #[argh(option, default = "6")]
    times: u64,
}

impl Default for Stuck {
    fn default() -> Self {
        Self { readers: 200, backlog_bytes: 8 * 1024 * 1024, times: 6 }
    }
}

/// One sends as much as it can, one sends now and then, one only listens.
const FLOOD: usize = 0;
const HEALTHY: usize = 1;
const SENDERS: usize = 3;

const FLOOD_WINDOW: u64 = 512;
const HEALTHY_EVERY: Duration = Duration::from_millis(2);

/// What one flood came to.
struct Flood {
    idle_bytes: u64,
    resident_bytes_max: u64,
    kernel_bytes_max: u64,
    seconds: f64,
    latencies: Vec<Duration>,
    slow_peers: u64,
    faults: Faults,
}

impl Stuck {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "{} readers that do not read, {} x {} bytes said in messages of {LINE_BYTES}; \"alone\" is without the stuck",
            self.readers, self.times, self.backlog_bytes
        );
        let runs = Runs((0..runs).map(|_| self.run(binary)).collect());
        Report { scenario: "stuck".into(), description, runs }
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let alone = self.flood(binary, 0);
        let beside = self.flood(binary, self.readers);
        run.faults.add(alone.faults);
        run.faults.add(beside.faults);
        let growth = |flood: &Flood| flood.resident_bytes_max.saturating_sub(flood.idle_bytes) as f64;
        let beyond_retention = (growth(&beside) - self.backlog_bytes as f64).max(0.0);
        let stuck = self.readers.max(1) as f64;
        run.add("closed_as_slow", beside.slow_peers as f64);
        run.add("resident_growth_bytes_alone", growth(&alone));
        run.add("resident_growth_bytes", growth(&beside));
        run.add("beyond_retention_bytes_a_stuck", beyond_retention / stuck);
        run.add("beyond_alone_bytes_a_stuck", (growth(&beside) - growth(&alone)) / stuck);
        run.add("kernel_both_ends_bytes_a_stuck", beside.kernel_bytes_max as f64 / stuck);
        run.add("flood_seconds_alone", alone.seconds);
        run.add("flood_seconds", beside.seconds);
        run.add_latencies(["acknowledged_alone_ms_p50", "acknowledged_alone_ms_p99"], alone.latencies);
        run.add_latencies(["acknowledged_ms_p50", "acknowledged_ms_p99"], beside.latencies);
        run
    }

    fn flood(&self, binary: &Path, stuck: usize) -> Flood {
        let backlog_bytes = self.backlog_bytes.to_string();
        let server = Server::start(binary, &["--line-rate", "0", "--connect-rate", "0", "--backlog", &backlog_bytes]);
        let mut load = Load::new(server.address(), Checking::All, SENDERS);
        load.join(stuck, SENDERS);
        load.stop_reading();
        load.senders()[HEALTHY].latencies = Some(Vec::new());
        let (idle_bytes, kernel_before) = (server.resident_bytes(), kernel_tcp_bytes());
        let start = Instant::now();
        let messages = self.backlog_bytes * self.times / LINE_BYTES as u64;
        load.senders()[FLOOD].window = FLOOD_WINDOW;
        let mut kernel_bytes_max = 0;
        while load.senders()[FLOOD].sent() < messages {
            load.senders()[FLOOD].refill();
            load.senders()[HEALTHY].send(1);
            load.turn_for(HEALTHY_EVERY);
            kernel_bytes_max = kernel_bytes_max.max(kernel_tcp_bytes().saturating_sub(kernel_before));
        }
        load.settle();
        let seconds = start.elapsed().as_secs_f64();
        let faults = load.finish_senders();
        let healthy = &mut load.senders()[HEALTHY];
        Flood {
            idle_bytes,
            resident_bytes_max: server.resident_bytes_max(),
            kernel_bytes_max,
            seconds,
            latencies: healthy.latencies.take().unwrap_or_default(),
            slow_peers: healthy.slow_peers(),
            faults,
        }
    }
}
