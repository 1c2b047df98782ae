//! Files of the store that another program truncates while the server runs.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;

use crate::common::{Client, Server};
use crate::paths::{history, refused, serve, store};

const WARNED: &str = "refusing new ones until chinwagd is restarted";

fn resize(path: &Path, change: impl Fn(u64) -> u64) {
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_len(change(file.metadata().expect("a length").len())).expect("its length changes");
}

/// A server with messages in the database and, after them, in the `-wal`.
fn server_with_messages(directory: &Path) -> (Server, Client) {
    let server = Server::spawn(&mut serve(directory, "chat.db"));
    let mut ann = server.join("ann");
    for text in ["one", "two"] {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("OK MSG ");
    }
    checkpoint(directory, "TRUNCATE");
    ann.send("MSG three");
    ann.expect_start("OK MSG ");
    (server, ann)
}

fn checkpoint(directory: &Path, mode: &str) {
    let file = Connection::open(directory.join("chat.db")).expect("it opens");
    let busy: bool = file.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0)).expect("it runs");
    assert!(!busy, "{mode}");
}

/// A length for the file, by its present length.
type Change = fn(u64) -> u64;

/// Truncates the file; messages are refused from then on. Returns the server's log.
fn refuses_after_truncation(directory: &Path, name: &str, change: Change) -> String {
    let (server, mut ann) = server_with_messages(directory);
    let before = directory.join(name).metadata().expect("a length").len();
    resize(&directory.join(name), change);
    let expect_refused = |ann: &mut Client| {
        ann.send("MSG refused");
        ann.expect_start("ERR MSG not-stored the message was not delivered: the store's file was truncated ");
    };
    expect_refused(&mut ann);
    if name.ends_with("-shm") {
        // Otherwise the next access to the mapped file would kill the server.
        assert_eq!(directory.join(name).metadata().expect("a length").len(), before, "it got its length back");
        ann.send("SEARCH three");
        ann.until_start("OK SEARCH ");
    }
    // The length alone does not bring the contents back.
    resize(&directory.join(name), |_| before);
    expect_refused(&mut ann);
    ann.expect_nothing();
    drop(ann);
    server.stop()
}

#[test]
fn truncated_file_refuses_messages_until_the_restart() {
    let cases: [(&str, Change, &[&str]); 5] = [
        ("chat.db", |bytes| bytes / 2, &[]),
        ("chat.db-wal", |_| 0, &["one", "two"]),
        ("chat.db-wal", |bytes| bytes - 1, &["one", "two"]),
        ("chat.db-shm", |_| 0, &["one", "two", "three"]),
        ("chat.db-shm", |bytes| bytes - 4096, &["one", "two", "three"]),
    ];
    for (name, change, kept) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        let log = refuses_after_truncation(directory.path(), name, change);
        assert_eq!(log.matches(WARNED).count(), 1, "{name}: {log}");
        assert_eq!(log.matches("refusing new ones").count(), 1, "the log has contradictory advice: {log}");
        assert!(log.contains(name), "{log}");
        // The lost messages cannot be restored, but the server does no further damage.
        if !kept.is_empty() {
            let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
            assert_eq!(history(&server), kept, "{name}");
            store(&server, "anew");
        }
    }
}

#[test]
fn emptied_database_refuses_messages_and_is_left_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let (server, mut ann) = server_with_messages(directory.path());
    resize(&directory.path().join("chat.db"), |_| 0);
    ann.send("MSG refused");
    ann.expect_start("ERR MSG not-stored the message was not delivered: the store's file was truncated ");
    drop(ann);
    assert_eq!(server.stop().matches(WARNED).count(), 1);
    assert_eq!(directory.path().join("chat.db").metadata().expect("a length").len(), 0);
    refused(directory.path(), "chat.db", "is empty, but ");
}

#[test]
fn checkpoint_by_another_program_is_harmless() {
    let directory = tempfile::tempdir().expect("a directory");
    let (directory, server) = (directory.path(), Server::spawn(&mut serve(directory.path(), "chat.db")));
    let mut said = Vec::new();
    let mut ann = server.join("ann");
    let mut say = |text: String| {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("OK MSG ");
        said.push(text);
    };
    let lengths =
        || ["chat.db", "chat.db-wal"].map(|name| fs::metadata(directory.join(name)).expect("it is there").len());
    for round in 0..3 {
        for mode in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
            say(format!("before {mode} {round}"));
            let [_, wal] = lengths();
            checkpoint(directory, mode);
            assert_eq!(lengths()[1] < wal, mode == "TRUNCATE", "{mode}");
            say(format!("after {mode} {round}"));
        }
        // The other program adds 4 MB and removes them.
        let file = Connection::open(directory.join("chat.db")).expect("it opens");
        file.execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (zeroblob(4000000))")
            .expect("it is written");
        checkpoint(directory, "TRUNCATE");
        say(format!("grown {round}"));
        let [grown, _] = lengths();
        file.execute_batch("DROP TABLE other; VACUUM").expect("it shrinks");
        checkpoint(directory, "TRUNCATE");
        assert!(lengths()[0] < grown, "it did not shrink");
        say(format!("shrunk {round}"));
    }
    drop(ann);
    let log = server.stop();
    assert!(!log.contains("refusing"), "{log}");
    assert_eq!(history(&Server::spawn(&mut serve(directory, "chat.db"))), said);
}
