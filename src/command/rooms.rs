//! `ROOMS`: lists rooms, in pages.

use std::fmt;

use super::arguments::{parse_room, unexpected_argument};
use super::{Context, Definition, Pipelining, Refusal, Reply, ReplyWords, ServerLine, Specification, Verb};
use crate::limits::ROOMS_LISTED_MAX;
use crate::protocol::{Mode, Name, ROOM_MARK, RoomLock, RoomName, Text, split_word};
use crate::state::{Room, RoomId};

/// List rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rooms {
    /// The rooms that the session is in.
    Own,
    /// All rooms whose names begin so.
    All {
        /// The beginning of the names, without `#`, as it was written.
        prefix: String,
        /// Only rooms after this one, in the order of their keys.
        after: Option<RoomName>,
    },
}

/// The argument for the session's own rooms.
const OWN: &str = "own";

/// Precedes the room after which the list begins.
const AFTER: &str = "after=";

impl Definition for Rooms {
    const SPECIFICATION: Specification = Specification {
        verb: "ROOMS",
        usage: "ROOMS [#prefix] [after=#room], or ROOMS own",
        summary: "list rooms, 100 at a time; own: those that you are in",
        needs_nickname: false,
        pipelining: Pipelining::Off,
        reply_keys: &["count", "next"],
        ..Specification::DEFAULT
    };

    /// The `ROOM` lines precede the reply.
    type Reply = RoomsReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace().peekable();
        let own = words.next_if(|word| word.eq_ignore_ascii_case(OWN));
        let prefix = words.next_if(|word| own.is_none() && word.starts_with(ROOM_MARK));
        let after = words.next_if(|word| own.is_none() && word.starts_with(AFTER));
        let after = after.and_then(|word| word.strip_prefix(AFTER));
        let after = after.map(|room| parse_room(Verb::Rooms, room)).transpose()?;
        let prefix = prefix.and_then(|word| word.strip_prefix(ROOM_MARK)).unwrap_or_default();
        match words.next() {
            Some(surplus) => Err(unexpected_argument(Verb::Rooms, surplus)),
            None if own.is_some() => Ok(Self::Own),
            None => Ok(Self::All { prefix: prefix.to_owned(), after }),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let own = context.own_rooms();
        let state = context.state();
        let listing = |(id, room): (RoomId, &Room)| RoomListing::new(room, own.contains(&id));
        let mut listings: Vec<_> = match self {
            Self::Own => {
                let mut rooms: Vec<_> = own.iter().filter_map(|id| Some((*id, state.room(*id)?))).collect();
                rooms.sort_by(|(_, a), (_, b)| a.name().key().cmp(b.name().key()));
                rooms.into_iter().map(listing).collect()
            }
            Self::All { prefix, after } => {
                let prefix = Name::key_of_prefix(&prefix);
                let rooms = state.rooms_by_key(&prefix, after.as_ref().map(RoomName::key));
                let listed = rooms.filter(|(id, room)| *id == RoomId::LOBBY || room.is_listed());
                listed.take(ROOMS_LISTED_MAX + 1).map(listing).collect()
            }
        };
        let has_more = listings.len() > ROOMS_LISTED_MAX;
        listings.truncate(ROOMS_LISTED_MAX);
        let next = listings.last().filter(|_| has_more).map(|last| last.name.clone());
        let count = listings.len() as u64;
        for listing in listings {
            context.send(ServerLine::Room(listing));
        }
        context.reply(Reply::Rooms(RoomsReply { count, next }));
        Ok(())
    }
}

impl fmt::Display for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str(OWN),
            Self::All { prefix, after } => {
                let mark = if prefix.is_empty() { String::new() } else { ROOM_MARK.to_string() };
                write!(f, "{mark}{prefix}")?;
                let space = if prefix.is_empty() { "" } else { " " };
                after.iter().try_for_each(|after| write!(f, "{space}{AFTER}{after}"))
            }
        }
    }
}

/// The reply to `ROOMS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomsReply {
    /// Number of listed rooms.
    pub count: u64,
    /// The last listed room, if more rooms follow it: they are listed by `ROOMS after=` and this name.
    pub next: Option<RoomName>,
}

/// Precedes the last listed room.
const NEXT: &str = "next=";

impl ReplyWords for RoomsReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.count)?;
        self.next.iter().try_for_each(|next| write!(f, " {NEXT}{next}"))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (count, next) = split_word(words?);
        let next = match next {
            Some(word) => Some(RoomName::new(word.strip_prefix(NEXT)?).ok()?),
            None => None,
        };
        Some(Self { count: count.parse().ok()?, next })
    }
}

/// A room in the list of `ROOMS`: `ROOM #ops members=12 in deploys and outages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomListing {
    /// The room.
    pub name: RoomName,
    /// Number of members.
    pub members: u64,
    /// Whether the reader is in it, or watches it.
    pub is_in: bool,
    /// The topic.
    pub topic: Option<Text>,
    /// The members that may enter.
    pub lock: RoomLock,
}

/// Precedes the number of members.
const MEMBERS: &str = "members=";

/// Precedes who may enter, at the end of the line. The line of an open room has it only if its topic ends like that.
const LOCK: &str = "lock=";

impl RoomListing {
    fn new(room: &Room, is_in: bool) -> Self {
        let (name, topic, lock) = (room.name().clone(), room.topic().cloned(), room.lock());
        Self { name, members: room.member_count() as u64, is_in, topic, lock }
    }

    /// Parses the part of a line after `ROOM`.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let (rest, lock) = split_lock(rest);
        let lock = lock.unwrap_or_default();
        let mut words = rest.splitn(4, ' ');
        let name = RoomName::new(words.next()?).ok()?;
        let members = words.next()?.strip_prefix(MEMBERS)?.parse().ok()?;
        let is_in = match words.next()? {
            "in" => true,
            "out" => false,
            _ => return None,
        };
        let topic = words.next().map(Text::new).transpose().ok()?;
        Some(Self { name, members, is_in, topic, lock })
    }
}

/// Splits off who may enter from the line of a room.
pub fn split_lock(line: &str) -> (&str, Option<RoomLock>) {
    let split = line.rsplit_once(' ').and_then(|(rest, word)| Some((rest, RoomLock::parse(word.strip_prefix(LOCK)?)?)));
    split.map_or((line, None), |(rest, lock)| (rest, Some(lock)))
}

impl fmt::Display for RoomListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, members, is_in, topic, lock } = self;
        write!(f, "ROOM {name} {MEMBERS}{members} {}", if *is_in { "in" } else { "out" })?;
        topic.iter().try_for_each(|topic| write!(f, " {topic}"))?;
        // Otherwise a topic could make the room look locked.
        let is_ambiguous = topic.as_ref().is_some_and(|topic| split_lock(&format!(" {topic}")).1.is_some());
        if *lock == RoomLock::Open && !is_ambiguous { Ok(()) } else { write!(f, " {LOCK}{}", lock.as_str()) }
    }
}
