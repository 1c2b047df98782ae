//! chinwag beside the servers that somebody would pick instead, and beside a bare relay: the same workloads for each, the runs
//! of the different servers taken in turns, so that whatever else changes changes for all.

mod connection;
mod contender;
mod crowd;
mod joins;
mod picture;
mod protocol;
mod relay;
mod sender;
mod table;
mod text;
mod workload;

use std::path::{Path, PathBuf};

use argh::FromArgs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report::Report;

use self::contender::{ALL, Contender};
pub(crate) use self::relay::Relay;
use self::table::Table;
use self::workload::{Workload, workloads};

/// chinwag, IRC, NATS, Redis and a bare relay under the same load: a table for each workload.
#[derive(FromArgs)]
#[argh(subcommand, name = "compare")]
pub(crate) struct Compare {
    /// a workload to run, one or more (default: all; --list names them)
    #[argh(option, arg_name = "name")]
    workload: Vec<String>,

    /// a server to run it with, one or more (default: all that are installed)
    #[argh(option, arg_name = "server")]
    only: Vec<String>,

    /// seconds measured, for each (default: 4)
    #[argh(option)]
    seconds: Option<f64>,

    /// a short pass, to see that everything works: what it measures means nothing
    #[argh(switch)]
    quick: bool,

    /// name the workloads and the servers, and run nothing
    #[argh(switch)]
    list: bool,

    /// where all figures are written, as JSON
    #[argh(option, arg_name = "path")]
    json: Option<PathBuf>,

    /// where the comparison is drawn, as SVG, if the workloads that it shows were run
    #[argh(option, arg_name = "path")]
    picture: Option<PathBuf>,
}

/// A server that is installed.
struct Installed {
    contender: Contender,
    program: PathBuf,
    version: String,
}

impl Compare {
    pub(crate) fn measure_and_print(&self, chinwag: &Path, runs: usize) -> Vec<Report> {
        if self.list {
            list();
            return Vec::new();
        }
        raise_descriptor_limit();
        let installed = self.installed(chinwag);
        let runs = if self.quick { 1 } else { runs };
        let mut tables = Vec::new();
        for workload in self.workloads() {
            let table = self.measure(&workload, &installed, runs);
            table.print();
            tables.push(table);
        }
        let versions: Vec<_> = installed.iter().map(|server| (server.contender.name, &*server.version)).collect();
        if let Some(path) = &self.json {
            write(path, &table::json(&tables, &versions, runs));
        }
        if let Some(path) = &self.picture {
            match picture::draw(&tables) {
                Some(picture) => write(path, &picture),
                None => eprintln!("load: no picture: the workloads that it shows were not run"),
            }
        }
        tables.into_iter().flat_map(Table::into_reports).collect()
    }

    fn workloads(&self) -> Vec<Workload> {
        let mut all = workloads(self.quick);
        for name in &self.workload {
            assert!(
                all.iter().any(|workload| workload.name == *name),
                "there is no workload {name}; --list names them"
            );
        }
        all.retain(|workload| self.workload.is_empty() || self.workload.iter().any(|name| *name == workload.name));
        all
    }

    /// Those to be run; says which are missing.
    fn installed(&self, chinwag: &Path) -> Vec<Installed> {
        for name in &self.only {
            assert!(ALL.iter().any(|contender| contender.name == name), "there is no server {name}; --list names them");
        }
        let mut installed = Vec::new();
        for contender in ALL {
            let wanted = self.only.is_empty() || self.only.iter().any(|name| name == contender.name);
            match contender.find(chinwag).filter(|_| wanted) {
                Some(program) => {
                    let version = contender.version(&program);
                    installed.push(Installed { contender, program, version });
                }
                None if wanted => eprintln!("load: {} is not installed: left out", contender.name),
                None => {}
            }
        }
        installed
    }

    fn measure(&self, workload: &Workload, installed: &[Installed], runs: usize) -> Table {
        let taking_part = |server: &&Installed| workload.takes(&server.contender, !self.only.is_empty());
        let servers: Vec<_> = installed.iter().filter(taking_part).collect();
        let mut table = Table::new(workload, servers.iter().map(|server| server.contender.name));
        let seconds = self.seconds.unwrap_or(if self.quick { 0.2 } else { 4.0 });
        for number in 1..=runs {
            for server in &servers {
                eprintln!("load: {}, run {number} of {runs}: {}", workload.name, server.contender.name);
                table.add(server.contender.name, workload.run(&server.contender, &server.program, seconds));
            }
        }
        table
    }
}

fn list() {
    for workload in workloads(false) {
        println!("--workload {:<16}{}", workload.name, workload.description());
    }
    for contender in ALL {
        println!("--only {}", contender.name);
    }
}

/// Ten thousand connections need as many descriptors, here and in the servers, which inherit the limit.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the first connection too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn write(path: &Path, contents: &str) {
    std::fs::write(path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    eprintln!("load: wrote {}", path.display());
}
