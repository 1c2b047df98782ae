//! Tests of the audit log: which commands it has, and who reads it.

use super::login_tests::Server;
use super::moderation_tests::{log_in, name, reply, server};
use super::{InputKind, Output};
use crate::control::AuditLine;
use crate::limits::AUDIT_IN_MEMORY_MAX;
use crate::protocol::Role;
use crate::state::{AccountUpdate, Moderation};

/// The entries without their times and `stored=no`: this server has no store.
fn audit(server: &Server) -> Vec<String> {
    let records = server.sessions.sequencer().unstored_audit();
    let shown = |record| AuditLine { record, is_stored: true }.to_string().replace(" 1970-01-01T00:00:00.000Z ", " ");
    records.into_iter().map(shown).collect()
}

#[test]
fn each_command_of_moderation_has_an_entry() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    server.send(3, "#ops MSG psst");
    server.send(2, "MSG my own");
    for (session, line) in [
        (1, "#ops DELETE 1"),
        (2, "DELETE 1"),
        (1, "#ops KICK BOB too loud"),
        (2, "KICK bob"),
        (2, "MUTE carol 10m hush"),
        (2, "UNMUTE carol"),
        (1, "#OPS BAN mia"),
        (2, "BAN 192.0.2.0/24 1h = spam"),
        (2, "UNBAN 3"),
        (1, "#ops UNBAN mia"),
        (1, "#ops MODERATOR MIA on"),
        (1, "#ops MODERATOR mia off"),
    ] {
        assert!(reply(&mut server, session, line).contains(" OK "), "{line}");
    }
    let name = name("carol");
    server.apply(0, InputKind::Moderate(Moderation::Kick { room: None, name, reason: None }));
    let expected = [
        "1 alice delete #ops bob by_account=1:alice message=1",
        "2 alice kick #ops bob by_account=1:alice reason=too loud",
        "3 olga kick server bob by_account=2:olga",
        "4 olga mute server carol by_account=2:olga sanction=1 until=1970-01-01T00:10:00.000Z reason=hush",
        "5 olga unmute server carol by_account=2:olga sanction=1",
        "6 alice ban #ops mia by_account=1:alice account=3 sanction=2 until=never",
        "7 olga ban server 192.0.2.0/24 by_account=2:olga sanction=3 until=1970-01-01T01:00:00.000Z reason== spam",
        "8 olga unban server 192.0.2.0/24 by_account=2:olga sanction=3",
        "9 alice unban #ops mia by_account=1:alice account=3 sanction=2",
        "10 alice moderator-on #ops mia by_account=1:alice account=3",
        "11 alice moderator-off #ops mia by_account=1:alice account=3",
        "12 - kick server carol",
    ];
    assert_eq!(audit(&server), expected);
}

/// The log of the server has them neither.
#[test]
fn command_that_changes_nothing_has_no_entry() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    for (session, line) in [
        (3, "#ops KICK carol"),
        (3, "BAN carol"),
        (1, "#ops KICK olga"),
        (1, "#ops BAN dave 7x"),
        (1, "#ops BAN 192.0.2.1"),
        (1, "#ops UNBAN dave"),
        (1, "#ops MODERATOR bob on"),
        (1, "#ops MODERATOR mia off"),
        (1, "#ops BANS"),
    ] {
        let out = server.outputs(session, line);
        assert!(!out.iter().any(|output| matches!(output, Output::Log(_))), "{line}: {out:?}");
    }
    server.apply(0, InputKind::Moderate(Moderation::Kick { room: None, name: name("dave"), reason: None }));
    assert_eq!(audit(&server), Vec::<String>::new());
}

/// The account stays recognisable under another nickname, and after both names have changed hands.
#[test]
fn entry_has_the_account_of_that_time() {
    let mut server = server();
    server.send(2, "NICK boss");
    server.send(2, "MUTE bob");
    let olga = server.sessions.state().accounts().find(&name("olga")).unwrap().id;
    server.change_account(AccountUpdate::Delete { account: olga, generation: None });
    server.add_account("zoe", "hunter55");
    let zoe = server.sessions.state().accounts().find(&name("zoe")).unwrap().id;
    server.change_account(AccountUpdate::SetRole { account: zoe, role: Role::Operator });
    log_in(&mut server, 5, "zoe", "hunter55");
    server.send(5, "UNMUTE bob");
    let expected = [
        "1 boss mute server bob by_account=2:olga sanction=1 until=never",
        "2 zoe unmute server bob by_account=3:zoe sanction=1",
    ];
    assert_eq!(audit(&server), expected);
}

/// Only the control socket has the audit log: no client reads an address, or who has moderated elsewhere.
#[test]
fn address_in_an_entry_reaches_no_client() {
    let mut server = server();
    server.send(2, "SET echo on");
    let out = server.send(2, "#ops BAN 192.0.2.0/24 spam");
    assert!(audit(&server)[0].contains(" ban #ops 192.0.2.0/24 "), "{:?}", audit(&server));
    let (own, others): (Vec<_>, Vec<_>) = out.into_iter().partition(|line| line.starts_with("2<"));
    assert_eq!(own, ["2< #ops OK BAN 1 192.0.2.0/24"]);
    assert!(!others.iter().any(|line| line.contains("192.0.2.")), "{others:?}");
    let out = server.send(1, "#ops UNBAN 1");
    assert!(audit(&server)[1].contains(" unban #ops 192.0.2.0/24 "), "{:?}", audit(&server));
    assert!(!out.iter().any(|line| line.contains("192.0.2.")), "{out:?}");
    for line in ["AUDIT", "#ops AUDIT", "audit limit=1"] {
        assert!(reply(&mut server, 2, line).contains(" ERR "), "{line}");
    }
}

#[test]
fn memory_has_the_newest_entries() {
    let mut server = server();
    for _ in 0..=AUDIT_IN_MEMORY_MAX / 2 {
        server.send(2, "BAN eve");
        server.send(2, "UNBAN eve");
    }
    let entries = audit(&server);
    assert_eq!(entries.len(), AUDIT_IN_MEMORY_MAX);
    assert!(entries[0].starts_with("3 ") && entries[AUDIT_IN_MEMORY_MAX - 1].starts_with("1002 "), "{}", entries[0]);
}
