//! The server behind proxies: the header of the PROXY protocol, and the fields `Forwarded` and `X-Forwarded-For`. Real proxies are in
//! `tests/shell`; `tests/transports` runs over the PROXY protocol, too.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "web")]
mod web;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use chinwag::limits::{PROXY_HEADER_BYTES_MAX, ROOM_CREATION_BURST, ROOMS_PER_COMMAND_MAX};
use proxy_header::{ProxiedAddress, ProxyHeader, SslInfo, Tlv};
use socket2::{Domain, Socket, Type};

use self::common::{Client, DEADLINE, HELLO, Server, command};

/// The greeting on a connection whose way the server does not know.
const HELLO_NOT_SECURE: &str =
    "HELLO chinwag/1 epoch=k7qd features=rooms,watch type NICK and your name to join, HELP for help";

/// A server with this listener.
struct ProxiedServer {
    server: Server,
    address: SocketAddr,
}

impl ProxiedServer {
    /// A listener for lines behind the proxy 127.0.0.1.
    fn start(arguments: &[&str]) -> Self {
        Self::listen("tcp://127.0.0.1:0?proxy=127.0.0.1", arguments)
    }

    fn listen(uri: &str, arguments: &[&str]) -> Self {
        let mut server = Server::with(&[&["--listen", uri], arguments].concat());
        let address = common::address_in(&server.stdout_line());
        Self { server, address }
    }

    /// A connection from this address of this machine.
    fn connect_from(&self, source: Ipv4Addr) -> TcpStream {
        connect_from(source, self.address)
    }

    fn connect(&self) -> TcpStream {
        self.connect_from(Ipv4Addr::LOCALHOST)
    }

    /// A connection on which these bytes were sent.
    fn send_from(&self, source: Ipv4Addr, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect_from(source);
        stream.write_all(bytes.as_ref()).expect("the server reads");
        stream
    }

    fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        self.send_from(Ipv4Addr::LOCALHOST, bytes)
    }

    /// A client whose proxy sends these bytes first.
    fn client(&self, header: impl AsRef<[u8]>) -> Client {
        Client::new(self.send(header))
    }

    /// A member whose proxy sends these bytes first.
    fn member(&self, header: impl AsRef<[u8]>, nick: &str) -> Client {
        let mut client = self.client(header);
        client.expect_start("HELLO ");
        client.send(&format!("NICK {nick}"));
        client.expect(&format!("OK NICK {nick}"));
        client.sync();
        client
    }
}

