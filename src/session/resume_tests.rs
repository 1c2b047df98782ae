//! Tests of resume: one member on several connections.

use super::tests::{apply, resumable, room, send_line, tick};
use super::{InputKind, Sessions, Timeouts};
use crate::command::Quit;
use crate::limits::{ERRORS_IN_A_ROW_MAX, EXPIRED_PER_TURN_MAX};
use crate::protocol::{LeaveReason, OtherProtocol, ResumeToken, Secret};
use crate::state::{SessionId, SharedState, StateLimits};

/// The secret with this number. `token` makes the token of a session with that secret.
fn secret(number: u8) -> Secret {
    Secret::new([number; 16])
}

fn token(session: u64, number: u8) -> String {
    ResumeToken { id: session, secret: secret(number) }.to_string()
}

const RESUME_SECONDS: u64 = 60;

pub(super) fn resumable_state(resume_seconds: u64) -> SharedState {
    SharedState::new(StateLimits { resume_seconds, ..StateLimits::default() })
}

/// A room where members can be resumed, with these members; the first one has session 1 and a token with secret 1, and so on.
fn resumable_room(names: &[&str]) -> Sessions {
    let mut room = Sessions::new(resumable_state(RESUME_SECONDS), Timeouts::default());
    for (session, name) in (1..).zip(names) {
        connect(&mut room, session);
        let given = apply(&mut room, session.into(), resumable(secret(session)));
        assert_eq!(given, [format!("{session}< OK SET resume on {}", token(session.into(), session))]);
        send_line(&mut room, session.into(), &format!("NICK {name}"));
    }
    room
}

fn connect(room: &mut Sessions, session: u8) {
    apply(room, session.into(), InputKind::Connect(([127, 0, 0, session], 1024).into()));
}

/// Even if the server has not noticed yet that the first connection is dead.
#[test]
fn resume_moves_member_without_events() {
    let mut room = resumable_room(&["alice", "bob"]);
    send_line(&mut room, 1, "SET tags on");
    tick(&mut room, 40);
    connect(&mut room, 3);
    let why = "1< ERR - resumed another connection resumed this session with its token; if it was not yours, RESUME the session and SET resume on to replace the token";
    let expected = [why, "1 closed", "1 removed", "3< OK RESUME alice", "3 follows"];
    assert_eq!(send_line(&mut room, 3, &format!("RESUME {}", token(1, 1))), expected);
    assert_eq!(send_line(&mut room, 1, "MSG from beyond"), Vec::<String>::new());
    assert_eq!(apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Lost)), Vec::<String>::new());
    assert_eq!(send_line(&mut room, 3, "MSG back"), ["*1 MSG alice back, for 3 OK MSG 1"]);
    assert_eq!(send_line(&mut room, 2, "WHISPER alice hi"), ["3< WHISPER bob hi", "2< OK WHISPER alice"]);
    let alice = "USER alice coordinator id=1 address=127.0.0.3:1024 idle=0 online=40";
    let bob = "USER bob member id=2 address=127.0.0.2:1024 idle=0 online=40";
    assert_eq!(send_line(&mut room, 3, "STATUS"), [format!("3< {alice}/{bob}"), "3< OK STATUS 2".to_owned()]);
    assert_eq!(room.connected_count(), 2);
    assert_eq!(room.names().map(ToString::to_string).collect::<Vec<_>>(), ["alice", "bob"]);
}

