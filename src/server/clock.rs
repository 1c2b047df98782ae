//! The server's clock, behind a trait, so that a test can use its own.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

use crate::limits::TICK_MS;
use crate::protocol::Timestamp;
use crate::state::Uptime;

/// A source of the current time. It has no timers.
pub(super) trait Clock: Debug + Send + Sync {
    /// Steady time, for rates and timeouts.
    fn steady(&self) -> Instant;

    /// Wall time, for dates.
    fn wall(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn steady(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Timestamp {
        wall_time()
    }
}

/// The wall time of the operating system. Times before 1970 read as the start of 1970, and times after 9999 as the end of 9999, the latest
/// that RFC 3339 can write.
pub(super) fn wall_time() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)).clamped()
}

/// Measures how long the server has run. Time in which it was stopped, or its machine slept, does not count: the server received nothing
/// in it, and no client may be disconnected for that.
#[derive(Debug)]
pub(super) struct UptimeMeter {
    uptime: Duration,
    read_at: Instant,
}

impl UptimeMeter {
    /// Starts at 0.
    pub(super) fn new(now: Instant) -> Self {
        Self { uptime: Duration::ZERO, read_at: now }
    }

    /// Returns the uptime. Must be called every [`TICK_MS`]: after a longer pause, only twice that time counts.
    pub(super) fn read(&mut self, now: Instant) -> Uptime {
        let passed = now.saturating_duration_since(self.read_at);
        self.uptime += passed.min(2 * Duration::from_millis(TICK_MS));
        self.read_at = now;
        Uptime(self.uptime.as_secs())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A clock that stands still until a test moves it.
    #[derive(Debug)]
    pub(in crate::server) struct ManualClock(Mutex<(Instant, Timestamp)>);

    impl ManualClock {
        pub(in crate::server) fn new(wall: Timestamp) -> Self {
            Self(Mutex::new((Instant::now(), wall)))
        }

        pub(in crate::server) fn advance(&self, time: Duration) {
            let (steady, wall) = &mut *self.0.lock().unwrap();
            *steady += time;
            wall.0 += i64::try_from(time.as_millis()).unwrap();
        }
    }

    impl Clock for ManualClock {
        fn steady(&self) -> Instant {
            self.0.lock().unwrap().0
        }

        fn wall(&self) -> Timestamp {
            self.0.lock().unwrap().1
        }
    }

    /// A server that was stopped for an hour used to disconnect all clients as idle.
    #[test]
    fn uptime_skips_time_while_server_was_stopped() {
        let clock = ManualClock::new(Timestamp(0));
        let mut meter = UptimeMeter::new(clock.steady());
        let mut read_after = |ms| {
            clock.advance(Duration::from_millis(ms));
            meter.read(clock.steady()).0
        };
        assert_eq!([read_after(1000), read_after(1010), read_after(990)], [1, 2, 3]);
        assert_eq!(read_after(3_600_000), 5);
        assert_eq!([read_after(0), read_after(1000)], [5, 6]);
    }
}
