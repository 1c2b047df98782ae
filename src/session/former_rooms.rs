//! The rooms that a session has left, so that no line of chat mode meant for one of them is said in another room.

use crate::limits::FORMER_ROOMS_MAX;
use crate::protocol::RoomName;

/// The rooms that a session has left: its member's former rooms, and rooms that it watched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormerRooms {
    /// These rooms, which have different keys.
    Known(Vec<RoomName>),
    /// More than [`FORMER_ROOMS_MAX`]: each room may be one of them.
    TooMany,
}

impl Default for FormerRooms {
    fn default() -> Self {
        Self::Known(Vec::new())
    }
}

impl FormerRooms {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the room is one of them, or may be.
    pub(super) fn may_contain(&self, room: &RoomName) -> bool {
        match self {
            Self::Known(rooms) => rooms.iter().any(|other| other.key() == room.key()),
            Self::TooMany => true,
        }
    }

    pub(super) fn add(&mut self, room: RoomName) {
        match self {
            _ if self.may_contain(&room) => {}
            Self::Known(rooms) if rooms.len() < FORMER_ROOMS_MAX => rooms.push(room),
            _ => *self = Self::TooMany,
        }
    }

    /// Adds the rooms of another session.
    pub(super) fn add_all(&mut self, other: Self) {
        match other {
            Self::Known(rooms) => rooms.into_iter().for_each(|room| self.add(room)),
            Self::TooMany => *self = Self::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> RoomName {
        RoomName::new(&format!("#Room{number}")).unwrap()
    }

    #[test]
    fn former_rooms_are_found_in_any_spelling() {
        let mut former = FormerRooms::default();
        assert!(former.is_empty() && !former.may_contain(&room(1)));
        former.add(room(1));
        former.add(RoomName::new("#room1").unwrap());
        assert_eq!(former, FormerRooms::Known(vec![room(1)]));
        assert!(former.may_contain(&RoomName::new("#ROOM1").unwrap()) && !former.may_contain(&room(2)));
    }

    #[test]
    fn too_many_former_rooms_may_be_any() {
        let mut former = FormerRooms::default();
        (0..FORMER_ROOMS_MAX).for_each(|number| former.add(room(number)));
        former.add(room(0));
        assert!(!former.may_contain(&room(FORMER_ROOMS_MAX)));
        let mut resumed = FormerRooms::Known(vec![room(FORMER_ROOMS_MAX)]);
        resumed.add_all(former);
        assert_eq!(resumed, FormerRooms::TooMany);
        assert!(resumed.may_contain(&room(FORMER_ROOMS_MAX + 1)));
        let mut other = FormerRooms::default();
        other.add_all(resumed);
        other.add(room(0));
        assert_eq!(other, FormerRooms::TooMany);
    }
}
