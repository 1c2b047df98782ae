//! The lines that the server sends, as one type.

use std::fmt;

use super::{Refusal, Reply};
use crate::protocol::{DrawnStroke, Event, Mode, PastMessage, Tag, Text, Token, User, VERSION, split_word};

/// Any line the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerLine {
    /// The first line on a connection: the room's epoch, if it has one, and what to type.
    Hello(Option<Token>, Text),
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
    /// An event, with its tag if the session wants tags.
    Event(Option<Tag>, Event),
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_mode(Mode::Commands).fmt(f)
    }
}

impl ServerLine {
    /// The line for a session in this mode, which decides how hints write commands.
    pub fn in_mode(&self, mode: Mode) -> LineInMode<'_> {
        LineInMode { line: self, mode }
    }
}

/// A line for a session in a [`Mode`].
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
            ServerLine::PastMessage(past) => past.fmt(f),
            ServerLine::DrawnStroke(drawn) => drawn.fmt(f),
            ServerLine::Event(None, event) => event.fmt(f),
            ServerLine::Event(Some(tag), event) => write!(f, "{tag}{event}"),
        }
    }
}

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
                (version == VERSION).then_some(Self::Hello(epoch, Text::new(text).ok()?))
            }
            "OK" => Reply::parse(rest?).map(Self::Ok),
            "ERR" => Refusal::parse(rest?).map(Self::Err),
            "USER" => User::parse(rest?).map(Self::User),
            "PAST" => PastMessage::parse(rest?).map(Self::PastMessage),
            "STROKE" => DrawnStroke::parse(rest?).map(Self::DrawnStroke),
            _ => Event::parse(line).map(|event| Self::Event(None, event)),
        }
    }
}
