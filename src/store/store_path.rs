//! The path of the database. Ensures that the value of `--data` is always taken as a path, and that the locked file is the file that
//! SQLite uses and that the next start finds.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode as SqliteCode};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::OpenError;
use super::file::APPLICATION_ID;
use crate::limits::STORE_LOCK_MS_MAX;
use crate::process::is_exposed;

/// A database file that this process has locked.
#[derive(Debug)]
pub(super) struct StorePath {
    /// Absolute and without symbolic links. SQLite takes other paths for a URI (`file:x`) or for a database in memory (`:memory:`).
    path: PathBuf,
    /// Files that must stay where they are.
    watched: Vec<WatchedFile>,
    /// Set once SQLite has opened the files beside the database.
    lengths: Option<KnownLengths>,
    /// The file that was found truncated. Stays set: whatever happens to the file later, SQLite's view of it is wrong.
    truncated: Option<PathBuf>,
    /// Holds the lock. Must be closed after SQLite's own descriptors, because closing it drops their locks, too (fcntl(2)).
    lock: File,
}

#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    id: FileId,
}

/// The lengths by which a truncation by another program is noticed. SQLite does not notice it, and writes on at the old offsets.
#[derive(Debug)]
struct KnownLengths {
    /// Fewest bytes of the database. It shrinks only when SQLite vacuums it.
    database_min: u64,
    /// Fewest bytes of the `-shm`. It never shrinks while it is open.
    shm_min: u64,
    page_bytes: u64,
    wal: File,
    /// Must not be closed while SQLite uses the `-shm`, for the same reason as [`StorePath::lock`].
    shm: File,
}

/// Bytes of the header of a `-wal`, and of the header of each of its frames (<https://sqlite.org/fileformat2.html#walformat>).
const WAL_HEADER_BYTES: u64 = 32;
const WAL_FRAME_HEADER_BYTES: u64 = 24;

/// Where the header of a database has the two bytes that say whether it uses a write-ahead log
/// (<https://sqlite.org/fileformat2.html#file_format_version_numbers>).
pub(super) const JOURNAL_MODE_AT: u64 = 18;

/// Where the header of a database has its `application_id`.
const APPLICATION_ID_AT: u64 = 68;

/// These bytes in a file that uses none. A server's file uses one before the `-wal` has its first frame.
pub(super) const ROLLBACK: [u8; 2] = [1, 1];

/// Identity of a file, by whatever path it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A file of the database is not where it was when it was opened, or was truncated.
#[derive(Debug)]
pub(super) struct Displaced {
    path: PathBuf,
    how: DisplacedKind,
}

#[derive(Debug)]
enum DisplacedKind {
    Gone,
    Replaced,
    Truncated,
    Unreadable(io::Error),
}

impl Displaced {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a restart is needed, and SQLite must not write what it believes to be the contents of the files.
    pub(super) fn is_truncated(&self) -> bool {
        matches!(self.how, DisplacedKind::Truncated)
    }
}

/// The text is for clients, which must not learn paths.
impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            DisplacedKind::Gone => f.write_str("the store's file was deleted or moved while the server was running"),
            DisplacedKind::Replaced => {
                f.write_str("the store's file was replaced by another one while the server was running")
            }
            DisplacedKind::Truncated => f.write_str("the store's file was truncated while the server was running"),
            DisplacedKind::Unreadable(error) => write!(f, "the store's file can no longer be found or read: {error}"),
        }
    }
}

impl StorePath {
    /// Locks the file, and creates it if it does not exist, with the mode 600: it may get hashes of passwords. SQLite gives the `-wal` and the
    /// `-shm` the mode of the file. Waits for a `chinwagd --check`, which has the lock for a moment, for at most [`STORE_LOCK_MS_MAX`].
    pub(super) fn lock(given: &Path) -> Result<Self, OpenError> {
        let deadline = Instant::now() + Duration::from_millis(STORE_LOCK_MS_MAX);
        loop {
            match Self::open(given, true) {
                Err(OpenError::Locked(_)) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                opened => return opened,
            }
        }
    }

