//! How a connection over WebSocket ends: always with a code, but where it breaks.

use std::io::Write as _;

use chinwag::limits::MESSAGE_BYTES_MAX;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::{CloseCode, Data};

use crate::client::{Site, WebPeer};

/// What everybody else reads when alice ends like this, and the code that she is closed with.
#[track_caller]
fn check(end: impl FnOnce(&mut WebPeer), lines: &[&str], left: &str, code: u16) {
    let site = Site::start();
    let mut bob = site.server.join("bob");
    let mut alice = site.join("alice");
    bob.expect("JOIN alice");
    end(&mut alice);
    for line in lines {
        alice.expect(line);
    }
    assert_eq!(alice.expect_end(), code);
    bob.expect(left);
    bob.expect_nothing();
}

#[test]
fn quit_is_normal() {
    check(|alice| alice.send("QUIT tea"), &["OK QUIT"], "LEAVE alice quit tea", 1000);
}

#[test]
fn who_closes_gets_all_replies_first() {
    let close = |alice: &mut WebPeer| {
        alice.send("PING a\nPING b");
        alice.socket.get_mut().write_all(b"\x88\x80\0\0\0\0").expect("the server reads");
    };
    check(close, &["OK PING a", "OK PING b"], "LEAVE alice eof", 1000);
    let going = CloseFrame { code: CloseCode::Away, reason: "closed the tab".into() };
    let close =
        |alice: &mut WebPeer| alice.socket.get_mut().write_all(&masked_close(&going)).expect("the server reads");
    check(close, &[], "LEAVE alice eof", 1000);
}

fn masked_close(frame: &CloseFrame) -> Vec<u8> {
    let payload = [&u16::from(frame.code).to_be_bytes(), frame.reason.as_bytes()].concat();
    let length = u8::try_from(payload.len()).expect("a short reason");
    [&[0x88, 0x80 | length, 0, 0, 0, 0], &payload[..]].concat()
}

#[test]
fn half_a_message_is_none() {
    let end = |alice: &mut WebPeer| {
        alice.send_frame(Data::Text, b"PING whole\nPING ha", false);
        alice.socket.get_mut().write_all(b"\x88\x80\0\0\0\0").expect("the server reads");
    };
    check(end, &["OK PING whole"], "LEAVE alice eof", 1000);
}

#[test]
fn what_is_no_text_message_ends_it_with_the_reason() {
    let binary = |alice: &mut WebPeer| alice.socket.send(Message::binary(b"x".to_vec())).expect("the server reads");
    check(binary, &[], "LEAVE alice errors", 1003);
    let half = |alice: &mut WebPeer| alice.send_frame(Data::Text, b"PING a\nMSG caf\xc3", true);
    check(half, &["OK PING a"], "LEAVE alice errors", 1007);
    let unmasked = |alice: &mut WebPeer| alice.socket.get_mut().write_all(b"\x81\x02hi").expect("the server reads");
    check(unmasked, &[], "LEAVE alice errors", 1002);
    let reserved =
        |alice: &mut WebPeer| alice.socket.get_mut().write_all(b"\xc1\x80\0\0\0\0").expect("the server reads");
    check(reserved, &[], "LEAVE alice errors", 1002);
}

