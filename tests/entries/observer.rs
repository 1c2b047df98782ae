//! The rooms and their members as they follow from the outputs alone, and the invariants of the shared state.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::protocol::{Event, MessageId, Name, RoomName};
use chinwag::state::{
    EnteredRoom, MemoryCost, Rejection, RoomId, RoomRejection, SharedState, StateLimits, StateOutput,
};

/// A reader of all outputs.
#[derive(Default)]
pub(super) struct Observer {
    /// The rooms besides the lobby.
    open: BTreeMap<RoomId, RoomName>,
    /// All rooms that there ever were, and their epochs.
    epochs: BTreeMap<RoomId, String>,
    /// The members of each room, in the order in which they entered it.
    members: BTreeMap<RoomId, Vec<Name>>,
    coordinators: BTreeMap<RoomId, Name>,
    last_ids: BTreeMap<RoomId, MessageId>,
    /// Number of rooms with members, besides the lobby, after the last entry.
    occupied: usize,
    /// Number of rooms that were opened, and that vanished.
    pub(super) opened: u32,
    pub(super) closed: u32,
}

impl Observer {
    pub(super) fn record(&mut self, output: &StateOutput) {
        match output {
            StateOutput::RoomClosed { id, .. } => {
                self.open.remove(id).expect("only an open room vanishes");
                self.closed += 1;
                assert!(self.members.remove(id).unwrap_or_default().is_empty(), "members vanish with {id:?}");
                self.coordinators.remove(id);
                self.last_ids.remove(id);
            }
            StateOutput::Event { room, room_name, id, event, .. } => {
                assert!(
                    *room == RoomId::LOBBY || self.open.get(room) == Some(room_name),
                    "{room_name} is not {room:?}"
                );
                if let Some(id) = id {
                    let last = self.last_ids.entry(*room).or_default();
                    assert_eq!(*id, last.next(), "ids have no gaps");
                    *last = *id;
                }
                self.record_event(*room, event);
            }
            StateOutput::Registered { name, home, .. } => self.enter(home, name),
            StateOutput::Joined { name, rooms, .. } => {
                rooms.iter().filter(|room| room.is_new).for_each(|room| self.enter(room, name));
            }
            StateOutput::Kicked { name, room, .. } => self.leave(*room, name),
            StateOutput::Parted { name, room, .. } => self.leave(*room, name),
            StateOutput::Left { name, rooms, .. } => rooms.iter().for_each(|room| self.leave(*room, name)),
            StateOutput::Displaced { name, rooms, .. } => rooms.iter().for_each(|(room, _)| self.leave(*room, name)),
            StateOutput::Rejected(_, _, Rejection::JoinRoom(RoomRejection::Alike(name, other))) => {
                assert_ne!(name.key(), other.key());
            }
            _ => {}
        }
    }

    fn record_event(&mut self, room: RoomId, event: &Event) {
        match event {
            Event::Rename { from, to } => {
                let members = self.members.entry(room).or_default();
                let renamed = members.iter_mut().find(|name| *name == from).expect("a member takes another name");
                *renamed = to.clone();
                if let Some(name) = self.coordinators.get_mut(&room).filter(|name| *name == from) {
                    *name = to.clone();
                }
            }
            Event::Coordinator(name) => {
                assert!(self.coordinators.insert(room, name.clone()).is_none(), "a second coordinator in {room:?}");
            }
            Event::Draw(name, _) => assert!(self.members[&room].contains(name), "{name} draws in {room:?}"),
            Event::Msg(..) | Event::Topic(..) | Event::Sanction(_) | Event::Lifted { .. } => {}
            Event::Moderator { .. } | Event::Lock { .. } | Event::Invite { .. } | Event::Deleted { .. } => {}
            _ => panic!("{event:?} is not an event of a room"),
        }
    }

    /// A member enters a room, which may be new.
    fn enter(&mut self, room: &EnteredRoom, name: &Name) {
        let id = room.id;
        if id != RoomId::LOBBY && !self.open.contains_key(&id) {
            assert!(!self.epochs.contains_key(&id), "{id:?} again");
            self.open.insert(id, room.name.clone());
            self.opened += 1;
        }
        let members = self.members.entry(id).or_default();
        assert!(!members.contains(name), "{name} enters {id:?} twice");
        members.push(name.clone());
    }

