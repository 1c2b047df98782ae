//! The `USER` line: a member in the lists of `WHO` and `STATUS`.

use std::fmt;
use std::net::SocketAddr;

use super::Name;

const COORDINATOR: &str = "coordinator";
const MEMBER: &str = "member";

/// A member in the lists of `WHO` and `STATUS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The nickname.
    pub name: Name,
    /// Whether the member is the coordinator.
    pub coordinator: bool,
    /// The part that only `STATUS` shows, to the coordinator.
    pub details: Option<Details>,
}

/// The fields that `STATUS` adds to a [`User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// The member's number, unique for as long as the server runs.
    pub id: u64,
    /// The address of the client.
    pub address: SocketAddr,
    /// Seconds since the client's last line.
    pub idle_seconds: u64,
    /// Seconds since the member joined.
    pub online_seconds: u64,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.coordinator { COORDINATOR } else { MEMBER };
        write!(f, "USER {} {role}", self.name)?;
        if let Some(Details { id, address, idle_seconds, online_seconds }) = self.details {
            write!(f, " id={id} address={address} idle={idle_seconds} online={online_seconds}")?;
        }
        Ok(())
    }
}

impl User {
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.split(' ');
        let name = Name::new(words.next()?).ok()?;
        let coordinator = match words.next()? {
            COORDINATOR => true,
            MEMBER => false,
            _ => return None,
        };
        let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let details = match value("id") {
            None => None,
            Some(id) => Some(Details {
                id: id.parse().ok()?,
                address: value("address")?.parse().ok()?,
                idle_seconds: value("idle")?.parse().ok()?,
                online_seconds: value("online")?.parse().ok()?,
            }),
        };
        Some(Self { name, coordinator, details })
    }
}
