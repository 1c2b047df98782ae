//! Tests of how changes get into the log.

use super::super::engine::{AppendFailure, EngineReport, LogPosition};
use super::test_log::{TestLog, TestNode, token, unknown};
use crate::limits::{LOG_BATCH_BYTES_MAX, LOG_BATCH_CHANGES_MAX, LOG_REFUSAL_TICKS, TEXT_BYTES_MAX};
use crate::protocol::{AccountId, AccountTokenId, Day, LeaveReason, Name, RoomName, Text, Timestamp};
use crate::sequencer::Sequenced;
use crate::state::{AccountChange, AccountUpdate, Action, Message, RoomId, TopicChange};

fn say(text: &str) -> Action {
    let text = Text::new(text).expect("a valid text");
    let name = Name::new("alice").expect("a valid name");
    Action::Say(RoomId::LOBBY, Message { name, account: None, at: Timestamp(-1), text })
}

#[test]
fn changes_that_come_meanwhile_are_next_batch() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("one");
    let first = node.append();
    assert_eq!((first.changes(), first.expected, first.run), (vec!["one".to_owned()], LogPosition(2), 1));
    node.submit("two");
    node.submit("three");
    assert_eq!(node.requests(), [], "one message is in flight at a time");
    assert!(!node.core.needs_turn() && node.core.is_busy());
    let report = log.append(&first);
    node.core.handle(report);
    let second = node.append();
    assert_eq!((second.changes(), second.expected), (vec!["two".to_owned(), "three".to_owned()], LogPosition(3)));
    assert_eq!(node.taken(), Vec::<String>::new(), "nothing takes effect before it is read back");
    let report = log.append(&second);
    node.core.handle(report);
    assert!(node.core.is_busy(), "not read back yet");
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["one", "two", "three"]);
    assert!(!node.core.is_busy());
}

#[test]
fn unknown_append_is_repeated_with_same_bytes_and_guard() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("one");
    let first = node.append();
    node.submit("two");
    for attempt in 1..=100 {
        node.fail(first.attempt + attempt - 1, unknown());
        let again = node.append();
        assert_eq!(again.attempt, first.attempt + attempt);
        assert_eq!((&again.body, again.expected, again.run), (&first.body, first.expected, first.run));
    }
    // A report of an earlier attempt changes nothing.
    node.fail(first.attempt, unknown());
    assert_eq!(node.requests(), []);
}

/// The first attempt was appended, and its acknowledgement lost. The retry fails by its guard, and the reader finds the message.
#[test]
fn guard_failure_waits_for_reader() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("one");
    let first = node.append();
    log.append(&first);
    node.fail(first.attempt, unknown());
    let again = node.append();
    let report = log.append(&again);
    let failure = AppendFailure::WrongLastPosition;
    assert_eq!(report, EngineReport::AppendFailed { attempt: again.attempt, failure });
    node.core.handle(report);
    node.submit("two");
    assert_eq!(node.requests(), [], "the position of the own last message is not known yet");
    assert!(node.read_one(&log));
    let next = node.append();
    assert_eq!((next.changes(), next.expected), (vec!["two".to_owned()], LogPosition(3)));
    node.core.handle(log.append(&next));
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["one", "two"]);
    assert_eq!(log.messages.len(), 4, "nothing is appended twice");
}

#[test]
fn append_is_known_once_read_back() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("one");
    let first = node.append();
    let report = log.append(&first);
    assert!(node.read_one(&log));
    node.submit("two");
    let next = node.append();
    assert_eq!((next.changes(), next.expected), (vec!["two".to_owned()], LogPosition(3)));
    // The late reports of the first attempt say nothing about the second message.
    node.core.handle(report);
    node.fail(first.attempt, unknown());
    assert_eq!(node.requests(), []);
}

/// Equal changes have equal bytes: the reader returns the first message while the second one is in flight.
#[test]
fn read_message_is_not_taken_for_later_one_with_same_bytes() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("same");
    let first = node.append();
    node.core.handle(log.append(&first));
    node.submit("same");
    let mut second = node.append();
    second.body = first.body;
    assert!(node.read_one(&log));
    node.submit("later");
    assert_eq!(node.requests(), [], "the second message is still in flight");
}

#[test]
fn foreign_message_under_own_run_stops_node() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("one");
    let own = node.append();
    let mut foreign = own.clone();
    let mut other = TestNode::joined(&mut TestLog::default());
    other.submit("other");
    foreign.body = other.append().body;
    log.append(&foreign);
    node.core.handle(log.append(&own));
    assert_eq!(node.core.failure(), None);
    assert!(node.read_one(&log));
    let failure = "another process appends to the log as this run of the node (message 3)";
    assert_eq!(node.core.failure(), Some(failure));
    node.submit("two");
    assert!(node.requests().is_empty() && node.taken().is_empty() && !node.core.is_busy());
}

