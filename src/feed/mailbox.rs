//! Where the hub leaves what is for one connection, and the two agree on how far they are.

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

/// The mailbox of one connection. The hub puts in, the connection takes out; neither ever waits for the other.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<MailboxState>,
    backlog: Arc<Backlog>,
    /// Bytes of private lines not yet written, with their overhead, and urgent bytes.
    waiting_bytes: AtomicUsize,
    /// The part of them that only this mailbox keeps: without shared lines and store queries. Counted in `backlog`.
    own_bytes: AtomicUsize,
    /// The part of them that the connection did not ask for: whispers.
    whisper_bytes: AtomicUsize,
    /// Lines of the connection that were carried out or refused.
    answered: AtomicU64,
    /// Where the connection's cursor is, packed by [`pack`], for the hub to see who fell off.
    reached: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct MailboxState {
    /// In the order of their positions.
    pub(super) insertions: VecDeque<Insertion>,
    /// The lines of each insertion with shared lines that is not yet written, also after the cursor took the insertion.
    #[expect(
        clippy::box_collection,
        reason = "most mailboxes hold none: a pointer takes a quarter of the memory of an empty queue"
    )]
    shared: Option<Box<VecDeque<Arc<SharedLines>>>>,
    /// Bytes to send before anything else, outside of any line.
    pub(super) urgent: Vec<u8>,
    /// Unless it is open, nothing comes after the last insertion.
    pub(super) lifecycle: Lifecycle,
    /// The connection is to be woken when more is published.
    pub(super) is_awaiting: bool,
    pub(super) waker: Option<Waker>,
    mode: Mode,
}

/// When the cursor comes to `at`, it says `text` and goes on from `then`.
///
/// `then` is further on if the text stands for the connection's own event; in another dialect's rendering if the dialect
/// changes; somewhere at all (from nowhere) on joining.
#[derive(Debug)]
pub(super) struct Insertion {
    pub(super) at: Option<Position>,
    pub(super) text: InsertionText,
    pub(super) then: Option<Position>,
    /// What of the cost was not asked for. `whisper_bytes <= cost()`.
    pub(super) whisper_bytes: usize,
}

#[derive(Debug)]
pub(super) enum InsertionText {
    Own(Vec<u8>),
    /// A part of lines that several mailboxes hold.
    Shared(Arc<SharedLines>, Range<u32>),
    /// This piece of it is there, and more comes unless the source has ended.
    Pages {
        source: Box<dyn PageSource>,
        page: Option<Vec<u8>>,
        state: PagesState,
        /// What it counts.
        bytes: usize,
    },
}

/// How far a fetching is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagesState {
    Open,
    Ended,
    /// There is more, but it cannot be had.
    Failed,
}

/// Text that is rendered piece by piece, while the client reads it. The connection's task renders it without holding a lock of the feed
/// or of the mailbox.
pub trait PageSource: Debug + Send {
    /// Returns the next piece. After [`NextPage::NotYet`] the source wakes the connection once there is one.
    fn next(&mut self) -> NextPage;
}

/// Result of [`PageSource::next`].
#[derive(Debug)]
pub enum NextPage {
    /// The next piece, which is not empty.
    Text(Vec<u8>),
    /// The next piece is not ready.
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
    /// Whether more comes than is there.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.text, InsertionText::Pages { state: PagesState::Open | PagesState::Failed, .. })
    }

    /// Whether more should come, and cannot.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.text, InsertionText::Pages { page: None, state: PagesState::Failed, .. })
    }

    /// Fetches what it says next, if nothing is there.
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

    /// The same when all of what is there was said.
    pub(super) fn fetch_next_page(&mut self) {
        if let InsertionText::Pages { page, .. } = &mut self.text {
            *page = None;
        }
        self.fetch_page();
    }

    /// What it adds to the bytes that wait for the connection.
    pub(super) fn cost(&self) -> usize {
        let bytes = match &self.text {
            InsertionText::Pages { bytes, .. } => *bytes,
            text => text.len(),
        };
        bytes + INSERTION_OVERHEAD_BYTES
    }

    /// The part of it that only this mailbox keeps.
    fn own_cost(&self) -> usize {
        match &self.text {
            InsertionText::Own(text) => text.len() + INSERTION_OVERHEAD_BYTES,
            InsertionText::Shared(..) | InsertionText::Pages { .. } => INSERTION_OVERHEAD_BYTES,
        }
    }
}

