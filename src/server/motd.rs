//! The message of the day: reads it from a file at the start, and again on SIGHUP. Its lines are data for the sessions, which send them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::log;
use super::reload::{Reload, ReloadError, Replacement};
use crate::limits::{MOTD_FILE_BYTES_MAX, MOTD_LINES_MAX, TEXT_BYTES_MAX};
use crate::process::{SmallFile, SmallFileError, error_text, quoted_path};
use crate::protocol::{InvalidMotd, Motd};

/// The message of the day in a file. Before the first [`Reload::reload`], it has no lines.
#[derive(Debug)]
pub struct MotdFile {
    path: PathBuf,
    motd: RwLock<Motd>,
}

impl MotdFile {
    /// Names the file. [`Reload::reload`] reads it.
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, motd: RwLock::default() })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lines as they were read last.
    pub(super) fn motd(&self) -> Motd {
        self.motd.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reload for MotdFile {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn prepare(&self, paths: Vec<PathBuf>) -> Result<Replacement<'_>, ReloadError> {
        let path = paths.into_iter().next().unwrap_or_default();
        let motd = read(&path)?;
        Ok(Box::new(move || {
            log::motd(&path, motd.lines().len());
            *self.motd.write().unwrap_or_else(PoisonError::into_inner) = motd;
        }))
    }
}

fn read(path: &Path) -> Result<Motd, MotdFileError> {
    let fail = |fault| MotdFileError { path: path.to_owned(), fault };
    let file = SmallFile::read(path, MOTD_FILE_BYTES_MAX).map_err(|error| fail(Fault::File(error)))?;
    let text = str::from_utf8(&file.content).map_err(|_| fail(Fault::NotUtf8))?;
    Motd::new(text).map_err(|invalid| fail(Fault::Invalid(invalid)))
}

/// A file that is not a message of the day.
#[derive(Debug)]
struct MotdFileError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    File(SmallFileError),
    NotUtf8,
    Invalid(InvalidMotd),
}

impl std::error::Error for MotdFileError {}

impl fmt::Display for MotdFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted_path(&self.path);
        match &self.fault {
            Fault::File(SmallFileError::Unreadable(error)) => {
                write!(f, "cannot read the message of the day {path}: {}", error_text(error))
            }
            Fault::File(SmallFileError::NotAFile(found)) => {
                write!(f, "the message of the day {path} is {found}: expected a file")
            }
            Fault::File(SmallFileError::TooLong) => {
                write!(f, "the message of the day {path} is too long: expected at most {MOTD_FILE_BYTES_MAX} bytes")
            }
            Fault::NotUtf8 => write!(f, "the message of the day {path} is not UTF-8: expected text in UTF-8"),
            Fault::Invalid(InvalidMotd::TooManyLines(lines)) => write!(
                f,
                "the message of the day {path} has {lines} lines: expected at most {MOTD_LINES_MAX}, without blank ones"
            ),
            Fault::Invalid(InvalidMotd::LineTooLong(number)) => write!(
                f,
                "line {number} of the message of the day {path} is too long: expected at most {TEXT_BYTES_MAX} bytes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::limits::LINE_BYTES_MAX;
    use crate::server::log::LogFormat;
    use crate::server::log::tests::logged;

    fn shown(file: &MotdFile) -> Vec<String> {
        file.motd().lines().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bad_file_leaves_the_old_motd() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("motd");
        let file = MotdFile::new(path.clone());
        let error = || file.reload().unwrap_err().to_string();
        assert!(error().starts_with("cannot read the message of the day"), "{}", error());
        fs::write(&path, "Welcome.\n\nBe kind.\n").unwrap();
        let lines = logged(LogFormat::Text, || file.reload().unwrap());
        assert_eq!(lines, [format!("INFO read the message of the day path={} lines=2", path.display())]);
        assert_eq!(shown(&file), ["Welcome.", "Be kind."]);
        for (content, expected) in [
            (b"caf\xe9\n".to_vec(), "is not UTF-8"),
            (b"x\n".repeat(MOTD_LINES_MAX + 1), "has 51 lines: expected at most 50"),
            ([b"x\n", &*b"x".repeat(LINE_BYTES_MAX + 1)].concat(), "line 2 of the message of the day"),
            (b"x\n\n".repeat(4_000), "is too long: expected at most 8192 bytes"),
        ] {
            fs::write(&path, content).unwrap();
            assert!(error().contains(expected), "{}", error());
            assert_eq!(shown(&file), ["Welcome.", "Be kind."]);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(error().ends_with("is a directory: expected a file"), "{}", error());
    }
}
