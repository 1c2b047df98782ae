//! The events of bans and mutes.

use std::cmp::Ordering;
use std::fmt;

use super::event::{moderator, parse_moderator};
use super::{Event, Name, SanctionKind, SanctionTarget, TargetError, Text, Timestamp, split_word};

/// A ban or a mute, as the members of a room read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionEvent {
    /// The kind.
    pub kind: SanctionKind,
    /// The moderator. `None`: the operator at the control socket.
    pub by: Option<Name>,
    /// The target. `None`: a network, which members do not learn.
    pub target: Option<SanctionTarget>,
    /// When it ends. `None`: never.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: Option<Text>,
}

/// Stands for a network.
const HIDDEN: &str = "-";

/// Precedes the end.
const UNTIL: &str = "until=";

/// Stands for the end of a sanction that does not end by itself.
const NEVER: &str = "never";

impl SanctionEvent {
    pub(super) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let Self { kind, by, target, until, reason } = self;
        let (word, by, target) = (word(*kind), moderator(by.as_ref()), shown_target(target.as_ref()));
        write!(out, "{word} {by} {target} {}", Until(*until))?;
        reason.iter().try_for_each(|reason| write!(out, " {reason}"))
    }

    /// Parses the text after the first word.
    pub(super) fn parse(kind: SanctionKind, rest: &str) -> Option<Self> {
        let mut words = rest.splitn(4, ' ');
        let (by, target) = (parse_moderator(words.next()?).ok()?, parse_shown_target(kind, words.next()?).ok()?);
        let until = Until::parse(words.next()?)?.0;
        let reason = words.next().map(Text::new).transpose().ok()?;
        Some(Self { kind, by, target, until, reason })
    }
}

/// The end of a sanction, as lines have it. `None`: it does not end by itself. The latest end is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub Option<Timestamp>);

impl Ord for Until {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |Self(until): &Self| (until.is_none(), *until);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Until {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Until {
    /// Whether the sanction still has an effect.
    pub fn is_ahead(self, now: Timestamp) -> bool {
        self.0.is_none_or(|until| now < until)
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        match word.strip_prefix(UNTIL)? {
            NEVER => Some(Self(None)),
            time => Timestamp::parse(time).map(|until| Self(Some(until))),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(until) => write!(f, "{UNTIL}{until}"),
            None => write!(f, "{UNTIL}{NEVER}"),
        }
    }
}

fn word(kind: SanctionKind) -> &'static str {
    match kind {
        SanctionKind::Ban => "BAN",
        SanctionKind::Mute => "MUTE",
    }
}

pub(super) fn lifted_word(kind: SanctionKind) -> &'static str {
    match kind {
        SanctionKind::Ban => "UNBAN",
        SanctionKind::Mute => "UNMUTE",
    }
}

/// A target as a line has it. `None`: it is hidden, because it is an address.
pub(crate) fn shown_target(target: Option<&SanctionTarget>) -> String {
    target.map_or_else(|| HIDDEN.to_owned(), ToString::to_string)
}

/// Parses the target of a sanction of this kind in a line. `None`: it is hidden, because it is an address.
pub(crate) fn parse_shown_target(kind: SanctionKind, word: &str) -> Result<Option<SanctionTarget>, TargetError> {
    if word == HIDDEN { Ok(None) } else { SanctionTarget::parse(kind, word).map(Some) }
}

pub(super) fn parse_lifted(kind: SanctionKind, rest: &str) -> Option<Event> {
    let (by, target) = split_word(rest);
    Some(Event::Lifted { kind, by: parse_moderator(by).ok()?, target: parse_shown_target(kind, target?).ok()? })
}
