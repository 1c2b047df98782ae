//! Writes the state.

use minicbor::encode::{Encoder, Write};

use super::accounts::{write_accounts, write_login};
use super::sanctions::write_sanctions;
use super::{VERSION, WriteResult};
use crate::protocol::{DrawnStroke, PastMessage, RoomRules, Text};
use crate::state::{
    Author, Member, MemberId, MemoryCost, Node, Nodes, Recent, RecentMessage, Room, RoomId, SharedState, StateLimits,
};

pub(super) fn write_state<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    state: &SharedState,
) -> WriteResult {
    let SharedState {
        limits,
        now,
        members,
        names,
        accounts,
        logged_in: _,
        has_expired,
        entrances,
        rooms,
        rooms_by_name: _,
        next_room,
        has_store,
        start,
        sanctions,
        silenced,
        invited_guests,
        watchers,
        nodes,
        messages,
        strokes,
        occupied: _,
    } = state;
    e.array(20)?.u64(VERSION)?;
    write_limits(e, limits)?;
    e.u64(now.0)?.u64(*entrances)?.u32(*next_room)?.bool(*has_store)?.bool(*has_expired)?;
    write_optional_str(e, start.as_ref().map(ToString::to_string).as_deref())?;
    e.u64(messages.next_age())?.u64(strokes.next_age())?;
    e.array(rooms.len() as u64)?;
    for (id, room) in rooms.iter() {
        write_room(e, id, room)?;
    }
    write_accounts(e, accounts)?;
    e.array(members.len() as u64)?;
    for (id, member) in members.iter() {
        write_member(e, id, member)?;
    }
    e.array(names.reservations().count() as u64)?;
    for (member, name, messages) in names.reservations() {
        e.array(3)?.u64(member.0)?.str(name)?.u32(messages)?;
    }
    write_sanctions(e, sanctions)?;
    e.array(silenced.len() as u64)?;
    for (member, room) in silenced {
        e.array(2)?.u64(member.0)?;
        match room {
            Some(room) => e.u32(room.0)?,
            None => e.null()?,
        };
    }
    e.array(invited_guests.iter().len() as u64)?;
    for (room, member) in invited_guests.iter() {
        e.array(2)?.u32(room.0)?.u64(member.0)?;
    }
    e.array(watchers.len() as u64)?;
    for (session, room) in watchers.iter() {
        e.array(2)?.u64(session.0)?.u32(room.0)?;
    }
    write_nodes(e, nodes)
}

pub(crate) fn write_limits<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    limits: &StateLimits,
) -> WriteResult {
    let StateLimits { resume_seconds, history_messages, history_bytes, .. } = *limits;
    let StateLimits { canvas_strokes, canvas_bytes, rooms, empty_rooms, rooms_per_member, .. } = *limits;
    let StateLimits { accounts, account_tokens, resting_names, .. } = *limits;
    let of_sanctions = [limits.sanctions, limits.sanctions_per_room, limits.sanctions_reserved];
    e.array(15)?.u64(resume_seconds)?.u64(limits.lease_seconds)?;
    let of_rooms =
        [history_messages, history_bytes, canvas_strokes, canvas_bytes, rooms, empty_rooms, rooms_per_member];
    for limit in of_rooms.into_iter().chain([accounts, account_tokens, resting_names]).chain(of_sanctions) {
        e.u64(limit as u64)?;
    }
    Ok(())
}

fn write_nodes<W: Write<Error = std::convert::Infallible>>(e: &mut Encoder<W>, nodes: &Nodes) -> WriteResult {
    e.array(3)?.u32(nodes.last().0)?;
    e.array(nodes.iter().count() as u64)?;
    for (incarnation, Node { name, run, alive_at }) in nodes.iter() {
        e.array(4)?.u32(incarnation.0)?.str(&name.to_string())?.u64(*run)?.u64(alive_at.0)?;
    }
    e.array(nodes.departing().len() as u64)?;
    for (incarnation, reason) in nodes.departing() {
        e.array(2)?.u32(incarnation.0)?.str(reason.as_str())?;
    }
    Ok(())
}

