//! Tests of several rooms in one file.

use rusqlite::StatementStatus;

use super::*;
use crate::store::terms::WordQuery;
use crate::store::words;

const OPS: RoomId = RoomId(1);
const DEV: RoomId = RoomId(7);

pub(super) fn new_room(room: RoomId, name: &str, epoch: &str) -> NewRoom {
    NewRoom { room, name: RoomName::new(name).unwrap(), epoch: Token::truncated(epoch), rules: RoomRules::default() }
}

/// A batch that creates `#ops` and `#dev`, with some messages.
fn first_batch() -> Batch {
    Batch {
        rooms: vec![new_room(OPS, "#ops", "ops1"), new_room(DEV, "#dev", "dev1")],
        messages: [(OPS, 1, "tea"), (RoomId::LOBBY, 1, "tea"), (DEV, 1, "coffee"), (OPS, 2, "coffee"), (DEV, 2, "tea")]
            .map(|(room, id, text)| (room, past(id, text)))
            .into(),
        topics: vec![(OPS, Some(text("on call: ann"))), (OPS, Some(text("on call: bob")))],
        ..Batch::default()
    }
}

fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

fn message(room: RoomId, id: u64) -> Batch {
    Batch { messages: vec![(room, past(id, "hi"))], ..Batch::default() }
}

fn topic(room: RoomId, topic: Option<&str>) -> Batch {
    Batch { topics: vec![(room, topic.map(text))], ..Batch::default() }
}

pub(super) fn commit_batch(store: &Store, batch: Batch) {
    assert_eq!(try_commit(store, batch), Ok(()));
}

/// A stored room, without its number: name, epoch, last id, evicted id, topic.
type Shown = (String, String, u64, u64, Option<String>);

fn shown(rooms: &[RoomRecord]) -> Vec<Shown> {
    let show = |room: &RoomRecord| {
        let topic = room.topic.as_ref().map(ToString::to_string);
        (room.name.to_string(), room.epoch.to_string(), room.last_id.0, room.evicted.0, topic)
    };
    rooms.iter().map(show).collect()
}

fn row(name: &str, epoch: &str, last_id: u64, evicted: u64, topic: Option<&str>) -> Shown {
    (name.into(), epoch.into(), last_id, evicted, topic.map(Into::into))
}

#[test]
fn reopened_store_has_rooms_with_ids_and_topics() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((found.rooms, found.last_room, found.topic), (vec![], RoomId::LOBBY, None));
    commit_batch(&store, first_batch());
    commit_batch(&store, topic(RoomId::LOBBY, Some("be kind")));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.rooms.iter().map(|room| room.room).collect::<Vec<_>>(), [OPS, DEV]);
    let expected = [row("#ops", "ops1", 2, 0, Some("on call: bob")), row("#dev", "dev1", 2, 0, None)];
    assert_eq!(shown(&found.rooms), expected);
    assert_eq!((ids(&found), found.last_id, found.last_room), (vec![1], MessageId(1), DEV));
    assert_eq!(found.topic, Some(text("be kind")));
    // Ids continue in each room.
    for room in [OPS, DEV] {
        assert!(try_commit(&store, message(room, 2)).unwrap_err().contains("UNIQUE"));
        commit_batch(&store, message(room, 3));
    }
    commit_batch(&store, topic(OPS, None));
    commit_batch(&store, topic(RoomId::LOBBY, None));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(shown(&found.rooms), [row("#ops", "ops1", 3, 0, None), row("#dev", "dev1", 3, 0, None)]);
    assert_eq!((found.topic, found.last_id), (None, MessageId(1)));
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn query_reads_one_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_batch(&store, first_batch());
    let check = |room: RoomId, of: Query, until: u64, expected: &[u64]| {
        let result = query_in(&store, room, of.clone(), until);
        assert_eq!(result.ids(), expected, "{of:?} in {room:?}");
        assert!(result.is_complete());
    };
    for (room, tea) in [(RoomId::LOBBY, vec![1]), (OPS, vec![1]), (DEV, vec![2])] {
        let all: Vec<u64> = if room == RoomId::LOBBY { vec![1] } else { vec![1, 2] };
        check(room, Query::Last(9), 9, &all);
        check(room, Query::Last(1), 9, &all[all.len() - 1..]);
        check(room, Query::After(MessageId(0)), 9, &all);
        check(room, Query::After(MessageId(1)), 9, &all[1..]);
        check(room, Query::After(MessageId(0)), 1, &[1]);
        check(room, Query::Words(text("tea")), 9, &tea);
    }
    check(DEV, Query::Words(text("tea")), 1, &[]);
    check(RoomId::LOBBY, Query::Words(text("coffee")), 9, &[]);
    // The prefix of a room is not a word of a message.
    check(RoomId::LOBBY, Query::Words(text("2°tea")), 9, &[]);
    // A room that is not in the file.
    for of in [Query::Last(9), Query::After(MessageId(0)), Query::Words(text("tea"))] {
        check(RoomId(3), of, 9, &[]);
    }
    // Even a wrong index does not show a message of another room.
    let wrong = "INSERT INTO words(rowid, terms) SELECT seq, 'milk' FROM messages";
    Connection::open(&path).unwrap().execute_batch(wrong).unwrap();
    check(RoomId::LOBBY, Query::Words(text("milk")), 9, &[1]);
    close(store);
}

