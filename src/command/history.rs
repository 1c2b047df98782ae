//! `HISTORY`: sends the last messages, from memory; on a server with a store, from there if memory does not hold them all.

use std::fmt;

use super::arguments::{parse_number, unexpected_argument};
use super::context::room_of;
use super::{
    Context, Definition, HistoryQuery, HistoryReply, Pipelining, Refusal, Reply, RoomUse, Specification, Verb,
};
use crate::limits::HISTORY_REPLAYED_DEFAULT;
use crate::protocol::Mode;

/// Send the last messages again, at most this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History(pub u64);

impl Definition for History {
    const SPECIFICATION: Specification = Specification {
        verb: "HISTORY",
        usage: "HISTORY [count]",
        summary: "get the last messages (20 without a count)",
        pipelining: Pipelining::Off,
        reply_keys: &["count", "last"],
        allows_watchers: true,
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    type Reply = HistoryReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace();
        let count = words.next().map_or(Ok(HISTORY_REPLAYED_DEFAULT), |word| parse_number(Verb::History, word))?;
        match words.next() {
            None => Ok(Self(count)),
            Some(surplus) => Err(unexpected_argument(Verb::History, surplus)),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self(count) = self;
        let (_, room) = room_of(context, Verb::History)?;
        let (history, last) = (room.history(), room.last_id());
        if context.has_store() && !history.retains_last(count) {
            context.query_store(HistoryQuery::Last(count));
            return Ok(());
        }
        let numbers = history.last(count);
        let count = numbers.end - numbers.start;
        context.send_messages(numbers);
        context.reply(Reply::History(HistoryReply { count, last }));
        Ok(())
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
