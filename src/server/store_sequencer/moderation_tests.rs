//! Tests of moderation with a store: its effect does not wait for the disk, and messages that wait are refused if their author is muted or
//! removed.

use rusqlite::Connection;

use super::account_tests::{Server, name};
use super::*;
use crate::protocol::{Event, LeaveReason, RoomLock, RoomName, SanctionKind, SanctionTarget};
use crate::state::{Moderation, ModerationOutcome, Rejection, SanctionChoice, SpeechRefusal, StateOutput};

/// Carries out a command of the operator at the control socket, as `Sessions` does.
pub(super) fn moderate(server: &mut Server, moderation: Moderation) {
    server.sequencer.submit(Change {
        at: Timestamp(0),
        uptime: Uptime(0),
        origin: Origin::SERVER,
        action: Action::Moderate(moderation),
    });
    while let Some(Sequenced::Entry(entry)) = server.sequencer.next() {
        let from = server.outputs.len();
        server.state.apply(entry, &mut server.outputs);
        let records: Vec<_> = server.outputs[from..]
            .iter()
            .filter_map(|output| match output {
                StateOutput::Moderated(_, moderated, records) if moderated.audit.is_some() || !records.is_empty() => {
                    Some(Action::RecordModeration(moderated.clone(), records.clone()))
                }
                _ => None,
            })
            .collect();
        for action in records {
            server.sequencer.submit(Change { at: Timestamp(0), uptime: Uptime(0), origin: Origin::SERVER, action });
        }
    }
}

pub(super) fn sanction(kind: SanctionKind, target: &str) -> Moderation {
    let target = SanctionTarget::Name(name(target));
    Moderation::Sanction { kind, room: None, target, duration: None, reason: None }
}

pub(super) fn kick(room: Option<RoomId>, target: &str) -> Moderation {
    Moderation::Kick { room, name: name(target), reason: None }
}

/// The texts of the messages that were published, and why others were refused.
fn spoken(server: &mut Server) -> (Vec<String>, Vec<SpeechRefusal>) {
    let (mut texts, mut refusals) = (Vec::new(), Vec::new());
    for output in std::mem::take(&mut server.outputs) {
        match output {
            StateOutput::Event { event: Event::Msg(_, text), .. } => texts.push(text.to_string()),
            StateOutput::Rejected(_, _, Rejection::NotStored(_, StoreFailure::Silenced(why))) => refusals.push(why),
            _ => {}
        }
    }
    (texts, refusals)
}

/// The targets of the sanctions in the file.
fn stored_targets(server: &Server) -> Vec<String> {
    let file = Connection::open(&server.path).unwrap();
    let mut rows = file.prepare("SELECT target FROM sanctions ORDER BY sanction").unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn waiting_message_of_a_muted_member_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.nick(2, "bob");
    server.say(1, "ann", "too late");
    server.say(2, "bob", "hi");
    moderate(&mut server, sanction(SanctionKind::Mute, "ann"));
    server.settle();
    let (texts, refusals) = spoken(&mut server);
    assert_eq!(texts, ["hi"]);
    assert!(matches!(refusals[..], [SpeechRefusal::Muted(_)]), "{refusals:?}");
}

#[test]
fn waiting_message_of_a_kicked_member_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    for room in [Some(RoomId::LOBBY), None] {
        server.nick(1, "ann");
        server.say(1, "ann", "too late");
        moderate(&mut server, kick(room, "ann"));
        assert_eq!(server.settle(), 1);
        assert_eq!(spoken(&mut server), (Vec::new(), vec![SpeechRefusal::Removed]), "{room:?}");
        if room.is_some() {
            server.submit(1, Action::Join(vec![RoomName::lobby()]));
            server.say(1, "ann", "back");
            server.settle();
            assert_eq!(spoken(&mut server), (vec!["back".to_owned()], Vec::new()));
        }
    }
}

/// Otherwise a muted member would speak by breaking its connection.
#[test]
fn waiting_message_of_a_muted_member_that_leaves_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    moderate(&mut server, sanction(SanctionKind::Mute, "ann"));
    server.say(1, "ann", "psst");
    server.submit(1, Action::Leave(LeaveReason::Lost, None));
    assert_eq!(server.settle(), 1);
    assert_eq!(spoken(&mut server), (Vec::new(), vec![SpeechRefusal::Removed]));
    // The number of the member is free of it.
    server.nick(1, "bob");
    server.say(1, "bob", "hi");
    server.settle();
    assert_eq!(spoken(&mut server).0, ["hi"]);
}

