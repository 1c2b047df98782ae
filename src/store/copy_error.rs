//! The reasons why a store was not copied or not replaced.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode as SqliteCode;

use super::OpenError;
use crate::process::{error_text, quoted_path};

/// Why a store was not copied or not replaced. Nothing was changed, unless the error says so.
#[derive(Debug)]
pub enum CopyError {
    /// The copied store cannot be read.
    Source(OpenError),
    /// The store that should be replaced cannot be used.
    Place(OpenError),
    /// A file has the name of the copy.
    Exists(PathBuf),
    /// Another process is writing a copy for this place.
    InProgress(PathBuf),
    /// The file of this name is not a regular file.
    NotRegular(PathBuf, &'static str),
    /// The file cannot be written.
    Write(PathBuf, io::Error),
    /// The disk of the copy is full.
    Full(PathBuf),
    /// Another program has locked the store.
    Busy(PathBuf),
    /// The store is damaged, as SQLite says.
    Damaged(PathBuf, String),
    /// The store would be replaced by itself.
    SameFile(PathBuf),
    /// The store was moved to this path, but the copy is not in its place.
    Moved(PathBuf, PathBuf, Box<CopyError>),
    /// SQLite cannot write the copy at this place for another reason.
    Sqlite(PathBuf, rusqlite::Error),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(OpenError::OtherProgram(path)) => {
                write!(f, "{} is not a store of chinwagd; choose another file", quoted_path(path))
            }
            Self::Source(OpenError::Sqlite(path, error)) if is_damage(error) => {
                write!(f, "{} is damaged ({error}); use another backup", quoted_path(path))
            }
            Self::Source(error) | Self::Place(error) => error.fmt(f),
            Self::Exists(path) => {
                write!(f, "{} exists and is not replaced: choose another name, or remove it first", quoted_path(path))
            }
            Self::InProgress(path) => {
                write!(f, "another process is writing {}: wait for its end, or choose another name", quoted_path(path))
            }
            Self::NotRegular(path, kind) => write!(f, "cannot write {}: it is {kind}; remove it", quoted_path(path)),
            Self::Write(path, error) => write!(f, "cannot write {}: {}", quoted_path(path), error_text(error)),
            Self::Full(path) => write!(
                f,
                "cannot write {}: the disk is full; free some space, or choose another place, and try again",
                quoted_path(path)
            ),
            Self::Busy(path) => {
                write!(
                    f,
                    "another program keeps the store {} locked; end that program and try again",
                    quoted_path(path)
                )
            }
            Self::Damaged(path, found) => write!(
                f,
                "{} is damaged ({found}); to see every problem, run chinwagd check --data {}",
                quoted_path(path),
                quoted_path(path)
            ),
            Self::SameFile(path) => write!(f, "{} is the store itself: expected a backup of it", quoted_path(path)),
            Self::Moved(place, kept, error) => write!(
                f,
                "{error}; the old store is now {}: to use it again, move it (and its -wal, if there is one) back to {}",
                quoted_path(kept),
                quoted_path(place)
            ),
            Self::Sqlite(path, error) => write!(f, "cannot write {}: {error}", quoted_path(path)),
        }
    }
}

impl std::error::Error for CopyError {}

impl CopyError {
    /// Classifies an error while a store is copied to a place.
    pub(super) fn from_sqlite(store: &Path, place: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(SqliteCode::DiskFull) => Self::Full(place.to_owned()),
            Some(SqliteCode::DatabaseBusy | SqliteCode::DatabaseLocked) => Self::Busy(store.to_owned()),
            Some(SqliteCode::DatabaseCorrupt) => Self::Damaged(store.to_owned(), error.to_string()),
            _ => Self::Sqlite(place.to_owned(), error),
        }
    }
}

/// Whether the file is damaged.
fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt)
}
