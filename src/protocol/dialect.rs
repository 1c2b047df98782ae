//! Dialects: how lines are rendered for a connection.

use std::fmt::{self, Display, Write as _};

use super::{Ending, Event, RoomName, Tag};

/// How the lines about a room are rendered for a connection. The feed keeps one rendering of a room's events for each dialect in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// The line ending.
    pub ending: Ending,
    /// Whether events begin with their [`Tag`].
    pub tags: bool,
    /// Whether `DRAW` events are included.
    pub draw: bool,
    /// Whether lines about the room name it.
    pub room_names: bool,
}

/// Number of dialects.
pub const DIALECTS: usize = 16;

impl Dialect {
    /// All dialects, each at its index.
    pub const ALL: [Self; DIALECTS] = {
        let mut all = [Self { ending: Ending::Lf, tags: false, draw: false, room_names: false }; DIALECTS];
        let mut index = 0;
        while index < DIALECTS {
            let ending = if index & 1 == 0 { Ending::Lf } else { Ending::CrLf };
            all[index] = Self { ending, tags: index & 2 != 0, draw: index & 4 != 0, room_names: index & 8 != 0 };
            index += 1;
        }
        all
    };

    /// Number of the dialect, below [`DIALECTS`].
    pub fn index(self) -> usize {
        self.ending.index() + 2 * usize::from(self.tags) + 4 * usize::from(self.draw) + 8 * usize::from(self.room_names)
    }

    /// Whether clients with this dialect receive the event.
    pub fn shows(self, event: &Event) -> bool {
        self.draw || !matches!(event, Event::Draw(..))
    }

    /// Appends an event that is not about a room to `out`, rendered in this dialect.
    pub fn write_event(self, out: &mut Vec<u8>, tag: Tag, event: &Event) {
        if self.tags {
            append(out, tag);
        }
        self.write_line(out, event);
    }

    /// Appends an event in a room: the tag, then the room, then the event.
    pub fn write_room_event(self, out: &mut Vec<u8>, tag: Tag, room: &RoomName, event: &Event) {
        if self.tags {
            append(out, tag);
        }
        self.write_room_name(out, room);
        // Without a formatter: this is the line that is rendered most often.
        let _ = event.write(&mut Utf8Writer(out));
        out.extend_from_slice(self.ending.as_bytes());
    }

    /// Appends a line about a room, without a tag.
    pub fn write_room_line(self, out: &mut Vec<u8>, room: &RoomName, line: impl Display) {
        self.write_room_name(out, room);
        self.write_line(out, line);
    }

    fn write_room_name(self, out: &mut Vec<u8>, room: &RoomName) {
        if self.room_names {
            append(out, room);
            out.push(b' ');
        }
    }

    /// Appends a line that is not about a room, without a tag.
    pub fn write_line(self, out: &mut Vec<u8>, line: impl Display) {
        append(out, line);
        out.extend_from_slice(self.ending.as_bytes());
    }
}

fn append(out: &mut Vec<u8>, what: impl Display) {
    // Writing to memory does not fail.
    let _ = write!(Utf8Writer(out), "{what}");
}

/// Appends text to bytes. Unlike [`std::io::Write`] it has no error to keep, so formatted text takes fewer instructions.
struct Utf8Writer<'a>(&'a mut Vec<u8>);

impl fmt::Write for Utf8Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
