//! Reads the feed and the private lines of one connection as one stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::task::Waker;

use smallvec::SmallVec;

use super::log::{PositionEvicted, SegmentSlice};
use super::mailbox::{Insertion, InsertionText, MailboxState, PagesState};
use super::{Feed, Mailbox, PageSource, Position};
use crate::limits::{WRITE_BYTES_MAX, WRITE_SLICES_MAX};
use crate::protocol::{Dialect, MessageId};
use crate::session::Lifecycle;

/// The read position of one connection, in the feed and in its mailbox.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Position in the feed. `None` until the connection reads the feed. In the middle of a line, `last_message` includes that line.
    position: Option<Position>,
    /// The unsent rest of the line in which the cursor stopped: the feed may evict it before it is sent.
    rest_of_line: Option<Box<[u8]>>,
    /// The cursor lost its position in the feed and reads the missed messages from elsewhere.
    is_catching_up: bool,
    /// End of the feed, in the cursor's dialect, when the mailbox was last drained. All insertions up to this offset are in
    /// `insertions`; further ones may still be in the mailbox.
    feed_end: u64,
    /// Insertions that are not yet sent, in the order of their positions.
    insertions: VecDeque<Insertion>,
    /// Bytes of the first insertion's text that are sent. `written <= insertions[0].text.len()`, 0 without insertions.
    written: usize,
    urgent: Box<[u8]>,
    closed: bool,
    /// The hub wakes this connection when it appends to the feed. The hub resets `MailboxState::awaits_feed` when it wakes the
    /// connection, but not this copy.
    awaits_feed: bool,
}

/// Result of [`Cursor::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Number of bytes written. More may be ready.
    Wrote(usize),
    /// Nothing to write at the moment.
    Idle,
    /// Everything was written, and the mailbox is closed.
    Done,
    /// The feed evicted the bytes at the cursor's position: call [`Cursor::catch_up`].
    Evicted,
    /// All missed messages were written; the cursor reads the feed again.
    CaughtUp,
    /// The missed messages cannot be read.
    Unreadable,
}

/// A range of messages that the feed evicted before the connection read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedMessages {
    /// The connection's dialect at that position.
    pub dialect: Dialect,
    /// The last message before the range.
    pub after: MessageId,
    /// The last message of the range.
    pub until: MessageId,
}

/// A part of one write.
enum Chunk {
    Urgent,
    /// Index of the insertion, and the first byte of its text to write.
    Insertion(usize, usize),
    Feed(SegmentSlice),
}

/// The bytes of one write.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Bytes in memory, for `writev(2)`.
    Memory(&'a [IoSlice<'a>]),
    /// A file and an offset in it, for `sendfile(2)`, and the same bytes in memory.
    File(BorrowedFd<'a>, u64, &'a [u8]),
}

impl Source<'_> {
    /// Copies the bytes, for a caller that has no socket.
    ///
    /// # Errors
    /// The feed's memory file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "reads the memory file of the feed")]
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        match *self {
            Self::Memory(slices) => Ok(slices.iter().flat_map(|slice| slice.iter().copied()).collect()),
            Self::File(file, offset, bytes) => {
                let mut copy = vec![0; bytes.len()];
                let read = rustix::io::pread(file, copy.as_mut_slice(), offset)?;
                copy.truncate(read);
                Ok(copy)
            }
        }
    }
}

/// The parts of one write: mostly one, so that nothing is allocated.
type Chunks = SmallVec<[Chunk; CHUNKS_INLINE]>;

const CHUNKS_INLINE: usize = 4;

impl Cursor {
    /// Creates a cursor without a position in the feed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loads new output from the feed and the mailbox. Later output wakes `waker` once. While the socket is full, only
    /// the mailbox wakes it, not the feed. Returns the state of the connection.
    pub fn fetch_new(&mut self, feed: &Feed, mailbox: &Mailbox, waker: &Waker) -> Lifecycle {
        mailbox.with_state(|state| {
            state.register(waker);
            self.set_awaits_feed(true, state);
            self.drain_mailbox(feed, state);
            state.lifecycle
        })
    }

