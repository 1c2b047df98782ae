//! Endings that are particular to TCP, and the replies up to the end.

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use chinwag::limits::DRAIN_MS_MAX;

use crate::common::{Client, HELLO, Server};

/// The server reads on until the client closes, too: input left unread would turn its close into a reset, which destroys
/// replies under way.
#[test]
fn input_after_quit_causes_no_reset() {
    let server = Server::start();
    let mut other = server.join("other");
    assert!((0..10).any(|_| is_read_after_quit(&server, &mut other)), "it always took too long");
}

/// Whether all of it was sent in the time for which the server reads on. If so, it must have been read.
fn is_read_after_quit(server: &Server, other: &mut Client) -> bool {
    let start = Instant::now();
    let mut client = server.connect();
    client.send("QUIT");
    client.expect("OK QUIT");
    client.expect_end();
    for _ in 0..5 {
        let sent = client.stream().write_all(&b"MSG too late\n".repeat(100));
        if start.elapsed() >= Duration::from_millis(DRAIN_MS_MAX) {
            return false;
        }
        sent.expect("the server reads on");
        // It has come to where it is read, or reset, before another is answered.
        other.sync();
    }
    client.expect_end();
    true
}

/// Even if all lines arrive at once, and events between the replies.
#[test]
fn each_line_gets_one_reply_in_order() {
    let server = Server::start();
    let mut noisy = server.join("noisy");
    let mut client = server.connect_raw();
    noisy.send_bytes(&b"MSG noise\n".repeat(1000));
    client.send_bytes(
        b"NICK a\n\n   \nMSG one\nnonsense\nWHO\nSTATUS\n\t\nPONG x\nMSG\nMSG \xc3(\nWHISPER nobody psst\nHELP set\n\r\n\
          SET echo on\nSET tags on\nMSG two\nSET tags off\nCHAT\nthree\n/who\n/chat\nPING\nQUIT",
    );
    client.end_input();
    let lines = client.rest();
    let replies: Vec<_> = lines.iter().filter(|line| line.starts_with("OK ") || line.starts_with("ERR ")).collect();
    let starts = [
        "OK NICK a",
        "OK MSG ",
        "ERR - verb-unknown ",
        "OK WHO 2",
        "ERR STATUS not-coordinator ",
        "ERR MSG text-missing ",
        "ERR - line-not-utf8 ",
        "ERR WHISPER target-absent ",
        "OK HELP",
        "OK SET echo on",
        "OK SET tags on",
        "OK MSG ",
        "OK SET tags off",
        "OK CHAT on",
        "OK MSG ",
        "OK WHO 2",
        "OK CHAT off",
        "OK PING",
        "OK QUIT",
    ];
    assert_eq!(replies.len(), starts.len(), "{replies:#?}");
    assert!(replies.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{replies:#?}");
}

#[test]
fn replies_use_line_ending_of_first_line() {
    let server = Server::start();
    let check = |input: &[u8], expected: &str| {
        let mut client = server.connect_raw();
        client.send_bytes(input);
        client.end_input();
        let got = String::from_utf8(client.rest_bytes()).expect("UTF-8");
        assert_eq!(got, format!("{HELLO}\n{expected}"), "{:?}", input.escape_ascii().to_string());
    };
    check(b"PING a\nPING b\r\n", "OK PING a\nOK PING b\n");
    check(b"PING a\r\nPING b\n", "OK PING a\r\nOK PING b\r\n");
    check(b"PING a\r\0PING b\r\0", "OK PING a\r\nOK PING b\r\n");
    check(b"\r\nPING a", "OK PING a\r\n");
    check(b"PING a", "OK PING a\n");
}

#[test]
fn client_that_shut_down_reading_is_served() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut client = server.join("a");
    watcher.sync();
    client.stream().shutdown(Shutdown::Read).expect("a connection");
    client.send("MSG into the void");
    watcher.expect("MSG a into the void");
}
