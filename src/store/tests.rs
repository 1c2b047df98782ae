//! The file by itself: what is found in it again, and which files are refused. Being killed, and disks that fail, are tried with the
//! real server in `tests/stored`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use smol::Timer;
use smol::future::{block_on, or};
use unicode_normalization::char::is_combining_mark;

use super::file::MIGRATIONS;
use super::terms::index_terms;
use super::*;
use crate::feed::{Missed, Next, Outbox, Pieces as _};
use crate::limits::{RECALL_PAGE_BYTES, SEARCH_CPU_MS_MAX, STORE_INDEXED_AT_ONCE_MAX, STORE_PRUNED_AT_ONCE_MAX};
use crate::protocol::{Dialect, Mode, Name, Text, Timestamp};
use crate::session::Query;

/// Some day in 2027.
pub(super) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// What takes longer than this does not come.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

pub(super) fn options(path: &Path, keep: Keep) -> Options {
    Options { path: path.to_owned(), durability: Durability::Relaxed, keep }
}

pub(super) fn open(path: &Path, keep: Keep) -> Result<(Store, Found), OpenError> {
    Store::open(&options(path, keep), None, Token::ours("first"), 3, || NOW)
}

pub(super) fn past(id: u64, text: &str) -> Past {
    let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
    Past { id: EventId(id), at: Timestamp(NOW.0 - 1000 * (10_000 - i64::try_from(id).unwrap())), name, text }
}

/// Stores these, and waits until they are.
pub(super) fn commit(store: &Store, messages: Vec<Past>) {
    assert_eq!(try_commit(store, messages), Ok(()));
}

pub(super) fn try_commit(store: &Store, messages: Vec<Past>) -> Result<(), String> {
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

/// Waits until all up to this id was let go of, which is some time after a commit.
fn await_dropped(store: &Store, last: u64) {
    while !matches!(next_report(store.reports()), Report::Dropped(id) if id == EventId(last)) {}
}

pub(super) fn close(store: Store) {
    store.close(WAIT_MAX);
}

fn ids(found: &Found) -> Vec<u64> {
    found.messages.iter().map(|past| past.id.0).collect()
}

/// The whole answer, page by page.
pub(super) fn recall(store: &Store, query: Query, until: u64) -> Vec<String> {
    let outbox = Arc::new(Outbox::default());
    let reads = store.queries().clone();
    read(&Arc::new(StoreQuery::new(
        query,
        EventId(until),
        Dialect::default(),
        Mode::Commands,
        Arc::downgrade(&outbox),
        reads,
    )))
}

/// What one reads who missed the messages after one id and up to another.
fn make_up(store: &Store, dialect: Dialect, after: u64, until: u64) -> Vec<String> {
    let outbox = Arc::new(Outbox::default());
    let reads = store.queries().clone();
    let missed = Missed { dialect, after: EventId(after), until: EventId(until) };
    read(&Arc::new(StoreQuery::of_missed(missed, || NOW, Arc::downgrade(&outbox), reads)))
}

fn read(recall: &Arc<StoreQuery>) -> Vec<String> {
    let mut text = Vec::new();
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        assert!(Instant::now() < deadline, "there is no answer");
        match Arc::clone(recall).next() {
            Next::Text(page) => {
                assert!(page.len() < RECALL_PAGE_BYTES + 8192, "a page of {} bytes", page.len());
                text.extend_from_slice(&page);
            }
            Next::NotYet => thread::yield_now(),
            Next::Failed => panic!("it cannot be read"),
            Next::End => return String::from_utf8(text).unwrap().lines().map(str::to_owned).collect(),
        }
    }
}

