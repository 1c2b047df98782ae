//! Tests of copies of a file, of their restoration, and of checks.

use super::rooms::{commit_batch, new_room};
use super::*;
use crate::protocol::{AccountId, MessageId, ModerationRecord};
use crate::store::store_path::companion;

pub(super) const SILENT: Follow<'_> = &|_| {};

/// The problems that a check finds.
pub(super) fn problems(path: &Path) -> Vec<String> {
    ExistingStore::open(path).unwrap().check(SILENT).unwrap().problems
}

fn notes(path: &Path) -> Vec<String> {
    ExistingStore::open(path).unwrap().check(SILENT).unwrap().notes
}

pub(super) fn back_up(path: &Path, to: &Path) -> Result<(), CopyError> {
    let source = ExistingStore::open(path).map_err(CopyError::Source)?;
    let copy = PartialFile::create_new(to, &source)?;
    source.copy_to(&copy, NOW, SILENT)?;
    copy.put_in_place()
}

pub(super) fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, CopyError> {
    restore_at(from, to, NOW)
}

pub(super) fn restore_at(from: &Path, to: &Path, at: Timestamp) -> Result<Option<PathBuf>, CopyError> {
    let source = ExistingStore::open(from).map_err(CopyError::Source)?;
    let place = RestorePlace::lock(to, &source)?;
    let copy = PartialFile::create(place.path(), &source)?;
    source.copy_to(&copy, NOW, SILENT)?;
    place.put(copy, at)
}

/// The names in a directory.
pub(super) fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub(super) fn execute(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// Several pages of messages, in two rooms.
pub(super) fn store_messages(store: &Store) {
    let rooms = vec![new_room(RoomId(1), "#ops", "ops1")];
    let messages = (1..=3).map(|id| (RoomId(1), past(id, "tea in ops"))).collect();
    commit_batch(store, Batch { rooms, messages, ..Batch::default() });
    commit(store, (1..=40).map(|id| past(id, &format!("tea {id} {}", "x ".repeat(900)))).collect());
}

#[test]
fn backup_of_an_open_store_is_one_file_with_its_messages() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    store_messages(&store);
    assert!(companion(&at("chat.db"), "-wal").metadata().unwrap().len() > 0, "messages are only there");
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    commit(&store, vec![past(41, "later")]);
    let expected = ["backup.db", "chat.db", "chat.db-shm", "chat.db-wal"].map(str::to_owned);
    assert_eq!(names(directory.path()), expected.into());
    let copy = ExistingStore::open(&at("backup.db")).unwrap();
    let newest = past(40, "tea").past.at;
    let expected = StoreSummary { messages: 43, newest: Some(newest), backup_of: Some(NOW) };
    assert_eq!(copy.summary().unwrap(), expected);
    drop(copy);
    assert_eq!((problems(&at("backup.db")), problems(&at("chat.db"))), (vec![], vec![]));
    assert_eq!(names(directory.path()).len(), 4, "a check leaves nothing beside a backup");
    close(store);
}

#[test]
fn first_server_of_a_backup_begins_new_epochs() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // Not relaxed: a relaxed server that still runs is reason enough for new epochs.
    let (store, _) = open_with(&at("chat.db"), Durability::Full, Some("old"));
    store_messages(&store);
    let ann = accounts::account(AccountId(3), "ann");
    assert_eq!(
        try_commit(&store, Batch { accounts: vec![AccountWrite::Insert(ann.clone())], ..Batch::default() }),
        Ok(())
    );
    back_up(&at("chat.db"), &at("copied.db")).unwrap();
    close(store);
    restore(&at("copied.db"), &at("restored.db")).unwrap();
    for name in ["copied.db", "restored.db"] {
        let (store, found) = open_with(&at(name), Durability::Full, None);
        assert_eq!((found.epoch.to_string(), found.last_id), ("new".to_owned(), MessageId(40)), "{name}");
        assert_eq!((found.rooms[0].epoch.to_string(), found.rooms[0].last_id), ("new".to_owned(), MessageId(3)));
        assert_eq!(found.accounts.accounts, std::slice::from_ref(&ann));
        assert_eq!(found.accounts.last, AccountId(1_000_003), "numbers of accounts that were added later are skipped");
        assert_eq!(find_ids(&store, "tea", 40).len(), 40);
        close(store);
        // A new epoch begins only once.
        let options = Options { path: at(name), durability: Durability::Full, keep: Retention::All };
        let (store, found) = Store::open(&options, None, Token::truncated("newer"), 3, || NOW).unwrap();
        assert_eq!((found.epoch.to_string(), found.accounts.last), ("new".to_owned(), AccountId(1_000_003)));
        close(store);
    }
}

