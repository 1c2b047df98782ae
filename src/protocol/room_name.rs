//! Names of rooms: `#` and a [`Name`], with the rules and the comparison of nicknames.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use super::{Name, NameError};

/// The first character of a room's name. No nickname begins with it.
pub(crate) const ROOM_MARK: char = '#';

/// The name of a room, as it was written when the room was created. Clones share it.
///
/// Like nicknames, two names are equal (`==`) if the same characters are displayed, and name the same room if their keys are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomName(Name);

/// Why text is not the name of a room. `Display` is the reason in the text of the `ERR` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomNameError {
    /// It does not begin with `#`.
    Mark,
    /// The rest is not a [`Name`].
    Name(NameError),
}

impl RoomName {
    /// Validates a name with its `#`. Does not trim: white space around it is an error.
    ///
    /// # Errors
    /// The first rule that `raw` breaks.
    pub fn new(raw: &str) -> Result<Self, RoomNameError> {
        let name = raw.strip_prefix(ROOM_MARK).ok_or(RoomNameError::Mark)?;
        Name::new(name).map(Self).map_err(RoomNameError::Name)
    }

    /// The name of the first room, `#lobby`, which never disappears.
    pub fn lobby() -> Self {
        static LOBBY: LazyLock<RoomName> = LazyLock::new(|| RoomName(Name::from_ascii("lobby")));
        LOBBY.clone()
    }

    /// The name without `#`.
    pub fn name(&self) -> &Name {
        &self.0
    }

    /// The form by which names are the same, regardless of case, without `#`.
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// The forms by which names look alike, without `#`.
    pub fn skeletons(&self) -> [&str; 2] {
        self.0.skeletons()
    }
}

impl fmt::Display for RoomNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark => write!(f, "a room's name begins with '{ROOM_MARK}'"),
            Self::Name(error) => error.fmt(f),
        }
    }
}

impl FromStr for RoomName {
    type Err = RoomNameError;

    fn from_str(raw: &str) -> Result<Self, RoomNameError> {
        Self::new(raw)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOM_MARK}{}", self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_name_is_mark_and_nickname() {
        let name = |raw| RoomName::new(raw).unwrap();
        assert_eq!(name("#Ops").to_string(), "#Ops");
        assert_eq!((name("#Ops").key(), name("#Ops").name().as_str()), ("ops", "Ops"));
        assert_eq!(name("#Ｏｐｓ"), name("#Ops"));
        assert_eq!(name("#0ps").skeletons()[1], name("#ops").skeletons()[1]);
        assert_eq!(RoomName::new("#lobby"), Ok(RoomName::lobby()));
    }

    #[test]
    fn room_name_breaks_the_rules_of_nicknames() {
        let refuse = |raw, error| assert_eq!(RoomName::new(raw), Err(error), "{raw:?}");
        refuse("ops", RoomNameError::Mark);
        refuse("", RoomNameError::Mark);
        refuse("#", RoomNameError::Name(NameError::Missing));
        refuse("##ops", RoomNameError::Name(NameError::Start('#')));
        refuse("#a,#b", RoomNameError::Name(NameError::Comma));
        refuse("# ops", RoomNameError::Name(NameError::Space));
    }
}
