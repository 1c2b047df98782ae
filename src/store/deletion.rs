//! Removes the texts of deleted messages from the file: from the table `messages`, the index and the write-ahead log. The rows stay, with
//! an empty text.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::file::SECURE_DELETE;
use super::schema::{Seq, key_of};
use super::{Batch, words};
use crate::protocol::{AccountId, MessageId, ModerationRecord, OwnDeletion, RoomId};

/// Whether the batch deletes messages.
pub(super) fn is_in(batch: &Batch) -> bool {
    let is_deletion = |record: &ModerationRecord| matches!(record, ModerationRecord::Deleted(..));
    !batch.own_deletions.is_empty() || batch.moderation.iter().any(is_deletion)
}

/// Has everything overwritten that the next transactions remove from the file, also in pages that would not be written otherwise.
pub(super) fn begin_overwriting(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "secure_delete", "ON")
}

/// Overwrites only as much as costs nothing again.
pub(super) fn end_overwriting(connection: &Connection) -> rusqlite::Result<()> {
    words::end_secure_removal(connection)?;
    connection.pragma_update(None, "secure_delete", SECURE_DELETE)
}

/// Carries out the authors' deletions. Returns for each whether the message is its author's.
pub(super) fn apply_own(transaction: &Transaction<'_>, deletions: &[OwnDeletion]) -> rusqlite::Result<Vec<bool>> {
    let sql = "SELECT 1 FROM messages WHERE room = ? AND id = ? AND account = ?";
    let mut is_own = transaction.prepare_cached(sql)?;
    let mut delete = |&OwnDeletion { room, id, author: AccountId(author) }: &OwnDeletion| {
        let is_own = is_own.exists(params![key_of(room), id.0, author])?;
        if is_own {
            remove_text(transaction, room, id)?;
        }
        Ok(is_own)
    };
    deletions.iter().map(&mut delete).collect()
}

/// Removes the text of a message and its words, if the file has them.
pub(super) fn remove_text(transaction: &Transaction<'_>, room: RoomId, id: MessageId) -> rusqlite::Result<()> {
    let sql = "SELECT seq FROM messages WHERE room = ? AND id = ? AND text <> ''";
    let seq = transaction.prepare_cached(sql)?.query_row(params![key_of(room), id.0], |row| row.get(0).map(Seq));
    let Some(seq) = seq.optional()? else { return Ok(()) };
    words::remove_one(transaction, seq)?;
    transaction.prepare_cached("UPDATE messages SET text = '' WHERE seq = ?")?.execute([seq.0]).map(drop)
}
