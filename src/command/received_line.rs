//! A server's line as a client parses it, also a line of a later protocol version. All strings are safe to print to a terminal.

use super::{Hint, Refusal, ServerLine};
use crate::protocol::{ErrorCode, ErrorField, Event, RoomName, Tag, sanitize, split_word};

/// A line from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedLine {
    /// The line without its ending. Characters that are unsafe to print are replaced.
    pub line: String,
    /// The room that the line names; `None` if it is about the session's home, or about no room.
    pub room: Option<RoomName>,
    /// The parsed line without the room, if this version knows it.
    pub known: Option<ServerLine>,
    /// Where the words after the tag and the room begin.
    words: usize,
}

/// The parts of an `ERR` line. It may have a code or a hint of a later version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedRefusal {
    /// The code, for scripts.
    pub code: String,
    /// The problem, for users. An unknown hint remains a part of it.
    pub problem: String,
    /// The hint, if this version knows it.
    pub hint: Option<Hint>,
    /// The value for programs, if the code has one.
    pub field: Option<ErrorField>,
}

impl From<Refusal> for ReceivedRefusal {
    fn from(Refusal { code, problem, hint, field, .. }: Refusal) -> Self {
        Self { code: code.as_str().to_owned(), problem: problem.to_string(), hint, field }
    }
}

impl ReceivedLine {
    /// Parses `line`, without its ending.
    pub fn new(line: &str) -> Self {
        let line = sanitize(line).into_owned();
        let (tag, rest) = Tag::parse(&line).map_or((None, line.as_str()), |(tag, rest)| (Some(tag), rest));
        let (room, words) = match split_word(rest) {
            (word, Some(words)) => RoomName::new(word).map_or((None, rest), |room| (Some(room), words)),
            (_, None) => (None, rest),
        };
        let known = match tag {
            Some(tag) => Event::parse(words).map(|event| ServerLine::Event(Some(tag), event)),
            None => ServerLine::parse(words),
        };
        Self { room, known, words: line.len() - words.len(), line }
    }

    /// An event with its tag, as a line about this room.
    pub fn of_event(room: Option<RoomName>, tag: Tag, event: Event) -> Self {
        let name = room.as_ref().map_or_else(String::new, |room| format!("{room} "));
        let words = tag.to_string().len() + name.len();
        Self { line: format!("{tag}{name}{event}"), room, known: Some(ServerLine::Event(Some(tag), event)), words }
    }

    /// The line without its tag and its room.
    pub fn words(&self) -> &str {
        self.line.get(self.words..).unwrap_or_default()
    }

    /// The refusal, if the line is an `ERR`.
    pub fn refusal(&self) -> Option<ReceivedRefusal> {
        let (code, text) = self.code_and_text()?;
        let (problem, hint) = Hint::split(text);
        let field = ErrorCode::from_word(code).and_then(|code| ErrorField::parse(code, text));
        Some(ReceivedRefusal { code: code.to_owned(), problem: problem.to_owned(), hint, field })
    }

    /// Whether the line is an `ERR`.
    pub fn is_refusal(&self) -> bool {
        self.code_and_text().is_some()
    }

    fn code_and_text(&self) -> Option<(&str, &str)> {
        let mut words = self.words().strip_prefix("ERR ")?.splitn(3, ' ').skip(1);
        let code = words.next()?;
        Some((code, words.next().unwrap_or(code)))
    }

