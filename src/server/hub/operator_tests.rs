//! Tests of the operator's changes: order, limits, and what they do not wait for. The store is a queue that the test empties.

use std::sync::{Mutex, PoisonError};

use async_channel::Receiver;

use super::tests::{connect, say};
use super::*;
use crate::command::Command;
use crate::control::{AccountReply, AccountRequest, ControlError};
use crate::limits::{BACKLOG_BYTES_MIN, CONTROL_CHANGES_MAX};
use crate::protocol::{AccountId, Mode, Name, PasswordHash};
use crate::sequencer::{Change, MemorySequencer, Sequenced, Sequencer};
use crate::session::{AccountPolicy, PasswordJob, PasswordResult};
use crate::state::{AccountCommand, Action, StoreFailure};

/// Threads that never finish.
#[derive(Debug, Default)]
struct BusyThreads(usize);

impl PasswordThreads for BusyThreads {
    fn submit(&mut self, _: PasswordJob) {
        self.0 += 1;
    }

    fn poll_result(&mut self, _: &mut Context<'_>) -> Poll<Option<PasswordResult>> {
        Poll::Pending
    }
}

/// A store whose changes wait until the test commits them.
#[derive(Clone, Debug, Default)]
struct SlowStore(Arc<Mutex<(VecDeque<Change>, MemorySequencer)>>);

impl SlowStore {
    fn with<T>(&self, run: impl FnOnce(&mut VecDeque<Change>, &mut MemorySequencer) -> T) -> T {
        let (waiting, ready) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        run(waiting, ready)
    }

    /// Commits the change that has waited longest, or fails to.
    fn commit(&self, is_stored: bool) {
        self.with(|waiting, ready| {
            let change = waiting.pop_front().expect("a change waits");
            let failed = |change: &Change| match &change.action {
                Action::ChangeAccount(account) => {
                    let why = StoreFailure::NotStored("disk full".into());
                    Action::AccountChangeFailed(account.update.command(), None, why)
                }
                other => panic!("{other:?}"),
            };
            let action = if is_stored { change.action.clone() } else { failed(&change) };
            ready.submit(Change { action, ..change });
        });
    }

    fn waiting(&self) -> Vec<AccountCommand> {
        let command = |change: &Change| match &change.action {
            Action::ChangeAccount(account) => account.update.command(),
            other => panic!("{other:?}"),
        };
        self.with(|waiting, _| waiting.iter().map(command).collect())
    }
}

impl Sequencer for SlowStore {
    fn submit(&mut self, change: Change) {
        self.with(|waiting, ready| match change.action {
            Action::ChangeAccount(_) => waiting.push_back(change),
            _ => ready.submit(change),
        });
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.with(|_, ready| ready.next())
    }

    fn has_next(&self) -> bool {
        self.with(|_, ready| ready.has_next())
    }
}

/// A hub whose clients' passwords are never checked.
fn hub() -> (Hub, SlowStore) {
    let policy = AccountPolicy { is_registration_open: true, accounts_only: false, allows_insecure: true, threads: 1 };
    let store = SlowStore::default();
    let sessions = Sessions::default().with_store(Box::new(store.clone())).with_accounts(policy);
    let hub = Hub::new(sessions, Arc::new(Feed::new(BACKLOG_BYTES_MIN)));
    (Hub { passwords: Some(Box::<BusyThreads>::default()), ..hub }, store)
}

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn add(raw: &str) -> AccountRequest {
    AccountRequest::Add { name: name(raw), password: PasswordHash::unusable(), ends_rest: false }
}

/// Sends a request. Returns where its reply arrives.
fn ask(hub: &mut Hub, request: AccountRequest) -> Receiver<OperatorResult> {
    let (to_operator, reply) = async_channel::bounded(1);
    hub.process(Timestamp(0), HubRequest::Operate(request, to_operator));
    hub.publish(Timestamp(0));
    reply
}

/// The lines of a reply, or the error. `None`: it has not arrived.
fn shown(reply: &Receiver<OperatorResult>) -> Option<String> {
    let result: Result<AccountReply, ControlError> = reply.try_recv().ok()?;
    Some(result.map_or_else(|error| error.to_string(), |reply| reply.to_string()))
}

