//! The history of typed lines, and the file that keeps it between runs. The file is bounded; the caller leaves private text out.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the history file")]

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::limits::{EDITED_BYTES_MAX, HISTORY_FILE_BYTES_MAX, HISTORY_LINES_MAX};
use crate::process::error_text;
use crate::protocol::sanitize;

/// The entries of the history, oldest first.
#[derive(Debug, Default)]
pub(in crate::client) struct InputHistory(VecDeque<String>);

impl InputHistory {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// Adds a line, unless it is blank or repeats the last one. Returns whether it was added.
    pub(in crate::client) fn add(&mut self, line: &str) -> bool {
        let is_new = !line.trim().is_empty() && self.0.back().is_none_or(|last| last != line);
        if is_new {
            if self.0.len() == HISTORY_LINES_MAX {
                self.0.pop_front();
            }
            self.0.push_back(line.to_owned());
        }
        is_new
    }

    /// The last entry up to `last` that contains `text`.
    pub(super) fn find_back(&self, text: &str, last: usize) -> Option<usize> {
        (0..=last).rev().find(|at| self.0.get(*at).is_some_and(|entry| entry.contains(text)))
    }

    /// The first entry from `first` on that contains `text`.
    pub(super) fn find_forward(&self, text: &str, first: usize) -> Option<usize> {
        (first..self.0.len()).find(|at| self.0[*at].contains(text))
    }
}

/// The first line of the file. After it, each line is an entry in which `\n` is a line break and `\\` a backslash (the format of
/// rustyline, which earlier versions used).
const HEADER: &str = "#V2";

/// A history file. Several clients may append to it.
#[derive(Clone, Debug)]
pub(in crate::client) struct HistoryFile {
    path: PathBuf,
    /// Whether the last line has no ending, because a write was cut short.
    is_torn: bool,
}

impl HistoryFile {
    /// The history file of the user.
    pub(in crate::client) fn of_user() -> Option<Self> {
        Some(Self::new(dirs::state_dir()?.join("chinwag/history")))
    }

    fn new(path: PathBuf) -> Self {
        Self { path, is_torn: false }
    }

    /// Reads the file. Bytes that are not UTF-8 become U+FFFD. A missing file is an empty history.
    pub(in crate::client) fn load(&mut self) -> io::Result<InputHistory> {
        let mut history = InputHistory::default();
        let (bytes, is_whole) = match self.read() {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(history),
            Err(error) => return Err(self.explained("read", &error)),
        };
        self.is_torn = bytes.last().is_some_and(|last| *last != b'\n');
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        if !is_whole {
            // The first line may be incomplete.
            lines.next();
        }
        let lines = lines.filter(|line| *line != HEADER && line.len() <= EDITED_BYTES_MAX);
        let added = lines.filter(|line| history.add(&unescaped(line))).count();
        if !is_whole || added > 2 * HISTORY_LINES_MAX {
            // If this fails, the file stays long and the next start slower, but no entry is lost.
            let _ = self.rewrite(&history);
        }
        Ok(history)
    }

    /// Appends an entry.
    pub(in crate::client) fn append(&mut self, line: &str) -> io::Result<()> {
        self.try_append(line).map_err(|error| self.explained("write", &error))
    }

