//! Entries: the input of the shared state. An entry is one change, numbered in the order of all changes.

use std::sync::Arc;

use super::{AccountChange, AccountCommand, DenseKey, Moderated, Moderation, Policy, SanctionNotice};
pub use crate::protocol::RoomId;
use crate::protocol::{
    AccountId, AccountTokenId, Drawing, LeaveReason, MessageId, ModerationRecord, Name, Network, OwnDeletion, RoomName,
    Text, Timestamp, Token, Verifier,
};

/// A session's number, that of its connection: unique for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The origin of entries and inputs that no client caused.
    pub const SERVER: Self = Self(0);

    /// The number of bits below the number of the incarnation.
    const INCARNATION_SHIFT: u32 = 40;

    /// The number before those of the sessions of this incarnation. It is the origin of entries that the node causes itself.
    pub fn of_node(incarnation: Incarnation) -> Self {
        Self(u64::from(incarnation.0) << Self::INCARNATION_SHIFT)
    }

    /// The incarnation of the node that has the session.
    pub fn incarnation(self) -> Incarnation {
        Incarnation(u32::try_from(self.0 >> Self::INCARNATION_SHIFT).unwrap_or(u32::MAX))
    }
}

/// The number of a node's membership in the cluster: each time that a node joins, it gets another one, from 1. 0: a server without a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// A server without a cluster, or a node that has not joined one yet.
    pub const NONE: Self = Self(0);

    /// The last one. [`SessionId`] has bits for no more.
    pub const MAX: Self = Self((1 << (u64::BITS - SessionId::INCARNATION_SHIFT)) - 1);
}

/// A member's number, unique for as long as the server runs: that of the session that registered the member. The member keeps it while
/// it is detached, and after it was resumed on another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId(pub u64);

impl DenseKey for RoomId {
    fn number(self) -> u64 {
        self.0.into()
    }
}

impl DenseKey for SessionId {
    fn number(self) -> u64 {
        self.0
    }
}

impl DenseKey for MemberId {
    fn number(self) -> u64 {
        self.0
    }
}

/// Whole seconds since the server started, by a clock that only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(pub u64);

impl Uptime {
    /// Whole seconds since `earlier`; 0 if that is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The session and the member that caused an entry. The session gets the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The session. The reply is dropped if the session has ended meanwhile.
    pub session: SessionId,
    /// The member that acts, or that the entry registers.
    pub member: MemberId,
    /// The client's network. `None`: the client is on the server's machine, or there is none.
    pub network: Option<Network>,
}

impl Origin {
    /// The origin of entries that no client caused.
    pub const SERVER: Self = Self { session: SessionId::SERVER, member: MemberId(0), network: None };

    /// The origin of entries that a server causes itself, as the node with this incarnation.
    pub fn of_node(incarnation: Incarnation) -> Self {
        Self { session: SessionId::of_node(incarnation), ..Self::SERVER }
    }

    /// Whether a server has caused the entry itself, for its operator or by its clock.
    pub fn is_server(&self) -> bool {
        *self == Self::of_node(self.session.incarnation())
    }

    /// A session on the server's machine.
    pub fn local(session: SessionId, member: MemberId) -> Self {
        Self { session, member, network: None }
    }
}

/// One change of the shared state, numbered in the order of all changes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of the entry, from 1. The sequencer assigns it.
    pub seq: u64,
    /// Wall time. It can go back, so only the validity of access tokens and the rest of names compare it.
    pub at: Timestamp,
    /// Steady time, for timeouts.
    pub uptime: Uptime,
    /// The cause.
    pub origin: Origin,
    /// The change.
    pub action: Action,
}

