//! The file by itself: what is found in it again, and which files are refused. Being killed, and disks that fail, are tried with the
//! real server in `tests/store`.

use std::collections::{BTreeMap, BTreeSet};
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

use super::file::MIGRATIONS;
use super::terms::index_terms;
use super::*;
use crate::limits::{
    QUERY_PAGE_BYTES, SEARCH_CPU_MS_MAX, SEARCH_FOUND_MAX, STORE_INDEXED_AT_ONCE_MAX, STORE_PRUNED_AT_ONCE_MAX,
    TEXT_BYTES_MAX,
};
use crate::protocol::{Name, Text, Timestamp};

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

pub(crate) fn past(id: u64, text: &str) -> PastMessage {
    let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
    PastMessage { id: MessageId(id), at: Timestamp(NOW.0 - 1000 * (10_000 - i64::try_from(id).unwrap())), name, text }
}

/// Stores these, and waits until they are.
pub(crate) fn commit(store: &Store, messages: Vec<PastMessage>) {
    assert_eq!(try_commit(store, messages), Ok(()));
}

pub(super) fn try_commit(store: &Store, messages: Vec<PastMessage>) -> Result<(), String> {
    store.commit(messages);
    loop {
        if let Report::Committed(_, result) = next_report(store.reports()) {
            return result;
        }
    }
}

/// What the store did next, if it is done in time.
pub(crate) fn next_report(reports: &Receiver<Report>) -> Report {
    let late = async {
        Timer::after(WAIT_MAX).await;
        panic!("there is no report");
    };
    block_on(or(async { reports.recv().await.unwrap() }, late))
}

/// Waits until the messages up to this id are evicted, some time after a commit.
pub(crate) fn await_dropped(store: &Store, last: u64) {
    while !matches!(next_report(store.reports()), Report::Dropped(id) if id == MessageId(last)) {}
}

pub(crate) fn close(store: Store) {
    store.close(WAIT_MAX);
}

fn ids(found: &StoredState) -> Vec<u64> {
    found.messages.iter().map(|past| past.id.0).collect()
}