#[test]
fn failed_batch_leaves_no_room_topic_or_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "one")]);
    let again = (RoomId::LOBBY, past(1, "one again"));
    let mut failing = first_batch();
    failing.messages.retain(|(room, _)| *room != RoomId::LOBBY);
    let first = failing.clone();
    failing.messages.push(again);
    let error = try_commit(&store, failing).unwrap_err();
    assert!(error.contains("UNIQUE"), "{error}");
    assert_eq!(query_in(&store, OPS, Query::Last(9), 9).ids(), [0; 0]);
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!((found.rooms, found.last_room, found.last_id), (vec![], RoomId::LOBBY, MessageId(1)));
    commit_batch(&store, first);
    assert_eq!(query_in(&store, OPS, Query::Last(9), 9).ids(), [1, 2]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// Otherwise messages would be acknowledged that no restart finds again.
#[test]
fn batch_for_missing_room_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    for batch in [message(OPS, 1), topic(OPS, Some("tea"))] {
        assert_eq!(try_commit(&store, batch), Err("the store's file lacks a room that has messages".to_owned()));
    }
    commit_batch(&store, Batch { rooms: vec![new_room(OPS, "#ops", "ops1")], ..message(OPS, 1) });
    // A room is created only once.
    let again = Batch { rooms: vec![new_room(OPS, "#ops2", "ops2")], ..message(OPS, 2) };
    assert!(try_commit(&store, again).unwrap_err().contains("UNIQUE"));
    close(store);
    assert_eq!(shown(&open_in_turn(&path).1.rooms), [row("#ops", "ops1", 1, 0, None)]);
}

#[test]
fn empty_rooms_are_removed_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(1)).unwrap();
    let rooms = [(1, "#evicted"), (2, "#topic"), (3, "#cleared"), (4, "#newest")];
    let rooms = rooms.map(|(room, name)| new_room(RoomId(room), name, "old"));
    let topics = [(2, Some("tea")), (3, Some("tea")), (3, None)];
    commit_batch(
        &store,
        Batch {
            rooms: rooms.into(),
            messages: [(0, 1), (1, 1), (1, 2), (2, 1), (4, 1)].map(|(room, id)| (RoomId(room), past(id, "hi"))).into(),
            topics: topics.map(|(room, topic)| (RoomId(room), topic.map(text))).into(),
            ..Batch::default()
        },
    );
    let Report::Evicted(evicted) = next_report(store.reports()) else { panic!("nothing is evicted") };
    assert_eq!(evicted, [(0, 1), (1, 2), (2, 1)].map(|(room, id)| (RoomId(room), MessageId(id))));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(shown(&found.rooms), [row("#topic", "old", 1, 1, Some("tea")), row("#newest", "old", 1, 0, None)]);
    assert_eq!((found.last_room, found.before, found.last_id), (RoomId(4), MessageId(1), MessageId(1)));
    // The name is free again, and ids begin with 1.
    let batch = Batch { rooms: vec![new_room(RoomId(5), "#evicted", "new")], ..message(RoomId(5), 1) };
    commit_batch(&store, batch);
    close(store);
    let found = open_in_turn(&path).1;
    assert_eq!(shown(&found.rooms)[2], row("#evicted", "new", 1, 0, None));
}

