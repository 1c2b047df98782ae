//! `MUTE`: keeps a member from speaking, in a room or, by an operator, on the server.

use std::fmt;

use super::moderation::{SanctionArguments, SanctionReply, Stored, submit_moderation};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{Mode, SanctionKind};

/// Keep this member from speaking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute(pub SanctionArguments);

impl Definition for Mute {
    const SPECIFICATION: Specification = Specification {
        verb: "MUTE",
        usage: "MUTE name [duration] [reason]",
        summary: "keep a member from speaking in the room (moderators) or, without #room, on the server (operators); duration: 10m, 7d",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["number", "target", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<SanctionReply>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        SanctionArguments::parse(Verb::Mute, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        submit_moderation(context, Verb::Mute, |room| self.0.moderation(SanctionKind::Mute, room))
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