#[test]
fn wal_of_another_file_beside_a_backup_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    store_messages(&store);
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    commit(&store, vec![past(41, "later")]);
    // As after a crash.
    fs::copy(at("chat.db-wal"), at("crashed-wal")).unwrap();
    close(store);
    fs::copy(at("backup.db"), at("chat.db")).unwrap();
    fs::copy(at("crashed-wal"), at("chat.db-wal")).unwrap();
    let error = open(&at("chat.db"), Retention::All).unwrap_err().to_string();
    assert!(error.contains("is a copy, and ") && error.contains("chat.db-wal\" away and start again"), "{error}");
    let error = back_up(&at("chat.db"), &at("copy.db")).unwrap_err();
    assert!(matches!(error, CopyError::Source(OpenError::ForeignWal(_))), "nor is it copied: {error}");
    assert_eq!(fs::read(at("chat.db")).unwrap(), fs::read(at("backup.db")).unwrap(), "it is not changed");
    for suffix in ["-wal", "-journal"] {
        fs::write(companion(&at("copy.db"), suffix), "of another file").unwrap();
        let error = back_up(&at("backup.db"), &at("copy.db")).unwrap_err();
        assert!(matches!(error, CopyError::Journal(_)), "{error}");
        fs::rename(companion(&at("copy.db"), suffix), companion(&at("copy.db.partial"), suffix)).unwrap();
        let error = back_up(&at("backup.db"), &at("copy.db")).unwrap_err();
        assert!(matches!(error, CopyError::Journal(_)), "{error}");
        fs::remove_file(companion(&at("copy.db.partial"), suffix)).unwrap();
    }
    fs::remove_file(at("chat.db-wal")).unwrap();
    let (store, found) = open(&at("chat.db"), Retention::All).unwrap();
    assert_eq!(found.last_id, MessageId(40));
    commit(&store, vec![past(41, "another")]);
    // A crash of the server that uses it: now the -wal is its own.
    let (wal, file) = (fs::read(at("chat.db-wal")).unwrap(), fs::read(at("chat.db")).unwrap());
    close(store);
    fs::write(at("chat.db"), file).unwrap();
    fs::write(at("chat.db-wal"), wal).unwrap();
    assert_eq!(open(&at("chat.db"), Retention::All).unwrap().1.last_id, MessageId(41));
}

/// Also on pages that became free, which are copied.
#[test]
fn deleted_text_is_not_in_a_backup() {
    let secret = format!("xylophonist {}", "word ".repeat(700));
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    commit(&store, vec![past(1, "tea"), past(2, &secret), past(3, "coffee")]);
    let has_secret = |name| fs::read(at(name)).unwrap().windows(11).any(|found| found == b"xylophonist");
    back_up(&at("chat.db"), &at("before.db")).unwrap();
    assert!(has_secret("before.db"));
    let moderation = vec![ModerationRecord::Deleted(RoomId::LOBBY, MessageId(2))];
    commit_batch(&store, Batch { moderation, ..Batch::default() });
    back_up(&at("chat.db"), &at("after.db")).unwrap();
    assert!(!has_secret("after.db"));
    close(store);
}

