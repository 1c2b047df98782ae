//! The servers that are compared: how each is found and started, with the limits that would disturb turned off.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;

use super::protocol::{IRC, NATS, PLAIN, Protocol, REDIS, RELAY, TAGGED, WITH_CR};

/// A server, and the way in which it is spoken to.
#[derive(Clone, Copy)]
pub(super) struct Contender {
    /// What it is called on the command line and in the tables.
    pub(super) name: &'static str,
    program: Program,
    pub(super) protocol: &'static dyn Protocol,
    /// How many may introduce themselves at the same time. To one that lets few wait, more come no sooner.
    pub(super) joining_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Chinwag,
    Ngircd,
    Inspircd,
    Nats,
    Redis,
    Relay,
}

/// What is done about those who do not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlowReaders {
    /// They may fall behind as far as the server can be told to let them.
    Wait,
    /// What the server does if it is told nothing.
    AsByDefault,
}

/// How far chinwag lets readers fall behind if they may: as far as the load can compare, less what is in sockets. Its 8 MiB
/// are a quarter of a second of what it delivers to a hundred; a load that has to share its processor is gone for longer.
const CHINWAG_FEED_BYTES: &str = "50331648";

/// All of them. The bare relay is the limit to compare with.
pub(super) const ALL: [Contender; 8] = [
    Contender { name: "relay", program: Program::Relay, protocol: &RELAY, joining_max: 500 },
    Contender { name: "chinwag", program: Program::Chinwag, protocol: &PLAIN, joining_max: 500 },
    Contender { name: "chinwag-crlf", program: Program::Chinwag, protocol: &WITH_CR, joining_max: 500 },
    Contender { name: "chinwag-tagged", program: Program::Chinwag, protocol: &TAGGED, joining_max: 500 },
    Contender { name: "redis", program: Program::Redis, protocol: &REDIS, joining_max: 500 },
    Contender { name: "nats", program: Program::Nats, protocol: &NATS, joining_max: 500 },
    Contender { name: "ngircd", program: Program::Ngircd, protocol: &IRC, joining_max: 8 },
    Contender { name: "inspircd", program: Program::Inspircd, protocol: &IRC, joining_max: 500 },
];

impl Contender {
    /// Where its program is, if it is installed.
    pub(super) fn find(&self, chinwag: &Path) -> Option<PathBuf> {
        match self.program {
            Program::Chinwag => Some(chinwag.to_owned()),
            Program::Relay => std::env::current_exe().ok(),
            Program::Ngircd => find_program("ngircd"),
            Program::Inspircd => find_program("inspircd"),
            Program::Nats => find_program("nats-server"),
            Program::Redis => find_program("redis-server"),
        }
    }

    /// Whether newcomers are let in by and by.
    pub(super) fn paces_joins(&self) -> bool {
        matches!(self.program, Program::Ngircd | Program::Inspircd)
    }

    /// Whether something can be said to one alone.
    pub(super) fn has_addresses(&self) -> bool {
        self.program != Program::Relay
    }

    /// Whether what waits for somebody who does not read is bounded.
    pub(super) fn bounds_slow_readers(&self) -> bool {
        self.program != Program::Relay
    }

    /// What it says of its version.
    pub(super) fn version(&self, program: &Path) -> String {
        if self.program == Program::Relay {
            return "a part of the load".into();
        }
        let output = Command::new(program).arg("--version").output();
        let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        said.lines().next().unwrap_or_default().to_owned()
    }

