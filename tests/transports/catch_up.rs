//! Readers that are evicted from the feed: they read on from the store, and miss only joins, leaves and renames.

use std::collections::BTreeSet;

use chinwag::command::{ReceivedLine, Reply, ServerLine};
use chinwag::protocol::Event;

use crate::common::{Client, Site, Transport};

/// More messages than the feed and the kernels at both ends hold.
const MESSAGES: usize = 12_000;
/// Messages in one packet, with as many whispers.
const AT_ONCE: usize = 50;
const TEXT: usize = 200;
const FELL_BEHIND: &str =
    "you fell behind: joins, leaves and other events are skipped; the missed messages follow, then ROSTER";

fn start<T: Transport>(directory: &tempfile::TempDir, arguments: &[&str]) -> Site<T> {
    let data = directory.path().join("chat.db");
    let patient = ["--dead-peer-timeout", "0", "--backlog", "1048576"];
    Site::<T>::with(&[&["--data", data.to_str().expect("a path")], &patient[..], arguments].concat())
}

/// Sends `count` messages, numbered from `first` on, each followed by the lines `after(number)`. Returns the lines that came meanwhile.
fn talk<T: Transport>(
    talker: &mut Client<T>,
    first: usize,
    count: usize,
    after: impl Fn(usize) -> String,
) -> Vec<String> {
    let mut heard = Vec::new();
    for start in (first..first + count).step_by(AT_ONCE) {
        let said = |number| format!("MSG {number} {}\n{}", "😀".repeat(TEXT / 4), after(number));
        let lines: String = (start..start + AT_ONCE).map(said).collect();
        talker.send_bytes(lines.as_bytes());
        heard.extend(talker.sync());
    }
    heard
}

/// State that a reader keeps from its lines.
#[derive(Default)]
struct Reader {
    name: String,
    /// Author and text of each message, in order. Its own messages have their id as the text.
    said: Vec<(String, String)>,
    whispered: Vec<String>,
    /// Members, according to the events.
    present: BTreeSet<String>,
    coordinator: String,
    rosters: usize,
    notices: Vec<String>,
    last_id: u64,
    /// `USER` lines still to come after `ROSTER`.
    users_left: usize,
}

impl Reader {
    fn new<T: Transport>(client: &mut Client<T>, name: &str) -> Self {
        let mut reader = Self { name: name.to_owned(), ..Self::default() };
        client.send("WHO");
        loop {
            let line = client.next().expect("a list");
            match ServerLine::parse(&line) {
                Some(ServerLine::User(user)) => reader.here(user.name.as_str(), user.coordinator),
                Some(ServerLine::Ok(Reply::Who(_))) => return reader,
                _ => {}
            }
        }
    }

    fn here(&mut self, name: &str, coordinator: bool) {
        self.present.insert(name.to_owned());
        if coordinator {
            name.clone_into(&mut self.coordinator);
        }
    }

    /// Reads everything that was sent so far.
    fn read<T: Transport>(&mut self, client: &mut Client<T>) {
        for line in client.sync() {
            if T::HAS_FILLERS && line.is_empty() {
                continue;
            }
            self.take(line.trim_end_matches('\r'));
        }
    }

    fn take(&mut self, line: &str) {
        let known = ReceivedLine::new(line).known.unwrap_or_else(|| panic!("unknown line {line:?}"));
        let id = match &known {
            ServerLine::Event(Some(tag), _) => tag.id.map(|id| id.0),
            // With an echo the event came just before.
            ServerLine::Ok(Reply::Msg(id)) if id.0 == self.last_id => return,
            ServerLine::Ok(Reply::Msg(id)) => Some(id.0),
            _ => None,
        };
        if let Some(id) = id {
            assert!(id > self.last_id, "{id} after {}: {line}", self.last_id);
            self.last_id = id;
        }
        match known {
            ServerLine::Ok(Reply::Msg(id)) => self.said.push((self.name.clone(), id.0.to_string())),
            ServerLine::User(user) => {
                self.users_left = self.users_left.checked_sub(1).expect("ROSTER announced it");
                self.here(user.name.as_str(), user.coordinator);
            }
            ServerLine::Event(_, event) => self.happened(event),
            _ => {}
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Msg(name, text) => self.said.push((name.to_string(), text.to_string())),
            Event::Whisper(_, text) => {
                let last = self.said.iter().rfind(|(name, _)| name == "talker").map(|(_, text)| text.as_str());
                let number = last.and_then(|text| text.split(' ').next());
                assert_eq!(Some(text.as_str()), number, "a whisper follows its message");
                self.whispered.push(text.to_string());
            }
            Event::Join(name) => drop(self.present.insert(name.to_string())),
            Event::Leave(name, ..) => drop(self.present.remove(name.as_str())),
            Event::Rename { from, to } => {
                self.present.remove(from.as_str());
                self.present.insert(to.to_string());
            }
            Event::Coordinator(name) => self.coordinator = name.to_string(),
            Event::Roster(count) => {
                self.present.clear();
                (self.users_left, self.rosters) = (count, self.rosters + 1);
            }
            Event::Notice(text) => self.notices.push(text.to_string()),
            Event::Draw(..)
            | Event::Ping(_)
            | Event::Topic(..)
            | Event::Moderator { .. }
            | Event::Deleted { .. }
            | Event::Lock { .. }
            | Event::Invite { .. }
            | Event::Sanction(_)
            | Event::Lifted { .. } => {}
        }
    }

