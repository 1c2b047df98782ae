//! The value of `--data` is always a path. The server locks and uses the file at that path, and finds it again at the next start.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Client, Server, command};

/// A server in this directory, with `data` as the user writes it.
pub(crate) fn serve(directory: &Path, data: &str) -> Command {
    let mut server = command(&["--listen", "127.0.0.1:0", "--log", "warn", "--line-rate", "0", "--data", data]);
    server.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    server
}

pub(crate) fn store(server: &Server, text: &str) {
    let mut ann = server.join("ann");
    ann.send(&format!("MSG {text}"));
    ann.until_start("OK MSG ");
}

pub(crate) fn history(server: &Server) -> Vec<String> {
    let mut reader = server.join("reader");
    reader.send("HISTORY 100");
    let told = reader.sync();
    told.iter().filter_map(|line| Some(line.strip_prefix("PAST ")?.splitn(4, ' ').nth(3)?.to_owned())).collect()
}

#[track_caller]
pub(crate) fn refused(directory: &Path, data: &str, why: &str) {
    let server = serve(directory, data);
    // If the server starts after all, it is ended, and the reason is missing.
    let mut in_time = Command::new("timeout");
    in_time.arg("20").arg(server.get_program()).args(server.get_args()).current_dir(directory);
    let output = in_time.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(why), "{data}: {told}");
}

#[test]
fn path_is_never_a_uri_or_memory() {
    for data in [":memory:", "file:x.db", "file:y.db?mode=memory", "file::memory:?cache=shared", "a?b#c%20d.db", " "] {
        let directory = tempfile::tempdir().expect("a directory");
        let server = Server::spawn(&mut serve(directory.path(), data));
        store(&server, "hello");
        assert!(directory.path().join(data).is_file(), "{data}");
        refused(directory.path(), data, "is in use by another chinwagd");
        server.signal("-KILL");
        drop(server);
        assert_eq!(history(&Server::spawn(&mut serve(directory.path(), data))), ["hello"], "{data}");
    }
}

#[test]
fn path_of_no_regular_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("directory")).expect("a directory");
    assert!(Command::new("mkfifo").arg(at("fifo")).status().expect("mkfifo runs").success());
    symlink("loop", at("loop")).expect("a link");
    let refused = |data: &str, why: &str| refused(directory.path(), data, why);
    refused("", "expected a path");
    refused("directory", "it is a directory");
    refused("directory/", "it is a directory");
    refused("new.db/", "Is a directory");
    refused("fifo", "it is a FIFO");
    refused("/dev/null", "it is a device");
    refused("loop", "Too many levels of symbolic links");
    for (name, make) in [("-wal", "mkdir"), ("-shm", "mkfifo"), ("-journal", "mkfifo"), ("-wal", "mkfifo")] {
        let data = format!("beside{name}{make}.db");
        let beside = at(&format!("{data}{name}"));
        assert!(Command::new(make).arg(beside).status().expect("it runs").success());
        refused(&data, "SQLite keeps a file of this name beside the store");
    }
}

#[test]
fn links_lead_to_one_file_with_one_lock() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    symlink("real.db", at("link.db")).expect("a link");
    let server = Server::spawn(&mut serve(directory.path(), "link.db"));
    store(&server, "hello");
    assert!(at("real.db-wal").is_file(), "SQLite uses the file, not the link");
    fs::hard_link(at("real.db"), at("hard.db")).expect("a link");
    for data in ["real.db", "link.db", "hard.db", at("real.db").to_str().expect("a path")] {
        refused(directory.path(), data, "is in use by another chinwagd");
    }
    server.signal("-KILL");
    drop(server);
    // The message is in the -wal beside the other name.
    refused(directory.path(), "hard.db", "its latest messages are still in ");
    let server = Server::spawn(&mut serve(directory.path(), "real.db"));
    assert_eq!(history(&server), ["hello"]);
    assert!(server.stop().contains("hard links"));
    assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "hard.db"))), ["hello"]);
}

#[test]
fn file_moved_without_its_wal_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    store(&server, "hello");
    server.signal("-KILL");
    drop(server);
    fs::rename(at("chat.db"), at("moved.db")).expect("it is moved");
    refused(directory.path(), "moved.db", "its latest messages are still in ");
    refused(directory.path(), "chat.db", "is empty, but ");
    fs::rename(at("chat.db-wal"), at("moved.db-wal")).expect("it is moved");
    assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "moved.db"))), ["hello"]);
}

/// An accident with the file of a running server.
type Accident = fn(&Path);

/// Sends a message and causes the accident; from then on messages are refused. Returns the server and the refused client.
fn displaced(directory: &Path, accident: Accident) -> (Server, Client) {
    let server = Server::spawn(&mut serve(directory, "chat.db"));
    let mut ann = server.join("ann");
    ann.send("MSG before");
    ann.expect_start("OK MSG ");
    accident(directory);
    for text in ["after", "again"] {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("ERR MSG not-stored the message was not delivered: the store's file ");
    }
    ann.expect_nothing();
    (server, ann)
}

const WARNED: &str = "refusing new ones until the file is back at its path";

#[test]
fn displaced_file_refuses_messages() {
    let accidents: [(&str, Accident); 6] = [
        ("deleted", |directory| fs::remove_file(directory.join("chat.db")).expect("it is there")),
        ("moved", |directory| fs::rename(directory.join("chat.db"), directory.join("old.db")).expect("it is there")),
        ("replaced", |directory| {
            fs::copy(directory.join("chat.db"), directory.join("copy.db")).expect("it is there");
            fs::rename(directory.join("copy.db"), directory.join("chat.db")).expect("it is there");
        }),
        ("wal deleted", |directory| fs::remove_file(directory.join("chat.db-wal")).expect("it is there")),
        ("wal replaced", |directory| {
            fs::remove_file(directory.join("chat.db-wal")).expect("it is there");
            fs::write(directory.join("chat.db-wal"), "").expect("a file");
        }),
        ("all deleted", |directory| {
            for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
                fs::remove_file(directory.join(name)).expect("it is there");
            }
        }),
    ];
    for (name, accident) in accidents {
        let directory = tempfile::tempdir().expect("a directory");
        let (server, ann) = displaced(directory.path(), accident);
        drop(ann);
        let log = server.stop();
        assert_eq!(log.matches(WARNED).count(), 1, "{name}: {log}");
        assert_eq!(log.matches("refusing new ones").count(), 1, "{name}: the log has contradictory advice: {log}");
        let wal = directory.path().join("chat.db-wal");
        assert!(wal.metadata().map_or(0, |wal| wal.len()) == 0, "{name}: it would be taken for that of another file");
        // The next server starts with what is there, and the file, wherever it is, has every acknowledged message.
        let kept = if name.starts_with("wal") { vec!["before".to_owned()] } else { vec![] };
        let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
        assert_eq!(history(&server), kept, "{name}");
        store(&server, "anew");
        drop(server);
        if name == "moved" {
            assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "old.db"))), ["before"]);
        }
    }
}

#[test]
fn restored_file_accepts_messages() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let (server, mut ann) = displaced(directory.path(), |directory| {
        fs::rename(directory.join("chat.db"), directory.join("old.db")).expect("it is there");
    });
    fs::rename(at("old.db"), at("chat.db")).expect("it is there");
    ann.send("MSG back");
    ann.expect_start("OK MSG ");
    drop(ann);
    server.stop();
    assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "chat.db"))), ["before", "back"]);
}
