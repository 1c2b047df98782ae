//! Drives the state of a chat with typed lines and lines from a server.

use super::*;

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn send(line: &str) -> ChatAction {
    ChatAction::Send(line.to_owned())
}

/// The state of alice, who is in the room with bob and has received the member list.
fn alice() -> ChatState {
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

fn receive(state: &mut ChatState, line: &str) -> Vec<ChatAction> {
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
    check("/help", &help().map(note).collect::<Vec<_>>());
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
    assert_eq!(state.members.len(), MEMBERS_NOTED_MAX);
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
    assert_eq!(state.handle_input("/help"), help().map(note).collect::<Vec<_>>());
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
        assert_eq!(state.handle_replay_end(&name("alice"), is_complete), expected);
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
    state.handle_replay_end(&name("alice"), true);
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
