//! Files that an operator or a user names and that are read as a whole: certificates, keys, passwords.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::{kind_of, quoted_path, shell_word};

/// A file that was read as a whole.
pub(crate) struct SmallFile {
    pub(crate) content: Vec<u8>,
    /// Whether every user of the machine can read it.
    pub(crate) is_exposed: bool,
}

/// Whether every user of the machine can read a file with this metadata, if its directory is reachable.
pub(crate) fn is_exposed(file: &Metadata) -> bool {
    file.mode() & 0o004 != 0
}

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum SmallFileError {
    Unreadable(io::Error),
    /// It is of this kind.
    NotAFile(&'static str),
    TooLong,
}

impl SmallFile {
    /// Reads a file of at most this many bytes. Nothing else is read: a FIFO would make the program wait for a writer.
    pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Self, SmallFileError> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(SmallFileError::NotAFile(kind_of(found.file_type())));
        }
        let mut content = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut content)?;
        if content.len() as u64 > bytes_max {
            return Err(SmallFileError::TooLong);
        }
        Ok(Self { content, is_exposed: is_exposed(&found) })
    }
}

/// Warns about a file that every user of the machine can read, although it has this secret.
pub fn exposed_file_text(secret: &str, path: &Path) -> String {
    let command = format!("chmod 600 {}", shell_word(&path.to_string_lossy()));
    format!("warning: every user of this machine can read {secret} in {}; forbid it with: {command}", quoted_path(path))
}

/// Why the content of a file is not one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    NotUtf8,
    SeveralLines,
}

/// The one line of a file with this content, which may be empty. The line ending, and a byte order mark before the line, do not belong to it.
pub(crate) fn only_line(content: &[u8]) -> Result<&str, LineError> {
    let text = str::from_utf8(content).map_err(|_| LineError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains('\n') { Err(LineError::SeveralLines) } else { Ok(line) }
}

impl From<io::Error> for SmallFileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}