    /// The last [`HISTORY_FILE_BYTES_MAX`] bytes of the file, and whether that is the whole file.
    fn read(&self) -> io::Result<(Vec<u8>, bool)> {
        // Opening a FIFO would block.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut file = File::open(&self.path)?;
        let start = file.metadata()?.len().saturating_sub(HISTORY_FILE_BYTES_MAX);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(HISTORY_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok((bytes, start == 0))
    }

    fn try_append(&mut self, line: &str) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        if fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(io::Error::other("it is not a regular file"));
        }
        // Opened for each entry: another client may have replaced the file.
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let before = match file.metadata()?.len() {
            0 => [HEADER, "\n"].concat(),
            _ if self.is_torn => "\n".to_owned(),
            _ => String::new(),
        };
        // A single write, so that entries of several clients are not mixed.
        let entry = [&before, &escaped(line), "\n"].concat();
        self.is_torn = true;
        file.write_all(entry.as_bytes())?;
        self.is_torn = false;
        Ok(())
    }

    /// Replaces the file with these entries.
    fn rewrite(&mut self, history: &InputHistory) -> io::Result<()> {
        // Replaces the target of a symbolic link, not the link.
        let path = fs::canonicalize(&self.path)?;
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
        let entries = history.0.iter().map(|entry| escaped(entry) + "\n").collect::<String>();
        file.write_all([HEADER, "\n", &entries].concat().as_bytes())?;
        file.persist(path)?;
        self.is_torn = false;
        Ok(())
    }

    fn explained(&self, what: &str, error: &io::Error) -> io::Error {
        let path = self.path.display().to_string();
        let (path, why) = (sanitize(&path), error_text(error));
        io::Error::other(format!("cannot {what} the history file {path}: {why}; lines are kept until you leave"))
    }
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

/// The entry in a line of the file, with control characters replaced.
fn unescaped(line: &str) -> String {
    let mut entry = String::with_capacity(line.len());
    let mut chars = sanitize(line).chars().collect::<VecDeque<_>>();
    while let Some(c) = chars.pop_front() {
        match (c, chars.front()) {
            ('\\', Some('n')) => entry.push('\n'),
            ('\\', Some('\\')) => entry.push('\\'),
            _ => {
                entry.push(c);
                continue;
            }
        }
        chars.pop_front();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history file with these bytes, in a new directory.
    fn file(bytes: &[u8]) -> (tempfile::TempDir, HistoryFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history");
        fs::write(&path, bytes).unwrap();
        (directory, HistoryFile::new(path))
    }

    fn entries(file: &mut HistoryFile) -> Vec<String> {
        file.load().unwrap().0.into()
    }

    #[test]
    fn history_file_reads_what_it_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(directory.path().join("state/history"));
        assert_eq!(entries(&mut file), [""; 0]);
        for line in ["one", "a\nb \\n c\\", "日本"] {
            file.append(line).unwrap();
        }
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "#V2\none\na\\nb \\\\n c\\\\\n日本\n");
        assert_eq!(entries(&mut file), ["one", "a\nb \\n c\\", "日本"]);
    }

    #[test]
    fn damaged_history_file_keeps_intact_lines() {
        let (_directory, mut file) = file(b"#V2\none\ncaf\xe9\n\0\0\n\x1b[2J\n\ntwo\\\nthr");
        assert_eq!(entries(&mut file), ["one", "caf\u{fffd}", "\u{fffd}\u{fffd}", "\u{fffd}[2J", "two\\", "thr"]);
        file.append("four").unwrap();
        assert_eq!(entries(&mut file).last().unwrap(), "four");
    }

    #[test]
    fn unusable_history_file_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(directory.path().to_owned());
        let error = file.load().unwrap_err().to_string();
        assert!(error.starts_with("cannot read the history file /") && error.contains("not a regular file"), "{error}");
        assert!(file.append("one").is_err());
    }

    #[test]
    fn long_history_file_is_truncated() {
        let (_directory, mut file) = file("x".repeat(100_000).as_bytes());
        let mut bytes = fs::read(&file.path).unwrap();
        bytes.extend((0..200_000).flat_map(|number| format!("\nline {number}").into_bytes()));
        fs::write(&file.path, &bytes).unwrap();
        let kept = entries(&mut file);
        assert_eq!((kept.len(), kept[0].as_str()), (HISTORY_LINES_MAX, "line 199000"));
        assert_eq!(entries(&mut file), kept);
        assert!(fs::metadata(&file.path).unwrap().len() < 20_000);
    }

    #[test]
    fn history_adds_no_blank_line_and_no_repetition() {
        let mut history = InputHistory::default();
        let added = ["one", "one", "", " ", "two", "one"].map(|line| history.add(line));
        assert_eq!(added, [true, false, false, false, true, true]);
    }
}
