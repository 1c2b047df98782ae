//! Reads the logs of the rooms that a connection follows, and its private lines, as one stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::Waker;

use smallvec::SmallVec;

use super::log::{Log, SegmentSlice};
use super::mailbox::{CursorMove, Insertion, InsertionText, MailboxState, PagesState};
use super::plan::{CHUNKS_INLINE, Chunk, Part, Plan, find_evicted};
use super::{Feed, LogEntry, LogId, Mailbox, PageSource, Position, Source, Turn};
use crate::protocol::{Dialect, MessageId, RoomName};
use crate::session::Lifecycle;
use crate::state::RoomId;

/// The read position of one connection, in the logs of its rooms and in its mailbox.
#[derive(Debug)]
pub struct Cursor {
    /// The logs that the connection follows, each in its slot, in the order in which it entered their rooms.
    pub(super) logs: SmallVec<[LogCursor; 1]>,
    /// The last turn that was published when the mailbox was last emptied. All insertions of the turns up to this one are in
    /// `insertions`; later ones may still be in the mailbox.
    pub(super) published: Turn,
    /// Insertions that are not yet sent, in order.
    pub(super) insertions: VecDeque<Insertion>,
    /// Bytes of the first insertion's text that are sent. `written <= insertions[0].text.len()`, 0 without insertions.
    pub(super) written: usize,
    pub(super) urgent: Box<[u8]>,
    /// State of a slow consumer on a server with a store.
    catch_up: Option<Box<CatchUpState>>,
    /// The slot of the log in whose line the cursor stopped.
    pub(super) torn: Option<u16>,
    closed: bool,
    /// The hub wakes this connection when it publishes. The hub resets `MailboxState::awaits_feed` when it wakes the connection, but not
    /// this copy.
    awaits_feed: bool,
}

/// The read position in one log.
#[derive(Debug)]
pub(super) struct LogCursor {
    pub(super) log: Arc<Log>,
    pub(super) offset: u64,
    /// The last message before the offset. In the middle of a line, that line is included.
    last_message: MessageId,
}

/// State of a cursor whose position may be evicted. Most cursors need none.
#[derive(Debug, Default)]
struct CatchUpState {
    /// The unsent rest of the line in which the cursor stopped: the log may evict it before it is sent.
    rest_of_line: Vec<u8>,
    /// The logs whose missed messages the cursor reads from elsewhere.
    logs: Vec<LogId>,
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
    /// A log evicted the bytes at the cursor's position: call [`Cursor::catch_up`].
    Evicted,
    /// All missed messages of this room were written; the cursor reads its log again.
    CaughtUp(RoomId),
    /// The missed messages cannot be read.
    Unreadable,
}

/// A range of messages that a log evicted before the connection read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedMessages {
    /// The room.
    pub room: RoomId,
    /// The room's name.
    pub room_name: RoomName,
    /// The dialect in which the connection reads the room.
    pub dialect: Dialect,
    /// The last message before the range.
    pub after: MessageId,
    /// The last message of the range.
    pub until: MessageId,
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}

