//! The shared log of events: append, read, evict.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::memory_file::{FileRange, MemoryFile};
use super::rendered::{RenderBuffer, RenderedLines};
use super::{Backlog, Position, lock};
use crate::limits::{
    SEGMENT_BYTES_MAX, SEGMENT_OVERHEAD_BYTES, SEGMENT_SHARE, SENDFILE_BYTES_MIN, SENDFILE_READERS_MIN, SENDFILE_SHARE,
};
use crate::protocol::{DIALECTS, Dialect, Event, MessageId, Tag};

/// The log of the newest published events, up to the feed size, in each dialect that was in use when they were
/// published.
#[derive(Debug)]
pub struct Feed {
    state: Mutex<FeedState>,
    /// A copy of `FeedState::ends`: a reader at the end needs no lock to see that it is there.
    ends: [AtomicU64; DIALECTS],
    backlog: Arc<Backlog>,
    bytes_max: usize,
}

#[derive(Debug)]
struct FeedState {
    /// Oldest first, without gaps: in each dialect a segment starts where the previous one ends.
    segments: VecDeque<Segment>,
    /// Memory of the segments, in bytes. With the memory file, `bytes <= bytes_max`, or there is only one segment.
    bytes: usize,
    /// End of the last segment, in each dialect.
    ends: [u64; DIALECTS],
    /// The last message in the feed.
    last_id: MessageId,
    /// Copies of large segments, for sendfile.
    file: Option<MemoryFile>,
}

/// The events of one append.
#[derive(Debug)]
struct Segment {
    starts: [u64; DIALECTS],
    /// `None` in a dialect that had no readers.
    renderings: [Option<RenderedSegment>; DIALECTS],
}

/// A segment in one dialect.
#[derive(Debug)]
struct RenderedSegment {
    lines: Arc<RenderedLines>,
    /// The copy in the memory file, while that exists: only large new segments with many readers have one.
    file_range: Weak<FileRange>,
}

/// A part of a segment.
pub(super) struct SegmentSlice {
    lines: Arc<RenderedLines>,
    range: Range<usize>,
    file_range: Option<Arc<FileRange>>,
}

/// The feed no longer retains this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PositionEvicted;

/// Result of [`Feed::append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// For each dialect, whether there is something new to read.
    pub grew: [bool; DIALECTS],
    /// Whether old segments were evicted.
    pub evicted: bool,
}

impl Feed {
    /// Creates an empty feed that retains at most `bytes_max` bytes, in all dialects together.
    pub fn new(bytes_max: usize) -> Self {
        let state = FeedState {
            segments: VecDeque::new(),
            bytes: 0,
            ends: Default::default(),
            last_id: MessageId::default(),
            file: MemoryFile::new(bytes_max / SENDFILE_SHARE),
        };
        Self { state: Mutex::new(state), ends: Default::default(), backlog: Arc::default(), bytes_max }
    }

    /// The counter of unread output, of which the segments are part.
    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Publishes the events in the builder, if any, and empties it. Evicts the oldest segments beyond the feed size.
    pub fn append(&self, builder: &mut SegmentBuilder) -> AppendOutcome {
        if builder.is_empty() {
            return AppendOutcome { grew: [false; DIALECTS], evicted: false };
        }
        let mut state = lock(&self.state);
        let bytes_before = state.total_bytes();
        let segment = Segment { starts: builder.starts, renderings: builder.build(state.file.as_mut()) };
        state.bytes += segment.cost();
        for dialect in 0..DIALECTS {
            state.ends[dialect] = segment.end(dialect);
            self.ends[dialect].store(state.ends[dialect], Ordering::Release);
        }
        let grew = segment.renderings.each_ref().map(Option::is_some);
        builder.starts = state.ends;
        state.last_id = builder.last_id;
        state.segments.push_back(segment);
        let before = state.segments.len();
        while state.total_bytes() > self.bytes_max && state.segments.len() > 1 {
            if let Some(oldest) = state.segments.pop_front() {
                state.bytes -= oldest.cost();
            }
        }
        self.backlog.add(state.total_bytes());
        self.backlog.subtract(bytes_before);
        AppendOutcome { grew, evicted: state.segments.len() < before }
    }

    /// The oldest retained offset in each dialect.
    pub fn oldest(&self) -> [u64; DIALECTS] {
        let state = lock(&self.state);
        state.segments.front().map_or(state.ends, |segment| segment.starts)
    }

    /// End of the feed in this dialect, as an offset.
    pub fn end_offset(&self, dialect: Dialect) -> u64 {
        self.ends[dialect.index()].load(Ordering::Acquire)
    }

    /// End of the feed in this dialect, as a position.
    pub(super) fn end(&self, dialect: Dialect) -> Position {
        let state = lock(&self.state);
        Position { dialect, offset: state.ends[dialect.index()], last_message: state.last_id }
    }

    /// Whether the feed retains everything after this position.
    pub(super) fn retains(&self, position: Position) -> bool {
        lock(&self.state).retains(position)
    }

    /// Memory of the file, by the kernel's count, in bytes.
    #[cfg(test)]
    pub(super) fn file_bytes(&self) -> u64 {
        lock(&self.state).file.as_ref().map_or(0, MemoryFile::system_bytes)
    }

    /// Memory of the retained segments, in bytes.
    pub fn bytes(&self) -> usize {
        lock(&self.state).total_bytes()
    }

