//! Tests of files of older versions.

use super::*;
use crate::protocol::{AccountId, ModerationRecord, Role, RoomLock};

/// Writes a file of an older version, with messages with these ids. Its server had given or reserved the ids up to `ids_up_to`.
pub(super) fn older_file(path: &Path, version: usize, ids: &[u64], ids_up_to: u64) {
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
fn migrated_file_gives_ids_above_all_older_ones() {
    for version in 1..=3 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        older_file(&path, version, &[3, 4, 9], 70);
        let (store, opened) = open(&path, Retention::All).unwrap();
        let (epoch, last) = (opened.epoch.to_string(), opened.last_id);
        assert_eq!((ids(&opened), &*epoch, last), (vec![3, 4, 9], "then", MessageId(70)), "{version}");
        commit(&store, vec![past(71, "not so old")]);
        assert_eq!(find_ids(&store, "old", 71), [71, 9, 4, 3]);
        assert_eq!(find_ids(&store, "елка", 71), [9, 4, 3]);
        assert_eq!(find_ids(&store, "елка", 8), [4, 3]);
        assert_eq!(query(&store, Query::After(MessageId(9)), 71).ids(), [71]);
        close(store);
        assert_eq!(integrity(&path), "ok");
    }
}

/// `tests/store/version-4.db` was written by chinwagd of commit 1019aa5, with `--keep "5 messages"`; only its path was changed.
#[test]
fn file_of_version_4_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    fs::write(&path, include_bytes!("../../../tests/store/version-4.db")).unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    let (epoch, last_id, before) = (found.epoch.to_string(), found.last_id.0, found.before.0);
    assert_eq!((epoch.as_str(), last_id, before), ("then", 9, 4));
    assert_eq!((found.rooms, found.last_room, found.topic), (vec![], RoomId::LOBBY, None));
    let all = query(&store, Query::After(MessageId(0)), 9);
    assert_eq!(all.evicted, [EvictedRange { after: MessageId(0), up_to: MessageId(4), oldest: MessageId(5) }]);
    assert_eq!(all.ids(), [5, 6, 7, 8, 9]);
    assert_eq!(all.rows[3].3, "Ёлка");
    // The words are indexed again, with the room.
    assert_eq!((find_ids(&store, "tea", 9), find_ids(&store, "елка", 9)), (vec![7, 6, 5], vec![8]));
    assert_eq!(find_ids(&store, "会議", 9), [9]);
    let rooms = vec![rooms::new_room(RoomId(1), "#ops", "ops1")];
    let messages = vec![(RoomId(1), past(1, "tea")), (RoomId::LOBBY, past(10, "tea"))];
    rooms::commit_batch(&store, Batch { rooms, messages, ..Batch::default() });
    assert_eq!(find_ids(&store, "tea", 10), [10, 7, 6, 5]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// `tests/store/version-5.db` was written by chinwagd of commit 0a079b2, with `--keep "5 messages"`; only its path was changed.
#[test]
fn file_of_version_5_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    fs::write(&path, include_bytes!("../../../tests/store/version-5.db")).unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((found.epoch.to_string().as_str(), found.last_id, found.before), ("then", MessageId(5), MessageId(1)));
    assert_eq!(found.topic, Some(Text::new("teas of the day").unwrap()));
    let [ops] = &found.rooms[..] else { panic!("{:?}", found.rooms) };
    assert_eq!((ops.name.to_string().as_str(), ops.last_id, found.last_room), ("#ops", MessageId(1), RoomId(1)));
    assert_eq!(ops.topic, Some(Text::new("on call").unwrap()));
    assert_eq!(found.accounts, StoredAccounts::default());
    assert_eq!(
        (query(&store, Query::After(MessageId(1)), 5).ids(), find_ids(&store, "会議", 5)),
        (vec![2, 3, 4, 5], vec![5])
    );
    let (ann, last) = (accounts::account(AccountId(1), "ann"), AccountId(1));
    let batch = Batch { accounts: vec![AccountWrite::Insert(ann.clone())], ..lobby_batch(vec![past(6, "tea")]) };
    assert_eq!(try_commit(&store, batch), Ok(()));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.accounts, StoredAccounts { accounts: vec![ann], last, resting: vec![] });
    assert_eq!(find_ids(&store, "tea", 6), [6, 3, 2]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// `tests/store/version-6.db` was written by chinwagd of commit b2a7c31.
#[test]
fn file_of_version_6_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    fs::write(&path, include_bytes!("../../../tests/store/version-6.db")).unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    let [ann] = &found.accounts.accounts[..] else { panic!("{:?}", found.accounts) };
    assert_eq!((ann.name.as_str(), ann.role, found.accounts.last), ("ann", Role::User, AccountId(1)));
    let [ops] = &found.rooms[..] else { panic!("{:?}", found.rooms) };
    assert_eq!((ops.name.to_string().as_str(), ops.last_id, &ops.rules), ("#ops", MessageId(1), &RoomRules::default()));
    assert_eq!((found.last_id, found.rules, found.sanctions), (MessageId(1), RoomRules::default(), vec![]));
    assert_eq!(find_ids(&store, "tea", 1), [1]);
    let rules = RoomRules { owner: Some(ann.id), ..RoomRules::default() };
    let moderation = vec![ModerationRecord::Rules(RoomId(1), rules.clone())];
    assert_eq!(try_commit(&store, Batch { moderation, ..Batch::default() }), Ok(()));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.rooms[0].rules, rules);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// `tests/store/version-7.db` was written by chinwagd of commit 6844ed9.
