//! Past messages, and the events that follow them.

use std::thread;

use crate::common::{EPOCH, Server};

const SENDERS: usize = 8;
const MESSAGES: usize = 500;

/// A guest joins and leaves again and again while others send, each time with the last id that it read. Replays and events together
/// are every message, once, in order.
#[test]
fn replay_and_events_have_no_gap_or_duplicate() {
    let server = Server::with(&["--history", "10000"]);
    let (mut heard, mut visits) = (Vec::new(), 0);
    thread::scope(|scope| {
        let senders = (0..SENDERS).map(|number| {
            let mut client = server.join(&format!("sender{number}"));
            scope.spawn(move || {
                for message in 0..MESSAGES {
                    client.send(&format!("MSG {number} {message}"));
                    client.sync();
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        let mut at_rest = false;
        while !at_rest {
            at_rest = senders.iter().all(thread::ScopedJoinHandle::is_finished);
            visit(&server, &mut heard);
            visits += 1;
        }
    });
    assert!(visits > 3, "{visits} visits");
    assert_eq!(heard.len(), SENDERS * MESSAGES);
    let ids = heard.iter().map(|(id, _)| *id);
    assert!(ids.eq(1..=(SENDERS * MESSAGES) as u64), "in order, once, without gaps");
    for number in 0..SENDERS {
        let own = heard.iter().filter_map(|(_, said)| said.strip_prefix(&format!("sender{number} {number} ")));
        assert!(own.eq((0..MESSAGES).map(|message| message.to_string()).collect::<Vec<_>>()), "of sender{number}");
    }
}

/// The lines of the history are rendered once for all clients: they must be rendered again.
#[test]
fn history_that_was_read_before_has_no_deleted_text() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.expect("JOIN bob");
    for text in ["one", "two", "three"] {
        bob.send(&format!("MSG {text}"));
    }
    bob.sync();
    let mut read = || {
        alice.send("HISTORY");
        let lines = alice.sync();
        let past = lines.iter().filter_map(|line| line.strip_prefix("PAST "));
        past.map(|line| line.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(read(), ["bob one", "bob two", "bob three"]);
    bob.send("DELETE 2");
    bob.sync();
    assert_eq!(read(), ["bob one", "bob", "bob three"]);
}

/// Reads the missed messages, and then events for a while.
fn visit(server: &Server, heard: &mut Vec<(u64, String)>) {
    let mut client = server.connect();
    let since = heard.last().map_or(0, |(id, _)| *id);
    client.send_bytes(format!("SET tags on\nNICK guest\nSINCE {since} {EPOCH}\nPING a\n").as_bytes());
    let lines = client.until("OK PING a");
    let end = lines.iter().position(|line| line.starts_with("OK SINCE ")).expect("an answer");
    let missed: Vec<_> = lines[..end].iter().filter_map(|line| parse(line.strip_prefix("PAST ")?)).collect();
    let last = missed.last().map_or(since, |(id, _)| *id);
    assert_eq!(lines[end], format!("OK SINCE {} last={last}", missed.len()));
    let early = lines[..end].iter().filter_map(|line| event(line));
    assert!(early.filter(|(id, _)| *id > since).all(|said| missed.contains(&said)), "an event is missing among them");
    heard.extend(missed);
    heard.extend(lines[end..].iter().filter_map(|line| event(line)));
    for _ in 0..20 {
        heard.extend(client.sync().iter().filter_map(|line| event(line)));
    }
    client.send("QUIT");
    heard.extend(client.rest().iter().filter_map(|line| event(line)));
}

/// The id, and the author with the text.
fn event(line: &str) -> Option<(u64, String)> {
    parse(&line.strip_prefix('@')?.replacen(" MSG ", " ", 1)).filter(|_| line.contains(" MSG "))
}

fn parse(rest: &str) -> Option<(u64, String)> {
    let mut words = rest.splitn(3, ' ');
    let id = words.next()?.parse().ok()?;
    Some((id, words.nth(1)?.to_owned()))
}

#[test]
fn epoch_differs_at_each_start() {
    use crate::common::command;
    use std::process::{Command, Stdio};
    let epoch = || {
        // Not the one of all the tests.
        let mut command = Command::new(command(&[]).get_program());
        command.args(["--listen", "127.0.0.1:0", "--log", "error"]).stdin(Stdio::null());
        let server = Server::spawn(&mut command);
        let hello = server.connect_raw().expect_start("HELLO chinwag/1 epoch=");
        hello.split(' ').nth(2).expect("an epoch").to_owned()
    };
    assert_ne!(epoch(), epoch());
}