impl Default for Mailbox {
    /// An empty one, whose lines are no other mailbox's backlog.
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.discard();
    }
}

/// The hub's side.
impl Mailbox {
    /// An empty one, whose lines count as this backlog.
    pub fn new(backlog: &Arc<Backlog>) -> Self {
        Self {
            state: Mutex::default(),
            backlog: Arc::clone(backlog),
            waiting_bytes: AtomicUsize::new(0),
            own_bytes: AtomicUsize::new(0),
            whisper_bytes: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            reached: AtomicU64::new(pack(None)),
        }
    }

    /// Leaves private lines, written by `write`, to be read at the position `at`; the cursor goes on from `then`. After
    /// [`Mailbox::close`] it does nothing. Returns how many bytes were written.
    pub fn insert(&self, at: Option<Position>, then: Option<Position>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push(at, then, false, write)
    }

    /// The same for a line that the connection did not ask for.
    pub fn insert_whisper(&self, at: Option<Position>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push(at, at, true, write)
    }

    /// The same for a stretch of lines that several connections are to read, and that are kept once for all of them.
    pub fn insert_shared(&self, at: Option<Position>, text: Arc<SharedLines>, range: Range<u32>) {
        self.insert_text(at, InsertionText::Shared(text, range));
    }

    /// The same for lines that are fetched when the connection comes to them.
    pub fn insert_pages(&self, at: Option<Position>, source: Box<dyn PageSource>) {
        let text = InsertionText::Pages { source, page: None, state: PagesState::Open, bytes: QUERY_PAGE_BYTES };
        self.insert_text(at, text);
    }

    fn insert_text(&self, at: Option<Position>, text: InsertionText) {
        let mut state = lock(&self.state);
        if state.lifecycle == Lifecycle::Open {
            let insertion = Insertion { at, text, then: at, whisper_bytes: 0 };
            self.count_insertion(&insertion);
            if let InsertionText::Shared(lines, _) = &insertion.text {
                state.shared.get_or_insert_default().push_back(Arc::clone(lines));
            }
            state.insertions.push_back(insertion);
        }
    }

    fn push(
        &self,
        at: Option<Position>,
        then: Option<Position>,
        unasked: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let mut state = lock(&self.state);
        if state.lifecycle != Lifecycle::Open {
            return 0;
        }
        let (bytes, cost) = match state.insertions.back_mut() {
            // The cursor comes from the last insertion straight to this one: they are one.
            Some(Insertion { text: InsertionText::Own(text), then: last_then, whisper_bytes, .. })
                if *last_then == at =>
            {
                let before = text.len();
                write(text);
                *last_then = then;
                let bytes = text.len() - before;
                *whisper_bytes += if unasked { bytes } else { 0 };
                (bytes, bytes)
            }
            _ => {
                let mut text = Vec::new();
                write(&mut text);
                let bytes = text.len();
                let mut insertion = Insertion { at, text: InsertionText::Own(text), then, whisper_bytes: 0 };
                insertion.whisper_bytes = if unasked { insertion.cost() } else { 0 };
                let cost = insertion.cost();
                state.insertions.push_back(insertion);
                (bytes, cost)
            }
        };
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.keep(cost);
        if unasked {
            self.whisper_bytes.fetch_add(cost, Ordering::Relaxed);
        }
        bytes
    }

    /// Nothing comes after the position `at`.
    pub fn close(&self, at: Option<Position>, reason: CloseReason) {
        self.insert(at, at, |_| {});
        lock(&self.state).lifecycle.close(reason);
    }

    /// The session gives up the connection, after [`Mailbox::close`].
    pub fn end(&self) {
        lock(&self.state).lifecycle.end();
    }

    /// How the connection's next lines are to be read.
    pub fn set_mode(&self, mode: Mode) {
        lock(&self.state).mode = mode;
    }

    /// One more of the connection's lines was carried out or refused.
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

