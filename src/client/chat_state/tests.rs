//! Drives the state of a chat with typed lines and lines from a server.

use super::*;
use crate::limits::MEMBERS_NOTED_MAX;

pub(super) fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

pub(super) fn send(line: &str) -> ChatAction {
    ChatAction::Send(line.to_owned())
}

/// The state of alice, who is in the room with bob and has received the member list.
pub(super) fn alice() -> ChatState {
    let mut state = ChatState::default();
    let first = state.handle_connect(Ok(name("alice")));
    assert_eq!(first, named("alice"));
    for line in ["OK SET echo on", "USER alice coordinator", "USER bob member", "OK WHO 2"] {
        assert_eq!(receive(&mut state, line), [], "{line}");
    }
    state
}

/// The actions after taking this nickname on a new connection.
fn named(name: &str) -> [ChatAction; 3] {
    [note(format!("you are {name}; /help lists the commands")), send("SET echo on"), send("WHO")]
}

pub(super) fn receive(state: &mut ChatState, line: &str) -> Vec<ChatAction> {
    state.handle_line(ReceivedLine::new(line))
}

/// The event shown for a line, as a line; after `!` if it addresses the user.
fn shown(state: &mut ChatState, line: &str) -> String {
    match receive(state, line).as_slice() {
        [ChatAction::Show(DisplayItem::Event(None, event, for_user))] => {
            format!("{}{event}", if *for_user { "!" } else { "" })
        }
        other => panic!("{line:?}: {other:?}"),
    }
}

fn other_members(state: &ChatState) -> Vec<&str> {
    state.other_members().collect()
}

#[test]
fn typed_line_is_sent_as_command() {
    let check = |line: &str, expected: &[ChatAction]| assert_eq!(alice().handle_input(line), expected, "{line:?}");
    check("", &[]);
    check("hi", &[send("MSG hi")]);
    check("//x", &[send("MSG /x")]);
    check("/w bob psst", &[send("WHISPER bob psst")]);
    check("/reply hm", &[warn("nobody has whispered to you; type: /msg name text")]);
    check("/status", &[send("STATUS")]);
    check("/quit", &[send("QUIT")]);
    check("/quit tea", &[send("QUIT tea")]);
    check("/help", &help(Rank::Member).map(note).collect::<Vec<_>>());
}

#[test]
fn reply_without_information_is_not_shown() {
    let mut state = alice();
    let mut check = |typed: &str, answer: &[&str], expected: &[ChatAction]| {
        state.handle_input(typed);
        let shown: Vec<_> = answer.iter().flat_map(|line| receive(&mut state, line)).collect();
        assert_eq!(shown, expected, "{typed:?}");
    };
    let message = |text| Event::Msg(name("alice"), Text::new(text).unwrap());
    let own = |event| ChatAction::Show(DisplayItem::Event(None, event, false));
    check("hi", &["MSG alice hi", "OK MSG 4"], &[own(message("hi"))]);
    // A server that does not send own messages back.
    check("hi alice", &["OK MSG 5"], &[own(message("hi alice"))]);
    let whispered = DisplayItem::Whispered(name("alice"), vec![name("bob")], Text::new("psst").unwrap());
    check("/w bob psst", &["OK WHISPER bob"], &[ChatAction::Show(whispered)]);
    check(
        "/w eve psst",
        &["ERR WHISPER target-absent eve is not here; WHO lists names"],
        &[warn("eve is not here; /who lists names; not sent: /w eve psst")],
    );
    check("/ping", &["OK PING"], &[note("the server answered")]);
    let named = [note("you are al; /help lists the commands"), send("WHO")];
    let lines = ["RENAME alice al", "OK NICK al", "USER bob coordinator", "USER al member", "OK WHO 2"];
    check("/nick al", &lines, &named);
    check("/who", &["USER bob member", "OK WHO 1"], &[note("bob member"), note("1 member")]);
    assert_eq!(state.name, Some(name("al")));
    assert_eq!(other_members(&state), ["bob"]);
}

