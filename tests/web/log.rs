//! HTTP requests and WebSocket connections in the operator's log.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::{Server, Site, WebSocket, command};
use crate::http::{rest, status};

/// The log of a server up to its stop, without the times.
fn log_of(run: impl FnOnce(&Site<WebSocket>)) -> Vec<String> {
    let mut command = command(&["--listen", "127.0.0.1:0", "--listen", "http://127.0.0.1:0"]);
    let mut server = Server::spawn(command.stderr(Stdio::piped()));
    let stderr = server.take_stderr();
    let mut site = Site::<WebSocket>::adopt(server);
    run(&site);
    site.server.signal("-TERM");
    site.server.wait();
    let log = std::io::read_to_string(stderr).expect("UTF-8");
    log.lines().map(|line| line.split_once("  ").expect("a time").1.to_owned()).collect()
}

/// The status of the answer to these bytes.
fn answered(site: &Site<WebSocket>, request: &[u8]) -> u16 {
    let mut stream = site.open();
    stream.write_all(request).expect("the server reads");
    status(&rest(&mut stream))
}

#[test]
fn refused_requests_are_logged_with_status_and_reason() {
    let log = log_of(|site| {
        assert_eq!(answered(site, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 200);
        // Escape sequences, quotes, and bytes that are not UTF-8.
        let hostile = b"GET /\x1b[2J\" status=200 \xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        assert_eq!(answered(site, hostile), 400);
        for path in ["one", "two", "three"] {
            assert_eq!(answered(site, format!("GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()), 404);
        }
        let long = format!("BREW /{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "x".repeat(1000));
        assert_eq!(answered(site, long.as_bytes()), 501);
        // The start of a TLS ClientHello (RFC 8446, section 5.1).
        assert_eq!(answered(site, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400);
    });
    let refused: Vec<_> = log.iter().filter(|line| line.starts_with("INFO refused an HTTP request ")).collect();
    let expected = [
        (400, "not an HTTP request", r#"request="GET /\u{1b}[2J\" status=200 � HTTP/1.1" count=1"#.to_owned()),
        (404, "not found", "request=\"GET /one HTTP/1.1\" count=1".to_owned()),
        (501, "the method is unknown", format!("request=\"BREW /{}…\" count=1", "x".repeat(94))),
        (400, "plain HTTP, not TLS", "count=1".to_owned()),
    ];
    assert_eq!(refused.len(), expected.len(), "{log:#?}");
    for (line, (status, reason, end)) in refused.iter().zip(&expected) {
        assert!(line.contains(&format!(" status={status} reason=\"")), "{line}");
        assert!(line.contains(" address=127.0.0.1:") && line.contains(reason) && line.ends_with(end), "{line}");
    }
}

#[test]
fn websocket_connections_are_logged_with_their_transport() {
    let log = log_of(|site| {
        let mut alice = site.join("alice");
        alice.send("QUIT");
        alice.rest();
    });
    let said = |message: &str| {
        let lines: Vec<_> = log.iter().filter(|line| line.starts_with(&format!("INFO {message} "))).collect();
        assert_eq!(lines.len(), 1, "{log:#?}");
        lines[0]
    };
    assert!(said("connected").starts_with("INFO connected id=1 transport=websocket address=127.0.0.1:"), "{log:#?}");
    assert!(said("disconnected").contains(" transport=websocket address=127.0.0.1:"), "{log:#?}");
    assert!(said("disconnected").contains(" reason=quit duration_ms="), "{log:#?}");
    assert!(said("limits").contains(" http_header_timeout=10s http_ping_interval=20s "), "{log:#?}");
    assert!(log.iter().any(|line| line.starts_with("INFO listening listener=http://127.0.0.1:")), "{log:#?}");
}
