//! The invitations of guests, which end when the guest leaves the server. Those of accounts are rules of a room.

use std::collections::BTreeSet;

use super::{MemberId, RoomId};

/// The guests that are invited into rooms.
#[derive(Debug, Default)]
pub struct GuestInvitations {
    by_room: BTreeSet<(RoomId, MemberId)>,
    /// The same pairs.
    by_member: BTreeSet<(MemberId, RoomId)>,
}

impl GuestInvitations {
    /// Whether the member is invited into the room.
    pub fn contains(&self, room: RoomId, member: MemberId) -> bool {
        self.by_room.contains(&(room, member))
    }

    /// Number of guests that are invited into the room.
    pub fn count(&self, room: RoomId) -> usize {
        self.of_room(room).count()
    }

    /// All invitations, by room.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RoomId, MemberId)> {
        self.by_room.iter().copied()
    }

    fn of_room(&self, room: RoomId) -> impl Iterator<Item = (RoomId, MemberId)> {
        self.by_room.range((room, MemberId(0))..=(room, MemberId(u64::MAX))).copied()
    }

    /// Returns whether the invitation is new.
    pub(super) fn insert(&mut self, room: RoomId, member: MemberId) -> bool {
        self.by_member.insert((member, room));
        self.by_room.insert((room, member))
    }

    /// Returns whether there was such an invitation.
    pub(super) fn remove(&mut self, room: RoomId, member: MemberId) -> bool {
        self.by_member.remove(&(member, room));
        self.by_room.remove(&(room, member))
    }

    /// The member has left the server.
    pub(super) fn remove_member(&mut self, member: MemberId) {
        let of_member = self.by_member.range((member, RoomId(0))..=(member, RoomId(u32::MAX)));
        for (_, room) in of_member.copied().collect::<Vec<_>>() {
            self.remove(room, member);
        }
    }

    /// The room has vanished.
    pub(super) fn remove_room(&mut self, room: RoomId) {
        for (_, member) in self.of_room(room).collect::<Vec<_>>() {
            self.remove(room, member);
        }
    }
}
