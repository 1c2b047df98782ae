//! Panics in the server. The library accepts a write timeout that no command line accepts: a connection panics when it adds the
//! timeout to its clock, once its socket is full.

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use chinwag::limits::BACKLOG_BYTES_DEFAULT;
use chinwag::server::{self, AccountOptions, Listener, Rate, ServerOptions, ServiceManager};
use chinwag::session::Timeouts;
use common::{Client, DEADLINE};

/// Starts a server within the test process. Returns its port.
fn start(port_file: &Path) -> u16 {
    let options = ServerOptions {
        listen: vec![Listener::lines(SocketAddr::from(([127, 0, 0, 1], 0)))],
        service_manager: ServiceManager::default(),
        port_file: Some(port_file.to_owned()),
        control: None,
        backlog_bytes: BACKLOG_BYTES_DEFAULT,
        max_clients: None,
        max_per_address: 0,
        history: 0,
        max_rooms: 10,
        has_watch: true,
        certificates: None,
        password: None,
        allows_insecure_passwords: false,
        accounts: AccountOptions::default(),
        epoch: None,
        cluster: None,
        store: None,
        line_rate: Rate { per_second: 0, burst: 1 },
        connect_rate: Rate { per_second: 0, burst: 1 },
        send_timeout: Some(Duration::MAX),
        dead_peer_timeout: None,
        timeouts: Timeouts::default(),
        resume_seconds: 0,
        motd: None,
    };
    thread::spawn(move || server::run(&options));
    let start = Instant::now();
    loop {
        if let Ok(port) = fs::read_to_string(port_file) {
            return port.trim().parse().expect("a port");
        }
        assert!(start.elapsed() < DEADLINE, "it does not start");
        thread::yield_now();
    }
}

#[test]
fn panic_in_a_connection_ends_only_that_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let port = start(&directory.path().join("port"));
    let join = |name: &str| {
        let mut client = Client::new(std::net::TcpStream::connect(("127.0.0.1", port)).expect("the server accepts"));
        client.send(&format!("NICK {name}"));
        client.until(&format!("OK NICK {name}"));
        client.sync();
        client
    };
    let mut alice = join("alice");
    let mut bob = join("bob");
    for round in 0..3 {
        let name = format!("stuck{round}");
        let mut stuck = join(&name);
        // It reads none of the replies, so its socket becomes full.
        stuck.send_bytes("HELP\n".repeat(20_000).as_bytes());
        bob.until(&format!("LEAVE {name} lost"));
        while stuck.next_bytes().is_some() {}
    }
    alice.send("NICK stuck0");
    alice.until("OK NICK stuck0");
    bob.until("RENAME alice stuck0");
}