#[test]
fn file_of_version_7_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    fs::write(&path, include_bytes!("../../../tests/store/version-7.db")).unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    let (ann, mia) = (AccountId(1), AccountId(2));
    let rules = RoomRules { owner: Some(ann), moderators: [mia].into(), ..RoomRules::default() };
    let [ops] = &found.rooms[..] else { panic!("{:?}", found.rooms) };
    assert_eq!((ops.name.to_string().as_str(), &ops.rules), ("#ops", &rules), "the room is open");
    assert_eq!((found.rules, found.sanctions.len()), (RoomRules::default(), 1));
    let locked = RoomRules { lock: RoomLock::Invited, invited: [mia].into(), ..rules };
    let moderation = vec![ModerationRecord::Rules(RoomId(1), locked.clone())];
    assert_eq!(try_commit(&store, Batch { moderation, ..Batch::default() }), Ok(()));
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.rooms[0].rules, locked);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn migration_keeps_evicted_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    older_file(&path, 3, &[30, 31], 31);
    Connection::open(&path).unwrap().execute_batch("UPDATE state SET value = 29 WHERE key = 'dropped'").unwrap();
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!((ids(&found), found.before, found.last_id), (vec![30, 31], MessageId(29), MessageId(31)));
    let old = query(&store, Query::After(MessageId(28)), 31);
    assert_eq!(old.evicted, [EvictedRange { after: MessageId(28), up_to: MessageId(29), oldest: MessageId(30) }]);
    close(store);
}

/// With other rules, a deleted message would leave terms behind, and words with characters of a newer Unicode would not be found.
#[test]
fn index_with_other_rules_is_rebuilt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "tea"), past(2, "coffee")]);
    close(store);
    let other = "INSERT INTO words(words) VALUES ('delete-all'); INSERT INTO words(rowid, terms) VALUES (1, 'TEA9');
                 UPDATE state SET value = '0' WHERE key = 'word_rules'";
    Connection::open(&path).unwrap().execute_batch(other).unwrap();
    let (store, _) = open_in_turn(&path);
    assert_eq!((find_ids(&store, "tea", 2), find_ids(&store, "tea9", 2)), (vec![1], vec![]));
    close(store);
    assert_eq!(integrity(&path), "ok");
}
