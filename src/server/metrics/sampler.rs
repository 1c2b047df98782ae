//! The figures for which a scrape waits: those of the hub, of the store's files and of the process. All scrapers share them for a second,
//! so that the work does not grow with the number of scrapes.

use std::time::{Duration, Instant};

use futures_lite::future;
use smol::lock::Mutex;
use smol::{Task, Timer};

use super::process::ProcessFigures;
use crate::limits::{METRICS_FILES_MS_MAX, METRICS_SAMPLE_MS};
use crate::server::clock::Clock;
use crate::server::hub::HubStatus;
use crate::server::store_interface::StoreBytes;

/// Figures of one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// `None`: the hub gave no answer in time.
    pub(super) hub: Option<HubStatus>,
    /// `None`: the server stores nothing, or the files were not read in time.
    pub(super) store: Option<StoreBytes>,
    pub(super) process: ProcessFigures,
}

/// Takes samples, one at a time.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<SamplerState>);

#[derive(Debug, Default)]
struct SamplerState {
    /// The newest sample, and when it was complete.
    newest: Option<(Instant, Sample)>,
    /// A read of the store's files that was not complete in time. No other one starts before it ends: each takes a thread.
    late_read: Option<Task<Option<StoreBytes>>>,
}

impl Sampler {
    /// Returns the newest sample. If it is older than [`METRICS_SAMPLE_MS`], takes another one: `ask_hub` asks the hub, and `read_store`
    /// waits for the disk, in another thread.
    pub(super) async fn sample(
        &self,
        clock: &dyn Clock,
        ask_hub: impl Future<Output = Option<HubStatus>>,
        read_store: impl FnOnce() -> Option<StoreBytes> + Send + 'static,
    ) -> Sample {
        let mut state = self.0.lock().await;
        if let Some((taken_at, sample)) = &state.newest
            && clock.steady().saturating_duration_since(*taken_at) < Duration::from_millis(METRICS_SAMPLE_MS)
        {
            return sample.clone();
        }
        let reading = future::zip(state.read(read_store), smol::unblock(ProcessFigures::read));
        let (hub, (store, process)) = future::zip(ask_hub, reading).await;
        let sample = Sample { hub, store, process };
        state.newest = Some((clock.steady(), sample.clone()));
        sample
    }
}

impl SamplerState {
    /// Reads the sizes of the store's files. A disk that hangs does not delay the other figures for long.
    async fn read(&mut self, read_store: impl FnOnce() -> Option<StoreBytes> + Send + 'static) -> Option<StoreBytes> {
        let mut reading = self.late_read.take().unwrap_or_else(|| smol::unblock(read_store));
        let late = async {
            Timer::after(Duration::from_millis(METRICS_FILES_MS_MAX)).await;
            None
        };
        let read = future::or(async { Some((&mut reading).await) }, late).await;
        if read.is_none() {
            self.late_read = Some(reading);
        }
        read.flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::protocol::Timestamp;
    use crate::server::clock::tests::ManualClock;

    #[test]
    fn scrapers_share_one_question_a_second() {
        let (sampler, clock, questions) = (Sampler::default(), ManualClock::new(Timestamp(0)), Cell::new(0));
        let sample = || {
            let ask_hub = async {
                questions.set(questions.get() + 1);
                future::yield_now().await;
                None
            };
            sampler.sample(&clock, ask_hub, || None)
        };
        let asked_after = |ms| {
            clock.advance(Duration::from_millis(ms));
            future::block_on(future::zip(sample(), sample()));
            questions.get()
        };
        assert_eq!([0, METRICS_SAMPLE_MS - 1, 1, 1, METRICS_SAMPLE_MS].map(asked_after), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn hanging_disk_delays_no_other_figures_and_is_read_once() {
        let (sampler, clock) = (Sampler::default(), ManualClock::new(Timestamp(0)));
        let (reads, bytes) = (Arc::new(AtomicUsize::new(0)), StoreBytes { database: 4096, wal: 0 });
        let mut disks = Vec::new();
        let mut sample = || {
            let (disk, waiting) = mpsc::channel();
            disks.push(disk);
            let reads = Arc::clone(&reads);
            let read_store = move || {
                reads.fetch_add(1, Ordering::Relaxed);
                waiting.recv().ok()
            };
            clock.advance(Duration::from_millis(METRICS_SAMPLE_MS));
            future::block_on(sampler.sample(&clock, async { None }, read_store))
        };
        for _ in 0..2 {
            let sample = sample();
            assert!(sample.store.is_none() && sample.process.open_files.is_some());
        }
        disks[0].send(bytes).unwrap();
        let sample = || {
            clock.advance(Duration::from_millis(METRICS_SAMPLE_MS));
            future::block_on(sampler.sample(&clock, async { None }, || None))
        };
        assert_eq!(sample().store.map(|bytes| bytes.database), Some(4096));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert!(sample().store.is_none(), "it is read again");
    }
}