/// Messages that were evicted leave their bytes on free pages.
#[test]
fn evicted_text_is_not_in_a_backup() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    commit(&store, (1..=40).map(|id| past(id, &format!("xylophonist {}", "word ".repeat(700)))).collect());
    close(store);
    // As a server does it, but the file keeps the pages.
    execute(&at("chat.db"), "PRAGMA secure_delete = FAST; DELETE FROM messages WHERE id < 40");
    let count = |name| fs::read(at(name)).unwrap().windows(11).filter(|found| found == b"xylophonist").count();
    assert!(count("chat.db") > 20, "the bytes are there");
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    // In the table and in the index.
    assert!(count("backup.db") <= 2, "{}", count("backup.db"));
    let backup = Connection::open(at("backup.db")).unwrap();
    assert_eq!(backup.query_row("PRAGMA freelist_count", [], |row| row.get::<_, u64>(0)), Ok(0));
}

#[test]
fn restored_store_keeps_the_old_one_with_its_wal() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    store_messages(&store);
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    let used = restore(&at("backup.db"), &at("chat.db")).unwrap_err();
    assert!(matches!(used, CopyError::Place(OpenError::Locked(_))), "{used}");
    commit(&store, vec![past(41, "later")]);
    // As after a crash.
    for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        fs::copy(at(name), at(&format!("crashed-{name}"))).unwrap();
    }
    close(store);
    let kept = restore(&at("backup.db"), &at("crashed-chat.db")).unwrap().expect("there was a store");
    assert_eq!(kept, at("crashed-chat.db.replaced-2027-01-15T08-00-00.000Z"));
    assert!(!at("crashed-chat.db-wal").exists() && !at("crashed-chat.db-shm").exists());
    assert_eq!(open(&at("crashed-chat.db"), Retention::All).unwrap().1.last_id, MessageId(40));
    let newest = "SELECT max(id) FROM messages";
    let newest: u64 = Connection::open(kept).unwrap().query_row(newest, [], |row| row.get(0)).unwrap();
    assert_eq!(newest, 41, "the old store has its newest message, too");
}

#[test]
fn unusable_backup_leaves_the_store_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (store, _) = open(&at("chat.db"), Retention::All).unwrap();
    store_messages(&store);
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    close(store);
    let before = fs::read(at("chat.db")).unwrap();
    let backup = fs::read(at("backup.db")).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        fs::write(at("bad.db"), bytes).unwrap();
        let error = restore(&at("bad.db"), &at("chat.db")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read(at("chat.db")).unwrap(), before);
        assert_eq!(names(directory.path()), ["backup.db", "bad.db", "chat.db"].map(str::to_owned).into());
    };
    check(&[], "is not a store of chinwagd");
    check(b"a diary", "is not a store of chinwagd");
    check(&backup[..backup.len() / 2], "is damaged");
    check(&backup[..backup.len() - 4096], "is damaged");
    let mut newer = backup.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    check(&newer, "has version 99, but this chinwagd supports versions up to 8");
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'";
    let root: usize = Connection::open(at("backup.db")).unwrap().query_row(root, [], |row| row.get(0)).unwrap();
    let mut damaged = backup.clone();
    damaged[4096 * (root - 1)] = 0x77;
    check(&damaged, "is damaged");
    let error = restore(&at("chat.db"), &at("chat.db")).unwrap_err();
    assert!(matches!(error, CopyError::SameFile(_)), "{error}");
    let error = restore(&at("none.db"), &at("chat.db")).unwrap_err().to_string();
    assert!(error.contains("none.db\": No such file or directory"), "{error}");
    fs::remove_file(at("bad.db")).unwrap();
    assert_eq!(restore(&at("backup.db"), &at("new.db")).unwrap(), None, "there was no store");
    assert_eq!(problems(&at("new.db")), [""; 0]);
}

