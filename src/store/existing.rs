//! A file that exists, opened to read: by `chinwagd backup`, `restore` and `check`, also while a server uses it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};
use rustix::fs::OFlags;

use super::OpenError;
use super::file::{connect, is_ours, read_version};
use super::schema::MIGRATIONS;
use super::store_path::{FileId, irregular_kind, is_wal_foreign};
use crate::protocol::Timestamp;

/// A store that is read and not written.
#[derive(Debug)]
pub struct ExistingStore {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) version: usize,
}

/// The essence of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSummary {
    /// The number of messages, of all rooms.
    pub messages: u64,
    /// The time of the newest one.
    pub newest: Option<Timestamp>,
    /// When the store was copied, if no server has used the copy yet.
    pub backup_of: Option<Timestamp>,
}

/// State key: the time at which this copy of a store was made. The server that uses it first begins new epochs, and removes the key.
pub(super) const BACKUP: &str = "backup";

impl ExistingStore {
    /// Opens a file to read it.
    ///
    /// # Errors
    /// The reason why the file cannot be used.
    pub fn open(given: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::File(given.to_owned(), error);
        // Before the file is opened: opening a FIFO can block forever.
        if let Some(kind) = irregular_kind(&given.metadata().map_err(failed)?) {
            return Err(OpenError::NotRegular(given.to_owned(), kind));
        }
        let path = given.canonicalize().map_err(failed)?;
        // Closed before SQLite opens the file: to close it later would drop SQLite's locks (fcntl(2)).
        let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&path);
        let file = file.map_err(failed)?;
        let id = FileId::from(&file.metadata().map_err(failed)?);
        if is_wal_foreign(&file, &path).unwrap_or_default() {
            return Err(OpenError::ForeignWal(path));
        }
        drop(file);
        let sqlite = |error| OpenError::from_sqlite(&path, error);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
        let version = read_version(&connection).map_err(sqlite)?;
        // Before its tables are made, a new file has version 0.
        if !is_ours(&connection).map_err(sqlite)? || version == 0 {
            return Err(OpenError::OtherProgram(path));
        }
        if version > MIGRATIONS.len() {
            return Err(OpenError::Newer(path, version));
        }
        Ok(Self { connection, path, id, version })
    }

    /// The path, absolute and without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the essence of the store.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn summary(&self) -> Result<StoreSummary, OpenError> {
        let read = || {
            let messages = self.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
            let order = if self.version < 4 { "id" } else { "seq" };
            let sql = format!("SELECT time FROM messages ORDER BY {order} DESC LIMIT 1");
            let newest: Option<String> = self.connection.query_row(&sql, [], |row| row.get(0)).optional()?;
            let newest = newest.and_then(|time| Timestamp::parse(&time));
            Ok(StoreSummary { messages, newest, backup_of: backup_time(&self.connection)? })
        };
        read().map_err(|error| OpenError::from_sqlite(&self.path, error))
    }
}

/// When this copy was made, if no server has used it yet.
pub(super) fn backup_time(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT value FROM state WHERE key = ?";
    let read = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().ok().and_then(Timestamp::parse));
    // A value that cannot be read marks the file, too.
    Ok(connection.query_row(sql, [BACKUP], read).optional()?.map(Option::unwrap_or_default))
}
