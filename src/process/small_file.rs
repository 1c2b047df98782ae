//! Files that an operator or a user names and that are read as a whole: certificates, keys, passwords.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::kind_of;

/// A file that was read as a whole.
pub(crate) struct SmallFile {
    pub(crate) content: Vec<u8>,
    /// The mode: `st_mode` of stat(2).
    pub(crate) mode: u32,
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
        Ok(Self { content, mode: found.mode() })
    }
}

impl From<io::Error> for SmallFileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}
