//! `BAN`: keeps a nickname, an account, a connection or a network out of a room or, by an operator, out of the server.

use std::fmt;

use super::moderation::{SanctionArguments, SanctionReply, Stored, moderated_room};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, SanctionKind, SanctionTarget};
use crate::state::{Action, Moderation, RoomId};

/// Keep this target out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban(pub SanctionArguments);

impl Definition for Ban {
    const SPECIFICATION: Specification = Specification {
        verb: "BAN",
        usage: "BAN name|@name|address [duration] [reason]",
        summary: "keep a name, the connection of a member (@name) or, by operators, an address or prefix out of the room (moderators) or, without #room, out of the server (operators); duration: 10m, 7d",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["number", "target", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<SanctionReply>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        SanctionArguments::parse(Verb::Ban, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let room = moderated_room(context, Verb::Ban)?;
        if let SanctionTarget::Network(network) = self.0.target
            && context.is_proxy(network)
        {
            let what = format!("{network} has the address of a proxy, behind which there are others");
            return Err(Refusal::new(Verb::Ban, ErrorCode::AddressRefused, what));
        }
        context.submit(Action::Moderate(self.moderation(room)));
        Ok(())
    }
}

impl Ban {
    /// The change that it asks for, in this room. `None`: on the server.
    pub(super) fn moderation(self, room: Option<RoomId>) -> Moderation {
        let SanctionArguments { target, duration, reason } = self.0;
        Moderation::Sanction { kind: SanctionKind::Ban, room, target, duration, reason }
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
