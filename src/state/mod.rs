//! The shared state: nicknames, members, accounts, rooms, messages, canvases. A deterministic state machine: after it is set up, only
//! [`SharedState::apply`] changes it.
//!
//! Pure: no clock, no I/O, no randomness, and no panic on any entry. The same entries in the same order give the same
//! outputs on any machine. The state knows sessions only by the numbers of those that watch a room; it passes back the
//! session that caused an entry. [`crate::session`] handles the clients' commands, and [`crate::server`] delivers outputs.
//!
//! | file | what it has |
//! |---|---|
//! | `entry`, `output` | what goes in and comes out |
//! | `member_transition` | how an entry changes members |
//! | `room_transition` | how an entry changes rooms |
//! | `account_transition` | how an entry changes accounts, and logs members in |
//! | `moderation`, `moderation_transition` | who may moderate, and how an entry of a moderator changes members and rooms |
//! | `audit` | what the audit log says about commands of moderators and operators |
//! | `deletion_transition` | how an entry deletes a message |
//! | `lock_transition`, `guest_invitations` | who may enter a room |
//! | `account_change` | the changes of accounts and their effects, which the store keeps |
//! | `member`, `memberships`, `room`, `accounts` | the parts of the state |
//! | `names`, `name_index` | which names collide |
//! | `recent`, `history`, `canvas` | messages and strokes in memory |
//! | `nodes`, `node_transition` | the nodes of the cluster, and how an entry changes them |
//! | `policy` | the limits that can change |
//! | `snapshot` | the whole state as bytes |
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account_change;
mod account_transition;
mod accounts;
mod audit;
mod canvas;
mod deletion_transition;
mod dense_map;
mod entry;
mod guest_invitations;
mod history;
mod lock_transition;
mod member;
mod member_transition;
mod memberships;
mod moderation;
mod moderation_transition;
mod name_index;
mod names;
mod network_map;
mod node_transition;
mod nodes;
mod output;
mod policy;
mod recent;
mod room;
mod room_transition;
mod sanction_transition;
mod sanctions;
pub(crate) mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

pub use self::account_change::{AccountChange, AccountCommand, AccountEffect, AccountUpdate};
pub use self::accounts::{Account, AccountToken, Accounts, RestingName};
pub use self::canvas::RecentStrokes;
pub use self::dense_map::{DenseKey, DenseMap};
pub use self::entry::{
    Action, ContentKind, Entry, Incarnation, LoginProof, LoginRequest, MemberId, Message, NodeJoin, Origin, RoomId,
    SessionId, SpeechRefusal, StoreFailure, TopicChange, Uptime,
};
pub use self::guest_invitations::GuestInvitations;
pub use self::history::{Author, RecentMessage, RecentMessages};
use self::member::Resumption;
pub use self::member::{Login, Member};
use self::memberships::{Memberships, Seniority};
pub use self::moderation::{
    Moderated, Moderation, ModerationCommand, ModerationOutcome, ModerationRejection, Rank, SanctionChoice,
    SanctionLimit, SanctionNotice,
};
use self::name_index::NameIndex;
pub use self::names::Names;
pub use self::network_map::NetworkMap;
pub use self::nodes::{Node, Nodes};
pub use self::output::{
    AccountOutcome, AccountRejection, Cause, Displacement, EnteredRoom, MemberCommand, MutedCommand, Rejection,
    RoomRejection, StateOutput,
};
pub use self::policy::Policy;
pub use self::recent::{Budget, MemoryCost, Recent};
pub use self::room::{Room, StoredRoom};
pub use self::sanctions::{Person, Sanctions};
pub use self::snapshot::SnapshotError;
use crate::limits::{
    ACCOUNT_TOKENS_MAX, ACCOUNTS_MAX, CANVAS_BYTES_MAX, CANVAS_STROKES_MAX, HISTORY_BYTES_MAX,
    HISTORY_MESSAGES_DEFAULT, LEASE_SECONDS_DEFAULT, RESTING_NAMES_MAX, ROOMS_MAX_DEFAULT, ROOMS_PER_MEMBER_MAX,
    SANCTIONS_MAX, SANCTIONS_PER_ROOM_MAX, SANCTIONS_RESERVED, STORED_ROOMS_PER_ROOM,
};
use crate::protocol::{AccountId, Name, RoomName, RoomRules, Sanction, Timestamp, Token};

