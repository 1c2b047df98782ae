//! Puts a copy in the place of a store that no server uses. The old store is kept under another name.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{self, Path, PathBuf};

use rustix::io::Errno;
use rustix::process::geteuid;

use super::OpenError;
use super::copy::{PartialFile, sync_directory};
use super::copy_error::CopyError;
use super::existing::ExistingStore;
use super::store_path::{FileId, StorePath, companion, wal_bytes};
use crate::protocol::Timestamp;

/// The place of a store. If there is a store, this process has locked it, so that no server starts.
#[derive(Debug)]
pub struct RestorePlace {
    path: PathBuf,
    old: Option<StorePath>,
    /// Of the old store or, if there is none, of the directory.
    metadata: Metadata,
}

impl RestorePlace {
    /// Locks the store at this path, if there is one.
    ///
    /// # Errors
    /// A server uses the store, it is `source` itself or no store, or the directory cannot be used.
    pub fn lock(given: &Path, source: &ExistingStore) -> Result<Self, CopyError> {
        let failed = |error| CopyError::Place(OpenError::File(given.to_owned(), error));
        let absolute = path::absolute(given).map_err(failed)?;
        let parts = absolute.parent().zip(absolute.file_name());
        let (directory, name) = parts.ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let directory = directory.canonicalize().map_err(failed)?;
        if absolute.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let (path, metadata) = (directory.join(name), directory.metadata().map_err(failed)?);
            check_no_orphans(&path)?;
            return Ok(Self { path, old: None, metadata });
        }
        let target = if geteuid().is_root() { follow_links(&directory.join(name))? } else { given.to_owned() };
        let old = StorePath::lock(&target).map_err(CopyError::Place)?;
        let path = old.path().to_owned();
        let metadata = path.metadata().map_err(failed)?;
        if source.id == FileId::from(&metadata) {
            return Err(CopyError::SameFile(path));
        }
        if geteuid().is_root() && path != target {
            return Err(CopyError::Link(given.to_owned()));
        }
        if old.is_empty().map_err(failed)? {
            check_no_orphans(&path)?;
        } else if !old.is_ours().map_err(failed)? {
            return Err(CopyError::Place(OpenError::OtherProgram(path)));
        }
        Ok(Self { path, old: Some(old), metadata })
    }

    /// The path, absolute and without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the copy in this place, with the owner and the mode of the old store. Returns the path at which the old store is kept.
    ///
    /// If the process ends meanwhile, the old store or the copy is in the place, and a server that could take the one for the other refuses
    /// to start.
    ///
    /// # Errors
    /// The old store is in its place, or the error says where it is.
    pub fn put(self, copy: PartialFile, at: Timestamp) -> Result<Option<PathBuf>, CopyError> {
        self.put_in_steps(copy, at, &|| {})
    }

    /// `step` is called after each change of the directory.
    pub(super) fn put_in_steps(
        self,
        copy: PartialFile,
        at: Timestamp,
        step: &dyn Fn(),
    ) -> Result<Option<PathBuf>, CopyError> {
        let failed = |error| CopyError::Write(self.path.clone(), error);
        self.adopt(copy.file()).map_err(|error| CopyError::Write(copy.place().to_owned(), error))?;
        // A server may have been started here meanwhile. Its files are left alone.
        let Some(old) = &self.old else { return copy.put_in_place().map(|()| None) };
        let kept = companion(&self.path, &format!(".replaced-{}", at.to_string().replace(':', "-")));
        let kept = (!old.is_empty().map_err(failed)?).then_some(kept);
        if let Some(kept) = &kept
            && (has_journal(&self.path) || !self.link_old(kept, step)?)
        {
            return self.move_old(copy, kept).map(|()| Some(kept.clone()));
        }
        if let Err(error) = copy.replace(old.id().map_err(failed)?) {
            kept.as_deref().map(unlink_store);
            return Err(error);
        }
        step();
        // SQLite would take them for those of the copy. A server that starts before they are gone refuses the `-wal`.
        for suffix in ["-wal", "-shm", "-journal"] {
            let path = companion(&self.path, suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(CopyError::Leftover(path, error, kept)),
                Ok(()) => step(),
            }
        }
        match sync_directory(&self.path) {
            Err(error) => Err(CopyError::Unsynced(self.path, kept, error)),
            Ok(()) => Ok(kept),
        }
    }

    /// Gives the old store and its `-wal` a second name. Returns whether the file system can do that.
    fn link_old(&self, kept: &Path, step: &dyn Fn()) -> Result<bool, CopyError> {
        let link = |suffix| fs::hard_link(companion(&self.path, suffix), companion(kept, suffix));
        if let Err(error) = link("") {
            return match Errno::from_io_error(&error) {
                Some(Errno::PERM | Errno::MLINK | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
                _ => Err(CopyError::Write(kept.to_owned(), error)),
            };
        }
        step();
        match link("-wal") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let _ = fs::remove_file(kept);
                return Err(CopyError::Write(kept.to_owned(), error));
            }
            Ok(()) => step(),
        }
        match sync_directory(&self.path) {
            Err(error) => {
                unlink_store(kept);
                Err(CopyError::Write(kept.to_owned(), error))
            }
            Ok(()) => Ok(true),
        }
    }

    /// Moves the old store away before the copy is put in its place: on a file system without hard links; or because of a journal, which
    /// SQLite would roll back into the copy.
    fn move_old(&self, copy: PartialFile, kept: &Path) -> Result<(), CopyError> {
        self.rename_old(kept).map_err(|error| {
            // Back to where it was, as far as it was moved.
            let _ = rename_store(kept, &self.path);
            CopyError::Write(kept.to_owned(), error)
        })?;
        copy.put_in_place().map_err(|error| match error {
            CopyError::Unsynced(place, _, error) => CopyError::Unsynced(place, Some(kept.to_owned()), error),
            // Nothing is in the place of the store.
            error if self.path.symlink_metadata().is_err() && rename_store(kept, &self.path).is_ok() => error,
            error => CopyError::Moved(self.path.clone(), kept.to_owned(), Box::new(error)),
        })
    }

    /// Gives the file the owner and the mode of the old store: root must not take the store from the user of the server.
    fn adopt(&self, file: &File) -> io::Result<()> {
        if geteuid().is_root() {
            fchown(file, Some(self.metadata.uid()), Some(self.metadata.gid()))?;
        }
        let mode = if self.old.is_some() { self.metadata.mode() & 0o777 } else { 0o600 };
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// Renames the old store, with the files beside it. First the database itself: without it, a server that starts too early refuses the
    /// `-wal`.
    fn rename_old(&self, kept: &Path) -> io::Result<()> {
        rename_store(&self.path, kept)?;
        match fs::remove_file(companion(&self.path, "-shm")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_directory(&self.path)
    }
}

/// Renames a database and the files beside it, as far as they exist.
fn rename_store(from: &Path, to: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-journal"] {
        match fs::rename(companion(from, suffix), companion(to, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(())
}

/// Removes the second names of a store that stays in its place.
fn unlink_store(kept: &Path) {
    for suffix in ["", "-wal"] {
        // If this fails, the names stay, and the server warns of them.
        let _ = fs::remove_file(companion(kept, suffix));
    }
}

fn has_journal(path: &Path) -> bool {
    companion(path, "-journal").metadata().is_ok_and(|journal| journal.len() > 0)
}

/// Checks that no file has changes to a database that was in this place: the store that is kept would lack them.
fn check_no_orphans(path: &Path) -> Result<(), CopyError> {
    let suffix = match () {
        () if wal_bytes(path) > 0 => "-wal",
        () if has_journal(path) => "-journal",
        () => return Ok(()),
    };
    Err(CopyError::Orphan(companion(path, suffix)))
}

/// Follows the symbolic links of root. Another user's can lead root to any file.
fn follow_links(path: &Path) -> Result<PathBuf, CopyError> {
    let failed = |error| CopyError::Place(OpenError::File(path.to_owned(), error));
    let mut target = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        let link = target.symlink_metadata().map_err(failed)?;
        if !link.is_symlink() {
            return Ok(target);
        }
        let directory = target.parent().unwrap_or(Path::new("/"));
        if link.uid() != 0 || directory.metadata().map_err(failed)?.uid() != 0 {
            return Err(CopyError::Link(target));
        }
        let next = directory.join(fs::read_link(&target).map_err(failed)?);
        let (directory, name) = next.parent().zip(next.file_name()).ok_or_else(|| CopyError::Link(target.clone()))?;
        target = directory.canonicalize().map_err(failed)?.join(name);
    }
    Err(failed(Errno::LOOP.into()))
}
