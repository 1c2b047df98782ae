//! Several nodes with one shared state: the changes of all nodes go through one totally ordered log in an engine (NATS JetStream), and
//! each node applies the entries that it reads back from there.
//!
//! Pure: `server::cluster` connects it with the engine.
//!
//! | file | what it has |
//! |---|---|
//! | `log_core` | one node's part in the log: a state machine; its head has a picture |
//! | `log_sequencer` | the sequencer of a node, around `log_core` |
//! | `append`, `refusal` | the changes of this node on their way into the log, and which of them can be refused |
//! | `log_reader` | whether each message is read once, in order |
//! | `clock` | the log's times |
//! | `engine` | the requests of a node to the engine, and the engine's reports |
//! | `record` | what one message of the log has |
//! | `codec` | records as bytes |
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod append;
mod clock;
mod codec;
mod engine;
mod log_core;
mod log_reader;
mod log_sequencer;
mod record;
mod refusal;

pub use self::codec::{NotLogged, RecordError};
pub use self::engine::{AppendFailure, EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo};
pub use self::log_core::LogCore;
pub use self::log_sequencer::{EnginePort, LogSequencer};
pub use self::record::{Batch, Genesis, LoggedChange, Record};
