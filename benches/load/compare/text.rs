//! The texts that every server delivers, whatever its protocol: each says whose how-manieth it is. And the check that all of
//! them come, once, in order, in nothing but the lines that the protocol wraps them in.

use crate::wire::{Faults, TEXT_BYTES, TakeLine};

use super::protocol::Protocol;

/// Most senders that a text can tell apart.
pub(super) const SENDERS_MAX: usize = 1000;

const SENDER_DIGITS: usize = 3;
const SEQUENCE_DIGITS: usize = 15;
const FILLER: &[u8] = b" the quick brown fox jumps over the lazy dog";
const SEQUENCE_START: usize = 1 + SENDER_DIGITS + 1;
const FILLER_START: usize = SEQUENCE_START + SEQUENCE_DIGITS;
const _: () = assert!(FILLER_START + FILLER.len() == TEXT_BYTES);

/// The text of a sender's message: `s007 000000000000042 the quick …`.
pub(super) fn text(sender: usize, sequence: u64) -> Vec<u8> {
    let mut text = format!("s{sender:0SENDER_DIGITS$} {sequence:0SEQUENCE_DIGITS$}").into_bytes();
    text.extend_from_slice(FILLER);
    text
}

/// Splits a line, without its ending, into what stands before a text, the text's sender and its sequence number.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], usize, u64)> {
    let (before, text) = line.split_at_checked(line.len().checked_sub(TEXT_BYTES)?)?;
    let is_whole = text[0] == b's' && text[SEQUENCE_START - 1] == b' ' && &text[FILLER_START..] == FILLER;
    let sender = digits(&text[1..SEQUENCE_START - 1]).filter(|_| is_whole)?;
    let sequence = digits(&text[SEQUENCE_START..FILLER_START])?;
    Some((before, usize::try_from(sender).ok()?, sequence))
}

fn digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

/// How far each sender is, as seen in one stream.
pub(super) struct Order {
    protocol: &'static dyn Protocol,
    /// The number that each sender's next message is to have.
    next: Vec<u64>,
    /// Whose messages alone may come, if not everybody's.
    only: Option<usize>,
    /// Messages that came.
    pub(super) messages: u64,
    pub(super) faults: Faults,
}

impl Order {
    pub(super) fn new(protocol: &'static dyn Protocol, senders: usize, only: Option<usize>) -> Self {
        Self { protocol, next: vec![0; senders], only, messages: 0, faults: Faults::default() }
    }

    /// Takes note of a line, without its LF; returns whose how-manieth message it is, if it is one.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<(usize, u64)> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match split(line) {
            Some((before, sender, sequence)) if self.protocol.carries(before, sender) => {
                self.take_message(sender, sequence);
                Some((sender, sequence))
            }
            _ => {
                self.faults.disorderly += u64::from(!self.protocol.allows(line));
                None
            }
        }
    }

    fn take_message(&mut self, sender: usize, sequence: u64) {
        self.messages += 1;
        let is_due = self.only.is_none_or(|only| only == sender);
        match self.next.get_mut(sender).filter(|_| is_due) {
            Some(next) if sequence >= *next => {
                self.faults.lost += sequence - *next;
                *next = sequence + 1;
            }
            _ => self.faults.disorderly += 1,
        }
    }

    /// Takes it that the first message of this sender came.
    pub(super) fn skip_first(&mut self, sender: usize) {
        self.next[sender] = 1;
    }

    /// How many messages of those sent have not come.
    pub(super) fn missing(&self, sent: &[u64]) -> u64 {
        (0..sent.len())
            .filter(|&sender| self.only.is_none_or(|only| only == sender))
            .map(|of| self.missing_of(of, sent))
            .sum()
    }

    /// The same, not looking at those of one of the senders.
    pub(super) fn missing_but_of(&self, not_of: usize, sent: &[u64]) -> u64 {
        (0..sent.len()).filter(|&sender| sender != not_of).map(|of| self.missing_of(of, sent)).sum()
    }

    fn missing_of(&self, sender: usize, sent: &[u64]) -> u64 {
        sent[sender].saturating_sub(self.next[sender])
    }
}

impl TakeLine for Order {
    fn take_line(&mut self, line: &[u8]) {
        self.take(line);
    }
}