#[test]
fn epoch_ids_and_newest_messages_are_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, found) = open(&path, Keep::All).unwrap();
    assert_eq!((found.epoch.to_string(), found.last_id, found.messages), ("first".to_owned(), EventId(0), vec![]));
    let said: Vec<_> = (1..=7).map(|id| past(id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    close(store);
    let (store, found) = open_with(&path, Durability::Full, None);
    assert_eq!((found.epoch.to_string(), found.last_id), ("first".to_owned(), EventId(7)));
    assert_eq!(found.messages, said[3..], "the last three, and one more that says that there are more");
    close(store);
    assert_eq!(open_with(&path, Durability::Full, Some("third")).1.epoch.to_string(), "third");
    assert_eq!(open_with(&path, Durability::Full, None).1.epoch.to_string(), "third");
}

/// Opens the file, after the last store that was dropped has let it go.
fn open_with(path: &Path, durability: Durability, epoch: Option<&str>) -> (Store, Found) {
    let options = Options { path: path.to_owned(), durability, keep: Keep::All };
    loop {
        match Store::open(&options, epoch.map(Token::ours), Token::ours("new"), 3, || NOW) {
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
        // It begins once.
        assert_eq!(open_with(&path, Durability::Full, None).1.epoch.to_string(), expected);
    };
    check(Durability::Relaxed, true, Durability::Relaxed, "old");
    check(Durability::Full, false, Durability::Relaxed, "old");
    check(Durability::Relaxed, false, Durability::Relaxed, "new");
    check(Durability::Relaxed, false, Durability::Full, "new");
    check(Durability::Full, false, Durability::Full, "old");
}

#[test]
fn id_of_a_deleted_message_never_returns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    commit(&store, (1..=5).map(|id| past(id, "hi")).collect());
    close(store);
    for (left, delete) in [(vec![1, 2], "DELETE FROM messages WHERE id > 2"), (vec![], "DELETE FROM messages")] {
        Connection::open(&path).unwrap().execute_batch(delete).unwrap();
        let (store, found) = open_in_turn(&path);
        assert_eq!((ids(&found), found.last_id), (left, EventId(5)), "{delete}");
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
    let (store, _) = open(&path, Keep::All).unwrap();
    commit(&store, (1..=9).map(|id| past(id, "hi")).collect());
    close(store);
    for (change, expected, before) in [
        ("UPDATE messages SET text = '\u{200b}' WHERE id = 8", vec![9], 8),
        ("UPDATE messages SET name = 'a b' WHERE id = 9", vec![], 9),
        ("UPDATE messages SET name = 'ann', text = 'hi'", vec![6, 7, 8, 9], 0),
    ] {
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let (store, found) = open_in_turn(&path);
        assert_eq!((ids(&found), found.before), (expected, EventId(before)), "{change}");
        close(store);
    }
}

/// `drop` ends the writer some time later.
pub(super) fn open_in_turn(path: &Path) -> (Store, Found) {
    loop {
        match open(path, Keep::All) {
            Err(OpenError::Locked(_)) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn what_cannot_be_stored_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    commit(&store, vec![past(5, "five")]);
    let failed = try_commit(&store, vec![past(4, "four"), past(5, "five again")]);
    assert!(failed.unwrap_err().contains("UNIQUE"));
    commit(&store, vec![past(6, "six")]);
    assert_eq!(recall(&store, Query::Since(EventId(0)), 100).len(), 3);
    close(store);
    assert_eq!(ids(&open_in_turn(&path).1), [5, 6]);
}

#[test]
fn it_is_told_again_in_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Keep::All).unwrap();
    let said: Vec<_> = (1..=2000).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    let check = |query: Query, until: u64, expected: &[Past], last: &str| {
        let mut lines: Vec<_> = expected.iter().map(Past::to_string).collect();
        lines.push(format!("{last} last={until}"));
        assert_eq!(recall(&store, query, until), lines);
    };
    check(Query::Last(3), 4000, &said[1997..], "OK HISTORY 3");
    check(Query::Last(3), 3999, &said[1996..1999], "OK HISTORY 3");
    check(Query::Last(u64::MAX), 4000, &said, "OK HISTORY 2000");
    check(Query::Last(0), 4000, &[], "OK HISTORY 0");
    check(Query::Since(EventId(0)), 4000, &said, "OK SINCE 2000");
    check(Query::Since(EventId(3997)), 4000, &said[1998..], "OK SINCE 2");
    check(Query::Since(EventId(4000)), 4000, &[], "OK SINCE 0");
}

#[test]
fn what_was_missed_is_told_as_it_was_said_and_what_is_gone_is_told_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Keep::Count(1000)).unwrap();
    let said: Vec<_> = (1..=1500).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    commit(&store, vec![past(3001, "more")]);
    await_dropped(&store, 1002);
    let live: Vec<_> = said[501..].iter().map(|past| format!("MSG ann {}", past.text)).collect();
    let plain = Dialect::default();
    assert_eq!(make_up(&store, plain, 1002, 3000), live);
    assert_eq!(make_up(&store, plain, 2999, 3000), live[998..]);
    assert_eq!(make_up(&store, plain, 3000, 3000), [""; 0]);
    let gone = "NOTICE what was said after 7, up to 1002, is no longer kept, and is missing here";
    assert_eq!(make_up(&store, plain, 7, 1006), [gone, "MSG ann message 502", "MSG ann message 503"]);
    let tagged = Dialect { tags: true, ..plain };
    let expected =
        [format!("@- {NOW} {}", gone.replace("1002", "900")), format!("@3000 {} MSG ann message 1500", said[1499].at)];
    assert_eq!([make_up(&store, tagged, 7, 900), make_up(&store, tagged, 2998, 3000)].concat(), expected);
}

