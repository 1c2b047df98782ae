//! One sender at a fixed rate: the delay of each message at each reader.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::{Server, own_cpu};
use crate::load::{Checking, Load};
use crate::report::Report;
use crate::saturated::add_cpu;

/// Paced messages: how long each takes to reach each reader.
#[derive(FromArgs)]
#[argh(subcommand, name = "paced")]
pub(crate) struct Paced {
    /// readers (default: 100)
    #[argh(option, default = "100")]
    readers: usize,

    /// messages per second (default: 500)
    #[argh(option, default = "500")]
    rate: u32,

    /// seconds of the measurement (default: 4)
    #[argh(option, default = "4")]
    seconds: u32,
}

impl Default for Paced {
    fn default() -> Self {
        Self { readers: 100, rate: 500, seconds: 4 }
    }
}

impl Paced {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "{} readers (every byte compared), {} messages a second of {TEXT_BYTES} bytes, {} s",
            self.readers, self.rate, self.seconds
        );
        let runs = Runs((0..runs).map(|_| self.run(binary)).collect());
        Report { scenario: "paced".into(), description, runs }
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let server = Server::start(binary, &["--line-rate", "0", "--connect-rate", "0"]);
        let mut load = Load::new(server.address(), Checking::All, 1);
        load.join(self.readers, 1);
        load.start_timing_arrivals();
        load.senders()[0].latencies = Some(Vec::new());
        let (server_before, own_before) = (server.cpu(), own_cpu());
        let start = Instant::now();
        for number in 0..self.rate * self.seconds {
            let due = start + Duration::from_secs(1) * number / self.rate;
            load.turn_for(due.saturating_duration_since(Instant::now()));
            load.senders()[0].send(1);
        }
        load.wait_for_acknowledgements();
        let (server_cpu, own_cpu) = (server.cpu().since(server_before), own_cpu().since(own_before));
        let seconds = start.elapsed().as_secs_f64();
        run.faults = load.finish();
        let deliveries = load.deliveries() as f64;
        run.add("deliveries_per_second", deliveries / seconds);
        add_cpu(&mut run, server_cpu, deliveries);
        run.add("server_busy_percent", server_cpu.total().as_secs_f64() / seconds * 100.0);
        run.add("load_busy_percent", own_cpu.total().as_secs_f64() / seconds * 100.0);
        run.add_latencies(["arrived_ms_p50", "arrived_ms_p99"], load.take_arrivals());
        let latencies = load.senders()[0].latencies.take().unwrap_or_default();
        run.add_latencies(["acknowledged_ms_p50", "acknowledged_ms_p99"], latencies);
        run
    }
}
