//! Pages that do not read are let go as everybody is, and delay nobody.

use socket2::{Domain, Socket, Type};

use crate::client::{Site, WebPeer};
use crate::common::{HELLO, Peer};

/// Says so much that more than `bytes` of it are published, and reads every acknowledgement; what was heard meanwhile.
fn fill(talker: &mut Peer, bytes: usize) -> Vec<String> {
    // Wherever it is cut, it is most likely cut within a character.
    let line = format!("MSG {}\n", "\u{1f600}".repeat(250)).repeat(50);
    let mut heard = Vec::new();
    for _ in 0..bytes.div_ceil(50_000) {
        talker.send_bytes(line.as_bytes());
        heard.extend(talker.sync());
    }
    heard
}

/// Somebody whose kernel holds little for them.
fn join_with_a_small_buffer(site: &Site, name: &str) -> WebPeer {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("a socket");
    socket.connect(&site.address.into()).expect("the server accepts");
    socket.set_read_timeout(Some(crate::common::DEADLINE)).expect("a timeout");
    let mut peer = site.connect_over(socket.into());
    peer.expect(HELLO);
    peer.send(&format!("NICK {name}"));
    peer.sync();
    peer
}

#[test]
#[cfg(feature = "store")]
fn a_page_that_falls_off_the_feed_is_closed_as_slow_and_told() {
    let site = Site::with(&["--feed-bytes", "1048576"]);
    let mut talker = site.server.join("talker");
    let mut stuck = join_with_a_small_buffer(&site, "stuck");
    let mut reader = site.join("reader");
    let mut left = false;
    for _ in 0..100 {
        fill(&mut talker, 100_000);
        left |= reader.sync().iter().any(|line| line == "LEAVE stuck slow");
        if left {
            break;
        }
    }
    assert!(left, "it never left");
    let (lines, code) = stuck.rest();
    assert!(lines.last().expect("a reason").starts_with("ERR - slow you read too slowly: "), "{:?}", lines.last());
    assert_eq!(code, 1008);
}

#[test]
fn a_page_whose_socket_takes_nothing_is_closed_as_slow_and_told() {
    let site = Site::with(&["--write-timeout", "1"]);
    let mut talker = site.server.join("talker");
    let mut stuck = join_with_a_small_buffer(&site, "stuck");
    talker.expect("JOIN stuck");
    // It may leave while that is said.
    let heard = fill(&mut talker, 2_000_000);
    talker.expect_after(&heard, "LEAVE stuck slow");
    let (lines, code) = stuck.rest();
    let last = lines.last().expect("a reason");
    assert_eq!(last, "ERR - slow you read nothing of what was waiting for you for 1 s; connect again");
    assert_eq!(code, 1008);
}

/// One that reads in the end has missed nothing, whatever its socket took at once.
#[test]
fn a_page_that_reads_late_reads_all() {
    let site = Site::start();
    let mut talker = site.server.join("talker");
    let mut late = join_with_a_small_buffer(&site, "late");
    talker.expect("JOIN late");
    let text = |number: usize| format!("{number} {}", "é".repeat(400));
    for number in 0..3000 {
        talker.send(&format!("MSG {}", text(number)));
    }
    talker.sync();
    for number in 0..3000 {
        late.expect(&format!("MSG talker {}", text(number)));
    }
    late.expect_nothing();
}

/// With a store, it reads on from there: every line whole and in order, though the frame that it was in cannot be sent as it was.
#[test]
#[cfg(feature = "store")]
fn a_page_that_falls_off_the_feed_reads_on_from_the_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let patient = ["--write-timeout", "0", "--lost-timeout", "0", "--durability", "relaxed"];
    let site =
        Site::with(&[&["--feed-bytes", "1048576", "--data", data.to_str().expect("a path")], &patient[..]].concat());
    let mut talker = site.server.join("talker");
    let mut late = join_with_a_small_buffer(&site, "late");
    talker.expect("JOIN late");
    let text = |number: usize| format!("{number} {}", "é".repeat(450));
    for tens in 0..600 {
        let lines: String = (0..10).map(|one| format!("MSG {}\n", text(tens * 10 + one))).collect();
        talker.send_bytes(lines.as_bytes());
        talker.sync();
    }
    let mut number = 0;
    let mut fell = false;
    while number < 6000 {
        match late.next().expect("a line") {
            line if line.starts_with("NOTICE you read too slowly") => fell = true,
            line if line.is_empty() || line.starts_with("ROSTER ") || line.starts_with("USER ") => {}
            line => {
                assert_eq!(line, format!("MSG talker {}", text(number)));
                number += 1;
            }
        }
    }
    assert!(fell, "it never fell off");
    let after = late.sync();
    assert!(after.iter().all(|line| line.starts_with("ROSTER ") || line.starts_with("USER ")), "{after:?}");
}

/// It waits for nothing but its own socket.
#[test]
fn pings_of_one_that_does_not_read_do_not_pile_up() {
    let site = Site::start();
    let mut alice = site.server.join("alice");
    let mut stuck = join_with_a_small_buffer(&site, "stuck");
    alice.expect("JOIN stuck");
    let before = site.server.resident_bytes();
    fill(&mut alice, 1_000_000);
    for _ in 0..20_000 {
        let ping = tungstenite::Message::Ping(vec![b'x'; 125].into());
        stuck.socket.send(ping).expect("the server reads");
    }
    let grown = site.server.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes");
    alice.expect_nothing();
}
