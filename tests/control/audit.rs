//! `chinwagd audit`.

use std::path::Path;
use std::process::{Command, Output, Stdio};
#[cfg(feature = "store")]
use std::time::Instant;

use serde_json::{Value, json};

#[cfg(feature = "store")]
use super::common::DEADLINE;
use super::{ControlledServer, stderr, stdout};

/// Runs a command of `chinwagd` with this control socket.
fn run(path: &Path, name: &str, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args([name, "--control"]).arg(path).args(words).stdin(Stdio::null());
    command.output().expect("it runs")
}

fn moderate(server: &ControlledServer, words: &[&str]) -> String {
    stdout(run(&server.path, "moderate", words))
}

/// The lines of `chinwagd audit`, without the times.
fn audit(server: &ControlledServer, words: &[&str]) -> Vec<String> {
    let shown = |line: &str| {
        let mut words: Vec<_> = line.split(' ').filter(|word| !word.starts_with("until=20")).collect();
        assert!(words.remove(1).starts_with("20"), "{line}");
        words.join(" ")
    };
    stdout(run(&server.path, "audit", words)).lines().map(shown).collect()
}

#[test]
fn audit_without_a_store_is_in_memory() {
    let server = ControlledServer::start(&[]);
    let empty = run(&server.path, "audit", &[]);
    assert!(empty.status.success() && empty.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&empty.stderr), "chinwagd: the audit log has no such entries\n");
    let mut bob = server.server.join("bob");
    for words in [&["MUTE", "bob", "10m", "too", "loud"][..], &["#lobby", "KICK", "bob"], &["BAN", "192.0.2.0/24"]] {
        moderate(&server, words);
    }
    bob.until("LEAVE bob kicked by the operator");
    let expected = [
        "1 - mute server bob sanction=1 stored=no reason=too loud",
        "2 - kick #lobby bob stored=no",
        "3 - ban server 192.0.2.0/24 sanction=2 until=never stored=no",
    ];
    assert_eq!(audit(&server, &[]), expected);
    assert_eq!(audit(&server, &["--limit", "2"]), expected[1..]);
    assert_eq!(audit(&server, &["--room", "#LOBBY"]), expected[1..2]);
    assert_eq!(stdout(run(&server.path, "audit", &["--by", "bob", "--json"])), "");
    let json = stdout(run(&server.path, "audit", &["--json", "--limit=1"]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["target"], &json["stored"], &json["by"]), (&json!("192.0.2.0/24"), &json!(false), &Value::Null));
}

#[test]
fn unusable_requests_are_explained() {
    let server = ControlledServer::start(&[]);
    let check = |words: &[&str], expected: &str| {
        let error = stderr(&run(&server.path, "audit", words), 2);
        assert!(error.starts_with(&format!("chinwagd: {expected}")), "{error}");
    };
    check(&["--limit", "0"], "invalid --limit \"0\": expected a number of entries from 1 to 201000");
    check(&["--room", "ops"], "invalid --room \"ops\": ");
    check(&["--by", "a,b"], "invalid --by \"a,b\": a name cannot contain a comma");
    let absent = server.directory.path().join("absent.sock");
    let expected = format!(
        "chinwagd: no server listens at \"{}\"; start chinwagd with --control PATH, and give that path to audit, or, if no server runs, \
         read the table audit of its store with sqlite3\n",
        absent.display()
    );
    assert_eq!(stderr(&run(&absent, "audit", &[]), 1), expected);
}

/// Lets the server write nothing to files, as a full disk does, or lets it again.
#[cfg(feature = "store")]
fn set_disk_full(server: &ControlledServer, is_full: bool) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let pid = Pid::from_raw(server.server.pid().cast_signed()).expect("a process");
    let limit = Rlimit { current: is_full.then_some(0), maximum: None };
    prlimit(Some(pid), Resource::Fsize, limit).expect("it is our process");
}

