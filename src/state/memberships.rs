//! The rooms of a member.

use std::num::NonZeroU64;

use super::{DenseKey, RoomId};
use crate::protocol::RoomName;

/// Rank of a member in a room by entrance. Counts entrances over all rooms, from 1.
pub(super) type Seniority = NonZeroU64;

impl DenseKey for Seniority {
    fn number(self) -> u64 {
        self.get()
    }
}

/// The rooms of a member, each with the member's rank in it. Most members are in their home alone, which needs no
/// allocation.
#[derive(Clone, Debug)]
pub(super) struct Memberships {
    /// The room that the member entered first. The member may have parted from it.
    home: RoomId,
    /// The rank at home; `None`: the member has parted from it.
    at_home: Option<Seniority>,
    elsewhere: Option<Box<Elsewhere>>,
}

#[derive(Clone, Debug, Default)]
struct Elsewhere {
    /// The rooms other than the home, sorted.
    rooms: Vec<(RoomId, Seniority)>,
    /// The name of the home, if the member has parted from it: the room may vanish, and come back with another number.
    parted_home: Option<RoomName>,
}

impl Memberships {
    /// A member that enters its home.
    pub(super) fn new(home: RoomId, seniority: Seniority) -> Self {
        Self { home, at_home: Some(seniority), elsewhere: None }
    }

    /// Restores a snapshot. Returns `None` if the rooms are not sorted, or the home is among them.
    pub(super) fn restore(
        home: RoomId,
        at_home: Option<Seniority>,
        parted_home: Option<RoomName>,
        rooms: Vec<(RoomId, Seniority)>,
    ) -> Option<Self> {
        let is_sorted = rooms.is_sorted_by(|(before, _), (next, _)| before < next);
        let is_valid =
            is_sorted && at_home.is_none() == parted_home.is_some() && rooms.iter().all(|(id, _)| *id != home);
        let has_elsewhere = !rooms.is_empty() || parted_home.is_some();
        let elsewhere = has_elsewhere.then(|| Box::new(Elsewhere { rooms, parted_home }));
        is_valid.then_some(Self { home, at_home, elsewhere })
    }

    /// The home, whether or not the member has parted from it.
    pub(super) fn home(&self) -> RoomId {
        self.home
    }

    /// The name of the home, if the member has parted from it.
    pub(super) fn parted_home(&self) -> Option<&RoomName> {
        self.elsewhere.as_ref()?.parted_home.as_ref()
    }

    /// The member's rank in the room; `None`: it is not in the room.
    pub(super) fn seniority(&self, room: RoomId) -> Option<Seniority> {
        if room == self.home {
            return self.at_home;
        }
        let rooms = &self.elsewhere.as_ref()?.rooms;
        rooms.binary_search_by_key(&room, |(id, _)| *id).ok().map(|index| rooms[index].1)
    }

    /// The rooms with the member's rank: the home first, then by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RoomId, Seniority)> {
        let home = self.at_home.map(|seniority| (self.home, seniority));
        home.into_iter().chain(self.elsewhere.iter().flat_map(|elsewhere| elsewhere.rooms.iter().copied()))
    }

    /// Number of rooms.
    pub(super) fn len(&self) -> usize {
        usize::from(self.at_home.is_some()) + self.elsewhere.as_ref().map_or(0, |elsewhere| elsewhere.rooms.len())
    }

    /// The member enters a room in which it is not. If this is its home, the room may have another number than before.
    pub(super) fn insert(&mut self, room: RoomId, name: &RoomName, seniority: Seniority) {
        let elsewhere = self.elsewhere.get_or_insert_default();
        if elsewhere.parted_home.as_ref().is_some_and(|home| home.key() == name.key()) {
            (self.home, self.at_home, elsewhere.parted_home) = (room, Some(seniority), None);
        } else if let Err(index) = elsewhere.rooms.binary_search_by_key(&room, |(id, _)| *id) {
            if elsewhere.rooms.is_empty() {
                elsewhere.rooms.reserve_exact(1);
            }
            elsewhere.rooms.insert(index, (room, seniority));
        }
        self.shrink();
    }

    /// The member parts from a room. Returns its rank there.
    pub(super) fn remove(&mut self, room: RoomId, name: &RoomName) -> Option<Seniority> {
        if room == self.home {
            let seniority = self.at_home.take()?;
            self.elsewhere.get_or_insert_default().parted_home = Some(name.clone());
            return Some(seniority);
        }
        let rooms = &mut self.elsewhere.as_mut()?.rooms;
        let index = rooms.binary_search_by_key(&room, |(id, _)| *id).ok()?;
        let (_, seniority) = rooms.remove(index);
        self.shrink();
        Some(seniority)
    }

    fn shrink(&mut self) {
        self.elsewhere.take_if(|elsewhere| elsewhere.rooms.is_empty() && elsewhere.parted_home.is_none());
    }
}
