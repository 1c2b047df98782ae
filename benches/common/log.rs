//! Checks a stream of lines that all readers receive. The stream is checked line by line once, for the reader that is furthest ahead. The
//! bytes of the other readers are compared with it, which costs little.

use std::fmt;

/// Bytes of a message's text.
pub(crate) const TEXT_BYTES: usize = 64;

/// Faults of a run. All are zero if the server works.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Messages that did not arrive.
    pub(crate) lost: u64,
    /// Lines that arrived twice, too late or changed. A reader whose bytes are only compared counts once.
    pub(crate) out_of_order: u64,
    /// Connections that the server closed by mistake; the usual cause is a load generator that read too slowly.
    pub(crate) closed: u64,
    /// Anything else: descriptors that stay open, a server that exits.
    pub(crate) other: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.out_of_order += other.out_of_order;
        self.closed += other.closed;
        self.other += other.other;
    }

    /// Checks the sequence number of a message. `next` is the number that is expected from its sender; `None` if there is no such
    /// sender.
    pub(crate) fn check_sequence(&mut self, next: Option<&mut u64>, sequence: u64) {
        match next {
            Some(next) if sequence >= *next => {
                self.lost += sequence - *next;
                *next = sequence + 1;
            }
            _ => self.out_of_order += 1,
        }
    }

    pub(crate) fn any(self) -> bool {
        self.lost + self.out_of_order + self.closed + self.other > 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, out_of_order, closed, other } = self;
        write!(f, "lost {lost}, out of order {out_of_order}, closed by the server {closed}, other faults {other}")
    }
}

/// Checks a stream line by line.
pub(crate) trait CheckLine {
    /// Checks the next line, which comes without its LF.
    fn check_line(&mut self, line: &[u8]);
}

/// The newest part of the stream, checked line by line as it grows.
#[derive(Debug)]
pub(crate) struct Log<C> {
    /// A ring buffer: the byte at an offset of the stream is at that offset modulo its length.
    ring: Vec<u8>,
    /// Offset at which the stream ends so far.
    pub(crate) end: u64,
    /// Offset at which its last line begins.
    line_start: u64,
    pub(crate) order: C,
}

impl<C: CheckLine> Log<C> {
    /// How far one reader may be behind another, in bytes. Backlog, send buffer and receive buffer together are less.
    const BYTES: u64 = 64 * 1024 * 1024;

    pub(crate) fn new(order: C) -> Self {
        let ring = vec![0; usize::try_from(Self::BYTES).expect("64-bit")];
        Self { ring, end: 0, line_start: 0, order }
    }

    /// Whether `bytes`, received by a reader at offset `position`, equal the stream of the other readers.
    pub(crate) fn agrees(&mut self, position: u64, bytes: &[u8]) -> bool {
        assert!(position + Self::BYTES >= self.end, "a reader is {} bytes behind", self.end - position);
        let known = usize::try_from(self.end - position).map_or(bytes.len(), |known| known.min(bytes.len()));
        let agrees = self.holds(position, &bytes[..known]);
        if agrees {
            self.append(&bytes[known..]);
        }
        agrees
    }

    fn holds(&self, position: u64, bytes: &[u8]) -> bool {
        let at = Self::index(position);
        let (first, second) = bytes.split_at(bytes.len().min(self.ring.len() - at));
        self.ring[at..at + first.len()] == *first && self.ring[..second.len()] == *second
    }

    fn append(&mut self, bytes: &[u8]) {
        let at = Self::index(self.end);
        let (first, second) = bytes.split_at(bytes.len().min(self.ring.len() - at));
        self.ring[at..at + first.len()].copy_from_slice(first);
        self.ring[..second.len()].copy_from_slice(second);
        for (offset, &byte) in (self.end..).zip(bytes) {
            if byte == b'\n' {
                let line: Vec<_> = (self.line_start..offset).map(|offset| self.ring[Self::index(offset)]).collect();
                self.order.check_line(&line);
                self.line_start = offset + 1;
            }
        }
        self.end += bytes.len() as u64;
    }

    fn index(position: u64) -> usize {
        usize::try_from(position % Self::BYTES).expect("64-bit")
    }
}
