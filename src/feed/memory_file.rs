//! A second copy of large segments, in a memory file (`memfd_create(2)`), from which `sendfile(2)` sends without copying.
//!
//! The memory file is the exception to the purity of the feed. No other process opens it. If the system has no memory files, or if a
//! write to one fails, connections send the same bytes from the feed.
#![expect(clippy::disallowed_methods, reason = "a memory file is reached through system calls")]

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::{Errno, pwrite};

use crate::limits::PAGE_BYTES;

/// A file in memory with the newest large segments. No byte of it is written twice: a socket may still have to send it.
#[derive(Debug)]
pub(super) struct MemoryFile {
    file: Arc<OwnedFd>,
    end: u64,
    /// Oldest first.
    ranges: VecDeque<Arc<FileRange>>,
    /// Memory of `ranges`. `bytes <= bytes_max`
    bytes: u64,
    bytes_max: u64,
}

/// The part of the file that holds one segment. Dropping it frees the memory.
#[derive(Debug)]
pub(super) struct FileRange {
    file: Arc<OwnedFd>,
    start: u64,
    bytes: u64,
}

impl MemoryFile {
    /// Creates an empty file that takes at most `bytes_max` bytes of memory. `None` if the system has no memory files.
    pub(super) fn new(bytes_max: usize) -> Option<Self> {
        let file = memfd_create("chinwagd-feed", MemfdFlags::CLOEXEC).ok()?;
        let (ranges, bytes_max) = (VecDeque::new(), bytes_max as u64);
        Some(Self { file: Arc::new(file), end: 0, ranges, bytes: 0, bytes_max })
    }

    /// Memory of the retained segments, in bytes. Ranges that a reader still uses are not counted.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }

    /// Appends a segment and evicts the oldest ones beyond `bytes_max`. `None` if the write fails.
    pub(super) fn append(&mut self, text: &[u8]) -> Option<Weak<FileRange>> {
        let range = Arc::new(self.write(text)?);
        let appended = Arc::downgrade(&range);
        self.bytes += range.bytes;
        self.ranges.push_back(range);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.ranges.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
        Some(appended)
    }

    fn write(&mut self, text: &[u8]) -> Option<FileRange> {
        let bytes = text.len().next_multiple_of(PAGE_BYTES) as u64;
        let range = FileRange { file: Arc::clone(&self.file), start: self.end, bytes };
        // If the write fails, dropping the range frees what was written.
        self.end += range.bytes;
        let mut written = 0;
        while written < text.len() {
            match pwrite(&self.file, &text[written..], range.start + written as u64) {
                Ok(0) => return None,
                Ok(bytes) => written += bytes,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        Some(range)
    }

    /// Memory of the file, by the kernel's count, in bytes.
    #[cfg(test)]
    pub(super) fn system_bytes(&self) -> u64 {
        rustix::fs::fstat(&self.file).map_or(0, |status| status.st_blocks.cast_unsigned() * 512)
    }
}

impl FileRange {
    /// The file, and the offset at which the segment starts.
    pub(super) fn location(&self) -> (BorrowedFd<'_>, u64) {
        (self.file.as_fd(), self.start)
    }
}

impl Drop for FileRange {
    fn drop(&mut self) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // It fails only on invalid arguments.
        let _ = fallocate(&self.file, hole, self.start, self.bytes);
    }
}
