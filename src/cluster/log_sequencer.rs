//! The sequencer of a node: passes changes and reports between the sessions and [`LogCore`], and between that and the engine.

use std::fmt::Debug;
use std::task::{Context, Poll, Waker};

use super::engine::{EngineReport, EngineRequest};
use super::log_core::LogCore;
use crate::limits::LOG_BATCH_CHANGES_MAX;
use crate::protocol::{AuditEntry, AuditRecord};
use crate::sequencer::{AuditTail, Change, Sequenced, Sequencer};
use crate::state::{Incarnation, SharedState};

/// The way to the engine and back.
pub trait EnginePort: Debug + Send {
    /// Passes a request to the engine. Never waits.
    fn send(&mut self, request: EngineRequest);

    /// Waits for the engine's next report. `None`: none can follow, because the engine's adapter has ended.
    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<Option<EngineReport>>;

    /// When the node leaves: blocks until the next report, or until there is no more time for it (`None`).
    fn wait_to_leave(&mut self) -> Option<EngineReport>;

    /// A random number that no run of this node has had.
    fn draw_run(&mut self) -> u64;
}

/// The sequencer of a node of a cluster.
#[derive(Debug)]
pub struct LogSequencer<P> {
    core: LogCore,
    port: P,
    own: Option<Incarnation>,
    /// The adapter has ended.
    is_cut_off: bool,
    audit: AuditTail,
}

impl<P: EnginePort> LogSequencer<P> {
    /// Creates a sequencer, whose first request is sent at once.
    pub fn new(core: LogCore, port: P) -> Self {
        let mut sequencer = Self { core, port, own: None, is_cut_off: false, audit: AuditTail::default() };
        sequencer.send_requests();
        sequencer
    }

    /// The node's part in the log.
    pub fn core(&self) -> &LogCore {
        &self.core
    }

    fn send_requests(&mut self) {
        while let Some(request) = self.core.next_request() {
            self.port.send(request);
        }
    }

    fn handle(&mut self, report: EngineReport) {
        self.core.handle(report);
        self.send_requests();
    }

    /// Processes a report, if there is one. Returns whether there was.
    fn process_one(&mut self, cx: &mut Context<'_>) -> bool {
        match self.port.poll_report(cx) {
            Poll::Ready(Some(report)) => self.handle(report),
            Poll::Ready(None) => self.is_cut_off = true,
            Poll::Pending => return false,
        }
        !self.is_cut_off
    }
}

impl<P: EnginePort> Sequencer for LogSequencer<P> {
    fn submit(&mut self, change: Change) {
        self.core.submit(change);
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.core.next()
    }

    fn has_next(&self) -> bool {
        self.core.has_next()
    }

    fn has_shared_log(&self) -> bool {
        true
    }

    fn note_joined(&mut self, run: u64, incarnation: Incarnation) -> bool {
        let is_own = run == self.core.run();
        if is_own {
            self.own = Some(incarnation);
            self.core.record_joined(incarnation);
        }
        is_own
    }

    fn note_expired(&mut self, incarnation: Incarnation) {
        if self.own.take_if(|own| *own == incarnation).is_some() {
            let run = self.port.draw_run();
            self.core.rejoin(run);
        }
    }

    fn keep_audit(&mut self, entry: AuditEntry) {
        let record = self.audit.number(entry);
        self.audit.push(record);
    }

    fn unstored_audit(&self) -> Vec<AuditRecord> {
        self.audit.records().cloned().collect()
    }

    fn is_busy(&self) -> bool {
        self.core.is_busy()
    }

    fn end_turn(&mut self, _: &SharedState) {
        self.core.end_turn();
        self.send_requests();
    }

    fn needs_turn(&self) -> bool {
        self.core.needs_turn()
    }

    /// Processes several reports: a turn for each message would be slow.
    fn process_report(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut count = 0;
        while count < LOG_BATCH_CHANGES_MAX && self.process_one(&mut cx) {
            count += 1;
        }
        count > 0
    }

    fn failure(&self) -> Option<&str> {
        self.core.failure().or(self.is_cut_off.then_some("the thread that talks to the engine has ended"))
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.is_cut_off || self.core.failure().is_some() {
            return Poll::Ready(false);
        }
        if self.process_one(cx) { Poll::Ready(self.core.failure().is_none()) } else { Poll::Pending }
    }

    fn refuse_unconfirmed(&mut self) {
        self.core.refuse_waiting();
    }

    /// Waits until the log has the node's `LeaveCluster`, for as long as the port allows it: other nodes then need not wait until its lease
    /// ends.
    fn close(&mut self) {
        self.core.end_turn();
        self.send_requests();
        while self.core.is_appending()
            && let Some(report) = self.port.wait_to_leave()
        {
            self.handle(report);
        }
    }
}
