//! Reads a password from a file, for both programs: a command line, which other users of the machine can see, never has one.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::limits::{
    ACCOUNT_PASSWORD_BYTES_MAX, ACCOUNT_PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX, PASSWORD_FILE_BYTES_MAX,
};
use crate::process::{LineError, SmallFile, SmallFileError, error_text, only_line, quoted_path};
use crate::protocol::{AccountPassword, InvalidAccountPassword, InvalidPassword, Password};

/// The content of a password file: the password of a server, or that of an account.
#[derive(Clone, Debug)]
pub struct PasswordFile<P = Password> {
    /// The password.
    pub password: P,
    /// Whether every user of the machine can read the file.
    pub is_exposed: bool,
}

/// A password that a file can have.
pub trait FilePassword: Sized {
    /// Checks the line of the file.
    ///
    /// # Errors
    /// The line is no such password.
    fn from_line(line: &str) -> Result<Self, PasswordFault>;
}

/// Why the line of a file is not a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// It is empty.
    Empty,
    /// It is longer than the password of a server can be.
    TooLong,
    /// It has this number of bytes, more or fewer than the password of an account can have.
    Length(usize),
    /// It has a control character.
    ControlCharacter,
    /// It has the form of an access token.
    AccessToken,
}

impl FilePassword for Password {
    fn from_line(line: &str) -> Result<Self, PasswordFault> {
        Self::new(line).map_err(|error| match error {
            InvalidPassword::Missing => PasswordFault::Empty,
            InvalidPassword::TooLong => PasswordFault::TooLong,
            InvalidPassword::ControlCharacter => PasswordFault::ControlCharacter,
        })
    }
}

impl FilePassword for AccountPassword {
    fn from_line(line: &str) -> Result<Self, PasswordFault> {
        Self::new(line).map_err(|error| match error {
            InvalidAccountPassword::Missing => PasswordFault::Empty,
            InvalidAccountPassword::Length(bytes) => PasswordFault::Length(bytes),
            InvalidAccountPassword::ControlCharacter => PasswordFault::ControlCharacter,
            InvalidAccountPassword::AccessToken => PasswordFault::AccessToken,
        })
    }
}

impl<P: FilePassword> PasswordFile<P> {
    /// Reads a file that has one line, the password.
    ///
    /// # Errors
    /// The problem of the file. No error has a part of its content.
    pub fn read(path: &Path) -> Result<Self, PasswordFileError> {
        let fail = |fault| PasswordFileError { path: path.to_owned(), fault };
        let file = SmallFile::read(path, PASSWORD_FILE_BYTES_MAX).map_err(|error| fail(Fault::File(error)))?;
        let password = parse(&file.content).map_err(fail)?;
        Ok(Self { password, is_exposed: file.is_exposed })
    }
}

/// Parses the content of a file.
fn parse<P: FilePassword>(content: &[u8]) -> Result<P, Fault> {
    P::from_line(only_line(content)?).map_err(Fault::Password)
}

/// A password file that cannot be used.
#[derive(Debug)]
pub struct PasswordFileError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    File(SmallFileError),
    Line(LineError),
    Password(PasswordFault),
}

impl From<LineError> for Fault {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

impl std::error::Error for PasswordFileError {}

impl fmt::Display for PasswordFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted_path(&self.path);
        let expected = "expected one line, the password";
        match &self.fault {
            Fault::File(SmallFileError::Unreadable(error)) => {
                write!(f, "cannot read the password file {path}: {}", error_text(error))
            }
            Fault::File(SmallFileError::NotAFile(found)) => {
                write!(f, "the password file {path} is {found}: expected a file")
            }
            Fault::File(SmallFileError::TooLong) => {
                write!(f, "the password file {path} has more than {PASSWORD_FILE_BYTES_MAX} bytes: {expected}")
            }
            Fault::Line(LineError::NotUtf8) => write!(f, "the password file {path} is not UTF-8: {expected}"),
            Fault::Line(LineError::SeveralLines) => {
                write!(f, "the password file {path} has several lines: {expected}")
            }
            Fault::Password(PasswordFault::Empty) => write!(f, "the password file {path} is empty: {expected}"),
            Fault::Password(PasswordFault::TooLong) => {
                write!(f, "the password in {path} is too long: expected at most {PASSWORD_BYTES_MAX} bytes")
            }
            Fault::Password(PasswordFault::Length(bytes)) => write!(
                f,
                "the password in {path} has {bytes} bytes: expected {ACCOUNT_PASSWORD_BYTES_MIN} to \
                 {ACCOUNT_PASSWORD_BYTES_MAX}"
            ),
            Fault::Password(PasswordFault::AccessToken) => {
                write!(f, "the password in {path} has the form of an access token: choose another")
            }
            Fault::Password(PasswordFault::ControlCharacter) => {
                write!(f, "the password in {path} has a control character: clients cannot type it; choose another")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn file_has_one_line() {
        for content in ["hunter2", "hunter2\n", "hunter2\r\n", "\u{feff}hunter2\n"] {
            assert_eq!(parse::<Password>(content.as_bytes()).unwrap().to_string(), "hunter2", "{content:?}");
        }
        assert_eq!(parse::<Password>(b" two words \n").unwrap().to_string(), " two words ");
        let check = |content: &[u8], expected: &str| {
            let fault = parse::<Password>(content).unwrap_err();
            let error = PasswordFileError { path: "/p".into(), fault }.to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        };
        check(b"", "is empty");
        check(b"\n", "is empty");
        check(b"  \n", "is empty");
        check(b"hunter2\nhunter2\n", "has several lines");
        check(b"hunter2\n\n", "has several lines");
        check(b"hunter2\rx", "a control character");
        check(b"hunter2\xff", "is not UTF-8");
        check(&[b'x'; PASSWORD_BYTES_MAX + 1], "too long");
        check(&b"x".repeat(100_000), "too long");
    }

    #[test]
    fn password_of_an_account_has_its_own_rules() {
        assert_eq!(parse::<AccountPassword>(b"hunter22\r\n").unwrap().to_string(), "hunter22");
        let longest = ACCOUNT_PASSWORD_BYTES_MAX;
        assert!(parse::<AccountPassword>(&b"x".repeat(longest)).is_ok());
        let check = |content: &[u8], expected: &str| {
            let fault = parse::<AccountPassword>(content).unwrap_err();
            let error = PasswordFileError { path: "/p".into(), fault }.to_string();
            assert!(error.contains(expected) && !error.contains("hunter"), "{error}");
        };
        check(b"\n", "is empty");
        check(b"hunter2\n", "\"/p\" has 7 bytes: expected 8 to 512");
        check(&b"x".repeat(longest + 1), "has 513 bytes: expected 8 to 512");
        check(b"hunter22\t", "a control character");
        check(b"cwt_0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "the form of an access token");
    }

    #[test]
    fn only_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let error = |path: &Path| PasswordFile::<Password>::read(path).unwrap_err().to_string();
        assert!(error(&path).contains("cannot read the password file"), "{}", error(&path));
        assert!(error(directory.path()).ends_with("is a directory: expected a file"), "{}", error(directory.path()));
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        assert!(error(&fifo).ends_with("is a FIFO: expected a file"), "{}", error(&fifo));
        fs::write(&path, "hunter2\n").unwrap();
        for (mode, is_exposed) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(PasswordFile::<Password>::read(&path).unwrap().is_exposed, is_exposed, "{mode:o}");
        }
    }
}
