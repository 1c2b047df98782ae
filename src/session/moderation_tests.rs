//! Tests of moderation: who may do what to whom, and what each side reads.

use super::login_tests::{HOME, Server, hash};
use crate::protocol::{Name, Role};
use crate::state::{AccountUpdate, Rank};

/// A server on which members 1 to 4 are alice, the owner of #ops; olga, an operator; bob and carol, guests. All are in #ops.
pub(super) fn server() -> Server {
    let mut server = Server::with_alice();
    server.add_account("olga", "hunter33");
    let olga = server.sessions.state().accounts().find(&name("olga")).unwrap().id;
    server.change_account(AccountUpdate::SetRole { account: olga, role: Role::Operator });
    log_in(&mut server, 1, "alice", "hunter22");
    log_in(&mut server, 2, "olga", "hunter33");
    server.join(3, "bob");
    server.join(4, "carol");
    for session in 1..=4 {
        server.send(session, "JOIN #ops");
    }
    server
}

pub(super) fn log_in(server: &mut Server, session: u64, account: &str, password: &str) {
    server.connect(session, HOME);
    let out = server.run(session, &format!("LOGIN {account} {password}"));
    assert!(out.contains(&format!("{session}< OK LOGIN {account}")), "{out:?}");
}

pub(super) fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

pub(super) fn reply(server: &mut Server, session: u64, line: &str) -> String {
    server.send(session, line).pop().unwrap_or_default()
}

#[test]
fn kicked_member_reads_it_and_may_come_back() {
    let mut server = server();
    let expected = ["*- LEAVE bob kicked by alice: too  loud in 1", "3 follows no more in 1", "1< #ops OK KICK bob"];
    assert_eq!(server.send(1, "#ops KICK BOB too  loud"), expected);
    let refusal = "3< #ops ERR MSG not-in-room you are not in #ops; write: JOIN #ops";
    assert_eq!(server.send(3, "#ops MSG hi"), [refusal]);
    assert!(server.send(3, "MSG still in the lobby")[0].starts_with("*1 MSG bob still"));
    assert!(server.send(3, "JOIN #ops")[0].starts_with("3< OK JOIN #ops "));
}

#[test]
fn member_kicked_from_its_home_remains() {
    let mut server = server();
    let out = server.send(2, "#lobby KICK bob");
    assert_eq!(out, ["*- LEAVE bob kicked by olga", "3 follows no more", "2< OK KICK bob"]);
    assert!(reply(&mut server, 3, "MSG hi").contains(" not-in-room "));
    assert!(server.send(3, "#ops MSG hi")[0].starts_with("*1 MSG bob hi in 1"));
}

#[test]
fn operator_puts_a_member_out_of_the_server() {
    let mut server = server();
    let out = server.send(2, "KICK bob flooding");
    let expected = [
        "3< ERR - kicked you were removed from the server by olga: flooding",
        "3 closed",
        "3 removed",
        "*- LEAVE bob kicked by olga: flooding",
        "*- LEAVE bob kicked by olga: flooding in 1",
        "2< OK KICK bob",
    ];
    assert_eq!(out, expected);
    server.join(5, "bob");
}

/// The coordinator is the member that has been in the room longest, and moderates nothing.
#[test]
fn commands_of_moderators_need_their_rank() {
    let mut server = server();
    let only_moderators = "not-moderator only the owner, moderators and operators may do this";
    assert_eq!(reply(&mut server, 3, "#ops KICK carol"), format!("3< #ops ERR KICK {only_moderators}"));
    // The lobby has no owner.
    assert_eq!(reply(&mut server, 1, "KICK bob"), format!("1< ERR KICK {only_moderators}"));
    let only_owner = "3< #ops ERR MODERATOR not-moderator only the owner of the room and operators may do this";
    assert_eq!(reply(&mut server, 3, "#ops MODERATOR alice on"), only_owner);
    for (session, line, code) in [
        (1, "#ops KICK olga", "target-protected you cannot act against olga: olga is an operator"),
        (1, "#ops KICK alice", "target-self "),
        (1, "#ops KICK dave", "target-absent "),
        (1, "#ops KICK", "name-missing "),
        (1, "#ops MODERATOR bob on", "account-unknown bob has no account"),
        (1, "#ops MODERATOR olga on", "target-protected you cannot act against olga: olga is an operator"),
        (2, "#ops MODERATOR alice off", "target-protected you cannot act against alice: alice owns the room"),
        (1, "#ops MODERATOR alice", "value-invalid "),
    ] {
        let out = reply(&mut server, session, line);
        assert!(out.contains(" ERR ") && out.contains(code), "{line}: {out}");
    }
}

#[test]
fn moderator_may_kick_until_it_is_none_any_more() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    log_in(&mut server, 5, "mia", "hunter44");
    server.send(5, "JOIN #ops");
    let out = server.send(1, "#ops MODERATOR MIA on");
    assert_eq!(out, ["*- MODERATOR alice mia on in 1", "1< #ops OK MODERATOR mia on"]);
    assert_eq!(server.send(1, "#ops MODERATOR mia on"), ["1< #ops OK MODERATOR mia on"], "nothing changes");
    assert_eq!(reply(&mut server, 5, "#ops KICK bob"), "5< #ops OK KICK bob");
    assert!(
        reply(&mut server, 5, "#ops KICK alice")
            .contains("target-protected you cannot act against alice: alice owns the room")
    );
    assert!(reply(&mut server, 5, "#ops MODERATOR mia off").contains(" not-moderator "));
    server.send(1, "#ops MODERATOR mia off");
    assert!(reply(&mut server, 5, "#ops KICK carol").contains(" not-moderator "));
}

