//! `BAN`: keeps a nickname, an account or a network out of a room, or out of the server.

use std::fmt;

use super::moderation::{SanctionArguments, SanctionReply, Stored, moderated_room};
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, Network, SanctionKind, SanctionTarget};
use crate::state::{Action, Rank};

/// Keep this target out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban(pub SanctionArguments);

impl Definition for Ban {
    const SPECIFICATION: Specification = Specification {
        verb: "BAN",
        usage: "BAN name|@name|address [duration] [reason]",
        summary: "keep a nickname, the address of a member (@name) or, operators only, an address or prefix out of the room; without #room, an operator bans from the server; duration: 10m, 7d",
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
        // Only operators ban networks, and others do not learn the proxies.
        if context.rank(None) == Rank::Operator {
            self.expect_no_proxy(|network| context.is_proxy(network))?;
        }
        context.submit(Action::Moderate(self.0.moderation(SanctionKind::Ban, room)));
        Ok(())
    }
}

impl Ban {
    /// Refuses the ban of a network that has the address of a trusted proxy.
    pub(crate) fn expect_no_proxy(&self, is_proxy: impl FnOnce(Network) -> bool) -> Result<(), Refusal> {
        match self.0.target {
            SanctionTarget::Network(network) if is_proxy(network) => {
                let what = format!("{network} contains the address of a trusted proxy");
                Err(Refusal::new(Verb::Ban, ErrorCode::AddressRefused, what))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
