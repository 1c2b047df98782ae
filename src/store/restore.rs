//! Puts a copy in the place of a store that no server uses. The old store is kept under another name.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{self, Path, PathBuf};

use rustix::process::geteuid;

use super::OpenError;
use super::copy::{PartialFile, sync_directory};
use super::copy_error::CopyError;
use super::existing::ExistingStore;
use super::store_path::{FileId, StorePath, companion};
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
    /// A server uses the store, it is `source` itself, or the directory cannot be used.
    pub fn lock(given: &Path, source: &ExistingStore) -> Result<Self, CopyError> {
        let failed = |error| CopyError::Place(OpenError::File(given.to_owned(), error));
        let absolute = path::absolute(given).map_err(failed)?;
        if absolute.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let parts = absolute.parent().zip(absolute.file_name());
            let (directory, name) = parts.ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
            let directory = directory.canonicalize().map_err(failed)?;
            let metadata = directory.metadata().map_err(failed)?;
            return Ok(Self { path: directory.join(name), old: None, metadata });
        }
        let old = StorePath::lock(given).map_err(CopyError::Place)?;
        let path = old.path().to_owned();
        let metadata = path.metadata().map_err(failed)?;
        let source_id = source.path().metadata().map(|source| FileId::from(&source));
        if source_id.is_ok_and(|source| source == FileId::from(&metadata)) {
            return Err(CopyError::SameFile(path));
        }
        Ok(Self { path, old: Some(old), metadata })
    }

    /// The path, absolute and without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the copy in this place, with the owner and the mode of the old store. Returns the path at which the old store is kept.
    ///
    /// # Errors
    /// The old store is in its place, or the error says where it is.
    pub fn put(self, copy: PartialFile, at: Timestamp) -> Result<Option<PathBuf>, CopyError> {
        self.adopt(copy.file()).map_err(|error| CopyError::Write(copy.place().to_owned(), error))?;
        let kept = companion(&self.path, &format!(".replaced-{}", at.to_string().replace(':', "-")));
        let is_kept = self.keep_old(&kept).map_err(|error| {
            // Back to where it was, as far as it was moved.
            let _ = rename_store(&kept, &self.path);
            CopyError::Write(kept.clone(), error)
        })?;
        let kept = is_kept.then_some(kept);
        let put = copy.put_in_place();
        put.map_err(|error| match &kept {
            None => error,
            // Nothing is in the place of the store.
            Some(kept) if self.path.symlink_metadata().is_err() && rename_store(kept, &self.path).is_ok() => error,
            Some(kept) => CopyError::Moved(self.path.clone(), kept.clone(), Box::new(error)),
        })?;
        Ok(kept)
    }

    /// Gives the file the owner and the mode of the old store: root must not take the store from the user of the server.
    fn adopt(&self, file: &File) -> io::Result<()> {
        if geteuid().is_root() {
            fchown(file, Some(self.metadata.uid()), Some(self.metadata.gid()))?;
        }
        let mode = if self.old.is_some() { self.metadata.mode() & 0o777 } else { 0o600 };
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// Moves the old store away, with the files beside it: SQLite would take them for those of the copy. First the database itself: without
    /// it, a server that starts too early refuses the `-wal`. Returns whether there is something to keep.
    fn keep_old(&self, kept: &Path) -> io::Result<bool> {
        let is_kept = rename_store(&self.path, kept)?;
        match fs::remove_file(companion(&self.path, "-shm")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_directory(&self.path)?;
        Ok(is_kept)
    }
}

/// Renames a database and the files beside it, as far as they exist. Returns whether one did.
fn rename_store(from: &Path, to: &Path) -> io::Result<bool> {
    let mut is_renamed = false;
    for suffix in ["", "-wal", "-journal"] {
        match fs::rename(companion(from, suffix), companion(to, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => {
                renamed?;
                is_renamed = true;
            }
        }
    }
    Ok(is_renamed)
}
