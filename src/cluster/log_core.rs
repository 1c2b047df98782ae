//! One node's part in the log: the state machine between the sessions, whose changes it appends, and the engine, whose messages it reads.
//!
//! ```text
//!  ┌────────────┐  the stream's state    ┌─────────────┐  read up to its last   ┌─────────┐  JoinCluster   ┌────────┐
//!  │ Inspecting │ ─────────────────────▶ │ CatchingUp  │ ─────────────────────▶ │ Joining │ ─────────────▶ │ Joined │
//!  └────────────┘  (if it is empty:      └─────────────┘  message: append       └─────────┘  is read back  └────────┘
//!                   append Genesis)                       JoinCluster                ▲                       │    │
//!                                                                                    └───────────────────────┘    │ Stop: append
//!                                                                            the node has expired: another run    │ LeaveCluster
//!                                                                                                                 ▼
//!  any state ──▶ Failed: the log is not the one that this node has read, or another process is this node       ┌──────┐
//!                                                                                                              │ Left │
//!                                                                                                              └──────┘
//! ```
//!
//! The caller passes each [`Change`] to [`LogCore::submit`] and each report of the engine to [`LogCore::handle`]. At the end of its turn, it
//! calls [`LogCore::end_turn`], and sends what [`LogCore::next_request`] returns. It applies what [`LogCore::next`] returns, in order. When
//! the state says that this node has joined or expired, it calls [`LogCore::record_joined`] or [`LogCore::rejoin`].
//!
//! - A change takes effect, and counts as acknowledged, once it is read back: on all nodes in the same order, with the log's times.
//! - A change that was handed to the engine is never refused, because it may be in the log already. A change that waits for 5 ticks before
//!   that is refused, if somebody can repeat it.
//! - A `Tick` of the sessions is the node's own second. It becomes a `Heartbeat` in the log, one at a time.

use std::collections::VecDeque;

use super::append::AppendPipeline;
use super::clock::LogClock;
use super::engine::{EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo};
use super::log_reader::{Contiguity, LogReader};
use super::record::{Batch, Genesis, LoggedChange, Record};
use super::refusal::is_refusable;
use crate::limits::LOG_OUTDATED_TICKS_MAX;
use crate::protocol::{Timestamp, Token};
use crate::sequencer::{Change, Numbering, Sequenced};
use crate::state::{Action, Incarnation, NodeJoin, Origin, SessionId, SharedState, Uptime};

/// The reason of a refusal, which the client reads.
const REFUSAL: &str = "the cluster does not accept changes at the moment";

/// How often another process may join as the same node before this one stops. A `JoinCluster` of the process before this one may arrive
/// late, after its end. If it lives, it is the second process of one node, and the two would expire each other again and again.
const TAKEOVERS_MAX: u32 = 1;

/// One node's part in the log.
#[derive(Debug)]
pub struct LogCore {
    /// The node's name.
    node: Token,
    /// Begins the log if it is empty.
    genesis: Genesis,
    phase: Phase,
    /// The stream that was inspected first.
    identity: Option<String>,
    /// The engine was asked for the stream's state, and reading begins after the answer.
    is_inspecting: bool,
    reader: LogReader,
    clock: LogClock,
    numbering: Numbering,
    pipeline: AppendPipeline,
    /// The last local second, and the number of them.
    ticked_at: Uptime,
    ticks: u64,
    /// The tick since which the engine says that the log ends before messages that were read. Each further tick asks it again.
    shortened_at: Option<u64>,
    /// How often another process has joined as this node after it.
    takeovers: u32,
    /// A heartbeat is not read back yet.
    is_heartbeat_under_way: bool,
    ready: VecDeque<Sequenced>,
    requests: VecDeque<EngineRequest>,
}

