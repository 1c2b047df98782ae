//! The client against scripted servers, for behaviour that a chinwag server shows rarely or never. A script is a list of lines to send and
//! to expect. `tests/shell` tests the client with the real server, `client/accounts.rs` with logins, `client/cut.rs` with connections
//! that are lost again and again, `client/rooms.rs` with a server that has rooms, `client/streams.rs` with unusual standard streams,
//! `client/transports.rs` over Unix sockets, `client/tls.rs` over TLS.

#[path = "client/accounts.rs"]
mod accounts;
#[path = "common/mod.rs"]
mod common;
#[path = "client/cut.rs"]
mod cut;
#[path = "client/rooms.rs"]
mod rooms;
#[path = "client/streams.rs"]
mod streams;
#[cfg(feature = "tls")]
#[path = "client/tls.rs"]
mod tls;
#[path = "client/transports.rs"]
mod transports;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::exit_status;

/// Limit for every wait. Usually, a wait takes almost no time.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server that follows `script`. `< line` is a line to expect from the client, `< ` alone the end of its input. `(cut)` closes the
/// connection and accepts the next one. Every other line is sent.
fn serve(script: &'static [&str]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let mut peer = accept(&listener);
        for step in script {
            if *step == "(cut)" {
                drop(peer);
                peer = accept(&listener);
            } else {
                follow(&mut peer, step);
            }
        }
        // Reads the rest of the client's lines: otherwise a reset could overtake the lines on their way to it.
        peer.get_ref().shutdown(std::net::Shutdown::Write).expect("a connection");
        peer.read_to_end(&mut Vec::new()).expect("an end");
    });
    (address, server)
}

fn follow(peer: &mut BufReader<TcpStream>, step: &str) {
    match step.strip_prefix("< ") {
        Some(expected) => assert_eq!(read_line(peer), expected),
        None => writeln!(peer.get_mut(), "{step}").expect("the client reads"),
    }
}

fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().expect("the client connects");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    BufReader::new(stream)
}

fn read_line(peer: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    peer.read_line(&mut line).expect("a line in time");
    line.trim_end_matches('\n').to_owned()
}

/// The client with these arguments, with pipes as its standard streams.
fn client(address: SocketAddr, words: &[&str]) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    client.arg(address.to_string()).args(words);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client
}

/// Runs the client with these arguments against the script. Returns its exit code, standard output and standard error.
fn run(script: &'static [&str], words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let (address, server) = serve(script);
    let (code, out, err) = finish(&mut client(address, words), input);
    // If the server still waits for a connection, this connection ends the wait: the test fails instead of hanging.
    drop(TcpStream::connect(address));
    server.join().expect("the script is followed");
    let [out, err] = [out, err].map(|text| text.replace(&address.to_string(), "<address>"));
    (code, out, err)
}