/// The result of a query: all its pages, put together.
#[derive(Debug, Default)]
pub(super) struct QueryResult {
    rows: Vec<(u64, String, String, String)>,
    evicted: Vec<Evicted>,
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

pub(super) fn query(store: &Store, query: Query, until: u64) -> QueryResult {
    read_all(&start(store, query, until))
}

fn start(store: &Store, query: Query, until: u64) -> Arc<StoreQuery> {
    store.queries().query(query, MessageId(until), thread_waker())
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

#[test]
fn epoch_ids_and_newest_messages_are_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((found.epoch.to_string(), found.last_id, found.messages), ("first".to_owned(), MessageId(0), vec![]));
    let said: Vec<_> = (1..=7).map(|id| past(id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    close(store);
    let (store, found) = open_with(&path, Durability::Full, None);
    assert_eq!((found.epoch.to_string(), found.last_id), ("first".to_owned(), MessageId(7)));
    assert_eq!(found.messages, said[3..], "the last three, and one more that says that there are more");
    close(store);
    assert_eq!(open_with(&path, Durability::Full, Some("third")).1.epoch.to_string(), "third");
    assert_eq!(open_with(&path, Durability::Full, None).1.epoch.to_string(), "third");
}

/// Opens the file. Waits until the last store, which was dropped, has unlocked it.
fn open_with(path: &Path, durability: Durability, epoch: Option<&str>) -> (Store, StoredState) {
    let options = Options { path: path.to_owned(), durability, keep: Retention::All };
    loop {
        match Store::open(&options, epoch.map(Token::truncated), Token::truncated("new"), 3, || NOW) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Messages that the system had not written to the disk yet may be lost with it, and clients have seen their ids.
#[test]
fn unclean_end_with_relaxed_durability_begins_a_new_epoch() {
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

/// The epoch that began after the unclean end has all of its messages.
#[test]
fn unclean_end_with_full_durability_keeps_the_epoch_begun_before() {
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

/// Another program wrote it while no server had the file.
#[test]
fn id_of_a_message_of_another_program_is_not_given_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "one")]);
    close(store);
    let insert = "INSERT INTO messages SELECT 2, room, 9, time, name, text FROM messages";
    Connection::open(&path).unwrap().execute_batch(insert).unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.last_id, MessageId(9));
    commit(&store, vec![past(10, "ten")]);
    close(store);
    assert_eq!(ids(&open_in_turn(&path).1), [1, 9, 10]);
}

#[test]
fn id_of_a_deleted_message_never_returns() {
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
    assert_eq!(found(&store, "tea", 6), [6], "nor does its place in the index");
    close(store);
    let file = Connection::open(&path).unwrap();
    let row = file.query_row("SELECT seq, id FROM messages", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (6, 6));
}

/// A row that is no message by today's rules. Where it was left out, history in memory had a gap that nobody was told of.
#[test]
fn messages_in_memory_end_at_a_row_that_is_no_message() {
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
pub(super) fn open_in_turn(path: &Path) -> (Store, StoredState) {
    loop {
        match open(path, Retention::All) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn what_cannot_be_stored_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(5, "five")]);
    let failed = try_commit(&store, vec![past(4, "four"), past(5, "five again")]);
    assert!(failed.unwrap_err().contains("UNIQUE"));
    commit(&store, vec![past(6, "six")]);
    assert_eq!(query(&store, Query::After(MessageId(0)), 100).ids(), [5, 6]);
    close(store);
    assert_eq!(ids(&open_in_turn(&path).1), [5, 6]);
}

#[test]
fn query_in_order_returns_the_rows_as_stored() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let said: Vec<_> = (1..=2000).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    let check = |of: Query, until: u64, expected: &[PastMessage]| {
        let result = query(&store, of, until);
        let row = |past: &PastMessage| (past.id.0, past.at.to_string(), past.name.to_string(), past.text.to_string());
        assert_eq!(result.rows, expected.iter().map(row).collect::<Vec<_>>());
        assert!(result.is_complete());
    };
    check(Query::Last(3), 4000, &said[1997..]);
    check(Query::Last(3), 3999, &said[1996..1999]);
    check(Query::Last(u64::MAX), 4000, &said);
    check(Query::Last(0), 4000, &[]);
    check(Query::After(MessageId(0)), 4000, &said);
    check(Query::After(MessageId(3997)), 4000, &said[1998..]);
    check(Query::After(MessageId(4000)), 4000, &[]);
}

#[test]
fn pages_of_a_query_are_full_but_for_the_last_one() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, (1..=2000).map(|id| past(id, &format!("message {id}"))).collect());
    let query = start(&store, Query::Last(2000), 2000);
    let pages: Vec<_> = std::iter::from_fn(|| next_page(&query)).collect();
    let (last, others) = pages.split_last().unwrap();
    assert_eq!(last.end, Some(QueryEnd::Complete(2000)));
    assert!(others.len() > 3 && others.iter().all(|page| page.bytes() >= QUERY_PAGE_BYTES && page.end.is_none()));
    assert!(next_page(&query).is_none() && next_page(&query).is_none(), "there is a page after the last one");
    close(store);
}

#[test]
fn query_reports_what_is_evicted_between_two_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, &format!("message {id}"))).collect());
    let queries = [Query::After(MessageId(0)), Query::Last(1000)].map(|of| start(&store, of, 1000));
    let mut results = queries.each_ref().map(|query| {
        let mut result = QueryResult::default();
        result.add(&next_page(query).unwrap());
        result
    });
    // The store makes the next page only on request; otherwise the page would have messages that are evicted here.
    commit(&store, (1001..=1600).map(|id| past(id, "new")).collect());
    await_dropped(&store, 600);
    for (query, result) in queries.iter().zip(&mut results) {
        let after = *result.ids().last().unwrap();
        while let Some(page) = next_page(query) {
            result.add(&page);
        }
        let evicted = Evicted { after: MessageId(after), up_to: MessageId(600), oldest: MessageId(601) };
        assert_eq!(result.evicted, [evicted]);
        assert_eq!(result.ids(), (1..=after).chain(601..=1000).collect::<Vec<_>>());
        assert_eq!(result.end, Some(QueryEnd::Complete(result.rows.len() as u64)));
    }
    close(store);
}

