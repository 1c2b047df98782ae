//! Tests of typed lines: parsed, completed, kept.

use super::*;
use crate::command::{AccessTokens, Join, Nick, Ping, Rooms, Status, Who};
use crate::protocol::Text;

fn text(raw: &str) -> Text {
    Text::new(raw).unwrap()
}

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn room(raw: &str) -> RoomName {
    RoomName::new(raw).unwrap()
}

fn command(command: impl Into<Command>) -> UserInput {
    UserInput::Command(None, command.into())
}

#[test]
fn typed_lines_are_parsed() {
    let check = |line: &str, expected| {
        assert_eq!(UserInput::parse(line, [&room("#ops"), &room("#lobby")], Some(&name("eve"))), expected, "{line:?}");
    };
    check("", UserInput::Blank);
    check("  ", UserInput::Blank);
    check("hello there", command(Msg(text("hello there"))));
    check(" /who", command(Who));
    check(" hello", command(Msg(text(" hello"))));
    check("//etc/motd", command(Msg(text("/etc/motd"))));
    check("QUIT now", command(Msg(text("QUIT now"))));
    check("quit", command(Msg(text("quit"))));
    check("/w bob psst", command(Whisper { to: vec![name("bob")], text: text("psst") }));
    check("/W bob,eve psst", command(Whisper { to: vec![name("bob"), name("eve")], text: text("psst") }));
    for line in ["/msg bob psst", " /msg bob psst", " /w bob psst", "／msg bob psst", "\x1b/w bob psst"] {
        check(line, command(Whisper { to: vec![name("bob")], text: text("psst") }));
    }
    check("/whisper bob psst", command(Whisper { to: vec![name("bob")], text: text("psst") }));
    check("/reply  me too", command(Whisper { to: vec![name("eve")], text: text(" me too") }));
    check("/r ok", command(Whisper { to: vec![name("eve")], text: text("ok") }));
    check("/who", command(Who));
    check("/nick al", command(Nick { name: name("al"), room: None }));
    check("/status", command(Status));
    check("/ping", command(Ping(None)));
    check("/help", UserInput::Help);
    check("/help w", UserInput::Help);
    check("/join #a,#b", command(Join(vec![room("#a"), room("#b")])));
    check("/home", command(Join(vec![room("#lobby")])));
    check("/part", command(Part { room: room("#ops"), reason: None }));
    check("/part off duty", command(Part { room: room("#ops"), reason: Some(text("off duty")) }));
    check("/part #dev off duty", command(Part { room: room("#dev"), reason: Some(text("off duty")) }));
    check("/rooms", command(Rooms::All { prefix: String::new(), after: None }));
    check("/topic", command(Topic::Show));
    check("/topic be kind", command(Topic::Set(text("be kind"))));
    check("/quit", command(Quit(None)));
    check("/quit tea", command(Quit(Some(text("tea")))));
    check(".exit", command(Quit(None)));
    check("QUIT", command(Quit(None)));
    check("QUIT ", command(Quit(None)));
}

#[test]
fn line_names_its_room() {
    let check = |line: &str, expected: Command| {
        let parsed = UserInput::parse(line, [&room("#ops"), &room("#lobby")], Some(&name("eve")));
        assert_eq!(parsed, UserInput::Command(Some(room("#dev")), expected), "{line:?}");
    };
    check("/#dev hi there", Msg(text("hi there")).into());
    check("／#dev hi", Msg(text("hi")).into());
    check("/#dev //x", Msg(text("/x")).into());
    check("/#dev QUIT", Msg(text("QUIT")).into());
    check("/#dev /who", Who.into());
    check("/#dev /topic -", Topic::Clear.into());
    check("/msg #dev hi", Msg(text("hi")).into());
    check("/w #dev hi", Msg(text("hi")).into());
    let message = UserInput::parse("#dev hi", [&room("#ops"), &room("#lobby")], None);
    assert_eq!(message, command(Msg(text("#dev hi"))), "the state of the chat refuses it");
}

#[test]
fn account_command_asks_for_the_password() {
    let parse = |line: &str| UserInput::parse(line, [&room("#ops"), &room("#lobby")], None);
    assert_eq!(parse("/register"), UserInput::Account(AccountInput::Register));
    assert_eq!(parse(" ／LOGIN Alice"), UserInput::Account(AccountInput::Login(Some(name("Alice")))));
    assert_eq!(parse("/takeover"), UserInput::Account(AccountInput::Takeover(None)));
    assert_eq!(parse("/token list"), command(AccessTokens::List));
    for line in [
        "/login alice hunter22",
        "/register hunter22",
        "/password hunter22",
        "/#ops /login alice hunter22",
        "/#ops login alice hunter22",
        "/login: alice hunter22",
        "/lgoin alice hunter22",
    ] {
        match parse(line) {
            UserInput::Invalid(why) => assert!(!why.contains("hunter22"), "{line}: {why}"),
            other => assert!(line.starts_with("/#ops login"), "{line}: {other:?}"),
        }
    }
}

