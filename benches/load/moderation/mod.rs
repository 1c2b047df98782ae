//! Moderation: how long the messages of a flooding client arrive after its ban, and what bans of addresses cost when a connection is
//! accepted. The listener trusts the load generator as a proxy, because addresses of the server's machine cannot be banned.

mod accepts;
mod flooder;

use std::net::Ipv4Addr;
use std::path::Path;

use argh::FromArgs;

use self::accepts::Servers;
use crate::common::figures::Runs;
use crate::common::log::TEXT_BYTES;
use crate::report::Report;

/// Moderation: the time from the ban of a flooding client to its last message, and the cost of many bans at accept.
#[derive(FromArgs)]
#[argh(subcommand, name = "moderation")]
pub(crate) struct Moderation {
    /// readers beside the flooding client (default: 1000)
    #[argh(option, default = "1000")]
    readers: usize,

    /// bans of addresses (default: 100000, the limit of a server)
    #[argh(option, default = "100_000")]
    bans: u32,

    /// connections of each kind, of each run (default: 2000)
    #[argh(option, default = "2000")]
    connections: u32,
}

impl Default for Moderation {
    fn default() -> Self {
        Self { readers: 1000, bans: 100_000, connections: 2000 }
    }
}

/// A second listener, behind a proxy that names its clients.
const PROXY_LISTENER: [&str; 2] = ["--listen", "tcp://127.0.0.1:0?proxy=127.0.0.1"];

/// The header of the PROXY protocol for a client at this address.
fn proxy_header(client: Ipv4Addr) -> String {
    format!("PROXY TCP4 {client} 10.0.0.1 4711 9999\r\n")
}

impl Moderation {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let flooder = Report {
            scenario: "moderation, ban of a flooder".into(),
            description: format!(
                "{} readers; one client sends messages of {TEXT_BYTES} bytes as fast as it can, --line-rate 0, and is banned by its \
                 address after {} s",
                self.readers,
                flooder::FLOOD.as_secs()
            ),
            runs: Runs((0..runs).map(|_| flooder::run(binary, self.readers)).collect()),
        };
        let servers = Servers::start(binary, self.bans);
        let accepts = Report {
            scenario: "moderation, bans at accept".into(),
            description: format!(
                "servers with no ban, one, and {}; {} connections of each kind, one after the other, until the first line arrives",
                self.bans, self.connections
            ),
            runs: Runs((0..runs).map(|_| servers.run(self.connections)).collect()),
        };
        vec![flooder, accepts]
    }
}
