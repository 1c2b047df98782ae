//! `STATUS`: lists the members of a room with their times, for its coordinator alone. In the lobby, also with their addresses.

use std::fmt;

use super::arguments::expect_none;
use super::context::room_of;
use super::{
    ConnectionInfo, Context, Definition, Pipelining, Refusal, Reply, RoomUse, Specification, Verb, list_members,
};
use crate::protocol::{Details, ErrorCode, Mode, Name};
use crate::state::{MemberId, RoomId};

/// List the members with times and, in the lobby, addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status;

impl Definition for Status {
    const SPECIFICATION: Specification = Specification {
        verb: "STATUS",
        usage: "STATUS",
        summary: "list the members with times and, in #lobby, addresses (coordinator only)",
        pipelining: Pipelining::Off,
        reply_keys: &["count"],
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    /// Number of members. Their `USER` lines precede the reply.
    type Reply = u64;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Status, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (id, room) = room_of(context, Verb::Status)?;
        let state = context.state();
        let coordinator = room.coordinator();
        let is_lobby = id == RoomId::LOBBY;
        if coordinator != Some(context.member()) {
            let name = coordinator.and_then(|member| state.name(member)).map_or("nobody", Name::as_str);
            let what = if is_lobby { "addresses" } else { "this" };
            let text = format!("only the coordinator ({name}) may see {what}");
            return Err(Refusal::new(Verb::Status, ErrorCode::NotCoordinator, text));
        }
        let details = |id: MemberId| {
            let ConnectionInfo { address, last_line_at } = context.connection_of(id)?;
            Some(Details {
                id: id.0,
                address: is_lobby.then_some(address),
                idle_seconds: state.now().seconds_since(last_line_at),
                online_seconds: state.now().seconds_since(state.member(id)?.registered_at()),
            })
        };
        let users = list_members(state, id, details);
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
