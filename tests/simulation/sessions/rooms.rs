//! The rooms as their readers know them from the events.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::protocol::{Event, MessageId, RoomName, Timestamp};
use chinwag::session::Sessions;
use chinwag::state::RoomId;

use super::members::Members;
use super::message_log::MessageLog;

/// All rooms.
#[derive(Default)]
pub(super) struct Rooms {
    /// The rooms that exist. The lobby has no entry before its first event.
    open: BTreeMap<RoomId, RoomModel>,
    /// The epochs of all rooms besides the lobby that there ever were.
    epochs: BTreeMap<RoomId, String>,
    pub(super) coverage: RoomCoverage,
}

/// Counts of what happened in all rooms.
#[derive(Default)]
pub(super) struct RoomCoverage {
    pub(super) opened: u32,
    pub(super) closed: u32,
    pub(super) handovers: u32,
    pub(super) canvases: u32,
    /// Events in rooms besides the lobby.
    pub(super) events: u32,
}

/// One room.
#[derive(Default)]
pub(super) struct RoomModel {
    name: Option<RoomName>,
    pub(super) members: Members,
    pub(super) message_log: MessageLog,
    pub(super) last_id: MessageId,
}

impl Rooms {
    pub(super) fn get(&mut self, room: RoomId) -> &mut RoomModel {
        assert!(room == RoomId::LOBBY || self.open.contains_key(&room), "{room:?} does not exist");
        self.open.entry(room).or_default()
    }

    pub(super) fn name(&self, room: RoomId) -> RoomName {
        self.open.get(&room).and_then(|room| room.name.clone()).unwrap_or_else(RoomName::lobby)
    }

    /// The room with this name.
    pub(super) fn find(&self, name: &RoomName) -> Option<RoomId> {
        self.names().into_iter().find(|(_, other)| other.key() == name.key()).map(|(id, _)| id)
    }

    /// All rooms.
    pub(super) fn names(&self) -> BTreeMap<RoomId, RoomName> {
        let open = self.open.keys().map(|id| (*id, self.name(*id)));
        open.chain([(RoomId::LOBBY, RoomName::lobby())]).collect()
    }

    pub(super) fn message_log(&self, room: RoomId) -> Option<&MessageLog> {
        self.open.get(&room).map(|room| &room.message_log)
    }

    /// The id of the last message of the room.
    pub(super) fn last_id(&self, room: RoomId) -> MessageId {
        self.open.get(&room).map_or(MessageId::default(), |room| room.last_id)
    }

    /// Opens the rooms that are new after an input.
    pub(super) fn open_new(&mut self, sessions: &Sessions) {
        for (id, room) in sessions.state().rooms() {
            if id != RoomId::LOBBY && !self.open.contains_key(&id) {
                assert!(!self.epochs.contains_key(&id), "{id:?} was there before");
                self.open.insert(id, RoomModel { name: Some(room.name().clone()), ..RoomModel::default() });
                self.coverage.opened += 1;
            }
        }
    }

    pub(super) fn close(&mut self, room: RoomId) {
        let closed = self.open.remove(&room).expect("only a room that exists vanishes");
        self.coverage.closed += 1;
        self.coverage.add(&closed);
    }

    /// The server stops, without `LEAVE` events.
    pub(super) fn end(&mut self) {
        for room in self.open.values_mut() {
            room.members.end();
        }
        let vanished: Vec<_> = self.open.keys().copied().filter(|id| *id != RoomId::LOBBY).collect();
        for room in vanished {
            self.close(room);
        }
    }

    /// Checks after an input that the rooms match the events.
    pub(super) fn check(&mut self, sessions: &Sessions) {
        let rooms: BTreeMap<_, _> = sessions.state().rooms().map(|(id, room)| (id, room.name().clone())).collect();
        assert_eq!(rooms, self.names(), "the rooms differ from the events");
        for (id, room) in sessions.state().rooms() {
            self.get(id).members.check(sessions, id);
            if id != RoomId::LOBBY {
                let epoch = room.epoch().expect("a room has an epoch").to_string();
                assert_eq!(*self.epochs.entry(id).or_insert_with(|| epoch.clone()), epoch);
            }
        }
        let different: BTreeSet<_> = self.epochs.values().collect();
        assert_eq!(different.len(), self.epochs.len(), "a room has the epoch of an earlier one");
    }

    /// The counts of all rooms, at the end of a run.
    pub(super) fn total(&self) -> RoomCoverage {
        let RoomCoverage { opened, closed, handovers, canvases, events } = self.coverage;
        let mut total = RoomCoverage { opened, closed, handovers, canvases, events };
        self.open.values().for_each(|room| total.add(room));
        total
    }
}

impl RoomCoverage {
    fn add(&mut self, room: &RoomModel) {
        self.handovers += room.members.handovers;
        self.canvases += room.message_log.canvases;
        self.events += u32::from(room.name.is_some()) * room.members.events;
    }
}

impl RoomModel {
    /// Records an event, and checks it.
    pub(super) fn record(&mut self, id: Option<MessageId>, at: Timestamp, event: &Event) {
        assert!(id.is_none_or(|id| id == self.last_id.next()), "ids have no gaps");
        self.last_id = id.unwrap_or(self.last_id);
        self.members.record(event);
        self.message_log.record(id, at, event);
    }
}
