//! Where the database is. A value of `--data` is always a path, and the file that is locked is the file that SQLite uses and that
//! the next start finds.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{self, Path, PathBuf};

use rustix::fs::OFlags;

use super::OpenError;

/// A database file of which this process holds the lock.
#[derive(Debug)]
pub(super) struct Place {
    /// Absolute and without symbolic links. SQLite takes other paths for a URI (`file:x`) or for a database in memory (`:memory:`).
    path: PathBuf,
    /// Files that must stay where they are.
    watched: Vec<Watched>,
    /// Holds the lock. Must be closed after SQLite's own descriptors, because closing it drops their locks, too (fcntl(2)).
    lock: File,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    id: FileId,
}

/// Identity of a file, whatever path leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A file of the database is not where it was when it was opened.
#[derive(Debug)]
pub(super) struct Displaced {
    path: PathBuf,
    how: How,
}

#[derive(Debug)]
enum How {
    Gone,
    Replaced,
    Unreadable(io::Error),
}

impl Displaced {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// For clients, which must not learn paths.
impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Gone => f.write_str("the store's file was deleted or moved while the server was running"),
            How::Replaced => f.write_str("the store's file was replaced by another one while the server was running"),
            How::Unreadable(error) => write!(f, "the store's file can no longer be found: {error}"),
        }
    }
}

impl Place {
    /// Locks the file, and creates it if it does not exist.
    pub(super) fn lock(given: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::File(given.to_owned(), error);
        let absolute = path::absolute(given).map_err(failed)?;
        // Before it is opened: opening a device can have side effects, and opening a FIFO can block for ever.
        if let Some(kind) = fs::metadata(&absolute).ok().and_then(|metadata| unfit(&metadata)) {
            return Err(OpenError::NotRegular(given.to_owned(), kind));
        }
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let file =
            File::options().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(&absolute);
        let lock = file.map_err(failed)?;
        let metadata = lock.metadata().map_err(failed)?;
        if let Some(kind) = unfit(&metadata) {
            return Err(OpenError::NotRegular(given.to_owned(), kind));
        }
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Locked(given.to_owned()),
            TryLockError::Error(error) => failed(error),
        })?;
        let (path, id) = (absolute.canonicalize().map_err(failed)?, FileId::from(&metadata));
        let mut place = Self { path, watched: Vec::new(), lock };
        let given = [absolute].into_iter().filter(|absolute| *absolute != place.path);
        place.watched = given.chain([place.path.clone()]).map(|path| Watched { path, id }).collect();
        place.check().map_err(|displaced| failed(io::Error::other(displaced.to_string())))?;
        Ok(place)
    }

    /// The path for SQLite.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is empty.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        Ok(self.lock.metadata()?.len() == 0)
    }

    /// Number of hard links to the file.
    pub(super) fn links(&self) -> io::Result<u64> {
        Ok(self.lock.metadata()?.nlink())
    }

    /// Checks, before SQLite opens them, that the files that belong to the database can be used.
    pub(super) fn check_companions(&self) -> Result<(), OpenError> {
        for suffix in ["-wal", "-shm", "-journal"] {
            let path = companion(&self.path, suffix);
            let failed = |error| OpenError::File(path.clone(), error);
            let metadata = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found.map_err(failed)?,
            };
            if let Some(kind) = unfit(&metadata) {
                return Err(OpenError::BesideIt(path, kind));
            }
            File::options().read(true).write(true).open(&path).map_err(failed)?;
        }
        Ok(())
    }

    /// Also watches the files that SQLite keeps beside the database while it is open.
    pub(super) fn watch_companions(&mut self) -> io::Result<()> {
        for suffix in ["-wal", "-shm"] {
            let path = companion(&self.path, suffix);
            let id = FileId::from(&fs::metadata(&path)?);
            self.watched.push(Watched { path, id });
        }
        Ok(())
    }

    /// Checks that all files are where they were, so that the next start finds what is committed now. Takes a few microseconds.
    pub(super) fn check(&self) -> Result<(), Displaced> {
        self.watched.iter().try_for_each(|Watched { path, id }| {
            let how = match fs::metadata(path) {
                Ok(metadata) if FileId::from(&metadata) == *id => return Ok(()),
                Ok(_) => How::Replaced,
                Err(error) if error.kind() == io::ErrorKind::NotFound => How::Gone,
                Err(error) => How::Unreadable(error),
            };
            Err(Displaced { path: path.clone(), how })
        })
    }

    /// Bytes of the write-ahead log.
    pub(super) fn wal_bytes(&self) -> u64 {
        fs::metadata(companion(&self.path, "-wal")).map_or(0, |metadata| metadata.len())
    }
}

/// The path of a file that belongs to the database.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The kind of file, unless it is a regular file.
fn unfit(metadata: &Metadata) -> Option<&'static str> {
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