#[test]
fn waiting_message_of_a_kicked_member_is_refused_under_its_former_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.say(1, "ann", "too late");
    server.submit(1, Action::Rename(name("eve")));
    moderate(&mut server, kick(Some(RoomId::LOBBY), "eve"));
    server.settle();
    assert_eq!(spoken(&mut server), (Vec::new(), vec![SpeechRefusal::Removed]));
}

/// A message that left before its author was removed was in time.
#[test]
fn waiting_message_of_a_member_that_left_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.say(1, "ann", "bye");
    server.submit(1, Action::Leave(LeaveReason::Quit, None));
    server.settle();
    assert_eq!(spoken(&mut server), (vec!["bye".to_owned()], Vec::new()));
}

#[test]
fn sanction_that_a_full_disk_refused_is_stored_by_a_tick() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let sql = |path: &std::path::Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    sql(&server.path, "ALTER TABLE sanctions RENAME TO gone");
    for target in ["eve", "mallory"] {
        moderate(&mut server, sanction(SanctionKind::Ban, target));
        assert!(server.outputs.iter().any(|output| matches!(output, StateOutput::Moderated(..))), "it takes effect");
        server.settle();
        let confirmed = server.outputs.iter().find_map(|output| match output {
            StateOutput::ModerationConfirmed(_, moderated, failure) => Some((&moderated.outcome, failure.is_some())),
            _ => None,
        });
        assert!(matches!(confirmed, Some((ModerationOutcome::Sanctioned(..), true))), "{confirmed:?}");
        server.outputs.clear();
    }
    server.submit(0, Action::Tick);
    server.commit();
    assert!(server.sequencer.process_report() || server.sequencer.failure().is_some());
    sql(&server.path, "ALTER TABLE gone RENAME TO sanctions");
    server.sequencer.end_turn(&server.state);
    assert!(server.sequencer.committing.is_none(), "a tick tries it once");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert_eq!(stored_targets(&server), ["eve", "mallory"]);
    server.submit(0, Action::Tick);
    for _ in 0..3 {
        server.sequencer.end_turn(&server.state);
    }
    assert!(server.sequencer.committing.is_none(), "it is stored once");
}

#[test]
fn lock_that_a_full_disk_refused_is_stored_by_a_tick() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let sql = |path: &std::path::Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    server.nick(1, "ann");
    server.say(1, "ann", "now the file has the room");
    server.settle();
    sql(&server.path, "ALTER TABLE invitations RENAME TO gone");
    for lock in [RoomLock::Accounts, RoomLock::Invited] {
        moderate(&mut server, Moderation::SetLock { room: RoomId::LOBBY, lock });
        assert_eq!(server.state.room(RoomId::LOBBY).map(Room::lock), Some(lock), "it takes effect");
        server.settle();
        let is_confirmed = |output: &StateOutput| matches!(output, StateOutput::ModerationConfirmed(_, _, Some(_)));
        assert!(server.outputs.iter().any(is_confirmed));
        server.outputs.clear();
    }
    sql(&server.path, "ALTER TABLE gone RENAME TO invitations");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    let file = Connection::open(&server.path).unwrap();
    let stored = file.query_row("SELECT lock FROM rooms WHERE room = 1", [], |row| row.get(0));
    assert_eq!(stored, Ok("invited".to_owned()));
}

/// Otherwise a moderator who repeats its commands would fill the memory.
#[test]
fn unstored_records_of_repeated_commands_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let sql = |path: &std::path::Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    for target in ["stored", "lifted"] {
        moderate(&mut server, sanction(SanctionKind::Ban, target));
        server.settle();
    }
    sql(&server.path, "ALTER TABLE sanctions RENAME TO gone");
    let lift = |target: &str| {
        let which = SanctionChoice::Target(SanctionTarget::Name(name(target)));
        Moderation::Lift { kind: SanctionKind::Ban, room: None, which }
    };
    moderate(&mut server, lift("lifted"));
    for _ in 0..5 {
        for command in [sanction(SanctionKind::Ban, "eve"), lift("eve"), sanction(SanctionKind::Mute, "mallory")] {
            moderate(&mut server, command);
            server.settle();
        }
    }
    assert_eq!(server.sequencer.unstored.len(), 2, "the end of one ban, and the last mute");
    sql(&server.path, "ALTER TABLE gone RENAME TO sanctions");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert_eq!(stored_targets(&server), ["stored", "mallory"]);
    assert!(server.sequencer.unstored.is_empty());
}
