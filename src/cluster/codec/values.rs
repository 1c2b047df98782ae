//! Parts that several actions share.

use std::convert::Infallible;

use minicbor::decode::{self, Decoder};
use minicbor::encode::{Encoder, Write};

use super::{ReadResult, RecordError};
use crate::protocol::{AccountId, LeaveReason, RoomName, Text, Verifier};
pub(super) use crate::state::snapshot::WriteResult;
use crate::state::snapshot::values::{parse_with, read_array_length, read_optional, write_optional_str};

/// Where bytes are written, which never fails.
pub(super) trait Sink: Write<Error = Infallible> {}

impl<W: Write<Error = Infallible>> Sink for W {}

/// The length of an array, which an action or a kind of value begins, and the number that tells which one it is.
pub(super) struct Kind {
    what: &'static str,
    length: u64,
    pub(super) number: u64,
}

impl Kind {
    pub(super) fn read(d: &mut Decoder<'_>, what: &'static str) -> ReadResult<Self> {
        Ok(Self { what, length: read_array_length(d)?, number: d.u64()? })
    }

    /// Checks that as many values follow the number.
    pub(super) fn expect_values(&self, count: u64) -> ReadResult<()> {
        if self.length.checked_sub(1) == Some(count) {
            Ok(())
        } else {
            Err(decode::Error::message("an array has another length").into())
        }
    }

    /// The error about a number that nothing has.
    pub(super) fn unknown(&self) -> RecordError {
        RecordError::UnknownNumber(self.what, self.number)
    }
}

/// Begins an action or a kind of value.
pub(super) fn write_kind<W: Sink>(e: &mut Encoder<W>, number: u64, values: u64) -> WriteResult {
    e.array(1 + values)?.u64(number)?;
    Ok(())
}

pub(super) fn write_optional<W: Sink, T>(
    e: &mut Encoder<W>,
    value: Option<T>,
    write: impl FnOnce(&mut Encoder<W>, T) -> WriteResult,
) -> WriteResult {
    match value {
        Some(value) => write(e, value),
        None => {
            e.null()?;
            Ok(())
        }
    }
}

pub(super) fn write_optional_text<W: Sink>(e: &mut Encoder<W>, text: Option<&Text>) -> WriteResult {
    write_optional_str(e, text.map(Text::as_str))
}

pub(super) fn write_optional_account<W: Sink>(e: &mut Encoder<W>, account: Option<AccountId>) -> WriteResult {
    write_optional_number(e, account.map(|account| account.0))
}

pub(super) fn write_optional_number<W: Sink>(e: &mut Encoder<W>, number: Option<u32>) -> WriteResult {
    write_optional(e, number, |e, number| {
        e.u32(number)?;
        Ok(())
    })
}

pub(super) fn write_optional_verifier<W: Sink>(e: &mut Encoder<W>, verifier: Option<&Verifier>) -> WriteResult {
    write_optional(e, verifier, |e, verifier| {
        e.bytes(verifier.as_bytes())?;
        Ok(())
    })
}

pub(super) fn write_room_name<W: Sink>(e: &mut Encoder<W>, name: &RoomName) -> WriteResult {
    e.str(&name.to_string())?;
    Ok(())
}

pub(super) fn read_number(d: &mut Decoder<'_>) -> Result<u32, decode::Error> {
    d.u32()
}

pub(super) fn read_account(d: &mut Decoder<'_>) -> Result<AccountId, decode::Error> {
    d.u32().map(AccountId)
}

pub(super) fn read_optional_account(d: &mut Decoder<'_>) -> Result<Option<AccountId>, decode::Error> {
    read_optional(d, read_account)
}

pub(super) fn read_leave_reason(d: &mut Decoder<'_>) -> Result<LeaveReason, decode::Error> {
    parse_with(d.str()?, |word| LeaveReason::ALL.into_iter().find(|reason| reason.as_str() == word))
}

/// Reads a list of at most `max` values.
pub(super) fn read_list<T>(
    d: &mut Decoder<'_>,
    max: usize,
    read: impl Fn(&mut Decoder<'_>) -> Result<T, decode::Error>,
) -> Result<Vec<T>, decode::Error> {
    let length = read_array_length(d)?;
    if length > max as u64 {
        return Err(decode::Error::message("a list is too long"));
    }
    (0..length).map(|_| read(d)).collect()
}
