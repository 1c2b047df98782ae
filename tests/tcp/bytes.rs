//! Bytes around the lines, as real clients send them: NUL, telnet's AYT, a byte order mark, UTF-16, and CR as a line ending.

use std::time::{Duration, Instant};

use crate::common::{Client, HELLO, Server};

const PRESENCE: &str = "NOTICE yes, the server is here";

/// Sends the input in two pieces, split at every byte, and ends it. Each time, `expected` is everything after the greeting.
#[track_caller]
fn check_at_every_split(server: &Server, input: &[u8], expected: &str) {
    for at in 0..=input.len() {
        let mut client = server.connect();
        client.send_bytes(&input[..at]);
        client.send_bytes(&input[at..]);
        client.end_input();
        let got = String::from_utf8(client.rest_bytes()).expect("UTF-8");
        assert_eq!(got, expected, "split at {at}: {}", input.escape_ascii());
    }
}

#[test]
fn nul_within_a_character_or_after_cr_is_ignored() {
    let server = Server::start();
    check_at_every_split(&server, b"\0PING caf\xc3\0\xa9\r\0\0PING b\r\0", "OK PING café\r\nOK PING b\r\n");
}

/// A MUD client sends a NUL every minute. NULs are not lines: they neither end a run of bad lines nor count as one.
#[test]
fn keepalive_nul_is_ignored() {
    let server = Server::start();
    let mut alice = server.connect();
    for _ in 0..49 {
        alice.send_bytes(b"\0\0\0nonsense\n");
        alice.expect_start("ERR - verb-unknown ");
    }
    alice.send_bytes(&[0; 5000]);
    alice.sync();
    for _ in 0..50 {
        alice.send_bytes(b"\0nonsense\n");
        alice.expect_start("ERR - verb-unknown ");
    }
    alice.expect_start("ERR - too-many-errors ");
    alice.expect_end();
}

/// AYT is not a line either, but it is a sign of life.
#[test]
fn idle_timeout_counts_telnet_ayt_but_no_nul() {
    let server = Server::with(&["--idle-timeout", "2"]);
    let (mut mud, mut telnet) = (server.join("mud"), server.join("telnet"));
    let told = loop {
        mud.send_bytes(b"\0");
        telnet.send_bytes(b"\xff\xf6");
        match telnet.next().expect("a line") {
            line if line == PRESENCE || line.starts_with("COORDINATOR ") => {}
            line => break line,
        }
    };
    assert_eq!(told, "LEAVE mud timeout");
    mud.until_start("ERR - idle-timeout ");
    mud.expect_end();
}

#[test]
fn telnet_ayt_gets_a_notice_and_keeps_the_line() {
    let server = Server::start();
    // Before there is a name, and within a line, which stays whole.
    check_at_every_split(&server, b"\xff\xf6PING \xff\xf6a\n", &format!("{PRESENCE}\n{PRESENCE}\nOK PING a\n"));
    let mut alice = server.join("alice");
    // More than may be in flight at once.
    alice.send_bytes(&b"\xff\xf6".repeat(200));
    assert_eq!(alice.sync(), [PRESENCE; 200]);
    alice.send_bytes(b"SET tags on\r\nMSG ha\xff\xf6lf\r\nPING sync\r\n");
    alice.expect("OK SET tags on");
    let notice = alice.expect_start("@- ");
    assert!(notice.ends_with(&format!("Z {PRESENCE}")), "{notice}");
    alice.expect("OK MSG 1");
    alice.expect("OK PING sync");
}

