//! Reports how far a migration is: at a terminal in a line below the log, otherwise in the log.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::log;
use super::schema::MIGRATIONS;
use super::store_path::companion;
use crate::limits::{STORE_MIGRATION_STEPS_PER_CHECK, STORE_PROGRESS_LOG_MS};
use crate::process::TerminalProgress;

/// A migration that is running.
#[derive(Debug)]
pub(super) struct MigrationLog {
    began: Instant,
}

impl MigrationLog {
    /// Reports the start and, from now on at regular intervals, the progress.
    pub(super) fn begin(connection: &mut Connection, path: &Path, version: usize) -> rusqlite::Result<Self> {
        log::migration_begins(path, version, MIGRATIONS.len());
        let (wal, began) = (companion(path, "-wal"), Instant::now());
        let database_bytes = bytes_of(path).max(1);
        let mut logged = began;
        let line = log::is_shown().then(|| TerminalProgress::show("migrating the store")).flatten();
        let report = move || {
            if let Some(line) = &line {
                line.set_percent(percent(bytes_of(&wal), database_bytes));
            } else if logged.elapsed() >= Duration::from_millis(STORE_PROGRESS_LOG_MS) {
                logged = Instant::now();
                log::migrating(percent(bytes_of(&wal), database_bytes));
            }
            false
        };
        connection.progress_handler(STORE_MIGRATION_STEPS_PER_CHECK, Some(report))?;
        Ok(Self { began })
    }

    /// Reports the end.
    pub(super) fn end(self, connection: &mut Connection) -> rusqlite::Result<()> {
        // Also removes the line.
        connection.progress_handler(0, None::<fn() -> bool>)?;
        log::migrated(self.began.elapsed().as_secs());
        Ok(())
    }
}

/// An estimate: a migration writes the database again, into the write-ahead log, where it takes about a fifth more.
fn percent(wal_bytes: u64, database_bytes: u64) -> u64 {
    (wal_bytes.saturating_mul(80) / database_bytes).min(99)
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_below_100_until_the_end() {
        assert_eq!([(0, 1), (10, 100), (120, 100), (900, 100)].map(|(wal, file)| percent(wal, file)), [0, 8, 96, 99]);
    }
}
