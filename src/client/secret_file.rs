//! Files with one line that is a secret: a command line, which other users of the machine can see, never has one.

use std::path::Path;

use crate::limits::PASSWORD_FILE_BYTES_MAX;
use crate::process::{SmallFile, SmallFileError, error_text, quoted_path};

/// Reads a file that has one line, `what`. The line ending, and a byte order mark before the line, do not belong to it.
///
/// # Errors
/// The problem of the file, for the user. No error has a part of its content.
pub(super) fn read_line(path: &Path, what: &str) -> Result<String, String> {
    let (shown, expected) = (quoted_path(path), format!("expected one line, {what}"));
    let file = SmallFile::read(path, PASSWORD_FILE_BYTES_MAX).map_err(|error| match error {
        SmallFileError::Unreadable(error) => format!("cannot read the file {shown}: {}", error_text(&error)),
        SmallFileError::NotAFile(found) => format!("{shown} is {found}: expected a file"),
        SmallFileError::TooLong => format!("the file {shown} is too long: {expected}"),
    })?;
    let text = str::from_utf8(&file.content).map_err(|_| format!("the file {shown} is not UTF-8: {expected}"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match line {
        "" => Err(format!("the file {shown} is empty: {expected}")),
        _ if line.contains('\n') => Err(format!("the file {shown} has several lines: {expected}")),
        _ => Ok(line.to_owned()),
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
            let read = read_line(&path, "the access token");
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
        let is_directory = read_line(directory.path(), "the access token").unwrap_err();
        assert!(is_directory.ends_with(" is a directory: expected a file"), "{is_directory}");
    }
}
