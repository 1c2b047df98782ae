//! `MODERATOR`: makes an account a moderator of the room, or takes that back.

use std::fmt;

use super::context::room_of;
use super::moderation::{Stored, parse_target};
use super::reply::on_off_from_word;
use super::{Context, Definition, Hint, Pipelining, Refusal, ReplyWords, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, Name, on_off, split_word};
use crate::state::{Action, Moderation, RoomId};

/// Make this account a moderator, or take that back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moderator {
    /// The account's name.
    pub name: Name,
    /// Whether it is a moderator from here on.
    pub on: bool,
}

impl Definition for Moderator {
    const SPECIFICATION: Specification = Specification {
        verb: "MODERATOR",
        usage: "MODERATOR name on|off",
        summary: "make an account a moderator of the room, or take that back (owner of the room, operators)",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["name", "value", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<NamedSwitch>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (name, value) = split_word(arguments.trim());
        let name = parse_target(Verb::Moderator, name)?;
        let on = on_off_from_word(value.unwrap_or_default().trim()).ok_or_else(|| {
            let refusal = Refusal::new(Verb::Moderator, ErrorCode::ValueInvalid, "expected on or off after the name");
            refusal.with_hint(Hint::Write(Verb::Moderator))
        })?;
        Ok(Self { name, on })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (room, _) = room_of(context, Verb::Moderator)?;
        context.submit(Action::Moderate(self.moderation(room)));
        Ok(())
    }
}

impl Moderator {
    /// The change that it asks for, in this room.
    pub(super) fn moderation(self, room: RoomId) -> Moderation {
        let Self { name, on } = self;
        Moderation::SetModerator { room, name, on }
    }
}

impl fmt::Display for Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, on_off(self.on))
    }
}

/// A name, and whether it has something: a moderator its rank, an account or a guest its invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSwitch {
    /// The name.
    pub name: Name,
    /// Whether it has it.
    pub on: bool,
}

impl ReplyWords for NamedSwitch {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.write(f)?;
        self.on.write(f)
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (name, on) = words?.split_once(' ')?;
        Some(Self { name: Name::new(name).ok()?, on: bool::parse(Some(on))? })
    }
}