#[test]
fn members_follow_events() {
    let mut state = alice();
    for (line, expected) in [
        ("JOIN eve", &["bob", "eve"][..]),
        ("RENAME eve mallory", &["bob", "mallory"]),
        ("LEAVE bob quit tea", &["mallory"]),
        ("COORDINATOR alice", &["mallory"]),
        ("MSG mallory hi", &["mallory"]),
    ] {
        assert_eq!(shown(&mut state, line), line);
        assert_eq!(other_members(&state), expected, "{line}");
    }
}

#[test]
fn member_list_is_bounded() {
    let mut state = alice();
    for number in 0..2 * MEMBERS_NOTED_MAX {
        receive(&mut state, &format!("JOIN u{number}"));
    }
    assert_eq!(state.rooms.get(&RoomName::lobby()).unwrap().members().count(), MEMBERS_NOTED_MAX);
    receive(&mut state, "RENAME bob rob");
    assert!(other_members(&state).contains(&"rob"));
}

#[test]
fn whisper_or_mention_addresses_the_user() {
    let mut state = alice();
    assert_eq!(shown(&mut state, "MSG bob hi all"), "MSG bob hi all");
    assert_eq!(shown(&mut state, "MSG bob hi Alice!"), "!MSG bob hi Alice!");
    assert_eq!(shown(&mut state, "WHISPER bob psst"), "!WHISPER bob psst");
    assert_eq!(state.handle_input("/reply hm"), [send("WHISPER bob hm")]);
    shown(&mut state, "RENAME bob rob");
    assert_eq!(state.handle_input("/r hm"), [send("WHISPER rob hm")]);
    assert_eq!(receive(&mut state, "PING idle"), [], "the connection answers it");
}

