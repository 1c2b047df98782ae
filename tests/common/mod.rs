//! What black-box tests share: the real server on a free port, and peers that are plain sockets. Nothing here sleeps:
//! reads have a deadline that fails loudly, and `Peer::sync` is the barrier.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// How long anything may take that should take no time: long enough for a machine busy with something else.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How long stopping may take: the second that is promised, and what a machine adds that is busy with something else.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// What the ids of every server belong to.
pub const EPOCH: &str = "k7qd";

/// The first line on every connection.
pub const HELLO: &str = "HELLO chinwag/1 epoch=k7qd type NICK and your name to join, HELP for help";

/// A server of the test's own, killed at the end.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Server {
    /// A server that listens on a free port of 127.0.0.1 and carries out lines as fast as they come.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::spawn(command(&["--listen", "127.0.0.1:0", "--log", "error", "--line-rate", "0"]).args(arguments))
    }

    /// One that holds its peers to a rate: the default one, or another.
    pub fn paced(arguments: &[&str]) -> Self {
        Self::spawn(command(&["--listen", "127.0.0.1:0", "--log", "error"]).args(arguments))
    }

    /// One of the test's own command line.
    pub fn spawn(command: &mut Command) -> Self {
        Self::adopt(command.stdout(Stdio::piped()).spawn().expect("the server starts"))
    }

    /// One that was started, with its standard output piped.
    pub fn adopt(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let address = address_in(&read_line(&mut stdout));
        Self { child, stdout, address }
    }

    /// A peer that has read its greeting.
    pub fn connect(&self) -> Peer {
        let mut peer = self.connect_raw();
        peer.expect(HELLO);
        peer
    }

    /// A peer that has read nothing.
    pub fn connect_raw(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).expect("the server accepts"))
    }

    /// A peer of this name that has read up to its own joining, and that everybody has seen.
    pub fn join(&self, name: &str) -> Peer {
        let mut peer = self.connect();
        peer.send(&format!("NICK {name}"));
        peer.expect(&format!("OK NICK {name}"));
        peer.sync();
        peer
    }

    /// The same for one whose kernel holds little for it.
    pub fn join_narrow(&self, name: &str) -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(64 * 1024).expect("a socket");
        socket.connect(&self.address.into()).expect("the server accepts");
        let mut peer = Peer::new(socket.into());
        peer.expect(HELLO);
        peer.send(&format!("NICK {name}"));
        peer.sync();
        peer
    }

    /// Its standard error, if that is piped.
    pub fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("standard error is piped")
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

    /// How it exited, and how long that took.
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

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("/proc").count()
    }

    /// Waits until no more than these are open, which `watcher` does not notice.
    pub fn wait_for_descriptors(&self, max: usize, watcher: &mut Peer) {
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

    /// Bytes of the feed that the kernel sends from without copying them.
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
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's command line.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["--epoch", EPOCH]).args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

/// The exit code of a program that must end within this time.
#[track_caller]
pub fn exit_code(child: &mut Child, time: Duration) -> Option<i32> {
    exit_status(child, time).code()
}

/// The exit status of a program that has to end in this time.
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

/// The lines that `next` tells before this one.
#[track_caller]
pub fn lines_before(last: &str, mut next: impl FnMut() -> Option<String>) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        match next() {
            Some(line) if line == last => return before,
            Some(line) => before.push(line),
            None => panic!("closed before {last:?}, after {before:?}"),
        }
    }
}

/// How often has been sent from a server's address so far: in segments of TCP, of which each `send` takes one. None, loudly, where
/// nothing tells.
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

/// The address in a line like `chinwagd: listening on 127.0.0.1:9999 - join with: …`.
pub fn address_in(line: &str) -> SocketAddr {
    let rest = line.strip_prefix("chinwagd: listening on ").unwrap_or_else(|| panic!("no listening line: {line:?}"));
    rest.split(' ').next().expect("an address").parse().expect("an address")
}

fn read_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    line.trim_end_matches('\n').to_owned()
}

/// Somebody at the other end of a socket.
pub struct Peer {
    input: BufReader<TcpStream>,
    syncs: u32,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { input: BufReader::new(stream), syncs: 0 }
    }

    pub fn stream(&self) -> &TcpStream {
        self.input.get_ref()
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.get_mut().write_all(bytes).expect("the server reads");
    }

    /// The next line, without LF; `None` at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.input.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                assert_eq!(line.pop(), Some(b'\n'), "half a line: {:?}", line.escape_ascii().to_string());
                Some(String::from_utf8(line).expect("UTF-8"))
            }
            Err(error) => panic!("no line within {DEADLINE:?}: {error}"),
        }
    }

    /// The next whole line, of a server that may be gone.
    pub fn next_if_any(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.input.read_until(b'\n', &mut line).ok()?;
        line.pop().filter(|last| *last == b'\n').map(|_| String::from_utf8(line).expect("UTF-8"))
    }

    /// The next line is this.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.next().as_deref(), Some(line));
    }

    /// The next line begins like this; returns it.
    #[track_caller]
    pub fn expect_start(&mut self, start: &str) -> String {
        let line = self.next().unwrap_or_else(|| panic!("closed instead of {start:?}"));
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
        line
    }

    /// There is nothing more, ever.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), None);
    }

    /// The barrier: all that was sent before has happened. Returns what came until then.
    #[track_caller]
    pub fn sync(&mut self) -> Vec<String> {
        self.syncs += 1;
        let token = format!("sync-{}", self.syncs);
        self.send(&format!("PING {token}"));
        self.until(&format!("OK PING {token}"))
    }

    /// This line is among what was heard already, or comes next.
    #[track_caller]
    pub fn expect_after(&mut self, heard: &[String], line: &str) {
        if !heard.iter().any(|heard| heard == line) {
            self.expect(line);
        }
    }

    /// Nothing is left to read.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.sync(), Vec::<String>::new());
    }

    /// Nothing comes for so long. It is the silence that is looked at here, or what goes on meanwhile.
    pub fn expect_silence(&mut self, time: Duration) {
        self.stream().set_read_timeout(Some(time)).expect("a timeout");
        let silence = self.input.fill_buf().map(<[u8]>::len);
        self.stream().set_read_timeout(Some(DEADLINE)).expect("a timeout");
        assert!(silence.is_err(), "{silence:?} bytes came");
    }

    /// What comes before this line.
    #[track_caller]
    pub fn until(&mut self, last: &str) -> Vec<String> {
        lines_before(last, || self.next())
    }

    /// The first line that begins like this, whatever comes before it.
    #[track_caller]
    pub fn until_start(&mut self, start: &str) -> String {
        loop {
            let line = self.next().unwrap_or_else(|| panic!("closed before {start:?}"));
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// What has come, whatever it is; `None` at the end, however it came about.
    pub fn next_bytes(&mut self) -> Option<Vec<u8>> {
        let bytes = self.input.fill_buf().unwrap_or_default().to_vec();
        self.input.consume(bytes.len());
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Reads so many bytes, whatever they are.
    pub fn skip_bytes(&mut self, count: u64) {
        let read = io::copy(&mut (&mut self.input).take(count), &mut io::sink()).expect("a connection");
        assert_eq!(read, count, "closed");
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.stream().shutdown(Shutdown::Write).expect("a connection");
    }

    /// All that still comes.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// All that still comes, as bytes.
    pub fn rest_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.input.read_to_end(&mut bytes).expect("an end in good order");
        bytes
    }
}
