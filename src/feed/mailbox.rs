//! Lines for one connection: the hub inserts them, the connection's cursor writes them.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::mem;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::{Backlog, LogEntry, Position, SharedLines, Turn, lock};
use crate::limits::{INSERTION_OVERHEAD_BYTES, QUERY_PAGE_BYTES};
use crate::protocol::{CloseReason, Mode};
use crate::session::Lifecycle;

/// The lines for one connection only (replies, whispers), and the state that the hub and the connection exchange. Neither waits for the
/// other.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<MailboxState>,
    backlog: Arc<Backlog>,
    /// Bytes of private lines not yet written, with their overhead, and urgent bytes.
    waiting_bytes: AtomicUsize,
    /// The part of `waiting_bytes` that only this mailbox retains: without shared lines and store queries. Counted in `backlog`.
    own_bytes: AtomicUsize,
    /// The part of `waiting_bytes` that the client did not ask for: whispers.
    whisper_bytes: AtomicUsize,
    /// Number of the client's lines that were answered: run or refused.
    answered: AtomicU64,
    /// Number of rooms that the client follows.
    rooms: AtomicU32,
    /// [`Mailbox::unread_turn`].
    unread_turn: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct MailboxState {
    /// In the order in which the hub inserted them.
    pub(super) insertions: VecDeque<Insertion>,
    /// The lines of each insertion with shared lines that is not yet written, even after the cursor took the insertion.
    #[expect(
        clippy::box_collection,
        reason = "most mailboxes hold none: a pointer takes a quarter of the memory of an empty queue"
    )]
    shared: Option<Box<VecDeque<Arc<SharedLines>>>>,
    /// Bytes to send before everything else, outside of any line.
    pub(super) urgent: Vec<u8>,
    /// If it is not open, nothing comes after the last insertion.
    pub(super) lifecycle: Lifecycle,
    /// The hub wakes the connection when it appends to the feed.
    pub(super) awaits_feed: bool,
    pub(super) waker: Option<Waker>,
    mode: Mode,
}

/// Private text at its insertion point: a cursor that has reached it writes `text`, then makes a move.
#[derive(Debug)]
pub(super) struct Insertion {
    /// The segments of earlier turns come first, those of this turn in other logs do not. [`Turn::ZERO`] once the cursor has reached it:
    /// then nothing comes before the rest of the text.
    pub(super) turn: Turn,
    /// The position at which it is pinned. `None` if the client follows no log.
    pub(super) at: Option<Position>,
    pub(super) text: InsertionText,
    pub(super) next: CursorMove,
    /// The part of the cost that whispers cause. `whisper_bytes <= cost()`.
    pub(super) whisper_bytes: usize,
}

/// The move of a cursor after the text of an insertion.
#[derive(Debug)]
pub enum CursorMove {
    /// It continues where it is.
    Stay,
    /// It continues further on in the same log: the text replaces the client's own event.
    SkipTo(Position),
    /// It follows one more log.
    Enter(Box<LogEntry>),
    /// It follows another log in place of the log at which the text is pinned: the dialect changes.
    Switch(Box<LogEntry>),
    /// It leaves the log at which the text is pinned.
    Leave,
}

/// Where a line belongs in the order of one client's output.
#[derive(Clone, Copy, Debug)]
pub struct InsertionPoint {
    /// The current turn of the publisher.
    pub turn: Turn,
    /// The current position in the log of the room that the line is about, or of another room that the client follows. `None`: it
    /// follows none.
    pub at: Option<Position>,
    /// The client follows at most one log, so its turns make no difference.
    pub is_alone: bool,
}

#[derive(Debug)]
pub(super) enum InsertionText {
    Own(Vec<u8>),
    /// A part of lines that several mailboxes share.
    Shared(Arc<SharedLines>, Range<u32>),
    /// Text that comes in pages. `page` is the one to write now; more follow while `state` is open.
    Pages {
        source: Box<dyn PageSource>,
        page: Option<Vec<u8>>,
        state: PagesState,
        /// The bytes that it adds to `waiting_bytes`.
        bytes: usize,
    },
}

/// State of an insertion that comes in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagesState {
    Open,
    Ended,
    /// There are more pages, but the source cannot read them.
    Failed,
}

