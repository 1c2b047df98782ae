//! HTTP requests and WebSocket connections in the operator's log.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::{Server, Site, WebSocket, command};
use crate::http::{rest, status};

/// The log of a server up to its stop, without the times.
fn log_of(run: impl FnOnce(&Site<WebSocket>)) -> Vec<String> {
    let mut command = command(&["--listen", "127.0.0.1:0", "--listen", "http://127.0.0.1:0"]);
    let site = Site::<WebSocket>::adopt(Server::spawn(command.stderr(Stdio::piped())));
    run(&site);
    let log = site.server.stop();
    log.lines().map(|line| line.split_once("  ").expect("a time").1.to_owned()).collect()
}

/// The status and the text of the answer to these bytes.
fn answered(site: &Site<WebSocket>, request: &[u8]) -> (u16, String) {
    let mut stream = site.open();
    stream.write_all(request).expect("the server reads");
    let answer = rest(&mut stream);
    let (_, text) = answer.split_once("\r\n\r\n").expect("a head");
    (status(&answer), text.trim_end().to_owned())
}

#[test]
fn refused_requests_are_logged_with_status_and_reason() {
    let mut expected = Vec::new();
    let log = log_of(|site| {
        let get = |path: &str| answered(site, format!("{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
        assert_eq!(get("GET /").0, 200);
        // Escape sequences, quotes, and bytes that are not UTF-8.
        let hostile = answered(site, b"GET /\x1b[2J\" status=200 \xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        expected.push((hostile, 400, " count=1".to_owned()));
        // Empty lines before the request line are allowed. A path is cut between characters.
        let (path, shown) = (format!("/{}", "é".repeat(500)), format!("/{}", "é".repeat(47)));
        expected.push((get(&format!("\r\nGET {path}")), 404, format!(" request=\"GET {shown}…\" count=1")));
        let posted = get("POST /page.js?a=\"\"");
        expected.push((posted, 405, r#" request="POST /page.js" count=1"#.to_owned()));
        expected.push((get("BREW /"), 501, " count=1".to_owned()));
        // The start of a TLS ClientHello (RFC 8446, section 5.1).
        let tls = answered(site, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        assert!(tls.1.contains("not TLS"), "{tls:?}");
        expected.push((tls, 400, " count=1".to_owned()));
        // Both are logged in one line, at the stop.
        assert_eq!(get("GET /two").0, 404);
        expected.push((get("GET /three"), 404, " request=\"GET /three\" count=2".to_owned()));
    });
    let refused: Vec<_> = log.iter().filter(|line| line.starts_with("INFO refused an HTTP request ")).collect();
    assert_eq!(refused.len(), expected.len(), "{log:#?}");
    for (line, ((answered, text), status, end)) in refused.iter().zip(&expected) {
        assert_eq!(answered, status, "{text}");
        let reason = format!(" status={status} reason={text:?}{end}");
        assert!(line.contains(" address=127.0.0.1:") && line.ends_with(&reason), "{line}");
    }
}

/// A client that takes the HTTP port for the TCP port, and requests with secrets.
#[test]
fn log_has_no_text_that_is_sent_to_the_http_port() {
    let log = log_of(|site| {
        for start in [
            "RESUME a-secret",
            "MSG secret",
            "WHISPER bob secret HTTP/1.1",
            "MSG secret HTTP/1.1",
            "\r\nMSG /secret HTTP/1.1",
        ] {
            for end in ["\n", "\r\n", "\r\nHost: 127.0.0.1\r\n\r\n"] {
                let (status, _) = answered(site, format!("{start}{end}\n\n").as_bytes());
                assert!([400, 501].contains(&status), "{start}{end}: {status}");
            }
        }
        for target in [
            "http://user:secret@127.0.0.1/nothing",
            "user:secret@127.0.0.1:80",
            "http://127.0.0.1/one?secret",
            "/two?secret",
            "/three#secret",
            "/four HTTP/2.0",
        ] {
            for method in ["GET", "CONNECT"] {
                let request = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nsecret\r\n\r\n");
                assert!(answered(site, request.as_bytes()).0 >= 400, "{request}");
                let request = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
                assert!(answered(site, request.as_bytes()).0 >= 400, "{request}");
            }
        }
    });
    assert!(log.iter().all(|line| !line.contains("secret")), "{log:#?}");
    assert!(log.iter().any(|line| line.contains(" request=\"GET /")), "{log:#?}");
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