impl Cursor {
    /// Creates a cursor that follows no log.
    pub fn new() -> Self {
        Self {
            logs: SmallVec::new(),
            published: Turn::ZERO,
            insertions: VecDeque::new(),
            written: 0,
            urgent: Box::default(),
            catch_up: None,
            torn: None,
            closed: false,
            awaits_feed: false,
        }
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

    /// Asks the hub to wake the connection when it publishes, or no longer to. No wake-up is lost: the caller holds the mailbox's lock
    /// while it sets the flag and reads the published turn, and the hub publishes before it wakes.
    fn set_awaits_feed(&mut self, on: bool, state: &mut MailboxState) {
        state.awaits_feed = on;
        self.awaits_feed = on;
    }

    /// Loads the published turn and all new insertions. The caller holds the mailbox's lock. The hub inserts the private lines of a turn
    /// before it publishes the turn, so all insertions up to the turn that is read here are in the mailbox.
    fn drain_mailbox(&mut self, feed: &Feed, state: &mut MailboxState) {
        self.published = feed.published();
        if self.insertions.is_empty() {
            // Moves the queue, which copies nothing.
            self.insertions = std::mem::take(&mut state.insertions);
        } else {
            self.insertions.extend(std::mem::take(&mut state.insertions));
        }
        if !state.urgent.is_empty() {
            self.urgent = [&self.urgent, &std::mem::take(&mut state.urgent)[..]].concat().into();
        }
        self.closed = state.lifecycle != Lifecycle::Open;
    }

    /// Loads new output if the cursor did not ask for wake-ups, because the socket was full. Returns whether there is any.
    fn fetch_more(&mut self, feed: &Feed, mailbox: &Mailbox) -> bool {
        if self.awaits_feed {
            return false;
        }
        mailbox.with_state(|state| {
            let before = (self.published, self.insertions.len(), self.urgent.len(), self.closed);
            self.set_awaits_feed(true, state);
            self.drain_mailbox(feed, state);
            before != (self.published, self.insertions.len(), self.urgent.len(), self.closed)
        })
    }

    /// Whether the mailbox was closed when new output was last loaded: nothing comes after it.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The turn if it may be read, [`Turn::NEVER`] otherwise.
    pub(super) fn up_to_published(&self, turn: Turn) -> Turn {
        if turn <= self.published { turn } else { Turn::NEVER }
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
        let plan = loop {
            if let Some(room) = self.end_catch_up() {
                return Ok(Progress::CaughtUp(room));
            }
            let plan = Plan::new(self);
            if !plan.chunks.is_empty() {
                break plan;
            }
            self.advance(&plan, 0, mailbox);
            if plan.passed > 0 {
                continue;
            }
            if plan.is_evicted {
                return Ok(Progress::Evicted);
            }
            if let Some(insertion) = self.insertions.front_mut().filter(|_| plan.awaits_page) {
                insertion.turn = Turn::ZERO;
                if insertion.has_failed() {
                    return Ok(Progress::Unreadable);
                }
                if insertion.fetch_page() {
                    continue;
                }
            }
            if self.closed && self.insertions.is_empty() {
                return Ok(Progress::Done);
            }
            if !self.fetch_more(feed, mailbox) {
                return Ok(Progress::Idle);
            }
        };
        mailbox.record_unread_turn(first_turn(&plan.chunks).unwrap_or(plan.unread_turn));
        let written = self.write_chunks(&plan.chunks, write);
        if self.awaits_feed && written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            // Readiness of the socket wakes a blocked writer; new data does not.
            mailbox.with_state(|state| self.set_awaits_feed(false, state));
        }
        let bytes = written?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(&plan, bytes, mailbox);
        Ok(Progress::Wrote(bytes))
    }

    /// Writes one slice from the memory file, or all chunks before the first slice that is in the memory file.
    fn write_chunks(&self, chunks: &[Chunk], write: impl FnOnce(Source<'_>) -> io::Result<usize>) -> io::Result<usize> {
        let location = |chunk: &Chunk| match &chunk.part {
            Part::Lines(_, slice) => slice.file_location().is_some(),
            Part::Urgent | Part::Insertion(_) => false,
        };
        if let [Chunk { part: Part::Lines(_, slice), .. }, ..] = chunks
            && let Some((file, offset)) = slice.file_location()
        {
            return write(Source::File(file, offset, slice.bytes()));
        }
        let in_memory = chunks.iter().take_while(|chunk| !location(chunk));
        let slices: SmallVec<[_; CHUNKS_INLINE]> = in_memory.map(|chunk| IoSlice::new(self.bytes(chunk))).collect();
        write(Source::Memory(&slices))
    }

    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        match &chunk.part {
            Part::Urgent => &self.urgent,
            Part::Insertion(written) => &self.insertions[chunk.passed].text[*written..],
            Part::Lines(_, slice) => slice.bytes(),
        }
    }

