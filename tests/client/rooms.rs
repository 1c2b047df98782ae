//! The client and a server with rooms: entering, watching, and coming back.

use std::io::{BufRead as _, BufReader, Write as _};

use super::{JOIN, RESUME, START_CHAT, client, run, serve};

/// The greeting of a server with rooms and watchers.
const HELLO: &str = "HELLO chinwag/1 epoch=a features=rooms,watch hi";

/// The end of a command that sent `QUIT`.
const QUIT: [&str; 2] = ["< QUIT", "OK QUIT"];

fn script(parts: &[&[&'static str]]) -> &'static [&'static str] {
    parts.concat().leak()
}

/// The beginning of a command that watches #ops.
const WATCH: [&str; 5] = [HELLO, "< SET tags on", "OK SET tags on", "< WATCH #ops", "OK WATCH #ops epoch=b last=7"];

#[test]
fn reading_command_watches_the_room() {
    let past = "PAST 7 2026-11-20T12:44:29.138Z bob hi";
    for (words, rest, expected) in [
        (&["who"][..], &["< WHO", "USER bob coordinator", "OK WHO 1 watching=1"][..], "bob coordinator\n"),
        (
            &["history", "1", "--json"],
            &["< HISTORY 1", past, "OK HISTORY 1 last=7"],
            "{\"from\":\"bob\",\"id\":7,\"text\":\"hi\",\"time\":\"2026-11-20T12:44:29.138Z\",\"type\":\"past\"}\n",
        ),
        (&["search", "tea"], &["< SEARCH tea", "OK SEARCH 0"], ""),
        (&["tail", "--count", "1"], &["< HISTORY 0", "OK HISTORY 0 last=7", "JOIN bob"], "bob joined\n"),
        (&["wait", "hi"], &["< HISTORY 0", "OK HISTORY 0 last=7", "JOIN bob", "MSG bob hi"], "bob: hi\n"),
    ] {
        let words = [words, &["--room", "#ops"]].concat();
        let (code, out, err) = run(script(&[&WATCH, rest, &QUIT]), &words, "");
        assert_eq!((code, out.as_str(), err.as_str()), (Some(0), expected, ""), "{words:?}");
    }
}

/// A whisper reaches only a member: with `--nick`, a command enters the room.
#[test]
fn command_with_nickname_enters_the_room() {
    let entered = [
        HELLO,
        "< SET tags on",
        "OK SET tags on",
        "< NICK al #ops",
        "OK NICK al #ops epoch=b last=7",
        "< WHO",
        "USER bob coordinator",
        "USER al member",
        "OK WHO 2",
    ];
    let words = ["who", "--room", "#ops", "--nick", "al"];
    assert_eq!(run(script(&[&entered, &QUIT]), &words, ""), (Some(0), "bob coordinator\n".to_owned(), String::new()));
    let sent = [&entered[..5], &["< MSG hi", "OK MSG 8"], &QUIT];
    let words = ["send", "hi", "--room", "#ops", "--nick", "al"];
    assert_eq!(run(script(&sent), &words, ""), (Some(0), String::new(), String::new()));
}

#[test]
fn room_that_cannot_be_read_is_an_error() {
    let check = |script: &'static [&str], words: &[&str], expected: &str| {
        let (code, out, err) = run(script, words, "");
        assert_eq!((code, out.as_str(), err), (Some(1), "", format!("chinwag: {expected}\n")));
    };
    let missing = ["ERR WATCH not-in-room there is no room #ops"];
    check(script(&[&WATCH[..4], &missing]), &["tail", "--room", "#ops"], "there is no room #ops");
    let old = ["HELLO chinwag/1 epoch=a hi", "< SET tags on", "OK SET tags on"];
    let expected = "cannot enter #ops: the server has only #lobby";
    check(script(&[&old]), &["who", "--room", "#ops", "--nick", "al"], expected);
    check(script(&[&old]), &["send", "hi", "--room", "#ops"], expected);
}

/// A watcher has no resume token: it watches the room again.
#[test]
fn watcher_comes_back_and_reads_missed_messages() {
    let first = ["< HISTORY 0", "OK HISTORY 0 last=7", "@8 2026-11-20T12:44:29.138Z MSG bob one", "(cut)"];
    let gone = ["(cut)"];
    let missing = [&WATCH[..4], &["ERR WATCH not-in-room there is no room #ops"]].concat();
    let second = ["< SINCE 8 b", "PAST 9 2026-11-20T12:44:29.138Z bob two", "OK SINCE 1 last=9"];
    let words = ["tail", "--room", "#ops", "--count", "2", "--json"];
    let (code, out, err) = run(script(&[&WATCH, &first, &missing, &gone, &WATCH, &second, &QUIT]), &words, "");
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}{err}");
    assert!(out.contains("\"id\":8") && out.contains("\"id\":9"), "{out}");
    let lost = "chinwag: the server closed the connection; reconnecting to <address>\n";
    assert_eq!(err, lost);
}

#[test]
fn rooms_command_reads_all_pages() {
    let pages = [
        HELLO,
        "< ROOMS #d",
        "ROOM #dev members=2 out",
        "OK ROOMS 1 next=#dev",
        "< ROOMS #d after=#dev",
        "ROOM #docs members=0 out what to write",
        "OK ROOMS 1",
    ];
    let all = script(&[&pages, &QUIT]);
    assert_eq!(run(all, &["rooms", "#d"], ""), (Some(0), "#dev 2\n#docs 0 what to write\n".to_owned(), String::new()));
    let dev = "{\"in\":false,\"members\":2,\"room\":\"#dev\",\"type\":\"room\"}\n";
    let docs = "{\"in\":false,\"members\":0,\"room\":\"#docs\",\"topic\":\"what to write\",\"type\":\"room\"}\n";
    assert_eq!(run(all, &["rooms", "#d", "--json"], ""), (Some(0), format!("{dev}{docs}"), String::new()));
}

/// The lines of a chat, after its beginning: al enters #ops and says `one` there.
const ENTER_OPS: [&str; 9] = [
    "< JOIN #ops",
    "OK JOIN #ops epoch=b last=7",
    "< #ops HISTORY 0",
    "#ops OK HISTORY 0 last=7",
    "< #ops WHO",
    "#ops OK WHO 0",
    "< #ops MSG one",
    "#ops MSG al one",
    "#ops OK MSG 8",
];

/// A cut, after which the server no longer has the session; al takes the nickname and enters #ops again.
const CUT_AND_JOIN: [&str; 13] = [
    "(cut)",
    HELLO,
    "< SET tags on",
    "OK SET tags on",
    RESUME,
    "ERR RESUME token-unknown x",
    "< SET resume on",
    "OK SET resume on 2-0123456789abcdef0123456789abcdef",
    "< NICK al",
    "OK NICK al",
    "< SINCE 0 a",
    "< JOIN #ops",
    "OK SINCE 0 last=0",
];

/// A chat of al in #ops, which goes on with these lines.
fn ops_script(parts: &[&[&'static str]]) -> &'static [&'static str] {
    script(&[&[&[HELLO], &JOIN[1..], &START_CHAT, &ENTER_OPS], parts].concat())
}

/// Runs a chat whose typed lines end when it has printed `last`. Returns all that it printed, and its exit code.
fn chat(script: &'static [&str], typed: &str, last: &str) -> (String, Option<i32>) {
    let (address, server) = serve(script);
    let mut client = client(address, &["--nick", "al"]).spawn().expect("the client starts");
    let mut input = client.stdin.take().expect("piped");
    input.write_all(typed.as_bytes()).expect("the client reads");
    let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines().map(|line| line.expect("a line"));
    let mut shown = Vec::new();
    for line in lines.by_ref() {
        let is_last = line.contains(last);
        shown.push(line);
        if is_last {
            break;
        }
    }
    drop(input);
    server.join().expect("the script is followed");
    shown.extend(lines);
    (shown.join("\n").replace(&address.to_string(), "<address>"), client.wait().expect("it ends").code())
}

#[test]
fn resumed_chat_reads_on_in_each_room() {
    let cut = ["< #ops MSG two", "(cut)", HELLO, "< SET tags on", "OK SET tags on", RESUME, "OK RESUME al"];
    let back = [
        "< SINCE 0 a",
        "< #ops SINCE 8 b",
        "OK SINCE 0 last=0",
        "#ops PAST 9 2026-11-20T12:44:29.138Z bob hi",
        "#ops OK SINCE 1 last=9",
        "< SET echo on",
        "OK SET echo on",
        "< WHO",
        "OK WHO 0",
        "< #ops WHO",
        "#ops OK WHO 0",
        "#ops MSG bob end",
    ];
    let (shown, code) = chat(ops_script(&[&cut, &back, &QUIT]), "/join #ops\none\ntwo\n", "end");
    let mut lines = shown.lines().skip_while(|line| *line != "* you are in #ops").skip(1);
    assert_eq!([lines.next(), lines.next()], [Some("al: one"), Some("! Server disconnected.")]);
    assert!(lines.next().is_some_and(|line| line.starts_with("* reconnecting")), "{shown}");
    assert_eq!(lines.next(), Some("* you are al; /help lists the commands"));
    assert!(lines.next().is_some_and(|line| line.ends_with(" bob: hi")), "{shown}");
    assert_eq!(lines.collect::<Vec<_>>(), ["! not sent: two", "bob: end"]);
    assert_eq!(code, Some(1), "a message was not sent");
}

#[test]
fn chat_enters_its_rooms_again_with_its_nickname() {
    let back = [
        "OK JOIN #ops epoch=c last=1",
        "< SET echo on",
        "< WHO",
        "< #ops WHO",
        "< #ops SINCE 8 b",
        "OK SET echo on",
        "OK WHO 0",
        "#ops OK WHO 0",
        "#ops ERR SINCE epoch-changed the epoch is c",
        "< #ops HISTORY 0",
        "#ops OK HISTORY 0 last=1",
        "#ops MSG bob end",
    ];
    let (shown, code) = chat(ops_script(&[&CUT_AND_JOIN, &back, &QUIT]), "/join #ops\none\n", "end");
    let missing = "! messages sent while you were disconnected may be missing here: the server no longer has them";
    assert!(shown.ends_with(&format!("{missing}\nbob: end")), "{shown}");
    assert_eq!(code, Some(1), "messages are missing");
}

#[test]
fn room_that_is_refused_after_a_reconnect_is_left() {
    let back = [
        "< SET echo on",
        "< WHO",
        "< #ops WHO",
        "ERR JOIN rooms-full the server has too many rooms",
        "OK SET echo on",
        "OK WHO 0",
        "#ops ERR WHO not-in-room you are not in #ops; write: JOIN #ops",
        "MSG bob end",
    ];
    let (shown, _) = chat(ops_script(&[&CUT_AND_JOIN, &back, &QUIT]), "/join #ops\none\n", "end");
    let lost = "! you are no longer in #ops: the server has too many rooms\n* you are in #lobby";
    assert!(shown.ends_with(&format!("{lost}\nbob: end")), "{shown}");
}
