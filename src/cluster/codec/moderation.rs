//! Writes and reads the commands of moderators.

use std::time::Duration;

use minicbor::data::Type;
use minicbor::decode::{self, Decoder};
use minicbor::encode::Encoder;

use super::ReadResult;
use super::values::{
    Kind, Sink, WriteResult, read_account, write_kind, write_optional, write_optional_number, write_optional_text,
};
use crate::protocol::{MessageId, OwnDeletion, RoomLock, SanctionId, SanctionKind, SanctionTarget};
use crate::state::snapshot::values::{parse_with, read_name, read_network, read_optional, read_text};
use crate::state::{Moderation, RoomId, SanctionChoice};

/// The kinds of commands.
const KICK: u64 = 0;
const SANCTION: u64 = 1;
const LIFT: u64 = 2;
const SET_LOCK: u64 = 3;
const INVITE: u64 = 4;
const SET_MODERATOR: u64 = 5;
const DELETE: u64 = 6;

/// The kinds of targets of sanctions.
const NAME: u64 = 0;
const CONNECTION: u64 = 1;
const NETWORK: u64 = 2;

pub(super) fn write_moderation<W: Sink>(e: &mut Encoder<W>, moderation: &Moderation) -> WriteResult {
    match moderation {
        Moderation::Kick { room, name, reason } => {
            write_kind(e, KICK, 3)?;
            write_optional_room(e, *room)?;
            e.str(name.as_str())?;
            write_optional_text(e, reason.as_ref())?;
        }
        Moderation::Sanction { kind, room, target, duration, reason } => {
            write_kind(e, SANCTION, 5)?;
            e.str(kind.as_str())?;
            write_optional_room(e, *room)?;
            write_target(e, target)?;
            write_optional(e, *duration, write_seconds)?;
            write_optional_text(e, reason.as_ref())?;
        }
        Moderation::Lift { kind, room, which } => {
            write_kind(e, LIFT, 3)?;
            e.str(kind.as_str())?;
            write_optional_room(e, *room)?;
            match which {
                SanctionChoice::Id(id) => drop(e.u32(id.0)?),
                SanctionChoice::Target(target) => write_target(e, target)?,
            }
        }
        Moderation::SetLock { room, lock } => {
            write_kind(e, SET_LOCK, 2)?;
            e.u32(room.0)?.str(lock.as_str())?;
        }
        Moderation::Invite { room, name, on } => {
            write_kind(e, INVITE, 3)?;
            e.u32(room.0)?.str(name.as_str())?.bool(*on)?;
        }
        Moderation::SetModerator { room, name, on } => {
            write_kind(e, SET_MODERATOR, 3)?;
            e.u32(room.0)?.str(name.as_str())?.bool(*on)?;
        }
        Moderation::Delete { room, id } => {
            write_kind(e, DELETE, 2)?;
            e.u32(room.0)?.u64(id.0)?;
        }
    }
    Ok(())
}

pub(super) fn read_moderation(d: &mut Decoder<'_>) -> ReadResult<Moderation> {
    let command = Kind::read(d, "kind of moderation")?;
    Ok(match command.number {
        KICK => {
            command.expect_values(3)?;
            let (room, name) = (read_optional_room(d)?, read_name(d)?);
            Moderation::Kick { room, name, reason: read_optional(d, read_text)? }
        }
        SANCTION => {
            command.expect_values(5)?;
            let (kind, room) = (read_sanction_kind(d)?, read_optional_room(d)?);
            let (target, duration) = (read_target(d, kind)?, read_optional(d, read_seconds)?);
            Moderation::Sanction { kind, room, target, duration, reason: read_optional(d, read_text)? }
        }
        LIFT => {
            command.expect_values(3)?;
            let (kind, room) = (read_sanction_kind(d)?, read_optional_room(d)?);
            let which = match d.datatype()? {
                Type::Array => SanctionChoice::Target(read_target(d, kind)?),
                _ => SanctionChoice::Id(SanctionId(d.u32()?)),
            };
            Moderation::Lift { kind, room, which }
        }
        SET_LOCK => {
            command.expect_values(2)?;
            Moderation::SetLock { room: RoomId(d.u32()?), lock: parse_with(d.str()?, RoomLock::parse)? }
        }
        INVITE => {
            command.expect_values(3)?;
            Moderation::Invite { room: RoomId(d.u32()?), name: read_name(d)?, on: d.bool()? }
        }
        SET_MODERATOR => {
            command.expect_values(3)?;
            Moderation::SetModerator { room: RoomId(d.u32()?), name: read_name(d)?, on: d.bool()? }
        }
        DELETE => {
            command.expect_values(2)?;
            Moderation::Delete { room: RoomId(d.u32()?), id: MessageId(d.u64()?) }
        }
        _ => return Err(command.unknown()),
    })
}

/// Three values.
pub(super) fn write_own_deletion<W: Sink>(
    e: &mut Encoder<W>,
    OwnDeletion { room, id, author }: &OwnDeletion,
) -> WriteResult {
    e.u32(room.0)?.u64(id.0)?.u32(author.0)?;
    Ok(())
}

pub(super) fn read_own_deletion(d: &mut Decoder<'_>) -> ReadResult<OwnDeletion> {
    let (room, id) = (RoomId(d.u32()?), MessageId(d.u64()?));
    Ok(OwnDeletion { room, id, author: read_account(d)? })
}

fn write_optional_room<W: Sink>(e: &mut Encoder<W>, room: Option<RoomId>) -> WriteResult {
    write_optional_number(e, room.map(|room| room.0))
}

fn read_optional_room(d: &mut Decoder<'_>) -> Result<Option<RoomId>, decode::Error> {
    read_optional(d, |d| d.u32().map(RoomId))
}

/// Not as one word: a nickname can look like an address.
fn write_target<W: Sink>(e: &mut Encoder<W>, target: &SanctionTarget) -> WriteResult {
    let (number, word) = match target {
        SanctionTarget::Name(name) => (NAME, name.to_string()),
        SanctionTarget::Connection(name) => (CONNECTION, name.to_string()),
        SanctionTarget::Network(network) => (NETWORK, network.to_string()),
    };
    write_kind(e, number, 1)?;
    e.str(&word)?;
    Ok(())
}

fn read_target(d: &mut Decoder<'_>, kind: SanctionKind) -> ReadResult<SanctionTarget> {
    let target = Kind::read(d, "kind of target")?;
    target.expect_values(1)?;
    Ok(match (kind, target.number) {
        (_, NAME) => SanctionTarget::Name(read_name(d)?),
        (SanctionKind::Ban, CONNECTION) => SanctionTarget::Connection(read_name(d)?),
        (SanctionKind::Ban, NETWORK) => SanctionTarget::Network(read_network(d)?),
        (SanctionKind::Mute, CONNECTION | NETWORK) => {
            return Err(decode::Error::message("the target of a mute is not a nickname").into());
        }
        _ => return Err(target.unknown()),
    })
}

fn read_sanction_kind(d: &mut Decoder<'_>) -> Result<SanctionKind, decode::Error> {
    parse_with(d.str()?, SanctionKind::parse)
}

fn write_seconds<W: Sink>(e: &mut Encoder<W>, duration: Duration) -> WriteResult {
    e.u64(duration.as_secs())?;
    Ok(())
}

fn read_seconds(d: &mut Decoder<'_>) -> Result<Duration, decode::Error> {
    d.u64().map(Duration::from_secs)
}
