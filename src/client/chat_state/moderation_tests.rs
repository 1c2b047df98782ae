//! Drives the state of a chat as a moderator, and as a member that is moderated.

use super::tests::{alice, name, receive, send};
use super::*;
use crate::command::Login;
use crate::protocol::Credential;

fn lobby() -> RoomName {
    RoomName::lobby()
}

/// The state of alice, who has logged in and has this rank in the lobby, where bob is.
fn ranked(rank: &str) -> ChatState {
    let mut state = alice();
    let credential = Credential::new("correct horse").unwrap();
    state.set_account(Some(Login { name: name("alice"), credential }));
    state.handle_input("/who");
    for line in [&format!("USER alice coordinator{rank}"), "USER bob member", "OK WHO 2"] {
        receive(&mut state, line);
    }
    state
}

#[test]
fn rank_follows_member_lists_and_events() {
    let mut state = ranked(" rank=owner");
    assert_eq!(state.rank_for("/k"), Rank::Owner);
    assert_eq!(state.rank_for("/#ops /k"), Rank::Member, "alice is not in #ops");
    receive(&mut state, "MODERATOR - alice off");
    assert_eq!(state.rank_for(""), Rank::Owner, "an owner is no moderator");
    let mut state = ranked("");
    assert_eq!(state.rank_for(""), Rank::Member);
    receive(&mut state, "MODERATOR olga alice on");
    assert_eq!(state.rank_for(""), Rank::Moderator);
    receive(&mut state, "MODERATOR olga bob off");
    assert_eq!(state.rank_for(""), Rank::Moderator);
    receive(&mut state, "MODERATOR olga alice off");
    assert_eq!(state.rank_for(""), Rank::Member);
    receive(&mut state, "ROSTER 1");
    receive(&mut state, "USER alice coordinator rank=operator");
    assert_eq!(state.rank_for(""), Rank::Operator);
}

#[test]
fn help_lists_commands_of_the_own_rank() {
    let has = |state: &mut ChatState, usage: &str| {
        let is_listed = |action: &ChatAction| matches!(action, ChatAction::Show(DisplayItem::Note(text)) if text.starts_with(usage));
        state.handle_input("/help").iter().any(is_listed)
    };
    for (rank, expected) in [("", [false, false]), (" rank=moderator", [true, false]), (" rank=owner", [true, true])] {
        let mut state = ranked(rank);
        assert_eq!([has(&mut state, "/kick"), has(&mut state, "/moderator")], expected, "{rank}");
    }
}

#[test]
fn events_about_the_user_address_it() {
    let mut state = ranked("");
    for (line, expected) in [
        ("MUTE ann alice until=never too loud", true),
        ("MUTE ann bob until=never", false),
        ("UNMUTE ann alice", true),
        ("MODERATOR ann alice on", true),
        ("MODERATOR ann bob on", false),
        ("BAN ann @bob until=never", false),
    ] {
        let for_user = match receive(&mut state, line).as_slice() {
            [ChatAction::Show(DisplayItem::Event(_, _, for_user))] => *for_user,
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(for_user, expected, "{line:?}");
    }
}

/// An operator that names the home means the room, not the server.
#[test]
fn named_home_stays_in_the_line() {
    let mut state = ranked(" rank=operator");
    assert_eq!(state.handle_input("/kick bob"), [send("KICK bob")]);
    assert_eq!(state.handle_input("/#lobby /kick bob"), [send("#lobby KICK bob")]);
    assert_eq!(state.handle_input("/#LOBBY /ban bob 1h spam"), [send("#lobby BAN bob 3600s spam")]);
    assert_eq!(state.handle_input("/#lobby /who"), [send("WHO")]);
}

#[test]
fn replies_say_what_has_happened() {
    let mut state = ranked(" rank=operator");
    let mut check = |typed: &str, reply: &str, expected: &str| {
        state.handle_input(typed);
        assert_eq!(receive(&mut state, reply), [note(expected)], "{typed:?}");
    };
    check("/kick bob", "OK KICK bob", "bob is removed from the server");
    check("/#lobby /kick bob", "OK KICK bob", "bob is removed");
    check("/mute bob 10m", "OK MUTE 3 bob", "bob is muted on the server; to end that, type: /unmute 3");
    check("/ban @bob", "OK BAN 4 @bob", "the connection of bob is banned from the server; to end that, type: /unban 4");
    check("/#lobby /ban bob", "OK BAN 5 bob", "bob is banned; to end that, type: /unban 5");
    check("/unban 4", "OK UNBAN 4 @bob", "the connection of bob is not banned any more");
    check(
        "/unmute bob",
        "OK UNMUTE 3 bob stored=no",
        "bob may speak again (the server could not store this: a restart would undo it)",
    );
    check("/moderator bob on", "OK MODERATOR bob on", "bob is a moderator");
    check("/moderator bob off", "OK MODERATOR bob off", "bob is not a moderator");
    check("/bans", "OK BANS 0", "nobody is banned or muted on the server");
    check("/#lobby /bans", "OK BANS 1", "1 ban or mute");
    check("/bans", "OK BANS 100 next=107", "100 bans and mutes on the server; there are more: /bans after=107");
}

#[test]
fn refusals_say_what_to_do_next() {
    let mut state = ranked(" rank=moderator");
    let mut check = |typed: &str, reply: &str, expected: &str| {
        state.handle_input(typed);
        assert_eq!(receive(&mut state, reply), [warn(expected)], "{typed:?}");
    };
    check("/kick eve", "ERR KICK target-absent eve is not here; WHO lists names", "eve is not here; /who lists names");
    check(
        "/unban 9",
        "ERR UNBAN ban-unknown there is no such ban; BANS lists them",
        "there is no such ban; /bans lists them",
    );
    let refusal = |line: &str| ranked("").refusal(line).unwrap_or_default();
    assert_eq!(refusal("/mute"), "the name is missing; type: /mute name [duration] [reason]");
    assert!(refusal("/mute bob 9x").ends_with("; type: /mute name [duration] [reason]"), "{}", refusal("/mute bob 9x"));
    assert!(refusal("/moderator bob").ends_with("; type: /moderator name on|off"), "{}", refusal("/moderator bob"));
    assert!(refusal("/bans all").ends_with("; type: /bans"), "{}", refusal("/bans all"));
}

#[test]
fn login_under_the_own_name_lists_the_members_again() {
    let mut state = alice();
    let credential = Credential::new("correct horse").unwrap();
    let command = Command::from(Login { name: name("alice"), credential });
    let room = lobby();
    state.send(SentLine { line: "/login".to_owned(), room, command, then: None, names_room: false, is_shown: false });
    let actions = receive(&mut state, "OK LOGIN alice");
    assert_eq!(actions, [note("you are logged in to the account alice"), send("WHO")]);
    receive(&mut state, "USER alice coordinator rank=operator");
    receive(&mut state, "OK WHO 1");
    assert_eq!(state.rank_for(""), Rank::Operator);
}
