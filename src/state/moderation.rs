//! Moderation: what moderators do, and who may do what to whom.

use std::time::Duration;

use super::{Member, MemberId, RoomId, SharedState};
pub use crate::protocol::Rank;
use crate::protocol::{
    AccountId, AuditEntry, MessageId, Name, Network, Role, RoomLock, RoomName, SanctionId, SanctionKind,
    SanctionTarget, Text, Timestamp,
};

/// A command of a moderator or an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Removes a member from a room.
    Kick {
        /// The room. `None`: the server.
        room: Option<RoomId>,
        /// The member's nickname.
        name: Name,
        /// The reason, which everybody there reads.
        reason: Option<Text>,
    },
    /// Bans or mutes. Replaces a sanction of this kind with the same target.
    Sanction {
        /// The kind.
        kind: SanctionKind,
        /// The room. `None`: the server.
        room: Option<RoomId>,
        /// The target. That of a mute is a nickname, as [`SanctionTarget::parse`] gives it.
        target: SanctionTarget,
        /// How long. `None`: until it is lifted.
        duration: Option<Duration>,
        /// The reason.
        reason: Option<Text>,
    },
    /// Ends a sanction.
    Lift {
        /// Its kind.
        kind: SanctionKind,
        /// Its room. `None`: the server.
        room: Option<RoomId>,
        /// Which one.
        which: SanctionChoice,
    },
    /// Decides who may enter a room.
    SetLock {
        /// The room.
        room: RoomId,
        /// The members that may enter.
        lock: RoomLock,
    },
    /// Invites an account or a guest into a room, or takes that back.
    Invite {
        /// The room.
        room: RoomId,
        /// The name of the account, or the nickname.
        name: Name,
        /// Whether it is invited from here on.
        on: bool,
    },
    /// Makes an account a moderator of a room, or takes that back.
    SetModerator {
        /// The room.
        room: RoomId,
        /// The account's name.
        name: Name,
        /// Whether it is a moderator from here on.
        on: bool,
    },
    /// Removes the text of a message. Its author may do so, too.
    Delete {
        /// The room.
        room: RoomId,
        /// The message.
        id: MessageId,
    },
}

/// A sanction that a moderator ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SanctionChoice {
    /// The one with this number.
    Id(SanctionId),
    /// The one with this target.
    Target(SanctionTarget),
}

/// The kind of a [`Moderation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModerationCommand {
    /// [`Moderation::Kick`].
    Kick,
    /// [`Moderation::Sanction`].
    Sanction(SanctionKind),
    /// [`Moderation::Lift`].
    Lift(SanctionKind),
    /// [`Moderation::SetLock`].
    SetLock,
    /// [`Moderation::Invite`].
    Invite,
    /// [`Moderation::SetModerator`].
    SetModerator,
    /// [`Moderation::Delete`].
    Delete,
}

/// The result of a [`Moderation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationOutcome {
    /// The member with this nickname is not there any more.
    Kicked(Name),
    /// There is this sanction.
    Sanctioned(SanctionKind, SanctionId, SanctionTarget),
    /// This sanction is over.
    Lifted(SanctionKind, SanctionId, SanctionTarget),
    /// A command of the operator at the control socket is refused. As an outcome, because the results must keep the order of the commands.
    Refused(ModerationCommand, ModerationRejection),
    /// Sanctions have ended by themselves, or have other subjects.
    SanctionsChanged,
    /// These members may enter the room.
    LockSet(RoomLock),
    /// The account or the guest with this name is invited, or is not any more.
    Invited(Name, bool),
    /// The account with this name is a moderator, or is none any more.
    ModeratorSet(Name, bool),
    /// The message has no text any more.
    Deleted(MessageId),
}

/// Why a command of a moderator is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationRejection {
    /// The room does not exist.
    NoRoom,
    /// The origin is muted on the server: it does not moderate its rooms.
    Muted(Box<SanctionNotice>),
    /// The origin must have at least this rank.
    RankTooLow(Rank),
    /// The member or the account with this name has this rank, and the origin none that is higher.
    Protected(Name, Rank),
    /// No member of the room, or of the server, has this nickname.
    Absent(Name),
    /// The origin's member has this nickname.
    Own(Name),
    /// The origin's own network is in this one.
    OwnNetwork(Network),
    /// The member with this nickname is connected from the server's machine or through a Unix socket.
    NoNetwork(Name),
    /// There are as many sanctions as this limit allows.
    TooManySanctions(SanctionLimit),
    /// There is no such sanction.
    NoSanction,
    /// No account has this name.
    NoAccount(Name),
    /// The room has this number of moderators, and takes no more.
    TooManyModerators(usize),
    /// The room has no message with this id, or keeps it no longer.
    NoMessage(MessageId),
    /// The message is not the origin's, or that cannot be shown any more.
    NotAuthor(MessageId),
    /// No account and no member has this name.
    NoInvitee(Name),
    /// The room has this number of invitations, and takes no more.
    TooManyInvitations(usize),
}

