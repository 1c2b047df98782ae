//! Tests of changes of accounts: committed before they become entries, in order, and only those that the state will accept.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Connection;

use super::*;
use crate::protocol::{AccountId, PasswordHash, Text, Token};
use crate::server::account_rows::add_stored_accounts;
use crate::state::{AccountOutcome, AccountRejection, MemberId, Rejection, SessionId, StateOutput};
use crate::store::tests::WAIT_MAX;
use crate::store::{Durability, Options, Retention};

const ANN: AccountId = AccountId(1);

/// A sequencer with its state and its file.
pub(super) struct Server {
    pub(super) sequencer: StoreSequencer,
    pub(super) state: SharedState,
    pub(super) path: PathBuf,
    pub(super) outputs: Vec<StateOutput>,
}

pub(super) fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

pub(super) fn origin(member: u64) -> Origin {
    Origin::local(SessionId(member), MemberId(member))
}

fn create(raw: &str) -> AccountUpdate {
    let password = PasswordHash::new("$test$hash").unwrap();
    AccountUpdate::Create { name: name(raw), password, ends_rest: false }
}

fn delete(account: u32) -> AccountUpdate {
    AccountUpdate::Delete { account: AccountId(account), generation: None }
}

impl Server {
    pub(super) fn start(directory: &Path) -> Self {
        Self::with_bytes_max(directory, usize::MAX)
    }

    fn with_bytes_max(directory: &Path, bytes_max: usize) -> Self {
        let path = directory.join("chat.db");
        let options = Options { path: path.clone(), durability: Durability::Relaxed, keep: Retention::All };
        let deadline = Instant::now() + WAIT_MAX;
        let (store, stored) = loop {
            match Store::open(&options, None, Token::truncated("epoch"), 0, || Timestamp(0)) {
                Ok(opened) => break opened,
                // The thread of the store before has not closed the file yet.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::yield_now();
        };
        let state = SharedState::default().with_store(stored.last_room);
        let (state, left_out) = add_stored_accounts(state, stored.accounts);
        assert_eq!(left_out, 0);
        Self { sequencer: StoreSequencer::new(store, bytes_max), state, path, outputs: Vec::new() }
    }

    pub(super) fn submit(&mut self, member: u64, action: Action) {
        self.sequencer.submit(Change { at: Timestamp(0), uptime: Uptime(0), origin: origin(member), action });
        self.apply_ready();
    }

    fn change(&mut self, member: u64, update: AccountUpdate) {
        self.submit(member, Action::ChangeAccount(AccountChange { at: Timestamp(0), update }));
    }

    pub(super) fn nick(&mut self, member: u64, raw: &str) {
        self.submit(member, Action::Register { name: name(raw), verifier: None, room: None });
    }

    pub(super) fn say(&mut self, member: u64, author: &str, text: &str) {
        let message = Message { name: name(author), account: None, at: Timestamp(0), text: Text::new(text).unwrap() };
        self.submit(member, Action::Say(RoomId::LOBBY, message));
    }

    pub(super) fn apply_ready(&mut self) {
        while let Some(Sequenced::Entry(entry)) = self.sequencer.next() {
            self.state.apply(entry, &mut self.outputs);
        }
    }

    /// Passes the next batch to the store, and waits for its result, which is not processed.
    pub(super) fn commit(&mut self) {
        self.sequencer.end_turn(&self.state);
        self.sequencer.end_turn(&self.state);
        assert!(self.sequencer.committing.is_some(), "nothing is committed");
        let deadline = Instant::now() + WAIT_MAX;
        while self.sequencer.reports.is_empty() {
            assert!(Instant::now() < deadline, "no report of the store");
            std::thread::yield_now();
        }
    }

    /// Commits all waiting changes, and applies them. Returns the number of batches.
    pub(super) fn settle(&mut self) -> usize {
        let mut batches = 0;
        while self.sequencer.is_busy() {
            self.commit();
            assert!(self.sequencer.process_report());
            self.apply_ready();
            batches += 1;
        }
        batches
    }

    /// The numbers and names of the accounts in the file.
    fn stored(&self) -> Vec<(u32, String)> {
        let file = Connection::open(&self.path).unwrap();
        let mut rows = file.prepare("SELECT account, name FROM accounts ORDER BY account").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The results of the changes so far: the name of a created account, or the rejection.
    fn results(&mut self) -> Vec<Result<String, AccountRejection>> {
        let outputs = std::mem::take(&mut self.outputs);
        let result = |output| match output {
            StateOutput::AccountChanged(_, AccountOutcome::Created { name, .. }) => Some(Ok(name.to_string())),
            StateOutput::Rejected(_, None, Rejection::Account(_, why)) => Some(Err(why)),
            _ => None,
        };
        outputs.into_iter().filter_map(result).collect()
    }
}

fn row(account: u32, name: &str) -> (u32, String) {
    (account, name.to_owned())
}

#[test]
fn account_exists_once_it_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.change(1, create("ann"));
    assert_eq!((server.state.accounts().len(), server.stored()), (0, vec![]));
    assert!(server.state.member(MemberId(1)).unwrap().login().is_none());
    server.commit();
    assert_eq!((server.state.accounts().len(), server.stored()), (0, vec![row(1, "ann")]), "nobody sees it yet");
    server.settle();
    assert_eq!(server.results(), [Ok("ann".to_owned())]);
    assert_eq!(server.state.member_of(ANN), Some(MemberId(1)));
}

/// The member leaves while its account is stored: nobody gets its nickname meanwhile.
#[test]
fn name_is_reserved_until_account_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.change(1, create("ann"));
    server.submit(1, Action::Leave(crate::protocol::LeaveReason::Quit, None));
    server.nick(2, "ann");
    assert!(server.state.member(MemberId(2)).is_none());
    server.settle();
    server.nick(2, "ann");
    let refused = Rejection::NickRegistered(name("ann"), name("ann"));
    assert!(matches!(server.outputs.last(), Some(StateOutput::Rejected(_, None, why)) if *why == refused));
}

