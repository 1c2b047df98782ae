//! The messages of the server to the service manager, in order.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use rustix::time::{ClockId, clock_gettime};

use crate::common::{DEADLINE, Server, command};

/// The first message: it asks for two minutes.
const STARTING: &str = "STATUS=starting\nEXTEND_TIMEOUT_USEC=120000000";

/// A service manager, its server, and the messages that it has received.
struct Service {
    server: Server,
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Service {
    /// Starts a server with a watchdog of this number of microseconds.
    fn start(watchdog: u64, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut command = command(&["--listen", "127.0.0.1:0", "--log", "info", "--line-rate", "0"]);
        command.args(arguments).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", watchdog.to_string());
        let server = Server::spawn(command.stderr(Stdio::piped()));
        Self { server, socket, directory }
    }

    fn receive(&self) -> String {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).expect("a message");
        String::from_utf8(message[..length].to_vec()).expect("UTF-8")
    }

    /// The next message that is more than a sign of life.
    fn receive_event(&self) -> String {
        loop {
            let message = self.receive();
            if !message.starts_with("WATCHDOG=1") {
                return message;
            }
        }
    }

    /// The first messages of a server that has started.
    fn expect_start(&self) {
        assert_eq!(self.receive(), STARTING);
        let mut message = self.receive();
        while message.starts_with("STATUS=opening the store\n") {
            message = self.receive();
        }
        assert_eq!(message, "READY=1");
        assert_eq!(self.receive(), "WATCHDOG=1\nSTATUS=clients: 0, members: 0");
    }
}

#[test]
fn service_manager_learns_of_start_clients_and_stop() {
    let mut service = Service::start(20_000, &[]);
    service.expect_start();
    let client = service.server.join("alice");
    // After the shortest interval between two of these lines.
    let mut message = String::new();
    while message != "WATCHDOG=1\nSTATUS=clients: 1, members: 1" {
        message = service.receive();
        assert!(message.starts_with("WATCHDOG=1"), "{message}");
    }
    service.server.signal("-TERM");
    assert_eq!(service.receive_event(), "STOPPING=1\nSTATUS=stopping");
    assert_eq!(service.server.wait().0.code(), Some(0));
    drop(client);
}

#[test]
fn reload_is_between_reloading_and_ready() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&file, "hunter2\n").expect("it is written");
    let service = Service::start(20_000, &["--password-file", file.path().to_str().expect("UTF-8")]);
    service.expect_start();
    let now = || clock_gettime(ClockId::Monotonic).tv_sec;
    let before = now();
    for _ in 0..2 {
        service.server.signal("-HUP");
        let message = service.receive_event();
        let microseconds = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&message);
        let seconds = microseconds.parse::<i64>().expect(&message) / 1_000_000;
        assert!((before..=now()).contains(&seconds), "{message}");
        assert_eq!(service.receive_event(), "READY=1");
    }
    let Service { server, directory, .. } = service;
    let log = server.stop();
    assert_eq!(log.matches(" read the password ").count(), 3, "{log}");
    drop(directory);
}

/// `systemctl reload` sends SIGHUP to every server.
#[test]
fn hangup_without_files_does_not_stop_the_service() {
    let service = Service::start(0, &[]);
    assert_eq!(
        [service.receive(), service.receive(), service.receive()].concat(),
        format!("{STARTING}READY=1STATUS=clients: 0, members: 0")
    );
    service.server.signal("-HUP");
    assert!(service.receive_event().starts_with("RELOADING=1\n"));
    assert_eq!(service.receive_event(), "READY=1");
    let Service { server, directory, .. } = service;
    let log = server.stop();
    assert!(log.contains(" INFO SIGHUP: there are no files to read again\n"), "{log}");
    drop(directory);
}

#[test]
fn absent_service_manager_is_a_warning() {
    let mut command = command(&["--listen", "127.0.0.1:0", "--log", "warn"]);
    command.env("NOTIFY_SOCKET", "/nonexistent/notify").env("WATCHDOG_USEC", "1000");
    let server = Server::spawn(command.stderr(Stdio::piped()));
    let client = server.join("alice");
    let log = server.stop();
    let warnings = log.matches(" WARN cannot notify the service manager; it may restart the server error=").count();
    assert_eq!((warnings, log.lines().count()), (1, 1), "{log}");
    drop(client);
}