#[test]
fn unsent_lines_are_reported() {
    let mut state = alice();
    assert_eq!(state.handle_input("one"), [send("MSG one")]);
    assert_eq!(state.handle_input("two"), [send("MSG two")]);
    assert_eq!(state.sending().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(shown(&mut state, "MSG alice one"), "MSG alice one");
    assert_eq!(state.sending().collect::<Vec<_>>(), ["two"]);
    assert_eq!(receive(&mut state, "OK MSG 4"), []);
    assert_eq!(state.handle_input("/w bob three"), [send("WHISPER bob three")]);
    let lost = [warn("Server disconnected."), warn("perhaps not sent: /w bob three")];
    assert_eq!(state.handle_disconnect(), lost);
    assert_eq!(state.sending().collect::<Vec<_>>(), ["two"]);
    assert_eq!(state.handle_input("three"), [warn("not sent (no connection): three")]);
    assert_eq!(state.refusal("three"), Some("not sent (no connection): three".to_owned()));
    assert_eq!(state.refusal("/quit"), None);
    assert_eq!(state.handle_input("/help"), help(Rank::Member).map(note).collect::<Vec<_>>());
    assert_eq!(other_members(&state), [""; 0]);
    assert_eq!(state.handle_connect(Ok(name("alice"))), named("alice"));
    assert_eq!(state.refusal("four"), None);
    assert_eq!(state.handle_input("four"), [send("MSG four")]);
    assert_eq!(state.handle_disconnect(), [warn("Server disconnected.")]);
    assert_eq!(state.handle_input("/quit tea"), [send("QUIT tea")]);
    assert_eq!(state.handle_end(true), [warn("perhaps not sent: two"), warn("perhaps not sent: four")]);
    assert_eq!(state.handle_end(true), []);
}

#[test]
fn replay_confirms_published_messages() {
    let check = |is_complete, expected: &[ChatAction]| {
        let mut state = alice();
        for line in ["one", "two", "two", "three"] {
            state.handle_input(line);
        }
        state.handle_disconnect();
        state.handle_connect(Ok(name("alice")));
        for line in ["MSG alice one", "MSG alice two"] {
            assert_eq!(shown(&mut state, line), line);
        }
        assert_eq!(state.sending().collect::<Vec<_>>(), ["two", "three"]);
        assert_eq!(shown(&mut state, "MSG bob three"), "MSG bob three");
        assert_eq!(state.handle_replay_end(&RoomName::lobby(), Some(&name("alice")), is_complete), expected);
        assert_eq!(shown(&mut state, "MSG alice two"), "MSG alice two", "sent by another client");
    };
    check(true, &[warn("not sent: two"), warn("not sent: three")]);
    check(false, &[warn("perhaps not sent: two"), warn("perhaps not sent: three")]);
}

#[test]
fn waiting_lines_are_sent_in_order_after_the_replay() {
    let mut state = alice();
    assert_eq!([state.queue("one"), state.queue("two")], [None, None]);
    state.leave();
    assert_eq!(state.handle_waiting(), None, "the replay has not ended");
    state.handle_replay_end(&RoomName::lobby(), Some(&name("alice")), true);
    state.handle_ready();
    for line in ["MSG one", "MSG two", "QUIT"] {
        assert_eq!(state.handle_waiting(), Some(vec![send(line)]));
    }
    assert_eq!(state.handle_waiting(), None);
}

#[test]
fn line_beyond_the_limit_is_refused() {
    let mut state = alice();
    assert!((0..LINES_WAITING_MAX).all(|_| state.queue("hi").is_none()));
    let refusal = format!("not sent ({LINES_WAITING_MAX} lines are waiting to be sent already): hi");
    assert_eq!(state.queue("hi"), Some(refusal));
    assert_eq!(state.waiting().count(), LINES_WAITING_MAX);
}

#[test]
fn name_taken_while_disconnected_can_be_replaced() {
    let mut state = alice();
    state.handle_disconnect();
    let taken = ReceivedLine::new("ERR NICK name-taken alice is taken; choose another and write: NICK name").refusal();
    let expected = warn("you have no nickname now: alice is taken; choose another and type: /nick name");
    assert_eq!(state.handle_connect(Err(taken.unwrap())), [expected]);
    assert_eq!(state.handle_input("/nick al"), [send("NICK al")]);
    assert_eq!(receive(&mut state, "OK NICK al"), named("al"));
}

/// The event arrives before the reply, and the reply may be lost.
#[test]
fn own_message_seen_as_event_is_not_reported_as_unsent() {
    let mut state = alice();
    state.handle_input("one");
    shown(&mut state, "MSG alice one");
    assert_eq!(state.handle_disconnect(), [warn("Server disconnected.")]);
    assert_eq!(state.handle_end(false), []);
}

#[test]
fn control_characters_are_replaced() {
    let mut state = alice();
    assert_eq!(receive(&mut state, "\x1b[2J"), [note("\u{fffd}[2J")]);
    let text = Text::new("\x1b]0;x\x07").unwrap();
    let expected = ChatAction::Show(DisplayItem::Event(None, Event::Msg(name("bob"), text), false));
    assert_eq!(receive(&mut state, "MSG bob \x1b]0;x\x07"), [expected]);
    assert_eq!(receive(&mut state, "ERR - slow \x1b[1m"), [warn("\u{fffd}[1m")]);
}

fn room(raw: &str) -> RoomName {
    RoomName::new(raw).unwrap()
}

/// The item shown for a line, as a line: with the name of its room, if it is another one than the current room.
fn shown_with_room(state: &mut ChatState, line: &str) -> String {
    let written = |item: &DisplayItem| match item {
        DisplayItem::Event(_, event, _) => event.to_string(),
        DisplayItem::Note(text) => format!("* {text}"),
        other => panic!("{line:?}: {other:?}"),
    };
    match receive(state, line).as_slice() {
        [ChatAction::Show(DisplayItem::InRoom(room, item))] => format!("[{room}] {}", written(item)),
        [ChatAction::Show(item)] => written(item),
        other => panic!("{line:?}: {other:?}"),
    }
}

/// Alice after she has entered these rooms one after the other, and read their messages.
fn alice_in(rooms: &[&str]) -> ChatState {
    let mut state = alice();
    state.handle_replay_end(&RoomName::lobby(), Some(&name("alice")), true);
    state.handle_ready();
    for entered in rooms {
        assert_eq!(state.handle_input(&format!("/join {entered}")), [send(&format!("JOIN {entered}"))]);
        assert!(!state.takes_input(), "the next line is for the new room");
        let expected = [note(format!("you are in {entered}")), send(&format!("{entered} WHO"))];
        assert_eq!(receive(&mut state, &format!("OK JOIN {entered} epoch=e last=0")), expected);
        assert!(!state.takes_input(), "the replay has not ended");
        for line in ["USER alice coordinator", "USER eve member", "OK WHO 2"] {
            assert_eq!(receive(&mut state, &format!("{entered} {line}")), []);
        }
        assert_eq!(state.handle_replay_end(&room(entered), Some(&name("alice")), true), []);
        state.handle_ready();
        assert!(state.takes_input());
    }
    state
}

#[test]
fn lines_go_to_the_joined_room() {
    let mut state = alice_in(&["#ops"]);
    assert_eq!(state.current_elsewhere(), Some(&room("#ops")));
    assert_eq!(other_members(&state), ["eve"]);
    assert_eq!(receive(&mut state, "#ops JOIN alice"), [], "the reply is shown");
    for (typed, sent) in [
        ("hi", "#ops MSG hi"),
        ("/who", "#ops WHO"),
        ("/topic be kind", "#ops TOPIC be kind"),
        ("/#lobby hi", "MSG hi"),
        ("/#Ops hi", "#ops MSG hi"),
        ("/msg #lobby hi", "MSG hi"),
        ("/msg bob psst", "WHISPER bob psst"),
        ("/rooms", "ROOMS"),
        ("/nick al", "NICK al"),
        (" #ops hi", "#ops MSG  #ops hi"),
        ("/part", "PART #ops"),
    ] {
        assert_eq!(state.handle_input(typed), [send(sent)], "{typed}");
    }
    let why = "not sent: is it for #lobby? Then type: /#lobby text (to send it here, begin it with a space)";
    assert_eq!(state.handle_input("#lobby hi"), [warn(why)]);
}

#[test]
fn lines_of_other_rooms_are_named_and_counted() {
    let mut state = alice_in(&["#ops", "#dev"]);
    for (line, expected) in [
        ("#dev MSG eve hi", "MSG eve hi"),
        ("#ops MSG eve hi", "[#ops] MSG eve hi"),
        ("#ops MSG eve hi alice", "[#ops] MSG eve hi alice"),
        ("#ops JOIN bob", "[#ops] JOIN bob"),
        ("MSG bob hi", "[#lobby] MSG bob hi"),
        ("MSG bob hi again", "[#lobby] MSG bob hi again"),
        ("WHISPER bob psst", "WHISPER bob psst"),
        ("NOTICE bye", "NOTICE bye"),
    ] {
        assert_eq!(shown_with_room(&mut state, line), expected, "{line}");
    }
    assert_eq!(state.handle_input("/home"), [note("you are in #lobby; unread: #ops 2 (1 mentions you)")]);
    assert_eq!(state.current_elsewhere(), None);
    assert_eq!(other_members(&state), ["bob"]);
    assert_eq!(state.handle_input("hi"), [send("MSG hi")]);
    shown_with_room(&mut state, "#dev MSG eve hi");
    assert_eq!(state.handle_input("/join #OPS"), [note("you are in #ops; unread: #dev 1")]);
    assert_eq!(state.handle_input("/home"), [note("you are in #lobby; unread: #dev 1")]);
}

#[test]
fn own_rename_is_shown_once() {
    let mut state = alice_in(&["#ops"]);
    state.handle_input("/nick al");
    assert_eq!(receive(&mut state, "RENAME alice al"), []);
    assert_eq!(receive(&mut state, "OK NICK al")[0], note("you are al; /help lists the commands"));
    assert_eq!(receive(&mut state, "#ops RENAME alice al"), []);
}

#[test]
fn parted_room_is_left() {
    let mut state = alice_in(&["#ops", "#dev"]);
    assert_eq!(state.handle_input("/part #ops tea"), [send("PART #ops tea")]);
    assert!(!state.takes_input());
    assert_eq!(receive(&mut state, "OK PART #ops"), [note("you left #ops")]);
    assert_eq!(state.current_elsewhere(), Some(&room("#dev")));
    assert_eq!(state.handle_input("/part"), [send("PART #dev")]);
    assert_eq!(receive(&mut state, "OK PART #dev"), [note("you left #dev; you are in #lobby")]);
    // Its home, too; and it comes back.
    assert_eq!(state.handle_input("/part"), [send("PART #lobby")]);
    assert_eq!(receive(&mut state, "OK PART #lobby"), [note("you left #lobby; you are in no room")]);
    assert_eq!(state.handle_input("/home"), [send("JOIN #lobby")]);
    let expected = [note("you are in #lobby"), send("WHO")];
    assert_eq!(receive(&mut state, "OK JOIN #lobby epoch=e last=0"), expected);
}

#[test]
fn message_is_acknowledged_in_its_room() {
    let mut state = alice_in(&["#ops"]);
    state.handle_input("one");
    state.handle_input("/#lobby one");
    assert_eq!(shown_with_room(&mut state, "MSG alice one"), "[#lobby] MSG alice one");
    assert_eq!(state.sending().collect::<Vec<_>>(), ["one"]);
    assert_eq!(state.handle_disconnect(), [warn("Server disconnected.")]);
    let connected = ["you are alice; /help lists the commands"].map(note);
    let sent = ["SET echo on", "WHO", "#ops WHO"].map(send);
    assert_eq!(state.handle_connect(Ok(name("alice"))), [&connected[..], &sent].concat());
    assert_eq!(shown_with_room(&mut state, "MSG alice one"), "[#lobby] MSG alice one", "by another client");
    assert_eq!(state.handle_replay_end(&RoomName::lobby(), Some(&name("alice")), true), []);
    assert_eq!(state.handle_replay_end(&room("#ops"), Some(&name("alice")), true), [warn("not sent: one")]);
}

#[test]
fn room_that_cannot_be_entered_again_is_left() {
    let mut state = alice_in(&["#ops"]);
    state.handle_input("one");
    state.handle_disconnect();
    state.handle_connect(Ok(name("alice")));
    let problems = ["perhaps not sent: one", "you are no longer in #ops: the server is full"].map(warn);
    let expected = [&problems[..], &[note("you are in #lobby")]].concat();
    assert_eq!(state.handle_room_lost(&room("#ops"), "the server is full"), expected);
    assert_eq!(state.current_elsewhere(), None);
}

#[test]
fn join_without_a_reply_is_sent_again() {
    let mut state = alice_in(&[]);
    state.handle_input("/join #ops");
    assert_eq!(state.handle_disconnect(), [warn("Server disconnected.")]);
    state.handle_connect(Ok(name("alice")));
    state.handle_replay_end(&RoomName::lobby(), Some(&name("alice")), true);
    state.handle_ready();
    // The request of the member list and SET echo have their replies.
    for line in ["USER alice coordinator", "OK WHO 1", "OK SET echo on"] {
        receive(&mut state, line);
    }
    assert_eq!(state.handle_waiting(), Some(vec![send("JOIN #ops")]));
}

#[test]
fn lines_typed_after_a_refused_join_are_not_sent() {
    let mut state = alice_in(&[]);
    assert_eq!(state.queue("/join #0ps"), None);
    assert_eq!(state.queue("a secret for #0ps"), None);
    assert_eq!(state.handle_waiting(), Some(vec![send("JOIN #0ps")]));
    assert_eq!(state.handle_waiting(), None);
    let refused = receive(&mut state, "ERR JOIN room-alike #0ps looks too much like #ops, which exists");
    assert_eq!(refused.last(), Some(&warn("not sent: a secret for #0ps")));
    assert_eq!(state.handle_waiting(), None);
    assert!(state.takes_input());
}

#[test]
fn lines_typed_for_a_lost_room_are_not_sent() {
    let mut state = alice_in(&["#ops"]);
    state.handle_disconnect();
    state.handle_connect(Ok(name("alice")));
    assert_eq!(state.queue("for #ops"), None);
    let lost = state.handle_room_lost(&room("#ops"), "the server is full");
    assert!(lost.contains(&warn("not sent: for #ops")), "{lost:?}");
    state.handle_ready();
    assert_eq!(state.handle_waiting(), None);
}

#[test]
fn replies_about_rooms_are_shown() {
    let mut state = alice_in(&["#ops"]);
    let mut check = |typed: &str, answer: &[&str], expected: &[&str]| {
        state.handle_input(typed);
        let shown: Vec<_> = answer.iter().flat_map(|line| receive(&mut state, line)).collect();
        assert_eq!(shown, expected.iter().map(|text| note(*text)).collect::<Vec<_>>(), "{typed:?}");
    };
    check(
        "/rooms",
        &["ROOM #dev members=1 out", "ROOM #ops members=12 in on call: eve", "OK ROOMS 2"],
        &["#dev, 1 member", "#ops, 12 members, you are in it: on call: eve"],
    );
    check("/rooms #x", &["OK ROOMS 0"], &["no rooms found"]);
    let more = "there are more rooms; /rooms #prefix lists the ones with this prefix";
    check("/rooms #d", &["ROOM #dev members=1 out", "OK ROOMS 1 next=#dev"], &["#dev, 1 member", more]);
    check("/topic", &["#ops OK TOPIC"], &["no topic"]);
    check("/topic", &["#ops OK TOPIC be kind"], &["topic: be kind"]);
    check("/who", &["#ops USER eve member", "#ops OK WHO 1"], &["eve member", "1 member"]);
    assert_eq!(state.room_names().collect::<Vec<_>>(), ["#dev", "#lobby", "#ops"]);
    assert_eq!(state.handle_input("/topic be kind"), [send("#ops TOPIC be kind")]);
    assert_eq!(shown_with_room(&mut state, "#ops TOPIC alice be kind"), "TOPIC alice be kind");
    assert_eq!(receive(&mut state, "#ops OK TOPIC be kind"), [], "the event shows it");
}

#[test]
fn delete_without_an_id_means_the_last_own_message() {
    let mut state = alice();
    let none = warn("your last line here was not sent as a message; type: /delete id (/history shows the ids)");
    assert_eq!(state.handle_input("/delete"), std::slice::from_ref(&none));
    receive(&mut state, "@7 2026-11-20T12:44:29.138Z MSG bob hi");
    state.handle_input("psst");
    // Regression: it deleted the message before.
    let early = warn("the server has not confirmed your last message yet: try again");
    assert_eq!(state.handle_input("/delete"), [early]);
    receive(&mut state, "@8 2026-11-20T12:44:29.138Z MSG alice psst");
    receive(&mut state, "OK MSG 8");
    receive(&mut state, "@9 2026-11-20T12:44:29.138Z MSG bob what?");
    assert_eq!(state.handle_input("/Delete "), [send("DELETE 8")]);
    let deleted = |id, author| ChatAction::Show(DisplayItem::Deleted(None, Some(name("alice")), MessageId(id), author));
    assert_eq!(receive(&mut state, "DELETE alice 8"), [deleted(8, Some(name("alice")))]);
    assert_eq!(receive(&mut state, "OK DELETE 8"), [], "the event shows it");
    assert_eq!(receive(&mut state, "DELETE alice 7"), [deleted(7, Some(name("bob")))]);
    assert_eq!(receive(&mut state, "DELETE alice 3"), [deleted(3, None)]);
    assert_eq!(state.handle_input("/delete 9"), [send("DELETE 9")]);
    assert_eq!(
        receive(&mut state, "OK DELETE 9 stored=no"),
        [note("the message is deleted, but not on the server's disk yet")]
    );
    state.handle_input("too loud");
    receive(&mut state, "ERR MSG muted the message was not delivered: you are muted");
    assert_eq!(state.handle_input("/delete"), [none], "the last message was refused");
}

/// The ids are for `/delete`. They are not shown where the user has not asked for messages.
#[test]
fn messages_that_the_user_asks_for_have_ids() {
    let mut state = alice();
    let past = |text: Option<&str>, shows_id| {
        let (at, text) =
            (Timestamp::parse("2026-11-20T12:44:29.138Z").unwrap(), text.map(|text| Text::new(text).unwrap()));
        let past = PastMessage { id: MessageId(7), at, name: name("bob"), text };
        ChatAction::Show(DisplayItem::PastMessage(past, shows_id))
    };
    assert_eq!(receive(&mut state, "PAST 7 2026-11-20T12:44:29.138Z bob hi"), [past(Some("hi"), false)]);
    state.handle_input("/history 1");
    assert_eq!(receive(&mut state, "PAST 7 2026-11-20T12:44:29.138Z bob"), [past(None, true)]);
}