    /// Whether the line is the final reply to a line of the client.
    pub fn is_reply(&self) -> bool {
        // Some `ERR - …` lines answer no line: the server sends `slow` and the like before it closes the connection.
        let of_a_line = [
            ErrorCode::LineNotUtf8,
            ErrorCode::LineTooLong,
            ErrorCode::RoomInvalid,
            ErrorCode::VerbMissing,
            ErrorCode::VerbUnknown,
        ]
        .map(ErrorCode::as_str);
        let refused = self
            .code_and_text()
            .is_some_and(|(code, _)| !self.words().starts_with("ERR - ") || of_a_line.contains(&code));
        refused || self.words().starts_with("OK ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MessageId;

    #[test]
    fn err_line_with_any_code_is_a_refusal() {
        let check = |line: &str, code: &str, text: &str, answers| {
            let heard = ReceivedLine::new(line);
            assert_eq!((heard.code_and_text(), heard.is_reply()), (Some((code, text)), answers), "{line:?}");
        };
        check("ERR NICK name-taken bob is taken", "name-taken", "bob is taken", true);
        check("ERR - verb-unknown unknown command 'hi'", "verb-unknown", "unknown command 'hi'", true);
        check("ERR - line-not-utf8 byte 1", "line-not-utf8", "byte 1", true);
        check("ERR - slow you did not read", "slow", "you did not read", false);
        check("ERR - idle-timeout too quiet", "idle-timeout", "too quiet", false);
        check("ERR SING off-key", "off-key", "off-key", true);
    }

    #[test]
    fn control_characters_are_replaced() {
        let check = |line: &str, shown: &str, answers| {
            let heard = ReceivedLine::new(line);
            assert_eq!((heard.line.as_str(), heard.known.as_ref(), heard.is_reply()), (shown, None, answers));
        };
        check("OK SING 3\x07", "OK SING 3\u{fffd}", true);
        check("\x1b[2Jboo", "\u{fffd}[2Jboo", false);
        check("MSG", "MSG", false);
        assert_eq!(ReceivedLine::new("MSG bob \x1b[2J").line, "MSG bob \u{fffd}[2J");
    }

    #[test]
    fn room_is_split_off() {
        let check = |line: &str, room: Option<&str>, words: &str, is_known| {
            let received = ReceivedLine::new(line);
            let room = room.map(|room| RoomName::new(room).unwrap());
            assert_eq!(
                (&received.room, received.words(), received.known.is_some()),
                (&room, words, is_known),
                "{line:?}"
            );
        };
        check("#ops MSG bob hi", Some("#ops"), "MSG bob hi", true);
        check("@57 2026-11-20T12:44:29.138Z #ops MSG bob hi", Some("#ops"), "MSG bob hi", true);
        check("@57 2026-11-20T12:44:29.138Z MSG bob #ops hi", None, "MSG bob #ops hi", true);
        check("#ops OK MSG 57", Some("#ops"), "OK MSG 57", true);
        check("#ops SING la", Some("#ops"), "SING la", false);
        check("#ops", None, "#ops", false);
        check("#a,b MSG bob hi", None, "#a,b MSG bob hi", false);
        check("# MSG bob hi", None, "# MSG bob hi", false);
        assert!(ReceivedLine::new("#ops ERR MSG not-in-room x").is_reply());
        let line = "@57 2026-11-20T12:44:29.138Z #ops MSG bob hi";
        let received = ReceivedLine::new(line);
        let Some(ServerLine::Event(Some(tag), event)) = received.known.clone() else { panic!("{received:?}") };
        assert_eq!(ReceivedLine::of_event(received.room.clone(), tag, event), received);
    }

    #[test]
    fn refusal_has_what_hint_and_field() {
        let check = |line: &str, problem: &str, hint, field| {
            let refusal = ReceivedLine::new(line).refusal().unwrap();
            assert_eq!((refusal.problem.as_str(), refusal.hint, refusal.field), (problem, hint, field), "{line:?}");
        };
        let oldest = Some(ErrorField::Oldest(MessageId(31)));
        check("ERR SINCE too-old 31 is the oldest", "31 is the oldest", None, oldest);
        check("ERR SING too-old 31 it is; try again later", "31 it is", Some(Hint::RetryLater), oldest);
        check("ERR SING off-key 31; try again later", "31", Some(Hint::RetryLater), None);
        check("ERR SING off-key", "off-key", None, None);
    }
}