/// The room's members follow from the members, its watchers from the watchers.
fn write_room<W: Write<Error = std::convert::Infallible>>(e: &mut Encoder<W>, id: RoomId, room: &Room) -> WriteResult {
    let Room { name, members: _, watchers: _, unpublished, is_stored, epoch, last_id, history, canvas, .. } = room;
    e.array(11)?.u32(id.0)?.str(&name.to_string())?.u32(*unpublished)?.bool(*is_stored)?;
    write_rules(e, room.rules())?;
    write_optional_str(e, epoch.as_ref().map(ToString::to_string).as_deref())?;
    write_optional_str(e, room.topic.as_ref().map(Text::as_str))?;
    e.u64(last_id.0)?.u64(room.deleted.0)?;
    e.array(2)?.u64(history.evicted_id().0)?;
    write_recent(e, history.messages(), write_message)?;
    write_recent(e, canvas, |e, age, DrawnStroke { name, stroke }| {
        e.array(3)?.u64(age)?.str(name.as_str())?.str(&stroke.to_string())?;
        Ok(())
    })
}

fn write_message<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    age: u64,
    RecentMessage { past: PastMessage { id, at, name, text }, author: Author { member, account } }: &RecentMessage,
) -> WriteResult {
    e.array(7)?.u64(age)?.u64(id.0)?.i64(at.0)?.str(name.as_str())?;
    write_optional_str(e, text.as_ref().map(Text::as_str))?;
    match member {
        Some(member) => e.u64(member.0)?,
        None => e.null()?,
    };
    match account {
        Some(account) => e.u32(account.0)?,
        None => e.null()?,
    };
    Ok(())
}

fn write_rules<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    rules: Option<&RoomRules>,
) -> WriteResult {
    let Some(RoomRules { owner, moderators, lock, invited }) = rules else {
        e.null()?;
        return Ok(());
    };
    e.array(4)?.str(lock.as_str())?;
    match owner {
        Some(owner) => e.u32(owner.0)?,
        None => e.null()?,
    };
    for accounts in [moderators, invited] {
        e.array(accounts.len() as u64)?;
        accounts.iter().try_for_each(|account| e.u32(account.0).map(drop))?;
    }
    Ok(())
}

fn write_member<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    id: MemberId,
    member: &Member,
) -> WriteResult {
    let Member { name, rooms, registered_at, resumption, login: _, unpublished, has_ended_input, network } = member;
    let (verifier, detached) = (member.verifier(), member.detached());
    e.array(12)?.u64(id.0)?.str(name.as_str())?.u64(registered_at.0)?;
    match resumption.as_ref().and_then(|resumption| resumption.session) {
        Some(session) => e.u64(session.get())?,
        None => e.null()?,
    };
    write_optional_str(e, network.map(|network| network.to_string()).as_deref())?;
    write_login(e, member.login())?;
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
    let home = rooms.home();
    e.array(2)?.u32(home.0)?;
    match (rooms.seniority(home), rooms.parted_home()) {
        (Some(seniority), _) => e.u64(seniority.get())?,
        (None, Some(name)) => e.str(&name.to_string())?,
        (None, None) => e.null()?,
    };
    let others: Vec<_> = rooms.iter().filter(|(room, _)| *room != home).collect();
    e.array(others.len() as u64)?;
    for (room, seniority) in others {
        e.array(2)?.u32(room.0)?.u64(seniority.get())?;
    }
    Ok(())
}

fn write_recent<W: Write<Error = std::convert::Infallible>, T: MemoryCost>(
    e: &mut Encoder<W>,
    recent: &Recent<T>,
    write: impl Fn(&mut Encoder<W>, u64, &T) -> WriteResult,
) -> WriteResult {
    e.array(2)?.u64(recent.all().start)?.array(recent.with_ages().len() as u64)?;
    recent.with_ages().try_for_each(|(age, item)| write(e, age, item))
}

pub(crate) fn write_optional_str<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    text: Option<&str>,
) -> WriteResult {
    match text {
        Some(text) => e.str(text)?,
        None => e.null()?,
    };
    Ok(())
}
