//! Long work that a signal ends: a backup, a restoration, a check, a migration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::backup::{chinwagd, names, run, succeeds};
use crate::common::{DEADLINE, STOP_DEADLINE, Server, command, exit_status, needs};
use crate::paths::{history, serve, store};

/// Messages of about 3 kB: enough that no work on them is done at once.
const LARGE: u32 = 20_000;

/// A store of tens of megabytes, whose server is gone.
fn large_store(directory: &Path) -> PathBuf {
    let path = directory.join("chat.db");
    let server = Server::spawn(&mut serve(directory, "chat.db"));
    store(&server, "hello");
    server.stop();
    let file = Connection::open(&path).expect("it opens");
    file.execute_batch(&format!(
        "BEGIN;
        WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {LARGE})
        INSERT INTO messages SELECT n, 1, n, time, name, hex(zeroblob(1500)) || ' ' || n, NULL FROM n, messages WHERE seq = 1;
        UPDATE rooms SET last_id = {LARGE};
        UPDATE state SET value = {LARGE} WHERE key IN ('last_seq');
        COMMIT;"
    ))
    .expect("messages");
    path
}

/// The same command, with signals that are not ignored: a shell ignores SIGINT in what it runs in the background, also in all tests.
fn with_default_signals(command: &Command) -> Command {
    let mut through_env = Command::new("env");
    through_env.arg("--default-signal=HUP,INT,TERM").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => through_env.env(name, value),
            None => through_env.env_remove(name),
        };
    }
    command.get_current_dir().map(|directory| through_env.current_dir(directory));
    through_env.stdin(Stdio::null());
    through_env
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs").success());
}

/// Starts a command, waits until it catches signals and `has_begun`, and sends a signal. Returns its exit code; `None`: the signal itself
/// has ended it.
fn interrupt(command: &Command, name: &str, has_begun: impl Fn() -> bool) -> Option<i32> {
    let mut child =
        with_default_signals(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let deadline = Instant::now() + DEADLINE;
    let tasks = format!("/proc/{}/task", child.id());
    let is_catching = || {
        let tasks = fs::read_dir(&tasks).into_iter().flatten().flatten();
        tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).any(|name| name == "signals\n")
    };
    while !(has_begun() && is_catching()) {
        assert_eq!(child.try_wait().expect("it can be waited for"), None, "it was too fast");
        assert!(Instant::now() < deadline, "it does not begin");
    }
    // So that it does not get on while the signal is on its way.
    signal(&child, "-STOP");
    signal(&child, name);
    signal(&child, "-CONT");
    let start = Instant::now();
    let status = exit_status(&mut child, DEADLINE);
    assert!(start.elapsed() < STOP_DEADLINE, "{:?}", start.elapsed());
    status.code()
}

#[test]
fn signal_ends_a_backup_without_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = large_store(directory.path());
    let (backup, partial) = (directory.path().join("backup.db"), directory.path().join("backup.db.partial"));
    let left = || names(directory.path()).into_iter().filter(|name| name.starts_with("backup")).collect::<Vec<_>>();
    let started = || partial.metadata().is_ok_and(|file| file.len() > 0);
    for (name, code) in [("-INT", Some(130)), ("-TERM", Some(143)), ("-HUP", Some(129))] {
        let command = chinwagd(&["backup", "--data"], &[&data, &backup]);
        assert_eq!(interrupt(&command, name, started), code);
        assert_eq!(left(), [""; 0], "{name}");
    }
    let command = chinwagd(&["backup", "--data"], &[&data, &backup]);
    assert_eq!(interrupt(&command, "-KILL", started), None);
    assert_eq!(left(), ["backup.db.partial"]);
    // The next one takes its place. The store is intact.
    succeeds(run(&["backup", "--data"], &[&data, &backup]));
    assert_eq!(left(), ["backup.db"]);
    succeeds(run(&["check", "--data"], &[&data]));
    assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "chat.db"))).len(), 100);
}

