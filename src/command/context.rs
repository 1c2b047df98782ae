//! What a command may read and change.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use super::{Replayed, Reply, ServerLine, Verb};
use crate::protocol::{Dialect, MessageId, Mode, Name, Secret, Text, Timestamp, User};
use crate::room::{Action, MemberId, Room, Uptime, Verifier};

/// The session whose command is carried out, with what it may read and change. What is sent keeps its order.
pub trait Context {
    /// When the server got the command.
    fn time(&self) -> Timestamp;

    /// The room.
    fn room(&self) -> &Room;

    /// Whether messages that are not in memory can be read from a store.
    fn has_store(&self) -> bool;

    /// The session's member; without a nickname, the one that the session would register.
    fn member(&self) -> MemberId;

    /// The session's nickname, if it has one.
    fn nickname(&self) -> Option<&Name>;

    /// The members, in the order in which they registered.
    fn members(&mut self) -> Arc<[User]>;

    /// What the server knows of a member's connection, now or last; `None` if there is no such member.
    fn connection_of(&self, member: MemberId) -> Option<ConnectionInfo>;

    /// 128 random bits that no other command had, if [`Definition::needs_secret`](super::Definition::needs_secret) and the system
    /// has them.
    fn secret(&self) -> Option<Secret>;

    /// How the session's lines are read.
    fn mode(&self) -> Mode;

    /// Changes how the session's lines are read, from the next line on.
    fn set_mode(&mut self, mode: Mode);

    /// How lines are rendered for the session.
    fn dialect(&self) -> Dialect;

    /// Changes how lines are rendered for the session, from here on.
    fn set_dialect(&mut self, dialect: Dialect);

    /// Sets whether the session gets its own events as events too.
    fn set_echo(&mut self, echo: bool);

    /// What a member that the session registers can be resumed with.
    fn verifier(&self) -> Option<Verifier>;

    /// Sets what the session's member can be resumed with, now or once it is registered.
    fn set_verifier(&mut self, verifier: Option<Verifier>);

    /// Submits a change to the room. Its result answers the command.
    fn submit(&mut self, action: Action);

    /// Ends the session; its member leaves for this reason.
    fn quit(&mut self, reason: Option<Text>);

    /// Sends a line to the session.
    fn send(&mut self, line: ServerLine);

    /// Sends the final line.
    fn reply(&mut self, reply: Reply) {
        self.send(ServerLine::Ok(reply));
    }

    /// Sends a `USER` line for each of these.
    fn send_users(&mut self, users: Arc<[User]>);

    /// Sends a `PAST` line for each message with these numbers in the room's history.
    fn send_messages(&mut self, numbers: Range<u64>);

    /// Sends a `STROKE` line for each stroke with these numbers on the room's canvas.
    fn send_strokes(&mut self, numbers: Range<u64>);

    /// Lets the store answer the command.
    fn query_store(&mut self, query: HistoryQuery);
}

/// What the server knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The address of the client.
    pub address: SocketAddr,
    /// When the last line came.
    pub last_line_at: Uptime,
}

/// A command about messages that are not all in memory.
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

    /// The final line, after all messages were sent.
    pub fn reply(&self, replayed: Replayed) -> Reply {
        match self {
            Self::Last(_) => Reply::History(replayed),
            Self::Since(_) => Reply::Since(replayed),
            Self::Words(_) => Reply::Search(replayed.count),
        }
    }
}
