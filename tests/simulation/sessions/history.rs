//! Who is here, as anybody could tell from the events alone; and that the events make sense.

use chinwag::protocol::{Event, Name};
use chinwag::session::Sessions;

#[derive(Default)]
pub(super) struct History {
    /// The one who is here longest comes first.
    present: Vec<Name>,
    coordinator: Option<Name>,
    /// How often there was another coordinator.
    pub(super) handovers: u32,
}

impl History {
    /// Nobody joins who is here, or does anything who is not.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Join(name) => {
                assert!(!self.present.contains(name), "{name} joins twice");
                self.present.push(name.clone());
            }
            Event::Leave(name, ..) => {
                let at = self.place(name);
                self.present.remove(at);
                self.coordinator.take_if(|coordinator| coordinator == name);
            }
            Event::Rename { from, to } => {
                let at = self.place(from);
                assert!(!self.present.contains(to), "{to} is somebody's name");
                self.present[at] = to.clone();
                if let Some(coordinator) = self.coordinator.as_mut().filter(|coordinator| *coordinator == from) {
                    *coordinator = to.clone();
                }
            }
            Event::Coordinator(name) => {
                assert_eq!(self.coordinator.replace(name.clone()), None, "there is one coordinator");
                self.handovers += 1;
            }
            Event::Msg(name, _) | Event::Draw(name, _) => assert!(self.place(name) < self.present.len()),
            Event::Notice(_) => {}
            Event::Whisper(..) | Event::Ping(_) | Event::Roster(_) => panic!("{event:?} is for one alone"),
        }
    }

    /// The server stops, and nobody is told of anybody's leaving.
    pub(super) fn end(&mut self) {
        self.present.clear();
        self.coordinator = None;
    }

    /// Between two inputs: those who were told of are those who are here, and whoever is here longest coordinates.
    pub(super) fn check(&self, room: &Sessions) {
        assert!(self.present.iter().eq(room.names()), "{:?} is not who is here", self.present);
        assert_eq!(self.coordinator.as_ref(), self.present.first(), "the longest here is coordinator");
    }

    fn place(&self, name: &Name) -> usize {
        self.present.iter().position(|present| present == name).unwrap_or_else(|| panic!("{name} is not here"))
    }
}