/// Only messages that the query asks for are reported.
#[test]
fn query_reports_what_was_evicted_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1500).map(|id| past(2 * id, "hi")).collect());
    commit(&store, vec![past(3001, "more")]);
    await_dropped(&store, 1002);
    let check = |after: u64, until: u64, up_to: Option<u64>, expected: &[u64]| {
        let result = query(&store, Query::After(MessageId(after)), until);
        let evicted =
            up_to.map(|up_to| Evicted { after: MessageId(after), up_to: MessageId(up_to), oldest: MessageId(1004) });
        assert_eq!((result.ids(), &*result.evicted), (expected.to_vec(), evicted.as_slice()));
        assert_eq!(result.end, Some(QueryEnd::Complete(expected.len() as u64)));
    };
    check(1002, 1005, None, &[1004]);
    check(1001, 1005, Some(1002), &[1004]);
    check(7, 1006, Some(1002), &[1004, 1006]);
    check(7, 900, Some(900), &[]);
    check(900, 900, None, &[]);
    assert!(query(&store, Query::Last(u64::MAX), 3001).is_complete(), "the last messages are those that are left");
    close(store);
}

/// The renderer makes the strings safe, not the store.
#[test]
fn rows_that_another_program_wrote_are_returned_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "hi")]);
    let row = "INSERT INTO messages VALUES (2, 1, 2, 'at\tnoon', 'e v e', 'tea ' || char(27) || '[31m' || char(10))";
    Connection::open(&path).unwrap().execute_batch(row).unwrap();
    let expected = (2, "at\tnoon".to_owned(), "e v e".to_owned(), "tea \u{1b}[31m\n".to_owned());
    assert_eq!(query(&store, Query::Last(1), 2).rows, std::slice::from_ref(&expected));
    assert_eq!(query(&store, Query::Words(Text::truncated("tea")), 2).rows, [expected]);
    close(store);
}

#[test]
fn query_fails_when_the_file_cannot_be_read_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, &format!("message {id}"))).collect());
    let query = start(&store, Query::After(MessageId(0)), 1000);
    let first = next_page(&query).unwrap();
    assert!(first.end.is_none() && first.rows().count() > 0);
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE messages RENAME TO hidden").unwrap();
    let last = next_page(&query).unwrap();
    let Some(QueryEnd::Failed(QueryError::Read(why))) = &last.end else { panic!("{last:?}") };
    assert!(why.contains("no such table") && last.rows().next().is_none(), "{last:?}");
    assert!(next_page(&query).is_none());
}

/// A query that is dropped before, while or after a thread works on it is freed.
#[test]
fn dropped_query_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, many(1..=1000));
    for pages in 0..=2 {
        for of in [Query::Last(1000), Query::Words(Text::truncated("word"))] {
            let queries = [0; 9].map(|_| start(&store, of.clone(), 1000));
            for query in &queries {
                (0..pages).for_each(|_| drop(next_page(query)));
                // A request for the next page.
                let _ = query.poll_page();
            }
            let freed = queries.each_ref().map(Arc::downgrade);
            drop(queries);
            // A thread is done with them by the time that it works on the next query; the one that indexes, soon after.
            assert!(query(&store, of, 1000).is_complete());
            let deadline = Instant::now() + WAIT_MAX;
            while freed.iter().any(|query| query.strong_count() > 0) {
                assert!(Instant::now() < deadline, "a query is left after {pages} pages");
                thread::yield_now();
            }
        }
    }
    close(store);
}

