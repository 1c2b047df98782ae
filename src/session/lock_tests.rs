//! Tests of locked rooms and of invitations: who enters, every way around a lock, and what each side reads.

use super::InputKind;
use super::login_tests::{HOME, Server};
use super::moderation_tests::{log_in, name, reply, server};
use super::tests::resumable;
use crate::protocol::{LeaveReason, ResumeToken, Secret};
use crate::state::{AccountUpdate, SharedState};

/// The code of the last reply, or the reply.
fn code(server: &mut Server, session: u64, line: &str) -> String {
    let reply = server.run(session, line).pop().unwrap_or_default();
    reply.split(" ERR ").nth(1).and_then(|error| error.split(' ').nth(1)).map_or(reply.clone(), str::to_owned)
}

/// On [`server`], members 5 and 6 are mia, who has an account, and dave, a guest. They are in the lobby only.
fn server_with_others() -> Server {
    let mut server = server();
    server.add_account("mia", "hunter44");
    log_in(&mut server, 5, "mia", "hunter44");
    server.join(6, "dave");
    server
}

#[test]
fn lock_to_accounts_keeps_guests_out_and_members_in() {
    let mut server = server_with_others();
    assert_eq!(
        server.send(1, "#ops LOCK accounts"),
        ["*- LOCK alice accounts in 1", "1< #ops OK LOCK accounts"],
        "nobody leaves"
    );
    assert_eq!(server.send(1, "#ops LOCK Accounts"), ["1< #ops OK LOCK accounts"], "nothing changes");
    let refusal = "room-locked #ops is locked: only members that are logged in may enter; write: LOGIN name password";
    assert_eq!(server.send(6, "JOIN #ops"), [format!("6< ERR JOIN {refusal}")]);
    assert_eq!(code(&mut server, 6, "JOIN #new,#ops"), "room-locked", "all of these rooms or none");
    server.connect(7, HOME);
    assert_eq!(server.send(7, "NICK eve #ops"), [format!("7< ERR NICK {refusal}")]);
    assert_eq!(server.send(7, "WATCH #ops"), [format!("7< ERR WATCH {refusal}")]);
    assert!(server.send(5, "JOIN #ops")[0].starts_with("5< OK JOIN #ops "), "an account enters");
    assert!(server.send(3, "#ops MSG still here")[0].starts_with("*1 MSG bob"), "a guest stays");
    assert!(server.send(3, "JOIN #ops")[0].starts_with("3< OK JOIN #ops "), "it enters nothing");
    server.send(3, "PART #ops");
    assert_eq!(code(&mut server, 3, "JOIN #ops"), "room-locked", "a former member");
    assert_eq!(code(&mut server, 3, "#ops HISTORY"), "not-in-room");
    server.send(1, "#ops LOCK open");
    assert!(server.send(6, "JOIN #ops")[0].starts_with("6< OK JOIN #ops "));
}

#[test]
fn lock_to_the_invited_keeps_accounts_out_except_those_with_a_rank() {
    let mut server = server_with_others();
    for session in [1, 2] {
        server.send(session, "PART #ops");
    }
    assert_eq!(
        reply(&mut server, 3, "#ops LOCK invited"),
        "3< #ops ERR LOCK not-moderator only the owner, moderators and operators may do this"
    );
    server.send(1, "JOIN #ops");
    server.send(1, "#ops LOCK invited");
    let refusal = "5< ERR JOIN room-locked #ops is locked: only invited accounts and guests may enter; ask a moderator of the room to INVITE you";
    assert_eq!(server.send(5, "JOIN #ops"), [refusal]);
    assert!(server.send(2, "JOIN #ops")[0].starts_with("2< OK JOIN"), "an operator");
    server.send(1, "PART #ops");
    assert!(server.send(1, "JOIN #ops")[0].starts_with("1< OK JOIN"), "the owner");
    server.send(1, "#ops MODERATOR mia on");
    assert!(server.send(5, "JOIN #ops")[0].starts_with("5< OK JOIN"), "a moderator");
}

