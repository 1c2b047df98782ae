//! The `ERR` line: a stable code for scripts and a sentence for people.

use std::fmt;

use super::{Hint, MessageId, Mode, Text, Verb, made_safe};
use crate::limits::{HINT_BYTES_MAX, TEXT_BYTES_MAX};

/// What went wrong, in words that never change; `protocol.md` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A `RESUME` by somebody who has a name.
    AlreadyNamed,
    /// An argument too many.
    ArgumentUnexpected,
    /// A `DRAW` without a colour.
    ColourInvalid,
    /// `SINCE` in an epoch that is over.
    EpochChanged,
    /// `SINCE` an id that was not given yet.
    IdAhead,
    /// Nothing came from the peer for too long; said last, before the connection is closed.
    IdleTimeout,
    /// A line of more bytes than may be.
    LineTooLong,
    /// A line that is no UTF-8.
    LineNotUtf8,
    /// A name too much like one that is taken.
    NameAlike,
    /// A name with something in it that a name cannot have.
    NameInvalid,
    /// A `NICK` without a name.
    NameMissing,
    /// A name that somebody has.
    NameTaken,
    /// The peer took no name for too long; said last, before the connection is closed.
    NameTimeout,
    /// A name of too many characters.
    NameTooLong,
    /// The command needs a name first.
    NoName,
    /// `SEARCH` where no messages are stored.
    NoStore,
    /// Only the coordinator may.
    NotCoordinator,
    /// A message that could not be stored; nobody got it.
    NotStored,
    /// Something that is to be a number is none.
    NumberInvalid,
    /// `SET` of an option that is not known or not named.
    OptionUnknown,
    /// A `DRAW` without a point, or with one that is none.
    PointInvalid,
    /// A `DRAW` of too many points.
    PointsTooMany,
    /// The server keeps nobody's name.
    ResumeOff,
    /// The name goes on with another connection; said last, before this one is closed.
    Resumed,
    /// A `SEARCH` that took too long.
    SearchTimeout,
    /// One connection more than may be; said instead of a greeting.
    ServerFull,
    /// The peer did not read for too long; said last, before the connection is closed.
    Slow,
    /// What is stored cannot be read now.
    StoreFailed,
    /// A whisper to somebody who is not here.
    TargetAbsent,
    /// A whisper without a name.
    TargetMissing,
    /// A whisper to oneself.
    TargetSelf,
    /// A whisper to too many.
    TargetsTooMany,
    /// A message or whisper without text.
    TextMissing,
    /// A text that is too long once it is made safe.
    TextTooLong,
    /// A `RESUME` without a token.
    TokenMissing,
    /// A token that is too long.
    TokenTooLong,
    /// A `RESUME` with a token that is nobody's.
    TokenUnknown,
    /// Too many lines in a row that were no commands or guessed tokens; said last, before the connection is closed.
    TooManyErrors,
    /// `SINCE` an id after which something is no longer kept.
    TooOld,
    /// `SET` to neither on nor off.
    ValueInvalid,
    /// No command begins with this word.
    VerbUnknown,
    /// A `DRAW` without a width, or with one that is none.
    WidthInvalid,
    /// A `SEARCH` for too many words.
    WordsTooMany,
    /// The peer speaks another protocol; said last, before the connection is closed.
    WrongProtocol,
}

