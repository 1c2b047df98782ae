//! Tests of rooms: what entries give. `tests/entries` tests random entries.

use super::*;
use crate::protocol::{LeaveReason, MessageId, Text};

pub(super) fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn room(raw: &str) -> RoomName {
    RoomName::new(raw).unwrap()
}

/// Applies an action of the member, whose session has the same number. Returns the outputs.
pub(super) fn apply(state: &mut SharedState, member: u64, action: Action) -> Vec<StateOutput> {
    let origin = Origin::local(SessionId(member), MemberId(member));
    let mut out = Vec::new();
    state.apply(Entry { seq: 1, at: Timestamp(5), uptime: Uptime(0), origin, action }, &mut out);
    out
}

pub(super) fn register(state: &mut SharedState, member: u64, home: Option<&str>) -> Vec<StateOutput> {
    let name = name(&format!("m{member}"));
    apply(state, member, Action::Register { name, verifier: None, room: home.map(room) })
}

pub(super) fn join(state: &mut SharedState, member: u64, rooms: &[&str]) -> Vec<StateOutput> {
    apply(state, member, Action::Join(rooms.iter().map(|raw| room(raw)).collect()))
}

fn say(state: &mut SharedState, member: u64, room: RoomId) {
    let message =
        Message { name: name(&format!("m{member}")), account: None, at: Timestamp(5), text: Text::new("hi").unwrap() };
    apply(state, member, Action::Say(room, message));
}

fn closed(id: u32) -> StateOutput {
    StateOutput::RoomClosed { id: RoomId(id), is_stored: false }
}

fn names(state: &SharedState) -> Vec<String> {
    state.rooms().map(|(_, room)| room.name().to_string()).collect()
}

#[test]
fn room_vanishes_with_last_member_and_has_another_epoch_next_time() {
    let mut state = SharedState::default().with_epoch(Token::truncated("k7qd"));
    register(&mut state, 1, None);
    let epochs = [(); 2].map(|()| {
        join(&mut state, 1, &["#ops"]);
        let id = state.find_room(&room("#OPS")).unwrap();
        let epoch = state.room(id).unwrap().epoch().cloned();
        let out = apply(&mut state, 1, Action::Part(id, None));
        assert_eq!(out.last(), Some(&StateOutput::RoomClosed { id, is_stored: false }));
        assert_eq!(names(&state), ["#lobby"]);
        epoch.map(|epoch| epoch.to_string())
    });
    assert_eq!(epochs, [Some("k7qd.1".to_owned()), Some("k7qd.2".to_owned())]);
}

#[test]
fn join_enters_all_rooms_or_none() {
    let mut state = SharedState::new(StateLimits { rooms: 2, rooms_per_member: 3, ..StateLimits::default() });
    register(&mut state, 1, None);
    let mut refused = |rooms: &[&str], why| {
        let out = join(&mut state, 1, rooms);
        assert!(
            matches!(&out[..], [StateOutput::Rejected(_, None, Rejection::JoinRoom(found))] if *found == why),
            "{out:?}"
        );
        assert_eq!(names(&state), ["#lobby"]);
    };
    refused(&["#dev", "#1obby"], RoomRejection::Alike(room("#1obby"), room("#lobby")));
    refused(&["#ops", "#0ps"], RoomRejection::Alike(room("#0ps"), room("#ops")));
    refused(&["#a", "#b", "#c"], RoomRejection::TooMany(3));
    let mut state = SharedState::new(StateLimits { rooms: 2, ..StateLimits::default() });
    register(&mut state, 1, None);
    join(&mut state, 1, &["#a"]);
    assert_eq!(state.count_new_rooms(Some(MemberId(1)), &[room("#b"), room("#c")]), Err(RoomRejection::Full(2)));
    assert_eq!(state.count_new_rooms(Some(MemberId(1)), &[room("#b"), room("#A"), room("#lobby")]), Ok(1));
}

