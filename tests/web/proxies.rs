//! Requests as proxies, load balancers and their health checks send them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use crate::common::{Site, WebSocket, command};
use crate::http::{HANDSHAKE, rest, status};

/// The whole answer to these bytes, up to the end of the connection, as head and body.
#[track_caller]
fn exchange(site: &Site<WebSocket>, request: &[u8]) -> (String, String) {
    let mut stream = site.open();
    stream.write_all(request).expect("the server reads");
    let answer = rest(&mut stream);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    (head.to_owned(), body.to_owned())
}

/// The value of a field that must occur once.
#[track_caller]
fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let mut values = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = values.next().unwrap_or_else(|| panic!("no {name} in {head}"));
    assert_eq!(values.next(), None, "{name} is there twice: {head}");
    value
}

#[test]
fn health_check_accepts_load_balancer_requests() {
    let site = Site::<WebSocket>::start();
    for request in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nHost: chinwag.internal:8080\r\nConnection: keep-alive\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://chinwag.internal/healthz HTTP/1.1\r\nHost: chinwag.internal\r\n\r\n",
        "GET HTTP://other.internal:80/healthz?from=lb HTTP/1.1\r\nHost: chinwag.internal\r\n\r\n",
        "GET /%68ealthz HTTP/1.1\r\nHost: 10.0.0.9\r\n\r\n",
        "GET //healthz HTTP/1.1\nhost: [fe80::1%eth0]:8080\n\n",
        "\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbodyGET / HTTP/1.1\r\n\r\n",
    ] {
        let (head, body) = exchange(&site, request.as_bytes());
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body == "ok\n", "{request:?}: {head}\n{body}");
        assert_eq!((field(&head, "Content-Length"), field(&head, "Connection")), ("3", "close"), "{request:?}");
    }
    for path in ["/healthz", "*", "/", "http://localhost"] {
        let (head, _) = exchange(&site, format!("OPTIONS {path} HTTP/1.0\r\n\r\n").as_bytes());
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert_eq!(field(&head, "Allow"), "GET, HEAD, OPTIONS");
    }
}

/// A HEAD request gets the head alone.
#[test]
fn answer_has_length_and_closes() {
    let site = Site::<WebSocket>::start();
    let host = "Host: localhost\r\n";
    for (request_line, fields, expected) in [
        ("GET / HTTP/1.1", host, 200),
        ("GET / HTTP/1.0", "", 200),
        ("OPTIONS /ws HTTP/1.1", host, 200),
        ("GET / HTTP/1.1", "", 400),
        ("GET / HTTP/1.1", "Host: a b\r\n", 400),
        ("GET / HTTP/1.1", "Host: localhost\r\n folded: x\r\n", 400),
        ("GET * HTTP/1.1", host, 400),
        ("GET ftp://localhost/ HTTP/1.1", host, 400),
        ("GET /nothing HTTP/1.1", host, 404),
        ("POST / HTTP/1.1", host, 405),
        ("CONNECT localhost:443 HTTP/1.1", host, 405),
        ("GET / HTTP/1.1", "Host: evil.example\r\n", 421),
        ("GET http://evil.example/ HTTP/1.1", host, 421),
        ("GET /ws HTTP/1.1", host, 426),
        ("get / HTTP/1.1", host, 501),
        ("PRI * HTTP/2.0", "", 505),
    ] {
        let request = format!("{request_line}\r\n{fields}\r\n");
        let (head, body) = exchange(&site, request.as_bytes());
        assert_eq!(status(&head), expected, "{request:?}");
        assert_eq!(field(&head, "Connection").rsplit(", ").next(), Some("close"), "{request:?}");
        assert_eq!(field(&head, "Content-Length"), body.len().to_string(), "{request:?}");
        let (head, body) = exchange(&site, request.replacen("GET", "HEAD", 1).as_bytes());
        assert!(!request.starts_with("GET") || body.is_empty(), "{request:?} as HEAD: {head}\n{body}");
    }
}

/// A reset instead of an orderly end could destroy the answer on its way.
#[test]
fn answer_reaches_client_that_still_sends() {
    let site = Site::<WebSocket>::start();
    let mut stream = site.open();
    let mut sender = stream.try_clone().expect("a descriptor");
    sender.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    let mut piece = [0; 100];
    loop {
        sender.write_all(&[b'x'; 1000]).expect("it reads on");
        match stream.read(&mut piece).expect("an answer, and its end") {
            0 => break,
            bytes => answer.extend_from_slice(&piece[..bytes]),
        }
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(status(&answer) == 405 && answer.contains("Allow: GET, HEAD, OPTIONS\r\n"), "{answer}");
}

#[test]
fn upgrade_over_http_1_0_is_refused() {
    let site = Site::<WebSocket>::start();
    let answer = site.ask(&[&["GET /ws HTTP/1.0", "Host: localhost"], &HANDSHAKE[..]].concat());
    assert!(status(&answer) == 426 && answer.contains("proxy_http_version 1.1"), "{answer}");
    assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
}

/// A proxy may or may not pass the port on, and an operator may or may not write it.
#[test]
fn http_origin_ignores_default_port() {
    for option in ["https://chat.example.org", "https://chat.example.org:443", "HTTPS://Chat.Example.org:443/"] {
        let site = Site::<WebSocket>::with(&["--http-origin", option]);
        let joins = |host: &str, origin: &str| {
            let mut stream = site.open();
            let head = [&["GET /ws HTTP/1.1", &format!("Host: {host}"), &format!("Origin: {origin}")], &HANDSHAKE[..]];
            stream.write_all((head.concat().join("\r\n") + "\r\n\r\n").as_bytes()).expect("the server reads");
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).expect("a status line");
            status(&line)
        };
        for host in ["chat.example.org", "chat.example.org:443", "CHAT.example.org.", "127.0.0.1:8080"] {
            for origin in ["https://chat.example.org", "https://chat.example.org:443", "https://chat.example.org."] {
                assert_eq!(joins(host, origin), 101, "{origin} at {host} with {option}");
            }
            assert_eq!(joins(host, "https://chat.example.org:8443"), 403, "{host} with {option}");
            assert_eq!(joins(host, "https://evil.example"), 403, "{host} with {option}");
        }
    }
}

#[test]
fn invalid_http_origin_says_what_is_expected() {
    for (value, expected) in [
        ("chat.example.org", "expected http:// or https:// and a host"),
        ("wss://chat.example.org", "expected http:// or https:// and a host"),
        ("https://user@chat.example.org", "expected http:// or https:// and a host"),
        ("https://chat.example.org:x", "expected http:// or https:// and a host"),
        ("https://example.org/chat/", "expected an origin, which has no path"),
        ("https://b\u{fc}cher.example", "expected the host name in its ASCII form"),
    ] {
        let output = command(&["--listen", "http://127.0.0.1:0", "--http-origin", value]).output().expect("it runs");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{value}: {error}");
        assert!(error.contains(value) && error.contains(expected) && error.lines().count() == 1, "{value}: {error}");
    }
}
