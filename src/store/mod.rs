//! Messages and accounts on disk, in one SQLite file. One thread writes the file, one reads it and one searches it, so that the hub never waits for
//! the disk.
//!
//! Messages of all rooms go in as batches, and come out as [`Page`]s of rows, each of one room. The store knows no wire format and no connection: it imports nothing
//! from `feed`, `room` and `server`, and only values from `protocol` (a test checks that).
//!
//! `file` opens and migrates the file; `rooms` is the directory of the rooms; `audit` has the audit log; `accounts` has the accounts, also of a file that no server uses (`account_file`); `deletion` removes the texts of deleted messages, which `hidden` keeps from readers before that is committed; `writer` commits, evicts and indexes; `query` and `page` read; `words` is the search index, with
//! terms from `terms`; `clock` and `clock_notes` decide whether messages may be deleted by age.

mod account_file;
mod accounts;
mod audit;
mod clock;
mod clock_notes;
mod deletion;
mod file;
mod hidden;
#[cfg(test)]
mod layers;
mod log;
mod moderation;
mod open_error;
mod page;
mod query;
mod queue;
mod rooms;
mod schema;
mod store_path;
mod terms;
mod wal;
mod words;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use async_channel::Receiver;

pub use self::account_file::AccountTables;
pub use self::accounts::{AccountRecord, AccountWrite, StoredAccounts, TokenRecord};
use self::audit::AuditReader;
pub use self::file::{Retention, check};
pub use self::hidden::HiddenMessages;
pub use self::open_error::OpenError;
pub use self::page::{EvictedRange, Page, QueryEnd, QueryError, Row};
use self::query::PendingSearch;
pub use self::query::{Query, QueryQueues, StoreQuery};
pub use self::rooms::{NewRoom, RoomRecord};
pub use self::store_path::file_bytes;
use self::writer::{CommitGate, StoreWriter};
use crate::protocol::{
    AccountId, AuditNumber, AuditRecord, MessageId, ModerationRecord, OwnDeletion, PastMessage, RoomId, RoomRules,
    Sanction, Text, Timestamp, Token,
};

/// Where and how to store messages.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path of the file.
    pub path: PathBuf,
    /// When a message counts as stored.
    pub durability: Durability,
    /// Which messages to keep.
    pub keep: Retention,
}

/// Reads the wall clock, by which the age of messages is judged.
pub type Now = fn() -> Timestamp;

/// When a message counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: it survives a crash of the machine.
    #[default]
    Full,
    /// When the operating system has it: it survives a crash of the server.
    Relaxed,
}

/// The contents of a file when it was opened: the first room, and the directory of the others.
#[derive(Debug)]
pub struct StoredState {
    /// The epoch of the first room's ids.
    pub epoch: Token,
    /// The id of its newest message, even if it was deleted: no greater id was ever given in this epoch.
    pub last_id: MessageId,
    /// The id of its oldest message in the file. `None`: the file has none.
    pub oldest_id: Option<MessageId>,
    /// `messages` has no message up to this id: these are evicted, or only in the file.
    pub before: MessageId,
    /// Its newest messages, in order and without a gap; one more than the caller asked for, if there are more.
    pub messages: Vec<StoredMessage>,
    /// Its topic.
    pub topic: Option<Text>,
    /// Its owner and its moderators, and who may enter it.
    pub rules: RoomRules,
    /// The other rooms, in the order of their numbers.
    pub rooms: Vec<RoomRecord>,
    /// The room with the highest number in the file: new rooms get higher ones.
    pub last_room: RoomId,
    /// The accounts.
    pub accounts: StoredAccounts,
    /// The bans and mutes, by number.
    pub sanctions: Vec<Sanction>,
}

/// Changes that are stored in one transaction: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The rooms of these messages and topics that are not in the file yet.
    pub rooms: Vec<NewRoom>,
    /// Rooms that no longer exist. The file keeps those that have a message or a topic.
    pub removed_rooms: Vec<RoomId>,
    /// Messages. Within each room, in the order of their ids, which follow that of the room's newest stored message.
    pub messages: Vec<(RoomId, StoredMessage)>,
    /// Topics, in the order in which they were set. `None`: the topic was cleared.
    pub topics: Vec<(RoomId, Option<Text>)>,
    /// Changes of the accounts, in order.
    pub accounts: Vec<AccountWrite>,
    /// Records of moderation, in order.
    pub moderation: Vec<ModerationRecord>,
    /// Deletions of messages by their authors.
    pub own_deletions: Vec<OwnDeletion>,
    /// The entries of the audit log that say who has made these changes.
    pub audit: Vec<AuditRecord>,
}

/// A message, with what proves whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message.
    pub past: PastMessage,
    /// The account of its author. `None`: the author was a guest.
    pub account: Option<AccountId>,
}

