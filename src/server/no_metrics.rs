//! In place of `metrics`, without that feature: counts nothing.

use super::ServerOptions;
use super::clock::Clock;
use super::request_queue::HubReceiver;
use crate::protocol::{CloseReason, ErrorCode};
use crate::session::Output;

#[derive(Debug, Default)]
pub(super) struct ServerMetrics(());

/// A turn of the hub that has begun.
pub(super) struct Turn(());

/// How long commits take.
#[derive(Clone, Debug, Default)]
pub(super) struct CommitTimes(());

/// Measures the commits of a sequencer.
#[derive(Debug, Default)]
#[cfg(feature = "store")]
pub(super) struct CommitTimer(CommitTimes);

#[expect(clippy::unused_self, reason = "the interface is that of the feature")]
impl ServerMetrics {
    pub(super) fn new(_: &ServerOptions, _: &CommitTimes) -> Self {
        Self::default()
    }

    pub(super) fn count_opened(&self, _: &'static str) {}

    pub(super) fn count_closed(&self, _: &'static str, _: CloseReason) {}

    pub(super) fn count_received(&self, _: &'static str, _: usize) {}

    pub(super) fn count_sent(&self, _: &'static str, _: usize) {}

    pub(super) fn count_catch_up(&self) {}

    pub(super) fn count_refusal(&self, _: ErrorCode) {}

    #[cfg(feature = "tls")]
    pub(super) fn count_handshake(&self, _: bool) {}

    pub(super) fn count_output(&self, _: &Output) {}

    pub(super) fn begin_turn(&self, _: &dyn Clock) -> Turn {
        Turn(())
    }

    pub(super) fn end_turn(&self, _: Turn, _: &dyn Clock, _: &HubReceiver) {}
}

#[cfg(feature = "store")]
#[expect(clippy::unused_self, reason = "the interface is that of the feature")]
impl CommitTimer {
    pub(super) fn begin(&mut self) {}

    pub(super) fn end(&mut self) {}

    pub(super) fn times(&self) -> &CommitTimes {
        &self.0
    }
}
