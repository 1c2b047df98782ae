//! The password of a server: its file, SIGHUP, the log, and clients over plain TCP of this machine. `src/session/password_tests.rs` has the
//! rules; `tests/tls.rs`, `tests/unix.rs` and `tests/web` have the other transports.

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use common::{Client, DEADLINE, Server, command};

/// The first line on a connection that may give the password.
const HELLO: &str = "HELLO chinwag/1 epoch=k7qd features=rooms,watch,secure,password \
                     type PASS and the password, then NICK and your name to join, HELP for help";

/// A server with a password, and its log at the level `debug`.
struct Guarded {
    server: Server,
    directory: tempfile::TempDir,
    log: Receiver<String>,
    lines: Vec<String>,
}

impl Guarded {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        write_password(directory.path(), "hunter2\n");
        let mut command =
            command(&["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0", "--password-file"]);
        command.arg(directory.path().join("password")).args(arguments);
        let mut server = Server::spawn(command.stderr(Stdio::piped()));
        let (stderr, (to_test, log)) = (server.take_stderr(), mpsc::channel());
        thread::spawn(move || BufReader::new(stderr).lines().try_for_each(|line| to_test.send(line.expect("UTF-8"))));
        Self { server, directory, log, lines: Vec::new() }
    }

    /// Reads the log up to a line with this text.
    fn wait_for(&mut self, text: &str) -> &str {
        loop {
            let line = self.log.recv_timeout(DEADLINE);
            self.lines.push(line.unwrap_or_else(|_| panic!("no {text:?} in {:#?}", self.lines)));
            if self.lines.last().is_some_and(|line| line.contains(text)) {
                return self.lines.last().expect("a line");
            }
        }
    }

    fn connect(&self) -> Client {
        let mut client = self.server.connect_raw();
        client.expect(HELLO);
        client
    }

    /// Connects, and gives this password. Returns the reply.
    fn give(&self, password: &str) -> (Client, String) {
        let mut client = self.connect();
        client.send(&format!("PASS {password}"));
        let reply = client.next().expect("a reply");
        (client, reply)
    }
}

fn write_password(directory: &Path, content: &str) {
    let path = directory.join("password");
    fs::write(&path, content).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
}

#[test]
fn members_read_each_other_once_they_have_given_the_password() {
    let guarded = Guarded::start(&[]);
    let (mut alice, reply) = guarded.give("hunter2");
    assert_eq!(reply, "OK PASS");
    alice.send("NICK alice");
    alice.expect("OK NICK alice");
    alice.expect("COORDINATOR alice");
    let mut eve = guarded.connect();
    for line in ["WATCH", "NICK eve", "ROOMS", "WHO", "HISTORY", "SINCE 0", "CHAT", "JOIN #lobby", "RESUME 1-00"] {
        eve.send(line);
    }
    for verb in ["WATCH", "NICK", "ROOMS", "WHO", "HISTORY", "SINCE", "CHAT", "JOIN"] {
        eve.expect(&format!("ERR {verb} password-required this server needs a password; write: PASS password"));
    }
    eve.expect_start("ERR RESUME token-unknown ");
    alice.send("MSG secret");
    alice.expect("OK MSG 1");
    eve.expect_nothing();
    eve.send_bytes(b"PASS hunter2\r\nNICK eve\r\n");
    eve.expect("OK PASS");
    eve.expect("OK NICK eve");
    alice.expect("JOIN eve");
}

#[test]
fn sighup_changes_the_password() {
    let mut guarded = Guarded::start(&[]);
    let (mut alice, _) = guarded.give("hunter2");
    alice.send("NICK alice");
    alice.until("COORDINATOR alice");
    // A bad file changes nothing.
    write_password(guarded.directory.path(), "");
    guarded.server.signal("-HUP");
    let line = guarded.wait_for("SIGHUP: cannot use the new file; the old one stays in use");
    assert!(line.contains("is empty: expected one line, the password"), "{line}");
    assert_eq!(guarded.give("hunter2").1, "OK PASS");
    write_password(guarded.directory.path(), "correct horse\n");
    guarded.server.signal("-HUP");
    guarded.wait_for("read the password");
    assert_eq!(guarded.give("correct horse").1, "OK PASS");
    let wrong = "ERR PASS password-wrong the password is wrong; write: PASS password";
    assert_eq!(guarded.give("hunter2").1, wrong);
    alice.send("MSG still here");
    alice.expect("OK MSG 1");
}

