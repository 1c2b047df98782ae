//! The lines that clients send. Each takes a few bytes of the script; most are valid commands.

use std::net::Ipv4Addr;

use chinwag::limits::LINE_BYTES_MAX;
use chinwag::protocol::{AccessToken, MessageId, Name, ResumeToken, RoomName, SanctionId};

use super::script::Script;

/// Nicknames that collide in all possible ways, and some that do not.
const NAMES: [&str; 16] = [
    "alice",
    "ALICE",
    "Ａlice",
    "аlice",
    "mia",
    "rnia",
    "bob",
    "Bob",
    "b0b",
    "carol",
    "Δέλτα",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
];

/// Passwords of accounts. Most accounts have the first one.
const PASSWORDS: [&str; 4] = ["correct horse", "correct horse", "correct horse", "staple battery"];

const SWITCHES: [&str; 6] = ["echo on", "echo off", "tags on", "tags off", "rooms on", "rooms off"];

/// Rooms that collide in the same ways. The last one breaks the rules.
const ROOMS: [&str; 8] = ["#lobby", "#ops", "#Ops", "#0ps", "#dev", "#team", "#t3am", "##"];

/// Durations of bans and mutes. The last one is invalid.
const DURATIONS: [&str; 6] = ["", " 5s", " 30s", " 10m", " 7d", " 9x"];

/// Most bytes of the script that are sent unchanged.
const RAW_BYTES_MAX: usize = 32;

/// All tokens that the server has issued, and the names of the accounts.
#[derive(Clone, Copy)]
pub(super) struct Secrets<'a> {
    pub(super) resume_tokens: &'a [ResumeToken],
    pub(super) access_tokens: &'a [AccessToken],
    pub(super) accounts: &'a [Name],
}

/// Returns one of the nicknames.
pub(super) fn name(script: &mut Script<'_>) -> Name {
    Name::new(script.one_of(&NAMES)).expect("a nickname")
}

