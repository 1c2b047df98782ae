//! The texts of messages, equal for all servers: each names its sender and its sequence number. Checks that each
//! arrives once, in order, and only in lines that the protocol has for messages.

use std::ops::Range;

use crate::common::log::{CheckLine, Faults, TEXT_BYTES};
use crate::protocol::Protocol;

/// Most senders that a text can name.
pub(crate) const SENDERS_MAX: usize = 1000;

const SENDER_DIGITS: usize = 3;
const SEQUENCE_DIGITS: usize = 15;
const FILLER: &[u8] = b" the quick brown fox jumps over the lazy dog";
const SEQUENCE_START: usize = 1 + SENDER_DIGITS + 1;
const FILLER_START: usize = SEQUENCE_START + SEQUENCE_DIGITS;
const _: () = assert!(FILLER_START + FILLER.len() == TEXT_BYTES);

/// The text of a sender's message: `s007 000000000000042 the quick …`.
pub(crate) fn write_text(sender: usize, sequence: u64) -> Vec<u8> {
    let mut text = format!("s{sender:0SENDER_DIGITS$} {sequence:0SEQUENCE_DIGITS$}").into_bytes();
    text.extend_from_slice(FILLER);
    text
}

/// Splits a line, without its ending, into what precedes the text, the sender and the sequence number.
pub(crate) fn parse_text(line: &[u8]) -> Option<(&[u8], usize, u64)> {
    let (before, text) = line.split_at_checked(line.len().checked_sub(TEXT_BYTES)?)?;
    let is_whole = text[0] == b's' && text[SEQUENCE_START - 1] == b' ' && &text[FILLER_START..] == FILLER;
    let sender = digits(&text[1..SEQUENCE_START - 1]).filter(|_| is_whole)?;
    let sequence = digits(&text[SEQUENCE_START..FILLER_START])?;
    Some((before, usize::try_from(sender).ok()?, sequence))
}

fn digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

/// The messages seen in one stream.
pub(crate) struct Order {
    protocol: &'static dyn Protocol,
    /// The senders whose messages may arrive.
    senders: Range<usize>,
    /// The sequence number of the next message of each of them.
    next: Vec<u64>,
    /// Messages that arrived.
    pub(crate) messages: u64,
    pub(crate) faults: Faults,
}

impl Order {
    pub(crate) fn new(protocol: &'static dyn Protocol, senders: Range<usize>) -> Self {
        Self { protocol, next: vec![0; senders.len()], senders, messages: 0, faults: Faults::default() }
    }

    /// Checks a line, without its LF. If it is a message, returns its sender and its sequence number.
    pub(crate) fn check(&mut self, line: &[u8]) -> Option<(usize, u64)> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match parse_text(line) {
            Some((before, sender, sequence)) if self.protocol.precedes_text(before, sender) => {
                self.check_message(sender, sequence);
                Some((sender, sequence))
            }
            _ => {
                self.faults.out_of_order += u64::from(!self.protocol.allows(line));
                None
            }
        }
    }

    fn check_message(&mut self, sender: usize, sequence: u64) {
        self.messages += 1;
        let index = sender.checked_sub(self.senders.start);
        self.faults.check_sequence(index.and_then(|index| self.next.get_mut(index)), sequence);
    }

    /// Expects this sender's messages from the second on.
    pub(crate) fn skip_first(&mut self, sender: usize) {
        self.next[sender - self.senders.start] = 1;
    }

    /// Messages that have not arrived, when each sender has sent as many as `sent` says.
    pub(crate) fn missing(&self, sent: &[u64]) -> u64 {
        self.senders.clone().map(|sender| self.missing_of(sender, sent)).sum()
    }

    /// Messages that have not arrived, apart from those of one sender.
    pub(crate) fn missing_except(&self, except: usize, sent: &[u64]) -> u64 {
        self.senders.clone().filter(|&sender| sender != except).map(|sender| self.missing_of(sender, sent)).sum()
    }

    fn missing_of(&self, sender: usize, sent: &[u64]) -> u64 {
        sent[sender].saturating_sub(self.next[sender - self.senders.start])
    }
}

impl CheckLine for Order {
    fn check_line(&mut self, line: &[u8]) {
        self.check(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PLAIN;

    fn line(sender: usize, sequence: u64) -> Vec<u8> {
        [format!("MSG s{sender:03} ").as_bytes(), &write_text(sender, sequence)].concat()
    }

    fn checked(lines: &[Vec<u8>]) -> Order {
        let mut order = Order::new(&PLAIN, 0..2);
        for line in lines {
            order.check_line(line);
        }
        order
    }

    #[test]
    fn order_of_whole_streams_has_no_faults() {
        let order = checked(&[line(0, 0), line(1, 0), line(1, 1), line(0, 1)]);
        assert!(!order.faults.any());
        assert_eq!((order.messages, order.missing(&[2, 2]), order.missing(&[3, 4])), (4, 0, 3));
        assert_eq!(order.missing_except(1, &[3, 4]), 1);
    }

    #[test]
    fn order_counts_lost_repeated_and_foreign_lines() {
        assert_eq!(checked(&[line(0, 0), line(0, 3)]).faults.lost, 2);
        assert_eq!(checked(&[line(0, 0), line(0, 0)]).faults.out_of_order, 1);
        // A sender that does not exist, a text under another's name, a changed text.
        let changed = line(0, 0).iter().map(|byte| if *byte == b'q' { b'k' } else { *byte }).collect();
        let other_name = [&b"MSG s001 "[..], &write_text(0, 0)].concat();
        for wrong in [line(2, 0), other_name, changed] {
            let order = checked(&[wrong]);
            assert_eq!((order.faults.out_of_order, order.missing(&[1, 0])), (1, 1));
        }
    }

    #[test]
    fn order_of_a_pair_or_room_counts_messages_of_other_senders() {
        let mut order = Order::new(&PLAIN, 1..2);
        order.check(&line(1, 0));
        order.check(&line(0, 0));
        order.check(&line(2, 0));
        assert_eq!((order.faults.out_of_order, order.missing(&[1, 2, 1])), (2, 1));
    }
}
