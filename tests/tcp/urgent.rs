//! TCP urgent data (RFC 9293, section 3.8.5): it keeps its place in the stream, and what follows it is read at once.

use socket2::SockRef;

use crate::common::{Client, Server};

/// Sends bytes of which the last is urgent.
fn send_urgent(client: &Client, bytes: &[u8]) {
    let sent = SockRef::from(client.stream()).send_out_of_band(bytes).expect("the server reads");
    assert_eq!(sent, bytes.len());
}

#[test]
fn urgent_bytes_in_a_row_keep_their_places() {
    let server = Server::start();
    let mut alice = server.join("alice");
    for byte in b"PING every-byte\n".chunks(1) {
        send_urgent(&alice, byte);
    }
    alice.expect("OK PING every-byte");
}

#[test]
fn urgent_last_byte_is_read() {
    let server = Server::start();
    let mut client = server.join("a");
    send_urgent(&client, b"PING last");
    client.end_input();
    assert_eq!(client.rest(), ["OK PING last"]);
}

/// Synch (RFC 854): IAC DM, with DM urgent. If the kernel removed DM, IAC would take the first byte of the next line.
#[test]
fn telnet_synch_keeps_the_next_line() {
    let server = Server::start();
    let mut alice = server.join("alice");
    send_urgent(&alice, b"\xff\xf2");
    alice.send("PING after");
    alice.expect("OK PING after");
    alice.send_bytes(b"PING ha");
    send_urgent(&alice, b"\xff\xf4\xff\xf2");
    alice.send("lf");
    alice.expect("OK PING half");
}

/// The client is not read while it waits for its rate limit, and then in full.
#[test]
fn urgent_bytes_beyond_the_rate_are_read_later() {
    let server = Server::rate_limited(&["--line-rate", "100", "--line-burst", "1"]);
    let mut alice = server.join("alice");
    for number in 0..20 {
        send_urgent(&alice, format!("PING {number}\n").as_bytes());
    }
    for number in 0..20 {
        alice.expect(&format!("OK PING {number}"));
    }
}
