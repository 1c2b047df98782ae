//! The server's interface to a store, except for commits: those go through the sequencer. `stored` implements it, with the feature
//! `store`. A server without a store keeps its messages in memory.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use super::Options;
use super::hub::Hub;
use crate::command::HistoryQuery;
use crate::feed::{Feed, Mailbox, MissedMessages, PageSource};
use crate::protocol::{Dialect, MessageId, Mode};

/// A store that is not open yet.
pub trait Storage: Debug + Send + Sync {
    /// Opens the store. Returns the hub of a server with these options, whose room has the newest stored messages.
    ///
    /// # Errors
    /// Those of the store, as a text for the operator.
    fn open(&self, options: &Options, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>>;
}

/// Reads stored messages for connections, no faster than each client reads.
pub(super) trait StoredMessages: Debug + Send + Sync {
    /// The reply to a command on the connection of `mailbox`, with messages up to the id `until`. Hints of a refusal are written for
    /// this mode.
    fn answer(
        &self,
        query: HistoryQuery,
        until: MessageId,
        dialect: Dialect,
        mode: Mode,
        mailbox: &Arc<Mailbox>,
    ) -> Box<dyn PageSource>;

    /// The messages that the connection of `mailbox` missed, rendered as events.
    fn missed(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource>;
}
