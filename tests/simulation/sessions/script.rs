//! A script: bytes that determine the choices of a run, one after the other. A fuzzer changes a choice by changing a byte; a seeded
//! generator makes runs of any length; a file repeats a run.

/// The bytes that are left of a script.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// At the end, every choice is the first one.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes, or fewer at the end.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let bytes;
        (bytes, self.0) = self.0.split_at(count.min(self.0.len()));
        bytes
    }

    /// A number below `count`, which is at most 65,536.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let bytes = self.bytes(if count > 256 { 2 } else { 1 });
        bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte)) % count
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
