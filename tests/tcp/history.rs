//! What was said is said again, and fits what is said now.

use std::thread;

use crate::common::{EPOCH, Peer, Server};

const SENDERS: usize = 8;
const MESSAGES: usize = 500;

/// Somebody comes while others talk, and goes, and comes again, with the last id they read: what they are told again and what
/// comes as events is every message, once, in order.
#[test]
fn what_is_told_again_and_what_comes_have_neither_gap_nor_duplicate() {
    let server = Server::with(&["--history", "10000"]);
    let (mut heard, mut visits) = (Vec::new(), 0);
    thread::scope(|scope| {
        let senders = (0..SENDERS).map(|number| {
            let mut peer = server.join(&format!("sender{number}"));
            scope.spawn(move || {
                for message in 0..MESSAGES {
                    peer.send(&format!("MSG {number} {message}"));
                    peer.sync();
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

/// Reads what was missed and a bit of what is said now.
fn visit(server: &Server, heard: &mut Vec<(u64, String)>) {
    let mut peer = server.connect();
    let since = heard.last().map_or(0, |(id, _)| *id);
    peer.send_bytes(format!("SET tags on\nNICK guest\nSINCE {since} {EPOCH}\nPING a\n").as_bytes());
    let lines = peer.until("OK PING a");
    let end = lines.iter().position(|line| line.starts_with("OK SINCE ")).expect("an answer");
    let missed: Vec<_> = lines[..end].iter().filter_map(|line| parse(line.strip_prefix("PAST ")?)).collect();
    let last = missed.last().map_or(since, |(id, _)| *id);
    assert_eq!(lines[end], format!("OK SINCE {} last={last}", missed.len()));
    let early = lines[..end].iter().filter_map(|line| event(line));
    assert!(early.filter(|(id, _)| *id > since).all(|said| missed.contains(&said)), "an event is missing among them");
    heard.extend(missed);
    heard.extend(lines[end..].iter().filter_map(|line| event(line)));
    for _ in 0..20 {
        heard.extend(peer.sync().iter().filter_map(|line| event(line)));
    }
    peer.send("QUIT");
    heard.extend(peer.rest().iter().filter_map(|line| event(line)));
}

/// Its id, and the name and the text.
fn event(line: &str) -> Option<(u64, String)> {
    parse(&line.strip_prefix('@')?.replacen(" MSG ", " ", 1)).filter(|_| line.contains(" MSG "))
}

fn parse(rest: &str) -> Option<(u64, String)> {
    let mut words = rest.splitn(3, ' ');
    let id = words.next()?.parse().ok()?;
    Some((id, words.nth(1)?.to_owned()))
}

/// What many ask for and nobody reads is kept once for all of them.
#[test]
fn past_messages_that_nobody_reads_are_kept_once() {
    const PEERS: usize = 300;
    let server = Server::start();
    let mut talker = server.join("talker");
    for _ in 0..20 {
        talker.send_bytes(format!("MSG {}\n", "x".repeat(4000)).repeat(50).as_bytes());
        talker.sync();
    }
    let members: Vec<_> = (0..PEERS).map(|number| server.join(&format!("member{number}"))).collect();
    talker.sync();
    let before = server.resident_bytes();
    for mut member in members.iter().map(|member| Peer::new(member.stream().try_clone().expect("a clone"))) {
        member.send_bytes(b"HISTORY 1000\nHISTORY 1000\n");
    }
    talker.send("HISTORY 1000");
    talker.until("OK HISTORY 1000 last=1000");
    talker.sync();
    let grown = server.resident_bytes().saturating_sub(before);
    // For each of them it would be 4 MB.
    assert!(grown < 16 * 1024 * 1024, "it grew by {grown} bytes");
}

#[test]
fn an_epoch_is_made_up_and_is_another_each_time() {
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