/// Text that is rendered in pages, while the client reads it. The connection's task renders it and holds no lock of the feed or of the
/// mailbox.
pub trait PageSource: Debug + Send {
    /// Returns the next page. After [`NextPage::NotYet`] the source wakes the connection when there is one.
    fn next(&mut self) -> NextPage;
}

/// Result of [`PageSource::next`].
#[derive(Debug)]
pub enum NextPage {
    /// The next page, which is not empty.
    Text(Vec<u8>),
    /// The next page is not ready.
    NotYet,
    /// The text is complete.
    End,
    /// The rest of the text cannot be read.
    Failed,
}

impl Deref for InsertionText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(text) => text,
            Self::Pages { page, .. } => page.as_deref().unwrap_or_default(),
            Self::Shared(text, range) => &text[range.start as usize..range.end as usize],
        }
    }
}

impl CursorMove {
    /// Adds a later move, of an insertion at the position to which this move leads. Returns it if the two cannot be one move.
    fn append(&mut self, later: Self) -> Result<(), Self> {
        match (&mut *self, later) {
            (_, Self::Stay) => {}
            (Self::Enter(entry) | Self::Switch(entry), Self::SkipTo(position)) => entry.position = position,
            (Self::Enter(entry), Self::Switch(other)) => *entry = other,
            (Self::Stay, later)
            | (Self::SkipTo(_), later @ (Self::SkipTo(_) | Self::Switch(_) | Self::Leave))
            | (Self::Switch(_), later @ (Self::Switch(_) | Self::Leave)) => *self = later,
            (_, later) => return Err(later),
        }
        Ok(())
    }
}

impl Insertion {
    /// Adds a move at the insertion point, if the insertion has own text and ends there. Otherwise returns the move.
    fn extend(&mut self, point: &InsertionPoint, later: CursorMove) -> Result<(), CursorMove> {
        let end = match &self.next {
            CursorMove::Stay => self.at,
            CursorMove::SkipTo(position) => Some(*position),
            CursorMove::Enter(entry) | CursorMove::Switch(entry) => Some(entry.position),
            CursorMove::Leave => return Err(later),
        };
        let is_near = self.turn == point.turn || point.is_alone;
        if end != point.at || !is_near || !matches!(self.text, InsertionText::Own(_)) {
            return Err(later);
        }
        self.next.append(later)
    }

    /// Whether more pages follow the loaded page.
    pub(super) fn has_more_pages(&self) -> bool {
        matches!(self.text, InsertionText::Pages { state: PagesState::Open | PagesState::Failed, .. })
    }

    /// Whether a page is missing because the source cannot read it.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.text, InsertionText::Pages { page: None, state: PagesState::Failed, .. })
    }

    /// Fetches the next page, if none is loaded. Returns whether anything has changed.
    pub(super) fn fetch_page(&mut self) -> bool {
        let InsertionText::Pages { source, page: page @ None, state: state @ PagesState::Open, .. } = &mut self.text
        else {
            return false;
        };
        match source.next() {
            NextPage::Text(text) => *page = Some(text),
            NextPage::NotYet => return false,
            NextPage::End => *state = PagesState::Ended,
            NextPage::Failed => *state = PagesState::Failed,
        }
        true
    }

    /// Drops the loaded page, which is written, and fetches the next one.
    pub(super) fn fetch_next_page(&mut self) {
        if let InsertionText::Pages { page, .. } = &mut self.text {
            *page = None;
        }
        self.fetch_page();
    }

    /// The bytes that it adds to `waiting_bytes`.
    pub(super) fn cost(&self) -> usize {
        let bytes = match &self.text {
            InsertionText::Pages { bytes, .. } => *bytes,
            text => text.len(),
        };
        bytes + INSERTION_OVERHEAD_BYTES
    }

    /// The part of the cost that only this mailbox retains.
    fn own_cost(&self) -> usize {
        match &self.text {
            InsertionText::Own(text) => text.len() + INSERTION_OVERHEAD_BYTES,
            InsertionText::Shared(..) | InsertionText::Pages { .. } => INSERTION_OVERHEAD_BYTES,
        }
    }
}

impl Default for Mailbox {
    /// Creates an empty mailbox with a [`Backlog`] of its own.
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.discard();
    }
}

