//! Commits what is said, and lets go of what is too much. A thread of its own: how long the disk takes is nobody else's business.

use std::sync::mpsc;
use std::time::Duration;

use async_channel::Sender;
use rusqlite::{Connection, Transaction, params};

use super::file::StoreFile;
use super::{Batch, Committed, Job, Keep, Now};
use crate::limits::{STORE_PRUNE_MS, STORE_PRUNED_AT_ONCE_MAX};
use crate::protocol::{EventId, Past, Timestamp};

/// The one who writes.
pub(super) struct Writer {
    file: StoreFile,
    keep: Keep,
    now: Now,
}

impl Writer {
    pub(super) fn new(file: StoreFile, keep: Keep, now: Now) -> Self {
        Self { file, keep, now }
    }

    /// Carries out jobs until it is told to close, or nobody can ask any more.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>, to_hub: &Sender<Committed>) {
        let mut dropped = EventId::default();
        loop {
            match jobs.recv_timeout(Duration::from_millis(STORE_PRUNE_MS)) {
                Ok(Job::Commit(batch)) => {
                    let result = self.commit(&batch).map_err(|error| error.to_string());
                    if to_hub.send_blocking(Committed { batch, result, dropped }).is_err() {
                        return;
                    }
                }
                Ok(Job::Close(last_id)) => {
                    // If it fails, ids that were set aside are not given any more; nothing else.
                    let _ = set(&self.file.connection, "ids_up_to", last_id);
                    let _ = self.file.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
                    return;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            // Tried again at the next turn if it fails.
            if let Ok(Some(id)) = self.prune() {
                dropped = id;
            }
        }
    }

    fn commit(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.file.connection.transaction()?;
        if let Some(first) = batch.instead_of {
            delete(&transaction, first.0, i64::MAX.unsigned_abs())?;
        }
        insert(&transaction, &batch.messages)?;
        set(&transaction, "ids_up_to", batch.ids_up_to)?;
        transaction.commit()
    }

    /// Lets go of some of what is too much; returns the id of the newest that is gone, if any is.
    fn prune(&mut self) -> rusqlite::Result<Option<EventId>> {
        if self.keep == Keep::All {
            return Ok(None);
        }
        let transaction = self.file.connection.transaction()?;
        let Some(last) = too_old(&transaction, self.keep, self.now)? else { return Ok(None) };
        if delete(&transaction, 0, last)? == 0 {
            return Ok(None);
        }
        set(&transaction, "dropped", EventId(last))?;
        transaction.commit()?;
        self.file.connection.execute_batch("PRAGMA incremental_vacuum")?;
        Ok(Some(EventId(last)))
    }
}

/// The index of the words is written in one go: with a trigger for each row that takes ten times as long.
fn insert(transaction: &Transaction<'_>, messages: &[Past]) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
    let mut row = transaction.prepare_cached("INSERT INTO messages VALUES (?, ?, ?, ?)")?;
    // Most of those that are stored at once were said at once.
    let (mut at, mut time) = (first.at, first.at.to_string());
    for past in messages {
        if past.at != at {
            (at, time) = (past.at, past.at.to_string());
        }
        row.execute(params![past.id.0, time, past.name.as_str(), past.text.as_str()])?;
    }
    let sql = "INSERT INTO words(rowid, text) SELECT id, text FROM messages WHERE id BETWEEN ? AND ?";
    transaction.prepare_cached(sql)?.execute([first.id.0, last.id.0])?;
    Ok(())
}

/// Deletes what has these ids, and says how many there were.
fn delete(transaction: &Transaction<'_>, first: u64, last: u64) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO words(words, rowid, text) SELECT 'delete', id, text FROM messages WHERE id BETWEEN ? AND ?";
    transaction.prepare_cached(sql)?.execute([first, last])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id BETWEEN ? AND ?")?.execute([first, last])
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
