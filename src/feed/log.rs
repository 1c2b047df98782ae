//! One room in one dialect: append, read, evict.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::memory_file::FileRange;
use super::rendered::RenderedLines;
use super::{LogId, Position, Turn, lock};
use crate::limits::{SEGMENT_OVERHEAD_BYTES, SENDFILE_BYTES_MIN};
use crate::protocol::{Dialect, MessageId, RoomName};
use crate::state::RoomId;

/// The newest events of a room, rendered in one dialect. The publisher appends and evicts; cursors read.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) id: LogId,
    pub(super) room: RoomId,
    pub(super) room_name: RoomName,
    pub(super) dialect: Dialect,
    /// End of the last segment: bytes since the log's start. A reader at the end needs no lock to see that it is there.
    end: AtomicU64,
    state: Mutex<LogState>,
}

#[derive(Debug)]
struct LogState {
    /// Oldest first, without gaps: a segment starts where the previous one ends.
    segments: VecDeque<Arc<Segment>>,
    /// Start of the oldest retained segment; the end without one.
    start: u64,
    /// The last message in the log.
    last_message: MessageId,
}

/// The events of one turn in a log.
#[derive(Debug)]
pub(super) struct Segment {
    turn: Turn,
    start: u64,
    lines: RenderedLines,
    /// The copy in the memory file, while that exists: only large new segments with many readers have one.
    file_range: Weak<FileRange>,
}

/// A part of a segment.
pub(super) struct SegmentSlice {
    segment: Arc<Segment>,
    range: Range<usize>,
    file_range: Option<Arc<FileRange>>,
}

/// The part of a log to read.
pub(super) struct ReadSpan {
    pub(super) from: u64,
    pub(super) until: u64,
    /// The last turn to read.
    pub(super) turn_max: Turn,
    pub(super) bytes_max: usize,
    pub(super) slices_max: usize,
}

/// The log no longer retains this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PositionEvicted;

/// A log, and the position in it at which a connection begins to follow it.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub(super) log: Arc<Log>,
    pub(super) position: Position,
}

impl Log {
    /// Creates an empty log, after the message `last_message` of the room.
    pub(super) fn new(id: LogId, room: RoomId, room_name: RoomName, dialect: Dialect, last_message: MessageId) -> Self {
        let state = Mutex::new(LogState { segments: VecDeque::new(), start: 0, last_message });
        Self { id, room, room_name, dialect, end: AtomicU64::new(0), state }
    }

    /// Appends the lines of a turn. Returns their memory, in bytes.
    pub(super) fn append(
        &self,
        turn: Turn,
        lines: RenderedLines,
        file_range: Weak<FileRange>,
        last: MessageId,
    ) -> usize {
        let start = self.end();
        let segment = Arc::new(Segment { turn, start, lines, file_range });
        let (end, cost) = (segment.end(), segment.cost());
        let mut state = lock(&self.state);
        state.last_message = last;
        state.segments.push_back(segment);
        self.end.store(end, Ordering::Release);
        cost
    }

    /// Evicts the oldest segment.
    pub(super) fn evict_oldest(&self) -> Option<Arc<Segment>> {
        let mut state = lock(&self.state);
        let oldest = state.segments.pop_front()?;
        state.start = oldest.end();
        if state.segments.is_empty() {
            // Frees the queue's memory: most rooms are idle.
            state.segments = VecDeque::new();
        }
        Some(oldest)
    }

    /// End of the log, as an offset.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// End of the log, as a position.
    pub(super) fn end_position(&self) -> Position {
        let state = lock(&self.state);
        Position { log: self.id, offset: self.end(), last_message: state.last_message }
    }

    /// Whether the log retains everything after this offset.
    pub(super) fn retains(&self, offset: u64) -> bool {
        lock(&self.state).start <= offset
    }

    /// The turn of the segment that follows this offset. [`Turn::NEVER`] at the end.
    pub(super) fn turn_after(&self, offset: u64) -> Result<Turn, PositionEvicted> {
        if offset >= self.end() {
            return Ok(Turn::NEVER);
        }
        let state = lock(&self.state);
        let segment = state.segments.get(state.index_of(offset)?);
        Ok(segment.map_or(Turn::NEVER, |segment| segment.turn))
    }

    /// Calls `visit` with the segments of a span. Returns the turn of the segment that follows the last visited byte; [`Turn::NEVER`] at
    /// the end.
    pub(super) fn read(&self, span: &ReadSpan, mut visit: impl FnMut(SegmentSlice)) -> Result<Turn, PositionEvicted> {
        let state = lock(&self.state);
        let until = span.until.min(span.from + span.bytes_max as u64);
        let mut slices = 0;
        for segment in state.segments.range(state.index_of(span.from)?..) {
            if segment.turn > span.turn_max || segment.start >= until || slices == span.slices_max {
                return Ok(segment.turn);
            }
            if let Some(slice) = segment.slice(span.from, until) {
                visit(slice);
                slices += 1;
            }
            if until < segment.end() {
                return Ok(segment.turn);
            }
        }
        Ok(Turn::NEVER)
    }
}

impl LogState {
    /// Index of the segment that contains the byte after this offset.
    fn index_of(&self, offset: u64) -> Result<usize, PositionEvicted> {
        if offset < self.start {
            return Err(PositionEvicted);
        }
        // Most readers are near the end.
        match self.segments.back() {
            Some(newest) if newest.start <= offset => Ok(self.segments.len() - usize::from(offset < newest.end())),
            _ => Ok(self.segments.partition_point(|segment| segment.end() <= offset)),
        }
    }
}

impl Segment {
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.lines.bytes.len() as u64
    }

    /// Memory of the segment, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.lines.cost() + SEGMENT_OVERHEAD_BYTES
    }

    /// The part of the segment between two offsets.
    fn slice(self: &Arc<Self>, from: u64, until: u64) -> Option<SegmentSlice> {
        let within = |offset: u64| {
            let offset = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
            offset.min(self.lines.bytes.len())
        };
        let range = within(from)..within(until);
        let file_range = if range.len() < SENDFILE_BYTES_MIN { None } else { self.file_range.upgrade() };
        (!range.is_empty()).then(|| SegmentSlice { segment: Arc::clone(self), range, file_range })
    }
}

impl SegmentSlice {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.segment.lines.bytes[self.range.clone()]
    }

    pub(super) fn turn(&self) -> Turn {
        self.segment.turn
    }

    /// Whether the slice reaches the end of its segment.
    pub(super) fn ends_segment(&self) -> bool {
        self.range.end == self.segment.lines.bytes.len()
    }

    /// The last message in the first `bytes` bytes of the slice; see [`RenderedLines::last_message`].
    pub(super) fn last_message(&self, bytes: usize) -> Option<(MessageId, &[u8])> {
        self.segment.lines.last_message(self.range.start + bytes)
    }

    /// File and offset for sendfile, if the slice is large enough to be worth it.
    pub(super) fn file_location(&self) -> Option<(BorrowedFd<'_>, u64)> {
        let (file, start) = self.file_range.as_ref()?.location();
        Some((file, start + self.range.start as u64))
    }
}
