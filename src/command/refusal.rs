//! The `ERR` line: a stable code for scripts, and a text for users.

use std::fmt;

use super::{Hint, Verb};
use crate::limits::{HINT_BYTES_MAX, LINE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::protocol::{
    ErrorCode, ErrorField, LineError, MessageId, Mode, OtherProtocol, RoomId, RoomName, Text, sanitize,
};

/// The final reply to a line that was refused: `ERR verb code text`. The text says what is wrong, and ends with the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The verb of the line; `None` (`-` on the wire) if the line has no known verb.
    pub verb: Option<Verb>,
    /// The code, for scripts.
    pub code: ErrorCode,
    /// The problem, for users. Unsafe characters in words of the client are replaced.
    pub problem: Text,
    /// The hint, if there is one.
    pub hint: Option<Hint>,
    /// The value for programs, if the code has one.
    pub field: Option<ErrorField>,
}

impl Refusal {
    /// Creates a refusal without a hint. `problem` may repeat words of the client: unsafe characters are replaced.
    pub fn new(verb: impl Into<Option<Verb>>, code: ErrorCode, problem: impl AsRef<str>) -> Self {
        let problem = sanitize(problem.as_ref());
        // Leaves room for the hint.
        let problem = Text::truncated(&problem[..problem.floor_char_boundary(TEXT_BYTES_MAX - HINT_BYTES_MAX)]);
        Self { verb: verb.into(), code, problem, hint: None, field: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Makes the hint one for a session that can take a nickname only by logging in.
    #[must_use]
    pub fn for_accounts_only(self) -> Self {
        Self { hint: self.hint.map(Hint::for_accounts_only), ..self }
    }

    /// Makes the commands in the hint name this room.
    #[must_use]
    pub fn with_hint_in(self, room: Option<RoomName>) -> Self {
        match (room, self.hint) {
            (Some(room), Some(hint)) => Self { hint: Some(hint.in_room(room)), ..self },
            (_, hint) => Self { hint, ..self },
        }
    }

    /// Requested messages were evicted. `oldest` is the id of the oldest retained message, or the next id if none is retained.
    pub fn too_old(verb: Verb, oldest: MessageId) -> Self {
        let MessageId(id) = oldest;
        let refusal = Self::new(verb, ErrorCode::TooOld, format!("the oldest message that is kept has id {id}"));
        let hint = Hint::Since(MessageId(id.saturating_sub(1)));
        Self { field: Some(ErrorField::Oldest(oldest)), ..refusal.with_hint(hint) }
    }

    /// No message in the room has the requested id yet. `last` is the id of the newest one.
    pub fn id_ahead(room: RoomId, last: MessageId) -> Self {
        let refusal = Self::new(Verb::Since, ErrorCode::IdAhead, format!("the last id is {}", last.0));
        let hint = if room == RoomId::LOBBY { Hint::CheckEpoch } else { Hint::CheckRoomEpoch };
        Self { field: Some(ErrorField::Last(last)), ..refusal.with_hint(hint) }
    }

    /// `RESUME` failed. Does not reveal whether the token is malformed or unknown.
    pub(crate) fn token_unknown() -> Self {
        let problem = "the resume token is invalid or has expired";
        Self::new(Verb::Resume, ErrorCode::TokenUnknown, problem).with_hint(Hint::Write(Verb::Nick))
    }

    /// Parses the text after `ERR`; `None` if its form, verb or code is unknown.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(3, ' ');
        let verb = match words.next()? {
            "-" => None,
            word => Some(Verb::from_word(word)?),
        };
        let code = ErrorCode::from_word(words.next()?)?;
        let text = words.next()?;
        let (problem, hint) = Hint::split(text);
        Some(Self { verb, code, problem: Text::truncated(problem), hint, field: ErrorField::parse(code, text) })
    }

    /// The text of the line: what is wrong, and the hint, with commands written for this mode.
    pub fn text(&self, mode: Mode) -> String {
        self.hint
            .as_ref()
            .map_or_else(|| self.problem.to_string(), |hint| format!("{}{}", self.problem, hint.in_mode(mode)))
    }

    /// Writes the line for a session in this mode.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, mode: Mode) -> fmt::Result {
        let verb = self.verb.map_or("-", Verb::as_str);
        write!(f, "ERR {verb} {} {}", self.code.as_str(), self.text(mode))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Mode::Commands)
    }
}