/// The members, and all rooms.
#[derive(Debug)]
pub struct SharedState {
    limits: StateLimits,
    /// Steady time as of the last entry.
    now: Uptime,
    members: DenseMap<MemberId, Member>,
    names: Names,
    accounts: Accounts,
    /// The member of each account that has one.
    logged_in: BTreeMap<AccountId, MemberId>,
    /// More detached members have expired than one entry may remove.
    has_expired: bool,
    /// Number of entrances into rooms.
    entrances: u64,
    /// The rooms. Boxed, so that gaps cost little.
    rooms: DenseMap<RoomId, Box<Room>>,
    rooms_by_name: NameIndex<RoomId>,
    /// The number of the next room.
    next_room: u32,
    /// Messages and topics are stored before they are published. A room that has one exists from then on.
    has_store: bool,
    /// The first part of the epochs of new rooms.
    start: Option<Token>,
    sanctions: Sanctions,
    /// The members that were removed from a room, or (`None`) from the server, while messages of theirs were being stored: those that have
    /// not reached the disk are refused.
    silenced: BTreeSet<(MemberId, Option<RoomId>)>,
    invited_guests: GuestInvitations,
    /// The room that each session without a nickname watches.
    watchers: DenseMap<SessionId, RoomId>,
    nodes: Nodes,
    messages: Budget,
    strokes: Budget,
    /// Number of rooms with members, besides the lobby.
    occupied: usize,
}

/// The limits of the shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// Seconds for which a detached member remains; 0: no member can be resumed.
    pub resume_seconds: u64,
    /// Most messages in memory in each room.
    pub history_messages: usize,
    /// Most bytes of messages in memory, over all rooms.
    pub history_bytes: usize,
    /// Most strokes on the canvas of each room.
    pub canvas_strokes: usize,
    /// Most bytes of strokes, over all rooms.
    pub canvas_bytes: usize,
    /// Most rooms with members, besides the lobby.
    pub rooms: usize,
    /// With a store: while there are this many rooms without members, besides the lobby, no room can be created.
    pub empty_rooms: usize,
    /// Most rooms of a member.
    pub rooms_per_member: usize,
    /// Most accounts.
    pub accounts: usize,
    /// Most access tokens of an account.
    pub account_tokens: usize,
    /// Most names that rest.
    pub resting_names: usize,
    /// Most bans and mutes.
    pub sanctions: usize,
    /// Most bans and mutes of a room.
    pub sanctions_per_room: usize,
    /// Of the most bans and mutes, those that are for the server only.
    pub sanctions_reserved: usize,
    /// In a cluster: seconds without a sign of life after which a node expires.
    pub lease_seconds: u64,
}

impl Default for StateLimits {
    /// Members cannot be resumed.
    fn default() -> Self {
        Self {
            resume_seconds: 0,
            history_messages: HISTORY_MESSAGES_DEFAULT,
            history_bytes: HISTORY_BYTES_MAX,
            canvas_strokes: CANVAS_STROKES_MAX,
            canvas_bytes: CANVAS_BYTES_MAX,
            rooms: ROOMS_MAX_DEFAULT,
            empty_rooms: ROOMS_MAX_DEFAULT * STORED_ROOMS_PER_ROOM,
            rooms_per_member: ROOMS_PER_MEMBER_MAX,
            accounts: ACCOUNTS_MAX,
            account_tokens: ACCOUNT_TOKENS_MAX,
            resting_names: RESTING_NAMES_MAX,
            sanctions: SANCTIONS_MAX,
            sanctions_per_room: SANCTIONS_PER_ROOM_MAX,
            sanctions_reserved: SANCTIONS_RESERVED,
            lease_seconds: LEASE_SECONDS_DEFAULT,
        }
    }
}

impl Default for SharedState {
    fn default() -> Self {
        Self::new(StateLimits::default())
    }
}

impl SharedState {
    /// Creates a state without members, whose only room is the lobby.
    pub fn new(limits: StateLimits) -> Self {
        let mut state = Self::without_rooms(limits);
        state.insert_room(RoomId::LOBBY, Room::new(RoomName::lobby(), None));
        state.next_room = 1;
        state
    }

    fn without_rooms(limits: StateLimits) -> Self {
        Self {
            limits,
            now: Uptime::default(),
            members: DenseMap::default(),
            names: Names::default(),
            accounts: Accounts::default(),
            logged_in: BTreeMap::new(),
            has_expired: false,
            entrances: 0,
            rooms: DenseMap::default(),
            rooms_by_name: NameIndex::default(),
            next_room: 0,
            has_store: false,
            start: None,
            sanctions: Sanctions::default(),
            silenced: BTreeSet::new(),
            invited_guests: GuestInvitations::default(),
            watchers: DenseMap::default(),
            nodes: Nodes::default(),
            messages: Budget::new(limits.history_messages, limits.history_bytes),
            strokes: Budget::new(limits.canvas_strokes, limits.canvas_bytes),
            occupied: 0,
        }
    }

