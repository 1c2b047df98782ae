//! The listener for Prometheus: formats, refusals, limits.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use chinwag::limits::{METRICS_CONNECTIONS_MAX, METRICS_REQUEST_MS_MAX};

use crate::common::{DEADLINE, Server, command, exit_code};
use crate::{MeasuredServer, read_answer};

#[test]
fn formats_are_those_that_prometheus_asks_for() {
    let server = MeasuredServer::start(&[]);
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let (head, body) = server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{accept}"));
    assert!(
        head.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(body.ends_with("\n# EOF\n") && body.contains("\n# UNIT chinwag_backlog_bytes bytes\n"), "{body}");
    assert!(body.contains("\n# TYPE chinwag_messages counter\nchinwag_messages_total 0\n"), "{body}");
    let (head, body) = server.ask("GET /metrics HTTP/1.1\r\nHost: x");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    assert!(body.contains("\n# TYPE chinwag_messages_total counter\nchinwag_messages_total 0\n"), "{body}");
    let (head, body) = server.ask("HEAD /metrics HTTP/1.1\r\nHost: x");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(), "{head}{body}");
}

#[test]
fn other_requests_are_refused() {
    let server = MeasuredServer::start(&[]);
    let idle = server.connect();
    for (request, status, expected) in [
        ("GET /healthz HTTP/1.1", "200 OK", "ok\n"),
        ("GET / HTTP/1.1", "404 Not Found", "not found: this listener has /metrics and /healthz\n"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed", "expected GET or HEAD\n"),
        ("NICK ann", "400 Bad Request", "invalid request: "),
    ] {
        let (head, body) = server.ask(request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")) && body.starts_with(expected), "{head}{body}");
        assert_eq!(head.contains("\r\nAllow: GET, HEAD\r\n"), status.starts_with("405"), "{head}");
    }
    let (head, _) = server.ask(&format!("GET /metrics HTTP/1.1\r\nx: {}", "x".repeat(10_000)));
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    // It has sent nothing for five seconds.
    let (head, _) = read_answer(idle);
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
}

/// The connections count for no limit of clients, but for one of their own.
#[test]
fn connections_are_limited_apart_from_clients() {
    let server = MeasuredServer::start(&["--max-clients", "1"]);
    let mut ann = server.server.join("ann");
    let mut idle: Vec<_> = (0..METRICS_CONNECTIONS_MAX).map(|_| server.connect()).collect();
    let (head, body) = read_answer(server.connect());
    assert!(
        head.starts_with("HTTP/1.1 503 ") && body.contains("the metrics listener has its maximum of 8 connections"),
        "{head}{body}"
    );
    let mut first = idle.remove(0);
    first.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the server reads");
    let (head, body) = read_answer(first);
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("\nchinwag_clients 1\n"), "{head}{body}");
    drop(idle);
    ann.sync();
    let metrics = server.until(|_| true);
    // The connection that was refused was no client's.
    metrics.expect("chinwag_clients 1\nchinwag_refusals_total{code=\"server-full\"} 0");
}

/// A connection that waits does not delay it.
#[test]
fn stop_closes_connections() {
    let mut server = MeasuredServer::start(&[]);
    let mut idle = server.connect();
    idle.write_all(b"GET /metr").expect("the server reads");
    let _ = server.scrape();
    let start = Instant::now();
    server.server.signal("-TERM");
    assert!(server.server.wait().0.success());
    assert!(start.elapsed() < Duration::from_millis(METRICS_REQUEST_MS_MAX * 4 / 5), "{:?}", start.elapsed());
    assert!(idle.read_to_end(&mut Vec::new()).is_ok_and(|bytes| bytes == 0) || idle.read(&mut [0]).is_err());
}

/// A server that only Prometheus can reach is a mistake.
#[test]
fn listener_for_clients_is_needed() {
    let mut server = command(&["--listen", "metrics://127.0.0.1:0"]);
    let mut child = server.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(2));
    let error = std::io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8");
    assert!(error.contains("expected another --listen for clients, such as --listen 127.0.0.1:9999"), "{error}");
}

#[test]
fn port_file_and_check_have_the_listener() {
    let directory = tempfile::tempdir().expect("a directory");
    let port_file = directory.path().join("port");
    let port_file = port_file.to_str().expect("UTF-8");
    let server = MeasuredServer::start(&["--port-file", port_file]);
    let ports = std::fs::read_to_string(port_file).expect("a port file");
    assert_eq!(ports, format!("{}\n{}\n", server.server.address.port(), server.metrics.port()));
    let listen = format!("metrics://{}", server.metrics);
    let check = |listen: &str| {
        let output = command(&["--listen", "127.0.0.1:0", "--listen", listen, "--check"]).output().expect("it runs");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(check(&listen).contains(" is in use: "), "{}", check(&listen));
    assert!(
        check("metrics://0.0.0.0:0").contains("other machines can read the metrics"),
        "{}",
        check("metrics://0.0.0.0:0")
    );
    assert_eq!(check("metrics://127.0.0.1:0"), "");
}

/// The warning of the log.
#[test]
fn exposed_listener_is_warned_about() {
    let mut warned = command(&["--listen", "127.0.0.1:0", "--listen", "metrics://0.0.0.0:0", "--log", "warn"]);
    let server = Server::spawn(warned.stderr(Stdio::piped()));
    let log = server.stop();
    assert!(log.contains("other machines can reach this listener: anyone there can read the metrics"), "{log}");
}
