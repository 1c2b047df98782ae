//! The `USER` line: a member in the lists of `WHO` and `STATUS`.

use std::fmt;

use super::{Name, PeerAddress};

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
    /// The address of the client, which only the lobby's coordinator sees.
    pub address: Option<PeerAddress>,
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
            write!(f, " id={id}")?;
            address.iter().try_for_each(|address| write!(f, " address={address}"))?;
            write!(f, " idle={idle_seconds} online={online_seconds}")?;
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
        let mut words = words.peekable();
        let value = |word: &str, key: &str| word.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        let details = match words.next() {
            None => None,
            Some(id) => {
                let address = words.next_if(|word| word.starts_with("address="));
                let address = address.map(|word| value(word, "address")?.parse().ok());
                Some(Details {
                    id: value(id, "id")?.parse().ok()?,
                    address: match address {
                        Some(address) => Some(address?),
                        None => None,
                    },
                    idle_seconds: value(words.next()?, "idle")?.parse().ok()?,
                    online_seconds: value(words.next()?, "online")?.parse().ok()?,
                })
            }
        };
        Some(Self { name, coordinator, details })
    }
}
