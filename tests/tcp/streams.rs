//! Standard streams in any state: full, closed, broken, non-blocking. The room does not depend on them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

use crate::common::{Client, DEADLINE, EPOCH, STOP_DEADLINE, command, exit_code};

const PROGRAMS: &[&str] = &[
    env!("CARGO_BIN_EXE_chinwagd"),
    #[cfg(feature = "client")]
    env!("CARGO_BIN_EXE_chinwag"),
];

/// A pipe that accepts no more bytes until somebody reads.
fn full_pipe(flags: OFlags) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("a pipe");
    for size in [4096, 1] {
        while writer.write(&vec![b'x'; size]).is_ok() {}
    }
    fcntl_setfl(&writer, flags).expect("a pipe");
    (reader, writer)
}

/// Streams that accept nothing, with the reader that must stay open for that.
fn useless() -> Vec<(&'static str, Stdio, Option<PipeReader>)> {
    let (unread, full) = full_pipe(OFlags::empty());
    let (unread_too, full_too) = full_pipe(OFlags::NONBLOCK);
    let (gone, broken) = io::pipe().expect("a pipe");
    drop(gone);
    vec![
        ("full", full.into(), Some(unread)),
        ("full, non-blocking", full_too.into(), Some(unread_too)),
        ("broken", broken.into(), None),
        ("/dev/full", full_device().into(), None),
        ("a directory", File::open("/").expect("a directory").into(), None),
    ]
}

fn full_device() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("/dev/full")
}

/// A server that reports its port by its port file only.
struct Quiet {
    child: Child,
    directory: tempfile::TempDir,
}

impl Quiet {
    fn spawn(mut start: impl FnMut(&Path) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let child = start(directory.path()).spawn().expect("it starts");
        Self { child, directory }
    }

    fn join(&mut self, name: &str) -> Client {
        let (path, start) = (self.directory.path().join("port"), Instant::now());
        let port = loop {
            if let Some(port) = fs::read_to_string(&path).ok().and_then(|port| port.trim().parse().ok()) {
                break port;
            }
            assert!(start.elapsed() < DEADLINE, "it does not start");
            thread::yield_now();
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut client = Client::new(std::net::TcpStream::connect(address).expect("it accepts"));
        client.send(&format!("NICK {name}"));
        client.sync();
        client
    }

    /// Stops it by SIGTERM; it must end soon.
    fn stop(mut self, what: &str) {
        Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert_eq!(exit_code(&mut self.child, STOP_DEADLINE), Some(0), "{what}");
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quiet(directory: &Path) -> Command {
    let ports = directory.join("port");
    command(&["--listen", "127.0.0.1:0", "--port-file", ports.to_str().expect("UTF-8"), "--log", "debug"])
}

#[test]
fn unwritable_stdout_stops_no_server() {
    for (what, stdout, _unread) in useless() {
        let mut stdout = Some(stdout);
        let mut server = Quiet::spawn(|directory| {
            let mut command = quiet(directory);
            command.stdout(stdout.take().expect("once")).stderr(Stdio::null());
            command
        });
        server.join("alice");
        server.stop(what);
    }
}

/// Other tests cover a log that nobody reads; here, no stream works.
#[test]
fn unwritable_streams_stop_no_server() {
    for ((what, stdout, _unread), (_, stderr, _unread_too)) in useless().into_iter().zip(useless()) {
        let (mut stdout, mut stderr) = (Some(stdout), Some(stderr));
        let mut server = Quiet::spawn(|directory| {
            let mut command = quiet(directory);
            command.stdout(stdout.take().expect("once")).stderr(stderr.take().expect("once"));
            command
        });
        server.join("alice");
        server.stop(what);
    }
}

#[test]
fn full_stdout_gets_listening_line_later() {
    let deadline = Timespec::try_from(DEADLINE).expect("a time");
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        let (mut reader, writer) = full_pipe(flags);
        let mut writer = Some(writer);
        let mut server = Quiet::spawn(|directory| {
            let mut command = quiet(directory);
            command.stdout(writer.take().expect("once")).stderr(Stdio::null());
            command
        });
        server.join("alice");
        let (mut output, mut bytes) = (Vec::new(), vec![0; 65536]);
        while !output.ends_with(b"\n") {
            assert_eq!(poll(&mut [PollFd::new(&reader, PollFlags::IN)], Some(&deadline)), Ok(1), "no line");
            let length = reader.read(&mut bytes).expect("a pipe");
            assert!(length > 0, "no line");
            output.extend(&bytes[..length]);
        }
        let line = output.split(|&byte| byte == b'x').next_back().expect("a line");
        assert!(line.starts_with(b"chinwagd: listening on 127.0.0.1:"), "{}", line.escape_ascii());
        server.stop("a late reader");
    }
}

/// Neither a socket nor the store may get the descriptor of a standard stream.
#[test]
fn closed_streams_become_dev_null() {
    let mut server = Quiet::spawn(|directory| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh", env!("CARGO_BIN_EXE_chinwagd"), "--epoch", EPOCH]);
        command.args(["--listen", "127.0.0.1:0", "--port-file", "port"]).current_dir(directory);
        if cfg!(feature = "store") {
            command.args(["--data", "chat.db"]);
        }
        command
    });
    server.join("alice");
    for number in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{number}", server.child.id())).expect("a descriptor");
        assert_eq!(target, Path::new("/dev/null"), "{number}");
    }
    server.stop("closed streams");
}