#[test]
fn words_are_found_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Keep::All).unwrap();
    let texts = ["tea time", "Tea, and TIME", "no coffee", "a \"quoted\" tea", "Käse OR tee", "NOT NEAR(tea)", "!?"];
    let said = texts.iter().zip(1..).map(|(text, id)| past(id, text)).collect();
    commit(&store, said);
    let check = |words: &str, expected: &[u64]| {
        let lines = recall(&store, Query::Words(Text::ours(words)), 6);
        assert_eq!(found(&store, words, 6), expected, "{words}");
        assert_eq!(lines.last(), Some(&format!("OK SEARCH {}", expected.len())), "{words}");
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
    let (store, _) = open(&path, Keep::All).unwrap();
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
    close(open(&path, Keep::All).unwrap().0);
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
    let (store, _) = open(&directory.path().join("chat.db"), Keep::All).unwrap();
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
    close(open(&path, Keep::All).unwrap().0);
    // No message has both words, so SQLite returns nothing before its end.
    let messages = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                    INSERT INTO messages SELECT i, 1, i, '2026-11-20T12:44:29.138Z', 'ann', iif(i % 2, 'odd', 'even') FROM n;
                    INSERT INTO words(rowid, terms) SELECT seq, text FROM messages;
                    UPDATE state SET value = 100000 WHERE key = 'indexed'";
    Connection::open(&path).unwrap().execute_batch(messages).unwrap();
    let (store, _) = open_in_turn(&path);
    let (outbox, queues) = (Arc::new(Outbox::default()), store.queries().clone());
    let query = Query::Words(Text::ours("odd even"));
    let query =
        StoreQuery::new(query, EventId(100_000), Dialect::default(), Mode::Commands, Arc::downgrade(&outbox), queues);
    query.use_up(Duration::from_millis(SEARCH_CPU_MS_MAX));
    let told = read(&Arc::new(query));
    assert!(told[0].starts_with("ERR SEARCH search-timeout ") && told.len() == 1, "{told:?}");
    assert_eq!(found(&store, "odd", 100_000)[..2], [99_999, 99_997], "and others have their answer");
    close(store);
}

/// So many that their words are not indexed with them, nor at once.
fn many(ids: impl Iterator<Item = u64>) -> Vec<Past> {
    ids.map(|id| past(id, &format!("word {id}"))).collect()
}

fn found(store: &Store, words: &str, until: u64) -> Vec<u64> {
    let lines = recall(store, Query::Words(Text::ours(words)), until);
    lines.iter().filter_map(|line| line.strip_prefix("PAST ")?.split(' ').next()?.parse().ok()).collect()
}

#[test]
fn words_are_found_before_there_is_time_to_index_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
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
fn who_cannot_be_told_what_has_these_words_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TABLE words").unwrap();
    commit(&store, many(1..=1000));
    let told = recall(&store, Query::Words(Text::ours("word")), 1000);
    assert!(
        told[0].starts_with("ERR SEARCH store-failed the words of what was stored last cannot be looked for now: ")
    );
    assert_eq!(told.len(), 1);
    assert_eq!(recall(&store, Query::Last(5), 1000).len(), 6, "and others are told what they ask for");
    close(store);
}

/// Its answer was one page, however long.
#[test]
fn what_is_found_is_told_in_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Keep::All).unwrap();
    commit(&store, (1..=60).map(|id| past(id, &format!("tea {}", "x".repeat(4000)))).collect());
    let expected: Vec<u64> = (11..=60).rev().collect();
    assert_eq!(found(&store, "tea", 100), expected);
    assert_eq!(found(&store, "Tea tea TEA", 100), expected);
    close(store);
}

/// It was left without an answer, and so was all that stood behind it.
#[test]
fn who_searches_when_the_store_is_closed_has_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Keep::All).unwrap();
    let last = 3 * STORE_INDEXED_AT_ONCE_MAX;
    commit(&store, many(1..=last));
    let (outbox, recalls) = (Arc::new(Outbox::default()), store.queries().clone());
    let query = Query::Words(Text::ours("word"));
    let recall =
        StoreQuery::new(query, EventId(last), Dialect::default(), Mode::Commands, Arc::downgrade(&outbox), recalls);
    let recall = Arc::new(recall);
    assert!(matches!(Arc::clone(&recall).next(), Next::NotYet));
    close(store);
    let told = read(&recall);
    let answer = told.last().unwrap();
    assert!(answer == "OK SEARCH 50" || answer.starts_with("ERR SEARCH store-failed "), "{answer}");
}

/// Between what the writer stored and what was said, where only others can have put it: it was looked for without an end.
#[test]
fn what_others_wrote_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    commit(&store, vec![past(1, "ours")]);
    let row = "INSERT INTO messages VALUES (10, 1, 10, '2026-11-20T12:44:29.138Z', 'eve', 'theirs')";
    Connection::open(&path).unwrap().execute_batch(row).unwrap();
    assert_eq!(found(&store, "theirs", 100), [10]);
    close(store);
}

