//! Reads stored messages for connections, and the audit log for operators ([`StoreReader`]).

use std::fmt::Debug;
use std::sync::Arc;

use super::metrics::ServerMetrics;
use crate::command::HistoryQuery;
use crate::feed::{Mailbox, MissedMessages, PageSource};
use crate::protocol::{AuditQuery, AuditRecord, Dialect, MessageId, Mode, RoomId, RoomName};

/// A command about a room that the store answers.
#[derive(Debug)]
#[cfg_attr(not(feature = "store"), expect(dead_code, reason = "only a store reads the fields"))]
pub(super) struct RoomQuery {
    /// The room.
    pub(super) room: RoomId,
    /// Its name, for the lines of the reply.
    pub(super) room_name: RoomName,
    /// The messages that the client asked for.
    pub(super) query: HistoryQuery,
    /// The reply has messages up to this id.
    pub(super) until: MessageId,
    /// The dialect of the client's lines about the room.
    pub(super) dialect: Dialect,
    /// The mode of the hints in a refusal.
    pub(super) mode: Mode,
    /// The room that these hints name.
    pub(super) hint_room: Option<RoomName>,
    /// Where a refusal is counted.
    pub(super) metrics: Arc<ServerMetrics>,
}

/// Reads stored messages for connections, page by page, no faster than each client reads; and the audit log.
pub(super) trait StoreReader: Debug + Send + Sync {
    /// Starts the reply to a command on the connection of `mailbox`.
    fn start_query(&self, query: RoomQuery, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource>;

    /// Starts to read the messages that the connection of `mailbox` missed, rendered as events.
    fn start_catch_up(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource>;

    /// Reads the newest entries of the audit log that the query asks for, by number. Waits for the disk.
    ///
    /// # Errors
    /// The reason why the store cannot be read.
    fn read_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, String>;
}
