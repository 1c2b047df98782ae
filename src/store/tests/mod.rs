//! Tests of one file: what a reopened store has, and which files are refused. `tests/store` tests crashes and failing disks with the real
//! server.

mod accounts;
mod audit;
mod backup;
mod deletion;
mod migration;
mod model;
mod moderation;
mod queries;
mod restore;
mod retention;
mod rooms;
mod search;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use smol::Timer;
use smol::future::{block_on, or};
use unicode_normalization::char::is_combining_mark;

use super::schema::MIGRATIONS;
use super::terms::{RoomPrefix, message_terms};
use super::*;
use crate::limits::{
    QUERY_PAGE_BYTES, SEARCH_CPU_MS_MAX, SEARCH_FOUND_MAX, STORE_INDEXED_AT_ONCE_MAX, STORE_PRUNED_AT_ONCE_MAX,
    TEXT_BYTES_MAX,
};
use crate::protocol::{Name, RoomName, Text, Timestamp};

/// Some day in 2027.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Longest wait for anything; then the test fails.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

pub(super) fn options(path: &Path, keep: Retention) -> Options {
    Options { path: path.to_owned(), durability: Durability::Relaxed, keep }
}

pub(crate) fn open(path: &Path, keep: Retention) -> Result<(Store, StoredState), OpenError> {
    Store::open(&options(path, keep), None, Token::truncated("first"), 3, || NOW)
}

/// A message of a guest.
pub(crate) fn past(id: u64, text: &str) -> StoredMessage {
    let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
    let at = Timestamp(NOW.0 - 1000 * (10_000 - i64::try_from(id).unwrap()));
    StoredMessage { past: PastMessage { id: MessageId(id), at, name, text: Some(text) }, account: None }
}

/// A batch of messages of the first room.
pub(crate) fn lobby_batch(messages: Vec<StoredMessage>) -> Batch {
    let messages = messages.into_iter().map(|message| (RoomId::LOBBY, message)).collect();
    Batch { messages, ..Batch::default() }
}

/// Commits messages of the first room, and waits until they are stored.
pub(crate) fn commit(store: &Store, messages: Vec<StoredMessage>) {
    assert_eq!(try_commit(store, lobby_batch(messages)), Ok(()));
}

pub(super) fn try_commit(store: &Store, batch: Batch) -> Result<(), String> {
    store.commit(batch);
    loop {
        if let Report::Committed(_, result) = next_report(store.reports()) {
            return result.map(drop).map_err(|failure| failure.reason);
        }
    }
}

/// The next report of the store.
pub(crate) fn next_report(reports: &Receiver<Report>) -> Report {
    let late = async {
        Timer::after(WAIT_MAX).await;
        panic!("no report of the store");
    };
    block_on(or(async { reports.recv().await.unwrap() }, late))
}

/// Waits until the messages of the first room up to this id are evicted, some time after a commit.
pub(crate) fn await_eviction(store: &Store, last: u64) {
    while !matches!(next_report(store.reports()), Report::Evicted(rooms) if rooms == [(RoomId::LOBBY, MessageId(last))])
    {
    }
}

pub(crate) fn close(store: Store) {
    store.close(WAIT_MAX);
}

fn ids(found: &StoredState) -> Vec<u64> {
    found.messages.iter().map(|message| message.past.id.0).collect()
}

/// The result of a query: the rows of all its pages.
#[derive(Debug, Default)]
pub(super) struct QueryResult {
    rows: Vec<(u64, String, String, String)>,
    evicted: Vec<EvictedRange>,
    end: Option<QueryEnd>,
}

impl QueryResult {
    fn add(&mut self, page: &Page) {
        assert_eq!(self.end, None, "there is a page after the last one");
        self.evicted.extend(page.evicted);
        self.rows.extend(page.rows().map(|Row { id, time, name, text }| (id.0, time.into(), name.into(), text.into())));
        self.end.clone_from(&page.end);
    }

    fn ids(&self) -> Vec<u64> {
        self.rows.iter().map(|row| row.0).collect()
    }

    fn is_complete(&self) -> bool {
        self.end == Some(QueryEnd::Complete(self.rows.len() as u64)) && self.evicted.is_empty()
    }
}

/// The messages of the first room.
pub(super) fn query(store: &Store, query: Query, until: u64) -> QueryResult {
    query_in(store, RoomId::LOBBY, query, until)
}

fn query_in(store: &Store, room: RoomId, query: Query, until: u64) -> QueryResult {
    read_all(&store.queries().query(room, query, MessageId(until), thread_waker()))
}

fn start(store: &Store, query: Query, until: u64) -> Arc<StoreQuery> {
    store.queries().query(RoomId::LOBBY, query, MessageId(until), thread_waker())
}

/// Wakes the thread that calls this.
pub(crate) fn thread_waker() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Arc::new(Unpark(thread::current())).into()
}

/// Polls again after each wake-up, until it is ready.
pub(crate) fn wait_for<T>(mut poll: impl FnMut() -> Poll<T>) -> T {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if let Poll::Ready(result) = poll() {
            return result;
        }
        thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        assert!(Instant::now() < deadline, "this thread was not woken");
    }
}

