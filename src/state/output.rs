//! The outputs of the shared state. Each is self-contained: none refers to state that later entries change.

use super::{
    AccountCommand, AccountToken, ContentKind, Incarnation, MemberId, Moderated, ModerationCommand,
    ModerationRejection, Origin, RoomId, SanctionNotice, SessionId, StoreFailure,
};
use crate::protocol::{
    AccountId, AccountTokenId, Day, Event, LeaveReason, MessageId, ModerationRecord, Name, Network, OwnDeletion, Role,
    RoomLock, RoomName, Text, Timestamp, Token,
};

/// An effect of an entry. Outputs must be delivered in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOutput {
    /// A room has vanished: nothing refers to its number any more.
    RoomClosed {
        /// The room.
        id: RoomId,
        /// The store has it, without contents.
        is_stored: bool,
    },
    /// An event for all members and watchers of a room.
    Event {
        /// The room.
        room: RoomId,
        /// Its name: the room may have vanished since.
        room_name: RoomName,
        /// The id, if it is a message.
        id: Option<MessageId>,
        /// When it happened.
        at: Timestamp,
        /// The cause.
        cause: Cause,
        /// The event.
        event: Event,
    },
    /// The origin has become a member, and enters its home: an event for the others there.
    Registered {
        /// The session and its new member.
        origin: Origin,
        /// The nickname.
        name: Name,
        /// When.
        at: Timestamp,
        /// The home.
        home: EnteredRoom,
        /// The session's command named the room.
        is_named: bool,
        /// The session has watched this room, and follows it already.
        was_watching: bool,
        /// The session has logged in to this account, with this command.
        login: Option<AccountId>,
    },
    /// The member has entered rooms: an event for the others in those where it was not before.
    Joined {
        /// The session and the member.
        origin: Origin,
        /// The nickname.
        name: Name,
        /// When.
        at: Timestamp,
        /// The rooms.
        rooms: Vec<EnteredRoom>,
    },
    /// The member has left a room: an event for the others there.
    Parted {
        /// The session and the member.
        origin: Origin,
        /// The nickname.
        name: Name,
        /// When.
        at: Timestamp,
        /// The room.
        room: RoomId,
        /// Its name.
        room_name: RoomName,
        /// The reason that the user gave.
        text: Option<Text>,
    },
    /// The member has changed its nickname, and is not in its home: the events in other rooms give no reply.
    Renamed {
        /// The session and the member.
        origin: Origin,
        /// The nickname before.
        from: Name,
        /// The nickname from here on.
        to: Name,
    },
    /// The origin's session watches this room.
    Watching(Origin, EnteredRoom),
    /// The session watches this room, with this name, no more.
    Unwatched(SessionId, RoomId, RoomName),
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
    /// The member can be resumed from here on, or (`false`) no more, as the origin's command asked.
    VerifierSet(Origin, bool),
    /// All entries before that of the origin were applied. Its command has this token.
    BarrierReached(Origin, Option<Token>),
    /// A node has joined the cluster.
    NodeJoined {
        /// Its name.
        node: Token,
        /// Its run.
        run: u64,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// A node has left the cluster or has expired: its sessions have ended. Its members lose their connections in this entry and in later
    /// ones.
    NodeExpired {
        /// Its name.
        node: Token,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// The origin's session takes over the member from its previous session.
    Resumed {
        /// The session that resumed the member.
        origin: Origin,
        /// The member.
        member: MemberId,
        /// The member's nickname.
        name: Name,
        /// The rooms that the session follows from here on; `true`: the member's home.
        rooms: Vec<(RoomId, bool)>,
    },
    /// The member is detached, for this reason: it has lost its connection, and can be resumed.
    Detached(MemberId, LeaveReason),
    /// The member has left the server, for this reason. The other members of its rooms receive a `LEAVE`.
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
        /// Its rooms: the home first.
        rooms: Vec<RoomId>,
    },
    /// The origin's session has logged in under its present member.
    LoggedIn {
        /// The session and the member.
        origin: Origin,
        /// The account.
        account: AccountId,
        /// The nickname from here on: that of the account.
        name: Name,
        /// The nickname before, if it was another one. An [`StateOutput::Event`] for each of the member's rooms follows, without a reply.
        from: Option<Name>,
    },
    /// A connected member has left the server, because another session takes its nickname, or the operator has set another password for its
    /// account, or an operator has put it out. The session of a guest remains, without a nickname. The other members of its rooms receive a
    /// `LEAVE` with the reason of the displacement.
    Displaced {
        /// The member.
        member: MemberId,
        /// Its nickname.
        name: Name,
        /// Why.
        why: Displacement,
        /// The text of the `LEAVE`.
        text: Option<Text>,
        /// When.
        at: Timestamp,
        /// Its rooms: the home first.
        rooms: Vec<(RoomId, RoomName)>,
    },
    /// A moderator has removed the member from a room: an event for the member, too.
    Kicked {
        /// The member.
        member: MemberId,
        /// Its nickname.
        name: Name,
        /// The reason that the members read.
        reason: LeaveReason,
        /// The moderator, and the reason.
        text: Text,
        /// When.
        at: Timestamp,
        /// The room.
        room: RoomId,
        /// Its name.
        room_name: RoomName,
    },
    /// The member is invited into a room in which it is not: an event for the member alone.
    Invited {
        /// The member.
        member: MemberId,
        /// When.
        at: Timestamp,
        /// The room.
        room: RoomId,
        /// Its name.
        room_name: RoomName,
        /// The event.
        event: Event,
    },
    /// The session must not watch the room any more, for this reason. [`StateOutput::Unwatched`] follows.
    WatchEnded(SessionId, RoomId, RoomRejection),
    /// Clients in this network are banned from the room or, with `None`, from the server. Their members have left already; the caller ends
    /// the sessions without a nickname.
    NetworkBanned {
        /// The network.
        network: Network,
        /// The room.
        room: Option<RoomId>,
        /// The reason that these clients read.
        notice: SanctionNotice,
    },
    /// A ban of this network from the server is over.
    NetworkUnbanned(Network),
    /// Sanctions have ended by themselves, or have other subjects. The caller submits [`Action::RecordModeration`](super::Action) for these records.
    SanctionsChanged(Vec<ModerationRecord>),
    /// The origin's command was carried out. The caller submits [`Action::RecordModeration`](super::Action) if there are records, and replies
    /// otherwise.
    Moderated(Origin, Moderated, Vec<ModerationRecord>),
    /// The reply to the origin's command. With a failure, its records are not stored yet.
    ModerationConfirmed(Origin, Moderated, Option<StoreFailure>),
    /// A member that was not detached can be resumed no more: its resume token has ended.
    ResumptionEnded(MemberId),
    /// The origin's change of the accounts is carried out.
    AccountChanged(Origin, AccountOutcome),
    /// An access token was used for the first time on this day. The caller submits [`AccountUpdate::RecordTokenUse`](super::AccountUpdate).
    TokenUsed {
        /// The session that has used it, and the member.
        origin: Origin,
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountTokenId,
        /// The day.
        on: Day,
    },
    /// The origin deletes a message that is not in memory. The caller submits [`Action::DeleteOwn`](super::Action::DeleteOwn).
    OwnDeletion(Origin, OwnDeletion),
    /// The origin's command is refused. If it was about a room, it names that.
    Rejected(Origin, Option<(RoomId, RoomName)>, Rejection),
}

