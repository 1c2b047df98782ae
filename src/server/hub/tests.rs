//! Tests of the hub with its room, feed and store, without sockets.

#[cfg(feature = "store")]
use std::path::PathBuf;
#[cfg(feature = "store")]
use std::time::Instant;

#[cfg(feature = "store")]
use async_channel::Receiver;

use super::*;
use crate::command::Command;
use crate::feed::{Cursor, Mailbox, Progress, Source};
use crate::limits::{BACKLOG_BYTES_MIN, ROOMS_MAX_DEFAULT};
use crate::protocol::{MessageId, Mode, Secret, Token};
use crate::session::{Lifecycle, Timeouts};
use crate::state::{SharedState, StateLimits, Uptime};
#[cfg(feature = "store")]
use crate::store::{Durability, Options, Report, Retention, Store, tests::WAIT_MAX};

pub(super) fn connect(hub: &mut Hub, session: u64) -> Arc<Mailbox> {
    let mailbox = Arc::new(Mailbox::new(hub.delivery.feed().backlog()));
    let address = ([127, 0, 0, 1], 1024).into();
    hub.process(Timestamp(0), HubRequest::Connect(SessionId(session), address, Arc::clone(&mailbox)));
    mailbox
}

/// Sends a line to the hub. Its output is visible after the next [`Hub::publish`].
pub(super) fn say(hub: &mut Hub, session: u64, line: &str) {
    let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
    hub.process(Timestamp(0), HubRequest::Input(SessionId(session), InputKind::Command(command)));
}

/// The output that the connection of this mailbox can write now.
pub(super) fn read(feed: &Feed, cursor: &mut Cursor, mailbox: &Mailbox) -> String {
    let mut text = Vec::new();
    cursor.fetch_new(feed, mailbox, Waker::noop());
    let mut take = |source: Source<'_>| {
        let bytes = source.to_vec()?;
        text.extend_from_slice(&bytes);
        Ok(bytes.len())
    };
    while let Progress::Wrote(_) = cursor.write(feed, mailbox, &mut take).unwrap() {}
    String::from_utf8(text).unwrap()
}

/// A hub with a store in this file, and the receiver of the store's reports.
#[cfg(feature = "store")]
fn hub_with_store(path: PathBuf, feed: &Arc<Feed>) -> (Hub, Receiver<Report>) {
    let options = Options { path, durability: Durability::Relaxed, keep: Retention::All };
    let epoch = Token::truncated("epoch");
    let (store, _) = Store::open(&options, None, epoch, 0, || Timestamp(0)).unwrap();
    let reports = store.reports().clone();
    (crate::server::store_adapter::create_hub(Sessions::default(), Arc::clone(feed), store), reports)
}

/// Waits until [`Hub::process_report`] finds a report.
#[cfg(feature = "store")]
fn await_report(reports: &Receiver<Report>) {
    let deadline = Instant::now() + WAIT_MAX;
    while reports.is_empty() {
        assert!(Instant::now() < deadline, "no report of the store");
        std::thread::yield_now();
    }
}

/// Connects a client that sends these lines and reads nothing.
fn connect_blocked(hub: &mut Hub, lines: &[&str]) -> Arc<Mailbox> {
    let mailbox = connect(hub, 1);
    for line in lines {
        say(hub, 1, line);
        hub.publish(Timestamp(0));
    }
    mailbox
}

/// The cursor of a client that has read nothing since before its `NICK` has no position in the feed. Such a client used to stay connected.
#[test]
fn client_blocked_since_before_joining_is_disconnected() {
    let messages = ["MSG hello"; 200];
    for before in [&["NICK a"][..], &["NICK a", "SET tags on"], &["SET tags on", "NICK a", "SET tags off"]] {
        let mut hub = Hub::new(Sessions::default(), Arc::new(Feed::new(4096)));
        let mailbox = connect_blocked(&mut hub, &[before, &messages].concat());
        assert!(mailbox.lifecycle().is_slow(), "{before:?}");
        assert_eq!(hub.sessions().connected_count(), 0);
    }
}

