//! Limits on connections.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chinwag::limits::DESCRIPTORS_RESERVED;
use socket2::{Domain, Socket, Type};

use crate::common::{Client, DEADLINE, EPOCH, HELLO, Server, command};

#[test]
fn connection_beyond_max_clients_is_refused() {
    let server = Server::with(&["--max-clients", "2"]);
    let mut alice = server.join("alice");
    let bob = server.join("bob");
    alice.expect("JOIN bob");
    for _ in 0..3 {
        let mut third = server.connect_raw();
        // Unread input must not turn the close into a reset, which destroys the refusal.
        third.send_bytes(b"NICK carol\nMSG hi\n");
        third.expect("ERR - server-full the server has its maximum of 2 connections; try again later");
        third.expect_end();
    }
    alice.expect_nothing();
    drop(bob);
    alice.expect("LEAVE bob eof");
    wait_for_hello(&server);
}

/// Connects until there is room again.
fn wait_for_hello(server: &Server) -> Client {
    let start = Instant::now();
    loop {
        let mut client = server.connect_raw();
        if client.next().as_deref() == Some(HELLO) {
            return client;
        }
        assert!(start.elapsed() < DEADLINE, "still full");
    }
}

#[test]
fn connection_beyond_max_per_address_is_refused() {
    let server = Server::with(&["--max-per-address", "2"]);
    let first = server.connect();
    let _second = server.connect();
    let mut third = server.connect_raw();
    third.expect("ERR - server-full your address has its maximum of 2 connections; close one first");
    third.expect_end();
    from(&server, Ipv4Addr::new(127, 0, 0, 2)).expect(HELLO);
    drop(first);
    wait_for_hello(&server);
}

fn from(server: &Server, source: Ipv4Addr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("an address of this machine");
    socket.connect(&server.address.into()).expect("the server accepts");
    Client::new(TcpStream::from(socket))
}

/// A client that connects and disconnects too often is refused; clients at other addresses are not.
#[test]
fn connect_rate_applies_to_each_address() {
    let server = Server::with(&["--connect-rate", "1"]);
    let mut alice = server.join("alice");
    let refused = (0..2000).find_map(|_| {
        let first = from(&server, Ipv4Addr::new(127, 0, 0, 2)).next();
        first.filter(|line| line != HELLO)
    });
    let why = "ERR - server-full more than 1 connections a second from your address; try again in a second";
    assert_eq!(refused.as_deref(), Some(why));
    server.join("bob");
    alice.until("JOIN bob");
}

/// Otherwise, a client could keep many nicknames with one connection.
#[test]
fn detached_member_counts_for_its_address() {
    let server = Server::with(&["--max-per-address", "1", "--resume-timeout", "2"]);
    let mut watcher = server.join("watcher");
    let there = Ipv4Addr::new(127, 0, 0, 2);
    let mut mallory = from(&server, there);
    mallory.send("SET resume on\nNICK mallory");
    mallory.until("OK NICK mallory");
    socket2::SockRef::from(mallory.stream()).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(mallory);
    let start = Instant::now();
    while from(&server, there).next().as_deref() != Some(HELLO) {
        assert!(start.elapsed() < DEADLINE, "still full");
    }
    assert_eq!(watcher.sync(), ["JOIN mallory", "LEAVE mallory lost"]);
}

/// The server raises the soft limit to the hard limit, and keeps a reserve for itself.
#[test]
fn descriptor_limit_bounds_clients() {
    let limited = Command::new("sh")
        .args(["-c", "ulimit -Sn 100; ulimit -Hn 200; exec \"$@\"", "sh"])
        .arg(command(&[]).get_program())
        .args(["--epoch", EPOCH, "--listen", "127.0.0.1:0", "--log", "warn", "--line-rate", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let server = Server::adopt(limited.expect("the server starts"));
    let _inside: Vec<_> = (0..200 - DESCRIPTORS_RESERVED).map(|_| server.connect()).collect();
    server.connect_raw().expect_start("ERR - server-full ");
}

/// More connections at once than are given time to read the refusal.
#[test]
fn refused_connections_leave_no_descriptors() {
    let server = Server::with(&["--max-clients", "1"]);
    let mut alice = server.join("alice");
    let before = server.descriptors();
    for _ in 0..3 {
        let crowd: Vec<_> = (0..200).map(|_| server.connect_raw()).collect();
        for mut client in crowd {
            client.expect_start("ERR - server-full ");
            client.expect_end();
        }
        alice.sync();
    }
    server.wait_for_descriptors(before, &mut alice);
}

/// Members chat on. New clients wait, and are accepted when others leave. The log has one warning, and at the stop another one.
#[test]
fn exhausted_descriptors_delay_new_clients_only() {
    let limited = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$@\"", "sh"])
        .arg(command(&[]).get_program())
        .args([
            "--epoch",
            EPOCH,
            "--listen",
            "127.0.0.1:0",
            "--log",
            "warn",
            "--max-clients",
            "1000",
            "--line-rate",
            "0",
        ])
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Server::adopt(limited.expect("the server starts"));
    let mut log = BufReader::new(server.take_stderr()).lines().map_while(Result::ok);
    let told = log.next().expect("a warning");
    assert!(told.contains("limit of open files") && told.contains("max_clients=1000"), "{told}");
    let mut alice = server.join("alice");
    let mut crowd: Vec<_> = (0..100).map(|_| server.connect_raw()).collect();
    let told = log.next().expect("a warning");
    assert!(told.contains("cannot accept connections") && told.contains("Too many open files"), "{told}");
    for _ in 0..100 {
        alice.send("MSG still here");
        alice.expect_start("OK MSG ");
    }
    let before = server.cpu_ticks();
    alice.expect_silence(Duration::from_secs(1));
    let spent = server.cpu_ticks() - before;
    assert!(spent < 50, "it spins: {spent} ticks of 10 ms in a second");
    for client in &mut crowd {
        client.expect(HELLO);
        // Its descriptor goes to the next client.
        client.send("QUIT");
        client.expect("OK QUIT");
        client.expect_end();
    }
    drop(crowd);
    server.join("bob");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    let rest: Vec<_> = log.collect();
    let is_count = |line: &String| line.contains("cannot accept connections") && line.contains(" count=");
    assert!(
        rest.len() == 1 && rest.iter().all(is_count),
        "one warning, and at the stop the count of further failures: {rest:?}"
    );
}
