//! A reader's way through the feed: where it is, and the private lines on its way.

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

/// Reads the feed and the private lines of one connection as one stream.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Where in the feed; nowhere before joining. In the middle of a line, that counts as said.
    position: Option<Position>,
    /// What is left of the line at which the feed was left; it may soon not be kept any more.
    rest_of_line: Option<Box<[u8]>>,
    /// Something was missed in the feed, and the cursor is not back in it.
    is_behind: bool,
    /// Where the feed ended, in the dialect that is read, when the mailbox was last looked into. Every insertion up to here has been
    /// taken; beyond, there may be some still to come.
    end: u64,
    /// Those still ahead, taken from the mailbox.
    insertions: VecDeque<Insertion>,
    /// Bytes of the first insertion's text that were written. `written <= insertions[0].text.len()`, 0 without insertions.
    written: usize,
    urgent: Box<[u8]>,
    closed: bool,
    /// Has seen to it that the hub wakes for what is published from here on. A copy of `MailboxState::is_awaiting`, but for that
    /// the hub has taken that back if it did wake.
    is_awaiting: bool,
}

/// What a call of [`Cursor::write`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes were written; there may be more.
    Wrote(usize),
    /// There is nothing to write now.
    Idle,
    /// All was written, and there will be nothing more.
    Done,
    /// What comes next is no longer kept: see [`Cursor::catch_up`].
    Evicted,
    /// What was missed has been made up for, and the feed is read again from here on.
    CaughtUp,
    /// What was missed cannot be made up for.
    Unreadable,
}

/// Messages that are no longer in the feed, and were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedMessages {
    /// How the reader is spoken to.
    pub dialect: Dialect,
    /// They have greater ids than this one.
    pub after: MessageId,
    /// They have ids up to this one.
    pub until: MessageId,
}

/// Something to write.
enum Chunk {
    Urgent,
    /// Of the how-manieth insertion, from this byte on.
    Insertion(usize, usize),
    Feed(SegmentSlice),
}

/// What one write is handed.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Bytes in memory, one piece after the other.
    Memory(&'a [IoSlice<'a>]),
    /// These bytes, which are in a file, too, from this offset on.
    File(BorrowedFd<'a>, u64, &'a [u8]),
}

impl Source<'_> {
    /// Copies the bytes, for a caller without a socket.
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

/// What one write takes: one piece, mostly, and then nothing is allocated for it.
type Chunks = SmallVec<[Chunk; CHUNKS_INLINE]>;

const CHUNKS_INLINE: usize = 4;

impl Cursor {
    /// A cursor that is nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of what is new in the feed and in the mailbox. `waker` is woken once for what comes after that, unless
    /// the writes stop short of it. Returns the state of the connection.
    pub fn take_new(&mut self, feed: &Feed, mailbox: &Mailbox, waker: &Waker) -> Lifecycle {
        mailbox.with_state(|state| {
            state.register(waker);
            self.await_more(true, state);
            self.take(feed, state);
            state.lifecycle
        })
    }

    /// It is looked and asked under one lock, and the hub publishes before it wakes: either it is seen here that it has
    /// published, or there that it has to wake.
    fn await_more(&mut self, on: bool, state: &mut MailboxState) {
        state.is_awaiting = on;
        self.is_awaiting = on;
    }

    /// Both under the mailbox's lock: the hub insertions before it publishes, so whoever sees the end of a segment here gets
    /// every insertion in it.
    fn take(&mut self, feed: &Feed, state: &mut MailboxState) {
        self.end = self.position.map_or(0, |position| feed.end_offset(position.dialect));
        if self.insertions.is_empty() {
            // Most connections listen most of the time; they hold no empty queues.
            self.insertions = std::mem::take(&mut state.insertions);
        } else {
            self.insertions.extend(std::mem::take(&mut state.insertions));
        }
        if !state.urgent.is_empty() {
            self.urgent = [&self.urgent, &std::mem::take(&mut state.urgent)[..]].concat().into();
        }
        self.closed = state.lifecycle != Lifecycle::Open;
    }

    /// Takes what is new, after a stop, before which nothing more was awaited; whether there is something.
    fn has_more(&mut self, feed: &Feed, mailbox: &Mailbox) -> bool {
        if self.is_awaiting {
            return false;
        }
        mailbox.with_state(|state| {
            let before = (self.end, self.insertions.len(), self.urgent.len(), self.closed);
            self.await_more(true, state);
            self.take(feed, state);
            before != (self.end, self.insertions.len(), self.urgent.len(), self.closed)
        })
    }