/// The feed evicts the positions of many slow consumers at once. Their `LEAVE` events alone exceed the feed's limit. A client that reads
/// after every second turn misses none of them.
#[test]
fn readers_stay_when_many_slow_consumers_are_disconnected() {
    let feed = Arc::new(Feed::new(64 * 1024));
    let mut hub = Hub::new(Sessions::default(), Arc::clone(&feed));
    let join = |hub: &mut Hub, session: u64| {
        let mailbox = connect(hub, session);
        say(hub, session, &format!("NICK {session:0>32}"));
        mailbox
    };
    let reader = join(&mut hub, 1);
    let (mut cursor, mut turns) = (Cursor::new(), 0);
    let mut turn = |hub: &mut Hub| {
        hub.publish(Timestamp(0));
        turns += 1;
        if turns % 2 == 0 {
            read(&feed, &mut cursor, &reader);
        }
    };
    // They stop reading at the same event, so that the feed evicts all of their positions at once.
    let mut stuck = Vec::new();
    for session in 2..2000 {
        stuck.push((join(&mut hub, session), Cursor::new()));
        if session % 100 == 0 {
            turn(&mut hub);
            for (mailbox, cursor) in &mut stuck {
                read(&feed, cursor, mailbox);
            }
        }
    }
    while hub.is_turn_due() {
        turn(&mut hub);
    }
    for (mailbox, cursor) in &mut stuck {
        read(&feed, cursor, mailbox);
    }
    for _ in 0..200 {
        say(&mut hub, 1, &format!("MSG {}", "x".repeat(1000)));
        turn(&mut hub);
    }
    assert_eq!(reader.lifecycle(), Lifecycle::Open);
    assert_eq!(hub.sessions().connected_count(), 1);
}

/// A search between the commit and the publication does not find the message.
#[test]
#[cfg(feature = "store")]
fn stored_but_unpublished_message_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let feed = Arc::new(Feed::new(64 * 1024));
    let (mut hub, reports) = hub_with_store(directory.path().join("chat.db"), &feed);
    let say = |hub: &mut Hub, session, line: &str| {
        say(hub, session, line);
        hub.publish(Timestamp(0));
    };
    let mailboxes = [1, 2].map(|session| connect(&mut hub, session));
    let mut cursor = Cursor::new();
    let mut search = |hub: &mut Hub| {
        say(hub, 1, "SEARCH tea");
        let mut output = String::new();
        let deadline = Instant::now() + WAIT_MAX;
        while !output.contains("OK SEARCH ") {
            assert!(Instant::now() < deadline, "no answer: {output}");
            output += &read(&feed, &mut cursor, &mailboxes[0]);
            std::thread::yield_now();
        }
        output.lines().last().unwrap().to_owned()
    };
    say(&mut hub, 1, "NICK ann");
    say(&mut hub, 1, "MSG tea");
    hub.publish(Timestamp(0));
    await_report(&reports);
    say(&mut hub, 2, "NICK bob");
    assert_eq!(search(&mut hub), "OK SEARCH 0");
    assert!(hub.process_report());
    hub.publish(Timestamp(0));
    assert_eq!(search(&mut hub), "OK SEARCH 1");
}

/// Holds for any order of messages, renames, turns and commits.
#[test]
#[cfg(feature = "store")]
fn published_messages_equal_stored_ones() {
    arbtest::arbtest(|u| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let feed = Arc::new(Feed::new(64 * 1024));
        let (mut hub, reports) = hub_with_store(path.clone(), &feed);
        let file = rusqlite::Connection::open(&path).unwrap();
        let stored = || -> Vec<(u64, String)> {
            let mut rows = file.prepare("SELECT id, name || ' ' || text FROM messages ORDER BY seq").unwrap();
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let (reader, mut cursor, mut said) = (connect(&mut hub, 1), Cursor::new(), String::new());
        let mut settle = |hub: &mut Hub, said: &mut String| {
            hub.publish(Timestamp(0));
            while hub.is_turn_due() {
                hub.publish(Timestamp(0));
            }
            said.push_str(&read(&feed, &mut cursor, &reader));
            if hub.has_pending_changes() {
                await_report(&reports);
                assert!(hub.process_report());
            }
        };
        for line in ["SET tags on", "SET echo on", "NICK reader"] {
            say(&mut hub, 1, line);
        }
        for session in [2, 3] {
            connect(&mut hub, session);
            say(&mut hub, session, &format!("NICK n{session}"));
        }
        for step in 0..u.int_in_range(1..=60)? {
            match u.int_in_range(0..=5)? {
                0 => settle(&mut hub, &mut said),
                1 => say(&mut hub, 3, &format!("NICK n{step}")),
                2 => hub.publish(Timestamp(0)),
                _ => say(&mut hub, u.int_in_range(1..=3)?, &format!("MSG {step}")),
            }
        }
        while hub.has_pending_changes() || hub.is_turn_due() {
            settle(&mut hub, &mut said);
        }
        settle(&mut hub, &mut said);
        let events = said.lines().filter(|line| line.starts_with('@'));
        let texts = events.filter_map(|line| line.split_once(" MSG ").map(|(_, said)| said.to_owned()));
        let messages: Vec<_> = ids(&said, |event| event.starts_with("MSG ")).zip(texts).collect();
        assert_eq!(messages, stored());
        assert!(ids(&said, |_| true).eq(1..=messages.len() as u64), "{said}");
        Ok(())
    })
    .budget_ms(1_000);
}

