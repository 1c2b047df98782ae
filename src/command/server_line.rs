//! The lines that the server sends, as one type.

use std::fmt;

use super::{Refusal, Reply, RoomListing, SanctionListing, TokenListing};
use crate::protocol::{DrawnStroke, Event, Mode, PastMessage, RoomName, Tag, Text, Token, User, VERSION, split_word};

/// Any line the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerLine {
    /// The first line on a connection: the lobby's epoch, if it has one, what the server can do, and what to type.
    Hello(Option<Token>, Features, Text),
    /// A command succeeded.
    Ok(Reply),
    /// A line was refused, or the server closes the connection.
    Err(Refusal),
    /// A member, in a member list.
    User(User),
    /// A past message.
    PastMessage(PastMessage),
    /// A stroke on the canvas.
    DrawnStroke(DrawnStroke),
    /// A room, in the list of rooms.
    Room(RoomListing),
    /// An access token, in the list of the account's access tokens.
    Token(TokenListing),
    /// A ban or a mute, in the list of them.
    Sanction(SanctionListing),
    /// An event, with its tag if the session wants tags.
    Event(Option<Tag>, Event),
}

/// A line that the server sends, with the room that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomLine {
    /// The room in front of the line, if there is one: the line is about another room than the reader's home, or the
    /// reader has `SET rooms on`.
    pub room: Option<RoomName>,
    /// The line.
    pub line: ServerLine,
}

/// The list of optional parts of the protocol in the greeting. Unknown words are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a list of words, each of which is there or not")]
pub struct Features {
    /// Rooms besides the lobby.
    pub rooms: bool,
    /// `WATCH`.
    pub watch: bool,
    /// `SEARCH`.
    pub search: bool,
    /// Nobody on the way between client and server can read or change the lines, as far as the server knows.
    pub secure: bool,
    /// A password: most commands are refused before `PASS`.
    pub password: bool,
    /// Accounts: `LOGIN`, `REGISTER` and so on.
    pub accounts: bool,
    /// Accounts only: most commands are refused before `LOGIN`.
    pub accounts_only: bool,
}

impl Features {
    fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.rooms, "rooms"),
            (self.watch, "watch"),
            (self.search, "search"),
            (self.secure, "secure"),
            (self.password, "password"),
            (self.accounts, "accounts"),
            (self.accounts_only, "accounts-only"),
        ];
        all.into_iter().filter_map(|(is_on, word)| is_on.then_some(word))
    }

    fn parse(words: &str) -> Self {
        let has = |word| words.split(',').any(|known| known == word);
        Self {
            rooms: has("rooms"),
            watch: has("watch"),
            search: has("search"),
            secure: has("secure"),
            password: has("password"),
            accounts: has("accounts"),
            accounts_only: has("accounts-only"),
        }
    }
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_mode(Mode::Commands).fmt(f)
    }
}

impl From<ServerLine> for RoomLine {
    fn from(line: ServerLine) -> Self {
        Self { room: None, line }
    }
}

impl fmt::Display for RoomLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_mode(Mode::Commands).fmt(f)
    }
}

impl RoomLine {
    /// The line for a session in this mode, which decides how hints write commands.
    pub fn in_mode(&self, mode: Mode) -> LineInMode<'_> {
        LineInMode { room: self.room.as_ref(), line: &self.line, mode }
    }

    /// Parses a line, without its ending; `None` if chinwag/1 does not define it.
    pub fn parse(line: &str) -> Option<Self> {
        let (tag, rest) = Tag::parse(line).map_or((None, line), |(tag, rest)| (Some(tag), rest));
        let (room, rest) = match split_word(rest) {
            (word, Some(rest)) if word.starts_with('#') => (Some(RoomName::new(word).ok()?), rest),
            _ => (None, rest),
        };
        let line = match tag {
            Some(tag) => ServerLine::Event(Some(tag), Event::parse(rest)?),
            None => ServerLine::parse(rest)?,
        };
        // Only an untagged line may still begin with a tag.
        let is_valid = tag.is_some() || room.is_none() || Tag::parse(rest).is_none();
        is_valid.then_some(Self { room, line })
    }
}

impl ServerLine {
    /// The line for a session in this mode, which decides how hints write commands.
    pub fn in_mode(&self, mode: Mode) -> LineInMode<'_> {
        LineInMode { room: None, line: self, mode }
    }
}

/// A line for a session in a [`Mode`].
#[derive(Clone, Copy, Debug)]
pub struct LineInMode<'a> {
    room: Option<&'a RoomName>,
    line: &'a ServerLine,
    mode: Mode,
}

impl fmt::Display for LineInMode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ServerLine::Event(Some(tag), _) = self.line {
            tag.fmt(f)?;
        }
        if let Some(room) = self.room {
            write!(f, "{room} ")?;
        }
        match self.line {
            ServerLine::Hello(epoch, features, text) => {
                write!(f, "HELLO {VERSION} ")?;
                epoch.iter().try_for_each(|epoch| write!(f, "{EPOCH}{epoch} "))?;
                for (index, word) in features.words().enumerate() {
                    write!(f, "{}{word}", if index == 0 { FEATURES } else { "," })?;
                }
                write!(f, "{}{text}", if features.words().next().is_some() { " " } else { "" })
            }
            ServerLine::Ok(reply) => reply.fmt(f),
            ServerLine::Err(refusal) => refusal.write(f, self.mode),
            ServerLine::User(user) => user.fmt(f),
            ServerLine::PastMessage(past) => past.fmt(f),
            ServerLine::DrawnStroke(drawn) => drawn.fmt(f),
            ServerLine::Room(listing) => listing.fmt(f),
            ServerLine::Token(listing) => listing.fmt(f),
            ServerLine::Sanction(listing) => listing.fmt(f),
            ServerLine::Event(_, event) => event.fmt(f),
        }
    }
}

/// Precedes the features in the greeting.
const FEATURES: &str = "features=";

/// Precedes the epoch in the greeting.
const EPOCH: &str = "epoch=";

impl ServerLine {
    /// Parses a line, without its ending; `None` if chinwag/1 does not define it.
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
                let (features, text) = match text.strip_prefix(FEATURES).and_then(|rest| rest.split_once(' ')) {
                    Some((words, text)) => (Features::parse(words), text),
                    None => (Features::default(), text),
                };
                (version == VERSION).then_some(Self::Hello(epoch, features, Text::new(text).ok()?))
            }
            "OK" => Reply::parse(rest?).map(Self::Ok),
            "ERR" => Refusal::parse(rest?).map(Self::Err),
            "USER" => User::parse(rest?).map(Self::User),
            "PAST" => PastMessage::parse(rest?).map(Self::PastMessage),
            "STROKE" => DrawnStroke::parse(rest?).map(Self::DrawnStroke),
            "ROOM" => RoomListing::parse(rest?).map(Self::Room),
            "SANCTION" => SanctionListing::parse(rest?).map(Self::Sanction),
            "TOKEN" => TokenListing::parse(rest?).map(Self::Token),
            _ => Event::parse(line).map(|event| Self::Event(None, event)),
        }
    }
}
