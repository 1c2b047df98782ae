//! One room, whatever its peers speak.

use std::io::Write as _;

use tungstenite::Message;
use tungstenite::protocol::frame::coding::Data;

use crate::client::Site;
use crate::common::{HELLO, sends_from};

#[test]
fn two_pages_and_a_line_peer_are_in_one_room() {
    let site = Site::start();
    let mut alice = site.join("alice");
    let mut bob = site.server.join("bob");
    let mut carol = site.join("carol");
    assert_eq!(alice.sync(), ["JOIN bob", "JOIN carol"]);
    bob.expect("JOIN carol");
    carol.send("MSG from a page");
    carol.expect("OK MSG 1");
    alice.expect("MSG carol from a page");
    bob.expect("MSG carol from a page");
    bob.send("MSG from a terminal");
    bob.expect("OK MSG 2");
    alice.expect("MSG bob from a terminal");
    carol.expect("MSG bob from a terminal");
    alice.send("WHISPER bob,carol psst");
    alice.expect("OK WHISPER bob,carol");
    bob.expect("WHISPER alice psst");
    carol.expect("WHISPER alice psst");
    alice.send("STATUS");
    alice.expect_start("USER alice coordinator id=1 address=127.0.0.1:");
    alice.expect_start("USER bob member id=2 address=127.0.0.1:");
    alice.expect_start("USER carol member id=3 address=127.0.0.1:");
    alice.expect("OK STATUS 3");
    carol.expect_nothing();
    bob.expect_nothing();
}

#[test]
fn a_message_is_one_or_more_lines() {
    let site = Site::start();
    let mut alice = site.connect();
    alice.send("NICK alice\nPING a\r\nPING b\n");
    for line in ["OK NICK alice", "COORDINATOR alice", "OK PING a", "OK PING b"] {
        alice.expect(line);
    }
    // The first line of one that is no browser's: nothing is another protocol's here.
    let mut bob = site.connect();
    bob.send("GET / HTTP/1.1");
    bob.expect_start("ERR - verb-unknown ");
    bob.send("");
    bob.send("\n");
    bob.expect_nothing();
}

#[test]
fn a_message_of_a_thousand_lines_gets_a_thousand_replies() {
    let site = Site::start();
    let mut alice = site.join("alice");
    let mut bob = site.server.join("bob");
    alice.expect("JOIN bob");
    let lines: Vec<_> = (0..1000).map(|number| format!("MSG number {number}")).collect();
    alice.send(&lines.join("\n"));
    for number in 0..1000 {
        alice.expect(&format!("OK MSG {}", number + 1));
        bob.expect(&format!("MSG alice number {number}"));
    }
}

#[test]
fn messages_come_in_fragments_with_pings_between() {
    let site = Site::start();
    let mut alice = site.join("alice");
    alice.send_frame(Data::Text, b"PING caf\xc3", false);
    alice.socket.send(Message::Ping(b"still there?".to_vec().into())).expect("the server reads");
    alice.send_frame(Data::Continue, b"", false);
    alice.send_frame(Data::Continue, b"\xa9\nPING ne", false);
    alice.send_frame(Data::Continue, b"xt", true);
    alice.expect("OK PING café");
    alice.expect("OK PING next");
    assert_eq!(alice.pongs, [&b"still there?"[..]]);
    // Byte by byte on the wire, masked with zeros.
    for byte in b"\x81\x86\0\0\0\0PING x" {
        alice.socket.get_mut().write_all(&[*byte]).expect("the server reads");
    }
    alice.expect("OK PING x");
}

#[test]
fn a_ping_is_answered_though_nothing_is_said() {
    let site = Site::start();
    let mut alice = site.connect();
    alice.socket.send(Message::Ping(b"1".to_vec().into())).expect("the server reads");
    let Ok(Message::Pong(payload)) = alice.socket.read() else { panic!("no pong") };
    assert_eq!(payload, &b"1"[..]);
}

/// So many that the kernel sends it from a file, and in more than one frame.
#[test]
fn much_is_read_whole_and_in_order_by_all() {
    let site = Site::start();
    let mut readers: Vec<_> = (0..20).map(|number| site.join(&format!("reader-{number}"))).collect();
    let mut plain = site.server.join("plain");
    let mut talker = site.server.join("talker");
    let text = |number: usize| format!("{number} {}", "é".repeat(number % 500));
    let lines: String = (0..2000).map(|number| format!("MSG {}\n", text(number))).collect();
    talker.send_bytes(lines.as_bytes());
    talker.send("MSG end");
    let wanted: Vec<_> = (0..2000).map(|number| format!("MSG talker {}", text(number))).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| talker.sync());
        for reader in &mut readers {
            let wanted = &wanted;
            scope.spawn(move || {
                let heard = reader.until("MSG talker end");
                let said: Vec<_> = heard.into_iter().filter(|line| line.starts_with("MSG ")).collect();
                assert!(said == *wanted, "{} of {} lines, or another order", said.len(), wanted.len());
            });
        }
        plain.until("MSG talker end");
    });
}

/// A frame's header is written with what is in it.
#[test]
fn a_delivery_is_one_send_as_for_everybody() {
    const READERS: u64 = 50;
    let site = Site::start();
    let mut readers: Vec<_> = (0..READERS).map(|number| site.join(&format!("reader-{number}"))).collect();
    let mut ann = site.server.join("ann");
    for reader in &mut readers {
        reader.until("JOIN ann");
    }
    let Some(before) = sends_from(site.address) else { return };
    for number in 0..50 {
        ann.send(&format!("MSG number {number}"));
        ann.sync();
        for reader in &mut readers {
            reader.expect(&format!("MSG ann number {number}"));
        }
    }
    let after = sends_from(site.address).expect("it was there a moment ago");
    assert_eq!(after - before, 50 * READERS);
}

#[test]
fn a_name_is_taken_back_from_a_page() {
    let site = Site::start();
    let mut alice = site.join("alice");
    let mut bob = site.server.join("bob");
    alice.expect("JOIN bob");
    alice.send("SET resume on");
    let token =
        alice.next().and_then(|line| line.strip_prefix("OK SET resume on ").map(str::to_owned)).expect("a token");
    let mut second = site.connect();
    second.send(&format!("RESUME {token}"));
    second.expect("OK RESUME alice");
    alice.expect_start("ERR - resumed ");
    assert_eq!(alice.expect_end(), 1008);
    second.vanish();
    let mut third = site.server.connect_raw();
    third.expect(HELLO);
    third.send(&format!("RESUME {token}"));
    third.expect("OK RESUME alice");
    bob.expect_nothing();
}

/// The rate is that of lines, however many are in a message.
#[test]
fn a_message_of_many_lines_is_carried_out_at_the_rate() {
    let site = Site::paced(&["--line-rate", "100", "--line-burst", "5"]);
    let mut alice = site.connect();
    let start = std::time::Instant::now();
    alice.send(&"PING x\n".repeat(55));
    for _ in 0..55 {
        alice.expect("OK PING x");
    }
    assert!(start.elapsed().as_millis() >= 490, "{:?}", start.elapsed());
}
