//! Well-behaved members beside clients that send commands as fast as they can: the delay of acknowledgements and messages, with and without
//! the flood. The runs alternate, so that changes of the machine affect all of them.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::attackers::{AttackPlan, Attackers};
use crate::common::figures::{Run, Runs};
use crate::common::log::TEXT_BYTES;
use crate::common::server::Server;
use crate::load::{Checking, Load};
use crate::report::Report;

/// Floods: the delays of well-behaved members beside 0, 1 and 10 clients that flood, with the default rate limit and without.
#[derive(FromArgs)]
#[argh(subcommand, name = "flood")]
pub(crate) struct Flood {
    /// well-behaved members (default: 50)
    #[argh(option, default = "50")]
    members: usize,

    /// messages per second of all members together (default: 400, within the rate limit)
    #[argh(option, default = "400")]
    rate: u32,

    /// the line that a flooding client repeats (default: PING)
    #[argh(option, default = "String::from(\"PING\")")]
    line: String,

    /// seconds of each measurement (default: 3)
    #[argh(option, default = "3")]
    seconds: u64,
}

impl Default for Flood {
    fn default() -> Self {
        Self { members: 50, rate: 400, line: "PING".into(), seconds: 3 }
    }
}

/// The number of flooding clients, and the suffix of the figures.
const FLOODERS: [(usize, &str); 3] = [(0, "alone"), (1, "beside_one"), (10, "beside_ten")];

/// Time before the measurement, in which each flooding client uses up its burst.
const WARM_UP: Duration = Duration::from_millis(500);

impl Flood {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let limits: [(_, &[&str]); 2] =
            [("flood, default rate limit", &[]), ("flood, --line-rate 0", &["--line-rate", "0"])];
        let mut reports = limits.map(|(scenario, _)| Report {
            scenario: scenario.into(),
            description: format!(
                "{} members send {} messages a second of {TEXT_BYTES} bytes, {} s each; 0, 1 and 10 clients repeat {:?}",
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
            run.add(format!("server_cpu_percent_of_flood_{name}"), percent - busy[0]);
        }
        run
    }

    /// Returns the CPU use of the server, in percent of a processor.
    fn run_beside(&self, binary: &Path, arguments: &[&str], flooders: usize, name: &str, run: &mut Run) -> f64 {
        let server = Server::start(binary, arguments);
        let mut load = Load::new(server.address(), Checking::All, self.members);
        load.join(0, self.members);
        let line = format!("{}\n", self.line);
        let attackers = Attackers::start(
            server.address(),
            vec![AttackPlan { joins: true, ..AttackPlan::flood(line.as_bytes()) }; flooders],
        );
        load.pace(self.rate, WARM_UP, |_| {});
        load.start_timing();
        let (cpu_before, start) = (server.cpu_precise(), Instant::now());
        load.pace(self.rate, Duration::from_secs(self.seconds), |_| {});
        let cpu = server.cpu_precise().saturating_sub(cpu_before);
        let seconds = start.elapsed().as_secs_f64();
        load.wait_for_acknowledgements();
        let (arrivals, acknowledgements) = (load.take_arrivals(), load.take_latencies());
        let counts = attackers.stop();
        run.faults.add(load.finish());
        run.add_latencies_to_max(&format!("acknowledged_{name}"), acknowledgements);
        run.add_latencies_to_max(&format!("arrived_{name}"), arrivals);
        let busy_percent = cpu.as_secs_f64() / seconds * 100.0;
        run.add(format!("server_busy_percent_{name}"), busy_percent);
        if flooders > 0 {
            let all_seconds = seconds + WARM_UP.as_secs_f64();
            run.add(format!("lines_answered_a_second_{name}"), counts.ok_lines as f64 / all_seconds);
        }
        busy_percent
    }
}
