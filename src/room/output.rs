//! What comes out of the room. Each output stands for itself: none refers to a state that later entries change.

use super::{MemberId, Origin, StoreFailure};
use crate::protocol::{Event, LeaveReason, MessageId, Name, Text, Timestamp};

/// A consequence of an entry. Outputs are delivered in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An event for all members.
    Event {
        /// The id, if it is a message.
        id: Option<MessageId>,
        /// When it happened.
        at: Timestamp,
        /// Whose command it is, if it is a command's effect: its reply takes the place of the event.
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
        /// The addressees, with their nicknames.
        to: Vec<(MemberId, Name)>,
        /// The text.
        text: Text,
    },
    /// The session of the origin continues the member from here on, and the session that had it does not.
    Resumed {
        /// The session.
        origin: Origin,
        /// The member.
        member: MemberId,
        /// The member's nickname.
        name: Name,
    },
    /// The member has no connection from here on, for this reason, and can be resumed.
    Detached(MemberId, LeaveReason),
    /// The member has left the room, for this reason. All other members are told.
    Left {
        /// The member.
        member: MemberId,
        /// Its nickname.
        name: Name,
        /// Why.
        reason: LeaveReason,
        /// Why, in the user's own words.
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
    /// Another member, of this nickname, has the same one.
    NickTaken(Name, Name),
    /// It looks like the nickname of another member.
    NickAlike(Name, Name),
    /// A message under the nickname, or under one that looks alike, waits to be stored.
    NickReserved(Name),
    /// The token resumes no member.
    TokenUnknown,
    /// The addressee is not a member.
    TargetAbsent(Name),
    /// The addressee has ended its input, and is about to leave.
    TargetLeaving(Name),
    /// The addressee has no connection, and may come back.
    TargetDetached(Name),
    /// The addressee is the author.
    TargetSelf(Name),
    /// The message could not be stored.
    NotStored(StoreFailure),
}
