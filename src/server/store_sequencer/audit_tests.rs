//! Tests of the audit log with a store: its entries are stored with the changes that they describe, or neither is.

use rusqlite::Connection;

use super::account_tests::{Server, name};
use super::moderation_tests::{kick, moderate, sanction};
use super::*;
use crate::control::AuditLine;
use crate::protocol::{AccountId, AuditQuery, PasswordHash, Role, SanctionKind};

/// The entries in the file.
fn stored(server: &Server) -> Vec<String> {
    let query = AuditQuery { before: None, limit: usize::MAX, room: None, by: None };
    let store = server.sequencer.store.as_ref().unwrap();
    shown(store.queries().read_audit(&query).unwrap())
}

/// The entries that wait for the disk.
fn unstored(server: &Server) -> Vec<String> {
    shown(server.sequencer.unstored_audit())
}

fn shown(records: Vec<AuditRecord>) -> Vec<String> {
    let line = |record| AuditLine { record, is_stored: true }.to_string().replace(" 1970-01-01T00:00:00.000Z - ", " ");
    records.into_iter().map(line).collect()
}

fn sql(server: &Server, sql: &str) {
    Connection::open(&server.path).unwrap().execute_batch(sql).unwrap();
}

/// Number of sanctions and accounts in the file.
fn stored_changes(server: &Server) -> u32 {
    let file = Connection::open(&server.path).unwrap();
    let sql = "SELECT (SELECT count(*) FROM sanctions) + (SELECT count(*) FROM accounts)";
    file.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn operate(server: &mut Server, update: AccountUpdate) {
    let action = Action::ChangeAccount(AccountChange { at: Timestamp(0), update });
    let origin = Origin::SERVER;
    server.sequencer.submit(Change { at: Timestamp(0), uptime: Uptime(0), origin, action });
    server.apply_ready();
}

fn create(raw: &str) -> AccountUpdate {
    AccountUpdate::Create { name: name(raw), password: PasswordHash::unusable(), ends_rest: false }
}

#[test]
fn entry_is_stored_with_its_change_or_neither_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    sql(&server, "ALTER TABLE audit RENAME TO gone");
    moderate(&mut server, sanction(SanctionKind::Ban, "eve"));
    operate(&mut server, create("ann"));
    server.settle();
    assert_eq!(stored_changes(&server), 0, "a change without an entry");
    sql(&server, "ALTER TABLE gone RENAME TO audit; ALTER TABLE sanctions RENAME TO gone");
    server.submit(0, Action::Tick);
    server.settle();
    server.commit();
    server.sequencer.process_report();
    assert_eq!(stored(&server), Vec::<String>::new(), "an entry without its change");
    sql(&server, "ALTER TABLE gone RENAME TO sanctions");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert_eq!((stored_changes(&server), stored(&server).len()), (1, 1), "the change of the accounts was refused");
}

#[test]
fn entries_wait_in_memory_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "bob");
    server.settle();
    sql(&server, "ALTER TABLE audit RENAME TO gone");
    moderate(&mut server, sanction(SanctionKind::Mute, "eve"));
    moderate(&mut server, kick(None, "bob"));
    let expected = ["1 mute server eve sanction=1 until=never", "2 kick server bob"];
    assert_eq!(unstored(&server), expected, "before the first attempt");
    server.settle();
    assert_eq!(unstored(&server), expected, "after it");
    for _ in 0..AUDIT_IN_MEMORY_MAX {
        moderate(&mut server, sanction(SanctionKind::Mute, "eve"));
    }
    server.settle();
    let waiting = unstored(&server);
    assert_eq!(waiting.len(), AUDIT_IN_MEMORY_MAX);
    assert!(waiting[0].starts_with("3 mute "), "the newest win: {}", waiting[0]);
    sql(&server, "ALTER TABLE gone RENAME TO audit");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert_eq!((unstored(&server), stored(&server)), (vec![], waiting));
    server.submit(0, Action::Tick);
    for _ in 0..3 {
        server.sequencer.end_turn(&server.state);
    }
    assert!(server.sequencer.committing.is_none(), "it is stored once");
}

/// A kick has no other record.
#[test]
fn entry_that_a_full_disk_refused_is_stored_by_a_tick() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "bob");
    sql(&server, "ALTER TABLE audit RENAME TO gone");
    moderate(&mut server, kick(None, "bob"));
    server.settle();
    sql(&server, "ALTER TABLE gone RENAME TO audit");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert_eq!(stored(&server), ["1 kick server bob"]);
}

#[test]
fn numbers_continue_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    operate(&mut server, create("ann"));
    server.settle();
    server.sequencer.close();
    let mut server = Server::start(directory.path());
    moderate(&mut server, sanction(SanctionKind::Ban, "eve"));
    server.settle();
    let expected = ["1 account-add server ann account=1", "2 ban server eve sanction=1 until=never"];
    assert_eq!(stored(&server), expected);
}

#[test]
fn changes_of_accounts_by_the_operator_have_entries() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let (ann, password) = (AccountId(1), PasswordHash::unusable());
    for update in [
        create("ann"),
        create("Ann"),
        AccountUpdate::SetPassword { account: ann, generation: None, password: password.clone() },
        AccountUpdate::SetRole { account: ann, role: Role::Operator },
        AccountUpdate::SetRole { account: ann, role: Role::Operator },
        AccountUpdate::SetRole { account: ann, role: Role::User },
        AccountUpdate::SetRole { account: AccountId(9), role: Role::Operator },
    ] {
        operate(&mut server, update);
        server.settle();
    }
    // The member's own change.
    server.nick(1, "bob");
    server.submit(1, Action::ChangeAccount(AccountChange { at: Timestamp(0), update: create("bob") }));
    let own = AccountUpdate::SetPassword { account: AccountId(2), generation: Some(0), password };
    server.settle();
    server.submit(1, Action::ChangeAccount(AccountChange { at: Timestamp(0), update: own }));
    server.settle();
    operate(&mut server, AccountUpdate::Delete { account: ann, generation: None });
    server.settle();
    let expected = [
        "1 account-add server ann account=1",
        "2 account-password server ann account=1",
        "3 account-role-operator server ann account=1",
        "4 account-role-user server ann account=1",
        "5 account-remove server ann account=1",
    ];
    assert_eq!(stored(&server), expected);
}
