//! Limits log lines about frequent events.

use std::time::Instant;

use crate::limits::REFUSED_LOG_SECONDS;

/// Limits the lines about one kind of event to one every [`REFUSED_LOG_SECONDS`].
#[derive(Debug, Default)]
pub(in crate::server) struct LogLimiter {
    logged_at: Option<Instant>,
    /// Events since then.
    count: u64,
}

impl LogLimiter {
    /// Counts an event. Calls `log` with the number of events since the last call, unless that was too recent.
    pub(in crate::server) fn log(&mut self, now: Instant, log: impl FnOnce(u64)) {
        self.count += 1;
        if self.logged_at.is_none_or(|at| (now - at).as_secs() >= REFUSED_LOG_SECONDS) {
            log(std::mem::take(&mut self.count));
            self.logged_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn line_counts_events_since_the_last_line() {
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        let mut counts = Vec::new();
        for seconds in [0, 1, REFUSED_LOG_SECONDS - 1, REFUSED_LOG_SECONDS, REFUSED_LOG_SECONDS + 1] {
            limiter.log(start + Duration::from_secs(seconds), |count| counts.push((seconds, count)));
        }
        assert_eq!(counts, [(0, 1), (REFUSED_LOG_SECONDS, 3)]);
    }
}