impl From<LineError> for Refusal {
    fn from(error: LineError) -> Self {
        let (code, problem, hint) = match error {
            LineError::TooLong => (
                ErrorCode::LineTooLong,
                format!("the line is too long and was discarded: expected at most {LINE_BYTES_MAX} bytes"),
                Hint::SplitLine,
            ),
            LineError::TooLongWithCr => (
                ErrorCode::LineTooLong,
                format!("your input has CR but no LF in its first {LINE_BYTES_MAX} bytes; it was discarded"),
                Hint::EndLinesWithLf,
            ),
            LineError::NotUtf8(byte) => {
                (ErrorCode::LineNotUtf8, format!("byte {byte} of this line is not UTF-8"), Hint::SendUtf8)
            }
            LineError::Utf16 => {
                (ErrorCode::LineNotUtf8, "your input is UTF-16: expected UTF-8".to_owned(), Hint::ConvertToUtf8)
            }
        };
        Self::new(None, code, problem).with_hint(hint)
    }
}

impl From<OtherProtocol> for Refusal {
    fn from(protocol: OtherProtocol) -> Self {
        let (problem, hint) = match protocol {
            OtherProtocol::Http => ("you sent an HTTP request, but this is a chat server", Hint::UseNetcat),
            OtherProtocol::Tls => {
                ("you sent a TLS handshake, but this server speaks plain text", Hint::ConnectWithoutTls)
            }
        };
        Self::new(None, ErrorCode::WrongProtocol, problem).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ECHO_CHARS_MAX, NAME_CHARS_MAX};

    #[test]
    fn field_is_first_number_of_text() {
        let check = |line: &str, field| assert_eq!(Refusal::parse(line).unwrap().field, field, "{line:?}");
        check("SINCE too-old 31 is the oldest", Some(ErrorField::Oldest(MessageId(31))));
        check("SINCE too-old the oldest is 31; write: SINCE 30", Some(ErrorField::Oldest(MessageId(31))));
        check("SINCE id-ahead the last id is 5; if your id is 4", Some(ErrorField::Last(MessageId(5))));
        check("SINCE too-old no number", None);
        check("SINCE too-old 99999999999999999999", None);
        check("SINCE epoch-changed the epoch is 22", None);
    }

    /// A client reads the field from the text.
    #[test]
    fn refusal_with_field_round_trips() {
        let refusals = [Refusal::too_old(Verb::Since, MessageId(31)), Refusal::id_ahead(RoomId::LOBBY, MessageId(5))];
        for refusal in refusals {
            assert!(refusal.field.is_some());
            let line = refusal.to_string();
            assert_eq!(Refusal::parse(line.strip_prefix("ERR ").unwrap()), Some(refusal));
        }
    }

    /// The hint always fits, whatever the text before it repeats.
    #[test]
    fn refusal_is_at_most_one_text() {
        let long = "\u{1f3f4}".repeat(TEXT_BYTES_MAX);
        let longest = Text::truncated(&"\u{1f3f4}".repeat(ECHO_CHARS_MAX + 1));
        let open = [Hint::Say(longest.clone()), Hint::DoubleSlash(longest), Hint::Since(MessageId(u64::MAX))];
        let room = RoomName::new(&format!("#{}", "\u{20000}".repeat(NAME_CHARS_MAX))).unwrap();
        let in_room = |hint: Hint| [hint.clone(), hint.in_room(room.clone())];
        for hint in Hint::plain().chain(open).flat_map(in_room) {
            let refusal = Refusal::new(None, ErrorCode::VerbUnknown, format!("\x01{long}")).with_hint(hint);
            for mode in [Mode::Commands, Mode::Chat] {
                let text = refusal.text(mode);
                assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
                assert_eq!(Hint::split(&text), (refusal.problem.as_str(), refusal.hint.clone()));
            }
        }
    }
}
