//! Tests of chat mode with several rooms: where a line goes, and which lines are not said.

use super::resume_tests::resumable_state;
use super::room_tests::{check, ops};
use super::tests::{apply, connect, resumable, room, send_line, send_line_in};
use super::{Sessions, Timeouts};
use crate::limits::FORMER_ROOMS_MAX;
use crate::protocol::{Mode, ResumeToken, Secret};

#[track_caller]
fn check_chat(sessions: &mut Sessions, session: u64, line: &str, expected: &[&str]) {
    assert_eq!(send_line_in(sessions, session, line, Mode::Chat), expected, "{line}");
}

#[test]
fn chat_mode_sends_to_its_room() {
    let mut room = ops();
    check(&mut room, 1, "CHAT #nope", &["1< ERR CHAT not-in-room you are not in #nope; write: JOIN #nope"]);
    check(&mut room, 1, "CHAT #Ops", &["1 mode Chat", "1< OK CHAT on #ops"]);
    check_chat(&mut room, 1, "hi", &["*1 MSG alice hi in 1, for 1 #ops OK MSG 1"]);
    check_chat(&mut room, 1, "/who", &["1< in 1 USER alice coordinator/USER bob member", "1< #ops OK WHO 2"]);
    check_chat(&mut room, 1, "/ping", &["1< OK PING"]);
    check_chat(&mut room, 1, "/#lobby hi", &["*1 MSG alice hi, for 1 OK MSG 1"]);
    check_chat(&mut room, 1, "/#lobby //who", &["*2 MSG alice /who, for 1 OK MSG 2"]);
    check_chat(&mut room, 1, "/#lobby /history 0", &["1< ", "1< OK HISTORY 0 last=2"]);
    check_chat(&mut room, 1, "/msg #lobby hi", &["*3 MSG alice hi, for 1 OK MSG 3"]);
    check_chat(&mut room, 1, "/msg bob hi", &["2< WHISPER alice hi", "1< OK WHISPER bob"]);
    check_chat(&mut room, 1, "/chat #lobby", &["1 mode Chat", "1< OK CHAT on"]);
    check_chat(&mut room, 1, "hi", &["*4 MSG alice hi, for 1 OK MSG 4"]);
    check_chat(&mut room, 1, "/chat #ops", &["1 mode Chat", "1< OK CHAT on #ops"]);
    check_chat(&mut room, 1, "/chat", &["1 mode Commands", "1< OK CHAT off"]);
    check(&mut room, 1, "MSG hi", &["*5 MSG alice hi, for 1 OK MSG 5"]);
}

/// Nothing meant for one room may be said in another.
#[test]
fn lines_for_left_chat_room_are_refused() {
    let mut room = ops();
    send_line(&mut room, 1, "CHAT #ops");
    send_line_in(&mut room, 1, "/part #ops", Mode::Chat);
    check_chat(&mut room, 1, "hi", &["1< #ops ERR MSG not-in-room you are not in #ops; write: JOIN #ops"]);
    check_chat(&mut room, 1, "/who", &["1< #ops ERR WHO not-in-room you are not in #ops; write: JOIN #ops"]);
    check_chat(&mut room, 1, "/#lobby hi", &["*1 MSG alice hi, for 1 OK MSG 1"]);
    send_line_in(&mut room, 1, "/join #ops", Mode::Chat);
    check_chat(&mut room, 1, "hi", &["*1 MSG alice hi in 1, for 1 #ops OK MSG 1"]);
    send_line_in(&mut room, 1, "/part #ops", Mode::Chat);
    check_chat(&mut room, 1, "/chat", &["1 mode Commands", "1< OK CHAT off"]);
    check(&mut room, 1, "CHAT", &["1 mode Chat", "1< OK CHAT on"]);
    check_chat(&mut room, 1, "hi", &["*2 MSG alice hi, for 1 OK MSG 2"]);
}

