//! `STATUS`: lists the members with their addresses and times, for the coordinator alone.

use std::fmt;

use super::arguments::expect_none;
use super::{ConnectionInfo, Context, Definition, Pipelining, Refusal, Reply, Specification, Verb, list_members};
use crate::protocol::{Details, ErrorCode, Mode, Name};
use crate::room::MemberId;

/// List the members with addresses and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status;

impl Definition for Status {
    const SPECIFICATION: Specification = Specification {
        verb: "STATUS",
        usage: "STATUS",
        summary: "list the members with addresses and times (coordinator only)",
        pipelining: Pipelining::Off,
        reply_keys: &["count"],
        ..Specification::DEFAULT
    };

    /// Number of members. Their `USER` lines precede the reply.
    type Reply = u64;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Status, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let room = context.room();
        let coordinator = room.coordinator();
        if coordinator != Some(context.member()) {
            let name = coordinator.and_then(|member| room.name(member)).map_or("nobody", Name::as_str);
            let text = format!("only the coordinator ({name}) may see addresses");
            return Err(Refusal::new(Verb::Status, ErrorCode::NotCoordinator, text));
        }
        let details = |id: MemberId| {
            let ConnectionInfo { address, last_line_at } = context.connection_of(id)?;
            Some(Details {
                id: id.0,
                address,
                idle_seconds: room.now().seconds_since(last_line_at),
                online_seconds: room.now().seconds_since(room.member(id)?.registered_at()),
            })
        };
        let users = list_members(room, details);
        let count = users.len() as u64;
        context.send_users(users);
        context.reply(Reply::Status(count));
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