#[cfg(feature = "store")]
#[test]
fn audit_survives_a_full_disk_and_a_crash() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let arguments = ["--data", data.to_str().expect("UTF-8")];
    let mut server = ControlledServer::start(&arguments);
    let _bob = server.server.join("bob");
    assert_eq!(moderate(&server, &["MUTE", "bob"]), "MUTE 1 bob\n");
    set_disk_full(&server, true);
    assert_eq!(moderate(&server, &["BAN", "eve", "1h", "spam"]), "BAN 2 eve stored=no\n");
    assert_eq!(moderate(&server, &["KICK", "bob", "see", "you"]), "KICK bob\n");
    assert_eq!(stderr(&run(&server.path, "moderate", &["UNBAN", "mallory"]), 1).matches("ban-unknown").count(), 1);
    let entries =
        ["1 - mute server bob sanction=1 until=never", "2 - ban server eve sanction=2", "3 - kick server bob"];
    let reasons = [" reason=spam", " reason=see you"];
    let waiting = [
        entries[0].to_owned(),
        format!("{} stored=no{}", entries[1], reasons[0]),
        format!("{} stored=no{}", entries[2], reasons[1]),
    ];
    assert_eq!(audit(&server, &[]), waiting);
    set_disk_full(&server, false);
    let stored =
        [entries[0].to_owned(), format!("{}{}", entries[1], reasons[0]), format!("{}{}", entries[2], reasons[1])];
    let start = Instant::now();
    while audit(&server, &[]) != stored {
        assert!(start.elapsed() < DEADLINE, "{:?}", audit(&server, &[]));
    }
    server.server.signal("-KILL");
    server.server.wait();
    let server = ControlledServer::start(&arguments);
    assert_eq!(audit(&server, &[]), stored);
    assert_eq!(moderate(&server, &["UNBAN", "eve"]), "UNBAN 2 eve\n");
    assert_eq!(audit(&server, &["--limit", "1"]), ["4 - unban server eve sanction=2"]);
}

/// A reply has at most 200 entries.
#[cfg(feature = "store")]
#[test]
fn long_audit_takes_several_requests() {
    use std::io::{Read as _, Write as _};

    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let server = ControlledServer::start(&["--data", data.to_str().expect("UTF-8"), "--durability", "relaxed"]);
    for number in 0..405 {
        let mut operator = server.connect();
        operator.get_mut().write_all(format!("moderate BAN eve{number}\n").as_bytes()).expect("the server reads");
        let mut reply = String::new();
        operator.read_to_string(&mut reply).expect("a reply");
        assert!(reply.ends_with("OK moderate\n"), "{reply}");
    }
    let numbers = |words: &[&str]| {
        let lines = audit(&server, words);
        lines.iter().map(|line| line.split(' ').next()?.parse().ok()).collect::<Option<Vec<u32>>>().expect("numbers")
    };
    assert!(numbers(&["--limit", "9999"]).into_iter().eq(1..=405));
    assert!(numbers(&["--limit", "401"]).into_iter().eq(5..=405));
    assert!(numbers(&[]).into_iter().eq(306..=405));
}

/// The operator's changes of accounts, on a running server and in the store of a stopped one.
#[cfg(feature = "accounts")]
#[test]
fn changes_of_accounts_have_entries() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let arguments = ["--data", data.to_str().expect("UTF-8")];
    let mut server = ControlledServer::start(&arguments);
    stdout(run(&server.path, "account", &["add", "ann", "--generate"]));
    stdout(run(&server.path, "account", &["role", "ann", "operator"]));
    server.server.signal("-TERM");
    server.server.wait();
    let mut offline = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    offline.args(["account", "remove", "ann"]).args(arguments).stdin(Stdio::null());
    stdout(offline.output().expect("it runs"));
    let server = ControlledServer::start(&arguments);
    let expected = [
        "1 - account-add server ann account=1",
        "2 - account-role-operator server ann account=1",
        "3 - account-remove server ann account=1",
    ];
    assert_eq!(audit(&server, &[]), expected);
}
