//! Random commands, replies, events and list items of moderation.

use std::time::Duration;

use arbtest::arbitrary::{Result, Unstructured};
use chinwag::command::{
    Ban, Bans, BansReply, Command, Delete, Invite, Kick, LiftArguments, Lock, Moderator, Mute, NamedSwitch, Reply,
    SanctionArguments, SanctionListing, SanctionReply, Stored, Unban, Unmute,
};
use chinwag::protocol::{
    Event, MessageId, Name, RoomLock, SanctionEvent, SanctionId, SanctionKind, SanctionTarget, Text,
};
use chinwag::state::SanctionChoice;

use super::{name, option, text, time, trimmed};

const NETWORKS: [&str; 3] = ["192.0.2.7", "192.0.2.0/24", "2001:db8::/64"];

pub(super) fn command(u: &mut Unstructured<'_>) -> Result<Command> {
    Ok(match u.int_in_range(0..=9)? {
        8 => Lock(*u.choose(&RoomLock::ALL)?).into(),
        9 => Invite { name: name(u)?, on: u.arbitrary()? }.into(),
        0 => Kick { name: name(u)?, reason: option(u, trimmed)? }.into(),
        1 => Mute(sanction_arguments(u, SanctionKind::Mute)?).into(),
        2 => Ban(sanction_arguments(u, SanctionKind::Ban)?).into(),
        3 => Unmute(LiftArguments(choice(u, SanctionKind::Mute)?)).into(),
        4 => Unban(LiftArguments(choice(u, SanctionKind::Ban)?)).into(),
        5 => Bans { after: SanctionId(u.arbitrary()?) }.into(),
        6 => Moderator { name: name(u)?, on: u.arbitrary()? }.into(),
        _ => Delete(MessageId(u.arbitrary()?)).into(),
    })
}

pub(super) fn reply(u: &mut Unstructured<'_>) -> Result<Reply> {
    let sanction = |u: &mut Unstructured<'_>| {
        let reply = SanctionReply { id: SanctionId(u.arbitrary()?), target: option(u, any_target)? };
        stored(u, reply)
    };
    Ok(match u.int_in_range(0..=9)? {
        8 => {
            let lock = *u.choose(&RoomLock::ALL)?;
            Reply::Lock(stored(u, lock)?)
        }
        9 => {
            let reply = NamedSwitch { name: name(u)?, on: u.arbitrary()? };
            Reply::Invite(stored(u, reply)?)
        }
        0 => Reply::Kick(name(u)?),
        1 => Reply::Mute(sanction(u)?),
        2 => Reply::Ban(sanction(u)?),
        3 => Reply::Unmute(sanction(u)?),
        4 => Reply::Unban(sanction(u)?),
        5 => Reply::Bans(BansReply { count: u.arbitrary()?, next: option(u, |u| u.arbitrary().map(SanctionId))? }),
        6 => {
            let reply = NamedSwitch { name: name(u)?, on: u.arbitrary()? };
            Reply::Moderator(stored(u, reply)?)
        }
        _ => {
            let id = MessageId(u.arbitrary()?);
            Reply::Delete(stored(u, id)?)
        }
    })
}

pub(super) fn event(u: &mut Unstructured<'_>) -> Result<Event> {
    let (kind, by) = (*u.choose(&SanctionKind::ALL)?, option(u, name)?);
    Ok(match u.int_in_range(0..=5)? {
        4 => Event::Lock { by, lock: *u.choose(&RoomLock::ALL)? },
        5 => Event::Invite { by, name: name(u)?, on: u.arbitrary()? },
        0 => Event::Moderator { by, name: name(u)?, on: u.arbitrary()? },
        1 => {
            let target = option(u, |u| target(u, kind))?;
            Event::Sanction(SanctionEvent { kind, by, target, until: option(u, time)?, reason: option(u, text)? })
        }
        2 => Event::Lifted { kind, by, target: option(u, |u| target(u, kind))? },
        _ => Event::Deleted { by, id: MessageId(u.arbitrary()?) },
    })
}

pub(super) fn listing(u: &mut Unstructured<'_>) -> Result<SanctionListing> {
    let kind = *u.choose(&SanctionKind::ALL)?;
    Ok(SanctionListing {
        id: SanctionId(u.arbitrary()?),
        kind,
        target: option(u, |u| target(u, kind))?,
        by: option(u, name)?,
        at: time(u)?,
        until: option(u, time)?,
        reason: option(u, text)?,
    })
}

fn stored<T>(u: &mut Unstructured<'_>, value: T) -> Result<Stored<T>> {
    Ok(Stored { value, is_stored: u.arbitrary()? })
}

fn sanction_arguments(u: &mut Unstructured<'_>, kind: SanctionKind) -> Result<SanctionArguments> {
    let duration = option(u, |u| Ok(Duration::from_secs(u.int_in_range(1..=1_000_000)?)))?;
    // Without a duration, a reason that begins with a digit may look like one.
    let is_clear = |reason: &Text| duration.is_some() || !reason.as_str().starts_with(|c: char| c.is_ascii_digit());
    let reason = option(u, trimmed)?.filter(is_clear);
    Ok(SanctionArguments { target: target(u, kind)?, duration, reason })
}

fn choice(u: &mut Unstructured<'_>, kind: SanctionKind) -> Result<SanctionChoice> {
    let target = target(u, kind)?;
    // A number that is also a nickname is a number.
    let is_number = target.to_string().bytes().all(|byte| byte.is_ascii_digit());
    let id = SanctionId(u.arbitrary()?);
    Ok(if is_number || u.arbitrary()? { SanctionChoice::Id(id) } else { SanctionChoice::Target(target) })
}

fn any_target(u: &mut Unstructured<'_>) -> Result<SanctionTarget> {
    let kind = *u.choose(&SanctionKind::ALL)?;
    target(u, kind)
}

/// A target that a sanction of this kind can have, and that its line reads back.
fn target(u: &mut Unstructured<'_>, kind: SanctionKind) -> Result<SanctionTarget> {
    let name: Name = name(u)?;
    let targets = match kind {
        SanctionKind::Mute => vec![name.to_string()],
        SanctionKind::Ban => vec![name.to_string(), format!("@{name}"), (*u.choose(&NETWORKS)?).to_owned()],
    };
    let target = SanctionTarget::parse(kind, u.choose(&targets)?);
    Ok(target.unwrap_or_else(|_| SanctionTarget::parse(kind, "ann").expect("a nickname")))
}
