//! The full-text index: which words are in which message. It may be behind what is stored.

use std::collections::BTreeSet;

use rusqlite::{Connection, Rows, Transaction, params};

use super::file::{set_state, state};
use crate::limits::{STORE_INDEX_BEHIND_MAX, STORE_INDEXED_AT_ONCE_BYTES, STORE_INDEXED_AT_ONCE_MAX};
use crate::protocol::EventId;

/// Under which it is noted that the words of all messages up to an id are in the index.
const INDEXED: &str = "indexed";

/// Whether there are messages up to the id `last` whose words are not in the index.
pub(super) fn is_behind(connection: &Connection, last: EventId) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE id > ? AND id <= ?)";
    let after = state(connection, INDEXED)?;
    connection.prepare_cached(sql)?.query_row([after.0, last.0], |row| row.get(0))
}

/// Whether the index is behind what is stored up to the id `last` by so much that it must not fall behind further.
pub(super) fn is_far_behind(connection: &Connection, last: EventId) -> rusqlite::Result<bool> {
    Ok(last.0 > state(connection, INDEXED)?.0 + STORE_INDEX_BEHIND_MAX)
}

/// Puts words into the index that are not yet: those of messages up to the id `last`, or of as many as are indexed at once.
///
/// In one go: with a trigger for each row it takes ten times as long.
pub(super) fn index(transaction: &Transaction<'_>, last: EventId) -> rusqlite::Result<()> {
    let after = state(transaction, INDEXED)?;
    let up_to = part_of(transaction, after, last)?;
    let sql = "INSERT INTO words(rowid, text) SELECT id, text FROM messages WHERE id > ? AND id <= ?";
    transaction.prepare_cached(sql)?.execute([after.0, up_to.0])?;
    set_state(transaction, INDEXED, up_to)
}

/// The id up to which messages after one id and up to another are indexed at once.
fn part_of(transaction: &Transaction<'_>, after: EventId, last: EventId) -> rusqlite::Result<EventId> {
    let sql = "SELECT id, octet_length(text) FROM messages WHERE id > ? AND id <= ? ORDER BY id";
    let mut rows = transaction.prepare_cached(sql)?;
    let mut rows = rows.query([after.0, last.0])?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        bytes += row.get::<_, u64>(1)?;
        if count == STORE_INDEXED_AT_ONCE_MAX || bytes >= STORE_INDEXED_AT_ONCE_BYTES {
            return row.get(0).map(EventId);
        }
    }
    Ok(last)
}

/// Takes the words of messages out of the index that are to be deleted: of these, as far as it goes.
pub(super) fn remove(transaction: &Transaction<'_>, first: EventId, last: EventId) -> rusqlite::Result<()> {
    let indexed = state(transaction, INDEXED)?;
    let sql = "INSERT INTO words(words, rowid, text) SELECT 'delete', id, text FROM messages WHERE id BETWEEN ? AND ?";
    transaction.prepare_cached(sql)?.execute([first.0, last.min(indexed).0])?;
    // Others may get ids of theirs.
    if last >= indexed {
        set_state(transaction, INDEXED, EventId(indexed.0.min(first.0.saturating_sub(1))))
    } else {
        Ok(())
    }
}

/// Finds the messages up to the id `until` that have all these words: so many, the newest first.
pub(super) fn find<T>(
    connection: &Connection,
    words: &str,
    until: EventId,
    count_max: u64,
    take: impl FnOnce(Rows<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let sql = "SELECT m.id, m.time, m.name, m.text FROM words JOIN messages m ON m.id = words.rowid \
               WHERE words MATCH ? AND words.rowid <= ? ORDER BY words.rowid DESC LIMIT ?";
    take(connection.prepare_cached(sql)?.query(params![quoted(words), until.0, count_max])?)
}

/// Words as they are, none of them an operator of FTS5's (<https://sqlite.org/fts5.html>, 3.1); each once, for each takes time.
fn quoted(words: &str) -> String {
    let words: BTreeSet<_> = words.split_whitespace().map(str::to_lowercase).collect();
    words.iter().map(|word| format!("\"{}\" ", word.replace('"', "\"\""))).collect()
}