/// Also at the level `debug`, of wrong and right passwords, mistyped verbs, and lines that are only the password.
#[test]
fn log_has_addresses_of_guesses_and_no_password() {
    let mut guarded = Guarded::start(&[]);
    for line in ["PASS hunter3", "PASSS hunter2", "hunter2", "pass:hunter2", "PASS hunter2", "PASS hunter2"] {
        let mut client = guarded.connect();
        client.send(line);
        let reply = client.next().expect("a reply");
        assert!(!reply.contains("hunter"), "{reply}");
    }
    let (client, reply) = guarded.give("hunter2");
    assert_eq!(reply, "OK PASS");
    drop(client);
    assert!(guarded.wait_for("a client gave a wrong password").contains(" address=127.0.0.1:"), "{:#?}", guarded.lines);
    guarded.server.signal("-TERM");
    assert!(guarded.server.wait().0.success());
    guarded.lines.extend(guarded.log);
    assert!(guarded.lines.iter().any(|line| line.contains("stopped")), "{:#?}", guarded.lines);
    assert!(!guarded.lines.iter().any(|line| line.contains("hunter")), "{:#?}", guarded.lines);
}

/// One address, over many connections.
#[test]
fn guesses_of_one_address_are_limited() {
    let guarded = Guarded::start(&[]);
    let count = 200;
    let codes: Vec<_> = (0..count)
        .map(|number| {
            let reply = guarded.give(&format!("guess {number}")).1;
            reply.split(' ').nth(2).expect("a code").to_owned()
        })
        .collect();
    let checked = codes.iter().filter(|code| *code == "password-wrong").count();
    // The first ten, and those for which a token came meanwhile.
    assert!((10..20).contains(&checked), "{checked}");
    assert_eq!(codes.iter().filter(|code| *code == "too-many-attempts").count(), count - checked);
    let reply = guarded.give("hunter2").1;
    let expected = "ERR PASS too-many-attempts too many wrong passwords from your address; try again in ";
    assert!(reply == "OK PASS" || reply.starts_with(expected), "{reply}");
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdin(Stdio::null()).output().expect("it runs")
}

#[test]
fn bad_password_file_stops_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("password");
    let path = path.to_str().expect("UTF-8");
    let check = |path: &str, expected: &str| {
        let output = run(&["--password-file", path]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = error.lines().last().unwrap_or_default();
        assert!(last.starts_with("chinwagd: ") && last.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert_eq!(output.status.code(), Some(1));
    };
    check(path, "cannot read the password file");
    check("/", "is a directory: expected a file");
    check("/dev/null", "is a device: expected a file");
    for (content, expected) in
        [("", "is empty"), ("hunter2\nhunter2\n", "has several lines"), ("hunter2\u{7}", "a control character")]
    {
        fs::write(path, content).expect("a file");
        check(path, expected);
    }
    let output = run(&["--allow-insecure-passwords"]);
    let error = String::from_utf8_lossy(&output.stderr);
    let alternative = if cfg!(feature = "accounts") { ", or --data PATH, the file to store accounts in" } else { "" };
    assert_eq!(
        error,
        format!(
            "chinwagd: --allow-insecure-passwords without --password-file: expected both{alternative}; see chinwagd --help\n"
        )
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn exposed_file_and_listener_are_warned_about() {
    let mut guarded = Guarded::start(&["--listen", "0.0.0.0:0"]);
    guarded.wait_for("WARN clients on other machines cannot give the password on a listener that is not encrypted");
    let mut guarded = Guarded::start(&["--listen", "0.0.0.0:0", "--allow-insecure-passwords"]);
    guarded.wait_for("WARN --allow-insecure-passwords: anyone on the network path");
    fs::set_permissions(guarded.directory.path().join("password"), Permissions::from_mode(0o644)).expect("permissions");
    guarded.server.signal("-HUP");
    guarded.wait_for("WARN every user of this machine can read the password");
}

/// `Exposure` decides; its tests are in `src/server/reload/tests.rs`. Here, it is that of the listeners of a real server.
#[test]
#[cfg(feature = "config")]
fn reload_warns_if_it_exposes_the_password() {
    for (listener, is_warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let options = tempfile::NamedTempFile::new().expect("a file");
        let path = options.path().to_str().expect("UTF-8");
        let mut guarded = Guarded::start(&["--config", path, "--listen", listener]);
        fs::write(path, "[passwords]\nallow-insecure-passwords = true\n").expect("written");
        guarded.server.signal("-HUP");
        guarded.wait_for("INFO reloaded the options changed=1");
        let warned = guarded.lines.iter().any(|line| line.contains("WARN --allow-insecure-passwords: anyone"));
        assert_eq!(warned, is_warned, "{:#?}", guarded.lines);
    }
}