/// The reply to `RESUME` may be lost with its connection, so the token can be used again.
#[test]
fn token_works_until_replaced_or_member_left() {
    let mut room = resumable_room(&["alice", "bob"]);
    for session in 3..6 {
        connect(&mut room, session);
        let resumed = send_line(&mut room, session.into(), &format!("RESUME {}", token(1, 1)));
        assert!(resumed.contains(&format!("{session}< OK RESUME alice")), "{resumed:?}");
    }
    assert_eq!(apply(&mut room, 5, resumable(secret(9))), [format!("5< OK SET resume on {}", token(1, 9))]);
    connect(&mut room, 6);
    let mut refused = |line: &str| {
        let unknown = "ERR RESUME token-unknown the resume token is invalid or has expired; write: NICK name";
        assert_eq!(send_line(&mut room, 6, line), [format!("6< {unknown}")], "{line}");
    };
    refused(&format!("RESUME {}", token(1, 1)));
    refused(&format!("RESUME {}", token(5, 9)));
    refused(&format!("RESUME {}", token(2, 9)));
    refused("RESUME 1-0909");
    send_line(&mut room, 5, "SET resume off");
    assert!(send_line(&mut room, 6, &format!("RESUME {}", token(1, 9)))[0].contains("token-unknown"));
    send_line(&mut room, 2, "QUIT");
    assert!(send_line(&mut room, 6, &format!("RESUME {}", token(2, 2)))[0].contains("token-unknown"));
}

/// Meanwhile nobody else can take the name, and its owner stays coordinator. Only whispers to it are refused.
#[test]
fn detached_member_remains_until_timeout() {
    let mut room = resumable_room(&["alice", "bob"]);
    tick(&mut room, 7);
    assert_eq!(apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Lost)), ["1 closed", "1 detached"]);
    assert_eq!(apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Slow)), Vec::<String>::new());
    assert_eq!(send_line(&mut room, 1, "MSG from beyond"), Vec::<String>::new());
    assert_eq!(room.connected_count(), 1);
    assert_eq!([1, 2, 3].map(|session| room.is_detached(SessionId(session))), [true, false, false]);
    assert_eq!(send_line(&mut room, 2, "WHO"), ["2< USER alice coordinator/USER bob member", "2< OK WHO 2"]);
    let refusal = "ERR WHISPER target-absent alice is disconnected and may come back; nothing was delivered";
    assert_eq!(send_line(&mut room, 2, "WHISPER alice hi"), [format!("2< {refusal}")]);
    assert!(send_line(&mut room, 2, "NICK ALICE")[0].contains("name-taken"));
    assert_eq!(tick(&mut room, 7 + RESUME_SECONDS), Vec::<String>::new());
    connect(&mut room, 3);
    let expected = ["1 closed", "1 removed", "3< OK RESUME alice", "3 follows"];
    assert_eq!(send_line(&mut room, 3, &format!("RESUME {}", token(1, 1))), expected);
    assert_eq!(tick(&mut room, 1000), Vec::<String>::new());

    apply(&mut room, 3, InputKind::Disconnected(LeaveReason::Lost));
    let expected = ["3 closed", "3 removed", "*- LEAVE alice lost", "*- COORDINATOR bob"];
    assert_eq!(tick(&mut room, 1000 + RESUME_SECONDS), Vec::<String>::new());
    assert_eq!(tick(&mut room, 1001 + RESUME_SECONDS), expected);
    connect(&mut room, 4);
    assert!(send_line(&mut room, 4, &format!("RESUME {}", token(1, 1)))[0].contains("token-unknown"));
    assert_eq!(send_line(&mut room, 4, "NICK alice"), ["*- JOIN alice", "4< OK NICK alice", "4 follows"]);
}

#[test]
fn expired_detached_members_leave_in_turns_at_the_same_tick() {
    let turns = |count: usize| {
        let mut room = Sessions::new(resumable_state(RESUME_SECONDS), Timeouts::default());
        for session in 1..=count as u64 {
            apply(&mut room, session, InputKind::Connect(([127, 0, 0, 1], 1024).into()));
            apply(&mut room, session, resumable(secret(1)));
            send_line(&mut room, session, &format!("NICK {session:0>32}"));
            apply(&mut room, session, InputKind::Disconnected(LeaveReason::Lost));
        }
        [(); 3].map(|()| {
            let removed = tick(&mut room, RESUME_SECONDS + 1).iter().filter(|line| line.ends_with("removed")).count();
            (removed, room.has_expired())
        })
    };
    let max = EXPIRED_PER_TURN_MAX;
    assert_eq!(turns(max), [(max, false), (0, false), (0, false)]);
    assert_eq!(turns(2 * max + 1), [(max, true), (max, true), (1, false)]);
}

