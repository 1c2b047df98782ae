//! The port file, from which scripts read the server's ports while it runs. A Unix socket has no port: `-` is in its line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::limits::PORT_FILE_BYTES_MAX;
use crate::process::{check_directory, kind_of};

/// Readable by all users, unless the umask forbids it; writable by the owner.
const PORT_FILE_MODE: u32 = 0o644;

/// The line of a listener without a port.
const NO_PORT: &str = "-";

/// A port file that is in place. Dropping it removes it.
pub(super) struct PortFile {
    path: PathBuf,
    /// Kept open, so that no other file can get its inode number.
    file: File,
    ports: String,
}

impl PortFile {
    /// Checks that the path may be written: it must be new, an empty file or an older port file, in a directory that can be written.
    ///
    /// # Errors
    /// Another kind of file, named in the error, or an error of the system.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return check_directory(path),
            Err(error) => return Err(error),
        };
        if !found.is_file() {
            return Err(unexpected(kind_of(found)));
        }
        // Another process may replace the file now, so opening a FIFO must not block, and symbolic links must not be followed.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        let mut content = Vec::new();
        file.take(PORT_FILE_BYTES_MAX).read_to_end(&mut content)?;
        let is_port = |line: &[u8]| {
            line == NO_PORT.as_bytes() || (1..=5).contains(&line.len()) && line.iter().all(u8::is_ascii_digit)
        };
        let lines = content.strip_suffix(b"\n").unwrap_or(&content);
        let is_short = (content.len() as u64) < PORT_FILE_BYTES_MAX;
        if lines.is_empty() || is_short && lines.split(|&byte| byte == b'\n').all(is_port) {
            check_directory(path)
        } else {
            Err(unexpected("a file with other content"))
        }
    }

    /// Writes the ports, one per line (`None`: a Unix socket), to a temporary file in the same directory, then renames it: no reader sees a partial file.
    ///
    /// # Errors
    /// Those of [`PortFile::check`], and of writing.
    pub(super) fn write(path: &Path, ports: impl Iterator<Item = Option<u16>>) -> io::Result<Self> {
        Self::check(path)?;
        let line = |port: Option<u16>| port.map_or(NO_PORT.to_owned(), |port| port.to_string()) + "\n";
        let ports: String = ports.map(line).collect();
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Created here to get the system's own error: tempfile would add the name that it tried.
        let readable_by_all =
            |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(PORT_FILE_MODE).open(path);
        let mut file = tempfile::Builder::new().make_in(directory, readable_by_all)?;
        file.as_file_mut().write_all(ports.as_bytes())?;
        let file = file.persist(path).map_err(|error| error.error)?;
        Ok(Self { path: path.to_owned(), file, ports })
    }

    /// Removes the file, unless another file has replaced it or its content has changed.
    pub(super) fn remove(&self) {
        if self.is_in_place().unwrap_or(false) {
            // It may have been removed in the meantime.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Does not open the path, because a FIFO that has replaced the file would block.
    fn is_in_place(&self) -> io::Result<bool> {
        let (found, own) = (fs::symlink_metadata(&self.path)?, self.file.metadata()?);
        let mut content = vec![0; self.ports.len() + 1];
        let length = self.file.read_at(&mut content, 0)?;
        Ok((found.dev(), found.ino()) == (own.dev(), own.ino()) && content[..length] == *self.ports.as_bytes())
    }
}

impl Drop for PortFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn unexpected(found: &str) -> io::Error {
    let expected = "expected a new path, an empty file or an older port file";
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{expected}; found {found}"))
}
