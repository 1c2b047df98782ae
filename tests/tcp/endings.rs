//! How conversations end: end of input, `QUIT`, a connection that breaks, a server that stops.

use std::io::Write as _;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use chinwag::limits::DRAIN_MS_MAX;

use crate::common::{HELLO, Peer, Server};

#[test]
fn the_last_line_needs_no_newline() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut peer = server.connect_raw();
    peer.send_bytes(b"NICK a\nMSG hi");
    peer.end_input();
    assert_eq!(peer.rest(), [HELLO, "OK NICK a", "OK MSG 1"]);
    watcher.until("JOIN a");
    watcher.expect("MSG a hi");
    watcher.expect("LEAVE a eof");
}

/// By the time the peer sees the connection closed, the leave is in the one order.
#[test]
fn the_leave_comes_before_the_close() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    watcher.sync();
    for _ in 0..50 {
        let mut peer = server.join("a");
        peer.end_input();
        assert_eq!(peer.rest(), Vec::<String>::new());
        assert_eq!(watcher.sync(), ["JOIN a", "LEAVE a eof"]);
    }
}

#[test]
fn quit_in_a_pipelined_burst_loses_no_reply() {
    let server = Server::start();
    let mut peer = server.connect();
    let mut burst = b"NICK a\n".to_vec();
    for number in 0..3000 {
        burst.extend(format!("PING {number}\n").into_bytes());
    }
    burst.extend(b"QUIT\n");
    burst.extend(b"MSG too late\n".repeat(1000));
    peer.send_bytes(&burst);
    peer.expect("OK NICK a");
    peer.expect("COORDINATOR a");
    for number in 0..3000 {
        peer.expect(&format!("OK PING {number}"));
    }
    peer.expect("OK QUIT");
    peer.expect_end();
}

/// The server reads on until the peer closes, too: input left unread would turn its close into a reset, which destroys
/// replies under way.
#[test]
fn what_a_peer_still_sends_after_quit_makes_no_reset() {
    let server = Server::start();
    let mut other = server.join("other");
    assert!((0..10).any(|_| is_read_after_quit(&server, &mut other)), "it always took too long");
}

/// Whether all of it was sent in the time for which the server reads on. If so, it must have been read.
fn is_read_after_quit(server: &Server, other: &mut Peer) -> bool {
    let start = Instant::now();
    let mut peer = server.connect();
    peer.send("QUIT");
    peer.expect("OK QUIT");
    peer.expect_end();
    for _ in 0..5 {
        let sent = peer.stream().write_all(&b"MSG too late\n".repeat(100));
        if start.elapsed() >= Duration::from_millis(DRAIN_MS_MAX) {
            return false;
        }
        sent.expect("the server reads on");
        // It has come to where it is read, or reset, before another is answered.
        other.sync();
    }
    peer.expect_end();
    true
}

