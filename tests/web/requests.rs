//! Answers to HTTP requests, and the limits of requests.

use std::io::{BufRead as _, BufReader, Write as _};

use crate::common::{Client, Site, WebSocket};
use crate::http::{HANDSHAKE, rest, status};

#[test]
fn page_is_served_with_strict_headers() {
    let site = Site::<WebSocket>::start();
    let page = site.ask(&["GET / HTTP/1.1", "Host: localhost"]);
    assert_eq!(status(&page), 200);
    let (head, body) = page.split_once("\r\n\r\n").expect("a head");
    assert!(body.starts_with("<!doctype html>") && body.ends_with("</html>\n"), "{body}");
    for field in [
        "Content-Type: text/html; charset=utf-8",
        &format!("Content-Length: {}", body.len()),
        "Connection: close",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Opener-Policy: same-origin",
    ] {
        assert!(head.lines().any(|line| line == field), "no {field} in {head}");
    }
    let policy = head.lines().find_map(|line| line.strip_prefix("Content-Security-Policy: ")).expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|listed| listed == part), "no {part} in {policy}");
    }
    for outside in ["http:", "https:", "*", "unsafe"] {
        assert!(!policy.contains(outside), "{outside} in {policy}");
    }
    let head_alone = site.ask(&["HEAD / HTTP/1.1", "Host: localhost"]);
    let without_date =
        |head: &str| head.lines().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_date(head_alone.trim_end()), without_date(head));
}

#[test]
fn page_files_are_served() {
    let site = Site::<WebSocket>::start();
    let page = site.ask(&["GET / HTTP/1.1", "Host: localhost"]);
    let mut files = 0;
    for (_, rest) in page
        .match_indices("href=\"")
        .chain(page.match_indices("src=\""))
        .map(|(at, found)| (at, &page[at + found.len()..]))
    {
        let file = rest.split('"').next().expect("a file");
        if !file.starts_with("data:") {
            assert_eq!(
                site.status(&format!("GET /{} HTTP/1.1", file.trim_start_matches(['.', '/'])), &[]),
                200,
                "{file}"
            );
            files += 1;
        }
    }
    assert!(files > 0);
}

