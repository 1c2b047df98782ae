//! The room's outputs. Each is self-contained: none refers to state that later entries change.

use super::{MemberId, Origin, StoreFailure};
use crate::protocol::{Event, LeaveReason, MessageId, Name, Text, Timestamp};

/// An effect of an entry. Outputs must be delivered in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOutput {
    /// An event for all members.
    Event {
        /// The id, if it is a message.
        id: Option<MessageId>,
        /// When it happened.
        at: Timestamp,
        /// The origin, if a command caused the event: its session gets the reply in place of the event.
        origin: Option<Origin>,
        /// The event.
        event: Event,
    },
    /// The origin's whisper goes to these members.
    Whispered {
        /// The author.
        origin: Origin,
        /// The author's nickname.
        from: Name,
        /// The recipients, with their nicknames.
        to: Vec<(MemberId, Name)>,
        /// The text.
        text: Text,
    },
    /// The origin's session takes over the member from its previous session.
    Resumed {
        /// The session that resumed the member.
        origin: Origin,
        /// The member.
        member: MemberId,
        /// The member's nickname.
        name: Name,
    },
    /// The member is detached, for this reason: it has lost its connection, and can be resumed.
    Detached(MemberId, LeaveReason),
    /// The member has left the room, for this reason. The other members receive a `LEAVE`.
    Left {
        /// The member.
        member: MemberId,
        /// Its nickname.
        name: Name,
        /// Why.
        reason: LeaveReason,
        /// The reason that the user gave.
        text: Option<Text>,
        /// When.
        at: Timestamp,
    },
    /// The origin's command is refused.
    Rejected(Origin, Rejection),
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The first nickname is the same as the second one, which another member has.
    NickTaken(Name, Name),
    /// The first nickname looks like the second one, which another member has.
    NickAlike(Name, Name),
    /// A message under this nickname, or under a similar one, is being stored.
    NickReserved(Name),
    /// The token resumes no member.
    TokenUnknown,
    /// The recipient is not a member.
    TargetAbsent(Name),
    /// The recipient has ended its input, and is about to leave.
    TargetLeaving(Name),
    /// The recipient is detached, and may come back.
    TargetDetached(Name),
    /// The recipient is the author.
    TargetSelf(Name),
    /// The message could not be stored.
    NotStored(StoreFailure),
}
