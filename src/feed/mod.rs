//! A room is a set of logs, and a connection is a cursor.
//!
//! A log holds the events of one room, rendered once in one dialect. Only the dialects that a room's followers use have one.
//! A connection keeps no copy of what it will receive, only a [`Cursor`]: a position in the log of each room that it follows. Lines for
//! one connection (replies, whispers) wait in its [`Mailbox`], inserted at the [`Position`] at which they happened. So private lines keep
//! their place in the order, a client reads the acknowledgement of its own event in place of the event, and joining, leaving and changes
//! of the dialect happen at an exact position.
//!
//! **One order over all rooms.** The hub works in turns. The [`Publisher`] appends at most one segment to each log in a turn, stamped with
//! the [`Turn`]; then it stores the turn in `Feed::published`; then it wakes the followers. A cursor reads no later turn than the one
//! that was published when it last emptied its mailbox, so it has all insertions of the turns that it reads. It merges its logs by these
//! rules (`plan`), where the first insertion has turn `t` and is pinned to log `l` at offset `o`:
//!
//! 1. Segments of earlier turns than `t` come first, by turn; in one turn, the room that the connection has followed for longest.
//! 2. Then comes log `l`, up to `o`; then the text of the insertion; then the cursor does what the insertion says ([`CursorMove`]).
//! 3. Without an insertion, segments come by turn.
//! 4. A line that was written in part is completed before anything else.
//!
//! So each room keeps its order, a private line keeps its place in its room, replies come in the order of their commands in whatever rooms,
//! and nothing overtakes an event of an earlier turn. A connection that follows one log reads it from insertion to insertion, and compares
//! no turns.
//!
//! **Eviction.** The publisher has one queue of all segments of all logs, and evicts the oldest turn first: one limit bounds all rooms, and
//! a slow consumer is slow in all of its rooms. The segments of the newest turn are never evicted. A log without followers vanishes; cursors
//! that have not left it yet still read its segments.
//!
//! Pure, except for locks, atomics, wakers and the memory file in `memory_file`. It does not write to sockets: [`Cursor::write`] calls a
//! function that does. It does not wait for readers.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod backlog;
mod cursor;
mod log;
mod mailbox;
mod memory_file;
mod plan;
mod publisher;
mod rendered;
mod source;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use backlog::{Backlog, SharedLines};
pub use cursor::{Cursor, MissedMessages, Progress};
pub use log::LogEntry;
pub use mailbox::{CursorMove, InsertionPoint, Mailbox, NextPage, PageSource};
pub use publisher::Publisher;
pub use source::Source;

use crate::protocol::MessageId;

/// The state that the publisher and the connections share, apart from the logs.
#[derive(Debug)]
pub struct Feed {
    /// The last turn of which all segments are appended.
    published: AtomicU64,
    /// Memory of the segments, in bytes.
    bytes: AtomicUsize,
    bytes_max: usize,
    backlog: Arc<Backlog>,
}

/// The number of a turn of the hub that published something: 1, 2, 3 and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// The number of a log, unique for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogId(NonZeroU64);

/// A position in a log. The hub uses positions between lines; a cursor can be within one.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The log.
    pub log: LogId,
    /// Bytes of the log before the position, since its start.
    pub offset: u64,
    /// The last message in the room before the position.
    pub last_message: MessageId,
}

impl PartialEq for Position {
    /// Log and offset determine `last_message`.
    fn eq(&self, other: &Self) -> bool {
        (self.log, self.offset) == (other.log, other.offset)
    }
}

impl Eq for Position {}

impl Turn {
    /// Before all turns.
    const ZERO: Self = Self(0);
    /// After all turns.
    const NEVER: Self = Self(u64::MAX);

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Feed {
    /// Creates a feed whose segments take at most `bytes_max` bytes, over all rooms and dialects.
    pub fn new(bytes_max: usize) -> Self {
        Self { published: AtomicU64::new(0), bytes: AtomicUsize::new(0), bytes_max, backlog: Arc::default() }
    }

    /// The counter of unread output, of which the segments are part.
    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Memory of the retained segments, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The feed size: the most bytes that the segments take.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The last turn of which all segments are appended.
    fn published(&self) -> Turn {
        Turn(self.published.load(Ordering::Acquire))
    }

    /// Counts the segments' memory, after it was `bytes_before`.
    fn set_bytes(&self, bytes: usize) {
        self.backlog.add(bytes);
        self.backlog.subtract(self.bytes.swap(bytes, Ordering::Relaxed));
    }

    fn set_published(&self, turn: Turn) {
        self.published.store(turn.0, Ordering::Release);
    }
}

/// Locks a mutex, even if a thread panicked while it held the lock: every critical section here leaves consistent
/// state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
