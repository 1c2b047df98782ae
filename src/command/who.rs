//! `WHO`: lists the members of a room.

use std::fmt;
use std::sync::Arc;

use super::arguments::expect_none;
use super::context::room_of;
use super::{Context, Definition, Pipelining, Refusal, Reply, ReplyWords, RoomUse, Specification, Verb};
use crate::protocol::{Details, Mode, User, split_word};
use crate::state::{Member, MemberId, Room, RoomId, SharedState};

/// List the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who;

impl Definition for Who {
    const SPECIFICATION: Specification = Specification {
        verb: "WHO",
        usage: "WHO",
        summary: "list the members",
        pipelining: Pipelining::Off,
        reply_keys: &["count", "watching"],
        allows_watchers: true,
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    /// The `USER` lines of the members precede the reply.
    type Reply = WhoReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Who, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (id, room) = room_of(context, Verb::Who)?;
        let watching = room.watcher_count().into();
        let members = context.members(id);
        let count = members.len() as u64;
        context.send_users(members);
        context.reply(Reply::Who(WhoReply { count, watching }));
        Ok(())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The reply to `WHO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhoReply {
    /// Number of members.
    pub count: u64,
    /// Number of watchers. On the wire only if there are any.
    pub watching: u64,
}

/// Precedes the number of watchers.
const WATCHING: &str = "watching=";

impl ReplyWords for WhoReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.count)?;
        if self.watching > 0 { write!(f, " {WATCHING}{}", self.watching) } else { Ok(()) }
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (count, watching) = split_word(words?);
        let watching = match watching {
            Some(word) => word.strip_prefix(WATCHING)?.parse().ok().filter(|&count| count > 0)?,
            None => 0,
        };
        Some(Self { count: count.parse().ok()?, watching })
    }
}

/// The members of a room, in the order in which they entered it. `details` returns the part that only `STATUS` shows.
pub fn list_members(state: &SharedState, room: RoomId, details: impl Fn(MemberId) -> Option<Details>) -> Arc<[User]> {
    let coordinator = state.room(room).and_then(Room::coordinator);
    let user = |(id, member): (MemberId, &Member)| User {
        name: member.name().clone(),
        coordinator: coordinator == Some(id),
        details: details(id),
        rank: state.rank(id, Some(room)),
    };
    state.members_of(room).map(user).collect()
}