/// See the picture above.
#[derive(Debug)]
enum Phase {
    /// The state of the stream is not known yet.
    Inspecting,
    /// Reads the log up to here.
    CatchingUp(LogPosition),
    /// The node's `JoinCluster` is on its way.
    Joining,
    /// The node's `JoinCluster` was read back. The incarnation is known once the state has applied it.
    Joined(Option<Incarnation>),
    /// The server stops.
    Left,
    /// Nothing is read or appended any more, for this reason.
    Failed(String),
}

impl LogCore {
    /// Creates the core of a node. `run` is a random number. Its first request is ready.
    pub fn new(node: Token, genesis: Genesis, run: u64) -> Self {
        Self {
            node,
            genesis,
            phase: Phase::Inspecting,
            identity: None,
            is_inspecting: true,
            reader: LogReader::new(LogPosition(1)),
            clock: LogClock::default(),
            numbering: Numbering::default(),
            pipeline: AppendPipeline::new(run),
            ticked_at: Uptime::default(),
            ticks: 0,
            shortened_at: None,
            takeovers: 0,
            is_heartbeat_under_way: false,
            ready: VecDeque::new(),
            requests: VecDeque::from([EngineRequest::Inspect]),
        }
    }

    /// The number of the node's run, by which it recognizes its own `JoinCluster`.
    pub fn run(&self) -> u64 {
        self.pipeline.run()
    }

    /// The last message that was read.
    pub fn position(&self) -> LogPosition {
        LogPosition(self.reader.next().0 - 1)
    }

    /// Why the node must stop, if it must.
    pub fn failure(&self) -> Option<&str> {
        if let Phase::Failed(why) = &self.phase { Some(why) } else { None }
    }

    /// Accepts a change. A `Tick` is a local second, and `Stop` says that the server stops.
    pub fn submit(&mut self, change: Change) {
        match (&self.phase, change.action) {
            (Phase::Failed(_) | Phase::Left, _) => {}
            (_, Action::Tick) => self.tick(change.at, change.uptime),
            (_, Action::Stop) => self.leave(change.at, change.uptime),
            // The node has not joined yet, or the session has ended with the node's last incarnation.
            (phase, action) if !phase.has(change.origin.session.incarnation()) => {
                if is_refusable(&action) {
                    self.refuse(Change { action, ..change });
                }
            }
            (_, action) => self.push(Change { action, ..change }),
        }
    }

    /// Processes a report of the engine.
    pub fn handle(&mut self, report: EngineReport) {
        if self.failure().is_some() {
            return;
        }
        match report {
            EngineReport::Inspected(_) if !self.is_inspecting => {}
            EngineReport::Inspected(Ok(info)) => self.process_info(info),
            EngineReport::Inspected(Err(_)) => self.requests.push_back(EngineRequest::Inspect),
            EngineReport::Appended { attempt, at } => self.pipeline.record_appended(attempt, at),
            EngineReport::AppendFailed { attempt, failure } => self.pipeline.record_failure(attempt, &failure),
            EngineReport::Read { reader, message } => self.check_message(reader, &message),
            EngineReport::ReaderLost { reader, .. } => {
                if self.reader.is_current(reader) && !self.is_inspecting {
                    self.is_inspecting = true;
                    self.requests.push_back(EngineRequest::Inspect);
                }
            }
        }
        self.end_turn();
    }

    /// Hands the changes that wait to the engine, as one batch, unless another one is on its way.
    pub fn end_turn(&mut self) {
        if self.failure().is_none() {
            self.requests.extend(self.pipeline.next_request());
        }
    }

    /// Whether [`LogCore::end_turn`] has something to do.
    pub fn needs_turn(&self) -> bool {
        self.failure().is_none() && self.pipeline.has_request()
    }

    /// The next request to the engine.
    pub fn next_request(&mut self) -> Option<EngineRequest> {
        self.requests.pop_front()
    }

    /// The next value for the state and the sessions.
    #[expect(clippy::should_implement_trait, reason = "None is not the end")]
    pub fn next(&mut self) -> Option<Sequenced> {
        self.ready.pop_front()
    }

