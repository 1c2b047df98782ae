//! Names that go on with another connection, and that nobody else gets.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use crate::common::{Peer, Server};

/// Asks for a token.
fn token(peer: &mut Peer) -> String {
    peer.send("SET resume on");
    let start = "OK SET resume on ";
    let line = peer.until_start(start);
    line[start.len()..].to_owned()
}

fn resume(server: &Server, token: &str) -> Peer {
    let mut peer = server.connect();
    peer.send(&format!("RESUME {token}"));
    peer.expect("OK RESUME alice");
    peer
}

/// As a host does that has forgotten the connection.
fn reset(peer: Peer) {
    socket2::SockRef::from(peer.stream()).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(peer);
}

#[test]
fn nobody_sees_that_a_connection_broke() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut watcher = server.join("watcher");
    let token = token(&mut alice);
    for round in 0..20 {
        if round % 2 == 0 {
            reset(alice);
        } else {
            // Before, after or while the other takes the name.
            thread::spawn(move || reset(alice));
        }
        alice = resume(&server, &token);
        alice.send(&format!("MSG {round}"));
        watcher.expect(&format!("MSG alice {round}"));
    }
    alice.send("STATUS");
    alice.until_start("USER alice coordinator id=1 ");
    watcher.expect_nothing();
}

/// Each of them has the token, and each takes the name from the one before.
#[test]
fn of_many_who_take_a_name_back_at_once_one_has_it() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut watcher = server.join("watcher");
    let token = token(&mut alice);
    for _ in 0..10 {
        let mut all: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for peer in &mut all {
            peer.send(&format!("RESUME {token}"));
        }
        for peer in &mut all {
            peer.expect("OK RESUME alice");
        }
        all.push(alice);
        watcher.send("WHISPER alice which of you?");
        watcher.expect("OK WHISPER alice");
        let (mut here, gone): (Vec<_>, Vec<_>) = all
            .into_iter()
            .map(|mut peer| (peer.next().expect("a line"), peer))
            .partition(|(line, _)| line == "WHISPER watcher which of you?");
        for (line, mut peer) in gone {
            assert!(line.starts_with("ERR - resumed "), "{line}");
            peer.expect_end();
        }
        assert_eq!(here.len(), 1);
        alice = here.remove(0).1;
    }
    watcher.expect_nothing();
}

/// What is carried out of it is acknowledged to it, and comes before all that the new one does.
#[test]
fn a_connection_that_goes_on_sending_is_cut_off_between_two_lines() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut old = server.join("alice");
    let token = token(&mut old);
    watcher.expect("JOIN alice");
    let (acknowledged, seen) = thread::scope(|scope| {
        let old = scope.spawn(move || flood(old));
        let mut seen = watcher.until("MSG alice 100").len() + 1;
        let mut new = resume(&server, &token);
        new.send("MSG new");
        seen += watcher.until("MSG alice new").len();
        (old.join().expect("the old one"), seen)
    });
    assert_eq!(acknowledged, seen);
    watcher.expect_nothing();
}

/// Sends for as long as it is read, and counts what is acknowledged before it is told to go.
fn flood(peer: Peer) -> usize {
    let mut writer = peer.stream().try_clone().expect("a clone");
    let mut peer = peer;
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..10_000_000 {
                if writer.write_all(format!("MSG {number}\n").as_bytes()).is_err() {
                    break;
                }
            }
        });
        let lines = std::iter::from_fn(|| peer.next()).take_while(|line| !line.starts_with("ERR - resumed "));
        let acknowledged = lines.inspect(|line| assert!(line.starts_with("OK MSG "), "{line}")).count();
        let _ = peer.stream().shutdown(std::net::Shutdown::Both);
        acknowledged
    })
}

#[test]
fn who_does_not_come_back_has_left() {
    let server = Server::with(&["--resume-timeout", "2"]);
    let mut alice = server.join("alice");
    let mut watcher = server.join("watcher");
    let token = token(&mut alice);
    reset(alice);
    watcher.expect("LEAVE alice lost");
    watcher.expect("COORDINATOR watcher");
    let mut late = server.connect();
    late.send(&format!("RESUME {token}"));
    late.expect("ERR RESUME token-unknown nobody's name is kept for this token (any more); write: NICK name");
    late.send("NICK alice");
    late.expect("OK NICK alice");
}

/// A name that is held takes a place among the connections there may be, but no more.
#[test]
fn what_is_held_is_the_name_and_no_socket() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let before = server.descriptors();
    let mut alice = server.join("alice");
    watcher.expect("JOIN alice");
    token(&mut alice);
    reset(alice);
    server.wait_for_descriptors(before, &mut watcher);
    watcher.send("WHO");
    watcher.expect("USER watcher coordinator");
    watcher.expect("USER alice member");
}

/// In a busy room a host that vanished does not read before it is known to be lost.
#[test]
fn who_fell_behind_can_come_back() {
    let server = Server::with(&["--feed-bytes", "1048576"]);
    let mut alice = server.join("alice");
    let mut talker = server.join("talker");
    let token = token(&mut alice);
    let burst = format!("MSG {}\n", "x".repeat(1000)).repeat(100);
    let is_gone = |talker: &mut Peer| {
        talker.send_bytes(burst.as_bytes());
        talker.send("WHISPER alice hello?");
        talker.until_start("OK MSG ");
        let answers = talker.sync();
        assert!(answers.iter().all(|line| line.starts_with("OK ") || line.starts_with("ERR WHISPER")), "{answers:?}");
        answers.iter().any(|line| line.starts_with("ERR WHISPER target-absent alice has no connection now"))
    };
    assert!((0..2000).any(|_| is_gone(&mut talker)), "it was never let go");
    let mut back = resume(&server, &token);
    talker.send("MSG welcome back");
    back.expect("MSG talker welcome back");
    alice.rest();
    talker.until_start("OK MSG ");
    talker.expect_nothing();
}

#[test]
fn tokens_are_long_and_no_two_are_alike() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let tokens: BTreeSet<_> = (0..100).map(|_| token(&mut alice)).collect();
    assert_eq!(tokens.len(), 100);
    // That all have the same digit at one of the places happens by chance once in 16^98 times.
    for place in 0..32 {
        let digits: BTreeSet<_> = tokens.iter().map(|token| token.as_bytes()["1-".len() + place]).collect();
        assert!(digits.len() > 1, "place {place} of {tokens:?}");
    }
    assert!(tokens.iter().all(|token| token.starts_with("1-") && token.len() == 34), "{tokens:?}");
}

#[test]
fn names_are_not_held_where_the_operator_does_not_want_it() {
    let server = Server::with(&["--resume-timeout", "0"]);
    let mut alice = server.join("alice");
    alice.send("SET resume on");
    alice.until_start("ERR SET resume-off ");
}
