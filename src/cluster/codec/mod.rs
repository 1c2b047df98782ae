//! Records as bytes: CBOR (RFC 8949) in its deterministic encoding (section 4.2), as in snapshots: arrays of a fixed length, shortest
//! integers. So each record has one encoding, and all others are refused.
//!
//! ```text
//! record = [version, 0, limits, epoch]            begins the log
//!        | [version, 1, run, [change, ...]]       changes of one node
//! change = [session, member, network / null, action]
//! action = [number, value, ...]
//! ```
//!
//! [`FORMAT_VERSION`] changes when the layout of something changes that the version has already, also if `write_limits` of the snapshot
//! does. A new number, of an action or of a kind of its values, needs no new version. In both cases, a server that does not know it refuses
//! the record, and must not go on without it.
//!
//! | file | what it has |
//! |---|---|
//! | `action` | the numbers of the actions, and the actions that are never in the log |
//! | `account`, `content`, `moderation` | the values of actions about accounts, of rooms, of moderators |
//! | `values` | what these have in common |

mod account;
mod action;
mod content;
mod moderation;
mod values;

use std::convert::Infallible;
use std::fmt;

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};

use self::action::{read_action, write_action};
use self::values::{Sink, WriteResult, write_optional};
use super::{Batch, Genesis, LoggedChange, Record};
use crate::protocol::Network;
use crate::state::snapshot::values::{
    expect_array, parse_with, read_array_length, read_limits, read_optional, read_token, write_limits,
};
use crate::state::{Action, MemberId, Origin, SessionId};

/// The version of the format.
const FORMAT_VERSION: u64 = 1;

/// The kinds of records.
const GENESIS: u64 = 0;
const BATCH: u64 = 1;

/// Why bytes are not a record that this server can read.
#[derive(Debug)]
pub enum RecordError {
    /// The record has this version of the format.
    UnknownVersion(u64),
    /// The record has something of this kind with a number that this version does not have.
    UnknownNumber(&'static str, u64),
    /// The bytes are damaged, not canonical, or have a value that is not valid.
    Invalid(decode::Error),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read a record of the log: ")?;
        match self {
            Self::UnknownVersion(version) => {
                write!(f, "it has version {version} of the format, and this server knows version {FORMAT_VERSION}")
            }
            Self::UnknownNumber(what, number) => {
                write!(f, "unknown {what} {number}; this server knows version {FORMAT_VERSION} of the format")
            }
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<decode::Error> for RecordError {
    fn from(error: decode::Error) -> Self {
        Self::Invalid(error)
    }
}

type ReadResult<T> = Result<T, RecordError>;

/// Why a change cannot be in the log. A node that submits such a change has an error in its program.
#[derive(Debug)]
pub enum NotLogged {
    /// The action is never in the log.
    ///
    /// | action | reason |
    /// |---|---|
    /// | `Tick`, `Stop` | the sequencer turns them into `Heartbeat` and `LeaveCluster` |
    /// | `ContentPending`, `ContentFailed`, `AccountPending`, `AccountChangeFailed`, `ModerationStored`, `OwnDeletionStored`, `Evict` | they report what a node's own store does |
    /// | `RecordModeration` | each node derives it from the moderator's entry; it causes a reply, and changes no state |
    Local(encode::Error<Infallible>),
    /// The nodes could not read the change.
    Unreadable(RecordError),
    /// The nodes would read another change.
    Altered,
}

impl fmt::Display for NotLogged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change cannot be in the log: ")?;
        match self {
            Self::Local(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
            Self::Altered => f.write_str("it would be read as another one"),
        }
    }
}

impl std::error::Error for NotLogged {}

impl LoggedChange {
    /// Accepts a change for the log. Writes it and reads it: a record that cannot be read would stop all nodes.
    ///
    /// # Errors
    /// The change cannot be in the log.
    pub fn new(origin: Origin, action: Action) -> Result<Self, NotLogged> {
        let (change, mut bytes) = (Self { origin, action }, Vec::new());
        write_change(&mut Encoder::new(&mut bytes), &change).map_err(NotLogged::Local)?;
        let read = read_change(&mut Decoder::new(&bytes)).map_err(NotLogged::Unreadable)?;
        if read == change { Ok(change) } else { Err(NotLogged::Altered) }
    }

    /// The length of the change in a record, in bytes.
    pub fn encoded_bytes(&self) -> usize {
        let mut count = ByteCount(0);
        // Cannot fail: `LoggedChange::new` has written the change.
        let _: WriteResult = write_change(&mut Encoder::new(&mut count), self);
        count.0
    }
}

/// Counts the bytes that are written.
#[derive(Debug)]
struct ByteCount(usize);

impl Write for ByteCount {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}

impl Record {
    /// Writes the record as bytes. Equal records have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Cannot fail: `LoggedChange::new` has written each change, or `read_action` has read its action.
        let _: WriteResult = write_record(&mut Encoder::new(&mut bytes), self);
        bytes
    }

    /// Reads a record. It has the same bytes when it is encoded again.
    ///
    /// # Errors
    /// The bytes are not a record, or this server does not know all of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let record = read_record(&mut Decoder::new(bytes))?;
        if record.encode() == bytes {
            Ok(record)
        } else {
            Err(decode::Error::message("it is not canonical, or bytes follow its end").into())
        }
    }
}