#[test]
fn batch_has_as_many_changes_as_its_limit() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    for _ in 0..=2 * LOG_BATCH_CHANGES_MAX {
        node.submit("one");
    }
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let append = node.append();
        sizes.push(append.changes().len());
        node.core.handle(log.append(&append));
    }
    assert_eq!(sizes, [LOG_BATCH_CHANGES_MAX, LOG_BATCH_CHANGES_MAX, 1]);
}

#[test]
fn batch_has_as_many_bytes_as_its_limit() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    let text = "x".repeat(TEXT_BYTES_MAX);
    for _ in 0..LOG_BATCH_CHANGES_MAX {
        node.submit_from(1, say(&text));
    }
    let (mut sizes, mut count) = (Vec::new(), 0);
    while count < LOG_BATCH_CHANGES_MAX {
        let append = node.append();
        sizes.push(append.body.len());
        count += append.changes().len();
        node.core.handle(log.append(&append));
    }
    // The head of a record has a few bytes, too.
    assert!(sizes.iter().all(|&bytes| bytes <= LOG_BATCH_BYTES_MAX + 32), "{sizes:?}");
    assert!(sizes[0] > LOG_BATCH_BYTES_MAX - 8 * 1024, "batches are not small: {sizes:?}");
}

#[test]
fn entries_have_times_of_log() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit_from(1, say("hi"));
    let name = Name::new("alice").expect("a valid name");
    node.submit_from(1, Action::SetTopic(RoomId::LOBBY, TopicChange { name, at: Timestamp(-1), topic: None }));
    node.run_all(&mut log);
    let entries = [(); 2].map(|()| match node.core.next() {
        Some(Sequenced::Entry(entry)) => entry,
        other => panic!("expected an entry: {other:?}"),
    });
    // The third message: the log's clock began at the first one.
    for entry in &entries {
        assert_eq!((entry.at, entry.uptime.0), (Timestamp(3000), 2));
    }
    assert_eq!([entries[0].seq, entries[1].seq], [2, 3]);
    assert!(matches!(&entries[0].action, Action::Say(_, message) if message.at == Timestamp(3000)));
    assert!(matches!(&entries[1].action, Action::SetTopic(_, change) if change.at == Timestamp(3000)));
}

/// A change that was handed to the engine waits. Another one is refused, unless it is the end of a connection.
#[test]
fn waiting_changes_are_refused_after_five_ticks() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit_from(1, Action::Barrier(Some(token("handed"))));
    let handed = node.append();
    node.tick();
    node.submit_from(2, Action::Barrier(Some(token("early"))));
    node.submit_from(2, Action::Detach(LeaveReason::Lost));
    node.tick();
    node.submit_from(3, Action::Barrier(Some(token("late"))));
    for _ in 0..LOG_REFUSAL_TICKS - 2 {
        node.tick();
        node.fail(handed.attempt, unknown());
    }
    assert_eq!(node.taken(), Vec::<String>::new());
    node.tick();
    assert_eq!(node.taken(), ["refused early"]);
    node.tick();
    assert_eq!(node.taken(), ["refused late"]);
    for _ in 0..100 {
        node.tick();
    }
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["handed", "Heartbeat", "Detach(Lost)"]);
}

/// The reply to the first line cannot come after the reply to the second one.
#[test]
fn change_behind_handed_one_of_same_session_is_not_refused() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("handed");
    let append = node.append();
    node.submit("behind");
    for _ in 0..2 * LOG_REFUSAL_TICKS {
        node.tick();
    }
    assert_eq!(node.taken(), Vec::<String>::new());
    node.core.handle(log.append(&append));
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["handed", "behind", "Heartbeat"]);
}

/// Nobody repeats these changes.
#[test]
fn changes_without_a_reader_of_their_result_are_never_refused() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("handed");
    let append = node.append();
    let actions = [
        Action::Detach(LeaveReason::Lost),
        Action::Leave(LeaveReason::Quit, None),
        Action::EndOfInput,
        Action::Unwatch,
        token_use(),
    ];
    let count = actions.len();
    for action in actions {
        node.submit_from(2, action);
    }
    node.submit_from(2, Action::Watch(RoomName::lobby()));
    for _ in 0..100 {
        node.tick();
    }
    node.core.refuse_waiting();
    assert_eq!(node.taken().len(), 1, "only WATCH is refused");
    node.core.handle(log.append(&append));
    node.run_all(&mut log);
    assert_eq!(node.taken().len(), 1 + count + 1, "with the heartbeat");
}

fn token_use() -> Action {
    let on = Day::parse("2026-11-30").expect("a date");
    let update = AccountUpdate::RecordTokenUse { account: AccountId(1), token: AccountTokenId(1), on };
    Action::ChangeAccount(AccountChange { at: Timestamp(-1), update })
}

#[test]
fn change_without_incarnation_is_refused_at_once() {
    let mut node = TestNode::new("a", 1);
    node.submit("early");
    assert_eq!(node.taken(), ["refused early"]);
    node.submit_from(1, Action::Detach(LeaveReason::Lost));
    let mut log = TestLog::default();
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["reset e1", "join a 1"]);
}