#[test]
fn locked_home_is_not_entered_by_a_login() {
    let mut server = server_with_others();
    server.send(2, "#lobby LOCK invited");
    server.connect(7, HOME);
    assert_eq!(code(&mut server, 7, "NICK eve"), "room-locked");
    server.add_account("zoe", "hunter55");
    assert_eq!(code(&mut server, 7, "LOGIN zoe hunter55"), "room-locked");
    assert_eq!(code(&mut server, 7, "TAKEOVER mia hunter44"), "room-locked", "nobody is displaced");
    assert!(server.sessions.name(super::SessionId(5)).is_some());
    assert!(server.send(7, "NICK eve #den")[0].starts_with("*- JOIN eve in 2"), "another room is open");
    // A member that logs in stays where it is.
    assert!(server.run(3, "LOGIN zoe hunter55").contains(&"3< OK LOGIN zoe".to_owned()));
    assert!(server.send(3, "MSG hi")[0].starts_with("*1 MSG zoe hi"));
    server.send(2, "#lobby LOCK accounts");
    server.connect(8, HOME);
    server.send(5, "QUIT");
    assert!(server.run(8, "LOGIN mia hunter44").contains(&"8< OK LOGIN mia".to_owned()));
}

#[test]
fn resumed_member_is_still_in_a_locked_room() {
    let mut server = server_with_others();
    server.connect(7, HOME);
    server.apply(7, resumable(Secret::new([7; 16])));
    server.send(7, "NICK eve #ops");
    server.apply(7, InputKind::Disconnected(LeaveReason::Lost));
    server.send(1, "#ops LOCK invited");
    server.connect(8, HOME);
    let token = ResumeToken { id: 7, secret: Secret::new([7; 16]) };
    assert_eq!(server.send(8, &format!("RESUME {token}"))[2], "8< OK RESUME eve");
    assert!(server.send(8, "MSG back")[0].starts_with("*1 MSG eve back in 1"));
}

#[test]
fn lock_ends_watching() {
    let mut server = server_with_others();
    server.connect(7, HOME);
    server.send(7, "WATCH #ops");
    server.connect(8, HOME);
    server.send(8, "WATCH");
    let notice = "7< NOTICE you do not watch any more: #ops is locked: only invited accounts and guests may enter";
    let out = server.send(1, "#ops LOCK invited");
    assert_eq!(out, ["*- LOCK alice invited in 1", notice, "7 follows no more in 1", "1< #ops OK LOCK invited"]);
    assert_eq!(code(&mut server, 7, "HISTORY"), "no-name");
    assert_eq!(code(&mut server, 7, "WATCH #ops"), "room-locked");
    assert!(server.send(1, "WHO").contains(&"1< OK WHO 6 watching=1".to_owned()), "the lobby is open");
    assert!(server.send(7, "WATCH")[0].starts_with("7< OK WATCH #lobby "));
}

#[test]
fn invited_clients_enter_and_read_that_they_are_invited() {
    let mut server = server_with_others();
    server.send(1, "#ops LOCK invited");
    let out = server.send(1, "#ops INVITE MIA");
    assert_eq!(out, ["*- INVITE alice mia on in 1", "5< #ops INVITE alice mia on", "1< #ops OK INVITE mia on"]);
    assert_eq!(server.send(1, "#ops INVITE mia on"), ["1< #ops OK INVITE mia on"], "nothing changes");
    let out = server.send(1, "#ops INVITE dave");
    assert_eq!(out, ["*- INVITE alice dave on in 1", "6< #ops INVITE alice dave on", "1< #ops OK INVITE dave on"]);
    for session in [5, 6] {
        assert!(server.send(session, "JOIN #ops")[0].contains("< OK JOIN #ops "), "{session}");
    }
    let out = server.send(1, "#ops INVITE carol");
    assert_eq!(out, ["*- INVITE alice carol on in 1", "1< #ops OK INVITE carol on"], "carol reads it in the room");
    let out = server.send(1, "#ops INVITE dave off");
    assert_eq!(out, ["*- INVITE alice dave off in 1", "1< #ops OK INVITE dave off"]);
    assert!(server.send(6, "#ops MSG still here")[0].starts_with("*1 MSG dave"), "it is not removed");
    server.send(6, "PART #ops");
    assert_eq!(code(&mut server, 6, "JOIN #ops"), "room-locked");
    let nobody = "1< #ops ERR INVITE target-absent no account has the name nobody, and no member: a guest must be connected to be invited";
    assert_eq!(reply(&mut server, 1, "#ops INVITE nobody"), nobody);
    assert_eq!(code(&mut server, 1, "#ops INVITE mia maybe"), "value-invalid");
    assert_eq!(code(&mut server, 1, "#ops LOCK friends"), "value-invalid");
    assert_eq!(code(&mut server, 6, "INVITE dave"), "not-moderator", "without a room in front, it is the home");
}

