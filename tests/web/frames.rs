//! Lines in messages, messages in fragments, and control frames.

use std::io::Write as _;

use tungstenite::Message;
use tungstenite::protocol::frame::coding::Data;

use crate::common::{Client, Site, WebSocket};

#[test]
fn message_may_have_several_lines() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.connect();
    alice.send("NICK alice\nPING a\r\nPING b\n");
    for line in ["OK NICK alice", "COORDINATOR alice", "OK PING a", "OK PING b"] {
        alice.expect(line);
    }
    // Over plain TCP, this first line would be another protocol.
    let mut bob = site.connect();
    bob.send("GET / HTTP/1.1");
    bob.expect_start("ERR - verb-unknown ");
    bob.send("");
    bob.send("\n");
    bob.expect_nothing();
}

#[test]
fn cr_in_a_message_ends_no_line() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.connect();
    alice.send("NICK alice\rMSG hi");
    alice.expect_start("ERR NICK name-invalid ");
    alice.expect_nothing();
}

/// An empty message does not count as the start of the input.
#[test]
fn byte_order_mark_is_ignored_after_empty_messages() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.connect();
    alice.send("");
    alice.send("\u{feff}PING a");
    alice.expect("OK PING a");
}

fn ping(client: &mut Client<WebSocket>, payload: &str) {
    client.send_message(Message::Ping(payload.as_bytes().to_vec().into()));
}

#[test]
fn fragments_with_pings_between_them_are_one_message() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.join("alice");
    alice.send_frame(Data::Text, b"PING caf\xc3", false);
    ping(&mut alice, "still there?");
    alice.send_frame(Data::Continue, b"", false);
    alice.send_frame(Data::Continue, b"\xa9\nPING ne", false);
    alice.send_frame(Data::Continue, b"xt", true);
    alice.expect("OK PING café");
    alice.expect("OK PING next");
    assert_eq!(alice.transport.pongs, [&b"still there?"[..]]);
    // One byte in each packet, masked with zeros.
    for byte in b"\x81\x86\0\0\0\0PING x" {
        alice.stream().write_all(&[*byte]).expect("the server reads");
    }
    alice.expect("OK PING x");
}

#[test]
fn silent_connection_is_pinged() {
    let site = Site::<WebSocket>::with(&["--http-ping-interval", "1"]);
    let mut client = site.connect();
    // The second ping comes although only the first was sent.
    for _ in 0..2 {
        let message = client.transport.socket.read().expect("a ping");
        assert!(matches!(&message, Message::Ping(payload) if payload.is_empty()), "{message:?}");
    }
    client.expect_nothing();
}

/// The answer does not wait for the next line, or for a ping of the server's own.
#[test]
fn ping_alone_is_answered() {
    let site = Site::<WebSocket>::with(&["--http-ping-interval", "0"]);
    let mut client = site.connect();
    ping(&mut client, "a");
    assert_eq!(client.transport.socket.read().expect("a pong"), Message::Pong("a".into()));
}

/// A client that does not read, with a small receive buffer, sends thousands of pings.
#[test]
fn pings_of_slow_consumer_need_no_memory() {
    let site = Site::<WebSocket>::start();
    let mut alice = site.server.join("alice");
    let mut stuck = site.join_narrow("stuck");
    alice.expect("JOIN stuck");
    let before = site.resident_bytes();
    let lines = format!("MSG {}\n", "x".repeat(1000)).repeat(50);
    for _ in 0..20 {
        alice.send_bytes(lines.as_bytes());
        alice.sync();
    }
    for _ in 0..20_000 {
        ping(&mut stuck, &"x".repeat(125));
    }
    let grown = site.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes");
    alice.expect_nothing();
}
