//! Each wrong line alone gets its clear `ERR` and harms nothing else.

use crate::common::{Client, Server};

/// Alice, Bob and Carol are here; a newcomer without a name sends `line`, which is refused like this. Nobody notices, and
/// the newcomer can join.
#[track_caller]
fn nameless(line: &[u8], refusal: &str) {
    let server = Server::start();
    let mut others = ["alice", "bob", "carol"].map(|name| server.join(name));
    for other in &mut others {
        other.sync();
    }
    let mut newcomer = server.connect();
    refused(&mut newcomer, line, refusal);
    others.iter_mut().for_each(Client::expect_nothing);
    newcomer.send("NICK newcomer");
    newcomer.expect("OK NICK newcomer");
    for other in &mut others {
        other.expect("JOIN newcomer");
    }
}

/// The same for Carol, who has a name.
#[track_caller]
fn named(line: &[u8], refusal: &str) {
    let server = Server::start();
    let mut others = ["alice", "bob"].map(|name| server.join(name));
    let mut carol = server.join("carol");
    for other in &mut others {
        other.sync();
    }
    refused(&mut carol, line, refusal);
    others.iter_mut().for_each(Client::expect_nothing);
    carol.send("MSG still here");
    carol.expect_start("OK MSG ");
    for other in &mut others {
        other.expect("MSG carol still here");
    }
}

#[track_caller]
fn refused(client: &mut Client, line: &[u8], refusal: &str) {
    client.send_bytes(line);
    client.send_bytes(b"\n");
    assert_eq!(client.sync(), [refusal]);
}

#[test]
fn no_name_given() {
    nameless(b"NICK", "ERR NICK name-missing there is no name; write: NICK name");
}

#[test]
fn a_name_that_is_taken() {
    nameless(b"NICK alice", "ERR NICK name-taken alice is taken; choose another and write: NICK name");
}

#[test]
fn a_name_that_is_taken_in_another_case() {
    nameless(
        b"NICK ALICE",
        "ERR NICK name-taken ALICE is the same name as alice, which is taken; choose another and write: NICK name",
    );
}

#[test]
fn a_look_alike() {
    nameless(
        "NICK аlice".as_bytes(),
        "ERR NICK name-alike аlice looks too much like alice, which is taken; choose another and write: NICK name",
    );
}

#[test]
fn a_name_of_33_characters() {
    nameless(
        b"NICK abcdefghijklmnopqrstuvwxyz0123456",
        "ERR NICK name-too-long a name has at most 32 characters, this has 33; write: NICK name",
    );
}

#[test]
fn a_name_with_a_space() {
    nameless(b"NICK dave the rave", "ERR NICK name-invalid a name cannot contain a space; write: NICK name");
}

#[test]
fn a_name_with_a_control_character() {
    nameless(
        b"NICK da\x1bve",
        "ERR NICK name-invalid a name cannot contain control or direction characters; write: NICK name",
    );
}

#[test]
fn a_message_before_a_name() {
    nameless(b"MSG hello", "ERR MSG no-name you have no name yet; take one first: NICK name");
}

#[test]
fn an_empty_message() {
    named(b"MSG ", "ERR MSG text-missing there is no text; write: MSG text");
}

#[test]
fn a_whisper_to_nobody() {
    named(
        b"WHISPER",
        "ERR WHISPER target-missing a name is missing; write: WHISPER name[,name...] text, with no space in the list",
    );
}

#[test]
fn a_whisper_to_oneself() {
    named(b"WHISPER carol psst", "ERR WHISPER target-self carol is you; nothing was delivered");
}

#[test]
fn a_whisper_to_one_absent_among_three() {
    named(
        b"WHISPER alice,nobody,bob psst",
        "ERR WHISPER target-absent nobody is not here; nothing was delivered; WHO lists names",
    );
}

#[test]
fn an_unknown_verb() {
    named(
        b"hello everybody",
        "ERR - verb-unknown unknown command 'hello' (HELP lists the commands); to say it, write: MSG hello everybody",
    );
}

#[test]
fn an_unknown_verb_that_a_terminal_would_obey() {
    named(
        b"\x1b[2J\x1b]0;gotcha\x07",
        "ERR - verb-unknown unknown command '\u{fffd}[2J\u{fffd}]0;gotcha\u{fffd}' (HELP lists the commands); \
         to say it, write: MSG \u{fffd}[2J\u{fffd}]0;gotcha\u{fffd}",
    );
}

#[test]
fn invalid_utf8() {
    named(b"MSG caf\xe9", "ERR - line-not-utf8 byte 8 of this line is not UTF-8; send it as UTF-8");
}

#[test]
fn half_a_character_at_the_end_of_a_line() {
    named(b"MSG caf\xc3", "ERR - line-not-utf8 byte 8 of this line is not UTF-8; send it as UTF-8");
}

/// What people send cannot move another's cursor or turn their text round.
#[test]
fn text_is_made_safe_at_the_door() {
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

/// Carol sends each of these with every command that carries text; nobody receives any of it.
#[test]
fn text_that_shows_nothing_is_missing() {
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
        refused(&mut carol, format!("MSG {text}").as_bytes(), "ERR MSG text-missing there is no text; write: MSG text");
        let usage = "ERR WHISPER text-missing there is no text; write: WHISPER name[,name...] text";
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
fn name_in_another_case_is_taken_by_its_folding() {
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

/// A mark would be drawn on the character before it.
#[test]
fn name_of_marks_alone_is_refused() {
    nameless(
        "NICK \u{345}".as_bytes(),
        "ERR NICK name-invalid a name begins with a letter or a digit, not with an invisible character (U+0345); write: NICK name",
    );
}
