//! The kit of the black-box tests: the real server on a free port, and clients over each of its transports. Nothing here sleeps:
//! reads have a deadline that fails loudly, and `Client::sync` is the barrier.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test program uses a part of it")]

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

#[cfg(feature = "proxy")]
pub use self::client::Proxy;
pub use self::client::{Client, Lines, Site, Tcp, Transport, Unix};
use self::route::Endpoint;
#[cfg(feature = "tls")]
use self::tls::ThroughTls;
#[cfg(feature = "web")]
pub use self::websocket::{WebSocket, WebSocketOver};

/// Lines over TLS.
#[cfg(feature = "tls")]
pub type Tls = Lines<ThroughTls>;

/// Lines over WebSocket over TLS.
#[cfg(all(feature = "tls", feature = "web"))]
pub type SecureWebSocket = WebSocketOver<ThroughTls>;

mod client;
mod route;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "web")]
mod websocket;

/// Limit for anything that should take no time. Long enough for a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Limit for a stop: the promised second, and more for a busy machine.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// The epoch of every server.
pub const EPOCH: &str = "k7qd";

/// The first line on every connection.
pub const HELLO: &str =
    "HELLO chinwag/1 epoch=k7qd features=rooms,watch,secure type NICK and your name to join, HELP for help";

/// The first line on every connection to a server with a store.
pub const HELLO_WITH_STORE: &str = if cfg!(feature = "accounts") {
    "HELLO chinwag/1 epoch=k7qd features=rooms,watch,search,secure,accounts type NICK and your name to join, HELP for help"
} else {
    "HELLO chinwag/1 epoch=k7qd features=rooms,watch,search,secure type NICK and your name to join, HELP for help"
};

/// A server process, killed at the end.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, without a rate limit for lines.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::spawn(command(&["--listen", "127.0.0.1:0", "--log", "error", "--line-rate", "0"]).args(arguments))
    }

    /// Starts a server with a rate limit for lines: the default one, or that of the arguments.
    pub fn rate_limited(arguments: &[&str]) -> Self {
        Self::spawn(command(&["--listen", "127.0.0.1:0", "--log", "error"]).args(arguments))
    }

    /// Starts a server by this command line.
    pub fn spawn(command: &mut Command) -> Self {
        Self::adopt(command.stdout(Stdio::piped()).spawn().expect("the server starts"))
    }

    /// Takes a process whose standard output is piped.
    pub fn adopt(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let address = address_in(&read_line(&mut stdout));
        Self { child, stdout, address }
    }

    /// A client that has read its greeting.
    pub fn connect(&self) -> Client {
        client::connect(&Endpoint::Ip(self.address))
    }

    /// A client that has read nothing.
    pub fn connect_raw(&self) -> Client {
        client::connect_raw(&Endpoint::Ip(self.address), None)
    }

    /// A member that has read everything up to its own join, which every other member has seen.
    pub fn join(&self, nick: &str) -> Client {
        self.connect().joined(nick)
    }

    /// A member with a small receive buffer, so that the server soon notices if it does not read.
    pub fn join_narrow(&self, nick: &str) -> Client {
        client::connect_narrow(&Endpoint::Ip(self.address)).joined(nick)
    }

    /// Standard error, if it is piped.
    pub fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("standard error is piped")
    }

    /// Stops the server. Returns what it wrote to standard error, which must be piped.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal("-TERM");
        let (status, _) = self.wait();
        let log = io::read_to_string(self.take_stderr()).expect("UTF-8");
        assert!(status.success(), "{status}: {log}");
        log
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line on standard output.
    pub fn stdout_line(&mut self) -> String {
        read_line(&mut self.stdout)
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the server can be waited for").is_none()
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits for the exit. Returns the status, and how long it took.
    pub fn wait(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < DEADLINE, "the server does not stop");
            std::thread::yield_now();
        }
    }

    /// Number of open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("/proc").count()
    }

    /// Waits until at most `max` descriptors are open, with `watcher` as the barrier.
    pub fn wait_for_descriptors<T: Transport>(&self, max: usize, watcher: &mut Client<T>) {
        let start = Instant::now();
        while self.descriptors() > max {
            watcher.sync();
            assert!(start.elapsed() < DEADLINE, "{} descriptors instead of {max}", self.descriptors());
        }
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("/proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Bytes of the feed's memory file.
    pub fn shared_with_the_kernel(&self) -> u64 {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("/proc");
        let of_feed = descriptors.map(|descriptor| descriptor.expect("/proc").path()).filter(|path| {
            std::fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:chinwagd-feed"))
        });
        of_feed.map(|path| std::fs::metadata(path).map_or(0, |file| file.blocks() * 512)).sum()
    }

    /// Processor time used so far, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("/proc");
        let (_, fields) = stat.rsplit_once(')').expect("the program's name in brackets");
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's command line.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command
        .args(["--epoch", EPOCH])
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("RUNTIME_DIRECTORY")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("JOURNAL_STREAM");
    command
}

/// The exit code of a process, which must end in this time.
#[track_caller]
pub fn exit_code(child: &mut Child, time: Duration) -> Option<i32> {
    exit_status(child, time).code()
}

/// The exit status of a process, which must end in this time.
#[track_caller]
pub fn exit_status(child: &mut Child, time: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        if start.elapsed() > time {
            child.kill().expect("it can be killed");
            panic!("it does not end");
        }
        std::thread::yield_now();
    }
}

/// Whether this program is installed. With CI=true it must be.
pub fn needs(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$1\" >/dev/null", "sh", program]).status();
    if found.expect("sh runs").success() {
        return true;
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{program} is missing, and with CI=true nothing is skipped");
    eprintln!("SKIPPED: {program} is missing; scripts/test installs it");
    false
}

/// Number of sends from a server's address so far, counted in TCP segments: each small `send` is one. `None` without `ss`.
pub fn sends_from(address: SocketAddr) -> Option<u64> {
    let Ok(listed) = Command::new("ss").args(["-tinHO", &format!("sport = :{}", address.port())]).output() else {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "ss is missing, and with CI=true nothing is skipped for that"
        );
        eprintln!("SKIPPED: ss is missing; scripts/test installs it");
        return None;
    };
    let listed = String::from_utf8(listed.stdout).expect("text");
    let sum = |key: &str| -> u64 {
        let values = listed.split_whitespace().filter_map(|word| word.strip_prefix(key));
        values.map(|value| value.rsplit('/').next().expect("a word").parse::<u64>().expect("a number")).sum()
    };
    Some(sum("data_segs_out:") - sum("retrans:"))
}

/// The IP address in a line like `chinwagd: listening on 127.0.0.1:9999 - join with: …`.
pub fn address_in(line: &str) -> SocketAddr {
    Endpoint::in_line(line).ip().unwrap_or_else(|| panic!("no IP address: {line:?}"))
}

fn read_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    line.trim_end_matches('\n').to_owned()
}