/// Returns a room that collides with no other one.
pub(super) fn room_name(script: &mut Script<'_>) -> &'static str {
    script.one_of(&["#lobby", "#ops", "#dev", "#team"])
}

/// Returns a password of an account.
pub(super) fn password(script: &mut Script<'_>) -> &'static str {
    script.one_of(&PASSWORDS)
}

/// Returns a line without its ending.
pub(super) fn line(script: &mut Script<'_>, secrets: Secrets<'_>) -> Vec<u8> {
    match script.below(20) {
        0..2 => return room(script),
        // In chat mode, too.
        2..5 => {
            let slash = if script.below(4) == 3 { "/" } else { "" };
            let mut line = join(slash, script.one_of(&ROOMS));
            line.push(b' ');
            line.extend(one_line(script, secrets));
            return line;
        }
        _ => {}
    }
    one_line(script, secrets)
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
fn one_line(script: &mut Script<'_>, secrets: Secrets<'_>) -> Vec<u8> {
    let verb = match script.below(36) {
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
        26 => return resume(script, secrets.resume_tokens),
        27 | 28 => return draw(script),
        29 => "PASS ",
        30..36 => return account(script, secrets),
        _ => "",
    };
    let mut line = verb.as_bytes().to_vec();
    // Commands without arguments get one sometimes.
    if verb.is_empty() || verb.ends_with(' ') || script.below(8) == 7 {
        line.extend(text(script));
    }
    line
}

/// Returns the first line of a session. It makes resumes, logins and drawings frequent. `detached` is the token of a detached member, `last`
/// is the newest token.
pub(super) fn first_line(
    session: u64,
    detached: Option<ResumeToken>,
    last: Option<ResumeToken>,
    accounts: &[Name],
) -> Vec<u8> {
    if session % 5 == 4 && session % 8 != 2 {
        return first_login(session, accounts);
    }
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

/// Returns the first lines of a session that logs in to an account, if there is one. Some delete it, too.
fn first_login(session: u64, accounts: &[Name]) -> Vec<u8> {
    let nth = usize::try_from(session / 5).unwrap_or_default() % accounts.len().max(1);
    let Some(name) = accounts.get(nth) else { return Vec::new() };
    let (verb, ending) =
        (["LOGIN", "TAKEOVER"][usize::from(session % 2 == 1)], ["\n", "\r"][usize::from(session % 3 == 1)]);
    let login = format!("{verb} {name} {}{ending}", PASSWORDS[0]);
    let unregister = if session % 10 == 9 { format!("UNREGISTER {}{ending}", PASSWORDS[0]) } else { String::new() };
    // In some rooms, it is the first one, and owns them.
    let join = if session % 10 == 4 { format!("JOIN {}{ending}", ROOMS[1 + nth % 3]) } else { String::new() };
    (login + &unregister + &join).into_bytes()
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

/// Returns a line about accounts. Most passwords are right.
fn account(script: &mut Script<'_>, secrets: Secrets<'_>) -> Vec<u8> {
    let (any, password) = (script.one_of(&NAMES), script.one_of(&PASSWORDS));
    let name = secrets.accounts.get(script.below(4)).map_or(any, Name::as_str);
    let tokens = secrets.access_tokens;
    let line = match script.below(16) {
        0..3 => format!("REGISTER {password}"),
        3..7 => format!("LOGIN {name} {password}"),
        7..10 => format!("TAKEOVER {name} {password}"),
        10 => format!("PASSWORD {password}"),
        11 | 15 => format!("UNREGISTER {password}"),
        12 => format!("TOKEN new days={} build server", 1 + script.below(60)),
        13 => match script.below(4) {
            0 => "TOKEN list".to_owned(),
            number => format!("TOKEN revoke {number}"),
        },
        _ => {
            let verb = script.one_of(&["LOGIN", "TAKEOVER"]);
            let token = tokens.iter().rev().nth(script.below(3)).map(ToString::to_string).unwrap_or_default();
            format!("{verb} {name} {token}")
        }
    };
    line.into_bytes()
}

/// Returns a command of moderators, mostly about one of these rooms and with one of these names as its target. `newest`
/// is the address of the newest session.
pub(super) fn moderation(
    script: &mut Script<'_>,
    rooms: &[(RoomName, MessageId)],
    names: &[Name],
    accounts: &[Name],
    newest: Ipv4Addr,
    sanctions: &[SanctionId],
) -> Vec<u8> {
    let mut one_of = |all: &[Name]| {
        let (nth, any) = (script.below(12), script.one_of(&NAMES));
        all.get(nth % all.len().max(1)).map_or(any, Name::as_str).to_owned()
    };
    let (name, account) = (one_of(names), one_of(accounts));
    let room = rooms.get(script.below(8) % rooms.len().max(1)).filter(|_| script.below(4) < 3);
    let last = room.map_or(MessageId::default(), |(_, last)| *last).0;
    let duration = script.one_of(&DURATIONS);
    let reason = script.one_of(&["", " spam"]);
    let on = script.one_of(&["on", "on", "on", "off"]);
    let nth = script.below(8);
    let SanctionId(number) = sanctions.get(nth % sanctions.len().max(1)).copied().unwrap_or_default();
    let bits = script.one_of(&[29, 30, 31, 33]);
    // Mostly the next client has one of the addresses.
    let network = Ipv4Addr::from((u32::from(newest) + 1) >> 3 << 3);
    let command = match script.below(32) {
        0..3 => format!("KICK {name}{reason}"),
        3..6 => format!("MUTE {name}{duration}{reason}"),
        6 => format!("UNMUTE {name}"),
        7 | 8 => format!("UNMUTE {number}"),
        9 | 10 => format!("BAN {name}{duration}{reason}"),
        11 => format!("BAN @{name}{duration}"),
        12 | 13 => format!("BAN {network}/{bits}{duration}"),
        14 => format!("UNBAN {name}"),
        15 | 16 => format!("UNBAN {number}"),
        17 => "BANS".to_owned(),
        18 => "LOCK accounts".to_owned(),
        19 | 20 => "LOCK invited".to_owned(),
        21 => "LOCK open".to_owned(),
        22..26 => format!("INVITE {name} {on}"),
        26 | 27 => format!("MODERATOR {account} {on}"),
        28 => format!("MODERATOR {name} {on}"),
        29 => format!("INVITE {account} {on}"),
        _ => format!("DELETE {}", last.saturating_sub(script.below(4) as u64)),
    };
    let room = room.map(|(room, _)| format!("{room} ")).unwrap_or_default();
    join(&room, &command)
}

/// Returns a line that others may read, or with a reason.
pub(super) fn speech(script: &mut Script<'_>, room: Option<&RoomName>) -> Vec<u8> {
    let room = room.map_or_else(|| ROOMS[0].to_owned(), ToString::to_string);
    let line = match script.below(12) {
        0..3 => format!("{room} MSG why"),
        3 => format!("{room} TOPIC why"),
        4 => format!("{room} DRAW clear"),
        5 => format!("NICK {}", script.one_of(&NAMES)),
        6 => format!("WHISPER {} why", script.one_of(&NAMES)),
        7 => format!("JOIN {}", script.one_of(&ROOMS)),
        8..11 => format!("PART {room} why"),
        _ => "QUIT why".to_owned(),
    };
    line.into_bytes()
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
