//! The bytes that a client reads when its messages come from a store on disk.

use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::feed::{Cursor, Feed, InsertionPoint, Publisher};
use crate::limits::{QUERY_PAGE_BYTES, SERVER_LINE_BYTES_MAX};
use crate::protocol::{Ending, PastMessage};
use crate::state::RoomId;
use crate::store::tests::{NOW, await_eviction, close, commit, open, past, thread_waker, wait_for};
use crate::store::{Retention, Store, StoredMessage};

const PLAIN: Dialect = Dialect { ending: Ending::Lf, tags: false, draw: false, room_names: false };
const CR_LF: Dialect = Dialect { ending: Ending::CrLf, ..PLAIN };
const TAGGED: Dialect = Dialect { tags: true, ..PLAIN };

/// The mailbox of a connection in this thread.
fn mailbox() -> Arc<Mailbox> {
    let mailbox = Arc::<Mailbox>::default();
    mailbox.register(&thread_waker());
    mailbox
}

/// Waits for the next piece of text. `Err(true)`: the text is complete. `Err(false)`: the query has failed.
fn next(mailbox: &Mailbox, pieces: &mut impl PageSource) -> Result<String, bool> {
    wait_for(|| {
        // Registers before it checks, as a connection does.
        mailbox.register(&thread_waker());
        Poll::Ready(match pieces.next() {
            NextPage::Text(text) => {
                assert!(
                    !text.is_empty() && text.len() < QUERY_PAGE_BYTES + SERVER_LINE_BYTES_MAX,
                    "{} bytes",
                    text.len()
                );
                Ok(String::from_utf8(text).unwrap())
            }
            NextPage::NotYet => return Poll::Pending,
            NextPage::End => Err(true),
            NextPage::Failed => Err(false),
        })
    })
}

/// The whole text, and whether it is complete.
fn read(mailbox: &Mailbox, mut pieces: impl PageSource) -> (String, bool) {
    let mut text = String::new();
    loop {
        match next(mailbox, &mut pieces) {
            Ok(piece) => text += &piece,
            Err(is_complete) => return (text, is_complete),
        }
    }
}

fn lobby_query(query: HistoryQuery, until: u64, dialect: Dialect, mode: Mode) -> RoomQuery {
    let (room, room_name, until) = (RoomId::LOBBY, RoomName::lobby(), MessageId(until));
    RoomQuery { room, room_name, query, until, dialect, mode, hint_room: None, metrics: Arc::default() }
}

fn reply(store: &Store, dialect: Dialect, mode: Mode, query: HistoryQuery, until: u64) -> String {
    let mailbox = mailbox();
    let reply = QueryReply::new(lobby_query(query, until, dialect, mode), &mailbox, store.queries());
    let (text, is_complete) = read(&mailbox, reply);
    assert!(is_complete, "the reply has no final line");
    text
}

fn catch_up(store: &Store, dialect: Dialect, after: u64, until: u64) -> (String, bool) {
    let mailbox = mailbox();
    read(&mailbox, CatchUp::new(missed(dialect, after, until), || NOW, &mailbox, store.queries()))
}

fn missed(dialect: Dialect, after: u64, until: u64) -> MissedMessages {
    let (room, room_name) = (RoomId::LOBBY, RoomName::lobby());
    MissedMessages { room, room_name, dialect, after: MessageId(after), until: MessageId(until) }
}

fn words(words: &str) -> HistoryQuery {
    HistoryQuery::Words(Text::truncated(words))
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn reply_has_past_lines_and_count() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let said: Vec<_> = (1..=2000).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    let check = |query: &HistoryQuery, expected: &[StoredMessage], last: &str| {
        let lines: String = expected.iter().map(|message| format!("{}\n", message.past)).collect();
        let expected = format!("{lines}{last}\n");
        assert_eq!(reply(&store, PLAIN, Mode::Commands, query.clone(), 4000), expected);
        assert_eq!(reply(&store, TAGGED, Mode::Chat, query.clone(), 4000), expected, "no tags, and no slash");
        assert_eq!(reply(&store, CR_LF, Mode::Commands, query.clone(), 4000), expected.replace('\n', "\r\n"));
    };
    check(&HistoryQuery::Last(3), &said[1997..], "OK HISTORY 3 last=4000");
    check(&HistoryQuery::Last(u64::MAX), &said, "OK HISTORY 2000 last=4000");
    check(&HistoryQuery::Last(0), &[], "OK HISTORY 0 last=4000");
    check(&HistoryQuery::Since(MessageId(0)), &said, "OK SINCE 2000 last=4000");
    check(&HistoryQuery::Since(MessageId(3997)), &said[1998..], "OK SINCE 2 last=4000");
    check(&HistoryQuery::Since(MessageId(4000)), &[], "OK SINCE 0 last=4000");
    check(&words("message 1234"), &said[1233..1234], "OK SEARCH 1");
    check(&words("tea"), &[], "OK SEARCH 0");
    close(store);
}

