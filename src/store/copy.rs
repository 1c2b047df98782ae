//! Copies a store into one plain file, also while a server uses it.
//!
//! The copy is one snapshot: all pages are read in one read transaction, which waits for no writer, and which no writer interrupts. Without
//! it, SQLite would start again after each commit of the server, and would not end under load. `VACUUM INTO` reads one snapshot, too, but
//! shows no progress.
//!
//! The copy is marked ([`BACKUP`]), and its journal mode is not WAL, while that of a server's file is. So a server
//! notices that the `-wal` beside a copy belongs to another file ([`is_wal_foreign`](super::store_path::StorePath::is_wal_foreign)).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{self, Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, params};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::copy_error::CopyError;
use super::existing::{BACKUP, ExistingStore};
use super::file::{connect, free_pages};
use super::progress::{Follow, Phase, Progress};
use super::store_path::{FileId, JOURNAL_MODE_AT, ROLLBACK, companion, irregular_kind};
use crate::limits::{STORE_COPIED_AT_ONCE_PAGES, STORE_COPY_STEPS_PER_SYNC};
use crate::protocol::Timestamp;

/// Follows the name of a file that is not complete yet.
const SUFFIX: &str = ".partial";

/// A file that is written under another name beside its place, with the mode 600. It is removed when this is dropped, unless it was put in
/// its place. A process that is killed leaves it behind; the next one of the same user for the same place removes it.
#[derive(Debug)]
pub struct PartialFile {
    path: PathBuf,
    place: PathBuf,
    /// Holds a lock, so that no two processes write the file.
    file: File,
    is_placed: bool,
}

impl PartialFile {
    /// Creates a file for a copy of `source`, at a place that has no file yet.
    ///
    /// # Errors
    /// There is a file, or it cannot be created.
    pub fn create_new(place: &Path, source: &ExistingStore) -> Result<Self, CopyError> {
        if place.symlink_metadata().is_ok() {
            return Err(CopyError::Exists(place.to_owned()));
        }
        check_no_journals(place)?;
        Self::create(place, source)
    }

