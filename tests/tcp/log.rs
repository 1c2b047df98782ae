//! The operator's log: the life of a server, as text and as JSON.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::{Value, json};

use crate::common::{Client, DEADLINE, EPOCH, Server, command};

/// A nickname with all characters that have a meaning in one of the formats.
const HOSTILE: &str = r#"a="b\"#;

/// A server and its log.
struct Logged {
    server: Server,
    log: Receiver<String>,
    lines: Vec<String>,
}

impl Logged {
    fn start(arguments: &[&str]) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0"]);
        let mut server = Server::spawn(command.args(arguments).stderr(Stdio::piped()));
        let (stderr, (to_test, log)) = (server.take_stderr(), mpsc::channel());
        thread::spawn(move || BufReader::new(stderr).lines().try_for_each(|line| to_test.send(line.expect("UTF-8"))));
        Self { server, log, lines: Vec::new() }
    }

    /// Reads the log up to a line with this message.
    fn wait_for(&mut self, message: &str) {
        while !self.lines.last().is_some_and(|line| line.contains(message)) {
            let line = self.log.recv_timeout(DEADLINE);
            self.lines.push(line.unwrap_or_else(|_| panic!("no {message:?} in {:#?}", self.lines)));
        }
    }

    fn stop(mut self) -> Vec<String> {
        self.server.signal("-TERM");
        assert!(self.server.wait().0.success());
        self.lines.extend(self.log);
        self.lines
    }
}

fn address(client: &Client) -> String {
    client.stream().local_addr().expect("an address").to_string()
}

/// A server that one client joins and leaves, and that refuses another one meanwhile. Returns the log, and the addresses of the
/// server and of both clients.
fn life(arguments: &[&str]) -> (Vec<String>, [String; 3]) {
    let mut logged = Logged::start(&[&["--max-clients", "1"], arguments].concat());
    let mut alice = logged.server.connect();
    alice.send(&format!("NICK {HOSTILE}"));
    alice.expect(&format!("OK NICK {HOSTILE}"));
    let mut bob = logged.server.connect_raw();
    bob.expect_start("ERR - server-full ");
    logged.wait_for("refused a connection");
    alice.send("QUIT");
    alice.rest();
    let addresses = [logged.server.address.to_string(), address(&alice), address(&bob)];
    drop((alice, bob));
    logged.wait_for("disconnected");
    (logged.stop(), addresses)
}

/// Removes a number that differs from run to run, after `key`.
fn without_number(line: &str, key: &str) -> String {
    match line.split_once(key) {
        Some((before, number)) if number.parse::<u64>().is_ok() => format!("{before}{key}N"),
        _ => line.to_owned(),
    }
}