#[test]
fn words_are_found_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let texts = ["tea time", "Tea, and TIME", "no coffee", "a \"quoted\" tea", "Käse OR tee", "NOT NEAR(tea)", "!?"];
    let said = texts.iter().zip(1..).map(|(text, id)| past(id, text)).collect();
    commit(&store, said);
    let check = |words: &str, expected: &[u64]| {
        let result = query(&store, Query::Words(Text::truncated(words)), 6);
        assert_eq!(result.ids(), expected, "{words}");
        assert!(result.is_complete(), "{words}");
    };
    check("tea", &[6, 4, 2, 1]);
    check("time tea", &[2, 1]);
    check("\"quoted", &[4]);
    check("kase or", &[5]);
    check("tea OR coffee", &[]);
    check("NOT", &[6]);
    check("tea)", &[6, 4, 2, 1]);
    check("* ( \" - ^", &[]);
    check("text:tea", &[]);
    check("!?", &[]);
    check("!? tea", &[6, 4, 2, 1]);
}

#[test]
fn words_are_found_in_any_script() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let texts =
        ["η Αθήνα", "ёлка", "Straße", "ｔｅａ", "今日は会議があります", "วันนี้มีประชุม", "오늘 회의가 있다", "会 議"];
    commit(&store, texts.iter().zip(1..).map(|(text, id)| past(id, text)).collect());
    let check = |words: &str, expected: &[u64]| assert_eq!(found(&store, words, 8), expected, "{words}");
    check("αθηνα", &[1]);
    check("ЕЛКА", &[2]);
    check("strasse", &[3]);
    check("tea", &[4]);
    check("会議", &[5]);
    check("会", &[8, 5]);
    check("会議があ", &[5]);
    check("議会", &[]);
    check("ประชุม", &[6]);
    check("회의", &[7]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// SQLite must take each of our terms for one token, and must not change it.
#[test]
fn every_term_is_one_token() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    close(open(&path, Retention::All).unwrap().0);
    let file = Connection::open(&path).unwrap();
    file.execute_batch("CREATE VIRTUAL TABLE temp.tokens USING fts5vocab(main, words, row); BEGIN").unwrap();
    let chars: Vec<char> = ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || is_combining_mark(*c)).collect();
    for chars in chars.chunks(256) {
        let words: Vec<String> = chars.iter().map(|c| format!("a{c}b{c}")).collect();
        let terms = index_terms(&words.join(" "));
        let terms: BTreeSet<_> = terms.split(' ').collect();
        let terms = Vec::from_iter(terms).join(" ");
        file.execute("INSERT INTO words(words) VALUES ('delete-all')", []).unwrap();
        file.execute("INSERT INTO words(rowid, terms) VALUES (1, ?)", [&terms]).unwrap();
        let mut rows = file.prepare_cached("SELECT term FROM temp.tokens ORDER BY term").unwrap();
        let tokens = rows.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<Vec<String>>>().unwrap();
        assert_eq!(tokens.join(" "), terms);
    }
}

/// Messages that have the terms of a query but do not match it are read one by one.
#[test]
fn search_of_many_turns_finds_each_message_once() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let said = (1..=600).map(|id| past(id, if id % 50 == 0 { "いろはにほ" } else { "いろは、ろはに、はにほ" }));
    commit(&store, said.collect());
    let expected: Vec<u64> = (1..=12).rev().map(|n| 50 * n).collect();
    assert_eq!(found(&store, "いろはにほ", 600), expected);
    close(store);
}

#[test]
fn search_without_time_left_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    close(open(&path, Retention::All).unwrap().0);
    // No message has both words, so SQLite returns nothing before its end.
    let messages = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                    INSERT INTO messages SELECT i, 1, i, '2026-11-20T12:44:29.138Z', 'ann', iif(i % 2, 'odd', 'even') FROM n;
                    INSERT INTO words(rowid, terms) SELECT seq, text FROM messages;
                    UPDATE state SET value = 100000 WHERE key = 'indexed'";
    Connection::open(&path).unwrap().execute_batch(messages).unwrap();
    let (store, _) = open_in_turn(&path);
    let query = start(&store, Query::Words(Text::truncated("odd even")), 100_000);
    query.use_up(Duration::from_millis(SEARCH_CPU_MS_MAX));
    assert_eq!(read_all(&query).end, Some(QueryEnd::OutOfTime(0)));
    assert_eq!(found(&store, "odd", 100_000)[..2], [99_999, 99_997], "and others have their answer");
    close(store);
}

