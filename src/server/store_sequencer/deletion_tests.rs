//! Tests of deletions with a store: what the disk refuses is hidden all the same, and a message that is not in memory is deleted only if the
//! file says that it is the author's.

use rusqlite::Connection;

use super::account_tests::Server;
use super::moderation_tests::moderate;
use super::*;
use crate::protocol::{AccountId, Event};
use crate::state::{Moderation, ModerationRejection, Rejection, StateOutput};
use crate::store::Query;
use crate::store::tests::{thread_waker, wait_for};

const ANN: AccountId = AccountId(1);

fn delete(id: u64) -> Moderation {
    Moderation::Delete { room: RoomId::LOBBY, id: MessageId(id) }
}

fn delete_own(server: &mut Server, id: u64) {
    let deletion = OwnDeletion { room: RoomId::LOBBY, id: MessageId(id), author: ANN };
    server.submit(1, Action::DeleteOwn(deletion));
}

/// Which messages a query finds with a text.
fn readable(server: &Server) -> Vec<u64> {
    let store = server.sequencer.store.as_ref().unwrap();
    let query = store.queries().query(RoomId::LOBBY, Query::After(MessageId(0)), MessageId(9), thread_waker());
    let page = wait_for(|| query.poll_page()).expect("a page");
    page.rows().filter(|row| !row.text.is_empty()).map(|row| row.id.0).collect()
}

fn sql(server: &Server, sql: &str) {
    Connection::open(&server.path).unwrap().execute_batch(sql).unwrap();
}

/// The results of deletions so far.
fn results(server: &mut Server) -> Vec<String> {
    let outputs = std::mem::take(&mut server.outputs);
    let result = |output| match output {
        StateOutput::Event { event: Event::Deleted { id, .. }, .. } => Some(format!("{} deleted", id.0)),
        StateOutput::ModerationConfirmed(_, _, failure) => {
            Some(if failure.is_some() { "stored=no" } else { "ok" }.to_owned())
        }
        StateOutput::Rejected(_, _, Rejection::Moderation(_, ModerationRejection::NotAuthor(id))) => {
            Some(format!("{} is not theirs", id.0))
        }
        StateOutput::Rejected(_, _, Rejection::NotStored(ContentKind::Deletion, _)) => Some("not stored".to_owned()),
        _ => None,
    };
    outputs.into_iter().filter_map(result).collect()
}

#[test]
fn deletion_that_a_full_disk_refused_is_hidden_until_a_tick_stores_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    for text in ["one", "two", "three"] {
        server.say(1, "ann", text);
    }
    server.settle();
    sql(&server, "CREATE TRIGGER full BEFORE UPDATE ON messages BEGIN SELECT raise(ABORT, 'full'); END");
    moderate(&mut server, delete(2));
    assert_eq!(readable(&server), [1, 3], "before the commit");
    server.settle();
    assert_eq!(results(&mut server), ["2 deleted", "stored=no"]);
    assert_eq!(readable(&server), [1, 3], "after the failure");
    sql(&server, "DROP TRIGGER full");
    server.submit(0, Action::Tick);
    server.commit();
    server.sequencer.process_report();
    assert!(server.sequencer.store.as_ref().unwrap().hidden().is_empty(), "the file has no text to hide");
    assert_eq!(readable(&server), [1, 3], "in the file");
}

#[test]
fn author_deletes_a_message_that_only_the_file_has() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.say(1, "ann", "a guest's");
    server.settle();
    sql(&server, "UPDATE messages SET account = 2; INSERT INTO messages VALUES (2, 1, 2, '', 'ann', 'hers', 1)");
    for id in 1..=3 {
        delete_own(&mut server, id);
    }
    assert_eq!(server.settle(), 1, "one batch");
    assert_eq!(results(&mut server), ["1 is not theirs", "2 deleted", "ok", "3 is not theirs"]);
    assert_eq!(readable(&server), [1]);
    sql(&server, "CREATE TRIGGER full BEFORE UPDATE ON messages BEGIN SELECT raise(ABORT, 'full'); END");
    sql(&server, "INSERT INTO messages VALUES (3, 1, 3, '', 'ann', 'hers', 1)");
    delete_own(&mut server, 3);
    server.settle();
    assert_eq!(results(&mut server), ["not stored"]);
    assert_eq!(readable(&server), [1, 3]);
}
