//! How a peer is spoken to: what ends its lines, and whether its events carry tags.

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
}

/// How many dialects there are.
pub const DIALECTS: usize = 4;

impl Dialect {
    /// All of them, each at its index.
    pub const ALL: [Self; DIALECTS] = [
        Self { ending: Ending::Lf, tags: false },
        Self { ending: Ending::CrLf, tags: false },
        Self { ending: Ending::Lf, tags: true },
        Self { ending: Ending::CrLf, tags: true },
    ];

    /// A number of its own for each dialect, below [`DIALECTS`].
    pub fn index(self) -> usize {
        usize::from(self.ending == Ending::CrLf) + 2 * usize::from(self.tags)
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
