//! The servers under comparison: how each is found and started.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::certificate::Certificate;
use crate::common::server::{SERVER_PROCESSOR, Server};
use crate::configuration::{self, BacklogLimit, Settings};
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

    /// Whether it speaks TLS from the first byte. NATS begins with a line of plain text.
    pub(crate) fn has_tls(&self) -> bool {
        matches!(self.program, Program::Chinwag | Program::Ngircd | Program::Inspircd | Program::Redis)
    }

    /// Whether it serves senders that send as fast as they can over TLS. In a trial, ngIRCd stopped reading from them.
    pub(crate) fn takes_bursts_over_tls(&self) -> bool {
        self.program != Program::Ngircd
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

    /// Starts it on the server's processor. Its address is the one for TLS, if it gets a certificate.
    pub(crate) fn start(&self, program: &Path, limit: BacklogLimit, certificate: Option<&Certificate>) -> Server {
        if self.program == Program::Chinwag {
            return start_chinwag(program, limit, certificate);
        }
        let directory = tempfile::tempdir().expect("a directory for its configuration");
        let settings = Settings::new(limit, directory.path(), certificate);
        let mut command = Command::new(program);
        command.current_dir(directory.path());
        match self.program {
            Program::Chinwag => {}
            Program::Relay => {
                command.args(["relay", "--address", &settings.address().to_string()]);
            }
            Program::Redis => {
                command.args(configuration::redis(&settings));
            }
            Program::Nats => {
                command.arg("-c").arg(settings.write(&configuration::nats(&settings)));
            }
            Program::Ngircd => {
                let file = settings.write(&configuration::ngircd(&settings));
                command.arg("--nodaemon").arg("--config").arg(file);
            }
            Program::Inspircd => {
                let file = settings.write(&configuration::inspircd(&settings));
                command.args(["--runasroot", "--nofork", "--nolog", "--nopid", "--config"]).arg(file);
            }
        }
        let address = settings.address();
        start(command, address, directory)
    }
}

fn start_chinwag(program: &Path, limit: BacklogLimit, certificate: Option<&Certificate>) -> Server {
    let options = configuration::chinwag(limit, certificate);
    let mut server = Server::start(program, &options.iter().map(String::as_str).collect::<Vec<_>>());
    if certificate.is_some() {
        // The first one is for plain text.
        server.addresses.remove(0);
    }
    server
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
