//! Peers that take no name, or say nothing, or cannot any more.

use std::time::Instant;

use crate::common::{DEADLINE, Peer, Server};

/// Whatever they send meanwhile. Nobody else notices.
#[test]
fn who_takes_no_name_in_time_is_told_and_closed() {
    let server = Server::with(&["--name-timeout", "3"]);
    let mut alice = server.join("alice");
    let mut nameless = server.connect();
    let mut half = server.connect();
    half.send_bytes(b"NICK bo");
    let start = Instant::now();
    let rest = loop {
        assert!(start.elapsed() < DEADLINE, "it is not closed");
        nameless.send("PING");
        match nameless.next().expect("a line") {
            line if line == "OK PING" => {}
            line => break line,
        }
    };
    let why = "ERR - name-timeout you took no name within 3 s; connect again and write: NICK name";
    assert_eq!(rest, why);
    half.expect(why);
    half.expect_end();
    alice.expect_nothing();
}

/// One answers, one does not, one writes blank lines.
#[test]
fn who_is_silent_is_asked_and_then_leaves() {
    let server = Server::with(&["--idle-timeout", "12"]);
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    let carol = server.join("carol");
    alice.expect("JOIN bob");
    alice.expect("JOIN carol");
    bob.expect("JOIN carol");
    std::thread::scope(|scope| {
        scope.spawn(|| stay(carol, ""));
        stay(alice, "PONG idle");
    });
    bob.expect("PING idle");
    bob.expect("ERR - idle-timeout nothing came from you for 12 s; connect again, and answer PING");
    bob.expect_end();
}

/// Gives signs of life when asked until Bob is gone.
fn stay(mut peer: Peer, alive: &str) {
    let mut asked = 0;
    loop {
        match peer.next().expect("still here").as_str() {
            "PING idle" => asked += 1,
            "LEAVE bob timeout" => break,
            line => panic!("{line}"),
        }
        peer.send(alive);
    }
    assert!(asked > 0);
    // Were it due as well, it would be so at the same moment.
    peer.sync();
}
