//! Ranks, locks and invitations as they follow from what has happened, and whom a sanction concerns. They are computed without the rules and
//! the indexes of the state.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::protocol::{AccountId, Name, Network, Role, RoomLock, Sanction, SanctionKind, Subject, Timestamp};
use chinwag::state::{Member, MemberId, RoomId, SharedState};

/// Ranks, from the lowest to the highest.
pub(crate) const MEMBER: u8 = 0;
pub(crate) const MODERATOR: u8 = 1;
pub(crate) const OWNER: u8 = 2;
pub(crate) const OPERATOR: u8 = 3;

/// The owners and moderators of all rooms.
#[derive(Default)]
pub(crate) struct Ranks {
    owners: BTreeMap<RoomId, AccountId>,
    moderators: BTreeMap<RoomId, BTreeSet<AccountId>>,
    known_rooms: BTreeSet<RoomId>,
}

impl Ranks {
    /// The rank of an account in the room. `None` as room: on the server.
    pub(crate) fn of_account(&self, state: &SharedState, account: Option<AccountId>, room: Option<RoomId>) -> u8 {
        let Some(account) = account.and_then(|account| state.accounts().get(account)) else { return MEMBER };
        if account.role == Role::Operator {
            return OPERATOR;
        }
        match room {
            Some(room) if self.owners.get(&room) == Some(&account.id) => OWNER,
            Some(room) if self.moderators.get(&room).is_some_and(|all| all.contains(&account.id)) => MODERATOR,
            _ => MEMBER,
        }
    }

    /// The rank of a member.
    pub(crate) fn of_member(&self, state: &SharedState, member: &Member, room: Option<RoomId>) -> u8 {
        self.of_account(state, member.account(), room)
    }

    /// Records that an account has become a moderator, or is none any more.
    pub(crate) fn appoint(&mut self, state: &SharedState, room: RoomId, name: &Name, on: bool) {
        let account = state.accounts().find(name).expect("the moderator has an account").id;
        let moderators = self.moderators.entry(room).or_default();
        if on {
            moderators.insert(account);
        } else {
            moderators.remove(&account);
        }
    }

    /// Records the rooms after an input. A new one belongs to the account of the member that created it.
    pub(crate) fn record_rooms(&mut self, state: &SharedState, creator: Option<AccountId>) {
        let present: BTreeSet<_> = state.rooms().map(|(id, _)| id).collect();
        for room in present.difference(&self.known_rooms).filter(|room| **room != RoomId::LOBBY) {
            self.owners.extend(creator.map(|account| (*room, account)));
        }
        self.owners.retain(|room, _| present.contains(room));
        self.moderators.retain(|room, _| present.contains(room));
        self.known_rooms = present;
    }

    /// A sanction of this kind that goes on, and concerns the client in the room. `None` as room: on the server.
    pub(crate) fn sanction_of<'a>(
        &self,
        state: &'a SharedState,
        kind: SanctionKind,
        room: Option<RoomId>,
        client: Client<'_>,
        now: Timestamp,
    ) -> Option<&'a Sanction> {
        if self.of_account(state, client.account, room) > MEMBER {
            return None;
        }
        let mut meant = state.sanctions().iter().filter(|sanction| sanction.kind == kind && sanction.room == room);
        meant.find(|sanction| concerns(sanction, client, now))
    }
}

/// A client, as sanctions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) account: Option<AccountId>,
    pub(crate) name: Option<&'a Name>,
    pub(crate) network: Option<Network>,
}

impl<'a> From<&'a Member> for Client<'a> {
    fn from(member: &'a Member) -> Self {
        Self { account: member.account(), name: Some(member.name()), network: member.network() }
    }
}

/// Whether a sanction that goes on concerns the client.
fn concerns(sanction: &Sanction, client: Client<'_>, now: Timestamp) -> bool {
    let is_going_on = sanction.until.is_none_or(|until| now < until);
    let is_guest = client.account.is_none();
    let is_of_network = |network: Network| client.network.is_some_and(|own| network.contains_network(own));
    is_going_on
        && sanction.subjects.iter().any(|subject| match subject {
            Subject::Account(account) => client.account == Some(*account),
            Subject::Name(name) => client.name.is_some_and(|own| collide(name, own)),
            Subject::Network(network) => is_of_network(*network) && (is_guest || sanction.kind == SanctionKind::Ban),
        })
}

/// Whether two names are the same, or look alike.
fn collide(a: &Name, b: &Name) -> bool {
    a.key() == b.key() || a.skeletons().into_iter().zip(b.skeletons()).any(|(a, b)| a == b)
}

/// The locks of all rooms, and who is invited into them.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    by_room: BTreeMap<RoomId, RoomLock>,
    invited_accounts: BTreeSet<(RoomId, AccountId)>,
    invited_guests: BTreeSet<(RoomId, MemberId)>,
}

impl Locks {
    pub(crate) fn lock_of(&self, room: RoomId) -> RoomLock {
        self.by_room.get(&room).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, room: RoomId, lock: RoomLock) {
        self.by_room.insert(room, lock);
    }

    /// Whether the lock lets a member enter that has no rank in the room.
    pub(crate) fn lets_in(&self, room: RoomId, account: Option<AccountId>, member: Option<MemberId>) -> bool {
        match self.lock_of(room) {
            RoomLock::Open => true,
            RoomLock::Accounts => account.is_some(),
            RoomLock::Invited => {
                account.is_some_and(|account| self.invited_accounts.contains(&(room, account)))
                    || member.is_some_and(|member| self.invited_guests.contains(&(room, member)))
            }
        }
    }

    /// Records that a moderator has invited somebody, or has taken that back.
    pub(crate) fn invite(&mut self, state: &SharedState, room: RoomId, name: &Name, on: bool) {
        let named = state.accounts().find(name).map(|account| account.id);
        let mut holders = state.members().filter(|(_, member)| member.name().key() == name.key());
        let holder = holders.next();
        let account = named.or_else(|| holder.and_then(|(_, member)| member.account()));
        match (account, holder) {
            (Some(account), _) if on => drop(self.invited_accounts.insert((room, account))),
            (None, Some((guest, _))) if on => drop(self.invited_guests.insert((room, guest))),
            (account, holder) => {
                let guests = [holder.map(|(id, _)| id), account.and_then(|account| state.member_of(account))];
                for guest in guests.into_iter().flatten() {
                    self.invited_guests.remove(&(room, guest));
                }
                account.map(|account| self.invited_accounts.remove(&(room, account)));
            }
        }
    }

    /// A room keeps its lock for as long as it exists, and a guest its invitations for as long as it is on the server.
    pub(crate) fn check(&mut self, state: &SharedState) {
        self.by_room.retain(|room, _| state.room(*room).is_some());
        self.invited_accounts.retain(|(room, _)| state.room(*room).is_some());
        self.invited_guests.retain(|(room, guest)| state.room(*room).is_some() && state.member(*guest).is_some());
        for (id, room) in state.rooms() {
            assert_eq!(room.lock(), self.lock_of(id), "{id:?}");
            assert!(room.lock() == RoomLock::Open || room.watcher_count() == 0, "a locked room is watched");
        }
        assert!(state.invited_guests().iter().eq(self.invited_guests.iter().copied()), "the invited guests");
    }
}
