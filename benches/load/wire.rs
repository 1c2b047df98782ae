//! The messages that the load is made of, and what is checked about them: every message of every sender, once, in order.
//!
//! Line by line that is checked for one stream only, the [`Log`]: what the reader furthest ahead got. All readers are to
//! get the same bytes, so for the others it is enough, and cheap, to compare theirs with it.

use std::fmt;

/// Bytes of a message's text; what "64-byte messages" means here.
pub(crate) const TEXT_BYTES: usize = 64;

/// Bytes of the line that a reader gets: `MSG s000 `, the text, LF.
pub(crate) const LINE_BYTES: usize = PREFIX.len() + SENDER_DIGITS + 1 + TEXT_BYTES + 1;

/// What the name of one who is up to no good begins with.
pub(crate) const ATTACKER: &str = "x";

const PREFIX: &str = "MSG s";
const SENDER_DIGITS: usize = 3;
const SEQUENCE_DIGITS: usize = 16;
const FILLER: &str = " the quick brown fox jumps over the lazy dog 123";
const _: () = assert!(SEQUENCE_DIGITS + FILLER.len() == TEXT_BYTES);

/// How many senders, from the command line: at least one, and no more than can be told apart.
pub(crate) fn parse_senders(raw: &str) -> Result<usize, String> {
    let most = 1000;
    raw.parse().ok().filter(|senders| (1..=most).contains(senders)).ok_or_else(|| format!("not from 1 to {most}"))
}

/// The name of a sender.
pub(crate) fn sender_name(sender: usize) -> String {
    format!("s{sender:0SENDER_DIGITS$}")
}

/// Adds the command that says the how-manieth message of a sender.
pub(crate) fn write_command(out: &mut Vec<u8>, sequence: u64) {
    out.extend_from_slice(format!("MSG {sequence:0SEQUENCE_DIGITS$}{FILLER}\n").as_bytes());
}

/// The sender and the sequence number of a message, without its LF, if it is whole and its text is untouched.
fn parse(line: &[u8]) -> Option<(usize, u64)> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix(PREFIX)?;
    let (sender, text) = rest.split_once(' ')?;
    let sequence = text.strip_suffix(FILLER)?;
    Some((sender.parse().ok()?, sequence.parse().ok()?))
}

/// Whether it is a line that nobody is at fault for.
fn is_expected(line: &[u8]) -> bool {
    let Some((verb, rest)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else { return false };
    match verb {
        "LEAVE" | "COORDINATOR" => true,
        "JOIN" | "MSG" | "RENAME" | "WHISPER" => rest.starts_with(ATTACKER),
        _ => false,
    }
}

/// What went wrong. All zero if the server is as it should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Messages that did not arrive where they should have.
    pub(crate) lost: u64,
    /// Lines that came twice, too late or changed; for a reader only compared, that there is one.
    pub(crate) disorderly: u64,
    /// Peers that were closed on and should not have been: as too slow most likely, if the load could not keep up.
    pub(crate) closed: u64,
    /// Whatever else must not be: descriptors that stay open, an exit.
    pub(crate) other: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.disorderly += other.disorderly;
        self.closed += other.closed;
        self.other += other.other;
    }

    pub(crate) fn any(self) -> bool {
        self.lost + self.disorderly + self.closed + self.other > 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, disorderly, closed, other } = self;
        write!(f, "lost {lost}, out of order {disorderly}, closed on {closed}, other faults {other}")
    }
}

/// How far each sender is, as seen in one stream.
#[derive(Debug)]
pub(crate) struct Order {
    next: Vec<u64>,
    pub(crate) faults: Faults,
}

impl Order {
    pub(crate) fn new(senders: usize) -> Self {
        Self { next: vec![0; senders], faults: Faults::default() }
    }

    /// Takes note of a line of others, without its LF; returns whose how-manieth message it is, if it is one.
    pub(crate) fn take_event(&mut self, line: &[u8]) -> Option<(usize, u64)> {
        let message = parse(line);
        match message {
            Some((sender, sequence)) => self.take(sender, sequence),
            None => self.faults.disorderly += u64::from(!is_expected(line)),
        }
        message
    }

    /// Takes note of a message.
    fn take(&mut self, sender: usize, sequence: u64) {
        match self.next.get_mut(sender) {
            Some(next) if sequence >= *next => {
                self.faults.lost += sequence - *next;
                *next = sequence + 1;
            }
            _ => self.faults.disorderly += 1,
        }
    }

    /// Up to which message a sender is seen.
    pub(crate) fn seen(&self, sender: usize) -> u64 {
        self.next[sender]
    }
}

/// Checks a stream line by line.
pub(crate) trait TakeLine {
    /// Takes note of the next line, without its LF.
    fn take_line(&mut self, line: &[u8]);
}

impl TakeLine for Order {
    fn take_line(&mut self, line: &[u8]) {
        self.take_event(line);
    }
}

/// The newest part of the stream that all readers get, checked line by line as it grows.
#[derive(Debug)]
pub(crate) struct Log<C = Order> {
    /// A ring: the byte at an offset is at that offset modulo its length.
    ring: Vec<u8>,
    /// Where the stream ends so far.
    pub(crate) end: u64,
    /// Where its last line began.
    line_start: u64,
    pub(crate) order: C,
}

impl<C: TakeLine> Log<C> {
    /// The most a reader may be behind another: feed, send buffer and receive buffer come to much less.
    const BYTES: u64 = 64 * 1024 * 1024;

    pub(crate) fn new(order: C) -> Self {
        let ring = vec![0; usize::try_from(Self::BYTES).expect("64-bit")];
        Self { ring, end: 0, line_start: 0, order }
    }

    /// Whether a reader that is at `position` and now gets `bytes` gets what the others get.
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
                self.order.take_line(&line);
                self.line_start = offset + 1;
            }
        }
        self.end += bytes.len() as u64;
    }

    fn index(position: u64) -> usize {
        usize::try_from(position % Self::BYTES).expect("64-bit")
    }
}
