//! The load generator: what a delivery costs. It starts the real server on one processor and drives it from the other.
//!
//! A delivery is one message that arrives at one receiver other than its sender. That everything arrives, in order, is
//! checked for every receiver; if it does not, the exit status is 1. `cargo bench -- --help` lists what can be varied.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that prints its findings")]
#![expect(clippy::expect_used, reason = "a measurement that meets an error is void, and says so")]
#![expect(clippy::cast_precision_loss, reason = "no figure here has more than fifty bits that mean something")]

mod load;
mod paced;
mod peer;
mod report;
mod saturated;
mod server;
mod stuck;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use self::paced::Paced;
use self::report::Report;
use self::saturated::Saturated;
use self::stuck::Stuck;

/// Measures the fan-out of chinwagd: all scenarios with their defaults, or one.
#[derive(FromArgs)]
struct Arguments {
    /// how often each scenario is run; the median counts (default: 3)
    #[argh(option, default = "3")]
    runs: usize,

    /// another server to measure, to compare two builds (default: the one built with this)
    #[argh(option, arg_name = "path", default = "PathBuf::from(env!(\"CARGO_BIN_EXE_chinwagd\"))")]
    server: PathBuf,

    #[argh(subcommand)]
    scenario: Option<Scenario>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Scenario {
    Saturated(Saturated),
    Paced(Paced),
    Stuck(Stuck),
}

impl Scenario {
    fn measure(&self, server: &Path, runs: usize) -> Report {
        match self {
            Self::Saturated(saturated) => saturated.measure(server, runs),
            Self::Paced(paced) => paced.measure(server, runs),
            Self::Stuck(stuck) => stuck.measure(server, runs),
        }
    }
}

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let arguments = match Arguments::from_args(&["fanout"], &words) {
        Ok(arguments) => arguments,
        Err(exit) => {
            eprintln!("{}", exit.output.trim_end());
            return if exit.status.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    let scenarios = match arguments.scenario {
        Some(scenario) => vec![scenario],
        None => vec![
            Scenario::Saturated(Saturated::default()),
            Scenario::Paced(Paced::default()),
            Scenario::Stuck(Stuck::default()),
        ],
    };
    let mut faultless = true;
    let mut json = Vec::new();
    for scenario in scenarios {
        let report = scenario.measure(&arguments.server, arguments.runs.max(1));
        report.print();
        faultless &= !report.faults().any();
        json.push(format!("\"{}\":{}", report.scenario, report.json()));
    }
    println!("\n{{{}}}", json.join(","));
    if faultless { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