#[test]
fn removed_room_leaves_file_unless_it_has_contents() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(1)).unwrap();
    let rooms = [(1, "#message"), (2, "#topic"), (3, "#empty")].map(|(room, name)| new_room(RoomId(room), name, "old"));
    commit_batch(
        &store,
        Batch {
            rooms: rooms.into(),
            messages: [(3, 1), (2, 1), (1, 1)].map(|(room, id)| (RoomId(room), past(id, "hi"))).into(),
            topics: vec![(RoomId(2), Some(text("tea")))],
            ..Batch::default()
        },
    );
    let Report::Evicted(_) = next_report(store.reports()) else { panic!("nothing is evicted") };
    let names = || -> Vec<String> {
        let file = Connection::open(&path).unwrap();
        let mut rows = file.prepare("SELECT name FROM rooms ORDER BY room").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    assert_eq!(names(), ["#lobby", "#message", "#topic", "#empty"]);
    commit_batch(&store, Batch { removed_rooms: [1, 2, 3].map(RoomId).into(), ..Batch::default() });
    assert_eq!(names(), ["#lobby", "#message", "#topic"]);
}

#[test]
fn eviction_goes_over_all_rooms_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(3)).unwrap();
    commit_batch(&store, first_batch());
    let Report::Evicted(evicted) = next_report(store.reports()) else { panic!("nothing is evicted") };
    assert_eq!(evicted, [(RoomId::LOBBY, MessageId(1)), (OPS, MessageId(1))]);
    let old = query_in(&store, OPS, Query::After(MessageId(0)), 9);
    let range = EvictedRange { after: MessageId(0), up_to: MessageId(1), oldest: MessageId(2) };
    assert_eq!((old.ids(), old.evicted), (vec![2], vec![range]));
    let old = query_in(&store, RoomId::LOBBY, Query::After(MessageId(0)), 9);
    assert_eq!(old.evicted, [EvictedRange { after: MessageId(0), up_to: MessageId(1), oldest: MessageId(2) }]);
    assert!(query_in(&store, DEV, Query::After(MessageId(0)), 9).is_complete());
    commit(&store, vec![past(7, "seven")]);
    let Report::Evicted(evicted) = next_report(store.reports()) else { panic!("nothing is evicted") };
    assert_eq!(evicted, [(DEV, MessageId(1))]);
    assert_eq!(query_in(&store, OPS, Query::After(MessageId(0)), 9).evicted, [range]);
    assert_eq!(query_in(&store, OPS, Query::Words(text("tea")), 9).ids(), [0; 0]);
    close(store);
    let found = open_in_turn(&path).1;
    assert_eq!(shown(&found.rooms)[0], row("#ops", "ops1", 2, 1, Some("on call: bob")));
    assert_eq!(integrity(&path), "ok");
}

/// The epochs of the first room and of `#ops` after a run with this durability and end, if the next run has this durability and
/// `--epoch`. Before, they were `old` and `ops1`.
fn epochs_after(first: Durability, is_clean: bool, next: Durability, epoch: Option<&str>) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open_with(&path, first, Some("old"));
    commit_batch(&store, first_batch());
    if is_clean {
        close(store);
    } else {
        drop(store);
    }
    let epochs = |found: &StoredState| {
        let [ops, dev] = &*found.rooms else { panic!("{found:?}") };
        assert_eq!(ops.epoch == Token::truncated("ops1"), dev.epoch == Token::truncated("dev1"));
        (found.epoch.to_string(), ops.epoch.to_string())
    };
    let (store, found) = open_with(&path, next, epoch);
    close(store);
    let (store, later) = open_with(&path, Durability::Full, None);
    close(store);
    assert_eq!(epochs(&found), epochs(&later), "a new epoch begins only once");
    epochs(&found)
}

