//! Writes and reads the bans and mutes.

use minicbor::decode::{Decoder, Error};
use minicbor::encode::{Encoder, Write};

use super::read::{expect_array, parse_with, read_array_length, read_name, read_optional, read_text};
use super::{ReadResult, WriteResult};
use crate::protocol::{
    AccountId, Name, Network, Sanction, SanctionId, SanctionKind, SanctionTarget, Subject, Text, Timestamp,
};
use crate::state::{MemberId, RoomId, Sanctions};

/// The kinds of subjects.
const ACCOUNT: u8 = 0;
const NAME: u8 = 1;
const NETWORK: u8 = 2;

pub(super) fn write_sanctions<W: Write<Error = std::convert::Infallible>>(
    e: &mut Encoder<W>,
    sanctions: &Sanctions,
) -> WriteResult {
    e.u32(sanctions.last_id().0)?.array(sanctions.len() as u64)?;
    for Sanction { id, kind, room, target, subjects, at, until, by, reason } in sanctions.iter() {
        e.array(9)?.u32(id.0)?.str(kind.as_str())?;
        match room {
            Some(room) => e.u32(room.0)?,
            None => e.null()?,
        };
        e.str(&target.to_string())?.array(subjects.len() as u64)?;
        for subject in subjects {
            e.array(2)?;
            match subject {
                Subject::Account(account) => e.u8(ACCOUNT)?.u32(account.0)?,
                Subject::Name(name) => e.u8(NAME)?.str(name.as_str())?,
                Subject::Network(network) => e.u8(NETWORK)?.str(&network.to_string())?,
            };
        }
        e.i64(at.0)?;
        match until {
            Some(until) => e.i64(until.0)?,
            None => e.null()?,
        };
        for text in [by.as_ref().map(Name::as_str), reason.as_ref().map(Text::as_str)] {
            match text {
                Some(text) => e.str(text)?,
                None => e.null()?,
            };
        }
    }
    Ok(())
}

pub(super) fn read_sanctions(d: &mut Decoder<'_>) -> ReadResult<Sanctions> {
    let mut sanctions = Sanctions::default();
    let last = SanctionId(d.u32()?);
    for _ in 0..read_array_length(d)? {
        let sanction = read_sanction(d)?;
        if sanction.id > last || sanctions.get(sanction.id).is_some() {
            return Err(Error::message("two sanctions share a number"));
        }
        sanctions.insert(sanction);
    }
    sanctions.skip_to(last);
    Ok(sanctions)
}

fn read_sanction(d: &mut Decoder<'_>) -> ReadResult<Sanction> {
    expect_array(d, 9)?;
    let (id, kind) = (SanctionId(d.u32()?), parse_with(d.str()?, SanctionKind::parse)?);
    let room = read_optional(d, |d| d.u32().map(RoomId))?;
    let target = parse_with(d.str()?, |target| SanctionTarget::parse(kind, target).ok())?;
    let subjects = (0..read_array_length(d)?).map(|_| read_subject(d)).collect::<ReadResult<_>>()?;
    let at = Timestamp(d.i64()?);
    let until = read_optional(d, |d| d.i64().map(Timestamp))?;
    let by = read_optional(d, read_name)?;
    let reason = read_optional(d, read_text)?;
    Ok(Sanction { id, kind, room, target, subjects, at, until, by, reason })
}

fn read_subject(d: &mut Decoder<'_>) -> ReadResult<Subject> {
    expect_array(d, 2)?;
    Ok(match d.u8()? {
        ACCOUNT => Subject::Account(AccountId(d.u32()?)),
        NAME => Subject::Name(read_name(d)?),
        NETWORK => Subject::Network(read_network(d)?),
        _ => return Err(Error::message("a sanction concerns something unknown")),
    })
}

pub(crate) fn read_network(d: &mut Decoder<'_>) -> ReadResult<Network> {
    parse_with(d.str()?, |network| network.parse().ok())
}

/// A member, and the room from which it was removed.
pub(super) fn read_silenced(d: &mut Decoder<'_>) -> ReadResult<(MemberId, Option<RoomId>)> {
    expect_array(d, 2)?;
    Ok((MemberId(d.u64()?), read_optional(d, |d| d.u32().map(RoomId))?))
}