/// So that one write sends all of it.
#[test]
fn reply_of_one_page_is_one_piece() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, vec![past(1, "one"), past(2, "two")]);
    let mailbox = mailbox();
    let mut reply =
        QueryReply::new(lobby_query(HistoryQuery::Last(2), 2, PLAIN, Mode::Commands), &mailbox, store.queries());
    assert_eq!(next(&mailbox, &mut reply).unwrap().lines().count(), 3);
    assert_eq!(next(&mailbox, &mut reply), Err(true));
    close(store);
}

#[test]
fn reply_ends_as_too_old_after_eviction() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, "hi")).collect());
    let mailbox = mailbox();
    let mut history =
        QueryReply::new(lobby_query(HistoryQuery::Last(1000), 1000, CR_LF, Mode::Chat), &mailbox, store.queries());
    let first = next(&mailbox, &mut history).unwrap();
    assert!(first.starts_with("PAST 1 ") && first.ends_with(" hi\r\n"));
    commit(&store, (1001..=1600).map(|id| past(id, "new")).collect());
    await_eviction(&store, 600);
    let last = "ERR HISTORY too-old the oldest message that is kept has id 601; to get all messages from there on, write: /SINCE 600\r\n";
    assert_eq!(next(&mailbox, &mut history).unwrap(), last);
    assert_eq!(next(&mailbox, &mut history), Err(true));
    let since = |id| reply(&store, PLAIN, Mode::Commands, HistoryQuery::Since(MessageId(id)), 1600);
    let too_old = "ERR SINCE too-old the oldest message that is kept has id 601; to get all messages from there on, write: SINCE 600\n";
    assert_eq!([since(0), since(599)], [too_old; 2]);
    let query = lobby_query(HistoryQuery::Since(MessageId(0)), 1600, PLAIN, Mode::Chat);
    let named = RoomQuery { hint_room: Some(RoomName::lobby()), ..query };
    let (refused, _) = read(&mailbox, QueryReply::new(named, &mailbox, store.queries()));
    assert!(refused.ends_with("; to get all messages from there on, write: /#lobby /SINCE 600\n"), "{refused}");
    assert!(since(600).starts_with("PAST 601 ") && since(600).ends_with("OK SINCE 1000 last=1600\n"));
    close(store);
}

#[test]
fn reply_of_failed_store_has_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    // In a batch of this size, messages are indexed only after their commit.
    commit(&store, (1..=1000).map(|id| past(id, "tea")).collect());
    sql(&path, "ALTER TABLE words RENAME TO hidden");
    let expected = "ERR SEARCH store-failed cannot search the latest messages: no such table";
    assert!(reply(&store, PLAIN, Mode::Commands, words("tea"), 1000).starts_with(expected));
    let mailbox = mailbox();
    let query = lobby_query(HistoryQuery::Since(MessageId(0)), 1000, PLAIN, Mode::Commands);
    #[cfg(feature = "metrics")]
    let metrics = Arc::clone(&query.metrics);
    let mut since = QueryReply::new(query, &mailbox, store.queries());
    assert!(next(&mailbox, &mut since).unwrap().starts_with("PAST 1 "));
    sql(&path, "ALTER TABLE messages RENAME TO elsewhere");
    let (rest, is_complete) = read(&mailbox, since);
    assert!(rest.starts_with("ERR SINCE store-failed cannot read the store: no such table: "), "{rest}");
    assert!(rest.lines().count() == 1 && is_complete, "{rest}");
    #[cfg(feature = "metrics")]
    assert_eq!((metrics.refusals(ErrorCode::StoreFailed), metrics.refusals(ErrorCode::TooOld)), (1, 0));
    let history = reply(&store, PLAIN, Mode::Commands, HistoryQuery::Last(1), 1000);
    assert!(history.starts_with("ERR HISTORY store-failed cannot read the store: no such table: "), "{history}");
}

#[test]
fn search_timeout_has_count() {
    let expected = "ERR SEARCH search-timeout \
                    the search was stopped after 200 ms of CPU time, with 7 messages found; add a rarer word";
    assert_eq!(search_timeout(7).to_string(), expected);
}

/// Another program may have written the row to the database.
#[test]
fn row_with_unsafe_characters_is_sanitized() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "hi")]);
    sql(
        &path,
        "INSERT INTO messages (seq, room, id, time, name, text) VALUES (2, 1, 2, 'no\non', 'e\tve', 'tea ' || char(27, 13, 10) || 'ERR - x')",
    );
    let text = "tea \u{fffd}\u{fffd}\u{fffd}ERR - x";
    let expected = format!("PAST 2 no\u{fffd}on e ve {text}\nOK HISTORY 1 last=2\n");
    assert_eq!(reply(&store, PLAIN, Mode::Commands, HistoryQuery::Last(1), 2), expected);
    assert_eq!(catch_up(&store, PLAIN, 1, 2), (format!("MSG e ve {text}\n"), true));
    assert_eq!(catch_up(&store, TAGGED, 1, 2), (format!("@2 no\u{fffd}on MSG e ve {text}\n"), true));
    close(store);
}

