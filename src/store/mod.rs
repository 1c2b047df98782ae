//! Messages on disk, in one SQLite file. One thread writes it, a second one reads it and a third one searches it, so that the hub never
//! waits for the disk.
//!
//! Messages go in as batches and come out as [`Page`]s of rows. The store knows no wire format and no connection: it imports nothing
//! from `feed`, `room` and `server`, and only values from `protocol` (a test checks that).
//!
//! `file` opens and migrates the file; `writer` commits, evicts and indexes; `query` and `page` read; `words` is the search index of the
//! terms that `terms` makes.

mod clock;
mod file;
#[cfg(test)]
mod layers;
mod log;
mod page;
mod query;
mod queue;
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

pub use self::file::{OpenError, Retention};
pub use self::page::{Evicted, Page, QueryEnd, QueryError, Row};
use self::query::PendingSearch;
pub use self::query::{Query, QueryQueues, StoreQuery};
use self::writer::{CommitGate, Writer};
use crate::protocol::{MessageId, PastMessage, Timestamp, Token};

/// What is to be stored, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// When a message counts as stored.
    pub durability: Durability,
    /// What is kept of it.
    pub keep: Retention,
}

/// The clock that says how old what is stored is.
pub type Now = fn() -> Timestamp;

/// When a message counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: it outlives the machine's failing.
    #[default]
    Full,
    /// When the operating system has it: it outlives the server's failing.
    Relaxed,
}

/// What a file held when it was opened.
#[derive(Debug)]
pub struct StoredState {
    /// What its ids belong to.
    pub epoch: Token,
    /// The id of the newest message, also if it was deleted: no greater id was ever given in this epoch.
    pub last_id: MessageId,
    /// `messages` has no message up to this id: those are deleted, or only in the file.
    pub before: MessageId,
    /// The newest messages, in order and without a gap; one more than were asked for, if there are more.
    pub messages: Vec<PastMessage>,
}

/// What the thread that writes has done.
#[derive(Debug)]
pub enum Report {
    /// It stored all of these messages, or none of them for this reason.
    Committed(Vec<PastMessage>, Result<(), String>),
    /// Evicted all messages up to this id.
    Dropped(MessageId),
}

/// A file that is open, and the threads that write and read it.
#[derive(Debug)]
pub struct Store {
    asks: mpsc::Sender<Job>,
    reports: Receiver<Report>,
    queries: QueryQueues,
    closed: mpsc::Receiver<()>,
    gate: Arc<CommitGate>,
}

/// Fate of a batch that the hub no longer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// It is not stored, and will not be.
    NotStored,
    /// The commit has begun, and may succeed, or has succeeded: if so, [`Store::reports`] says it.
    Unknown,
}

#[derive(Debug)]
enum Job {
    Commit(Vec<PastMessage>),
    /// A search needs words that are not in the index yet.
    Index(PendingSearch),
    Close,
}

impl Store {
    /// Opens the file, or makes it. Its epoch is this one from now on, or the one that it has; a new one gets `made_up`. Looks up
    /// the last `count` messages.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(
        options: &Options,
        epoch: Option<Token>,
        made_up: Token,
        count: usize,
        now: Now,
    ) -> Result<(Self, StoredState), OpenError> {
        let (file, found) = file::open(options, epoch, made_up, count)?;
        let (reader, searcher) = (file.open_to_read()?, file.open_to_read()?);
        let (asks, jobs) = mpsc::channel();
        let (to_hub, reports) = async_channel::unbounded();
        let (to_read, to_be_read) = mpsc::channel();
        let (to_search, to_be_found) = mpsc::channel();
        let (closing, closed) = mpsc::channel();
        let gate = Arc::default();
        let writer = Writer::new(file, options.keep, now, Arc::clone(&gate));
        let writer = writer.map_err(|error| OpenError::Sqlite(options.path.clone(), error))?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name.to_owned()).spawn(run);
        let write = move || {
            writer.run(&jobs, &to_hub);
            // Fails if `Store::close` has stopped waiting.
            let _ = closing.send(());
        };
        spawn("store-writer", Box::new(write)).map_err(OpenError::System)?;
        let read = move || query::read(&reader, to_be_read);
        spawn("store-reader", Box::new(read)).map_err(OpenError::System)?;
        let of_writer = asks.clone();
        let search = move || query::search(searcher, to_be_found, &of_writer);
        spawn("store-searcher", Box::new(search)).map_err(OpenError::System)?;
        let queries = QueryQueues { to_search, to_read };
        Ok((Self { asks, reports, queries, closed, gate }, found))
    }

    /// Stores messages in one transaction; [`Store::reports`] gets the result. Their ids follow that of the newest message, so the
    /// caller must await the result before the next call.
    pub fn commit(&self, messages: Vec<PastMessage>) {
        self.gate.reopen();
        // Fails only if the thread is gone, which ends the server: see `reports`.
        let _ = self.asks.send(Job::Commit(messages));
    }

    /// The reports of the writing thread. Closed after a fault in that thread.
    pub fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }

    /// Prevents all further commits. Used when there is no time left to wait for them.
    pub fn abandon(&self) -> Abandoned {
        self.gate.close()
    }

    /// The queues for queries to the store.
    pub fn queries(&self) -> &QueryQueues {
        &self.queries
    }

    /// Closes the file in good order, unless that takes too long; then the next start puts it in order.
    pub fn close(self, wait_max: Duration) {
        let _ = self.asks.send(Job::Close);
        let _ = self.closed.recv_timeout(wait_max);
    }
}

#[cfg(test)]
pub(crate) mod tests;
