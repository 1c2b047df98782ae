//! The server's side of the wire but for events: the greeting, replies, and any line it may send as one type.

use std::fmt;
use std::net::SocketAddr;

use super::command::{switch, switch_from_word};
use super::{
    Drawn, Event, MessageId, Mode, Name, Past, Refusal, ResumeToken, Setting, Tag, Text, Token, VERSION, Verb,
    split_word,
};

/// The final line of a command that was carried out: `OK verb …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The name is yours.
    Nick(Name),
    /// The name is yours again.
    Resume(Name),
    /// It was said, at this place in the order.
    Msg(MessageId),
    /// These were told.
    Whisper(Vec<Name>),
    /// So many are here; their `USER` lines came before.
    Who(usize),
    /// The same.
    Status(usize),
    /// The requested messages; their `PAST` lines came before.
    History(Replayed),
    /// The messages after an id; their `PAST` lines came before.
    Since(Replayed),
    /// Number of messages found; their `PAST` lines came before.
    Search(u64),
    /// It was drawn, or cleared.
    Draw,
    /// So many strokes are on the canvas; their `STROKE` lines came before.
    Canvas(u64),
    /// All that came before the `PING` has happened.
    Ping(Option<Token>),
    /// The `NOTICE` lines came before.
    Help,
    /// The option has this value.
    Set(Setting, bool),
    /// The option `resume` is on, and this takes the name back.
    Resumable(ResumeToken),
    /// Whether bare lines are messages from here on.
    Chat(bool),
    /// Good-bye.
    Quit,
}

/// What `HISTORY` and `SINCE` sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Number of messages.
    pub count: u64,
    /// Id of the newest message at the reply's place in the order, whether or not it was sent again; 0 before the first message.
    /// A client that has read up to here asks for `SINCE` this id later.
    pub last: MessageId,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, last: MessageId(last) } = self;
        write!(f, "{count} {LAST}{last}")
    }
}

impl Replayed {
    fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.split(' ');
        let count = words.next()?.parse().ok()?;
        Some(Self { count, last: MessageId(words.next()?.strip_prefix(LAST)?.parse().ok()?) })
    }
}

/// Precedes the id of the newest message.
const LAST: &str = "last=";

/// Somebody who is here, as `WHO` and `STATUS` list them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: Name,
    /// Whether they are the coordinator.
    pub coordinator: bool,
    /// What only the coordinator is shown.
    pub details: Option<Details>,
}

/// What `STATUS` adds to a [`User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// The session's number, never given twice while the server runs.
    pub id: u64,
    /// Where they connected from.
    pub address: SocketAddr,
    /// Seconds since their last line.
    pub idle_seconds: u64,
    /// Seconds since they joined.
    pub online_seconds: u64,
}

/// Any line the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerLine {
    /// The first line on a connection: the room's epoch, if it has one, and what to do.
    Hello(Option<Token>, Text),
    /// A command was carried out.
    Ok(Reply),
    /// A line was not.
    Err(Refusal),
    /// One of those here.
    User(User),
    /// Something that was said before.
    Past(Past),
    /// Something that is on the canvas.
    Drawn(Drawn),
    /// Something happened.
    Event(Option<Tag>, Event),
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_mode(Mode::Commands).fmt(f)
    }
}

impl ServerLine {
    /// The line for a session of this mode: a refusal names commands as they are written in it.
    pub fn in_mode(&self, mode: Mode) -> LineInMode<'_> {
        LineInMode { line: self, mode }
    }
}

/// A line for a session of a [`Mode`].
#[derive(Clone, Copy, Debug)]
pub struct LineInMode<'a> {
    line: &'a ServerLine,
    mode: Mode,
}

impl fmt::Display for LineInMode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            ServerLine::Hello(None, text) => write!(f, "HELLO {VERSION} {text}"),
            ServerLine::Hello(Some(epoch), text) => write!(f, "HELLO {VERSION} {EPOCH}{epoch} {text}"),
            ServerLine::Ok(reply) => reply.fmt(f),
            ServerLine::Err(refusal) => refusal.write(f, self.mode),
            ServerLine::User(user) => user.fmt(f),
            ServerLine::Past(past) => past.fmt(f),
            ServerLine::Drawn(drawn) => drawn.fmt(f),
            ServerLine::Event(None, event) => event.fmt(f),
            ServerLine::Event(Some(tag), event) => write!(f, "{tag}{event}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nick(name) => write!(f, "OK NICK {name}"),
            Self::Resume(name) => write!(f, "OK RESUME {name}"),
            Self::Msg(MessageId(id)) => write!(f, "OK MSG {id}"),
            Self::Whisper(names) => {
                f.write_str("OK WHISPER ")?;
                for (at, name) in names.iter().enumerate() {
                    let separator = if at == 0 { "" } else { "," };
                    write!(f, "{separator}{name}")?;
                }
                Ok(())
            }
            Self::Who(count) => write!(f, "OK WHO {count}"),
            Self::Status(count) => write!(f, "OK STATUS {count}"),
            Self::History(replayed) => write!(f, "OK HISTORY {replayed}"),
            Self::Since(replayed) => write!(f, "OK SINCE {replayed}"),
            Self::Search(count) => write!(f, "OK SEARCH {count}"),
            Self::Draw => f.write_str("OK DRAW"),
            Self::Canvas(count) => write!(f, "OK CANVAS {count}"),
            Self::Ping(None) => f.write_str("OK PING"),
            Self::Ping(Some(token)) => write!(f, "OK PING {token}"),
            Self::Help => f.write_str("OK HELP"),
            Self::Set(setting, on) => write!(f, "OK SET {} {}", setting.as_str(), switch(*on)),
            Self::Resumable(token) => write!(f, "OK SET resume on {token}"),
            Self::Chat(on) => write!(f, "OK CHAT {}", switch(*on)),
            Self::Quit => f.write_str("OK QUIT"),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.coordinator { COORDINATOR } else { MEMBER };
        write!(f, "USER {} {role}", self.name)?;
        if let Some(Details { id, address, idle_seconds, online_seconds }) = self.details {
            write!(f, " id={id} address={address} idle={idle_seconds} online={online_seconds}")?;
        }
        Ok(())
    }
}

