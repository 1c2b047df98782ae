//! A well-behaved group beside peers that send commands as fast as they can: what the group waits for its acknowledgements
//! and for each other's messages, with and without them. The runs alternate, so that whatever else changes changes for all.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::Server;
use crate::load::{Checking, Load};
use crate::mob::{Mob, Plan};
use crate::report::Report;

/// A paced group beside none, one and ten who flood, with the default rate limit and with none.
#[derive(FromArgs)]
#[argh(subcommand, name = "flood")]
pub(crate) struct Flood {
    /// how many talk and listen (default: 50)
    #[argh(option, default = "50")]
    members: usize,

    /// messages a second, of all of them together (default: 400, within the rate limit)
    #[argh(option, default = "400")]
    rate: u32,

    /// what those who flood send, over and over (default: PING)
    #[argh(option, default = "String::from(\"PING\")")]
    line: String,

    /// seconds measured, for each (default: 3)
    #[argh(option, default = "3")]
    seconds: u64,
}

impl Default for Flood {
    fn default() -> Self {
        Self { members: 50, rate: 400, line: "PING".into(), seconds: 3 }
    }
}

/// How many flood at a time, and what the figures beside them are called.
const FLOODERS: [(usize, &str); 3] = [(0, "alone"), (1, "beside_one"), (10, "beside_ten")];

/// How long a flood goes on before it is measured: what a burst admits at once is over by then.
const WARM_UP: Duration = Duration::from_millis(500);

impl Flood {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let limits: [(_, &[&str]); 2] =
            [("flood, rate limit as by default", &[]), ("flood, --line-rate 0", &["--line-rate", "0"])];
        let mut reports = limits.map(|(scenario, _)| Report {
            scenario: scenario.into(),
            description: format!(
                "{} members say {} messages a second of {TEXT_BYTES} bytes, {} s each; {:?} over and over from none, 1 and 10",
                self.members, self.rate, self.seconds, self.line
            ),
            runs: Runs::default(),
        });
        for _ in 0..runs {
            for (report, (_, arguments)) in reports.iter_mut().zip(limits) {
                report.runs.0.push(self.run(binary, arguments));
            }
        }
        reports.into()
    }

    fn run(&self, binary: &Path, arguments: &[&str]) -> Run {
        let mut run = Run::default();
        let busy = FLOODERS.map(|(flooders, name)| self.run_beside(binary, arguments, flooders, name, &mut run));
        for ((_, name), percent) in FLOODERS.iter().zip(busy).skip(1) {
            run.add(format!("server_cpu_percent_for_those_{name}"), percent - busy[0]);
        }
        run
    }

    /// Returns how busy the server was, in percent of a processor.
    fn run_beside(&self, binary: &Path, arguments: &[&str], flooders: usize, name: &str, run: &mut Run) -> f64 {
        let server = Server::start(binary, arguments);
        let mut load = Load::new(server.address(), Checking::All, self.members);
        load.join(0, self.members);
        let line = format!("{}\n", self.line);
        let mob = Mob::start(server.address(), vec![Plan { joins: true, ..Plan::flood(line.as_bytes()) }; flooders]);
        load.pace(self.rate, WARM_UP, |_| {});
        load.start_timing();
        let (cpu_before, start) = (server.cpu_precise(), Instant::now());
        load.pace(self.rate, Duration::from_secs(self.seconds), |_| {});
        let cpu = server.cpu_precise().saturating_sub(cpu_before);
        let seconds = start.elapsed().as_secs_f64();
        load.settle();
        let (arrivals, acknowledgements) = (load.take_arrivals(), load.take_latencies());
        let tally = mob.stop();
        run.faults.add(load.finish());
        run.add_latencies_to_max(&format!("acknowledged_{name}"), acknowledgements);
        run.add_latencies_to_max(&format!("arrived_{name}"), arrivals);
        let busy_percent = cpu.as_secs_f64() / seconds * 100.0;
        run.add(format!("server_busy_percent_{name}"), busy_percent);
        if flooders > 0 {
            let all_seconds = seconds + WARM_UP.as_secs_f64();
            run.add(format!("lines_answered_a_second_{name}"), tally.ok_lines as f64 / all_seconds);
        }
        busy_percent
    }
}
