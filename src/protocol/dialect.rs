//! How a peer is spoken to: what ends its lines, whether its events carry tags, and whether it is told what is drawn.

use std::fmt::Display;
use std::io::Write as _;

use super::{Ending, Event, Tag};

/// A way to render events. The feed keeps one rendering for each dialect in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// What ends a line.
    pub ending: Ending,
    /// Whether events begin with their [`Tag`].
    pub tags: bool,
    /// Whether what is drawn is among them.
    pub draw: bool,
}

/// How many dialects there are.
pub const DIALECTS: usize = 8;

impl Dialect {
    /// All of them, each at its index.
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

    /// A number of its own for each dialect, below [`DIALECTS`].
    pub fn index(self) -> usize {
        usize::from(self.ending == Ending::CrLf) + 2 * usize::from(self.tags) + 4 * usize::from(self.draw)
    }

    /// Whether the event is for a peer of this dialect.
    pub fn has(self, event: &Event) -> bool {
        self.draw || !matches!(event, Event::Draw(..))
    }

    /// Appends an event to `out`, as a peer of this dialect reads it.
    pub fn write_event(self, out: &mut Vec<u8>, tag: Tag, event: &Event) {
        if self.tags {
            append(out, tag);
        }
        self.write_line(out, event);
    }

    /// Appends a line that carries no tag.
    pub fn write_line(self, out: &mut Vec<u8>, line: impl Display) {
        append(out, line);
        out.extend_from_slice(self.ending.as_bytes());
    }
}

fn append(out: &mut Vec<u8>, what: impl Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "{what}");
}
