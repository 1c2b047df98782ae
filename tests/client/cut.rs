//! The client behind a proxy that closes its connections at random places.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;

use crate::common::Server;

const MESSAGES: usize = 10_000;
const CUTS: usize = 100;

/// Largest backlog of the client, in messages: small enough that it reads some messages live and others after a reconnect.
const BEHIND_MAX: usize = 300;

/// Largest number of bytes that the client gets between two cuts; less than a hundredth of all bytes.
const BYTES_MAX: usize = 6_000;

/// A proxy that closes the first `cuts_max` connections, each after a random number of bytes to the client, less than `bytes_max`. The first
/// connection gets enough bytes to join.
fn proxy(server: SocketAddr, cuts_max: usize, bytes_max: usize, mut random: Rng) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, cuts) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&cuts);
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let (Ok(mut client), Ok(mut there)) = (client, TcpStream::connect(server)) else { return };
            let least = if number == 0 { 1_000 } else { 0 };
            let limit = if number < cuts_max { random.usize(least..bytes_max) } else { usize::MAX };
            let (mut from, mut to) = (client.try_clone().expect("a clone"), there.try_clone().expect("a clone"));
            let up = thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            pass_on(&mut there, &mut client, limit);
            if number < cuts_max {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            for end in [client, there] {
                // The other side may have closed it first.
                let _ = end.shutdown(Shutdown::Both);
            }
            up.join().expect("it only copies");
        }
    });
    (address, cuts)
}

/// Copies at most `left` bytes, until one of the two connections ends.
fn pass_on(from: &mut TcpStream, to: &mut TcpStream, mut left: usize) {
    let mut bytes = [0; 4096];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut bytes[..left.min(4096)]) else { return };
        if to.write_all(&bytes[..read]).is_err() {
            return;
        }
        left -= read;
    }
}

/// A generator of random numbers, whose seed is printed.
fn random() -> Rng {
    let seed = std::env::var("CHINWAG_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("CHINWAG_SEED={seed}");
    Rng::with_seed(seed)
}

/// `CHINWAG_SEED=n cargo test --test client` repeats the cuts of a run.
#[test]
fn client_prints_each_message_once_over_100_reconnects() {
    let server = Server::with(&["--history", "20000"]);
    let mut watcher = server.join("watcher");
    let mut sender = server.join("sender");
    watcher.expect("JOIN sender");
    let (address, cuts) = proxy(server.address, CUTS, BYTES_MAX, random());
    let mut client = super::client(address, &["tail", "--nick", "tail", "--from", "sender", "--json"])
        .args(["--count", &MESSAGES.to_string()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the client starts");
    watcher.expect("JOIN tail");
    let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines();
    let mut read = 0;
    for sent in 0..MESSAGES {
        sender.send(&format!("MSG number {sent}"));
        if sent % BEHIND_MAX == 0 {
            sender.sync();
        }
        while read + BEHIND_MAX < sent || (sent + 1 == MESSAGES && read < MESSAGES) {
            let line =
                lines.next().unwrap_or_else(|| panic!("the client ended after {read} messages")).expect("a line");
            assert!(line.contains(&format!("\"text\":\"number {read}\"")), "{read}: {line}");
            read += 1;
        }
    }
    assert!(lines.next().is_none(), "no further line");
    assert!(client.wait().expect("it ends").success());
    assert_eq!(cuts.load(Ordering::Relaxed), CUTS);
    // Other members saw no LEAVE or JOIN in between.
    for number in 0..MESSAGES {
        watcher.expect(&format!("MSG sender number {number}"));
    }
    watcher.expect("LEAVE tail quit");
}

/// The messages and cuts of a chat in two rooms.
const CHAT_MESSAGES: usize = 2_000;
const CHAT_CUTS: usize = 30;

/// Less than a thirtieth of the bytes of all messages, so that all cuts happen.
const CHAT_BYTES_MAX: usize = 2_000;

/// Messages go to both rooms in turn. Within a room, they arrive in order.
#[test]
fn chat_shows_each_message_of_its_rooms_once_over_reconnects() {
    let server = Server::with(&["--history", "20000"]);
    let [mut watcher, mut sender] = ["watcher", "sender"].map(|nick| {
        let mut client = server.join(nick);
        client.send("JOIN #ops");
        client.sync();
        client
    });
    let (address, cuts) = proxy(server.address, CHAT_CUTS, CHAT_BYTES_MAX, random());
    let mut client = super::client(address, &["--nick", "chat"]).spawn().expect("the client starts");
    let mut typed = client.stdin.take().expect("piped");
    typed.write_all(b"/join #ops\n").expect("the client reads");
    watcher.until("#ops JOIN chat");
    let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines().map(|line| line.expect("a line"));
    // A cut may have lost the reply: the client sends the line again.
    assert!(lines.by_ref().any(|line| line.contains("you are in #ops")));
    // The next number of each room.
    let (mut in_home, mut in_ops) = (0, 1);
    let mut read_up_to = |sent: usize| {
        while in_home + in_ops < 2 * sent {
            let line = lines.next().expect("a line");
            let Some((time, number)) = line.split_once("sender: number ") else { continue };
            let next = if time.ends_with("#lobby ") { &mut in_home } else { &mut in_ops };
            assert_eq!(number, next.to_string(), "{line}");
            *next += 2;
        }
    };
    for sent in 0..CHAT_MESSAGES {
        let room = if sent % 2 == 0 { "" } else { "#ops " };
        sender.send(&format!("{room}MSG number {sent}"));
        read_up_to(sent.saturating_sub(BEHIND_MAX));
    }
    read_up_to(CHAT_MESSAGES);
    drop(typed);
    assert_eq!(client.wait().expect("it ends").code(), Some(1), "it was disconnected");
    assert_eq!(cuts.load(Ordering::Relaxed), CHAT_CUTS);
    // Other members saw no LEAVE or JOIN in between.
    let seen = watcher.until("#ops LEAVE chat quit");
    let other = seen.iter().filter(|line| !line.contains("MSG sender number") && !line.contains("LEAVE chat quit"));
    assert_eq!(other.collect::<Vec<_>>(), [""; 0]);
}