    /// Asks the hub to wake the connection when it appends to the feed, or no longer to. No wake-up is lost: the caller holds the
    /// mailbox's lock while it sets the flag and reads the feed's end, and the hub appends before it wakes.
    fn set_awaits_feed(&mut self, on: bool, state: &mut MailboxState) {
        state.awaits_feed = on;
        self.awaits_feed = on;
    }

    /// Loads the end of the feed and all new insertions. The caller holds the mailbox's lock. The hub inserts private lines before it
    /// appends their segment to the feed, so all insertions up to the end that is read here are in the mailbox.
    fn drain_mailbox(&mut self, feed: &Feed, state: &mut MailboxState) {
        self.feed_end = self.position.map_or(0, |position| feed.end_offset(position.dialect));
        if self.insertions.is_empty() {
            // Moves the queue: an idle connection holds no empty queue of its own.
            self.insertions = std::mem::take(&mut state.insertions);
        } else {
            self.insertions.extend(std::mem::take(&mut state.insertions));
        }
        if !state.urgent.is_empty() {
            self.urgent = [&self.urgent, &std::mem::take(&mut state.urgent)[..]].concat().into();
        }
        self.closed = state.lifecycle != Lifecycle::Open;
    }

    /// Loads new output if the cursor did not ask for wake-ups, because the socket was full or the dialect changed. Returns whether
    /// there is any.
    fn fetch_more(&mut self, feed: &Feed, mailbox: &Mailbox) -> bool {
        if self.awaits_feed {
            return false;
        }
        mailbox.with_state(|state| {
            let before = (self.feed_end, self.insertions.len(), self.urgent.len(), self.closed);
            self.set_awaits_feed(true, state);
            self.drain_mailbox(feed, state);
            before != (self.feed_end, self.insertions.len(), self.urgent.len(), self.closed)
        })
    }

    /// Whether the mailbox was closed when new output was last loaded: nothing comes after it.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Calls `write` with the next bytes and advances by the number of bytes that it returns.
    ///
    /// # Errors
    /// Those of `write`. The cursor does not advance then, so the call can be repeated. `WriteZero` if `write` returns 0.
    pub fn write(
        &mut self,
        feed: &Feed,
        mailbox: &Mailbox,
        write: impl FnOnce(Source<'_>) -> io::Result<usize>,
    ) -> io::Result<Progress> {
        let chunks = loop {
            if self.has_caught_up(feed) {
                self.is_catching_up = false;
                return Ok(Progress::CaughtUp);
            }
            if let Some(insertion) = self.insertions.front_mut().filter(|insertion| insertion.at == self.position) {
                insertion.fetch_page();
                if insertion.has_failed() {
                    return Ok(Progress::Unreadable);
                }
            }
            let Ok(chunks) = self.next_chunks(feed) else {
                if self.insertions.front().is_none_or(|insertion| insertion.at != self.position) {
                    return Ok(Progress::Evicted);
                }
                // The feed is evicted behind this insertion, and all of the insertion is written: catch up from its end.
                self.mark_written(0, mailbox);
                continue;
            };
            if !chunks.is_empty() {
                break chunks;
            }
            self.mark_written(0, mailbox);
            if self.closed && self.insertions.is_empty() {
                return Ok(Progress::Done);
            }
            if !self.has_page() && !self.fetch_more(feed, mailbox) && !self.has_caught_up(feed) {
                return Ok(Progress::Idle);
            }
        };
        let written = self.write_chunks(&chunks, write);
        if self.awaits_feed && written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            // Readiness of the socket wakes a blocked writer; new data does not.
            mailbox.with_state(|state| self.set_awaits_feed(false, state));
        }
        let bytes = written?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let last_written_chunk = self.last_written_chunk(&chunks, bytes);
        self.mark_written(bytes, mailbox);
        match last_written_chunk {
            Some((Chunk::Urgent, _)) | None => {}
            Some((Chunk::Insertion(..), _)) => self.rest_of_line = None,
            Some((Chunk::Feed(slice), bytes)) => self.note_last_message(slice, bytes),
        }
        Ok(Progress::Wrote(bytes))
    }

