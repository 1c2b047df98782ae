//! Past messages, and the lines that carry them.

use std::fmt;

use super::{MessageId, Name, Text, Timestamp, split_word};

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMessage {
    /// The id of the message.
    pub id: MessageId,
    /// When it was sent.
    pub at: Timestamp,
    /// The author's nickname at that time.
    pub name: Name,
    /// The text. `None`: the message was deleted.
    pub text: Option<Text>,
}

impl fmt::Display for PastMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: MessageId(id), at, name, text } = self;
        write!(f, "PAST {id} {at} {name}")?;
        text.iter().try_for_each(|text| write!(f, " {text}"))
    }
}

impl PastMessage {
    /// Parses the part of a line after `PAST`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let (id, rest) = rest.split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        let (name, text) = split_word(rest);
        Some(Self {
            id: MessageId(id.parse().ok()?),
            at: Timestamp::parse(time)?,
            name: Name::new(name).ok()?,
            text: text.map(Text::new).transpose().ok()?,
        })
    }
}
