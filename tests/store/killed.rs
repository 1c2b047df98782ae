//! Messages of several rooms, from a server that is killed at any moment while a hundred clients send.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;

use crate::common::{Client, DEADLINE, Server};

const KILLS: u64 = 20;
const SENDERS: usize = 100;
/// Lines of a sender that wait for their replies.
const PIPELINED: usize = 4;
const ROOMS: [&str; 5] = ["#lobby", "#one", "#two", "#three", "#four"];

/// The ids and texts of messages, by room.
type Messages = BTreeMap<&'static str, BTreeMap<u64, String>>;

/// Every acknowledged message is in the history of its room, once, with the id of its reply, and no id is given twice.
#[test]
fn acknowledged_messages_of_all_rooms_survive_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let data = path.to_str().expect("a path");
    let seed = std::env::var("CHINWAG_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("CHINWAG_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = Messages::new();
    let (mut delivered, mut last_ids) = (0, BTreeMap::new());
    for round in 0..KILLS {
        let server = Server::with(&["--data", data]);
        let mut reader = server.connect();
        reader.send_bytes(format!("SET tags on\nNICK reader\nJOIN {}\n", ROOMS.join(",")).as_bytes());
        let entered = reader.until_start("OK JOIN ");
        let lasts = entered.split(' ').filter_map(|word| word.strip_prefix("last=")?.parse::<u64>().ok());
        for (room, last) in ROOMS.into_iter().zip(lasts) {
            let before = last_ids.entry(room).or_default();
            assert!(last >= *before, "{room}: ids after {last} would be given again; the last one was {before}");
            *before = last;
        }
        let address = server.address;
        let senders = (0..SENDERS).map(|number| thread::spawn(move || send_messages(address, number, round)));
        let senders: Vec<_> = senders.collect();
        let quota = random.usize(1..3000);
        let mut messages = 0;
        while messages < quota {
            let line = reader.next().expect("the server is not killed yet");
            messages += usize::from(record(&line, &mut last_ids));
        }
        delivered += messages;
        server.signal("-KILL");
        // The messages that were delivered until then.
        while let Some(line) = reader.next_if_any() {
            record(&line, &mut last_ids);
        }
        for sender in senders {
            let (room, messages) = sender.join().expect("a sender");
            for (id, text) in messages {
                let last = last_ids.entry(room).or_default();
                *last = id.max(*last);
                let earlier = acknowledged.entry(room).or_default().insert(id, text);
                assert_eq!(earlier, None, "{room}: {id} was given twice");
            }
        }
        drop(server);
        check(data, &path, &acknowledged);
    }
    let count: usize = acknowledged.values().map(BTreeMap::len).sum();
    assert!(acknowledged.len() == ROOMS.len() && count > SENDERS && delivered > 1000, "{count} messages");
}

/// Records the id of a message, `@id time [#room] MSG ...`. Returns whether the line is one.
fn record(line: &str, last_ids: &mut BTreeMap<&str, u64>) -> bool {
    let mut words = line.split(' ');
    let (Some(tag), _, Some(word)) = (words.next(), words.next(), words.next()) else { return false };
    let room = ROOMS.into_iter().find(|room| *room == word);
    if room.map_or(Some(word), |_| words.next()) != Some("MSG") {
        return false;
    }
    let id: u64 = tag.strip_prefix('@').and_then(|id| id.parse().ok()).expect("an id");
    let last = last_ids.entry(room.unwrap_or(ROOMS[0])).or_default();
    *last = id.max(*last);
    true
}

/// Sends messages to one room until the connection breaks. Returns the acknowledged ones.
fn send_messages(address: SocketAddr, number: usize, round: u64) -> (&'static str, Vec<(u64, String)>) {
    let room = ROOMS[number % ROOMS.len()];
    let mut acknowledged = Vec::new();
    let Ok(stream) = TcpStream::connect(address) else { return (room, acknowledged) };
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let mut stream = stream;
    let text = |count: usize| format!("{round} {number} {count}");
    let message = |count: usize| format!("MSG {}\n", text(count));
    let first: String = (0..PIPELINED).map(message).collect();
    let mut is_open = stream.write_all(format!("NICK sender{number} {room}\n{first}").as_bytes()).is_ok();
    let mut line = String::new();
    while is_open && reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        // The last line may be incomplete.
        if let Some(id) = line.strip_prefix("OK MSG ").and_then(|rest| rest.strip_suffix('\n')) {
            acknowledged.push((id.parse().expect("an id"), text(acknowledged.len())));
            is_open = stream.write_all(message(acknowledged.len() + PIPELINED - 1).as_bytes()).is_ok();
        }
        line.clear();
    }
    (room, acknowledged)
}

/// Checks the histories with the next server.
fn check(data: &str, path: &Path, acknowledged: &Messages) {
    let server = Server::with(&["--data", data]);
    let mut reader = server.join("checker");
    reader.send(&format!("JOIN {}", ROOMS.join(",")));
    reader.sync();
    let mut texts = BTreeSet::new();
    for room in ROOMS {
        reader.send(&format!("{room} SINCE 0"));
        let prefix = if room == ROOMS[0] { String::new() } else { format!("{room} ") };
        let mut stored = BTreeMap::new();
        let end = loop {
            let line = reader.next().expect("an answer");
            let line = line.strip_prefix(&prefix).unwrap_or_else(|| panic!("{line} names {room}")).to_owned();
            let Some(past) = line.strip_prefix("PAST ") else { break line };
            let mut words = past.splitn(4, ' ');
            let id: u64 = words.next().and_then(|id| id.parse().ok()).expect("an id");
            let text = words.nth(2).expect("a text").to_owned();
            assert!(texts.insert(text.clone()), "{text} is there twice");
            assert_eq!((id, stored.insert(id, text)), (stored.len() as u64, None), "{room}: ids have no gaps");
        };
        assert_eq!(end, format!("OK SINCE {0} last={0}", stored.len()));
        for (id, text) in acknowledged.get(room).into_iter().flatten() {
            assert_eq!(stored.get(id), Some(text), "{room}: {id} was acknowledged");
        }
    }
    let file = rusqlite::Connection::open(path).expect("the file opens");
    let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(integrity, "ok");
    stop(server, reader);
}

/// Stops the server cleanly: half of the starts in this test follow a clean stop.
fn stop(mut server: Server, reader: Client) {
    server.signal("-TERM");
    assert!(server.wait().0.success());
    drop(reader);
}