    /// Advances by `bytes` bytes of the plan, and past insertions that are empty.
    fn advance(&mut self, plan: &Plan, mut bytes: usize, mailbox: &Mailbox) {
        let mut passed = 0;
        for (index, chunk) in plan.chunks.iter().enumerate() {
            if bytes == 0 {
                return mailbox.record_unread_turn(first_turn(&plan.chunks[index..]).unwrap_or(plan.unread_turn));
            }
            self.pass_insertions(&mut passed, chunk.passed, mailbox);
            let length = self.bytes_of_front(chunk);
            let written = bytes.min(length);
            bytes -= written;
            match &chunk.part {
                Part::Urgent => {
                    self.urgent = self.urgent[written..].into();
                    mailbox.uncount_urgent(written);
                }
                Part::Insertion(_) => passed += usize::from(self.advance_in_insertion(written, length, mailbox)),
                Part::Lines(slot, slice) => self.advance_in_log(*slot, slice, written, bytes == 0),
            }
            if written < length {
                return mailbox.record_unread_turn(first_turn(&plan.chunks[index..]).unwrap_or(plan.unread_turn));
            }
        }
        self.pass_insertions(&mut passed, plan.passed, mailbox);
        mailbox.record_unread_turn(plan.unread_turn);
    }

    /// Length of a chunk, after all insertions before it are passed.
    fn bytes_of_front(&self, chunk: &Chunk) -> usize {
        match &chunk.part {
            Part::Urgent => self.urgent.len(),
            Part::Insertion(written) => self.insertions.front().map_or(0, |insertion| insertion.text.len() - written),
            Part::Lines(_, slice) => slice.bytes().len(),
        }
    }

    /// Advances by `written` of the first insertion's `length` unsent bytes. Returns whether it is passed.
    fn advance_in_insertion(&mut self, written: usize, length: usize, mailbox: &Mailbox) -> bool {
        self.set_rest_of_line(&[]);
        let Some(insertion) = self.insertions.front_mut() else { return false };
        insertion.turn = Turn::ZERO;
        if written < length {
            self.written += written;
            return false;
        }
        self.written = 0;
        insertion.fetch_next_page();
        let is_done = !insertion.has_more_pages();
        if is_done {
            self.pass_insertion(mailbox);
        }
        is_done
    }

    /// Advances in a log by `written` bytes of a slice. `is_last`: the write ends there.
    fn advance_in_log(&mut self, slot: usize, slice: &SegmentSlice, written: usize, is_last: bool) {
        self.logs[slot].offset += written as u64;
        self.torn = None;
        if !is_last && (self.logs.len() == 1 || !slice.ends_segment()) {
            // More lines of this log follow, or an insertion: these set the last message.
            return;
        }
        let last_message = slice.last_message(written);
        if let Some((id, _)) = last_message {
            self.logs[slot].last_message = id;
        }
        self.set_rest_of_line(last_message.map_or(&[], |(_, rest)| rest));
        if !slice.bytes()[..written].ends_with(b"\n") {
            self.torn = u16::try_from(slot).ok();
        }
    }

    fn pass_insertions(&mut self, passed: &mut usize, until: usize, mailbox: &Mailbox) {
        while *passed < until {
            self.pass_insertion(mailbox);
            *passed += 1;
        }
    }

    /// Removes the first insertion, whose text is written, and makes its move.
    fn pass_insertion(&mut self, mailbox: &Mailbox) {
        let Some(insertion) = self.insertions.pop_front() else { return };
        mailbox.uncount_insertion(&insertion);
        if self.insertions.is_empty() {
            // Frees the queue's memory: most connections are idle.
            self.insertions = VecDeque::new();
        }
        let mut slot = None;
        if let Some(at) = insertion.at {
            slot = self.logs.iter().position(|log| log.log.id == at.log);
            if let Some(slot) = slot {
                self.logs[slot].last_message = at.last_message;
            }
        }
        match (insertion.next, slot) {
            (CursorMove::SkipTo(position), Some(slot)) => self.logs[slot].skip_to(position),
            (CursorMove::Enter(entry), _) => self.logs.push(LogCursor::new(*entry)),
            (CursorMove::Switch(entry), Some(slot)) => {
                let entered = LogCursor::new(*entry);
                self.replace_catching_up(self.logs[slot].log.id, Some(entered.log.id));
                self.logs[slot] = entered;
            }
            (CursorMove::Leave, Some(slot)) => {
                self.replace_catching_up(self.logs[slot].log.id, None);
                self.logs.remove(slot);
            }
            _ => {}
        }
    }