#[test]
fn file_is_not_replaced_and_not_written_twice() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    close(open(&at("chat.db"), Retention::All).unwrap().0);
    fs::write(at("letter"), "dear").unwrap();
    let error = back_up(&at("chat.db"), &at("letter")).unwrap_err();
    assert!(matches!(error, CopyError::Exists(_)), "{error}");
    // Left behind by a process that was killed.
    fs::write(at("backup.db.partial"), "half").unwrap();
    let source = ExistingStore::open(&at("chat.db")).unwrap();
    let first = PartialFile::create_new(&at("backup.db"), &source).unwrap();
    let error = back_up(&at("chat.db"), &at("backup.db")).unwrap_err();
    assert!(matches!(error, CopyError::InProgress(_)), "{error}");
    fs::write(at("backup.db"), "in between").unwrap();
    let error = first.put_in_place().unwrap_err();
    assert!(matches!(error, CopyError::Exists(_)), "{error}");
    assert_eq!(fs::read(at("backup.db")).unwrap(), b"in between");
    assert!(!at("backup.db.partial").exists());
}

/// As a process that is killed after a complete copy leaves it behind.
#[test]
fn source_with_the_name_of_a_partial_file_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    close(open(&at("chat.db"), Retention::All).unwrap().0);
    back_up(&at("chat.db"), &at("x.db")).unwrap();
    fs::rename(at("x.db"), at("x.db.partial")).unwrap();
    fs::copy(at("x.db.partial"), at("before")).unwrap();
    for error in [back_up(&at("x.db.partial"), &at("x.db")), restore(&at("x.db.partial"), &at("x.db")).map(drop)] {
        let error = error.unwrap_err();
        assert!(matches!(error, CopyError::SourceIsPartial(_)), "{error}");
    }
    assert_eq!(fs::read(at("x.db.partial")).unwrap(), fs::read(at("before")).unwrap());
    assert!(!at("x.db").exists());
}

#[test]
fn file_that_is_found_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    close(open(&at("chat.db"), Retention::All).unwrap().0);
    fs::write(at("letter"), "dear").unwrap();
    fs::hard_link(at("letter"), at("backup.db.partial")).unwrap();
    let error = back_up(&at("chat.db"), &at("backup.db")).unwrap_err();
    assert!(error.to_string().contains("a hard link"), "{error}");
    assert_eq!(fs::read(at("letter")).unwrap(), b"dear");
    fs::remove_file(at("backup.db.partial")).unwrap();
    std::os::unix::fs::symlink(at("letter"), at("backup.db.partial")).unwrap();
    let error = back_up(&at("chat.db"), &at("backup.db")).unwrap_err();
    assert!(error.to_string().contains("it is a symbolic link"), "{error}");
    fs::remove_file(at("backup.db.partial")).unwrap();
    // Another program that has the file open cannot change the backup.
    fs::write(at("backup.db.partial"), "half").unwrap();
    let held = fs::File::options().write(true).open(at("backup.db.partial")).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(at("backup.db.partial"), Some(65534), None).unwrap();
        let error = back_up(&at("chat.db"), &at("backup.db")).unwrap_err();
        assert!(error.to_string().contains("a file of another user"), "{error}");
        std::os::unix::fs::chown(at("backup.db.partial"), Some(0), None).unwrap();
    }
    back_up(&at("chat.db"), &at("backup.db")).unwrap();
    held.set_len(0).unwrap();
    assert_eq!(problems(&at("backup.db")), [""; 0]);
}

/// A file of an older version is copied as it is.
#[test]
fn backup_of_an_older_version_is_migrated_and_begins_a_new_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for version in [1, 2, 3] {
        let (old, copy) = (at(&format!("{version}.db")), at(&format!("copy-{version}.db")));
        migration::older_file(&old, version, &[3, 4, 9], 70);
        back_up(&old, &copy).unwrap();
        assert_eq!(ExistingStore::open(&copy).unwrap().summary().unwrap().messages, 3);
        let [note] = &notes(&copy)[..] else { panic!("one note") };
        assert!(
            note.starts_with(&format!("the store has version {version}, and the next start migrates it")),
            "{note}"
        );
        let (store, found) = open(&copy, Retention::All).unwrap();
        assert_eq!((found.epoch.to_string().as_str(), ids(&found), found.last_id.0), ("first", vec![3, 4, 9], 70));
        close(store);
        assert_eq!(integrity(&copy), "ok");
    }
}

