//! `chinwagd backup`, `restore` and `check`, as programs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::common::{Client, DEADLINE, EPOCH, Server, exit_code};
use crate::faults::in_namespace;
use crate::paths::{history, refused, serve};

const WRITERS: usize = 10;

/// The acknowledged messages.
type Messages = BTreeMap<u64, String>;

pub(crate) fn chinwagd(arguments: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(arguments).args(paths).stdin(Stdio::null()).env_remove("RUNTIME_DIRECTORY");
    command
}

pub(crate) fn run(arguments: &[&str], paths: &[&Path]) -> Output {
    chinwagd(arguments, paths).output().expect("it runs")
}

/// Standard output of a command that succeeds, and writes nothing else.
#[track_caller]
pub(crate) fn succeeds(output: Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a command that fails.
#[track_caller]
pub(crate) fn fails(output: Output) -> String {
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// The names in a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a name").file_name().into_string().expect("UTF-8");
    let mut names: Vec<_> = fs::read_dir(directory).expect("a directory").map(name).collect();
    names.sort();
    names
}

/// Starts a server with the epochs of its store.
fn serve_as_stored(data: &Path, arguments: &[&str]) -> Server {
    let mut command = chinwagd(&["--listen", "127.0.0.1:0", "--log", "error", "--line-rate", "0", "--data"], &[data]);
    Server::spawn(command.args(arguments))
}

/// A client of a server with another epoch than that of the tests. Returns the epoch, too.
fn join_any(server: &Server, nick: &str) -> (Client, String) {
    let mut client = server.connect_raw();
    let hello = client.next().expect("a greeting");
    let epoch = hello.split(' ').find_map(|word| word.strip_prefix("epoch=")).expect("an epoch").to_owned();
    client.send(&format!("NICK {nick}"));
    client.until(&format!("OK NICK {nick}"));
    client.sync();
    (client, epoch)
}

/// Stores a message, as a client that stays.
fn store(client: &mut Client, text: &str) {
    client.send(&format!("MSG {text}"));
    client.until_start("OK MSG ");
}

/// Sends messages until `stop`, and records the acknowledged ones.
fn write_messages(address: SocketAddr, number: usize, acknowledged: &Mutex<Messages>, stop: &AtomicBool) {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let mut stream = stream;
    writeln!(stream, "NICK writer{number}").expect("the server reads");
    let (mut line, mut count) = (String::new(), 0);
    let text = |count: usize| format!("tea {number} {count}");
    while !stop.load(Ordering::Relaxed) {
        writeln!(stream, "MSG {}", text(count)).expect("the server reads");
        let id = loop {
            line.clear();
            reader.read_line(&mut line).expect("a line");
            if let Some(id) = line.strip_prefix("OK MSG ") {
                break id.trim_end().parse().expect("an id");
            }
        };
        acknowledged.lock().expect("a lock").insert(id, text(count));
        count += 1;
    }
}

/// Waits until this number of further messages is acknowledged. Returns all that were.
fn await_messages(acknowledged: &Mutex<Messages>, further: usize) -> Messages {
    let deadline = Instant::now() + DEADLINE;
    let first = acknowledged.lock().expect("a lock").len();
    loop {
        let messages = acknowledged.lock().expect("a lock");
        if messages.len() >= first + further {
            return messages.clone();
        }
        assert!(Instant::now() < deadline, "{} messages", messages.len());
        drop(messages);
        thread::yield_now();
    }
}

/// The restored server has the acknowledged messages, the account, the ban, and another epoch.
fn check_restored(data: &Path, control: &Path, acknowledged: &Messages) {
    let server = serve_as_stored(data, &["--control", control.to_str().expect("a path")]);
    let (mut reader, epoch) = join_any(&server, "reader");
    assert_ne!(epoch, EPOCH);
    reader.send(&format!("SINCE 1 {EPOCH}"));
    reader.expect_start("ERR SINCE epoch-changed ");
    reader.send(&format!("SINCE 0 {epoch}"));
    let mut stored = BTreeMap::new();
    let end = loop {
        let line = reader.next().expect("a reply");
        let Some(past) = line.strip_prefix("PAST ") else { break line };
        let mut words = past.splitn(4, ' ');
        let id: u64 = words.next().and_then(|id| id.parse().ok()).expect("an id");
        assert_eq!(id, stored.len() as u64 + 1, "ids have no gaps");
        stored.insert(id, words.nth(2).expect("a text").to_owned());
    };
    assert_eq!(end, format!("OK SINCE {0} last={0}", stored.len()));
    for (id, text) in acknowledged {
        assert_eq!(stored.get(id), Some(text), "message {id} was acknowledged before the backup");
    }
    reader.send("SEARCH tea 3");
    let found = reader.until_start("OK SEARCH ");
    assert!(!found.starts_with("OK SEARCH 0"), "{found}");
    reader.send("MSG a new one");
    reader.until_start(&format!("OK MSG {}", stored.len() + 1));
    let bans = succeeds(run(&["moderate", "--control", control.to_str().expect("a path"), "BANS"], &[]));
    assert!(bans.contains("192.0.2.7"), "{bans}");
    #[cfg(feature = "accounts")]
    {
        let mut ann = server.connect_raw();
        ann.send("LOGIN ann correct horse battery");
        ann.until("OK LOGIN ann");
    }
    drop(server);
    let (_, again) = join_any(&serve_as_stored(data, &[]), "reader");
    assert_eq!(again, epoch, "the new epoch stays");
}

#[test]
fn backup_under_load_has_every_acknowledged_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let control = at("control.sock");
    let socket = control.to_str().expect("a path");
    let data = at("chat.db");
    let server = Server::with(&["--data", data.to_str().expect("a path"), "--control", socket]);
    #[cfg(feature = "accounts")]
    {
        let mut ann = server.join("ann");
        ann.send("REGISTER correct horse battery");
        ann.until("OK REGISTER ann");
    }
    succeeds(run(&["moderate", "--control", socket, "BAN", "192.0.2.7", "1h", "flooding"], &[]));
    let (acknowledged, stop) = (Arc::new(Mutex::new(Messages::new())), Arc::new(AtomicBool::new(false)));
    let address = server.address;
    let writers = (0..WRITERS).map(|number| {
        let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        thread::spawn(move || write_messages(address, number, &acknowledged, &stop))
    });
    let writers: Vec<_> = writers.collect();
    let before = await_messages(&acknowledged, 300);
    // The server says where its store is.
    let report = succeeds(run(&["backup", "--control", socket], &[&at("backup.db")]));
    assert!(report.starts_with(&format!("wrote \"{}\": ", at("backup.db").display())), "{report}");
    await_messages(&acknowledged, 100);
    let checked = succeeds(run(&["check", "--control", socket], &[]));
    assert!(checked.contains(": nothing is wrong; messages: "), "{checked}");
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().expect("a writer");
    }
    drop(server);
    assert_eq!(at("backup.db").metadata().expect("a backup").permissions().mode() & 0o777, 0o600);
    let leftover =
        names(directory.path()).into_iter().find(|name| name != "backup.db" && name.starts_with("backup.db"));
    assert_eq!(leftover, None);
    succeeds(run(&["check", "--data"], &[&at("backup.db")]));
    let report = succeeds(run(&["restore", "--data"], &[&data, &at("backup.db")]));
    assert!(report.contains("\nthe old store is ") && report.contains("begins a new epoch"), "{report}");
    check_restored(&data, &control, &before);
}

