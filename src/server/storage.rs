//! The interface between the server and a store. `storing` and `stored` implement it, with the feature `store`. A server without a store
//! keeps its messages in memory.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Options;
use super::hub::Hub;
use crate::feed::{Feed, Missed, Outbox, Pieces};
use crate::protocol::{Dialect, EventId, Mode, Name, Text, Timestamp};
use crate::room::{Origin, SessionId};
use crate::session::{HistoryQuery, InputKind};

/// A store that is not open yet.
pub trait Storage: Debug + Send + Sync {
    /// Opens the store. Returns the hub of a server with these options, whose room has the newest stored messages.
    ///
    /// # Errors
    /// Those of the store, as a text for the operator.
    fn open(&self, options: &Options, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>>;
}

/// Commits messages to the store before the room publishes them. Only the hub calls it.
pub(super) trait CommitPipeline: Debug + Send {
    /// Accepts a message. It is refused in its turn if more than `bytes_max` bytes of messages are waiting.
    fn take(&mut self, at: Timestamp, origin: Origin, name: Name, text: Text, bytes_max: usize);

    /// Whether a message waits for its commit, or for being published or refused after it.
    fn is_busy(&self) -> bool;

    /// Whether the messages that wait are committed at the next [`CommitPipeline::start`].
    fn is_gathering(&self) -> bool;

    /// Whether [`CommitPipeline::next_settled`] has an action, which the room is to carry out before anything else.
    fn has_settled(&self) -> bool;

    /// The next action that follows from a commit.
    fn next_settled(&mut self) -> Option<(SessionId, InputKind)>;

    /// Commits the messages that wait, unless others are being committed. The newest message has the id `last_id`; these get the ids that
    /// follow, because no other batch is under way and nothing but a message has an id.
    fn start(&mut self, last_id: EventId);

    /// Takes note of what the store has done, if it has reported anything. Returns whether it had.
    fn take_report(&mut self) -> bool;

    /// Ready once it has taken note of a report. The output is false if the store has failed and reports nothing more.
    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// Refuses all messages that the store has not confirmed. Used when there is no time left to wait for it.
    fn abandon(&mut self);

    /// Closes the store, for which it blocks.
    fn close(self: Box<Self>);
}

/// Answers queries from the stored messages, at the speed at which the client reads.
pub(super) trait StoredMessages: Debug + Send + Sync {
    /// The answer to a command of the connection of `outbox`, from messages up to the id `until`. A refusal is written for a
    /// session of this mode.
    fn answer(
        &self,
        query: HistoryQuery,
        until: EventId,
        dialect: Dialect,
        mode: Mode,
        outbox: &Arc<Outbox>,
    ) -> Box<dyn Pieces>;

    /// The messages that the connection of `outbox` missed, as it would have read them.
    fn missed(&self, missed: Missed, outbox: &Arc<Outbox>) -> Box<dyn Pieces>;
}