#[test]
fn check_finds_each_kind_of_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let check = |change: &str, expected: &[&str]| {
        let _ = fs::remove_file(&path);
        let (store, _) = open(&path, Retention::All).unwrap();
        store_messages(&store);
        let account = AccountWrite::Insert(accounts::account(AccountId(1), "ann"));
        assert_eq!(try_commit(&store, Batch { accounts: vec![account], ..Batch::default() }), Ok(()));
        assert_eq!(find_ids(&store, "tea", 40).len(), 40);
        close(store);
        assert_eq!(problems(&path), [""; 0]);
        execute(&path, change);
        assert_eq!(problems(&path), expected, "{change}");
    };
    check("UPDATE messages SET name = 'a b' WHERE id = 1", &["the table messages has rows that cannot be used: 2"]);
    check("UPDATE messages SET time = x'00' WHERE id = 9", &["the table messages has rows that cannot be used: 1"]);
    check(
        "UPDATE rooms SET name = 'ops' WHERE room = 2",
        &[
            "the table rooms has rows that cannot be used: 1",
            "messages of room 2, which the table rooms does not have: 3",
        ],
    );
    check(
        "UPDATE rooms SET last_id = 7 WHERE room = 1",
        &["#lobby: the ids up to 40 were given, but the table rooms says 7"],
    );
    check("UPDATE messages SET id = 100 WHERE id = 3 AND room = 2; UPDATE rooms SET last_id = 100 WHERE room = 2", &[]);
    check(
        "UPDATE messages SET id = 5000 - id WHERE room = 1; UPDATE rooms SET last_id = 5000",
        &["#lobby: messages whose ids are not above those of all earlier messages: 39"],
    );
    check(
        "UPDATE state SET value = 4 WHERE key = 'last_seq'",
        &["messages with a seq above last_seq in the table state: 39"],
    );
    check(
        "UPDATE messages SET account = 2 WHERE id = 2 AND room = 1",
        &["messages of accounts with a number above last_account in the table state: 1"],
    );
    check("UPDATE accounts SET name = ''", &["the table accounts has rows that cannot be used: 1"]);
    check(
        "UPDATE accounts SET password = 'secret'",
        &["the account ann has no valid password; set one with: chinwagd account password ann"],
    );
    check(
        "UPDATE state SET value = 0 WHERE key = 'last_account'",
        &["an account has the number 1, above last_account in the table state"],
    );
    check(
        "INSERT INTO account_tokens VALUES (9, 1, x'00', 'ci', '', '', NULL)",
        &["the table account_tokens has rows that cannot be used: 1"],
    );
    check(
        "INSERT INTO sanctions VALUES (1, 'no', NULL, '', '', '', NULL, NULL, NULL)",
        &["the table sanctions has rows that cannot be used: 1"],
    );
    check("INSERT INTO moderators VALUES (2, 'ann')", &["the table moderators has rows that cannot be used: 1"]);
    check("INSERT INTO invitations VALUES (2, 0)", &["the table invitations has rows that cannot be used: 1"]);
    check(
        "INSERT INTO audit (number, time, act) VALUES (1, '', '')",
        &["the table audit has rows that cannot be used: 1"],
    );
    check(
        "UPDATE messages SET text = 'coffee' WHERE room = 2 AND id = 2",
        &["the index lacks words of the message #ops 2; there may be more"],
    );
    check(
        "UPDATE messages SET text = 'tea' WHERE room = 2 AND id = 3",
        &["the index has words that are not in the text of the message #ops 3; there may be more"],
    );
}

