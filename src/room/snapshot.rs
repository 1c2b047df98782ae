//! Snapshots: the room's complete state as bytes.
//!
//! The bytes are canonical: two rooms that will behave alike have the same snapshot. They are CBOR (RFC 8949) in its
//! deterministic encoding (section 4.2): arrays of a fixed length, shortest integers, sorted members.

use std::collections::VecDeque;
use std::fmt;

use minicbor::data::Type;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};

use super::recent::{MemoryCost, Recent};
use super::{Member, MemberId, Names, RecentMessages, RecentStrokes, Resumption, Room, Uptime, Verifier};
use crate::protocol::{DrawnStroke, LeaveReason, MessageId, Name, PastMessage, Stroke, Text, Timestamp, Token};

/// The version of the format.
const VERSION: u64 = 1;

/// The highest value of a counter. No room comes near it; a higher one could overflow after it was restored.
const COUNTER_MAX: u64 = u64::MAX / 2;

/// Why bytes are not a valid snapshot.
#[derive(Debug)]
pub struct SnapshotError(decode::Error);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the snapshot of the room: {}", self.0)
    }
}

impl std::error::Error for SnapshotError {}

/// The result of writing to memory, which never fails.
type WriteResult = Result<(), encode::Error<std::convert::Infallible>>;

type ReadResult<T> = Result<T, decode::Error>;

impl Room {
    /// Writes the room's state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Cannot fail, see `WriteResult`.
        let _: WriteResult = write_room(&mut Encoder::new(&mut bytes), self);
        bytes
    }

    /// Reads the room from a snapshot.
    ///
    /// # Errors
    /// The bytes are not a snapshot of this version, or are inconsistent.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut decoder = Decoder::new(bytes);
        let room = read_room(&mut decoder).map_err(SnapshotError)?;
        if room.snapshot() != bytes {
            return Err(SnapshotError(decode::Error::message("it is not canonical, or bytes follow its end")));
        }
        Ok(room)
    }
}

fn write_room<W: Write<Error = std::convert::Infallible>>(e: &mut Encoder<W>, room: &Room) -> WriteResult {
    let Room {
        resume_seconds,
        now,
        members,
        by_seniority: _,
        names,
        has_expired,
        epoch,
        last_id,
        history,
        canvas,
        registered,
        roster_version: _,
    } = room;
    e.array(11)?.u64(VERSION)?.u64(*resume_seconds)?.u64(now.0)?.u64(*registered)?.bool(*has_expired)?;
    e.array(members.len() as u64)?;
    for (id, member) in members.iter() {
        write_member(e, id, member)?;
    }
    e.array(names.reservations().count() as u64)?;
    for (member, name, messages) in names.reservations() {
        e.array(3)?.u64(member.0)?.str(name)?.u32(messages)?;
    }
    match epoch {
        Some(epoch) => e.str(&epoch.to_string())?,
        None => e.null()?,
    };
    e.u64(last_id.0)?;
    e.array(2)?.u64(history.evicted_id().0)?;
    write_recent(e, history.messages(), |e, PastMessage { id, at, name, text }| {
        e.array(4)?.u64(id.0)?.i64(at.0)?.str(name.as_str())?.str(text.as_str())?;
        Ok(())
    })?;
    write_recent(e, canvas, |e, DrawnStroke { name, stroke }| {
        e.array(2)?.str(name.as_str())?.str(&stroke.to_string())?;
        Ok(())
    })
}

fn write_member<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    id: MemberId,
    member: &Member,
) -> WriteResult {
    let Member { name, seniority, registered_at, has_ended_input, resumption: _, unpublished } = member;
    let (verifier, detached) = (member.verifier(), member.detached());
    e.array(8)?.u64(id.0)?.str(name.as_str())?.u64(*seniority)?.u64(registered_at.0)?;
    match verifier {
        Some(verifier) => e.bytes(verifier.as_bytes())?,
        None => e.null()?,
    };
    e.bool(*has_ended_input)?;
    match detached {
        Some((since, reason)) => e.array(2)?.u64(since.0)?.str(reason.as_str())?,
        None => e.null()?,
    };
    e.u32(*unpublished)?;
    Ok(())
}

fn write_recent<W: Write<Error = std::convert::Infallible>, T: MemoryCost>(
    e: &mut Encoder<W>,
    recent: &Recent<T>,
    write: impl Fn(&mut Encoder<W>, &T) -> WriteResult,
) -> WriteResult {
    let ((count_max, bytes_max), all) = (recent.bounds(), recent.all());
    e.array(4)?.u64(count_max as u64)?.u64(bytes_max as u64)?.u64(all.start)?.array(all.end - all.start)?;
    recent.range(all).try_for_each(|item| write(e, item))
}

