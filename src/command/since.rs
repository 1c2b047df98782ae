//! `SINCE`: sends all messages after an id, from memory or from the store, or refuses.

use std::fmt;

use super::arguments::{parse_number, parse_optional_token, shorten};
use super::context::room_of;
use super::{
    Context, Definition, Hint, HistoryQuery, HistoryReply, Pipelining, Refusal, Reply, RoomUse, Specification, Verb,
};
use crate::protocol::{ErrorCode, MessageId, Mode, Token, split_word};

/// Send all messages after this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// Id of the message; 0: from the first message on.
    pub after: MessageId,
    /// The epoch of the id, if the client names it.
    pub epoch: Option<Token>,
}

impl Definition for Since {
    const SPECIFICATION: Specification = Specification {
        verb: "SINCE",
        usage: "SINCE id [epoch]",
        summary: "get all messages after this id; HELLO has the epoch of #lobby, \
                  the reply to NICK, JOIN or WATCH that of another room",
        pipelining: Pipelining::Off,
        reply_keys: &["count", "last"],
        allows_watchers: true,
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    type Reply = HistoryReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (id, epoch) = split_word(arguments.trim());
        let after = MessageId(parse_number(Verb::Since, id)?);
        Ok(Self { after, epoch: parse_optional_token(Verb::Since, epoch.unwrap_or(""))? })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self { after, epoch } = self;
        let (id, room) = room_of(context, Verb::Since)?;
        if let (Some(theirs), Some(ours)) = (&epoch, room.epoch())
            && theirs != ours
        {
            let what = format!(
                "the epoch is {ours}, not {}: ids of another epoch are not valid",
                shorten(&theirs.to_string())
            );
            let refusal = Refusal::new(Verb::Since, ErrorCode::EpochChanged, what);
            return Err(refusal.with_hint(Hint::Write(Verb::History)));
        }
        let last = room.last_id();
        if after > last {
            return Err(Refusal::id_ahead(id, last));
        }
        let Some(numbers) = room.history().since(after) else {
            if context.has_store() {
                context.query_store(HistoryQuery::Since(after));
                return Ok(());
            }
            let oldest = room.history().oldest().unwrap_or(last.next());
            return Err(Refusal::too_old(Verb::Since, oldest));
        };
        let count = numbers.end - numbers.start;
        context.send_messages(numbers);
        context.reply(Reply::Since(HistoryReply { count, last }));
        Ok(())
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after: MessageId(id), epoch } = self;
        match epoch {
            Some(epoch) => write!(f, "{id} {epoch}"),
            None => write!(f, "{id}"),
        }
    }
}
