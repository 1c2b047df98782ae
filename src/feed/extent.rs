//! Large texts once more, in memory that the kernel sends from without copying it: `memfd_create(2)`, `sendfile(2)`.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::{Errno, pwrite};

use crate::limits::PAGE_BYTES;

/// A file in memory, to which texts are appended. No byte of it is written twice: it may still be on its way to somebody.
#[derive(Debug)]
pub(super) struct MemoryFile {
    file: Arc<OwnedFd>,
    end: u64,
}

/// Where in the file a text stands, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Extent {
    file: Arc<OwnedFd>,
    start: u64,
    bytes: u64,
}

impl MemoryFile {
    /// An empty one; none where the system has no such thing.
    pub(super) fn new() -> Option<Self> {
        let file = memfd_create("chinwagd-feed", MemfdFlags::CLOEXEC).ok()?;
        Some(Self { file: Arc::new(file), end: 0 })
    }

    /// Appends a text; fails if there is no memory for it.
    pub(super) fn append(&mut self, text: &[u8]) -> Option<Extent> {
        let extent = Extent { file: Arc::clone(&self.file), start: self.end, bytes: whole_pages(text.len()) as u64 };
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

    /// Memory that it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        rustix::fs::fstat(&self.file).map_or(0, |status| status.st_blocks.cast_unsigned() * 512)
    }
}

impl Extent {
    /// The file, and where in it the text starts.
    pub(super) fn place(&self) -> (BorrowedFd<'_>, u64) {
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

/// The memory that a text of so many bytes takes in the file.
pub(super) fn whole_pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE_BYTES)
}
