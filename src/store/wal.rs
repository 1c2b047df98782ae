//! Limits the write-ahead log, even while others read the store without a pause.
//!
//! SQLite restarts the log only while nothing reads it. Short reads that follow one another without a pause would let it grow without
//! limit. A checkpoint that waits for readers prevents that: it holds off writers, and a reader that starts meanwhile finds everything in
//! the file and does not need the log.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::file::{StoreFile, checkpoint};
use super::log;
use crate::limits::{
    STORE_BUSY_MS_MAX, STORE_CHECKPOINT_LONG_MS_MAX, STORE_CHECKPOINT_MS_MAX, STORE_CHECKPOINT_PAUSE_FACTOR,
    STORE_WAL_BYTES_MAX, STORE_WAL_CHECKPOINT_BYTES, STORE_WAL_URGENT_BYTES,
};

#[derive(Debug)]
pub(super) struct WalBound {
    short: CheckpointWait,
    long: CheckpointWait,
    /// The log may have texts that were deleted: it must be emptied, even if it is small, from this time on.
    emptied_from: Option<Instant>,
    /// Whether the operator was warned that the log is too large.
    is_warned: bool,
}

/// When a checkpoint that waits for readers is due. A long-running reader must not delay every commit.
#[derive(Debug)]
struct CheckpointWait {
    ms: u64,
    /// Fewest bytes of the log for which a checkpoint waits.
    bytes_min: u64,
    /// Due beyond this many bytes, or after this time.
    at: u64,
    after: Instant,
}

impl CheckpointWait {
    fn new(ms: u64, bytes_min: u64) -> Self {
        Self { ms, bytes_min, at: bytes_min, after: Instant::now() }
    }

    fn is_due(&self, bytes: u64) -> bool {
        bytes > self.at || (bytes > self.bytes_min && Instant::now() >= self.after)
    }

    /// Plans the next checkpoint, now that one has ended.
    fn postpone(&mut self, at: u64) {
        self.at = at;
        self.after = Instant::now() + Duration::from_millis(self.ms * STORE_CHECKPOINT_PAUSE_FACTOR);
    }
}

impl WalBound {
    pub(super) fn new() -> Self {
        Self {
            short: CheckpointWait::new(STORE_CHECKPOINT_MS_MAX, STORE_WAL_CHECKPOINT_BYTES),
            long: CheckpointWait::new(STORE_CHECKPOINT_LONG_MS_MAX, STORE_WAL_URGENT_BYTES),
            // A server that was killed may have left some.
            emptied_from: Some(Instant::now()),
            is_warned: false,
        }
    }

    /// Has the log emptied as soon as possible, because it has texts that are now deleted.
    pub(super) fn keep_no_deleted_texts(&mut self) {
        self.emptied_from = Some(Instant::now());
    }

    pub(super) fn has_deleted_texts(&self) -> bool {
        self.emptied_from.is_some()
    }

    /// Empties the log if it is too large and a checkpoint is due. Returns whether it is small.
    pub(super) fn limit_size(&mut self, file: &StoreFile) -> rusqlite::Result<bool> {
        let bytes = file.store_path.wal_bytes();
        if bytes <= STORE_WAL_CHECKPOINT_BYTES && self.emptied_from.is_none() {
            self.reset();
            return Ok(true);
        }
        let is_long = self.long.is_due(bytes);
        let must_empty = self.emptied_from.is_some_and(|from| Instant::now() >= from);
        if !is_long && !must_empty && !self.short.is_due(bytes) {
            return Ok(false);
        }
        let wait_ms = if is_long { self.long.ms } else { self.short.ms };
        let checkpointed = checkpoint_within(&file.connection, wait_ms);
        self.short.postpone(bytes + STORE_WAL_CHECKPOINT_BYTES);
        if is_long {
            // Below the limit, a failure may be bad luck. Beyond it, a long-running reader is the cause.
            let growth = if bytes < STORE_WAL_BYTES_MAX { STORE_WAL_CHECKPOINT_BYTES } else { bytes };
            self.long.postpone(bytes + growth);
        }
        if must_empty {
            self.emptied_from = Some(self.short.after);
        }
        let is_small = checkpointed?;
        if is_small {
            self.emptied_from = None;
            self.reset();
        }
        if !is_small && bytes > STORE_WAL_BYTES_MAX && !std::mem::replace(&mut self.is_warned, true) {
            log::wal_grows(bytes);
        }
        Ok(is_small)
    }

