//! The room is a log, a connection is a cursor.
//!
//! Everything published is appended to one shared log, the [`Feed`], rendered once for each dialect in use. A connection keeps no
//! copy of what it is to get, only a [`Cursor`]. What is for one connection alone (replies, whispers) waits in its [`Mailbox`], each
//! pinned to the [`Position`] in the feed at which it happened; so private lines keep their position in the one order, one's own event
//! is replaced by its acknowledgement, and joining, leaving and changing the dialect happen at an exact position.
//!
//! Pure, except for locks, atomics, wakers and the memory file in `extent`. It does not write to sockets: [`Cursor::write`] gets a
//! function that does. It does not wait for readers.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod backlog;
mod cursor;
mod extent;
mod log;
mod mailbox;
mod rendered;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use backlog::{Backlog, SharedLines};
pub use cursor::{Cursor, MissedMessages, Progress, Source};
pub use log::{Appended, Draft, Feed};
pub use mailbox::{Mailbox, NextPage, PageSource};

use crate::protocol::{Dialect, MessageId};

/// A position in the feed, between two lines: so many bytes of its rendering in this dialect come before it.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Whose rendering.
    pub dialect: Dialect,
    /// Bytes of it before the position, since the server started.
    pub offset: u64,
    /// What was said before the position has ids up to this one, and what is said after it greater ones.
    pub after: MessageId,
}

impl PartialEq for Position {
    /// What was said before a position follows from where it is.
    fn eq(&self, other: &Self) -> bool {
        (self.dialect, self.offset) == (other.dialect, other.offset)
    }
}

impl Eq for Position {}

/// Locks, also after another thread panicked while it held the lock: every critical section here leaves the state whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
