//! Killed at any moment, with a hundred who talk.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use crate::common::{Client, DEADLINE, EPOCH, Server};

const KILLS: u64 = 20;
const SENDERS: usize = 100;
/// Lines that a sender has under way.
const AHEAD: usize = 4;

/// Every message that was acknowledged is in the history, with the id that was told, in order, once; none is there twice.
#[test]
fn acknowledged_messages_survive_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let data = path.to_str().expect("a path");
    let seed = std::env::var("CHINWAG_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("CHINWAG_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = BTreeMap::new();
    let (mut heard, mut last_id) = (0, 0);
    for round in 0..KILLS {
        let server = Server::with(&["--data", data]);
        let mut watcher = server.connect();
        watcher.send_bytes(b"SET tags on\nNICK watcher\nHISTORY 0\n");
        watcher.until("OK NICK watcher");
        let baseline = watcher.until_start("OK HISTORY 0 last=");
        let baseline = baseline.rsplit('=').next().and_then(|id| id.parse::<u64>().ok()).expect("an id");
        assert!(baseline >= last_id, "ids after {baseline} would be given again; the last one was {last_id}");
        let address = server.address;
        let senders = (0..SENDERS).map(|number| thread::spawn(move || talk(address, number, round)));
        let senders: Vec<_> = senders.collect();
        // So much and no more is heard before it is killed.
        let quota = random.usize(1..3000);
        let mut messages = 0;
        while messages < quota {
            let line = watcher.next().expect("it is not killed yet");
            last_id = last_id.max(if line.starts_with('@') { id_of(&line) } else { 0 });
            messages += usize::from(line.contains(" MSG "));
        }
        heard += messages;
        server.signal("-KILL");
        // The messages sent by then.
        while let Some(line) = watcher.next_if_any() {
            last_id = last_id.max(if line.starts_with('@') { id_of(&line) } else { 0 });
        }
        for sender in senders {
            for (id, text) in sender.join().expect("a sender") {
                last_id = last_id.max(id);
                assert_eq!(acknowledged.insert(id, text), None, "{id} was given twice");
            }
        }
        drop(server);
        check(data, &path, &acknowledged);
    }
    assert!(acknowledged.len() > SENDERS && heard > 1000, "{} messages", acknowledged.len());
}

fn id_of(line: &str) -> u64 {
    line.trim_start_matches('@').split(' ').next().and_then(|id| id.parse().ok()).unwrap_or(0)
}

/// Talks until the connection breaks; returns what was acknowledged.
fn talk(address: SocketAddr, number: usize, round: u64) -> Vec<(u64, String)> {
    let mut acknowledged = Vec::new();
    let Ok(stream) = TcpStream::connect(address) else { return acknowledged };
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let mut stream = stream;
    let text = |count: usize| format!("{round} {number} {count}");
    let said = |count: usize| format!("MSG {}\n", text(count));
    let first: String = (0..AHEAD).map(said).collect();
    let mut alive = stream.write_all(format!("NICK sender{number}\n{first}").as_bytes()).is_ok();
    let mut line = String::new();
    while alive && reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        // The last one may be cut short.
        if let Some(id) = line.strip_prefix("OK MSG ").and_then(|rest| rest.strip_suffix('\n')) {
            acknowledged.push((id.parse().expect("an id"), text(acknowledged.len())));
            alive = stream.write_all(said(acknowledged.len() + AHEAD - 1).as_bytes()).is_ok();
        }
        line.clear();
    }
    acknowledged
}

/// Looks with the next server.
fn check(data: &str, path: &std::path::Path, acknowledged: &BTreeMap<u64, String>) {
    let server = Server::with(&["--data", data]);
    let mut reader = server.join("reader");
    reader.send(&format!("SINCE 0 {EPOCH}"));
    let mut kept = Vec::new();
    let end = loop {
        let line = reader.next().expect("an answer");
        let Some(rest) = line.strip_prefix("PAST ") else { break line };
        let text = rest.splitn(4, ' ').nth(3).expect("a text").to_owned();
        kept.push((id_of(rest), text));
    };
    assert_eq!(end, format!("OK SINCE {0} last={0}", kept.len()));
    assert!(kept.iter().map(|(id, _)| *id).eq(1..=kept.len() as u64), "ids are in order, without gaps");
    let by_id: BTreeMap<_, _> = kept.iter().cloned().collect();
    for (id, text) in acknowledged {
        assert_eq!(by_id.get(id), Some(text), "{id} was acknowledged");
    }
    let texts: std::collections::BTreeSet<_> = kept.iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), kept.len(), "nothing is there twice");
    let file = rusqlite::Connection::open(path).expect("the file opens");
    let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(integrity, "ok");
    stop(server, reader);
}

/// Stopped in good order, now and then.
fn stop(mut server: Server, reader: Client) {
    server.signal("-TERM");
    assert!(server.wait().0.success());
    drop(reader);
}
