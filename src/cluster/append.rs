//! The changes of this node on their way into the log.
//!
//! ```text
//!  push       ┌─────────┐  next_request   ┌───────────┐  Appended, or read back   ┌──────────┐  read back
//! ──────────▶ │ waiting │ ──────────────▶ │ in flight │ ────────────────────────▶ │ appended │ ───────────▶ done
//!             └─────────┘  one batch      └───────────┘                           └──────────┘
//!                  │                        ▲      │ Unknown: the same bytes again
//!                  │ 5 ticks                └──────┘
//!                  ▼
//!               refused
//! ```
//!
//! One message is in flight at a time, so the messages of a node keep their order whatever is retried. Its guard is the position of the
//! node's last message: a retry of a message that is in the log already fails with `WrongLastPosition`. Then the reader will find it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::engine::{AppendFailure, EngineRequest, LogMessage, LogPosition};
use super::record::{Batch, LoggedChange, Record};
use super::refusal::is_refusable;
use crate::limits::{LOG_BATCH_BYTES_MAX, LOG_BATCH_CHANGES_MAX, LOG_REFUSAL_TICKS};
use crate::sequencer::Change;
use crate::state::SessionId;

/// The changes of one run of this node that are not read back yet.
#[derive(Debug)]
pub(super) struct AppendPipeline {
    run: u64,
    /// The position of the last message of this run. 0: none.
    last: LogPosition,
    /// The last one that was read back.
    read: LogPosition,
    /// Changes that were not handed to the engine.
    waiting: VecDeque<WaitingChange>,
    in_flight: Option<InFlight>,
    /// The number of the last attempt.
    attempts: u64,
    /// How many changes of each session that have a reply were handed to the engine and not read back yet.
    unread: BTreeMap<SessionId, usize>,
    /// The changes that wait can be appended: the node has read the log.
    is_open: bool,
}

#[derive(Debug)]
struct WaitingChange {
    change: Change,
    /// The tick after which it came.
    tick: u64,
}

/// The message that was handed to the engine, and whose fate is unknown.
#[derive(Debug)]
struct InFlight {
    body: Arc<[u8]>,
    attempt: u64,
    /// The message must be sent again.
    is_retry_due: bool,
}

impl AppendPipeline {
    pub(super) fn new(run: u64) -> Self {
        Self {
            run,
            last: LogPosition::default(),
            read: LogPosition::default(),
            waiting: VecDeque::new(),
            in_flight: None,
            attempts: 0,
            unread: BTreeMap::new(),
            is_open: false,
        }
    }

    pub(super) fn run(&self) -> u64 {
        self.run
    }

    /// Continues as another run of the node, which has no message in the log. What is in flight may still be appended; its node has expired
    /// then, so that the state ignores it. Returns the changes that were not handed to the engine.
    pub(super) fn restart(&mut self, run: u64) -> impl Iterator<Item = Change> + use<> {
        let attempts = self.attempts;
        let before = std::mem::replace(self, Self { attempts, ..Self::new(run) });
        before.waiting.into_iter().map(|waiting| waiting.change)
    }

    /// Lets changes be appended, this one first.
    pub(super) fn open_with(&mut self, change: Change, tick: u64) {
        self.is_open = true;
        self.waiting.push_front(WaitingChange { change, tick });
    }

    /// Appends a change to those that wait.
    pub(super) fn push(&mut self, change: Change, tick: u64) {
        self.waiting.push_back(WaitingChange { change, tick });
    }

    /// Hands a record to the engine that is no change of the state. Nothing may be in flight.
    pub(super) fn hand_over(&mut self, record: &Record) {
        debug_assert!(self.in_flight.is_none(), "one message is in flight at a time");
        self.in_flight = Some(InFlight { body: record.encode().into(), attempt: 0, is_retry_due: true });
    }

    /// Whether [`AppendPipeline::next_request`] has a request.
    pub(super) fn has_request(&self) -> bool {
        self.in_flight.as_ref().map_or(self.can_begin(), |message| message.is_retry_due)
    }

    fn can_begin(&self) -> bool {
        self.is_open && self.in_flight.is_none() && !self.waiting.is_empty()
    }

