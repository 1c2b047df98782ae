//! Commits what is said, indexes its words when there is time, and lets go of what is too much. A thread of its own: how long the
//! disk takes is nobody else's business.

use std::sync::mpsc;
use std::time::Duration;

use async_channel::Sender;
use rusqlite::{Transaction, params};

use super::file::{StoreFile, set_state};
use super::{Batch, Job, Keep, Now, Report, Search, words};
use crate::limits::{
    STORE_BATCH_INDEXED_BYTES, STORE_BATCH_INDEXED_MAX, STORE_INDEX_MS, STORE_PRUNE_MS, STORE_PRUNED_AT_ONCE_MAX,
};
use crate::protocol::{EventId, Past, Timestamp};

/// The one who writes.
pub(super) struct Writer {
    file: StoreFile,
    keep: Keep,
    now: Now,
    /// The last message that is stored, and how many are.
    stored: EventId,
    count: u64,
    /// Those who wait for words to be indexed.
    searches: Vec<Search>,
}

/// What is left to do while nobody asks for anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// It is to be done now, a part of it between any two jobs.
    Urgent,
    /// It can wait until nobody has asked for anything for a while.
    Some,
    /// Nothing is; or it failed, and is tried again later.
    Nothing,
}

impl Writer {
    pub(super) fn new(file: StoreFile, keep: Keep, now: Now) -> rusqlite::Result<Self> {
        let stored = file.connection.query_row("SELECT ifnull(max(id), 0) FROM messages", [], |row| row.get(0))?;
        let count = if let Keep::Count(_) = keep {
            file.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?
        } else {
            0
        };
        Ok(Self { file, keep, now, stored: EventId(stored), count, searches: Vec::new() })
    }

    /// Carries out jobs until it is told to close, or nobody can ask any more.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>, to_hub: &Sender<Report>) {
        let mut left = Left::Urgent;
        loop {
            let pause_ms = match left {
                Left::Urgent => 0,
                Left::Some => STORE_INDEX_MS,
                Left::Nothing => STORE_PRUNE_MS,
            };
            let mut committed = 0;
            match jobs.recv_timeout(Duration::from_millis(pause_ms)) {
                Ok(Job::Commit(batch)) => {
                    let result = self.commit(&batch).map_err(|error| error.to_string());
                    committed = batch.messages.len();
                    if to_hub.send_blocking(Report::Committed(batch, result)).is_err() {
                        return;
                    }
                }
                Ok(Job::Index(search)) => self.searches.push(search),
                Ok(Job::Close(last_id)) => return self.close(last_id),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            let pruned = self.prune(2 * committed as u64, to_hub);
            let indexed = self.index(committed <= STORE_BATCH_INDEXED_MAX);
            left = pruned.unwrap_or(Left::Nothing).min(indexed.unwrap_or(Left::Nothing));
        }
    }

    fn commit(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let bytes: usize = batch.messages.iter().map(|past| past.text.as_str().len()).sum();
        let with_words = batch.messages.len() <= STORE_BATCH_INDEXED_MAX
            && bytes <= STORE_BATCH_INDEXED_BYTES
            && !words::is_behind(&self.file.connection, self.stored).unwrap_or_default();
        let transaction = self.file.connection.transaction()?;
        let undone = match batch.instead_of {
            Some(first) => delete(&transaction, first, EventId(i64::MAX.unsigned_abs()))?,
            None => 0,
        };
        insert(&transaction, &batch.messages)?;
        let stored = batch.messages.last().map_or(self.stored, |past| past.id);
        if with_words {
            words::index(&transaction, stored)?;
        }
        set_state(&transaction, "ids_up_to", batch.ids_up_to)?;
        transaction.commit()?;
        self.stored = stored;
        self.count = (self.count + batch.messages.len() as u64).saturating_sub(undone);
        Ok(())
    }

    /// Indexes some words, if there is time for it or it has to be, and says what is left of it.
    fn index(&mut self, has_time: bool) -> rusqlite::Result<Left> {
        self.searches.retain(Search::is_awaited);
        let left = self.index_some(has_time);
        match &left {
            Ok(Left::Nothing) => self.searches.drain(..).for_each(Search::go_on),
            Ok(_) => {}
            Err(error) => self.searches.drain(..).for_each(|search| search.fail(error)),
        }
        left
    }

