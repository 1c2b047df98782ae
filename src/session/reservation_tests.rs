//! Tests with messages that are being stored: their replies, and the nicknames that their authors give up meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::resume_tests::resumable_state;
use super::tests::{apply, connect, format_output, resumable, send_line};
use super::{InputKind, Output, Sessions, Timeouts};
use crate::protocol::{LeaveReason, MessageId, Name, ResumeToken, Secret};
use crate::sequencer::{Change, Numbering, Sequenced, Sequencer};
use crate::state::{Action, ContentKind, Entry, Message, Room, RoomId, SessionId, SharedState, StoreFailure};

/// A sequencer whose store confirms or refuses messages when the test says so, in the order in which they were sent.
#[derive(Debug, Default)]
struct StalledSequencer(Arc<Mutex<StalledStore>>);

#[derive(Debug, Default)]
struct StalledStore {
    numbering: Numbering,
    waiting: VecDeque<(Change, Message)>,
    ready: VecDeque<Entry>,
    /// The ids that turns ended with.
    last_ids: Vec<MessageId>,
}

impl Sequencer for StalledSequencer {
    fn submit(&mut self, change: Change) {
        let StalledStore { numbering, waiting, ready, .. } = &mut *self.0.lock().unwrap();
        match change.action.clone() {
            Action::Say(room, message) => {
                ready
                    .push_back(numbering.next_entry(Change { action: Action::ContentPending(room), ..change.clone() }));
                waiting.push_back((change, message));
            }
            _ => ready.push_back(numbering.next_entry(change)),
        }
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.0.lock().unwrap().ready.pop_front().map(Sequenced::Entry)
    }

    fn has_next(&self) -> bool {
        !self.0.lock().unwrap().ready.is_empty()
    }

    fn end_turn(&mut self, state: &SharedState) {
        let last_id = state.room(RoomId::LOBBY).map_or(MessageId(0), Room::last_id);
        self.0.lock().unwrap().last_ids.push(last_id);
    }
}

/// A room with a store and alice, who is member 1 and whose message is being stored.
fn room_with_message_of_alice() -> (Sessions, Arc<Mutex<StalledStore>>) {
    let state = Arc::default();
    let room = Sessions::new(resumable_state(60), Timeouts::default());
    let mut room = room.with_store(Box::new(StalledSequencer(Arc::clone(&state))));
    for session in 1..=3 {
        connect(&mut room, session);
    }
    send_line(&mut room, 1, "NICK alice");
    assert_eq!(send_line(&mut room, 1, "MSG hi"), [""; 0], "it waits");
    (room, state)
}

/// Stores or refuses the oldest waiting message, which must have this author.
fn finish_oldest(room: &mut Sessions, state: &Mutex<StalledStore>, name: &str, is_stored: bool) -> Vec<String> {
    make_oldest_ready(state, name, is_stored);
    let mut out = Vec::new();
    assert!(room.advance(&mut out) && !room.advance(&mut out));
    out.iter().filter(|output| !matches!(output, Output::Log(_))).map(|output| format_output(room, output)).collect()
}

/// Makes an entry of the oldest waiting message, which must have this author.
fn make_oldest_ready(state: &Mutex<StalledStore>, name: &str, is_stored: bool) {
    let StalledStore { numbering, waiting, ready, .. } = &mut *state.lock().unwrap();
    let (change, message) = waiting.pop_front().unwrap();
    assert_eq!(message.name.as_str(), name);
    let failure = StoreFailure::NotStored(Arc::from("disk full"));
    let refused = || Action::ContentFailed(RoomId::LOBBY, message.name, ContentKind::Message, failure);
    let action = if is_stored { change.action } else { refused() };
    ready.push_back(numbering.next_entry(Change { action, ..change }));
}

fn stored(room: &mut (Sessions, Arc<Mutex<StalledStore>>), name: &str) -> Vec<String> {
    finish_oldest(&mut room.0, &room.1, name, true)
}

fn not_stored(room: &mut (Sessions, Arc<Mutex<StalledStore>>), name: &str) -> Vec<String> {
    finish_oldest(&mut room.0, &room.1, name, false)
}

#[track_caller]
fn assert_reserved(room: &mut Sessions, session: u64, nick: &str) {
    let refused = send_line(room, session, &format!("NICK {nick}"));
    let expected = format!(
        "{session}< ERR NICK name-taken {nick} is reserved while a message sent under it, or under a similar name, waits to be stored"
    );
    assert!(refused.len() == 1 && refused[0].starts_with(&expected), "{refused:?}");
}

#[track_caller]
fn assert_free(room: &mut Sessions, session: u64, nick: &str) {
    assert!(send_line(room, session, &format!("NICK {nick}")).contains(&format!("{session}< OK NICK {nick}")));
}

#[test]
fn nick_of_gone_author_is_reserved_until_message_is_published() {
    let mut room = room_with_message_of_alice();
    apply(&mut room.0, 1, InputKind::Disconnected(LeaveReason::Lost));
    for alike in ["alice", "ALICE", "аlice", "Ａｌｉｃｅ"] {
        let refused = send_line(&mut room.0, 2, &format!("NICK {alike}"));
        assert!(refused[0].starts_with("2< ERR NICK name-taken "), "{refused:?}");
    }
    assert_eq!(stored(&mut room, "alice"), ["*1 MSG alice hi", "1 answered"]);
    assert_free(&mut room.0, 2, "аlice");
}

