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
use crate::protocol::Timestamp;
use crate::sequencer::Change;
use crate::state::{SessionId, Uptime};

/// The changes of one run of this node that are not read back yet.
#[derive(Debug)]
pub(super) struct AppendPipeline {
    run: u64,
    /// The position of the last message of this run. 0: none.
    last: LogPosition,
    /// The position of the last message of this run that was read back.
    read: LogPosition,
    /// Changes that were not handed to the engine.
    waiting: VecDeque<WaitingChange>,
    in_flight: Option<InFlight>,
    /// The number of the last attempt.
    attempts: u64,
    /// How many changes of each session that have a reply were handed to the engine and not read back yet.
    unread: BTreeMap<SessionId, usize>,
}

#[derive(Debug)]
struct WaitingChange {
    change: LoggedChange,
    /// The times of the node, for a refusal.
    at: Timestamp,
    uptime: Uptime,
    /// The tick after which it came.
    tick: u64,
}

impl WaitingChange {
    /// Accepts a change, or gives it back if it cannot be in the log.
    fn new(change: Change, tick: u64) -> Result<Self, Box<Change>> {
        let Change { at, uptime, origin, action } = change;
        match LoggedChange::new(origin, action.clone()) {
            Ok(change) => Ok(Self { change, at, uptime, tick }),
            Err(_) => Err(Box::new(Change { at, uptime, origin, action })),
        }
    }

    fn is_refusable(&self) -> bool {
        is_refusable(self.change.action())
    }
}

impl From<WaitingChange> for Change {
    fn from(WaitingChange { change, at, uptime, .. }: WaitingChange) -> Self {
        Self { at, uptime, origin: change.origin(), action: change.into_action() }
    }
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
        }
    }

    pub(super) fn run(&self) -> u64 {
        self.run
    }

    /// Continues as another run of the node, which has no message in the log. The message in flight may still be appended; the state ignores
    /// it, because its incarnation has expired. Returns the changes that were not handed to the engine.
    pub(super) fn restart(&mut self, run: u64) -> impl Iterator<Item = Change> + use<> {
        let attempts = self.attempts;
        let before = std::mem::replace(self, Self { attempts, ..Self::new(run) });
        before.waiting.into_iter().map(Change::from)
    }

    /// Appends a change to those that wait, or gives it back if it cannot be in the log.
    pub(super) fn push(&mut self, change: Change, tick: u64) -> Result<(), Box<Change>> {
        self.waiting.push_back(WaitingChange::new(change, tick)?);
        Ok(())
    }

    /// Hands a record to the engine. Nothing may be in flight.
    pub(super) fn hand_over(&mut self, record: &Record) {
        debug_assert!(self.in_flight.is_none(), "one message is in flight at a time");
        self.in_flight = Some(InFlight { body: record.encode().into(), attempt: 0, is_retry_due: true });
    }

    /// Whether [`AppendPipeline::next_request`] has a request.
    pub(super) fn has_request(&self) -> bool {
        self.in_flight.as_ref().map_or(self.can_begin(), |message| message.is_retry_due)
    }

    fn can_begin(&self) -> bool {
        self.in_flight.is_none() && !self.waiting.is_empty()
    }

    /// Whether a change is not in the log yet.
    pub(super) fn is_appending(&self) -> bool {
        self.in_flight.is_some() || !self.waiting.is_empty()
    }

    /// Whether a change is not read back yet.
    pub(super) fn is_busy(&self) -> bool {
        self.is_appending() || self.read < self.last
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
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.waiting.front() {
            bytes += next.change.encoded_bytes();
            if !changes.is_empty() && (changes.len() == LOG_BATCH_CHANGES_MAX || bytes > LOG_BATCH_BYTES_MAX) {
                break;
            }
            if next.is_refusable() {
                *self.unread.entry(next.change.origin().session).or_default() += 1;
            }
            changes.extend(self.waiting.pop_front().map(|waiting| waiting.change));
        }
        Record::Batch(Batch { run: self.run, changes })
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
            for change in batch.changes.iter().filter(|change| is_refusable(change.action())) {
                let session = change.origin().session;
                if let Some(count) = self.unread.get_mut(&session) {
                    *count -= 1;
                    if *count == 0 {
                        self.unread.remove(&session);
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
            let is_first = !self.unread.contains_key(&waiting.change.origin().session);
            if is_first && waiting.is_refusable() && is_due(&waiting) {
                refused.push(waiting.into());
            } else {
                self.waiting.push_back(waiting);
            }
        }
        refused
    }
}