/// Called by the hub.
impl Mailbox {
    /// Creates an empty mailbox whose lines count in `backlog`.
    pub fn new(backlog: &Arc<Backlog>) -> Self {
        Self {
            state: Mutex::default(),
            backlog: Arc::clone(backlog),
            waiting_bytes: AtomicUsize::new(0),
            own_bytes: AtomicUsize::new(0),
            whisper_bytes: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            rooms: AtomicU32::new(0),
            unread_turn: AtomicU64::new(Turn::ZERO.0),
        }
    }

    /// Inserts lines, written by `write`; the cursor then makes a move. Does nothing after [`Mailbox::close`]. Returns the
    /// number of bytes written.
    pub fn insert(&self, point: InsertionPoint, next: CursorMove, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push_own_text(point, next, false, write)
    }

    /// Inserts a whisper, or another line that the client did not ask for. Returns the number of bytes written.
    pub fn insert_whisper(&self, point: InsertionPoint, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push_own_text(point, CursorMove::Stay, true, write)
    }

    /// Inserts a range of lines that several mailboxes share.
    pub fn insert_shared(&self, point: InsertionPoint, text: Arc<SharedLines>, range: Range<u32>) {
        self.insert_text(point, InsertionText::Shared(text, range));
    }

    /// Inserts text that is rendered in pages when the cursor reaches it.
    pub fn insert_pages(&self, point: InsertionPoint, source: Box<dyn PageSource>) {
        let text = InsertionText::Pages { source, page: None, state: PagesState::Open, bytes: QUERY_PAGE_BYTES };
        self.insert_text(point, text);
    }

    fn insert_text(&self, point: InsertionPoint, text: InsertionText) {
        let mut state = lock(&self.state);
        if state.lifecycle == Lifecycle::Open {
            let insertion =
                Insertion { turn: point.turn, at: point.at, text, next: CursorMove::Stay, whisper_bytes: 0 };
            self.count_insertion(&insertion);
            if let InsertionText::Shared(lines, _) = &insertion.text {
                state.shared.get_or_insert_default().push_back(Arc::clone(lines));
            }
            state.insertions.push_back(insertion);
        }
    }

    fn push_own_text(
        &self,
        point: InsertionPoint,
        next: CursorMove,
        is_whisper: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let mut state = lock(&self.state);
        if state.lifecycle != Lifecycle::Open {
            return 0;
        }
        let separate = match state.insertions.back_mut() {
            Some(last) => last.extend(&point, next).err(),
            None => Some(next),
        };
        let is_new = separate.is_some();
        if let Some(next) = separate {
            let text = InsertionText::Own(Vec::new());
            state.insertions.push_back(Insertion { turn: point.turn, at: point.at, text, next, whisper_bytes: 0 });
        }
        let Some(Insertion { text: InsertionText::Own(text), whisper_bytes, .. }) = state.insertions.back_mut() else {
            return 0;
        };
        let before = text.len();
        write(text);
        let bytes = text.len() - before;
        let cost = bytes + if is_new { INSERTION_OVERHEAD_BYTES } else { 0 };
        if is_whisper {
            *whisper_bytes += cost;
            self.whisper_bytes.fetch_add(cost, Ordering::Relaxed);
        }
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.add_own_bytes(cost);
        bytes
    }

    /// Closes the mailbox: nothing comes after this point.
    pub fn close(&self, point: InsertionPoint, reason: CloseReason) {
        self.insert(point, CursorMove::Stay, |_| {});
        lock(&self.state).lifecycle.close(reason);
    }

    /// The session gives up the connection, after [`Mailbox::close`].
    pub fn end(&self) {
        lock(&self.state).lifecycle.end();
    }

    /// Sets how the client's next lines are read.
    pub fn set_mode(&self, mode: Mode) {
        lock(&self.state).mode = mode;
    }