#[test]
fn frame_with_a_length_that_is_not_minimal_ends_it() {
    let sixteen_bits = |alice: &mut WebPeer| {
        alice.socket.get_mut().write_all(b"\x81\x82\0\0\0\0hi\x81\xfe\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(
        sixteen_bits,
        &["ERR - verb-unknown unknown command 'hi' (HELP lists the commands); to say it, write: MSG hi"],
        "LEAVE alice errors",
        1002,
    );
    let sixty_four_bits = |alice: &mut WebPeer| {
        alice.socket.get_mut().write_all(b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(sixty_four_bits, &[], "LEAVE alice errors", 1002);
    let top_bit = |alice: &mut WebPeer| {
        alice.socket.get_mut().write_all(b"\x81\xff\x80\0\0\0\0\0\0\x02\0\0\0\0no").expect("the server reads");
    };
    check(top_bit, &[], "LEAVE alice errors", 1002);
}

/// Nothing after a close frame is read.
#[test]
fn frames_after_a_close_frame_are_ignored() {
    let close = |alice: &mut WebPeer| {
        let frames = b"\x81\x86\0\0\0\0PING a\x88\x82\0\0\0\0\x03\xe8\x81\x86\0\0\0\0MSG no\x89\x80\0\0\0\0";
        alice.socket.get_mut().write_all(frames).expect("the server reads");
    };
    check(close, &["OK PING a"], "LEAVE alice eof", 1000);
}

#[test]
fn close_frame_that_the_standard_forbids_is_an_error() {
    for (payload, code) in
        [(&b"\x03"[..], 1002), (b"\x03\xed", 1002), (b"\x03\xee", 1002), (b"\x03\xf7", 1002), (b"\x03\xe8\xc3", 1007)]
    {
        let length = u8::try_from(payload.len()).expect("a short payload");
        let frame = [&[0x88, 0x80 | length, 0, 0, 0, 0], payload].concat();
        let close = |alice: &mut WebPeer| alice.socket.get_mut().write_all(&frame).expect("the server reads");
        check(close, &[], "LEAVE alice errors", code);
    }
}

/// Told by its header alone, and by fragments that never end.
#[test]
fn a_message_is_bounded() {
    let huge = |alice: &mut WebPeer| {
        alice.socket.get_mut().write_all(b"\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0").expect("the server reads");
    };
    check(huge, &[], "LEAVE alice errors", 1009);
    let endless = |alice: &mut WebPeer| {
        alice.send_frame(Data::Text, b"", false);
        for _ in 0..=MESSAGE_BYTES_MAX / 50_000 {
            alice.send_frame(Data::Continue, "x".repeat(50_000).as_bytes(), false);
        }
    };
    check(endless, &[], "LEAVE alice errors", 1009);
}

/// As it is for everybody.
#[test]
fn a_line_that_is_too_long_ends_nothing() {
    let site = Site::start();
    let mut alice = site.join("alice");
    alice.send(&("MSG ".to_owned() + &"x".repeat(50_000)));
    alice.expect_start("ERR - line-too-long ");
    alice.expect_nothing();
}

#[test]
fn a_connection_that_breaks_is_lost() {
    let site = Site::start();
    let mut bob = site.server.join("bob");
    let alice = site.join("alice");
    bob.expect("JOIN alice");
    alice.vanish();
    bob.expect("LEAVE alice lost");
}

#[test]
fn who_is_sent_away_is_told_why() {
    let site = Site::with(&["--name-timeout", "1"]);
    let mut nameless = site.connect();
    nameless.expect("ERR - name-timeout you took no name within 1 s; connect again and write: NICK name");
    assert_eq!(nameless.expect_end(), 1008);
    let site = Site::start();
    let mut noisy = site.connect();
    noisy.send(&"\u{1f600}\n".repeat(60));
    for _ in 0..50 {
        noisy.expect_start("ERR - verb-unknown ");
    }
    noisy.expect_start("ERR - too-many-errors ");
    assert_eq!(noisy.expect_end(), 1008);
}

#[test]
fn at_the_servers_end_pages_are_told_that_it_goes_away() {
    let mut site = Site::start();
    let mut alice = site.join("alice");
    let mut nameless = site.connect();
    let mut bob = site.server.join("bob");
    alice.expect("JOIN bob");
    let watch = std::thread::spawn(move || {
        for peer in [&mut alice, &mut nameless] {
            peer.expect("NOTICE the server is shutting down");
            assert_eq!(peer.expect_end(), 1001);
        }
        bob.expect("NOTICE the server is shutting down");
        bob.expect_end();
    });
    site.server.signal("-TERM");
    let (status, took) = site.server.wait();
    assert!(status.success() && took < crate::common::STOP_DEADLINE, "{status} after {took:?}");
    watch.join().expect("everybody was told");
}
