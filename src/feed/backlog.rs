//! Counts the memory for unread output: all output that clients have not read yet.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::limits::SEGMENT_OVERHEAD_BYTES;

/// Memory kept for output, in bytes: the feed's segments, the lines in all mailboxes, and replies that the cache has
/// dropped and a mailbox still holds ([`SharedLines`]).
///
/// Not counted: the kernel's send buffer, one page of a store query, and the rest of a partly sent line. Each connection has at most one
/// of each, so `--max-clients` limits them.
#[derive(Debug, Default)]
pub struct Backlog(AtomicUsize);

impl Backlog {
    /// Memory of all retained output, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A cached reply, of which all mailboxes share one copy. It counts as unread output once the cache has dropped it
/// ([`SharedLines::retire`]) and a mailbox still holds it.
#[derive(Debug)]
pub struct SharedLines {
    bytes: Box<[u8]>,
    /// The counter that they are part of, once they are retired.
    backlog: OnceLock<Arc<Backlog>>,
}

impl SharedLines {
    /// Creates lines that are not retired.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), backlog: OnceLock::new() }
    }

    /// Counts the lines as unread output. Call it when no further mailbox will get them.
    pub fn retire(&self, backlog: &Arc<Backlog>) {
        if self.backlog.set(Arc::clone(backlog)).is_ok() {
            backlog.add(self.cost());
        }
    }

    /// Whether the lines count as unread output.
    pub fn is_retired(&self) -> bool {
        self.backlog.get().is_some()
    }

    /// Memory that the lines take, in bytes.
    pub fn cost(&self) -> usize {
        self.bytes.len() + SEGMENT_OVERHEAD_BYTES
    }
}

impl Deref for SharedLines {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for SharedLines {
    fn drop(&mut self) {
        if let Some(backlog) = self.backlog.get() {
            backlog.subtract(self.cost());
        }
    }
}
