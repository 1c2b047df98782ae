//! The rate limit: a token bucket. It limits the lines of each client (`spend_token` in `connection::reader`) and the
//! connections from each address (`admission`). Lines beyond the rate wait; connections beyond it are refused.
//!
//! The implementation is the generic cell rate algorithm (ITU-T I.371, annex A), whose only state is one point in time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The parameters of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that are added in a second. 0: no limit.
    pub per_second: u32,
    /// Tokens that the bucket holds: the number of events at once after a silence. At least 1.
    pub burst: u32,
}

impl Rate {
    pub(super) fn is_unlimited(self) -> bool {
        self.per_second == 0
    }
}

/// A rate that may change while other threads read it. Reading costs one load.
#[derive(Debug)]
pub(super) struct LiveRate(AtomicU64);

impl LiveRate {
    pub(super) fn new(rate: Rate) -> Self {
        Self(AtomicU64::new(Self::pack(rate)))
    }

    pub(super) fn get(&self) -> Rate {
        let packed = self.0.load(Ordering::Relaxed);
        // Each half has 32 bits.
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Rate { per_second: half(packed >> 32), burst: half(packed) }
    }

    pub(super) fn set(&self, rate: Rate) {
        self.0.store(Self::pack(rate), Ordering::Relaxed);
    }

    fn pack(Rate { per_second, burst }: Rate) -> u64 {
        u64::from(per_second) << 32 | u64::from(burst)
    }
}

/// The state of a token bucket. It is full at first.
#[derive(Debug, Default)]
pub(super) struct TokenBucket {
    /// The time at which the bucket will be full. `None`: it is full.
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// Spends a token if the bucket has one. Returns whether it had.
    pub(super) fn try_spend(&mut self, rate: Rate, now: Instant) -> bool {
        let mut spent = Self { full_at: self.full_at };
        let is_available = spent.spend(rate, now).is_zero();
        if is_available {
            *self = spent;
        }
        is_available
    }

    /// Whether the bucket has all its tokens.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }

    /// Spends a token, in advance if the bucket is empty. Returns how long the caller must wait before it may act.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) -> Duration {
        if rate.is_unlimited() {
            return Duration::ZERO;
        }
        let interval = Duration::from_secs(1) / rate.per_second;
        // Without the upper bound, a client that has used up a slow rate would wait long after the rate was raised.
        let empty = now + interval * rate.burst;
        let full_at = self.full_at.map_or(now, |full_at| full_at.clamp(now, empty));
        self.full_at = Some(full_at + interval);
        full_at.saturating_duration_since(now + interval * (rate.burst - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spend_waits_after_burst() {
        let rate = Rate { per_second: 10, burst: 3 };
        let mut bucket = TokenBucket::default();
        let start = Instant::now();
        let mut spend = |at_ms| bucket.spend(rate, start + Duration::from_millis(at_ms)).as_millis();
        assert_eq!([spend(0), spend(0), spend(0)], [0, 0, 0]);
        assert_eq!(spend(0), 100);
        assert_eq!(spend(100), 100, "after the token before it");
        assert_eq!(spend(250), 50, "half of the interval has passed");
        assert_eq!([spend(5000), spend(5000), spend(5000)], [0, 0, 0], "the bucket holds no more than a burst");
        assert_eq!(spend(5000), 100);
    }

    /// An empty bucket of the old rate is an empty bucket of the new one.
    #[test]
    fn changed_rate_applies_at_once() {
        let (slow, fast) = (Rate { per_second: 1, burst: 1000 }, Rate { per_second: 100, burst: 2 });
        let mut bucket = TokenBucket::default();
        let start = Instant::now();
        for _ in 0..1000 {
            assert_eq!(bucket.spend(slow, start), Duration::ZERO);
        }
        assert_eq!(bucket.spend(fast, start), Duration::from_millis(10));
        let later = start + Duration::from_secs(1);
        assert_eq!([(); 3].map(|()| bucket.spend(fast, later).as_millis()), [0, 0, 10]);
        assert_eq!(bucket.spend(Rate { per_second: 0, burst: 1 }, later), Duration::ZERO);
    }

    #[test]
    fn live_rate_returns_the_last_rate() {
        let rates =
            [(0, 1), (10, 40), (u32::MAX, 1), (1, u32::MAX)].map(|(per_second, burst)| Rate { per_second, burst });
        let live = LiveRate::new(rates[3]);
        assert_eq!(live.get(), rates[3]);
        for rate in rates {
            live.set(rate);
            assert_eq!(live.get(), rate);
        }
    }

    #[test]
    fn try_spend_on_empty_bucket_spends_nothing() {
        let rate = Rate { per_second: 10, burst: 2 };
        let mut bucket = TokenBucket::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([0, 0, 0, 0].map(|ms| bucket.try_spend(rate, at(ms))), [true, true, false, false]);
        assert_eq!([99, 100, 150].map(|ms| bucket.try_spend(rate, at(ms))), [false, true, false]);
        assert!(!bucket.is_full(at(299)) && bucket.is_full(at(300)));
    }
}
