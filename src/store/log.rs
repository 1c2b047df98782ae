//! The store's lines in the operator's log.

use std::path::Path;
use std::time::Duration;

use tracing::{info, warn};

use super::store_path::Displaced;
use crate::protocol::Timestamp;

/// The wall clock is far from the expected time.
pub(super) fn clock_doubted(clock: Timestamp, expected: Timestamp, trial_left: Duration) {
    warn!(
        %clock,
        %expected,
        trial_seconds = trial_left.as_secs(),
        "the system clock is not trusted, so --keep deletes no messages by age: if the clock is wrong, set it; if it is right (the server was off for a long time), wait until it has run steadily for trial_seconds"
    );
}

/// Repeats the warning while there is still time to set the clock.
pub(super) fn clock_trial_ends(clock: Timestamp, left: Duration) {
    warn!(
        %clock,
        trial_seconds = left.as_secs(),
        "the system clock is still not trusted, but will be in trial_seconds: if it is wrong, set it before then; if it is right, do nothing"
    );
}

pub(super) fn clock_trusted(clock: Timestamp) {
    info!(%clock, "the system clock is trusted again: --keep deletes messages by age");
}

/// Rows of the table `accounts` could not be read.
pub(super) fn accounts_invalid(count: u32) {
    warn!(
        count,
        "the store has accounts with invalid names or numbers, which another program may have written: they are ignored; restore the store from a backup, or delete these rows"
    );
}

/// Rows of the table `sanctions` could not be read.
pub(super) fn sanctions_invalid(count: u32) {
    warn!(
        count,
        "the store has bans or mutes that cannot be read, which another program may have written: they are ignored; \
         restore the store from a backup, or delete these rows"
    );
}

/// Rows of the table `audit` could not be read.
pub(super) fn audit_invalid(count: u32) {
    warn!(
        count,
        "the audit log has entries that cannot be read, which another program may have written: they are not listed; \
         look at the table audit with sqlite3"
    );
}

pub(super) fn displaced(displaced: &Displaced) {
    if displaced.is_truncated() {
        warn!(
            path = %displaced.path().display(),
            error = %displaced,
            "cannot store messages; refusing new ones until chinwagd is restarted: stop it; if the next start fails or messages are missing, restore the store from a backup, without its old -wal and -shm files"
        );
        return;
    }
    warn!(
        path = %displaced.path().display(),
        error = %displaced,
        "cannot store messages; refusing new ones until the file is back at its path or chinwagd is restarted"
    );
}

pub(super) fn hard_links(path: &Path, links: u64) {
    warn!(
        path = %path.display(),
        links,
        "the store has several hard links: always open it by this path, because the newest messages are in the -wal file beside it"
    );
}

pub(super) fn exposed_accounts(path: &Path) {
    warn!(
        path = %path.display(),
        "every user of this machine can read the store, with the hashes of passwords: chmod 600 it and the -wal and -shm files beside it"
    );
}

pub(super) fn epoch_may_repeat_ids() {
    warn!(
        "the store may lack messages: it is a backup, or the last server ran with --durability relaxed and did not stop cleanly. \
         --epoch names its old epoch, so one id may mean two messages; start with another --epoch, or without one"
    );
}

/// A server uses a copy of a store for the first time.
pub(super) fn restored(at: Timestamp) {
    warn!(
        %at,
        "the store is a backup: changes after it are undone, older passwords, access tokens and bans are valid again, \
         and every room begins a new epoch; see docs/operating.md, Restore"
    );
}

/// Whether information is logged.
pub(super) fn is_shown() -> bool {
    tracing::enabled!(tracing::Level::INFO)
}

pub(super) fn migration_begins(path: &Path, from: usize, to: usize) {
    info!(path = %path.display(), from, to, "migrating the store to the current version");
}

pub(super) fn migrating(percent: u64) {
    info!(percent, "migrating the store");
}

pub(super) fn migrated(seconds: u64) {
    info!(seconds, "migrated the store");
}

/// The index lags far behind, as after a migration.
pub(super) fn indexing(messages_left: u64) {
    info!(messages_left, "indexing messages; until it is done, searches wait");
}

pub(super) fn indexed() {
    info!("indexed all messages");
}

pub(super) fn wal_grows(bytes: u64) {
    warn!(
        bytes,
        "the -wal file of the store grows because another program keeps a read transaction open: end that program to let the file shrink"
    );
}

pub(super) fn wal_shrank() {
    info!("the -wal file of the store has shrunk");
}
