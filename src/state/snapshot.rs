//! Snapshots: the complete shared state as bytes.
//!
//! The bytes are canonical: two states that will behave alike have the same snapshot. They are CBOR (RFC 8949) in its
//! deterministic encoding (section 4.2): arrays of a fixed length, shortest integers, sorted members and rooms.

mod accounts;
mod read;
mod sanctions;
mod write;

use std::fmt;

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder};

use super::SharedState;

/// The values that the records of the log have in common with snapshots.
#[cfg(feature = "cluster")]
pub(crate) mod values {
    pub(crate) use super::accounts::{read_day, read_login, read_password_hash, read_token_label, write_login};
    pub(crate) use super::read::{
        expect_array, parse_with, read_array_length, read_limits, read_name, read_optional, read_room_name, read_text,
        read_token, read_verifier,
    };
    pub(crate) use super::sanctions::read_network;
    pub(crate) use super::write::{write_limits, write_optional_str};
}

/// The version of the format.
const VERSION: u64 = 7;

/// The highest value of a counter. No state comes near it; a higher one could overflow after it was restored.
const COUNTER_MAX: u64 = u64::MAX / 2;

/// Why bytes are not a valid snapshot.
#[derive(Debug)]
pub struct SnapshotError(decode::Error);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the snapshot of the state: {}", self.0)
    }
}

impl std::error::Error for SnapshotError {}

/// The result of writing to memory, which never fails.
pub(crate) type WriteResult = Result<(), encode::Error<std::convert::Infallible>>;

pub(crate) type ReadResult<T> = Result<T, decode::Error>;

impl SharedState {
    /// Writes the state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Cannot fail, see `WriteResult`.
        let _: WriteResult = write::write_state(&mut Encoder::new(&mut bytes), self);
        bytes
    }

    /// Reads the state from a snapshot.
    ///
    /// # Errors
    /// The bytes are not a snapshot of this version, or are inconsistent.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut decoder = Decoder::new(bytes);
        let state = read::read_state(&mut decoder).map_err(SnapshotError)?;
        if state.snapshot() != bytes {
            return Err(SnapshotError(decode::Error::message("it is not canonical, or bytes follow its end")));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
