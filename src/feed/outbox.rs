//! Where the hub leaves what is for one connection, and the two agree on how far they are.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::{Backlog, Place, SharedLines, lock};
use crate::limits::{PIN_OVERHEAD_BYTES, QUERY_PAGE_BYTES};
use crate::protocol::{CloseReason, DIALECTS, Dialect, Mode};
use crate::session::Lifecycle;

/// The mailbox of one connection. The hub puts in, the connection takes out; neither ever waits for the other.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    backlog: Arc<Backlog>,
    /// Bytes of private lines not yet written, with their overhead, and urgent bytes.
    waiting_bytes: AtomicUsize,
    /// The part of them that only this mailbox keeps: without shared lines and store queries. Counted in `backlog`.
    own_bytes: AtomicUsize,
    /// The part of them that the connection did not ask for: whispers.
    unasked_bytes: AtomicUsize,
    /// Lines of the connection that were carried out or refused.
    answered: AtomicU64,
    /// Where the connection's cursor is, packed by [`pack`], for the hub to see who fell off.
    reached: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// In the order of their places.
    pub(super) pins: VecDeque<Pin>,
    /// The lines of each pin with shared lines that is not yet written, also after the cursor took the pin.
    #[expect(
        clippy::box_collection,
        reason = "most mailboxes hold none: a pointer takes a quarter of the memory of an empty queue"
    )]
    shared: Option<Box<VecDeque<Arc<SharedLines>>>>,
    /// Bytes to send before anything else, outside of any line.
    pub(super) urgent: Vec<u8>,
    /// Unless it is open, nothing comes after the last pin.
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
pub(super) struct Pin {
    pub(super) at: Option<Place>,
    pub(super) text: PinText,
    pub(super) then: Option<Place>,
    /// What of the cost was not asked for. `unasked_bytes <= cost()`.
    pub(super) unasked_bytes: usize,
}

#[derive(Debug)]
pub(super) enum PinText {
    Own(Vec<u8>),
    /// A part of lines that several mailboxes hold.
    Shared(Arc<SharedLines>, Range<u32>),
    /// This piece of it is there, and more comes unless the source has ended.
    Fetched {
        source: Box<dyn Pieces>,
        piece: Option<Vec<u8>>,
        state: Fetching,
        /// What it counts.
        bytes: usize,
    },
}

/// How far a fetching is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetching {
    Open,
    Ended,
    /// There is more, but it cannot be had.
    Failed,
}

/// Text that is rendered piece by piece, while the client reads it. The connection's task renders it without holding a lock of the feed
/// or of the outbox.
pub trait Pieces: Debug + Send {
    /// Returns the next piece. After [`Next::NotYet`] the source wakes the connection once there is one.
    fn next(&mut self) -> Next;
}

/// Result of [`Pieces::next`].
#[derive(Debug)]
pub enum Next {
    /// The next piece, which is not empty.
    Text(Vec<u8>),
    /// The next piece is not ready.
    NotYet,
    /// The text is complete.
    End,
    /// The rest of the text cannot be read.
    Failed,
}

impl Deref for PinText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(text) => text,
            Self::Fetched { piece, .. } => piece.as_deref().unwrap_or_default(),
            Self::Shared(text, range) => &text[range.start as usize..range.end as usize],
        }
    }
}

impl Pin {
    /// Whether more comes than is there.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.text, PinText::Fetched { state: Fetching::Open | Fetching::Failed, .. })
    }

    /// Whether more should come, and cannot.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.text, PinText::Fetched { piece: None, state: Fetching::Failed, .. })
    }

    /// Fetches what it says next, if nothing is there.
    pub(super) fn fetch(&mut self) {
        if let PinText::Fetched { source, piece: piece @ None, state: state @ Fetching::Open, .. } = &mut self.text {
            match source.next() {
                Next::Text(text) => *piece = Some(text),
                Next::NotYet => {}
                Next::End => *state = Fetching::Ended,
                Next::Failed => *state = Fetching::Failed,
            }
        }
    }

    /// The same when all of what is there was said.
    pub(super) fn fetch_next(&mut self) {
        if let PinText::Fetched { piece, .. } = &mut self.text {
            *piece = None;
        }
        self.fetch();
    }

    /// What it adds to the bytes that wait for the connection.
    pub(super) fn cost(&self) -> usize {
        let bytes = match &self.text {
            PinText::Fetched { bytes, .. } => *bytes,
            text => text.len(),
        };
        bytes + PIN_OVERHEAD_BYTES
    }

    /// The part of it that only this mailbox keeps.
    fn own_cost(&self) -> usize {
        match &self.text {
            PinText::Own(text) => text.len() + PIN_OVERHEAD_BYTES,
            PinText::Shared(..) | PinText::Fetched { .. } => PIN_OVERHEAD_BYTES,
        }
    }
}

impl Default for Outbox {
    /// An empty one, whose lines are no other mailbox's backlog.
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.discard();
    }
}

