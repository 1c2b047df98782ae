//! One room: its members by seniority, its messages, its canvas, its topic.

use super::history::RecentMessages;
use super::memberships::Seniority;
use super::{DenseMap, MemberId, RecentStrokes, RoomId};
use crate::protocol::{MessageId, RoomLock, RoomName, RoomRules, Text, Token};

/// A room: a set of members, and one order of events.
///
/// It exists while it has members, watchers, messages that wait for the store, or contents in the store. The lobby always exists.
#[derive(Debug)]
pub struct Room {
    pub(super) name: RoomName,
    /// The members by rank; the first is the coordinator.
    pub(super) members: DenseMap<Seniority, MemberId>,
    /// Number of sessions without a nickname that read the room.
    pub(super) watchers: u32,
    /// Number of the room's messages that wait for the store.
    pub(super) unpublished: u32,
    /// The store has the room.
    pub(super) is_stored: bool,
    /// The epoch of the message ids; `None` if clients do not learn it.
    pub(super) epoch: Option<Token>,
    /// The id of the newest message, even if it was deleted.
    pub(super) last_id: MessageId,
    /// The store has no messages up to this id any more.
    pub(super) deleted: MessageId,
    pub(super) history: RecentMessages,
    pub(super) canvas: RecentStrokes,
    pub(super) topic: Option<Text>,
    /// Boxed, because most rooms have none.
    pub(super) rules: Option<Box<RoomRules>>,
    /// Counts the changes of the member list, so that a rendered list can be reused until the next change.
    pub(super) roster_version: u64,
}

/// A room that was stored.
#[derive(Clone, Debug, Default)]
pub struct StoredRoom {
    /// The epoch of the message ids.
    pub epoch: Option<Token>,
    /// The id of the newest message, even if it was deleted.
    pub last_id: MessageId,
    /// The store has no messages up to this id any more.
    pub deleted: MessageId,
    /// The id up to which messages are not in memory: those that were deleted or not loaded.
    pub evicted: MessageId,
    /// The topic.
    pub topic: Option<Text>,
    /// Its owner and its moderators, and who may enter it.
    pub rules: RoomRules,
}

impl Room {
    pub(super) fn new(name: RoomName, epoch: Option<Token>) -> Self {
        Self {
            name,
            members: DenseMap::default(),
            watchers: 0,
            unpublished: 0,
            is_stored: false,
            epoch,
            last_id: MessageId::default(),
            deleted: MessageId::default(),
            history: RecentMessages::default(),
            canvas: RecentStrokes::default(),
            topic: None,
            rules: None,
            roster_version: 0,
        }
    }

    /// Whether nothing keeps the room.
    pub(super) fn is_unused(&self, id: RoomId) -> bool {
        let is_kept = id == RoomId::LOBBY || self.has_stored_contents() || self.unpublished > 0;
        !is_kept && self.members.is_empty() && self.watchers == 0
    }

    /// Whether `ROOMS` lists the room: a room with watchers alone is not listed.
    pub fn is_listed(&self) -> bool {
        !self.members.is_empty() || self.has_stored_contents()
    }

    /// Whether the store has a message or a topic of the room: it exists without members, too.
    fn has_stored_contents(&self) -> bool {
        self.is_stored && (self.deleted < self.last_id || self.topic.is_some())
    }

    /// Whether the store has the room.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// The name, as it was written when the room was created.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// The members, in the order in which they entered the room.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        self.members.iter().map(|(_, member)| *member)
    }

    /// Number of members.
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Number of sessions without a nickname that read the room.
    pub fn watcher_count(&self) -> u32 {
        self.watchers
    }

    /// The member that has been in the room longest.
    pub fn coordinator(&self) -> Option<MemberId> {
        self.members.first().map(|(_, member)| *member)
    }

    /// A number that changes with the members, their nicknames, their ranks and the coordinator.
    pub fn roster_version(&self) -> u64 {
        self.roster_version
    }

    /// The epoch of the message ids.
    pub fn epoch(&self) -> Option<&Token> {
        self.epoch.as_ref()
    }

    /// The id of the newest message, even if it was deleted; 0 before the first one.
    pub fn last_id(&self) -> MessageId {
        self.last_id
    }

    /// The topic, if there is one.
    pub fn topic(&self) -> Option<&Text> {
        self.topic.as_ref()
    }

    /// The owner and the moderators of the room, and who may enter it. `None`: it has neither, and everybody may.
    pub fn rules(&self) -> Option<&RoomRules> {
        self.rules.as_deref()
    }

    /// The members that may enter the room.
    pub fn lock(&self) -> RoomLock {
        self.rules().map_or(RoomLock::Open, |rules| rules.lock)
    }

    pub(super) fn set_rules(&mut self, rules: RoomRules) {
        self.rules = Some(rules).filter(|rules| !rules.is_default()).map(Box::new);
    }

    /// The messages in memory.
    pub fn history(&self) -> &RecentMessages {
        &self.history
    }

    /// The strokes in memory.
    pub fn canvas(&self) -> &RecentStrokes {
        &self.canvas
    }
}
