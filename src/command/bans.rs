//! `BANS`: lists the bans and mutes of a room or, for operators, of the server.

use std::fmt;

use super::arguments::{parse_number, unexpected_argument};
use super::moderation::{moderated_room, rank_refusal};
use super::{Context, Definition, Pipelining, Refusal, Reply, ReplyWords, RoomUse, ServerLine, Specification, Verb};
use crate::limits::SANCTIONS_LISTED_MAX;
use crate::protocol::{
    Mode, Name, Sanction, SanctionId, SanctionKind, SanctionTarget, Text, Timestamp, Until, moderator, parse_moderator,
    parse_shown_target, shown_target, split_word,
};
use crate::state::{Rank, RoomId, SharedState};

/// List the bans and mutes, those with higher numbers than this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bans {
    /// The number; 0: all.
    pub after: SanctionId,
}

/// Precedes the number after which the list goes on.
const AFTER: &str = "after=";

/// Precedes that number in the reply.
const NEXT: &str = "next=";

impl Definition for Bans {
    const SPECIFICATION: Specification = Specification {
        verb: "BANS",
        usage: "BANS [after=number]",
        hint_usage: Some("BANS"),
        summary: "list the bans and mutes of the room (moderators) or, without #room, of the server (operators), 100 at a time",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["count", "next"],
        ..Specification::DEFAULT
    };

    /// The `SANCTION` lines precede the reply.
    type Reply = BansReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace().peekable();
        let after = words.next_if(|word| word.starts_with(AFTER)).and_then(|word| word.strip_prefix(AFTER));
        let after = after.map_or(Ok(0), |number| parse_number(Verb::Bans, number))?;
        match words.next() {
            Some(surplus) => Err(unexpected_argument(Verb::Bans, surplus)),
            None => Ok(Self { after: SanctionId(u32::try_from(after).unwrap_or(u32::MAX)) }),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let room = moderated_room(context, Verb::Bans)?;
        let rank = context.rank(room);
        if rank < Rank::Moderator {
            return Err(rank_refusal(Verb::Bans, Rank::Moderator));
        }
        let (listings, next) = self.list(context.state(), room, context.time(), rank == Rank::Operator);
        let count = listings.len() as u64;
        for listing in listings {
            context.send(ServerLine::Sanction(listing));
        }
        context.reply(Reply::Bans(BansReply { count, next }));
        Ok(())
    }
}

impl Bans {
    /// The sanctions to list, and the last of them if there are more.
    pub fn list(
        self,
        state: &SharedState,
        room: Option<RoomId>,
        now: Timestamp,
        shows_networks: bool,
    ) -> (Vec<SanctionListing>, Option<SanctionId>) {
        let is_listed = |sanction: &&Sanction| sanction.id > self.after && Until(sanction.until).is_ahead(now);
        let of_room = state.sanctions().of(room).filter(is_listed);
        let listings =
            of_room.take(SANCTIONS_LISTED_MAX + 1).map(|sanction| SanctionListing::new(sanction, shows_networks));
        let mut listings: Vec<_> = listings.collect();
        let has_more = listings.len() > SANCTIONS_LISTED_MAX;
        listings.truncate(SANCTIONS_LISTED_MAX);
        let next = listings.last().filter(|_| has_more).map(|last| last.id);
        (listings, next)
    }
}

impl fmt::Display for Bans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            SanctionId(0) => Ok(()),
            SanctionId(number) => write!(f, "{AFTER}{number}"),
        }
    }
}

/// The reply to `BANS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BansReply {
    /// Number of listed sanctions.
    pub count: u64,
    /// The last listed one, if more follow it.
    pub next: Option<SanctionId>,
}

impl ReplyWords for BansReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.count)?;
        self.next.iter().try_for_each(|SanctionId(next)| write!(f, " {NEXT}{next}"))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (count, next) = split_word(words?);
        let next = match next {
            Some(word) => Some(SanctionId(word.strip_prefix(NEXT)?.parse().ok()?)),
            None => None,
        };
        Some(Self { count: count.parse().ok()?, next })
    }
}

/// A ban or a mute in the list of `BANS`: `SANCTION 3 ban @bob by=alice created=… until=never flooding`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionListing {
    /// The number.
    pub id: SanctionId,
    /// The kind.
    pub kind: SanctionKind,
    /// The target. `None`: a network, which only operators learn.
    pub target: Option<SanctionTarget>,
    /// The moderator. `None`: the operator at the control socket.
    pub by: Option<Name>,
    /// When it began.
    pub at: Timestamp,
    /// When it ends. `None`: never.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: Option<Text>,
}

/// Precedes the moderator.
const BY: &str = "by=";

/// Precedes the time at which it began.
const CREATED: &str = "created=";

impl SanctionListing {
    /// A sanction as the list has it; with its network if the reader may know that.
    fn new(sanction: &Sanction, shows_networks: bool) -> Self {
        let Sanction { id, kind, target, at, until, by, reason, .. } = sanction.clone();
        Self { id, kind, target: target.visible(shows_networks), by, at, until, reason }
    }

    /// Parses the part of a line after `SANCTION`.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(7, ' ');
        let (id, kind) = (SanctionId(words.next()?.parse().ok()?), SanctionKind::parse(words.next()?)?);
        let target = parse_shown_target(kind, words.next()?).ok()?;
        let by = parse_moderator(words.next()?.strip_prefix(BY)?).ok()?;
        let at = Timestamp::parse(words.next()?.strip_prefix(CREATED)?)?;
        let until = Until::parse(words.next()?)?.0;
        let reason = words.next().map(Text::new).transpose().ok()?;
        Some(Self { id, kind, target, by, at, until, reason })
    }
}

impl fmt::Display for SanctionListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: SanctionId(id), kind, target, by, at, until, reason } = self;
        let (target, by) = (shown_target(target.as_ref()), moderator(by.as_ref()));
        write!(f, "SANCTION {id} {} {target} {BY}{by} {CREATED}{at} {}", kind.as_str(), Until(*until))?;
        reason.iter().try_for_each(|reason| write!(f, " {reason}"))
    }
}
