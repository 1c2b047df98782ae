//! `PART`: leaves one room. The home may be left, too: the member remains.

use std::fmt;

use super::arguments::{parse_optional_text, parse_room};
use super::context::not_in_room;
use super::{Context, Definition, Hint, Refusal, ReplyWords, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, RoomName, Text, split_word};
use crate::state::Action;

/// Leave this room, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The room.
    pub room: RoomName,
    /// The reason.
    pub reason: Option<Text>,
}

impl Definition for Part {
    const SPECIFICATION: Specification = Specification {
        verb: "PART",
        usage: "PART #room [reason]",
        summary: "leave a room",
        reply_keys: &["room"],
        ..Specification::DEFAULT
    };

    type Reply = RoomName;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (room, reason) = split_word(arguments.trim());
        if room.is_empty() {
            let refusal = Refusal::new(Verb::Part, ErrorCode::RoomMissing, "the name of a room is missing");
            return Err(refusal.with_hint(Hint::Write(Verb::Part)));
        }
        let room = parse_room(Verb::Part, room)?;
        Ok(Self { room, reason: parse_optional_text(Verb::Part, reason.unwrap_or_default())? })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self { room, reason } = self;
        let id = context.find_own_room(&room).ok_or_else(|| not_in_room(Verb::Part, Some(&room)))?;
        context.submit(Action::Part(id, reason));
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.room.fmt(f)?;
        self.reason.iter().try_for_each(|reason| write!(f, " {reason}"))
    }
}

impl ReplyWords for RoomName {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        Self::new(words?).ok()
    }
}
