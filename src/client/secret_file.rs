//! Files with one line that is a secret: a command line, which other users of the machine can see, never has one.

use std::path::Path;

use super::PROGRAM;
use crate::command_line::print_error;
use crate::limits::PASSWORD_FILE_BYTES_MAX;
use crate::process::{LineError, SmallFile, SmallFileError, error_text, exposed_file_text, only_line, quoted_path};

/// The line of such a file.
pub(super) struct SecretLine {
    pub(super) line: String,
    /// Whether every user of the machine can read the file.
    pub(super) is_exposed: bool,
}

/// Warns about a file that every user of the machine can read.
pub(super) fn warn_if_exposed(is_exposed: bool, secret: &str, path: &Path) {
    if is_exposed {
        print_error(PROGRAM, &exposed_file_text(secret, path));
    }
}

/// Reads a file that has one line, `what`. See [`only_line`].
///
/// # Errors
/// The problem of the file, for the user. No error has a part of its content.
pub(super) fn read_line(path: &Path, what: &str) -> Result<SecretLine, String> {
    let (shown, expected) = (quoted_path(path), format!("expected one line, {what}"));
    let file = SmallFile::read(path, PASSWORD_FILE_BYTES_MAX).map_err(|error| match error {
        SmallFileError::Unreadable(error) => format!("cannot read the file {shown}: {}", error_text(&error)),
        SmallFileError::NotAFile(found) => format!("{shown} is {found}: expected a file"),
        SmallFileError::TooLong => format!("the file {shown} is too long: {expected}"),
    })?;
    match only_line(&file.content) {
        Ok("") => Err(format!("the file {shown} is empty: {expected}")),
        Ok(line) => Ok(SecretLine { line: line.to_owned(), is_exposed: file.is_exposed }),
        Err(LineError::NotUtf8) => Err(format!("the file {shown} is not UTF-8: {expected}")),
        Err(LineError::SeveralLines) => Err(format!("the file {shown} has several lines: {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secret_file_has_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let check = |content: &[u8], expected: Result<&str, &str>| {
            fs::write(&path, content).unwrap();
            let read = read_line(&path, "the access token").map(|secret| secret.line);
            let shown = format!("the file \"{}\" ", path.display());
            assert_eq!(read, expected.map(str::to_owned).map_err(|why| format!("{shown}{why}")));
        };
        check(b"correct horse", Ok("correct horse"));
        check(b"\xef\xbb\xbf correct horse \r\n", Ok(" correct horse "));
        check(b"", Err("is empty: expected one line, the access token"));
        check(b"\n", Err("is empty: expected one line, the access token"));
        check(b"correct\nhorse\n", Err("has several lines: expected one line, the access token"));
        check(b"correct \xff", Err("is not UTF-8: expected one line, the access token"));
        check(&[b'x'; 5000], Err("is too long: expected one line, the access token"));
        let is_directory = read_line(directory.path(), "the access token").err().unwrap();
        assert!(is_directory.ends_with(" is a directory: expected a file"), "{is_directory}");
    }
}
