//! Batches with several rooms: stored completely or not at all, when the process is killed and when the disk is full.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

use chinwag::protocol::{MessageId, Name, PastMessage, RoomId, RoomName, RoomRules, Text, Timestamp, Token};
use chinwag::store::{
    Batch, Durability, NewRoom, Options, Query, QueryEnd, Report, Retention, Store, StoredMessage, StoredState,
};

use crate::common::DEADLINE;

/// Names the file for [`committing_process`], which does nothing without it.
const FILE: &str = "CHINWAG_TEST_FILE";
const KILLS: usize = 12;
const ROOMS_MAX: usize = 6;

fn open(path: &Path) -> (Store, StoredState) {
    let options = Options { path: path.to_owned(), durability: Durability::Full, keep: Retention::All };
    let epoch = Token::new("epoch").expect("a token");
    Store::open(&options, None, epoch, 0, || Timestamp(1_800_000_000_000)).expect("the store opens")
}

fn text(text: &str) -> Text {
    Text::new(text).expect("a text")
}

/// Not a test, but the process that the tests here start: commits batches to the file until one is refused, and prints the number of each
/// batch with its fate. Each message has the number and the size of its batch, and each topic the number.
#[test]
#[ignore = "started by other tests"]
fn committing_process() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    let (store, state) = open(&path);
    let mut last_ids = BTreeMap::from([(RoomId::LOBBY, state.last_id.0)]);
    last_ids.extend(state.rooms.iter().map(|room| (room.room, room.last_id.0)));
    let mut next_room = state.last_room.0 + 1;
    // Continues above the batches of earlier processes.
    let first = read(&store, &state).batches.last_key_value().map_or(1, |(batch, _)| batch + 1);
    for number in first.. {
        let mut batch = Batch::default();
        if last_ids.len() < ROOMS_MAX && fastrand::bool() {
            let name = RoomName::new(&format!("#room{next_room}")).expect("a name");
            let room = RoomId(next_room);
            let (epoch, rules) = (Token::new("epoch").expect("a token"), RoomRules::default());
            batch.rooms.push(NewRoom { room, name, epoch, rules });
            last_ids.insert(room, 0);
            batch.topics.push((room, Some(text(&number.to_string()))));
            next_room += 1;
        }
        let size = fastrand::usize(1..40);
        let rooms: Vec<_> = last_ids.keys().copied().collect();
        for _ in 0..size {
            let room = *fastrand::choice(&rooms).expect("a room");
            let id = last_ids.get_mut(&room).expect("it is known");
            *id += 1;
            let (name, at) = (Name::new("ann").expect("a name"), Timestamp(1_800_000_000_000));
            let text = text(&format!("{number} {size} {}", "x".repeat(fastrand::usize(1..200))));
            let past = PastMessage { id: MessageId(*id), at, name, text: Some(text) };
            batch.messages.push((room, StoredMessage { past, account: None }));
        }
        let topic = (*fastrand::choice(&rooms).expect("a room"), Some(text(&number.to_string())));
        batch.topics.push(topic);
        store.commit(batch);
        match store.reports().recv_blocking().expect("a report") {
            Report::Committed(_, Ok(_)) => println!("stored {number}"),
            Report::Committed(_, Err(failure)) => {
                println!("refused {number} {}", failure.reason);
                return store.close(DEADLINE);
            }
            Report::Evicted(_) => panic!("everything is kept"),
        }
    }
}

/// Starts [`committing_process`], after this shell command.
fn start(path: &Path, before: &str) -> Child {
    let test = std::env::current_exe().expect("a path");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$0\" \"$@\"")]).arg(test);
    command.args(["rooms::committing_process", "--exact", "--ignored", "--nocapture"]).env(FILE, path);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("sh runs")
}

/// The numbers of the batches in the file, with the numbers of their messages, and the numbers in the topics.
#[derive(Default)]
struct Contents {
    batches: BTreeMap<u64, usize>,
    topics: Vec<u64>,
}