#[test]
fn invalid_line_says_what_to_type() {
    let check = |line: &str, expected: &str| match UserInput::parse(line, [&room("#ops"), &room("#lobby")], None) {
        UserInput::Invalid(why) => assert!(why.contains(expected), "{line:?}: {why}"),
        other => panic!("{line:?}: {other:?}"),
    };
    let unknown = "unknown command /shrug; /help lists the commands; to send it as a message, type //shrug";
    check("/shrug", unknown);
    check(" /shrug bob", unknown);
    check("/chat", "/chat is not available in this client; /help lists the commands");
    check("/set tags off", "/set is not available in this client");
    check("/pong x", "/pong is not available in this client");
    check("/w", "type: /msg name[,name] text");
    check("/w bob", "the text is missing; type: /msg name[,name] text");
    check("/MSG bob, psst", "a name is missing; type: /msg name[,name] text, with no space");
    check("/w @ psst", "; /who lists names");
    check("/history x", "type: /history [number]");
    check("/nick", "type: /nick name");
    check("/reply hi", "nobody has whispered");
    check("/nick a,b", "cannot contain a comma");
    check("/#dev", "nothing follows the name of the room; /help lists the commands");
    check("/msg #dev ", "the text is missing");
    check("/#a,b hi", "invalid room '#a,b': a name cannot contain a comma");
    check("/#dev /nick al", "NICK is not about a room");
    check("/#dev /shrug", unknown);
    check("/join", "the name of a room is missing; type: /join #room");
    check("/join ops", "a room's name begins with '#'; type: /join #room");
    check("/rooms dev", "unexpected argument 'dev'; type: /rooms [#prefix]");
    check("/watch", "/watch is not available in this client");
    check("/who else", "unexpected argument 'else'");
}

#[test]
fn overlong_message_is_refused_with_its_length() {
    let check = |line: &str, expected: Option<&str>| match (
        UserInput::parse(line, [&room("#ops"), &room("#lobby")], Some(&name("eve"))),
        expected,
    ) {
        (UserInput::Invalid(why), Some(expected)) => assert!(why.starts_with(expected), "{why}"),
        (UserInput::Command(_, command), None) => {
            assert!(command.to_line(Mode::Commands).len() <= LINE_BYTES_MAX, "{command:?}");
        }
        (other, _) => panic!("{other:?}"),
    };
    // In a line of the protocol, `MSG ` stands before the text.
    check(&"x".repeat(4092), None);
    check(&"x".repeat(4093), Some("not sent: the text has 4093 bytes, more than the limit of 4092"));
    check(&format!("//{}", "x".repeat(4091)), None);
    check(&"é".repeat(3000), Some("not sent: the text has 6000 bytes, more than the limit of 4092"));
    check(&format!("/w bob {}", "x".repeat(4084)), None);
    check(
        &format!("/w bob {}", "x".repeat(4085)),
        Some("not sent: the text has 4085 bytes, more than the limit of 4084"),
    );
    for start in [" /MSG bob ", "/r "] {
        check(
            &format!("{start}{}", "x".repeat(5000)),
            Some("not sent: the text has 5000 bytes, more than the limit of 4084"),
        );
    }
    // A control character becomes U+FFFD, which takes three bytes.
    check(&"\x01".repeat(2000), Some("not sent: the text has 6000 bytes"));
}

#[test]
fn history_entry_has_no_whisper() {
    let check = |line: &str, expected: &str| assert_eq!(history_entry(line), expected, "{line:?}");
    check("hello ", "hello");
    check("//w bob is how", "//w bob is how");
    check("/who", "/who");
    check("/nick al", "/nick al");
    check("/quit tea", "/quit tea");
    check("/w bob the secret", "/w ");
    check("/W  bob the secret", "/W ");
    check("/whisper bob,eve the secret", "/whisper ");
    check("/w\tbob the secret", "/w ");
    check("  /msg bob the secret", "/msg ");
    check("\x1b／msg bob the secret", "／msg ");
    check("/reply the secret", "/reply ");
    check("/r the secret", "/r ");
    check("/wisper bob the secret", "/wisper ");
    check(" /MSG bob the secret", "/MSG ");
    check("\u{a0}/msg bob the secret", "/msg ");
    check("/ msg bob the secret", "/ ");
    check("/#ops hello ", "/#ops hello");
    check("/#ops /w bob the secret", "/#ops /w");
    check("/join #ops", "/join #ops");
    check("/topic be kind", "/topic be kind");
    check("/login alice the secret", "/login ");
    check("/password the secret", "/password ");
    check("/token revoke 1", "/token ");
    check("LOGIN alice the secret", "LOGIN ");
    check("LOGIN/alice/the secret", "LOGIN ");
    check("LOGIN\u{200b}alice the secret", "LOGIN ");
    check("L\u{200b}OGIN alice the secret", "L ");
    check("the token is cwt_0123456789abcdef0123456789abcdef", "the token is");
    check(" cwt_0123456789abcdef0123456789abcdef", "");
    check("/topic cwt_0123456789abcdef0123456789abcdef", "/topic");
    check("/lgoin alice the secret", "/lgoin ");
    check("/#ops /register the secret", "/#ops /register");
}