#[test]
fn unknown_path_or_method_gets_its_status() {
    let site = Site::<WebSocket>::start();
    assert_eq!(site.status("GET /../Cargo.toml HTTP/1.1", &[]), 404);
    let answer = site.ask(&["POST / HTTP/1.1", "Host: localhost", "Content-Length: 5", "", "hello"]);
    assert_eq!(status(&answer), 405);
    assert!(answer.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"), "{answer}");
    let answer = site.ask(&["GET /ws HTTP/1.1", "Host: localhost"]);
    assert_eq!(status(&answer), 426);
    assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
    let mut old = HANDSHAKE;
    old[2] = "Sec-WebSocket-Version: 8";
    let answer = site.ask(&[&["GET /ws HTTP/1.1", "Host: localhost"], &old[..]].concat());
    assert!(status(&answer) == 426 && answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    assert_eq!(status(&site.ask(&["NICK alice"])), 400);
}

/// A page of another site, open in a user's browser, cannot join in the user's place.
#[test]
fn foreign_origin_is_refused() {
    let site = Site::<WebSocket>::with(&["--http-origin", "https://chat.example.org"]);
    let joins = |host: &str, origin: &str| {
        let head = ["GET /ws HTTP/1.1", &format!("Host: {host}"), &format!("Origin: {origin}")];
        let mut stream = site.open();
        stream.write_all(([&head, &HANDSHAKE[..]].concat().join("\r\n") + "\r\n\r\n").as_bytes()).expect("it reads");
        let mut client = Client::new(stream);
        let answer = client.next().expect("an answer");
        status(&answer)
    };
    let own = site.ip_address().expect("TCP").to_string();
    assert_eq!(joins(&own, &format!("http://{own}")), 101);
    assert_eq!(joins("localhost:8080", "http://localhost:8080"), 101);
    assert_eq!(joins(&own, "https://chat.example.org"), 101);
    assert_eq!(joins("chat.example.org", "https://chat.example.org"), 101);
    assert_eq!(joins(&own, "https://evil.example"), 403);
    assert_eq!(joins(&own, "http://127.0.0.1:1"), 403);
    assert_eq!(joins(&own, "null"), 403);
    // DNS rebinding: the page's host name has come to mean this server.
    assert_eq!(joins("evil.example:8080", "http://evil.example:8080"), 421);
    let (bare, handshake) = (format!("Host: {own}"), HANDSHAKE);
    let mut stream = site.open();
    let head = [&["GET /ws HTTP/1.1", bare.as_str()], &handshake[..]].concat().join("\r\n") + "\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    assert_eq!(Client::new(stream).next().as_deref(), Some("HTTP/1.1 101 Switching Protocols\r"), "no browser");
}

/// A port forward on the server's machine sets no field of proxies; the browser in front of it sends the host that it was given.
#[test]
fn hello_says_secure_only_to_requests_to_own_machine() {
    let site = Site::<WebSocket>::with(&["--http-origin", "http://chat.example.org"]);
    let is_secure = |host: &str, origin: &str| {
        let mut stream = site.open();
        let head = ["GET /ws HTTP/1.1", &format!("Host: {host}"), &format!("Origin: {origin}")];
        stream.write_all(([&head, &HANDSHAKE[..]].concat().join("\r\n") + "\r\n\r\n").as_bytes()).expect("it reads");
        let mut lines = BufReader::new(stream)
            .split(b'\n')
            .map(|line| String::from_utf8_lossy(&line.expect("a line")).into_owned());
        lines.find(|line| line.contains("HELLO ")).expect("a greeting").contains(",secure ")
    };
    for own in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        assert!(is_secure(own, &format!("http://{own}")), "{own}");
    }
    for other in ["192.0.2.2:8080", "chat.example.org"] {
        assert!(!is_secure(other, &format!("http://{other}")), "{other}");
    }
    assert!(!is_secure("127.0.0.1:8080", "http://chat.example.org"), "nginx has replaced the Host");
}

#[test]
fn too_long_head_gets_431() {
    let site = Site::<WebSocket>::start();
    let long = format!("GET /{} HTTP/1.1", "x".repeat(10_000));
    assert_eq!(site.status(&long, &[]), 431);
    assert_eq!(site.status("GET / HTTP/1.1", &["A: b"; 100]), 431);
    // One that never ends.
    let mut stream = site.open();
    let _ = stream.write_all("GET / HTTP/1.1\r\nA: ".as_bytes());
    let _ = stream.write_all("b".repeat(1_000_000).as_bytes());
    assert_eq!(status(&rest(&mut stream)), 431);
}

#[test]
fn late_head_gets_408() {
    let site = Site::<WebSocket>::with(&["--http-header-timeout", "1"]);
    let mut half = site.open();
    half.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").expect("it reads");
    let mut silent = site.open();
    for stream in [&mut half, &mut silent] {
        let answer = rest(stream);
        assert_eq!(status(&answer), 408);
        assert!(answer.ends_with("was not complete within 1 s\n"), "{answer}");
    }
}

/// Every HTTP connection counts while it is open.
#[test]
fn max_clients_counts_browsers() {
    let site = Site::<WebSocket>::with(&["--max-clients", "2"]);
    let mut alice = site.server.join("alice");
    let mut bob = site.join("bob");
    alice.expect("JOIN bob");
    let answer = site.ask(&["GET / HTTP/1.1", "Host: localhost"]);
    assert_eq!(status(&answer), 503);
    assert!(answer.ends_with("the server has its maximum of 2 connections; try again later\n"), "{answer}");
    assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    site.server.connect_raw().expect_start("ERR - server-full ");
    bob.send("QUIT");
    bob.expect("OK QUIT");
    bob.expect_closed(1000);
    alice.expect("LEAVE bob quit");
}

#[test]
fn max_per_address_counts_browsers() {
    let site = Site::<WebSocket>::with(&["--max-per-address", "1"]);
    let _alice = site.join("alice");
    assert_eq!(status(&site.ask(&["GET / HTTP/1.1", "Host: localhost"])), 503);
}

/// Another client, on the right port, is not disturbed.
#[test]
fn chat_line_on_web_port_gets_a_hint() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.server.connect();
    let mut lost = Client::new(site.open());
    lost.send("NICK bob");
    assert!(lost.rest().last().expect("an answer").contains("connect to the TCP port"));
    alice.send("NICK alice");
    alice.expect("OK NICK alice");
}