#[test]
fn existing_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    drop(Server::with(&["--data", at("chat.db").to_str().expect("a path")]));
    fs::write(at("letter"), "dear").expect("a file");
    let why = fails(run(&["backup", "--data"], &[&at("chat.db"), &at("letter")]));
    assert!(why.ends_with("letter\" exists and is not replaced: choose another name, or remove it first\n"), "{why}");
    assert_eq!(fs::read(at("letter")).expect("a file"), b"dear");
    let why = fails(run(&["backup", "--data"], &[&at("chat.db"), &at("no/directory")]));
    assert!(why.contains("No such file or directory"), "{why}");
    let why = fails(run(&["backup", "--data"], &[&at("letter"), &at("backup.db")]));
    assert!(why.contains("is not a store of chinwagd"), "{why}");
    let why = fails(run(&["backup", "--control"], &[&at("no.sock"), &at("backup.db")]));
    assert!(why.contains("name the store with backup --data PATH"), "{why}");
    let both = run(&["backup", "--data", "a", "--control", "b", "c"], &[]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    let missing = run(&["restore", "backup.db"], &[]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert!(names(directory.path()).iter().all(|name| !name.starts_with("backup")));
}

/// On a full disk, and at a file size limit.
#[test]
fn full_disk_leaves_no_backup() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let server = Server::with(&["--data", data.to_str().expect("a path")]);
    let mut ann = server.join("ann");
    (0..30).for_each(|_| ann.send(&format!("MSG {}", "x".repeat(3000))));
    ann.sync();
    let limited = |setup: &str| {
        format!("{setup}\n \"$2\" backup --data '{}' \"$1/backup.db\" || echo \"code $?\"", data.display())
    };
    for (setup, expected) in [
        ("mount -t tmpfs -o size=64k chinwag \"$1\"", "the disk is full; free some space"),
        ("ulimit -f 64", "cannot write "),
    ] {
        let place = tempfile::tempdir().expect("a directory");
        let script = format!("{}\n ls -A \"$1\"", limited(setup));
        let Some(mut command) = in_namespace(&script, place.path()) else { return };
        let output = command.output().expect("unshare runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(expected), "{setup}: {told}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "code 1\n", "{setup}: {told}");
    }
    // A restoration fails as well, and the store stays as it is.
    let backup = directory.path().join("backup.db");
    succeeds(run(&["backup", "--data"], &[&data, &backup]));
    let place = tempfile::tempdir().expect("a directory");
    let script = format!(
        "mount -t tmpfs -o size={2} chinwag \"$1\"
        \"$2\" restore --data \"$1/chat.db\" '{0}' >&2
        cp \"$1/chat.db\" '{1}'
        \"$2\" restore --data \"$1/chat.db\" '{0}' || echo \"code $?\"
        ls -A \"$1\"
        cmp \"$1/chat.db\" '{1}'",
        backup.display(),
        directory.path().join("before.db").display(),
        // One copy fits, and two do not.
        backup.metadata().expect("a backup").len() * 3 / 2
    );
    let output = in_namespace(&script, place.path()).expect("as above").output().expect("unshare runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("the disk is full"), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "code 1\nchat.db\n", "{told}");
}

#[test]
fn restore_beside_a_running_server_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    let mut ann = server.join("ann");
    store(&mut ann, "hello");
    succeeds(run(&["backup", "--data"], &[&at("chat.db"), &at("backup.db")]));
    let why = fails(run(&["restore", "--data"], &[&at("chat.db"), &at("backup.db")]));
    assert!(why.contains("is in use by another chinwagd; stop that one"), "{why}");
    store(&mut ann, "again");
    assert_eq!(server.stop(), "", "nothing was displaced");
    // A truncated backup.
    let backup = fs::read(at("backup.db")).expect("a backup");
    fs::write(at("short.db"), &backup[..backup.len() - 4096]).expect("a file");
    let before = fs::read(at("chat.db")).expect("a store");
    let why = fails(run(&["restore", "--data"], &[&at("chat.db"), &at("short.db")]));
    assert!(why.contains("short.db\" is damaged"), "{why}");
    assert_eq!(fs::read(at("chat.db")).expect("a store"), before);
    assert_eq!(history(&Server::spawn(&mut serve(directory.path(), "chat.db"))), ["hello", "again"]);
}