impl ErrorCode {
    /// All of them, in alphabetical order.
    pub const ALL: [Self; 44] = [
        Self::AlreadyNamed,
        Self::ArgumentUnexpected,
        Self::ColourInvalid,
        Self::EpochChanged,
        Self::IdAhead,
        Self::IdleTimeout,
        Self::LineNotUtf8,
        Self::LineTooLong,
        Self::NameAlike,
        Self::NameInvalid,
        Self::NameMissing,
        Self::NameTaken,
        Self::NameTimeout,
        Self::NameTooLong,
        Self::NoName,
        Self::NoStore,
        Self::NotCoordinator,
        Self::NotStored,
        Self::NumberInvalid,
        Self::OptionUnknown,
        Self::PointInvalid,
        Self::PointsTooMany,
        Self::ResumeOff,
        Self::Resumed,
        Self::SearchTimeout,
        Self::ServerFull,
        Self::Slow,
        Self::StoreFailed,
        Self::TargetAbsent,
        Self::TargetMissing,
        Self::TargetSelf,
        Self::TargetsTooMany,
        Self::TextMissing,
        Self::TextTooLong,
        Self::TokenMissing,
        Self::TokenTooLong,
        Self::TokenUnknown,
        Self::TooManyErrors,
        Self::TooOld,
        Self::ValueInvalid,
        Self::VerbUnknown,
        Self::WidthInvalid,
        Self::WordsTooMany,
        Self::WrongProtocol,
    ];

    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyNamed => "already-named",
            Self::ArgumentUnexpected => "argument-unexpected",
            Self::ColourInvalid => "colour-invalid",
            Self::EpochChanged => "epoch-changed",
            Self::IdAhead => "id-ahead",
            Self::IdleTimeout => "idle-timeout",
            Self::LineTooLong => "line-too-long",
            Self::LineNotUtf8 => "line-not-utf8",
            Self::NameAlike => "name-alike",
            Self::NameInvalid => "name-invalid",
            Self::NameMissing => "name-missing",
            Self::NameTaken => "name-taken",
            Self::NameTimeout => "name-timeout",
            Self::NameTooLong => "name-too-long",
            Self::NoName => "no-name",
            Self::NoStore => "no-store",
            Self::NotCoordinator => "not-coordinator",
            Self::NotStored => "not-stored",
            Self::NumberInvalid => "number-invalid",
            Self::OptionUnknown => "option-unknown",
            Self::PointInvalid => "point-invalid",
            Self::PointsTooMany => "points-too-many",
            Self::ResumeOff => "resume-off",
            Self::Resumed => "resumed",
            Self::SearchTimeout => "search-timeout",
            Self::ServerFull => "server-full",
            Self::Slow => "slow",
            Self::StoreFailed => "store-failed",
            Self::TargetAbsent => "target-absent",
            Self::TargetMissing => "target-missing",
            Self::TargetSelf => "target-self",
            Self::TargetsTooMany => "targets-too-many",
            Self::TextMissing => "text-missing",
            Self::TextTooLong => "text-too-long",
            Self::TokenMissing => "token-missing",
            Self::TokenTooLong => "token-too-long",
            Self::TokenUnknown => "token-unknown",
            Self::TooManyErrors => "too-many-errors",
            Self::TooOld => "too-old",
            Self::ValueInvalid => "value-invalid",
            Self::VerbUnknown => "verb-unknown",
            Self::WidthInvalid => "width-invalid",
            Self::WordsTooMany => "words-too-many",
            Self::WrongProtocol => "wrong-protocol",
        }
    }

    /// The code that `word` is.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

/// A line that was not carried out, and why: `ERR verb code text`. The text is what is wrong, then the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The verb refused; none (`-` on the wire) where the line had none that is known.
    pub verb: Option<Verb>,
    /// Why, for scripts.
    pub code: ErrorCode,
    /// What is wrong, for users. What it repeats of the client's words is made safe.
    pub what: Text,
    /// What to do next.
    pub hint: Option<Hint>,
    /// The value that programs read, of a code that has one.
    pub field: Option<Field>,
}

/// A value in the text of a refusal, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Of `too-old`: the oldest id that is kept, or the next one if no message is kept.
    Oldest(MessageId),
    /// Of `id-ahead`: the id of the newest message.
    Last(MessageId),
}

impl Field {
    /// Reads the field from the text of an `ERR` line with this code.
    pub fn parse(code: ErrorCode, text: &str) -> Option<Self> {
        let field = match code {
            ErrorCode::TooOld => Self::Oldest,
            ErrorCode::IdAhead => Self::Last,
            _ => return None,
        };
        let digits = text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
        digits.parse().ok().map(|id| field(MessageId(id)))
    }

    /// The name of the field.
    pub fn key(self) -> &'static str {
        match self {
            Self::Oldest(_) => "oldest",
            Self::Last(_) => "last",
        }
    }

    /// The value of the field.
    pub fn id(self) -> MessageId {
        match self {
            Self::Oldest(id) | Self::Last(id) => id,
        }
    }
}

impl Refusal {
    /// A refusal without a hint; `what` is made safe as a whole, so that it may repeat what the client sent.
    pub fn new(verb: impl Into<Option<Verb>>, code: ErrorCode, what: impl AsRef<str>) -> Self {
        let what = made_safe(what.as_ref());
        // The hint must fit after it.
        let what = Text::ours(&what[..what.floor_char_boundary(TEXT_BYTES_MAX - HINT_BYTES_MAX)]);
        Self { verb: verb.into(), code, what, hint: None, field: None }
    }