    /// Creates a file for a copy of `source`, at a place that may have another file.
    ///
    /// # Errors
    /// It cannot be created, or another process is writing it.
    pub fn create(given: &Path, source: &ExistingStore) -> Result<Self, CopyError> {
        let failed = |error| CopyError::Write(given.to_owned(), error);
        let absolute = path::absolute(given).map_err(failed)?;
        let parts = absolute.parent().zip(absolute.file_name());
        let (directory, name) = parts.ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let place = directory.canonicalize().map_err(failed)?.join(name);
        let path = companion(&place, SUFFIX);
        check_no_journals(&path)?;
        // A file that is found is never written: it can be the source, or be open in, or belong to, another user's program.
        let create = || File::options().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_leftover(&path, &place, source)?;
                create()
            }
            created => created,
        };
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CopyError::InProgress(place.clone()),
            _ => CopyError::Write(path.clone(), error),
        })?;
        // Another process may have removed it before it was locked.
        if file.try_lock().is_err() || !is_at(&file, &path) {
            return Err(CopyError::InProgress(place));
        }
        Ok(Self { path, place, file, is_placed: false })
    }

    /// The name that the file has until it is in its place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place of the file.
    pub fn place(&self) -> &Path {
        &self.place
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in its place, which must have no file. It is on the disk afterwards.
    ///
    /// # Errors
    /// There is a file by now, or the disk fails.
    pub fn put_in_place(mut self) -> Result<(), CopyError> {
        let failed = |error: io::Error| CopyError::Write(self.place.clone(), error);
        self.file.sync_all().map_err(failed)?;
        match renameat_with(CWD, &self.path, CWD, &self.place, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(CopyError::Exists(self.place.clone())),
            // The file system cannot rename and check at once.
            Err(Errno::INVAL | Errno::NOSYS) if self.place.symlink_metadata().is_err() => {
                fs::rename(&self.path, &self.place).map_err(failed)?;
            }
            Err(error) => return Err(failed(error.into())),
        }
        self.is_placed = true;
        sync_directory(&self.place).map_err(|error| CopyError::Unsynced(self.place.clone(), None, error))
    }

    /// Puts the file in its place, in one step, instead of the file with this identity. The directory is not on the disk afterwards.
    ///
    /// # Errors
    /// There is another file by now, or the disk fails.
    pub(super) fn replace(mut self, old: FileId) -> Result<(), CopyError> {
        let failed = |error: io::Error| CopyError::Write(self.place.clone(), error);
        self.file.sync_all().map_err(failed)?;
        if FileId::from(&self.place.symlink_metadata().map_err(failed)?) != old {
            return Err(CopyError::Exists(self.place.clone()));
        }
        fs::rename(&self.path, &self.place).map_err(failed)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_placed && is_at(&self.file, &self.path) {
            // If this fails, the next process for this place removes the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the file is at this path.
fn is_at(file: &File, path: &Path) -> bool {
    let ids = file.metadata().and_then(|file| Ok((FileId::from(&file), FileId::from(&path.symlink_metadata()?))));
    ids.is_ok_and(|(file, found)| file == found)
}

/// Checks that SQLite finds no file that it would take for changes to the new file at this path.
fn check_no_journals(path: &Path) -> Result<(), CopyError> {
    let found = ["-wal", "-journal"].map(|suffix| companion(path, suffix));
    match found.into_iter().find(|found| found.symlink_metadata().is_ok()) {
        Some(found) => Err(CopyError::Journal(found)),
        None => Ok(()),
    }
}

/// Removes the file that a killed process has left behind: only one that this user has created, and that no process is writing.
fn remove_leftover(path: &Path, place: &Path, source: &ExistingStore) -> Result<(), CopyError> {
    let failed = |error| CopyError::Write(path.to_owned(), error);
    let check = |found: &fs::Metadata| {
        // The source first, and before it is opened: closing it again would drop SQLite's locks (fcntl(2)).
        if FileId::from(found) == source.id {
            return Err(CopyError::SourceIsPartial(path.to_owned()));
        }
        let kind = irregular_kind(found)
            .or_else(|| (found.nlink() != 1).then_some("a file that has another name, too (a hard link)"))
            .or_else(|| (found.uid() != geteuid().as_raw()).then_some("a file of another user"));
        kind.map_or(Ok(()), |kind| Err(CopyError::NotRegular(path.to_owned(), kind)))
    };
    check(&path.symlink_metadata().map_err(failed)?)?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let found = File::options().read(true).custom_flags(flags).open(path).map_err(failed)?;
    check(&found.metadata().map_err(failed)?)?;
    // A process that has just put the file in its place may have had the lock.
    if found.try_lock().is_err() || !is_at(&found, path) {
        return Err(CopyError::InProgress(place.to_owned()));
    }
    fs::remove_file(path).map_err(failed)
}

/// Has the names of the directory of this path on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

impl ExistingStore {
    /// Copies the store into the file, and checks the copy.
    ///
    /// # Errors
    /// The store cannot be read or is damaged, or the file cannot be written.
    pub fn copy_to(&self, copy: &PartialFile, at: Timestamp, follow: Follow<'_>) -> Result<(), CopyError> {
        let failed = |error| CopyError::from_sqlite(&self.path, copy.place(), error);
        self.copy_pages(copy, follow)?;
        let written = |error| CopyError::Write(copy.place().to_owned(), error);
        copy.file.write_all_at(&ROLLBACK, JOURNAL_MODE_AT).map_err(written)?;
        let connection = open_to_write(copy.path(), "MEMORY").map_err(failed)?;
        // A copy of a copy is as old as that.
        connection
            .execute("INSERT OR IGNORE INTO state VALUES (?, ?)", params![BACKUP, at.to_string()])
            .map_err(failed)?;
        // The copy need not be moved together with the `-wal` of the original.
        connection.execute("DELETE FROM state WHERE key = 'path'", []).map_err(failed)?;
        // Free pages have the bytes of deleted messages.
        free_pages(&connection, None).map_err(failed)?;
        follow(Progress::start(Phase::Structure, 0));
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if found != "ok" {
            return Err(CopyError::Damaged(self.path.clone(), found));
        }
        drop(connection);
        copy.file.sync_all().map_err(written)
    }

    /// Copies the pages as they are now.
    fn copy_pages(&self, copy: &PartialFile, follow: Follow<'_>) -> Result<(), CopyError> {
        let failed = |error| CopyError::from_sqlite(&self.path, copy.place(), error);
        let mut to = open_to_write(copy.path(), "OFF").map_err(failed)?;
        // The transaction begins with the first read.
        self.connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(failed)?;
        let backup = Backup::new(&self.connection, &mut to).map_err(failed)?;
        let mut steps = 0_u32;
        loop {
            match backup.step(STORE_COPIED_AT_ONCE_PAGES).map_err(failed)? {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(CopyError::Busy(self.path.clone())),
            }
            let (total, left) = (backup.progress().pagecount, backup.progress().remaining);
            let [total, left] = [total, left].map(|pages| u64::try_from(pages).unwrap_or_default());
            follow(Progress { phase: Phase::Copy, done: total.saturating_sub(left), total });
            steps += 1;
            if steps.is_multiple_of(STORE_COPY_STEPS_PER_SYNC) {
                // A signal ends the process only between two writes to the disk, so each must be short.
                copy.file.sync_data().map_err(|error| CopyError::Write(copy.place().to_owned(), error))?;
            }
        }
        drop(backup);
        drop(to);
        self.connection.execute_batch("COMMIT").map_err(failed)
    }
}

/// Opens a copy. If this process ends, the copy is worthless: it needs no journal beside it.
fn open_to_write(path: &Path, journal_mode: &str) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", journal_mode)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}
