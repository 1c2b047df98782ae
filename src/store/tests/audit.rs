//! Tests of the audit log in a file.

use super::rooms::commit_batch;
use super::*;
use crate::limits::AUDIT_STORED_MAX;
use crate::protocol::{AccountId, AuditAct, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord, SanctionId};

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

/// An entry with few values.
fn record(number: u64) -> AuditRecord {
    AuditRecord { number: AuditNumber(number), entry: AuditEntry::new(NOW, AuditAct::Unban) }
}

/// An entry with all values.
fn full_record(number: u64) -> AuditRecord {
    let by = AuditActor { name: name("Ёлка"), account: Some((AccountId(3), name("ann"))) };
    let entry = AuditEntry {
        at: NOW,
        by: Some(by),
        act: AuditAct::Ban,
        room: RoomName::new("#ops").ok(),
        target: AuditAct::Ban.parse_target("192.0.2.0/24").ok(),
        target_account: Some(AccountId(5)),
        sanction: Some(SanctionId(4)),
        message: Some(MessageId(17)),
        until: Some(Timestamp(NOW.0 + 1)),
        reason: Some(Text::new("too loud, and off topic").unwrap()),
    };
    AuditRecord { number: AuditNumber(number), entry }
}

fn all() -> AuditQuery {
    AuditQuery { before: None, limit: usize::MAX, room: None, by: None }
}

fn numbers(store: &Store, query: &AuditQuery) -> Vec<u64> {
    store.queries().read_audit(query).unwrap().into_iter().map(|record| record.number.0).collect()
}

fn commit_audit(store: &Store, audit: Vec<AuditRecord>) {
    commit_batch(store, Batch { audit, ..Batch::default() });
}

#[test]
fn entries_survive_and_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    assert_eq!((store.last_audit(), store.queries().read_audit(&all()).unwrap()), (AuditNumber(0), vec![]));
    let records = vec![record(1), full_record(2), record(4), full_record(5)];
    commit_audit(&store, records.clone());
    // Tried again after a failure whose fate was unknown.
    commit_audit(&store, records[2..].to_vec());
    assert_eq!(store.queries().read_audit(&all()).unwrap(), records, "while the store is open");
    close(store);
    let (store, _) = open_in_turn(&path);
    assert_eq!((store.last_audit(), store.queries().read_audit(&all()).unwrap()), (AuditNumber(5), records));
    let by = |raw: &str| AuditQuery { by: Some(name(raw)), ..all() };
    for (query, expected) in [
        (AuditQuery { limit: 2, ..all() }, vec![4, 5]),
        (AuditQuery { before: Some(AuditNumber(4)), limit: 2, ..all() }, vec![1, 2]),
        (AuditQuery { before: Some(AuditNumber(1)), ..all() }, vec![]),
        (AuditQuery { room: RoomName::new("#OPS").ok(), ..all() }, vec![2, 5]),
        (AuditQuery { room: RoomName::new("#dev").ok(), ..all() }, vec![]),
        (by("ёлка"), vec![2, 5]),
        (by("ANN"), vec![2, 5]),
        (by("bob"), vec![]),
        (AuditQuery { limit: 1, ..by("ann") }, vec![5]),
    ] {
        assert_eq!(numbers(&store, &query), expected, "{query:?}");
        let accepted = store.queries().read_audit(&all()).unwrap().into_iter().filter(|record| query.accepts(record));
        let accepted: Vec<_> = accepted.map(|record| record.number.0).collect();
        assert!(accepted.ends_with(&expected), "the entries in memory are selected alike: {query:?}");
    }
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn oldest_entries_make_room_for_new_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(1)).unwrap();
    let max = AUDIT_STORED_MAX as u64;
    commit_audit(&store, vec![record(1), record(2), full_record(3)]);
    let many = "WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i <= MAX)
                INSERT INTO audit (number, time, act) SELECT i, '2026-11-30T13:42:00.000Z', 'kick' FROM n";
    Connection::open(&path).unwrap().execute_batch(&many.replace("MAX", &max.to_string())).unwrap();
    let first = || numbers(&store, &AuditQuery { before: Some(AuditNumber(9)), ..all() });
    assert_eq!(first(), [1, 2, 3, 4, 5, 6, 7, 8]);
    commit_audit(&store, vec![full_record(max + 2)]);
    assert_eq!(first(), [1, 2, 3, 4, 5, 6, 7, 8], "there are {max} entries about the server");
    commit_audit(&store, vec![record(max + 3), record(max + 4)]);
    assert_eq!(first(), [3, 4, 5, 6, 7, 8], "--keep does not concern them");
    let of_rooms = many.replace("MAX", &(2 * max + 5).to_string()).replace("SELECT 4", &format!("SELECT {}", max + 5));
    let of_rooms = of_rooms.replace("act)", "act, room)").replace("'kick' FROM", "'kick', '#ops' FROM");
    Connection::open(&path).unwrap().execute_batch(&of_rooms).unwrap();
    commit_audit(&store, vec![full_record(2 * max + 7)]);
    assert_eq!(first(), [4, 5, 6, 7, 8], "only those about rooms");
    close(store);
}

