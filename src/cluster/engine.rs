//! The requests of a node to the engine, which keeps the log, and the engine's reports.
//!
//! The log is one stream. Each message of it has a sequence, from 1 without gaps, and the engine's wall time. Each run of a node appends
//! under a subject of its own, and guards each append with the sequence of its own last one, so that a retry is stored at most once.

use std::sync::Arc;

/// The sequence of a message in the log. 0: before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// The next position.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a reader of the log. A node numbers its readers; reports of earlier ones are outdated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId(pub u64);

/// A request of a node to the engine. The engine answers each request with one report or, for a reader, with any number of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineRequest {
    /// Reports the state of the stream. Creates the stream if it does not exist.
    Inspect,
    /// Appends a message. At most one append of a run is under way.
    Append {
        /// The number of the attempt, which the report repeats. A retry of the same body has another number.
        attempt: u64,
        /// The node's run, which is the last part of the subject. It changes when the node joins the cluster again.
        run: u64,
        /// The sequence of the last message under the node's own subject that it knows of. The engine refuses the append if it is another
        /// one.
        expected: LogPosition,
        /// The message.
        body: Arc<[u8]>,
    },
    /// Begins to read. Reports of an earlier reader end.
    Read {
        /// The reader.
        reader: ReaderId,
        /// The first message to read.
        first: LogPosition,
    },
}

/// A report of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineReport {
    /// The state of the stream. With an error, it is not known, for this reason; ask again. The adapter has waited before the report of
    /// an error if the question must not be repeated at once.
    Inspected(Result<StreamInfo, String>),
    /// The message is in the log, at this position.
    Appended {
        /// The attempt.
        attempt: u64,
        /// Where the message is.
        at: LogPosition,
    },
    /// The message was not appended, or it is not known whether it was.
    AppendFailed {
        /// The attempt.
        attempt: u64,
        /// Why.
        failure: AppendFailure,
    },
    /// The next message of a reader. Readers can skip messages and repeat them: check the position.
    Read {
        /// The reader.
        reader: ReaderId,
        /// The message.
        message: LogMessage,
    },
    /// The reader has ended, for this reason: begin another one. The adapter has waited before this report if it must not be repeated at
    /// once.
    ReaderLost {
        /// The reader.
        reader: ReaderId,
        /// Why.
        why: String,
    },
}

/// Why an append has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendFailure {
    /// The last message under the node's own subject is another one than expected (JetStream's error 10071).
    WrongLastPosition,
    /// It is not known whether the message was appended, for this reason (no answer in time, JetStream's error 10164): try it again. The
    /// adapter has waited before this report if the append must not be repeated at once.
    Unknown(String),
}

/// A message of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// Its sequence.
    pub position: LogPosition,
    /// The engine's wall time at which it was appended, in milliseconds since 1970. It can go back.
    pub engine_ms: u64,
    /// The last part of its subject: the run of the node that appended it ([`Batch::run`](super::Batch::run)).
    pub run: u64,
    /// The message.
    pub body: Arc<[u8]>,
}

/// The state of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// A word that names this stream: a stream that was deleted and created again has another one.
    pub identity: String,
    /// The first message that the stream still has.
    pub first: LogPosition,
    /// The last one. `last.next() == first`: it has none.
    pub last: LogPosition,
}
