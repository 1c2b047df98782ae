//! Metrics for Prometheus: the counters of the server ([`ServerMetrics`]), and the listener on which Prometheus reads them (`listener`).
//!
//! Counting is cheap: the hub adds plain integers ([`HubStatus`](super::hub::HubStatus) has them), and a connection adds to an atomic of
//! its thread once for each read and each write, not for each message. A scrape asks the hub for its figures, as `chinwagd status` does,
//! but at most once a second (`sampler`), and renders all of them in its own task (`exposition`).
//!
//! All labels have a closed set of values: transports, reasons, codes. None is a nickname, a room or an address.

mod counters;
mod exposition;
mod listener;
mod process;
mod sampler;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use self::counters::{ByteCounters, Counters, Histogram};
use self::sampler::Sampler;
use super::clock::Clock;
use super::request_queue::HubReceiver;
use super::{Reload, ServerOptions, StoreOpener};
use crate::command::ServerLine;
use crate::protocol::{CloseReason, ErrorCode, LeaveReason};
use crate::session::Output;

/// The transports of connections, as in the log.
const TRANSPORTS: [&str; 4] = ["tcp", "tls", "unix", "websocket"];

/// The reasons for which connections are closed: [`CloseReason`] has them.
const CLOSE_REASONS: usize = LeaveReason::ALL.len() + 2;

/// The counters since the start of the server, and the sources of the other figures.
#[derive(Debug, Default)]
pub(super) struct ServerMetrics {
    /// Connections that were opened, by transport.
    opened: Counters<{ TRANSPORTS.len() }>,
    /// Connections that were closed, by transport.
    closed: Counters<{ TRANSPORTS.len() }>,
    disconnects: Counters<CLOSE_REASONS>,
    /// How often a slow consumer has continued in a room from the store.
    catch_ups: Counters<1>,
    refusals: Counters<{ ErrorCode::ALL.len() }>,
    /// Failed handshakes, then completed ones.
    handshakes: Counters<2>,
    bytes: ByteCounters,
    turns: Histogram<TURN_BUCKETS>,
    /// Connections whose requests waited when the last turn of the hub ended.
    hub_queue: AtomicUsize,
    commits: CommitTimes,
    store: Option<Arc<dyn StoreOpener>>,
    certificates: Option<Arc<dyn Reload>>,
    sampler: Sampler,
}

const TURN_BUCKETS: usize = 12;

/// The upper bounds of the histogram of turns, in seconds. A turn normally takes some microseconds; a health check allows 2 s.
const TURN_BOUNDS: [f64; TURN_BUCKETS] =
    [0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

const COMMIT_BUCKETS: usize = 10;

/// The upper bounds of the histogram of commits, in seconds: from a fast disk to a disk that hangs.
const COMMIT_BOUNDS: [f64; COMMIT_BUCKETS] = [0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// A turn of the hub that has begun.
pub(super) struct Turn(Instant);

/// How long commits take.
#[derive(Clone, Debug, Default)]
pub(super) struct CommitTimes(Arc<Histogram<COMMIT_BUCKETS>>);

/// Measures the commits of a sequencer, of which one is in progress at a time.
#[derive(Debug, Default)]
#[cfg(feature = "store")]
pub(super) struct CommitTimer {
    begun: Option<Instant>,
    times: CommitTimes,
}

impl ServerMetrics {
    pub(super) fn new(options: &ServerOptions, commits: &CommitTimes) -> Self {
        Self {
            commits: commits.clone(),
            store: options.store.clone(),
            certificates: options.certificates.clone(),
            ..Self::default()
        }
    }

    pub(super) fn count_opened(&self, transport: &'static str) {
        self.opened.add(transport_index(transport), 1);
    }

    pub(super) fn count_closed(&self, transport: &'static str, reason: CloseReason) {
        self.closed.add(transport_index(transport), 1);
        self.disconnects.add(reason_index(reason), 1);
    }

    /// Counts the bytes of one read.
    pub(super) fn count_received(&self, transport: &'static str, bytes: usize) {
        self.bytes.add_received(transport_index(transport), bytes);
    }

    /// Counts the bytes of lines that were written in one go.
    pub(super) fn count_sent(&self, transport: &'static str, bytes: usize) {
        self.bytes.add_sent(transport_index(transport), bytes);
    }

    /// Counts that a slow consumer continues in a room from the store.
    pub(super) fn count_catch_up(&self) {
        self.catch_ups.add(0, 1);
    }

    pub(super) fn count_refusal(&self, code: ErrorCode) {
        self.refusals.add(code as usize, 1);
    }

    /// The number of refusals with this code.
    #[cfg(all(test, feature = "store"))]
    pub(super) fn refusals(&self, code: ErrorCode) -> u64 {
        self.refusals.get(code as usize)
    }

    #[cfg(feature = "tls")]
    pub(super) fn count_handshake(&self, is_complete: bool) {
        self.handshakes.add(usize::from(is_complete), 1);
    }

    /// Counts what an output of the sessions says: its refusal, if it is one.
    pub(super) fn count_output(&self, output: &Output) {
        let line = match output {
            Output::Send(_, _, line) => &line.line,
            Output::SendAfterAll(_, line) => line,
            _ => return,
        };
        if let ServerLine::Err(refusal) = line {
            self.count_refusal(refusal.code);
        }
    }

    /// Begins a turn of the hub.
    #[expect(clippy::unused_self, reason = "the interface is that of the build without metrics")]
    pub(super) fn begin_turn(&self, clock: &dyn Clock) -> Turn {
        Turn(clock.steady())
    }

    /// Ends a turn of the hub, in which it has processed some requests.
    pub(super) fn end_turn(&self, Turn(began_at): Turn, clock: &dyn Clock, requests: &HubReceiver) {
        self.turns.observe(&TURN_BOUNDS, clock.steady().saturating_duration_since(began_at));
        self.hub_queue.store(requests.waiting(), Ordering::Relaxed);
    }
}

#[cfg(feature = "store")]
impl CommitTimer {
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    pub(super) fn end(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.times.0.observe(&COMMIT_BOUNDS, begun.elapsed());
        }
    }

    pub(super) fn times(&self) -> &CommitTimes {
        &self.times
    }
}

fn transport_index(name: &'static str) -> usize {
    match name {
        "tls" => 1,
        "unix" => 2,
        "websocket" => 3,
        _ => 0,
    }
}

fn reason_index(reason: CloseReason) -> usize {
    let others = LeaveReason::ALL.len();
    match reason {
        CloseReason::Left(reason) => LeaveReason::ALL.iter().position(|other| *other == reason).unwrap_or(others),
        CloseReason::Resumed => others,
        CloseReason::Stopping => others + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counters of refusals have the order of [`ErrorCode::ALL`].
    #[test]
    fn codes_and_transports_have_indices() {
        assert!(ErrorCode::ALL.into_iter().enumerate().all(|(index, code)| code as usize == index));
        assert_eq!(TRANSPORTS.map(transport_index), [0, 1, 2, 3]);
    }

    #[test]
    fn every_reason_is_counted_apart() {
        let left = LeaveReason::ALL.map(CloseReason::Left);
        let all: Vec<_> = left.into_iter().chain([CloseReason::Resumed, CloseReason::Stopping]).collect();
        assert_eq!(all.into_iter().map(reason_index).collect::<Vec<_>>(), (0..CLOSE_REASONS).collect::<Vec<_>>());
    }
}
