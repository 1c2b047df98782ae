//! The message of the day: the text that the operator has for each client that connects.

use std::sync::Arc;

use super::{Text, TextError};
use crate::limits::MOTD_LINES_MAX;

/// The lines of the message of the day; the default has none. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Motd(Arc<[Text]>);

/// Why a text is not a message of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidMotd {
    /// It has this number of lines, which is too many.
    TooManyLines(usize),
    /// The line with this number, from 1 on, is too long for a line of the protocol.
    LineTooLong(usize),
}

impl Motd {
    /// Splits a text into lines, and replaces unsafe characters as in messages. Leaves out blank lines, because no line of the protocol has a
    /// blank text, and white space at the end of a line.
    ///
    /// # Errors
    /// There are more lines than [`MOTD_LINES_MAX`], or one of them is too long.
    pub fn new(text: &str) -> Result<Self, InvalidMotd> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match Text::new(line.trim_end()) {
                Ok(text) => lines.push(text),
                Err(TextError::Blank) => {}
                Err(TextError::TooLong | TextError::SeveralWords) => return Err(InvalidMotd::LineTooLong(number)),
            }
        }
        if lines.len() > MOTD_LINES_MAX { Err(InvalidMotd::TooManyLines(lines.len())) } else { Ok(Self(lines.into())) }
    }

    /// The lines, in order.
    pub fn lines(&self) -> &[Text] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES_MAX;

    fn lines(text: &str) -> Vec<String> {
        Motd::new(text).unwrap().lines().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn motd_has_the_lines_with_visible_text() {
        assert_eq!(
            lines("\u{feff}Welcome.\r\n\r\n \t\n  * be kind \n\u{200b}\nlast"),
            ["Welcome.", "  * be kind", "last"]
        );
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("\n\n"), [""; 0]);
    }

    /// Otherwise an operator who copies a file could put control sequences into the terminals of all clients.
    #[test]
    fn motd_has_no_control_characters() {
        assert_eq!(lines("a\tb\x1b[2Jc\rd\u{202e}e\0"), ["a b\u{fffd}[2Jc\u{fffd}d\u{fffd}e\u{fffd}"]);
    }

    #[test]
    fn motd_is_limited_in_lines_and_in_bytes_of_a_line() {
        let longest = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(lines(&longest), [longest.as_str()]);
        assert_eq!(Motd::new(&format!("a\n\n{longest}x\n")), Err(InvalidMotd::LineTooLong(3)));
        assert_eq!(lines(&"x\n\n".repeat(MOTD_LINES_MAX)).len(), MOTD_LINES_MAX);
        assert_eq!(Motd::new(&"x\n".repeat(MOTD_LINES_MAX + 1)), Err(InvalidMotd::TooManyLines(MOTD_LINES_MAX + 1)));
    }
}
