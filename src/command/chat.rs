//! `CHAT`: switches to chat mode, in which lines go to a room, and back.

use std::fmt;

use super::arguments::{parse_room, unexpected_argument};
use super::context::not_in_room;
use super::reply::on_off_from_word;
use super::{Context, Definition, Pipelining, Refusal, Reply, ReplyWords, Specification, Verb};
use crate::protocol::{Mode, ROOM_MARK, RoomName, on_off, split_word};

/// Switch to chat mode for this room or, without one, to the other [`Mode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat(pub Option<RoomName>);

impl Definition for Chat {
    const SPECIFICATION: Specification = Specification {
        verb: "CHAT",
        usage: "CHAT [#room]",
        summary: "turn chat mode on: a line is a message, /verb is a command, /msg name text whispers; /chat turns it off; \
                  with #room, lines go to that room",
        pipelining: Pipelining::Off,
        reply_keys: &["value", "room"],
        ..Specification::DEFAULT
    };

    /// The mode from here on.
    type Reply = ChatReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace().peekable();
        let room =
            words.next_if(|word| word.starts_with(ROOM_MARK)).map(|room| parse_room(Verb::Chat, room)).transpose()?;
        match words.next() {
            Some(surplus) => Err(unexpected_argument(Verb::Chat, surplus)),
            None => Ok(Self(room)),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let ends = self.0.is_none() && context.mode() == Mode::Chat;
        let named = self.0.filter(|room| !context.is_home(room));
        let room = match &named {
            Some(room) => context.find_own_room(room),
            None => context.room(),
        };
        if room.is_none() && !ends {
            return Err(not_in_room(Verb::Chat, named.as_ref().or(context.room_name().as_ref())));
        }
        let spelled = room.filter(|_| named.is_some()).and_then(|id| context.state().room(id));
        let room = spelled.map(|room| room.name().clone());
        context.set_chat_room(room.clone());
        context.set_mode(if ends { Mode::Commands } else { Mode::Chat });
        context.reply(Reply::Chat(if ends { ChatReply::Off } else { ChatReply::On(room) }));
        Ok(())
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|room| room.fmt(f))
    }
}

/// The reply to `CHAT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatReply {
    /// Lines are commands.
    Off,
    /// Lines are messages in this room; `None`: in the home.
    On(Option<RoomName>),
}

impl ReplyWords for ChatReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => write!(f, " {}", on_off(false)),
            Self::On(None) => write!(f, " {}", on_off(true)),
            Self::On(Some(room)) => write!(f, " {} {room}", on_off(true)),
        }
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (value, room) = split_word(words?);
        match (on_off_from_word(value)?, room) {
            (true, None) => Some(Self::On(None)),
            (true, Some(room)) => Some(Self::On(Some(RoomName::new(room).ok()?))),
            (false, None) => Some(Self::Off),
            (false, Some(_)) => None,
        }
    }
}