/// So many that their words are not indexed with them, nor at once.
fn many(ids: impl Iterator<Item = u64>) -> Vec<PastMessage> {
    ids.map(|id| past(id, &format!("word {id}"))).collect()
}

fn found(store: &Store, words: &str, until: u64) -> Vec<u64> {
    query(store, Query::Words(Text::truncated(words)), until).ids()
}

#[test]
fn words_are_found_before_there_is_time_to_index_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let last = 2 * STORE_INDEXED_AT_ONCE_MAX + 9;
    commit(&store, many(1..=last));
    assert_eq!(found(&store, "word", last)[..2], [last, last - 1]);
    commit(&store, many(last + 1..=last + 400));
    assert_eq!(found(&store, "word", last + 400)[0], last + 400);
    let few = last + 401;
    commit(&store, vec![past(few, "a few")]);
    assert_eq!(found(&store, "word", few)[0], last + 400);
    commit(&store, many(few + 1..=few + 400));
    close(store);
    // Those that there was no time for have theirs after the next start.
    let (store, _) = open_in_turn(&path);
    assert_eq!(found(&store, "word", few + 400)[0], few + 400);
    assert_eq!(found(&store, "few", few + 400), [few]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn search_fails_when_words_cannot_be_indexed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TABLE words").unwrap();
    commit(&store, many(1..=1000));
    let result = query(&store, Query::Words(Text::truncated("word")), 1000);
    assert!(matches!(result.end, Some(QueryEnd::Failed(QueryError::Index(_)))), "{:?}", result.end);
    assert!(result.rows.is_empty());
    assert!(query(&store, Query::Last(5), 1000).is_complete(), "other queries go on");
    close(store);
}

/// The result used to be one page of any length.
#[test]
fn search_result_comes_in_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, (1..=60).map(|id| past(id, &format!("tea {}", "x".repeat(4000)))).collect());
    let expected: Vec<u64> = (11..=60).rev().collect();
    for words in ["tea", "Tea tea TEA"] {
        let result = query(&store, Query::Words(Text::truncated(words)), 100);
        assert_eq!((result.ids(), result.end), (expected.clone(), Some(QueryEnd::Complete(SEARCH_FOUND_MAX))));
    }
    close(store);
}

/// The search used to get no result, and so did the commands after it.
#[test]
fn search_ends_when_the_store_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let last = 3 * STORE_INDEXED_AT_ONCE_MAX;
    commit(&store, many(1..=last));
    let query = start(&store, Query::Words(Text::truncated("word")), last);
    assert!(query.poll_page().is_pending());
    close(store);
    let end = read_all(&query).end;
    let failed = matches!(end, Some(QueryEnd::Failed(QueryError::Index(_))));
    assert!(failed || end == Some(QueryEnd::Complete(SEARCH_FOUND_MAX)), "{end:?}");
}

/// Between what the writer stored and what was said, where only others can have put it: it was looked for without an end.
#[test]
fn what_others_wrote_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "ours")]);
    let row = "INSERT INTO messages VALUES (10, 1, 10, '2026-11-20T12:44:29.138Z', 'eve', 'theirs')";
    Connection::open(&path).unwrap().execute_batch(row).unwrap();
    assert_eq!(found(&store, "theirs", 100), [10]);
    close(store);
}

