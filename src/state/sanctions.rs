//! The bans and mutes, and whom they concern.

use std::collections::{BTreeMap, BTreeSet};

use super::RoomId;
use super::network_map::NetworkMap;
use crate::limits::SANCTION_ACCOUNTS_MAX;
use crate::protocol::{
    AccountId, Name, Network, Sanction, SanctionId, SanctionKind, SanctionTarget, Subject, Timestamp, Until,
};

/// All sanctions, by number and by subject.
#[derive(Debug, Default)]
pub struct Sanctions {
    all: BTreeMap<SanctionId, Sanction>,
    /// The highest number that was ever given.
    last: SanctionId,
    by_account: BTreeMap<AccountId, BTreeSet<SanctionId>>,
    /// By the forms by which nicknames collide.
    by_name: BTreeMap<(usize, String), BTreeSet<SanctionId>>,
    by_network: NetworkMap<BTreeSet<SanctionId>>,
    by_room: BTreeMap<Option<RoomId>, BTreeSet<SanctionId>>,
    by_target: BTreeMap<(SanctionKind, Option<RoomId>, TargetKey), SanctionId>,
    /// The sanctions that end, in the order of their ends.
    ends: BTreeSet<(Timestamp, SanctionId)>,
}

/// Equal targets have equal keys: that of a nickname does not depend on its spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TargetKey {
    Name(String),
    Connection(String),
    Network(Network),
}

impl From<&SanctionTarget> for TargetKey {
    fn from(target: &SanctionTarget) -> Self {
        match target {
            SanctionTarget::Name(name) => Self::Name(name.key().to_owned()),
            SanctionTarget::Connection(name) => Self::Connection(name.key().to_owned()),
            SanctionTarget::Network(network) => Self::Network(*network),
        }
    }
}

/// A client, as sanctions see it.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Its account, if it has logged in.
    pub account: Option<AccountId>,
    /// Its nickname, or the one that it wants.
    pub name: Option<&'a Name>,
    /// Its network. `None`: it is on the server's machine.
    pub network: Option<Network>,
}

impl Sanctions {
    /// Number of sanctions.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The sanction with this number.
    pub fn get(&self, id: SanctionId) -> Option<&Sanction> {
        self.all.get(&id)
    }

