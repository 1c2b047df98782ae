//! Reads the state, and checks everything on which the state relies.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

use super::accounts::{read_accounts, read_login};
use super::sanctions::{read_network, read_sanctions, read_silenced};
use super::{COUNTER_MAX, ReadResult, VERSION};
use crate::protocol::{
    AccountId, DrawnStroke, LeaveReason, MessageId, Name, PastMessage, RoomLock, RoomName, RoomRules, Sanction, Stroke,
    Text, Timestamp, Token, Verifier,
};
use crate::state::memberships::{Memberships, Seniority};
use crate::state::recent::Budget;
use crate::state::{
    Author, Incarnation, Member, MemberId, MemoryCost, Names, Node, Nodes, Recent, RecentMessage, RecentMessages,
    Resumption, Room, RoomId, SessionId, SharedState, StateLimits, Uptime,
};

pub(super) fn read_state(d: &mut Decoder<'_>) -> ReadResult<SharedState> {
    expect_array(d, 20)?;
    if d.u64()? != VERSION {
        return Err(Error::message("it has another version"));
    }
    let mut state = SharedState::without_rooms(read_limits(d)?);
    (state.now, state.entrances) = (Uptime(d.u64()?), read_counter(d)?);
    (state.next_room, state.has_store, state.has_expired) = (d.u32()?, d.bool()?, d.bool()?);
    state.start = read_optional(d, read_token)?;
    let limits = state.limits;
    state.messages = Budget::restore(limits.history_messages, limits.history_bytes, read_counter(d)?);
    state.strokes = Budget::restore(limits.canvas_strokes, limits.canvas_bytes, read_counter(d)?);
    for _ in 0..read_array_length(d)? {
        let (id, room) = read_room(d)?;
        add_room(&mut state, id, room)?;
    }
    if state.room(RoomId::LOBBY).is_none_or(|lobby| lobby.name.key() != RoomName::lobby().key()) {
        return Err(Error::message("the lobby is missing"));
    }
    state.accounts = read_accounts(d)?;
    for _ in 0..read_array_length(d)? {
        let (id, member) = read_member(d)?;
        add_member(&mut state, id, member)?;
    }
    state.names = read_reservations(d, std::mem::take(&mut state.names))?;
    state.sanctions = read_sanctions(d)?;
    let is_missing = |sanction: &Sanction| sanction.room.is_some_and(|room| state.rooms.get(room).is_none());
    if state.sanctions.iter().any(is_missing) {
        return Err(Error::message("the room of a sanction is missing"));
    }
    for _ in 0..read_array_length(d)? {
        state.silenced.insert(read_silenced(d)?);
    }
    for _ in 0..read_array_length(d)? {
        expect_array(d, 2)?;
        let (room, member) = (RoomId(d.u32()?), MemberId(d.u64()?));
        if state.rooms.get(room).is_none() || state.members.get(member).is_none() {
            return Err(Error::message("an invitation is into a missing room, or of a missing member"));
        }
        state.invited_guests.insert(room, member);
    }
    for _ in 0..read_array_length(d)? {
        expect_array(d, 2)?;
        let (session, id) = (SessionId(d.u64()?), RoomId(d.u32()?));
        let Some(room) = state.rooms.get_mut(id) else { return Err(Error::message("a watched room is missing")) };
        room.watchers += 1;
        if state.watchers.insert(session, id).is_some() {
            return Err(Error::message("a session watches two rooms"));
        }
    }
    state.nodes = read_nodes(d)?;
    let is_occupied = |(id, room): &(RoomId, &Room)| *id != RoomId::LOBBY && !room.members.is_empty();
    state.occupied = state.rooms().filter(is_occupied).count();
    Ok(state)
}

pub(crate) fn read_limits(d: &mut Decoder<'_>) -> ReadResult<StateLimits> {
    expect_array(d, 15)?;
    let (resume_seconds, lease_seconds) = (d.u64()?, d.u64()?);
    let mut limit = || Ok::<_, Error>(usize::try_from(d.u64()?).unwrap_or(usize::MAX));
    Ok(StateLimits {
        resume_seconds,
        lease_seconds,
        history_messages: limit()?,
        history_bytes: limit()?,
        canvas_strokes: limit()?,
        canvas_bytes: limit()?,
        rooms: limit()?,
        empty_rooms: limit()?,
        rooms_per_member: limit()?,
        accounts: limit()?,
        account_tokens: limit()?,
        resting_names: limit()?,
        sanctions: limit()?,
        sanctions_per_room: limit()?,
        sanctions_reserved: limit()?,
    })
}

fn read_nodes(d: &mut Decoder<'_>) -> ReadResult<Nodes> {
    expect_array(d, 3)?;
    let last = Incarnation(d.u32()?);
    let joined = (0..read_array_length(d)?).map(|_| {
        expect_array(d, 4)?;
        let (incarnation, name) = (Incarnation(d.u32()?), read_token(d)?);
        Ok((incarnation, Node { name, run: d.u64()?, alive_at: Uptime(d.u64()?) }))
    });
    let joined = joined.collect::<ReadResult<_>>()?;
    let departing = (0..read_array_length(d)?).map(|_| {
        expect_array(d, 2)?;
        Ok((Incarnation(d.u32()?), read_reason(d)?))
    });
    let departing = departing.collect::<ReadResult<_>>()?;
    Nodes::restore(last, joined, departing).ok_or_else(|| Error::message("two nodes share a number or a name"))
}