/// The change of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The origin becomes a member under this nickname, and enters the room. The verifier, if there is one, lets it resume.
    Register {
        /// The nickname.
        name: Name,
        /// The hash of the secret in the resume token that the session requested before.
        verifier: Option<Verifier>,
        /// The member's home. `None`: the room that the session watches, or else the lobby.
        room: Option<RoomName>,
    },
    /// The member takes another nickname.
    Rename(Name),
    /// The member enters all of these rooms, or none. Rooms that do not exist are created.
    Join(Vec<RoomName>),
    /// The member leaves the room, for this reason.
    Part(RoomId, Option<Text>),
    /// Publishes a message of the origin in the room. With a store, the sequencer returns this entry once the message is durable.
    Say(RoomId, Message),
    /// Sets or clears the room's topic, like [`Action::Say`].
    SetTopic(RoomId, TopicChange),
    /// A message or a topic of the origin for the room is being stored. Its nickname is reserved, and the room exists, until
    /// [`Action::Say`], [`Action::SetTopic`] or [`Action::ContentFailed`] follows.
    ContentPending(RoomId),
    /// The origin's message or topic under this nickname could not be stored.
    ContentFailed(RoomId, Name, ContentKind, StoreFailure),
    /// Changes the accounts. With a store, the sequencer returns this entry once the change is durable.
    ChangeAccount(AccountChange),
    /// The origin has requested to make its nickname an account, and that is being stored. Its nickname is reserved until
    /// [`Action::ChangeAccount`] or [`Action::AccountChangeFailed`] follows.
    AccountPending,
    /// The change of the accounts could not be stored. The name of an account that was not created is reserved no more.
    AccountChangeFailed(AccountCommand, Option<Name>, StoreFailure),
    /// The origin's session logs in to an account.
    Login(LoginRequest),
    /// The origin moderates.
    Moderate(Moderation),
    /// The origin has moderated, and these records of that must outlive the server. With a store, [`Action::ModerationStored`] follows
    /// in its place.
    RecordModeration(Moderated, Vec<ModerationRecord>),
    /// The records of the origin's moderation are stored or, for this reason, not yet.
    ModerationStored(Moderated, Option<StoreFailure>),
    /// The origin deletes a message that only the store has. With a store, [`Action::OwnDeletionStored`] follows in its place.
    DeleteOwn(OwnDeletion),
    /// The store has deleted the message or (false) has found that it is not the author's; or it has failed, for this reason.
    OwnDeletionStored(OwnDeletion, Result<bool, StoreFailure>),
    /// The member whispers to all of these members, or to none if one of them cannot receive it.
    Whisper(Vec<Name>, Text),
    /// The member changes the room's canvas.
    Draw(RoomId, Drawing),
    /// The origin's session, which has no nickname, watches this room, and no other one.
    Watch(RoomName),
    /// The origin's session watches no room any more.
    Unwatch,
    /// Replaces the verifier of the member's resume token; `None`: the member cannot be resumed.
    SetVerifier(Option<Verifier>),
    /// The origin's session takes over this member, if the member has this verifier.
    Resume(MemberId, Verifier),
    /// The member's client has ended its input, and only reads its remaining replies.
    EndOfInput,
    /// The member has lost its connection. It remains if it can be resumed, and leaves otherwise.
    Detach(LeaveReason),
    /// The member leaves all of its rooms.
    Leave(LeaveReason, Option<Text>),
    /// The store has deleted all messages of the room up to this id.
    Evict(RoomId, MessageId),
    /// Advances the time. Members that were detached for too long leave.
    Tick,
    /// Changes limits.
    SetPolicy(Policy),
    /// The server stops: removes all members, without events.
    Stop,
    /// The session waits until all entries before this one were applied, and gets `OK PING` with this token.
    Barrier(Option<Token>),
    /// A node joins the cluster, and gets the next incarnation. An earlier incarnation of the same node expires.
    JoinCluster(NodeJoin),
    /// The origin's node lives. Advances the time as [`Action::Tick`] does, and expires nodes that were silent for too long.
    Heartbeat,
    /// The origin's node leaves the cluster: its members lose their connections.
    LeaveCluster,
}

/// A node that joins the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeJoin {
    /// The node's name: its operator chooses it, and it stays over restarts.
    pub node: Token,
    /// The node's run: a random number, by which it recognizes its own entry.
    pub run: u64,
}

/// A login whose proof the session has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRequest {
    /// The account.
    pub account: AccountId,
    /// The verified password or access token. The login is refused if the account has changed since.
    pub proof: LoginProof,
    /// Displaces a connected member of the account. A detached one is always displaced.
    pub takes_over: bool,
    /// The verifier of the resume token that the session requested before it took a nickname.
    pub verifier: Option<Verifier>,
}

/// The proof of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProof {
    /// The password of the account when it had this generation.
    Password {
        /// The generation. Each new password has another one.
        generation: u32,
    },
    /// This access token of the account.
    Token(AccountTokenId),
}

/// The kind of content that the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A message.
    Message,
    /// A topic.
    Topic,
    /// The deletion of a message.
    Deletion,
}

/// Why a message or a topic is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// It is not stored, for this reason.
    NotStored(Arc<str>),
    /// It may be stored, but the store did not confirm it in time, for this reason.
    Unconfirmed(Arc<str>),
    /// Its author must not speak any more.
    Silenced(SpeechRefusal),
}

/// Why a member must not speak any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeechRefusal {
    /// It is muted.
    Muted(SanctionNotice),
    /// A moderator has removed it from the room.
    Removed,
}

/// A message, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The author's nickname when it was sent.
    pub name: Name,
    /// The author's account then. `None`: the author was a guest.
    pub account: Option<AccountId>,
    /// When it was sent.
    pub at: Timestamp,
    /// The text.
    pub text: Text,
}

/// A change of a topic, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChange {
    /// The author's nickname when it was sent.
    pub name: Name,
    /// When it was sent.
    pub at: Timestamp,
    /// The topic; `None` clears it.
    pub topic: Option<Text>,
}