/// Reads all rooms. Checks that each has all its ids, and that each batch is complete.
fn read(store: &Store, state: &StoredState) -> Contents {
    let mut contents = Contents::default();
    let mut sizes = BTreeMap::new();
    let others = state.rooms.iter().map(|room| (room.room, room.last_id, &room.topic));
    for (room, last_id, topic) in [(RoomId::LOBBY, state.last_id, &state.topic)].into_iter().chain(others) {
        contents.topics.extend(topic.iter().map(|topic| topic.to_string().parse::<u64>().expect("a number")));
        let messages = read_room(store, room, last_id);
        assert!(messages.iter().map(|(id, _)| *id).eq(1..=last_id.0), "{room:?} has all ids up to {last_id:?}");
        for (_, text) in messages {
            let mut numbers = text.split(' ').map_while(|word| word.parse::<u64>().ok());
            let batch = numbers.next().expect("a number");
            sizes.insert(batch, numbers.next().expect("a size"));
            *contents.batches.entry(batch).or_default() += 1;
        }
    }
    let complete = contents.batches.iter().all(|(batch, count)| sizes[batch] == *count as u64);
    assert!(complete, "{:?}, expected {sizes:?}", contents.batches);
    assert!(contents.topics.iter().all(|batch| contents.batches.contains_key(batch)), "{:?}", contents.topics);
    contents
}

fn read_room(store: &Store, room: RoomId, last_id: MessageId) -> Vec<(u64, String)> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let query = store.queries().query(room, Query::After(MessageId(0)), last_id, waker);
    let mut messages = Vec::new();
    loop {
        match query.poll_page() {
            Poll::Pending => thread::park_timeout(DEADLINE),
            Poll::Ready(None) => return messages,
            Poll::Ready(Some(page)) => {
                assert!(!matches!(page.end, Some(QueryEnd::Failed(_))), "{page:?}");
                messages.extend(page.rows().map(|row| (row.id.0, row.text.to_owned())));
            }
        }
    }
}

/// Opens the file and checks it. All batches up to `stored` must be there, and none after `last`.
fn check(path: &Path, stored: u64, last: u64) {
    let (store, state) = open(path);
    let contents = read(&store, &state);
    let batches: Vec<_> = contents.batches.into_keys().collect();
    assert!((stored..=last).contains(&(batches.len() as u64)), "{} batches, {stored} to {last}", batches.len());
    assert!(batches.iter().copied().eq(1..=batches.len() as u64), "{batches:?}");
    store.close(DEADLINE);
    let file = rusqlite::Connection::open(path).expect("the file opens");
    let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(integrity, "ok");
}

#[test]
fn batch_of_several_rooms_survives_kill_or_is_absent() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut stored = 0;
    for _ in 0..KILLS {
        let mut child = start(&path, "");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let quota = fastrand::usize(1..60);
        let mut numbers = output.by_ref().map(|line| line.expect("it is UTF-8"));
        let mut take = |line: String| line.strip_prefix("stored ").and_then(|number| number.parse::<u64>().ok());
        stored = numbers.by_ref().filter_map(&mut take).take(quota).last().expect("it is not killed yet");
        child.kill().expect("it runs");
        // Batches that were acknowledged until then.
        stored = numbers.filter_map(take).last().unwrap_or(stored);
        child.wait().expect("it is a child");
        check(&path, stored, stored + 1);
    }
    assert!(stored > KILLS as u64);
}

#[test]
fn batch_of_several_rooms_is_refused_completely_on_full_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut before = 0;
    // Blocks of 512 bytes: the second time, there is more space.
    for blocks in [1000, 2000] {
        let mut child = start(&path, &format!("trap '' XFSZ; ulimit -f {blocks};"));
        let mut output = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut output).expect("it is UTF-8");
        assert!(child.wait().expect("it is a child").success(), "{output}");
        let last = output.lines().rfind(|line| line.starts_with("stored ")).expect("some are stored");
        let stored: u64 = last["stored ".len()..].parse().expect("a number");
        assert!(stored > before && output.contains(&format!("\nrefused {} ", stored + 1)), "{output}");
        check(&path, stored, stored);
        before = stored;
    }
}