fn read_room(d: &mut Decoder<'_>) -> ReadResult<Room> {
    expect_array(d, 11)?;
    if d.u64()? != VERSION {
        return Err(decode::Error::message("it has another version"));
    }
    let (resume_seconds, now, registered) = (d.u64()?, Uptime(d.u64()?), read_counter(d)?);
    let mut room = Room { resume_seconds, now, registered, ..Room::default() };
    room.has_expired = d.bool()?;
    for _ in 0..read_array_length(d)? {
        let (id, member) = read_member(d)?;
        let is_free = room.names.find_collision(&member.name, id).is_none() && member.seniority <= room.registered;
        room.names.insert(&member.name, id);
        let is_new = room.by_seniority.insert(member.seniority, id).is_none();
        if !is_free || !is_new || room.members.insert(id, member).is_some() {
            return Err(decode::Error::message("two members share a number or a nickname"));
        }
    }
    room.names = read_reservations(d, std::mem::take(&mut room.names))?;
    room.epoch = read_optional(d, |d| parse_with(d.str()?, |epoch| Token::new(epoch).ok()))?;
    room.last_id = MessageId(read_counter(d)?);
    room.history = read_history(d, room.last_id)?;
    room.canvas = read_canvas(d)?;
    Ok(room)
}

fn read_history(d: &mut Decoder<'_>, last_id: MessageId) -> ReadResult<RecentMessages> {
    expect_array(d, 2)?;
    let evicted_id = MessageId(d.u64()?);
    let messages = read_recent(d, |d| {
        expect_array(d, 4)?;
        let (id, at) = (MessageId(d.u64()?), Timestamp(d.i64()?));
        Ok(PastMessage { id, at, name: read_name(d)?, text: parse_with(d.str()?, |text| Text::new(text).ok())? })
    })?;
    let mut newest = evicted_id;
    let is_rising = messages.range(messages.all()).all(|past| std::mem::replace(&mut newest, past.id) < past.id);
    if !is_rising || newest > last_id {
        return Err(decode::Error::message("the ids of messages are out of order"));
    }
    Ok(RecentMessages::restore(messages, evicted_id))
}

fn read_member(d: &mut Decoder<'_>) -> ReadResult<(MemberId, Member)> {
    expect_array(d, 8)?;
    let (id, name) = (MemberId(d.u64()?), read_name(d)?);
    let (seniority, registered_at) = (d.u64()?, Uptime(d.u64()?));
    let verifier = read_optional(d, |d| {
        <[u8; 32]>::try_from(d.bytes()?).map_err(|_| decode::Error::message("a verifier is too short"))
    })?;
    let has_ended_input = d.bool()?;
    let detached = read_optional(d, |d| {
        expect_array(d, 2)?;
        let since = Uptime(d.u64()?);
        let reason = |word: &str| LeaveReason::ALL.into_iter().find(|reason| reason.as_str() == word);
        Ok((since, parse_with(d.str()?, reason)?))
    })?;
    let verifier = verifier.map(Verifier::from_bytes);
    let unpublished = d.u32()?;
    let has_resumption = verifier.is_some() || detached.is_some();
    let resumption = has_resumption.then(|| Box::new(Resumption { verifier, detached }));
    Ok((id, Member { name, seniority, registered_at, has_ended_input, resumption, unpublished }))
}

fn read_reservations(d: &mut Decoder<'_>, mut names: Names) -> ReadResult<Names> {
    for _ in 0..read_array_length(d)? {
        expect_array(d, 3)?;
        let (member, name) = (MemberId(d.u64()?), read_name(d)?);
        names.reserve(&name, member, d.u32()?);
    }
    Ok(names)
}

fn read_canvas(d: &mut Decoder<'_>) -> ReadResult<RecentStrokes> {
    read_recent(d, |d| {
        expect_array(d, 2)?;
        Ok(DrawnStroke { name: read_name(d)?, stroke: parse_with(d.str()?, |stroke| Stroke::new(stroke).ok())? })
    })
}