    fn reset(&mut self) {
        self.short.at = self.short.bytes_min;
        self.long.at = self.long.bytes_min;
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
    use crate::store::store_path::companion;
    use crate::store::tests::{WAIT_MAX, close, commit, open, past};
    use crate::store::{Retention, Store};

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
            commit(store, (id..id + 100).map(|id| past(id, &"x".repeat(4000))).collect());
            // Fails if nobody listens.
            let _ = commits.send(());
            wal_bytes(path)
        });
        sizes.max().unwrap()
    }

    /// Reads in transactions that overlap: each lasts for two commits, and for each of them at most `wait_max`. Ends when the
    /// sender is dropped.
    fn read_without_pause(path: &Path, commits: &mpsc::Receiver<()>, wait_max: Duration) {
        let connections = [(); 2].map(|()| Connection::open(path).unwrap());
        let mut before: Option<&Connection> = None;
        for reader in connections.iter().cycle() {
            reader.execute_batch("BEGIN; SELECT count(*) FROM state").unwrap();
            if let Some(before) = before.replace(reader) {
                before.execute_batch("COMMIT").unwrap();
            }
            let waited = [(); 2].map(|()| commits.recv_timeout(wait_max));
            if waited.contains(&Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
    }

    #[test]
    fn wal_stays_bounded_under_readers_without_a_pause() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (path, (store, _)) = (&path, open(&path, Retention::All).unwrap());
        let (to_reader, commits) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || read_without_pause(path, &commits, READ_MAX));
            let largest = commit_bytes(&store, path, 5 * STORE_WAL_CHECKPOINT_BYTES / 2, &to_reader);
            drop(to_reader);
            assert!(largest < 3 * STORE_WAL_CHECKPOINT_BYTES / 2, "{largest} bytes");
        });
        close(store);
    }

    #[test]
    fn wal_grows_beside_a_long_reader_and_shrinks_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (path, (store, _)) = (&path, open(&path, Retention::All).unwrap());
        let reader = Connection::open(path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM state").unwrap();
        let grown = commit_bytes(&store, path, 2 * STORE_WAL_CHECKPOINT_BYTES, &mpsc::channel().0);
        assert!(grown > STORE_WAL_CHECKPOINT_BYTES, "{grown} bytes: the reader was ignored");
        reader.execute_batch("COMMIT").unwrap();
        // No more messages arrive, while others read without a pause.
        let (to_reader, commits) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || read_without_pause(path, &commits, READ_MAX));
            let deadline = Instant::now() + WAIT_MAX;
            while wal_bytes(path) > 0 && Instant::now() < deadline {
                thread::yield_now();
            }
            drop(to_reader);
            assert_eq!(wal_bytes(path), 0, "it does not shrink");
        });
        close(store);
    }

    #[test]
    fn wal_stays_bounded_beside_slow_overlapping_readers() {
        /// Duration of a transaction: too long for a short wait, and short enough for a long one.
        const HELD: Duration = Duration::from_millis(STORE_CHECKPOINT_LONG_MS_MAX * 3 / 8);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (path, (store, _)) = (&path, open(&path, Retention::All).unwrap());
        let (to_reader, commits) = mpsc::channel();
        let largest = thread::scope(|scope| {
            scope.spawn(move || read_without_pause(path, &commits, HELD / 2));
            let largest = commit_bytes(&store, path, 5 * STORE_WAL_CHECKPOINT_BYTES, &mpsc::channel().0);
            drop(to_reader);
            largest
        });
        assert!(largest > STORE_WAL_URGENT_BYTES, "{largest} bytes: a short wait sufficed");
        assert!(largest < STORE_WAL_BYTES_MAX, "{largest} bytes");
        close(store);
    }
}
