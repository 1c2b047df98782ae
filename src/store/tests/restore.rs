//! Tests of restorations: what is in the place of the store at every moment, and what is not replaced.

use super::backup::{SILENT, back_up, execute, names, restore, restore_at, store_messages};
use super::*;
use crate::protocol::MessageId;
use crate::store::store_path::companion;

/// Copies the files of a directory: as they are found if the process is killed now.
fn snapshot(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// A crashed store with the messages up to 41, and a backup with those up to 40.
fn crashed_store(directory: &Path) {
    let at = |name: &str| directory.join(name);
    let (store, _) = open(&at("source.db"), Retention::All).unwrap();
    store_messages(&store);
    back_up(&at("source.db"), &at("backup.db")).unwrap();
    commit(&store, vec![past(41, "later")]);
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(companion(&at("source.db"), suffix), companion(&at("chat.db"), suffix)).unwrap();
    }
    close(store);
    fs::remove_file(at("source.db")).unwrap();
}

/// Restores the backup. Returns a copy of the directory as it is after each step.
fn restore_in_steps(directory: &Path) -> Vec<tempfile::TempDir> {
    let at = |name: &str| directory.join(name);
    let source = ExistingStore::open(&at("backup.db")).unwrap();
    let place = RestorePlace::lock(&at("chat.db"), &source).unwrap();
    let copy = PartialFile::create(place.path(), &source).unwrap();
    source.copy_to(&copy, NOW, SILENT).unwrap();
    let moments = std::cell::RefCell::new(Vec::new());
    let step = || {
        let moment = tempfile::tempdir().unwrap();
        snapshot(directory, &moment.path().join("found"));
        moments.borrow_mut().push(moment);
    };
    let kept = place.put_in_steps(copy, NOW, &step).unwrap().expect("there was a store");
    assert_eq!(kept, at("chat.db.replaced-2027-01-15T08-00-00.000Z"));
    moments.into_inner()
}

#[test]
fn killed_restoration_leaves_the_old_store_or_the_new_one() {
    for is_stopped in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        crashed_store(directory.path());
        if is_stopped {
            close(open(&path, Retention::All).unwrap().0);
            assert!(!companion(&path, "-wal").exists());
        }
        let found = restore_in_steps(directory.path()).into_iter().map(|moment| {
            let path = moment.path().join("found/chat.db");
            let first = match open(&path, Retention::All) {
                Ok((store, found)) => {
                    close(store);
                    return found.last_id.0.to_string();
                }
                Err(OpenError::ForeignWal(_)) => "refused",
                Err(error) => panic!("{error}"),
            };
            // The next restoration ends what this one began.
            restore_at(&moment.path().join("found/backup.db"), &path, Timestamp(NOW.0 + 1)).unwrap();
            assert_eq!(open(&path, Retention::All).unwrap().1.last_id, MessageId(40));
            first.to_owned()
        });
        let expected: &[&str] = if is_stopped { &["41", "40"] } else { &["41", "41", "refused", "40", "40"] };
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!(open(&path, Retention::All).unwrap().1.last_id, MessageId(40));
        let kept = directory.path().join("chat.db.replaced-2027-01-15T08-00-00.000Z");
        assert_eq!(open(&kept, Retention::All).unwrap().1.last_id, MessageId(41));
    }
}

/// SQLite would roll it back into the copy.
#[test]
fn journal_goes_with_the_old_store() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    crashed_store(directory.path());
    fs::write(at("chat.db-journal"), "changes").unwrap();
    let kept = restore(&at("backup.db"), &at("chat.db")).unwrap().expect("there was a store");
    assert_eq!(fs::read(companion(&kept, "-journal")).unwrap(), b"changes");
    assert!(companion(&kept, "-wal").exists());
    let left: BTreeSet<_> = names(directory.path()).into_iter().filter(|name| !name.contains(".replaced-")).collect();
    assert_eq!(left, ["backup.db", "chat.db"].map(str::to_owned).into());
    assert_eq!(open(&at("chat.db"), Retention::All).unwrap().1.last_id, MessageId(40));
}

