//! The log's clock: the same on all nodes, because it depends on the messages only.

use super::engine::LogMessage;
use crate::limits::LOG_STEP_MS_MAX;
use crate::protocol::Timestamp;
use crate::state::Uptime;

/// The times of the messages read so far.
///
/// The engine's wall time can go back, and forward by any step: another server leads, or its clock is set. The steady time advances by
/// a second at most for each message, so a silence of the engine does not make nodes look dead.
#[derive(Debug, Default)]
pub(super) struct LogClock {
    /// The engine's time of the last message.
    engine_ms: Option<u64>,
    /// Steady time, in milliseconds since the first message.
    log_ms: u64,
    /// The latest engine's time of all messages.
    at: Timestamp,
}

impl LogClock {
    /// Advances to the next message.
    pub(super) fn advance(&mut self, message: &LogMessage) {
        let before = self.engine_ms.replace(message.engine_ms).unwrap_or(message.engine_ms);
        self.log_ms += message.engine_ms.saturating_sub(before).min(LOG_STEP_MS_MAX);
        self.at = self.at.max(Timestamp(i64::try_from(message.engine_ms).unwrap_or(i64::MAX)));
    }

    /// Wall time: it never goes back.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Steady time.
    pub(super) fn uptime(&self) -> Uptime {
        Uptime(self.log_ms / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::LogPosition;
    use super::*;

    /// The times, in milliseconds and in seconds, after messages with these times of the engine.
    fn times_after(engine_ms: &[u64]) -> Vec<(i64, u64)> {
        let mut clock = LogClock::default();
        let times = engine_ms.iter().map(|&engine_ms| {
            clock.advance(&LogMessage { position: LogPosition(1), engine_ms, run: 1, body: [].into() });
            (clock.at().0, clock.log_ms)
        });
        times.collect()
    }

    #[test]
    fn clock_starts_at_zero_and_advances_as_engine() {
        assert_eq!(times_after(&[9_000, 9_400, 10_400]), [(9_000, 0), (9_400, 400), (10_400, 1_400)]);
    }

    #[test]
    fn clock_advances_a_second_at_most_for_each_message() {
        assert_eq!(times_after(&[1_000, 60_000, 61_001]), [(1_000, 0), (60_000, 1_000), (61_001, 2_000)]);
    }

    /// After a step back, steady time goes on from there at once, and wall time stands still until it is reached again.
    #[test]
    fn clock_never_goes_back() {
        let times = times_after(&[60_000, 50_000, 50_600, 70_000]);
        assert_eq!(times, [(60_000, 0), (60_000, 0), (60_000, 600), (70_000, 1_600)]);
    }

    #[test]
    fn clock_accepts_any_time_of_engine() {
        assert_eq!(times_after(&[u64::MAX, 0, u64::MAX]).last(), Some(&(i64::MAX, 1_000)));
    }
}
