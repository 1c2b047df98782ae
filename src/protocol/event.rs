//! The events in a room, and the lines that carry them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::sanction_event::{lifted_word, parse_lifted, shown_target};
use super::{Drawing, Name, NameError, RoomLock, SanctionEvent, SanctionKind, SanctionTarget, Text, Token, split_word};

/// The number of a message: 1, 2, 3 and so on, without gaps, in the order of the room. No other event has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId(pub u64);

impl MessageId {
    /// The next id.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A point in time, in milliseconds since 1970 (UTC). It comes with the input: the core reads no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, with milliseconds: always of the same length, so that times sort as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Timestamp {
    /// The first millisecond of the year 0, the earliest that RFC 3339 can write.
    pub const MIN: Self = Self(-62_167_219_200_000);

    /// The last millisecond of the year 9999, the latest that RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The nearest time that RFC 3339 can write.
    #[must_use]
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }

    /// The time plus a duration, clamped.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))).clamped()
    }

    /// The time minus a duration, clamped.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))).clamped()
    }

    /// As a date, clamped to what RFC 3339 can write.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.clamped().0).unwrap_or_default()
    }

    /// Parses RFC 3339, in any offset from UTC.
    pub(crate) fn parse(time: &str) -> Option<Self> {
        Some(Self(DateTime::parse_from_rfc3339(time).ok()?.timestamp_millis()).clamped())
    }
}

/// An event that members read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member joined.
    Join(Name),
    /// A member left, for this reason, with the text that the user gave.
    Leave(Name, LeaveReason, Option<Text>),
    /// A member changed its nickname.
    Rename {
        /// The previous nickname.
        from: Name,
        /// The new nickname.
        to: Name,
    },
    /// A message to the room.
    Msg(Name, Text),
    /// A member drew a stroke, or cleared the canvas.
    Draw(Name, Drawing),
    /// A member set the room's topic, or cleared it.
    Topic(Name, Option<Text>),
    /// An account has become a moderator of the room, or is none any more.
    Moderator {
        /// The moderator. `None`: the operator at the control socket.
        by: Option<Name>,
        /// The account.
        name: Name,
        /// Whether it is a moderator from here on.
        on: bool,
    },
    /// Other members may enter the room from here on.
    Lock {
        /// The moderator. `None`: the operator at the control socket.
        by: Option<Name>,
        /// The members that may enter.
        lock: RoomLock,
    },
    /// An account or a guest is invited into the room, or is not any more.
    Invite {
        /// The moderator. `None`: the operator at the control socket.
        by: Option<Name>,
        /// The account, or the nickname of the guest.
        name: Name,
        /// Whether it is invited from here on.
        on: bool,
    },
    /// A ban or a mute has begun.
    Sanction(SanctionEvent),
    /// A ban or a mute was lifted.
    Lifted {
        /// The kind.
        kind: SanctionKind,
        /// The moderator. `None`: the operator at the control socket.
        by: Option<Name>,
        /// The target. `None`: a network, which members do not learn.
        target: Option<SanctionTarget>,
    },
    /// A message was deleted: it has no text any more.
    Deleted {
        /// The author, or the moderator. `None`: the operator at the control socket, or it is not known.
        by: Option<Name>,
        /// The message.
        id: MessageId,
    },
    /// A message to chosen members.
    Whisper(Name, Text),
    /// This member is coordinator from here on.
    Coordinator(Name),
    /// The reader missed joins and leaves. This number of [`User`](super::User) lines follows: the present members.
    Roster(usize),
    /// Text from the server.
    Notice(Text),
    /// The server asks for a reply, to see that the client is alive.
    Ping(Token),
}

/// Why a member left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The client sent `QUIT`.
    Quit,
    /// The client ended its input.
    Eof,
    /// The connection broke.
    Lost,
    /// The client is a slow consumer.
    Slow,
    /// The client was silent for too long.
    Timeout,
    /// The client sent too many invalid lines, or speaks another protocol.
    Errors,
    /// The client sent `PART`: the member left the room only.
    Part,
    /// The owner of the nickname, or another connection of its account, has logged in.
    Displaced,
    /// A moderator removed the member, from the room or from the server.
    Kicked,
    /// The member is banned from the room or from the server.
    Banned,
}

