//! The load generator: what a delivery costs, and what an attack costs. It starts the real server on one processor and
//! drives it from the other.
//!
//! A delivery is one message that arrives at one receiver other than its sender. That everything arrives, in order, is
//! checked for every well-behaved receiver; if it does not, the exit status is 1. `cargo bench --bench load -- --help` lists
//! what can be varied; above each scenario's figures stands the command that measures them again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that prints its findings")]
#![expect(clippy::expect_used, reason = "a measurement that meets an error is void, and says so")]
#![expect(clippy::cast_precision_loss, reason = "no figure here has more than fifty bits that mean something")]

mod attacks;
mod compare;
mod flood;
mod load;
mod mob;
mod paced;
mod peer;
mod report;
mod saturated;
mod server;
mod stuck;
mod stuck_minute;
mod web;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use self::attacks::Attacks;
use self::compare::{Compare, Relay};
use self::flood::Flood;
use self::paced::Paced;
use self::report::Report;
use self::saturated::Saturated;
use self::stuck::Stuck;
use self::stuck_minute::StuckMinute;

/// Measures chinwagd under load and under attack: all scenarios with their defaults, or one.
#[derive(FromArgs)]
struct Arguments {
    /// how often each scenario is run; the median counts (default: 3, 1 of attacks and stuck-minute, 5 of compare)
    #[argh(option)]
    runs: Option<usize>,

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
    Flood(Flood),
    Attacks(Attacks),
    StuckMinute(StuckMinute),
    Compare(Compare),
    Relay(Relay),
}

impl Scenario {
    /// All of them, with their defaults, and what each is called on the command line.
    fn all() -> Vec<(String, Self)> {
        let all = [
            ("saturated", Self::Saturated(Saturated::default())),
            ("paced", Self::Paced(Paced::default())),
            ("stuck", Self::Stuck(Stuck::default())),
            ("flood", Self::Flood(Flood::default())),
            ("attacks", Self::Attacks(Attacks::default())),
            ("stuck-minute", Self::StuckMinute(StuckMinute::default())),
        ];
        all.into_iter().map(|(name, scenario)| (name.to_owned(), scenario)).collect()
    }

    fn runs_default(&self) -> usize {
        match self {
            Self::Saturated(_) | Self::Paced(_) | Self::Stuck(_) | Self::Flood(_) => 3,
            Self::Attacks(_) | Self::StuckMinute(_) | Self::Relay(_) => 1,
            Self::Compare(_) => 5,
        }
    }

    /// Measures, prints the figures, and returns them.
    fn measure(&self, server: &Path, runs: Option<usize>) -> Vec<Report> {
        let runs = runs.unwrap_or(self.runs_default()).max(1);
        let reports = match self {
            Self::Saturated(saturated) => vec![saturated.measure(server, runs)],
            Self::Paced(paced) => vec![paced.measure(server, runs)],
            Self::Stuck(stuck) => vec![stuck.measure(server, runs)],
            Self::Flood(flood) => flood.measure(server, runs),
            Self::Attacks(attacks) => return attacks.measure_and_print(server, runs),
            Self::StuckMinute(stuck_minute) => vec![stuck_minute.measure(server, runs)],
            Self::Compare(compare) => return compare.measure_and_print(server, runs),
            Self::Relay(relay) => relay.run(),
        };
        reports.iter().for_each(Report::print);
        reports
    }
}

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let arguments = match Arguments::from_args(&["load"], &words) {
        Ok(arguments) => arguments,
        Err(exit) => {
            eprintln!("{}", exit.output.trim_end());
            return if exit.status.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    let one = arguments.scenario.map(|scenario| vec![(words.join(" "), scenario)]);
    let all = || Scenario::all().into_iter().map(|(name, scenario)| ([&*words.join(" "), &name].join(" "), scenario));
    let mut faultless = true;
    let mut json = Vec::new();
    for (command, scenario) in one.unwrap_or_else(|| all().collect()) {
        println!("\n$ cargo bench --bench load -- {}", command.trim_start());
        for report in scenario.measure(&arguments.server, arguments.runs) {
            faultless &= !report.faults().any();
            // The comparison writes a file of its own.
            if !matches!(scenario, Scenario::Compare(_)) {
                json.push(format!("\"{}\":{}", report.scenario, report.json()));
            }
        }
    }
    if !json.is_empty() {
        println!("\n{{{}}}", json.join(","));
    }
    if faultless { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