/// The server does not start with these, or cannot store or find messages.
#[test]
fn check_finds_what_the_server_cannot_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let check = |change: &str, expected: &[&str]| {
        let _ = fs::remove_file(&path);
        let (store, _) = open(&path, Retention::All).unwrap();
        let rooms = vec![new_room(RoomId(1), "#ops", "ops1")];
        let messages = vec![(RoomId(1), past(1, "tea in ops"))];
        commit_batch(&store, Batch { rooms, messages, ..Batch::default() });
        close(store);
        execute(&path, change);
        assert_eq!(problems(&path), expected, "{change}");
    };
    check("DELETE FROM rooms WHERE room = 1", &["the table rooms lacks the first room"]);
    let unread = "the server cannot load the rooms: Invalid column type Blob at index: 5, name: topic";
    check(
        "UPDATE rooms SET topic = x'00' WHERE room = 2",
        &[
            unread,
            "the table rooms has rows that cannot be used: 1",
            "messages of room 2, which the table rooms does not have: 1",
        ],
    );
    check("UPDATE rooms SET lock = 'no' WHERE room = 1", &["the table rooms has rows that cannot be used: 1"]);
    check("UPDATE rooms SET owner = 'ann' WHERE room = 1", &["the table rooms has rows that cannot be used: 1"]);
    check(
        "UPDATE rooms SET last_id = 9223372036854775807 WHERE room = 1",
        &["#lobby: no id is left for a new message: last_id is 9223372036854775807"],
    );
    check(
        "UPDATE state SET value = 100 WHERE key = 'indexed'",
        &["messages that do not exist yet are marked as indexed: up to 100"],
    );
    for key in ["last_seq", "indexed", "last_account"] {
        let expected = format!("the table state has no number with the key {key}");
        check(&format!("DELETE FROM state WHERE key = '{key}'"), &[&expected]);
        check(&format!("UPDATE state SET value = 'nine' WHERE key = '{key}'"), &[&expected]);
    }
    check("DROP TABLE audit", &["the file has version 8, but lacks the table audit"]);
    check(
        "PRAGMA user_version = 7",
        &[
            "the file has version 7, but has the table invitations of version 8",
            "the file has version 7, but has the table audit of version 8",
        ],
    );
}

/// The rows that another program deletes are not missed: an operator may do that.
#[test]
fn ids_without_a_message_are_a_note() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(30)).unwrap();
    commit(&store, (1..=40).map(|id| past(id, "tea")).collect());
    await_eviction(&store, 10);
    close(store);
    assert_eq!(notes(&path), [""; 0], "evicted messages are not missed");
    execute(&path, "DELETE FROM messages WHERE id IN (20, 21, 40)");
    assert_eq!(problems(&path), [""; 0]);
    let [missing, orphans] = &notes(&path)[..] else { panic!("{:?}", notes(&path)) };
    assert!(missing.starts_with("#lobby: ids without a message: 3;"), "{missing}");
    assert!(orphans.starts_with("the index has words of messages that another program deleted"), "{orphans}");
}

#[test]
fn damaged_page_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    store_messages(&store);
    close(store);
    let intact = fs::read(&path).unwrap();
    let mut found = 0;
    for page in 1..intact.len() / 4096 {
        let mut bytes = intact.clone();
        bytes[page * 4096] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        // Some pages are the rest of a long row: a wrong byte there is a wrong text.
        let report = ExistingStore::open(&path).map(|store| store.check(SILENT));
        found += usize::from(!matches!(report, Ok(Ok(report)) if report.problems.is_empty()));
    }
    assert!(found * 2 > intact.len() / 4096, "{found} of {} pages", intact.len() / 4096);
}

/// Each byte of a text changes the words of a message, and the index does not have these.
#[test]
fn changed_byte_of_a_text_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "glockenspiel"), past(2, "tea")]);
    assert_eq!(find_ids(&store, "glockenspiel", 2), [1]);
    close(store);
    let mut bytes = fs::read(&path).unwrap();
    // In the table, after the name; in the index, the term has another byte before it.
    let place = bytes.windows(15).position(|found| found == b"annglockenspiel").expect("the row");
    bytes[place + 5] = b'k';
    fs::write(&path, bytes).unwrap();
    let found = problems(&path);
    assert!(found.len() == 1 && found[0].starts_with("the index "), "{found:?}");
}
