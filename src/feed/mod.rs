//! The room is a log, and a connection is a cursor.
//!
//! Every event is appended to one shared log, the [`Feed`], rendered once for each dialect in use. A connection keeps no copy of what it
//! will receive, only a [`Cursor`]. Lines for one connection (replies, whispers) wait in its [`Mailbox`], inserted at the [`Position`] in
//! the feed at which they happened. So private lines keep their place in the order, a client reads the acknowledgement of its own event
//! in place of the event, and joining, leaving and changes of the dialect happen at an exact position.
//!
//! Pure, except for locks, atomics, wakers and the memory file in `memory_file`. It does not write to sockets: [`Cursor::write`] calls a
//! function that does. It does not wait for readers.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod backlog;
mod cursor;
mod log;
mod mailbox;
mod memory_file;
mod rendered;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use backlog::{Backlog, SharedLines};
pub use cursor::{Cursor, MissedMessages, Progress, Source};
pub use log::{AppendOutcome, Feed, SegmentBuilder};
pub use mailbox::{Mailbox, NextPage, PageSource};

use crate::protocol::{Dialect, MessageId};

/// A position in the feed's rendering in one dialect. The hub uses positions between lines; a cursor can be within one.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The dialect of the rendering.
    pub dialect: Dialect,
    /// Bytes of the rendering before the position, since the server started.
    pub offset: u64,
    /// The last message before the position.
    pub last_message: MessageId,
}

impl PartialEq for Position {
    /// Dialect and offset determine `last_message`.
    fn eq(&self, other: &Self) -> bool {
        (self.dialect, self.offset) == (other.dialect, other.offset)
    }
}

impl Eq for Position {}

/// Locks a mutex, even if a thread panicked while it held the lock: every critical section here leaves consistent
/// state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
