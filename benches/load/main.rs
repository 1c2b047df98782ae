//! The load generator: measures chinwagd under load and under attack. The server has one processor, the load generator the other. The
//! comparison with other servers is a separate package, `benches/compare`.
//!
//! A delivery is one message that arrives at one reader other than its sender. Every well-behaved reader checks that everything arrives, in
//! order; if it does not, the exit status is 1. `cargo bench --bench load -- --help` lists the options. The output gives, above the figures
//! of each scenario, the command that repeats it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that prints its results")]
#![expect(clippy::expect_used, reason = "a measurement that meets an error is void, and says so")]
#![expect(clippy::cast_precision_loss, reason = "figures have fewer than fifty significant bits")]

mod attackers;
mod attacks;
#[path = "../common/mod.rs"]
mod common;
mod connection;
mod flood;
mod load;
mod logins;
mod moderation;
mod paced;
mod report;
mod rooms;
mod saturated;
mod server;
mod stuck;
mod stuck_minute;
mod tls;
mod web;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use self::attacks::Attacks;
use self::common::socket::raise_descriptor_limit;
use self::flood::Flood;
use self::logins::Logins;
use self::moderation::Moderation;
use self::paced::Paced;
use self::report::Report;
use self::rooms::ManyRooms;
use self::rooms::memory::RoomsMemory;
use self::saturated::Saturated;
use self::stuck::Stuck;
use self::stuck_minute::StuckMinute;
use self::tls::OverTls;

/// Measures chinwagd under load and under attack: all scenarios with their defaults, or one.
#[derive(FromArgs)]
struct Arguments {
    /// runs of each scenario; the output has their medians (default: 3; attacks and stuck-minute: 1; moderation: 10)
    #[argh(option)]
    runs: Option<usize>,

    /// chinwagd to measure (default: built by Cargo together with this program)
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
    Rooms(ManyRooms),
    RoomsMemory(RoomsMemory),
    Tls(OverTls),
    Logins(Logins),
    Moderation(Moderation),
}

impl Scenario {
    /// All scenarios with their defaults, each with its name on the command line.
    fn all() -> Vec<(String, Self)> {
        let all = [
            ("saturated", Self::Saturated(Saturated::default())),
            ("paced", Self::Paced(Paced::default())),
            ("stuck", Self::Stuck(Stuck::default())),
            ("flood", Self::Flood(Flood::default())),
            ("attacks", Self::Attacks(Attacks::default())),
            ("stuck-minute", Self::StuckMinute(StuckMinute::default())),
            ("rooms", Self::Rooms(ManyRooms::default())),
            ("rooms --each 100", Self::Rooms(ManyRooms::each(100))),
            ("rooms-memory", Self::RoomsMemory(RoomsMemory::default())),
            ("tls", Self::Tls(OverTls::default())),
            ("logins", Self::Logins(Logins::default())),
            ("moderation", Self::Moderation(Moderation::default())),
        ];
        all.into_iter().map(|(name, scenario)| (name.to_owned(), scenario)).collect()
    }

    fn runs_default(&self) -> usize {
        match self {
            Self::Saturated(_) | Self::Paced(_) | Self::Stuck(_) | Self::Flood(_) => 3,
            Self::Rooms(_) | Self::RoomsMemory(_) | Self::Tls(_) | Self::Logins(_) => 3,
            Self::Attacks(_) | Self::StuckMinute(_) => 1,
            Self::Moderation(_) => 10,
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
            Self::Rooms(rooms) => rooms.measure(server, runs),
            Self::RoomsMemory(memory) => vec![memory.measure(server, runs)],
            Self::Tls(tls) => tls.measure(server, runs),
            Self::Logins(logins) => logins.measure(server, runs),
            Self::Moderation(moderation) => moderation.measure(server, runs),
        };
        reports.iter().for_each(Report::print);
        reports
    }
}

fn main() -> ExitCode {
    // Cargo adds the argument `--bench`.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let arguments = match Arguments::from_args(&["load"], &words) {
        Ok(arguments) => arguments,
        Err(exit) => {
            eprintln!("{}", exit.output.trim_end());
            return if exit.status.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    raise_descriptor_limit();
    let one = arguments.scenario.map(|scenario| vec![(words.join(" "), scenario)]);
    let all = || Scenario::all().into_iter().map(|(name, scenario)| ([&*words.join(" "), &name].join(" "), scenario));
    let mut faultless = true;
    let mut json = Vec::new();
    for (command, scenario) in one.unwrap_or_else(|| all().collect()) {
        println!("\n$ cargo bench --bench load -- {}", command.trim_start());
        for report in scenario.measure(&arguments.server, arguments.runs) {
            faultless &= !report.faults().any();
            json.push(format!("\"{}\":{}", report.scenario, report.runs.json()));
        }
    }
    println!("\n{{{}}}", json.join(","));
    if faultless { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