    /// Whether [`LogCore::next`] has a value.
    pub fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a change that was submitted is neither returned nor refused yet.
    pub fn is_busy(&self) -> bool {
        self.has_next() || self.failure().is_none() && self.pipeline.is_busy()
    }

    /// Whether a change is not in the log yet.
    pub fn is_appending(&self) -> bool {
        self.failure().is_none() && self.pipeline.is_appending()
    }

    /// The state has applied the node's `JoinCluster`, and given it this incarnation.
    pub fn record_joined(&mut self, incarnation: Incarnation) {
        if let Phase::Joined(own) = &mut self.phase {
            *own = Some(incarnation);
        }
    }

    /// The node's incarnation has expired: it joins again, as this run. Its sessions are gone, and so are their changes. Those that were not
    /// handed to the engine are refused.
    pub fn rejoin(&mut self, run: u64) {
        if !matches!(self.phase, Phase::Joined(_)) {
            return;
        }
        for change in self.pipeline.restart(run) {
            if is_refusable(&change.action) {
                self.refuse(change);
            }
        }
        self.is_heartbeat_under_way = false;
        self.join();
    }

    /// Refuses the changes that were not handed to the engine: the server stops.
    pub fn refuse_waiting(&mut self) {
        for change in self.pipeline.take_all_refusable() {
            self.refuse(change);
        }
    }

    fn push(&mut self, change: Change) {
        // An error in the program: the sessions submit no such change. It would stop all nodes.
        if let Err(change) = self.pipeline.push(change, self.ticks)
            && is_refusable(&change.action)
        {
            self.refuse(*change);
        }
    }

    fn refuse(&mut self, change: Change) {
        self.ready.push_back(Sequenced::Refused(Box::new(change), REFUSAL.into()));
    }

    fn fail(&mut self, why: impl Into<String>) {
        self.phase = Phase::Failed(why.into());
        self.requests.clear();
    }

    fn tick(&mut self, at: Timestamp, uptime: Uptime) {
        // The sessions repeat a tick to remove more members that have expired.
        self.ticks += u64::from(uptime > std::mem::replace(&mut self.ticked_at, uptime));
        for change in self.pipeline.take_overdue(self.ticks) {
            self.refuse(change);
        }
        if self.shortened_at.is_some() {
            self.requests.push_back(EngineRequest::Inspect);
        }
        if let Phase::Joined(Some(incarnation)) = self.phase
            && !self.is_heartbeat_under_way
        {
            self.is_heartbeat_under_way = true;
            let origin = Origin { session: SessionId::of_node(incarnation), ..Origin::SERVER };
            self.push(Change { at, uptime, origin, action: Action::Heartbeat });
        }
    }

    fn leave(&mut self, at: Timestamp, uptime: Uptime) {
        if let Phase::Joined(Some(incarnation)) = self.phase {
            let origin = Origin { session: SessionId::of_node(incarnation), ..Origin::SERVER };
            self.push(Change { at, uptime, origin, action: Action::LeaveCluster });
        }
        self.phase = Phase::Left;
    }

    /// Appends the node's `JoinCluster`.
    fn join(&mut self) {
        self.phase = Phase::Joining;
        let action = Action::JoinCluster(NodeJoin { node: self.node.clone(), run: self.run() });
        let change = Change { at: self.clock.at(), uptime: self.clock.uptime(), origin: Origin::SERVER, action };
        self.push(change);
    }

