//! Keeps a file descriptor for the operator.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// A file descriptor that is free for one control connection while clients hold all others.
///
/// Between [`DescriptorReserve::release`] and the accept of the control connection, which take microseconds, a client may get the descriptor.
/// The operator then waits until a client leaves.
#[derive(Debug)]
pub(super) struct DescriptorReserve(Mutex<Option<OwnedFd>>);

impl DescriptorReserve {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Mutex::new(Some(placeholder()?))))
    }

    /// Frees the descriptor, if `error` says that there was none. Returns whether it did.
    pub(super) fn release(&self, error: &io::Error) -> bool {
        let is_out =
            [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        is_out && self.held().take().is_some()
    }

    /// Takes a descriptor again, if it was released and there is one.
    pub(super) fn refill(&self) {
        let mut held = self.held();
        if held.is_none() {
            *held = placeholder().ok();
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A descriptor that nothing uses. An eventfd needs no file.
fn placeholder() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_is_released_once_until_it_is_refilled() {
        let reserve = DescriptorReserve::new().unwrap();
        assert!(!reserve.release(&Errno::CONNABORTED.into()));
        for errno in [Errno::MFILE, Errno::NFILE] {
            assert!(reserve.release(&errno.into()));
            assert!(!reserve.release(&errno.into()));
            reserve.refill();
            reserve.refill();
        }
    }
}
