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
    /// The source has the name of a file that is not complete yet.
    SourceIsPartial(PathBuf),
    /// SQLite would take this file for changes to the copy.
    Journal(PathBuf),
    /// This file has changes to a database that is not beside it.
    Orphan(PathBuf),
    /// The store is given by a symbolic link that another user than root can change.
    Link(PathBuf),
    /// The copy is in its place, but the directory may not be on the disk. The old store, if there was one, is at the second path.
    Unsynced(PathBuf, Option<PathBuf>, io::Error),
    /// The copy is in its place, but a file of the old store, which is at the last path, cannot be removed.
    Leftover(PathBuf, io::Error, Option<PathBuf>),
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
            Self::Place(OpenError::OtherProgram(path)) => write!(
                f,
                "{} is not a store of chinwagd, and was not changed; choose another path, or, if it is a damaged store, move it away",
                quoted_path(path)
            ),
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
            Self::SourceIsPartial(path) => write!(
                f,
                "the copy would be written to {} first, which is the file to copy: give that file another name",
                quoted_path(path)
            ),
            Self::Journal(path) => write!(
                f,
                "{} exists, and SQLite would take it for changes to the copy: choose another name, or move it away",
                quoted_path(path)
            ),
            Self::Orphan(path) => write!(
                f,
                "{} has changes to a database that is not beside it: put that database back, or move {0} away, and try again",
                quoted_path(path)
            ),
            Self::Link(path) => write!(
                f,
                "{} is a symbolic link, which another user than root can change: give the path of the file itself",
                quoted_path(path)
            ),
            Self::Unsynced(place, kept, error) => write!(
                f,
                "{} is complete and in its place, but a crash of the system may undo that, as its directory cannot be written: {}{}",
                quoted_path(place),
                error_text(error),
                OldStore(kept.as_deref())
            ),
            Self::Leftover(path, error, kept) => write!(
                f,
                "the store was replaced, but {} of the old one cannot be removed: {}; move it away before the server starts{}",
                quoted_path(path),
                error_text(error),
                OldStore(kept.as_deref())
            ),
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

/// Where the old store is, at the end of an error.
struct OldStore<'a>(Option<&'a Path>);

impl fmt::Display for OldStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, "; the old store is {}", quoted_path(path)))
    }
}

/// Whether the file is damaged.
fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt)
}
