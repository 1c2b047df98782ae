//! Signals: which ones stop the server, how, and which ones stay ignored.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chinwag::limits::STORE_CLOSE_MS_MAX;

use crate::common::{Client, DEADLINE, EPOCH, STOP_DEADLINE, Server};

/// The server's command line, started with signals as this option of `env` sets them: the test itself may have been started
/// in the background, where some are ignored.
fn with_signals(option: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args([option, env!("CARGO_BIN_EXE_chinwagd"), "--epoch", EPOCH, "--listen", "127.0.0.1:0"]);
    command.args(["--line-rate", "0"]).args(arguments).stdin(Stdio::null());
    command
}

fn server(arguments: &[&str]) -> Server {
    let mut command = with_signals("--default-signal=HUP,INT,TERM", arguments);
    Server::spawn(command.args(["--log", "error"]))
}

/// A server with clients that do not read, which delays its stop. The first of these clients reads.
fn server_with_stuck_readers() -> (Server, Vec<Client>) {
    let server = server(&[]);
    let clients = add_stuck_readers(&server);
    (server, clients)
}

fn add_stuck_readers(server: &Server) -> Vec<Client> {
    let mut talker = server.join("talker");
    let mut clients: Vec<_> = (0..3).map(|number| server.join(&format!("stuck{number}"))).collect();
    for _ in 0..2000 {
        talker.send(&format!("MSG {}", "x".repeat(500)));
    }
    talker.sync();
    clients.insert(0, talker);
    clients
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        std::thread::yield_now();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn first_signal_stops_in_order() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let directory = tempfile::tempdir().expect("a directory");
        let (ports, data) = (directory.path().join("port"), directory.path().join("chat.db"));
        let stored: &[_] = if cfg!(feature = "store") { &["--data", text(&data)] } else { &[] };
        let mut server = server(&[&["--port-file", text(&ports)], stored].concat());
        let (mut nameless, mut alice) = (server.connect(), server.join("alice"));
        alice.sync();
        let start = Instant::now();
        server.signal(signal);
        for client in [&mut nameless, &mut alice] {
            assert_eq!(client.rest(), ["NOTICE the server is shutting down"], "{signal}");
        }
        assert_eq!(server.wait().0.code(), Some(0), "{signal}");
        assert!(!ports.exists(), "{signal}: the port file is left");
        // A slow disk does not delay the stop.
        let is_closed = !directory.path().join("chat.db-wal").exists();
        assert!(
            is_closed || start.elapsed().as_millis() >= STORE_CLOSE_MS_MAX.into(),
            "{signal}: the store is not closed"
        );
    }
}

#[test]
fn slow_consumers_do_not_delay_stop() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (mut server, _peers) = server_with_stuck_readers();
        server.signal(signal);
        let (status, took) = server.wait();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < STOP_DEADLINE, "it took {took:?}");
    }
}

#[test]
fn second_signal_ends_at_once() {
    for (first, second, code) in [("-TERM", "-TERM", 143), ("-INT", "-TERM", 143), ("-HUP", "-INT", 130)] {
        let is_cut_short = |_| status_after(first, second) == Some(code);
        assert!((0..10).any(is_cut_short), "{first} {second}: it always stopped in order, or not as a shell tells");
    }
}

/// The status of a server that gets a second signal while it stops; `None` if it stops before that.
fn status_after(first: &str, second: &str) -> Option<i32> {
    let directory = tempfile::tempdir().expect("a directory");
    let ports = directory.path().join("port");
    let mut command = with_signals("--default-signal=HUP,INT,TERM", &["--port-file", text(&ports)]);
    let mut server = Server::spawn(command.stderr(Stdio::piped()));
    let mut clients = add_stuck_readers(&server);
    server.signal(first);
    clients[0].until("NOTICE the server is shutting down");
    // Those that come right after the first one are taken for copies of it.
    while server.is_running() {
        server.signal(second);
    }
    let status = server.wait().0.code();
    assert!(!ports.exists(), "{first} {second}: the port file is left");
    let log = io::read_to_string(server.take_stderr()).expect("UTF-8");
    let last = log.lines().last().expect("a line");
    let has_reason = |reason: &str| last.contains(&format!(" stopped reason={reason} uptime_seconds="));
    // A second signal after this line changes only the status.
    let is_first = has_reason(&format!("SIG{}", &first[1..]));
    let is_second = status != Some(0) && has_reason(&format!("\"second SIG{}\"", &second[1..]));
    assert!(is_first || is_second, "{first} {second}: {last}");
    status.filter(|_| is_second)
}