/// Ids that may be given again are given in another epoch.
#[test]
fn all_rooms_begin_a_new_epoch_when_ids_may_repeat() {
    let check = |first, is_clean, next, epoch, lobby: &str, ops: &str| {
        let epochs = epochs_after(first, is_clean, next, epoch);
        assert_eq!(epochs, (lobby.to_owned(), ops.to_owned()), "{first:?} {is_clean} {next:?} {epoch:?}");
    };
    for next in [Durability::Full, Durability::Relaxed] {
        check(Durability::Full, true, next, None, "old", "ops1");
        check(Durability::Full, false, next, None, "old", "ops1");
        check(Durability::Relaxed, true, next, None, "old", "ops1");
        check(Durability::Relaxed, false, next, None, "new", "new");
        // The same --epoch is in the command line of every start. After a restored backup, it is another one.
        check(Durability::Full, false, next, Some("old"), "old", "ops1");
        check(Durability::Full, true, next, Some("restored"), "restored", "new");
        check(Durability::Relaxed, true, next, Some("old"), "old", "ops1");
        // The operator insists on the epoch of the first room, and gets a warning.
        check(Durability::Relaxed, false, next, Some("old"), "old", "new");
        check(Durability::Relaxed, false, next, Some("restored"), "restored", "new");
    }
}

/// Other programs should not write to the file. If they do, the server starts, and gives no id and no number again.
#[test]
fn rooms_of_another_program_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_batch(&store, first_batch());
    close(store);
    let rows = "UPDATE rooms SET epoch = 'two words', last_id = 1 WHERE name = '#ops';
                UPDATE rooms SET topic = '\u{200b}' WHERE name = '#dev';
                INSERT INTO rooms (room, name, epoch, last_id, evicted, topic, owner) VALUES (9, 'no name', 'e', 4, 0, 'tea', 1), (0, '#zero', 'e', 4, 0, 'tea', 1),
                    (-1, '#less', 'e', 4, 0, 'tea', 1), (4294967297, '#great', 'e', 4, 0, 'tea', 1);
                INSERT INTO messages (seq, room, id, time, name, text) VALUES (6, 12, 1, '2026-11-20T12:44:29.138Z', 'eve', 'tea')";
    Connection::open(&path).unwrap().execute_batch(rows).unwrap();
    let (store, found) = open_with(&path, Durability::Full, None);
    let expected = [row("#ops", "new", 2, 0, Some("on call: bob")), row("#dev", "dev1", 2, 0, None)];
    assert_eq!(shown(&found.rooms), expected);
    assert_eq!(found.last_room, RoomId(11));
    // Otherwise no message of the room could be stored, nor any that is committed together with one.
    let batch = Batch { rooms: vec![new_room(RoomId(12), "#great", "great1")], ..message(RoomId(12), 1) };
    commit_batch(&store, batch);
    close(store);
    let (store, found) = open_with(&path, Durability::Full, None);
    assert_eq!(shown(&found.rooms)[2], row("#great", "great1", 1, 0, None));
    assert_eq!(found.rooms[0].epoch, Token::truncated("new"));
    close(store);
}

/// SQLite counts the steps of its virtual machine: some for each match that it reads.
#[test]
fn search_of_small_room_reads_no_matches_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_batch(&store, first_batch());
    // The matches of the first room are between the match and the last message.
    commit_batch(&store, Batch { messages: vec![(OPS, past(3, "a word of ops"))], ..Batch::default() });
    commit(&store, many_messages(2..=5000));
    commit_batch(&store, message(OPS, 4));
    assert_eq!(query_in(&store, OPS, Query::Words(text("word")), 4).ids(), [3]);
    let file = Connection::open(&path).unwrap();
    let steps = |room: RoomId, until: u64| {
        let steps = words::find(&file, room, &WordQuery::new("word"), MessageId(until), |mut rows| {
            rows.next()?.expect("there is one");
            Ok(rows.as_ref().expect("it has not ended").reset_status(StatementStatus::VmStep))
        });
        steps.unwrap()
    };
    let (few, same) = (steps(OPS, 4), steps(RoomId::LOBBY, 5000));
    assert!(few <= same + 5, "{few} steps in a room with one match, and {same} in the room with the others");
    close(store);
}
