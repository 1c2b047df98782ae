//! `JOIN`: enters rooms, all of them or none. Rooms that do not exist are created.

use std::fmt;

use super::arguments::{parse_rooms, unexpected_argument};
use super::moderation::{ban_refusal, lock_refusal};
use super::{Context, Definition, Hint, Refusal, ReplyWords, Specification, Verb};
use crate::limits::{ROOM_CREATION_BURST, ROOM_CREATION_SECONDS};
use crate::protocol::{ErrorCode, MessageId, Mode, RoomName, Token, is_space, split_word};
use crate::state::{Action, EnteredRoom, RoomRejection};

/// Enter all of these rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join(pub Vec<RoomName>);

impl Definition for Join {
    const SPECIFICATION: Specification = Specification {
        verb: "JOIN",
        usage: "JOIN #room[,#room...]",
        summary: "enter rooms, and create those that do not exist; then write #room before a command about one of them: \
                  #room MSG text (in chat mode: /#room text)",
        reply_keys: &["room", "epoch", "last"],
        ..Specification::DEFAULT
    };

    /// The rooms, in the order of the command.
    type Reply = Vec<RoomPosition>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (list, surplus) = split_word(arguments.trim());
        let surplus = surplus.map(|surplus| surplus.trim_start_matches(is_space)).filter(|surplus| !surplus.is_empty());
        match surplus {
            Some(surplus) => Err(unexpected_argument(Verb::Join, split_word(surplus).0)),
            None => parse_rooms(Verb::Join, list).map(Self),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        check_entrance(context, Verb::Join, &self.0, true)?;
        context.submit(Action::Join(self.0));
        Ok(())
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

/// Checks whether the session may enter these rooms. With `is_counted`, counts the rooms that the command creates.
pub(super) fn check_entrance(
    context: &mut dyn Context,
    verb: Verb,
    rooms: &[RoomName],
    is_counted: bool,
) -> Result<(), Refusal> {
    let member = context.nickname().is_some().then(|| context.member());
    let created = context.state().count_new_rooms(member, rooms).map_err(|why| room_refusal(verb, why))?;
    if !is_counted || context.spend_room_creations(created) {
        return Ok(());
    }
    let what = format!(
        "your address creates rooms too fast: expected at most {ROOM_CREATION_BURST} at once, and then one in \
         {ROOM_CREATION_SECONDS} s"
    );
    Err(Refusal::new(verb, ErrorCode::RoomsTooFast, what).with_hint(Hint::RetryLater))
}

/// The refusal of a command that would enter rooms.
pub(super) fn room_refusal(verb: Verb, why: RoomRejection) -> Refusal {
    match why {
        RoomRejection::Banned(notice) => ban_refusal(verb, &notice),
        RoomRejection::Locked(room, lock) => lock_refusal(verb, &room, lock),
        RoomRejection::Alike(name, other) => {
            let what = format!("{name} looks too much like {other}, which exists");
            Refusal::new(verb, ErrorCode::RoomAlike, what).with_hint(Hint::ListRooms)
        }
        RoomRejection::TooMany(max) => {
            let what = format!("you would be in too many rooms: expected at most {max}");
            Refusal::new(verb, ErrorCode::RoomsTooMany, what).with_hint(Hint::Write(Verb::Part))
        }
        RoomRejection::Full(max) => {
            let what = format!("the server has its maximum of {max} rooms");
            Refusal::new(verb, ErrorCode::RoomsFull, what).with_hint(Hint::ListRooms)
        }
        RoomRejection::StoreFull(max) => {
            let what = format!("no room can be created: the server keeps its maximum of {max} rooms without members");
            Refusal::new(verb, ErrorCode::RoomsFull, what).with_hint(Hint::ListRooms)
        }
    }
}

/// A room that a session has entered, with the baseline of its messages: `#room epoch=k7qd.3 last=57`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPosition {
    /// The room.
    pub room: RoomName,
    /// The epoch of its message ids, if it has one.
    pub epoch: Option<Token>,
    /// The id of its newest message; 0 before the first one.
    pub last: MessageId,
}

impl From<EnteredRoom> for RoomPosition {
    fn from(EnteredRoom { name, epoch, last_id, .. }: EnteredRoom) -> Self {
        Self { room: name, epoch, last: last_id }
    }
}

const EPOCH: &str = "epoch=";
const LAST: &str = "last=";

impl fmt::Display for RoomPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, epoch, last: MessageId(last) } = self;
        room.fmt(f)?;
        epoch.iter().try_for_each(|epoch| write!(f, " {EPOCH}{epoch}"))?;
        write!(f, " {LAST}{last}")
    }
}

impl RoomPosition {
    /// Parses one room that is the rest of a line.
    pub(super) fn parse_one(words: &str) -> Option<Self> {
        let mut words = words.split(' ').peekable();
        let position = Self::parse_next(&mut words)?;
        words.next().is_none().then_some(position)
    }

    fn parse_next<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> Option<Self> {
        let room = RoomName::new(words.next()?).ok()?;
        let epoch = words.next_if(|word| word.starts_with(EPOCH)).and_then(|word| word.strip_prefix(EPOCH));
        let epoch = epoch.map(Token::new).transpose().ok()?;
        let last = words.next()?.strip_prefix(LAST)?.parse().ok()?;
        Some(Self { room, epoch, last: MessageId(last) })
    }
}

impl ReplyWords for RoomPosition {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        Self::parse_one(words?)
    }
}

impl ReplyWords for Vec<RoomPosition> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|room| room.write(f))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let mut words = words?.split(' ').peekable();
        let mut rooms = Self::new();
        while words.peek().is_some() {
            rooms.push(RoomPosition::parse_next(&mut words)?);
        }
        Some(rooms)
    }
}
