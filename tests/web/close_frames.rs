//! Frames that end a connection, and the code of the server's close frame.

use std::io::Write as _;

use chinwag::limits::MESSAGE_BYTES_MAX;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::Data;

use crate::common::{Client, Site, WebSocket};

/// Alice ends her connection like this, reads these lines, and is closed with this code. Bob reads her LEAVE.
#[track_caller]
fn check(end: impl FnOnce(&mut Client<WebSocket>), lines: &[&str], left: &str, code: u16) {
    let site = Site::<WebSocket>::start();
    let mut bob = site.server.join("bob");
    let mut alice = site.join("alice");
    bob.expect("JOIN alice");
    end(&mut alice);
    for line in lines {
        alice.expect(line);
    }
    alice.expect_closed(code);
    bob.expect(left);
    bob.expect_nothing();
}

#[test]
fn close_frame_discards_unfinished_line() {
    let end = |alice: &mut Client<WebSocket>| {
        alice.send_frame(Data::Text, b"PING whole\nPING ha", false);
        alice.stream().write_all(b"\x88\x80\0\0\0\0").expect("the server reads");
    };
    check(end, &["OK PING whole"], "LEAVE alice eof", 1000);
}

#[test]
fn invalid_frame_closes_with_its_code() {
    let binary = |alice: &mut Client<WebSocket>| alice.send_message(Message::binary(b"x".to_vec()));
    check(binary, &[], "LEAVE alice errors", 1003);
    let half = |alice: &mut Client<WebSocket>| alice.send_frame(Data::Text, b"PING a\nMSG caf\xc3", true);
    check(half, &["OK PING a"], "LEAVE alice errors", 1007);
    let unmasked = |alice: &mut Client<WebSocket>| alice.stream().write_all(b"\x81\x02hi").expect("the server reads");
    check(unmasked, &[], "LEAVE alice errors", 1002);
    let reserved =
        |alice: &mut Client<WebSocket>| alice.stream().write_all(b"\xc1\x80\0\0\0\0").expect("the server reads");
    check(reserved, &[], "LEAVE alice errors", 1002);
}

#[test]
fn overlong_frame_length_closes_with_1002() {
    let sixteen_bits = |alice: &mut Client<WebSocket>| {
        alice.stream().write_all(b"\x81\x82\0\0\0\0hi\x81\xfe\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(
        sixteen_bits,
        &["ERR - verb-unknown unknown command 'hi' (HELP lists the commands); to say it, write: MSG hi"],
        "LEAVE alice errors",
        1002,
    );
    let sixty_four_bits = |alice: &mut Client<WebSocket>| {
        alice.stream().write_all(b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(sixty_four_bits, &[], "LEAVE alice errors", 1002);
    let top_bit = |alice: &mut Client<WebSocket>| {
        alice.stream().write_all(b"\x81\xff\x80\0\0\0\0\0\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(top_bit, &[], "LEAVE alice errors", 1002);
}

/// Nothing after a close frame is read.
#[test]
fn frames_after_a_close_frame_are_ignored() {
    let close = |alice: &mut Client<WebSocket>| {
        let frames = b"\x81\x86\0\0\0\0PING a\x88\x82\0\0\0\0\x03\xe8\x81\x86\0\0\0\0MSG no\x89\x80\0\0\0\0";
        alice.stream().write_all(frames).expect("the server reads");
    };
    check(close, &["OK PING a"], "LEAVE alice eof", 1000);
}

#[test]
fn invalid_close_frame_closes_with_its_code() {
    for (payload, code) in
        [(&b"\x03"[..], 1002), (b"\x03\xed", 1002), (b"\x03\xee", 1002), (b"\x03\xf7", 1002), (b"\x03\xe8\xc3", 1007)]
    {
        let length = u8::try_from(payload.len()).expect("a short payload");
        let frame = [&[0x88, 0x80 | length, 0, 0, 0, 0], payload].concat();
        let close = |alice: &mut Client<WebSocket>| alice.stream().write_all(&frame).expect("the server reads");
        check(close, &[], "LEAVE alice errors", code);
    }
}

/// Told by its header alone, and by fragments that never end.
#[test]
fn too_long_message_closes_with_1009() {
    let huge = |alice: &mut Client<WebSocket>| {
        alice.stream().write_all(b"\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0").expect("the server reads");
    };
    check(huge, &[], "LEAVE alice errors", 1009);
    let endless = |alice: &mut Client<WebSocket>| {
        alice.send_frame(Data::Text, b"", false);
        for _ in 0..=MESSAGE_BYTES_MAX / 50_000 {
            alice.send_frame(Data::Continue, "x".repeat(50_000).as_bytes(), false);
        }
    };
    check(endless, &[], "LEAVE alice errors", 1009);
}

#[test]
fn end_of_stream_without_close_frame_is_lost() {
    let site = Site::<WebSocket>::start();
    let (mut bob, alice) = (site.server.join("bob"), site.join("alice"));
    bob.expect("JOIN alice");
    drop(alice);
    bob.expect("LEAVE alice lost");
}