    /// The feed size: the most bytes that the feed keeps.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Calls `visit` with the segments from `from` to the offset `until`, at most `bytes_max` bytes and `slices_max` slices.
    pub(super) fn read(
        &self,
        from: Position,
        until: u64,
        bytes_max: usize,
        slices_max: usize,
        mut visit: impl FnMut(SegmentSlice),
    ) -> Result<(), PositionEvicted> {
        let dialect = from.dialect.index();
        let state = lock(&self.state);
        if !state.retains(from) {
            return Err(PositionEvicted);
        }
        // Most readers are near the end.
        let newest = state.segments.len() - 1;
        let first = if state.segments[newest].starts[dialect] <= from.offset {
            newest
        } else {
            state.segments.partition_point(|segment| segment.end(dialect) <= from.offset)
        };
        let until = until.min(from.offset + bytes_max as u64);
        let slices = state.segments.range(first..).filter_map(|segment| segment.slice(dialect, from.offset, until));
        slices.take(slices_max).for_each(&mut visit);
        Ok(())
    }
}

impl FeedState {
    /// Memory of the segments and of the memory file, in bytes.
    fn total_bytes(&self) -> usize {
        self.bytes + self.file.as_ref().map_or(0, MemoryFile::bytes)
    }

    fn retains(&self, position: Position) -> bool {
        self.segments.front().is_some_and(|oldest| oldest.starts[position.dialect.index()] <= position.offset)
    }
}

impl Segment {
    fn end(&self, dialect: usize) -> u64 {
        self.starts[dialect]
            + self.renderings[dialect].as_ref().map_or(0, |rendering| rendering.lines.bytes.len() as u64)
    }

    fn cost(&self) -> usize {
        self.renderings.iter().flatten().map(|rendering| rendering.lines.cost()).sum::<usize>() + SEGMENT_OVERHEAD_BYTES
    }

    /// The part of the segment between two offsets.
    fn slice(&self, dialect: usize, from: u64, until: u64) -> Option<SegmentSlice> {
        let rendering = self.renderings[dialect].as_ref()?;
        let start = self.starts[dialect];
        let within = |offset: u64| {
            usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(rendering.lines.bytes.len())
        };
        let range = within(from)..within(until);
        let file_range = if range.len() < SENDFILE_BYTES_MIN { None } else { rendering.file_range.upgrade() };
        (!range.is_empty()).then(|| SegmentSlice { lines: Arc::clone(&rendering.lines), range, file_range })
    }
}

impl SegmentSlice {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.lines.bytes[self.range.clone()]
    }

    /// The last message in the first `bytes` bytes of the slice; see [`RenderedLines::last_message`].
    pub(super) fn last_message(&self, bytes: usize) -> Option<(MessageId, &[u8])> {
        self.lines.last_message(self.range.start + bytes)
    }

    /// File and offset for sendfile, if the slice is large enough to be worth it.
    pub(super) fn file_location(&self) -> Option<(BorrowedFd<'_>, u64)> {
        let (file, start) = self.file_range.as_ref()?.location();
        Some((file, start + self.range.start as u64))
    }
}

/// Collects events for the next append and renders them in each dialect that has readers.
#[derive(Debug, Default)]
pub struct SegmentBuilder {
    /// End of the feed, where the new segment will start.
    starts: [u64; DIALECTS],
    renderings: [RenderBuffer; DIALECTS],
    /// The last message so far.
    last_id: MessageId,
    /// Renders marks, by which the last message before each line is found.
    is_marked: bool,
    /// Number of sessions that read each dialect.
    readers: [usize; DIALECTS],
}

impl SegmentBuilder {
    /// Creates an empty builder that renders marks, after the message with the id `last_id`. For a server with a store, from which slow
    /// consumers catch up.
    pub fn with_marks(last_id: MessageId) -> Self {
        Self { last_id, is_marked: true, ..Self::default() }
    }

    /// Adds an event, rendered in each dialect that has readers and shows such events.
    pub fn push(&mut self, tag: Tag, event: &Event) {
        let before = self.is_marked.then_some(self.last_id);
        for dialect in Dialect::ALL {
            if self.readers[dialect.index()] > 0 && dialect.shows(event) {
                self.renderings[dialect.index()].push(dialect, tag, event, before);
            }
        }
        self.last_id = tag.id.unwrap_or(self.last_id);
    }

    /// The position after all events so far.
    pub fn position(&self, dialect: Dialect) -> Position {
        let index = dialect.index();
        Position {
            dialect,
            offset: self.starts[index] + self.renderings[index].len() as u64,
            last_message: self.last_id,
        }
    }

    /// Counts one more reader of this dialect, from here on. Returns the position.
    pub fn add_reader(&mut self, dialect: Dialect) -> Position {
        self.readers[dialect.index()] += 1;
        self.position(dialect)
    }

    /// Counts one reader fewer of this dialect, from here on.
    pub fn remove_reader(&mut self, dialect: Dialect) {
        self.readers[dialect.index()] -= 1;
    }

    /// Whether to publish now, in a feed that retains `bytes_max` bytes.
    pub fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes() >= (bytes_max / SEGMENT_SHARE).min(SEGMENT_BYTES_MAX)
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    fn bytes(&self) -> usize {
        self.renderings.iter().map(RenderBuffer::len).sum()
    }

    fn build(&mut self, mut file: Option<&mut MemoryFile>) -> [Option<RenderedSegment>; DIALECTS] {
        std::array::from_fn(|dialect| {
            let buffer = &mut self.renderings[dialect];
            if buffer.len() == 0 {
                return None;
            }
            let for_kernel = buffer.len() >= SENDFILE_BYTES_MIN && self.readers[dialect] >= SENDFILE_READERS_MIN;
            let lines = buffer.finish();
            let file_range = file.as_mut().filter(|_| for_kernel).and_then(|file| file.append(&lines.bytes));
            Some(RenderedSegment { lines: lines.into(), file_range: file_range.unwrap_or_default() })
        })
    }
}
