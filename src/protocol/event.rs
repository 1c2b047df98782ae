//! What happens in a room, and how a line tells it.

use std::fmt;

use chrono::{DateTime, SecondsFormat};

use super::{Drawing, Name, Text, Token, split_word};

/// The place of an event in the room's one order: 1, 2, 3 and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(pub u64);

impl EventId {
    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A point in time, in milliseconds since 1970 (UTC). The core is told it and never asks a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Timestamp {
    /// What is written like this, if it is a time.
    pub(crate) fn parse(time: &str) -> Option<Self> {
        Some(Self(DateTime::parse_from_rfc3339(time).ok()?.timestamp_millis()))
    }
}

/// Something that others get to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody took their first name and is here.
    Join(Name),
    /// Somebody is gone, and why; in their own words if they gave some.
    Leave(Name, LeaveReason, Option<Text>),
    /// Somebody took another name.
    Rename {
        /// The name they had.
        from: Name,
        /// The name they have.
        to: Name,
    },
    /// Somebody said something to all.
    Msg(Name, Text),
    /// Somebody drew something, or cleared the canvas.
    Draw(Name, Drawing),
    /// Somebody said something to the reader.
    Whisper(Name, Text),
    /// Who is coordinator from here on.
    Coordinator(Name),
    /// The reader missed who came and went; here come so many [`User`](super::User) lines that say who is here.
    Roster(usize),
    /// The server has something to say.
    Notice(Text),
    /// The server wants a sign of life.
    Ping(Token),
}

/// Why a peer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// It said `QUIT`.
    Quit,
    /// Its input ended, and it has read its replies.
    Eof,
    /// Its connection broke.
    Lost,
    /// It did not read what it was sent.
    Slow,
    /// Nothing came from it for too long.
    Timeout,
    /// What it sent was no commands, or another protocol.
    Errors,
}

impl LeaveReason {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Quit, Self::Eof, Self::Lost, Self::Slow, Self::Timeout, Self::Errors];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Eof => "eof",
            Self::Lost => "lost",
            Self::Slow => "slow",
            Self::Timeout => "timeout",
            Self::Errors => "errors",
        }
    }
}

/// Why the server sends a peer nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It leaves, or has no name and would.
    Left(LeaveReason),
    /// Another connection has taken its name back.
    Resumed,
    /// The server stops.
    Stopping,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(name) => write!(f, "JOIN {name}"),
            Self::Leave(name, reason, None) => write!(f, "LEAVE {name} {}", reason.as_str()),
            Self::Leave(name, reason, Some(text)) => write!(f, "LEAVE {name} {} {text}", reason.as_str()),
            Self::Rename { from, to } => write!(f, "RENAME {from} {to}"),
            Self::Msg(name, text) => write!(f, "MSG {name} {text}"),
            Self::Draw(name, drawing) => write!(f, "DRAW {name} {drawing}"),
            Self::Whisper(name, text) => write!(f, "WHISPER {name} {text}"),
            Self::Coordinator(name) => write!(f, "COORDINATOR {name}"),
            Self::Roster(count) => write!(f, "ROSTER {count}"),
            Self::Notice(text) => write!(f, "NOTICE {text}"),
            Self::Ping(token) => write!(f, "PING {token}"),
        }
    }
}

impl Event {
    /// The event that `line` (without tag and ending) tells, if it is one.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, rest) = split_word(line);
        let rest = rest?;
        let named = |rest: &str| {
            let (name, text) = split_word(rest);
            Some((Name::new(name).ok()?, Text::new(text?).ok()?))
        };
        Some(match word {
            "JOIN" => Self::Join(Name::new(rest).ok()?),
            "LEAVE" => {
                let (name, why) = rest.split_once(' ')?;
                let (reason, text) = split_word(why);
                let reason = LeaveReason::ALL.into_iter().find(|known| known.as_str() == reason)?;
                Self::Leave(Name::new(name).ok()?, reason, text.map(Text::new).transpose().ok()?)
            }
            "RENAME" => {
                let (from, to) = rest.split_once(' ')?;
                Self::Rename { from: Name::new(from).ok()?, to: Name::new(to).ok()? }
            }
            "MSG" => named(rest).map(|(name, text)| Self::Msg(name, text))?,
            "DRAW" => {
                let (name, drawing) = rest.split_once(' ')?;
                Self::Draw(Name::new(name).ok()?, Drawing::parse(drawing)?)
            }
            "WHISPER" => named(rest).map(|(name, text)| Self::Whisper(name, text))?,
            "COORDINATOR" => Self::Coordinator(Name::new(rest).ok()?),
            "ROSTER" => Self::Roster(rest.parse().ok()?),
            "NOTICE" => Self::Notice(Text::new(rest).ok()?),
            "PING" => Self::Ping(Token::new(rest).ok()?),
            _ => return None,
        })
    }
}

/// What precedes an event for a reader that asked for tags: `@id time `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its place in the order; none (`-`) for what only this reader gets, or is drawn.
    pub id: Option<EventId>,
    /// When it happened.
    pub at: Timestamp,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(EventId(id)) => write!(f, "@{id} {} ", self.at),
            None => write!(f, "@- {} ", self.at),
        }
    }
}

impl Tag {
    /// The tag at the begin of `line`, and what follows it.
    pub fn parse(line: &str) -> Option<(Self, &str)> {
        let (id, rest) = line.strip_prefix('@')?.split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        let id = if id == "-" { None } else { Some(EventId(id.parse().ok()?)) };
        Some((Self { id, at: Timestamp::parse(time)? }, rest))
    }
}
