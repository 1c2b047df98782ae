//! Every code point in every place where a client can send it: no line for a client and no line of the log has a character that a
//! terminal acts on.

use std::io::Read as _;
use std::process::Stdio;
use std::thread;

use crate::common::{Client, Server, command};

/// Whether a terminal acts on the character instead of showing it. On purpose not the server's own list.
fn is_obeyed(c: char) -> bool {
    let point = u32::from(c);
    matches!(point, 0x00..=0x1f | 0x7f | 0x80..=0x9f)
        || matches!(point, 0x2028 | 0x2029 | 0x202a..=0x202e | 0x2066..=0x2069)
}

#[track_caller]
fn assert_harmless(line: &str) {
    assert!(!line.contains(is_obeyed), "{}", line.escape_debug());
}

/// Every code point except LF, `count` in each line.
fn all(count: usize) -> impl Iterator<Item = String> {
    let mut points = ('\0'..=char::MAX).filter(|&c| c != '\n');
    std::iter::from_fn(move || Some(points.by_ref().take(count).collect::<String>()).filter(|some| !some.is_empty()))
}

/// Sends the lines, and checks all lines that the sender and the listener read. `PING` in between resets the count of errors.
fn say_all(client: &mut Client, listener: &mut Client, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    while lines.peek().is_some() {
        lines.by_ref().take(40).for_each(|line| client.send(&line));
        client.sync().iter().chain(&listener.sync()).for_each(|line| assert_harmless(line));
    }
}

#[test]
fn control_characters_reach_no_client_and_no_log() {
    let arguments = ["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0"];
    let mut server = Server::spawn(command(&arguments).stderr(Stdio::piped()));
    let mut log = server.take_stderr();
    let reading = thread::spawn(move || {
        let mut all = String::new();
        log.read_to_string(&mut all).expect("the log is UTF-8");
        all
    });
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    for place in ["MSG ", "WHISPER alice ", "", "WHISPER ", "HELP ", "SET ", "PONG "] {
        say_all(&mut bob, &mut alice, all(900).map(|points| format!("{place}x{points}")));
    }
    say_all(&mut bob, &mut alice, all(60).map(|points| format!("PING {points}")));
    let obeyed = ('\0'..=char::MAX).filter(|&c| is_obeyed(c) && c != '\n');
    say_all(&mut bob, &mut alice, obeyed.map(|c| format!("NICK a{c}b")));
    say_all(&mut bob, &mut alice, all(29).step_by(7).map(|points| format!("NICK {points}")));
    for (number, points) in all(900).enumerate() {
        let mut guest = server.connect();
        guest.send(&format!("NICK guest{number}\nCHAT\n{points}\n/{points}\n/quit bye{points}"));
        guest.rest().iter().chain(&alice.sync()).for_each(|line| assert_harmless(line));
    }
    drop(server);
    let log = reading.join().expect("the log");
    assert!(log.lines().count() > 2000, "{}", log.lines().count());
    log.lines().for_each(assert_harmless);
}
