//! The server's interface to a store: opens it and reads stored messages. Commits go through the sequencer instead. With the feature `store`,
//! `store_adapter` implements it for SQLite. A server without a store keeps its messages in memory.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use super::ServerOptions;
use super::hub::Hub;
use crate::command::HistoryQuery;
use crate::feed::{Feed, Mailbox, MissedMessages, PageSource};
use crate::protocol::{Dialect, MessageId, Mode};

/// Opens a store.
pub trait StoreOpener: Debug + Send + Sync {
    /// Opens the store. Returns the hub of a server with these options, whose room has the newest stored messages.
    ///
    /// # Errors
    /// The store cannot be opened. The error is for the operator.
    fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>>;
}

/// Reads stored messages for connections, page by page, no faster than each client reads.
pub(super) trait StoreReader: Debug + Send + Sync {
    /// Starts the reply to a command on the connection of `mailbox`, with messages up to the id `until`. `mode` is that of the hints in a
    /// refusal.
    fn start_query(
        &self,
        query: HistoryQuery,
        until: MessageId,
        dialect: Dialect,
        mode: Mode,
        mailbox: &Arc<Mailbox>,
    ) -> Box<dyn PageSource>;

    /// Starts to read the messages that the connection of `mailbox` missed, rendered as events.
    fn start_catch_up(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource>;
}
