//! The file: whose it is, what is in it, and bringing an older one up to date.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode as SqliteCode, OpenFlags, OptionalExtension as _, params};

use super::{Durability, Found, Options, words};
use crate::limits::{IDS_RESERVED, STORE_BUSY_MS_MAX};
use crate::protocol::{EventId, Name, Past, Text, Timestamp, Token};

/// Tells a file of ours (`PRAGMA application_id`): "chwg".
const APPLICATION_ID: i32 = 0x6368_7767;

/// What brings a file from each version (`PRAGMA user_version`) to the next. `README.md` documents the outcome.
const MIGRATIONS: [&str; 3] = [
    "
    CREATE TABLE messages (
        id   INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE TABLE state (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    INSERT INTO state VALUES ('ids_up_to', 0), ('dropped', 0);
    CREATE VIRTUAL TABLE words USING fts5(text, content='messages', content_rowid='id', columnsize=0,
        tokenize='unicode61 remove_diacritics 2');
",
    "
    INSERT INTO state SELECT 'indexed', ifnull(max(id), 0) FROM messages;
",
    // Replaces the index by one of our own terms, filled after the start. Every character that a term can contain is a part of a
    // token.
    "
    DROP TABLE words;
    CREATE VIRTUAL TABLE words USING fts5(terms, content='', columnsize=0, detail=none,
        tokenize=\"unicode61 remove_diacritics 2 categories 'L* M* N* Co Cn So'\");
    UPDATE state SET value = 0 WHERE key = 'indexed';
",
];

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    #[default]
    All,
    /// What is not older than this.
    Age(Duration),
    /// As much as makes a file of so many bytes.
    Bytes(u64),
    /// The last so many.
    Count(u64),
}

impl FromStr for Keep {
    type Err = String;

    /// `30d`, `1gb`, `100000` or `all`.
    fn from_str(raw: &str) -> Result<Self, String> {
        let wrong =
            || format!("{raw} is no bound; write an age (12h, 30d), a size (500mb, 1gb), a number of messages, or all");
        if raw == "all" {
            return Ok(Self::All);
        }
        let (digits, unit) = raw.split_at(raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len()));
        let number: u64 = digits.parse().ok().filter(|&number| number > 0).ok_or_else(wrong)?;
        let times = |factor: u64| number.checked_mul(factor).filter(|&value| value < 1 << 50).ok_or_else(wrong);
        Ok(match unit.to_ascii_lowercase().as_str() {
            "" => Self::Count(number),
            "s" => Self::Age(Duration::from_secs(times(1)?)),
            "m" => Self::Age(Duration::from_secs(times(60)?)),
            "h" => Self::Age(Duration::from_secs(times(3600)?)),
            "d" => Self::Age(Duration::from_secs(times(24 * 3600)?)),
            "kb" => Self::Bytes(times(1 << 10)?),
            "mb" => Self::Bytes(times(1 << 20)?),
            "gb" => Self::Bytes(times(1 << 30)?),
            _ => return Err(wrong()),
        })
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// It cannot be opened to be written.
    File(PathBuf, io::Error),
    /// Another server has it.
    Locked(PathBuf),
    /// It is not ours.
    Foreign(PathBuf),
    /// It was written by a later version, which calls itself so.
    Newer(PathBuf, usize),
    /// It is damaged, or the disk is full, or something like that.
    Sqlite(PathBuf, rusqlite::Error),
    /// There are no threads.
    System(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "cannot open the store {}: {error}", path.display()),
            Self::Locked(path) => write!(
                f,
                "the store {} is in use by another chinwagd; stop that one or choose another file with --data",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "{} is not a store of chinwagd's, and is left as it is; choose another file with --data",
                path.display()
            ),
            Self::Newer(path, version) => write!(
                f,
                "the store {} has version {version}, and this chinwagd knows up to {}; use a newer chinwagd",
                path.display(),
                MIGRATIONS.len()
            ),
            Self::Sqlite(path, error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt) => write!(
                f,
                "the store {} is damaged ({error}); put a copy in its place, or move it away to begin anew",
                path.display()
            ),
            Self::Sqlite(path, error) => write!(f, "cannot use the store {}: {error}", path.display()),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// A file that nobody else writes.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) connection: Connection,
    /// Holds the lock. Closed last: closing it earlier would take SQLite's own locks with it (fcntl(2)).
    _lock: File,
}

pub(super) fn open(
    options: &Options,
    epoch: Option<Token>,
    made_up: Token,
    count: usize,
) -> Result<(StoreFile, Found), OpenError> {
    let path = &options.path;
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let lock = file.map_err(|error| OpenError::File(path.clone(), error))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Locked(path.clone()),
        TryLockError::Error(error) => OpenError::File(path.clone(), error),
    })?;
    let is_new = lock.metadata().map_err(|error| OpenError::File(path.clone(), error))?.len() == 0;
    let sqlite = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(SqliteCode::NotADatabase) => OpenError::Foreign(path.clone()),
        _ => OpenError::Sqlite(path.clone(), error),
    };
    let mut connection = Connection::open(path).map_err(sqlite)?;
    let ours = || -> rusqlite::Result<bool> {
        let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        Ok(id == APPLICATION_ID)
    };
    if !is_new && !ours().map_err(sqlite)? {
        return Err(OpenError::Foreign(path.clone()));
    }
    set_up(&connection, options.durability, is_new).map_err(sqlite)?;
    migrate(&mut connection).map_err(sqlite)?.map_err(|version| OpenError::Newer(path.clone(), version))?;
    words::prepare(&mut connection).map_err(sqlite)?;
    let found = take_up(&mut connection, epoch, made_up, count).map_err(sqlite)?;
    Ok((StoreFile { connection, _lock: lock }, found))
}

