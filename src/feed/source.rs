//! The bytes of one write ([`Source`]).

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// The bytes of one write.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Bytes in memory, for `writev(2)`.
    Memory(&'a [IoSlice<'a>]),
    /// A file and an offset in it, for `sendfile(2)`, and the same bytes in memory.
    File(BorrowedFd<'a>, u64, &'a [u8]),
}

impl Source<'_> {
    /// Copies the bytes, for a caller that has no socket.
    ///
    /// # Errors
    /// The feed's memory file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "reads the memory file of the feed")]
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        match *self {
            Self::Memory(slices) => Ok(slices.iter().flat_map(|slice| slice.iter().copied()).collect()),
            Self::File(file, offset, bytes) => {
                let mut copy = vec![0; bytes.len()];
                let read = rustix::io::pread(file, copy.as_mut_slice(), offset)?;
                copy.truncate(read);
                Ok(copy)
            }
        }
    }
}
