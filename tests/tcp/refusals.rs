//! Invalid lines: each one is refused with its reason, and has no effect.

use crate::common::{Client, Server};

/// Sends a line. The refusal is all that the client receives.
#[track_caller]
fn refused(client: &mut Client, line: &[u8], refusal: &str) {
    client.send_bytes(line);
    client.send_bytes(b"\n");
    assert_eq!(client.sync(), [refusal], "{}", line.escape_ascii());
}

/// Lines of a client without a nickname, in a room with Alice.
const UNNAMED: [(&str, &str); 9] = [
    ("NICK", "ERR NICK name-missing the name is missing; write: NICK name"),
    ("NICK alice", "ERR NICK name-taken alice is taken; choose another and write: NICK name"),
    (
        "NICK ALICE",
        "ERR NICK name-taken ALICE is the same name as alice, which is taken; choose another and write: NICK name",
    ),
    (
        "NICK аlice",
        "ERR NICK name-alike аlice looks too much like alice, which is taken; choose another and write: NICK name",
    ),
    (
        "NICK abcdefghijklmnopqrstuvwxyz0123456",
        "ERR NICK name-too-long the name has 33 characters: expected at most 32; write: NICK name",
    ),
    ("NICK dave the rave", "ERR NICK name-invalid a name cannot contain a space; write: NICK name"),
    ("NICK da\x1bve", "ERR NICK name-invalid a name cannot contain control or direction characters; write: NICK name"),
    (
        "NICK \u{345}",
        "ERR NICK name-invalid a name must begin with a letter or a digit, not with an invisible character (U+0345); write: NICK name",
    ),
    ("MSG hello", "ERR MSG no-name you have no name yet; take one first: NICK name"),
];

#[test]
fn refused_line_of_unnamed_client_has_no_effect() {
    let server = Server::start();
    let [mut alice, mut bob] = ["alice", "bob"].map(|nick| server.join(nick));
    alice.sync();
    for (line, refusal) in UNNAMED {
        let mut newcomer = server.connect();
        refused(&mut newcomer, line.as_bytes(), refusal);
        [&mut alice, &mut bob].into_iter().for_each(Client::expect_nothing);
        newcomer.send("NICK newcomer\nQUIT");
        assert_eq!(newcomer.rest(), ["OK NICK newcomer", "OK QUIT"], "{line}");
        for other in [&mut alice, &mut bob] {
            assert_eq!(other.sync(), ["JOIN newcomer", "LEAVE newcomer quit"], "{line}");
        }
    }
}

/// Lines of Carol, in a room with Alice and Bob.
const NAMED: [(&[u8], &str); 9] = [
    (b"MSG ", "ERR MSG text-missing the text is missing; write: MSG text"),
    (
        b"WHISPER",
        "ERR WHISPER target-missing a name is missing; write: WHISPER name[,name...] text, with no space in the list",
    ),
    (b"WHISPER carol psst", "ERR WHISPER target-self carol is your own name; nothing was delivered"),
    (
        b"WHISPER alice,nobody,bob psst",
        "ERR WHISPER target-absent nobody is not here; nothing was delivered; WHO lists names",
    ),
    (
        b"hello everybody",
        "ERR - verb-unknown unknown command 'hello' (HELP lists the commands); to say it, write: MSG hello everybody",
    ),
    (
        b"\x1b[2J\x1b]0;gotcha\x07",
        "ERR - verb-unknown unknown command '\u{fffd}[2J\u{fffd}]0;gotcha\u{fffd}' (HELP lists the commands); \
         to say it, write: MSG \u{fffd}[2J\u{fffd}]0;gotcha\u{fffd}",
    ),
    (b"MSG caf\xe9", "ERR - line-not-utf8 byte 8 of this line is not UTF-8; send it as UTF-8"),
    (b"MSG caf\xc3", "ERR - line-not-utf8 byte 8 of this line is not UTF-8; send it as UTF-8"),
    (b"\xff\xff", "ERR - line-not-utf8 byte 1 of this line is not UTF-8; send it as UTF-8"),
];