    /// Starts it on its processor.
    pub(super) fn start(&self, program: &Path, slow: SlowReaders) -> Server {
        if self.program == Program::Chinwag {
            let mut arguments = vec!["--line-rate", "0", "--connect-rate", "0"];
            if slow == SlowReaders::Wait {
                arguments.extend(["--feed-bytes", CHINWAG_FEED_BYTES]);
            }
            return Server::start(program, &arguments);
        }
        let directory = tempfile::tempdir().expect("a directory for its configuration");
        let address = free_address();
        let mut command = Command::new(program);
        command.current_dir(directory.path());
        let configuration = directory.path().join("server.conf");
        match self.program {
            Program::Chinwag => {}
            Program::Relay => {
                command.args(["relay", "--address", &address.to_string()]);
            }
            Program::Redis => {
                command.args(redis_arguments(address, slow));
            }
            Program::Nats => {
                write(&configuration, &nats_configuration(address, slow));
                command.arg("-c").arg(configuration);
            }
            Program::Ngircd => {
                write(&configuration, &ngircd_configuration(address));
                command.arg("--nodaemon").arg("--config").arg(configuration);
            }
            Program::Inspircd => {
                write(&configuration, &inspircd_configuration(address, directory.path(), slow));
                command.args(["--runasroot", "--nofork", "--nolog", "--nopid", "--config"]).arg(configuration);
            }
        }
        Server::start_other(command, address, directory)
    }
}

/// Looks where daemons are, too: not every user's `PATH` has that.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A port that nobody listens on at this moment.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

fn write(path: &Path, configuration: &str) {
    fs::write(path, configuration).expect("a file in a directory of our own");
}

fn redis_arguments(address: SocketAddr, slow: SlowReaders) -> Vec<String> {
    let port = address.port();
    let mut arguments = format!(
        "--port {port} --bind 127.0.0.1 --daemonize no --appendonly no --maxclients 15000 --tcp-backlog 4096 --timeout 0 \
         --loglevel warning"
    );
    if slow == SlowReaders::Wait {
        arguments += " --client-output-buffer-limit pubsub 0 0 0";
    }
    let mut arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
    arguments.extend(["--save".to_owned(), String::new()]);
    arguments
}

fn nats_configuration(address: SocketAddr, slow: SlowReaders) -> String {
    let mut configuration = format!("listen: \"{address}\"\nmax_connections: 65536\nping_interval: \"1h\"\n");
    if slow == SlowReaders::Wait {
        configuration += "max_pending: 1GB\nwrite_deadline: \"60s\"\n";
    }
    configuration
}

/// How much it keeps for a reader is compiled in.
fn ngircd_configuration(address: SocketAddr) -> String {
    format!(
        "[Global]
            Name = irc.bench
            Info = bench
            Listen = 127.0.0.1
            Ports = {}
            MotdPhrase = bench
        [Limits]
            MaxConnections = 0
            MaxConnectionsIP = 0
            MaxJoins = 0
            MaxPenaltyTime = 0
            PingTimeout = 36000
            PongTimeout = 3600
        [Options]
            DNS = no
            Ident = no
            PAM = no
            MorePrivacy = no
        ",
        address.port()
    )
}

fn inspircd_configuration(address: SocketAddr, directory: &Path, slow: SlowReaders) -> String {
    let queues = match slow {
        SlowReaders::Wait => "softsendq=\"1073741824\" hardsendq=\"1073741824\"",
        // The hard limit that its example has. With a soft one below, senders were not served any more, for good.
        SlowReaders::AsByDefault => "softsendq=\"1048576\" hardsendq=\"1048576\"",
    };
    format!(
        "<server name=\"irc.bench\" description=\"bench\" network=\"bench\">
        <admin name=\"bench\" nick=\"bench\" email=\"bench@localhost\">
        <bind address=\"127.0.0.1\" port=\"{}\" type=\"clients\">
        <path configdir=\"{directory}\" datadir=\"{directory}\" logdir=\"{directory}\" runtimedir=\"{directory}\">
        <connect name=\"all\" allow=\"*\" timeout=\"60\" pingfreq=\"36000\" {queues} recvq=\"1048576\" fakelag=\"no\"
            threshold=\"1000000000\" commandrate=\"1000000000\" localmax=\"100000\" globalmax=\"100000\" limit=\"100000\"
            maxconnwarn=\"no\" resolvehostnames=\"no\" useident=\"no\">
        <performance somaxconn=\"4096\" softlimit=\"100000\" netbuffersize=\"65534\">
        ",
        address.port(),
        directory = directory.display()
    )
}
