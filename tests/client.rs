//! The client against servers that do what a chinwag server seldom does, or never: each is a script of lines, sent and
//! expected. What it does with a real one is shown by the scripts in `tests/shell` and, where connections break all the time, in
//! `client/cut.rs`.

#[path = "common/mod.rs"]
mod common;
#[path = "client/cut.rs"]
mod cut;
#[path = "client/streams.rs"]
mod streams;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::exit_status;

/// How long anything may take that should take no time.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server that follows `script`: `< line` is expected from the client (`< ` alone is its end), `(cut)` breaks the connection
/// and takes the next one, anything else is sent.
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
        // What the client still says is read, or a reset could overtake what was sent.
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

/// The client with these words, with its input and output held by the test.
fn client(address: SocketAddr, words: &[&str]) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    client.arg(address.to_string()).args(words);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client
}

/// Runs the client with these words against that script: exit code, standard output and standard error.
fn run(script: &'static [&str], words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let (address, server) = serve(script);
    let mut client = client(address, words).spawn().expect("the client starts");
    client.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the client reads");
    let Output { status, stdout, stderr } = client.wait_with_output().expect("the client ends");
    // A server that still waits for the client does not do so for ever: it reads an end.
    drop(TcpStream::connect(address));
    server.join().expect("the script is followed");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8").replace(&address.to_string(), "<address>");
    (status.code(), text(stdout), text(stderr))
}

/// What the client shows when it comes back after that.
const TAKE_BACK: &str = "< RESUME 1-0123456789abcdef0123456789abcdef";

/// The begin with every command that stays: a token that takes the name back, and how far the room is.
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

/// Commands that a conversation sends once it has its name: for its own messages as events, and for the members.
const CONVERSE: [&str; 4] = ["< SET echo on", "OK SET echo on", "< WHO", "OK WHO 0"];

#[test]
fn what_is_no_chinwag_server_is_said_and_exits_with_3() {
    let check = |script: &'static [&str], expected: &str| {
        let (code, out, err) = run(script, &["who"], "");
        assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
        assert_eq!(err, format!("chinwag: could not connect to <address>: {expected}\n"));
    };
    check(&["SSH-2.0-OpenSSH \x1b[1m"], "it is no chinwag/1 server; it says: SSH-2.0-OpenSSH \u{fffd}[1m");
    check(&["HELLO chinwag/2 hi"], "it is no chinwag/1 server; it says: HELLO chinwag/2 hi");
    check(&["ERR - server-full there is no room; try later"], "there is no room; try later");
    check(&[], "it does not say HELLO; is it a chinwag server?");
}

/// A server that says nothing was waited for as long as for any, and the exit code was that of no server.
#[test]
fn the_timeout_goes_for_a_server_that_does_not_answer() {
    for script in [&["< "][..], &["HELLO chinwag/1 hi", "< SET tags on", "< "]] {
        let (code, _, err) = run(script, &["wait", "--timeout", "4", "x"], "");
        assert_eq!((code, err.as_str()), (Some(5), "chinwag: timed out\n"));
    }
}

