//! Dialects: how lines are rendered for a connection.

use std::fmt::Display;
use std::io::Write as _;

use super::{Ending, Event, Tag};

/// How lines are rendered for a connection. The feed keeps one rendering of its events for each dialect in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// The line ending.
    pub ending: Ending,
    /// Whether events begin with their [`Tag`].
    pub tags: bool,
    /// Whether `DRAW` events are included.
    pub draw: bool,
}

/// Number of dialects.
pub const DIALECTS: usize = 8;

impl Dialect {
    /// All dialects, each at its index.
    pub const ALL: [Self; DIALECTS] = {
        let mut all = [Self { ending: Ending::Lf, tags: false, draw: false }; DIALECTS];
        let mut index = 0;
        while index < DIALECTS {
            let ending = if index & 1 == 0 { Ending::Lf } else { Ending::CrLf };
            all[index] = Self { ending, tags: index & 2 != 0, draw: index & 4 != 0 };
            index += 1;
        }
        all
    };

    /// Number of the dialect, below [`DIALECTS`].
    pub fn index(self) -> usize {
        self.ending.index() + 2 * usize::from(self.tags) + 4 * usize::from(self.draw)
    }

    /// Whether clients with this dialect receive the event.
    pub fn shows(self, event: &Event) -> bool {
        self.draw || !matches!(event, Event::Draw(..))
    }

    /// Appends an event to `out`, rendered in this dialect.
    pub fn write_event(self, out: &mut Vec<u8>, tag: Tag, event: &Event) {
        if self.tags {
            append(out, tag);
        }
        self.write_line(out, event);
    }

    /// Appends a line without a tag.
    pub fn write_line(self, out: &mut Vec<u8>, line: impl Display) {
        append(out, line);
        out.extend_from_slice(self.ending.as_bytes());
    }
}

fn append(out: &mut Vec<u8>, what: impl Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "{what}");
}