/// A file of an older version, with messages of these ids. That server had given, or set aside, the ids up to `ids_up_to`.
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
        let (store, opened) = open(&path, Keep::All).unwrap();
        let (epoch, last) = (opened.epoch.to_string(), opened.last_id);
        assert_eq!((ids(&opened), &*epoch, last), (vec![3, 4, 9], "then", EventId(70)), "{version}");
        commit(&store, vec![past(71, "not so old")]);
        assert_eq!(found(&store, "old", 71), [71, 9, 4, 3]);
        assert_eq!(found(&store, "елка", 71), [9, 4, 3]);
        assert_eq!(found(&store, "елка", 8), [4, 3]);
        assert_eq!(recall(&store, Query::Since(EventId(9)), 71).len(), 2);
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
    let (store, found) = open(&path, Keep::All).unwrap();
    assert_eq!((ids(&found), found.before, found.last_id), (vec![30, 31], EventId(29), EventId(31)));
    let old = recall(&store, Query::Since(EventId(28)), 31);
    assert!(old[0].starts_with("ERR SINCE too-old 30 "), "{old:?}");
    close(store);
}

/// Otherwise a deleted message would leave terms behind, and words with characters of a newer Unicode would not be found.
#[test]
fn index_of_other_rules_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
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
    let check = |keep: Keep, said: u64, kept: u64| {
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
        let (store, found) = open(&path, Keep::All).unwrap();
        assert_eq!(found.last_id, EventId(last));
        let told = recall(&store, Query::Last(u64::MAX), last);
        let first = told[0].split(' ').nth(1).unwrap().parse::<u64>().unwrap();
        assert_eq!(last + 1 - first, kept, "{keep:?}");
        let old = recall(&store, Query::Since(EventId(first - 2)), last);
        assert!(old[0].starts_with(&format!("ERR SINCE too-old {first} ")), "{old:?}");
        let rest = recall(&store, Query::Since(EventId(first - 1)), last);
        assert_eq!(rest.len() as u64, kept + 1, "nor is anything else gone");
        let gone = recall(&store, Query::Words(Text::ours("1")), last);
        assert_eq!(gone, ["OK SEARCH 0"], "the words of what is gone are gone");
        close(store);
        assert_eq!(integrity(&path), "ok");
    };
    check(Keep::Count(10), 2500, 10);
    check(Keep::Age(Duration::from_secs(9001)), 2500, 1505);
}

/// A thousand were let go of after each commit, however many it had.
#[test]
fn a_flood_does_not_outrun_what_is_let_go_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::Count(10)).unwrap();
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
    let (store, _) = open(&path, Keep::Bytes(1 << 20)).unwrap();
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

/// Only one page was removed from the file after each deletion.
#[test]
fn file_shrinks_when_messages_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    commit(&store, (1..=2000).map(|id| past(id, &"long ".repeat(200))).collect());
    close(store);
    let before = fs::metadata(&path).unwrap().len();
    let (store, _) = open(&path, Keep::Count(100)).unwrap();
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
    let (store, _) = open(&path, Keep::Bytes(1 << 20)).unwrap();
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
    recall(&store, Query::Words(Text::ours("words")), found.last_id.0);
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
        let error = open(&path, Keep::All).unwrap_err().to_string();
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
        close(open(path, Keep::All).unwrap().0);
        sqlite(path, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
    };
    check("newer.db", &newer, "has version 99, and this chinwagd knows up to 4");
    let damaged = |path: &Path| {
        close(open(path, Keep::All).unwrap().0);
        let mut bytes = fs::read(path).unwrap();
        bytes[200..4096].fill(0xa5);
        fs::write(path, bytes).unwrap();
    };
    check("damaged.db", &damaged, "is damaged");
    let path = directory.path().join("locked.db");
    let (store, _) = open(&path, Keep::All).unwrap();
    let error = open(&path, Keep::All).unwrap_err().to_string();
    assert!(error.contains("in use by another chinwagd"), "{error}");
    close(store);
    assert!(open(&path, Keep::All).is_ok());
}

#[test]
fn bounds_are_written_like_this() {
    let seconds = |seconds| Keep::Age(Duration::from_secs(seconds));
    let table = BTreeMap::from([
        ("all", Some(Keep::All)),
        ("30d", Some(seconds(30 * 24 * 3600))),
        ("12H", Some(seconds(12 * 3600))),
        ("5m", Some(seconds(300))),
        ("9s", Some(seconds(9))),
        ("1gb", Some(Keep::Bytes(1 << 30))),
        ("500MB", Some(Keep::Bytes(500 << 20))),
        ("64kb", Some(Keep::Bytes(64 << 10))),
        ("100000", Some(Keep::Count(100_000))),
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
        assert_eq!(raw.parse::<Keep>().ok(), expected, "{raw:?}");
    }
}
