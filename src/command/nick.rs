//! `NICK`: joins under a nickname, or changes the nickname.

use std::fmt;

use super::arguments::parse_room;
use super::join::{RoomPosition, check_entrance};
use super::{Context, Definition, Hint, Refusal, Reply, ReplyWords, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, Name, NameError, ROOM_MARK, RoomName, is_space, split_word};
use crate::state::Action;

/// Take this nickname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick {
    /// The nickname.
    pub name: Name,
    /// The room to enter first. `None`: the lobby.
    pub room: Option<RoomName>,
}

impl Definition for Nick {
    const SPECIFICATION: Specification = Specification {
        verb: "NICK",
        usage: "NICK name [#room]",
        hint_usage: Some("NICK name"),
        summary: "take a name and join, in this room if you name one; or change your name",
        needs_nickname: false,
        reply_keys: &["name", "room", "epoch", "last"],
        ..Specification::DEFAULT
    };

    type Reply = NickReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let arguments = arguments.trim();
        let (name, room) = match arguments.rsplit_once(is_space) {
            Some((name, room)) if room.starts_with(ROOM_MARK) => (name.trim_end(), Some(room)),
            _ => (arguments, None),
        };
        let name = Name::new(name)?;
        Ok(Self { name, room: room.map(|room| parse_room(Verb::Nick, room)).transpose()? })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self { name, room } = self;
        if let (Some(own), Some(room)) = (context.nickname(), &room) {
            let what = format!("you are already {own}: {room} is not part of your name");
            return Err(Refusal::new(Verb::Nick, ErrorCode::RoomUnexpected, what).with_hint(Hint::Write(Verb::Join)));
        }
        match context.nickname() {
            Some(own) if *own == name => context.reply(Reply::Nick(NickReply { name, room: None })),
            Some(_) => context.submit(Action::Rename(name)),
            None => {
                // A nickname that cannot be taken creates no room.
                let is_counted = context.state().can_take(&name, context.member(), context.time());
                check_entrance(context, Verb::Nick, room.as_slice(), is_counted)?;
                context.submit(Action::Register { name, verifier: context.verifier(), room });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.room.iter().try_for_each(|room| write!(f, " {room}"))
    }
}

/// The reply to `NICK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NickReply {
    /// The nickname.
    pub name: Name,
    /// The room, if the command named one.
    pub room: Option<RoomPosition>,
}

impl ReplyWords for NickReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.write(f)?;
        self.room.iter().try_for_each(|room| write!(f, " {room}"))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (name, room) = split_word(words?);
        Some(Self {
            name: Name::new(name).ok()?,
            room: room.map_or(Some(None), |room| RoomPosition::parse_one(room).map(Some))?,
        })
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        name_refusal(Verb::Nick, &error)
    }
}

/// The refusal of a nickname that breaks a rule.
pub(super) fn name_refusal(verb: Verb, error: &NameError) -> Refusal {
    let code = match error {
        NameError::Missing => ErrorCode::NameMissing,
        NameError::TooLong(_) => ErrorCode::NameTooLong,
        _ => ErrorCode::NameInvalid,
    };
    Refusal::new(verb, code, error.to_string()).with_hint(Hint::Write(verb))
}