    /// The same refusal, with a hint.
    #[must_use]
    pub fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Messages that were requested are no longer kept. `oldest` is the oldest one that is.
    pub fn too_old(verb: Verb, oldest: MessageId) -> Self {
        let MessageId(id) = oldest;
        let refusal = Self::new(verb, ErrorCode::TooOld, format!("{id} is the oldest that is kept"));
        let hint = Hint::Since(MessageId(id.saturating_sub(1)));
        Self { field: Some(Field::Oldest(oldest)), ..refusal.with_hint(hint) }
    }

    /// No message has the requested id yet. `last` is the id of the newest one.
    pub fn id_ahead(last: MessageId) -> Self {
        let refusal = Self::new(Verb::Since, ErrorCode::IdAhead, format!("the last id is {}", last.0));
        Self { field: Some(Field::Last(last)), ..refusal.with_hint(Hint::CheckEpoch) }
    }

    /// A `RESUME` resumes nothing. Does not reveal whether the token is malformed or unknown.
    pub(crate) fn token_unknown() -> Self {
        let what = "nobody's name is kept for this token (any more)";
        Self::new(Verb::Resume, ErrorCode::TokenUnknown, what).with_hint(Hint::Write(Verb::Nick))
    }

    /// What follows `ERR`; `None` if it has no such form or if the verb or the code is not known.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(3, ' ');
        let verb = match words.next()? {
            "-" => None,
            word => Some(Verb::from_word(word)?),
        };
        let code = ErrorCode::from_word(words.next()?)?;
        let text = words.next()?;
        let (what, hint) = Hint::split(text);
        Some(Self { verb, code, what: Text::ours(what), hint, field: Field::parse(code, text) })
    }

    /// The text of the line: what is wrong, and the hint with commands as a session of this mode writes them.
    pub fn text(&self, mode: Mode) -> String {
        self.hint.as_ref().map_or_else(|| self.what.to_string(), |hint| format!("{}{}", self.what, hint.in_mode(mode)))
    }

    /// Writes the line for a session of this mode.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ECHO_CHARS_MAX;

    /// The norm explains every code, once, and no other.
    #[test]
    fn the_protocol_lists_these_codes() {
        let norm = include_str!("../../protocol.md");
        let (_, section) = norm.split_once("\n## Error codes\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let (_, codes) = section.split_once("\n| code | the line was refused because |\n").unwrap();
        let mut listed: Vec<_> = codes.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        listed.sort_unstable();
        assert_eq!(listed, ErrorCode::ALL.map(ErrorCode::as_str));
    }

    /// The norm lists the fields, by the codes that have one.
    #[test]
    fn protocol_lists_fields() {
        let norm = include_str!("../../protocol.md");
        let (_, table) = norm.split_once("\n| code | field | its value |\n|---|---|---|\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let listed: Vec<_> = rows.map(|row| row.split('`').skip(1).step_by(2).take(2).collect::<Vec<_>>()).collect();
        let has_field = |code: ErrorCode| Some(vec![code.as_str(), Field::parse(code, "at 31, not 5")?.key()]);
        assert_eq!(listed, ErrorCode::ALL.into_iter().filter_map(has_field).collect::<Vec<_>>());
    }

    #[test]
    fn field_is_first_number_of_text() {
        let check = |line: &str, field| assert_eq!(Refusal::parse(line).unwrap().field, field, "{line:?}");
        check("SINCE too-old 31 is the oldest", Some(Field::Oldest(MessageId(31))));
        check("SINCE too-old the oldest is 31; write: SINCE 30", Some(Field::Oldest(MessageId(31))));
        check("SINCE id-ahead the last id is 5; from another epoch?", Some(Field::Last(MessageId(5))));
        check("SINCE too-old no number", None);
        check("SINCE too-old 99999999999999999999", None);
        check("SINCE epoch-changed the epoch is 22", None);
    }

    /// The hint always fits, whatever the text before it repeats.
    #[test]
    fn refusal_is_at_most_one_text() {
        let long = "\u{1f3f4}".repeat(TEXT_BYTES_MAX);
        let longest = Text::ours(&"\u{1f3f4}".repeat(ECHO_CHARS_MAX + 1));
        let open = [Hint::Say(longest.clone()), Hint::DoubleSlash(longest), Hint::Since(MessageId(u64::MAX))];
        for hint in Hint::plain().chain(open) {
            let refusal = Refusal::new(None, ErrorCode::VerbUnknown, format!("\x01{long}")).with_hint(hint);
            for mode in [Mode::Commands, Mode::Chat] {
                let text = refusal.text(mode);
                assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
                assert_eq!(Hint::split(&text), (refusal.what.as_str(), refusal.hint.clone()));
            }
        }
    }
}
