//! Stuck readers, which never read, while several times the backlog is published: their memory, and the delay of others. Each run measures
//! without and with them, because publishing alone has its cost, too.

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

/// Stuck readers, which never read, while several times the backlog is published: memory, and the delay of others.
#[derive(FromArgs)]
#[argh(subcommand, name = "stuck")]
pub(crate) struct Stuck {
    /// stuck readers (default: 200)
    #[argh(option, default = "200")]
    readers: usize,

    /// the server's --backlog, in bytes (default: 8388608)
    #[argh(option, default = "8 * 1024 * 1024")]
    backlog_bytes: u64,

    /// published bytes, as a multiple of the backlog (default: 6)
    #[argh(option, default = "6")]
    times: u64,
}

impl Default for Stuck {
    fn default() -> Self {
        Self { readers: 200, backlog_bytes: 8 * 1024 * 1024, times: 6 }
    }
}

/// The senders: one sends as fast as it can, one sends at intervals, one only reads.
const FLOOD: usize = 0;
const HEALTHY: usize = 1;
const SENDERS: usize = 3;

const FLOOD_WINDOW: u64 = 512;
const HEALTHY_EVERY: Duration = Duration::from_millis(2);

/// The measurements of one flood.
struct Flood {
    idle_bytes: u64,
    resident_bytes_max: u64,
    kernel_bytes_max: u64,
    seconds: f64,
    latencies: Vec<Duration>,
    slow_consumers: u64,
    faults: Faults,
}

impl Stuck {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "{} stuck readers, {} x {} bytes published in messages of {LINE_BYTES}; \"alone\": without stuck readers",
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
        let beyond_backlog = (growth(&beside) - self.backlog_bytes as f64).max(0.0);
        let stuck = self.readers.max(1) as f64;
        run.add("disconnected_as_slow", beside.slow_consumers as f64);
        run.add("resident_growth_bytes_alone", growth(&alone));
        run.add("resident_growth_bytes", growth(&beside));
        run.add("beyond_backlog_bytes_per_stuck_reader", beyond_backlog / stuck);
        run.add("beyond_alone_bytes_per_stuck_reader", (growth(&beside) - growth(&alone)) / stuck);
        run.add("kernel_both_ends_bytes_per_stuck_reader", beside.kernel_bytes_max as f64 / stuck);
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
        load.wait_for_acknowledgements();
        let seconds = start.elapsed().as_secs_f64();
        let faults = load.finish_senders();
        let healthy = &mut load.senders()[HEALTHY];
        Flood {
            idle_bytes,
            resident_bytes_max: server.resident_bytes_max(),
            kernel_bytes_max,
            seconds,
            latencies: healthy.latencies.take().unwrap_or_default(),
            slow_consumers: healthy.slow_consumers(),
            faults,
        }
    }
}
