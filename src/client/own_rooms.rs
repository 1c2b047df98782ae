//! The rooms of a session, each with a value, and which of them is the home. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::BTreeMap;

use crate::limits::CLIENT_ROOMS_MAX;
use crate::protocol::RoomName;

/// A value for each of the session's rooms.
#[derive(Debug)]
pub(super) struct OwnRooms<T> {
    home: RoomName,
    /// By whether the room is not the home, and by the key of its name: the home comes first.
    rooms: BTreeMap<(bool, String), (RoomName, T)>,
}

impl<T> OwnRooms<T> {
    /// A session in its home, with this value.
    pub(super) fn new(home: RoomName, value: T) -> Self {
        let mut rooms = Self { home: home.clone(), rooms: BTreeMap::new() };
        rooms.insert(home, value);
        rooms
    }

    /// The room whose lines name no room.
    pub(super) fn home(&self) -> &RoomName {
        &self.home
    }

    pub(super) fn is_home(&self, room: &RoomName) -> bool {
        room.key() == self.home.key()
    }

    /// The room of a line that names `room` or none.
    pub(super) fn of_line<'a>(&'a self, room: Option<&'a RoomName>) -> &'a RoomName {
        room.unwrap_or(&self.home)
    }

    /// The name that a line about the room begins with.
    pub(super) fn prefix_of<'a>(&self, room: &'a RoomName) -> Option<&'a RoomName> {
        (!self.is_home(room)).then_some(room)
    }

    pub(super) fn contains(&self, room: &RoomName) -> bool {
        self.rooms.contains_key(&self.key_of(room))
    }

    /// The name as the server writes it, if the session is in the room.
    pub(super) fn spelling_of<'a>(&'a self, room: &'a RoomName) -> &'a RoomName {
        self.rooms.get(&self.key_of(room)).map_or(room, |(own, _)| own)
    }

    pub(super) fn get(&self, room: &RoomName) -> Option<&T> {
        self.rooms.get(&self.key_of(room)).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, room: &RoomName) -> Option<&mut T> {
        let key = self.key_of(room);
        self.rooms.get_mut(&key).map(|(_, value)| value)
    }

    /// Adds a room, up to a limit that protects the memory from a hostile server. Returns whether it was added.
    pub(super) fn insert(&mut self, room: RoomName, value: T) -> bool {
        let has_space = self.rooms.len() < CLIENT_ROOMS_MAX;
        if has_space {
            self.rooms.insert(self.key_of(&room), (room, value));
        }
        has_space
    }

    pub(super) fn remove(&mut self, room: &RoomName) -> Option<T> {
        self.rooms.remove(&self.key_of(room)).map(|(_, value)| value)
    }

    /// The rooms: the home first, the others sorted by their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RoomName, &T)> {
        self.rooms.values().map(|(room, value)| (room, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&RoomName, &mut T)> {
        self.rooms.values_mut().map(|(room, value)| (&*room, value))
    }

    fn key_of(&self, room: &RoomName) -> (bool, String) {
        (!self.is_home(room), room.key().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(raw: &str) -> RoomName {
        RoomName::new(raw).unwrap()
    }

    #[test]
    fn own_rooms_begin_with_home_and_ignore_case() {
        let mut rooms = OwnRooms::new(room("#Ops"), 0);
        for (number, name) in ["#dev", "#a"].into_iter().enumerate() {
            rooms.insert(room(name), number + 1);
        }
        assert_eq!(rooms.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), ["#Ops", "#a", "#dev"]);
        assert_eq!((rooms.get(&room("#OPS")), rooms.get(&room("#DEV"))), (Some(&0), Some(&1)));
        assert_eq!((rooms.spelling_of(&room("#DEV")), rooms.spelling_of(&room("#B"))), (&room("#dev"), &room("#B")));
        assert_eq!(rooms.of_line(None), &room("#Ops"));
        assert_eq!((rooms.prefix_of(&room("#ops")), rooms.prefix_of(&room("#a"))), (None, Some(&room("#a"))));
        assert_eq!((rooms.remove(&room("#oPS")), rooms.contains(&room("#ops"))), (Some(0), false));
    }
}