#[test]
fn signal_ends_a_restoration_or_a_check_without_a_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = large_store(directory.path());
    let at = |name: &str| directory.path().join(name);
    let other = tempfile::tempdir().expect("a directory");
    let server = Server::spawn(&mut serve(other.path(), "small.db"));
    store(&server, "tea");
    server.stop();
    let (small, before) = (other.path().join("small.db"), fs::read(other.path().join("small.db")).expect("a store"));
    for (name, code) in [("-INT", Some(130)), ("-TERM", Some(143)), ("-KILL", None)] {
        let command = chinwagd(&["restore", "--data"], &[&small, &data]);
        let partial = other.path().join("small.db.partial");
        assert_eq!(interrupt(&command, name, || partial.metadata().is_ok_and(|file| file.len() > 0)), code);
        assert!(fs::read(&small).expect("a store") == before, "{name}");
        assert_eq!(partial.exists(), name == "-KILL");
    }
    assert_eq!(history(&Server::spawn(&mut serve(other.path(), "small.db"))), ["tea"]);
    let command = chinwagd(&["check", "--data"], &[&data]);
    assert_eq!(interrupt(&command, "-INT", || true), Some(130));
    succeeds(run(&["check", "--data"], &[&at("chat.db")]));
}

/// The tables of version 3, with messages.
const VERSION_3: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA application_id = 0x63687767;
    CREATE TABLE messages (id INTEGER PRIMARY KEY, time TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL);
    CREATE TABLE state (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    INSERT INTO state VALUES ('ids_up_to', 200000), ('dropped', 0), ('indexed', 0), ('epoch', 'then');
    CREATE VIRTUAL TABLE words USING fts5(terms, content='', columnsize=0, detail=none,
        tokenize=\"unicode61 remove_diacritics 2 categories 'L* M* N* Co Cn So'\");
    BEGIN;
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200000)
    INSERT INTO messages SELECT n, '2026-11-20T12:44:29.138Z', 'ann', 'old ' || n || hex(zeroblob(60)) FROM n;
    COMMIT;
    PRAGMA user_version = 3;
";

#[test]
fn interrupted_migration_is_repeated_at_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, wal) = (directory.path().join("chat.db"), directory.path().join("chat.db-wal"));
    Connection::open(&path).expect("it opens").execute_batch(VERSION_3).expect("a store of version 3");
    let version = || -> u32 {
        let file = Connection::open(&path).expect("it opens");
        file.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version")
    };
    for (name, code) in [("-TERM", Some(0)), ("-INT", Some(0)), ("-KILL", None)] {
        let mut server = with_default_signals(&serve(directory.path(), "chat.db"));
        let mut child = server.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let deadline = Instant::now() + DEADLINE;
        // The migration writes the messages again.
        while wal.metadata().map_or(0, |wal| wal.len()) < 1 << 20 {
            assert_eq!(child.try_wait().expect("it can be waited for"), None, "it was too fast");
            assert!(Instant::now() < deadline, "it does not begin");
        }
        signal(&child, name);
        let start = Instant::now();
        assert_eq!(exit_status(&mut child, DEADLINE).code(), code, "{name}");
        assert!(start.elapsed() < STOP_DEADLINE + Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(version(), 3, "{name}: the step of the migration was not committed");
    }
    let data = path.to_str().expect("a path");
    let server = Server::spawn(command(&["--listen", "127.0.0.1:0", "--data", data]).stderr(Stdio::piped()));
    assert_eq!(history(&server).len(), 100);
    let log = server.stop();
    assert!(log.contains("migrating the store to the current version"), "{log}");
    assert!(log.contains("from=3 to=8") && log.contains("migrated the store"), "{log}");
    assert_eq!(version(), 8);
}

/// At a terminal, a line below the log shows the progress; it neither breaks the lines of the log nor stays.
#[test]
fn progress_of_a_migration_breaks_no_line_of_the_log() {
    if !needs("script") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    Connection::open(at("chat.db")).expect("it opens").execute_batch(VERSION_3).expect("a store of version 3");
    let server = format!("{} --listen 127.0.0.1:0 --data {}", env!("CARGO_BIN_EXE_chinwagd"), at("chat.db"));
    let line = format!("mkfifo {0}; {server} >{0} & read -r _ <{0}; kill $!; wait $!", at("out"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).envs([("TERM", "xterm"), ("NO_COLOR", "1")]).stdin(Stdio::null());
    let output = script.output().expect("script runs");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && shown.contains("migrating the store ["), "{shown:?}");
    // Each line of the log begins at the left edge, after the progress was removed.
    let lines = shown.split(['\r', '\n', 'K']).filter(|line| line.contains(" INFO ")).collect::<Vec<_>>();
    assert!(lines.iter().all(|line| line.starts_with("20")), "{lines:?}");
    let (_, after) = shown.split_once("INFO migrated the store").unwrap_or_else(|| panic!("{shown:?}"));
    assert!(after.contains("INFO stopped") && !after.contains("migrating the store ["), "{shown:?}");
}