fn next_page(query: &Arc<StoreQuery>) -> Option<Page> {
    let page = wait_for(|| query.poll_page())?;
    let row_max = TEXT_BYTES_MAX + 256;
    assert!(page.bytes() < QUERY_PAGE_BYTES + row_max, "a page of {} bytes", page.bytes());
    assert!(page.allocated_bytes() <= page.bytes(), "{} bytes of memory", page.allocated_bytes());
    Some(page)
}

fn read_all(query: &Arc<StoreQuery>) -> QueryResult {
    let mut result = QueryResult::default();
    while let Some(page) = next_page(query) {
        result.add(&page);
    }
    assert!(result.end.is_some(), "the last page does not say that it is the last one");
    result
}

/// More messages than are indexed with their commit, or in one step.
fn many_messages(ids: impl Iterator<Item = u64>) -> Vec<StoredMessage> {
    ids.map(|id| past(id, &format!("word {id}"))).collect()
}

fn find_ids(store: &Store, words: &str, until: u64) -> Vec<u64> {
    query(store, Query::Words(Text::truncated(words)), until).ids()
}

#[test]
fn reopened_store_has_epoch_ids_and_newest_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((found.epoch.to_string(), found.last_id, found.messages), ("first".to_owned(), MessageId(0), vec![]));
    let messages: Vec<_> = (1..=7).map(|id| past(id, &format!("message {id}"))).collect();
    commit(&store, messages.clone());
    close(store);
    let (store, found) = open_with(&path, Durability::Full, None);
    assert_eq!((found.epoch.to_string(), found.last_id), ("first".to_owned(), MessageId(7)));
    assert_eq!(found.messages, messages[3..], "the last three, and one more that says that there are more");
    close(store);
    assert_eq!(open_with(&path, Durability::Full, Some("third")).1.epoch.to_string(), "third");
    assert_eq!(open_with(&path, Durability::Full, None).1.epoch.to_string(), "third");
}

/// Opens the file. Waits until the previous store, which was dropped, has unlocked it.
fn open_with(path: &Path, durability: Durability, epoch: Option<&str>) -> (Store, StoredState) {
    let options = Options { path: path.to_owned(), durability, keep: Retention::All };
    loop {
        match Store::open(&options, epoch.map(Token::truncated), Token::truncated("new"), 3, || NOW) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Messages that were not on the disk yet are lost in a crash, and clients have seen their ids.
#[test]
fn crash_with_relaxed_durability_begins_a_new_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let check = |durability, is_clean, next, expected: &str| {
        let (store, found) = open_with(&path, durability, Some("old"));
        let id = found.last_id.next();
        commit(&store, vec![past(id.0, "hi")]);
        if is_clean {
            close(store);
        } else {
            drop(store);
        }
        let (store, found) = open_with(&path, next, None);
        assert_eq!((found.epoch.to_string(), found.last_id), (expected.to_owned(), id), "{durability:?} {is_clean}");
        close(store);
        // A new epoch begins only once.
        assert_eq!(open_with(&path, Durability::Full, None).1.epoch.to_string(), expected);
    };
    check(Durability::Relaxed, true, Durability::Relaxed, "old");
    check(Durability::Full, false, Durability::Relaxed, "old");
    check(Durability::Relaxed, false, Durability::Relaxed, "new");
    check(Durability::Relaxed, false, Durability::Full, "new");
    check(Durability::Full, false, Durability::Full, "old");
}

/// The epoch that began after the crash has all of its messages.
#[test]
fn crash_with_full_durability_keeps_the_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    drop(open_with(&path, Durability::Relaxed, Some("old")));
    let (store, found) = open_with(&path, Durability::Full, None);
    assert_eq!(found.epoch.to_string(), "new");
    // Not closed.
    drop(store);
    let options = Options { path: path.clone(), durability: Durability::Full, keep: Retention::All };
    let found = loop {
        match Store::open(&options, None, Token::truncated("newer"), 3, || NOW) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => break opened.unwrap().1,
        }
    };
    assert_eq!(found.epoch.to_string(), "new");
}

/// Another program wrote the message while no server had the file open.
#[test]
fn id_written_by_another_program_is_not_reused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "one")]);
    close(store);
    let insert =
        "INSERT INTO messages (seq, room, id, time, name, text) SELECT 2, room, 9, time, name, text FROM messages";
    Connection::open(&path).unwrap().execute_batch(insert).unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.last_id, MessageId(9));
    commit(&store, vec![past(10, "ten")]);
    close(store);
    assert_eq!(ids(&open_in_turn(&path).1), [1, 9, 10]);
}