fn read_recent<T: MemoryCost>(
    d: &mut Decoder<'_>,
    read: impl Fn(&mut Decoder<'_>) -> ReadResult<T>,
) -> ReadResult<Recent<T>> {
    expect_array(d, 4)?;
    let bound = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let (count_max, bytes_max, evicted) = (bound(d.u64()?), bound(d.u64()?), read_counter(d)?);
    let items = (0..read_array_length(d)?).map(|_| read(d)).collect::<ReadResult<VecDeque<_>>>()?;
    Recent::restore(count_max, bytes_max, evicted, items).ok_or_else(|| decode::Error::message("a bound is exceeded"))
}

fn read_name(d: &mut Decoder<'_>) -> ReadResult<Name> {
    parse_with(d.str()?, |name| Name::new(name).ok())
}

fn parse_with<T>(raw: &str, parse: impl FnOnce(&str) -> Option<T>) -> ReadResult<T> {
    parse(raw).ok_or_else(|| decode::Error::message("a text is not valid"))
}

fn read_optional<'b, T>(
    d: &mut Decoder<'b>,
    read: impl FnOnce(&mut Decoder<'b>) -> ReadResult<T>,
) -> ReadResult<Option<T>> {
    if d.datatype()? == Type::Null { d.null().map(|()| None) } else { read(d).map(Some) }
}

fn read_counter(d: &mut Decoder<'_>) -> ReadResult<u64> {
    let value = d.u64()?;
    if value <= COUNTER_MAX { Ok(value) } else { Err(decode::Error::message("a counter is too high")) }
}

/// The length of the array that begins here.
fn read_array_length(d: &mut Decoder<'_>) -> ReadResult<u64> {
    d.array()?.ok_or_else(|| decode::Error::message("an array has no length"))
}

fn expect_array(d: &mut Decoder<'_>, expected: u64) -> ReadResult<()> {
    if read_array_length(d)? == expected { Ok(()) } else { Err(decode::Error::message("an array has another length")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{Action, Entry, Message, Origin, SessionId};

    fn apply(room: &mut Room, member: u64, action: Action) {
        let origin = Origin { session: SessionId(member), member: MemberId(member) };
        let entry = Entry { seq: 1, at: Timestamp(5), uptime: Uptime(3), origin, action };
        room.apply(entry, &mut Vec::new());
    }

    /// A room with a member and three messages.
    fn room() -> Room {
        let mut room = Room::new(3);
        let name = Name::new("ann").unwrap();
        apply(&mut room, 1, Action::Register(name.clone(), None));
        for _ in 0..3 {
            let message = Message { name: name.clone(), at: Timestamp(5), text: Text::new("hello").unwrap() };
            apply(&mut room, 1, Action::Say(message));
        }
        assert!(Room::restore(&room.snapshot()).is_ok());
        room
    }

    #[track_caller]
    fn assert_refused(damage: impl FnOnce(&mut Room)) {
        let mut room = room();
        damage(&mut room);
        assert!(Room::restore(&room.snapshot()).is_err(), "{room:?}");
    }

    /// Such a room would give an id twice.
    #[test]
    fn snapshot_with_message_beyond_last_id_is_refused() {
        assert_refused(|room| room.last_id = MessageId(2));
        assert_refused(|room| room.history.evict_up_to(MessageId(4)));
    }

    #[test]
    fn snapshot_with_messages_out_of_order_is_refused() {
        let past = |id| {
            let (name, text) = (Name::new("ann").unwrap(), Text::new("hello").unwrap());
            PastMessage { id: MessageId(id), at: Timestamp(5), name, text }
        };
        assert_refused(|room| room.history.push(past(3)));
        assert_refused(|room| room.history.push(past(1)));
        assert_refused(|room| room.history = RecentMessages::restore(Recent::new(5, 5000), MessageId(4)));
    }

    /// Such a room would panic at the next entry.
    #[test]
    fn snapshot_with_counter_at_its_end_is_refused() {
        assert_refused(|room| room.last_id = MessageId(u64::MAX));
        assert_refused(|room| room.registered = u64::MAX);
        assert_refused(|room| room.canvas = Recent::restore(1, 1000, u64::MAX, VecDeque::new()).unwrap());
    }

    /// Evicting up to an id that is not given yet must not evict later messages.
    #[test]
    fn evict_beyond_newest_message_evicts_only_up_to_it() {
        let mut room = room();
        apply(&mut room, 1, Action::Evict(MessageId(u64::MAX)));
        let message = Message { name: Name::new("ann").unwrap(), at: Timestamp(5), text: Text::new("hi").unwrap() };
        apply(&mut room, 1, Action::Say(message));
        assert_eq!(room.history().since(MessageId(2)), None);
        assert_eq!(room.history().since(MessageId(3)), Some(3..4));
    }
}