fn write_record<W: Sink>(e: &mut Encoder<W>, record: &Record) -> WriteResult {
    e.array(4)?.u64(FORMAT_VERSION)?;
    match record {
        Record::Genesis(Genesis { limits, epoch }) => {
            e.u64(GENESIS)?;
            write_limits(e, limits)?;
            e.str(&epoch.to_string())?;
        }
        Record::Batch(Batch { run, changes }) => {
            e.u64(BATCH)?.u64(*run)?.array(changes.len() as u64)?;
            changes.iter().try_for_each(|change| write_change(e, change))?;
        }
    }
    Ok(())
}

fn read_record(d: &mut Decoder<'_>) -> ReadResult<Record> {
    // Another version may have another length.
    let length = read_array_length(d)?;
    match d.u64()? {
        FORMAT_VERSION => {}
        version => return Err(RecordError::UnknownVersion(version)),
    }
    let kind = d.u64()?;
    let record = match kind {
        GENESIS => Record::Genesis(Genesis { limits: read_limits(d)?, epoch: read_token(d)? }),
        BATCH => {
            let run = d.u64()?;
            let changes = (0..read_array_length(d)?).map(|_| read_change(d)).collect::<ReadResult<_>>()?;
            Record::Batch(Batch { run, changes })
        }
        _ => return Err(RecordError::UnknownNumber("kind of record", kind)),
    };
    if length == 4 { Ok(record) } else { Err(decode::Error::message("an array has another length").into()) }
}

fn write_change<W: Sink>(e: &mut Encoder<W>, LoggedChange { origin, action }: &LoggedChange) -> WriteResult {
    let Origin { session, member, network } = origin;
    e.array(4)?.u64(session.0)?.u64(member.0)?;
    write_optional(e, network.as_ref(), |e, network| {
        e.str(&network.to_string())?;
        Ok(())
    })?;
    write_action(e, action)
}

fn read_change(d: &mut Decoder<'_>) -> ReadResult<LoggedChange> {
    expect_array(d, 4)?;
    let (session, member) = (SessionId(d.u64()?), MemberId(d.u64()?));
    // Not `Network::from_str`: a client may have an address that cannot be banned.
    let network = read_optional(d, |d| parse_with(d.str()?, Network::of_prefix))?;
    Ok(LoggedChange { origin: Origin { session, member, network }, action: read_action(d)? })
}

#[cfg(test)]
mod tests;
