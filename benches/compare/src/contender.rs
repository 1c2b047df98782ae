//! The servers under comparison: how each is found, configured and started. Limits that the workloads would reach are off.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::server::{SERVER_PROCESSOR, Server};
use crate::protocol::{IRC, NATS, PLAIN, Protocol, REDIS, RELAY, TAGGED, WITH_CR};

/// A server, and how clients talk to it.
#[derive(Clone, Copy)]
pub(crate) struct Contender {
    /// Its name on the command line and in the tables.
    pub(crate) name: &'static str,
    program: Program,
    pub(crate) protocol: &'static dyn Protocol,
    /// Most handshakes at the same time. A server with a short accept queue gets few.
    pub(crate) handshakes_max: usize,
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

/// The server's limit for the backlog of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BacklogLimit {
    /// The highest that it can be configured to, so that a slow moment of the load generator disconnects no client.
    Highest,
    Default,
}

/// The feed of chinwag with [`BacklogLimit::Highest`]: as much as [`Log`](crate::common::log::Log) can compare, less the sockets'
/// buffers. The default, 8 MiB, is what chinwag delivers to 100 readers in a quarter of a second. A load generator that shares
/// its processor may be suspended for longer.
const CHINWAG_BACKLOG_BYTES: &str = "50331648";

/// All servers. The bare relay is the limit that they are compared with.
pub(crate) const ALL: [Contender; 8] = [
    Contender { name: "relay", program: Program::Relay, protocol: &RELAY, handshakes_max: 500 },
    Contender { name: "chinwag", program: Program::Chinwag, protocol: &PLAIN, handshakes_max: 500 },
    Contender { name: "chinwag-crlf", program: Program::Chinwag, protocol: &WITH_CR, handshakes_max: 500 },
    Contender { name: "chinwag-tagged", program: Program::Chinwag, protocol: &TAGGED, handshakes_max: 500 },
    Contender { name: "redis", program: Program::Redis, protocol: &REDIS, handshakes_max: 500 },
    Contender { name: "nats", program: Program::Nats, protocol: &NATS, handshakes_max: 500 },
    Contender { name: "ngircd", program: Program::Ngircd, protocol: &IRC, handshakes_max: 8 },
    Contender { name: "inspircd", program: Program::Inspircd, protocol: &IRC, handshakes_max: 500 },
];

impl Contender {
    /// The path of its program, if it is installed.
    pub(crate) fn find(&self, chinwagd: &Path) -> Option<PathBuf> {
        match self.program {
            Program::Chinwag => Some(chinwagd.to_owned()),
            Program::Relay => std::env::current_exe().ok(),
            Program::Ngircd => find_program("ngircd"),
            Program::Inspircd => find_program("inspircd"),
            Program::Nats => find_program("nats-server"),
            Program::Redis => find_program("redis-server"),
        }
    }

    /// Whether it admits clients slowly, so that workloads of 10,000 clients use fewer.
    pub(crate) fn admits_slowly(&self) -> bool {
        matches!(self.program, Program::Ngircd | Program::Inspircd)
    }

    /// Whether a message costs more time the more clients are connected, also in other channels. With 10,000 clients, a run of a few
    /// seconds takes ngIRCd minutes.
    pub(crate) fn slows_with_clients(&self) -> bool {
        self.program == Program::Ngircd
    }

    /// Whether a message can be for some clients only.
    pub(crate) fn has_routes(&self) -> bool {
        self.program != Program::Relay
    }

    /// Whether it has a limit for the backlog of a client.
    pub(crate) fn has_backlog_limit(&self) -> bool {
        self.program != Program::Relay
    }

    /// The first line of what it prints as its version.
    pub(crate) fn version(&self, program: &Path) -> String {
        if self.program == Program::Relay {
            return "a part of the comparison".into();
        }
        let output = Command::new(program).arg("--version").output();
        let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        output.lines().next().unwrap_or_default().to_owned()
    }

    /// Starts it on the server's processor.
    pub(crate) fn start(&self, program: &Path, limit: BacklogLimit) -> Server {
        if self.program == Program::Chinwag {
            let mut arguments = vec!["--line-rate", "0", "--connect-rate", "0"];
            if limit == BacklogLimit::Highest {
                arguments.extend(["--backlog", CHINWAG_BACKLOG_BYTES]);
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
                command.args(redis_arguments(address, limit));
            }
            Program::Nats => {
                write(&configuration, &nats_configuration(address, limit));
                command.arg("-c").arg(configuration);
            }
            Program::Ngircd => {
                write(&configuration, &ngircd_configuration(address));
                command.arg("--nodaemon").arg("--config").arg(configuration);
            }
            Program::Inspircd => {
                write(&configuration, &inspircd_configuration(address, directory.path(), limit));
                command.args(["--runasroot", "--nofork", "--nolog", "--nopid", "--config"]).arg(configuration);
            }
        }
        start(command, address, directory)
    }
}

/// Starts a server other than chinwag, and waits until it accepts connections at its address.
fn start(mut command: Command, address: SocketAddr, directory: TempDir) -> Server {
    let log_path = directory.path().join("log");
    let log = File::create(&log_path).expect("a file for its output");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    let mut server = Server::spawn(&mut command, &[SERVER_PROCESSOR], directory);
    let connected = server.await_start(|| TcpStream::connect(address).ok());
    let output = || fs::read_to_string(&log_path).unwrap_or_default();
    assert!(connected.is_some(), "{command:?} does not start: {}", output());
    server.addresses.push(address);
    server
}

/// Searches the directories of daemons too, which are not in every user's `PATH`.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// An address at which nothing listens at this moment.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

fn write(path: &Path, configuration: &str) {
    fs::write(path, configuration).expect("a file in its own directory");
}

fn redis_arguments(address: SocketAddr, limit: BacklogLimit) -> Vec<String> {
    let port = address.port();
    let mut arguments = format!(
        "--port {port} --bind 127.0.0.1 --protected-mode no --daemonize no --appendonly no --maxclients 15000 --tcp-backlog 4096 --timeout 0 \
         --loglevel warning"
    );
    if limit == BacklogLimit::Highest {
        arguments += " --client-output-buffer-limit pubsub 0 0 0";
    }
    let mut arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
    arguments.extend(["--save".to_owned(), String::new()]);
    arguments
}

fn nats_configuration(address: SocketAddr, limit: BacklogLimit) -> String {
    let mut configuration = format!("listen: \"{address}\"\nmax_connections: 65536\nping_interval: \"1h\"\n");
    if limit == BacklogLimit::Highest {
        configuration += "max_pending: 1GB\nwrite_deadline: \"60s\"\n";
    }
    configuration
}

/// Its limit for the backlog of a client is compiled in.
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

fn inspircd_configuration(address: SocketAddr, directory: &Path, limit: BacklogLimit) -> String {
    let queues = match limit {
        BacklogLimit::Highest => "softsendq=\"1073741824\" hardsendq=\"1073741824\"",
        // The hard limit of its example configuration. With a soft limit below that, it stopped serving the senders.
        BacklogLimit::Default => "softsendq=\"1048576\" hardsendq=\"1048576\"",
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