/// Nobody reads the log, and it exceeds its buffer: standard output must not report that.
#[test]
fn stuck_log_prints_nothing_on_stdout() {
    let (_unread, full) = full_pipe(OFlags::empty());
    let (stdout, writer) = io::pipe().expect("a pipe");
    let (mut full, mut writer) = (Some(full), Some(writer));
    let mut server = Quiet::spawn(|directory| {
        let mut command = quiet(directory);
        command.args(["--line-rate", "0"]);
        command.stdout(writer.take().expect("once")).stderr(full.take().expect("once"));
        command
    });
    let mut alice = server.join("alice");
    for number in 0..5000 {
        alice.send(&format!("NICK a{number}"));
    }
    alice.sync();
    server.stop("a stuck log");
    assert_eq!(io::read_to_string(stdout).expect("UTF-8").lines().count(), 1);
}

#[test]
fn unwritable_stderr_delays_no_exit() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let check = |program: &str, arguments: &[&str], expected| {
        for (what, stderr, _unread) in useless() {
            let mut command = Command::new(program);
            let mut child = command.args(arguments).stdin(Stdio::null()).stderr(stderr).spawn().expect("it starts");
            assert_eq!(exit_code(&mut child, DEADLINE), Some(expected), "{what} {arguments:?}");
        }
    };
    for program in PROGRAMS {
        check(program, &["--frobnicate"], 2);
    }
    check(PROGRAMS[0], &["--listen", &address], 1);
}

#[test]
fn unwritable_help_is_an_error() {
    for program in PROGRAMS {
        for option in ["--help", "--version"] {
            let to = |stdout: Stdio| {
                let output = Command::new(program).arg(option).stdout(stdout).output().expect("it runs");
                (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
            };
            let (code, err) = to(full_device().into());
            assert_eq!(code, Some(1), "{program} {option}");
            assert!(err.ends_with(": cannot write to standard output: No space left on device\n"), "{err}");
            let (gone, broken) = io::pipe().expect("a pipe");
            drop(gone);
            assert_eq!(to(broken.into()), (Some(0), String::new()), "{program} {option}: a reader that wants no more");
        }
    }
}

/// As with a pager: the program waits, and loses nothing.
#[test]
fn help_waits_for_a_slow_reader() {
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        let (reader, writer) = full_pipe(flags);
        let mut child = Command::new(PROGRAMS[0]).arg("--help").stdout(writer).spawn().expect("it starts");
        let output = io::read_to_string(reader).expect("UTF-8");
        assert!(output.contains("--port-file") && output.contains("Exit codes:"), "{output}");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
}
