//! The lines that a client must receive. Within a turn of the hub, lines about different rooms may change places; everything else has
//! its place.

use std::collections::{BTreeMap, VecDeque};

use chinwag::state::RoomId;

/// The lines that a client has not received yet, in the order in which they were sent.
#[derive(Default)]
pub(super) struct ExpectedLines {
    lines: VecDeque<ExpectedLine>,
    /// Number of bytes of all lines, received or not.
    bytes: usize,
    /// Number of lines.
    sent: u64,
    /// For each room, the number of lines that had been sent when the session began to follow it.
    followed_at: BTreeMap<RoomId, u64>,
}

struct ExpectedLine {
    number: u64,
    turn: u64,
    /// The room whose order has the line.
    room: Option<RoomId>,
    kind: LineKind,
    bytes: Vec<u8>,
    /// All replies with lower numbers come before it.
    after_replies: u64,
}

/// The place of a line among lines about other rooms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// It comes after all lines before it.
    AfterAll,
    /// It comes after all replies before it.
    Reply,
    /// It has a place in its room only.
    Other,
}

impl ExpectedLines {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, turn: u64, room: Option<RoomId>, kind: LineKind, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        let followed_at = room.and_then(|room| self.followed_at.get(&room).copied());
        let after_replies = if kind == LineKind::Reply { self.sent } else { followed_at.unwrap_or(0) };
        self.lines.push_back(ExpectedLine { number: self.sent, turn, room, kind, bytes, after_replies });
        self.sent += 1;
    }

    /// The session follows the room: it receives no event of it before the replies so far.
    pub(super) fn follow(&mut self, room: RoomId) {
        self.followed_at.insert(room, self.sent);
    }

    /// Removes a line that was received, if it may be the next one.
    pub(super) fn receive(&mut self, line: &[u8]) -> Result<(), String> {
        let turn = self.lines.front().map(|line| line.turn);
        let may_be_next = |index: usize| {
            let (expected, mut before) = (&self.lines[index], self.lines.range(..index));
            let overtakes = |earlier: &ExpectedLine| {
                earlier.turn < expected.turn
                    || earlier.room == expected.room
                    || earlier.kind == LineKind::AfterAll
                    || expected.kind == LineKind::AfterAll
                    || earlier.kind == LineKind::Reply && earlier.number < expected.after_replies
            };
            expected.bytes == line && !before.any(overtakes)
        };
        let candidates = self.lines.iter().take_while(|line| Some(line.turn) == turn).count();
        let Some(index) = (0..candidates).find(|index| may_be_next(*index)) else {
            let next: Vec<_> = self.lines.iter().take(9).map(|line| String::from_utf8_lossy(&line.bytes)).collect();
            return Err(format!("received {:?} instead of {next:?}", String::from_utf8_lossy(line)));
        };
        self.lines.remove(index);
        Ok(())
    }
}
