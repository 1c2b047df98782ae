//! The `ERR` line: a stable code for scripts and a sentence for people.

use std::fmt;

use super::{EventId, Mode, Text, Verb};

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

/// A line that was not carried out, and why: `ERR verb code text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The verb refused; none (`-` on the wire) where the line had none that is known.
    pub verb: Option<Verb>,
    /// Why, for scripts.
    pub code: ErrorCode,
    /// Why, and what to do next, for people. May change; what it repeats of the peer's words is made safe.
    pub text: Text,
}

impl Refusal {
    /// A refusal; `text` is made safe as a whole, so that it may repeat what the peer sent.
    pub fn new(verb: impl Into<Option<Verb>>, code: ErrorCode, text: impl AsRef<str>) -> Self {
        Self { verb: verb.into(), code, text: Text::ours(text.as_ref()) }
    }

    /// Something that was asked for is no longer kept; `oldest` is, and `prefix` stands before a verb.
    pub(crate) fn too_old(verb: Verb, oldest: EventId, prefix: &str) -> Self {
        let EventId(oldest) = oldest;
        let before = oldest.saturating_sub(1);
        let text = format!("{oldest} is the oldest that is kept; for all from there on, write: {prefix}SINCE {before}");
        Self::new(verb, ErrorCode::TooOld, text)
    }

    /// That a `RESUME` resumes nothing: whether the token is none or nobody's, nobody learns.
    pub(crate) fn token_unknown(mode: Mode) -> Self {
        let text = format!("nobody's name is kept for this token (any more); write: {}", mode.usage(Verb::Nick));
        Self::new(Verb::Resume, ErrorCode::TokenUnknown, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb.map_or("-", Verb::as_str);
        write!(f, "ERR {verb} {} {}", self.code.as_str(), self.text)
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
        let mut listed: Vec<_> =
            section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        listed.sort_unstable();
        assert_eq!(listed, ErrorCode::ALL.map(ErrorCode::as_str));
    }
}