/// Of a server that did not stop.
#[test]
fn backup_beside_an_old_wal_is_refused_by_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    let mut ann = server.join("ann");
    store(&mut ann, "hello");
    succeeds(run(&["backup", "--data"], &[&at("chat.db"), &at("backup.db")]));
    store(&mut ann, "again");
    server.signal("-KILL");
    drop(server);
    fs::copy(at("backup.db"), at("chat.db")).expect("a copy");
    refused(directory.path(), "chat.db", "belongs to the file that was there before");
    // The other commands read no message of another file.
    let foreign = "belongs to the file that was there before";
    let why = fails(run(&["check", "--data"], &[&at("chat.db")]));
    assert!(why.contains(foreign), "{why}");
    let why = fails(run(&["backup", "--data"], &[&at("chat.db"), &at("copy.db")]));
    assert!(why.contains(foreign), "{why}");
    let why = fails(run(&["restore", "--data"], &[&at("new.db"), &at("chat.db")]));
    assert!(why.contains(foreign), "{why}");
    fs::write(at("copy.db-wal"), "of another file").expect("a file");
    let why = fails(run(&["backup", "--data"], &[&at("backup.db"), &at("copy.db")]));
    assert!(why.contains("copy.db-wal\" exists, and SQLite would take it for changes to the copy"), "{why}");
    assert!(!at("new.db").exists() && !at("copy.db").exists());
    // The command does everything.
    succeeds(run(&["restore", "--data"], &[&at("chat.db"), &at("backup.db")]));
    let server = serve_as_stored(&at("chat.db"), &[]);
    let (mut reader, epoch) = join_any(&server, "reader");
    assert_ne!(epoch, EPOCH);
    reader.send("HISTORY 9");
    assert!(reader.sync().iter().any(|line| line.ends_with(" hello")));
}