#[test]
fn tab_completes_commands_and_names() {
    let check = |before: &str, start: usize, expected: &[&str]| {
        let expected = expected.iter().map(ToString::to_string).collect();
        let names = ["alice", "Älva", "bob", "Straße", "Νίκος"];
        assert_eq!(completions(before, names, ["#lobby", "#Ops"], Rank::Operator), (start, expected), "{before:?}");
    };
    check("/wh", 0, &["/whisper ", "/who "]);
    check("/st", 0, &["/status "]);
    check("/ki", 0, &["/kick "]);
    check("/mute al", 6, &["alice "]);
    check("/mute alice ", 12, &["10m ", "1h ", "1d ", "7d "]);
    check("/#Ops /ban alice 1", 17, &["10m ", "1h ", "1d "]);
    check("/ban @al", 6, &["alice "]);
    check("/mute alice bo", 12, &["bob "]);
    check("/mute alice 10m al", 16, &["alice "]);
    check("/moderator alice ", 17, &["on ", "off "]);
    check("/moderator alice of", 17, &["off "]);
    check("/kick alice ", 12, &["alice ", "Älva ", "bob ", "Straße ", "Νίκος "]);
    check("al", 0, &["alice: "]);
    check("AL", 0, &["alice: "]);
    check("äl", 0, &["Älva: "]);
    check("/w b", 3, &["bob "]);
    check("/w alice,b", 9, &["bob "]);
    check("hi ali", 3, &["alice "]);
    check("STRASS", 0, &["Straße: "]);
    check("ΝΊΚΟΣ", 0, &["Νίκος: "]);
    check("x", 0, &[]);
    check("", 0, &["alice: ", "Älva: ", "bob: ", "Straße: ", "Νίκος: "]);
    check("/msg ", 5, &["alice ", "Älva ", "bob ", "Straße ", "Νίκος "]);
    check(" /ms", 1, &["/msg "]);
    check("/w a,", 5, &["alice ", "Älva ", "bob ", "Straße ", "Νίκος "]);
    check("/msg\u{3000}b", 7, &["bob "]);
    check("#o", 0, &["#Ops "]);
    check("/#", 1, &["#lobby ", "#Ops "]);
    check("/msg #L", 5, &["#lobby "]);
    check("/join #lobby,#o", 13, &["#Ops "]);
    check("see #o", 4, &["#Ops "]);
    check("#al", 1, &["alice "]);
    check("/j", 0, &["/join "]);
}

#[test]
fn tab_offers_commands_of_the_own_rank() {
    let offered = |before: &str, rank| completions(before, ["bob"], [], rank).1;
    assert_eq!(offered("/mu", Rank::Member), [""; 0]);
    assert_eq!(offered("/m", Rank::Member), ["/msg "]);
    assert_eq!(offered("/m", Rank::Moderator), ["/msg ", "/mute "]);
    assert_eq!(offered("/m", Rank::Owner), ["/moderator ", "/msg ", "/mute "]);
    assert_eq!(offered("/un", Rank::Member), ["/unregister "]);
    assert_eq!(offered("/un", Rank::Operator), ["/unban ", "/unmute ", "/unregister "]);
}

#[test]
fn tab_completes_names_after_opening_signs() {
    for opening in ["@", "(", "[", "\"", "'", "«", "“", "„", "「", "（", "(@", "hi (", "x=", "**", "see alice/"]
    {
        for (typed, expected) in [("b", &["bob "][..]), ("", &["alice ", "bob "]), ("x", &[])] {
            let (start, whole) = completions(&format!("{opening}{typed}"), ["alice", "bob"], [], Rank::Member);
            assert_eq!(whole, expected, "{opening}{typed}");
            assert!(whole.is_empty() || start == opening.len(), "{opening}{typed}");
        }
    }
    // After other punctuation, a name is completed only once a letter is typed.
    assert_eq!(completions("hello!", ["alice", "bob"], [], Rank::Member).1, [""; 0]);
    // A name with punctuation in it.
    assert_eq!(completions("(al-b", ["al-bob", "bert"], [], Rank::Member), (1, vec!["al-bob ".to_owned()]));
}

#[test]
fn tab_completes_names_in_any_script_and_case() {
    let check = |typed: &str, name: &str| {
        assert_eq!(completions(typed, [name, "zoe"], [], Rank::Member), (0, vec![format!("{name}: ")]), "{typed}");
    };
    check("ἀθΗ", "Ἀθηνᾶ");
    check("ΣΊΣΥΦΟς", "Σίσυφος");
    check("STRASS", "Straße");
    check("straß", "STRASSER");
    check("ЖЕ", "женя");
    check("e\u{301}m", "Émile");
    check("ｂｏ", "Bob");
    check("李", "李雷");
    check("i", "İpek");
    check("שׁ", "שׁלום");
    check("ﬁ", "Fiona");
}