/// Runs a client with this input. Returns its exit code, standard output and standard error.
fn finish(client: &mut Command, input: &str) -> (Option<i32>, String, String) {
    let mut client = client.spawn().expect("the client starts");
    client.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the client reads");
    let Output { status, stdout, stderr } = client.wait_with_output().expect("the client ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// The line that resumes the session on a new connection.
const RESUME: &str = "< RESUME 1-0123456789abcdef0123456789abcdef";

/// The beginning of every command that reconnects: the client requests a resume token, a nickname, and the id of the last message.
const JOIN: [&str; 9] = [
    "HELLO chinwag/1 epoch=a hi",
    "< SET tags on",
    "OK SET tags on",
    "< SET resume on",
    "OK SET resume on 1-0123456789abcdef0123456789abcdef",
    "< NICK al",
    "OK NICK al",
    "< HISTORY 0",
    "OK HISTORY 0 last=0",
];

/// The beginning of a chat, after [`JOIN`]: the client requests own messages as events, and the member list.
const START_CHAT: [&str; 4] = ["< SET echo on", "OK SET echo on", "< WHO", "OK WHO 0"];

#[test]
fn other_kind_of_server_exits_with_3() {
    let check = |script: &'static [&str], expected: &str| {
        let (code, out, err) = run(script, &["who"], "");
        assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
        assert_eq!(err, format!("chinwag: could not connect to <address>: {expected}\n"));
    };
    check(
        &["SSH-2.0-OpenSSH \x1b[1m"],
        "not a chinwag/1 server: expected HELLO, received \"SSH-2.0-OpenSSH \u{fffd}[1m\"",
    );
    check(&["HELLO chinwag/2 hi"], "not a chinwag/1 server: expected HELLO, received \"HELLO chinwag/2 hi\"");
    check(&["ERR - server-full the server is full; try later"], "the server is full; try later");
    check(&[], "the server sent no HELLO; is it a chinwag server? If it expects TLS, use --tls");
}

/// Regression: `--timeout` did not apply before the greeting, and the exit code was 3.
#[test]
fn timeout_applies_to_silent_server() {
    for script in [&["< "][..], &["HELLO chinwag/1 hi", "< SET tags on", "< "]] {
        let (code, _, err) = run(script, &["wait", "--timeout", "4", "x"], "");
        assert_eq!((code, err.as_str()), (Some(5), "chinwag: timed out\n"));
    }
}

#[test]
fn close_reason_is_printed() {
    let check = |last: &'static [&str], expected: &str| {
        let script: Vec<&str> = JOIN.iter().chain(last).copied().collect();
        let (code, _, err) = run(script.leak(), &["tail", "--nick", "al", "--retry", "0"], "");
        assert_eq!((code, err), (Some(4), format!("chinwag: the server closed the connection{expected}\n")));
    };
    check(&["MSG bob hi"], "");
    check(&["MSG bob hi", "ERR - idle-timeout you were quiet"], ": you were quiet");
    check(&["\x1b[2J", "ERR - slow \x1b[1m"], ": \u{fffd}[1m");
}

#[test]
fn every_command_answers_ping() {
    let ping = ["@- 2026-11-20T12:44:29.138Z PING idle", "< PONG idle", "PING again", "< PONG again"];
    let tail: Vec<&str> = JOIN.into_iter().chain(ping).chain(["MSG bob hi", "< QUIT", "OK QUIT"]).collect();
    let (code, out, _) = run(tail.leak(), &["tail", "--count", "1", "--nick", "al"], "");
    assert_eq!((code, out.as_str()), (Some(0), "bob: hi\n"));
    let chat =
        ["< CHAT", "PING one", "< PONG one", "OK CHAT on", "< /ping", "PING two", "< /PONG two", "OK PING", "< "];
    let raw: Vec<&str> = ["HELLO chinwag/1 hi"].into_iter().chain(chat).collect();
    let (code, out, _) = run(raw.leak(), &["raw"], "CHAT\n/ping\n");
    assert_eq!((code, out.lines().count()), (Some(0), 5), "{out}");
}

/// A message without a reply is reported when the connection is lost.
#[test]
fn unacknowledged_message_is_reported_without_a_terminal() {
    let script: Vec<&str> = JOIN.into_iter().chain(START_CHAT).chain(["< MSG one", "< MSG two", "OK MSG 1"]).collect();
    let (code, out, _) = run(script.leak(), &["--nick", "al", "--retry", "0"], "one\ntwo\n");
    assert_eq!(code, Some(4));
    assert!(out.ends_with("al: one\n! Server disconnected.\n! perhaps not sent: two\n"), "{out}");
}

/// Line numbers count blank lines, too.
#[test]
fn send_reports_refused_and_unconfirmed_lines() {
    let script = &[
        "HELLO chinwag/1 hi",
        "< SET tags on",
        "OK SET tags on",
        "< NICK al",
        "OK NICK al",
        "< MSG one",
        "OK MSG 1",
        "< MSG two",
        "ERR MSG not-stored later",
        "< MSG three",
    ];
    let (code, out, err) = run(script, &["send", "--nick", "al"], "one\n\ntwo\nthree\nfour\n");
    let lost = "the server closed the connection; line 4 and later lines may not have been sent";
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert_eq!(err, format!("chinwag: line 3: later\nchinwag: {lost}\n"));
}