#[test]
fn id_of_deleted_message_is_not_reused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=5).map(|id| past(id, "hi")).collect());
    close(store);
    for (left, delete) in [(vec![1, 2], "DELETE FROM messages WHERE id > 2"), (vec![], "DELETE FROM messages")] {
        Connection::open(&path).unwrap().execute_batch(delete).unwrap();
        let (store, found) = open_in_turn(&path);
        assert_eq!((ids(&found), found.last_id), (left, MessageId(5)), "{delete}");
        close(store);
    }
    let (store, _) = open_in_turn(&path);
    commit(&store, vec![past(6, "tea")]);
    assert_eq!(find_ids(&store, "tea", 6), [6], "nor does its place in the index");
    close(store);
    let file = Connection::open(&path).unwrap();
    let row = file.query_row("SELECT seq, id FROM messages", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (6, 6));
}

/// Regression: a row that is not a valid message was left out, and the history in memory had a gap.
#[test]
fn loaded_messages_end_at_an_invalid_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=9).map(|id| past(id, "hi")).collect());
    close(store);
    for (change, expected, before) in [
        ("UPDATE messages SET text = '\u{200b}' WHERE id = 8", vec![9], 8),
        ("UPDATE messages SET name = 'a b' WHERE id = 9", vec![], 9),
        ("UPDATE messages SET name = 'ann', text = 'hi'", vec![6, 7, 8, 9], 0),
    ] {
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let (store, found) = open_in_turn(&path);
        assert_eq!((ids(&found), found.before), (expected, MessageId(before)), "{change}");
        close(store);
    }
}

/// `drop` ends the writer some time later.
pub(crate) fn open_in_turn(path: &Path) -> (Store, StoredState) {
    loop {
        match open(path, Retention::All) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn failed_commit_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(5, "five")]);
    let failed = try_commit(&store, lobby_batch(vec![past(4, "four"), past(5, "five again")]));
    assert!(failed.unwrap_err().contains("UNIQUE"));
    commit(&store, vec![past(6, "six")]);
    assert_eq!(query(&store, Query::After(MessageId(0)), 100).ids(), [5, 6]);
    close(store);
    assert_eq!(ids(&open_in_turn(&path).1), [5, 6]);
}

pub(super) fn integrity(path: &Path) -> String {
    // The remaining words are indexed for a search.
    let (store, found) = open_in_turn(path);
    query(&store, Query::Words(Text::truncated("words")), found.last_id.0);
    close(store);
    let file = Connection::open(path).unwrap();
    file.execute("INSERT INTO words(words) VALUES ('integrity-check')", []).unwrap();
    // The index has exactly the terms of the messages.
    let sql = "SELECT term, doc FROM temp.tokens";
    file.execute_batch("CREATE VIRTUAL TABLE temp.tokens USING fts5vocab(main, words, instance)").unwrap();
    let mut rows = file.prepare(sql).unwrap();
    let tokens = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let tokens = tokens.collect::<rusqlite::Result<BTreeSet<(String, u64)>>>().unwrap();
    let mut rows = file.prepare("SELECT seq, room, text FROM messages").unwrap();
    let messages = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let messages = messages.collect::<rusqlite::Result<Vec<(u64, i64, String)>>>().unwrap();
    let terms = |(seq, room, text): &(u64, i64, String)| {
        let terms = message_terms(&RoomPrefix::new(*room), text);
        terms.split_terminator(' ').map(|term| (term.to_owned(), *seq)).collect::<Vec<_>>()
    };
    assert!(tokens == messages.iter().flat_map(terms).collect(), "the index is not that of the messages");
    assert_eq!(backup::problems(path), [""; 0], "a check finds problems that are none");
    file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[test]
fn unusable_file_is_refused_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, make: &dyn Fn(&Path), expected: &str| {
        let path = directory.path().join(name);
        make(&path);
        let before = fs::read(&path).ok();
        let error = open(&path, Retention::All).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert_eq!(fs::read(&path).ok(), before, "{name} was changed");
    };
    let sqlite = |path: &Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    check("text", &|path| fs::write(path, "a diary\n".repeat(100)).unwrap(), "not a store");
    check("short", &|path| fs::write(path, "a").unwrap(), "not a store");
    check("other.db", &|path| sqlite(path, "CREATE TABLE messages (id); PRAGMA user_version = 1"), "not a store");
    check("no/such/directory", &|_| {}, "No such file");
    check(".", &|_| {}, "directory");
    let newer = |path: &Path| {
        close(open(path, Retention::All).unwrap().0);
        sqlite(path, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
    };
    check("newer.db", &newer, "has version 99, but this chinwagd supports versions up to 8");
    let other_tables = |path: &Path| {
        newer(path);
        sqlite(path, "DROP TABLE state; CREATE TABLE state (other); PRAGMA wal_checkpoint(TRUNCATE)");
    };
    check("tables.db", &other_tables, "has version 99, but this chinwagd supports versions up to 8");
    let damaged = |path: &Path| {
        close(open(path, Retention::All).unwrap().0);
        let mut bytes = fs::read(path).unwrap();
        bytes[200..4096].fill(0xa5);
        fs::write(path, bytes).unwrap();
    };
    check("damaged.db", &damaged, "is damaged");
    let path = directory.path().join("locked.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let error = open(&path, Retention::All).unwrap_err().to_string();
    assert!(error.contains("in use by another chinwagd"), "{error}");
    close(store);
    assert!(open(&path, Retention::All).is_ok());
}
