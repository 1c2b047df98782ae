//! The control socket, `chinwagd status`, `chinwagd account`, `chinwagd moderate` and `chinwagd audit`, as programs. `src/server/control/tests.rs` has the tests of its protocol and limits.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "accounts")]
mod accounts;
mod audit;
#[cfg(feature = "proxy")]
mod moderation;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chinwag::control::GREETING;
use serde_json::{Value, json};

use self::common::{DEADLINE, EPOCH, STOP_DEADLINE, Server, command};

/// A server with a control socket.
struct ControlledServer {
    server: Server,
    path: PathBuf,
    directory: tempfile::TempDir,
}

impl ControlledServer {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), arguments)
    }

    fn start_in(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        let path = directory.path().join("control.sock");
        let path_text = path.to_str().expect("UTF-8");
        let server = Server::with(&[&["--control", path_text], arguments].concat());
        Self { server, path, directory }
    }

    /// The output of `chinwagd status`.
    fn status(&self) -> String {
        stdout(status(&self.path, &[]))
    }

    /// The output of `chinwagd status --json`.
    fn json(&self) -> Value {
        let line = stdout(status(&self.path, &["--json"]));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        serde_json::from_str(&line).expect("JSON")
    }

    fn connect(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(&self.path).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        BufReader::new(stream)
    }
}

/// Runs `chinwagd status` with this control socket.
fn status(path: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["status", "--control"]).arg(path).args(arguments).stdin(Stdio::null());
    command.output().expect("it runs")
}

#[track_caller]
fn stdout(output: Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The error of a program that ended with this exit code.
#[track_caller]
fn stderr(output: &Output, code: i32) -> String {
    assert!(output.status.code() == Some(code) && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn status_has_the_essentials() {
    let server = ControlledServer::start(&["--max-clients", "9"]);
    let mut alice = server.server.join("alice");
    let mut watcher = server.server.connect();
    for line in ["MSG one", "JOIN #tea"] {
        alice.send(line);
        alice.expect_start("OK ");
    }
    watcher.send("WATCH");
    watcher.expect_start("OK WATCH");
    let address = server.server.address;
    let lines = server.status();
    for expected in [
        &format!("version      {}", env!("CARGO_PKG_VERSION")),
        &format!("pid          {}", server.server.pid()),
        &format!("epoch        {EPOCH}"),
        &format!("listening    tcp://{address}"),
        "clients      2 of 9",
        "members      1, 0 of them detached",
        "no nickname  1, 1 of them watching",
        "rooms        2, 1 of 10000 with members besides #lobby",
        "messages     1 since the start, newest id in #lobby 1",
    ] {
        assert!(lines.lines().any(|line| line == expected), "{expected} in:\n{lines}");
    }
    let status = server.json();
    assert_eq!(status["pid"], server.server.pid());
    assert_eq!(status["listeners"], json!([format!("tcp://{address}")]));
    assert_eq!((&status["clients"], &status["max_clients"]), (&json!(2), &json!(9)));
    assert_eq!((&status["store"], &status["certificates"]), (&Value::Null, &json!([])));
    assert_eq!(status["max_backlog_bytes"], 16 << 20);
    let memory = status["memory_bytes"].as_u64().expect("/proc");
    assert!((1 << 20..1 << 30).contains(&memory), "{memory}");
    assert!(status["uptime_seconds"].as_u64().expect("a number") < DEADLINE.as_secs());
}

/// Operators do not count as clients, and are served while no client is admitted.
#[test]
fn full_server_answers() {
    let server = ControlledServer::start(&["--max-clients", "1"]);
    let _operator = server.connect();
    let _alice = server.server.join("alice");
    server.server.connect_raw().expect_start("ERR - server-full ");
    assert_eq!(server.json()["clients"], 1);
}

#[test]
fn server_without_descriptors_answers() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let limited = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$@\"", "sh"])
        .arg(command(&[]).get_program())
        .args(["--listen", "127.0.0.1:0", "--log", "warn", "--max-clients", "1000", "--line-rate", "0", "--control"])
        .arg(&path)
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Server::adopt(limited.expect("the server starts"));
    let mut log = BufReader::new(server.take_stderr()).lines().map_while(Result::ok);
    let _crowd: Vec<_> = (0..100).map(|_| server.connect_raw()).collect();
    let is_out = |line: String| line.contains("cannot accept connections") && line.contains("Too many open files");
    assert!(log.any(is_out), "no warning");
    // A few more may be inherited from the test.
    assert!(server.descriptors() >= 40, "{} descriptors", server.descriptors());
    for _ in 0..5 {
        let status: Value = serde_json::from_str(&stdout(status(&path, &["--json"]))).expect("JSON");
        // Connections use the reserved half, too: `clients` may be higher.
        assert_eq!(status["max_clients"], 20, "half of the limit is reserved");
        assert!(status["memory_bytes"].is_u64(), "{status}");
    }
}

