//! Members.

use std::num::NonZeroU64;

use super::memberships::Memberships;
use super::{LoginProof, MemberId, RoomId, SessionId, Uptime};
use crate::protocol::{AccountId, AccountTokenId, LeaveReason, Name, Network, RoomName, Verifier};

/// A nickname on the server, with or without a connection.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) name: Name,
    pub(super) rooms: Memberships,
    pub(super) registered_at: Uptime,
    /// Boxed, because most members have none.
    pub(super) resumption: Option<Box<Resumption>>,
    /// Boxed, because most members have none.
    pub(super) login: Option<Box<Login>>,
    /// Number of the member's messages, topics and new accounts under this nickname that are being stored.
    pub(super) unpublished: u32,
    pub(super) has_ended_input: bool,
    /// The network of its client, or of its last one.
    pub(super) network: Option<Network>,
}

/// A member's login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// The account. Its other members were displaced.
    pub account: AccountId,
    /// The proof of the login. A member that has set another password has proved that one.
    pub proof: LoginProof,
}

impl Login {
    /// The access token that proved the login. `None`: the password did.
    pub fn token(self) -> Option<AccountTokenId> {
        match self.proof {
            LoginProof::Password { .. } => None,
            LoginProof::Token(token) => Some(token),
        }
    }
}

/// State of a member that can be resumed, or is detached.
#[derive(Clone, Debug, Default)]
pub(super) struct Resumption {
    /// The hash of the secret in the resume token, if the member has one.
    pub(super) verifier: Option<Verifier>,
    /// Since when the member has no connection, and why.
    pub(super) detached: Option<(Uptime, LeaveReason)>,
    /// The number of the session that has resumed the member. `None`: the member has the session that registered it.
    pub(super) session: Option<NonZeroU64>,
}

impl Member {
    pub(super) fn verifier(&self) -> Option<Verifier> {
        self.resumption.as_ref()?.verifier
    }

    pub(super) fn detached(&self) -> Option<(Uptime, LeaveReason)> {
        self.resumption.as_ref()?.detached
    }

    /// The session that has the member's connection or, if it is detached, had it. `id`: the member's number.
    pub(super) fn session(&self, id: MemberId) -> SessionId {
        self.resumption
            .as_ref()
            .and_then(|resumption| resumption.session)
            .map_or(SessionId(id.0), |session| SessionId(session.get()))
    }

    /// The account to which the member has logged in.
    pub fn login(&self) -> Option<Login> {
        self.login.as_deref().copied()
    }

    /// The number of the account to which the member has logged in.
    pub fn account(&self) -> Option<AccountId> {
        Some(self.login()?.account)
    }

    /// The nickname.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The network of its client, or of its last one. `None`: the client is on the server's machine, or behind a proxy.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// When the member registered.
    pub fn registered_at(&self) -> Uptime {
        self.registered_at
    }

    /// Whether the member can be resumed after it has lost its connection.
    pub fn is_resumable(&self) -> bool {
        self.verifier().is_some()
    }

    /// The room that the member entered first, even if it has parted from it.
    pub fn home(&self) -> RoomId {
        self.rooms.home()
    }

    /// The name of the home, if the member has parted from it.
    pub fn parted_home(&self) -> Option<&RoomName> {
        self.rooms.parted_home()
    }

    /// The member's rooms: the home first, if the member is in it.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.iter().map(|(room, _)| room)
    }

    /// Number of the member's rooms.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Whether the member is in the room.
    pub fn is_in(&self, room: RoomId) -> bool {
        self.rooms.seniority(room).is_some()
    }
}