    /// Begins to read, or goes on, if this is the log that was read before.
    fn process_info(&mut self, info: StreamInfo) {
        let StreamInfo { identity, first, last } = info;
        let next = self.reader.next();
        if *self.identity.get_or_insert_with(|| identity.clone()) != identity {
            return self.fail("the log was replaced by another one; restart this server to join that");
        }
        if last.next() < next {
            if self.ticks - *self.shortened_at.get_or_insert(self.ticks) > LOG_OUTDATED_TICKS_MAX {
                let (last, read) = (last.0, self.position().0);
                self.fail(format!("the log has lost messages: it ends at {last}, and {read} were read"));
            }
            return;
        }
        self.shortened_at = None;
        if first > next {
            let (first, next) = (first.0, next.0);
            return self.fail(format!("the log begins at message {first}, and this server needs it from {next} on"));
        }
        self.is_inspecting = false;
        self.requests.push_back(self.reader.begin());
        if matches!(self.phase, Phase::Inspecting) {
            self.phase = Phase::CatchingUp(last.max(LogPosition(1)));
            if last < first {
                self.pipeline.hand_over(&Record::Genesis(self.genesis.clone()));
            }
        }
    }

    fn check_message(&mut self, reader: ReaderId, message: &LogMessage) {
        // After the loss of the reader, nothing is read before the stream is known to be the same.
        if self.is_inspecting {
            return;
        }
        match self.reader.check(reader, message) {
            Contiguity::Next => {
                if let Err(why) = self.read(message) {
                    self.fail(why);
                }
            }
            Contiguity::Repeated => {}
            Contiguity::Gap(request) => self.requests.push_back(request),
        }
    }

    /// Reads the next message of the log.
    fn read(&mut self, message: &LogMessage) -> Result<(), String> {
        let position = message.position;
        let record = Record::decode(&message.body)
            .map_err(|error| format!("cannot read message {} of the log: {error}", position.0))?;
        let is_own = message.run == self.run();
        if is_own {
            self.pipeline.record_read(message, &record)?;
        }
        self.clock.advance(message);
        match record {
            Record::Genesis(Genesis { limits, epoch }) if position == LogPosition(1) => {
                let state = SharedState::new(limits).with_epoch(epoch);
                self.ready.push_back(Sequenced::Reset(Box::new(state)));
            }
            // Another node has begun the log first.
            Record::Genesis(_) => {}
            Record::Batch(_) if position == LogPosition(1) => {
                return Err("the log does not begin with the limits of the cluster".to_owned());
            }
            Record::Batch(Batch { changes, .. }) => {
                for change in changes {
                    self.note_node(change.action(), is_own)?;
                    self.push_entry(change);
                }
            }
        }
        if let Phase::CatchingUp(last) = self.phase
            && position >= last
        {
            self.join();
        }
        Ok(())
    }

    /// Notes what a change says about this node.
    fn note_node(&mut self, action: &Action, is_own: bool) -> Result<(), String> {
        match action {
            Action::Heartbeat if is_own => self.is_heartbeat_under_way = false,
            Action::JoinCluster(join) if is_own && join.run == self.run() => {
                if matches!(self.phase, Phase::Joining) {
                    self.phase = Phase::Joined(None);
                }
            }
            Action::JoinCluster(join) if join.node == self.node && matches!(self.phase, Phase::Joined(_)) => {
                self.takeovers += 1;
                if self.takeovers > TAKEOVERS_MAX {
                    return Err(format!("another process has joined the cluster as node {}", self.node));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes an entry of a change, with the log's times.
    fn push_entry(&mut self, change: LoggedChange) {
        let (origin, mut action) = (change.origin(), change.into_action());
        let (at, uptime) = (self.clock.at(), self.clock.uptime());
        match &mut action {
            Action::Say(_, message) => message.at = at,
            Action::SetTopic(_, change) => change.at = at,
            Action::ChangeAccount(change) => change.at = at,
            _ => {}
        }
        let entry = self.numbering.next_entry(Change { at, uptime, origin, action });
        self.ready.push_back(Sequenced::Entry(entry));
    }
}

impl Phase {
    /// Whether changes of this incarnation's sessions can be appended.
    fn has(&self, incarnation: Incarnation) -> bool {
        matches!(self, Self::Joined(Some(own)) if *own == incarnation)
    }
}

#[cfg(test)]
mod append_tests;
#[cfg(test)]
mod test_log;
#[cfg(test)]
mod tests;
