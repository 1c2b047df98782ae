//! Detects standard streams that were closed when the program started (`program >&-`). Rust opens /dev/null in place of a closed standard
//! stream before `main`, so writing to it would seem to succeed.

use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::{Errno, fcntl_getfd};
use rustix::stdio::{stderr, stdin, stdout};

/// The closed streams: bit 0 is standard input, bit 1 standard output, bit 2 standard error.
static CLOSED: AtomicU8 = AtomicU8::new(0);

ctor::declarative::ctor! {
    /// Runs before `main`, when Rust's runtime is not ready, so it may only make system calls.
    #[ctor(unsafe)]
    fn note_closed_streams() {
        for (number, stream) in [stdin(), stdout(), stderr()].into_iter().enumerate() {
            if fcntl_getfd(stream) == Err(Errno::BADF) {
                CLOSED.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
    }
}

/// Whether this is a standard stream that was closed at the start.
pub(crate) fn was_closed(stream: impl AsFd) -> bool {
    let number = stream.as_fd().as_raw_fd();
    (0..=2).contains(&number) && CLOSED.load(Ordering::Relaxed) & (1 << number) != 0
}