fn add_room(state: &mut SharedState, id: RoomId, room: Room) -> ReadResult<()> {
    let name = room.name.name();
    let collides = state.rooms_by_name.same(name).is_some() || state.rooms_by_name.alike(name) != [None; 2];
    if collides || id.0 >= state.next_room || state.rooms.get(id).is_some() {
        return Err(Error::message("two rooms share a number or a name"));
    }
    let is_within = state.messages.add_restored(id, room.history.messages());
    if !is_within || !state.strokes.add_restored(id, &room.canvas) {
        return Err(Error::message("a limit of messages or strokes is exceeded"));
    }
    state.insert_room(id, room);
    Ok(())
}

fn add_member(state: &mut SharedState, id: MemberId, member: Member) -> ReadResult<()> {
    if state.names.find_collision(&member.name, id).is_some() {
        return Err(Error::message("two members share a nickname"));
    }
    for (room, seniority) in member.rooms.iter() {
        let Some(room) = state.rooms.get_mut(room) else { return Err(Error::message("a member's room is missing")) };
        let is_new = room.members.insert(seniority, id).is_none();
        if !is_new || seniority.get() > state.entrances {
            return Err(Error::message("two members share a rank"));
        }
    }
    if let Some(account) = member.account()
        && (state.accounts.get(account).is_none() || state.logged_in.insert(account, id).is_some())
    {
        return Err(Error::message("a member's account is missing, or has two members"));
    }
    state.names.insert(&member.name, id);
    if state.members.insert(id, member).is_some() {
        return Err(Error::message("two members share a number"));
    }
    Ok(())
}

fn read_room(d: &mut Decoder<'_>) -> ReadResult<(RoomId, Room)> {
    expect_array(d, 11)?;
    let (id, name) = (RoomId(d.u32()?), read_room_name(d)?);
    let mut room = Room::new(name, None);
    (room.unpublished, room.is_stored) = (d.u32()?, d.bool()?);
    room.set_rules(read_optional(d, read_rules)?.unwrap_or_default());
    room.epoch = read_optional(d, read_token)?;
    room.topic = read_optional(d, read_text)?;
    (room.last_id, room.deleted) = (MessageId(read_counter(d)?), MessageId(read_counter(d)?));
    if room.deleted > room.last_id {
        return Err(Error::message("messages are deleted that do not exist"));
    }
    room.history = read_history(d, room.last_id)?;
    room.canvas = read_recent(d, |d| {
        expect_array(d, 3)?;
        let age = d.u64()?;
        let stroke = |d: &mut Decoder<'_>| parse_with(d.str()?, |stroke| Stroke::new(stroke).ok());
        Ok((age, DrawnStroke { name: read_name(d)?, stroke: stroke(d)? }))
    })?;
    Ok((id, room))
}

fn read_rules(d: &mut Decoder<'_>) -> ReadResult<RoomRules> {
    expect_array(d, 4)?;
    let lock = parse_with(d.str()?, RoomLock::parse)?;
    let owner = read_optional(d, |d| d.u32().map(AccountId))?;
    let mut accounts = || (0..read_array_length(d)?).map(|_| d.u32().map(AccountId)).collect::<ReadResult<_>>();
    Ok(RoomRules { owner, moderators: accounts()?, lock, invited: accounts()? })
}

fn read_history(d: &mut Decoder<'_>, last_id: MessageId) -> ReadResult<RecentMessages> {
    expect_array(d, 2)?;
    let evicted_id = MessageId(d.u64()?);
    let messages = read_recent(d, |d| {
        expect_array(d, 7)?;
        let (age, id, at) = (d.u64()?, MessageId(d.u64()?), Timestamp(d.i64()?));
        let (name, text) = (read_name(d)?, read_optional(d, read_text)?);
        let member = read_optional(d, |d| d.u64().map(MemberId))?;
        let author = Author { member, account: read_optional(d, |d| d.u32().map(AccountId))? };
        Ok((age, RecentMessage { past: PastMessage { id, at, name, text }, author }))
    })?;
    let mut newest = evicted_id;
    let is_rising = messages.range(messages.all()).all(|message| {
        let id = message.past.id;
        std::mem::replace(&mut newest, id) < id
    });
    if !is_rising || newest > last_id {
        return Err(Error::message("the ids of messages are out of order"));
    }
    Ok(RecentMessages::restore(messages, evicted_id))
}

