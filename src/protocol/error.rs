//! The codes of `ERR` lines, for scripts.

use super::MessageId;

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

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The table in protocol.md lists exactly the codes that have a field.
    #[test]
    fn protocol_lists_fields() {
        let norm = include_str!("../../protocol.md");
        let (_, table) = norm.split_once("\n| code | field | its value |\n|---|---|---|\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let listed: Vec<_> = rows.map(|row| row.split('`').skip(1).step_by(2).take(2).collect::<Vec<_>>()).collect();
        let has_field = |code: ErrorCode| Some(vec![code.as_str(), Field::parse(code, "at 31, not 5")?.key()]);
        assert_eq!(listed, ErrorCode::ALL.into_iter().filter_map(has_field).collect::<Vec<_>>());
    }
}
