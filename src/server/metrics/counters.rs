//! Counters that tasks on several threads add to without waiting for each other.

use std::array;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::TRANSPORTS;

/// Counters of rare events: connections, refusals.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, index: usize, count: u64) {
        self.0[index].fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::Relaxed)
    }
}

/// Number of cells. With more threads than that, several add to the same cell.
const CELLS: usize = 16;

/// The bytes that were received and sent, by transport. Each of the first [`CELLS`] threads adds to a cell of its own, so that processors
/// seldom wait for the same cache line.
#[derive(Debug, Default)]
pub(super) struct ByteCounters([ByteCell; CELLS]);

/// The counters of a thread, apart from those of others: processors load pairs of cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct ByteCell {
    received: Counters<{ TRANSPORTS.len() }>,
    sent: Counters<{ TRANSPORTS.len() }>,
}

/// Number of threads that have counted bytes.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The cell of this thread.
    static CELL: usize = THREADS.fetch_add(1, Ordering::Relaxed) % CELLS;
}

impl ByteCounters {
    pub(super) fn add_received(&self, transport: usize, bytes: usize) {
        self.cell().received.add(transport, bytes as u64);
    }

    pub(super) fn add_sent(&self, transport: usize, bytes: usize) {
        self.cell().sent.add(transport, bytes as u64);
    }

    pub(super) fn received(&self, transport: usize) -> u64 {
        self.0.iter().map(|cell| cell.received.get(transport)).sum()
    }

    pub(super) fn sent(&self, transport: usize) -> u64 {
        self.0.iter().map(|cell| cell.sent.get(transport)).sum()
    }

    fn cell(&self) -> &ByteCell {
        &self.0[CELL.with(|cell| *cell)]
    }
}

/// A histogram of durations that one thread adds to and others read. The library's has a lock, for which the hub would wait.
#[derive(Debug, Default)]
pub(super) struct Histogram<const N: usize> {
    /// The durations up to each bound and above the one before. The caller always passes the same bounds, in seconds, ascending.
    counts: Counters<N>,
    /// Durations above the last bound.
    above: AtomicU64,
    nanoseconds: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    pub(super) fn observe(&self, bounds: &[f64; N], duration: Duration) {
        let seconds = duration.as_secs_f64();
        let index = bounds.partition_point(|bound| *bound < seconds);
        if index < N {
            self.counts.add(index, 1);
        } else {
            self.above.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The number of durations in each bucket. The last bucket is that of all longer durations.
    pub(super) fn buckets(&self, bounds: &[f64; N]) -> Vec<(f64, u64)> {
        let bounded = bounds.iter().enumerate().map(|(index, bound)| (*bound, self.counts.get(index)));
        bounded.chain([(f64::INFINITY, self.above.load(Ordering::Relaxed))]).collect()
    }

    /// The sum of all durations, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn bytes_of_all_threads_are_added() {
        let bytes = ByteCounters::default();
        thread::scope(|scope| {
            for _ in 0..2 * CELLS {
                scope.spawn(|| (1..=10).for_each(|count| bytes.add_sent(1, count)));
            }
        });
        bytes.add_received(1, 7);
        assert_eq!((bytes.sent(0), bytes.sent(1), bytes.received(1)), (0, 2 * CELLS as u64 * 55, 7));
    }

    #[test]
    fn duration_counts_in_the_first_bucket_that_includes_it() {
        let (histogram, bounds) = (Histogram::default(), [0.001, 0.01]);
        for microseconds in [0, 1000, 1001, 10_000, 10_001, 1_000_000] {
            histogram.observe(&bounds, Duration::from_micros(microseconds));
        }
        assert_eq!(histogram.buckets(&bounds), [(0.001, 2), (0.01, 2), (f64::INFINITY, 2)]);
        assert!((histogram.seconds() - 1.022_002).abs() < 1e-9);
    }
}
