//! The messages of the load, and the check that every message of every sender arrives once and in order.

use crate::common::log::{CheckLine, Faults, TEXT_BYTES};

/// Bytes of the line that a reader receives: `MSG s000 `, the text, LF.
pub(crate) const LINE_BYTES: usize = PREFIX.len() + SENDER_DIGITS + 1 + TEXT_BYTES + 1;

/// The beginning of an attacker's nickname.
pub(crate) const ATTACKER: &str = "x";

const PREFIX: &str = "MSG s";
const SENDER_DIGITS: usize = 3;
const SEQUENCE_DIGITS: usize = 16;
const FILLER: &str = " the quick brown fox jumps over the lazy dog 123";
const _: () = assert!(SEQUENCE_DIGITS + FILLER.len() == TEXT_BYTES);

/// Parses the number of senders: at least one, and no more than three digits can name.
pub(crate) fn parse_senders(raw: &str) -> Result<usize, String> {
    let most = 1000;
    raw.parse().ok().filter(|senders| (1..=most).contains(senders)).ok_or_else(|| format!("expected 1 to {most}"))
}

/// The nickname of a sender.
pub(crate) fn sender_name(sender: usize) -> String {
    format!("s{sender:0SENDER_DIGITS$}")
}

/// Appends the command that sends the message with this sequence number.
pub(crate) fn write_command(out: &mut Vec<u8>, sequence: u64) {
    out.extend_from_slice(format!("MSG {sequence:0SEQUENCE_DIGITS$}{FILLER}\n").as_bytes());
}

/// The sender and the sequence number of a message line, without its LF. `None` if the line is not a message, or its text was changed.
fn parse(line: &[u8]) -> Option<(usize, u64)> {
    let (sender, text) = line.strip_prefix(PREFIX.as_bytes())?.split_at_checked(SENDER_DIGITS)?;
    let sequence = parse_text(text.strip_prefix(b" ")?)?;
    Some((usize::try_from(parse_digits(sender)?).ok()?, sequence))
}

/// The sequence number in the text of a message. `None` if any byte of the text is not as it was sent.
pub(crate) fn parse_text(text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(FILLER.as_bytes())?;
    if digits.len() == SEQUENCE_DIGITS { parse_digits(digits) } else { None }
}

/// The number that these digits are. `None` if one is not a digit, or the number is too large.
pub(crate) fn parse_digits(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, &digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0, |number, digit| if digit.is_ascii_digit() { add(number, digit) } else { None })
}

/// Whether this line, which is not a message of a sender, may come between messages.
fn is_expected(line: &[u8]) -> bool {
    let Some((verb, rest)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else { return false };
    match verb {
        "LEAVE" | "COORDINATOR" => true,
        "JOIN" | "MSG" | "RENAME" | "WHISPER" => rest.starts_with(ATTACKER),
        _ => false,
    }
}

/// The messages of each sender that were seen in one stream.
#[derive(Debug)]
pub(crate) struct Order {
    next: Vec<u64>,
    pub(crate) faults: Faults,
}

impl Order {
    pub(crate) fn new(senders: usize) -> Self {
        Self { next: vec![0; senders], faults: Faults::default() }
    }

    /// Checks a line, without its LF. If it is a message, returns its sender and its sequence number.
    pub(crate) fn check_event(&mut self, line: &[u8]) -> Option<(usize, u64)> {
        let message = parse(line);
        match message {
            Some((sender, sequence)) => self.faults.check_sequence(self.next.get_mut(sender), sequence),
            None => self.faults.out_of_order += u64::from(!is_expected(line)),
        }
        message
    }

    /// The number of messages of a sender that were seen.
    pub(crate) fn seen(&self, sender: usize) -> u64 {
        self.next[sender]
    }
}

impl CheckLine for Order {
    fn check_line(&mut self, line: &[u8]) {
        self.check_event(line);
    }
}