impl LeaveReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Quit,
        Self::Eof,
        Self::Lost,
        Self::Slow,
        Self::Timeout,
        Self::Errors,
        Self::Part,
        Self::Displaced,
        Self::Kicked,
        Self::Banned,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Eof => "eof",
            Self::Lost => "lost",
            Self::Slow => "slow",
            Self::Timeout => "timeout",
            Self::Errors => "errors",
            Self::Part => "part",
            Self::Displaced => "displaced",
            Self::Kicked => "kicked",
            Self::Banned => "banned",
        }
    }
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The member leaves or is detached for this reason; or would, if the session had a nickname.
    Left(LeaveReason),
    /// Another connection has resumed the member.
    Resumed,
    /// The server shuts down.
    Stopping,
}

impl CloseReason {
    /// The word in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left(reason) => reason.as_str(),
            Self::Resumed => "resumed",
            Self::Stopping => "shutdown",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl Event {
    /// Writes the line, without tag and ending.
    pub(super) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Join(name) => write!(out, "JOIN {name}"),
            Self::Leave(name, reason, None) => write!(out, "LEAVE {name} {}", reason.as_str()),
            Self::Leave(name, reason, Some(text)) => write!(out, "LEAVE {name} {} {text}", reason.as_str()),
            Self::Rename { from, to } => write!(out, "RENAME {from} {to}"),
            Self::Msg(name, text) => {
                let parts = ["MSG ", name.as_str(), " ", text.as_str()];
                parts.into_iter().try_for_each(|part| out.write_str(part))
            }
            Self::Draw(name, drawing) => write!(out, "DRAW {name} {drawing}"),
            Self::Topic(name, None) => write!(out, "TOPIC {name}"),
            Self::Topic(name, Some(text)) => write!(out, "TOPIC {name} {text}"),
            Self::Moderator { by, name, on } => {
                write!(out, "MODERATOR {} {name} {}", moderator(by.as_ref()), on_off(*on))
            }
            Self::Lock { by, lock } => write!(out, "LOCK {} {}", moderator(by.as_ref()), lock.as_str()),
            Self::Invite { by, name, on } => write!(out, "INVITE {} {name} {}", moderator(by.as_ref()), on_off(*on)),
            Self::Sanction(event) => event.write(out),
            Self::Lifted { kind, by, target } => {
                write!(out, "{} {} {}", lifted_word(*kind), moderator(by.as_ref()), shown_target(target.as_ref()))
            }
            Self::Deleted { by, id: MessageId(id) } => write!(out, "DELETE {} {id}", moderator(by.as_ref())),
            Self::Whisper(name, text) => write!(out, "WHISPER {name} {text}"),
            Self::Coordinator(name) => write!(out, "COORDINATOR {name}"),
            Self::Roster(count) => write!(out, "ROSTER {count}"),
            Self::Notice(text) => write!(out, "NOTICE {text}"),
            Self::Ping(token) => write!(out, "PING {token}"),
        }
    }

    /// Parses a line, without tag and ending. `None` if it is not an event.
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
            "TOPIC" => {
                let (name, text) = split_word(rest);
                Self::Topic(Name::new(name).ok()?, text.map(Text::new).transpose().ok()?)
            }
            "MODERATOR" => {
                let (by, name, on) = parse_switch(rest)?;
                Self::Moderator { by, name, on }
            }
            "LOCK" => {
                let (by, lock) = rest.split_once(' ')?;
                Self::Lock { by: parse_moderator(by).ok()?, lock: RoomLock::parse(lock)? }
            }
            "INVITE" => {
                let (by, name, on) = parse_switch(rest)?;
                Self::Invite { by, name, on }
            }
            "BAN" => Self::Sanction(SanctionEvent::parse(SanctionKind::Ban, rest)?),
            "MUTE" => Self::Sanction(SanctionEvent::parse(SanctionKind::Mute, rest)?),
            "UNBAN" => parse_lifted(SanctionKind::Ban, rest)?,
            "UNMUTE" => parse_lifted(SanctionKind::Mute, rest)?,
            "DELETE" => {
                let (by, id) = rest.split_once(' ')?;
                Self::Deleted { by: parse_moderator(by).ok()?, id: MessageId(id.parse().ok()?) }
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

/// Stands for the operator at the control socket, who has no nickname.
const NO_NICKNAME: &str = "-";

/// The moderator as a line has it.
pub(crate) fn moderator(by: Option<&Name>) -> &str {
    by.map_or(NO_NICKNAME, Name::as_str)
}

/// Parses the moderator in a line. `None`: the operator at the control socket.
pub(crate) fn parse_moderator(word: &str) -> Result<Option<Name>, NameError> {
    if word == NO_NICKNAME { Ok(None) } else { Name::new(word).map(Some) }
}

/// `on` or `off`.
pub(crate) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn parse_on_off(word: &str) -> Option<bool> {
    [true, false].into_iter().find(|on| on_off(*on) == word)
}

/// Parses a moderator, a name, and `on` or `off`.
fn parse_switch(rest: &str) -> Option<(Option<Name>, Name, bool)> {
    let mut words = rest.split(' ');
    let by = parse_moderator(words.next()?).ok()?;
    let (name, on) = (Name::new(words.next()?).ok()?, parse_on_off(words.next()?)?);
    words.next().is_none().then_some((by, name, on))
}

/// The prefix of an event, for clients that asked for tags: `@id time `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The id, if the event is a message; shown as `-` otherwise.
    pub id: Option<MessageId>,
    /// When it happened.
    pub at: Timestamp,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(MessageId(id)) => write!(f, "@{id} {} ", self.at),
            None => write!(f, "@- {} ", self.at),
        }
    }
}

