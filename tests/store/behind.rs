//! Readers that fall off the feed: they read on from the store, and lose nothing but who came and went meanwhile.

use std::collections::BTreeSet;

use chinwag::command::{ReceivedLine, Reply, ServerLine};
use chinwag::protocol::Event;

use crate::common::{Peer, Server};

/// More of them than the feed and the kernels at both ends hold.
const MESSAGES: usize = 12_000;
/// So many in one packet, with as many whispers.
const AT_ONCE: usize = 50;
const TEXT: usize = 200;

fn server(directory: &tempfile::TempDir, arguments: &[&str]) -> Server {
    let data = directory.path().join("chat.db");
    let patient = ["--lost-timeout", "0", "--feed-bytes", "1048576"];
    Server::with(&[&["--data", data.to_str().expect("a path")], &patient[..], arguments].concat())
}

/// Says so many messages, numbered from `first` on, each followed by `after(number)`; what was heard meanwhile.
fn talk(talker: &mut Peer, first: usize, count: usize, after: impl Fn(usize) -> String) -> Vec<String> {
    let mut heard = Vec::new();
    for start in (first..first + count).step_by(AT_ONCE) {
        let said = |number| format!("MSG {number} {}\n{}", "x".repeat(TEXT), after(number));
        let lines: String = (start..start + AT_ONCE).map(said).collect();
        talker.send_bytes(lines.as_bytes());
        heard.extend(talker.sync());
    }
    heard
}

/// What a reader makes of its lines.
#[derive(Default)]
struct Reader {
    name: String,
    /// Who said what, in order; one's own by its id alone.
    said: Vec<(String, String)>,
    whispered: Vec<String>,
    /// Kept from the events.
    present: BTreeSet<String>,
    coordinator: String,
    rosters: usize,
    notices: Vec<String>,
    last_id: u64,
    /// Of a list that comes unasked.
    users_left: usize,
}

impl Reader {
    fn new(peer: &mut Peer, name: &str) -> Self {
        let mut reader = Self { name: name.to_owned(), ..Self::default() };
        peer.send("WHO");
        loop {
            let line = peer.next().expect("a list");
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

    /// Reads everything up to now.
    fn read(&mut self, peer: &mut Peer) {
        for line in peer.sync() {
            self.take(line.trim_end_matches('\r'));
        }
    }

    fn take(&mut self, line: &str) {
        let known = ReceivedLine::new(line).known.unwrap_or_else(|| panic!("{line:?} is no line of the server's"));
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
                self.users_left = self.users_left.checked_sub(1).expect("it was said that a list comes");
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
            Event::Draw(..) | Event::Ping(_) => {}
        }
    }

    /// What is kept from the events is what the server says.
    fn check_who(&self, peer: &mut Peer) {
        assert_eq!(self.users_left, 0);
        let now = Self::new(peer, &self.name);
        assert_eq!((&self.present, &self.coordinator), (&now.present, &now.coordinator));
    }
}

/// What was said by others, in order, and where one's own messages were among it.
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

/// Several at once, each spoken to in its own way, twice; one of them talks itself and is whispered to; people come, go and
/// take other names meanwhile.
#[test]
fn who_falls_off_the_feed_reads_everything_in_order_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory, &["--write-timeout", "0"]);
    let mut boss = server.join("boss");
    let mut talker = server.join("talker");
    let names = ["plain", "tagged", "echoed"];
    let mut stuck = names.map(|name| server.join_narrow(name));
    stuck[1].send_bytes(b"SET tags on\n");
    stuck[2].send_bytes(b"SET echo on\nSET tags on\n");
    let mut reference = server.join("reference");
    let mut readers: Vec<_> = stuck.iter_mut().zip(names).map(|(peer, name)| Reader::new(peer, name)).collect();
    let mut all = Reader::new(&mut reference, "reference");
    for round in 0..2 {
        for part in 0..10 {
            let first = (10 * round + part) * MESSAGES / 10;
            // Its whispers and replies wait for it; they are few enough.
            let whisper = |number| if number % 50 == 0 { format!("WHISPER plain {number}\n") } else { String::new() };
            talk(&mut talker, first, MESSAGES / 10, whisper);
            stuck[0].send(&format!("MSG my own {round} {part}"));
            stuck[2].send(&format!("MSG mine, too {round} {part}"));
            boss.send(&format!("NICK boss-{round}-{part}"));
            drop(server.join(&format!("guest-{round}-{part}")));
            all.read(&mut reference);
        }
        let mut late = server.join(&format!("late-{round}"));
        late.send("MSG made it");
        late.sync();
        if round == 1 {
            boss.send("QUIT");
            boss.until("OK QUIT");
        } else {
            boss.sync();
        }
        for (reader, peer) in readers.iter_mut().zip(&mut stuck) {
            reader.read(peer);
            // By then it is back in the feed, and gets the list that it is told of.
            reader.read(peer);
            reader.check_who(peer);
            assert!(reader.rosters > round, "{} did not fall off", reader.name);
        }
        all.read(&mut reference);
        for reader in &readers {
            same(reader, &all);
        }
        assert_eq!(readers[0].whispered.len(), (round + 1) * MESSAGES / 50);
        assert!(late.next_if_any().is_some());
    }
    assert_eq!((all.rosters, all.said.len()), (0, 2 * MESSAGES + 42), "who keeps up notices nothing");
    assert!(readers.iter().all(|reader| reader.notices.iter().all(|text| text.contains("you read too slowly"))));
}