    /// Locks the file. `None`: it does not exist.
    pub(super) fn lock_existing(given: &Path) -> Result<Option<Self>, OpenError> {
        match Self::open(given, false) {
            Err(OpenError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn open(given: &Path, may_create: bool) -> Result<Self, OpenError> {
        let failed = |error| OpenError::File(given.to_owned(), error);
        let absolute = path::absolute(given).map_err(failed)?;
        // Before the file is opened: opening a device can have side effects, and opening a FIFO can block forever.
        if let Some(kind) = fs::metadata(&absolute).ok().and_then(|metadata| irregular_kind(&metadata)) {
            return Err(OpenError::NotRegular(given.to_owned(), kind));
        }
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let mut options = File::options();
        options.read(true).write(true).create(may_create).truncate(false).mode(0o600).custom_flags(flags);
        let lock = options.open(&absolute).map_err(failed)?;
        let metadata = lock.metadata().map_err(failed)?;
        if let Some(kind) = irregular_kind(&metadata) {
            return Err(OpenError::NotRegular(given.to_owned(), kind));
        }
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Locked(given.to_owned()),
            TryLockError::Error(error) => failed(error),
        })?;
        let (path, id) = (absolute.canonicalize().map_err(failed)?, FileId::from(&metadata));
        let mut opened = Self { path, watched: Vec::new(), lengths: None, truncated: None, lock };
        let given = [absolute].into_iter().filter(|absolute| *absolute != opened.path);
        opened.watched = given.chain([opened.path.clone()]).map(|path| WatchedFile { path, id }).collect();
        opened.check_paths().map_err(|displaced| failed(io::Error::other(displaced.to_string())))?;
        Ok(opened)
    }

    /// The path for SQLite.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is empty.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        Ok(self.lock.metadata()?.len() == 0)
    }

    /// See [`is_wal_foreign`].
    pub(super) fn is_wal_foreign(&self) -> io::Result<bool> {
        is_wal_foreign(&self.lock, &self.path)
    }

    /// Whether the header says that this is a store, even if the rest is damaged.
    pub(super) fn is_ours(&self) -> io::Result<bool> {
        let mut id = [0; 4];
        match self.lock.read_exact_at(&mut id, APPLICATION_ID_AT) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| i32::from_be_bytes(id) == APPLICATION_ID),
        }
    }

    /// The identity of the locked file.
    pub(super) fn id(&self) -> io::Result<FileId> {
        Ok(FileId::from(&self.lock.metadata()?))
    }

    /// See [`is_exposed`].
    pub(super) fn is_exposed(&self) -> io::Result<bool> {
        Ok(is_exposed(&self.lock.metadata()?))
    }

    /// Number of hard links to the file.
    pub(super) fn links(&self) -> io::Result<u64> {
        Ok(self.lock.metadata()?.nlink())
    }

    /// Also watches the files that SQLite keeps beside the database while it is open, and the lengths of all files.
    pub(super) fn watch_companions(&mut self, connection: &Connection) -> io::Result<()> {
        for suffix in ["-wal", "-shm"] {
            let path = companion(&self.path, suffix);
            let id = FileId::from(&fs::metadata(&path)?);
            self.watched.push(WatchedFile { path, id });
        }
        let shm = File::options().read(true).write(true).open(companion(&self.path, "-shm"))?;
        self.lengths = Some(KnownLengths {
            database_min: self.lock.metadata()?.len(),
            shm_min: shm.metadata()?.len(),
            page_bytes: pragma(connection, "PRAGMA page_size").map_err(io::Error::other)?,
            wal: File::open(companion(&self.path, "-wal"))?,
            shm,
        });
        Ok(())
    }

    /// Checks that all files are where they were and were not truncated, so that the next start finds what is committed now. Takes
    /// a few microseconds.
    ///
    /// A file that is truncated between this check and the end of the commit is noticed only by the next check.
    pub(super) fn check(&mut self, connection: &Connection) -> Result<(), Displaced> {
        if self.truncated.is_none() {
            self.check_paths()?;
            self.truncated = self
                .find_truncated(connection)
                .map_err(|error| Displaced { path: self.path.clone(), how: DisplacedKind::Unreadable(error) })?;
        }
        self.truncated.clone().map_or(Ok(()), |path| Err(Displaced { path, how: DisplacedKind::Truncated }))
    }

    fn check_paths(&self) -> Result<(), Displaced> {
        self.watched.iter().try_for_each(|WatchedFile { path, id }| {
            let how = match fs::metadata(path) {
                Ok(metadata) if FileId::from(&metadata) == *id => return Ok(()),
                Ok(_) => DisplacedKind::Replaced,
                Err(error) if error.kind() == io::ErrorKind::NotFound => DisplacedKind::Gone,
                Err(error) => DisplacedKind::Unreadable(error),
            };
            Err(Displaced { path: path.clone(), how })
        })
    }

    fn find_truncated(&mut self, connection: &Connection) -> io::Result<Option<PathBuf>> {
        let Some(lengths) = &mut self.lengths else { return Ok(None) };
        // The `-shm` first: the other checks let SQLite read it.
        let suffix = if lengths.restore_shm()? {
            "-shm"
        } else if lengths.is_wal_truncated(connection)? {
            "-wal"
        } else if lengths.is_database_truncated(&self.lock, connection)? {
            ""
        } else {
            return Ok(None);
        };
        Ok(Some(companion(&self.path, suffix)))
    }

    /// Accepts that the database becomes as short as it is in SQLite's view. Called after a vacuum: the next complete checkpoint
    /// shortens the file.
    pub(super) fn accept_vacuum(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(lengths) = &mut self.lengths {
            lengths.database_min = lengths.database_min.min(lengths.page_bytes * page_count(connection)?);
        }
        Ok(())
    }

    /// Bytes of the write-ahead log.
    pub(super) fn wal_bytes(&self) -> u64 {
        wal_bytes(&self.path)
    }
}