#[test]
fn store_that_was_started_meanwhile_is_not_moved() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    crashed_store(directory.path());
    let source = ExistingStore::open(&at("backup.db")).unwrap();
    let place = RestorePlace::lock(&at("new.db"), &source).unwrap();
    let copy = PartialFile::create(place.path(), &source).unwrap();
    source.copy_to(&copy, NOW, SILENT).unwrap();
    let (store, _) = open(&at("new.db"), Retention::All).unwrap();
    commit(&store, vec![past(1, "new")]);
    let error = place.put(copy, NOW).unwrap_err();
    assert!(matches!(error, CopyError::Exists(_)), "{error}");
    commit(&store, vec![past(2, "newer")]);
    close(store);
    assert_eq!(open(&at("new.db"), Retention::All).unwrap().1.last_id, MessageId(2));
    assert!(names(directory.path()).iter().all(|name| !name.contains("replaced") && !name.contains("partial")));
}

/// A database and its `-wal` are not separated.
#[test]
fn wal_without_its_database_is_not_moved() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    crashed_store(directory.path());
    fs::rename(at("chat.db"), at("moved.db")).unwrap();
    let wal = fs::read(at("chat.db-wal")).unwrap();
    for is_empty in [false, true] {
        if is_empty {
            fs::write(at("chat.db"), "").unwrap();
        }
        let error = restore(&at("backup.db"), &at("chat.db")).unwrap_err();
        assert!(matches!(&error, CopyError::Orphan(path) if *path == at("chat.db-wal")), "{error}");
        assert_eq!(fs::read(at("chat.db-wal")).unwrap(), wal);
    }
    fs::remove_file(at("chat.db-wal")).unwrap();
    assert_eq!(restore(&at("backup.db"), &at("chat.db")).unwrap(), None, "there was no store");
}

#[test]
fn other_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    crashed_store(directory.path());
    fs::write(at("passwd"), "root:x:0:0:".repeat(20)).unwrap();
    execute(&at("diary.db"), "CREATE TABLE days (text)");
    for name in ["passwd", "diary.db"] {
        let before = fs::read(at(name)).unwrap();
        let error = restore(&at("backup.db"), &at(name)).unwrap_err();
        assert!(error.to_string().contains("is not a store of chinwagd, and was not changed"), "{error}");
        assert_eq!(fs::read(at(name)).unwrap(), before);
    }
    // A damaged store is one.
    let mut bytes = fs::read(at("chat.db")).unwrap();
    bytes[..16].fill(0);
    bytes.truncate(5000);
    fs::write(at("chat.db"), bytes).unwrap();
    assert!(restore(&at("backup.db"), &at("chat.db")).unwrap().is_some());
}

/// Root must not be led to another file by the user of the server.
#[test]
fn root_follows_only_its_own_links() {
    use std::os::unix::fs::{chown, lchown, symlink};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    crashed_store(directory.path());
    symlink("chat.db", at("link.db")).unwrap();
    symlink("none.db", at("dangling.db")).unwrap();
    lchown(at("link.db"), Some(65534), None).unwrap();
    let refused = |name| {
        let error = restore(&at("backup.db"), &at(name)).unwrap_err();
        assert!(matches!(error, CopyError::Link(_)), "{error}");
    };
    refused("link.db");
    lchown(at("link.db"), Some(0), None).unwrap();
    chown(directory.path(), Some(65534), None).unwrap();
    refused("link.db");
    refused("dangling.db");
    assert!(!at("none.db").exists());
    chown(directory.path(), Some(0), None).unwrap();
    assert!(restore(&at("backup.db"), &at("link.db")).unwrap().is_some());
    assert!(at("link.db").is_symlink() && !at("chat.db-wal").exists());
}
