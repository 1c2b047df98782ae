//! One order of lines for all clients.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use crate::common::{Client, Site, Transport};

const SENDERS: usize = 50;
const MESSAGES: usize = 200;
const GUESTS: usize = 4;
const VISITS: usize = 50;

/// 50 clients each send 200 messages at once while others join, rename and leave. All of them read one sequence, in which a client's
/// acknowledgements stand for its messages.
fn all_clients_read_one_sequence<T: Transport>() {
    let site = Site::<T>::start();
    let mut watcher = site.join("watcher");
    let senders: Vec<_> = (0..SENDERS).map(|number| site.join(&format!("sender{number}"))).collect();
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
            .map(|(number, client)| {
                let stages = &stages;
                scope.spawn(move || send_all(number, client, stages))
            })
            .collect();
        for guest in 0..GUESTS {
            let (site, stages) = (&site, &stages);
            scope.spawn(move || come_and_go(site, guest, stages));
        }
        // `begin` and `end` mark the part of each stream that is compared.
        watcher.send("MSG begin");
        watcher.sync();
        stages.all_here.wait();
        stages.all_sent.wait();
        watcher.send("MSG end");
        threads.into_iter().map(|thread| thread.join().expect("a sender")).collect()
    });
    let reference = &streams[0];
    let sent = reference.iter().filter(|line| line.starts_with("MSG sender")).count();
    assert_eq!(sent, SENDERS * MESSAGES);
    assert_eq!(reference.iter().collect::<BTreeSet<_>>().len(), reference.len(), "a line comes twice");
    let is_message = |line: &String| line.starts_with("MSG sender");
    let messages = reference.iter().position(is_message)..reference.iter().rposition(is_message);
    let (Some(first), Some(last)) = (messages.start, messages.end) else { panic!("no messages") };
    for event in ["JOIN ", "RENAME ", "LEAVE "] {
        let among = reference[first..last].iter().filter(|line| line.starts_with(event)).count();
        assert!(among >= VISITS, "{among} {event}among the messages");
    }
    for (number, stream) in streams.iter().enumerate() {
        let differs = stream.iter().zip(reference).position(|(a, b)| a != b);
        assert_eq!(differs, None, "sender{number} reads another sequence");
        assert_eq!(stream.len(), reference.len());
    }
}

/// Where all threads wait for each other.
struct Stages {
    all_here: Barrier,
    /// All guests have joined and left. Only now each sender sends its last message, so that this happened among the messages.
    guests_seen: Barrier,
    all_sent: Barrier,
}

/// Sends its messages, and returns the lines from `begin` to `end`, with messages in place of their acknowledgements.
fn send_all<T: Transport>(number: usize, mut client: Client<T>, stages: &Stages) -> Vec<String> {
    client.until("MSG watcher begin");
    stages.all_here.wait();
    let lines: String = (0..MESSAGES - 1).map(|message| format!("MSG {number}/{message}\n")).collect();
    client.send_bytes(lines.as_bytes());
    stages.guests_seen.wait();
    client.send(&format!("MSG {number}/{}", MESSAGES - 1));
    let mut stream = Vec::new();
    let mut own = 0;
    while own < MESSAGES {
        stream.push(put_back(number, &mut own, client.next().expect("a line")));
    }
    stages.all_sent.wait();
    stream.extend(client.until("MSG watcher end"));
    stream
}

fn put_back(number: usize, own: &mut usize, line: String) -> String {
    if !line.starts_with("OK MSG ") {
        return line;
    }
    *own += 1;
    format!("MSG sender{number} {number}/{}", *own - 1)
}

fn come_and_go<T: Transport>(site: &Site<T>, guest: usize, stages: &Stages) {
    stages.all_here.wait();
    for visit in 0..VISITS {
        let mut client = site.connect_raw();
        client.send_bytes(format!("NICK guest{guest}x{visit}\nNICK visitor{guest}x{visit}\nQUIT\n").as_bytes());
        client.until("OK QUIT");
    }
    stages.guests_seen.wait();
    stages.all_sent.wait();
}

fn whispers_keep_their_place_among_messages<T: Transport>() {
    let site = Site::<T>::start();
    let mut alice = site.join("alice");
    let mut bob = site.join("bob");
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

/// Nothing follows the burst. A writer whose socket was full for a moment used to sleep until the next event.
fn last_line_of_a_burst_reaches_all<T: Transport>() {
    let site = Site::<T>::start();
    let mut talker = site.join("talker");
    let mut readers: Vec<_> = (0..6).map(|number| site.join(&format!("reader{number}"))).collect();
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

/// The server sends them with `sendfile(2)` from a memory file.
fn long_texts_from_kernel_memory_arrive_whole<T: Transport>() {
    const TALKERS: usize = 20;
    const LONG: usize = 100;
    let site = Site::<T>::start();
    let mut talkers: Vec<_> = (0..TALKERS).map(|number| site.join(&format!("talker{number}"))).collect();
    for talker in &mut talkers {
        talker.sync();
    }
    let text = |talker: usize, number: usize| format!("{talker}/{number} é").repeat(200) + "end";
    let all_sent = Barrier::new(TALKERS);
    thread::scope(|scope| {
        for (own, mut client) in talkers.into_iter().enumerate() {
            let all_sent = &all_sent;
            scope.spawn(move || {
                let lines: String = (0..LONG).map(|number| format!("MSG {}\n", text(own, number))).collect();
                all_sent.wait();
                client.send_bytes(lines.as_bytes());
                let mut read = [0; TALKERS];
                while read.iter().any(|count| *count < LONG) {
                    let line = client.next().expect("a line");
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
    assert!(site.shared_with_the_kernel() > 0, "no text was in the memory file");
}

test_each_transport!(
    all_clients_read_one_sequence,
    whispers_keep_their_place_among_messages,
    last_line_of_a_burst_reaches_all,
    long_texts_from_kernel_memory_arrive_whole,
);