    /// Sets the number of rooms that the client follows.
    pub fn set_rooms(&self, rooms: usize) {
        self.rooms.store(u32::try_from(rooms).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Counts one more of the client's lines as answered: run or refused.
    pub fn count_answered(&self) {
        self.answered.fetch_add(1, Ordering::Release);
    }

    /// Wakes the connection.
    pub fn wake(&self) {
        let waker = lock(&self.state).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes the connection if it waits for new data in the feed. A connection whose socket is full does not.
    pub fn wake_if_awaiting_feed(&self) {
        let waker = {
            let mut state = lock(&self.state);
            if mem::take(&mut state.awaits_feed) { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes of whispers not yet written, with their overhead.
    pub fn whisper_bytes(&self) -> usize {
        self.whisper_bytes.load(Ordering::Relaxed)
    }

    /// Memory that only this mailbox retains, in bytes. Calls `shared` for each use of lines that it shares with other mailboxes, so
    /// several times if they are inserted several times.
    pub fn measure_memory(&self, shared: impl FnMut(&Arc<SharedLines>)) -> usize {
        lock(&self.state).shared.iter().flat_map(|lines| lines.iter()).for_each(shared);
        self.own_bytes.load(Ordering::Relaxed)
    }

    /// The connection's cursor has read all segments of earlier turns, in the logs that it has entered. Late by one write at most: while
    /// the cursor writes, this is the first turn of the write.
    pub fn unread_turn(&self) -> Turn {
        Turn(self.unread_turn.load(Ordering::Relaxed))
    }
}

/// Called by the connection.
impl Mailbox {
    /// Registers the waker to call when something changes. Call it before looking for changes.
    pub fn register(&self, waker: &Waker) {
        lock(&self.state).register(waker);
    }

    /// Adds bytes to send before everything else, outside of any line.
    pub fn push_urgent(&self, bytes: &[u8]) {
        lock(&self.state).urgent.extend_from_slice(bytes);
        self.waiting_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        self.add_own_bytes(bytes.len());
        self.wake();
    }

    /// Bytes not yet written that are for this connection only, with their overhead.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Number of rooms that the client follows.
    pub fn rooms(&self) -> u32 {
        self.rooms.load(Ordering::Relaxed)
    }

    /// Number of the client's lines that were answered: run or refused.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// The state of the connection.
    pub fn lifecycle(&self) -> Lifecycle {
        lock(&self.state).lifecycle
    }

    /// How the client's lines are read, as of the last line that was answered.
    pub fn mode(&self) -> Mode {
        lock(&self.state).mode
    }

    pub(super) fn with_state<T>(&self, look: impl FnOnce(&mut MailboxState) -> T) -> T {
        look(&mut lock(&self.state))
    }

    /// Drops all lines that are not yet written. Drop the cursor first.
    pub fn discard(&self) {
        let mut state = lock(&self.state);
        state.insertions = VecDeque::new();
        state.shared = None;
        self.backlog.subtract(self.own_bytes.swap(0, Ordering::Relaxed));
    }

    pub(super) fn count_insertion(&self, insertion: &Insertion) {
        self.waiting_bytes.fetch_add(insertion.cost(), Ordering::Relaxed);
        self.add_own_bytes(insertion.own_cost());
    }

    pub(super) fn uncount_insertion(&self, insertion: &Insertion) {
        self.waiting_bytes.fetch_sub(insertion.cost(), Ordering::Relaxed);
        if insertion.whisper_bytes > 0 {
            self.whisper_bytes.fetch_sub(insertion.whisper_bytes, Ordering::Relaxed);
        }
        self.subtract_own_bytes(insertion.own_cost());
        if let InsertionText::Shared(..) = insertion.text {
            // Shared lines are written in the order in which they were inserted.
            let mut state = lock(&self.state);
            let lines = state.shared.as_mut().and_then(|lines| lines.pop_front());
            if state.shared.as_ref().is_some_and(|lines| lines.is_empty()) {
                state.shared = None;
            }
            drop((state, lines));
        }
    }

    pub(super) fn uncount_urgent(&self, bytes: usize) {
        if bytes > 0 {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.subtract_own_bytes(bytes);
        }
    }

    fn add_own_bytes(&self, bytes: usize) {
        self.own_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.backlog.add(bytes);
    }

    fn subtract_own_bytes(&self, bytes: usize) {
        self.own_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.backlog.subtract(bytes);
    }

    pub(super) fn record_unread_turn(&self, turn: Turn) {
        self.unread_turn.store(turn.0, Ordering::Relaxed);
    }
}

impl MailboxState {
    pub(super) fn register(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }
}