#[test]
fn socket_is_for_the_owner_and_removed_at_the_stop() {
    let mut server = ControlledServer::start(&[]);
    assert_eq!(fs::metadata(&server.path).expect("the socket's file").mode() & 0o7777, 0o600);
    server.server.signal("-TERM");
    server.server.wait();
    assert!(!server.path.exists());
}

/// The connections of operators do not delay the stop.
#[test]
fn stop_ends_connections_of_operators() {
    let mut server = ControlledServer::start(&[]);
    let mut operator = server.connect();
    let mut line = String::new();
    operator.read_line(&mut line).expect("a line");
    assert_eq!(line.trim_end(), GREETING);
    server.server.signal("-TERM");
    let (status, time) = server.server.wait();
    assert!(status.success() && time < STOP_DEADLINE, "{status} after {time:?}");
    assert_eq!(operator.read_to_string(&mut line).expect("the end"), 0);
}

#[test]
fn socket_of_a_dead_server_is_replaced_and_that_of_a_running_one_is_not() {
    let mut server = ControlledServer::start(&[]);
    let path = server.path.to_str().expect("UTF-8").to_owned();
    let second = command(&["--listen", "127.0.0.1:0", "--log", "error", "--control", &path]).output();
    let expected = format!(
        "chinwagd: cannot create the control socket \"{path}\": a server listens there already; choose another path with \
         --control, or --control off\n"
    );
    assert_eq!(stderr(&second.expect("it runs"), 1), expected);
    assert_eq!(server.json()["pid"], server.server.pid());
    server.server.signal("-KILL");
    server.server.wait();
    assert!(server.path.exists());
    let expected = format!(
        "chinwagd: no server listens at \"{path}\"; start chinwagd with --control PATH, and give that path to status\n"
    );
    assert_eq!(stderr(&status(&server.path, &[]), 1), expected);
    let server = ControlledServer::start_in(server.directory, &[]);
    assert_eq!(server.json()["pid"], server.server.pid());
}

#[test]
fn other_socket_is_no_control_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let uri = format!("unix://{}", path.display());
    let _server = Server::with(&["--listen", &uri]);
    let error = stderr(&status(&path, &[]), 1);
    let expected =
        format!("chinwagd: \"{}\" is not the control socket of chinwagd: it sent \"HELLO chinwag/1 ", path.display());
    assert!(error.starts_with(&expected), "{error}");
    let path = path.to_str().expect("UTF-8");
    let both = command(&["--listen", &uri, "--control", path]).output().expect("it runs");
    let expected = format!(
        "chinwagd: --listen and --control have the path {path}: expected a different path for each; see chinwagd --help\n"
    );
    assert_eq!(stderr(&both, 2), expected);
}

#[test]
fn service_manager_gives_the_default_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let directories = format!("{}:/nowhere", directory.path().display());
    let start = |arguments: &[&str]| {
        let arguments = [&["--listen", "127.0.0.1:0", "--log", "error"], arguments].concat();
        Server::spawn(command(&arguments).env("RUNTIME_DIRECTORY", &directories))
    };
    let server = start(&[]);
    let mut status = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    let printed = stdout(status.args(["status"]).env("RUNTIME_DIRECTORY", &directories).output().expect("it runs"));
    assert!(printed.contains(&format!("\npid          {}\n", server.pid())), "{printed}");
    // Kills it: the socket stays.
    drop(server);
    fs::remove_file(&path).expect("the socket's file");
    let _server = start(&["--control", "off"]);
    assert!(!path.exists());
}

#[test]
fn invalid_command_line_is_a_usage_error() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_chinwagd")).arg("status").args(arguments).output();
        stderr(&output.expect("it runs"), 2)
    };
    assert_eq!(
        run(&["--control", ""]),
        "chinwagd: invalid --control \"\": expected a path; see chinwagd status --help\n"
    );
    for arguments in [&["now"][..], &["--listen", "127.0.0.1:0"], &["--control"]] {
        assert!(run(arguments).ends_with("; see chinwagd status --help\n"), "{arguments:?}");
    }
}

/// Nobody has asked for it: an upgrade must not keep a server from starting.
#[test]
fn server_starts_without_its_default_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    let path = missing.join("control.sock");
    let [other, listener] =
        ["chat.sock", "control.sock"].map(|name| format!("unix://{}/{name}", directory.path().display()));
    for (runtime, listen, why) in [
        (missing.as_path(), &other, "No such file or directory"),
        (directory.path(), &listener, "a server listens there already"),
    ] {
        let arguments = ["--listen", "127.0.0.1:0", "--listen", listen, "--log", "warn"];
        let server = Server::spawn(command(&arguments).env("RUNTIME_DIRECTORY", runtime).stderr(Stdio::piped()));
        server.join("alice");
        let log = server.stop();
        let log: Vec<_> = log.lines().collect();
        let [line] = &log[..] else { panic!("{log:#?}") };
        assert!(
            line.contains(" WARN running without a control socket error=\"cannot create the control socket "),
            "{line}"
        );
        let how = format!("control.sock\\\": {why}; choose another path with --control, or --control off\"");
        assert!(line.ends_with(&how), "{line}");
    }
    let path = path.to_str().expect("UTF-8");
    let required = command(&["--listen", "127.0.0.1:0", "--log", "error", "--control", path]).output();
    let expected = format!(
        "chinwagd: cannot create the control socket \"{path}\": No such file or directory; choose another path with \
         --control, or --control off\n"
    );
    assert_eq!(stderr(&required.expect("it runs"), 1), expected);
}