/// The hub's side.
impl Outbox {
    /// An empty one, whose lines count as this backlog.
    pub fn new(backlog: &Arc<Backlog>) -> Self {
        Self {
            state: Mutex::default(),
            backlog: Arc::clone(backlog),
            waiting_bytes: AtomicUsize::new(0),
            own_bytes: AtomicUsize::new(0),
            unasked_bytes: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            reached: AtomicU64::new(pack(None)),
        }
    }

    /// Leaves private lines, written by `write`, to be read at the place `at`; the cursor goes on from `then`. After
    /// [`Outbox::close`] it does nothing. Returns how many bytes were written.
    pub fn pin(&self, at: Option<Place>, then: Option<Place>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push(at, then, false, write)
    }

    /// The same for a line that the connection did not ask for.
    pub fn pin_unasked(&self, at: Option<Place>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.push(at, at, true, write)
    }

    /// The same for a stretch of lines that several connections are to read, and that are kept once for all of them.
    pub fn pin_shared(&self, at: Option<Place>, text: Arc<SharedLines>, range: Range<u32>) {
        self.pin_text(at, PinText::Shared(text, range));
    }

    /// The same for lines that are fetched when the connection comes to them.
    pub fn pin_fetched(&self, at: Option<Place>, source: Box<dyn Pieces>) {
        let text = PinText::Fetched { source, piece: None, state: Fetching::Open, bytes: QUERY_PAGE_BYTES };
        self.pin_text(at, text);
    }

    fn pin_text(&self, at: Option<Place>, text: PinText) {
        let mut state = lock(&self.state);
        if state.lifecycle == Lifecycle::Open {
            let pin = Pin { at, text, then: at, unasked_bytes: 0 };
            self.count_pin(&pin);
            if let PinText::Shared(lines, _) = &pin.text {
                state.shared.get_or_insert_default().push_back(Arc::clone(lines));
            }
            state.pins.push_back(pin);
        }
    }

    fn push(&self, at: Option<Place>, then: Option<Place>, unasked: bool, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut state = lock(&self.state);
        if state.lifecycle != Lifecycle::Open {
            return 0;
        }
        let (bytes, cost) = match state.pins.back_mut() {
            // The cursor comes from the last pin straight to this one: they are one.
            Some(Pin { text: PinText::Own(text), then: last_then, unasked_bytes, .. }) if *last_then == at => {
                let before = text.len();
                write(text);
                *last_then = then;
                let bytes = text.len() - before;
                *unasked_bytes += if unasked { bytes } else { 0 };
                (bytes, bytes)
            }
            _ => {
                let mut text = Vec::new();
                write(&mut text);
                let bytes = text.len();
                let mut pin = Pin { at, text: PinText::Own(text), then, unasked_bytes: 0 };
                pin.unasked_bytes = if unasked { pin.cost() } else { 0 };
                let cost = pin.cost();
                state.pins.push_back(pin);
                (bytes, cost)
            }
        };
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.keep(cost);
        if unasked {
            self.unasked_bytes.fetch_add(cost, Ordering::Relaxed);
        }
        bytes
    }

    /// Nothing comes after the place `at`.
    pub fn close(&self, at: Option<Place>, reason: CloseReason) {
        self.pin(at, at, |_| {});
        lock(&self.state).lifecycle.close(reason);
    }

    /// The session gives up the connection, after [`Outbox::close`].
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
    pub fn unasked_bytes(&self) -> usize {
        self.unasked_bytes.load(Ordering::Relaxed)
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
impl Outbox {
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

    pub(super) fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut lock(&self.state))
    }

    /// Drops all lines that are not yet written. The cursor must be dropped before.
    pub fn discard(&self) {
        let mut state = lock(&self.state);
        state.pins = VecDeque::new();
        state.shared = None;
        self.backlog.subtract(self.own_bytes.swap(0, Ordering::Relaxed));
    }

    pub(super) fn count_pin(&self, pin: &Pin) {
        self.waiting_bytes.fetch_add(pin.cost(), Ordering::Relaxed);
        self.keep(pin.own_cost());
    }

    pub(super) fn wrote_pin(&self, pin: &Pin) {
        self.waiting_bytes.fetch_sub(pin.cost(), Ordering::Relaxed);
        if pin.unasked_bytes > 0 {
            self.unasked_bytes.fetch_sub(pin.unasked_bytes, Ordering::Relaxed);
        }
        self.free(pin.own_cost());
        if let PinText::Shared(..) = pin.text {
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

    pub(super) fn reach(&self, place: Option<Place>) {
        self.reached.store(pack(place), Ordering::Relaxed);
    }
}

impl State {
    pub(super) fn register(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }
}

const NOWHERE: u64 = u64::MAX;

/// A place as one number: offset and dialect. No server publishes the 2^62 bytes that would not fit.
fn pack(place: Option<Place>) -> u64 {
    place.map_or(NOWHERE, |Place { dialect, offset, .. }| offset * DIALECTS as u64 + dialect.index() as u64)
}

fn unpack(packed: u64) -> Option<(Dialect, u64)> {
    let index = usize::try_from(packed % DIALECTS as u64).ok()?;
    (packed != NOWHERE).then(|| (Dialect::ALL[index], packed / DIALECTS as u64))
}