    /// Whether a change is not read back yet.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.is_some() || !self.waiting.is_empty() || self.read < self.last
    }

    /// The next append: that of the message in flight, if it must be repeated, or of the changes that wait, if nothing is in flight.
    pub(super) fn next_request(&mut self) -> Option<EngineRequest> {
        if self.can_begin() {
            let batch = self.next_batch();
            self.hand_over(&batch);
        }
        let message = self.in_flight.as_mut().filter(|message| message.is_retry_due)?;
        self.attempts += 1;
        (message.attempt, message.is_retry_due) = (self.attempts, false);
        let body = Arc::clone(&message.body);
        Some(EngineRequest::Append { attempt: self.attempts, run: self.run, expected: self.last, body })
    }

    /// Takes as many of the waiting changes as fit into a message, at least one.
    fn next_batch(&mut self) -> Record {
        let mut count = self.waiting.len().min(LOG_BATCH_CHANGES_MAX);
        loop {
            let changes = self.waiting.iter().take(count).map(|waiting| LoggedChange::from(&waiting.change)).collect();
            let batch = Record::Batch(Batch { run: self.run, changes });
            if count == 1 || batch.encode().len() <= LOG_BATCH_BYTES_MAX {
                for WaitingChange { change, .. } in self.waiting.drain(..count) {
                    if is_refusable(&change.action) {
                        *self.unread.entry(change.origin.session).or_default() += 1;
                    }
                }
                return batch;
            }
            count /= 2;
        }
    }

    /// The engine has appended a message at this position.
    pub(super) fn record_appended(&mut self, attempt: u64, at: LogPosition) {
        if self.in_flight.take_if(|message| message.attempt == attempt).is_some() {
            self.last = self.last.max(at);
        }
    }

    /// An append has failed. If its fate is not known, the same bytes are sent again, however often: a change that was handed to the engine
    /// is never refused.
    pub(super) fn record_failure(&mut self, attempt: u64, failure: &AppendFailure) {
        let Some(message) = self.in_flight.as_mut().filter(|message| message.attempt == attempt) else { return };
        match failure {
            AppendFailure::Unknown(_) => message.is_retry_due = true,
            // An earlier attempt has succeeded: the reader will find the message.
            AppendFailure::WrongLastPosition => {}
        }
    }

    /// A message of this run was read. The error says that it is not the one in flight.
    pub(super) fn record_read(&mut self, message: &LogMessage, record: &Record) -> Result<(), String> {
        if message.position > self.last {
            if self.in_flight.take_if(|own| own.body == message.body).is_none() {
                let position = message.position.0;
                return Err(format!("another process appends to the log as this run of the node (message {position})"));
            }
            self.last = message.position;
        }
        self.read = message.position;
        if let Record::Batch(batch) = record {
            for LoggedChange { origin, .. } in batch.changes.iter().filter(|change| is_refusable(&change.action)) {
                if let Some(count) = self.unread.get_mut(&origin.session) {
                    *count -= 1;
                    if *count == 0 {
                        self.unread.remove(&origin.session);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes out the changes that have waited for too long and can be refused.
    pub(super) fn take_overdue(&mut self, tick: u64) -> Vec<Change> {
        self.take_refusable(|waiting| tick - waiting.tick >= LOG_REFUSAL_TICKS)
    }

    /// Takes out all changes that can be refused.
    pub(super) fn take_all_refusable(&mut self) -> Vec<Change> {
        self.take_refusable(|_| true)
    }

    /// A session whose earlier change was handed to the engine waits on: its replies keep their order.
    fn take_refusable(&mut self, is_due: impl Fn(&WaitingChange) -> bool) -> Vec<Change> {
        let mut refused = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let is_first = !self.unread.contains_key(&waiting.change.origin.session);
            if is_first && is_refusable(&waiting.change.action) && is_due(&waiting) {
                refused.push(waiting.change);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        refused
    }
}

impl From<&Change> for LoggedChange {
    fn from(Change { origin, action, .. }: &Change) -> Self {
        Self { origin: *origin, action: action.clone() }
    }
}
