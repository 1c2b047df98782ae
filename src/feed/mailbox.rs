//! Lines for one connection: the hub inserts them, the connection's cursor writes them.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::{Backlog, Position, SharedLines, lock};
use crate::limits::{INSERTION_OVERHEAD_BYTES, QUERY_PAGE_BYTES};
use crate::protocol::{CloseReason, DIALECTS, Dialect, Mode};
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
    /// Position of the connection's cursor, packed by [`pack`]: the hub finds slow consumers by it.
    cursor_offset: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct MailboxState {
    /// In the order of their positions.
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

/// Private text at a position in the feed: a cursor at `at` writes `text`, then continues at `resume_at`.
///
/// `resume_at` is further on if the text replaces the client's own event. It is in another dialect if the dialect changes. It is the
/// first position of all (and `at` is `None`) if the connection begins to read the feed.
#[derive(Debug)]
pub(super) struct Insertion {
    pub(super) at: Option<Position>,
    pub(super) text: InsertionText,
    pub(super) resume_at: Option<Position>,
    /// The part of the cost that whispers cause. `whisper_bytes <= cost()`.
    pub(super) whisper_bytes: usize,
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

impl Insertion {
    /// Whether more pages follow the loaded page.
    pub(super) fn has_more_pages(&self) -> bool {
        matches!(self.text, InsertionText::Pages { state: PagesState::Open | PagesState::Failed, .. })
    }

    /// Whether a page is missing because the source cannot read it.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.text, InsertionText::Pages { page: None, state: PagesState::Failed, .. })
    }

    /// Fetches the next page, if none is loaded.
    pub(super) fn fetch_page(&mut self) {
        if let InsertionText::Pages { source, page: page @ None, state: state @ PagesState::Open, .. } = &mut self.text
        {
            match source.next() {
                NextPage::Text(text) => *page = Some(text),
                NextPage::NotYet => {}
                NextPage::End => *state = PagesState::Ended,
                NextPage::Failed => *state = PagesState::Failed,
            }
        }
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
            cursor_offset: AtomicU64::new(pack(None)),
        }
    }

    /// Inserts lines, written by `write`, at the position `at`; the cursor continues at `resume_at`. Does nothing after
    /// [`Mailbox::close`]. Returns the number of bytes written.
    pub fn insert(&self, at: Option<Position>, resume_at: Option<Position>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push_own_text(at, resume_at, false, write)
    }

    /// Inserts a whisper, or another line that the client did not ask for, at the position `at`. Returns the number of bytes written.
    pub fn insert_whisper(&self, at: Option<Position>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push_own_text(at, at, true, write)
    }

    /// Inserts a range of lines that several mailboxes share, at the position `at`.
    pub fn insert_shared(&self, at: Option<Position>, text: Arc<SharedLines>, range: Range<u32>) {
        self.insert_text(at, InsertionText::Shared(text, range));
    }

    /// Inserts text that is rendered in pages when the cursor reaches the position `at`.
    pub fn insert_pages(&self, at: Option<Position>, source: Box<dyn PageSource>) {
        let text = InsertionText::Pages { source, page: None, state: PagesState::Open, bytes: QUERY_PAGE_BYTES };
        self.insert_text(at, text);
    }

    fn insert_text(&self, at: Option<Position>, text: InsertionText) {
        let mut state = lock(&self.state);
        if state.lifecycle == Lifecycle::Open {
            let insertion = Insertion { at, text, resume_at: at, whisper_bytes: 0 };
            self.count_insertion(&insertion);
            if let InsertionText::Shared(lines, _) = &insertion.text {
                state.shared.get_or_insert_default().push_back(Arc::clone(lines));
            }
            state.insertions.push_back(insertion);
        }
    }

    fn push_own_text(
        &self,
        at: Option<Position>,
        resume_at: Option<Position>,
        is_whisper: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let mut state = lock(&self.state);
        if state.lifecycle != Lifecycle::Open {
            return 0;
        }
        let (bytes, cost) = match state.insertions.back_mut() {
            // The last insertion ends where this one begins: append to it.
            Some(Insertion { text: InsertionText::Own(text), resume_at: last_resume_at, whisper_bytes, .. })
                if *last_resume_at == at =>
            {
                let before = text.len();
                write(text);
                *last_resume_at = resume_at;
                let bytes = text.len() - before;
                *whisper_bytes += if is_whisper { bytes } else { 0 };
                (bytes, bytes)
            }
            _ => {
                let mut text = Vec::new();
                write(&mut text);
                let bytes = text.len();
                let mut insertion = Insertion { at, text: InsertionText::Own(text), resume_at, whisper_bytes: 0 };
                insertion.whisper_bytes = if is_whisper { insertion.cost() } else { 0 };
                let cost = insertion.cost();
                state.insertions.push_back(insertion);
                (bytes, cost)
            }
        };
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.add_own_bytes(cost);
        if is_whisper {
            self.whisper_bytes.fetch_add(cost, Ordering::Relaxed);
        }
        bytes
    }

    /// Closes the mailbox: nothing comes after the position `at`.
    pub fn close(&self, at: Option<Position>, reason: CloseReason) {
        self.insert(at, at, |_| {});
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
            if std::mem::take(&mut state.awaits_feed) { state.waker.take() } else { None }
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

    /// Position of the connection's cursor: dialect and offset. `None` if it does not read the feed.
    pub fn cursor_offset(&self) -> Option<(Dialect, u64)> {
        unpack(self.cursor_offset.load(Ordering::Relaxed))
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

    pub(super) fn record_cursor(&self, position: Option<Position>) {
        self.cursor_offset.store(pack(position), Ordering::Relaxed);
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

const NOWHERE: u64 = u64::MAX;

/// Packs a position into one number: offset and dialect. No server publishes the 2^62 bytes that would not fit.
fn pack(position: Option<Position>) -> u64 {
    position.map_or(NOWHERE, |Position { dialect, offset, .. }| offset * DIALECTS as u64 + dialect.index() as u64)
}

fn unpack(packed: u64) -> Option<(Dialect, u64)> {
    let index = usize::try_from(packed % DIALECTS as u64).ok()?;
    (packed != NOWHERE).then(|| (Dialect::ALL[index], packed / DIALECTS as u64))
}
