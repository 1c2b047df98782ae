//! What the server holds, seen from outside: through `/proc`, and through what it logs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};

/// What must be the same again when all who misbehaved are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Holdings {
    pub(crate) fn of(pid: u32) -> Self {
        let count = |what| fs::read_dir(format!("/proc/{pid}/{what}")).expect("/proc").count();
        Self { descriptors: count("fd"), threads: count("task") }
    }
}

/// The server's log, read as it grows. It goes to a file: nobody has to read it for the server to write it.
///
/// Each connection's task writes `connected` as its first line and `disconnected` as its last, so those that have only the
/// first are the tasks there are. The server drops lines when 4,096 of them wait to be written; then a `connected` is
/// missing too, most likely, and [`Log::lost`] tells.
pub(crate) struct Log {
    input: BufReader<File>,
    part: String,
    connected: u64,
    last_session: u64,
    pub(crate) open: BTreeSet<u64>,
}

impl Log {
    pub(crate) fn new(file: File) -> Self {
        Self { input: BufReader::new(file), part: String::new(), connected: 0, last_session: 0, open: BTreeSet::new() }
    }

    /// Takes note of what was logged since.
    pub(crate) fn read(&mut self) {
        while self.input.read_line(&mut self.part).expect("a log in UTF-8") > 0 && self.part.ends_with('\n') {
            let line = std::mem::take(&mut self.part);
            self.take(line.trim_end());
        }
    }

    fn take(&mut self, line: &str) {
        let level = line.split_whitespace().nth(1);
        assert!(matches!(level, Some("INFO" | "DEBUG")), "the server complains: {line}");
        if let Some(session) = session(line, " connected id=") {
            self.connected += 1;
            self.last_session = self.last_session.max(session);
            assert!(self.open.insert(session), "{session} connects twice");
        } else if let Some(session) = session(line, " disconnected id=") {
            self.open.remove(&session);
        }
    }

    pub(crate) fn connected(&self) -> u64 {
        self.connected
    }

    /// How many connections were not logged. Sessions are numbered from 1, with no gaps.
    pub(crate) fn lost(&self) -> u64 {
        self.last_session - self.connected
    }
}

fn session(line: &str, before: &str) -> Option<u64> {
    let (_, rest) = line.split_once(before)?;
    rest.split(' ').next()?.parse().ok()
}