/// A report of the writing thread.
#[derive(Debug)]
pub enum Report {
    /// The thread has stored this batch, or nothing of it, for this reason. Each of its `own_deletions` was carried out or (false) found
    /// that the message is not its author's.
    Committed(Batch, Result<Vec<bool>, CommitFailure>),
    /// The thread has evicted the messages of these rooms up to these ids.
    Evicted(Vec<(RoomId, MessageId)>),
}

/// Why a batch was not committed.
#[derive(Debug, PartialEq, Eq)]
pub struct CommitFailure {
    /// The authors of the messages read it.
    pub reason: String,
    /// False if the store has logged the cause itself, or if the server is shutting down.
    pub should_log: bool,
}

/// An open file, with the threads that write, read and search it.
#[derive(Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    reports: Receiver<Report>,
    queries: QueryQueues,
    closed: mpsc::Receiver<()>,
    gate: Arc<CommitGate>,
    last_audit: AuditNumber,
}

/// The fate of a batch for which the hub no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFate {
    /// The batch is not stored, and will not be.
    NotStored,
    /// The commit has begun, and may succeed or have succeeded: then [`Store::reports`] reports it.
    Unknown,
}

#[derive(Debug)]
enum Job {
    Commit(Batch),
    /// A search needs words that are not in the index yet.
    Index(PendingSearch),
    Close,
}

impl Store {
    /// Opens the file, or creates it. The epoch of the first room is `epoch` or, if that is `None`, the file's own; a new file gets
    /// `new_epoch`. Loads the last `count` messages of the first room. All rooms whose ids may be given again get `new_epoch`.
    ///
    /// # Errors
    /// The reason why the file cannot be used.
    pub fn open(
        options: &Options,
        epoch: Option<Token>,
        new_epoch: Token,
        count: usize,
        now: Now,
    ) -> Result<(Self, StoredState), OpenError> {
        let (file, state) = file::open(options, epoch, new_epoch, count)?;
        let (reader, searcher) = (file.open_to_read()?, file.open_to_read()?);
        let audit = AuditReader::new(file.open_to_read()?);
        let (audit, last_audit) = audit.map_err(|error| OpenError::from_sqlite(&options.path, error))?;
        let (jobs, job_queue) = mpsc::channel();
        let (to_hub, reports) = async_channel::unbounded();
        let (to_read, read_requests) = mpsc::channel();
        let (to_search, search_requests) = mpsc::channel();
        let (closing, closed) = mpsc::channel();
        let gate = Arc::default();
        let writer = StoreWriter::new(file, options.keep, now, Arc::clone(&gate));
        let writer = writer.map_err(|error| OpenError::Sqlite(options.path.clone(), error))?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name.to_owned()).spawn(run);
        let write = move || {
            writer.run(&job_queue, &to_hub);
            // Fails if `Store::close` has stopped waiting.
            let _ = closing.send(());
        };
        spawn("store-writer", Box::new(write)).map_err(OpenError::System)?;
        let read = move || query::read(&reader, read_requests);
        spawn("store-reader", Box::new(read)).map_err(OpenError::System)?;
        let to_writer = jobs.clone();
        let search = move || query::search(searcher, search_requests, &to_writer);
        spawn("store-searcher", Box::new(search)).map_err(OpenError::System)?;
        let queries = QueryQueues { to_search, to_read, hidden: HiddenMessages::default(), audit: Arc::new(audit) };
        Ok((Self { jobs, reports, queries, closed, gate, last_audit }, state))
    }

    /// Stores a batch in one transaction; [`Store::reports`] gets the result. The caller must await it before the next call: the next
    /// ids, and whether a room is new, follow from it.
    pub fn commit(&self, batch: Batch) {
        self.gate.reopen();
        // Fails only if the thread is gone, which ends the server: see `reports`.
        let _ = self.jobs.send(Job::Commit(batch));
    }

    /// The highest number of an entry of the audit log when the file was opened.
    pub fn last_audit(&self) -> AuditNumber {
        self.last_audit
    }

    /// The reports of the writing thread. Closed after a fault in that thread.
    pub fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }

    /// Prevents all further commits. Called at shutdown, when the time to wait for them is over.
    pub fn stop_commits(&self) -> CommitFate {
        self.gate.close()
    }

    /// The deleted messages that queries must not show.
    pub fn hidden(&self) -> &HiddenMessages {
        &self.queries.hidden
    }

    /// The queues for queries to the store, and its audit log.
    pub fn queries(&self) -> &QueryQueues {
        &self.queries
    }

    /// Closes the file. After `wait_max`, returns before the file is closed; the next start recovers it.
    pub fn close(self, wait_max: Duration) {
        self.queries.audit.close();
        let _ = self.jobs.send(Job::Close);
        let _ = self.closed.recv_timeout(wait_max);
    }
}

#[cfg(test)]
pub(crate) mod tests;