/// Without `QUIT`, the server would keep a nickname reserved that it has granted already.
#[test]
fn signal_while_joining_sends_quit() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = client(listener.local_addr().expect("an address"), &["tail", "--nick", "al"])
        .spawn()
        .expect("the client starts");
    let mut peer = accept(&listener);
    for step in &JOIN[..6] {
        follow(&mut peer, step);
    }
    Command::new("kill").arg(client.id().to_string()).status().expect("kill runs");
    assert_eq!(read_line(&mut peer), "QUIT");
    drop(peer);
    assert_eq!(client.wait().expect("it ends").signal(), Some(15));
}

/// The server sends every reply and keeps the connection open.
#[test]
fn raw_ends_if_server_keeps_connection_open() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut raw = client(listener.local_addr().expect("an address"), &["raw"]).spawn().expect("the client starts");
    let mut peer = accept(&listener);
    writeln!(peer.get_mut(), "HELLO chinwag/1 hi").expect("the client reads");
    raw.stdin.take().expect("piped").write_all(b"PING\n").expect("the client reads");
    assert_eq!(read_line(&mut peer), "PING");
    writeln!(peer.get_mut(), "OK PING").expect("the client reads");
    assert_eq!(read_line(&mut peer), "");
    assert_eq!(exit_status(&mut raw, DEADLINE).code(), Some(0));
}

/// Lines of a later protocol version that the client cannot parse.
#[test]
fn unknown_lines_are_printed() {
    let last = ["SING la", "LEAVE bob bored", "< QUIT", "OK QUIT bye"];
    let script: &[&str] = JOIN.into_iter().chain(last).collect::<Vec<_>>().leak();
    let (code, out, _) = run(script, &["tail", "--count", "2", "--nick", "al"], "");
    assert_eq!((code, out.as_str()), (Some(0), "* SING la\n* LEAVE bob bored\n"));
    let (code, out, _) = run(script, &["tail", "--count", "2", "--nick", "al", "--json"], "");
    let expected =
        "{\"line\":\"SING la\",\"type\":\"unknown\"}\n{\"name\":\"bob\",\"reason\":\"bored\",\"type\":\"leave\"}\n";
    assert_eq!((code, out.as_str()), (Some(0), expected));
}

/// For `--count`, `ROSTER` and its `USER` lines are one line.
#[test]
fn roster_counts_as_one_line() {
    let check = |words: &[&str], last: &'static [&str], expected: &str| {
        let script = JOIN.into_iter().chain(last.iter().copied()).chain(["< QUIT", "OK QUIT"]).collect::<Vec<_>>();
        let words = [&["tail", "--nick", "al", "--count", "1"], words].concat();
        assert_eq!(run(script.leak(), &words, ""), (Some(0), expected.to_owned(), String::new()));
    };
    let roster = &["ROSTER 2", "USER bob coordinator", "USER al member"];
    check(&[], roster, "2 members:\n* bob coordinator\n* al member\n");
    let bob = "{\"name\":\"bob\",\"role\":\"coordinator\",\"type\":\"user\"}\n";
    let al = "{\"name\":\"al\",\"role\":\"member\",\"type\":\"user\"}\n";
    check(&["--json"], roster, &format!("{{\"count\":2,\"type\":\"roster\"}}\n{bob}{al}"));
    check(&["--from", "bob"], &["ROSTER 1", "USER bob coordinator", "MSG bob hi"], "bob: hi\n");
}

/// A message is incomplete if the server ends it with CR LF, or if it has no line ending.
#[test]
fn truncated_message_is_not_printed() {
    let cut =
        ["@5 2026-11-20T12:44:29.138Z MSG bob one and", "@6 2026-11-20T12:44:29.138Z MSG bob hal\r", "ERR - slow x\r"];
    let script: Vec<&str> = JOIN.into_iter().chain(cut).collect();
    let (code, out, err) = run(script.leak(), &["tail", "--nick", "al", "--retry", "0", "--json"], "");
    assert_eq!((code, err.as_str()), (Some(4), "chinwag: the server closed the connection: x\n"));
    assert_eq!((out.lines().count(), out.contains("one and")), (1, true), "{out}");
}