/// Each AYT costs as much as a line: otherwise two bytes would make the server send thirty, without end.
#[test]
fn telnet_ayt_counts_as_a_line_for_the_rate() {
    let server = Server::rate_limited(&["--line-rate", "2", "--line-burst", "2"]);
    let mut alice = server.connect();
    let start = Instant::now();
    alice.send_bytes(&b"\xff\xf6".repeat(4));
    (0..4).for_each(|_| alice.expect(PRESENCE));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn byte_order_mark_before_crlf_or_after_telnet_is_ignored() {
    let server = Server::start();
    check_at_every_split(&server, b"\xef\xbb\xbf\r\nPING b\r\n", "OK PING b\r\n");
    check_at_every_split(&server, b"\xff\xf1\xef\xbb\xbfPING a", "OK PING a\n");
}

#[test]
fn http_request_after_byte_order_mark_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    client.send_bytes(b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.expect_start("ERR - wrong-protocol you sent an HTTP request");
    client.expect_end();
}

#[test]
fn utf16_line_is_refused_by_its_name() {
    let server = Server::start();
    let text = "\u{feff}NICK a\r\nMSG ж\r\n";
    for input in
        [u16::to_le_bytes, u16::to_be_bytes].map(|order| text.encode_utf16().flat_map(order).collect::<Vec<_>>())
    {
        let why =
            "ERR - line-not-utf8 your input is UTF-16: expected UTF-8; convert it first: iconv -f UTF-16 -t UTF-8\r\n";
        check_at_every_split(&server, &input, &why.repeat(2));
    }
}

/// Sends these bytes and reads the answers before anything follows.
#[track_caller]
fn say(client: &mut Client, bytes: &[u8], answers: &[&str]) {
    client.send_bytes(bytes);
    for answer in answers {
        client.expect(answer);
    }
}

#[test]
fn cr_alone_ends_lines_after_a_pause() {
    let server = Server::start();
    let mut client = server.connect();
    client.send_bytes(b"\xef\xbb\xbfPI");
    say(&mut client, b"NG a\rPING b\r", &["OK PING a\r", "OK PING b\r"]);
    // From now on lines are answered at once.
    say(&mut client, b"PING c\rPING d", &["OK PING c\r"]);
    say(&mut client, b"\r\rPING e\x08f\r", &["OK PING d\r", "OK PING f\r"]);
    client.send_bytes(b"PING last");
    client.end_input();
    client.expect("OK PING last\r");
    client.expect_end();
}

#[test]
fn cr_alone_ends_lines_if_input_has_no_lf() {
    let server = Server::start();
    check_at_every_split(&server, b"PING a\rPING b\r", "OK PING a\r\nOK PING b\r\n");
    check_at_every_split(&server, b"PING a\rPING b", "OK PING a\r\nOK PING b\r\n");
}

/// A telnet client's CR LF may arrive in two packets, far apart. It is one line ending, and CR alone does not become another.
#[test]
fn cr_and_late_lf_are_one_ending() {
    let server = Server::start();
    for second in [b"\n", b"\0"] {
        let mut client = server.connect();
        say(&mut client, b"PING a\r", &["OK PING a\r"]);
        client.send_bytes(second);
        client.send_bytes(b"MSG one\rPING two\r\n");
        client.expect("ERR MSG no-name you have no name yet; take one first: NICK name\r");
        say(&mut client, b"PING b\r\n", &["OK PING b\r"]);
    }
}

/// Otherwise, an attacker whose text a program passes on could make it send commands.
#[test]
fn cr_within_an_lf_line_ends_no_line() {
    let server = Server::start();
    let mut alice = server.connect();
    let mut bot = server.connect();
    bot.send_bytes(b"NICK bot\rQUIT\n");
    bot.expect_start("ERR NICK name-invalid ");
    bot.send_bytes(b"NICK bot\n");
    bot.expect("OK NICK bot");
    bot.send_bytes(b"MSG passed on:\rNICK evil\r");
    // If CR were a line ending, the server would answer after a second.
    alice.send_bytes(b"PING a\r");
    alice.expect("OK PING a\r");
    bot.send_bytes(b"\n");
    bot.expect("COORDINATOR bot");
    bot.expect("OK MSG 1");
    bot.expect_nothing();
}

#[test]
fn end_of_input_after_cr_adds_no_line() {
    let server = Server::start();
    let mut client = server.connect_raw();
    client.send_bytes(b"NICK a\r\nMSG hi\r");
    client.end_input();
    assert_eq!(client.rest(), [HELLO, "OK NICK a\r", "COORDINATOR a\r", "OK MSG 1\r"]);
}
