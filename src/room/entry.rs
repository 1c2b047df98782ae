//! What goes into the room: one change to the shared state, in its place in the one order.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use crate::protocol::{Drawing, LeaveReason, MessageId, Name, Secret, Text, Timestamp};

/// A connection's number, given once in the life of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The origin of entries and inputs that no client caused.
    pub const SERVER: Self = Self(0);
}

/// A member's number, never given twice. A member has it for its whole life, also without a connection and after it was resumed on
/// another one. It is the number of the session that registered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId(pub u64);

/// Whole seconds since the server started, by a clock that only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(pub u64);

impl Uptime {
    /// Whole seconds from `earlier` to here.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The cause of an entry, to which its replies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The session. Its replies are lost if it has ended meanwhile.
    pub session: SessionId,
    /// The member that acts, or is about to register.
    pub member: MemberId,
}

impl Origin {
    /// The origin of entries that no client caused.
    pub const SERVER: Self = Self { session: SessionId::SERVER, member: MemberId(0) };
}

/// One change to the room, in its place in the one order.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of the entry, from 1. Only the sequencer gives it.
    pub seq: u64,
    /// Wall time, which never goes backwards from one entry to the next.
    pub at: Timestamp,
    /// Steady time, for timeouts.
    pub uptime: Uptime,
    /// The cause.
    pub origin: Origin,
    /// The change.
    pub action: Action,
}

/// What an [`Entry`] changes.
#[derive(Clone, Debug)]
pub enum Action {
    /// The origin becomes a member under this nickname. The verifier, if there is one, lets it resume.
    Register(Name, Option<Verifier>),
    /// The member takes another nickname.
    Rename(Name),
    /// A message of the origin, durable: it is applied when it is stored.
    Say(Message),
    /// The member's message waits to be stored. Its nickname is reserved until [`Action::Say`] or [`Action::SayFailed`] follows.
    SayPending,
    /// The origin's message under this nickname could not be stored.
    SayFailed(Name, StoreFailure),
    /// The member whispers to all of these, or to none.
    Whisper(Vec<Name>, Text),
    /// The member changes the canvas.
    Draw(Drawing),
    /// The member can be resumed with this verifier, instead of the one that it had.
    SetVerifier(Option<Verifier>),
    /// The origin's session continues this member, if the verifier is the member's.
    Resume(MemberId, Verifier),
    /// The member sends no more, and reads no more than its replies.
    EndOfInput,
    /// The member has lost its connection. It remains if it can be resumed, and leaves otherwise.
    Detach(LeaveReason),
    /// The member leaves.
    Leave(LeaveReason, Option<Text>),
    /// No message up to this id is kept any more.
    Evict(MessageId),
    /// Nothing but the passing of time. Members that were detached for too long leave.
    Tick,
    /// The server stops: there are no members any more, and nobody is told of their leaving.
    Stop,
}

/// Why a message is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// It is not stored, for this reason.
    NotStored(Arc<str>),
    /// It may be stored: the store did not confirm it in time, for this reason.
    Unconfirmed(Arc<str>),
}

/// A message, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The nickname of its author then.
    pub name: Name,
    /// When it was sent.
    pub at: Timestamp,
    /// What it says.
    pub text: Text,
}

/// A hash of the secret in a resume token: it recognises the secret and does not reveal it.
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
    /// Takes the same time whatever the result is.
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