/// Writes a file of an older version, with messages with these ids. Its server had given or reserved the ids up to `ids_up_to`.
fn older_file(path: &Path, version: usize, ids: &[u64], ids_up_to: u64) {
    let file = Connection::open(path).unwrap();
    file.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    file.pragma_update(None, "application_id", 0x6368_7767).unwrap();
    for migration in &MIGRATIONS[..version] {
        file.execute_batch(migration).unwrap();
    }
    for id in ids {
        let sql = "INSERT INTO messages VALUES (?, '2026-11-20T12:44:29.138Z', 'ann', 'old, Ёлка')";
        file.execute(sql, [id]).unwrap();
    }
    if version < 3 {
        file.execute_batch("INSERT INTO words(words) VALUES ('rebuild')").unwrap();
    }
    file.execute("UPDATE state SET value = ? WHERE key = 'ids_up_to'", [ids_up_to]).unwrap();
    file.execute_batch("INSERT INTO state VALUES ('epoch', 'then')").unwrap();
    file.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn file_of_older_version_is_migrated_and_continues_above_every_id() {
    for version in 1..MIGRATIONS.len() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        older_file(&path, version, &[3, 4, 9], 70);
        let (store, opened) = open(&path, Retention::All).unwrap();
        let (epoch, last) = (opened.epoch.to_string(), opened.last_id);
        assert_eq!((ids(&opened), &*epoch, last), (vec![3, 4, 9], "then", MessageId(70)), "{version}");
        commit(&store, vec![past(71, "not so old")]);
        assert_eq!(found(&store, "old", 71), [71, 9, 4, 3]);
        assert_eq!(found(&store, "елка", 71), [9, 4, 3]);
        assert_eq!(found(&store, "елка", 8), [4, 3]);
        assert_eq!(query(&store, Query::After(MessageId(9)), 71).ids(), [71]);
        close(store);
        assert_eq!(integrity(&path), "ok");
    }
}

#[test]
fn migration_keeps_what_is_known_about_deleted_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    older_file(&path, 3, &[30, 31], 31);
    Connection::open(&path).unwrap().execute_batch("UPDATE state SET value = 29 WHERE key = 'dropped'").unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((ids(&found), found.before, found.last_id), (vec![30, 31], MessageId(29), MessageId(31)));
    let old = query(&store, Query::After(MessageId(28)), 31);
    assert_eq!(old.evicted, [Evicted { after: MessageId(28), up_to: MessageId(29), oldest: MessageId(30) }]);
    close(store);
}

/// Otherwise a deleted message would leave terms behind, and words with characters of a newer Unicode would not be found.
#[test]
fn index_of_other_rules_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "tea"), past(2, "coffee")]);
    close(store);
    let other = "INSERT INTO words(words) VALUES ('delete-all'); INSERT INTO words(rowid, terms) VALUES (1, 'TEA9');
                 UPDATE state SET value = '0' WHERE key = 'word_rules'";
    Connection::open(&path).unwrap().execute_batch(other).unwrap();
    let (store, _) = open_in_turn(&path);
    assert_eq!((found(&store, "tea", 2), found(&store, "tea9", 2)), (vec![1], vec![]));
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn so_much_is_kept() {
    let at_once = STORE_PRUNED_AT_ONCE_MAX;
    let check = |keep: Retention, said: u64, kept: u64| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (store, _) = open(&path, keep).unwrap();
        commit(&store, (1..=said).map(|id| past(id, &format!("message {id}"))).collect());
        // As many commits as it takes: a part goes after each.
        for id in 1..=said / at_once + 1 {
            commit(&store, vec![past(said + id, "more")]);
        }
        let last = said + said / at_once + 1;
        close(store);
        let (store, found) = open(&path, Retention::All).unwrap();
        assert_eq!(found.last_id, MessageId(last));
        let first = query(&store, Query::Last(u64::MAX), last).ids()[0];
        assert_eq!(last + 1 - first, kept, "{keep:?}");
        let old = query(&store, Query::After(MessageId(first - 2)), last);
        let evicted = Evicted { after: MessageId(first - 2), up_to: MessageId(first - 1), oldest: MessageId(first) };
        assert_eq!(old.evicted, [evicted]);
        let rest = query(&store, Query::After(MessageId(first - 1)), last);
        assert!(rest.is_complete() && rest.rows.len() as u64 == kept, "nothing else is evicted");
        let with_word = query(&store, Query::Words(Text::truncated("1")), last);
        assert_eq!(with_word.ids(), [0; 0], "the words of evicted messages are not in the index");
        close(store);
        assert_eq!(integrity(&path), "ok");
    };
    check(Retention::Count(10), 2500, 10);
    check(Retention::Age(Duration::from_secs(9001)), 2500, 1505);
}

