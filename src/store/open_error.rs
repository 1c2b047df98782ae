//! The reasons why a file cannot be used as a store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode as SqliteCode, ffi};

use super::schema::MIGRATIONS;
use super::store_path::companion;
use crate::limits::STORE_BUSY_MS_MAX;
use crate::process::error_text;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// The file cannot be opened for writing.
    File(PathBuf, io::Error),
    /// The path is not a regular file but, for example, a directory or a device.
    NotRegular(PathBuf, &'static str),
    /// The path of a file that SQLite keeps beside the database is not a regular file.
    CompanionNotRegular(PathBuf, &'static str),
    /// Another server has locked the file.
    Locked(PathBuf),
    /// Another program writes to the file, or has locked it.
    Busy(PathBuf),
    /// The file is not a store of chinwagd.
    OtherProgram(PathBuf),
    /// A later version of chinwagd wrote the file; its version is this one.
    Newer(PathBuf, usize),
    /// The file is empty, but its `-wal` is not.
    Orphaned(PathBuf),
    /// The file was last used under this other path, and messages are still in the `-wal` there.
    Moved(PathBuf, PathBuf),
    /// The disk is full.
    Full(PathBuf),
    /// SQLite cannot use the files that it keeps beside the database.
    Companions(PathBuf, rusqlite::Error),
    /// The file is damaged, or SQLite cannot use it for another reason.
    Sqlite(PathBuf, rusqlite::Error),
    /// The system cannot start a thread.
    System(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "cannot open the store {path:?}: {}", error_text(error)),
            Self::NotRegular(path, kind) => write!(
                f,
                "cannot use {path:?} as a store: it is {kind}; --data expects the path of a regular file, or of a file to create"
            ),
            Self::CompanionNotRegular(path, kind) => write!(
                f,
                "cannot use {path:?}: it is {kind}, and SQLite keeps a file of this name beside the store; move it away"
            ),
            Self::Locked(path) => write!(
                f,
                "the store {path:?} is in use by another chinwagd; stop that one or choose another file with --data"
            ),
            Self::Busy(path) => write!(
                f,
                "another program has kept the store {path:?} locked for more than {} s; end that program and start again",
                STORE_BUSY_MS_MAX / 1000
            ),
            Self::OtherProgram(path) => {
                write!(f, "{path:?} is not a store of chinwagd, and was not changed; choose another file with --data")
            }
            Self::Newer(path, version) => write!(
                f,
                "the store {path:?} has version {version}, but this chinwagd supports versions up to {}; use a newer chinwagd",
                MIGRATIONS.len()
            ),
            Self::Orphaned(path) => {
                let wal = companion(path, "-wal");
                write!(
                    f,
                    "the store {path:?} is empty, but {wal:?} holds messages of the file that was there; put that file back, or move {wal:?} away to start with an empty store"
                )
            }
            Self::Moved(path, before) => {
                let [wal, wal_before] = [path, before].map(|path| companion(path, "-wal"));
                write!(
                    f,
                    "the store {path:?} was last used as {before:?}, and its latest messages are still in {wal_before:?}; if it was moved, move {wal_before:?} to {wal:?}; if it is another name of the same file, use --data {before:?}; if it is a copy, move {wal_before:?} away"
                )
            }
            Self::Full(path) => {
                write!(f, "cannot use the store {path:?}: database or disk is full; free some space and start again")
            }
            Self::Companions(path, error) => {
                let [wal, shm] = ["-wal", "-shm"].map(|suffix| companion(path, suffix));
                write!(
                    f,
                    "cannot use the store {path:?}: SQLite cannot open or create {wal:?} and {shm:?} ({error}); check that the directory and these files can be written, and that the path has at most 500 bytes"
                )
            }
            Self::Sqlite(path, error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt) => write!(
                f,
                "the store {path:?} is damaged ({error}); restore a copy, or move it away to start with an empty store"
            ),
            Self::Sqlite(path, error) => write!(f, "cannot use the store {path:?}: {error}"),
            Self::System(error) => write!(f, "cannot start: {}", error_text(error)),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// Classifies an SQLite error at the start.
    pub(super) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        // Only the extended code tells that the `-shm` could not grow.
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full(path);
        }
        match error.sqlite_error_code() {
            Some(SqliteCode::NotADatabase) => Self::OtherProgram(path),
            Some(SqliteCode::DatabaseBusy | SqliteCode::DatabaseLocked) => Self::Busy(path),
            Some(SqliteCode::DiskFull) => Self::Full(path),
            Some(SqliteCode::CannotOpen | SqliteCode::ReadOnly) => Self::Companions(path, error),
            _ => Self::Sqlite(path, error),
        }
    }
}