/// Sends these bytes to `chinwagd status`, as its server. Returns its output.
fn status_of_server_that_sends(reply: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let socket = UnixListener::bind(&path).expect("a socket");
    std::thread::scope(|scope| {
        let program = scope.spawn(|| status(&path, &[]));
        let (mut stream, _) = socket.accept().expect("a connection");
        stream.write_all(reply.as_bytes()).expect("it reads");
        BufReader::new(&stream).read_line(&mut String::new()).expect("a request");
        drop(stream);
        program.join().expect("no panic")
    })
}

#[test]
fn foreign_text_is_safe_for_a_terminal() {
    let text = "version  \u{1b}[2J \u{9b}2J \u{202e}é \"a\\b\"\r\nnext\tline\n";
    let output = status_of_server_that_sends(&format!("{GREETING}\n{text}OK status\n"));
    let expected = "version  \\u{1b}[2J \\u{9b}2J \\u{202e}é \"a\\b\"\\r\nnext\\tline\n";
    assert_eq!(stdout(output), expected);
    let output = status_of_server_that_sends(&format!("{GREETING}\nversion  0.1.0\nOK \u{1b}[2J\n"));
    let error = stderr(&output, 1);
    assert!(error.ends_with(" is not the control socket of chinwagd: it sent \"OK \\u{1b}[2J\"\n"), "{error}");
}

/// The size of the store, and its failure until a commit succeeds.
#[test]
#[cfg(feature = "store")]
fn status_has_the_store() {
    let data = tempfile::tempdir().expect("a directory");
    let path = data.path().join("chat.db");
    let server = ControlledServer::start(&["--data", path.to_str().expect("UTF-8")]);
    let mut alice = server.server.join("alice");
    let store = |server: &ControlledServer| server.json()["store"].clone();
    assert_eq!((&store(&server)["path"], &store(&server)["error"]), (&json!(path), &Value::Null));
    let of_files = || -> u64 {
        ["chat.db", "chat.db-wal"].map(|name| fs::metadata(data.path().join(name)).expect("a file").len()).iter().sum()
    };
    // The store may write at any time.
    let (before, shown, after) = (of_files(), store(&server)["bytes"].clone(), of_files());
    assert!(shown == before || shown == after, "{before} {shown} {after}");
    let elsewhere = data.path().join("elsewhere.db");
    fs::rename(&path, &elsewhere).expect("it is moved");
    alice.send("MSG lost");
    alice.expect_start("ERR MSG not-stored ");
    let moved = "the store's file was deleted or moved while the server was running";
    assert_eq!(store(&server), json!({"path": path, "bytes": null, "error": moved}));
    assert!(server.status().contains(&format!("\nstore error  {moved}\n")));
    fs::rename(&elsewhere, &path).expect("it is moved back");
    alice.send("MSG kept");
    alice.expect_start("OK MSG ");
    assert_eq!(store(&server)["error"], Value::Null);
}

#[test]
#[cfg(feature = "tls")]
fn status_has_the_certificates() {
    use chrono::{DateTime, Days, Utc};

    let directory = tempfile::tempdir().expect("a directory");
    let made = Command::new(env!("CARGO_BIN_EXE_chinwagd")).args(["cert", "--out"]).arg(directory.path()).output();
    let made = stdout(made.expect("it runs"));
    let fingerprint = made.lines().find_map(|line| line.strip_prefix("fingerprint: ")).expect("a fingerprint");
    let [certificate, key] = ["chinwag-cert.pem", "chinwag-key.pem"].map(|name| directory.path().join(name));
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().expect("UTF-8"));
    let tls = ["--listen", "tls://127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let server = ControlledServer::start(&tls);
    let found = &server.json()["certificates"];
    assert_eq!((found[0]["path"].as_str(), found[0]["fingerprint"].as_str()), (Some(certificate), Some(fingerprint)));
    let expires: DateTime<Utc> = found[0]["expires"].as_str().expect("a time").parse().expect("RFC 3339");
    let days = chinwag::limits::CERTIFICATE_DAYS;
    let expected = Utc::now() + Days::new(days);
    assert!(expires <= expected && expires > expected - Days::new(2), "{expires}");
    assert!(made.contains(&format!("valid until {}\n", expires.format("%Y-%m-%d"))), "{made}");
    assert!(server.status().contains(&format!(", valid until {}\n", expires.format("%Y-%m-%d"))));
}