fn connect_from(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("an address of this machine");
    socket.connect(&address.into()).expect("the server accepts");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// A header of version 1 for a client at this address.
fn v1(client: &str) -> String {
    let address: SocketAddr = client.parse().expect("an address");
    let family = if address.is_ipv4() { "TCP4" } else { "TCP6" };
    let server = if address.is_ipv4() { "10.0.0.1" } else { "::1" };
    format!("PROXY {family} {} {server} {} 9999\r\n", address.ip(), address.port())
}

/// A header of version 2 for a client at this address.
fn v2(client: &str, tlvs: &[Tlv<'_>]) -> Vec<u8> {
    let client: SocketAddr = client.parse().expect("an address");
    let server = SocketAddr::new(client.ip(), 9999);
    let mut bytes = Vec::new();
    let header = ProxyHeader::with_tlvs(Some(ProxiedAddress::stream(client, server)), tlvs.iter().cloned());
    header.encode_v2(&mut bytes).expect("a header");
    bytes
}

/// The value that says whether the client of the proxy uses TLS.
fn tls_value(client_uses_tls: bool) -> Tlv<'static> {
    Tlv::Ssl(SslInfo::new(client_uses_tls, false, false, 0))
}

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The address of this member in the `STATUS` that the coordinator asks for.
#[track_caller]
fn address_in_status(coordinator: &mut Client, nick: &str) -> String {
    coordinator.send("STATUS");
    let user = coordinator.until_start(&format!("USER {nick} "));
    coordinator.until_start("OK STATUS ");
    let address = user.split(' ').find_map(|word| word.strip_prefix("address="));
    address.unwrap_or_else(|| panic!("no address: {user}")).to_owned()
}

#[test]
fn status_shows_the_clients_address() {
    let server = ProxiedServer::start(&[]);
    let mut coordinator = server.server.join("coordinator");
    let own = |client: &Client| client.stream().local_addr().expect("an address").to_string();
    let mut members = Vec::new();
    for (number, (header, address)) in [
        (v1("192.0.2.7:4711").into_bytes(), Some("192.0.2.7:4711")),
        (v1("[2001:db8::7]:65535").into_bytes(), Some("[2001:db8::7]:65535")),
        (v2("192.0.2.8:4712", &[]), Some("192.0.2.8:4712")),
        (v2("[2001:db8::8]:1", &[Tlv::UniqueId(b"a"[..].into())]), Some("[2001:db8::8]:1")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (LOCAL.to_vec(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let nick = format!("m{number}");
        let member = server.member(header, &nick);
        let expected = address.map_or_else(|| own(&member), str::to_owned);
        assert_eq!(address_in_status(&mut coordinator, &nick), expected);
        members.push(member);
    }
}

#[test]
fn line_may_come_with_the_header_and_the_header_in_pieces() {
    let server = ProxiedServer::start(&[]);
    for header in [v1("192.0.2.7:4711").into_bytes(), v2("192.0.2.7:4711", &[tls_value(false)])] {
        let mut client = server.client([&header, &b"PING first\n"[..]].concat());
        client.expect(HELLO_NOT_SECURE);
        client.expect("OK PING first");
        let stream = server.connect();
        stream.set_nodelay(true).expect("no delay");
        for byte in &header {
            (&stream).write_all(&[*byte]).expect("the server reads");
        }
        let mut client = Client::new(stream);
        client.expect(HELLO_NOT_SECURE);
        client.expect_nothing();
    }
}

#[test]
fn limits_apply_to_the_clients_address() {
    let server = ProxiedServer::start(&["--max-per-address", "1", "--max-clients", "3"]);
    let mut first = server.client(v1("192.0.2.7:1"));
    first.expect(HELLO_NOT_SECURE);
    let mut refused = server.client(v2("192.0.2.7:2", &[]));
    refused.expect("ERR - server-full your address has its maximum of 1 connections; close one first");
    refused.expect_end();
    let mut other = server.client(v1("192.0.2.8:1"));
    other.expect(HELLO_NOT_SECURE);
    // The header of the proxy has not come yet, and the connection counts already.
    let waiting = server.connect();
    let full = "ERR - server-full the server has its maximum of 3 connections; try again later";
    let mut refused = server.client(v1("192.0.2.9:1"));
    refused.expect(full);
    refused.expect_end();
    drop(waiting);
    // The proxy's own address counts for connections without another one.
    let mut own = loop {
        let mut own = server.client(LOCAL);
        match own.next().as_deref() {
            Some(HELLO_NOT_SECURE) => break own,
            line => assert_eq!(line, Some(full)),
        }
    };
    drop((first, other));
    let mut refused = loop {
        let mut refused = server.client("PROXY UNKNOWN\r\n");
        match refused.next().as_deref() {
            Some(line) if line == full => {}
            line => break (line.map(str::to_owned), refused),
        }
    };
    assert_eq!(
        refused.0.as_deref(),
        Some("ERR - server-full your address has its maximum of 1 connections; close one first")
    );
    refused.1.expect_end();
    own.expect_nothing();
}

#[test]
fn connect_rate_applies_to_the_clients_address() {
    let server = ProxiedServer::start(&["--connect-rate", "1"]);
    let refused = (0..2000).find_map(|port| {
        let first = server.client(v1(&format!("192.0.2.7:{port}"))).next();
        first.filter(|line| line != HELLO_NOT_SECURE)
    });
    let why = "ERR - server-full more than 1 connections a second from your address; try again in a second";
    assert_eq!(refused.as_deref(), Some(why));
    server.client(v1("192.0.2.8:1")).expect(HELLO_NOT_SECURE);
}

#[test]
fn rooms_are_counted_for_the_clients_address() {
    let server = ProxiedServer::start(&[]);
    let (mut first, mut second) =
        (server.member(v1("192.0.2.7:1"), "first"), server.member(v2("192.0.2.7:2", &[]), "second"));
    let rooms: Vec<_> = (0..ROOM_CREATION_BURST).map(|number| format!("#r{number}")).collect();
    for (number, rooms) in rooms.chunks(ROOMS_PER_COMMAND_MAX).enumerate() {
        // Neither is in more rooms than a member may be.
        let member = if number % 2 == 0 { &mut first } else { &mut second };
        member.send(&format!("JOIN {}", rooms.join(",")));
        member.until_start("OK JOIN ");
    }
    second.send("JOIN #more");
    second.until_start("ERR JOIN rooms-too-fast ");
    let mut third = server.member(v1("192.0.2.8:1"), "third");
    third.send("JOIN #more");
    third.until_start("OK JOIN ");
}

#[test]
fn connection_without_a_header_is_refused() {
    let server = ProxiedServer::start(&[]);
    let expected = "ERR - proxy-expected this port expects a PROXY protocol header from your proxy: ";
    for (sent, reason) in [
        (&b"NICK alice\nMSG hi\n"[..], "the connection does not begin with one".to_owned()),
        (b"GET / HTTP/1.1\r\n\r\n", "the connection does not begin with one".to_owned()),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 +2\r\nNICK alice\n", "its port is invalid".to_owned()),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04abcd", "its length is invalid".to_owned()),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", format!("it has more than {PROXY_HEADER_BYTES_MAX} bytes")),
        (&[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "it has no CR LF in its first 107 bytes".to_owned()),
    ] {
        let mut client = server.client(sent);
        client.expect(&format!("{expected}{reason}"));
        client.expect_end();
    }
    // Unread input, more than fits into one read, must not turn the close into a reset.
    let mut client = server.client(vec![b'x'; 100_000]);
    client.expect_start(expected);
    client.expect_end();
    server.client(v1("192.0.2.7:1")).expect(HELLO_NOT_SECURE);
}

/// Otherwise, every client could claim any address.
#[test]
fn other_addresses_are_refused() {
    let server = ProxiedServer::start(&[]);
    let mut client = Client::new(server.send_from(Ipv4Addr::new(127, 0, 0, 2), v1("127.0.0.1:1")));
    client.expect("ERR - proxy-expected this port serves only clients of its proxies; connect to the proxy");
    client.expect_end();
}

#[test]
fn header_without_the_parameter_is_a_line() {
    let server = Server::with(&["--listen", "127.0.0.1:0"]);
    let mut client = server.connect_raw();
    client.send_bytes(b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 9999\r\nNICK alice\r\nSTATUS\r\n");
    client.expect(HELLO);
    client.expect_start("ERR - verb-unknown ");
    let status = client.until_start("USER alice ");
    assert!(status.contains(" address=127.0.0.1:"), "{status}");
}

#[test]
fn hello_says_secure_only_if_the_proxy_does() {
    let server = ProxiedServer::start(&[]);
    for (header, is_secure) in [
        (v1("127.0.0.1:4711").into_bytes(), false),
        (v2("127.0.0.1:4711", &[]), false),
        (v2("192.0.2.7:4711", &[tls_value(false)]), false),
        (v2("192.0.2.7:4711", &[tls_value(true)]), true),
        (LOCAL.to_vec(), false),
    ] {
        server.client(header).expect(if is_secure { HELLO } else { HELLO_NOT_SECURE });
    }
}

#[test]
fn unix_socket_takes_headers() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let mut server = Server::with(&["--listen", &format!("unix://{}?proxy=unix", path.display())]);
    let line = server.stdout_line();
    assert!(line.ends_with(" - for proxies that send a PROXY protocol header: unix"), "{line}");
    let mut coordinator = server.join("coordinator");
    for (header, nick, address) in
        [(v1("192.0.2.7:4711"), "a", "192.0.2.7:4711"), ("PROXY UNKNOWN\r\n".into(), "b", "unix")]
    {
        let mut stream = UnixStream::connect(&path).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(format!("{header}NICK {nick}\n").as_bytes()).expect("the server reads");
        let mut lines = BufReader::new(&stream).lines().map(|line| line.expect("a line"));
        assert_eq!(
            [lines.next(), lines.next()],
            [HELLO_NOT_SECURE, &format!("OK NICK {nick}")].map(|line| Some(line.to_owned()))
        );
        assert_eq!(address_in_status(&mut coordinator, nick), address);
    }
}

/// The lines of a log, without the times.
fn log_of(uri: &str, run: impl FnOnce(SocketAddr)) -> Vec<String> {
    let server = Server::spawn(command(&["--listen", uri]).stderr(Stdio::piped()));
    run(server.address);
    let log = server.stop();
    log.lines().map(|line| line.split_once("  ").expect("a time").1.to_owned()).collect()
}

#[test]
fn log_has_the_clients_address_and_the_refusals() {
    let log = log_of("tcp://127.0.0.1:0?proxy=127.0.0.1,10.0.0.0/8", |address| {
        let mut client = Client::new(connect_from(Ipv4Addr::LOCALHOST, address));
        client.send_bytes(v1("192.0.2.7:4711").as_bytes());
        client.expect(HELLO_NOT_SECURE);
        client.send("QUIT");
        client.until("OK QUIT");
        client.expect_end();
        for (source, sent) in [(1, "x"), (1, "y"), (2, "x")] {
            let mut client = Client::new(connect_from(Ipv4Addr::new(127, 0, 0, source), address));
            client.send_bytes(sent.as_bytes());
            client.expect_start("ERR - proxy-expected ");
            client.expect_end();
        }
    });
    let find = |start: &str| {
        let lines: Vec<_> = log.iter().filter(|line| line.starts_with(start)).collect();
        assert!(!lines.is_empty(), "no {start:?} in {log:#?}");
        lines
    };
    assert!(find("INFO listening ")[0].ends_with(" proxies=127.0.0.1/32,10.0.0.0/8"), "{log:#?}");
    assert!(find("INFO connected ")[0].ends_with(" transport=tcp address=192.0.2.7:4711"), "{log:#?}");
    assert!(find("INFO disconnected ")[0].contains(" transport=tcp address=192.0.2.7:4711 "), "{log:#?}");
    let refused = find("INFO refused a connection without a valid PROXY protocol header ");
    assert_eq!(refused.len(), 3, "{refused:#?}");
    for (line, (source, reason)) in refused.iter().zip([
        (1, "the connection does not begin with one"),
        (2, "the address is not that of a proxy"),
        (1, "the connection does not begin with one"),
    ]) {
        let end = format!(" reason=\"{reason}\" count=1");
        assert!(line.contains(&format!(" address=127.0.0.{source}:")) && line.ends_with(&end), "{line}");
    }
}