#[test]
fn check_of_an_older_version_counts_what_it_reads() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    fs::copy("tests/store/version-7.db", &path).expect("a file");
    let checked = run(&["check", "--data"], &[&path]);
    let shown = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && shown.ends_with("nothing is wrong; messages: 2, version: 7\n"), "{checked:?}");
    assert!(String::from_utf8_lossy(&checked.stderr).contains("only the file was checked"), "{checked:?}");
}

#[test]
fn check_names_a_damaged_page_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    let mut ann = server.join("ann");
    (0..50).for_each(|number| ann.send(&format!("MSG {number} {}", "x".repeat(1000))));
    ann.sync();
    server.stop();
    let checked = succeeds(run(&["check", "--data"], &[&at("chat.db")]));
    assert!(checked.ends_with("nothing is wrong; messages: 50, rooms: 1, accounts: 0, version: 8\n"), "{checked}");
    let mut bytes = fs::read(at("chat.db")).expect("a store");
    let root = rusqlite::Connection::open(at("chat.db")).expect("it opens");
    let root: usize = root
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'", [], |row| row.get(0))
        .expect("the table");
    bytes[(root - 1) * 4096] = 0x77;
    fs::write(at("chat.db"), &bytes).expect("a file");
    let why = fails(run(&["check", "--data"], &[&at("chat.db")]));
    assert!(why.contains("chat.db\": the file: ") && why.contains("chinwagd restore --data STORE BACKUP"), "{why}");
    assert_eq!(fs::read(at("chat.db")).expect("a store"), bytes, "nothing was changed");
}

/// The progress is for people, and is removed at the end.
#[test]
fn progress_is_shown_at_a_terminal_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    store(&mut server.join("ann"), "hello");
    server.stop();
    if !crate::common::needs("script") {
        return;
    }
    let line = format!("{} check --data {}", env!("CARGO_BIN_EXE_chinwagd"), at("chat.db").display());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script runs");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(0));
    let shown = std::io::read_to_string(child.stdout.take().expect("it is piped")).expect("UTF-8");
    assert!(shown.contains("reading the messages [") && shown.contains("nothing is wrong"), "{shown:?}");
    let last = shown.rsplit('\r').nth(1).unwrap_or_default();
    assert!(last.contains("nothing is wrong") || shown.trim_end().ends_with("version: 8"), "{shown:?}");
}
