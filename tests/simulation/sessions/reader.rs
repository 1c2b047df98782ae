//! What somebody reads at the far end, and what a script there could rely on: a greeting, and one final answer for each
//! line, in order. That the bytes are the right ones is for the model to say.

use std::collections::VecDeque;

use chinwag::command::Verb;
use chinwag::protocol::ErrorCode;

/// Why the server closes a connection: no answer to any line, and the last line of all.
const DISMISSALS: [ErrorCode; 5] = [
    ErrorCode::IdleTimeout,
    ErrorCode::NameTimeout,
    ErrorCode::Resumed,
    ErrorCode::TooManyErrors,
    ErrorCode::WrongProtocol,
];

const IAC: u8 = 0xff;

/// All that came, told apart: text, and telnet's answers, which may stand anywhere.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) text: Vec<u8>,
    /// How much of the text was compared with what was to come. `compared <= text.len()`.
    pub(super) compared: usize,
    /// Where in the text the unfinished line begins.
    line_start: usize,
    /// Telnet's answers that are to come.
    answers_due: VecDeque<u8>,
    /// Bytes of the current one still to come.
    answer_rest: usize,
    /// The last line of all has come.
    dismissed: bool,
    /// The verbs of the lines that are to be answered, in order.
    due: VecDeque<Option<Verb>>,
}

impl Reader {
    /// A line was sent that is to get one final answer, which repeats its verb if it had one.
    pub(super) fn expect(&mut self, verb: Option<Verb>) {
        self.due.push_back(verb);
    }

    /// A telnet option was asked for, and is to be refused.
    pub(super) fn expect_refusal(&mut self, answer: [u8; 3]) {
        self.answers_due.extend(answer);
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == IAC && self.answer_rest == 0 {
                self.answer_rest = 3;
            }
            if self.answer_rest > 0 {
                self.answer_rest -= 1;
                assert_eq!(self.answers_due.pop_front(), Some(byte), "options are refused in order");
                continue;
            }
            self.text.push(byte);
            if byte == b'\n' {
                self.take_line();
            }
        }
    }

    /// All that there is to read up to now was read.
    pub(super) fn check_answered(&self) {
        assert_eq!(self.line_start, self.text.len(), "the end is in the middle of a line");
        assert!(self.due.is_empty(), "unanswered: {:?}", self.due);
    }

    /// So was what telnet asked for; after the end it need not be.
    pub(super) fn check_refused(&self) {
        assert!(self.answers_due.is_empty(), "not refused: {:?}", self.answers_due);
    }

    fn take_line(&mut self) {
        let line = std::str::from_utf8(&self.text[self.line_start..]).expect("a line is UTF-8");
        let mut words = line.trim_end_matches(['\r', '\n']).splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (first, second, third) = (word(), word(), word());
        assert!(!self.dismissed, "after the last line: {line}");
        assert!(self.line_start > 0 || matches!(first, "HELLO" | "NOTICE"), "greeted, or sent away: {line}");
        assert!(self.line_start == 0 || first != "HELLO", "greeted once");
        self.dismissed = first == "ERR" && DISMISSALS.map(ErrorCode::as_str).contains(&third);
        if matches!(first, "OK" | "ERR") && !self.dismissed {
            let answered = Some(Verb::from_word(second));
            assert_eq!(self.due.pop_front(), answered, "one final answer a line, in order: {line}");
        }
        self.line_start = self.text.len();
    }
}
