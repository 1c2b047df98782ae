//! Inputs: what the hub passes to the sessions.

use std::net::SocketAddr;

#[cfg(doc)]
use super::Sessions;
use crate::command::{Command, Refusal};
use crate::protocol::{Ending, LeaveReason, OtherProtocol, Secret, Timestamp};
use crate::room::{SessionId, Uptime};

/// An event outside of the room, such as a client's line.
#[derive(Clone, Debug)]
pub struct Input {
    /// When it happened.
    pub at: Timestamp,
    /// The session that it comes from. Inputs of a session without a connection change nothing, except [`InputKind::Connect`].
    pub session: SessionId,
    /// The event.
    pub kind: InputKind,
}

/// The event of an [`Input`].
#[derive(Clone, Debug)]
pub enum InputKind {
    /// A client connected, from this address.
    Connect(SocketAddr),
    /// How the client ends its lines.
    Ending(Ending),
    /// The client sent a blank line, which only shows that it is alive.
    Blank,
    /// The client sent telnet's AYT: it asks for a visible answer.
    AreYouThere,
    /// The client sent a command.
    Command(Command),
    /// The client sent a command that needs a secret. The secret is new for each command.
    CommandWithSecret(Command, Secret),
    /// The client sent an invalid line; this refusal is the reply.
    Refuse(Refusal),
    /// The client speaks another protocol.
    OtherProtocol(OtherProtocol),
    /// The client had fallen behind and missed events. It has caught up, and receives all events from here on.
    CaughtUp,
    /// The client has ended its input. It still gets its replies; [`InputKind::Disconnected`] follows when it has them.
    EndOfInput,
    /// The connection has ended or must end, for this reason.
    Disconnected(LeaveReason),
    /// Time since the server started; comes from [`SessionId::SERVER`] about once a second, and is repeated with the same time while
    /// [`Sessions::has_expired`] is true.
    Tick(Uptime),
    /// The server stops; comes from [`SessionId::SERVER`].
    Shutdown,
}
