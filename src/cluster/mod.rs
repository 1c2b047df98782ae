//! Several nodes with one shared state: the changes of all nodes go through one totally ordered log in an engine (NATS JetStream), and
//! each node applies the entries that it reads back from there.
//!
//! Pure: `server::cluster` connects it with the engine.
//!
//! | file | what it has |
//! |---|---|
//! | `engine` | what a node asks of the engine, and what the engine reports |
//! | `record` | what one message of the log has |
//! | `codec` | records as bytes |
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod codec;
mod engine;
mod record;

pub use self::codec::{NotLogged, RecordError};
pub use self::engine::{AppendFailure, EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo};
pub use self::record::{Batch, Genesis, LoggedChange, Record};