/// Every line that is not blank has one final reply, in order, also when all of them come at once.
#[test]
fn a_script_can_count() {
    let server = Server::start();
    let mut peer = server.connect_raw();
    peer.send_bytes(
        b"NICK a\n\n   \nMSG one\nnonsense\nWHO\nPONG x\nMSG\nHELP set\n\r\nSET echo on\nCHAT\ntwo\n/chat\nQUIT",
    );
    peer.end_input();
    let replies = peer.rest();
    let finals: Vec<_> = replies.iter().filter(|line| line.starts_with("OK ") || line.starts_with("ERR ")).collect();
    let starts = [
        "OK NICK a",
        "OK MSG 1",
        "ERR - verb-unknown",
        "OK WHO 1",
        "ERR MSG text-missing",
        "OK HELP",
        "OK SET echo on",
        "OK CHAT on",
        "OK MSG 2",
        "OK CHAT off",
        "OK QUIT",
    ];
    assert_eq!(finals.len(), starts.len(), "{finals:#?}");
    assert!(finals.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{finals:#?}");
}

#[test]
fn the_answer_comes_in_the_ending_of_the_first_line() {
    let server = Server::start();
    let check = |input: &[u8], expected: &str| {
        let mut peer = server.connect_raw();
        peer.send_bytes(input);
        peer.end_input();
        let got = String::from_utf8(peer.rest_bytes()).expect("UTF-8");
        assert_eq!(got, format!("{HELLO}\n{expected}"), "{:?}", input.escape_ascii().to_string());
    };
    check(b"PING a\nPING b\r\n", "OK PING a\nOK PING b\n");
    check(b"PING a\r\nPING b\n", "OK PING a\r\nOK PING b\r\n");
    check(b"PING a\r\0PING b\r\0", "OK PING a\r\nOK PING b\r\n");
    check(b"\r\nPING a", "OK PING a\r\n");
    check(b"PING a", "OK PING a\n");
}

#[test]
fn a_broken_connection_is_lost() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut peer = server.join("a");
    // Closing with unread input makes a reset.
    watcher.sync();
    watcher.send("MSG unread");
    peer.until("MSG watcher unread");
    watcher.send("MSG never read");
    watcher.sync();
    let stream = peer.stream().try_clone().expect("a clone");
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(stream);
    drop(peer);
    assert_eq!(watcher.next().as_deref(), Some("LEAVE a lost"));
}

#[test]
fn a_peer_that_reads_no_more_but_sends_is_served() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut peer = server.join("a");
    watcher.sync();
    peer.stream().shutdown(Shutdown::Read).expect("a connection");
    peer.send("MSG into the void");
    watcher.expect("MSG a into the void");
}

#[test]
fn at_the_end_everybody_reads_a_notice_and_all_that_was_acknowledged() {
    let mut server = Server::start();
    let mut nameless = server.connect();
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    alice.sync();
    for number in 0..1000 {
        bob.send(&format!("MSG {number}"));
    }
    bob.sync();
    server.signal("-TERM");
    for number in 0..1000 {
        alice.expect(&format!("MSG bob {number}"));
    }
    for peer in [&mut nameless, &mut alice, &mut bob] {
        assert_eq!(peer.rest(), ["NOTICE the server is shutting down"]);
    }
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
}

/// Some send as fast as they can while it stops: what each of them was told is said was said, and was read.
#[test]
fn what_is_acknowledged_while_it_stops_was_said() {
    let mut server = Server::start();
    let mut watcher = server.join("watcher");
    let senders: Vec<_> = (0..8).map(|number| server.join(&format!("sender{number}"))).collect();
    watcher.sync();
    let (acknowledged, mut heard) = thread::scope(|scope| {
        let threads: Vec<_> = senders.into_iter().map(|sender| scope.spawn(move || flood(sender))).collect();
        let mut heard = watcher.until("MSG sender0 100");
        server.signal("-TERM");
        heard.extend(watcher.rest());
        (threads.into_iter().map(|thread| thread.join().expect("a sender")).sum::<usize>(), heard)
    });
    assert_eq!(heard.pop().as_deref(), Some("NOTICE the server is shutting down"));
    // And the one that was waited for.
    let said = heard.iter().filter(|line| line.starts_with("MSG ")).count() + 1;
    assert_eq!(said, acknowledged);
    assert_eq!(server.wait().0.code(), Some(0));
}

/// Sends for as long as it is read, and counts what is acknowledged up to the notice.
fn flood(peer: Peer) -> usize {
    let mut writer = peer.stream().try_clone().expect("a clone");
    let mut peer = peer;
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..1_000_000 {
                if writer.write_all(format!("MSG {number}\n").as_bytes()).is_err() {
                    break;
                }
            }
        });
        std::iter::from_fn(|| peer.next())
            .take_while(|line| !line.starts_with("NOTICE"))
            .filter(|line| line.starts_with("OK MSG"))
            .count()
    })
}