    /// Wakes the connection if it awaits what is published; one that is stuck is left alone.
    pub fn wake_awaiting(&self) {
        let waker = {
            let mut state = lock(&self.state);
            if std::mem::take(&mut state.is_awaiting) { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes of whispers that wait, with what they cost beside their text.
    pub fn whisper_bytes(&self) -> usize {
        self.whisper_bytes.load(Ordering::Relaxed)
    }

    /// Memory that only this mailbox keeps, in bytes. `shared` gets the lines that it holds together with other mailboxes, some of them
    /// several times.
    pub fn holdings(&self, shared: impl FnMut(&Arc<SharedLines>)) -> usize {
        lock(&self.state).shared.iter().flat_map(|lines| lines.iter()).for_each(shared);
        self.own_bytes.load(Ordering::Relaxed)
    }

    /// Where the connection's cursor is: so many bytes into this dialect.
    pub fn reached(&self) -> Option<(Dialect, u64)> {
        unpack(self.reached.load(Ordering::Relaxed))
    }
}

/// The connection's side.
impl Mailbox {
    /// Asks to be woken when something changes. To be called before looking.
    pub fn register(&self, waker: &Waker) {
        lock(&self.state).register(waker);
    }

    /// Bytes to be sent as soon as may be, outside of any line.
    pub fn push_urgent(&self, bytes: &[u8]) {
        lock(&self.state).urgent.extend_from_slice(bytes);
        self.waiting_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        self.keep(bytes.len());
        self.wake();
    }

    /// Bytes that wait for this connection alone, with what they cost beside their text.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Lines that were carried out or refused.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// The state of the connection.
    pub fn lifecycle(&self) -> Lifecycle {
        lock(&self.state).lifecycle
    }

    /// How the connection's lines are read, as of the last line answered.
    pub fn mode(&self) -> Mode {
        lock(&self.state).mode
    }

    pub(super) fn with_state<T>(&self, look: impl FnOnce(&mut MailboxState) -> T) -> T {
        look(&mut lock(&self.state))
    }

    /// Drops all lines that are not yet written. The cursor must be dropped before.
    pub fn discard(&self) {
        let mut state = lock(&self.state);
        state.insertions = VecDeque::new();
        state.shared = None;
        self.backlog.subtract(self.own_bytes.swap(0, Ordering::Relaxed));
    }

    pub(super) fn count_insertion(&self, insertion: &Insertion) {
        self.waiting_bytes.fetch_add(insertion.cost(), Ordering::Relaxed);
        self.keep(insertion.own_cost());
    }

    pub(super) fn wrote_insertion(&self, insertion: &Insertion) {
        self.waiting_bytes.fetch_sub(insertion.cost(), Ordering::Relaxed);
        if insertion.whisper_bytes > 0 {
            self.whisper_bytes.fetch_sub(insertion.whisper_bytes, Ordering::Relaxed);
        }
        self.free(insertion.own_cost());
        if let InsertionText::Shared(..) = insertion.text {
            // Shared lines are written in the order in which they were pinned.
            let mut state = lock(&self.state);
            let lines = state.shared.as_mut().and_then(|lines| lines.pop_front());
            if state.shared.as_ref().is_some_and(|lines| lines.is_empty()) {
                state.shared = None;
            }
            drop((state, lines));
        }
    }

    pub(super) fn wrote_urgent(&self, bytes: usize) {
        if bytes > 0 {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.free(bytes);
        }
    }

    fn keep(&self, bytes: usize) {
        self.own_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.backlog.add(bytes);
    }

    fn free(&self, bytes: usize) {
        self.own_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.backlog.subtract(bytes);
    }

    pub(super) fn reach(&self, position: Option<Position>) {
        self.reached.store(pack(position), Ordering::Relaxed);
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

/// A position as one number: offset and dialect. No server publishes the 2^62 bytes that would not fit.
fn pack(position: Option<Position>) -> u64 {
    position.map_or(NOWHERE, |Position { dialect, offset, .. }| offset * DIALECTS as u64 + dialect.index() as u64)
}

fn unpack(packed: u64) -> Option<(Dialect, u64)> {
    let index = usize::try_from(packed % DIALECTS as u64).ok()?;
    (packed != NOWHERE).then(|| (Dialect::ALL[index], packed / DIALECTS as u64))
}