/// The cause of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No command of a session.
    Server,
    /// A command of the origin, whose session gets the reply in place of the event.
    Command(Origin),
    /// A command of the origin, whose session gets its reply in another room.
    Repeated(Origin),
}

/// A room that a session enters, and where its messages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnteredRoom {
    /// The room.
    pub id: RoomId,
    /// Its name.
    pub name: RoomName,
    /// The epoch of its message ids.
    pub epoch: Option<Token>,
    /// The id of its newest message.
    pub last_id: MessageId,
    /// Lines about the room need no prefix.
    pub is_home: bool,
    /// The session was not in the room before.
    pub is_new: bool,
}

/// Why a connected member was displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Displacement {
    /// The owner of its nickname, or of a similar one, has logged in. It held the nickname before the account was created.
    Guest,
    /// Another session has logged in to its account, and takes over.
    TakenOver,
    /// The operator has set another password for its account than the one with which it has logged in.
    PasswordSet,
    /// An operator has put it out.
    Kicked,
    /// It is banned from the server.
    Banned,
}

impl Displacement {
    /// The reason that other members read.
    pub fn leave_reason(self) -> LeaveReason {
        match self {
            Self::Guest | Self::TakenOver | Self::PasswordSet => LeaveReason::Displaced,
            Self::Kicked => LeaveReason::Kicked,
            Self::Banned => LeaveReason::Banned,
        }
    }
}

