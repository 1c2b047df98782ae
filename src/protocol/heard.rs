//! What a line from a server is to whoever reads it, those of later versions too. Nothing in it can harm a terminal.

use super::text::made_safe;
use super::{ErrorCode, ServerLine};

/// A line from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The line without its ending, made safe to print.
    pub line: String,
    /// What it says, if it is known.
    pub known: Option<ServerLine>,
}

impl Heard {
    /// What `line` (without its ending) is.
    pub fn new(line: &str) -> Self {
        let line = made_safe(line).into_owned();
        Self { known: ServerLine::parse(&line), line }
    }

    /// The code and the text of an `ERR`, whether or not the code is known.
    pub fn refused(&self) -> Option<(&str, &str)> {
        let mut words = self.line.strip_prefix("ERR ")?.splitn(3, ' ').skip(1);
        let code = words.next()?;
        Some((code, words.next().unwrap_or(code)))
    }

    /// What an `ERR` says to people; of another line, all of it.
    pub fn text(&self) -> &str {
        self.refused().map_or(&self.line, |(_, text)| text)
    }

    /// Whether it is the final reply to a line that was sent.
    pub fn answers(&self) -> bool {
        // Not every `ERR - …` is: `slow` and the like are said before the connection is closed.
        let of_a_line = [ErrorCode::LineNotUtf8, ErrorCode::LineTooLong, ErrorCode::VerbUnknown].map(ErrorCode::as_str);
        let refused =
            self.refused().is_some_and(|(code, _)| !self.line.starts_with("ERR - ") || of_a_line.contains(&code));
        refused || self.line.starts_with("OK ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_whatever_its_code() {
        let check = |line: &str, code: &str, text: &str, answers| {
            let heard = Heard::new(line);
            assert_eq!((heard.refused(), heard.answers()), (Some((code, text)), answers), "{line:?}");
        };
        check("ERR NICK name-taken bob is taken", "name-taken", "bob is taken", true);
        check("ERR - verb-unknown hi is no command", "verb-unknown", "hi is no command", true);
        check("ERR - line-not-utf8 byte 1", "line-not-utf8", "byte 1", true);
        check("ERR - slow you did not read", "slow", "you did not read", false);
        check("ERR - idle-timeout too quiet", "idle-timeout", "too quiet", false);
        check("ERR SING off-key", "off-key", "off-key", true);
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        let check = |line: &str, shown: &str, answers| {
            let heard = Heard::new(line);
            assert_eq!((heard.line.as_str(), heard.known.as_ref(), heard.answers()), (shown, None, answers));
        };
        check("OK SING 3\x07", "OK SING 3\u{fffd}", true);
        check("\x1b[2Jboo", "\u{fffd}[2Jboo", false);
        check("MSG", "MSG", false);
        assert_eq!(Heard::new("MSG bob \x1b[2J").line, "MSG bob \u{fffd}[2J");
    }
}
