//! The table `audit`: who has done what to whom, when and why. Its oldest entries make room for new ones; `--keep` does not concern it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::log;
use super::moderation::read_account;
use crate::limits::AUDIT_STORED_MAX;
use crate::protocol::{
    AccountId, AuditAct, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord, MessageId, Name, RoomName,
    SanctionId, Text, Timestamp,
};

/// The highest number of an entry.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<AuditNumber> {
    // Another program may have written a number that leaves no higher ones, or a negative one.
    let sql = "SELECT ifnull(max(number), 0) FROM audit WHERE number < 1 << 62";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|last| AuditNumber(last.try_into().unwrap_or(0)))
}

/// Adds entries, and deletes the oldest ones beyond the limit. Adding one again changes nothing.
pub(super) fn insert(transaction: &Transaction<'_>, records: &[AuditRecord]) -> rusqlite::Result<()> {
    records.iter().try_for_each(|record| insert_one(transaction, record))?;
    // Entries about rooms do not displace those about the server: every account can own a room.
    for is_of_server in [true, false] {
        if records.iter().any(|record| record.entry.room.is_none() == is_of_server) {
            delete_surplus(transaction, is_of_server)?;
        }
    }
    Ok(())
}

/// Deletes the oldest entries about the server, or those about rooms, beyond the limit.
fn delete_surplus(transaction: &Transaction<'_>, is_of_server: bool) -> rusqlite::Result<()> {
    let sql = "DELETE FROM audit WHERE (room IS NULL) = ?1 AND number <= \
               (SELECT number FROM audit WHERE (room IS NULL) = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    transaction.prepare_cached(sql)?.execute(params![is_of_server, AUDIT_STORED_MAX]).map(drop)
}