/// The second creation depends on the first one: its number, and whether the name is free.
#[test]
fn dependent_changes_are_committed_in_batches_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    for raw in ["ann", "Ann", "bob"] {
        server.change(0, create(raw));
    }
    server.say(0, "ann", "after the accounts");
    assert_eq!(server.settle(), 3);
    let refused = AccountRejection::Registered(name("Ann"), name("ann"));
    assert_eq!(server.results(), [Ok("ann".to_owned()), Err(refused), Ok("bob".to_owned())]);
    assert_eq!(server.stored(), [row(1, "ann"), row(2, "bob")], "a rejected change is not stored");
    let set = |account| AccountUpdate::SetPassword {
        account: AccountId(account),
        generation: None,
        password: PasswordHash::new("$test$other").unwrap(),
    };
    server.change(0, set(1));
    server.change(0, set(2));
    assert_eq!(server.settle(), 1, "changes of two accounts do not depend on each other");
    server.change(0, set(1));
    server.change(0, set(1));
    assert_eq!(server.settle(), 2);
    assert_eq!(server.state.accounts().get(ANN).unwrap().generation, 3);
}

/// A member's message, the creation of its account, and its next message become entries in this order.
#[test]
fn changes_keep_their_order_with_messages() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.outputs.clear();
    server.say(1, "ann", "before");
    server.change(1, create("ann"));
    server.say(1, "ann", "after");
    assert_eq!(server.settle(), 1);
    let kind = |output: &StateOutput| match output {
        StateOutput::Event { id, .. } => id.map(|id| id.0),
        StateOutput::AccountChanged(..) => Some(0),
        _ => None,
    };
    assert_eq!(server.outputs.iter().filter_map(kind).collect::<Vec<_>>(), [1, 0, 2]);
}

#[test]
fn failed_commit_refuses_the_change_and_frees_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.change(1, create("ann"));
    Connection::open(&server.path).unwrap().execute_batch("ALTER TABLE accounts RENAME TO gone").unwrap();
    server.settle();
    let results = server.results();
    let [Err(AccountRejection::NotStored(StoreFailure::NotStored(why)))] = &results[..] else { panic!("{results:?}") };
    assert!(why.contains("no such table") && !why.contains("hash"), "{why}");
    assert!(server.sequencer.failure().is_some());
    assert_eq!(server.state.accounts().len(), 0);
    Connection::open(&server.path).unwrap().execute_batch("ALTER TABLE gone RENAME TO accounts").unwrap();
    server.change(1, create("ann"));
    server.settle();
    assert_eq!((server.results(), server.stored()), (vec![Ok("ann".to_owned())], vec![row(1, "ann")]));
    server.submit(1, Action::Leave(crate::protocol::LeaveReason::Quit, None));
    server.change(0, delete(1));
    server.settle();
    let names: Vec<_> = server.state.accounts().resting().map(|resting| resting.name.as_str()).collect();
    assert_eq!(names, ["ann"]);
}

/// As after kill -9: the client got no reply, and the account is there.
#[test]
fn account_stored_before_the_end_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.nick(1, "ann");
    server.change(1, create("ann"));
    server.commit();
    drop(server);
    let mut server = Server::start(directory.path());
    assert_eq!(server.state.accounts().find(&name("ann")).map(|account| account.id), Some(ANN));
    server.nick(2, "ann");
    assert!(server.state.member(MemberId(2)).is_none(), "the name is protected");
    server.change(0, delete(1));
    server.settle();
    drop(server);
    let mut server = Server::start(directory.path());
    server.nick(2, "ann");
    assert!(server.state.member(MemberId(2)).is_none(), "the name rests");
    server.change(0, create("bob"));
    server.settle();
    assert_eq!(server.stored(), [row(2, "bob")], "the number of a deleted account is not reused");
}

#[test]
fn unconfirmed_change_is_refused_at_shutdown() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.change(0, create("ann"));
    server.sequencer.refuse_unconfirmed();
    server.apply_ready();
    let results = server.results();
    assert!(matches!(results[..], [Err(AccountRejection::NotStored(StoreFailure::NotStored(_)))]), "{results:?}");
    assert!(server.stored().is_empty());
}

#[test]
fn changes_beyond_the_memory_limit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::with_bytes_max(directory.path(), 2 * (size_of::<PendingChange>() + 20));
    for raw in ["ann", "bob", "carol"] {
        server.change(0, create(raw));
    }
    server.settle();
    let results = server.results();
    assert!(matches!(results[..], [Ok(_), Ok(_), Err(AccountRejection::NotStored(_))]), "{results:?}");
    assert_eq!((server.stored().len(), server.sequencer.bytes), (2, 0));
}