#[test]
fn author_takes_back_own_nick_while_message_waits() {
    let mut room = room_with_message_of_alice();
    send_line(&mut room.0, 1, "NICK bob");
    assert_reserved(&mut room.0, 2, "ALICE");
    let renamed = send_line(&mut room.0, 1, "NICK alice");
    assert_eq!(renamed[0], "*- RENAME bob alice, for 1 OK NICK alice");
    send_line(&mut room.0, 1, "MSG again");
    send_line(&mut room.0, 1, "NICK carol");
    assert_eq!(stored(&mut room, "alice"), ["*1 MSG alice hi, for 1 OK MSG 1", "1 answered"]);
    assert_reserved(&mut room.0, 2, "alice");
    assert_eq!(stored(&mut room, "alice"), ["*2 MSG alice again, for 1 OK MSG 2", "1 answered"]);
    assert_free(&mut room.0, 2, "alice");
}

#[test]
fn nick_of_gone_author_is_free_after_message_is_refused() {
    let mut room = room_with_message_of_alice();
    send_line(&mut room.0, 1, "MSG another");
    apply(&mut room.0, 1, InputKind::Disconnected(LeaveReason::Lost));
    assert_eq!(not_stored(&mut room, "alice"), ["1 answered"]);
    assert_reserved(&mut room.0, 2, "alice");
    assert_eq!(not_stored(&mut room, "alice"), ["1 answered"]);
    assert_free(&mut room.0, 2, "alice");
}

#[test]
fn nick_is_free_at_once_without_unpublished_messages() {
    let mut room = room_with_message_of_alice();
    stored(&mut room, "alice");
    send_line(&mut room.0, 1, "MSG another");
    assert_eq!(not_stored(&mut room, "alice").len(), 2, "the refusal and `answered`");
    apply(&mut room.0, 1, InputKind::Disconnected(LeaveReason::Lost));
    assert_free(&mut room.0, 2, "alice");
}

#[test]
fn reserved_nick_is_not_a_member() {
    let mut room = room_with_message_of_alice();
    assert_free(&mut room.0, 2, "bob");
    apply(&mut room.0, 1, InputKind::Disconnected(LeaveReason::Lost));
    let absent = "2< ERR WHISPER target-absent alice is not here; nothing was delivered; WHO lists names";
    assert_eq!(send_line(&mut room.0, 2, "WHISPER alice psst"), [absent]);
    assert_eq!(send_line(&mut room.0, 2, "WHO"), ["2< USER bob coordinator", "2< OK WHO 1"]);
}

/// A second connection resumes the session and gives the nickname up before the first one's message is stored.
#[test]
fn nick_given_up_after_resume_is_reserved() {
    for give_up in ["NICK al", "QUIT"] {
        let mut room = room_with_message_of_alice();
        let secret = Secret::new([7; 16]);
        apply(&mut room.0, 1, resumable(secret));
        send_line(&mut room.0, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
        assert_eq!(
            send_line(&mut room.0, 2, "NICK alice"),
            ["2< OK NICK alice"],
            "its own nickname is not reserved against it"
        );
        send_line(&mut room.0, 2, give_up);
        assert_reserved(&mut room.0, 3, "alice");
        assert_eq!(stored(&mut room, "alice").len(), 2);
        assert_free(&mut room.0, 3, "alice");
    }
}

#[test]
fn nick_is_reserved_until_every_author_of_that_nick_is_published() {
    let mut room = room_with_message_of_alice();
    let secret = Secret::new([7; 16]);
    apply(&mut room.0, 1, resumable(secret));
    send_line(&mut room.0, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
    send_line(&mut room.0, 2, "MSG again");
    apply(&mut room.0, 2, InputKind::Disconnected(LeaveReason::Errors));
    stored(&mut room, "alice");
    assert_reserved(&mut room.0, 3, "alice");
    stored(&mut room, "alice");
    assert_free(&mut room.0, 3, "alice");
    assert_eq!(room.0.name(SessionId(3)).map(Name::as_str), Some("alice"));
}

/// `AIice` (with a capital i) looks like `alice`, `aiice` does not.
#[test]
fn rename_to_other_case_reserves_look_alikes_of_both() {
    let mut room = room_with_message_of_alice();
    stored(&mut room, "alice");
    send_line(&mut room.0, 1, "NICK AIice");
    send_line(&mut room.0, 1, "MSG hi");
    assert!(send_line(&mut room.0, 1, "NICK aiice")[0].ends_with("for 1 OK NICK aiice"));
    assert!(send_line(&mut room.0, 2, "NICK alice")[0].contains("name-taken alice is reserved"));
    stored(&mut room, "AIice");
    assert_free(&mut room.0, 2, "alice");
    assert!(send_line(&mut room.0, 3, "NICK aiice")[0].contains("name-taken"));
}

/// The entry of a stored message may be applied while another line is processed.
#[test]
fn stored_message_and_line_processed_with_it_are_both_answered() {
    let (mut room, state) = room_with_message_of_alice();
    make_oldest_ready(&state, "alice", true);
    let expected = ["*1 MSG alice hi, for 1 OK MSG 1", "1 answered", "*- JOIN bob", "2< OK NICK bob", "2 follows"];
    assert_eq!(send_line(&mut room, 2, "NICK bob"), expected);
}

#[test]
fn line_is_answered_after_all_of_its_outputs() {
    let mut room = Sessions::default();
    connect(&mut room, 1);
    let expected = ["*- JOIN alice", "1< OK NICK alice", "1 follows", "*- COORDINATOR alice"];
    assert_eq!(send_line(&mut room, 1, "NICK alice"), expected);
}

#[test]
fn turn_ends_with_id_of_newest_message() {
    let mut room = room_with_message_of_alice();
    room.0.end_turn();
    stored(&mut room, "alice");
    room.0.end_turn();
    assert_eq!(room.1.lock().unwrap().last_ids, [MessageId(0), MessageId(1)]);
}