fn insert_one(transaction: &Transaction<'_>, AuditRecord { number, entry }: &AuditRecord) -> rusqlite::Result<()> {
    let AuditEntry { at, by, act, room, target, target_account, sanction, message, until, reason } = entry;
    let account = by.as_ref().and_then(|by| by.account.as_ref());
    let own = account.map(|(id, _)| *id);
    let author = if target.is_none() { find_author(transaction, entry)? } else { None };
    let (author, author_account) = author.unwrap_or_default();
    if author_account.is_some() && author_account == own {
        // A moderator has deleted a message of its own.
        return Ok(());
    }
    let sql = "INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let row = params![
        number.0,
        at.to_string(),
        by.as_ref().map(|by| by.name.as_str()),
        own.map(|id| id.0),
        account.map(|(_, name)| name.as_str()),
        act.as_str(),
        room.as_ref().map(ToString::to_string),
        target.as_ref().map(ToString::to_string).or(author),
        target_account.or(author_account).map(|id| id.0),
        sanction.map(|id| id.0),
        message.map(|id| id.0),
        until.map(|until| until.to_string()),
        reason.as_ref().map(Text::as_str),
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// The nickname and the account of the author of the message that an entry is about, if the file has valid ones. The state knows only the
/// authors of messages in memory.
fn find_author(
    transaction: &Transaction<'_>,
    AuditEntry { act, room, message, .. }: &AuditEntry,
) -> rusqlite::Result<Option<(Option<String>, Option<AccountId>)>> {
    let (AuditAct::Delete, Some(room), Some(MessageId(id))) = (act, room, message) else { return Ok(None) };
    let sql = "SELECT messages.name, account FROM messages JOIN rooms USING (room) WHERE rooms.name = ? AND id = ?";
    let mut row = transaction.prepare_cached(sql)?;
    let author = row.query_row(params![room.to_string(), id], |row| Ok((row.get(0).ok(), read_account(row, 1))));
    author.optional()
}

/// Reads the audit log of an open file, on a connection of its own: nothing else waits for it.
#[derive(Debug)]
pub(super) struct AuditReader(Mutex<Option<Connection>>);

impl AuditReader {
    /// Returns the highest number of an entry, too. With that query, SQLite opens all files: later ones need no file descriptor.
    pub(super) fn new(connection: Connection) -> rusqlite::Result<(Self, AuditNumber)> {
        let last = last_number(&connection)?;
        Ok((Self(Mutex::new(Some(connection))), last))
    }

    /// Reads the newest entries that the query asks for, in the order of their numbers.
    pub(super) fn read(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, String> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = connection.as_ref().ok_or("the server is shutting down")?;
        select(connection, query).map_err(|error| error.to_string())
    }

    /// Closes the connection. While it is open, SQLite keeps the `-wal` and the `-shm`.
    pub(super) fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The columns of an entry, for [`read_record`].
const COLUMNS: &str = "number, time, moderator, moderator_account, account_name, act, room, target, target_account, sanction, message, until, reason";

/// The number of entries that cannot be read.
pub(super) fn count_invalid(connection: &Connection) -> rusqlite::Result<u64> {
    let mut rows = connection.prepare(&format!("SELECT {COLUMNS} FROM audit"))?;
    let mut rows = rows.query([])?;
    let mut invalid = 0;
    while let Some(row) = rows.next()? {
        invalid += u64::from(read_record(row).is_err());
    }
    Ok(invalid)
}

fn select(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<Vec<AuditRecord>> {
    let AuditQuery { before, limit, room, by } = query;
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE number < ? ORDER BY number DESC");
    let before = before.and_then(|AuditNumber(before)| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut room = Wanted::new(room.as_ref().map(RoomName::key), |raw| Some(RoomName::new(raw).ok()?.key().to_owned()));
    let mut by = Wanted::new(by.as_ref().map(Name::key), |raw| Some(Name::new(raw).ok()?.key().to_owned()));
    let (mut records, mut invalid) = (Vec::new(), 0);
    let mut rows = connection.prepare(&sql)?;
    let mut rows = rows.query([before])?;
    while records.len() < *limit
        && let Some(row) = rows.next()?
    {
        if !room.accepts(text(row, 6)) || !(by.accepts(text(row, 2)) || by.accepts(text(row, 4))) {
            continue;
        }
        match read_record(row) {
            Ok(record) => records.push(record),
            Err(InvalidRow) => invalid += 1,
        }
    }
    if invalid > 0 {
        log::audit_invalid(invalid);
    }
    records.reverse();
    Ok(records)
}

/// The name that a query asks for. Names repeat in many rows, and their keys take long to compute: each is compared once.
struct Wanted<'a> {
    /// `None`: all.
    key: Option<&'a str>,
    key_of: fn(&str) -> Option<String>,
    compared: BTreeMap<String, bool>,
}

impl<'a> Wanted<'a> {
    fn new(key: Option<&'a str>, key_of: fn(&str) -> Option<String>) -> Self {
        Self { key, key_of, compared: BTreeMap::new() }
    }

    fn accepts(&mut self, raw: Option<&str>) -> bool {
        let Some(wanted) = self.key else { return true };
        let Some(raw) = raw else { return false };
        if let Some(is_wanted) = self.compared.get(raw) {
            return *is_wanted;
        }
        let is_wanted = (self.key_of)(raw).as_deref() == Some(wanted);
        self.compared.insert(raw.to_owned(), is_wanted);
        is_wanted
    }
}

/// Another program wrote the row.
struct InvalidRow;

fn read_record(row: &Row<'_>) -> Result<AuditRecord, InvalidRow> {
    let name = |column| optional(text(row, column), |name| Name::new(name).ok());
    let account_id = |column| optional(number(row, column), |id| Some(AccountId(u32::try_from(id).ok()?)));
    let account = account_id(3)?.zip(name(4)?);
    let act = text(row, 5).and_then(AuditAct::parse).ok_or(InvalidRow)?;
    let entry = AuditEntry {
        at: text(row, 1).and_then(Timestamp::parse).ok_or(InvalidRow)?,
        by: name(2)?.map(|name| AuditActor { name, account }),
        act,
        room: optional(text(row, 6), |room| RoomName::new(room).ok())?,
        target: optional(text(row, 7), |target| act.parse_target(target).ok())?,
        target_account: account_id(8)?,
        sanction: optional(number(row, 9), |id| Some(SanctionId(u32::try_from(id).ok()?)))?,
        message: number(row, 10).map(MessageId),
        until: optional(text(row, 11), Timestamp::parse)?,
        reason: optional(text(row, 12), |reason| Text::new(reason).ok())?,
    };
    Ok(AuditRecord { number: AuditNumber(number(row, 0).ok_or(InvalidRow)?), entry })
}

/// The text in a column. `None`: it has another value, such as NULL.
fn text<'r>(row: &'r Row<'_>, column: usize) -> Option<&'r str> {
    row.get_ref(column).ok()?.as_str().ok()
}

/// The number in a column. `None`: it has another value, such as NULL.
fn number(row: &Row<'_>, column: usize) -> Option<u64> {
    row.get_ref(column).ok()?.as_i64().ok()?.try_into().ok()
}

/// Parses a value that may be missing.
fn optional<V, T>(value: Option<V>, parse: impl FnOnce(V) -> Option<T>) -> Result<Option<T>, InvalidRow> {
    value.map(|value| parse(value).ok_or(InvalidRow)).transpose()
}
