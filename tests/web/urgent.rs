//! TCP urgent data on WebSocket connections keeps its place in the request and in the frames.

use std::io::Write as _;
use std::net::TcpStream;

use socket2::SockRef;

use crate::client::{Site, rest};

/// Sends all bytes, with the byte at `at` urgent.
fn send_with_urgent(mut stream: &TcpStream, bytes: &[u8], at: usize) {
    let sent = SockRef::from(stream).send_out_of_band(&bytes[..=at]).expect("the server reads");
    assert_eq!(sent, at + 1);
    stream.write_all(&bytes[at + 1..]).expect("the server reads");
}

#[test]
fn urgent_byte_in_a_frame_keeps_its_place() {
    // Text frames, masked with zeros, so that they are readable.
    const FRAMES: &[u8] = b"\x81\x86\0\0\0\0PING a\x81\x86\0\0\0\0PING b";
    let site = Site::start();
    for at in 0..FRAMES.len() {
        let mut alice = site.connect();
        send_with_urgent(alice.socket.get_ref(), FRAMES, at);
        alice.expect("OK PING a");
        alice.expect("OK PING b");
    }
}

#[test]
fn urgent_byte_in_a_request_keeps_its_place() {
    let site = Site::start();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", site.address);
    for at in 0..request.len() {
        let mut stream = site.connect_raw();
        send_with_urgent(&stream, request.as_bytes(), at);
        assert!(rest(&mut stream).starts_with("HTTP/1.1 200 "), "urgent at byte {at}");
    }
}
