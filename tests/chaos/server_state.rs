//! The server's resources, seen from outside: through `/proc` and through its log.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};

/// Resources that must return to their first level when all hostile clients are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Resources {
    pub(crate) fn of(pid: u32) -> Self {
        let count = |what| fs::read_dir(format!("/proc/{pid}/{what}")).expect("/proc").count();
        Self { descriptors: count("fd"), threads: count("task") }
    }
}

/// The server's log, read as it grows. It goes to a file, so the server never waits for a reader.
///
/// Each connection's task logs `disconnected` before it waits until the client has read the rest, so a session with only `connected` is a
/// task that still runs. A task with both lines holds its descriptor until it ends; [`Resources`] counts those. The server drops lines
/// while 4,096 of them wait to be written, and logs their number.
pub(crate) struct Log {
    input: BufReader<File>,
    part: String,
    connected: u64,
    dropped: u64,
    pub(crate) open: BTreeSet<u64>,
}

impl Log {
    pub(crate) fn new(file: File) -> Self {
        Self { input: BufReader::new(file), part: String::new(), connected: 0, dropped: 0, open: BTreeSet::new() }
    }

    /// Reads the lines that were logged since the last call.
    pub(crate) fn read(&mut self) {
        while self.input.read_line(&mut self.part).expect("a log in UTF-8") > 0 && self.part.ends_with('\n') {
            let line = std::mem::take(&mut self.part);
            self.record(line.trim_end());
        }
    }

    fn record(&mut self, line: &str) {
        if let Some(count) = number(line, " WARN dropped log lines count=") {
            self.dropped += count;
            return;
        }
        let level = line.split_whitespace().nth(1);
        assert!(matches!(level, Some("INFO" | "DEBUG")), "unexpected warning: {line}");
        if let Some(session) = number(line, " connected id=") {
            self.connected += 1;
            assert!(self.open.insert(session), "{session} connects twice");
        } else if let Some(session) = number(line, " disconnected id=") {
            self.open.remove(&session);
        }
    }

    pub(crate) fn connected(&self) -> u64 {
        self.connected
    }

    /// Number of lines that the server has dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The number in a line after `before`.
fn number(line: &str, before: &str) -> Option<u64> {
    let (_, rest) = line.split_once(before)?;
    rest.split(' ').next()?.parse().ok()
}
