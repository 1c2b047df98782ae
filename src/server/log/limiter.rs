//! Limits log lines about frequent events.

use std::mem;
use std::time::{Duration, Instant};

use crate::limits::REFUSED_LOG_SECONDS;

/// Limits the lines about one kind of event to one every [`REFUSED_LOG_SECONDS`].
#[derive(Debug, Default)]
pub(super) struct LogLimiter {
    logged_at: Option<Instant>,
    /// Events since then.
    count: u64,
}

impl LogLimiter {
    /// Counts an event.
    pub(super) fn count(&mut self) {
        self.count += 1;
    }

    /// Returns the number of events since the last line, and resets it. `None` if there are none, or if the last line was too recent.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<u64> {
        let interval = Duration::from_secs(REFUSED_LOG_SECONDS);
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < interval) {
            return None;
        }
        let count = self.take()?;
        self.logged_at = Some(now);
        Some(count)
    }

    /// As [`LogLimiter::take_due`], but regardless of the time.
    pub(super) fn take(&mut self) -> Option<u64> {
        Some(mem::take(&mut self.count)).filter(|&count| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_counts_events_since_the_last_line() {
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        let mut counts = Vec::new();
        for seconds in [0, 1, REFUSED_LOG_SECONDS - 1, REFUSED_LOG_SECONDS, REFUSED_LOG_SECONDS + 1] {
            limiter.count();
            counts.extend(limiter.take_due(start + Duration::from_secs(seconds)).map(|count| (seconds, count)));
        }
        assert_eq!(counts, [(0, 1), (REFUSED_LOG_SECONDS, 3)]);
        assert_eq!((limiter.take(), limiter.take()), (Some(1), None));
    }
}