#[test]
fn quit_or_errors_leave_at_once_despite_token() {
    let check = |action: fn() -> InputKind, is_detached: bool| {
        let mut room = resumable_room(&["alice"]);
        let out = apply(&mut room, 1, action());
        assert_eq!(out.contains(&"1 detached".to_owned()), is_detached, "{out:?}");
        assert_eq!(out.iter().any(|line| line.contains("LEAVE alice")), !is_detached, "{out:?}");
    };
    check(|| InputKind::Disconnected(LeaveReason::Lost), true);
    check(|| InputKind::Disconnected(LeaveReason::Eof), true);
    check(|| InputKind::Disconnected(LeaveReason::Slow), true);
    check(|| InputKind::Command(Quit(None).into()), false);
    check(|| InputKind::OtherProtocol(OtherProtocol::Http), false);

    let mut room = Sessions::new(resumable_state(60), Timeouts { idle_seconds: 20, ..Timeouts::default() });
    connect(&mut room, 1);
    apply(&mut room, 1, resumable(secret(1)));
    send_line(&mut room, 1, "NICK alice");
    assert_eq!(tick(&mut room, 21)[1..], ["1 closed", "1 detached"]);
    assert_eq!(tick(&mut room, 82), ["1 closed", "1 removed", "*- LEAVE alice timeout"]);
}

/// Requests a token before `NICK`, with a nickname, and without taking one.
#[test]
fn token_can_be_requested_with_or_without_name() {
    let mut room = resumable_room(&["alice"]);
    let own = "ERR RESUME already-named you are already alice; to resume a session, send RESUME on a new connection, instead of NICK";
    assert_eq!(send_line(&mut room, 1, &format!("RESUME {}", token(1, 1))), [format!("1< {own}")]);
    connect(&mut room, 2);
    apply(&mut room, 2, resumable(secret(2)));
    assert!(send_line(&mut room, 2, &format!("RESUME {}", token(2, 2)))[0].contains("token-unknown"));
    assert_eq!(apply(&mut room, 2, InputKind::Disconnected(LeaveReason::Lost)), ["2 closed", "2 removed"]);
    connect(&mut room, 3);
    apply(&mut room, 3, resumable(secret(3)));
    send_line(&mut room, 3, &format!("RESUME {}", token(1, 1)));
    assert!(send_line(&mut room, 3, "QUIT").contains(&"*- LEAVE alice quit".to_owned()));
    connect(&mut room, 4);
    assert!(send_line(&mut room, 4, &format!("RESUME {}", token(3, 3)))[0].contains("token-unknown"));
}

#[test]
fn member_detaches_only_with_timeout_and_token() {
    let mut room = room(&["alice"]);
    let refusal =
        "1< ERR SET resume-off this server does not resume sessions; if your connection breaks, join again with NICK";
    assert_eq!(apply(&mut room, 1, resumable(secret(1))), [refusal]);
    assert_eq!(send_line(&mut room, 1, "SET resume on"), [refusal]);
    assert_eq!(send_line(&mut room, 1, "SET resume off"), ["1< OK SET resume off"]);
    let mut room = resumable_room(&["alice"]);
    send_line(&mut room, 1, "SET resume off");
    assert_eq!(
        apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Lost)),
        ["1 closed", "1 removed", "*- LEAVE alice lost"]
    );
}

#[test]
fn guessing_tokens_ends_the_session() {
    let mut room = resumable_room(&["alice"]);
    connect(&mut room, 2);
    for guess in 1..ERRORS_IN_A_ROW_MAX {
        let line = if guess % 2 == 0 { "RESUME me".to_owned() } else { format!("RESUME {}", token(1, 2)) };
        assert_eq!(send_line(&mut room, 2, &line).len(), 1);
    }
    let why = "2< ERR - too-many-errors 50 invalid lines in a row; connect again and write: HELP";
    assert_eq!(send_line(&mut room, 2, &format!("RESUME {}", token(1, 3)))[1..], [why, "2 closed", "2 removed"]);
}
