//! Clients that take no nickname, or send nothing.

use std::thread;
use std::time::Instant;

use crate::common::{Client, DEADLINE, Site, Transport};

/// Even if it sends commands, or half a line. The members do not notice.
fn name_timeout_disconnects_unnamed_client<T: Transport>() {
    let site = Site::<T>::with(&["--name-timeout", "3"]);
    let mut alice = site.join("alice");
    let (mut unnamed, mut half) = (site.connect(), site.connect());
    half.write(&T::encode_pieces((b"NICK bo", b"b\n"))[0]);
    let start = Instant::now();
    let last = loop {
        assert!(start.elapsed() < DEADLINE, "it is not closed");
        unnamed.send("PING");
        match unnamed.next().expect("a line") {
            line if line == "OK PING" => {}
            line => break line,
        }
    };
    let reason = "ERR - name-timeout you did not take a name within 3 s; connect again and write: NICK name";
    assert_eq!(last, reason);
    unnamed.expect_closed(1008);
    half.expect(reason);
    half.expect_closed(1008);
    alice.expect_nothing();
}

/// One member answers `PING idle`, one does not, and one sends blank lines.
fn idle_timeout_disconnects_silent_member<T: Transport>() {
    let site = Site::<T>::with(&["--idle-timeout", "12"]);
    let (mut alice, mut bob, carol) = (site.join("alice"), site.join("bob"), site.join("carol"));
    alice.expect("JOIN bob");
    alice.expect("JOIN carol");
    bob.expect("JOIN carol");
    thread::scope(|scope| {
        scope.spawn(|| stay(carol, "\n"));
        stay(alice, "PONG idle\n");
    });
    bob.expect("PING idle");
    bob.expect("ERR - idle-timeout you sent no line for 12 s; connect again and answer PING");
    bob.expect_closed(1008);
}

/// Answers each `PING idle` like this until Bob has left.
fn stay<T: Transport>(mut client: Client<T>, answer: &str) {
    let mut pings = 0;
    loop {
        match client.next().expect("still connected").as_str() {
            "PING idle" => pings += 1,
            "LEAVE bob timeout" => break,
            line => panic!("{line}"),
        }
        client.send_bytes(answer.as_bytes());
    }
    assert!(pings > 0);
    // If its own timeout had passed as well, it would be disconnected by now.
    client.sync();
}

test_all_transports_at_once!(name_timeout_disconnects_unnamed_client, idle_timeout_disconnects_silent_member);