/// The client searches the replay for its unacknowledged messages, reports the missing ones, and sends none again.
#[test]
fn message_missing_in_replay_is_reported() {
    let before = ["< MSG one", "< MSG two", "(cut)", "HELLO chinwag/1 epoch=a hi"];
    let back = ["< SET tags on", "OK SET tags on", RESUME, "OK RESUME al", "< SINCE 0 a"];
    let missed =
        ["PAST 7 2026-11-20T12:44:29.138Z al one", "PAST 8 2026-11-20T12:44:29.138Z bob hi", "OK SINCE 2 last=8"];
    let script: Vec<&str> = JOIN
        .into_iter()
        .chain(START_CHAT)
        .chain(before)
        .chain(back)
        .chain(missed)
        .chain(START_CHAT)
        .chain(["< QUIT", "OK QUIT"])
        .collect();
    let (address, server) = serve(script.leak());
    let mut client = client(address, &["--nick", "al"]).spawn().expect("the client starts");
    let mut typed = client.stdin.take().expect("piped");
    typed.write_all(b"one\ntwo\n").expect("the client reads");
    let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines().map(|line| line.expect("a line"));
    let mut shown: Vec<_> = lines.by_ref().take_while(|line| line != "! not sent: two").collect();
    drop(typed);
    server.join().expect("the script is followed");
    assert!(shown.pop().is_some_and(|line| line.ends_with(" bob: hi")));
    assert!(shown.pop().is_some_and(|line| line.ends_with(" al: one")));
    assert_eq!((lines.next(), client.wait().expect("it ends").code()), (None, Some(1)), "a message was not sent");
}

/// The input has more lines than may await a reply; the rest is sent on the next connection.
#[test]
fn piped_input_waits_for_the_next_connection() {
    let lines: Vec<_> = (0..70).map(|number| number.to_string()).collect();
    // 64 lines may await a reply; two of them are SET and WHO.
    let (sent, rest) = lines.split_at(62);
    let messages = |lines: &[String]| lines.iter().map(|line| &*format!("< MSG {line}").leak()).collect::<Vec<_>>();
    let back = ["(cut)", "HELLO chinwag/1 epoch=a hi", "< SET tags on", "OK SET tags on", RESUME, "OK RESUME al"];
    let script: Vec<&str> = JOIN
        .into_iter()
        .chain(["< SET echo on", "< WHO"])
        .chain(messages(sent))
        .chain(back)
        .chain(["< SINCE 0 a", "OK SINCE 0 last=0"])
        .chain(START_CHAT)
        .chain(messages(rest))
        .chain(["< QUIT"])
        .chain(rest.iter().map(|_| "OK MSG 1"))
        .chain(["OK QUIT"])
        .collect();
    let (code, out, _) = run(script.leak(), &["--nick", "al"], &lines.join("\n"));
    let unsent: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("! not sent: ")).collect();
    assert_eq!((code, unsent), (Some(1), sent.iter().map(String::as_str).collect()), "{out}");
}

/// If the client resumed its session again, two clients would take it from each other endlessly.
#[test]
fn session_resumed_elsewhere_exits_with_6() {
    let script: Vec<&str> = JOIN.into_iter().chain(["ERR - resumed another connection resumed this session"]).collect();
    let script: &[&str] = script.leak();
    let (code, _, err) = run(script, &["tail", "--nick", "al"], "");
    assert_eq!((code, err.as_str()), (Some(6), "chinwag: another connection resumed this session\n"));
    let script: Vec<&str> = JOIN.into_iter().chain(START_CHAT).chain(["ERR - resumed x"]).collect();
    let (address, server) = serve(script.leak());
    let mut client = client(address, &["--nick", "al"]).spawn().expect("the client starts");
    assert_eq!(client.wait().expect("it ends").code(), Some(6));
    server.join().expect("the script is followed");
    let (address, server) = serve(&["HELLO chinwag/1 hi", "ERR - resumed x"]);
    let mut raw = self::client(address, &["raw"]).spawn().expect("the client starts");
    let input = raw.stdin.take();
    assert_eq!(raw.wait().expect("it ends").code(), Some(6));
    server.join().expect("the script is followed");
    drop(input);
}
