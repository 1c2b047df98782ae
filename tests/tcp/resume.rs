//! Detached members, and their tokens.

use std::collections::BTreeSet;

use crate::common::{Client, Server};

/// Turns on resumption. Returns the token.
fn token(client: &mut Client) -> String {
    client.send("SET resume on");
    let start = "OK SET resume on ";
    let line = client.until_start(start);
    line[start.len()..].to_owned()
}

#[test]
fn resume_timeout_ends_detached_member() {
    let server = Server::with(&["--resume-timeout", "2"]);
    let mut alice = server.join("alice");
    let mut watcher = server.join("watcher");
    let token = token(&mut alice);
    alice.reset();
    watcher.expect("LEAVE alice lost");
    watcher.expect("COORDINATOR watcher");
    let mut late = server.connect();
    late.send(&format!("RESUME {token}"));
    late.expect("ERR RESUME token-unknown the resume token is invalid or has expired; write: NICK name");
    late.send("NICK alice");
    late.expect("OK NICK alice");
}

#[test]
fn detached_member_keeps_nick_and_no_socket() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let before = server.descriptors();
    let mut alice = server.join("alice");
    watcher.expect("JOIN alice");
    token(&mut alice);
    alice.reset();
    server.wait_for_descriptors(before, &mut watcher);
    watcher.send("WHO");
    watcher.expect("USER watcher coordinator");
    watcher.expect("USER alice member");
}

#[test]
fn resume_tokens_are_random() {
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
fn resume_timeout_zero_refuses_resumption() {
    let server = Server::with(&["--resume-timeout", "0"]);
    let mut alice = server.join("alice");
    alice.send("SET resume on");
    alice.until_start("ERR SET resume-off ");
}