    fn leave(&mut self, room: RoomId, name: &Name) {
        let members = self.members.entry(room).or_default();
        let at = members.iter().position(|other| other == name).expect("only a member leaves");
        members.remove(at);
        if self.coordinators.get(&room) == Some(name) {
            self.coordinators.remove(&room);
        }
    }

    /// The server stops, without events.
    pub(super) fn stop(&mut self, state: &SharedState) {
        self.members.clear();
        self.coordinators.clear();
        self.open.retain(|id, _| state.room(*id).is_some());
        self.last_ids.retain(|id, _| state.room(*id).is_some());
    }

    /// Checks the state after an entry.
    pub(super) fn check(&mut self, state: &SharedState, limits: &StateLimits) {
        let open: BTreeMap<_, _> = state.rooms().map(|(id, room)| (id, room.name().clone())).collect();
        let lobby = std::iter::once((RoomId::LOBBY, RoomName::lobby()));
        assert_eq!(open, self.open.clone().into_iter().chain(lobby).collect(), "the rooms differ from the outputs");
        check_names(&state.names().collect::<Vec<_>>());
        check_names(&state.rooms().map(|(_, room)| room.name().name()).collect::<Vec<_>>());
        let (mut bytes, mut drawn) = (0, 0);
        for (id, room) in state.rooms() {
            let members: Vec<_> = state.members_of(id).collect();
            assert!(members.iter().map(|(_, member)| member.name()).eq(self.members.entry(id).or_default().iter()));
            assert!(members.iter().all(|(_, member)| member.is_in(id)) && members.len() == room.member_count());
            assert_eq!(room.coordinator(), members.first().map(|(id, _)| *id));
            let coordinator = members.first().map(|(_, member)| member.name());
            assert_eq!(self.coordinators.get(&id), coordinator, "the first member is coordinator");
            let (history, canvas) = (room.history(), room.canvas());
            assert!(history.messages().all().end - history.messages().all().start <= limits.history_messages as u64);
            assert!(history.oldest().is_none_or(|oldest| oldest <= room.last_id()));
            assert!(canvas.all().end - canvas.all().start <= limits.canvas_strokes as u64);
            bytes += history.messages().range(history.messages().all()).map(MemoryCost::cost).sum::<usize>();
            drawn += canvas.range(canvas.all()).map(MemoryCost::cost).sum::<usize>();
            assert!(state.sanctions().of(Some(id)).count() <= limits.sanctions_per_room);
            let epoch = room.epoch().expect("each room has an epoch").to_string();
            assert_eq!(*self.epochs.entry(id).or_insert_with(|| epoch.clone()), epoch);
        }
        assert!(bytes <= limits.history_bytes && drawn <= limits.canvas_bytes, "{bytes} and {drawn} bytes");
        let epochs: BTreeSet<_> = self.epochs.values().collect();
        assert_eq!(epochs.len(), self.epochs.len(), "two rooms had the same epoch");
        let occupied = state.rooms().filter(|(id, room)| *id != RoomId::LOBBY && room.member_count() > 0).count();
        // The limit may have been lowered while there were more.
        let rooms_max = state.policy().rooms;
        assert!(occupied <= rooms_max.max(self.occupied), "{occupied} rooms with members, of {rooms_max}");
        self.occupied = occupied;
        let of_rooms = state.sanctions().iter().filter(|sanction| sanction.room.is_some()).count();
        assert!(of_rooms <= limits.sanctions - limits.sanctions_reserved);
        assert!(state.sanctions().len() <= limits.sanctions);
        for (_, member) in state.members() {
            let rooms: Vec<_> = member.rooms().collect();
            assert!(rooms.iter().all(|id| state.members_of(*id).any(|(_, other)| other.name() == member.name())));
            assert!(rooms.len() == member.room_count() && rooms.len() <= limits.rooms_per_member);
            assert_eq!(member.parted_home().is_none(), member.is_in(member.home()));
        }
    }
}

/// Checks that no two names are equal or look alike.
fn check_names(names: &[&Name]) {
    let keys: BTreeSet<_> = names.iter().map(|name| name.key()).collect();
    let mapped: BTreeSet<_> = names.iter().map(|name| name.skeletons()[0]).collect();
    let shown: BTreeSet<_> = names.iter().map(|name| name.skeletons()[1]).collect();
    assert_eq!([keys.len(), mapped.len(), shown.len()], [names.len(); 3], "two names collide: {names:?}");
}