/// What stands before the epoch.
const EPOCH: &str = "epoch=";

const COORDINATOR: &str = "coordinator";
const MEMBER: &str = "member";

impl ServerLine {
    /// What `line` (without its ending) says; `None` if it is nothing that chinwag/1 has.
    pub fn parse(line: &str) -> Option<Self> {
        if let Some((tag, rest)) = Tag::parse(line) {
            return Some(Self::Event(Some(tag), Event::parse(rest)?));
        }
        let (word, rest) = split_word(line);
        match word {
            "HELLO" => {
                let (version, text) = rest?.split_once(' ')?;
                let (epoch, text) = match text.strip_prefix(EPOCH).and_then(|rest| rest.split_once(' ')) {
                    Some((epoch, text)) => (Some(Token::new(epoch).ok()?), text),
                    None => (None, text),
                };
                (version == VERSION).then_some(Self::Hello(epoch, Text::new(text).ok()?))
            }
            "OK" => Reply::parse(rest?).map(Self::Ok),
            "ERR" => Refusal::parse(rest?).map(Self::Err),
            "USER" => User::parse(rest?).map(Self::User),
            "PAST" => Past::parse(rest?).map(Self::Past),
            "STROKE" => Drawn::parse(rest?).map(Self::Drawn),
            _ => Event::parse(line).map(|event| Self::Event(None, event)),
        }
    }
}

impl Reply {
    fn parse(rest: &str) -> Option<Self> {
        let (verb, arguments) = split_word(rest);
        let verb = Verb::from_word(verb)?;
        Some(match (verb, arguments) {
            (Verb::Nick, Some(name)) => Self::Nick(Name::new(name).ok()?),
            (Verb::Resume, Some(name)) => Self::Resume(Name::new(name).ok()?),
            (Verb::Msg, Some(id)) => Self::Msg(MessageId(id.parse().ok()?)),
            (Verb::Whisper, Some(names)) => {
                Self::Whisper(names.split(',').map(Name::new).collect::<Result<_, _>>().ok()?)
            }
            (Verb::Who, Some(count)) => Self::Who(count.parse().ok()?),
            (Verb::Status, Some(count)) => Self::Status(count.parse().ok()?),
            (Verb::History, Some(count)) => Self::History(Replayed::parse(count)?),
            (Verb::Since, Some(count)) => Self::Since(Replayed::parse(count)?),
            (Verb::Search, Some(count)) => Self::Search(count.parse().ok()?),
            (Verb::Draw, None) => Self::Draw,
            (Verb::Canvas, Some(count)) => Self::Canvas(count.parse().ok()?),
            (Verb::Ping, token) => Self::Ping(token.map(Token::new).transpose().ok()?),
            (Verb::Help, None) => Self::Help,
            (Verb::Set, Some(both)) => {
                let (setting, value) = both.split_once(' ')?;
                match (Setting::from_word(setting)?, value.split_once(' ')) {
                    (Setting::Resume, Some(("on", token))) => Self::Resumable(token.parse().ok()?),
                    (setting, _) => Self::Set(setting, switch_from_word(value)?),
                }
            }
            (Verb::Chat, Some(value)) => Self::Chat(switch_from_word(value)?),
            (Verb::Quit, None) => Self::Quit,
            _ => return None,
        })
    }
}

impl User {
    fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.split(' ');
        let name = Name::new(words.next()?).ok()?;
        let coordinator = match words.next()? {
            COORDINATOR => true,
            MEMBER => false,
            _ => return None,
        };
        let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let details = match value("id") {
            None => None,
            Some(id) => Some(Details {
                id: id.parse().ok()?,
                address: value("address")?.parse().ok()?,
                idle_seconds: value("idle")?.parse().ok()?,
                online_seconds: value("online")?.parse().ok()?,
            }),
        };
        Some(Self { name, coordinator, details })
    }
}