    /// After [`Progress::Evicted`]: reads the missed messages of a room, up to its next private line or the current end of its log, from
    /// `source`. Before them, the cursor writes the rest of a partly written line and the lines that `lead` adds; `lead` is called only
    /// when catching up begins in this room.
    pub fn catch_up(
        &mut self,
        feed: &Feed,
        mailbox: &Mailbox,
        lead: impl FnOnce(&MissedMessages, &mut Vec<u8>),
        source: impl FnOnce(MissedMessages) -> Box<dyn PageSource>,
    ) {
        let Some(slot) = find_evicted(self) else { return };
        let log = Arc::clone(&self.logs[slot].log);
        // As in `drain_mailbox`: all insertions before this end are loaded.
        let end = mailbox.with_state(|state| {
            let end = log.end_position();
            self.drain_mailbox(feed, state);
            end
        });
        let position = self.logs[slot].position();
        let mut pinned = self.insertions.iter().filter_map(|insertion| insertion.at);
        let resume_at = pinned.find(|at| at.log == log.id).unwrap_or(end);
        let missed = MissedMessages {
            room: log.room,
            room_name: log.room_name.clone(),
            dialect: log.dialect,
            after: position.last_message,
            until: resume_at.last_message,
        };
        self.torn = None;
        let state = self.catch_up.get_or_insert_default();
        let mut text = std::mem::take(&mut state.rest_of_line);
        if !state.logs.contains(&log.id) {
            state.logs.push(log.id);
            lead(&missed, &mut text);
        }
        // Costs 0 bytes: the client did not ask for these lines, so they must not delay its commands.
        let pages = InsertionText::Pages { source: source(missed), page: None, state: PagesState::Open, bytes: 0 };
        self.push_front(position, pages, CursorMove::SkipTo(resume_at), mailbox);
        if !text.is_empty() {
            self.push_front(position, InsertionText::Own(text), CursorMove::Stay, mailbox);
        }
    }

    /// Inserts text before everything else. `at` is the current position in a log.
    fn push_front(&mut self, at: Position, text: InsertionText, next: CursorMove, mailbox: &Mailbox) {
        let insertion = Insertion { turn: Turn::ZERO, at: Some(at), text, next, whisper_bytes: 0 };
        mailbox.count_insertion(&insertion);
        self.insertions.push_front(insertion);
    }

    /// The room of a log of which the cursor has read all missed messages, and whose position is retained again.
    fn end_catch_up(&mut self) -> Option<RoomId> {
        let state = self.catch_up.as_mut()?;
        let is_back = |log: &&LogCursor| state.logs.contains(&log.log.id) && log.log.retains(log.offset);
        let log = self.logs.iter().find(is_back)?;
        let room = log.log.room;
        state.logs.retain(|id| *id != log.log.id);
        self.drop_unused_catch_up();
        Some(room)
    }

    /// The cursor leaves a log. If it was catching up there, it goes on in the log that replaces it.
    fn replace_catching_up(&mut self, left: LogId, replacement: Option<LogId>) {
        let Some(state) = &mut self.catch_up else { return };
        if let Some(index) = state.logs.iter().position(|log| *log == left) {
            state.logs.splice(index..=index, replacement);
        }
        self.drop_unused_catch_up();
    }

    fn set_rest_of_line(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.catch_up.get_or_insert_default().rest_of_line = rest.into();
        } else if let Some(state) = &mut self.catch_up {
            state.rest_of_line = Vec::new();
            self.drop_unused_catch_up();
        }
    }

    fn drop_unused_catch_up(&mut self) {
        self.catch_up.take_if(|state| state.rest_of_line.is_empty() && state.logs.is_empty());
    }
}

impl LogCursor {
    fn new(LogEntry { log, position }: LogEntry) -> Self {
        Self { log, offset: position.offset, last_message: position.last_message }
    }

    fn position(&self) -> Position {
        Position { log: self.log.id, offset: self.offset, last_message: self.last_message }
    }

    fn skip_to(&mut self, Position { offset, last_message, .. }: Position) {
        (self.offset, self.last_message) = (offset, last_message);
    }
}

/// The turn of the first lines of a log in these chunks.
fn first_turn(chunks: &[Chunk]) -> Option<Turn> {
    chunks.iter().find_map(|chunk| match &chunk.part {
        Part::Lines(_, slice) => Some(slice.turn()),
        Part::Urgent | Part::Insertion(_) => None,
    })
}
