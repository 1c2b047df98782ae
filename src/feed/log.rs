//! The shared log: append, segments, retention.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::extent::{Extent, MemoryFile};
use super::rendered::{LineBuffer, RenderedLines};
use super::{Backlog, Position, lock};
use crate::limits::{
    SEGMENT_BYTES_MAX, SEGMENT_OVERHEAD_BYTES, SEGMENT_SHARE, SENDFILE_BYTES_MIN, SENDFILE_READERS_MIN, SENDFILE_SHARE,
};
use crate::protocol::{DIALECTS, Dialect, Event, MessageId, Tag};

/// Everything published, for as long as the retention allows, in each dialect that was in use when it was published.
#[derive(Debug)]
pub struct Feed {
    log: Mutex<Log>,
    /// A copy of `Log::ends`, so that a reader at the end finds out without the lock.
    ends: [AtomicU64; DIALECTS],
    backlog: Arc<Backlog>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Log {
    /// Without gaps: in each dialect a segment starts where the one before it ends.
    segments: VecDeque<Segment>,
    /// What the segments count against the retention. With the file, `bytes <= bytes_max`, or there is one segment only.
    bytes: usize,
    /// Where the last segment ends, in each dialect.
    ends: [u64; DIALECTS],
    /// The last message in it.
    last_id: MessageId,
    /// Has some texts once more.
    file: Option<MemoryFile>,
}

/// What was published at once.
#[derive(Debug)]
struct Segment {
    starts: [u64; DIALECTS],
    /// `None` in a dialect that nobody used.
    texts: [Option<RenderedSegment>; DIALECTS],
}

/// A segment in one dialect.
#[derive(Debug)]
struct RenderedSegment {
    lines: Arc<RenderedLines>,
    /// The same for the kernel to send, while that is kept: if there is much, for many, and it is new.
    extent: Weak<Extent>,
}

/// A piece of a segment.
pub(super) struct SegmentSlice {
    lines: Arc<RenderedLines>,
    range: Range<usize>,
    extent: Option<Arc<Extent>>,
}

/// The reader's position is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PositionEvicted;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// In which dialects there is something new to read.
    pub grew: [bool; DIALECTS],
    /// Whether something old was let go of.
    pub shrank: bool,
}

impl Feed {
    /// An empty feed that keeps at most `bytes_max` bytes, over all dialects together.
    pub fn new(bytes_max: usize) -> Self {
        let log = Log {
            segments: VecDeque::new(),
            bytes: 0,
            ends: Default::default(),
            last_id: MessageId::default(),
            file: MemoryFile::new(bytes_max / SENDFILE_SHARE),
        };
        Self { log: Mutex::new(log), ends: Default::default(), backlog: Arc::default(), bytes_max }
    }

    /// The backlog in which the segments count.
    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Publishes the draft, if there is something in it, and makes it empty again.
    pub fn append(&self, draft: &mut Draft) -> Appended {
        if draft.is_empty() {
            return Appended { grew: [false; DIALECTS], shrank: false };
        }
        let mut log = lock(&self.log);
        let bytes_before = log.total_bytes();
        let segment = Segment { starts: draft.starts, texts: draft.take_rendered(log.file.as_mut()) };
        log.bytes += segment.cost();
        for dialect in 0..DIALECTS {
            log.ends[dialect] = segment.end(dialect);
            self.ends[dialect].store(log.ends[dialect], Ordering::Release);
        }
        let grew = segment.texts.each_ref().map(Option::is_some);
        draft.starts = log.ends;
        log.last_id = draft.last_id;
        log.segments.push_back(segment);
        let before = log.segments.len();
        while log.total_bytes() > self.bytes_max && log.segments.len() > 1 {
            if let Some(oldest) = log.segments.pop_front() {
                log.bytes -= oldest.cost();
            }
        }
        self.backlog.add(log.total_bytes());
        self.backlog.subtract(bytes_before);
        Appended { grew, shrank: log.segments.len() < before }
    }

    /// The oldest position kept in each dialect.
    pub fn oldest(&self) -> [u64; DIALECTS] {
        let log = lock(&self.log);
        log.segments.front().map_or(log.ends, |segment| segment.starts)
    }

    /// Where the feed ends in this dialect.
    pub fn end_offset(&self, dialect: Dialect) -> u64 {
        self.ends[dialect.index()].load(Ordering::Acquire)
    }

    /// Where the feed ends in this dialect, and after which message.
    pub(super) fn end(&self, dialect: Dialect) -> Position {
        let log = lock(&self.log);
        Position { dialect, offset: log.ends[dialect.index()], after: log.last_id }
    }

    /// Whether it is still kept what comes after this position.
    pub(super) fn keeps(&self, position: Position) -> bool {
        lock(&self.log).keeps(position)
    }

    /// Memory that the file takes.
    #[cfg(test)]
    pub(super) fn file_bytes(&self) -> u64 {
        lock(&self.log).file.as_ref().map_or(0, MemoryFile::system_bytes)
    }

    /// Memory of the segments that are kept, in bytes.
    pub fn bytes(&self) -> usize {
        lock(&self.log).total_bytes()
    }

