//! `UNBAN`: ends a ban.

use std::fmt;

use super::moderation::{LiftArguments, SanctionReply, Stored, submit_moderation};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{Mode, SanctionKind};

/// End this ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unban(pub LiftArguments);

impl Definition for Unban {
    const SPECIFICATION: Specification = Specification {
        verb: "UNBAN",
        usage: "UNBAN name|@name|address|number",
        summary: "end a ban; BANS shows the numbers",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["number", "target", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<SanctionReply>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        LiftArguments::parse(Verb::Unban, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        submit_moderation(context, Verb::Unban, |room| self.0.moderation(SanctionKind::Ban, room))
    }
}

impl fmt::Display for Unban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
