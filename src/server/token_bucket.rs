//! How fast one peer's lines are read, and peers of one address are let in: a token bucket, as the generic cell rate algorithm (ITU-T I.371,
//! annex A), which needs no more than one point in time. Floods are slowed, not punished.

use std::time::{Duration, Instant};

/// How fast something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often a second in the long run; 0 is as often as it comes.
    pub per_second: u32,
    /// How often at once, after a silence. At least 1.
    pub burst: u32,
}

impl Rate {
    pub(super) fn is_unlimited(self) -> bool {
        self.per_second == 0
    }
}

/// How far a rate is used up.
#[derive(Debug, Default)]
pub(super) struct TokenBucket {
    /// When the bucket will be full again.
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// Takes a token if there is one now.
    pub(super) fn try_take(&mut self, rate: Rate, now: Instant) -> bool {
        let mut taken = Self { full_at: self.full_at };
        let is_there = taken.take(rate, now).is_zero();
        if is_there {
            *self = taken;
        }
        is_there
    }

    /// Whether nothing is used up any more.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }

    /// Takes a token. Returns how long to wait before what it is for.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> Duration {
        if rate.is_unlimited() {
            return Duration::ZERO;
        }
        let interval = Duration::from_secs(1) / rate.per_second;
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        self.full_at = Some(full_at + interval);
        full_at.saturating_duration_since(now + interval * (rate.burst - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_at_once_and_then_so_many_a_second() {
        let rate = Rate { per_second: 10, burst: 3 };
        let mut pace = TokenBucket::default();
        let start = Instant::now();
        let mut take = |at_ms| pace.take(rate, start + Duration::from_millis(at_ms)).as_millis();
        assert_eq!([take(0), take(0), take(0)], [0, 0, 0]);
        assert_eq!(take(0), 100);
        assert_eq!(take(100), 100, "it waited for the one before");
        assert_eq!(take(250), 50, "half of the time has passed already");
        assert_eq!([take(5000), take(5000), take(5000)], [0, 0, 0], "no more is saved up than a burst");
        assert_eq!(take(5000), 100);
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let rate = Rate { per_second: 10, burst: 2 };
        let mut pace = TokenBucket::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([0, 0, 0, 0].map(|ms| pace.try_take(rate, at(ms))), [true, true, false, false]);
        assert_eq!([99, 100, 150].map(|ms| pace.try_take(rate, at(ms))), [false, true, false]);
        assert!(!pace.is_full(at(299)) && pace.is_full(at(300)));
    }
}
