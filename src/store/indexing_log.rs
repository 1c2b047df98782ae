//! Reports in the log how far the index is, if it takes long: after a migration, or after a flood.

use std::time::{Duration, Instant};

use super::log;
use crate::limits::STORE_PROGRESS_LOG_MS;

/// The indexing of many messages.
#[derive(Debug, Default)]
pub(super) struct IndexingLog {
    /// When it began, or the last report of it.
    since: Option<Instant>,
    is_reported: bool,
}

impl IndexingLog {
    /// Notes that messages are not indexed yet, and that the next step follows at once.
    pub(super) fn goes_on(&mut self, messages_left: u64) {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= Duration::from_millis(STORE_PROGRESS_LOG_MS) {
            (self.since, self.is_reported) = (Some(Instant::now()), true);
            log::indexing(messages_left);
        }
    }

    /// Notes that all messages are indexed.
    pub(super) fn ends(&mut self) {
        self.since = None;
        if std::mem::take(&mut self.is_reported) {
            log::indexed();
        }
    }
}