/// A limit of the number of sanctions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SanctionLimit {
    /// Of the room.
    Room(usize),
    /// Of all rooms together.
    Rooms(usize),
    /// Of the server with its rooms.
    Server(usize),
}

impl Moderation {
    /// The kind.
    pub fn command(&self) -> ModerationCommand {
        match self {
            Self::Kick { .. } => ModerationCommand::Kick,
            Self::Sanction { kind, .. } => ModerationCommand::Sanction(*kind),
            Self::Lift { kind, .. } => ModerationCommand::Lift(*kind),
            Self::SetLock { .. } => ModerationCommand::SetLock,
            Self::Invite { .. } => ModerationCommand::Invite,
            Self::SetModerator { .. } => ModerationCommand::SetModerator,
            Self::Delete { .. } => ModerationCommand::Delete,
        }
    }

    /// The room that it is about. `None`: the server.
    pub fn room(&self) -> Option<RoomId> {
        match self {
            Self::Kick { room, .. } | Self::Sanction { room, .. } | Self::Lift { room, .. } => *room,
            Self::SetLock { room, .. }
            | Self::Invite { room, .. }
            | Self::SetModerator { room, .. }
            | Self::Delete { room, .. } => Some(*room),
        }
    }

    /// The nickname or the account that it is about, if it names one.
    pub(super) fn target_name(&self) -> Option<&Name> {
        match self {
            Self::Kick { name, .. } | Self::Invite { name, .. } | Self::SetModerator { name, .. } => Some(name),
            Self::Sanction { target, .. } | Self::Lift { which: SanctionChoice::Target(target), .. } => match target {
                SanctionTarget::Name(name) | SanctionTarget::Connection(name) => Some(name),
                SanctionTarget::Network(_) => None,
            },
            Self::Lift { which: SanctionChoice::Id(_), .. } | Self::SetLock { .. } | Self::Delete { .. } => None,
        }
    }

    /// The reason that the moderator gives.
    pub(super) fn reason(&self) -> Option<&Text> {
        match self {
            Self::Kick { reason, .. } | Self::Sanction { reason, .. } => reason.as_ref(),
            Self::Lift { .. }
            | Self::SetLock { .. }
            | Self::Invite { .. }
            | Self::SetModerator { .. }
            | Self::Delete { .. } => None,
        }
    }
}

impl SharedState {
    /// The rank of a member in a room. `None` as room: on the server.
    pub fn rank(&self, member: MemberId, room: Option<RoomId>) -> Rank {
        self.member(member)
            .and_then(Member::account)
            .map_or(Rank::Member, |account| self.rank_of_account(account, room))
    }

    /// The account of the member with this nickname or, without one, the account with this name.
    pub(super) fn account_of(&self, name: &Name) -> Option<AccountId> {
        let holder = self.names.holder(name).and_then(|holder| self.member(holder));
        match holder {
            // It may be a guest that took the name before the account had it.
            Some(member) => member.account(),
            None => self.accounts().find(name).map(|account| account.id),
        }
    }

    /// The rank that members of an account have.
    pub fn rank_of_account(&self, account: AccountId, room: Option<RoomId>) -> Rank {
        let Some(known) = self.accounts().get(account) else { return Rank::Member };
        if known.role == Role::Operator {
            return Rank::Operator;
        }
        match room.and_then(|room| self.room(room)?.rules()) {
            Some(rules) if rules.owner == Some(account) => Rank::Owner,
            Some(rules) if rules.moderators.contains(&account) => Rank::Moderator,
            _ => Rank::Member,
        }
    }
}

/// The part of a sanction that the client reads when the sanction keeps it from something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionNotice {
    /// The room. `None`: the server.
    pub room: Option<RoomName>,
    /// When it ends. `None`: never.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: Option<Text>,
}

/// The text of a `LEAVE` that a moderator causes.
pub(super) fn leave_text(by: Option<&Name>, reason: Option<&Text>) -> Text {
    let by = by.map_or("the operator", Name::as_str);
    Text::truncated(&match reason {
        Some(reason) => format!("by {by}: {reason}"),
        None => format!("by {by}"),
    })
}

/// A command of a moderator that was carried out. With a store, its records are stored afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moderated {
    /// The room that it was about. `None`: the server.
    pub room: Option<(RoomId, RoomName)>,
    /// The result.
    pub outcome: ModerationOutcome,
    /// The entry for the audit log. `None`: nothing has changed.
    pub audit: Option<Box<AuditEntry>>,
}
