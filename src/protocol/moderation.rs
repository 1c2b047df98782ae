//! The values of moderation that the state and the store share.

use std::collections::BTreeSet;
use std::fmt;

use super::{AccountId, MessageId, Name, NameError, Network, NetworkError, RoomId, Text, Timestamp};

/// The rights of a member in a room. Each rank may do what the lower ones may, to members of lower ranks; operators also to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Speak.
    #[default]
    Member,
    /// Moderate the room.
    Moderator,
    /// Appoint moderators.
    Owner,
    /// All of that in each room, and moderate the server.
    Operator,
}

impl Rank {
    /// The ranks above that of most members, which lines name.
    pub const NAMED: [Self; 3] = [Self::Moderator, Self::Owner, Self::Operator];

    /// The word for it in lines. `None`: lines do not name it.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::Moderator => Some("moderator"),
            Self::Owner => Some("owner"),
            Self::Operator => Some("operator"),
        }
    }

    /// The rank with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|rank| rank.word() == Some(word))
    }
}

/// The owner and the moderators of a room, and who may enter it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomRules {
    /// The account that created the room. Its rank ends with the account, whose number is never given again.
    pub owner: Option<AccountId>,
    /// The moderators besides. Some of these accounts may have been deleted.
    pub moderators: BTreeSet<AccountId>,
    /// The members that may enter.
    pub lock: RoomLock,
    /// The accounts that are invited. Some of them may have been deleted.
    pub invited: BTreeSet<AccountId>,
}

impl RoomRules {
    /// Whether nobody rules the room, everybody may enter it, and nobody is invited.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The members that may enter a room, besides those with a rank there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoomLock {
    /// Everybody.
    #[default]
    Open,
    /// Members that are logged in.
    Accounts,
    /// Members that are invited.
    Invited,
}

impl RoomLock {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Accounts, Self::Invited];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accounts => "accounts",
            Self::Invited => "invited",
        }
    }

    /// The lock with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lock| lock.as_str() == word)
    }
}

/// A record of moderation, which outlives a server with a store. Storing one again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationRecord {
    /// The room has these rules. Without effect while the file does not have the room.
    Rules(RoomId, RoomRules),
    /// There is this sanction.
    Sanction(Sanction),
    /// The sanction is over.
    Lifted(SanctionId),
    /// The message of this room was deleted: its text is removed. Without effect while the file does not have the message.
    Deleted(RoomId, MessageId),
}

/// The deletion of a message, on condition that it is of this account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnDeletion {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub id: MessageId,
    /// The account of the member that deletes it.
    pub author: AccountId,
}

/// The number of a sanction, from 1. Never given again while the server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SanctionId(pub u32);

/// The kind of a sanction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SanctionKind {
    /// It keeps its subjects from entering the room, or from the server.
    Ban,
    /// It keeps its subjects from speaking.
    Mute,
}

impl SanctionKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ban, Self::Mute];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanction {
    /// The number.
    pub id: SanctionId,
    /// The kind.
    pub kind: SanctionKind,
    /// The room. `None`: the whole server.
    pub room: Option<RoomId>,
    /// The target, as the moderator gave it.
    pub target: SanctionTarget,
    /// It concerns each member, or client, that one of these describes.
    pub subjects: Vec<Subject>,
    /// When it began.
    pub at: Timestamp,
    /// When it ends. `None`: never.
    pub until: Option<Timestamp>,
    /// The nickname of the moderator. `None`: the operator at the control socket.
    pub by: Option<Name>,
    /// The reason.
    pub reason: Option<Text>,
}

impl Sanction {
    /// The networks that it concerns.
    pub fn networks(&self) -> impl Iterator<Item = Network> {
        self.subjects.iter().filter_map(|subject| match subject {
            Subject::Network(network) => Some(*network),
            _ => None,
        })
    }
}

/// The target of a sanction, as a moderator gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SanctionTarget {
    /// The nickname or the account.
    Name(Name),
    /// The network from which the member with this nickname was connected.
    Connection(Name),
    /// A network.
    Network(Network),
}

/// The mark before a nickname that stands for its connection. No nickname begins with it.
pub const CONNECTION_MARK: char = '@';

/// A description of clients that a sanction concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Members of this account.
    Account(AccountId),
    /// Members under this nickname, or one that is the same or looks like it.
    Name(Name),
    /// Clients at these addresses; of a mute, only those without an account.
    Network(Network),
}

impl fmt::Display for SanctionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Connection(name) => write!(f, "{CONNECTION_MARK}{name}"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

impl SanctionTarget {
    /// Parses the target of a sanction of this kind. Of a ban, it is a nickname, a nickname after `@`, an address or a prefix; a word that
    /// is an address and a nickname is an address. Of a mute, it is a nickname, also one that looks like an address.
    ///
    /// # Errors
    /// The word is not such a target.
    pub fn parse(kind: SanctionKind, raw: &str) -> Result<Self, TargetError> {
        let name = |raw| Name::new(raw).map_err(TargetError::Name);
        match (kind, raw.strip_prefix(CONNECTION_MARK)) {
            (SanctionKind::Mute, _) => name(raw).map(Self::Name),
            (SanctionKind::Ban, Some(raw)) => name(raw).map(Self::Connection),
            (SanctionKind::Ban, None) => match raw.parse() {
                Ok(network) => Ok(Self::Network(network)),
                Err(NetworkError::Syntax) => name(raw).map(Self::Name),
                Err(error) => Err(TargetError::Network(error)),
            },
        }
    }

    /// The target as a reader sees it: only operators learn networks.
    #[must_use]
    pub fn visible(self, shows_networks: bool) -> Option<Self> {
        (shows_networks || !matches!(self, Self::Network(_))).then_some(self)
    }
}

/// Why a word is not a [`SanctionTarget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It is not a nickname.
    Name(NameError),
    /// It is an address or a prefix that cannot be banned.
    Network(NetworkError),
}