    /// `WHO` lists the members that the events tell.
    fn check_who<T: Transport>(&self, client: &mut Client<T>) {
        assert_eq!(self.users_left, 0);
        let now = Self::new(client, &self.name);
        assert_eq!((&self.present, &self.coordinator), (&now.present, &now.coordinator));
    }
}

/// Both have read the same messages in the same order.
fn same(reader: &Reader, reference: &Reader) {
    assert_eq!(reader.said.len(), reference.said.len(), "{}", reader.name);
    for (number, (theirs, (name, text))) in reader.said.iter().zip(&reference.said).enumerate() {
        if *name == reader.name {
            assert_eq!(&theirs.0, name, "message {number}");
        } else {
            assert_eq!((&theirs.0, &theirs.1), (name, text), "message {number}");
        }
    }
}

/// Three readers with different dialects, evicted twice. One of them also sends messages and gets whispers. Members join, leave and
/// rename meanwhile.
fn evicted_reader_gets_every_message_from_the_store<T: Transport>() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = start::<T>(&directory, &["--send-timeout", "0"]);
    let mut boss = site.join("boss");
    let mut talker = site.join("talker");
    let names = ["plain", "tagged", "echoed"];
    let mut stuck = names.map(|name| site.join_narrow(name));
    stuck[1].send_bytes(b"SET tags on\n");
    stuck[2].send_bytes(b"SET echo on\nSET tags on\n");
    let mut reference = site.join("reference");
    let mut readers: Vec<_> = stuck.iter_mut().zip(names).map(|(client, name)| Reader::new(client, name)).collect();
    let mut all = Reader::new(&mut reference, "reference");
    for round in 0..2 {
        for part in 0..10 {
            let first = (10 * round + part) * MESSAGES / 10;
            // Whispers and replies stay in its mailbox; they are few enough.
            let whisper = |number| if number % 50 == 0 { format!("WHISPER plain {number}\n") } else { String::new() };
            talk(&mut talker, first, MESSAGES / 10, whisper);
            stuck[0].send(&format!("MSG my own {round} {part}"));
            stuck[2].send(&format!("MSG mine, too {round} {part}"));
            boss.send(&format!("NICK boss-{round}-{part}"));
            drop(site.join(&format!("guest-{round}-{part}")));
            all.read(&mut reference);
        }
        let mut late = site.join(&format!("late-{round}"));
        late.send("MSG made it");
        late.sync();
        if round == 1 {
            boss.send("QUIT");
            boss.until("OK QUIT");
        } else {
            boss.sync();
        }
        for (reader, client) in readers.iter_mut().zip(&mut stuck) {
            reader.read(client);
            // Now it reads from the feed again, and gets the rest of the member list.
            reader.read(client);
            reader.check_who(client);
            assert!(reader.rosters > round, "{} was not evicted", reader.name);
        }
        all.read(&mut reference);
        for reader in &readers {
            same(reader, &all);
        }
        assert_eq!(readers[0].whispered.len(), (round + 1) * MESSAGES / 50);
        drop(late);
    }
    assert_eq!((all.rosters, all.said.len()), (0, 2 * MESSAGES + 42), "a reader that keeps up gets no roster");
    assert!(readers.iter().all(|reader| reader.notices.iter().all(|text| text.contains("you fell behind"))));
}

