//! Parsing and writing of commands, and the texts of refusals.

use super::*;
use crate::limits::{SEARCH_WORDS_MAX, WHISPER_NAMES_MAX};
use crate::protocol::{Drawing, ErrorCode, MessageId, Mode, Name, Stroke, Text, Token};

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn text(raw: &str) -> Text {
    Text::new(raw).unwrap()
}

#[test]
fn line_has_reply_unless_blank_or_pong() {
    let check = |line: &[u8], mode: Mode, expected| {
        assert_eq!(Command::has_reply(line, mode), expected, "{:?}", line.escape_ascii().to_string());
    };
    check(b"NICK alice", Mode::Commands, true);
    check(b"nonsense", Mode::Commands, true);
    check(b"caf\xe9", Mode::Commands, true);
    check(&[b'x'; 5000], Mode::Commands, true);
    check(b"", Mode::Commands, false);
    check(b" \t\r", Mode::Commands, false);
    check(b"a\x08", Mode::Commands, false);
    check(b"\0", Mode::Commands, false);
    check(b"\xff\xf6", Mode::Commands, false);
    check(b"\xff\xf6MSG hi", Mode::Commands, true);
    check(b"\xef\xbb\xbf", Mode::Commands, true);
    check(b"MSG GET / HTTP/1.1", Mode::Commands, true);
    check(b"PONG idle", Mode::Commands, false);
    check(b"PONG idle", Mode::Chat, true);
    check(b"/pong idle", Mode::Chat, false);
    check(b"/pong idle", Mode::Commands, true);
}

#[test]
fn line_is_parsed_as_its_command() {
    fn check(line: &str, expected: impl Into<Command>) {
        assert_eq!(Command::parse(line, Mode::Commands), Ok(Some(expected.into())), "{line:?}");
    }
    check("NICK alice", Nick { name: name("alice"), room: None });
    check("nick  alice ", Nick { name: name("alice"), room: None });
    check("  Msg hi there", Msg(text("hi there")));
    check("MSG  indented ", Msg(text(" indented ")));
    check("MSG\thi", Msg(text("hi")));
    check("WHISPER bob hi", Whisper { to: vec![name("bob")], text: text("hi") });
    check("WHISPER bob,carol,BOB hi", Whisper { to: vec![name("bob"), name("carol")], text: text("hi") });
    check("WHO", Who);
    check("HISTORY", History(20));
    check("history 5 ", History(5));
    check("SINCE 12", Since { after: MessageId(12), epoch: None });
    check("SINCE  12  k7qd ", Since { after: MessageId(12), epoch: Some(Token::new("k7qd").unwrap()) });
    check("SEARCH tea time", Search(text("tea time")));
    check("status ", Status);
    check("draw CLEAR ", Draw(Drawing::Clear));
    let stroke = Stroke::new("#1e90ff 40 0,0 9999,9999").unwrap();
    check("DRAW  #1E90FF 40  0,0 9999,9999", Draw(Drawing::Stroke(stroke)));
    check("CANVAS", Canvas);
    check("SET draw on", Set { setting: Setting::Draw, on: true });
    check("PING", Ping(None));
    check("PING sync-1", Ping(Some(Token::new("sync-1").unwrap())));
    check("PONG any thing", Pong(Some(text("any thing"))));
    check("HELP", Help(None));
    check("HELP msg", Help(Some(Verb::Msg)));
    check("SET echo ON", Set { setting: Setting::Echo, on: true });
    check("SET tags off", Set { setting: Setting::Tags, on: false });
    check("SET Resume on", Set { setting: Setting::Resume, on: true });
    let token = format!("17-{}", "0a".repeat(16));
    check(&format!("resume {token} "), Resume(token.parse().unwrap()));
    check("CHAT", Chat(None));
    check("QUIT", Quit(None));
    check("QUIT \u{200b}", Quit(None));
    check("QUIT see you", Quit(Some(text("see you"))));
}

