//! The final reply to a command that succeeded: `OK`, the verb, and words that the command defines.

use std::fmt;

use super::{Reply, Verb};
use crate::protocol::{MessageId, Name, on_off, split_word};

/// The words after the verb in an `OK` line.
pub trait ReplyWords {
    /// Writes the words, each with a space before it.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Parses the text after the verb and a space; the argument is `None` if the line ends with the verb. Returns `None` if the text is
    /// invalid.
    fn parse(words: Option<&str>) -> Option<Self>
    where
        Self: Sized;
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OK ")?;
        f.write_str(self.verb().as_str())?;
        self.words().write(f)
    }
}

impl Reply {
    /// Parses the text after `OK`; `None` if the reply is unknown.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let (verb, words) = split_word(rest);
        Self::parse_words(Verb::from_word(verb)?, words)
    }
}

/// A reply without words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyReply;

impl ReplyWords for EmptyReply {
    fn write(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words.is_none().then_some(Self)
    }
}

/// The command gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReply {}

impl ReplyWords for NoReply {
    fn write(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }

    fn parse(_: Option<&str>) -> Option<Self> {
        None
    }
}

impl ReplyWords for Name {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        Self::new(words?).ok()
    }
}

impl ReplyWords for MessageId {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(" ")?;
        fmt::Display::fmt(&self.0, f)
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words?.parse().ok().map(Self)
    }
}

/// A count.
impl ReplyWords for u64 {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words?.parse().ok()
    }
}

/// `on` or `off`.
impl ReplyWords for bool {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", on_off(*self))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        on_off_from_word(words?)
    }
}

/// Reads `on` or `off`, in any case.
pub(super) fn on_off_from_word(word: &str) -> Option<bool> {
    [true, false].into_iter().find(|&on| on_off(on).eq_ignore_ascii_case(word))
}

/// The reply to `HISTORY` and `SINCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryReply {
    /// Number of messages. Their `PAST` lines precede the reply.
    pub count: u64,
    /// Id of the newest message at the reply's place in the order, whether or not it is among these; 0 before the first message.
    /// A client that has read up to here can send `SINCE` with this id later.
    pub last: MessageId,
}

/// Precedes the id of the newest message in the line.
const LAST: &str = "last=";

impl ReplyWords for HistoryReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, last: MessageId(last) } = self;
        write!(f, " {count} {LAST}{last}")
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (count, last) = words?.split_once(' ')?;
        Some(Self { count: count.parse().ok()?, last: MessageId(last.strip_prefix(LAST)?.parse().ok()?) })
    }
}