    /// The chunk in which the first `bytes` bytes end, and how many of them are in that chunk.
    fn last_written_chunk<'a>(&self, chunks: &'a [Chunk], mut bytes: usize) -> Option<(&'a Chunk, usize)> {
        chunks.iter().find_map(|chunk| {
            let length = self.bytes(chunk).len();
            let is_last = bytes <= length;
            let found = is_last.then_some((chunk, bytes));
            bytes -= bytes.min(length);
            found
        })
    }

    /// Records the last message that was read, at least in part: `bytes` bytes of `slice` are written.
    fn note_last_message(&mut self, slice: &SegmentSlice, bytes: usize) {
        let last_message = slice.last_message(bytes);
        self.rest_of_line = last_message.filter(|(_, rest)| !rest.is_empty()).map(|(_, rest)| rest.into());
        if let (Some((after, _)), Some(position)) = (last_message, &mut self.position) {
            position.last_message = after;
        }
    }

    /// Whether the cursor has read all missed messages and is back at a position that the feed retains.
    fn has_caught_up(&self, feed: &Feed) -> bool {
        self.is_catching_up && self.position.is_some_and(|position| feed.retains(position))
    }

    /// After [`Progress::Evicted`]: reads the missed messages, up to the next private line or the current end of the
    /// feed, from `source`. Before them, the cursor writes the rest of a partly written line and the lines that `lead`
    /// adds; `lead` is called only when catching up begins.
    pub fn catch_up(
        &mut self,
        feed: &Feed,
        mailbox: &Mailbox,
        lead: impl FnOnce(Dialect, &mut Vec<u8>),
        source: impl FnOnce(MissedMessages) -> Box<dyn PageSource>,
    ) {
        let Some(position) = self.position else { return };
        // As in `drain_mailbox`: all insertions before this end are loaded.
        let end = mailbox.with_state(|state| {
            let end = feed.end(position.dialect);
            self.drain_mailbox(feed, state);
            end
        });
        let resume_at = self.insertions.front().map_or(Some(end), |insertion| insertion.at);
        let until = resume_at.map_or(end.last_message, |resume_at| resume_at.last_message);
        let source = source(MissedMessages { dialect: position.dialect, after: position.last_message, until });
        // Costs 0 bytes: the client did not ask for these lines, so they must not delay its commands.
        let text = InsertionText::Pages { source, page: None, state: PagesState::Open, bytes: 0 };
        self.push_front(Insertion { at: self.position, text, resume_at, whisper_bytes: 0 }, mailbox);
        let mut text = self.rest_of_line.take().map_or_else(Vec::new, Vec::from);
        if !std::mem::replace(&mut self.is_catching_up, true) {
            lead(position.dialect, &mut text);
        }
        if !text.is_empty() {
            self.push_front(
                Insertion {
                    at: self.position,
                    text: InsertionText::Own(text),
                    resume_at: self.position,
                    whisper_bytes: 0,
                },
                mailbox,
            );
        }
    }

    fn push_front(&mut self, insertion: Insertion, mailbox: &Mailbox) {
        mailbox.count_insertion(&insertion);
        self.insertions.push_front(insertion);
    }

    /// Writes one slice from the memory file, or all chunks before the first slice that is in the memory file.
    fn write_chunks(&self, chunks: &[Chunk], write: impl FnOnce(Source<'_>) -> io::Result<usize>) -> io::Result<usize> {
        if let [Chunk::Feed(slice), ..] = chunks
            && let Some((file, offset)) = slice.file_location()
        {
            return write(Source::File(file, offset, slice.bytes()));
        }
        let in_memory =
            chunks.iter().take_while(|chunk| !matches!(chunk, Chunk::Feed(slice) if slice.file_location().is_some()));
        let slices: SmallVec<[_; CHUNKS_INLINE]> = in_memory.map(|chunk| IoSlice::new(self.bytes(chunk))).collect();
        write(Source::Memory(&slices))
    }

    /// Whether a page of the first insertion is ready to be written.
    fn has_page(&self) -> bool {
        self.insertions.front().is_some_and(|insertion| insertion.at == self.position && !insertion.text.is_empty())
    }

    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        match chunk {
            Chunk::Urgent => &self.urgent,
            Chunk::Insertion(index, written) => &self.insertions[*index].text[*written..],
            Chunk::Feed(slice) => slice.bytes(),
        }
    }

    /// The next chunks, within the limits of one write.
    fn next_chunks(&self, feed: &Feed) -> Result<Chunks, PositionEvicted> {
        let mut chunks = Chunks::new();
        if !self.urgent.is_empty() {
            chunks.push(Chunk::Urgent);
        }
        let mut bytes = 0;
        let mut position = self.position;
        let mut insertions = self.insertions.iter().enumerate().peekable();
        while bytes < WRITE_BYTES_MAX && chunks.len() < WRITE_SLICES_MAX {
            if let Some((index, insertion)) = insertions.next_if(|(_, insertion)| insertion.at == position) {
                let written = if index == 0 { self.written } else { 0 };
                if written < insertion.text.len() {
                    bytes += insertion.text.len() - written;
                    chunks.push(Chunk::Insertion(index, written));
                }
                if insertion.has_more_pages() {
                    break;
                }
                position = insertion.resume_at;
                continue;
            }
            let next_insertion = insertions.peek().map(|(_, insertion)| *insertion);
            let Some((from, until)) = self.events_before(position, next_insertion) else { break };
            let before = bytes;
            let read = feed.read(from, until, WRITE_BYTES_MAX - bytes, WRITE_SLICES_MAX - chunks.len(), |slice| {
                bytes += slice.bytes().len();
                chunks.push(Chunk::Feed(slice));
            });
            match read {
                // Write the chunks before the evicted position first.
                Err(PositionEvicted) if !chunks.is_empty() => break,
                read => read?,
            }
            position = Some(Position { offset: from.offset + (bytes - before) as u64, ..from });
        }
        Ok(chunks)
    }

    /// The published part of the feed between `position` and the next insertion: its start, and its end offset.
    fn events_before(&self, position: Option<Position>, next_insertion: Option<&Insertion>) -> Option<(Position, u64)> {
        // The end of the feed in another dialect is not loaded yet.
        let from = position.filter(|position| self.dialect() == Some(position.dialect))?;
        let until = match next_insertion {
            Some(insertion) => insertion.at?.offset.min(self.feed_end),
            None if self.closed => return None,
            None => self.feed_end,
        };
        (from.offset < until).then_some((from, until))
    }

    /// Moves the cursor to a position. After a change of dialect the end of the feed has to be loaded again.
    fn jump_to(&mut self, resume_at: Option<Position>) {
        if self.dialect() != resume_at.map(|resume_at| resume_at.dialect) {
            self.feed_end = resume_at.map_or(0, |resume_at| resume_at.offset);
            self.awaits_feed = false;
        }
        self.position = resume_at;
    }

    fn dialect(&self) -> Option<Dialect> {
        self.position.map(|position| position.dialect)
    }

    /// Advances by `bytes`, and past insertions that are empty.
    fn mark_written(&mut self, mut bytes: usize, mailbox: &Mailbox) {
        let urgent = bytes.min(self.urgent.len());
        if urgent > 0 {
            self.urgent = self.urgent[urgent..].into();
        }
        mailbox.uncount_urgent(urgent);
        bytes -= urgent;
        loop {
            if let Some(insertion) = self.insertions.front_mut().filter(|insertion| insertion.at == self.position) {
                let rest = insertion.text.len() - self.written;
                if bytes < rest {
                    self.written += bytes;
                    break;
                }
                bytes -= rest;
                self.written = 0;
                insertion.fetch_next_page();
                if insertion.has_more_pages() {
                    break;
                }
                let resume_at = insertion.resume_at;
                mailbox.uncount_insertion(insertion);
                self.insertions.pop_front();
                self.jump_to(resume_at);
                continue;
            }
            if bytes == 0 {
                break;
            }
            let Some(position) = &mut self.position else { break };
            let to_insertion = self
                .insertions
                .front()
                .and_then(|insertion| insertion.at)
                .map_or(u64::MAX, |at| at.offset - position.offset);
            let step = to_insertion.min(bytes as u64);
            position.offset += step;
            bytes -= usize::try_from(step).unwrap_or(bytes);
        }
        mailbox.record_cursor(self.position);
    }
}
