//! Tests of batches: which changes go into one, and what becomes of refused ones.

use std::path::Path;
use std::time::Instant;

use super::*;
use crate::protocol::{RoomName, Text, Token};
use crate::state::StoredRoom;
use crate::store::tests::WAIT_MAX;
use crate::store::{Durability, Options, Retention};

fn sequencer(directory: &Path, bytes_max: usize) -> StoreSequencer {
    let options = Options { path: directory.join("chat.db"), durability: Durability::Relaxed, keep: Retention::All };
    let (store, _) = Store::open(&options, None, Token::truncated("epoch"), 0, || Timestamp(0)).unwrap();
    StoreSequencer::new(store, bytes_max)
}

fn message(text: &str) -> Message {
    Message { name: Name::new("ann").unwrap(), account: None, at: Timestamp(0), text: Text::new(text).unwrap() }
}

fn submit(sequencer: &mut StoreSequencer, action: Action) {
    sequencer.submit(Change { at: Timestamp(0), uptime: Uptime(0), origin: Origin::SERVER, action });
}

fn say(sequencer: &mut StoreSequencer, text: &str) {
    submit(sequencer, Action::Say(RoomId::LOBBY, message(text)));
    assert!(matches!(
        sequencer.next().and_then(Sequenced::into_entry).map(|entry| entry.action),
        Some(Action::ContentPending(_))
    ));
}

/// A state in which the newest message of the lobby has this id.
fn state(last_id: u64) -> SharedState {
    let stored = StoredRoom { last_id: MessageId(last_id), ..StoredRoom::default() };
    SharedState::default().with_stored_room(RoomId::LOBBY, RoomName::lobby(), stored, Vec::new())
}

/// Ends turns until a batch is passed to the store, and waits for its result.
fn commit(sequencer: &mut StoreSequencer, last_id: u64) {
    sequencer.end_turn(&state(last_id));
    sequencer.end_turn(&state(last_id));
    assert!(sequencer.committing.is_some(), "nothing is committed");
    let deadline = Instant::now() + WAIT_MAX;
    while !sequencer.process_report() {
        assert!(Instant::now() < deadline, "no report of the store");
        std::thread::yield_now();
    }
}

/// Takes all entries. Returns the number of stored messages, and the number of refused ones.
fn results(sequencer: &mut StoreSequencer) -> (usize, usize) {
    let actions: Vec<_> = std::iter::from_fn(|| sequencer.next()?.into_entry()).map(|entry| entry.action).collect();
    let stored = actions.iter().filter(|action| matches!(action, Action::Say(..))).count();
    (stored, actions.len() - stored)
}

/// Otherwise the next batch would get ids that the last batch has, because the room has not applied all of its entries.
#[test]
fn end_turn_commits_nothing_while_entries_are_ready() {
    let directory = tempfile::tempdir().unwrap();
    let mut sequencer = sequencer(directory.path(), usize::MAX);
    say(&mut sequencer, "one");
    say(&mut sequencer, "two");
    commit(&mut sequencer, 0);
    assert!(
        matches!(sequencer.next().and_then(Sequenced::into_entry).map(|entry| entry.action), Some(Action::Say(..))),
        "the room applies one"
    );
    submit(&mut sequencer, Action::Say(RoomId::LOBBY, message("three")));
    for _ in 0..3 {
        sequencer.end_turn(&state(1));
    }
    assert!(sequencer.committing.is_none(), "a batch has the id of a stored message");
    results(&mut sequencer);
    commit(&mut sequencer, 2);
    assert_eq!(results(&mut sequencer), (1, 0));
}

#[test]
fn refused_message_takes_no_space_of_later_ones() {
    let directory = tempfile::tempdir().unwrap();
    let mut sequencer = sequencer(directory.path(), 2 * Content::Message(RoomId::LOBBY, message("text")).memory_cost());
    for last_id in [0, 2, 4] {
        for _ in 0..5 {
            say(&mut sequencer, "text");
        }
        commit(&mut sequencer, last_id);
        assert_eq!((results(&mut sequencer), sequencer.bytes), ((2, 3), 0));
    }
}

#[test]
fn failure_is_known_until_the_next_commit() {
    let directory = tempfile::tempdir().unwrap();
    let mut sequencer = sequencer(directory.path(), usize::MAX);
    assert_eq!(sequencer.failure(), None);
    for reason in ["disk full", "disk gone"] {
        sequencer.finish_batch(Err(CommitFailure { reason: reason.to_owned(), should_log: false }));
        assert_eq!(sequencer.failure(), Some(reason));
    }
    sequencer.finish_batch(Ok(Vec::new()));
    assert_eq!(sequencer.failure(), None);
}

/// Its author reads whether the message or the topic was refused.
#[test]
fn refused_change_keeps_its_kind() {
    let directory = tempfile::tempdir().unwrap();
    let mut sequencer = sequencer(directory.path(), 0);
    let topic = TopicChange { name: Name::new("ann").unwrap(), at: Timestamp(0), topic: None };
    submit(&mut sequencer, Action::SetTopic(RoomId::LOBBY, topic));
    assert!(matches!(
        sequencer.next().and_then(Sequenced::into_entry).map(|entry| entry.action),
        Some(Action::ContentPending(_))
    ));
    say(&mut sequencer, "text");
    commit(&mut sequencer, 0);
    let kinds = std::iter::from_fn(|| sequencer.next()?.into_entry()).filter_map(|entry| match entry.action {
        Action::ContentFailed(_, _, kind, _) => Some(kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [ContentKind::Topic, ContentKind::Message]);
}