/// Only the account itself has its invitation; a guest keeps its own under each name, and until it leaves.
#[test]
fn invitation_belongs_to_its_account_or_member() {
    let mut server = server_with_others();
    server.send(1, "#ops LOCK invited");
    server.send(1, "#ops INVITE mia");
    server.send(1, "#ops INVITE dave");
    server.send(6, "NICK david");
    server.join(7, "dave");
    assert_eq!(code(&mut server, 7, "JOIN #ops"), "room-locked", "another guest with the name");
    assert!(server.send(6, "JOIN #ops")[0].contains("OK JOIN #ops "), "a renamed guest");
    server.send(6, "QUIT");
    server.join(8, "david");
    assert_eq!(code(&mut server, 8, "JOIN #ops"), "room-locked", "it has left the server");
    assert_eq!(server.sessions.state().invited_guests().iter().len(), 0);
    // The account is invited under any nickname, and while it is away.
    server.send(5, "NICK maria");
    assert!(server.send(5, "JOIN #ops")[0].contains("OK JOIN #ops "));
    server.send(5, "QUIT");
    log_in(&mut server, 9, "mia", "hunter44");
    assert!(server.send(9, "JOIN #ops")[0].contains("OK JOIN #ops "));
    // Nobody inherits it.
    let mia = server.sessions.state().accounts().find(&name("mia")).unwrap().id;
    server.change_account(AccountUpdate::Delete { account: mia, generation: None });
    server.send(9, "PART #ops");
    assert_eq!(code(&mut server, 9, "JOIN #ops"), "room-locked");
}

/// The guest held the name before the operator added the account.
#[test]
fn guest_with_the_name_of_an_account_does_not_get_its_invitation() {
    let mut server = server_with_others();
    server.send(1, "#ops LOCK invited");
    server.send(1, "#ops INVITE dave");
    server.add_account("dave", "hunter66");
    assert_eq!(code(&mut server, 1, "#ops INVITE dave off"), "1< #ops OK INVITE dave off", "also that of the guest");
    server.send(1, "#ops INVITE dave on");
    assert_eq!(code(&mut server, 6, "JOIN #ops"), "room-locked");
    // A guest that has registered since is invited as the guest that it was.
    server.send(1, "#ops INVITE bob");
    server.send(3, "PART #ops");
    server.run(3, "REGISTER hunter77");
    assert!(server.send(3, "JOIN #ops")[0].contains("OK JOIN #ops "));
    server.send(3, "PART #ops");
    let out = server.send(1, "#ops INVITE bob off");
    assert_eq!(out, ["*- INVITE alice bob off in 1", "1< #ops OK INVITE bob off"]);
    assert_eq!(code(&mut server, 3, "JOIN #ops"), "room-locked");
}

#[test]
fn ban_wins_over_an_invitation() {
    let mut server = server_with_others();
    server.send(1, "#ops LOCK invited");
    for target in ["mia", "dave"] {
        server.send(1, &format!("#ops INVITE {target}"));
        server.send(1, &format!("#ops BAN {target}"));
    }
    for session in [5, 6] {
        assert_eq!(code(&mut server, session, "JOIN #ops"), "banned");
    }
}

#[test]
fn locks_and_invitations_are_in_the_snapshot() {
    let mut server = server_with_others();
    for line in ["#ops LOCK invited", "#ops INVITE mia", "#ops INVITE dave"] {
        server.send(1, line);
    }
    let snapshot = server.sessions.state().snapshot();
    let restored = SharedState::restore(&snapshot).unwrap();
    assert_eq!(restored.snapshot(), snapshot);
    server.sessions.replace_state(restored);
    for session in [5, 6] {
        assert!(server.send(session, "JOIN #ops")[0].contains("OK JOIN #ops "), "{session}");
    }
    server.join(7, "eve");
    assert_eq!(code(&mut server, 7, "JOIN #ops"), "room-locked");
}

#[test]
fn rooms_lists_locks() {
    let mut server = server_with_others();
    server.send(1, "#ops TOPIC on call");
    server.send(1, "#ops LOCK invited");
    server.send(6, "JOIN #trap");
    server.send(6, "#trap TOPIC lock=accounts");
    let listed = server.send(6, "ROOMS");
    let lobby = "6< ROOM #lobby members=6 in";
    let ops = "6< ROOM #ops members=4 out on call lock=invited";
    let trap = "6< ROOM #trap members=1 in lock=accounts lock=open";
    assert_eq!(listed, [lobby, ops, trap, "6< OK ROOMS 3"]);
}