impl KnownLengths {
    /// Returns whether the `-shm` was truncated. If so, gives it its length back: SQLite maps it into memory, and an access beyond
    /// its end would kill the process (SIGBUS). SQLite rebuilds the contents from the `-wal`.
    fn restore_shm(&mut self) -> io::Result<bool> {
        let bytes = self.shm.metadata()?.len();
        let is_truncated = bytes < self.shm_min;
        if is_truncated {
            self.shm.set_len(self.shm_min)?;
        }
        self.shm_min = self.shm_min.max(bytes);
        Ok(is_truncated)
    }

    /// Returns whether the `-wal` lacks frames that SQLite believes to be there. No program that uses SQLite causes that: a
    /// checkpoint that truncates the file first tells all connections that no frames are left.
    fn is_wal_truncated(&self, connection: &Connection) -> io::Result<bool> {
        // A second time, in case another program added frames between the two steps.
        Ok(self.lacks_frames(connection)? && self.lacks_frames(connection)?)
    }

    fn lacks_frames(&self, connection: &Connection) -> io::Result<bool> {
        // In this order, so that a checkpoint by another program between the two steps is harmless.
        let (bytes, has_header) = (self.wal.metadata()?.len(), self.has_wal_header());
        // If this fails, so does the commit, and the messages' authors get an error.
        let Ok(frames) = wal_frames(connection) else { return Ok(false) };
        let bytes_min = WAL_HEADER_BYTES + frames * (WAL_FRAME_HEADER_BYTES + self.page_bytes);
        Ok(frames > 0 && (bytes < bytes_min || !has_header))
    }

    /// If the file is truncated during a commit, SQLite writes behind a hole, and the length looks right.
    fn has_wal_header(&self) -> bool {
        let mut magic = [0; 4];
        self.wal.read_exact_at(&mut magic, 0).is_ok() && magic != [0; 4]
    }

    /// Returns whether the database became shorter, other than by a vacuum of this or another program.
    fn is_database_truncated(&mut self, database: &File, connection: &Connection) -> io::Result<bool> {
        let bytes = database.metadata()?.len();
        if bytes < self.database_min {
            match page_count(connection) {
                Ok(pages) if bytes >= pages * self.page_bytes => {}
                Err(error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseBusy) => return Ok(false),
                _ => return Ok(true),
            }
        }
        self.database_min = bytes;
        Ok(false)
    }
}

/// Number of pages of the database, including pages that are only in the write-ahead log.
fn page_count(connection: &Connection) -> rusqlite::Result<u64> {
    pragma(connection, "PRAGMA page_count")
}

/// Frames in the write-ahead log, as all programs that use the database see it.
fn wal_frames(connection: &Connection) -> rusqlite::Result<u64> {
    // NOOP writes nothing. The columns are: busy, frames in the log, frames written into the database.
    connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))
}

fn pragma(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection.query_row(sql, [], |row| row.get(0))
}

/// Bytes of the database at this path, and of its write-ahead log.
///
/// # Errors
/// The database is not there, or cannot be read.
pub fn file_bytes(path: &Path) -> io::Result<(u64, u64)> {
    let path = fs::canonicalize(path)?;
    Ok((fs::metadata(&path)?.len(), wal_bytes(&path)))
}

