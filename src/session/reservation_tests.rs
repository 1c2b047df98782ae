//! Nicknames of messages that are being stored, line in, lines out.

use std::sync::Arc;

use super::tests::{act, say};
use super::{InputKind, Sessions, Timeouts};
use crate::protocol::{LeaveReason, Name, Past, ResumeToken, Secret, Text, Timestamp};
use crate::room::{MemberId, Room, SessionId, StoreFailure};

/// A room with a store and alice, who is session 1 and whose message is being stored.
fn room_with_message_of_alice() -> Sessions {
    let mut room = Sessions::new(Room::new(60), Timeouts::default()).with_store();
    for session in 1..=3 {
        act(&mut room, session, InputKind::Connect(([127, 0, 0, 1], 1024).into()));
    }
    say(&mut room, 1, "NICK alice");
    assert_eq!(say(&mut room, 1, "MSG hi"), ["1 stores alice hi"]);
    room
}

/// A message of member 1 is stored that this session sent.
fn stored(room: &mut Sessions, session: u64, name: &str) -> Vec<String> {
    let (name, text) = (Name::new(name).unwrap(), Text::new("hi").unwrap());
    let id = room.room().last_id().next();
    act(room, session, InputKind::Stored(MemberId(1), Past { id, at: Timestamp(0), name, text }))
}

fn not_stored(room: &mut Sessions, session: u64, name: &str) -> Vec<String> {
    let failure = StoreFailure::NotStored(Arc::from("disk full"));
    act(room, session, InputKind::NotStored(MemberId(1), Name::new(name).unwrap(), failure))
}

#[track_caller]
fn assert_reserved(room: &mut Sessions, session: u64, nick: &str) {
    let refused = say(room, session, &format!("NICK {nick}"));
    let expected = format!(
        "{session}< ERR NICK name-taken {nick} is reserved until a message sent under it, or under a look-alike, is stored"
    );
    assert!(refused.len() == 1 && refused[0].starts_with(&expected), "{refused:?}");
}

#[track_caller]
fn assert_free(room: &mut Sessions, session: u64, nick: &str) {
    assert!(say(room, session, &format!("NICK {nick}")).contains(&format!("{session}< OK NICK {nick}")));
}

#[test]
fn nick_of_gone_author_is_reserved_until_message_is_published() {
    let mut room = room_with_message_of_alice();
    act(&mut room, 1, InputKind::Gone(LeaveReason::Lost));
    for alike in ["alice", "ALICE", "аlice", "Ａｌｉｃｅ"] {
        let refused = say(&mut room, 2, &format!("NICK {alike}"));
        assert!(refused[0].starts_with("2< ERR NICK name-taken "), "{refused:?}");
    }
    assert_eq!(stored(&mut room, 1, "alice"), ["*1 MSG alice hi"]);
    assert_free(&mut room, 2, "аlice");
}

#[test]
fn nick_of_gone_author_is_free_after_message_is_refused() {
    let mut room = room_with_message_of_alice();
    say(&mut room, 1, "MSG another");
    act(&mut room, 1, InputKind::Gone(LeaveReason::Lost));
    assert_eq!(not_stored(&mut room, 1, "alice"), [""; 0]);
    assert_reserved(&mut room, 2, "alice");
    assert_eq!(not_stored(&mut room, 1, "alice"), [""; 0]);
    assert_free(&mut room, 2, "alice");
}

#[test]
fn nick_is_free_at_once_without_unpublished_messages() {
    let mut room = room_with_message_of_alice();
    stored(&mut room, 1, "alice");
    say(&mut room, 1, "MSG another");
    assert_eq!(not_stored(&mut room, 1, "alice").len(), 1);
    act(&mut room, 1, InputKind::Gone(LeaveReason::Lost));
    assert_free(&mut room, 2, "alice");
}

#[test]
fn reserved_nick_is_no_member() {
    let mut room = room_with_message_of_alice();
    assert_free(&mut room, 2, "bob");
    act(&mut room, 1, InputKind::Gone(LeaveReason::Lost));
    let absent = "2< ERR WHISPER target-absent alice is not here; nothing was delivered; WHO lists names";
    assert_eq!(say(&mut room, 2, "WHISPER alice psst"), [absent]);
    assert_eq!(say(&mut room, 2, "WHO"), ["2< USER bob coordinator", "2< OK WHO 1"]);
}

/// A second connection resumes the session and gives the nickname up before the first one's message is stored.
#[test]
fn nick_given_up_after_resume_is_reserved() {
    for give_up in ["NICK al", "QUIT"] {
        let mut room = room_with_message_of_alice();
        let secret = Secret::new([7; 16]);
        act(&mut room, 1, InputKind::Resumable(secret));
        say(&mut room, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
        assert_eq!(
            say(&mut room, 2, "NICK alice"),
            ["2< OK NICK alice"],
            "its own nickname is not reserved against it"
        );
        say(&mut room, 2, give_up);
        assert_reserved(&mut room, 3, "alice");
        assert_eq!(stored(&mut room, 1, "alice").len(), 1);
        assert_free(&mut room, 3, "alice");
    }
}

#[test]
fn nick_is_reserved_until_every_author_of_that_nick_is_published() {
    let mut room = room_with_message_of_alice();
    let secret = Secret::new([7; 16]);
    act(&mut room, 1, InputKind::Resumable(secret));
    say(&mut room, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
    say(&mut room, 2, "MSG again");
    act(&mut room, 2, InputKind::Gone(LeaveReason::Errors));
    stored(&mut room, 1, "alice");
    assert_reserved(&mut room, 3, "alice");
    stored(&mut room, 2, "alice");
    assert_free(&mut room, 3, "alice");
    assert_eq!(room.name(SessionId(3)).map(Name::as_str), Some("alice"));
}

/// `AIice` (with a capital i) looks like `alice`, `aiice` does not.
#[test]
fn rename_to_other_case_reserves_look_alikes_of_both() {
    let mut room = room_with_message_of_alice();
    stored(&mut room, 1, "alice");
    say(&mut room, 1, "NICK AIice");
    say(&mut room, 1, "MSG hi");
    assert!(say(&mut room, 1, "NICK aiice")[0].ends_with("for 1 OK NICK aiice"));
    assert!(say(&mut room, 2, "NICK alice")[0].contains("name-taken alice is reserved"));
    stored(&mut room, 1, "AIice");
    assert_free(&mut room, 2, "alice");
    assert!(say(&mut room, 3, "NICK aiice")[0].contains("name-taken"));
}