#[test]
fn text_log_tells_the_life_of_a_server() {
    let (lines, [server, alice, bob]) = life(&[]);
    let lines = lines.iter().map(|line| {
        let (time, rest) = line.split_once(' ').expect("a time");
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{line}");
        without_number(&without_number(rest, "duration_ms="), "uptime_seconds=")
    });
    let expected = [
        format!(" INFO starting version={}", env!("CARGO_PKG_VERSION")),
        format!(" INFO no store: the newest messages are kept in memory epoch={EPOCH} history=1000"),
        " INFO limits max_clients=1 max_per_address=none connect_rate=500 line_rate=10 line_burst=40 name_timeout=1m \
         idle_timeout=none resume_timeout=1m send_timeout=30s dead_peer_timeout=2m backlog=8MiB history=1000"
            .to_owned(),
        format!(" INFO listening listener=tcp://{server}"),
        format!(" INFO connected id=1 transport=tcp address={alice}"),
        r#" INFO joined id=1 nick="a=\"b\\" room=#lobby"#.to_owned(),
        format!(" INFO refused a connection address={bob} reason=--max-clients limit=1 count=1"),
        r#" INFO left id=1 nick="a=\"b\\" reason=quit"#.to_owned(),
        format!(" INFO disconnected id=1 transport=tcp address={alice} reason=quit duration_ms=N"),
        " INFO stopping; a second SIGTERM or SIGINT ends the server at once signal=SIGTERM".to_owned(),
        " INFO stopped reason=SIGTERM uptime_seconds=N".to_owned(),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn json_log_tells_the_life_of_a_server() {
    let (lines, [server, alice, bob]) = life(&["--log-format", "json"]);
    let lines = lines.iter().map(|line| {
        let mut object: Value = serde_json::from_str(line).expect(line);
        let time = object["time"].take();
        let time = time.as_str().expect(line);
        assert!(time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{line}");
        for varying in ["duration_ms", "uptime_seconds"] {
            if let Some(number) = object.get_mut(varying) {
                assert!(number.take().is_u64(), "{line}");
            }
        }
        object
    });
    let line = |level: &str, message: &str, mut fields: Value| {
        fields["time"] = Value::Null;
        fields["level"] = level.into();
        fields["message"] = message.into();
        fields
    };
    let info = |message, fields| line("info", message, fields);
    let expected = [
        info("starting", json!({ "version": env!("CARGO_PKG_VERSION") })),
        info("no store: the newest messages are kept in memory", json!({ "epoch": EPOCH, "history": 1000 })),
        info(
            "limits",
            json!({
                "max_clients": 1, "max_per_address": null, "connect_rate": 500, "line_rate": 10, "line_burst": 40,
                "name_timeout": "1m", "idle_timeout": null, "resume_timeout": "1m", "send_timeout": "30s",
                "dead_peer_timeout": "2m", "backlog": "8MiB", "history": 1000,
            }),
        ),
        info("listening", json!({ "listener": format!("tcp://{server}") })),
        info("connected", json!({ "id": 1, "transport": "tcp", "address": alice })),
        info("joined", json!({ "id": 1, "nick": HOSTILE, "room": "#lobby" })),
        info("refused a connection", json!({ "address": bob, "reason": "--max-clients", "limit": 1, "count": 1 })),
        info("left", json!({ "id": 1, "nick": HOSTILE, "reason": "quit" })),
        info(
            "disconnected",
            json!({ "id": 1, "transport": "tcp", "address": alice, "reason": "quit", "duration_ms": null }),
        ),
        info("stopping; a second SIGTERM or SIGINT ends the server at once", json!({ "signal": "SIGTERM" })),
        info("stopped", json!({ "reason": "SIGTERM", "uptime_seconds": null })),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// Also of a watcher that takes a nickname, of a member that has left its home, and of one that has left all its rooms.
#[test]
fn log_has_each_change_of_membership_once() {
    let mut logged = Logged::start(&["--log", "debug"]);
    let mut first = logged.server.connect();
    first.send("SET resume on");
    let reply = first.next().expect("a token");
    for line in ["WATCH", "NICK alice", "JOIN #lobby,#ops,#dev", "NICK al", "PART #lobby bye", "PART #dev"] {
        first.send(line);
    }
    first.sync();
    drop(first);
    logged.wait_for(" detached ");
    let mut second = logged.server.connect();
    second.send(&reply.replace("OK SET resume on", "RESUME"));
    for line in ["JOIN #lobby", "PART #lobby", "PART #ops", "NICK alice", "QUIT"] {
        second.send(line);
    }
    second.rest();
    logged.wait_for(" left ");
    let lines = logged.stop();
    let of_level = |level: &str| {
        let lines = lines.iter().filter_map(|line| Some(line.split_once(level)?.1.to_owned()));
        lines.filter(|line| line.contains("nick=") || line.contains("to=")).collect::<Vec<_>>()
    };
    let expected = [
        "joined id=1 nick=alice room=#lobby",
        "entered id=1 nick=alice rooms=#ops,#dev",
        "renamed id=1 from=alice to=al",
        "parted id=1 nick=al room=#lobby",
        "parted id=1 nick=al room=#dev",
        "detached id=1 nick=al",
        "resumed id=2 first_id=1 nick=al",
        "entered id=2 nick=al rooms=#lobby",
        "parted id=2 nick=al room=#lobby",
        "parted id=2 nick=al room=#ops",
        "renamed id=2 from=al to=alice",
        "left id=2 nick=alice reason=quit",
    ];
    assert_eq!(of_level(" INFO "), expected);
    let coordinators = [("alice", "#lobby"), ("alice", "#ops"), ("alice", "#dev"), ("al", "#lobby")];
    let expected = coordinators.map(|(nick, room)| format!("new coordinator nick={nick} room={room}"));
    assert_eq!(of_level(" DEBUG "), expected);
}

#[test]
fn log_names_the_room_that_a_member_joined() {
    let mut logged = Logged::start(&[]);
    let mut alice = logged.server.connect();
    alice.send("NICK alice #ops");
    alice.send("QUIT");
    alice.rest();
    logged.wait_for(" left ");
    let lines = logged.stop();
    assert!(lines.iter().any(|line| line.ends_with(" INFO joined id=1 nick=alice room=#ops")), "{lines:#?}");
}

/// The limit of open files is lower than `--max-clients`.
#[test]
fn limits_show_the_effective_number_of_clients() {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -n 256 && exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_chinwagd"),
        "--listen",
        "127.0.0.1:0",
    ]);
    let log = Server::spawn(shell.args(["--max-clients", "100000"]).stderr(Stdio::piped())).stop();
    assert!(log.contains(" limits max_clients=192 max_per_address="), "{log}");
    assert!(log.contains(" max_clients=100000 available=192\n"), "{log}");
}

/// Most clients have read everything and keep their sockets open, and one does not read: the server stops before they close them.
#[test]
fn every_connection_ends_in_the_log_before_the_stop() {
    let mut logged = Logged::start(&["--line-rate", "0"]);
    let stuck = logged.server.join_narrow("stuck");
    let mut author = logged.server.join("author");
    // More than the buffers of a socket hold.
    for _ in 0..500 {
        author.send(&format!("MSG {}", "x".repeat(4000)));
        author.until_start("OK MSG ");
    }
    let members: Vec<_> = (0..19).map(|number| logged.server.join(&format!("member{number}"))).collect();
    let watcher = logged.server.connect();
    logged.wait_for("connected id=22 ");
    let lines = logged.stop();
    drop((stuck, author, members, watcher));
    for id in 1..=22 {
        for message in ["connected", "disconnected"] {
            let start = format!(" INFO {message} id={id} ");
            assert_eq!(lines.iter().filter(|line| line.contains(&start)).count(), 1, "{start} in {lines:#?}");
        }
    }
    let reasons = lines.iter().filter(|line| line.contains(" disconnected ") && line.contains(" reason=shutdown "));
    assert_eq!(reasons.count(), 22, "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.contains(" stopped reason=SIGTERM ")), "{lines:#?}");
}

#[test]
fn log_at_warn_has_no_connections() {
    let logged = Logged::start(&["--log", "warn"]);
    let mut alice = logged.server.join("alice");
    alice.send("QUIT");
    alice.rest();
    drop(alice);
    assert_eq!(logged.stop(), Vec::<String>::new());
}

#[test]
fn failed_start_is_reported_in_the_format_of_the_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let report = |arguments: &[&str]| {
        let mut command = command(&["--listen", "127.0.0.1:0", "--port-file", path]);
        let output = command.args(arguments).output().expect("it runs");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        io::read_to_string(&*output.stderr).expect("UTF-8")
    };
    let text = report(&[]);
    let error = text.strip_prefix("chinwagd: ").and_then(|text| text.strip_suffix('\n')).expect("one line");
    for level in ["info", "off"] {
        let json = report(&["--log-format", "json", "--log", level]);
        let object: Value = serde_json::from_str(&json).expect("one object");
        assert_eq!(object["level"], "error");
        assert_eq!(object["message"], "cannot start");
        assert_eq!(object["error"], error);
        assert!(json.ends_with("}\n"), "{json:?}");
    }
}
