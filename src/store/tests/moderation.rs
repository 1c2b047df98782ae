//! Tests of ranks, bans and mutes in a file.

use super::accounts::account;
use super::rooms::{commit_batch, new_room};
use super::*;
use crate::protocol::{
    AccountId, ModerationRecord, Role, RoomLock, Sanction, SanctionId, SanctionKind, SanctionTarget, Subject,
};

const ANN: AccountId = AccountId(1);
const OPS: RoomId = RoomId(1);

fn rules(owner: u32, moderators: &[u32]) -> RoomRules {
    let moderators = moderators.iter().copied().map(AccountId).collect();
    RoomRules { owner: Some(AccountId(owner)), moderators, ..RoomRules::default() }
}

fn sanction(id: u32, kind: SanctionKind, room: Option<RoomId>, target: &str, subjects: Vec<Subject>) -> Sanction {
    let target = SanctionTarget::parse(kind, target).unwrap();
    Sanction { id: SanctionId(id), kind, room, target, subjects, at: NOW, until: None, by: None, reason: None }
}

/// A sanction of each kind, with every kind of subject.
fn sanctions() -> Vec<Sanction> {
    let (bob, reason) = (Name::new("Ёлка").unwrap(), Text::new("too loud, and off topic").unwrap());
    let networks = ["192.0.2.0/24", "2001:db8::/64"].map(|network| Subject::Network(network.parse().unwrap()));
    let by_name = vec![Subject::Name(bob.clone()), networks[1].clone()];
    let mute = sanction(2, SanctionKind::Mute, Some(OPS), "Ёлка", by_name);
    vec![
        sanction(1, SanctionKind::Ban, None, "192.0.2.0/24", vec![networks[0].clone()]),
        Sanction { until: Some(Timestamp(NOW.0 + 1)), by: Some(bob), reason: Some(reason), ..mute },
        sanction(4, SanctionKind::Ban, None, "@eve", vec![Subject::Account(ANN)]),
    ]
}

/// The lobby, and #ops with an owner and a moderator.
fn batch() -> Batch {
    let room = NewRoom { rules: rules(1, &[2, 3]), ..new_room(OPS, "#ops", "ops1") };
    let moderation = sanctions().into_iter().map(ModerationRecord::Sanction).collect();
    let messages = vec![(OPS, past(1, "tea"))];
    Batch { rooms: vec![room], messages, moderation, ..Batch::default() }
}

#[test]
fn ranks_bans_and_mutes_survive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let accounts = vec![AccountWrite::Insert(account(ANN, "ann")), AccountWrite::SetRole(ANN, Role::Operator)];
    commit_batch(&store, Batch { accounts, ..batch() });
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.accounts.accounts[0].role, Role::Operator);
    assert_eq!((&found.rooms[0].rules, found.sanctions), (&rules(1, &[2, 3]), sanctions()));
    let records = vec![
        ModerationRecord::Rules(OPS, rules(1, &[3])),
        ModerationRecord::Rules(RoomId::LOBBY, RoomRules { owner: None, ..rules(0, &[1]) }),
        ModerationRecord::Lifted(SanctionId(1)),
        ModerationRecord::Lifted(SanctionId(9)),
        // Tried again after a failure.
        ModerationRecord::Sanction(sanctions().remove(2)),
    ];
    commit_batch(&store, Batch { moderation: records, ..Batch::default() });
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!((&found.rooms[0].rules, found.sanctions), (&rules(1, &[3]), sanctions()[1..].to_vec()));
    assert_eq!(found.rules.moderators, [ANN].into());
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// The number of a room that the file does not have may be given to another one.
#[test]
fn moderation_of_a_removed_room_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    // No room of this batch is stored.
    let moderation =
        vec![ModerationRecord::Sanction(sanctions().remove(1)), ModerationRecord::Rules(OPS, rules(1, &[2]))];
    commit_batch(&store, Batch { moderation, ..Batch::default() });
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!((found.sanctions, found.rooms), (vec![], vec![]));
    commit_batch(&store, batch());
    close(store);
    Connection::open(&path).unwrap().execute_batch("DELETE FROM messages").unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!((found.sanctions.len(), found.rooms), (2, vec![]), "the sanctions of the server remain");
    close(store);
    let left: u32 = Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT (SELECT count(*) FROM moderators) + (SELECT count(*) FROM sanctions WHERE room IS NOT NULL)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn locks_and_invitations_survive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_batch(&store, batch());
    let invited = [AccountId(2), AccountId(5)].into();
    let locked = RoomRules { lock: RoomLock::Invited, invited, ..rules(1, &[2]) };
    let lobby = RoomRules { lock: RoomLock::Accounts, ..RoomRules::default() };
    let records = [(OPS, locked.clone()), (RoomId::LOBBY, lobby.clone())];
    let moderation = records.into_iter().map(|(room, rules)| ModerationRecord::Rules(room, rules)).collect();
    commit_batch(&store, Batch { moderation, ..Batch::default() });
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!((&found.rooms[0].rules, found.rules), (&locked, lobby));
    close(store);
    // Of another program, or of a later version.
    let damage = "UPDATE rooms SET lock = 'friends' WHERE name = '#ops'; INSERT INTO invitations VALUES (2, -1)";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.rooms[0].rules, locked);
    close(store);
    Connection::open(&path).unwrap().execute_batch("DELETE FROM messages").unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.rooms, vec![]);
    close(store);
    let left = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM invitations", [], |row| row.get(0));
    assert_eq!(left, Ok(0_u32));
}

#[test]
fn sanctions_of_other_programs_are_read_with_caution() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit_batch(&store, batch());
    close(store);
    let damage = "UPDATE sanctions SET until = 'tomorrow' WHERE sanction = 2;
        UPDATE sanctions SET moderator = 'a b', reason = x'00' WHERE sanction = 4;
        INSERT INTO sanctions SELECT 5, kind, room, target, 'network=0.0.0.0/0', created, until, moderator, reason FROM sanctions WHERE sanction = 1;
        INSERT INTO sanctions SELECT 6, 'jail', room, target, subjects, created, until, moderator, reason FROM sanctions WHERE sanction = 1;
        INSERT INTO sanctions SELECT 0, kind, room, target, subjects, created, until, moderator, reason FROM sanctions WHERE sanction = 1;
        UPDATE rooms SET owner = -1 WHERE name = '#ops';
        INSERT INTO moderators VALUES (2, 0), (2, 5000000000)";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.sanctions, [sanctions().remove(0), sanctions().remove(2)]);
    assert_eq!(found.rooms[0].rules, RoomRules { owner: None, ..rules(0, &[2, 3]) });
    close(store);
}

#[test]
fn mute_of_a_nickname_that_looks_like_an_address_survives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let mutes = [(1, "192.0.2.1"), (2, "192.0.2.1/24")].map(|(id, nick)| {
        let subjects = vec![Subject::Name(Name::new(nick).unwrap())];
        sanction(id, SanctionKind::Mute, None, nick, subjects)
    });
    let moderation = mutes.clone().map(ModerationRecord::Sanction).into();
    commit_batch(&store, Batch { moderation, ..Batch::default() });
    close(store);
    let (store, found) = open_in_turn(&path);
    assert_eq!(found.sanctions, mutes);
    close(store);
}
