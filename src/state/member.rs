//! Members.

use super::memberships::Memberships;
use super::{RoomId, Uptime, Verifier};
use crate::protocol::{LeaveReason, Name, RoomName};

/// A nickname on the server, with or without a connection.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) name: Name,
    pub(super) rooms: Memberships,
    pub(super) registered_at: Uptime,
    /// Boxed, because most members have none.
    pub(super) resumption: Option<Box<Resumption>>,
    /// Number of the member's messages under this nickname that are being stored.
    pub(super) unpublished: u32,
    pub(super) has_ended_input: bool,
}

/// State of a member that can be resumed, or is detached.
#[derive(Clone, Debug, Default)]
pub(super) struct Resumption {
    /// The hash of the secret in the resume token, if the member has one.
    pub(super) verifier: Option<Verifier>,
    /// Since when the member has no connection, and why.
    pub(super) detached: Option<(Uptime, LeaveReason)>,
}

impl Member {
    pub(super) fn verifier(&self) -> Option<Verifier> {
        self.resumption.as_ref()?.verifier
    }

    pub(super) fn detached(&self) -> Option<(Uptime, LeaveReason)> {
        self.resumption.as_ref()?.detached
    }

    /// The nickname.
    pub fn name(&self) -> &Name {
        &self.name
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