    /// The most bytes kept.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Hands to `take` what is kept from `from` on: up to the offset `until`, and at most so many bytes and pieces.
    pub(super) fn read(
        &self,
        from: Position,
        until: u64,
        bytes_max: usize,
        pieces_max: usize,
        mut take: impl FnMut(SegmentSlice),
    ) -> Result<(), PositionEvicted> {
        let dialect = from.dialect.index();
        let log = lock(&self.log);
        if !log.keeps(from) {
            return Err(PositionEvicted);
        }
        // Most readers are near the end.
        let newest = log.segments.len() - 1;
        let first = if log.segments[newest].starts[dialect] <= from.offset {
            newest
        } else {
            log.segments.partition_point(|segment| segment.end(dialect) <= from.offset)
        };
        let until = until.min(from.offset + bytes_max as u64);
        let pieces = log.segments.range(first..).filter_map(|segment| segment.piece(dialect, from.offset, until));
        pieces.take(pieces_max).for_each(&mut take);
        Ok(())
    }
}

impl Log {
    /// Memory of the segments and of the file.
    fn total_bytes(&self) -> usize {
        self.bytes + self.file.as_ref().map_or(0, MemoryFile::bytes)
    }

    fn keeps(&self, position: Position) -> bool {
        self.segments.front().is_some_and(|oldest| oldest.starts[position.dialect.index()] <= position.offset)
    }
}

impl Segment {
    fn end(&self, dialect: usize) -> u64 {
        self.starts[dialect] + self.texts[dialect].as_ref().map_or(0, |text| text.lines.bytes.len() as u64)
    }

    fn cost(&self) -> usize {
        self.texts.iter().flatten().map(|text| text.lines.cost()).sum::<usize>() + SEGMENT_OVERHEAD_BYTES
    }

    /// The part of the segment between two offsets.
    fn piece(&self, dialect: usize, from: u64, until: u64) -> Option<SegmentSlice> {
        let text = self.texts[dialect].as_ref()?;
        let start = self.starts[dialect];
        let within = |offset: u64| {
            usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(text.lines.bytes.len())
        };
        let range = within(from)..within(until);
        let extent = if range.len() < SENDFILE_BYTES_MIN { None } else { text.extent.upgrade() };
        (!range.is_empty()).then(|| SegmentSlice { lines: Arc::clone(&text.lines), range, extent })
    }
}

impl SegmentSlice {
    /// What it says.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.lines.bytes[self.range.clone()]
    }

    /// Where a reader stands who has read so many bytes of it; see [`RenderedLines::last_message`].
    pub(super) fn last_message(&self, bytes: usize) -> Option<(MessageId, &[u8])> {
        self.lines.last_message(self.range.start + bytes)
    }

    /// Where the kernel can send it from, if that is worth it.
    pub(super) fn in_file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        let (file, start) = self.extent.as_ref()?.location();
        Some((file, start + self.range.start as u64))
    }
}

/// What is about to be published: events rendered one after the other, in every dialect that has readers.
#[derive(Debug, Default)]
pub struct Draft {
    /// Where the feed ends, and so the draft starts.
    starts: [u64; DIALECTS],
    texts: [LineBuffer; DIALECTS],
    /// The id of the newest message.
    last_id: MessageId,
    /// Lines are marked, so that the last message up to each of them can be found.
    is_marked: bool,
    /// How many sessions read each dialect.
    readers: [usize; DIALECTS],
}

impl Draft {
    /// An empty draft with marks, after the message with the id `last_id`. For a server with a store, from which slow consumers catch up.
    pub fn marked(last_id: MessageId) -> Self {
        Self { last_id, is_marked: true, ..Self::default() }
    }

    /// Renders an event for everybody whom it is for.
    pub fn push(&mut self, tag: Tag, event: &Event) {
        let before = self.is_marked.then_some(self.last_id);
        for dialect in Dialect::ALL {
            if self.readers[dialect.index()] > 0 && dialect.has(event) {
                self.texts[dialect.index()].push(dialect, tag, event, before);
            }
        }
        self.last_id = tag.id.unwrap_or(self.last_id);
    }

    /// The position after all that was rendered so far.
    pub fn position(&self, dialect: Dialect) -> Position {
        let index = dialect.index();
        Position { dialect, offset: self.starts[index] + self.texts[index].len() as u64, after: self.last_id }
    }

    /// From here on somebody reads this dialect; returns the position.
    pub fn add_reader(&mut self, dialect: Dialect) -> Position {
        self.readers[dialect.index()] += 1;
        self.position(dialect)
    }

    /// From here on one fewer reads this dialect.
    pub fn remove_reader(&mut self, dialect: Dialect) {
        self.readers[dialect.index()] -= 1;
    }

    /// Whether it is time to publish, for a feed that keeps so many bytes.
    pub fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes() >= (bytes_max / SEGMENT_SHARE).min(SEGMENT_BYTES_MAX)
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    fn bytes(&self) -> usize {
        self.texts.iter().map(LineBuffer::len).sum()
    }

    fn take_rendered(&mut self, mut file: Option<&mut MemoryFile>) -> [Option<RenderedSegment>; DIALECTS] {
        std::array::from_fn(|dialect| {
            let text = &mut self.texts[dialect];
            if text.len() == 0 {
                return None;
            }
            let for_kernel = text.len() >= SENDFILE_BYTES_MIN && self.readers[dialect] >= SENDFILE_READERS_MIN;
            let lines = text.take();
            let extent = file.as_mut().filter(|_| for_kernel).and_then(|file| file.append(&lines.bytes));
            Some(RenderedSegment { lines: lines.into(), extent: extent.unwrap_or_default() })
        })
    }
}
