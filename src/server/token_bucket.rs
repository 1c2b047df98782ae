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

    /// The time in which a token is added, if the rate is limited.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenBucket(Option<Filling>);

/// A bucket that is not full, or was not lately.
#[derive(Clone, Copy, Debug)]
struct Filling {
    /// The time at which the bucket will be full.
    full_at: Instant,
    /// The rate that this time follows from.
    rate: Rate,
}

impl TokenBucket {
    /// Spends a token if the bucket has one. Returns whether it had.
    pub(super) fn try_spend(&mut self, rate: Rate, now: Instant) -> bool {
        self.change_rate(rate, now);
        let mut spent = *self;
        let is_available = spent.spend(rate, now).is_zero();
        if is_available {
            *self = spent;
        }
        is_available
    }

    /// Whether the bucket has all its tokens.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.0.is_none_or(|filling| filling.full_at <= now)
    }

    /// Spends a token, in advance if the bucket is empty. Returns how long the caller must wait before it may act.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) -> Duration {
        if rate.is_unlimited() {
            return Duration::ZERO;
        }
        self.change_rate(rate, now);
        let interval = rate.interval();
        let full_at = self.0.map_or(now, |filling| filling.full_at.max(now)) + interval;
        self.0 = Some(Filling { full_at, rate });
        full_at.saturating_duration_since(now + interval * rate.burst)
    }

    /// Changes the rate. The bucket keeps its tokens, as far as they fit: an empty bucket stays empty, and a full one stays full. Tokens that
    /// were spent in advance are forgotten.
    pub(super) fn change_rate(&mut self, rate: Rate, now: Instant) {
        let Some(Filling { full_at, rate: old }) = self.0.filter(|filling| filling.rate != rate) else { return };
        if rate.is_unlimited() {
            return;
        }
        let missing = full_at.saturating_duration_since(now);
        if missing.is_zero() {
            self.0 = None;
            return;
        }
        let (old_interval, interval) = (old.interval().as_nanos().max(1), rate.interval().as_nanos());
        let left = (old_interval * u128::from(old.burst)).saturating_sub(missing.as_nanos());
        let missing = (interval * u128::from(rate.burst)).saturating_sub(left * interval / old_interval);
        let missing = Duration::from_nanos(u64::try_from(missing).unwrap_or(u64::MAX));
        self.0 = Some(Filling { full_at: now + missing, rate });
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

    /// It used to keep the time until it is full: at a tenth of the rate, that was nearly a burst.
    #[test]
    fn changed_rate_fills_no_bucket() {
        let (fast, slow) = (Rate { per_second: 500, burst: 1000 }, Rate { per_second: 1, burst: 1000 });
        let start = Instant::now();
        for rate in [slow, Rate { per_second: 500, burst: 2000 }, Rate { per_second: 1, burst: 1 }] {
            let mut bucket = TokenBucket::default();
            assert_eq!((0..=1000).filter(|_| bucket.try_spend(fast, start)).count(), 1000);
            assert!(!bucket.try_spend(rate, start), "{rate:?}");
            let later = start + rate.interval();
            assert_eq!([(); 2].map(|()| bucket.try_spend(rate, later)), [true, false], "{rate:?}");
        }
        let mut bucket = TokenBucket::default();
        assert_eq!((0..996).filter(|_| bucket.try_spend(fast, start)).count(), 996);
        bucket.change_rate(slow, start);
        assert_eq!((0..9).filter(|_| bucket.try_spend(slow, start)).count(), 4, "the tokens that were left");
        let mut bucket = TokenBucket::default();
        assert!(bucket.try_spend(slow, start));
        let later = start + Duration::from_secs(1);
        assert_eq!((0..=1000).filter(|_| bucket.try_spend(fast, later)).count(), 1000, "a full bucket stays full");
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
