//! A second copy of large texts, in a memory file (`memfd_create(2)`) from which `sendfile(2)` sends without copying.
//!
//! The memory file is the exception to the purity of the feed. It belongs to this process alone. If the system has no memory files,
//! or if a write to it fails, the text is sent from the feed: connections receive the same bytes.
#![expect(clippy::disallowed_methods, reason = "a memory file is reached through system calls")]

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::{Errno, pwrite};

use crate::limits::PAGE_BYTES;

/// A file in memory that has the newest large texts: those that most readers read. No byte of it is written twice: it may still
/// be on its way to somebody.
#[derive(Debug)]
pub(super) struct MemoryFile {
    file: Arc<OwnedFd>,
    end: u64,
    /// What is kept, the oldest first.
    extents: VecDeque<Arc<Extent>>,
    /// Memory that `extents` take. `bytes <= bytes_max`
    bytes: u64,
    bytes_max: u64,
}

/// Where in the file a text stands, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Extent {
    file: Arc<OwnedFd>,
    start: u64,
    bytes: u64,
}

impl MemoryFile {
    /// An empty one that takes at most so much memory; none where the system has no such thing.
    pub(super) fn new(bytes_max: usize) -> Option<Self> {
        let file = memfd_create("chinwagd-feed", MemfdFlags::CLOEXEC).ok()?;
        let (extents, bytes_max) = (VecDeque::new(), bytes_max as u64);
        Some(Self { file: Arc::new(file), end: 0, extents, bytes: 0, bytes_max })
    }

    /// Memory that it takes; nothing more once the last reader of what was let go of is done.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }

    /// Appends a text, and lets go of the oldest for it. Fails if there is no memory.
    pub(super) fn append(&mut self, text: &[u8]) -> Option<Weak<Extent>> {
        let extent = Arc::new(self.write(text)?);
        let appended = Arc::downgrade(&extent);
        self.bytes += extent.bytes;
        self.extents.push_back(extent);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.extents.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
        Some(appended)
    }

    fn write(&mut self, text: &[u8]) -> Option<Extent> {
        let bytes = text.len().next_multiple_of(PAGE_BYTES) as u64;
        let extent = Extent { file: Arc::clone(&self.file), start: self.end, bytes };
        // What was written before a failure is let go of with the extent.
        self.end += extent.bytes;
        let mut written = 0;
        while written < text.len() {
            match pwrite(&self.file, &text[written..], extent.start + written as u64) {
                Ok(0) => return None,
                Ok(bytes) => written += bytes,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        Some(extent)
    }

    /// Memory that the system says it takes.
    #[cfg(test)]
    pub(super) fn system_bytes(&self) -> u64 {
        rustix::fs::fstat(&self.file).map_or(0, |status| status.st_blocks.cast_unsigned() * 512)
    }
}

impl Extent {
    /// The file, and where in it the text starts.
    pub(super) fn location(&self) -> (BorrowedFd<'_>, u64) {
        (self.file.as_fd(), self.start)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // It fails only on arguments that make no sense.
        let _ = fallocate(&self.file, hole, self.start, self.bytes);
    }
}
