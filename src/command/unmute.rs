//! `UNMUTE`: ends a mute.

use std::fmt;

use super::moderation::{LiftArguments, SanctionReply, Stored, submit_moderation};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{Mode, SanctionKind};

/// End this mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmute(pub LiftArguments);

impl Definition for Unmute {
    const SPECIFICATION: Specification = Specification {
        verb: "UNMUTE",
        usage: "UNMUTE name|number",
        summary: "let a muted member speak again; BANS shows the numbers",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["number", "target", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<SanctionReply>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        LiftArguments::parse(Verb::Unmute, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        submit_moderation(context, Verb::Unmute, |room| self.0.moderation(SanctionKind::Mute, room))
    }
}

impl fmt::Display for Unmute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
