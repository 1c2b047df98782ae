//! TLS: the memory of connections and of half handshakes, the rate of handshakes, and the delay of plain clients beside a flood of them.

mod flood;
mod half;
mod handshakes;
mod memory;

use std::path::Path;
use std::str::FromStr;

use argh::FromArgs;

use crate::common::figures::{Run, Runs};
use crate::common::server::{SERVER_PROCESSOR, Server};
use crate::common::tls::{self, TlsClient};
use crate::report::Report;

/// TLS: memory of idle members and of half handshakes, handshakes per second, and the delay of others beside a flood of handshakes.
#[derive(FromArgs)]
#[argh(subcommand, name = "tls")]
pub(crate) struct OverTls {
    /// measure this part only: memory, half, handshakes or flood; may be repeated (default: all)
    #[argh(option, arg_name = "part")]
    part: Vec<Part>,

    /// members of the part memory; may be repeated (default: 1000 and 5000)
    #[argh(option, arg_name = "members")]
    members: Vec<usize>,

    /// connections of the part half (default: 1000)
    #[argh(option, default = "HALF_DEFAULT")]
    half: usize,

    /// clients that make handshakes at a time, in the parts handshakes and flood (default: 100)
    #[argh(option, default = "CLIENTS_DEFAULT")]
    clients: usize,

    /// seconds of each measurement in the parts handshakes and flood (default: 4)
    #[argh(option, default = "SECONDS_DEFAULT")]
    seconds: u64,
}

const MEMBERS_DEFAULT: [usize; 2] = [1000, 5000];
const HALF_DEFAULT: usize = 1000;
const CLIENTS_DEFAULT: usize = 100;
const SECONDS_DEFAULT: u64 = 4;

impl Default for OverTls {
    fn default() -> Self {
        Self {
            part: Vec::new(),
            members: Vec::new(),
            half: HALF_DEFAULT,
            clients: CLIENTS_DEFAULT,
            seconds: SECONDS_DEFAULT,
        }
    }
}

/// A set of figures, measured with servers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Memory,
    Half,
    Handshakes,
    Flood,
}

impl Part {
    const ALL: [Self; 4] = [Self::Memory, Self::Half, Self::Handshakes, Self::Flood];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Half => "half",
            Self::Handshakes => "handshakes",
            Self::Flood => "flood",
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let part = Self::ALL.into_iter().find(|part| part.name() == raw);
        part.ok_or_else(|| "expected memory, half, handshakes or flood".into())
    }
}

impl OverTls {
    /// The parts take turns.
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let parts = Part::ALL.into_iter().filter(|part| self.part.is_empty() || self.part.contains(part));
        let parts: Vec<_> = parts.collect();
        let report = |part: &Part| Report {
            scenario: format!("tls {}", part.name()).into(),
            description: format!("{}; {}", self.description(*part), tls::parameters()),
            runs: Runs::default(),
        };
        let mut reports: Vec<_> = parts.iter().map(report).collect();
        for _ in 0..runs {
            for (part, report) in parts.iter().zip(&mut reports) {
                report.runs.0.push(self.run(*part, binary));
            }
        }
        reports
    }

    fn run(&self, part: Part, binary: &Path) -> Run {
        match part {
            Part::Memory => memory::run(binary, &self.members()),
            Part::Half => half::run(binary, self.half),
            Part::Handshakes => handshakes::run(binary, self.clients, self.seconds),
            Part::Flood => flood::run(binary, self.clients, self.seconds),
        }
    }

    fn description(&self, part: Part) -> String {
        let Self { half, clients, seconds, .. } = self;
        match part {
            Part::Memory => {
                let members: Vec<_> = self.members().iter().map(usize::to_string).collect();
                let members = members.join(" and ");
                format!("{members} members of one room over TCP and over TLS, idle, then idle after messages")
            }
            Part::Half => {
                format!("{half} connections to a TLS listener that send nothing, half a ClientHello, or a whole one")
            }
            Part::Handshakes => format!(
                "{clients} clients connect, read the first line, and connect again, over TCP and over TLS, {seconds} s each"
            ),
            Part::Flood => format!(
                "two members chat over TCP, newcomers connect over TCP; {seconds} s alone, and beside {clients} clients that send a \
                 ClientHello, read the answer and connect again, with the default --connect-rate and with 0 (unlimited)"
            ),
        }
    }

    fn members(&self) -> Vec<usize> {
        if self.members.is_empty() { MEMBERS_DEFAULT.into() } else { self.members.clone() }
    }
}

/// Starts a server on its processor, with a second listener for TLS.
fn start(binary: &Path, options: &[&str]) -> (Server, TlsClient) {
    Server::start_with_tls(&[SERVER_PROCESSOR], binary, options)
}
