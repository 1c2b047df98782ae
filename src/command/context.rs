//! The interface through which a command reads and changes its session and the room.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use super::{HistoryReply, Reply, ServerLine, Verb};
use crate::protocol::{Dialect, MessageId, Mode, Name, Secret, Text, Timestamp, User};
use crate::room::{Action, MemberId, Room, Uptime, Verifier};

/// The session that sent the command, and the room. The session gets lines in the order in which the command sends them.
pub trait Context {
    /// When the server received the command.
    fn time(&self) -> Timestamp;

    /// The room.
    fn room(&self) -> &Room;

    /// Whether messages that are not in memory can be read from a store.
    fn has_store(&self) -> bool;

    /// The session's member or, before it has a nickname, the member that it would register.
    fn member(&self) -> MemberId;

    /// The session's nickname, if it has one.
    fn nickname(&self) -> Option<&Name>;

    /// The members, in the order in which they registered.
    fn members(&mut self) -> Arc<[User]>;

    /// The member's connection, or its last one if it is detached; `None` if there is no such member.
    fn connection_of(&self, member: MemberId) -> Option<ConnectionInfo>;

    /// 128 random bits, new for each command. `None` if the system has no randomness, or
    /// [`Definition::needs_secret`](super::Definition::needs_secret) is false.
    fn secret(&self) -> Option<Secret>;

    /// The mode in which the session's lines are parsed.
    fn mode(&self) -> Mode;

    /// Sets the mode, from the session's next line on.
    fn set_mode(&mut self, mode: Mode);

    /// How lines are rendered for the session.
    fn dialect(&self) -> Dialect;

    /// Sets how lines are rendered for the session, from here on.
    fn set_dialect(&mut self, dialect: Dialect);

    /// Sets whether the session also gets the events of its own commands.
    fn set_echo(&mut self, echo: bool);

    /// The verifier of the resume token that the session requested before it took a nickname.
    fn verifier(&self) -> Option<Verifier>;

    /// Sets the verifier of the resume token of the session's member. Without a nickname, it applies once the session takes one.
    fn set_verifier(&mut self, verifier: Option<Verifier>);

    /// Submits a change to the room. Its result is the reply to the command.
    fn submit(&mut self, action: Action);

    /// Ends the session; its member leaves for this reason.
    fn quit(&mut self, reason: Option<Text>);

    /// Sends a line to the session.
    fn send(&mut self, line: ServerLine);

    /// Sends the final reply.
    fn reply(&mut self, reply: Reply) {
        self.send(ServerLine::Ok(reply));
    }

    /// Sends a `USER` line for each member in the list.
    fn send_users(&mut self, users: Arc<[User]>);

    /// Sends a `PAST` line for each message with these numbers in the room's history.
    fn send_messages(&mut self, numbers: Range<u64>);

    /// Sends a `STROKE` line for each stroke with these numbers on the room's canvas.
    fn send_strokes(&mut self, numbers: Range<u64>);

    /// Passes the command to the store, which replies to it.
    fn query_store(&mut self, query: HistoryQuery);
}

/// The address of a connection, and its last sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The address of the client.
    pub address: SocketAddr,
    /// When the last line arrived.
    pub last_line_at: Uptime,
}

/// A command that needs messages from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryQuery {
    /// `HISTORY`: the last messages, this many.
    Last(u64),
    /// `SINCE`: the messages with greater ids.
    Since(MessageId),
    /// `SEARCH`: the messages with all these words, the newest first.
    Words(Text),
}

impl HistoryQuery {
    /// The verb of the command.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Last(_) => Verb::History,
            Self::Since(_) => Verb::Since,
            Self::Words(_) => Verb::Search,
        }
    }

    /// The final reply, sent after all messages.
    pub fn reply(&self, replayed: HistoryReply) -> Reply {
        match self {
            Self::Last(_) => Reply::History(replayed),
            Self::Since(_) => Reply::Since(replayed),
            Self::Words(_) => Reply::Search(replayed.count),
        }
    }
}
