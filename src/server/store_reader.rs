//! Reads stored messages for connections ([`StoreReader`]).

use std::fmt::Debug;
use std::sync::Arc;

use crate::command::HistoryQuery;
use crate::feed::{Mailbox, MissedMessages, PageSource};
use crate::protocol::{Dialect, MessageId, Mode, RoomName};

/// Reads stored messages for connections, page by page, no faster than each client reads.
pub(super) trait StoreReader: Debug + Send + Sync {
    /// Starts the reply to a command about a room on the connection of `mailbox`, with messages up to the id `until`. `mode` is that of the
    /// hints in a refusal.
    fn start_query(
        &self,
        room: &RoomName,
        query: HistoryQuery,
        until: MessageId,
        dialect: Dialect,
        mode: Mode,
        mailbox: &Arc<Mailbox>,
    ) -> Box<dyn PageSource>;

    /// Starts to read the messages that the connection of `mailbox` missed, rendered as events.
    fn start_catch_up(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource>;
}