/// Nothing meant for one room may be said in another.
#[test]
fn line_that_begins_with_own_room_is_ambiguous_in_chat_mode() {
    let mut room = ops();
    send_line(&mut room, 1, "CHAT");
    let ambiguous = |name: &str| {
        format!(
            "1< ERR MSG room-ambiguous it is not clear whether this is for {name}; nothing was sent; to send it there, put a slash \
             before it; to send it here, a blank"
        )
    };
    check_chat(&mut room, 1, "#Ops db is slow", &[&ambiguous("#Ops")]);
    check_chat(&mut room, 1, "#lobby", &[&ambiguous("#lobby")]);
    check_chat(&mut room, 1, " #ops db is slow", &["*1 MSG alice  #ops db is slow, for 1 OK MSG 1"]);
    check_chat(&mut room, 1, "#dev db is slow", &["*2 MSG alice #dev db is slow, for 1 OK MSG 2"]);
    check_chat(&mut room, 1, "/#lobby #ops is slow", &["*3 MSG alice #ops is slow, for 1 OK MSG 3"]);
    send_line_in(&mut room, 1, "/part #ops", Mode::Chat);
    check_chat(&mut room, 1, "#ops db is slow", &[&ambiguous("#ops")]);
    send_line_in(&mut room, 1, "/chat", Mode::Chat);
    check(&mut room, 1, "MSG #ops db is slow", &["*4 MSG alice #ops db is slow, for 1 OK MSG 4"]);
}

/// Also after `RESUME` on a session that has watched another room.
#[test]
fn watched_rooms_are_former_rooms() {
    let mut room = Sessions::new(resumable_state(60), Timeouts::default());
    for session in 1..=3 {
        connect(&mut room, session);
    }
    let secret = Secret::new([1; 16]);
    apply(&mut room, 1, resumable(secret));
    send_line(&mut room, 3, "NICK bob #ops");
    send_line(&mut room, 3, "JOIN #dev");
    for line in ["WATCH #ops", "WATCH", "NICK alice", "CHAT"] {
        send_line(&mut room, 1, line);
    }
    let is_ambiguous = |room: &mut Sessions, session, name: &str| {
        let replies = send_line_in(room, session, &format!("#{name} db is slow"), Mode::Chat);
        replies[0].contains("ERR MSG room-ambiguous")
    };
    assert_eq!(["ops", "lobby", "dev"].map(|name| is_ambiguous(&mut room, 1, name)), [true, true, false]);
    send_line(&mut room, 2, "WATCH #dev");
    send_line(&mut room, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
    send_line(&mut room, 2, "CHAT");
    assert_eq!(["ops", "dev", "x"].map(|name| is_ambiguous(&mut room, 2, name)), [true, true, false]);
}

/// A session that does not remember all of its former rooms takes every room for one of them.
#[test]
fn any_room_is_ambiguous_after_too_many_former_rooms() {
    let mut room = room(&["alice"]).with_unlimited_creation();
    let leave = |room: &mut Sessions, number: usize| {
        send_line(room, 1, &format!("JOIN #r{number}"));
        send_line(room, 1, &format!("PART #r{number}"));
    };
    send_line(&mut room, 1, "CHAT");
    (0..FORMER_ROOMS_MAX).for_each(|number| leave(&mut room, number));
    check_chat(&mut room, 1, "#x hi", &["*1 MSG alice #x hi, for 1 OK MSG 1"]);
    leave(&mut room, FORMER_ROOMS_MAX);
    for name in ["#r0", "#r100", "#x"] {
        assert!(send_line_in(&mut room, 1, name, Mode::Chat)[0].contains("room-ambiguous"), "{name}");
    }
    check_chat(&mut room, 1, "#, hi", &["*2 MSG alice #, hi, for 1 OK MSG 2"]);
    check_chat(&mut room, 1, " #x hi", &["*3 MSG alice  #x hi, for 1 OK MSG 3"]);
}

/// The outputs are shown as outside of chat mode.
#[test]
fn hint_in_chat_mode_names_the_room_unless_lines_go_there() {
    let mut room = ops();
    send_line(&mut room, 1, "CHAT");
    let missing = "ERR MSG text-missing the text is missing; write: #ops MSG text";
    check_chat(&mut room, 1, "/#ops \u{200b}", &[&format!("1< #ops {missing}")]);
    check_chat(&mut room, 1, "/msg #ops", &[&format!("1< #ops {missing}")]);
    let surplus = "ERR WHO argument-unexpected unexpected argument 'x'; write: ";
    check_chat(&mut room, 1, "/#ops /who x", &[&format!("1< #ops {surplus}#ops WHO")]);
    send_line_in(&mut room, 1, "/chat #ops", Mode::Chat);
    check_chat(&mut room, 1, "/#ops /who x", &[&format!("1< #ops {surplus}WHO")]);
    check_chat(&mut room, 1, "/who x", &[&format!("1< #ops {surplus}WHO")]);
    check_chat(&mut room, 1, "/#lobby /who x", &[&format!("1< {surplus}#lobby WHO")]);
}
