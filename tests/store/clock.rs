//! A wrong system clock deletes no messages: tests with the real server, whose clock libfaketime sets.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Server, command, needs};

const KEEP: [&str; 2] = ["--keep", "30d"];

/// A server whose clock is off by `clock` (in faketime's notation); `None` if libfaketime is missing.
fn serve(path: &Path, clock: Option<&str>) -> Option<Server> {
    let mut server = command(&["--listen", "127.0.0.1:0", "--log", "info", "--line-rate", "0"]);
    server.args(KEEP).arg("--data").arg(path).stderr(Stdio::piped());
    if let Some(clock) = clock {
        // Not through the program `faketime`, which would receive the signals instead of the server.
        server.env("LD_PRELOAD", libfaketime()?).env("FAKETIME", clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    Some(Server::spawn(&mut server))
}

/// The path of the library.
fn libfaketime() -> Option<String> {
    if !needs("faketime") {
        return None;
    }
    let told = Command::new("faketime").args(["-f", "+0d", "sh", "-c", "echo \"$LD_PRELOAD\""]).output();
    Some(String::from_utf8(told.expect("faketime runs").stdout).expect("a path").trim().to_owned())
}

/// Sends these messages. Returns the history afterwards, and the log.
fn session(path: &Path, clock: Option<&str>, texts: &[&str]) -> Option<(Vec<String>, String)> {
    let server = serve(path, clock)?;
    let mut ann = server.join("ann");
    for text in texts {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("OK MSG ");
    }
    // Old messages are deleted between two commits.
    for text in ["one", "two"] {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("OK MSG ");
    }
    ann.send("HISTORY 100");
    let mut told = Vec::new();
    loop {
        let line = ann.next().expect("an answer");
        match line.strip_prefix("PAST ") {
            Some(past) => told.push(past.splitn(4, ' ').nth(3).expect("a text").to_owned()),
            None => break,
        }
    }
    let log = server.stop();
    told.retain(|text| text != "one" && text != "two");
    Some((told, log))
}

const DOUBTED: &str = "the system clock is not trusted, so --keep deletes no messages by age";

#[test]
fn keep_age_ignores_a_clock_two_years_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let (_, log) = session(&path, None, &["1", "2", "3", "4", "5"]).expect("no wrong clock");
    assert!(!log.contains(DOUBTED), "{log}");
    let Some((_, log)) = session(&path, Some("-730d"), &["6"]) else { return };
    assert_eq!(log.matches(DOUBTED).count(), 1, "{log}");
    let (told, log) = session(&path, None, &["7"]).expect("no wrong clock");
    assert_eq!(told, ["1", "2", "3", "4", "5", "6", "7"]);
    assert!(!log.contains(DOUBTED), "the clock is near the one at the first end: {log}");
}

#[test]
fn keep_age_ignores_a_clock_two_years_ahead() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    session(&path, None, &["1", "2", "3"]).expect("no wrong clock");
    for _ in 0..2 {
        let Some((told, log)) = session(&path, Some("+730d"), &["4"]) else { return };
        assert_eq!(told[..3], ["1", "2", "3"]);
        assert_eq!(log.matches(DOUBTED).count(), 1, "{log}");
    }
    let (told, log) = session(&path, None, &[]).expect("no wrong clock");
    assert_eq!(told, ["1", "2", "3", "4", "4"]);
    assert!(!log.contains(DOUBTED), "{log}");
}

/// A clock that showed the year 10000, or a year before 1970, used to end the server or to write unreadable times.
#[test]
fn clock_out_of_range_is_clamped() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, clock, expected) in [
        ("late", "@9999-12-31 23:59:59", "9999-12-31T23:59:59."),
        ("early", "@1960-01-01 00:00:00", "1970-01-01T00:00:00.000Z"),
    ] {
        let path = directory.path().join(name);
        let Some((told, _)) = session(&path, Some(clock), &["1"]) else { return };
        assert_eq!(told, ["1"], "{name}");
        let file = rusqlite::Connection::open(&path).expect("it opens");
        let time: String = file.query_row("SELECT max(time) FROM messages", [], |row| row.get(0)).expect("a time");
        assert!(time.starts_with(expected), "{name}: {time}");
    }
    let years_on = directory.path().join("years-on");
    let Some((told, log)) = session(&years_on, Some("+20000000d"), &["1"]) else { return };
    assert_eq!(told, ["1"], "{log}");
    let (told, _) = session(&years_on, None, &["2"]).expect("no wrong clock");
    assert_eq!(told, ["1", "2"]);
}