/// The ids of the events that match `which`, in lines with tags.
#[cfg(feature = "store")]
fn ids(lines: &str, which: impl Fn(&str) -> bool) -> impl Iterator<Item = u64> {
    let tagged = lines.lines().filter_map(|line| line.strip_prefix('@')?.split_once(' '));
    tagged.filter_map(move |(id, rest)| id.parse().ok().filter(|_| which(rest.split_once(' ').unwrap_or_default().1)))
}

/// Only 64 used to leave per tick, so that members expired more slowly than new ones were admitted.
#[test]
fn expired_sessions_all_leave_at_one_tick() {
    for are_named in [true, false] {
        let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
        let timeouts = Timeouts { idle_seconds: 20, ..Timeouts::default() };
        let mut hub = Hub::new(Sessions::new(SharedState::default(), timeouts), Arc::clone(&feed));
        let reader = connect(&mut hub, 1);
        say(&mut hub, 1, "NICK reader");
        for session in 2..=2_000 {
            connect(&mut hub, session);
            if are_named {
                say(&mut hub, session, &format!("NICK {session:0>32}"));
            }
        }
        let mut cursor = Cursor::new();
        let mut output = String::new();
        for seconds in [0, 20, 21] {
            hub.process(Timestamp(0), HubRequest::Input(SessionId::SERVER, InputKind::Tick(Uptime(seconds))));
            if seconds < 21 {
                say(&mut hub, 1, "PING");
            }
            hub.publish(Timestamp(0));
            while hub.is_turn_due() {
                hub.publish(Timestamp(0));
                output += &read(&feed, &mut cursor, &reader);
            }
        }
        assert_eq!((hub.sessions().connected_count(), reader.lifecycle()), (1, Lifecycle::Open));
        assert_eq!(output.matches("LEAVE ").count(), if are_named { 1_999 } else { 0 });
    }
}

/// A join during a commit used to take the id of a message, so that the whole batch had to be committed again.
#[test]
#[cfg(feature = "store")]
fn rename_during_commit_takes_no_id_and_keeps_batch() {
    let directory = tempfile::tempdir().unwrap();
    let feed = Arc::new(Feed::new(64 * 1024));
    let (mut hub, reports) = hub_with_store(directory.path().join("chat.db"), &feed);
    let reader = connect(&mut hub, 3);
    for line in ["SET tags on", "NICK reader"] {
        say(&mut hub, 3, line);
    }
    for session in [1, 2] {
        connect(&mut hub, session);
        say(&mut hub, session, &format!("NICK n{session}"));
    }
    let mut commits = 0;
    for number in 1..=5 {
        say(&mut hub, 1, &format!("MSG {number}"));
        hub.publish(Timestamp(0));
        hub.publish(Timestamp(0));
        await_report(&reports);
        commits += 1;
        for rename in 0..3 {
            say(&mut hub, 2, &format!("NICK n{number}-{rename}"));
        }
        assert!(hub.process_report());
        while hub.is_turn_due() || hub.has_pending_changes() {
            assert!(reports.is_empty(), "the batch is committed again");
            hub.publish(Timestamp(0));
        }
    }
    let output = read(&feed, &mut Cursor::new(), &reader);
    assert_eq!((ids(&output, |_| true).collect::<Vec<_>>(), commits), (vec![1, 2, 3, 4, 5], 5));
    assert_eq!(output.matches("@- ").count(), 3 + 15, "{output}");
}