    /// Sets the lobby's epoch, which is also the first part of the epochs of new rooms, unless
    /// [`SharedState::with_start`] sets that.
    #[must_use]
    pub fn with_epoch(mut self, epoch: Token) -> Self {
        self.start.get_or_insert_with(|| epoch.clone());
        if let Some(lobby) = self.rooms.get_mut(RoomId::LOBBY) {
            lobby.epoch = Some(epoch);
        }
        self
    }

    /// Sets the first part of the epochs of new rooms: a word that no earlier run of the server used.
    #[must_use]
    pub fn with_start(self, start: Token) -> Self {
        Self { start: Some(start), ..self }
    }

    /// For a server with a store, in whose file `last_room` has the highest number.
    #[must_use]
    pub fn with_store(self, last_room: RoomId) -> Self {
        Self { has_store: true, next_room: self.next_room.max(last_room.0.saturating_add(1)), ..self }
    }

    /// Adds a room from the store, with its newest messages, or gives the lobby the contents from the store. The name must not collide.
    #[must_use]
    pub fn with_stored_room(
        mut self,
        id: RoomId,
        name: RoomName,
        stored: StoredRoom,
        messages: Vec<RecentMessage>,
    ) -> Self {
        if self.rooms.get(id).is_none() {
            self.insert_room(id, Room::new(name, None));
        }
        let Some(room) = self.rooms.get_mut(id) else { return self };
        let StoredRoom { epoch, last_id, deleted, evicted, topic, rules } = stored;
        (room.is_stored, room.last_id, room.deleted, room.topic) = (true, last_id, deleted, topic);
        room.epoch = epoch.or(room.epoch.take());
        room.set_rules(rules);
        for message in messages {
            self.retain_message(id, message);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.history.evict_up_to(&mut self.messages, evicted);
        }
        self
    }

    /// Adds an account from the store. Returns false if its number was given, or its name collides with that of another account.
    pub fn add_stored_account(&mut self, account: Account) -> bool {
        self.accounts.insert(account)
    }

    /// Adds a name that rests, from the store, unless it collides with an account or with another one. Add all accounts before.
    pub fn add_stored_rest(&mut self, resting: RestingName) -> bool {
        self.accounts.find_colliding(&resting.name).is_none() && self.accounts.rest(resting)
    }

    /// Adds a sanction from the store. Add all rooms before.
    pub fn add_stored_sanction(&mut self, sanction: Sanction) {
        if sanction.room.is_none_or(|room| self.rooms.get(room).is_some()) {
            self.sanctions.insert(sanction);
        }
    }

    /// For a store whose file has given account numbers up to this one: new accounts get higher ones.
    #[must_use]
    pub fn with_last_account(mut self, last: AccountId) -> Self {
        self.accounts.skip_to(last);
        self
    }

    /// Applies an entry, and appends its consequences to `out`.
    pub fn apply(&mut self, entry: Entry, out: &mut Vec<StateOutput>) {
        let Entry { seq: _, at, uptime, origin, action } = entry;
        self.now = self.now.max(uptime);
        if !self.accepts(origin) {
            return;
        }
        let mut transition = Transition { state: self, at, origin, out };
        if transition.reject_without_member(&action) {
            return;
        }
        match action {
            Action::Register { name, verifier, room } => transition.register(name, verifier, room),
            Action::Rename(name) => transition.rename(&name),
            Action::Join(rooms) => transition.join(&rooms),
            Action::Part(room, text) => transition.part(room, text),
            Action::Say(room, message) => transition.say(room, message),
            Action::SetTopic(room, change) => transition.set_topic(room, change),
            Action::ContentPending(room) => transition.count_unpublished(room),
            Action::ContentFailed(room, name, kind, why) => transition.reject_content(room, &name, kind, why),
            Action::ChangeAccount(change) => transition.change_account(&change),
            Action::AccountPending => transition.reserve_account_name(),
            Action::AccountChangeFailed(command, name, why) => {
                transition.refuse_account_change(command, name.as_ref(), why);
            }
            Action::Login(request) => transition.log_in(request),
            Action::Moderate(moderation) => transition.moderate(moderation),
            Action::RecordModeration(moderated, _) => transition.confirm_moderation(moderated, None),
            Action::ModerationStored(moderated, failure) => transition.confirm_moderation(moderated, failure),
            // Only a server with a store asks for it, and its sequencer returns the result instead.
            Action::DeleteOwn(deletion) => transition.finish_own_deletion(deletion, Ok(false)),
            Action::OwnDeletionStored(deletion, result) => transition.finish_own_deletion(deletion, result),
            Action::Whisper(to, text) => transition.whisper(&to, text),
            Action::Draw(room, drawing) => transition.draw(room, drawing),
            Action::Watch(room) => transition.watch(&room),
            Action::Unwatch => transition.unwatch(),
            Action::SetVerifier(verifier) => transition.set_verifier(verifier),
            Action::Resume(member, verifier) => transition.resume(member, verifier),
            Action::EndOfInput => transition.end_input(),
            Action::Detach(reason) => transition.lose_connection(origin.member, reason),
            Action::Leave(reason, text) => transition.leave(origin.member, reason, text),
            Action::Evict(room, id) => transition.evict(room, id),
            Action::Tick => transition.tick(),
            Action::SetPolicy(policy) => self.set_policy(policy),
            Action::Stop => self.stop(),
            Action::Barrier(token) => transition.out.push(StateOutput::BarrierReached(origin, token)),
            Action::JoinCluster(join) => transition.join_cluster(join),
            Action::Heartbeat => transition.record_heartbeat(),
            Action::LeaveCluster => transition.leave_cluster(),
        }
    }

