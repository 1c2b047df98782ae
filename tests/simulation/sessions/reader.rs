//! Reads the server's bytes as a script would, and checks the rules that a script relies on: a greeting, and one final reply to each line,
//! in order. The model checks the bytes themselves.

use std::collections::VecDeque;

use chinwag::command::Verb;
use chinwag::protocol::ErrorCode;

/// Errors with which the server closes a connection. They are the last line, and no reply.
const CLOSING_ERRORS: [ErrorCode; 9] = [
    ErrorCode::Banned,
    ErrorCode::IdleTimeout,
    ErrorCode::Kicked,
    ErrorCode::LoginRequired,
    ErrorCode::NameTimeout,
    ErrorCode::Resumed,
    ErrorCode::TakenOver,
    ErrorCode::TooManyErrors,
    ErrorCode::WrongProtocol,
];

const IAC: u8 = 0xff;

/// The received bytes, separated into text and telnet replies, which may stand anywhere.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) text: Vec<u8>,
    /// Length of the prefix of `text` that was compared with the model.
    pub(super) compared: usize,
    /// Start of the unfinished line in `text`.
    line_start: usize,
    /// Bytes of the telnet replies that must follow.
    telnet_due: VecDeque<u8>,
    /// Number of bytes that complete the current telnet reply.
    telnet_rest: usize,
    /// Whether a closing error has arrived.
    is_closed: bool,
    /// Verbs of the lines without a reply so far, in order.
    due: VecDeque<Option<Verb>>,
}

impl Reader {
    /// Expects a final reply, with this verb.
    pub(super) fn expect(&mut self, verb: Option<Verb>) {
        self.due.push_back(verb);
    }

    /// Expects the refusal of a telnet option.
    pub(super) fn expect_refusal(&mut self, answer: [u8; 3]) {
        self.telnet_due.extend(answer);
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == IAC && self.telnet_rest == 0 {
                self.telnet_rest = 3;
            }
            if self.telnet_rest > 0 {
                self.telnet_rest -= 1;
                assert_eq!(self.telnet_due.pop_front(), Some(byte), "options are refused in order");
                continue;
            }
            self.text.push(byte);
            if byte == b'\n' {
                self.check_line();
            }
        }
    }

    /// Checks that every line has got its reply, except the last one if `lacks_reply`.
    pub(super) fn check_answered(&self, lacks_reply: bool) {
        assert_eq!(self.line_start, self.text.len(), "the last line is incomplete");
        assert_eq!(self.due.len(), usize::from(lacks_reply), "lines without a reply: {:?}", self.due);
    }

    /// Checks that every telnet option was refused. After the end of the session, that is not required.
    pub(super) fn check_refused(&self) {
        assert!(self.telnet_due.is_empty(), "missing telnet replies: {:?}", self.telnet_due);
    }

    fn check_line(&mut self) {
        let line = std::str::from_utf8(&self.text[self.line_start..]).expect("a line is UTF-8");
        let mut words = line.trim_end_matches(['\r', '\n']).splitn(5, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (mut first, mut second, mut third) = (word(), word(), word());
        if first.starts_with('#') {
            (first, second, third) = (second, third, word());
        }
        assert!(!self.is_closed, "a line after the closing error: {line}");
        let is_refused = (first, third) == ("ERR", ErrorCode::Banned.as_str());
        let is_first = matches!(first, "HELLO" | "NOTICE") || is_refused;
        assert!(self.line_start > 0 || is_first, "unexpected first line: {line}");
        assert!(self.line_start == 0 || first != "HELLO", "a second greeting");
        self.is_closed = first == "ERR" && second == "-" && CLOSING_ERRORS.map(ErrorCode::as_str).contains(&third);
        if matches!(first, "OK" | "ERR") && !self.is_closed {
            let verb = Some(Verb::from_word(second));
            assert_eq!(self.due.pop_front(), verb, "each line must get one final reply, in order: {line}");
        }
        self.line_start = self.text.len();
    }
}