/// The next batch reuses the ids of a failed one.
#[test]
#[cfg(feature = "store")]
fn ids_have_no_gap_after_failed_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
    let (mut hub, reports) = hub_with_store(path.clone(), &feed);
    let file = rusqlite::Connection::open(&path).unwrap();
    let author = connect(&mut hub, 1);
    say(&mut hub, 1, "NICK a");
    for (change, lines) in [
        ("", ["MSG one", "TOPIC one"]),
        ("ALTER TABLE state RENAME TO elsewhere", ["MSG refused", "TOPIC refused"]),
        ("ALTER TABLE elsewhere RENAME TO state", ["TOPIC two", "MSG two"]),
    ] {
        file.execute_batch(change).unwrap();
        for line in lines {
            say(&mut hub, 1, line);
        }
        hub.publish(Timestamp(0));
        while hub.is_turn_due() || hub.has_pending_changes() {
            if hub.has_pending_changes() && !hub.is_turn_due() {
                await_report(&reports);
                assert!(hub.process_report());
            }
            hub.publish(Timestamp(0));
        }
    }
    let output = read(&feed, &mut Cursor::new(), &author);
    let words = |line: &str| line.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let replies: Vec<_> = output.lines().skip_while(|line| !line.contains("MSG")).map(words).collect();
    let (before, after) = (["OK MSG 1", "OK TOPIC one"], ["OK TOPIC two", "OK MSG 2"]);
    assert_eq!(replies, [before, ["ERR MSG not-stored", "ERR TOPIC not-stored"], after].concat(), "{output}");
}

/// Refuses the messages that the store has not confirmed. Returns the replies to all messages.
#[cfg(feature = "store")]
fn abandon(hub: &mut Hub, feed: &Feed, author: &Mailbox) -> Vec<String> {
    hub.sessions.sequencer_mut().refuse_unconfirmed();
    while hub.has_ready_entries() {
        hub.publish(Timestamp(0));
    }
    let output = read(feed, &mut Cursor::new(), author);
    output.lines().filter(|line| line.contains(" MSG ")).map(str::to_owned).collect()
}

/// The report of a committed batch has not been processed when the server stops.
#[test]
#[cfg(feature = "store")]
fn message_stored_before_abandon_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
    let (mut hub, reports) = hub_with_store(directory.path().join("chat.db"), &feed);
    let author = connect(&mut hub, 1);
    say(&mut hub, 1, "NICK a");
    say(&mut hub, 1, "MSG stored");
    hub.publish(Timestamp(0));
    hub.publish(Timestamp(0));
    await_report(&reports);
    say(&mut hub, 1, "MSG waiting");
    let replies = abandon(&mut hub, &feed, &author);
    assert_eq!(replies.len(), 2, "{replies:?}");
    assert_eq!(replies[0], "OK MSG 1");
    assert!(replies[1].starts_with("ERR MSG not-stored") && !replies[1].contains("may have"), "{replies:?}");
}

#[test]
fn status_counts_members_rooms_and_messages() {
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
    let state = SharedState::new(StateLimits { resume_seconds: 60, ..StateLimits::default() })
        .with_epoch(Token::truncated("k7qd"));
    let mut hub = Hub::new(Sessions::new(state, Timeouts::default()), Arc::clone(&feed));
    for session in 1..=6 {
        connect(&mut hub, session);
    }
    for (session, line) in [
        (1, "NICK ann"),
        (2, "NICK bob"),
        (3, "NICK cat #tea"),
        (4, "WATCH #tea"),
        (1, "MSG one"),
        (3, "MSG two"),
        (1, "MSG three"),
        (1, "WHISPER bob four"),
    ] {
        say(&mut hub, session, line);
    }
    let command = Command::parse("SET resume on", Mode::Commands).unwrap().unwrap();
    let kind = InputKind::CommandWithSecret(command, Secret::new([7; 16]));
    hub.process(Timestamp(0), HubRequest::Input(SessionId(2), kind));
    hub.process(Timestamp(0), HubRequest::Input(SessionId(2), InputKind::Disconnected(LeaveReason::Lost)));
    hub.process(Timestamp(0), HubRequest::Input(SessionId(6), InputKind::Disconnected(LeaveReason::Lost)));
    hub.publish(Timestamp(0));
    let (asking, answer) = async_channel::bounded(1);
    hub.process(Timestamp(0), HubRequest::Status(asking));
    let expected = HubStatus {
        epoch: Some(Token::truncated("k7qd")),
        members: 3,
        detached: 1,
        unnamed: 2,
        watching: 1,
        accounts: None,
        rooms: 2,
        occupied_rooms: 1,
        rooms_max: ROOMS_MAX_DEFAULT,
        messages: 3,
        deliveries: 3,
        newest_id: MessageId(2),
        backlog_bytes: feed.backlog().bytes(),
        backlog_bytes_max: 2 * BACKLOG_BYTES_MIN,
        store_queue: 0,
        password_queue: 0,
        store_failure: None,
    };
    assert!(expected.backlog_bytes > 0);
    assert_eq!(answer.try_recv(), Ok(expected));
}