    /// The members, by number.
    pub fn members(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.members.iter()
    }

    /// Number of members.
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The session that has the member's connection or, if it is detached, had it.
    pub fn session_of(&self, id: MemberId) -> Option<SessionId> {
        Some(self.members.get(id)?.session(id))
    }

    /// The nodes of the cluster.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The nickname of a member.
    pub fn name(&self, id: MemberId) -> Option<&Name> {
        Some(&self.members.get(id)?.name)
    }

    /// Whether the member, or a new one with this number, may take this nickname now.
    pub fn can_take(&self, name: &Name, member: MemberId, now: Timestamp) -> bool {
        let own = self.member(member).and_then(Member::account);
        self.accounts.protection(name, own, now).is_none() && self.names.find_collision(name, member).is_none()
    }

    /// The accounts, and the names that rest.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The member of an account, connected or detached. An account has at most one.
    pub fn member_of(&self, account: AccountId) -> Option<MemberId> {
        self.logged_in.get(&account).copied()
    }

    /// The effect of a change on the present accounts.
    ///
    /// # Errors
    /// The change must not be made.
    pub fn plan_account_change(&self, change: &AccountChange) -> Result<AccountEffect, AccountRejection> {
        self.accounts.plan(&self.limits, change)
    }

    /// The nicknames of all members, by the members' numbers.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.members.iter().map(|(_, member)| &member.name)
    }

    /// The rooms, by number.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(id, room)| (id, &**room))
    }

    /// Number of rooms, with the lobby.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Number of rooms with members, besides the lobby.
    pub fn occupied_room_count(&self) -> usize {
        self.occupied
    }

    /// A room.
    pub fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(id).map(|room| &**room)
    }

    /// The room with this name, in any spelling with the same key.
    pub fn find_room(&self, name: &RoomName) -> Option<RoomId> {
        self.rooms_by_name.same(name.name())
    }

    /// The rooms whose keys begin with `prefix` and are greater than `after`, in the order of their keys.
    pub fn rooms_by_key(&self, prefix: &str, after: Option<&str>) -> impl Iterator<Item = (RoomId, &Room)> {
        let named = self.rooms_by_name.range(prefix, after).take_while(move |(key, _)| key.starts_with(prefix));
        named.filter_map(|(_, id)| Some((id, self.room(id)?)))
    }

    /// The members of a room with their numbers, in the order in which they entered it.
    pub fn members_of(&self, room: RoomId) -> impl Iterator<Item = (MemberId, &Member)> {
        let ids = self.room(room).into_iter().flat_map(Room::members);
        ids.filter_map(|id| Some((id, self.members.get(id)?)))
    }

    /// The room that a session without a nickname watches.
    pub fn watched_room(&self, session: SessionId) -> Option<RoomId> {
        self.watchers.get(session).copied()
    }

    /// Number of sessions without a nickname that read a room.
    pub fn watcher_count(&self) -> usize {
        self.watchers.len()
    }

    /// How many of these rooms the member would create. `None` as member: a new one.
    ///
    /// # Errors
    /// The member cannot enter all of them.
    pub fn count_new_rooms(&self, member: Option<MemberId>, names: &[RoomName]) -> Result<usize, RoomRejection> {
        let member = member.and_then(|id| self.members.get(id));
        let (mut created, mut entered, mut occupied) = (NameIndex::default(), 0, 0);
        for name in names {
            if created.same(name.name()).is_some() {
                continue;
            }
            let id = self.find_room(name);
            if id.is_none() {
                let [mapped, shown] = self.rooms_by_name.alike(name.name());
                let existing = mapped.or(shown).and_then(|id| self.room(id)).map(|room| &room.name);
                let new = created.alike(name.name()).into_iter().flatten().next();
                if let Some(other) = existing.or(new) {
                    return Err(RoomRejection::Alike(name.clone(), other.clone()));
                }
                created.insert(name.name(), name);
            }
            entered += usize::from(id.is_none_or(|id| member.is_none_or(|member| !member.is_in(id))));
            let is_empty = id.and_then(|id| self.room(id)).is_none_or(|room| room.members.is_empty());
            occupied += usize::from(is_empty && id != Some(RoomId::LOBBY));
        }
        let limits = &self.limits;
        if member.map_or(0, Member::room_count) + entered > limits.rooms_per_member {
            return Err(RoomRejection::TooMany(limits.rooms_per_member));
        }
        if occupied > 0 && self.occupied + occupied > limits.rooms {
            return Err(RoomRejection::Full(limits.rooms));
        }
        if self.has_store && created.len() > 0 && self.empty_room_count() >= limits.empty_rooms {
            return Err(RoomRejection::StoreFull(limits.empty_rooms));
        }
        Ok(created.len())
    }

    /// Number of rooms without members, besides the lobby.
    fn empty_room_count(&self) -> usize {
        self.rooms.len().saturating_sub(self.occupied + 1)
    }

    /// Steady time as of the last entry.
    pub fn now(&self) -> Uptime {
        self.now
    }

    /// Whether members can be resumed.
    pub fn has_resume(&self) -> bool {
        self.limits.resume_seconds > 0
    }

    /// Whether more detached members have expired than one entry may remove. The next [`Action::Tick`], with the same
    /// time or a later one, lets them leave.
    pub fn has_expired(&self) -> bool {
        self.has_expired
    }

    fn insert_room(&mut self, id: RoomId, room: Room) {
        self.rooms_by_name.insert(room.name.name(), id);
        self.rooms.insert(id, Box::new(room));
    }

    /// Creates a room, whose name must not collide, for a member of this account. `None`: all numbers were given.
    fn create_room(&mut self, name: &RoomName, owner: Option<AccountId>) -> Option<RoomId> {
        let id = RoomId(self.next_room);
        self.next_room = self.next_room.checked_add(1)?;
        let epoch = self.start.as_ref().map(|start| Token::truncated(&format!("{start}.{}", id.0)));
        let mut room = Room::new(name.clone(), epoch);
        room.set_rules(RoomRules { owner, ..RoomRules::default() });
        self.insert_room(id, room);
        Some(id)
    }

    /// Adds a message to the room's history, and evicts the oldest messages of all rooms beyond the limits.
    fn retain_message(&mut self, room: RoomId, message: RecentMessage) {
        let Some(entered) = self.rooms.get_mut(room) else { return };
        entered.history.push(&mut self.messages, room, message);
        while let Some(room) = self.messages.overdrawn().and_then(|room| self.rooms.get_mut(room)) {
            room.history.evict_oldest(&mut self.messages);
        }
    }

    fn stop(&mut self) {
        let ids: Vec<_> = self.rooms.iter().map(|(id, _)| id).collect();
        (self.members, self.watchers) = (DenseMap::default(), DenseMap::default());
        (self.names, self.has_expired, self.occupied) = (Names::default(), false, 0);
        (self.logged_in, self.invited_guests) = (BTreeMap::new(), GuestInvitations::default());
        for id in ids {
            let Some(room) = self.rooms.get_mut(id) else { continue };
            (room.members, room.watchers, room.unpublished) = (DenseMap::default(), 0, 0);
            room.roster_version += 1;
            self.remove_unused_room(id);
        }
    }

    /// Removes the room if nothing keeps it. Returns it.
    fn remove_unused_room(&mut self, id: RoomId) -> Option<Box<Room>> {
        let room = self.rooms.get_mut(id).filter(|room| room.is_unused(id))?;
        room.history.clear(&mut self.messages);
        self.strokes.clear(&mut room.canvas);
        let room = self.rooms.remove(id)?;
        self.remove_sanctions_of(id);
        self.invited_guests.remove_room(id);
        self.rooms_by_name.remove(room.name.name());
        Some(room)
    }
}

/// Application of one entry.
struct Transition<'a> {
    state: &'a mut SharedState,
    at: Timestamp,
    origin: Origin,
    out: &'a mut Vec<StateOutput>,
}

#[cfg(test)]
mod account_password_tests;
#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod moderation_tests;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod tests;