#[test]
fn line_without_slash_is_a_message_in_chat_mode() {
    fn check(line: &str, expected: impl Into<Command>) {
        assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(expected.into())), "{line:?}");
    }
    check("hi", Msg(text("hi")));
    check("WHO", Msg(text("WHO")));
    check("//etc/passwd", Msg(text("/etc/passwd")));
    check("  //etc/passwd", Msg(text("  /etc/passwd")));
    check("1/2", Msg(text("1/2")));
    check("/who", Who);
    check(" \t\u{3000}/who", Who);
    check("/help msg", Help(Some(Verb::Msg)));
    check("/help w", Help(Some(Verb::Whisper)));
    check("/chat", Chat(None));
}

#[test]
fn slash_never_publishes_in_chat_mode() {
    let whisper: Command = Whisper { to: vec![name("bob")], text: text("psst") }.into();
    for line in [
        "/msg bob psst",
        "/MSG bob psst",
        "/w bob psst",
        "/W bob psst",
        "/whisper bob psst",
        " \t/msg bob psst",
        "\u{200b}/w bob psst",
    ] {
        assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(whisper.clone())), "{line:?}");
    }
    for line in ["／msg bob psst", "\x1b/w bob psst", "\u{fffd} ／w bob psst"] {
        assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(whisper.clone())), "{line:?}");
    }
    let refused = [
        "/",
        "/ msg bob psst",
        "/msg",
        "/msg bob",
        "/w bob ",
        "/msg bob,",
        "/wisper bob psst",
        "/tell bob psst",
        " /dm bob psst",
        "/m\u{ad}sg bob psst",
    ];
    for line in refused {
        let refusal = Command::parse(line, Mode::Chat).unwrap_err();
        assert!(!refusal.text(Mode::Chat).contains("psst"), "{line:?}: {refusal}");
    }
    let members_of_both = Command::parse("/msg bob,carol psst", Mode::Chat);
    assert_eq!(members_of_both, Ok(Some(Whisper { to: vec![name("bob"), name("carol")], text: text("psst") }.into())));
    assert_eq!(Command::parse("msg psst", Mode::Commands), Ok(Some(Msg(text("psst")).into())));
}

/// Chat mode can send any text, also text that begins with slashes.
#[test]
fn message_in_chat_mode_round_trips() {
    arbtest::arbtest(|u| {
        let parts = ["/", "//", "／", "\u{fffd}", " ", "\u{3000}", "\u{200b}", "msg", "w", "bob", "x"];
        let raw: String = (0..u.int_in_range(1..=6)?).map(|_| u.choose(&parts).copied()).collect::<Result<_, _>>()?;
        if let Ok(text) = Text::new(&raw) {
            let command = Command::from(Msg(text));
            let line = command.to_line(Mode::Chat);
            assert_eq!(Command::parse(&line, Mode::Chat), Ok(Some(command)), "{line:?}");
        }
        Ok(())
    });
}

#[test]
fn blank_line_is_ignored() {
    for line in ["", " ", "\t "] {
        assert_eq!(Command::parse(line, Mode::Commands), Ok(None));
        assert_eq!(Command::parse(line, Mode::Chat), Ok(None));
    }
}

#[test]
fn line_of_invisible_characters_is_refused() {
    for (mode, code) in [(Mode::Commands, ErrorCode::VerbUnknown), (Mode::Chat, ErrorCode::TextMissing)] {
        let refusal = Command::parse("\u{200b} \u{3164}", mode).unwrap_err();
        assert_eq!(refusal.code, code);
        assert!(refusal.to_string().is_ascii(), "the refusal repeats the line: {refusal}");
    }
}

