//! Tests of deleted messages: nothing of their texts is left.

use std::time::Instant;

use super::rooms::{commit_batch, new_room};
use super::*;
use crate::limits::{STORE_CHECKPOINT_MS_MAX, STORE_CHECKPOINT_PAUSE_FACTOR};
use crate::store::store_path::companion;

const ANN: AccountId = AccountId(1);
const OPS: RoomId = RoomId(1);

/// A word that occurs nowhere else in the file.
const SECRET: &str = "xylophonist";

fn delete(room: RoomId, id: u64) -> Batch {
    Batch { moderation: vec![ModerationRecord::Deleted(room, MessageId(id))], ..Batch::default() }
}

fn delete_own(id: u64, author: AccountId) -> OwnDeletion {
    OwnDeletion { room: RoomId::LOBBY, id: MessageId(id), author }
}

/// Whether the file or its write-ahead log has the word.
fn has_secret(path: &Path) -> bool {
    // The log first: a checkpoint copies pages to the file before it truncates the log.
    let files = [companion(path, "-wal"), path.to_owned()];
    let contains =
        |bytes: Vec<u8>| bytes.windows(SECRET.len()).any(|found| found.eq_ignore_ascii_case(SECRET.as_bytes()));
    files.into_iter().filter_map(|file| fs::read(file).ok()).any(contains)
}

fn await_removal(path: &Path) {
    // A later try would take as long as this.
    let deadline =
        Instant::now() + WAIT_MAX.min(Duration::from_millis(STORE_CHECKPOINT_MS_MAX * STORE_CHECKPOINT_PAUSE_FACTOR));
    while has_secret(path) {
        assert!(Instant::now() < deadline, "the text is still in the files");
        thread::yield_now();
    }
}

/// The result of a search, and of `HISTORY`: the ids, and whether they have texts.
fn found(store: &Store, until: u64) -> (Vec<u64>, Vec<(u64, bool)>) {
    let all = query(store, Query::After(MessageId(0)), until);
    (find_ids(store, SECRET, until), all.rows.iter().map(|(id, _, _, text)| (*id, !text.is_empty())).collect())
}

/// A long text is on pages of its own, and a text that is not indexed yet is only in the table.
#[test]
fn text_is_removed_from_table_index_and_log() {
    let long = format!("{SECRET} {}", "word ".repeat(800));
    for text in [format!("the {SECRET} is here"), long] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (store, _) = open(&path, Retention::All).unwrap();
        commit(&store, vec![past(1, "tea"), past(2, &text), past(3, "coffee")]);
        assert_eq!(find_ids(&store, SECRET, 3), [2]);
        assert!(has_secret(&path));
        commit_batch(&store, delete(RoomId::LOBBY, 2));
        assert_eq!(found(&store, 3), (vec![], vec![(1, true), (2, false), (3, true)]));
        await_removal(&path);
        // Once more, and one that does not exist.
        commit_batch(&store, delete(RoomId::LOBBY, 2));
        commit_batch(&store, delete(OPS, 9));
        commit(&store, vec![past(4, &text)]);
        commit_batch(&store, delete(RoomId::LOBBY, 4));
        assert_eq!(found(&store, 4).0, [0; 0]);
        await_removal(&path);
        close(store);
        let (store, reopened) = open_in_turn(&path);
        let texts: Vec<_> = reopened.messages.iter().map(|message| message.past.text.is_some()).collect();
        assert_eq!((ids(&reopened), texts), (vec![1, 2, 3, 4], vec![true, false, true, false]));
        close(store);
        assert_eq!(integrity(&path), "ok");
    }
}

/// The index counts its rows: what is not in it must not be removed from it again.
#[test]
fn deleted_messages_are_evicted_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(1)).unwrap();
    commit(&store, vec![past(1, SECRET)]);
    for id in 1..5 {
        assert_eq!(find_ids(&store, SECRET, id), [id]);
        commit_batch(&store, delete(RoomId::LOBBY, id));
        commit(&store, vec![past(id + 1, SECRET)]);
        await_eviction(&store, id);
    }
    assert_eq!(find_ids(&store, SECRET, 5), [5]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn own_deletion_needs_the_account_of_the_author() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let own = StoredMessage { account: Some(ANN), ..past(1, SECRET) };
    let messages = vec![(RoomId::LOBBY, own), (RoomId::LOBBY, past(2, SECRET))];
    commit_batch(&store, Batch { messages, ..Batch::default() });
    let own_deletions = vec![
        delete_own(1, AccountId(2)),
        delete_own(2, ANN),
        delete_own(7, ANN),
        delete_own(1, ANN),
        delete_own(1, ANN),
    ];
    store.commit(Batch { own_deletions, ..Batch::default() });
    let result = match next_report(store.reports()) {
        Report::Committed(_, result) => result,
        report @ Report::Evicted(_) => panic!("{report:?}"),
    };
    assert_eq!(result, Ok(vec![false, false, false, true, true]));
    assert_eq!(found(&store, 2), (vec![2], vec![(1, false), (2, true)]));
    close(store);
    let (store, reopened) = open_in_turn(&path);
    let accounts: Vec<_> = reopened.messages.iter().map(|message| message.account).collect();
    assert_eq!(accounts, [Some(ANN), None]);
    close(store);
}

#[test]
fn hidden_message_is_shown_without_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let ops = vec![(OPS, past(1, SECRET))];
    commit_batch(&store, Batch { rooms: vec![new_room(OPS, "#ops", "ops1")], messages: ops, ..Batch::default() });
    commit(&store, vec![past(1, SECRET), past(2, SECRET)]);
    store.hidden().insert(RoomId::LOBBY, MessageId(1));
    assert_eq!(found(&store, 2), (vec![2], vec![(1, false), (2, true)]));
    assert!(!query_in(&store, OPS, Query::Last(1), 1).rows[0].3.is_empty(), "in another room");
    store.hidden().remove(RoomId::LOBBY, MessageId(1));
    assert_eq!(found(&store, 2), (vec![2, 1], vec![(1, true), (2, true)]));
    close(store);
}
