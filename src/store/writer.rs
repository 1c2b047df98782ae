//! Commits what is said, indexes its words when there is time, and lets go of what is too much. A thread of its own: how long the disk takes is nobody else's business.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_channel::Sender;
use rusqlite::{Connection, Transaction, params};

use super::file::StoreFile;
use super::{Batch, Job, Keep, Now, Recall, Report, words};
use crate::limits::{STORE_BATCH_INDEXED_MAX, STORE_INDEX_MS, STORE_PRUNE_MS, STORE_PRUNED_AT_ONCE_MAX};
use crate::protocol::{EventId, Past, Timestamp};

/// The one who writes.
pub(super) struct Writer {
    file: StoreFile,
    keep: Keep,
    now: Now,
    /// The last message that is stored.
    stored: EventId,
    /// Those who wait for words to be indexed.
    searches: Vec<Arc<Recall>>,
}

impl Writer {
    pub(super) fn new(file: StoreFile, keep: Keep, now: Now) -> rusqlite::Result<Self> {
        let stored = file.connection.query_row("SELECT ifnull(max(id), 0) FROM messages", [], |row| row.get(0))?;
        Ok(Self { file, keep, now, stored: EventId(stored), searches: Vec::new() })
    }

    /// Carries out jobs until it is told to close, or nobody can ask any more.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>, to_hub: &Sender<Report>) {
        let mut has_time = true;
        loop {
            let pause_ms = match self.is_behind() {
                true if has_time || !self.searches.is_empty() => 0,
                true => STORE_INDEX_MS,
                false => STORE_PRUNE_MS,
            };
            has_time = match jobs.recv_timeout(Duration::from_millis(pause_ms)) {
                Ok(Job::Commit(batch)) => {
                    let result = self.commit(&batch).map_err(|error| error.to_string());
                    let is_small = batch.messages.len() <= STORE_BATCH_INDEXED_MAX;
                    if to_hub.send_blocking(Report::Committed(batch, result)).is_err() {
                        return;
                    }
                    is_small
                }
                Ok(Job::Search(recall)) => {
                    self.searches.push(recall);
                    true
                }
                Ok(Job::Close(last_id)) => {
                    // If it fails, ids that were set aside are not given any more; nothing else.
                    let _ = set(&self.file.connection, "ids_up_to", last_id);
                    let _ = self.file.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
                    return;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => true,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            // Tried again at the next turn if it fails.
            if let Ok(Some(id)) = self.prune() {
                let _ = to_hub.send_blocking(Report::Dropped(id));
            }
            if has_time || !self.searches.is_empty() {
                has_time = self.catch_up();
            }
        }
    }

    fn commit(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let with_words = batch.messages.len() <= STORE_BATCH_INDEXED_MAX && !self.is_behind();
        let transaction = self.file.connection.transaction()?;
        if let Some(first) = batch.instead_of {
            delete(&transaction, first, EventId(i64::MAX.unsigned_abs()))?;
        }
        insert(&transaction, &batch.messages)?;
        let stored = batch.messages.last().map_or(self.stored, |past| past.id);
        if with_words {
            words::index(&transaction, stored)?;
        }
        set(&transaction, "ids_up_to", batch.ids_up_to)?;
        transaction.commit()?;
        self.stored = stored;
        Ok(())
    }

    /// Whether there are words to index.
    fn is_behind(&self) -> bool {
        words::is_behind(&self.file.connection, self.stored).unwrap_or_default()
    }

    /// Indexes words, and has them looked for if these were all; whether that went well.
    fn catch_up(&mut self) -> bool {
        let index = || {
            let transaction = self.file.connection.unchecked_transaction()?;
            words::index(&transaction, self.stored)?;
            transaction.commit()
        };
        let result = if self.is_behind() { index() } else { Ok(()) };
        if let Err(error) = &result {
            self.searches.drain(..).for_each(|search| search.fail(error));
        } else if !self.is_behind() {
            self.searches.drain(..).for_each(Recall::look_again);
        }
        result.is_ok()
    }

    /// Lets go of some of what is too much; returns the id of the newest that is gone, if any is.
    fn prune(&mut self) -> rusqlite::Result<Option<EventId>> {
        if self.keep == Keep::All {
            return Ok(None);
        }
        let transaction = self.file.connection.transaction()?;
        let Some(last) = too_old(&transaction, self.keep, self.now)? else { return Ok(None) };
        if delete(&transaction, EventId(0), EventId(last))? == 0 {
            return Ok(None);
        }
        set(&transaction, "dropped", EventId(last))?;
        transaction.commit()?;
        self.file.connection.execute_batch("PRAGMA incremental_vacuum")?;
        Ok(Some(EventId(last)))
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
fn delete(transaction: &Transaction<'_>, first: EventId, last: EventId) -> rusqlite::Result<usize> {
    words::remove(transaction, first, last)?;
    transaction.prepare_cached("DELETE FROM messages WHERE id BETWEEN ? AND ?")?.execute([first.0, last.0])
}

/// The last id of those to let go of now: a part of what is too much, so that nobody waits long.
fn too_old(transaction: &Transaction<'_>, keep: Keep, now: Now) -> rusqlite::Result<Option<u64>> {
    let nth_oldest = |nth: u64| {
        let id = transaction.query_row("SELECT id FROM messages ORDER BY id LIMIT 1 OFFSET ?", [nth], |row| row.get(0));
        rusqlite::OptionalExtension::optional(id)
    };
    let part = nth_oldest(STORE_PRUNED_AT_ONCE_MAX - 1)?.unwrap_or(u64::MAX >> 1);
    Ok(match keep {
        Keep::All => None,
        Keep::Count(count) => {
            let sql = "SELECT id FROM messages ORDER BY id DESC LIMIT 1 OFFSET ?";
            let surplus = transaction.query_row(sql, [count], |row| row.get(0));
            rusqlite::OptionalExtension::optional(surplus)?.map(|last: u64| last.min(part))
        }
        Keep::Age(age) => {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            let oldest = Timestamp(now().0.saturating_sub(age)).to_string();
            // Times go up with the ids, but for a clock that was set back.
            let sql = "SELECT max(id) FROM messages WHERE id <= ? AND time < ?";
            transaction.query_row(sql, params![part, oldest], |row| row.get(0))?
        }
        Keep::Bytes(bytes) => {
            let pragma = |name: &str| transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
            let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
            // They may be few and long; half of them are left.
            let sql = "SELECT count(*) FROM (SELECT 1 FROM messages LIMIT ?)";
            let count: u64 = transaction.query_row(sql, [2 * STORE_PRUNED_AT_ONCE_MAX], |row| row.get(0))?;
            if used > bytes { nth_oldest((count / 2).saturating_sub(1))? } else { None }
        }
    })
}

fn set(connection: &Connection, key: &str, value: EventId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE state SET value = ? WHERE key = ?")?.execute(params![value.0, key])?;
    Ok(())
}
