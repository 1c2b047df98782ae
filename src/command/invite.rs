//! `INVITE`: invites an account or a guest into the room, or takes that back.

use std::fmt;

use super::context::room_of;
use super::moderation::{Stored, parse_target};
use super::moderator::NamedSwitch;
use super::reply::on_off_from_word;
use super::{Context, Definition, Hint, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, Name, on_off, split_word};
use crate::state::{Action, Moderation, RoomId};

/// Invite this account or guest, or take that back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The name of the account, or the nickname.
    pub name: Name,
    /// Whether it is invited from here on.
    pub on: bool,
}

impl Definition for Invite {
    const SPECIFICATION: Specification = Specification {
        verb: "INVITE",
        usage: "INVITE name [on|off]",
        hint_usage: Some("INVITE name"),
        summary: "let an account or a guest enter the room while it is locked to the invited, or take that back (moderators)",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["name", "value", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<NamedSwitch>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (name, value) = split_word(arguments.trim());
        let name = parse_target(Verb::Invite, name)?;
        let on = match value.unwrap_or_default().trim() {
            "" => true,
            word => on_off_from_word(word).ok_or_else(|| {
                let what = "expected on, off or nothing after the name";
                Refusal::new(Verb::Invite, ErrorCode::ValueInvalid, what).with_hint(Hint::Write(Verb::Invite))
            })?,
        };
        Ok(Self { name, on })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (room, _) = room_of(context, Verb::Invite)?;
        context.submit(Action::Moderate(self.moderation(room)));
        Ok(())
    }
}

impl Invite {
    /// The change that it asks for, in this room.
    pub(super) fn moderation(self, room: RoomId) -> Moderation {
        let Self { name, on } = self;
        Moderation::Invite { room, name, on }
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, on_off(self.on))
    }
}
