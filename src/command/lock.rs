//! `LOCK`: decides who may enter the room.

use std::fmt;

use super::context::room_of;
use super::moderation::Stored;
use super::{Context, Definition, Hint, Pipelining, Refusal, ReplyWords, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, RoomLock};
use crate::state::{Action, Moderation, RoomId};

/// Let these enter the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock(pub RoomLock);

impl Definition for Lock {
    const SPECIFICATION: Specification = Specification {
        verb: "LOCK",
        usage: "LOCK open|accounts|invited",
        summary: "let everybody, only accounts, or only the invited enter the room (moderators)",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["value", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<RoomLock>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let word = arguments.trim();
        let lock = RoomLock::ALL.into_iter().find(|lock| lock.as_str().eq_ignore_ascii_case(word));
        lock.map(Self).ok_or_else(|| {
            let refusal = Refusal::new(Verb::Lock, ErrorCode::ValueInvalid, "expected open, accounts or invited");
            refusal.with_hint(Hint::Write(Verb::Lock))
        })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (room, _) = room_of(context, Verb::Lock)?;
        context.submit(Action::Moderate(self.moderation(room)));
        Ok(())
    }
}

impl Lock {
    /// The change that it asks for, in this room.
    pub(super) fn moderation(self, room: RoomId) -> Moderation {
        Moderation::SetLock { room, lock: self.0 }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl ReplyWords for RoomLock {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.as_str())
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        Self::parse(words?)
    }
}