/// The same file, to be read beside the one who writes.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |error| OpenError::Sqlite(path.to_owned(), error);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_MS_MAX)).map_err(sqlite)?;
    Ok(connection)
}

fn set_up(connection: &Connection, durability: Durability, is_new: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_MS_MAX))?;
    if is_new {
        // Before anything is written: what is deleted is to make the file smaller.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(())
}

/// Brings the file up to date; fails with its version if that is a later one.
fn migrate(connection: &mut Connection) -> rusqlite::Result<Result<(), usize>> {
    let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(missing) = MIGRATIONS.get(version..) else { return Ok(Err(version)) };
    for (number, migration) in (version + 1..).zip(missing) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(Ok(()))
}

/// Takes up where the last server ended, and sets ids aside for this one.
fn take_up(connection: &mut Connection, epoch: Option<Token>, made_up: Token, count: usize) -> rusqlite::Result<Found> {
    let transaction = connection.transaction()?;
    let kept: Option<String> =
        transaction.query_row("SELECT value FROM state WHERE key = 'epoch'", [], |row| row.get(0)).optional()?;
    let kept = kept.and_then(|kept| Token::new(&kept).ok());
    let epoch = epoch.or(kept).unwrap_or(made_up);
    transaction.execute("INSERT OR REPLACE INTO state VALUES ('epoch', ?)", [epoch.to_string()])?;
    let last_id: u64 = transaction.query_row(
        "SELECT max(value, ifnull((SELECT max(id) FROM messages), 0)) FROM state WHERE key = 'ids_up_to'",
        [],
        |row| row.get(0),
    )?;
    set_state(&transaction, "ids_up_to", EventId(last_id + IDS_RESERVED))?;
    let dropped = state(&transaction, "dropped")?;
    transaction.commit()?;
    let mut rows = connection.prepare("SELECT id, time, name, text FROM messages ORDER BY id DESC LIMIT ?")?;
    let messages = rows.query_map([count as u64 + 1], past)?.filter_map(Result::transpose);
    let mut messages = messages.collect::<rusqlite::Result<Vec<_>>>()?;
    messages.reverse();
    Ok(Found { epoch, last_id: EventId(last_id), dropped, messages })
}

/// The id that is noted in the file under this key.
pub(super) fn state(connection: &Connection, key: &str) -> rusqlite::Result<EventId> {
    connection.prepare_cached("SELECT value FROM state WHERE key = ?")?.query_row([key], |row| row.get(0)).map(EventId)
}

/// Notes an id under a key that is there.
pub(super) fn set_state(connection: &Connection, key: &str, id: EventId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE state SET value = ? WHERE key = ?")?.execute(params![id.0, key])?;
    Ok(())
}

/// A row as a message. None if somebody else wrote into the file what is none.
pub(super) fn past(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Past>> {
    let (id, time, name, text): (u64, String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let parsed = || {
        Some(Past {
            id: EventId(id),
            at: Timestamp::parse(&time)?,
            name: Name::new(&name).ok()?,
            text: Text::new(&text).ok()?,
        })
    };
    Ok(parsed())
}
