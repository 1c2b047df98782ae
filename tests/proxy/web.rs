//! HTTP behind proxies: the PROXY protocol, `Forwarded` and `X-Forwarded-For`.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use chinwag::limits::HEAD_FIELDS_MAX;

use crate::common::HELLO;
use crate::{HELLO_NOT_SECURE, ProxiedServer, log_of, v1};

const HANDSHAKE: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A request of a load balancer, with these fields.
fn health_check(fields: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

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
pub(crate) fn address_of_member(stream: &mut TcpStream, fields: &str) -> String {
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
    let mut stream = server.send(v1("192.0.2.7:4711"));
    assert_eq!(address_of_member(&mut stream, "X-Forwarded-For: 192.0.2.9\r\n"), "192.0.2.7:4711");
    for (source, text) in
        [(1, "this port expects a PROXY protocol header"), (2, "this port serves only clients of its proxies")]
    {
        let stream = server.send_from(Ipv4Addr::new(127, 0, 0, source), health_check(""));
        let answer = io::read_to_string(stream).expect("an orderly end");
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
    // The proxy vouches for the way, whatever name the browser uses.
    let server = listen("forwarded=127.0.0.1", &["--http-origin", "https://chat.example.org"]);
    for (fields, expected) in [
        ("Forwarded: for=192.0.2.7;proto=https\r\nOrigin: https://chat.example.org\r\n", HELLO),
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
    let answer = |fields: &str| io::read_to_string(server.send(health_check(fields))).expect("an orderly end");
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
        let mut stream = server.send(head);
        assert_eq!(status(&mut stream), expected);
        open.push(stream);
    }
    let mut check = server.send(health_check(""));
    assert_eq!(status(&mut check), "HTTP/1.1 200");
}
