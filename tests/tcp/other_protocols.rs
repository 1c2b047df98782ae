//! Clients of other protocols are refused and disconnected, and none of their lines is run.

use std::io::Write as _;

use crate::common::{Client, HELLO, Server};

const HTTP: &str = "ERR - wrong-protocol you sent an HTTP request, but this is a chat server; connect with nc or telnet and write: NICK name";

/// The request is answered by this refusal, and the connection is closed. The members do not notice.
#[track_caller]
fn refused(request: &[u8], ending: &str, why: &str) {
    let server = Server::rate_limited(&[]);
    let mut alice = server.join("alice");
    let mut stranger = server.connect();
    // The end of a long request may come after the server has closed.
    let _ = stranger.stream().write_all(request);
    stranger.expect(&format!("{why}{ending}"));
    stranger.expect_end();
    alice.expect_nothing();
}

/// A web page can make a browser post lines that are commands.
#[test]
fn http_request_runs_no_command() {
    for method in ["POST", "GET", "NICK", "MSG", "M-SEARCH"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: 127.0.0.1:9999\r\nContent-Type: text/plain\r\n\r\nNICK mallory\r\nMSG gotcha\r\nQUIT\r\n"
        );
        refused(request.as_bytes(), "", HTTP);
    }
}

/// Its first line is too long, or not UTF-8, or comes after blank lines.
#[test]
fn malformed_http_request_runs_no_command() {
    let long = format!("POST /{} HTTP/1.1\nNICK mallory\n", "x".repeat(20_000));
    refused(long.as_bytes(), "", HTTP);
    refused(b"POST /caf\xe9 HTTP/1.0\nNICK mallory\n", "", HTTP);
    refused(b"POST /\xff\xfa HTTP/1.1\nNICK mallory\n", "", HTTP);
    refused(b"\r\n\r\nPOST / HTTP/1.1\r\nNICK mallory\r\n", "\r", HTTP);
}

#[test]
fn http_text_after_a_command_is_text() {
    let server = Server::start();
    let mut alice = server.join("alice");
    alice.send("MSG GET / HTTP/1.1");
    alice.expect("OK MSG 1");
}

/// Although its first message has no line end: the client waits for an answer to it.
#[test]
fn tls_handshake_is_refused_at_once() {
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    let why = "ERR - wrong-protocol you sent a TLS handshake, but this server speaks plain text; connect without TLS and write: NICK name";
    refused(&hello, "", why);
}

#[test]
fn random_bytes_disconnect_only_their_sender() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..20 {
        let noise: Vec<u8> = (0..200_000).map(|_| random.u8(..)).collect();
        let client: Client = server.connect_raw();
        // The server may close before it has all of it.
        let _ = client.stream().write_all(&noise);
        let mut client = client;
        // Answers to telnet's requests stand outside of any line, and may overtake the greeting.
        let heard = client.rest_bytes();
        for part in [HELLO, "too-many-errors"] {
            let found = heard.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(found, "no {part} in {}", heard.escape_ascii());
        }
    }
    alice.expect_nothing();
}
