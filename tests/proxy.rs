//! The server behind proxies: the header of the PROXY protocol, and the fields `Forwarded` and `X-Forwarded-For`. Real proxies are in
//! `tests/shell`; `tests/transports` runs over the PROXY protocol, too.

#[path = "common/mod.rs"]
mod common;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

#[cfg(feature = "web")]
use chinwag::limits::HEAD_FIELDS_MAX;
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

    /// A client whose proxy sends these bytes first.
    fn client(&self, header: impl AsRef<[u8]>) -> Client {
        let mut stream = self.connect();
        stream.write_all(header.as_ref()).expect("the server reads");
        Client::new(stream)
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
    let mut stream = server.connect_from(Ipv4Addr::new(127, 0, 0, 2));
    stream.write_all(v1("127.0.0.1:1").as_bytes()).expect("the server reads");
    let mut client = Client::new(stream);
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
    let mut server = Server::spawn(command(&["--listen", uri]).stderr(Stdio::piped()));
    let stderr = server.take_stderr();
    run(server.address);
    server.signal("-TERM");
    server.wait();
    let log = io::read_to_string(stderr).expect("UTF-8");
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
    let [first, second, third] = refused[..] else { panic!("{refused:#?}") };
    assert!(
        first.contains(" address=127.0.0.1:")
            && first.ends_with(" reason=\"the connection does not begin with one\" count=1"),
        "{first}"
    );
    assert!(
        second.contains(" address=127.0.0.2:")
            && second.ends_with(" reason=\"the address is not that of a proxy\" count=1"),
        "{second}"
    );
    assert!(
        third.contains(" address=127.0.0.1:")
            && third.ends_with(" reason=\"the connection does not begin with one\" count=1"),
        "{third}"
    );
}

#[cfg(feature = "tls")]
mod tls {
    use std::io::Read as _;

    use super::common::tls::{certificate_options, client_config, relay, shared_certificate};
    use super::*;

    fn start(scheme: &str, parameters: &str) -> ProxiedServer {
        let options = certificate_options(shared_certificate());
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        ProxiedServer::listen(&format!("{scheme}://127.0.0.1:0?{parameters}"), &options)
    }

    fn encrypted(server: &ProxiedServer, header: &[u8]) -> TcpStream {
        let mut stream = server.connect();
        stream.write_all(header).expect("the server reads");
        relay(stream, client_config(shared_certificate(), rustls::ALL_VERSIONS), "127.0.0.1")
    }

    #[test]
    fn header_comes_before_the_handshake() {
        let server = start("tls", "proxy=127.0.0.1");
        let mut coordinator = server.server.join("coordinator");
        // TLS may end at the proxy, unless the proxy says that the client uses it.
        for (header, hello, nick) in [
            (v1("192.0.2.7:4711").into_bytes(), HELLO_NOT_SECURE, "a"),
            (v2("192.0.2.7:4711", &[tls_value(true)]), HELLO, "b"),
        ] {
            let mut client = Client::new(encrypted(&server, &header));
            client.expect(hello);
            client.send(&format!("NICK {nick}"));
            client.until(&format!("OK NICK {nick}"));
            client.sync();
            assert_eq!(address_in_status(&mut coordinator, nick), "192.0.2.7:4711");
        }
    }

    #[test]
    fn connection_without_a_header_gets_an_alert() {
        let server = start("tls", "proxy=127.0.0.1");
        for source in [1, 2] {
            let mut stream = server.connect_from(Ipv4Addr::new(127, 0, 0, source));
            stream.write_all(&[22, 3, 1, 0, 1]).expect("the server reads");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an orderly end");
            assert_eq!(answer, [21, 3, 3, 0, 2, 2, 80]);
        }
    }

    #[test]
    #[cfg(feature = "web")]
    fn https_takes_a_header_or_a_field() {
        for (parameters, header, field) in [
            ("proxy=127.0.0.1", v1("192.0.2.7:4711"), ""),
            ("x-forwarded-for=127.0.0.1", String::new(), "X-Forwarded-For: 192.0.2.7:4711\r\n"),
            ("proxy=127.0.0.1&forwarded=10.0.0.9", v1("10.0.0.9:1"), "Forwarded: for=\"192.0.2.7:4711\"\r\n"),
        ] {
            let server = start("https", parameters);
            let mut stream = encrypted(&server, header.as_bytes());
            let address = web::address_of_member(&mut stream, field);
            assert_eq!(address, "192.0.2.7:4711", "{parameters}");
        }
    }
}

