//! The state of a session in the model: the lines that the client must receive, and their form.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::protocol::{Dialect, Mode, RoomName};
use chinwag::state::RoomId;

use super::expected_lines::{ExpectedLines, LineKind};

/// The bytes that a client must receive, and the state that determines them.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) lines: ExpectedLines,
    pub(super) dialect: Dialect,
    pub(super) mode: Mode,
    /// The rooms that the session follows; true: its home.
    pub(super) follows: BTreeMap<RoomId, bool>,
    /// The room of chat mode.
    pub(super) chat_room: Option<RoomName>,
    /// The keys of the rooms that the session has followed.
    pub(super) former: BTreeSet<String>,
    pub(super) echo: bool,
    pub(super) end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Open,
    /// The session gets no more output.
    Closed,
    /// The member is detached; its session has ended.
    Detached,
    /// The session is removed.
    Removed,
}

impl Stream {
    /// The name of a room as it stands in front of lines about it.
    pub(super) fn prefix(&self, is_home: bool, name: &RoomName) -> Option<RoomName> {
        (!is_home || self.dialect.room_names).then(|| name.clone())
    }

    pub(super) fn receives(&self, room: RoomId) -> bool {
        self.end == End::Open && self.follows.contains_key(&room)
    }

    pub(super) fn append(&mut self, turn: u64, room: Option<RoomId>, kind: LineKind, line: &str) {
        if self.end == End::Open {
            self.lines.push(turn, room, kind, [line.as_bytes(), self.dialect.ending.as_bytes()].concat());
        }
    }
}