    /// Whether there will be nothing more than what was taken.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Hands what comes next to `write`, which says how many bytes of it it took.
    ///
    /// # Errors
    /// Those of `write`; nothing is lost by one.
    pub fn write(
        &mut self,
        feed: &Feed,
        mailbox: &Mailbox,
        write: impl FnOnce(Source<'_>) -> io::Result<usize>,
    ) -> io::Result<Progress> {
        let chunks = loop {
            if self.has_caught_up(feed) {
                self.is_behind = false;
                return Ok(Progress::CaughtUp);
            }
            if let Some(insertion) = self.insertions.front_mut().filter(|insertion| insertion.at == self.position) {
                insertion.fetch_page();
                if insertion.has_failed() {
                    return Ok(Progress::Unreadable);
                }
            }
            let Ok(chunks) = self.gather(feed) else {
                if self.insertions.front().is_none_or(|insertion| insertion.at != self.position) {
                    return Ok(Progress::Evicted);
                }
                // It says nothing more, and what follows it is missed from where it ends.
                self.advance(0, mailbox);
                continue;
            };
            if !chunks.is_empty() {
                break chunks;
            }
            self.advance(0, mailbox);
            if self.closed && self.insertions.is_empty() {
                return Ok(Progress::Done);
            }
            if !self.has_page() && !self.has_more(feed, mailbox) && !self.has_caught_up(feed) {
                return Ok(Progress::Idle);
            }
        };
        let written = self.write_chunks(&chunks, write);
        if self.is_awaiting && written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            // Whoever is stuck is left alone.
            mailbox.with_state(|state| self.await_more(false, state));
        }
        let bytes = written?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let last = self.last(&chunks, bytes);
        self.advance(bytes, mailbox);
        match last {
            Some((Chunk::Urgent, _)) | None => {}
            Some((Chunk::Insertion(..), _)) => self.rest_of_line = None,
            Some((Chunk::Feed(piece), bytes)) => self.note_last_message(piece, bytes),
        }
        Ok(Progress::Wrote(bytes))
    }

