//! The lines that clients send. Each takes a few bytes of the script; most are valid commands.

use chinwag::limits::LINE_BYTES_MAX;
use chinwag::protocol::ResumeToken;

use super::script::Script;

/// Nicknames that collide in all possible ways, and some that do not.
const NAMES: [&str; 12] =
    ["alice", "ALICE", "Ａlice", "аlice", "mia", "rnia", "bob", "Bob", "b0b", "carol", "Δέλτα", "dave"];

const SWITCHES: [&str; 6] = ["echo on", "echo off", "tags on", "tags off", "rooms on", "rooms off"];

/// Rooms that collide in the same ways. The last one breaks the rules.
const ROOMS: [&str; 8] = ["#lobby", "#ops", "#Ops", "#0ps", "#dev", "#team", "#t3am", "##"];

/// Most bytes of the script that are sent unchanged.
const RAW_BYTES_MAX: usize = 32;

/// Returns a line without its ending. `tokens` are all tokens that the server has issued.
pub(super) fn line(script: &mut Script<'_>, tokens: &[ResumeToken]) -> Vec<u8> {
    match script.below(20) {
        0..2 => return room(script),
        // In chat mode, too.
        2..5 => {
            let slash = if script.below(4) == 3 { "/" } else { "" };
            let mut line = join(slash, script.one_of(&ROOMS));
            line.push(b' ');
            line.extend(one_line(script, tokens));
            return line;
        }
        _ => {}
    }
    one_line(script, tokens)
}

/// Returns a line about rooms.
fn room(script: &mut Script<'_>) -> Vec<u8> {
    let slash = if script.below(4) == 3 { "/" } else { "" };
    let name = script.one_of(&ROOMS);
    let line = match script.below(16) {
        0..5 => format!("JOIN {name}"),
        5 => format!("JOIN {name},{}", script.one_of(&ROOMS)),
        6 | 7 => format!("PART {name} for now"),
        8 => format!("NICK {} {name}", script.one_of(&NAMES)),
        9 => "ROOMS own".to_owned(),
        10 => format!("ROOMS #{}", script.one_of(&["", "o", "t"])),
        11 => format!("WATCH {name}"),
        12 => format!("CHAT {name}"),
        13 => "TOPIC -".to_owned(),
        14 => "TOPIC".to_owned(),
        _ => "TOPIC be kind".to_owned(),
    };
    join(slash, &line)
}

/// Returns a line that names no room in front.
fn one_line(script: &mut Script<'_>, tokens: &[ResumeToken]) -> Vec<u8> {
    let verb = match script.below(30) {
        0..4 => return join("NICK ", script.one_of(&NAMES)),
        4..8 => "MSG ",
        8..11 => return whisper(script),
        11 => "WHO",
        12 => "STATUS",
        13 => "PING sync",
        14..16 => return join("SET ", script.one_of(&SWITCHES)),
        16 => "CHAT",
        17 => "HELP",
        18 => "PONG ",
        19 => "NICK ",
        20 => "QUIT ",
        21 => " ",
        22 => "GET / HTTP/1.1",
        23 => return join("HISTORY ", &script.below(8).to_string()),
        24 => return join("SINCE ", &script.below(64).to_string()),
        25 => "SEARCH ",
        26 => return resume(script, tokens),
        27 | 28 => return draw(script),
        29 => "PASS ",
        _ => "",
    };
    let mut line = verb.as_bytes().to_vec();
    // Commands without arguments get one sometimes.
    if verb.is_empty() || verb.ends_with(' ') || script.below(8) == 7 {
        line.extend(text(script));
    }
    line
}

/// Returns the first line of a session. It makes resumes and drawings frequent. `detached` is the token of a detached member, `last` is the
/// newest token.
pub(super) fn first_line(session: u64, detached: Option<ResumeToken>, last: Option<ResumeToken>) -> Vec<u8> {
    match (session % 8, detached.or(last), last) {
        (1 | 3, ..) => b"SET resume on\n".to_vec(),
        (4, ..) => b"SET resume on\r\n".to_vec(),
        (0, ..) => b"SET draw on\n".to_vec(),
        (2, ..) => b"SET draw on\r".to_vec(),
        (5, ..) => b"SET draw on\r\n".to_vec(),
        (6, Some(token), _) => format!("RESUME {token}\n").into_bytes(),
        (7, _, Some(token)) => format!("RESUME {token}\r\n").into_bytes(),
        _ => Vec::new(),
    }
}

/// Returns a line about resume tokens. Most use one of the newest tokens.
fn resume(script: &mut Script<'_>, tokens: &[ResumeToken]) -> Vec<u8> {
    match script.below(8) {
        0..3 => b"SET resume on".to_vec(),
        3 => b"SET resume off".to_vec(),
        4 => join("RESUME ", "1-00000000000000000000000000000000"),
        _ => {
            let token = tokens.iter().rev().nth(script.below(4));
            join("RESUME ", &token.map(ToString::to_string).unwrap_or_default())
        }
    }
}

/// Returns a line about the canvas. Most draw or request it.
fn draw(script: &mut Script<'_>) -> Vec<u8> {
    match script.below(16) {
        0 => b"DRAW clear".to_vec(),
        1 => b"DRAW #1e90ff 9 1,2 3".to_vec(),
        2 => b"SET draw on".to_vec(),
        3 => b"SET draw off".to_vec(),
        4..9 => b"CANVAS".to_vec(),
        more => join(&format!("DRAW #1E90FF {}", script.below(1000)), &" 07,9999".repeat(more * more)),
    }
}

fn whisper(script: &mut Script<'_>) -> Vec<u8> {
    let names: Vec<_> = (0..=script.below(3)).map(|_| script.one_of(&NAMES)).collect();
    let mut line = join("WHISPER ", &names.join(","));
    line.push(b' ');
    line.extend(text(script));
    line
}

fn text(script: &mut Script<'_>) -> Vec<u8> {
    match script.below(16) {
        0..6 => b"so long".to_vec(),
        6..10 => b"blah ".repeat(1 + script.below(60)),
        10..12 => vec![b'x'; LINE_BYTES_MAX - script.below(64)],
        _ => {
            let count = script.below(RAW_BYTES_MAX);
            script.bytes(count).to_vec()
        }
    }
}

fn join(verb: &str, argument: &str) -> Vec<u8> {
    (verb.to_owned() + argument).into_bytes()
}
