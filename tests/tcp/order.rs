//! One order for everybody, and what stands where in it.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use crate::common::{Peer, Server};

const SENDERS: usize = 50;
const MESSAGES: usize = 200;
const GUESTS: usize = 4;
const VISITS: usize = 50;

/// 50 peers each send 200 messages at once while others join, rename and leave. Every stream, with its own
/// acknowledgements put back as messages, is the same sequence.
#[test]
fn everybody_reads_the_same_sequence() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let senders: Vec<_> = (0..SENDERS).map(|number| server.join(&format!("sender{number}"))).collect();
    watcher.sync();
    let stages = Stages {
        all_here: Barrier::new(SENDERS + GUESTS + 1),
        guests_seen: Barrier::new(SENDERS + GUESTS),
        all_sent: Barrier::new(SENDERS + GUESTS + 1),
    };
    let streams: Vec<Vec<String>> = thread::scope(|scope| {
        let threads: Vec<_> = senders
            .into_iter()
            .enumerate()
            .map(|(number, peer)| {
                let stages = &stages;
                scope.spawn(move || send_all(number, peer, stages))
            })
            .collect();
        for guest in 0..GUESTS {
            let (server, stages) = (&server, &stages);
            scope.spawn(move || come_and_go(server, guest, stages));
        }
        // What is said once all are here, and once all have sent, marks the part to compare in everybody's stream.
        watcher.send("MSG begin");
        watcher.sync();
        stages.all_here.wait();
        stages.all_sent.wait();
        watcher.send("MSG end");
        threads.into_iter().map(|thread| thread.join().expect("a sender")).collect()
    });
    let reference = &streams[0];
    let spoken = reference.iter().filter(|line| line.starts_with("MSG sender")).count();
    assert_eq!(spoken, SENDERS * MESSAGES);
    assert_eq!(reference.iter().collect::<BTreeSet<_>>().len(), reference.len(), "nothing comes twice");
    let is_message = |line: &String| line.starts_with("MSG sender");
    let messages = reference.iter().position(is_message)..reference.iter().rposition(is_message);
    let (Some(first), Some(last)) = (messages.start, messages.end) else { panic!("no messages") };
    for event in ["JOIN ", "RENAME ", "LEAVE "] {
        let among = reference[first..last].iter().filter(|line| line.starts_with(event)).count();
        assert!(among >= VISITS, "{among} {event}among the messages");
    }
    for (number, stream) in streams.iter().enumerate() {
        let differs = stream.iter().zip(reference).position(|(a, b)| a != b);
        assert_eq!(differs, None, "sender{number} reads another order");
        assert_eq!(stream.len(), reference.len());
    }
}

/// Where everybody waits for everybody.
struct Stages {
    all_here: Barrier,
    /// All guests came and went: only now is the last message of each sent, so that they did among the messages.
    guests_seen: Barrier,
    all_sent: Barrier,
}

/// Sends everything at once, and reads from `begin` to `end`, own acknowledgements put back.
fn send_all(number: usize, mut peer: Peer, stages: &Stages) -> Vec<String> {
    peer.until("MSG watcher begin");
    stages.all_here.wait();
    let lines: String = (0..MESSAGES - 1).map(|message| format!("MSG {number}/{message}\n")).collect();
    peer.send_bytes(lines.as_bytes());
    stages.guests_seen.wait();
    peer.send(&format!("MSG {number}/{}", MESSAGES - 1));
    let mut stream = Vec::new();
    let mut own = 0;
    while own < MESSAGES {
        stream.push(put_back(number, &mut own, peer.next().expect("a line")));
    }
    stages.all_sent.wait();
    stream.extend(peer.until("MSG watcher end"));
    stream
}

fn put_back(number: usize, own: &mut usize, line: String) -> String {
    if !line.starts_with("OK MSG ") {
        return line;
    }
    *own += 1;
    format!("MSG sender{number} {number}/{}", *own - 1)
}

fn come_and_go(server: &Server, guest: usize, stages: &Stages) {
    stages.all_here.wait();
    for visit in 0..VISITS {
        let mut peer = server.connect_raw();
        peer.send_bytes(format!("NICK guest{guest}x{visit}\nNICK visitor{guest}x{visit}\nQUIT\n").as_bytes());
        peer.until("OK QUIT");
    }
    stages.guests_seen.wait();
    stages.all_sent.wait();
}