/// It is told what it missed for good.
#[test]
fn what_is_no_longer_kept_is_told_to_be_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory, &["--write-timeout", "0", "--keep", "1000"]);
    let mut talker = server.join("talker");
    let mut stuck = server.join_narrow("stuck");
    let mut reader = Reader::new(&mut stuck, "stuck");
    talk(&mut talker, 0, MESSAGES, |_| String::new());
    reader.read(&mut stuck);
    let [_, missing] = &*reader.notices else { panic!("{:?}", reader.notices) };
    let words: Vec<_> = missing.split([' ', ',']).collect();
    let ["what", "was", "said", "after", after, "", "up", "to", until, ..] = &*words else { panic!("{missing}") };
    let gone = until.parse::<usize>().expect("an id") - after.parse::<usize>().expect("an id");
    // Nothing else had an id meanwhile.
    assert_eq!(reader.said.len() + gone, MESSAGES);
    let numbers = reader.said.iter().map(|(_, text)| text.split(' ').next().and_then(|n| n.parse::<usize>().ok()));
    let numbers: Vec<_> = numbers.map(|number| number.expect("a number")).collect();
    assert_eq!(numbers.iter().zip(&numbers[1..]).filter(|(a, b)| **a + 1 != **b).count(), 1, "one gap");
    assert_eq!(numbers.last(), Some(&(MESSAGES - 1)));
}

/// Then it is let go as without a store, and nothing is missing silently.
#[test]
fn who_cannot_be_told_what_it_missed_is_closed_as_slow() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory, &["--write-timeout", "0"]);
    let mut talker = server.join("talker");
    let mut stuck = server.join_narrow("stuck");
    talk(&mut talker, 0, MESSAGES, |_| String::new());
    let file = rusqlite::Connection::open(directory.path().join("chat.db")).expect("it opens");
    file.execute_batch("ALTER TABLE messages RENAME TO hidden").expect("nobody writes now");
    let last = stuck.rest().pop().expect("a reason");
    assert!(last.starts_with("ERR - slow "), "{last}");
    talker.until("LEAVE stuck slow");
}

/// One that reads nothing at all is not waited for, be there a store or not.
#[test]
fn who_reads_nothing_is_closed_as_slow() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory, &["--write-timeout", "1"]);
    let mut talker = server.join("talker");
    let _stuck = server.join_narrow("stuck");
    let heard = talk(&mut talker, 0, MESSAGES, |_| String::new());
    talker.expect_after(&heard, "LEAVE stuck slow");
}