#[cfg(feature = "web")]
mod web {
    use std::io::Read as _;

    use super::*;

    const HANDSHAKE: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    /// Sends a WebSocket handshake with these fields. Returns the head of the answer.
    fn handshake(stream: &mut TcpStream, fields: &str) -> String {
        let head = format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}{fields}\r\n");
        stream.write_all(head.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error} after {:?}", answer.escape_ascii().to_string()));
            answer.push(byte[0]);
        }
        String::from_utf8(answer).expect("text")
    }

    /// Reads up to the line that begins like this, without the headers of the frames.
    fn line_starting_with(stream: &mut TcpStream, start: &str) -> String {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a line");
            if byte != *b"\n" {
                line.push(byte[0]);
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if let Some(at) = text.find(start) {
                return text[at..].to_owned();
            }
            line.clear();
        }
    }

    /// Joins with these fields in the handshake. Returns the address of this only member.
    pub(super) fn address_of_member(stream: &mut TcpStream, fields: &str) -> String {
        assert!(handshake(stream, fields).starts_with("HTTP/1.1 101 "));
        // A frame with an empty mask.
        stream.write_all(b"\x81\x8d\0\0\0\0NICK a\nSTATUS").expect("the server reads");
        let user = line_starting_with(stream, "USER a ");
        user.split(' ').find_map(|word| word.strip_prefix("address=")).expect("an address").to_owned()
    }

    fn greeting(stream: &mut TcpStream, fields: &str) -> String {
        assert!(handshake(stream, fields).starts_with("HTTP/1.1 101 "));
        line_starting_with(stream, "HELLO ")
    }

    fn listen(parameters: &str, arguments: &[&str]) -> ProxiedServer {
        ProxiedServer::listen(&format!("http://127.0.0.1:0?{parameters}"), arguments)
    }

    #[test]
    fn http_takes_a_header() {
        let server = listen("proxy=127.0.0.1", &[]);
        let mut stream = server.connect();
        stream.write_all(v1("192.0.2.7:4711").as_bytes()).expect("the server reads");
        assert_eq!(address_of_member(&mut stream, "X-Forwarded-For: 192.0.2.9\r\n"), "192.0.2.7:4711");
        for (source, text) in
            [(1, "this port expects a PROXY protocol header"), (2, "this port serves only clients of its proxies")]
        {
            let mut stream = server.connect_from(Ipv4Addr::new(127, 0, 0, source));
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an orderly end");
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains(text), "{answer}");
        }
    }

    #[test]
    fn trusted_field_names_the_client() {
        for (parameters, fields, expected) in [
            ("x-forwarded-for=127.0.0.1", "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n", "192.0.2.7:0"),
            ("x-forwarded-for=127.0.0.1,10.0.0.0/8", "X-Forwarded-For: 192.0.2.7, 10.0.0.2\r\n", "192.0.2.7:0"),
            ("forwarded=127.0.0.1", "Forwarded: for=\"[2001:db8::7]:4711\"\r\n", "[2001:db8::7]:4711"),
        ] {
            let server = listen(parameters, &[]);
            assert_eq!(address_of_member(&mut server.connect(), fields), expected, "{parameters}");
        }
    }

    #[test]
    fn forged_fields_are_ignored() {
        let forged = "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7;proto=https\r\nX-Real-IP: 192.0.2.7\r\n";
        for (parameters, source, fields) in [
            // Not a proxy.
            ("x-forwarded-for=127.0.0.1", 2, forged),
            ("forwarded=127.0.0.1", 2, forged),
            // Without the parameter.
            ("", 1, forged),
            // The other field.
            ("forwarded=127.0.0.1", 1, "X-Forwarded-For: 192.0.2.7\r\n"),
            ("x-forwarded-for=127.0.0.1", 1, "Forwarded: for=192.0.2.7\r\n"),
        ] {
            let server = listen(parameters, &[]);
            let mut stream = server.connect_from(Ipv4Addr::new(127, 0, 0, source));
            let own = stream.local_addr().expect("an address").to_string();
            assert_eq!(address_of_member(&mut stream, fields), own, "{parameters}");
            let mut stream = server.connect_from(Ipv4Addr::new(127, 0, 0, source));
            let hello = greeting(&mut stream, fields);
            assert_eq!(hello, HELLO_NOT_SECURE, "{parameters}");
        }
    }

    #[test]
    fn hello_says_secure_only_if_the_proxy_does() {
        let server = listen("forwarded=127.0.0.1", &[]);
        for (fields, expected) in [
            ("Forwarded: for=192.0.2.7;proto=https\r\n", HELLO),
            ("Forwarded: for=192.0.2.7;proto=http\r\n", HELLO_NOT_SECURE),
            ("Forwarded: for=192.0.2.7\r\n", HELLO_NOT_SECURE),
            ("Forwarded: for=192.0.2.7;proto=https\r\nVia: 1.1 x\r\n", HELLO_NOT_SECURE),
            ("", HELLO_NOT_SECURE),
        ] {
            assert_eq!(greeting(&mut server.connect(), fields), expected, "{fields:?}");
        }
        let local_client = server.connect_from(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(greeting(&mut { local_client }, ""), HELLO);
    }

    /// The connections of a proxy do not count for its own address.
    #[test]
    fn limits_apply_to_the_clients_address() {
        let server = listen("x-forwarded-for=127.0.0.1", &["--max-per-address", "1"]);
        let mut first = server.connect();
        assert_eq!(greeting(&mut first, "X-Forwarded-For: 192.0.2.7\r\n"), HELLO_NOT_SECURE);
        let answer = |fields: &str| {
            let mut stream = server.connect();
            let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            stream.write_all(head.as_bytes()).expect("the server reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an orderly end");
            answer
        };
        let refused = answer("X-Forwarded-For: 192.0.2.7\r\n");
        assert!(
            refused.starts_with("HTTP/1.1 503 ") && refused.contains("your address has its maximum of 1 connections"),
            "{refused}"
        );
        let other = answer("X-Forwarded-For: 192.0.2.8\r\n");
        assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
    }

    #[test]
    fn log_has_the_proxies_and_their_field() {
        for (parameters, expected) in [
            ("x-forwarded-for=127.0.0.1&x-forwarded-for=10.0.0.0/8", " x_forwarded_for=127.0.0.1/32,10.0.0.0/8"),
            ("forwarded=10.0.0.9", " forwarded=10.0.0.9/32"),
            ("proxy=127.0.0.1&forwarded=10.0.0.9", " proxies=127.0.0.1/32 forwarded=10.0.0.9/32"),
            ("", ""),
        ] {
            let mut listener = String::new();
            let log = log_of(&format!("http://127.0.0.1:0?{parameters}"), |address| {
                listener = format!("INFO listening listener=http://{address}{expected}");
            });
            assert!(log.contains(&listener), "no {listener:?} in {log:#?}");
        }
    }

    /// Otherwise, a client could exhaust the limits of the proxy's address, which its health checks need.
    #[test]
    fn head_that_cannot_be_read_counts_for_no_address() {
        let server = listen("x-forwarded-for=127.0.0.1", &["--max-per-address", "1", "--connect-rate", "1"]);
        let send = |head: &str| {
            let mut stream = server.connect();
            stream.write_all(head.as_bytes()).expect("the server reads");
            stream
        };
        let status = |stream: &mut TcpStream| {
            let mut status = [0; 12];
            stream.read_exact(&mut status).expect("an answer");
            String::from_utf8(status.into()).expect("text")
        };
        let fields = "A: b\r\n".repeat(HEAD_FIELDS_MAX);
        let too_large = format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{fields}X-Forwarded-For: 192.0.2.7\r\n\r\n");
        let malformed = "GET /ws HTTP/1.1\r\nHost: localhost\r\nno field\r\n\r\n";
        // They stay open until the client closes them.
        let mut open = Vec::new();
        for (head, expected) in [(&too_large[..], "HTTP/1.1 431"), (malformed, "HTTP/1.1 400")].repeat(3) {
            let mut stream = send(head);
            assert_eq!(status(&mut stream), expected);
            open.push(stream);
        }
        let mut check = send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(status(&mut check), "HTTP/1.1 200");
    }
}
