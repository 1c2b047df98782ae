//! Counts the memory of all output that clients have not read yet.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::limits::SEGMENT_OVERHEAD_BYTES;

/// Memory for output that clients have not read, in bytes: the feed's segments, and the lines in all mailboxes.
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

/// Lines that several mailboxes share: one copy in memory.
///
/// While the server retains them for clients that will ask, they are not backlog. After [`SharedLines::retire`] they are, until the last
/// mailbox drops them.
#[derive(Debug)]
pub struct SharedLines {
    bytes: Box<[u8]>,
    /// The backlog that counts them, once they are retired.
    backlog: OnceLock<Arc<Backlog>>,
}

impl SharedLines {
    /// Creates lines that are not retired.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), backlog: OnceLock::new() }
    }

    /// Counts the lines as backlog. Call it when no further mailbox will get them.
    pub fn retire(&self, backlog: &Arc<Backlog>) {
        if self.backlog.set(Arc::clone(backlog)).is_ok() {
            backlog.add(self.cost());
        }
    }

    /// Whether the lines count as backlog.
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