fn read_member(d: &mut Decoder<'_>) -> ReadResult<(MemberId, Member)> {
    expect_array(d, 12)?;
    let (id, name, registered_at) = (MemberId(d.u64()?), read_name(d)?, Uptime(d.u64()?));
    let session =
        read_optional(d, |d| NonZeroU64::new(d.u64()?).ok_or_else(|| Error::message("the number of a session is 0")))?;
    let network = read_optional(d, read_network)?;
    let login = read_login(d)?.map(Box::new);
    let verifier = read_optional(d, read_verifier)?;
    let has_ended_input = d.bool()?;
    let detached = read_optional(d, |d| {
        expect_array(d, 2)?;
        Ok((Uptime(d.u64()?), read_reason(d)?))
    })?;
    let unpublished = d.u32()?;
    let rooms = read_memberships(d)?;
    let has_resumption = verifier.is_some() || detached.is_some() || session.is_some();
    let resumption = has_resumption.then(|| Box::new(Resumption { verifier, detached, session }));
    Ok((id, Member { name, rooms, registered_at, resumption, login, unpublished, has_ended_input, network }))
}

fn read_memberships(d: &mut Decoder<'_>) -> ReadResult<Memberships> {
    expect_array(d, 2)?;
    let home = RoomId(d.u32()?);
    let (at_home, parted_home) = match d.datatype()? {
        Type::String => (None, Some(read_room_name(d)?)),
        _ => (Some(read_seniority(d)?), None),
    };
    let rooms = (0..read_array_length(d)?).map(|_| {
        expect_array(d, 2)?;
        Ok((RoomId(d.u32()?), read_seniority(d)?))
    });
    let rooms = rooms.collect::<ReadResult<Vec<_>>>()?;
    let memberships = Memberships::restore(home, at_home, parted_home, rooms);
    memberships.ok_or_else(|| Error::message("a member is in a room twice"))
}

fn read_reservations(d: &mut Decoder<'_>, mut names: Names) -> ReadResult<Names> {
    for _ in 0..read_array_length(d)? {
        expect_array(d, 3)?;
        let (member, name) = (MemberId(d.u64()?), read_name(d)?);
        names.reserve(&name, member, d.u32()?);
    }
    Ok(names)
}

fn read_recent<T: MemoryCost>(
    d: &mut Decoder<'_>,
    read: impl Fn(&mut Decoder<'_>) -> ReadResult<(u64, T)>,
) -> ReadResult<Recent<T>> {
    expect_array(d, 2)?;
    let evicted = read_counter(d)?;
    let items = (0..read_array_length(d)?).map(|_| read(d)).collect::<ReadResult<VecDeque<_>>>()?;
    Ok(Recent::restore(evicted, items))
}

fn read_seniority(d: &mut Decoder<'_>) -> ReadResult<Seniority> {
    Seniority::new(read_counter(d)?).ok_or_else(|| Error::message("a rank is 0"))
}

fn read_reason(d: &mut Decoder<'_>) -> ReadResult<LeaveReason> {
    parse_with(d.str()?, |word| LeaveReason::ALL.into_iter().find(|reason| reason.as_str() == word))
}

pub(crate) fn read_verifier(d: &mut Decoder<'_>) -> ReadResult<Verifier> {
    let bytes = <[u8; 32]>::try_from(d.bytes()?).map_err(|_| Error::message("a verifier has another length"))?;
    Ok(Verifier::from_bytes(bytes))
}

pub(crate) fn read_name(d: &mut Decoder<'_>) -> ReadResult<Name> {
    parse_with(d.str()?, |name| Name::new(name).ok())
}

pub(crate) fn read_room_name(d: &mut Decoder<'_>) -> ReadResult<RoomName> {
    parse_with(d.str()?, |name| RoomName::new(name).ok())
}

pub(crate) fn read_text(d: &mut Decoder<'_>) -> ReadResult<Text> {
    parse_with(d.str()?, |text| Text::new(text).ok())
}

pub(crate) fn read_token(d: &mut Decoder<'_>) -> ReadResult<Token> {
    parse_with(d.str()?, |token| Token::new(token).ok())
}

pub(crate) fn parse_with<T>(raw: &str, parse: impl FnOnce(&str) -> Option<T>) -> ReadResult<T> {
    parse(raw).ok_or_else(|| Error::message("a text is not valid"))
}

pub(crate) fn read_optional<'b, T, E: From<Error>>(
    d: &mut Decoder<'b>,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, E>,
) -> Result<Option<T>, E> {
    if d.datatype()? == Type::Null { Ok(d.null().map(|()| None)?) } else { read(d).map(Some) }
}

fn read_counter(d: &mut Decoder<'_>) -> ReadResult<u64> {
    let value = d.u64()?;
    if value <= COUNTER_MAX { Ok(value) } else { Err(Error::message("a counter is too high")) }
}

/// The length of the array that begins here.
pub(crate) fn read_array_length(d: &mut Decoder<'_>) -> ReadResult<u64> {
    d.array()?.ok_or_else(|| Error::message("an array has no length"))
}

pub(crate) fn expect_array(d: &mut Decoder<'_>, expected: u64) -> ReadResult<()> {
    if read_array_length(d)? == expected { Ok(()) } else { Err(Error::message("an array has another length")) }
}