/// It catches up in each room. In a room that is not its home, each line names the room.
fn evicted_reader_catches_up_in_each_room<T: Transport>() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = start::<T>(&directory, &["--send-timeout", "0"]);
    let (mut talker, mut stuck) = (site.join("talker"), site.join_narrow("stuck"));
    for client in [&mut talker, &mut stuck] {
        client.send("JOIN #ops");
        client.until_start("OK JOIN #ops ");
    }
    for first in (0..MESSAGES / 2).step_by(AT_ONCE) {
        talk(&mut talker, first, AT_ONCE, |_| String::new());
        talker.send_bytes(format!("#ops MSG {}\n", "x".repeat(TEXT)).repeat(AT_ONCE).as_bytes());
        talker.sync();
    }
    let mut lines = stuck.sync();
    // Now it reads from the feed again, and gets the rest of the member lists.
    lines.extend(stuck.sync());
    let first = format!("NOTICE {FELL_BEHIND}");
    for room in ["", "#ops "] {
        let of_room = lines.iter().filter_map(|line| line.strip_prefix(room)).filter(|line| !line.starts_with('#'));
        let others: Vec<_> = of_room.filter(|line| !line.is_empty() && !line.starts_with("MSG ")).collect();
        assert_eq!(others, [first.as_str(), "ROSTER 2", "USER talker coordinator", "USER stuck member"], "{room:?}");
    }
}

/// The notice says which messages are missing.
fn evicted_reader_is_told_of_deleted_messages<T: Transport>() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = start::<T>(&directory, &["--send-timeout", "0", "--keep", "1000 messages"]);
    let mut talker = site.join("talker");
    let mut stuck = site.join_narrow("stuck");
    let mut reader = Reader::new(&mut stuck, "stuck");
    talk(&mut talker, 0, MESSAGES, |_| String::new());
    reader.read(&mut stuck);
    let [_, missing] = &*reader.notices else { panic!("{:?}", reader.notices) };
    let words: Vec<_> = missing.split([' ', ',']).collect();
    let ["the", "messages", "after", "id", after, "", "up", "to", "id", until, ..] = &*words else {
        panic!("{missing}")
    };
    let gone = until.parse::<usize>().expect("an id") - after.parse::<usize>().expect("an id");
    // Only messages have ids.
    assert_eq!(reader.said.len() + gone, MESSAGES);
    let numbers = reader.said.iter().map(|(_, text)| text.split(' ').next().and_then(|n| n.parse::<usize>().ok()));
    let numbers: Vec<_> = numbers.map(|number| number.expect("a number")).collect();
    assert_eq!(numbers.iter().zip(&numbers[1..]).filter(|(a, b)| **a + 1 != **b).count(), 1, "one gap");
    assert_eq!(numbers.last(), Some(&(MESSAGES - 1)));
}

/// Nothing is missing silently.
fn evicted_reader_without_store_is_disconnected<T: Transport>() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = start::<T>(&directory, &["--send-timeout", "0"]);
    let mut talker = site.join("talker");
    let mut stuck = site.join_narrow("stuck");
    talk(&mut talker, 0, MESSAGES, |_| String::new());
    let file = rusqlite::Connection::open(directory.path().join("chat.db")).expect("it opens");
    file.execute_batch("ALTER TABLE messages RENAME TO hidden").expect("nobody writes now");
    let last = stuck.transport.read_last_line();
    assert!(last.starts_with("ERR - slow "), "{last}");
    talker.until("LEAVE stuck slow");
}

/// A reader that reads nothing at all is disconnected, with a store as without one.
fn send_timeout_applies_with_a_store<T: Transport>() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = start::<T>(&directory, &["--send-timeout", "1"]);
    let mut talker = site.join("talker");
    let _stuck = site.join_narrow("stuck");
    let heard = talk(&mut talker, 0, MESSAGES, |_| String::new());
    talker.expect_after(&heard, "LEAVE stuck slow");
}

test_each_transport!(
    evicted_reader_gets_every_message_from_the_store,
    evicted_reader_catches_up_in_each_room,
    evicted_reader_is_told_of_deleted_messages,
    evicted_reader_without_store_is_disconnected,
    send_timeout_applies_with_a_store,
);
