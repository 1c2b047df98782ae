//! The `USER` line: a member in the lists of `WHO`, `STATUS` and `ROSTER`.

use std::fmt;
use std::str::FromStr;

use super::{Name, PeerAddress, Rank};

const COORDINATOR: &str = "coordinator";
const MEMBER: &str = "member";

/// Precedes the rank.
const RANK: &str = "rank";

/// A member in the lists of `WHO`, `STATUS` and `ROSTER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The nickname.
    pub name: Name,
    /// Whether the member is the coordinator.
    pub coordinator: bool,
    /// The part that only `STATUS` shows, to the coordinator.
    pub details: Option<Details>,
    /// The rank in the room. On the wire only if it allows more than most members may.
    pub rank: Rank,
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
        self.rank.word().iter().try_for_each(|rank| write!(f, " {RANK}={rank}"))
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
        let details = match words.next_if(|word| word.starts_with("id=")) {
            Some(id) => Some(Details {
                id: value(id, "id")?,
                address: match words.next_if(|word| word.starts_with("address=")) {
                    Some(word) => Some(value(word, "address")?),
                    None => None,
                },
                idle_seconds: value(words.next()?, "idle")?,
                online_seconds: value(words.next()?, "online")?,
            }),
            None => None,
        };
        // A later version of the server may have more words, and more ranks.
        let rank = words.find_map(|word| pair(word, RANK)).and_then(Rank::from_word).unwrap_or_default();
        Some(Self { name, coordinator, details, rank })
    }
}

/// The part of a word after this key and `=`.
fn pair<'a>(word: &'a str, key: &str) -> Option<&'a str> {
    word.strip_prefix(key)?.strip_prefix('=')
}

fn value<T: FromStr>(word: &str, key: &str) -> Option<T> {
    pair(word, key)?.parse().ok()
}