#[test]
fn catch_up_has_missed_events_and_notice_of_eviction() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    let said: Vec<_> = (1..=1500).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, said.clone());
    commit(&store, vec![past(3001, "more")]);
    await_eviction(&store, 1002);
    let check = |dialect, after, until, expected: &str| {
        assert_eq!(catch_up(&store, dialect, after, until), (expected.to_owned(), true));
    };
    let text = |past: &PastMessage| past.text.clone().unwrap();
    let live = |said: &[StoredMessage]| {
        said.iter().map(|message| format!("MSG ann {}\n", text(&message.past))).collect::<String>()
    };
    let tagged =
        |StoredMessage { past, .. }: &StoredMessage| format!("@{} {} MSG ann {}\r\n", past.id.0, past.at, text(past));
    check(PLAIN, 1002, 3000, &live(&said[501..]));
    check(Dialect { tags: true, ..CR_LF }, 1002, 3000, &said[501..].iter().map(tagged).collect::<String>());
    check(CR_LF, 2999, 3000, "MSG ann message 1500\r\n");
    let mut nothing = CatchUp::new(missed(PLAIN, 3000, 3000), || NOW, &mailbox(), store.queries());
    assert!(matches!(nothing.next(), NextPage::End), "no page is pending");
    let gone = "NOTICE the messages after id 7, up to id 1002, are missing: they are no longer kept\n";
    check(PLAIN, 7, 1006, &format!("{gone}MSG ann message 502\nMSG ann message 503\n"));
    check(TAGGED, 7, 900, &format!("@- {NOW} {}", gone.replace("1002", "900")));
    close(store);
}

#[test]
fn catch_up_continues_after_eviction() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, &id.to_string())).collect());
    let mailbox = mailbox();
    let mut catch_up = CatchUp::new(missed(PLAIN, 0, 1000), || NOW, &mailbox, store.queries());
    let first = next(&mailbox, &mut catch_up).unwrap();
    let last = first.lines().last().unwrap().strip_prefix("MSG ann ").unwrap();
    commit(&store, (1001..=1600).map(|id| past(id, "new")).collect());
    await_eviction(&store, 600);
    let live: String = (601..=1000).map(|id| format!("MSG ann {id}\n")).collect();
    let notice = format!("NOTICE the messages after id {last}, up to id 600, are missing: they are no longer kept\n");
    assert_eq!(read(&mailbox, catch_up), (notice + &live, true));
    close(store);
}

/// The connection is then closed, so that the client does not miss messages silently.
#[test]
fn catch_up_fails_if_store_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=9).map(|id| past(id, "hi")).collect());
    // The rows before this one are sent.
    sql(&path, "UPDATE messages SET text = x'ff' WHERE id = 5");
    assert_eq!(catch_up(&store, PLAIN, 0, 9), ("MSG ann hi\n".repeat(4), false));
    sql(&path, "ALTER TABLE messages RENAME TO hidden");
    assert_eq!(catch_up(&store, PLAIN, 0, 9), (String::new(), false));
}

/// A mailbox owns the replies that its connection has not sent yet, and a reply holds a waker of its mailbox. This cycle must not leak.
#[test]
fn mailbox_with_unread_reply_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, vec![past(1, "hi")]);
    let history = |mailbox: &Arc<Mailbox>| {
        QueryReply::new(lobby_query(HistoryQuery::Last(1), 1, PLAIN, Mode::Commands), mailbox, store.queries())
    };
    let (unread, requested) = (mailbox(), mailbox());
    let feed = Arc::new(Feed::new(1 << 20));
    for mailbox in [&unread, &requested] {
        let turn = Publisher::new(Arc::clone(&feed)).turn();
        mailbox.insert_pages(InsertionPoint { turn, at: None, is_alone: true }, Box::new(history(mailbox)));
    }
    let mut cursor = Cursor::new();
    cursor.fetch_new(&feed, &requested, Waker::noop());
    // Requests the page, which may be ready already.
    let _ = cursor.write(&feed, &requested, |_| Err(io::ErrorKind::WouldBlock.into()));
    let dropped = [unread, requested].map(|mailbox| Arc::downgrade(&mailbox));
    drop(cursor);
    // The store answers in order: when it has sent this reply, it has finished the one before.
    assert_eq!(reply(&store, PLAIN, Mode::Commands, HistoryQuery::Last(0), 1), "OK HISTORY 0 last=1\n");
    assert!(dropped.iter().all(|mailbox| mailbox.upgrade().is_none()));
    close(store);
}