    fn index_some(&self, has_time: bool) -> rusqlite::Result<Left> {
        let connection = &self.file.connection;
        // Others who write into the file may have put something in between.
        let last = self.searches.iter().map(Search::until).fold(self.stored, EventId::max);
        if !words::is_behind(connection, last)? {
            return Ok(Left::Nothing);
        }
        if !has_time && self.searches.is_empty() && !words::is_far_behind(connection, last)? {
            return Ok(Left::Some);
        }
        let transaction = connection.unchecked_transaction()?;
        words::index(&transaction, last)?;
        transaction.commit()?;
        Ok(if words::is_behind(connection, last)? { Left::Urgent } else { Left::Nothing })
    }

    /// Lets go of some of what is too much, at least so much of it, and says so; says what is left of it.
    fn prune(&mut self, at_least: u64, to_hub: &Sender<Report>) -> rusqlite::Result<Left> {
        if self.keep == Keep::All {
            return Ok(Left::Nothing);
        }
        let transaction = self.file.connection.transaction()?;
        let at_once = at_least.max(STORE_PRUNED_AT_ONCE_MAX);
        let Some(last) = too_old(&transaction, self.keep, self.now, self.count, at_once)? else {
            return Ok(Left::Nothing);
        };
        let count = delete(&transaction, EventId(0), EventId(last))?;
        if count == 0 {
            return Ok(Left::Nothing);
        }
        set_state(&transaction, "dropped", EventId(last))?;
        transaction.commit()?;
        self.count = self.count.saturating_sub(count);
        let _ = to_hub.send_blocking(Report::Dropped(EventId(last)));
        self.file.connection.execute_batch("PRAGMA incremental_vacuum")?;
        Ok(Left::Urgent)
    }

    fn close(self, last_id: EventId) {
        // If it fails, ids that were set aside are not given any more; nothing else.
        let _ = set_state(&self.file.connection, "ids_up_to", last_id);
        let _ = self.file.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

fn insert(transaction: &Transaction<'_>, messages: &[Past]) -> rusqlite::Result<()> {
    let Some(first) = messages.first() else { return Ok(()) };
    let mut row = transaction.prepare_cached("INSERT INTO messages VALUES (?, ?, ?, ?)")?;
    // Most of those that are stored at once were said at once.
    let (mut at, mut time) = (first.at, first.at.to_string());
    for past in messages {
        if past.at != at {
            (at, time) = (past.at, past.at.to_string());
        }
        row.execute(params![past.id.0, time, past.name.as_str(), past.text.as_str()])?;
    }
    Ok(())
}

/// Deletes what has these ids, and says how many there were.
fn delete(transaction: &Transaction<'_>, first: EventId, last: EventId) -> rusqlite::Result<u64> {
    words::remove(transaction, first, last)?;
    let sql = "DELETE FROM messages WHERE id BETWEEN ? AND ?";
    transaction.prepare_cached(sql)?.execute([first.0, last.0]).map(|count| count as u64)
}

/// The last id of those to let go of now, where `count` are stored: a part of what is too much, so that nobody waits long.
fn too_old(
    transaction: &Transaction<'_>,
    keep: Keep,
    now: Now,
    count: u64,
    at_once: u64,
) -> rusqlite::Result<Option<u64>> {
    let nth_oldest = |nth: u64| {
        let id = transaction.query_row("SELECT id FROM messages ORDER BY id LIMIT 1 OFFSET ?", [nth], |row| row.get(0));
        rusqlite::OptionalExtension::optional(id)
    };
    Ok(match keep {
        Keep::All => None,
        Keep::Count(kept) => match count.saturating_sub(kept).min(at_once) {
            0 => None,
            surplus => nth_oldest(surplus - 1)?,
        },
        Keep::Age(age) => {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            let oldest = Timestamp(now().0.saturating_sub(age)).to_string();
            let part = nth_oldest(at_once - 1)?.unwrap_or(u64::MAX >> 1);
            // Times go up with the ids, but for a clock that was set back.
            let sql = "SELECT max(id) FROM messages WHERE id <= ? AND time < ?";
            transaction.query_row(sql, params![part, oldest], |row| row.get(0))?
        }
        Keep::Bytes(bytes) => {
            let pragma = |name: &str| transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
            let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
            // They may be few and long; half of them are left.
            let sql = "SELECT count(*) FROM (SELECT 1 FROM messages LIMIT ?)";
            let count: u64 = transaction.query_row(sql, [2 * at_once], |row| row.get(0))?;
            if used > bytes { nth_oldest((count / 2).saturating_sub(1))? } else { None }
        }
    })
}