#[test]
fn the_servers_last_words_are_told_and_a_lost_connection_exits_with_4() {
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
fn the_servers_ping_is_answered_for_every_command() {
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

/// What was sent and has no reply is told when the connection is gone.
#[test]
fn nothing_is_lost_in_silence_without_a_terminal() {
    let script: Vec<&str> = JOIN.into_iter().chain(CONVERSE).chain(["< MSG one", "< MSG two", "OK MSG 1"]).collect();
    let (code, out, _) = run(script.leak(), &["--nick", "al", "--retry", "0"], "one\ntwo\n");
    assert_eq!(code, Some(4));
    assert!(out.ends_with("al: one\n! Server disconnected.\n! perhaps not sent: two\n"), "{out}");
}

/// Lines are numbered as in the input, with the blank ones.
#[test]
fn send_says_which_line_was_refused_and_from_which_on_nothing_is_known() {
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
    let lost = "the server closed the connection; line 4 and those after it may not have been said";
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert_eq!(err, format!("chinwag: line 3: later\nchinwag: {lost}\n"));
}

/// Or the name could be held, if the server had given it already.
#[test]
fn who_is_told_to_stop_while_it_asks_for_a_name_leaves_in_good_order() {
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

/// It has sent every reply.
#[test]
fn raw_ends_though_the_server_does_not_close() {
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

/// A later server's words are no obstacle.
#[test]
fn what_a_later_version_says_is_passed_on() {
    let last = ["SING la", "LEAVE bob bored", "< QUIT", "OK QUIT bye"];
    let script: &[&str] = JOIN.into_iter().chain(last).collect::<Vec<_>>().leak();
    let (code, out, _) = run(script, &["tail", "--count", "2", "--nick", "al"], "");
    assert_eq!((code, out.as_str()), (Some(0), "* SING la\n* LEAVE bob bored\n"));
    let (code, out, _) = run(script, &["tail", "--count", "2", "--nick", "al", "--json"], "");
    let expected =
        "{\"line\":\"SING la\",\"type\":\"unknown\"}\n{\"name\":\"bob\",\"reason\":\"bored\",\"type\":\"leave\"}\n";
    assert_eq!((code, out.as_str()), (Some(0), expected));
}

/// Who is here comes after its number, and is no line of its own for `--count`.
#[test]
fn a_roster_is_printed_whole() {
    let check = |words: &[&str], last: &'static [&str], expected: &str| {
        let script = JOIN.into_iter().chain(last.iter().copied()).chain(["< QUIT", "OK QUIT"]).collect::<Vec<_>>();
        let words = [&["tail", "--nick", "al", "--count", "1"], words].concat();
        assert_eq!(run(script.leak(), &words, ""), (Some(0), expected.to_owned(), String::new()));
    };
    let roster = &["ROSTER 2", "USER bob coordinator", "USER al member"];
    check(&[], roster, "2 are here:\n* bob coordinator\n* al member\n");
    let bob = "{\"name\":\"bob\",\"role\":\"coordinator\",\"type\":\"user\"}\n";
    let al = "{\"name\":\"al\",\"role\":\"member\",\"type\":\"user\"}\n";
    check(&["--json"], roster, &format!("{{\"count\":2,\"type\":\"roster\"}}\n{bob}{al}"));
    check(&["--from", "bob"], &["ROSTER 1", "USER bob coordinator", "MSG bob hi"], "bob: hi\n");
}

/// Half of a line is not read as a whole, whichever way it was cut short, and half of a message is no message.
#[test]
fn what_was_cut_short_counts_as_not_read() {
    let cut =
        ["@5 2026-11-20T12:44:29.138Z MSG bob one and", "@6 2026-11-20T12:44:29.138Z MSG bob hal\r", "ERR - slow x\r"];
    let script: Vec<&str> = JOIN.into_iter().chain(cut).collect();
    let (code, out, err) = run(script.leak(), &["tail", "--nick", "al", "--retry", "0", "--json"], "");
    assert_eq!((code, err.as_str()), (Some(4), "chinwag: the server closed the connection: x\n"));
    assert_eq!((out.lines().count(), out.contains("one and")), (1, true), "{out}");
}

/// What was sent before the connection broke is looked for in what was missed: said or not, it is neither repeated nor lost.
#[test]
fn who_comes_back_hears_whether_it_was_heard() {
    let before = ["< MSG one", "< MSG two", "(cut)", "HELLO chinwag/1 epoch=a hi"];
    let back = ["< SET tags on", "OK SET tags on", TAKE_BACK, "OK RESUME al", "< SINCE 0 a"];
    let missed =
        ["PAST 7 2026-11-20T12:44:29.138Z al one", "PAST 8 2026-11-20T12:44:29.138Z bob hi", "OK SINCE 2 last=8"];
    let script: Vec<&str> = JOIN
        .into_iter()
        .chain(CONVERSE)
        .chain(before)
        .chain(back)
        .chain(missed)
        .chain(CONVERSE)
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
    assert_eq!((lines.next(), client.wait().expect("it ends").code()), (None, Some(1)), "something was not sent");
}

/// More lines than are on their way at once: the rest is there when the connection breaks.
#[test]
fn input_from_a_pipe_waits_for_the_connection() {
    let lines: Vec<_> = (0..70).map(|number| number.to_string()).collect();
    // 64 may be on their way, with the two questions before them.
    let (sent, rest) = lines.split_at(62);
    let said = |lines: &[String]| lines.iter().map(|line| &*format!("< MSG {line}").leak()).collect::<Vec<_>>();
    let back = ["(cut)", "HELLO chinwag/1 epoch=a hi", "< SET tags on", "OK SET tags on", TAKE_BACK, "OK RESUME al"];
    let script: Vec<&str> = JOIN
        .into_iter()
        .chain(["< SET echo on", "< WHO"])
        .chain(said(sent))
        .chain(back)
        .chain(["< SINCE 0 a", "OK SINCE 0 last=0"])
        .chain(CONVERSE)
        .chain(said(rest))
        .chain(["< QUIT"])
        .chain(rest.iter().map(|_| "OK MSG 1"))
        .chain(["OK QUIT"])
        .collect();
    let (code, out, _) = run(script.leak(), &["--nick", "al"], &lines.join("\n"));
    let unsaid: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("! not sent: ")).collect();
    assert_eq!((code, unsaid), (Some(1), sent.iter().map(String::as_str).collect()), "{out}");
}

/// Two that took the name from each other would do so for ever.
#[test]
fn whose_name_went_on_elsewhere_does_not_come_back() {
    let script: Vec<&str> = JOIN.into_iter().chain(["ERR - resumed another connection showed your token"]).collect();
    let script: &[&str] = script.leak();
    let (code, _, err) = run(script, &["tail", "--nick", "al"], "");
    assert_eq!((code, err.as_str()), (Some(6), "chinwag: the name went on with another connection\n"));
    let script: Vec<&str> = JOIN.into_iter().chain(CONVERSE).chain(["ERR - resumed x"]).collect();
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
