//! `WATCH`: a session without a nickname reads a room. It watches one room at a time.

use std::fmt;

use super::arguments::{parse_room, unexpected_argument};
use super::join::RoomPosition;
use super::{Context, Definition, Hint, Refusal, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, RoomName};
use crate::state::Action;

/// Watch this room; `None`: the lobby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch(pub Option<RoomName>);

impl Definition for Watch {
    const SPECIFICATION: Specification = Specification {
        verb: "WATCH",
        usage: "WATCH [#room]",
        summary: "read a room without a name (default: #lobby)",
        needs_nickname: false,
        reply_keys: &["room", "epoch", "last"],
        ..Specification::DEFAULT
    };

    type Reply = RoomPosition;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace();
        let room = words.next().map(|room| parse_room(Verb::Watch, room)).transpose()?;
        match words.next() {
            Some(surplus) => Err(unexpected_argument(Verb::Watch, surplus)),
            None => Ok(Self(room)),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        if let Some(name) = context.nickname() {
            let what = format!("you are already {name}: WATCH is for clients without a name");
            return Err(Refusal::new(Verb::Watch, ErrorCode::AlreadyNamed, what).with_hint(Hint::Write(Verb::Join)));
        }
        if !context.has_watch() {
            let what = "this server does not let clients read without a name";
            return Err(Refusal::new(Verb::Watch, ErrorCode::WatchOff, what).with_hint(Hint::Write(Verb::Nick)));
        }
        let room = self.0.unwrap_or_else(RoomName::lobby);
        if context.state().find_room(&room).is_none() {
            let refusal = Refusal::new(Verb::Watch, ErrorCode::NotInRoom, format!("{room} does not exist"));
            return Err(refusal.with_hint(Hint::ListRooms));
        }
        context.submit(Action::Watch(room));
        Ok(())
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|room| room.fmt(f))
    }
}