#[test]
fn entries_of_other_programs_are_read_with_caution() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_audit(&store, (1..=6).map(full_record).collect());
    let damage = "UPDATE audit SET act = 'jail' WHERE number = 1;
        UPDATE audit SET time = x'00' WHERE number = 2;
        UPDATE audit SET until = 'tomorrow' WHERE number = 3;
        UPDATE audit SET moderator = 'a b' WHERE number = 4;
        UPDATE audit SET target_account = -1 WHERE number = 5;
        INSERT INTO audit (number, time, act) VALUES (-1, '', '')";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    assert_eq!(numbers(&store, &all()), [5, 6], "a number that is none counts as missing");
    assert_eq!(store.queries().read_audit(&all()).unwrap()[0].entry.target_account, None);
    close(store);
    Connection::open(&path).unwrap().execute_batch("DELETE FROM audit WHERE number > 0").unwrap();
    let (store, _) = open_in_turn(&path);
    assert_eq!(store.last_audit(), AuditNumber(0));
    close(store);
}

/// An operator reads the audit log while all file descriptors are in use: no file is opened for that.
#[test]
fn audit_log_is_read_without_a_new_file_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_audit(&store, vec![record(1)]);
    let moved = directory.path().join("moved.db");
    for suffix in ["", "-wal", "-shm"] {
        fs::rename(format!("{}{suffix}", path.display()), format!("{}{suffix}", moved.display())).unwrap();
    }
    assert_eq!(numbers(&store, &all()), [1]);
    close(store);
}

/// Otherwise a copy of the file alone might lack messages.
#[test]
fn store_that_is_closed_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let queries = store.queries().clone();
    commit_audit(&store, vec![record(1)]);
    assert_eq!(numbers(&store, &all()), [1]);
    close(store);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(queries.read_audit(&all()), Err("the server is shutting down".to_owned()));
}

/// Format 7 had no audit log.
#[test]
fn audit_log_of_a_file_of_version_7_begins_empty() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let file = Connection::open(&path).unwrap();
    file.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    file.pragma_update(None, "application_id", 0x6368_7767).unwrap();
    for migration in &MIGRATIONS[..7] {
        file.execute_batch(migration).unwrap();
    }
    file.execute_batch("INSERT INTO messages VALUES (1, 1, 1, '2026-11-20T12:44:29.138Z', 'ann', 'tea')").unwrap();
    file.execute_batch("UPDATE rooms SET last_id = 1; UPDATE state SET value = 1 WHERE key = 'last_seq'").unwrap();
    file.pragma_update(None, "user_version", 7).unwrap();
    drop(file);
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((ids(&found), store.last_audit(), numbers(&store, &all())), (vec![1], AuditNumber(0), vec![]));
    commit_audit(&store, vec![record(1)]);
    assert_eq!(numbers(&store, &all()), [1]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// The state knows only the authors of messages in memory.
#[test]
fn deletion_names_the_author_that_the_file_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let hers = StoredMessage { account: Some(AccountId(3)), ..past(2, "hers") };
    commit(&store, vec![past(1, "a guest's"), hers]);
    let by = |account| Some(AuditActor { name: name("mia"), account: Some((AccountId(account), name("mia"))) });
    let delete = |number, message, account| {
        let entry = AuditEntry::new(NOW, AuditAct::Delete);
        let (room, message) = (RoomName::new("#lobby").ok(), Some(MessageId(message)));
        AuditRecord { number: AuditNumber(number), entry: AuditEntry { by: by(account), room, message, ..entry } }
    };
    commit_audit(&store, vec![delete(1, 1, 3), delete(2, 2, 4), delete(3, 2, 3), delete(4, 9, 3)]);
    let found = store.queries().read_audit(&all()).unwrap();
    let shown = found.into_iter().map(|AuditRecord { number, entry: AuditEntry { target, target_account, .. } }| {
        (number.0, target.map(|target| target.to_string()), target_account)
    });
    let expected = [
        (1, Some("ann".to_owned()), None),
        (2, Some("ann".to_owned()), Some(AccountId(3))),
        // Their own message has no entry, and one that is gone has no author.
        (4, None, None),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    close(store);
}
