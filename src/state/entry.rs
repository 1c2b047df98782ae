//! Entries: the input of the shared state. An entry is one change, numbered in the order of all changes.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::DenseKey;
pub use crate::protocol::RoomId;
use crate::protocol::{Drawing, LeaveReason, MessageId, Name, RoomName, Secret, Text, Timestamp};

/// A session's number, that of its connection: unique for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The origin of entries and inputs that no client caused.
    pub const SERVER: Self = Self(0);
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
}

impl Origin {
    /// The origin of entries that no client caused.
    pub const SERVER: Self = Self { session: SessionId::SERVER, member: MemberId(0) };
}

/// One change of the shared state, numbered in the order of all changes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of the entry, from 1. The sequencer assigns it.
    pub seq: u64,
    /// Wall time. It can go back, so nothing in the state compares it.
    pub at: Timestamp,
    /// Steady time, for timeouts.
    pub uptime: Uptime,
    /// The cause.
    pub origin: Origin,
    /// The change.
    pub action: Action,
}

/// The change of an [`Entry`].
#[derive(Clone, Debug)]
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
    /// The server stops: removes all members, without events.
    Stop,
}

/// The kind of content that the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A message.
    Message,
    /// A topic.
    Topic,
}

/// Why a message or a topic is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// It is not stored, for this reason.
    NotStored(Arc<str>),
    /// It may be stored, but the store did not confirm it in time, for this reason.
    Unconfirmed(Arc<str>),
}

/// A message, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The author's nickname when it was sent.
    pub name: Name,
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

/// A hash of the secret in a resume token: it verifies the secret without revealing it.
///
/// The secret has 128 random bits, so one round of SHA-256 suffices.
#[derive(Clone, Copy)]
pub struct Verifier([u8; 32]);

impl Verifier {
    /// The verifier of this secret.
    pub fn new(secret: &Secret) -> Self {
        Self(hmac_sha256::Hash::hash(secret.as_bytes()))
    }
}

impl Verifier {
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for Verifier {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Verifier {}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}
