//! The room's members: what `WHO` and the events say, and who becomes coordinator.

use std::collections::BTreeSet;
use std::thread;

use crate::common::{Client, Server};

/// A list from `WHO`, updated by the events after it, equals every later list.
#[test]
fn who_reply_and_events_agree() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    thread::scope(|scope| {
        let churn: Vec<_> = (0..4)
            .map(|thread| {
                let server = &server;
                scope.spawn(move || {
                    for number in 0..60 {
                        let mut client = server.join(&format!("a{thread}x{number}"));
                        if number % 2 == 0 {
                            client.send(&format!("NICK b{thread}x{number}"));
                            client.until(&format!("OK NICK b{thread}x{number}"));
                        }
                        client.end_input();
                        client.rest();
                    }
                })
            })
            .collect();
        let mut roster: Option<BTreeSet<String>> = None;
        while churn.iter().any(|thread| !thread.is_finished()) {
            watcher.send("WHO");
            let listed = read_to_who(&mut watcher, &mut roster);
            assert_eq!(roster.get_or_insert(listed.clone()), &listed, "the events do not lead to this list");
        }
    });
}

/// Keeps the roster up to the `USER` lines, and returns what they list.
fn read_to_who(client: &mut Client, roster: &mut Option<BTreeSet<String>>) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    loop {
        let line = client.next().expect("a line");
        let words: Vec<_> = line.split(' ').collect();
        match (words[0], roster.as_mut()) {
            ("USER", _) => assert!(listed.insert(words[1].to_owned())),
            ("OK", _) => return listed,
            ("JOIN", Some(roster)) => assert!(roster.insert(words[1].to_owned()), "{line}"),
            ("LEAVE", Some(roster)) => assert!(roster.remove(words[1]), "{line}"),
            ("RENAME", Some(roster)) => {
                assert!(roster.remove(words[1]) && roster.insert(words[2].to_owned()), "{line}");
            }
            _ => {}
        }
    }
}

/// Also with different case.
#[test]
fn simultaneous_nicks_admit_one() {
    let server = Server::start();
    let mut clients: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (number, client) in clients.iter_mut().enumerate() {
            let name = if number % 2 == 0 { format!("same{round}") } else { format!("SAME{round}") };
            client.send(&format!("NICK {name}"));
        }
        let mut won = 0;
        for client in &mut clients {
            let lines = client.sync();
            let lower: Vec<_> = lines.iter().map(|line| line.to_lowercase()).collect();
            won += lower.iter().filter(|line| **line == format!("ok nick same{round}")).count();
        }
        assert_eq!(won, 1, "round {round}");
    }
}

/// The member that has been here longest, even if it was renamed.
#[test]
fn coordinator_leaves_next_is_named() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    let mut carol = server.join("carol");
    bob.send("NICK rob");
    bob.until("OK NICK rob");
    alice.send("QUIT");
    alice.until("OK QUIT");
    carol.until("LEAVE alice quit");
    carol.expect("COORDINATOR rob");
    bob.until("COORDINATOR rob");
    bob.send("STATUS");
    bob.expect_start("USER rob coordinator id=2 address=127.0.0.1:");
    bob.expect_start("USER carol member id=3 address=127.0.0.1:");
    bob.expect("OK STATUS 2");
}