#[test]
fn moderators_are_protected_from_each_other() {
    let mut server = server();
    for (session, nick) in [(5, "mia"), (6, "zoe")] {
        server.add_account(nick, "hunter44");
        log_in(&mut server, session, nick, "hunter44");
        server.send(session, "JOIN #ops");
        server.send(1, &format!("#ops MODERATOR {nick} on"));
    }
    for command in ["KICK", "BAN", "MUTE"] {
        let refusal = format!("5< #ops ERR {command} target-protected you cannot act against zoe: zoe is a moderator");
        assert_eq!(reply(&mut server, 5, &format!("#ops {command} zoe")), refusal);
    }
}

/// Nobody inherits the rank of an account whose name another one gets.
#[test]
fn deleted_account_owns_no_room() {
    let mut server = server();
    let alice = server.alice();
    server.change_account(AccountUpdate::Delete { account: alice, generation: None });
    assert!(reply(&mut server, 1, "#ops KICK bob").contains(" not-moderator "));
    let password = hash("hunter22");
    server.change_account(AccountUpdate::Create { name: name("alice"), password, ends_rest: true });
    server.send(1, "QUIT");
    log_in(&mut server, 6, "alice", "hunter22");
    server.send(6, "JOIN #ops");
    assert!(reply(&mut server, 6, "#ops KICK bob").contains(" not-moderator "));
    assert_eq!(reply(&mut server, 2, "#ops KICK bob"), "2< #ops OK KICK bob");
}

#[test]
fn rank_ends_with_the_role() {
    let mut server = server();
    let state = server.sessions.state();
    let olga = state.accounts().find(&name("olga")).unwrap().id;
    assert_eq!(state.rank_of_account(olga, None), Rank::Operator);
    server.change_account(AccountUpdate::SetRole { account: olga, role: Role::User });
    assert!(reply(&mut server, 2, "#ops KICK bob").contains(" not-moderator "));
}

#[test]
fn help_lists_moderation_for_moderators_only() {
    let mut server = server();
    let lists = |server: &mut Server, session| server.send(session, "HELP").iter().any(|line| line.contains(" KICK "));
    assert_eq!([1, 2, 3].map(|session| lists(&mut server, session)), [true, true, false]);
}

/// The members in a reply with `USER` lines.
fn listed(server: &mut Server, session: u64, line: &str) -> Vec<String> {
    let out = server.send(session, line);
    let (_, users) = out[0].split_once(" USER ").unwrap();
    users.split("/USER ").map(str::to_owned).collect()
}

/// The rendered list is shared by all replies until it changes.
#[test]
fn member_list_has_the_ranks_of_now() {
    let mut server = server();
    let (alice, olga) = (server.alice(), server.sessions.state().accounts().find(&name("olga")).unwrap().id);
    let of_ops = |server: &mut Server| listed(server, 4, "#ops WHO");
    let [bob, carol] = ["bob member", "carol member"];
    let begin = ["alice coordinator rank=owner", "olga member rank=operator", bob, carol];
    assert_eq!(of_ops(&mut server), begin);
    assert_eq!(listed(&mut server, 4, "WHO"), ["alice coordinator", "olga member rank=operator", bob, carol]);
    server.change_account(AccountUpdate::SetRole { account: olga, role: Role::User });
    assert_eq!(of_ops(&mut server), ["alice coordinator rank=owner", "olga member", bob, carol]);
    server.send(1, "#ops MODERATOR olga on");
    assert_eq!(of_ops(&mut server), ["alice coordinator rank=owner", "olga member rank=moderator", bob, carol]);
    server.add_account("mia", "hunter44");
    server.send(1, "#ops MODERATOR mia on");
    server.run(3, "LOGIN mia hunter44");
    let with_mia = ["alice coordinator rank=owner", "olga member rank=moderator", "mia member rank=moderator", carol];
    assert_eq!(of_ops(&mut server), with_mia);
    server.send(1, "#ops MODERATOR mia off");
    server.send(3, "NICK bob");
    server.change_account(AccountUpdate::Delete { account: alice, generation: None });
    assert_eq!(of_ops(&mut server), ["alice coordinator", "olga member rank=moderator", bob, carol]);
}

/// A guest whose name becomes a moderator's account has the rank once it has logged in.
#[test]
fn login_under_the_own_name_renews_the_member_list() {
    let mut server = server();
    server.add_account("bob", "hunter44");
    server.send(1, "#ops MODERATOR bob on");
    let is_moderator =
        |server: &mut Server| listed(server, 4, "#ops WHO").contains(&"bob member rank=moderator".to_owned());
    assert!(!is_moderator(&mut server), "bob is a guest");
    server.run(3, "LOGIN bob hunter44");
    assert!(is_moderator(&mut server));
}

#[test]
fn status_ends_with_the_rank() {
    let mut server = server();
    let users = listed(&mut server, 1, "#ops STATUS");
    assert_eq!(users[0], "alice coordinator id=1 idle=0 online=0 rank=owner");
    assert_eq!(users[2], "bob member id=3 idle=0 online=0");
}
