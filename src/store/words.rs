//! The full-text index: which messages contain which terms. It may lag behind the messages.
//!
//! Each room has terms of its own (`RoomPrefix`), so that a search does not read the matches of other rooms.
//!
//! The terms are made here and not by SQLite, so that a search finds what `protocol.md` promises; SQLite only splits them at
//! their spaces. The index holds no texts: to remove a message, its terms are computed again. If a new version computes other
//! terms, the index is emptied and filled again.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension as _, Rows, Transaction, params};

use super::schema::{Seq, key_of, read_state, set_state};
use super::terms::{RoomPrefix, WordQuery, message_terms, rules_version};
use crate::limits::{STORE_INDEX_BEHIND_MAX, STORE_INDEXED_AT_ONCE_BYTES, STORE_INDEXED_AT_ONCE_MAX};
use crate::protocol::{MessageId, RoomId};

/// State key: the terms of all messages up to this `seq` are in the index.
pub(super) const INDEXED: &str = "indexed";

/// State key: the version of the rules for the terms in the index.
const RULES: &str = "word_rules";

/// Prepares the writing connection: defines `index_terms` in SQL, and empties the index if its terms follow other rules.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    define_terms(connection)?;
    if has_our_rules(connection)? {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO words(words) VALUES ('delete-all')", [])?;
    set_state(&transaction, INDEXED, Seq(0))?;
    transaction.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", params![RULES, rules_version()])?;
    transaction.commit()
}

/// Defines `index_terms` in SQL.
pub(super) fn define_terms(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("index_terms", 2, flags, |arguments| {
        let (room, text) = (RoomPrefix::new(arguments.get(0)?), arguments.get_raw(1).as_str().unwrap_or_default());
        Ok(message_terms(&room, text))
    })
}

/// Whether the terms in the index follow the rules of this version.
pub(super) fn has_our_rules(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT value FROM state WHERE key = ?";
    let rules: Option<String> = connection.query_row(sql, [RULES], |row| row.get(0)).optional()?;
    Ok(rules.as_deref() == Some(&rules_version()))
}

/// The `seq` of the last message whose terms are in the index.
pub(super) fn indexed(connection: &Connection) -> rusqlite::Result<Seq> {
    read_state(connection, INDEXED)
}

/// The `seq` of the message with this id in the room or, if it is deleted, of the room's last one before it.
pub(super) fn seq_of(connection: &Connection, room: RoomId, id: MessageId) -> rusqlite::Result<Seq> {
    let sql = "SELECT seq FROM messages WHERE room = ? AND id <= ? ORDER BY id DESC LIMIT 1";
    let mut row = connection.prepare_cached(sql)?;
    let seq = row.query_row(params![key_of(room), id.0], |row| row.get(0).map(Seq)).optional()?;
    Ok(seq.unwrap_or_default())
}

/// Whether there are messages up to `last` whose terms are not in the index.
pub(super) fn index_lags(connection: &Connection, last: Seq) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE seq > ? AND seq <= ?)";
    let after = read_state(connection, INDEXED)?;
    connection.prepare_cached(sql)?.query_row([after.0, last.0], |row| row.get(0))
}

/// Whether the index lags by more than [`STORE_INDEX_BEHIND_MAX`] messages behind `last`, and must not lag further.
pub(super) fn index_lags_far(connection: &Connection, last: Seq) -> rusqlite::Result<bool> {
    Ok(last.0 > read_state(connection, INDEXED)?.0 + STORE_INDEX_BEHIND_MAX)
}

/// Indexes messages that are not indexed yet, up to `last` or the limit for one step.
///
/// One statement: with a trigger for each row it takes ten times as long.
pub(super) fn index_messages(transaction: &Transaction<'_>, last: Seq) -> rusqlite::Result<()> {
    let after = read_state(transaction, INDEXED)?;
    let up_to = next_step_end(transaction, after, last)?;
    let sql = "INSERT INTO words(rowid, terms) SELECT seq, index_terms(room, text) FROM messages \
         WHERE seq > ? AND seq <= ? AND text <> ''";
    transaction.prepare_cached(sql)?.execute([after.0, up_to.0])?;
    set_state(transaction, INDEXED, up_to)
}

/// The last message of the next step of indexing, which has messages after `after` and up to `last`.
fn next_step_end(transaction: &Transaction<'_>, after: Seq, last: Seq) -> rusqlite::Result<Seq> {
    let sql = "SELECT seq, octet_length(text) FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq";
    let mut rows = transaction.prepare_cached(sql)?;
    let mut rows = rows.query([after.0, last.0])?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        bytes += row.get::<_, u64>(1)?;
        if count == STORE_INDEXED_AT_ONCE_MAX || bytes >= STORE_INDEXED_AT_ONCE_BYTES {
            return row.get(0).map(Seq);
        }
    }
    Ok(last)
}

/// Removes the terms of the messages up to `last` from the index, as far as they are in it, before the messages are deleted.
pub(super) fn remove(transaction: &Transaction<'_>, last: Seq) -> rusqlite::Result<()> {
    let indexed = read_state(transaction, INDEXED)?;
    let sql = "INSERT INTO words(words, rowid, terms) \
               SELECT 'delete', seq, index_terms(room, text) FROM messages WHERE seq <= ? AND text <> ''";
    transaction.prepare_cached(sql)?.execute([last.min(indexed).0])?;
    Ok(())
}

/// Removes the terms of one message from the index, if they are in it, before its text is removed. Until [`end_secure_removal`], the index
/// overwrites what it removes (<https://sqlite.org/fts5.html>, 6.13); otherwise it would only add a note that the terms are gone.
pub(super) fn remove_one(transaction: &Transaction<'_>, seq: Seq) -> rusqlite::Result<()> {
    if seq > read_state(transaction, INDEXED)? {
        return Ok(());
    }
    set_secure_removal(transaction, true)?;
    let sql = "INSERT INTO words(words, rowid, terms) \
               SELECT 'delete', seq, index_terms(room, text) FROM messages WHERE seq = ?";
    transaction.prepare_cached(sql)?.execute([seq.0]).map(drop)
}

/// Lets the index remove terms fast again, once [`remove_one`] is committed.
pub(super) fn end_secure_removal(connection: &Connection) -> rusqlite::Result<()> {
    set_secure_removal(connection, false)
}

fn set_secure_removal(connection: &Connection, is_secure: bool) -> rusqlite::Result<()> {
    let sql = "INSERT INTO words(words, rank) VALUES ('secure-delete', ?)";
    connection.prepare_cached(sql)?.execute([is_secure]).map(drop)
}

/// Passes the messages of the room up to the id `until` that have all terms of the query, the newest first, to `visit`. They are candidates:
/// [`WordQuery::accepts`] decides.
pub(super) fn find<T>(
    connection: &Connection,
    room: RoomId,
    query: &WordQuery,
    until: MessageId,
    visit: impl FnOnce(Rows<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let sql = "SELECT m.id, m.time, m.name, m.text FROM words JOIN messages m ON m.seq = words.rowid \
               WHERE words MATCH ? AND words.rowid <= ? AND m.room = ? ORDER BY words.rowid DESC";
    // Terms hold letters, digits, marks and the degree sign of the prefix only: quoted, none of them is an operator of FTS5's
    // (<https://sqlite.org/fts5.html>, 3.1).
    let prefix = RoomPrefix::new(key_of(room));
    let terms: String = query.terms().map(|term| format!("\"{prefix}{term}\" ")).collect();
    visit(connection.prepare_cached(sql)?.query(params![terms, seq_of(connection, room, until)?.0, key_of(room)])?)
}