#[test]
fn reply_comes_after_the_commit() {
    let (mut hub, store) = hub();
    let added = ask(&mut hub, add("ann"));
    assert_eq!(shown(&added), None);
    let list = ask(&mut hub, AccountRequest::List { after: AccountId(0) });
    assert_eq!(shown(&list).as_deref(), Some(""), "a list does not wait, and has the stored accounts");
    store.commit(true);
    hub.publish(Timestamp(0));
    assert_eq!(shown(&added).as_deref(), Some("added the account ann\n"));
}

/// Also if one in the middle is rejected, or not stored, or its operator has gone.
#[test]
fn each_operator_gets_its_own_result() {
    let (mut hub, store) = hub();
    let requests = [add("ann"), add("Ann"), add("bob"), add("carol"), add("dave")];
    let mut replies = requests.map(|request| Some(ask(&mut hub, request)));
    replies[3] = None;
    assert_eq!(store.waiting(), [AccountCommand::Create; 5]);
    for is_stored in [true, true, false, true, true] {
        store.commit(is_stored);
    }
    hub.publish(Timestamp(0));
    let shown = replies.each_ref().map(|reply| reply.as_ref().and_then(shown));
    let expected = [
        Some("added the account ann\n"),
        Some("ERR account name-registered ann is an account already; set its password with account password"),
        Some("ERR account not-stored nothing was changed, because it could not be stored: disk full"),
        None,
        Some("added the account dave\n"),
    ];
    assert_eq!(shown.each_ref().map(|shown| shown.as_deref()), expected);
}

/// A flood of logins does not keep the operator out, and the operator does not use the threads.
#[test]
fn change_waits_for_no_password_of_a_client() {
    let (mut hub, store) = hub();
    for session in 1..=20 {
        connect(&mut hub, session);
        let login = Command::parse("LOGIN ann hunter22", Mode::Commands).unwrap().unwrap();
        hub.process(Timestamp(0), HubRequest::Input(SessionId(session), InputKind::Command(login)));
    }
    hub.publish(Timestamp(0));
    let added = ask(&mut hub, add("ann"));
    store.commit(true);
    hub.publish(Timestamp(0));
    assert_eq!(shown(&added).as_deref(), Some("added the account ann\n"));
    connect(&mut hub, 21);
    say(&mut hub, 21, "NICK guest");
    assert_eq!(hub.sessions().state().member_count(), 1);
}

/// Operators that give up waiting for a disk that hangs must not fill the memory.
#[test]
fn waiting_changes_are_limited() {
    let (mut hub, store) = hub();
    let busy = ControlError::too_many_changes(CONTROL_CHANGES_MAX).to_string();
    for number in 0..CONTROL_CHANGES_MAX {
        assert_eq!(shown(&ask(&mut hub, add(&format!("n{number}")))), None);
    }
    assert_eq!(shown(&ask(&mut hub, add("ann"))), Some(busy));
    assert_eq!(shown(&ask(&mut hub, AccountRequest::List { after: AccountId(0) })).as_deref(), Some(""));
    store.commit(false);
    hub.publish(Timestamp(0));
    assert_eq!(shown(&ask(&mut hub, add("ann"))), None);
    assert_eq!(store.waiting().len(), CONTROL_CHANGES_MAX);
}

/// After the stop, the store is closed, and a sequencer in memory would accept everything.
#[test]
fn change_after_the_stop_is_refused() {
    let (mut hub, store) = hub();
    hub.process(Timestamp(0), HubRequest::Input(SessionId::SERVER, InputKind::Shutdown));
    hub.publish(Timestamp(0));
    future::block_on(hub.close_sequencer());
    let refused =
        "ERR account not-stored nothing was changed, because it could not be stored: the server is shutting down";
    assert_eq!(shown(&ask(&mut hub, add("ann"))).as_deref(), Some(refused));
    assert!(store.waiting().is_empty() && hub.sessions().state().accounts().is_empty());
}

#[test]
fn server_without_accounts_says_what_it_needs() {
    let mut hub = Hub::new(Sessions::default(), Arc::new(Feed::new(BACKLOG_BYTES_MIN)));
    let off = shown(&ask(&mut hub, add("ann"))).unwrap();
    assert!(off.starts_with("ERR account accounts-off this server has no accounts: "), "{off}");
}
