//! Outputs: what the sessions tell the hub to do.

use std::ops::Range;
use std::sync::Arc;

#[cfg(doc)]
use super::InputKind;
use super::PasswordJob;
use crate::command::{HistoryQuery, Reply, RoomLine, ServerLine};
use crate::protocol::{
    AccountTokenId, CloseReason, Dialect, Event, LeaveReason, MessageId, Mode, Name, Network, PeerAddress, Role,
    RoomName, Text, Timestamp, Token, User,
};
use crate::state::{AccountOutcome, AccountRejection, Incarnation, Moderated, RoomId, SessionId};

/// An instruction for the hub. The hub delivers outputs in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Sends a line to one session, at this place in the order of the room. `None`: the line is not about a room.
    Send(SessionId, Option<RoomId>, RoomLine),
    /// Sends a line to one session, after all events so far in all rooms that it follows.
    SendAfterAll(SessionId, ServerLine),
    /// Sends a `USER` line for each member of the room. Until the members change, all replies to `WHO` share one list.
    SendUsers(SessionId, RoomId, Arc<[User]>),
    /// Sends the messages with these numbers in the room's history.
    SendMessages(SessionId, RoomId, Range<u64>),
    /// Sends the strokes with these numbers on the room's canvas.
    SendStrokes(SessionId, RoomId, Range<u64>),
    /// One more of the session's lines is answered: all of its outputs precede this one.
    Answered(SessionId),
    /// Queries the store for the session's command.
    QueryStore {
        /// The session.
        session: SessionId,
        /// The room.
        room: RoomId,
        /// The messages that the command asks for.
        query: HistoryQuery,
        /// The reply has messages up to this id.
        until: MessageId,
        /// The room that the hint of a refusal names.
        hint_room: Option<RoomName>,
    },
    /// Publishes an event to all sessions that follow the room.
    Publish {
        /// The room.
        room: RoomId,
        /// The id, if it is a message.
        id: Option<MessageId>,
        /// When it happened.
        at: Timestamp,
        /// The session whose command caused the event.
        session: SessionId,
        /// The event.
        event: Event,
        /// The line for this session in place of the event.
        own: OwnLine,
    },
    /// A room has vanished. No output about it follows, and no session follows it.
    CloseRoom(RoomId),
    /// Sets the session's dialect, from here on. In rooms other than its home, lines always name the room.
    SetDialect(SessionId, Dialect),
    /// Makes the session follow the room: it receives all events published in it from here on. `true`: the room is the
    /// session's home.
    Follow(SessionId, RoomId, bool),
    /// The session follows the room no more, from here on.
    Unfollow(SessionId, RoomId),
    /// Sets the mode of the session's lines, from here on.
    SetMode(SessionId, Mode),
    /// Closes the session's connection after the outputs so far, for this reason.
    Close(SessionId, CloseReason),
    /// The session has lost its connection, but its member remains. The connection counts as connected, for `--max-clients` and
    /// `--max-per-address`, until [`Output::Remove`].
    Detach(SessionId),
    /// Removes the session: nothing is sent to it after this.
    Remove(SessionId),
    /// The line that replies to the operator's [`InputKind::Moderate`].
    Moderated(ServerLine),
    /// Clients in this network are banned so. `None`: they are not banned any more.
    BanNetwork(Network, Option<NetworkBan>),
    /// Passes a password to a thread that checks or hashes it. [`InputKind::PasswordProcessed`] follows.
    CheckPassword(PasswordJob),
    /// The result of the first [`InputKind::ChangeAccount`] that has none yet.
    AccountChanged(Result<AccountOutcome, AccountRejection>),
    /// A client at this address has given a wrong password, for the operator's log.
    WrongPassword(PeerAddress),
    /// A node has joined the cluster. `is_own`: it is this one, which accepts clients from here on.
    NodeJoined {
        /// Its name.
        node: Token,
        /// Its incarnation. The numbers of a node's sessions follow [`SessionId::of_node`].
        incarnation: Incarnation,
        /// It is this node.
        is_own: bool,
    },
    /// A node has left the cluster or has expired. `is_own`: it is this one, whose sessions have ended.
    NodeExpired {
        /// Its name.
        node: Token,
        /// Its incarnation.
        incarnation: Incarnation,
        /// It is this node.
        is_own: bool,
    },
    /// A change of membership, for the operator's log.
    Log(MembershipChange),
}

/// A change of membership that the operator's log has. A member that is in several rooms leaves, or changes its nickname, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipChange {
    /// The session has taken a nickname, and entered this room.
    Joined(SessionId, Name, RoomName),
    /// The session has resumed the member that the session `first` created.
    Resumed {
        /// The session.
        session: SessionId,
        /// The first session of the member.
        first: SessionId,
        /// The nickname.
        name: Name,
    },
    /// The session's member has changed its nickname.
    Renamed {
        /// The session.
        session: SessionId,
        /// The nickname before.
        from: Name,
        /// The nickname from here on.
        to: Name,
    },
    /// The session's member has entered rooms with one `JOIN`.
    Entered(SessionId, Name, Vec<RoomName>),
    /// The session's member has left a room with `PART`.
    Parted(SessionId, Name, RoomName),
    /// The session's member has lost its connection, and can be resumed.
    Detached(SessionId, Name),
    /// The session's member has left the server.
    Left(SessionId, Name, LeaveReason),
    /// The session has done this with the account of this name. [`SessionId::SERVER`]: the operator has.
    Account(SessionId, Name, AccountEvent),
    /// The member is the room's coordinator from here on.
    Coordinator(Name, RoomName),
    /// The session's member with this nickname has moderated. `None`: the operator at the control socket has.
    Moderated(SessionId, Option<Name>, Moderated),
}

/// An event of a session with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountEvent {
    /// It has registered the account.
    Registered,
    /// It has logged in.
    LoggedIn,
    /// It has changed the password.
    PasswordChanged,
    /// The operator has given it this role.
    RoleSet(Role),
    /// It has deleted the account.
    Unregistered,
    /// It has made the access token with this number.
    TokenMade(AccountTokenId),
    /// It has revoked the access token with this number.
    TokenRevoked(AccountTokenId),
}

/// The ban of a network from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkBan {
    /// When it ends. `None`: never.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: Option<Text>,
}

/// The line in place of an event, for the session whose command caused the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnLine {
    /// The event, if it follows the room.
    Event,
    /// The reply, with this prefix.
    Reply(Option<RoomName>, Reply),
    /// Nothing: its reply is in another room.
    Nothing,
}