    /// All sanctions, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Sanction> {
        self.all.values()
    }

    /// Number of sanctions of a room, or of the server.
    pub(super) fn count_of(&self, room: Option<RoomId>) -> usize {
        self.by_room.get(&room).map_or(0, BTreeSet::len)
    }

    /// The sanctions of a room, or of the server, by number.
    pub fn of(&self, room: Option<RoomId>) -> impl Iterator<Item = &Sanction> {
        self.by_room.get(&room).into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// The sanction of this kind with the same target.
    pub(super) fn with_target(
        &self,
        kind: SanctionKind,
        room: Option<RoomId>,
        target: &SanctionTarget,
    ) -> Option<SanctionId> {
        self.by_target.get(&(kind, room, target.into())).copied()
    }

    /// The sanctions whose subject is exactly this network, by number.
    pub(super) fn of_network(&self, network: Network) -> impl Iterator<Item = &Sanction> {
        self.by_network.get(network).into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// The number of the next sanction. `None`: all numbers were given.
    pub(super) fn next_id(&self) -> Option<SanctionId> {
        self.last.0.checked_add(1).map(SanctionId)
    }

    /// The highest number that was ever given.
    pub fn last_id(&self) -> SanctionId {
        self.last
    }

    /// New sanctions get higher numbers than this one.
    pub(super) fn skip_to(&mut self, id: SanctionId) {
        self.last = self.last.max(id);
    }

    /// A sanction of this kind that concerns the client in the room, or on the server, and has not ended. If there are several, the one that
    /// lasts longest.
    pub(super) fn find(
        &self,
        kind: SanctionKind,
        room: Option<RoomId>,
        person: Person<'_>,
        now: Timestamp,
    ) -> Option<&Sanction> {
        // Fast path: most servers have none.
        if self.all.is_empty() {
            return None;
        }
        let concerns = |id: &SanctionId| {
            let sanction = self.all.get(id)?;
            let is_meant = sanction.kind == kind && sanction.room == room;
            (is_meant && Until(sanction.until).is_ahead(now)).then_some(sanction)
        };
        let found = self.candidates(kind, person).filter_map(|id| concerns(&id));
        found.max_by_key(|sanction| Until(sanction.until))
    }

    fn candidates(&self, kind: SanctionKind, person: Person<'_>) -> impl Iterator<Item = SanctionId> {
        let Person { account, name, network } = person;
        let is_guest = account.is_none();
        let of_account = account.and_then(|account| self.by_account.get(&account));
        let names = name.into_iter().flat_map(forms);
        let of_name = names.filter_map(|form| self.by_name.get(&form));
        // A mute of a guest does not concern the accounts at its address.
        let network = network.filter(|_| is_guest || kind == SanctionKind::Ban);
        let of_network = network.into_iter().flat_map(|network| self.by_network.containing(network));
        of_account.into_iter().chain(of_name).chain(of_network).flatten().copied()
    }

    /// Adds a sanction, or replaces the one with its number.
    pub(super) fn insert(&mut self, sanction: Sanction) {
        self.remove(sanction.id);
        let id = sanction.id;
        self.skip_to(id);
        for subject in &sanction.subjects {
            match subject {
                Subject::Account(account) => {
                    self.by_account.entry(*account).or_default().insert(id);
                }
                Subject::Name(name) => {
                    for form in forms(name) {
                        self.by_name.entry(form).or_default().insert(id);
                    }
                }
                Subject::Network(network) => {
                    self.by_network.entry(*network).insert(id);
                }
            }
        }
        self.ends.extend(sanction.until.map(|until| (until, id)));
        self.by_room.entry(sanction.room).or_default().insert(id);
        self.by_target.insert((sanction.kind, sanction.room, (&sanction.target).into()), id);
        self.all.insert(id, sanction);
    }

    /// Removes a sanction. Returns it.
    pub(super) fn remove(&mut self, id: SanctionId) -> Option<Sanction> {
        let sanction = self.all.remove(&id)?;
        for subject in &sanction.subjects {
            match subject {
                Subject::Account(account) => remove_from(&mut self.by_account, account, id),
                Subject::Name(name) => forms(name).for_each(|form| remove_from(&mut self.by_name, &form, id)),
                Subject::Network(network) => self.by_network.update(*network, |ids| {
                    ids.remove(&id);
                    !ids.is_empty()
                }),
            }
        }
        if let Some(until) = sanction.until {
            self.ends.remove(&(until, id));
        }
        remove_from(&mut self.by_room, &sanction.room, id);
        let target = (sanction.kind, sanction.room, (&sanction.target).into());
        if self.by_target.get(&target) == Some(&id) {
            self.by_target.remove(&target);
        }
        Some(sanction)
    }

    /// The account is deleted: its sanctions concern these nicknames from now on. Returns them.
    pub(super) fn replace_account(&mut self, account: AccountId, names: &[Name]) -> Vec<Sanction> {
        let ids = self.by_account.get(&account).cloned().unwrap_or_default();
        let replace = |id| {
            let mut sanction = self.remove(id)?;
            sanction.subjects.retain(|subject| *subject != Subject::Account(account));
            sanction.subjects.extend(names.iter().cloned().map(Subject::Name));
            self.insert(sanction.clone());
            Some(sanction)
        };
        ids.into_iter().filter_map(replace).collect()
    }

    /// The guest has created this account: in each place, the mute of the guest that lasts longest concerns the account, too. Returns the
    /// changed mutes.
    pub(super) fn extend_mutes(&mut self, guest: Person<'_>, account: AccountId, now: Timestamp) -> Vec<Sanction> {
        let concerned: BTreeSet<_> = self.candidates(SanctionKind::Mute, guest).collect();
        let mutes = concerned.into_iter().filter_map(|id| self.all.get(&id));
        let mut longest = BTreeMap::<Option<RoomId>, &Sanction>::new();
        for mute in mutes.filter(|mute| mute.kind == SanctionKind::Mute && Until(mute.until).is_ahead(now)) {
            let known = longest.entry(mute.room).or_insert(mute);
            *known = std::cmp::max_by_key(*known, mute, |mute| Until(mute.until));
        }
        let longest: Vec<_> = longest.into_values().cloned().collect();
        longest.into_iter().map(|mute| self.extend(mute, account)).collect()
    }

    /// Makes a sanction concern this account, too. Of too many accounts, it forgets the oldest.
    fn extend(&mut self, mut sanction: Sanction, account: AccountId) -> Sanction {
        let is_account = |subject: &Subject| matches!(subject, Subject::Account(_));
        if sanction.subjects.iter().filter(|subject| is_account(subject)).count() >= SANCTION_ACCOUNTS_MAX
            && let Some(oldest) = sanction.subjects.iter().position(is_account)
        {
            sanction.subjects.remove(oldest);
        }
        sanction.subjects.push(Subject::Account(account));
        self.insert(sanction.clone());
        sanction
    }

    /// The sanction that ends first, if it has ended.
    pub(super) fn first_ended(&self, now: Timestamp) -> Option<SanctionId> {
        self.ends.first().filter(|(until, _)| *until <= now).map(|(_, id)| *id)
    }
}

/// The forms by which a nickname collides with others: its key, and its skeletons.
fn forms(name: &Name) -> impl Iterator<Item = (usize, String)> {
    let [mapped, shown] = name.skeletons();
    [name.key(), mapped, shown].into_iter().map(str::to_owned).enumerate()
}

fn remove_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<SanctionId>>, key: &K, id: SanctionId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
