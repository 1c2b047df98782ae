//! The reasons why a file cannot be used as a store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode as SqliteCode, ffi};

use super::schema::MIGRATIONS;
use super::store_path::companion;
use crate::limits::STORE_BUSY_MS_MAX;
use crate::process::{error_text, quoted_path};

/// Why a file cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// The file cannot be opened for writing.
    File(PathBuf, io::Error),
    /// The directory of the file cannot be written.
    Directory(PathBuf, io::Error),
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
        let shown = self.path().map(quoted_path).unwrap_or_default();
        let beside = |path: &Path, suffix: &str| quoted_path(&companion(path, suffix));
        match self {
            Self::File(_, error) => write!(f, "cannot open the store {shown}: {}", error_text(error)),
            Self::Directory(_, error) => write!(
                f,
                "cannot use the store {shown}: SQLite keeps files beside it, and its directory cannot be written: {}",
                error_text(error)
            ),
            Self::NotRegular(_, kind) => write!(
                f,
                "cannot use {shown} as a store: it is {kind}; --data expects the path of a regular file, or of a file to create"
            ),
            Self::CompanionNotRegular(_, kind) => write!(
                f,
                "cannot use {shown}: it is {kind}, and SQLite keeps a file of this name beside the store; move it away"
            ),
            Self::Locked(_) => write!(
                f,
                "the store {shown} is in use by another chinwagd; stop that one or choose another file with --data"
            ),
            Self::Busy(_) => write!(
                f,
                "another program has kept the store {shown} locked for more than {} s; end that program and start again",
                STORE_BUSY_MS_MAX / 1000
            ),
            Self::OtherProgram(_) => {
                write!(f, "{shown} is not a store of chinwagd, and was not changed; choose another file with --data")
            }
            Self::Newer(_, version) => write!(
                f,
                "the store {shown} has version {version}, but this chinwagd supports versions up to {}; use a newer chinwagd",
                MIGRATIONS.len()
            ),
            Self::Orphaned(path) => {
                let wal = beside(path, "-wal");
                write!(
                    f,
                    "the store {shown} is empty, but {wal} holds messages of the file that was there; put that file back, or move {wal} away to start with an empty store"
                )
            }
            Self::Moved(path, before) => {
                let (wal, wal_before, before) = (beside(path, "-wal"), beside(before, "-wal"), quoted_path(before));
                write!(
                    f,
                    "the store {shown} was last used as {before}, and its latest messages are still in {wal_before}; if it was moved, move {wal_before} to {wal}; if it is another name of the same file, use --data {before}; if it is a copy, move {wal_before} away"
                )
            }
            Self::Full(_) => {
                write!(f, "cannot use the store {shown}: database or disk is full; free some space and start again")
            }
            Self::Companions(path, error) => {
                let (wal, shm) = (beside(path, "-wal"), beside(path, "-shm"));
                write!(
                    f,
                    "cannot use the store {shown}: SQLite cannot open or create {wal} and {shm} ({error}); check that the directory and these files can be written, and that the path has at most 500 bytes"
                )
            }
            Self::Sqlite(_, error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt) => write!(
                f,
                "the store {shown} is damaged ({error}); restore a copy, or move it away to start with an empty store"
            ),
            Self::Sqlite(_, error) => write!(f, "cannot use the store {shown}: {error}"),
            Self::System(error) => write!(f, "cannot start: {}", error_text(error)),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// The path that the error is about.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path, _)
            | Self::Directory(path, _)
            | Self::NotRegular(path, _)
            | Self::CompanionNotRegular(path, _)
            | Self::Locked(path)
            | Self::Busy(path)
            | Self::OtherProgram(path)
            | Self::Newer(path, _)
            | Self::Orphaned(path)
            | Self::Moved(path, _)
            | Self::Full(path)
            | Self::Companions(path, _)
            | Self::Sqlite(path, _) => Some(path),
            Self::System(_) => None,
        }
    }

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
