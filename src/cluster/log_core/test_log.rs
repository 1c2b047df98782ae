//! A log in memory, and nodes that use it, for unit tests.

use std::sync::Arc;

use super::super::engine::{AppendFailure, EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo};
use super::super::record::{Genesis, Record};
use super::LogCore;
use crate::protocol::{Timestamp, Token};
use crate::sequencer::{Change, Sequenced};
use crate::state::{Action, Incarnation, Origin, SessionId, StateLimits, Uptime};

/// The incarnation of the nodes that [`TestNode::joined`] returns.
pub(crate) const INCARNATION: Incarnation = Incarnation(7);

pub(crate) fn token(word: &str) -> Token {
    Token::new(word).expect("a valid token")
}

/// A log that answers at once.
#[derive(Default)]
pub(crate) struct TestLog {
    pub(crate) messages: Vec<LogMessage>,
}

impl TestLog {
    pub(crate) fn info(&self) -> StreamInfo {
        let last = LogPosition(self.messages.len() as u64);
        StreamInfo { identity: "first".to_owned(), first: LogPosition(1), last }
    }

    /// Appends a message, if its guard holds.
    pub(crate) fn append(&mut self, request: &Append) -> EngineReport {
        let Append { attempt, run, expected, body } = request.clone();
        let last = self.messages.iter().rev().find(|message| message.run == run);
        if last.map(|message| message.position).unwrap_or_default() != expected {
            return EngineReport::AppendFailed { attempt, failure: AppendFailure::WrongLastPosition };
        }
        let position = LogPosition(self.messages.len() as u64 + 1);
        self.messages.push(LogMessage { position, engine_ms: 1000 * position.0, run, body });
        EngineReport::Appended { attempt, at: position }
    }

    pub(crate) fn message(&self, position: u64) -> LogMessage {
        self.messages[usize::try_from(position).expect("a small number") - 1].clone()
    }
}

/// The fields of [`EngineRequest::Append`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Append {
    pub(crate) attempt: u64,
    pub(crate) run: u64,
    pub(crate) expected: LogPosition,
    pub(crate) body: Arc<[u8]>,
}

impl Append {
    /// The changes, in short.
    pub(crate) fn changes(&self) -> Vec<String> {
        match Record::decode(&self.body).expect("a record") {
            Record::Genesis(_) => vec!["genesis".to_owned()],
            Record::Batch(batch) => {
                assert_eq!(batch.run, self.run);
                batch.changes.iter().map(|change| describe(change.action())).collect()
            }
        }
    }
}

/// An action, in short.
fn describe(action: &Action) -> String {
    match action {
        Action::Barrier(Some(token)) => token.to_string(),
        Action::JoinCluster(join) => format!("join {} {}", join.node, join.run),
        other => format!("{other:?}"),
    }
}

/// A node, and the place of its reader.
pub(crate) struct TestNode {
    pub(crate) core: LogCore,
    pub(crate) reader: ReaderId,
    ticks: u64,
    read_next: LogPosition,
}

impl TestNode {
    /// A node that has asked for nothing but the stream's state.
    pub(crate) fn new(name: &str, run: u64) -> Self {
        let genesis = Genesis { limits: StateLimits::default(), epoch: token(&format!("e{run}")) };
        let core = LogCore::new(token(name), genesis, run);
        Self { core, reader: ReaderId::default(), ticks: 0, read_next: LogPosition::default() }
    }

    /// The node `a`, which has joined an empty log as [`INCARNATION`] and run 1, and read it to its end.
    pub(crate) fn joined(log: &mut TestLog) -> Self {
        let mut node = Self::new("a", 1);
        node.run_all(log);
        node.core.record_joined(INCARNATION);
        assert_eq!(node.taken(), ["reset e1", "join a 1"]);
        node
    }

    /// All requests of this turn.
    pub(crate) fn requests(&mut self) -> Vec<EngineRequest> {
        self.core.end_turn();
        std::iter::from_fn(|| self.core.next_request()).collect()
    }

    /// The append of this turn, which has no other requests.
    pub(crate) fn append(&mut self) -> Append {
        match <[EngineRequest; 1]>::try_from(self.requests()) {
            Ok([EngineRequest::Append { attempt, run, expected, body }]) => Append { attempt, run, expected, body },
            other => panic!("expected one append: {other:?}"),
        }
    }

    /// Answers all requests of the node, and lets it read to the end, until there is nothing more to do.
    pub(crate) fn run_all(&mut self, log: &mut TestLog) {
        loop {
            let requests = self.requests();
            let was_idle = requests.is_empty();
            for request in requests {
                match request {
                    EngineRequest::Inspect => self.core.handle(EngineReport::Inspected(Ok(log.info()))),
                    EngineRequest::Read { reader, first } => (self.reader, self.read_next) = (reader, first),
                    EngineRequest::Append { attempt, run, expected, body } => {
                        let report = log.append(&Append { attempt, run, expected, body });
                        self.core.handle(report);
                    }
                }
            }
            if was_idle && !self.read_one(log) {
                return;
            }
        }
    }

    /// Reads the next message. Returns whether there was one.
    pub(crate) fn read_one(&mut self, log: &TestLog) -> bool {
        if self.read_next.0 == 0 || self.read_next.0 > log.messages.len() as u64 {
            return false;
        }
        self.read(log.message(self.read_next.0));
        self.read_next = self.read_next.next();
        true
    }

    /// The reader returns this message.
    pub(crate) fn read(&mut self, message: LogMessage) {
        self.core.handle(EngineReport::Read { reader: self.reader, message });
    }

    /// A session of the node submits a barrier with this token.
    pub(crate) fn submit(&mut self, word: &str) {
        self.submit_from(1, Action::Barrier(Some(token(word))));
    }

    /// The nth session of the node submits a change.
    pub(crate) fn submit_from(&mut self, session: u64, action: Action) {
        let session = SessionId(SessionId::of_node(INCARNATION).0 + session);
        self.submit_change(Origin { session, ..Origin::SERVER }, action);
    }

    /// A second passes in the node.
    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        self.submit_change(Origin::SERVER, Action::Tick);
    }

    /// Submits a change with the node's times, which only ticks may use.
    pub(crate) fn submit_change(&mut self, origin: Origin, action: Action) {
        let (at, uptime) = (Timestamp(-1), Uptime((1 << 40) + self.ticks));
        self.core.submit(Change { at, uptime, origin, action });
    }

    pub(crate) fn fail(&mut self, attempt: u64, failure: AppendFailure) {
        self.core.handle(EngineReport::AppendFailed { attempt, failure });
    }

    /// The values that are ready, in short.
    pub(crate) fn taken(&mut self) -> Vec<String> {
        let values = std::iter::from_fn(|| self.core.next()).map(|value| match value {
            Sequenced::Entry(entry) => describe(&entry.action),
            Sequenced::Refused(change, why) => {
                assert_eq!(&*why, "the cluster does not accept changes at the moment");
                format!("refused {}", describe(&change.action))
            }
            Sequenced::Reset(state) => {
                let epoch = state.room(crate::state::RoomId::LOBBY).and_then(crate::state::Room::epoch).cloned();
                format!("reset {}", epoch.expect("an epoch"))
            }
        });
        values.collect()
    }
}

/// The fate of the append is not known.
pub(crate) fn unknown() -> AppendFailure {
    AppendFailure::Unknown("no answer".to_owned())
}