    /// In which of the chunks so many bytes end, and how many of them are in it.
    fn last<'a>(&self, chunks: &'a [Chunk], mut bytes: usize) -> Option<(&'a Chunk, usize)> {
        chunks.iter().find_map(|chunk| {
            let length = self.bytes(chunk).len();
            let is_last = bytes <= length;
            let last = is_last.then_some((chunk, bytes));
            bytes -= bytes.min(length);
            last
        })
    }

    /// Takes note of what was read last in the feed: so many bytes of this piece.
    fn note_last_message(&mut self, piece: &SegmentSlice, bytes: usize) {
        let last_message = piece.last_message(bytes);
        self.rest_of_line = last_message.filter(|(_, rest)| !rest.is_empty()).map(|(_, rest)| rest.into());
        if let (Some((after, _)), Some(position)) = (last_message, &mut self.position) {
            position.after = after;
        }
    }

    /// Whether what was missed has been made up for: the cursor is at a position again from which the feed is kept.
    fn has_caught_up(&self, feed: &Feed) -> bool {
        self.is_behind && self.position.is_some_and(|position| feed.keeps(position))
    }

    /// After [`Progress::Evicted`]: what comes next, up to the next private line or to where the feed ends now, is read from
    /// elsewhere. First comes what is left of the line that was begun, and then, unless that was said already, `lead`.
    pub fn catch_up(
        &mut self,
        feed: &Feed,
        mailbox: &Mailbox,
        lead: impl FnOnce(Dialect, &mut Vec<u8>),
        source: impl FnOnce(MissedMessages) -> Box<dyn PageSource>,
    ) {
        let Some(position) = self.position else { return };
        // As in `take`: every insertion before that end is there.
        let end = mailbox.with_state(|state| {
            let end = feed.end(position.dialect);
            self.take(feed, state);
            end
        });
        let then = self.insertions.front().map_or(Some(end), |insertion| insertion.at);
        let until = then.map_or(end.after, |then| then.after);
        let source = source(MissedMessages { dialect: position.dialect, after: position.after, until });
        // The reader did not ask for it; it does not keep its commands waiting.
        let text = InsertionText::Pages { source, page: None, state: PagesState::Open, bytes: 0 };
        self.push_front(Insertion { at: self.position, text, then, whisper_bytes: 0 }, mailbox);
        let mut text = self.rest_of_line.take().map_or_else(Vec::new, Vec::from);
        if !std::mem::replace(&mut self.is_behind, true) {
            lead(position.dialect, &mut text);
        }
        if !text.is_empty() {
            self.push_front(
                Insertion { at: self.position, text: InsertionText::Own(text), then: self.position, whisper_bytes: 0 },
                mailbox,
            );
        }
    }

    fn push_front(&mut self, insertion: Insertion, mailbox: &Mailbox) {
        mailbox.count_insertion(&insertion);
        self.insertions.push_front(insertion);
    }

    /// One piece in a file, or as many in memory as come before the first that is.
    fn write_chunks(&self, chunks: &[Chunk], write: impl FnOnce(Source<'_>) -> io::Result<usize>) -> io::Result<usize> {
        if let [Chunk::Feed(piece), ..] = chunks
            && let Some((file, offset)) = piece.in_file()
        {
            return write(Source::File(file, offset, piece.bytes()));
        }
        let in_memory =
            chunks.iter().take_while(|chunk| !matches!(chunk, Chunk::Feed(piece) if piece.in_file().is_some()));
        let slices: SmallVec<[_; CHUNKS_INLINE]> = in_memory.map(|chunk| IoSlice::new(self.bytes(chunk))).collect();
        write(Source::Memory(&slices))
    }

    /// Whether the first insertion has something to say, which was fetched just now.
    fn has_page(&self) -> bool {
        self.insertions.front().is_some_and(|insertion| insertion.at == self.position && !insertion.text.is_empty())
    }

    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        match chunk {
            Chunk::Urgent => &self.urgent,
            Chunk::Insertion(index, written) => &self.insertions[*index].text[*written..],
            Chunk::Feed(piece) => piece.bytes(),
        }
    }

    /// What comes next, up to the bounds of one write.
    fn gather(&self, feed: &Feed) -> Result<Chunks, PositionEvicted> {
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
                if insertion.is_open() {
                    break;
                }
                position = insertion.then;
                continue;
            }
            let next_insertion = insertions.peek().map(|(_, insertion)| *insertion);
            let Some((from, until)) = self.events_before(position, next_insertion) else { break };
            let before = bytes;
            let read = feed.read(from, until, WRITE_BYTES_MAX - bytes, WRITE_SLICES_MAX - chunks.len(), |piece| {
                bytes += piece.bytes().len();
                chunks.push(Chunk::Feed(piece));
            });
            match read {
                // What stands before it is still read.
                Err(PositionEvicted) if !chunks.is_empty() => break,
                read => read?,
            }
            position = Some(Position { offset: from.offset + (bytes - before) as u64, ..from });
        }
        Ok(chunks)
    }

    /// The part of the feed before the next insertion, if it is there already.
    fn events_before(&self, position: Option<Position>, next_insertion: Option<&Insertion>) -> Option<(Position, u64)> {
        // Where another dialect ends is asked when it is read.
        let from = position.filter(|position| self.dialect() == Some(position.dialect))?;
        let until = match next_insertion {
            Some(insertion) => insertion.at?.offset.min(self.end),
            None if self.closed => return None,
            None => self.end,
        };
        (from.offset < until).then_some((from, until))
    }

    /// Goes on from there. Where the feed ends in another dialect was not looked at.
    fn go_on(&mut self, then: Option<Position>) {
        if self.dialect() != then.map(|then| then.dialect) {
            self.end = then.map_or(0, |then| then.offset);
            self.is_awaiting = false;
        }
        self.position = then;
    }

    fn dialect(&self) -> Option<Dialect> {
        self.position.map(|position| position.dialect)
    }

    /// Moves on past so many bytes, and past insertions that say nothing.
    fn advance(&mut self, mut bytes: usize, mailbox: &Mailbox) {
        let urgent = bytes.min(self.urgent.len());
        if urgent > 0 {
            self.urgent = self.urgent[urgent..].into();
        }
        mailbox.wrote_urgent(urgent);
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
                if insertion.is_open() {
                    break;
                }
                let then = insertion.then;
                mailbox.wrote_insertion(insertion);
                self.insertions.pop_front();
                self.go_on(then);
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
        mailbox.reach(self.position);
    }
}