/// Otherwise the member would enter a room that it is in, and the others would read a second `JOIN`.
#[test]
fn join_of_own_room_is_no_event() {
    let mut state = SharedState::default();
    register(&mut state, 1, None);
    let out = join(&mut state, 1, &["#LOBBY"]);
    let [StateOutput::Joined { rooms, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((rooms[0].is_new, rooms[0].is_home, rooms[0].name.to_string().as_str()), (false, true, "#lobby"));
}

#[test]
fn rename_and_leave_appear_in_each_room() {
    let mut state = SharedState::default();
    register(&mut state, 1, None);
    join(&mut state, 1, &["#ops", "#dev"]);
    let causes = |out: &[StateOutput]| {
        let cause = |output: &StateOutput| match output {
            StateOutput::Event { room, cause, .. } => Some((room.0, matches!(cause, Cause::Command(_)))),
            _ => None,
        };
        out.iter().filter_map(cause).collect::<Vec<_>>()
    };
    let out = apply(&mut state, 1, Action::Rename(name("al")));
    assert_eq!(causes(&out), [(0, true), (1, false), (2, false)]);
    apply(&mut state, 1, Action::Part(RoomId::LOBBY, None));
    let out = apply(&mut state, 1, Action::Rename(name("bo")));
    assert!(matches!(&out[0], StateOutput::Renamed { to, .. } if *to == name("bo")), "the reply has no room: {out:?}");
    assert_eq!(causes(&out), [(1, false), (2, false)]);
    let out = apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    assert!(matches!(&out[0], StateOutput::Left { rooms, .. } if rooms == &[RoomId(1), RoomId(2)]), "{out:?}");
    assert_eq!(out[1..], [closed(1), closed(2)]);
}

/// The home has no prefix again, although the room that comes back has another number.
#[test]
fn home_is_known_by_its_name_after_part() {
    let mut state = SharedState::default();
    register(&mut state, 1, Some("#team"));
    register(&mut state, 2, None);
    apply(&mut state, 1, Action::Part(RoomId(1), None));
    assert_eq!(state.member(MemberId(1)).unwrap().parted_home(), Some(&room("#team")));
    join(&mut state, 2, &["#Team"]);
    let out = join(&mut state, 1, &["#team"]);
    assert!(matches!(&out[0], StateOutput::Joined { rooms, .. } if rooms[0].is_home), "{out:?}");
    let member = state.member(MemberId(1)).unwrap();
    assert_eq!((member.home(), member.parted_home(), member.room_count()), (RoomId(2), None, 1));
}

#[test]
fn watched_room_exists_until_last_watcher_leaves_it() {
    let mut state = SharedState::new(StateLimits { rooms: 1, ..StateLimits::default() });
    register(&mut state, 1, Some("#ops"));
    assert!(matches!(apply(&mut state, 2, Action::Watch(room("#nope")))[..], [StateOutput::Rejected(..)]));
    apply(&mut state, 2, Action::Watch(room("#ops")));
    apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    assert_eq!(names(&state), ["#lobby", "#ops"]);
    let watched = state.room(RoomId(1)).unwrap();
    assert!(!watched.is_listed() && watched.watcher_count() == 1);
    let out = register(&mut state, 3, Some("#dev"));
    assert!(matches!(&out[0], StateOutput::Registered { .. }), "a room without members does not count: {out:?}");
    apply(&mut state, 3, Action::Leave(LeaveReason::Quit, None));
    let out = register(&mut state, 2, None);
    assert!(
        matches!(&out[0], StateOutput::Registered { was_watching: true, home, .. } if home.id == RoomId(1)),
        "{out:?}"
    );
    assert_eq!((state.watched_room(SessionId(2)), state.room(RoomId(1)).unwrap().watcher_count()), (None, 0));
}

/// Its author gets a reply, and no other member gets the author's nickname meanwhile.
#[test]
fn room_exists_while_message_waits_for_store() {
    let mut state = SharedState::default();
    register(&mut state, 1, None);
    join(&mut state, 1, &["#ops"]);
    apply(&mut state, 1, Action::ContentPending(RoomId(1)));
    assert!(!apply(&mut state, 1, Action::Part(RoomId(1), None)).contains(&closed(1)));
    let message = Message { name: name("m1"), account: None, at: Timestamp(5), text: Text::new("hi").unwrap() };
    let out = apply(&mut state, 1, Action::Say(RoomId(1), message));
    assert!(matches!(&out[0], StateOutput::Event { id: Some(MessageId(1)), .. }), "{out:?}");
    assert_eq!(out[1..], [closed(1)]);
}

/// Otherwise memory and file would keep each room for which a client has ever sent a message.
#[test]
fn stored_room_vanishes_without_members_messages_and_topic() {
    let mut state = SharedState::default().with_store(RoomId::LOBBY);
    register(&mut state, 1, Some("#ops"));
    let id = RoomId(1);
    say(&mut state, 1, id);
    say(&mut state, 1, id);
    let evict = |state: &mut SharedState, up_to| apply(state, 1, Action::Evict(id, MessageId(up_to)));
    let gone = [StateOutput::RoomClosed { id, is_stored: true }];
    assert_eq!(evict(&mut state, 2), [], "it has a member");
    say(&mut state, 1, id);
    apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    assert!(state.room(id).unwrap().is_listed());
    assert_eq!(evict(&mut state, 2), [], "the store has message 3");
    assert_eq!(evict(&mut state, 3), gone);

    register(&mut state, 1, Some("#ops"));
    let id = RoomId(2);
    say(&mut state, 1, id);
    let set_topic = |state: &mut SharedState, topic: Option<&str>| {
        let topic = topic.map(|topic| Text::new(topic).unwrap());
        apply(state, 1, Action::SetTopic(id, TopicChange { name: name("m1"), at: Timestamp(5), topic }))
    };
    set_topic(&mut state, Some("a topic"));
    apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    assert_eq!(apply(&mut state, 1, Action::Evict(id, MessageId(9))), [], "the store has the topic");
    let out = set_topic(&mut state, None);
    assert_eq!(out[1..], [StateOutput::RoomClosed { id, is_stored: true }]);
}

/// Messages that only memory has lost keep the room.
#[test]
fn eviction_from_memory_keeps_stored_room() {
    let limits = StateLimits { history_messages: 1, ..StateLimits::default() };
    let mut state = SharedState::new(limits).with_store(RoomId::LOBBY);
    let stored = StoredRoom { last_id: MessageId(3), evicted: MessageId(3), ..StoredRoom::default() };
    state = state.with_stored_room(RoomId(1), room("#ops"), stored, Vec::new());
    register(&mut state, 1, Some("#ops"));
    apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    assert_eq!(names(&state), ["#lobby", "#ops"]);
}

#[test]
fn too_many_stored_rooms_refuse_creation_only() {
    let limits = StateLimits { empty_rooms: 2, ..StateLimits::default() };
    let mut state = SharedState::new(limits).with_store(RoomId::LOBBY);
    let store = |state: &mut SharedState, name| {
        let out = register(state, 1, Some(name));
        let [StateOutput::Registered { home: EnteredRoom { id, .. }, .. }, ..] = out[..] else { panic!("{out:?}") };
        say(state, 1, id);
        apply(state, 1, Action::Leave(LeaveReason::Quit, None));
        id
    };
    let one = store(&mut state, "#one");
    store(&mut state, "#two");
    let refused = Rejection::RegisterRoom(RoomRejection::StoreFull(2));
    let out = register(&mut state, 1, Some("#three"));
    assert!(matches!(&out[..], [StateOutput::Rejected(_, None, why)] if *why == refused), "{out:?}");
    register(&mut state, 1, Some("#one"));
    let out = join(&mut state, 1, &["#two", "#three"]);
    assert!(matches!(&out[0], StateOutput::Joined { .. }), "the member's rooms are not empty: {out:?}");
    apply(&mut state, 1, Action::Leave(LeaveReason::Quit, None));
    apply(&mut state, 1, Action::Evict(one, MessageId(1)));
    store(&mut state, "#four");
}

#[test]
fn ids_and_histories_of_rooms_are_their_own() {
    let mut state = SharedState::new(StateLimits { history_bytes: 300, ..StateLimits::default() });
    register(&mut state, 1, None);
    join(&mut state, 1, &["#ops"]);
    for room in [0, 0, 1, 0, 1].map(RoomId) {
        say(&mut state, 1, room);
    }
    let last = |state: &SharedState, id| state.room(RoomId(id)).unwrap().last_id().0;
    assert_eq!([last(&state, 0), last(&state, 1)], [3, 2]);
    let all = |state: &SharedState, id| state.room(RoomId(id)).unwrap().history().messages().all();
    assert_eq!([all(&state, 0), all(&state, 1)], [2..3, 0..2], "three messages of 100 bytes fit");
}