impl Tag {
    /// Parses the tag at the start of `line`. Returns it and the rest of the line.
    pub fn parse(line: &str) -> Option<(Self, &str)> {
        let (id, rest) = line.strip_prefix('@')?.split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        let id = if id == "-" { None } else { Some(MessageId(id.parse().ok()?)) };
        Some((Self { id, at: Timestamp::parse(time)? }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_outside_four_digit_years_is_clamped() {
        let check = |millis: i64, expected: &str| {
            let text = Timestamp(millis).to_string();
            assert_eq!(text, expected, "{millis}");
            assert_eq!(Timestamp::parse(&text), Some(Timestamp(millis).clamped()), "{millis}");
        };
        check(Timestamp::MAX.0, "9999-12-31T23:59:59.999Z");
        check(Timestamp::MAX.0 + 1, "9999-12-31T23:59:59.999Z");
        check(i64::MAX, "9999-12-31T23:59:59.999Z");
        check(Timestamp::MIN.0, "0000-01-01T00:00:00.000Z");
        check(Timestamp::MIN.0 - 1, "0000-01-01T00:00:00.000Z");
        check(i64::MIN, "0000-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn timestamp_parse_clamps_times_outside_rfc_3339() {
        assert_eq!(Timestamp::parse("0000-01-01T00:00:00+23:59"), Some(Timestamp::MIN));
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59-23:59"), Some(Timestamp::MAX));
        assert_eq!(Timestamp::parse("+10000-01-01T00:00:00.000Z"), None);
    }

    #[test]
    fn timestamps_sort_alike_as_text_and_as_time() {
        arbtest::arbtest(|u| {
            let (one, other) = (Timestamp(u.arbitrary()?).clamped(), Timestamp(u.arbitrary()?).clamped());
            let near = Timestamp(one.0 + i64::from(u.arbitrary::<i32>()?)).clamped();
            assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
            assert_eq!(one.cmp(&near), one.to_string().cmp(&near.to_string()));
            Ok(())
        })
        .budget_ms(200);
    }
}