#[test]
fn invalid_line_is_refused_with_its_code() {
    let check = |line: &str, verb: Option<Verb>, code| {
        let refusal = Command::parse(line, Mode::Commands).unwrap_err();
        assert_eq!((refusal.verb, refusal.code), (verb, code), "{line:?}");
    };
    check("NICK", Some(Verb::Nick), ErrorCode::NameMissing);
    check("NICK two words", Some(Verb::Nick), ErrorCode::NameInvalid);
    check("NICK a\x07", Some(Verb::Nick), ErrorCode::NameInvalid);
    check("NICK 123456789012345678901234567890123", Some(Verb::Nick), ErrorCode::NameTooLong);
    check("MSG", Some(Verb::Msg), ErrorCode::TextMissing);
    check("MSG  ", Some(Verb::Msg), ErrorCode::TextMissing);
    check("MSG \u{200b}", Some(Verb::Msg), ErrorCode::TextMissing);
    check("WHISPER bob \u{2800}", Some(Verb::Whisper), ErrorCode::TextMissing);
    check("\u{200b}", None, ErrorCode::VerbUnknown);
    check("WHISPER", Some(Verb::Whisper), ErrorCode::TargetMissing);
    check("WHISPER bob, hi", Some(Verb::Whisper), ErrorCode::TargetMissing);
    check("WHISPER bob", Some(Verb::Whisper), ErrorCode::TextMissing);
    check("WHISPER @nobody hi", Some(Verb::Whisper), ErrorCode::TargetAbsent);
    check(&format!("WHISPER {} hi", vec!["a"; 33].join(",")), Some(Verb::Whisper), ErrorCode::TargetsTooMany);
    check("WHO else", Some(Verb::Who), ErrorCode::ArgumentUnexpected);
    check("HISTORY some", Some(Verb::History), ErrorCode::NumberInvalid);
    check("HISTORY -1", Some(Verb::History), ErrorCode::NumberInvalid);
    check("HISTORY 99999999999999999999", Some(Verb::History), ErrorCode::NumberInvalid);
    check("HISTORY 1 2", Some(Verb::History), ErrorCode::ArgumentUnexpected);
    check("SINCE", Some(Verb::Since), ErrorCode::NumberInvalid);
    check("SINCE +1", Some(Verb::Since), ErrorCode::NumberInvalid);
    check("SINCE 1 a b", Some(Verb::Since), ErrorCode::ArgumentUnexpected);
    check("SEARCH ", Some(Verb::Search), ErrorCode::TextMissing);
    check(&format!("SEARCH {}", "the-".repeat(33)), Some(Verb::Search), ErrorCode::WordsTooMany);
    check("DRAW", Some(Verb::Draw), ErrorCode::ColourInvalid);
    check("DRAW red 4 0,0", Some(Verb::Draw), ErrorCode::ColourInvalid);
    check("DRAW #1e90ff 1000 0,0", Some(Verb::Draw), ErrorCode::WidthInvalid);
    check("DRAW #1e90ff 4", Some(Verb::Draw), ErrorCode::PointInvalid);
    check("DRAW #1e90ff 4 0,10000", Some(Verb::Draw), ErrorCode::PointInvalid);
    check(&format!("DRAW #1e90ff 4{}", " 0,0".repeat(401)), Some(Verb::Draw), ErrorCode::PointsTooMany);
    check("DRAW clear all", Some(Verb::Draw), ErrorCode::ArgumentUnexpected);
    check("CANVAS 5", Some(Verb::Canvas), ErrorCode::ArgumentUnexpected);
    check("PING a b", Some(Verb::Ping), ErrorCode::ArgumentUnexpected);
    check(&format!("PING {}", "x".repeat(257)), Some(Verb::Ping), ErrorCode::TokenTooLong);
    check("RESUME", Some(Verb::Resume), ErrorCode::TokenMissing);
    check("RESUME a b", Some(Verb::Resume), ErrorCode::ArgumentUnexpected);
    check("RESUME 17-0a", Some(Verb::Resume), ErrorCode::TokenUnknown);
    check("HELP me", Some(Verb::Help), ErrorCode::VerbUnknown);
    check("SET", Some(Verb::Set), ErrorCode::OptionUnknown);
    check("SET colour on", Some(Verb::Set), ErrorCode::OptionUnknown);
    check("SET echo", Some(Verb::Set), ErrorCode::ValueInvalid);
    check("SET echo on now", Some(Verb::Set), ErrorCode::ArgumentUnexpected);
    check("hello everyone", None, ErrorCode::VerbUnknown);
    check("\x1b[2J", None, ErrorCode::VerbUnknown);
    check(&format!("MSG {}", "\x01".repeat(2000)), Some(Verb::Msg), ErrorCode::TextTooLong);
}

