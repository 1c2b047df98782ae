//! The table `audit`: who has done what to whom, when and why. Its oldest entries make room for new ones; `--keep` does not concern it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, Transaction, params};

use super::file::connect;
use super::{OpenError, log};
use crate::limits::AUDIT_STORED_MAX;
use crate::protocol::{
    AccountId, AuditAct, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord, MessageId, Name, RoomName,
    SanctionId, Text, Timestamp,
};

/// The highest number of an entry.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<AuditNumber> {
    let sql = "SELECT ifnull(max(number), 0) FROM audit";
    // Another program may have written a negative number.
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|last| AuditNumber(last.try_into().unwrap_or(0)))
}

/// Adds entries, and deletes the oldest ones beyond the limit. Adding one again changes nothing.
pub(super) fn insert(transaction: &Transaction<'_>, records: &[AuditRecord]) -> rusqlite::Result<()> {
    let Some(last) = records.iter().map(|record| record.number.0).max() else { return Ok(()) };
    records.iter().try_for_each(|record| insert_one(transaction, record))?;
    let sql = "DELETE FROM audit WHERE number <= ?";
    transaction.prepare_cached(sql)?.execute([last.saturating_sub(AUDIT_STORED_MAX)]).map(drop)
}

fn insert_one(transaction: &Transaction<'_>, AuditRecord { number, entry }: &AuditRecord) -> rusqlite::Result<()> {
    let AuditEntry { at, by, act, room, target, target_account, sanction, message, until, reason } = entry;
    let account = by.as_ref().and_then(|by| by.account.as_ref());
    let sql = "INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let row = params![
        number.0,
        at.to_string(),
        by.as_ref().map(|by| by.name.as_str()),
        account.map(|(id, _)| id.0),
        account.map(|(_, name)| name.as_str()),
        act.as_str(),
        room.as_ref().map(ToString::to_string),
        target.as_ref().map(ToString::to_string),
        target_account.map(|id| id.0),
        sanction.map(|id| id.0),
        message.map(|id| id.0),
        until.map(|until| until.to_string()),
        reason.as_ref().map(Text::as_str),
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// Reads the newest entries that the query asks for, in the order of their numbers. The file may be in use by a server: this uses a connection
/// of its own, so that nothing else waits for it.
///
/// # Errors
/// The reason why the file cannot be read.
pub fn read_audit(path: &Path, query: &AuditQuery) -> Result<Vec<AuditRecord>, OpenError> {
    let path = path.canonicalize().map_err(|error| OpenError::File(path.to_owned(), error))?;
    let sqlite = |error| OpenError::from_sqlite(&path, error);
    let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    select(&connection, query).map_err(sqlite)
}

fn select(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<Vec<AuditRecord>> {
    let AuditQuery { before, limit, room, by } = query;
    let sql = "SELECT number, time, moderator, moderator_account, account_name, act, room, target, target_account, sanction, message, \
               until, reason FROM audit WHERE number < ? ORDER BY number DESC";
    let before = before.and_then(|AuditNumber(before)| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut room = Wanted::new(room.as_ref().map(RoomName::key), |raw| Some(RoomName::new(raw).ok()?.key().to_owned()));
    let mut by = Wanted::new(by.as_ref().map(Name::key), |raw| Some(Name::new(raw).ok()?.key().to_owned()));
    let (mut records, mut invalid) = (Vec::new(), 0);
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query([before])?;
    while records.len() < *limit
        && let Some(row) = rows.next()?
    {
        if !room.accepts(text(row, 6)) || !(by.accepts(text(row, 2)) || by.accepts(text(row, 4))) {
            continue;
        }
        match read_record(row) {
            Some(record) => records.push(record),
            None => invalid += 1,
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

/// The entry in a row. `None` if another program wrote an invalid one.
fn read_record(row: &Row<'_>) -> Option<AuditRecord> {
    let account = optional(number(row, 3), |number| Some(AccountId(u32::try_from(number).ok()?)))?;
    let account = account.zip(optional(text(row, 4), |name| Name::new(name).ok())?);
    let by = optional(text(row, 2), |name| Name::new(name).ok())?.map(|name| AuditActor { name, account });
    let act = AuditAct::parse(text(row, 5)?)?;
    let entry = AuditEntry {
        at: Timestamp::parse(text(row, 1)?)?,
        by,
        act,
        room: optional(text(row, 6), |room| RoomName::new(room).ok())?,
        target: optional(text(row, 7), |target| act.parse_target(target).ok())?,
        target_account: optional(number(row, 8), |number| Some(AccountId(u32::try_from(number).ok()?)))?,
        sanction: optional(number(row, 9), |number| Some(SanctionId(u32::try_from(number).ok()?)))?,
        message: optional(number(row, 10), |number| Some(MessageId(number)))?,
        until: optional(text(row, 11), Timestamp::parse)?,
        reason: optional(text(row, 12), |reason| Text::new(reason).ok())?,
    };
    Some(AuditRecord { number: AuditNumber(number(row, 0)?), entry })
}

/// The text in a column. `None`: it has another value, such as NULL.
fn text<'r>(row: &'r Row<'_>, column: usize) -> Option<&'r str> {
    row.get_ref(column).ok()?.as_str().ok()
}

/// The number in a column. `None`: it has another value, such as NULL.
fn number(row: &Row<'_>, column: usize) -> Option<u64> {
    row.get_ref(column).ok()?.as_i64().ok()?.try_into().ok()
}

/// Parses a value that may be missing. `None`: it is invalid.
fn optional<V, T>(value: Option<V>, parse: impl FnOnce(V) -> Option<T>) -> Option<Option<T>> {
    match value {
        Some(value) => parse(value).map(Some),
        None => Some(None),
    }
}