/// Checks, before SQLite opens them, that the files that belong to the database at this path can be used.
pub(super) fn check_companions(database: &Path) -> Result<(), OpenError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let path = companion(database, suffix);
        let failed = |error| OpenError::File(path.clone(), error);
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found.map_err(failed)?,
        };
        if let Some(kind) = irregular_kind(&metadata) {
            return Err(OpenError::CompanionNotRegular(path, kind));
        }
        File::options().read(true).write(true).open(&path).map_err(failed)?;
    }
    Ok(())
}

/// The path of a database that does not exist yet.
pub(super) fn new_path(given: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error| OpenError::File(given.to_owned(), error);
    if given.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(failed(Errno::ISDIR.into()));
    }
    path::absolute(given).map_err(failed)
}

pub(super) fn wal_bytes(path: &Path) -> u64 {
    fs::metadata(companion(path, "-wal")).map_or(0, |metadata| metadata.len())
}

/// Whether the `-wal` beside the file belongs to another one: the file, a copy of a store, never had one. SQLite does not notice that: it
/// would read the frames of the other file, and write them into this one.
pub(super) fn is_wal_foreign(file: &File, path: &Path) -> io::Result<bool> {
    // First the `-wal`: a server that begins to use a copy marks the copy before it writes the first frame.
    let has_wal = wal_bytes(path) > 0;
    let mut journal_mode = [0; 2];
    file.read_exact_at(&mut journal_mode, JOURNAL_MODE_AT)?;
    Ok(has_wal && journal_mode == ROLLBACK)
}

/// The path of a file that belongs to the database.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The kind of file, unless it is a regular file.
pub(super) fn irregular_kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    Some(match () {
        () if kind.is_file() => return None,
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "a symbolic link",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with a table `t` of a megabyte that is not in the `-wal` any more.
    fn database(path: &Path) -> (StorePath, Connection) {
        let mut opened = StorePath::lock(path).unwrap();
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))").unwrap();
        checkpoint(&connection);
        opened.watch_companions(&connection).unwrap();
        assert!(opened.check(&connection).is_ok());
        (opened, connection)
    }

    fn checkpoint(connection: &Connection) {
        assert!(super::super::file::checkpoint(connection).unwrap());
    }

    fn resize(path: &Path, suffix: &str, bytes: u64) {
        File::options().write(true).open(companion(path, suffix)).unwrap().set_len(bytes).unwrap();
    }

    /// A server that starts during `chinwagd --check` does not fail.
    #[test]
    fn lock_waits_for_a_check() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let held = StorePath::lock(&path).unwrap();
        let check = thread::spawn(move || {
            thread::sleep(Duration::from_millis(STORE_LOCK_MS_MAX / 4));
            drop(held);
        });
        let opened = StorePath::lock(&path).unwrap();
        assert!(matches!(StorePath::lock_existing(&path), Err(OpenError::Locked(_))));
        assert!(matches!(StorePath::lock(&path), Err(OpenError::Locked(_))));
        drop(opened);
        check.join().unwrap();
    }

    #[test]
    fn growth_after_our_vacuum_and_checkpoint_is_no_truncation() {
        let directory = tempfile::tempdir().unwrap();
        let (mut opened, connection) = database(&directory.path().join("chat.db"));
        let before = opened.lock.metadata().unwrap().len();
        connection.execute_batch("DELETE FROM t; PRAGMA incremental_vacuum").unwrap();
        opened.accept_vacuum(&connection).unwrap();
        checkpoint(&connection);
        assert!(opened.lock.metadata().unwrap().len() < before);
        connection.execute_batch("INSERT INTO t VALUES (zeroblob(1000000))").unwrap();
        assert!(opened.check(&connection).is_ok());
        checkpoint(&connection);
        assert!(opened.check(&connection).is_ok());
    }

    #[test]
    fn wal_with_a_hole_at_its_start_is_truncated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (mut opened, connection) = database(&path);
        connection.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        assert!(opened.check(&connection).is_ok());
        resize(&path, "-wal", 0);
        // A commit that had passed its check already.
        connection.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert!(opened.check(&connection).is_err_and(|displaced| displaced.is_truncated()));
    }

    #[test]
    fn truncated_database_is_noticed_after_a_growth() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (mut opened, connection) = database(&path);
        let before = opened.lock.metadata().unwrap().len();
        connection.execute_batch("INSERT INTO t VALUES (zeroblob(1000000))").unwrap();
        checkpoint(&connection);
        assert!(opened.check(&connection).is_ok());
        resize(&path, "", before);
        assert!(opened.check(&connection).is_err_and(|displaced| displaced.is_truncated()));
    }
}