#[test]
fn error_of_unknown_verb_says_what_to_write() {
    let check = |line: &str, mode, expected: &str| {
        let refusal = ServerLine::Err(Command::parse(line, mode).unwrap_err());
        assert_eq!(refusal.in_mode(mode).to_string(), expected);
    };
    check(
        "hello everyone",
        Mode::Commands,
        "ERR - verb-unknown unknown command 'hello' (HELP lists the commands); to say it, write: MSG hello everyone",
    );
    check("/who", Mode::Commands, "ERR - verb-unknown commands have no slash outside of chat mode; write: WHO");
    for private in ["/msg bob psst", "/w bob psst", "//msg bob psst"] {
        let expected =
            "ERR - verb-unknown commands have no slash outside of chat mode; write: WHISPER name[,name...] text";
        check(private, Mode::Commands, expected);
    }
    check(
        "/tell bob psst",
        Mode::Commands,
        "ERR - verb-unknown unknown command '/tell' (HELP lists the commands, without a slash); \
         to whisper, write: WHISPER name[,name...] text; to say it to everybody: MSG text",
    );
    check("/w bob", Mode::Chat, "ERR WHISPER text-missing the text is missing; write: /msg name[,name...] text");
    check("/nick", Mode::Chat, "ERR NICK name-missing the name is missing; write: /NICK name");
    check("/who else", Mode::Chat, "ERR WHO argument-unexpected unexpected argument 'else'; write: /WHO");
    check("/help me", Mode::Chat, "ERR HELP verb-unknown unknown command 'me'; /HELP lists the commands");
    check(
        "/shrug",
        Mode::Chat,
        "ERR - verb-unknown unknown command '/shrug' (/help lists the commands); to whisper: /msg name[,name...] text; \
         to begin a message with a slash, type two: //shrug",
    );
}

/// In both modes, the user can type what the hint says.
#[test]
fn hint_about_room_names_it() {
    let check = |line: &str, mode, expected: &str| {
        let ClientLine { room, content } = ClientLine::parse(line, mode);
        assert_eq!(content.unwrap_err().with_hint_in(room).text(mode), expected, "{line:?}");
    };
    let missing = "the text is missing; write: ";
    check("#ops MSG", Mode::Commands, &format!("{missing}#ops MSG text"));
    check("/#ops \u{200b}", Mode::Chat, &format!("{missing}/#ops text"));
    check("/msg #ops", Mode::Chat, &format!("{missing}/#ops text"));
    check("/#ops /search", Mode::Chat, &format!("{missing}/#ops /SEARCH words"));
    check("#ops HISTORY x", Mode::Commands, "invalid number 'x'; write: #ops HISTORY [count]");
    let surplus = "unexpected argument 'x'; write: ";
    check("#ops DRAW clear x", Mode::Commands, &format!("{surplus}#ops DRAW #rrggbb width x,y..., or #ops DRAW clear"));
    check(
        "/#ops /draw clear x",
        Mode::Chat,
        &format!("{surplus}/#ops /DRAW #rrggbb width x,y..., or /#ops /DRAW clear"),
    );
    check("#ops /who", Mode::Commands, "commands have no slash outside of chat mode; write: #ops WHO");
    check(
        "#ops /w bob psst",
        Mode::Commands,
        "commands have no slash outside of chat mode; write: WHISPER name[,name...] text",
    );
    check(
        "#ops hello #x",
        Mode::Commands,
        "unknown command 'hello' (HELP lists the commands); to say it, write: #ops MSG hello #x",
    );
    check(
        "/#ops /shrug",
        Mode::Chat,
        "unknown command '/shrug' (/help lists the commands); to whisper: /msg name[,name...] text; \
         to begin a message with a slash, type two: /#ops //shrug",
    );
    let ping = "PING is not about a room: expected no #ops before it; write: PING [token]";
    check("#ops PING", Mode::Commands, ping);
    check("#ops", Mode::Commands, "nothing follows the name of the room; HELP lists the commands");
}