/// A thousand were let go of after each commit, however many it had.
#[test]
fn a_flood_does_not_outrun_what_is_let_go_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(10)).unwrap();
    let file = Connection::open(&path).unwrap();
    for flood in 0..5 {
        commit(&store, many(flood * 3000 + 1..=(flood + 1) * 3000));
        let count: u64 = file.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
        assert!(count <= 3010, "{count} are kept");
    }
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn a_file_does_not_grow_beyond_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Bytes(1 << 20)).unwrap();
    let mut id = 0;
    for _ in 0..60 {
        let said = (1..=500).map(|n| past(id + n, &format!("{} {n}", "words and more words ".repeat(5)))).collect();
        commit(&store, said);
        id += 500;
    }
    close(store);
    let bytes = fs::metadata(&path).unwrap().len();
    assert!((1 << 19..2 << 20).contains(&bytes), "{bytes} bytes");
    assert_eq!(integrity(&path), "ok");
}

/// Each deletion used to remove only one page from the file.
#[test]
fn file_shrinks_when_messages_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=2000).map(|id| past(id, &"long ".repeat(200))).collect());
    close(store);
    let before = fs::metadata(&path).unwrap().len();
    let (store, _) = open(&path, Retention::Count(100)).unwrap();
    await_dropped(&store, 1900);
    close(store);
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < before / 4, "{before} bytes, then {after}");
    assert_eq!(integrity(&path), "ok");
}

/// A thousand were let go of at once, and where there were not as many none were.
#[test]
fn a_file_of_few_long_messages_does_not_grow_beyond_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Bytes(1 << 20)).unwrap();
    for id in 0..900 {
        commit(&store, vec![past(id + 1, &"long ".repeat(700))]);
    }
    close(store);
    let bytes = fs::metadata(&path).unwrap().len();
    assert!((1 << 18..2 << 20).contains(&bytes), "{bytes} bytes");
    assert_eq!(integrity(&path), "ok");
}

pub(super) fn integrity(path: &Path) -> String {
    // Words that there was no time for are indexed for a search.
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
    let mut rows = file.prepare("SELECT seq, text FROM messages").unwrap();
    let messages = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let messages = messages.collect::<rusqlite::Result<Vec<(u64, String)>>>().unwrap();
    let terms = |(id, text): &(u64, String)| {
        index_terms(text).split(' ').map(|term| (term.to_owned(), *id)).collect::<Vec<_>>()
    };
    assert!(tokens == messages.iter().flat_map(terms).collect(), "the index is not that of the messages");
    file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[test]
fn files_that_cannot_be_used_are_refused_and_left_as_they_are() {
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
    check("newer.db", &newer, "has version 99, and this chinwagd knows up to 4");
    let other_tables = |path: &Path| {
        newer(path);
        sqlite(path, "DROP TABLE state; CREATE TABLE state (other); PRAGMA wal_checkpoint(TRUNCATE)");
    };
    check("tables.db", &other_tables, "has version 99, and this chinwagd knows up to 4");
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

#[test]
fn bounds_are_written_like_this() {
    let seconds = |seconds| Retention::Age(Duration::from_secs(seconds));
    let table = BTreeMap::from([
        ("all", Some(Retention::All)),
        ("30d", Some(seconds(30 * 24 * 3600))),
        ("12H", Some(seconds(12 * 3600))),
        ("5m", Some(seconds(300))),
        ("9s", Some(seconds(9))),
        ("1gb", Some(Retention::Bytes(1 << 30))),
        ("500MB", Some(Retention::Bytes(500 << 20))),
        ("64kb", Some(Retention::Bytes(64 << 10))),
        ("100000", Some(Retention::Count(100_000))),
        ("0", None),
        ("", None),
        ("d", None),
        ("-1", None),
        ("1.5gb", None),
        ("3 weeks", None),
        ("99999999999999999999d", None),
        ("18446744073709551615gb", None),
    ]);
    for (raw, expected) in table {
        assert_eq!(raw.parse::<Retention>().ok(), expected, "{raw:?}");
    }
}