/// The result of a change of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    /// An account was created.
    Created {
        /// The account.
        account: AccountId,
        /// Its name.
        name: Name,
        /// The origin's member is logged in.
        is_logged_in: bool,
    },
    /// The account has a new password.
    PasswordSet(AccountId),
    /// The account has another role.
    RoleSet(AccountId, Role),
    /// The account was deleted.
    Deleted {
        /// The account.
        account: AccountId,
        /// Its name.
        name: Name,
        /// When the rest of the name ends.
        rests_until: Timestamp,
    },
    /// The account has a new access token.
    TokenCreated {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountToken,
    },
    /// An access token was revoked.
    TokenRevoked {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountTokenId,
    },
}

/// Why a command about an account is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountRejection {
    /// The account does not exist, its password was changed since it was verified, or the access token is not valid any more.
    Changed,
    /// A connected member uses the account with this name.
    InUse(Name),
    /// The session is logged in to another account.
    LoggedIn,
    /// A message under this nickname, or under a similar one, is being stored. The next try may succeed.
    Reserved(Name),
    /// The account or the client's network is banned from the server.
    Banned(SanctionNotice),
    /// A new member cannot enter its home.
    Room(RoomRejection),
    /// The first nickname is the same as the second one, or looks like it, which belongs to an account.
    Registered(Name, Name),
    /// The first nickname is the same as the second one, or looks like it, which rests until then.
    Resting(Name, Name, Timestamp),
    /// The server has this number of accounts, and takes no more.
    TooMany(usize),
    /// The account has this number of access tokens, and takes no more.
    TooManyTokens(usize),
    /// The account has no access token with this number.
    TokenUnknown(AccountTokenId),
    /// The access token was already used on this day, or on a later one.
    AlreadyRecorded,
    /// The change could not be stored.
    NotStored(StoreFailure),
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
    /// The first nickname is the same as the second one, or looks like it, which belongs to an account.
    NickRegistered(Name, Name),
    /// The first nickname is the same as the second one, or looks like it, which rests until then.
    NickResting(Name, Name, Timestamp),
    /// The member cannot be resumed: its nickname, the first one, is the same as the second one, or looks like it, which belongs to an
    /// account since.
    ResumeRegistered(Name, Name),
    /// The nickname, the account or the client's network is banned from the server.
    NickBanned(SanctionNotice),
    /// Like [`Rejection::NickBanned`], for a member that cannot be resumed.
    ResumeBanned(SanctionNotice),
    /// Like [`Rejection::NickBanned`], for a session that cannot watch the room.
    WatchBanned(SanctionNotice),
    /// The session cannot watch the room with this name, because it is locked.
    WatchLocked(RoomName, RoomLock),
    /// The member is muted, and may not use this command.
    Muted(MutedCommand, SanctionNotice),
    /// A command about an account is refused.
    Account(AccountCommand, AccountRejection),
    /// The origin cannot become a member in this room.
    RegisterRoom(RoomRejection),
    /// The member cannot enter one of the rooms.
    JoinRoom(RoomRejection),
    /// The session cannot watch this room: it does not exist.
    WatchRoom(RoomName),
    /// The member is not in the room.
    NotInRoom(MemberCommand),
    /// The member has left the server since the command was submitted.
    NoName(MemberCommand),
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
    /// A command of a moderator is refused.
    Moderation(ModerationCommand, ModerationRejection),
    /// The message, the topic or the deletion could not be stored.
    NotStored(ContentKind, StoreFailure),
}

/// Why a member cannot enter rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomRejection {
    /// The member is banned from the room.
    Banned(SanctionNotice),
    /// The room with this name is locked, and the member is none of those that may enter.
    Locked(RoomName, RoomLock),
    /// The first name, of a room that would be created, looks like the second one, of another room.
    Alike(RoomName, RoomName),
    /// The member would be in more rooms than this number.
    TooMany(usize),
    /// More rooms than this number would have members.
    Full(usize),
    /// A room would be created, while the store has this number of rooms without members.
    StoreFull(usize),
}

/// A command that a muted member may not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutedCommand {
    /// `MSG`.
    Say,
    /// `TOPIC`.
    SetTopic,
    /// `DRAW`.
    Draw,
    /// `WHISPER`.
    Whisper,
    /// `NICK`.
    Rename,
    /// `JOIN`, of a room that it would create.
    CreateRoom,
    /// `NICK`, with a room that it would create.
    Register,
}

/// A command that only a member may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberCommand {
    /// `MSG`.
    Say,
    /// `DRAW`.
    Draw,
    /// `TOPIC`.
    SetTopic,
    /// `PART`.
    Part,
    /// `NICK`.
    Rename,
    /// `JOIN`.
    Join,
    /// `WHISPER`.
    Whisper,
    /// `SET resume`.
    SetResume,
}
