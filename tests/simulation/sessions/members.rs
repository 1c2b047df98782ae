//! The members of a room as a client computes them from the events, and the consistency of these events.

use chinwag::protocol::{Event, Name};
use chinwag::session::Sessions;
use chinwag::state::RoomId;

use super::model;

#[derive(Default)]
pub(super) struct Members {
    /// The members in the order in which they joined.
    present: Vec<Name>,
    coordinator: Option<Name>,
    /// How often the coordinator changed.
    pub(super) handovers: u32,
    /// Number of events.
    pub(super) events: u32,
}

impl Members {
    /// Records an event, and checks that only members act and that no member joins twice.
    pub(super) fn record(&mut self, event: &Event) {
        self.events += 1;
        match event {
            Event::Join(name) => {
                assert!(!self.present.contains(name), "{name} joins twice");
                self.present.push(name.clone());
            }
            Event::Leave(name, ..) => {
                let at = self.index(name);
                self.present.remove(at);
                self.coordinator.take_if(|coordinator| coordinator == name);
            }
            Event::Rename { from, to } => {
                let at = self.index(from);
                assert!(!self.present.contains(to), "{to} is the nickname of a member");
                self.present[at] = to.clone();
                if let Some(coordinator) = self.coordinator.as_mut().filter(|coordinator| *coordinator == from) {
                    *coordinator = to.clone();
                }
            }
            Event::Coordinator(name) => {
                assert_eq!(self.coordinator.replace(name.clone()), None, "a second coordinator");
                self.handovers += 1;
            }
            Event::Msg(name, _) | Event::Draw(name, _) | Event::Topic(name, _) => {
                assert!(self.index(name) < self.present.len());
            }
            Event::Notice(_)
            | Event::Deleted { .. }
            | Event::Moderator { .. }
            | Event::Lock { .. }
            | Event::Invite { .. }
            | Event::Sanction(_)
            | Event::Lifted { .. } => {}
            Event::Whisper(..) | Event::Ping(_) | Event::Roster(_) => panic!("{event:?} is a private line"),
        }
    }

    /// The server stops, without `LEAVE` events.
    pub(super) fn end(&mut self) {
        self.present.clear();
        self.coordinator = None;
    }

    /// Checks after an input that the events match the room's members, and that the oldest member is coordinator.
    pub(super) fn check(&self, sessions: &Sessions, room: RoomId) {
        assert!(self.present.iter().eq(model::names_in(sessions, room)), "{:?} are not the members", self.present);
        assert_eq!(self.coordinator.as_ref(), self.present.first(), "the oldest member must be coordinator");
    }

    fn index(&self, name: &Name) -> usize {
        self.present.iter().position(|present| present == name).unwrap_or_else(|| panic!("{name} is not a member"))
    }
}
