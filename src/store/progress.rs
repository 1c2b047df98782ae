//! The progress of work on a whole file: a backup, a restoration, a check.

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Copies the pages of the file.
    Copy,
    /// Checks that the pages of the file fit together. Its length is unknown.
    Structure,
    /// Reads the messages.
    Messages,
    /// Computes the terms of the messages again.
    Terms,
    /// Compares them with the index.
    Index,
}

/// How much of a phase is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// The part that is done, in the unit of `total`.
    pub done: u64,
    /// All of it: pages, messages. 0: unknown.
    pub total: u64,
}

/// Follows the work.
pub type Follow<'a> = &'a dyn Fn(Progress);

impl Progress {
    /// The start of a phase.
    pub(super) fn start(phase: Phase, total: u64) -> Self {
        Self { phase, done: 0, total }
    }
}
