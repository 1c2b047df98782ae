//! `WHO`: lists the members.

use std::fmt;
use std::sync::Arc;

use super::arguments::expect_none;
use super::{Context, Definition, Pipelining, Refusal, Reply, Specification, Verb};
use crate::protocol::{Details, Mode, User};
use crate::room::{MemberId, Room};

/// List the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who;

impl Definition for Who {
    const SPECIFICATION: Specification = Specification {
        verb: "WHO",
        usage: "WHO",
        summary: "list the members",
        pipelining: Pipelining::Off,
        reply_keys: &["count"],
        ..Specification::DEFAULT
    };

    /// Number of members. Their `USER` lines precede the reply.
    type Reply = u64;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Who, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let members = context.members();
        let count = members.len() as u64;
        context.send_users(members);
        context.reply(Reply::Who(count));
        Ok(())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The members in the order in which they registered. `details` returns the part that only `STATUS` shows.
pub fn list_members(room: &Room, details: impl Fn(MemberId) -> Option<Details>) -> Arc<[User]> {
    let coordinator = room.coordinator();
    let user = |(id, member): (MemberId, &crate::room::Member)| User {
        name: member.name().clone(),
        coordinator: coordinator == Some(id),
        details: details(id),
    };
    room.members().map(user).collect()
}