/// `timeout` signals its child and then its process group, to which the child belongs.
#[test]
fn copy_of_first_signal_is_ignored() {
    for signal in ["-TERM", "-INT"] {
        let (mut server, mut clients) = server_with_stuck_readers();
        // All at once: by a shell, which needs no process for each.
        let all = format!("for copy in 1 2 3 4 5; do kill {signal} {}; done", server.pid());
        assert!(Command::new("sh").args(["-c", &all]).status().expect("sh runs").success());
        clients[0].until("NOTICE the server is shutting down");
        assert_eq!(server.wait().0.code(), Some(0), "{signal}");
    }
}

/// When a terminal closes, the kernel and the shell each send a SIGHUP; systemd may send one right after SIGTERM.
#[test]
fn second_hangup_is_ignored() {
    for first in ["-HUP", "-TERM"] {
        let (mut server, mut clients) = server_with_stuck_readers();
        server.signal(first);
        clients[0].until("NOTICE the server is shutting down");
        server.signal("-HUP");
        assert_eq!(server.wait().0.code(), Some(0), "{first}");
    }
}

/// Otherwise `nohup` would have no effect, and Ctrl-C would end programs that a script started with `&`.
#[test]
fn signal_ignored_at_start_stays_ignored() {
    let mut server = Server::spawn(&mut with_signals("--ignore-signal=HUP,INT", &["--log", "error"]));
    let mut alice = server.join("alice");
    alice.sync();
    server.signal("-HUP");
    server.signal("-INT");
    alice.expect_nothing();
    server.signal("-TERM");
    assert_eq!(alice.rest(), ["NOTICE the server is shutting down"]);
    assert_eq!(server.wait().0.code(), Some(0));
}

/// The server waits for a store that another program has locked.
#[test]
#[cfg(feature = "store")]
fn signal_during_start_stops() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let mut first = server(&["--data", text(&data)]);
    first.signal("-TERM");
    first.wait();
    let lock = rusqlite::Connection::open(&data).expect("a database");
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("a lock");
    let mut command = with_signals("--default-signal=HUP,INT,TERM", &["--log", "error", "--data", text(&data)]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let descriptors = format!("/proc/{}/fd", child.id());
    wait_for("the store is not opened", || {
        let open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        open.filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).any(|target| target == data)
    });
    let start = Instant::now();
    Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    let output = child.stdout.take().expect("piped");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(start.elapsed() < STOP_DEADLINE, "it took {:?}", start.elapsed());
    assert_eq!(io::read_to_string(output).expect("UTF-8"), "", "it does not say that it listens");
}

/// By default SIGXFSZ would kill the server.
#[test]
#[cfg(feature = "store")]
fn file_size_limit_refuses_messages_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let mut command = Command::new("sh");
    let run = "ulimit -f 400; exec \"$@\"";
    command.args(["-c", run, "sh", env!("CARGO_BIN_EXE_chinwagd"), "--epoch", EPOCH, "--listen", "127.0.0.1:0"]);
    command.args(["--log", "off", "--line-rate", "0", "--data", text(&data)]).stdin(Stdio::null());
    let mut server = Server::spawn(&mut command);
    let mut alice = server.join("alice");
    wait_for("the limit is not reached", || {
        alice.send(&format!("MSG {}", "x".repeat(900)));
        alice.sync().iter().any(|line| line.starts_with("ERR MSG not-stored "))
    });
    server.join("bob");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn suspended_server_continues() {
    let mut server = server(&[]);
    let mut alice = server.join("alice");
    alice.sync();
    // Not SIGTSTP: the kernel discards that in an orphaned process group, as continuous integration may have.
    server.signal("-STOP");
    wait_for("it is not suspended", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("/proc");
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    });
    alice.send("MSG hi");
    server.signal("-TERM");
    server.signal("-CONT");
    assert_eq!(alice.rest().last().map(String::as_str), Some("NOTICE the server is shutting down"));
    assert_eq!(server.wait().0.code(), Some(0));
}
