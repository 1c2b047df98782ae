//! Keeps the write-ahead log small, even while others read the store without a pause.
//!
//! SQLite restarts the log only when nobody reads from it. Short readers that follow one another without a pause would let it
//! grow without limit. A checkpoint that waits for readers prevents that: it holds off writers, and a reader that starts
//! meanwhile finds everything in the file and does not need the log.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::file::{StoreFile, checkpoint};
use super::log;
use crate::limits::{
    STORE_BUSY_MS_MAX, STORE_CHECKPOINT_MS_MAX, STORE_CHECKPOINT_PAUSE_MS, STORE_WAL_BYTES_MAX,
    STORE_WAL_CHECKPOINT_BYTES,
};

#[derive(Debug)]
pub(super) struct WalBound {
    /// Beyond this many bytes, or after this time, a checkpoint waits for readers.
    wait_at: u64,
    wait_after: Instant,
    /// Whether the operator was warned that the log is too large.
    is_warned: bool,
}

impl WalBound {
    pub(super) fn new() -> Self {
        Self { wait_at: STORE_WAL_CHECKPOINT_BYTES, wait_after: Instant::now(), is_warned: false }
    }

    /// Empties the log if it is too large. Returns whether it is small.
    pub(super) fn keep(&mut self, file: &StoreFile) -> rusqlite::Result<bool> {
        let bytes = file.place.wal_bytes();
        if bytes <= STORE_WAL_CHECKPOINT_BYTES {
            self.settle();
            return Ok(true);
        }
        // A long-running reader must not delay every commit: wait for readers only now and then.
        if bytes <= self.wait_at && Instant::now() < self.wait_after {
            return Ok(false);
        }
        self.wait_at = bytes + STORE_WAL_CHECKPOINT_BYTES;
        let is_small = checkpoint_within(&file.connection, STORE_CHECKPOINT_MS_MAX)?;
        self.wait_after = Instant::now() + Duration::from_millis(STORE_CHECKPOINT_PAUSE_MS);
        if is_small {
            self.settle();
        }
        if !is_small && bytes > STORE_WAL_BYTES_MAX && !std::mem::replace(&mut self.is_warned, true) {
            log::wal_grows(bytes);
        }
        Ok(is_small)
    }

    fn settle(&mut self) {
        self.wait_at = STORE_WAL_CHECKPOINT_BYTES;
        if std::mem::take(&mut self.is_warned) {
            log::wal_shrank();
        }
    }
}

/// Writes the log into the file and empties it; waits up to `wait_ms` for readers. Returns whether that was done.
pub(super) fn checkpoint_within(connection: &Connection, wait_ms: u64) -> rusqlite::Result<bool> {
    connection.busy_timeout(Duration::from_millis(wait_ms))?;
    let is_small = checkpoint(connection);
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_MS_MAX))?;
    is_small
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;

    use super::*;
    use crate::store::place::companion;
    use crate::store::tests::{WAIT_MAX, close, commit, open, past};
    use crate::store::{Keep, Store};

    /// Bytes of text in a batch.
    const BATCH_BYTES: u64 = 100 * 4000;
    /// Longest that one of our readers reads.
    const READ_MAX: Duration = Duration::from_millis(50);

    fn wal_bytes(path: &Path) -> u64 {
        companion(path, "-wal").metadata().map_or(0, |wal| wal.len())
    }

    /// Commits batches of `bytes` in total, and reports each. Returns the largest size of the log after a commit.
    fn commit_bytes(store: &Store, path: &Path, bytes: u64, commits: &mpsc::Sender<()>) -> u64 {
        let batches = (1..).step_by(100).take(usize::try_from(bytes / BATCH_BYTES).unwrap());
        let sizes = batches.map(|id| {
            commit(store, (id..id + 100).map(|id| past(id, &"x".repeat(4000))).collect(), None);
            // Fails if nobody listens.
            let _ = commits.send(());
            wal_bytes(path)
        });
        sizes.max().unwrap()
    }

    /// Reads in transactions that overlap: each lasts for two commits or [`READ_MAX`]. Ends when nobody can commit any more.
    fn read_without_pause(path: &Path, commits: &mpsc::Receiver<()>) {
        let connections = [(); 2].map(|()| Connection::open(path).unwrap());
        let mut before: Option<&Connection> = None;
        for reader in connections.iter().cycle() {
            reader.execute_batch("BEGIN; SELECT count(*) FROM state").unwrap();
            if let Some(before) = before.replace(reader) {
                before.execute_batch("COMMIT").unwrap();
            }
            let waited = [(); 2].map(|()| commits.recv_timeout(READ_MAX));
            if waited.contains(&Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
    }

    #[test]
    fn wal_stays_bounded_under_readers_without_a_pause() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (path, (store, _)) = (&path, open(&path, Keep::All).unwrap());
        let (to_reader, commits) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || read_without_pause(path, &commits));
            let largest = commit_bytes(&store, path, 5 * STORE_WAL_CHECKPOINT_BYTES / 2, &to_reader);
            drop(to_reader);
            assert!(largest < 3 * STORE_WAL_CHECKPOINT_BYTES / 2, "{largest} bytes");
        });
        close(store, 100_000);
    }

    #[test]
    fn wal_grows_beside_a_long_reader_and_shrinks_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (path, (store, _)) = (&path, open(&path, Keep::All).unwrap());
        let reader = Connection::open(path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM state").unwrap();
        let grown = commit_bytes(&store, path, 2 * STORE_WAL_CHECKPOINT_BYTES, &mpsc::channel().0);
        assert!(grown > STORE_WAL_CHECKPOINT_BYTES, "{grown} bytes: the reader was ignored");
        reader.execute_batch("COMMIT").unwrap();
        // No more messages arrive, while others read without a pause.
        let (to_reader, commits) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || read_without_pause(path, &commits));
            let deadline = Instant::now() + WAIT_MAX;
            while wal_bytes(path) > 0 && Instant::now() < deadline {
                thread::yield_now();
            }
            drop(to_reader);
            assert_eq!(wal_bytes(path), 0, "it does not shrink");
        });
        close(store, 100_000);
    }
}