/// The other refusals of `SEARCH` and `WHISPER` are in [`invalid_line_is_refused_with_its_code`].
#[test]
fn longest_list_is_accepted() {
    let names: Vec<_> = (1..=WHISPER_NAMES_MAX).map(|number| name(&format!("n{number}"))).collect();
    let line = format!("WHISPER {} hi", names.iter().map(Name::as_str).collect::<Vec<_>>().join(","));
    let whisper = Whisper { to: names, text: text("hi") };
    assert_eq!(Command::parse(&line, Mode::Commands), Ok(Some(whisper.into())));
    let words = text(&"tea ".repeat(SEARCH_WORDS_MAX));
    assert_eq!(Command::parse(&format!("SEARCH {words}"), Mode::Commands), Ok(Some(Search(words).into())));
}

/// protocol.md lists exactly the commands that work before a client has a nickname.
#[test]
fn protocol_lists_commands_that_need_no_nickname() {
    let norm = include_str!("../../protocol.md");
    let (_, section) = norm.split_once("\n### Before a nickname\n").unwrap();
    let (_, list) = section.split_once("\nOnly ").unwrap();
    let (list, _) = list.split_once(" work.").unwrap();
    let mut listed: Vec<_> = list.split('`').skip(1).step_by(2).collect();
    listed.sort_unstable();
    let needs_none = Verb::ALL.iter().filter(|verb| !verb.specification().needs_nickname);
    let mut verbs: Vec<_> = needs_none.map(|verb| verb.as_str()).collect();
    verbs.sort_unstable();
    assert_eq!(listed, verbs);
}

/// Replies of many lines are sent one at a time, which limits the memory for each client. A deletion may wait for the store. After `CHAT`, the next line is parsed in the
/// new mode. A password takes long to check. While messages are being stored, only messages may follow, because replies keep their order.
#[test]
fn line_waits_for_replies_before_it() {
    let with = |pipelining| {
        let verbs = Verb::ALL.iter().copied().filter(move |verb| verb.specification().pipelining == pipelining);
        verbs.collect::<Vec<_>>()
    };
    let mut alone = with(Pipelining::Off);
    let long = [
        Verb::Who,
        Verb::History,
        Verb::Since,
        Verb::Rooms,
        Verb::Chat,
        Verb::Canvas,
        Verb::Status,
        Verb::Delete,
        Verb::Help,
    ];
    alone.retain(|verb| !verb.is_about_account() && !verb.is_about_moderation());
    assert_eq!(alone, long);
    assert_eq!(with(Pipelining::SameVerb), [Verb::Msg, Verb::Topic]);
}

/// The table in protocol.md lists exactly the commands that exist.
#[test]
fn protocol_lists_commands() {
    let norm = include_str!("../../protocol.md");
    let (_, table) = norm.split_once("\n| command | final reply | what others see |\n|---|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
    let mut listed: Vec<_> = rows.filter_map(|row| row.split(['`', ' ']).next()).collect();
    listed.sort_unstable();
    listed.dedup();
    let mut verbs: Vec<_> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
    verbs.sort_unstable();
    assert_eq!(listed, verbs);
}

/// protocol.md has a section for each command, with its syntax, reply, events and errors.
#[test]
fn protocol_has_section_for_each_command() {
    let norm = include_str!("../../protocol.md");
    for verb in Verb::ALL {
        let (_, section) = norm.split_once(&format!("\n### {verb}\n")).unwrap_or_else(|| panic!("no section {verb}"));
        let (section, _) = section.split_once("\n#").unwrap();
        for part in ["Syntax", "Reply", "Events for others", "Errors"] {
            assert!(section.contains(&format!("\n- **{part}**: ")), "{verb} has no {part}");
        }
        assert!(section.contains("\n```transcript"), "{verb} has no transcript");
    }
}