/// A roster made from `WHO` and changed by what comes after is right, whenever it was made.
#[test]
fn a_roster_is_never_wrong() {
    let server = Server::start();
    let mut watcher = server.join("watcher");
    thread::scope(|scope| {
        let churn: Vec<_> = (0..4)
            .map(|thread| {
                let server = &server;
                scope.spawn(move || {
                    for number in 0..60 {
                        let mut peer = server.join(&format!("a{thread}x{number}"));
                        if number % 2 == 0 {
                            peer.send(&format!("NICK b{thread}x{number}"));
                            peer.until(&format!("OK NICK b{thread}x{number}"));
                        }
                        peer.end_input();
                        peer.rest();
                    }
                })
            })
            .collect();
        let mut roster: Option<BTreeSet<String>> = None;
        while churn.iter().any(|thread| !thread.is_finished()) {
            watcher.send("WHO");
            let listed = read_to_who(&mut watcher, &mut roster);
            assert_eq!(roster.get_or_insert(listed.clone()), &listed, "the roster has gone wrong");
        }
    });
}

/// Keeps the roster up to the `USER` lines, and returns what they list.
fn read_to_who(peer: &mut Peer, roster: &mut Option<BTreeSet<String>>) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    loop {
        let line = peer.next().expect("a line");
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

/// A whisper sent after a message does not overtake it, nor the other way round.
#[test]
fn whispers_keep_their_place_among_messages() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    alice.sync();
    let mut lines = String::new();
    for number in 0..500 {
        lines.push_str(&format!("MSG {number}\nWHISPER bob {number}\n"));
    }
    alice.send_bytes(lines.as_bytes());
    for number in 0..500 {
        bob.expect(&format!("MSG alice {number}"));
        bob.expect(&format!("WHISPER alice {number}"));
    }
}

/// Bursts, then nothing: everybody has the last line without doing anything for it. A writer whose socket was full for a
/// moment was once not woken any more.
#[test]
fn the_last_line_of_a_burst_reaches_everybody() {
    let server = Server::start();
    let mut talker = server.join("talker");
    let mut readers: Vec<_> = (0..6).map(|number| server.join(&format!("reader{number}"))).collect();
    talker.sync();
    for round in 0..40 {
        let text = "x".repeat(1000);
        let mut burst = format!("MSG {text}\n").repeat(600);
        burst.push_str(&format!("MSG last of {round}\n"));
        thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(move || reader.until(&format!("MSG talker last of {round}")));
            }
            talker.send_bytes(burst.as_bytes());
            for _ in 0..=600 {
                talker.expect_start("OK MSG ");
            }
        });
    }
}

/// Long texts for many readers are sent from memory that is the kernel's as well (`memfd_create(2)`, `sendfile(2)`), and arrive whole.
#[test]
fn what_many_read_arrives_whole_from_the_kernels_own_memory() {
    const TALKERS: usize = 20;
    const LONG: usize = 100;
    let server = Server::start();
    let mut talkers: Vec<_> = (0..TALKERS).map(|number| server.join(&format!("talker{number}"))).collect();
    for talker in &mut talkers {
        talker.sync();
    }
    let text = |talker: usize, number: usize| format!("{talker}/{number} ").repeat(200) + "end";
    let all_sent = Barrier::new(TALKERS);
    thread::scope(|scope| {
        for (own, mut peer) in talkers.into_iter().enumerate() {
            let all_sent = &all_sent;
            scope.spawn(move || {
                let lines: String = (0..LONG).map(|number| format!("MSG {}\n", text(own, number))).collect();
                all_sent.wait();
                peer.send_bytes(lines.as_bytes());
                let mut read = [0; TALKERS];
                while read.iter().any(|count| *count < LONG) {
                    let line = peer.next().expect("a line");
                    let Some(said) = line.strip_prefix("MSG talker") else {
                        assert!(line.starts_with("OK MSG "), "{line}");
                        read[own] += 1;
                        continue;
                    };
                    let (talker, said) = said.split_once(' ').expect("a name and a text");
                    let talker: usize = talker.parse().expect("a number");
                    assert_eq!(said, text(talker, read[talker]), "of talker{talker}, to talker{own}");
                    read[talker] += 1;
                }
            });
        }
    });
    assert!(server.shared_with_the_kernel() > 0, "no text was sent from there");
}

/// Two who want the same name at once: one has it, the other is told.
#[test]
fn of_many_who_want_a_name_at_once_one_gets_it() {
    let server = Server::start();
    let mut peers: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (number, peer) in peers.iter_mut().enumerate() {
            let name = if number % 2 == 0 { format!("same{round}") } else { format!("SAME{round}") };
            peer.send(&format!("NICK {name}"));
        }
        let mut won = 0;
        for peer in &mut peers {
            let lines = peer.sync();
            let lower: Vec<_> = lines.iter().map(|line| line.to_lowercase()).collect();
            won += lower.iter().filter(|line| **line == format!("ok nick same{round}")).count();
        }
        assert_eq!(won, 1, "round {round}");
    }
}

/// The coordinator is the one here longest, whoever they are called by then.
#[test]
fn the_coordinator_hands_over() {
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
