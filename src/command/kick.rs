//! `KICK`: removes a member from a room or, by an operator, from the server. The member may come back.

use std::fmt;

use super::arguments::parse_optional_text;
use super::moderation::{parse_target, submit_moderation};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{Mode, Name, Text, split_word};
use crate::state::{Moderation, RoomId};

/// Remove this member, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kick {
    /// The member's nickname.
    pub name: Name,
    /// The reason.
    pub reason: Option<Text>,
}

impl Definition for Kick {
    const SPECIFICATION: Specification = Specification {
        verb: "KICK",
        usage: "KICK name [reason]",
        summary: "remove a member from the room (moderators) or, without #room, from the server (operators)",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (name, reason) = split_word(arguments.trim());
        let name = parse_target(Verb::Kick, name)?;
        Ok(Self { name, reason: parse_optional_text(Verb::Kick, reason.unwrap_or_default())? })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        submit_moderation(context, Verb::Kick, |room| self.moderation(room))
    }
}

impl Kick {
    /// The change that it asks for, in this room. `None`: on the server.
    pub(super) fn moderation(self, room: Option<RoomId>) -> Moderation {
        let Self { name, reason } = self;
        Moderation::Kick { room, name, reason }
    }
}

impl fmt::Display for Kick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.reason.iter().try_for_each(|reason| write!(f, " {reason}"))
    }
}
