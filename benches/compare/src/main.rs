//! The comparison: the same workloads for chinwag, other chat and publish/subscribe servers, and a bare relay. Each run of a
//! workload is done with every server before the next run, so that changes of the machine affect all of them.
//!
//! The server has one processor, the load generator the other. Every reader checks that everything arrives, in order; if it
//! does not, the exit status is 1.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that prints its results")]
#![expect(clippy::expect_used, reason = "a measurement that meets an error is void, and says so")]
#![expect(clippy::cast_precision_loss, reason = "figures have fewer than fifty significant bits")]

mod clients;
#[path = "../../common/mod.rs"]
mod common;
mod configuration;
mod connection;
mod contender;
mod joins;
mod picture;
mod protocol;
mod relay;
mod sender;
mod table;
mod text;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use self::common::certificate::Certificate;
use self::common::socket::raise_descriptor_limit;
use self::contender::{ALL, Contender};
use self::relay::Relay;
use self::table::Table;
use self::workload::{Workload, workloads};

/// Where `cargo build --release` puts chinwagd.
const CHINWAGD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/chinwagd");

/// Measures chinwag, IRC, NATS and Redis servers and a bare relay under the same load, and prints a table for each workload.
#[derive(FromArgs)]
struct Arguments {
    /// runs of each workload with each server; the median counts (default: 5)
    #[argh(option, default = "5")]
    runs: usize,

    /// chinwagd to measure (default: target/release/chinwagd, as `cargo build --release` makes it)
    #[argh(option, arg_name = "path", default = "PathBuf::from(CHINWAGD)")]
    chinwagd: PathBuf,

    /// run this workload only; may be repeated (default: all; see --list)
    #[argh(option, arg_name = "name")]
    workload: Vec<String>,

    /// measure this server only; may be repeated (default: all that are installed; see --list)
    #[argh(option, arg_name = "server")]
    only: Vec<String>,

    /// seconds of each run (default: 4)
    #[argh(option)]
    seconds: Option<f64>,

    /// one short run with few clients, to check that everything works; its figures mean nothing
    #[argh(switch)]
    quick: bool,

    /// list the workloads and the servers, and run nothing
    #[argh(switch)]
    list: bool,

    /// write all figures to this file, as JSON
    #[argh(option, arg_name = "path")]
    json: Option<PathBuf>,

    /// draw the saturated workloads into this file, as SVG
    #[argh(option, arg_name = "path")]
    picture: Option<PathBuf>,

    #[argh(subcommand)]
    part: Option<Part>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Part {
    Relay(Relay),
}

/// A server that is installed.
struct Installed {
    contender: Contender,
    program: PathBuf,
    version: String,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    if let Some(Part::Relay(relay)) = &arguments.part {
        relay.run();
    }
    if arguments.list {
        list();
        return ExitCode::SUCCESS;
    }
    match arguments.compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    /// Runs the workloads. Returns whether every message arrived at every client.
    fn compare(&self) -> Result<bool, String> {
        raise_descriptor_limit();
        let workloads = self.workloads()?;
        let installed = self.installed()?;
        let runs = if self.quick { 1 } else { self.runs.max(1) };
        let mut tables = Vec::new();
        for workload in &workloads {
            let table = self.measure(workload, &installed, runs)?;
            table.print();
            tables.push(table);
        }
        let versions: Vec<_> = installed.iter().map(|server| (server.contender.name, &*server.version)).collect();
        if let Some(path) = &self.json {
            write(path, &table::json(&tables, &versions, runs))?;
        }
        if let Some(path) = &self.picture {
            let picture = picture::draw(&tables)
                .ok_or("no picture: it shows the workloads saturated-1000 and saturated-10000")?;
            write(path, &picture)?;
        }
        Ok(!tables.iter().any(Table::has_faults))
    }

    fn workloads(&self) -> Result<Vec<Workload>, String> {
        let mut all = workloads(self.quick);
        if let Some(name) = self.workload.iter().find(|name| all.iter().all(|workload| workload.name != **name)) {
            return Err(format!("unknown workload {name:?}; see --list"));
        }
        all.retain(|workload| self.workload.is_empty() || self.workload.iter().any(|name| *name == workload.name));
        Ok(all)
    }

    /// The servers to measure. Reports the missing ones.
    fn installed(&self) -> Result<Vec<Installed>, String> {
        if let Some(name) = self.only.iter().find(|name| ALL.iter().all(|contender| contender.name != **name)) {
            return Err(format!("unknown server {name:?}; see --list"));
        }
        let mut installed = Vec::new();
        for contender in ALL {
            if !self.only.is_empty() && !self.only.iter().any(|name| name == contender.name) {
                continue;
            }
            match contender.find(&self.chinwagd) {
                Some(program) if program.is_file() => {
                    let version = contender.version(&program);
                    installed.push(Installed { contender, program, version });
                }
                Some(program) => {
                    return Err(format!("{} not found; build it with: cargo build --release", program.display()));
                }
                None => eprintln!("compare: {} is not installed, so it is not measured", contender.name),
            }
        }
        Ok(installed)
    }

    fn measure(&self, workload: &Workload, installed: &[Installed], runs: usize) -> Result<Table, String> {
        let takes_part = |server: &&Installed| workload.includes(&server.contender, !self.only.is_empty());
        let servers: Vec<_> = installed.iter().filter(takes_part).collect();
        let mut table = Table::new(workload, servers.iter().map(|server| server.contender.name));
        let needs_certificate = workload.is_encrypted && !servers.is_empty();
        let certificate = needs_certificate.then(|| Certificate::make(&self.chinwagd)).transpose()?;
        let seconds = self.seconds.unwrap_or(if self.quick { 0.2 } else { 4.0 });
        for number in 1..=runs {
            for server in &servers {
                eprintln!("compare: {}, run {number} of {runs}: {}", workload.name, server.contender.name);
                let run = workload.run(&server.contender, &server.program, seconds, certificate.as_ref());
                table.add(server.contender.name, run);
            }
        }
        Ok(table)
    }
}

fn list() {
    for workload in workloads(false) {
        println!("--workload {:<20}{}", workload.name, workload.description());
    }
    for contender in ALL {
        println!("--only {}", contender.name);
    }
}

fn write(path: &Path, contents: &str) -> Result<(), String> {
    std::fs::write(path, contents).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    eprintln!("compare: wrote {}", path.display());
    Ok(())
}
