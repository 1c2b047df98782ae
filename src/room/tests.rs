//! The room by itself, line in, lines out. What several see of it, in which order, is tried by the simulation and by the
//! transcripts in `protocol.md`.

use super::*;
use crate::protocol::Mode;

/// A room with these in it; the first is session 1.
fn room(names: &[&str]) -> Room {
    let mut room = Room::new();
    for (session, name) in (1..).zip(names) {
        act(&mut room, session, Action::Connect(([127, 0, 0, 1], 1024).into()));
        say(&mut room, session, &format!("NICK {name}"));
    }
    room
}

/// What comes of an action: `session< line` for private lines, `* event` for published ones, and the other outputs.
fn act(room: &mut Room, session: u64, action: Action) -> Vec<String> {
    let mut out = Vec::new();
    room.apply(Input { at: Timestamp(5_000), session: SessionId(session), action }, &mut out);
    let shown = |output: Output| match output {
        Output::Tell(SessionId(session), line) => format!("{session}< {line}"),
        Output::List(SessionId(session), users) => {
            let users: Vec<_> = users.iter().map(User::to_string).collect();
            format!("{session}< {}", users.join("/"))
        }
        Output::Publish { id: EventId(id), event, own: None, .. } => format!("*{id} {event}"),
        Output::Publish { id: EventId(id), event, own: Some((SessionId(session), reply)), .. } => {
            format!("*{id} {event}, for {session} {reply}")
        }
        Output::Speak(SessionId(session), dialect) => format!("{session} speaks {}", dialect.index()),
        Output::Follow(SessionId(session)) => format!("{session} follows"),
        Output::Read(SessionId(session), mode) => format!("{session} is read as {mode:?}"),
        Output::Close(SessionId(session)) => format!("{session} closed"),
        Output::Release(SessionId(session)) => format!("{session} released"),
    };
    out.into_iter().map(shown).collect()
}

fn say(room: &mut Room, session: u64, line: &str) -> Vec<String> {
    let action = match Command::parse(line, Mode::Commands) {
        Ok(command) => Action::Command(command.expect("not blank")),
        Err(refusal) => Action::Refuse(refusal),
    };
    act(room, session, action)
}

#[test]
fn commands_have_these_outputs_in_this_order() {
    let mut room = room(&["alice", "bob"]);
    let mut check =
        |session, line: &str, expected: &[&str]| assert_eq!(say(&mut room, session, line), expected, "{line}");
    check(1, "MSG hi", &["*4 MSG alice hi, for 1 OK MSG 4"]);
    check(2, "NICK rob", &["*5 RENAME bob rob, for 2 OK NICK rob"]);
    check(2, "NICK rob", &["2< OK NICK rob"]);
    check(2, "NICK Rob", &["*6 RENAME rob Rob, for 2 OK NICK Rob"]);
    check(1, "WHISPER ROB hi", &["2< WHISPER alice hi", "1< OK WHISPER Rob"]);
    check(1, "SET tags on", &["1< OK SET tags on", "1 speaks 2"]);
    check(2, "WHISPER alice hi", &["1< @- 1970-01-01T00:00:05.000Z WHISPER Rob hi", "2< OK WHISPER alice"]);
    check(1, "SET echo on", &["1< OK SET echo on"]);
    check(1, "MSG again", &["*7 MSG alice again", "1< OK MSG 7"]);
    check(1, "CHAT", &["1 is read as Chat", "1< OK CHAT on"]);
    check(1, "PONG x", &[]);
    check(1, "QUIT", &["1< OK QUIT", "1 closed", "1 released", "*8 LEAVE alice quit", "*9 COORDINATOR Rob"]);
    check(1, "MSG from beyond", &[]);
}

#[test]
fn the_list_follows_every_change() {
    let mut room = room(&["alice", "bob"]);
    let mut who = |line: &str| {
        say(&mut room, 2, line);
        say(&mut room, 2, "WHO")
    };
    assert_eq!(who("PING"), ["2< USER alice coordinator/USER bob member", "2< OK WHO 2"]);
    assert_eq!(who("NICK rob"), ["2< USER alice coordinator/USER rob member", "2< OK WHO 2"]);
    act(&mut room, 3, Action::Connect(([127, 0, 0, 1], 1024).into()));
    say(&mut room, 3, "NICK carol");
    say(&mut room, 1, "QUIT");
    assert_eq!(say(&mut room, 2, "WHO"), ["2< USER rob coordinator/USER carol member", "2< OK WHO 2"]);
}

/// Their OK would promise what nobody will read.
#[test]
fn who_is_leaving_is_not_whispered_to() {
    let mut room = room(&["alice", "bob"]);
    act(&mut room, 2, Action::EndOfInput);
    let refusal = "ERR WHISPER target-absent bob is leaving and hears no more; nothing was delivered";
    assert_eq!(say(&mut room, 1, "WHISPER bob hi"), [format!("1< {refusal}")]);
}

#[test]
fn joining_is_seen_by_oneself_only_with_echo() {
    let mut room = room(&["alice"]);
    act(&mut room, 2, Action::Connect(([127, 0, 0, 1], 1024).into()));
    assert_eq!(say(&mut room, 2, "NICK bob"), ["*3 JOIN bob", "2< OK NICK bob", "2 follows"]);
    act(&mut room, 3, Action::Connect(([127, 0, 0, 1], 1024).into()));
    say(&mut room, 3, "SET echo on");
    assert_eq!(say(&mut room, 3, "NICK carol"), ["3 follows", "*4 JOIN carol", "3< OK NICK carol"]);
}

#[test]
fn a_name_is_free_again_at_once() {
    let mut room = room(&["alice", "bob"]);
    say(&mut room, 1, "NICK carol");
    assert_eq!(say(&mut room, 2, "NICK ALICE"), ["*5 RENAME bob ALICE, for 2 OK NICK ALICE"]);
    act(&mut room, 1, Action::Gone(LeaveReason::Lost));
    assert_eq!(say(&mut room, 2, "NICK carol"), ["*8 RENAME ALICE carol, for 2 OK NICK carol"]);
}

#[test]
fn the_end_of_input_is_not_yet_the_leave() {
    let mut room = room(&["alice"]);
    assert_eq!(act(&mut room, 1, Action::EndOfInput), ["1 closed"]);
    assert_eq!(act(&mut room, 1, Action::Gone(LeaveReason::Eof)), ["1 closed", "1 released", "*3 LEAVE alice eof"]);
    assert_eq!(act(&mut room, 1, Action::Gone(LeaveReason::Eof)), Vec::<String>::new());
}

#[test]
fn who_comes_while_the_server_stops_is_sent_away() {
    let mut room = room(&["alice"]);
    let farewell = "NOTICE the server is shutting down";
    assert_eq!(act(&mut room, 0, Action::Shutdown), [&format!("*3 {farewell}"), "1 closed", "1 released"]);
    let late = act(&mut room, 2, Action::Connect(([127, 0, 0, 1], 1024).into()));
    assert_eq!(late, [&format!("2< {farewell}"), "2 closed", "2 released"]);
    assert_eq!(room.connected(), 0);
}

#[test]
fn status_tells_idle_and_online_seconds() {
    let mut room = room(&["alice"]);
    let mut out = Vec::new();
    let action = Action::Command(Command::Status);
    room.apply(Input { at: Timestamp(68_999), session: SessionId(1), action }, &mut out);
    let Output::List(_, users) = &out[0] else { panic!("{out:?}") };
    assert_eq!(users[0].to_string(), "USER alice coordinator id=1 address=127.0.0.1:1024 idle=0 online=63");
}