#[test]
fn refused_line_of_member_has_no_effect() {
    let server = Server::start();
    let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(|nick| server.join(nick));
    alice.sync();
    bob.sync();
    for (number, (line, refusal)) in (1..).zip(NAMED) {
        refused(&mut carol, line, refusal);
        [&mut alice, &mut bob].into_iter().for_each(Client::expect_nothing);
        carol.send("MSG still here");
        carol.expect(&format!("OK MSG {number}"));
        alice.expect("MSG carol still here");
        bob.expect("MSG carol still here");
    }
}

#[test]
fn control_characters_in_text_are_replaced() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut bob = server.join("bob");
    drop(alice.sync());
    bob.send("MSG \x1b[31mred\x07 \u{9b}2J \u{202e}txt.exe");
    alice.expect("MSG bob \u{fffd}[31mred\u{fffd} \u{fffd}2J \u{fffd}txt.exe");
    bob.send("WHISPER alice \x1b[0m");
    alice.expect("WHISPER bob \u{fffd}[0m");
    bob.send("QUIT \x1bc");
    alice.expect("LEAVE bob quit \u{fffd}c");
}

/// With every command that has a text.
#[test]
fn invisible_text_is_refused() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut carol = server.join("carol");
    alice.expect("JOIN carol");
    for text in [
        "\u{200b}",
        "\u{2800}",
        "\u{3164}",
        "\u{ad}",
        "\u{fe0f}",
        "\u{feff} \u{200d}\t\u{e0041}",
        "\u{202e}",
        "\u{301}",
    ] {
        refused(
            &mut carol,
            format!("MSG {text}").as_bytes(),
            "ERR MSG text-missing the text is missing; write: MSG text",
        );
        let usage = "ERR WHISPER text-missing the text is missing; write: WHISPER name[,name...] text";
        refused(&mut carol, format!("WHISPER alice {text}").as_bytes(), usage);
        carol.send("CHAT");
        carol.expect("OK CHAT on");
        carol.send(text);
        carol.expect_start("ERR MSG text-missing ");
        carol.send("/chat");
        carol.expect("OK CHAT off");
    }
    alice.expect_nothing();
    carol.send("QUIT \u{200b} \u{2800}");
    carol.expect("OK QUIT");
    alice.expect("LEAVE carol quit");
}

#[test]
fn visible_text_is_sent_unchanged() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut carol = server.join("carol");
    alice.expect("JOIN carol");
    let wales = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}";
    for text in ["👩\u{200d}👩\u{200d}👧", "❤\u{fe0f}", wales, "1\u{fe0f}\u{20e3}", " \u{200b}x\u{ad} ", "\u{feff}x"]
    {
        carol.send(&format!("MSG {text}"));
        carol.expect_start("OK MSG ");
        alice.expect(&format!("MSG carol {text}"));
    }
}

#[test]
fn nick_in_another_case_is_taken() {
    let server = Server::start();
    let mut alice = server.connect();
    let mut bob = server.join("bob");
    for (name, others) in [("Νικος", ["ΝΙΚΟΣ", "νικοσ"]), ("STRASSE", ["straße", "STRAẞE"])] {
        alice.send(&format!("NICK {name}"));
        alice.until(&format!("OK NICK {name}"));
        for other in others {
            bob.send(&format!("NICK {other}"));
            let refusal = format!(
                "ERR NICK name-taken {other} is the same name as {name}, which is taken; choose another and write: NICK name"
            );
            assert!(bob.sync().contains(&refusal), "{other}");
            bob.send(&format!("WHISPER {other},{name} psst"));
            bob.expect(&format!("OK WHISPER {name}"));
            assert_eq!(alice.sync(), ["WHISPER bob psst"]);
        }
        // The member's own name in another case is a rename.
        alice.send(&format!("NICK {}", others[0]));
        alice.expect(&format!("OK NICK {}", others[0]));
        bob.expect(&format!("RENAME {name} {}", others[0]));
    }
}
