//! Inputs: what the hub passes to the sessions.

use super::{LiveOptions, PasswordResult};
#[cfg(doc)]
use super::{Output, Sessions};
use crate::command::{ClientLine, Command, Refusal};
use crate::protocol::{Ending, LeaveReason, OtherProtocol, Peer, RoomName, Secret, Timestamp};
use crate::state::{AccountUpdate, Moderation, RoomId, SessionId, Uptime};

/// An event outside of the shared state, such as a client's line.
#[derive(Clone, Debug)]
pub struct Input {
    /// When it happened.
    pub at: Timestamp,
    /// The session that it comes from. Inputs of a session without a connection change nothing, except [`InputKind::Connect`].
    pub session: SessionId,
    /// The event.
    pub kind: InputKind,
}

impl From<ClientLine> for InputKind {
    fn from(ClientLine { room, content }: ClientLine) -> Self {
        match (room, content) {
            (_, Ok(None)) => Self::Blank,
            (None, Ok(Some(command))) => Self::Command(command),
            (None, Err(refusal)) => Self::Refuse(refusal),
            (Some(room), Ok(Some(command))) => Self::CommandIn(room, command),
            (Some(room), Err(refusal)) => Self::RefuseIn(room, refusal),
        }
    }
}

impl InputKind {
    /// Whether the client sent a line, or telnet's AYT. The sessions report each as answered.
    pub fn is_line(&self) -> bool {
        matches!(
            self,
            Self::Blank
                | Self::AreYouThere
                | Self::Command(_)
                | Self::CommandIn(..)
                | Self::CommandWithSecret(..)
                | Self::Refuse(_)
                | Self::RefuseIn(..)
        )
    }
}

/// The event of an [`Input`].
#[derive(Clone, Debug)]
pub enum InputKind {
    /// This client connected.
    Connect(Peer),
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
    /// Like [`InputKind::Command`], for the room that the line names.
    CommandIn(RoomName, Command),
    /// Like [`InputKind::Refuse`], for a line that names a room.
    RefuseIn(RoomName, Refusal),
    /// The client speaks another protocol.
    OtherProtocol(OtherProtocol),
    /// The client had fallen behind in this room, and missed events. It has caught up, and receives all events of the room from here on.
    CaughtUp(RoomId),
    /// The client has ended its input. It still gets its replies; [`InputKind::Disconnected`] follows when it has them.
    EndOfInput,
    /// The connection has ended or must end, for this reason.
    Disconnected(LeaveReason),
    /// Time since the server started; comes from [`SessionId::SERVER`] about once a second, and is repeated with the same time while
    /// [`Sessions::has_expired`] is true.
    Tick(Uptime),
    /// A password was checked or hashed; comes from [`SessionId::SERVER`].
    PasswordProcessed(PasswordResult),
    /// The operator changes the accounts; comes from [`SessionId::SERVER`]. [`Output::AccountChanged`] follows, in the order of these inputs,
    /// once the change is stored or refused.
    ChangeAccount(AccountUpdate),
    /// The operator at the control socket moderates a room, or the server; comes from [`SessionId::SERVER`]. [`Output::Moderated`] follows, in
    /// the order of these inputs.
    Moderate(Moderation),
    /// The operator has changed options; comes from [`SessionId::SERVER`].
    Configure(Box<LiveOptions>),
    /// The server stops; comes from [`SessionId::SERVER`].
    Shutdown,
}
