//! The nicknames that members hold, and the reserved ones. Finds a nickname in use that collides with another one.

use std::collections::BTreeMap;

use super::MemberId;
use super::name_index::NameIndex;
use crate::protocol::Name;

/// The nicknames in use. No two held nicknames share a key, or a skeleton of the same kind.
#[derive(Debug, Default)]
pub struct Names {
    held: NameIndex<MemberId>,
    /// Number of members that reserve a nickname of this form.
    reserved: NameIndex<u32>,
    /// Number of unpublished messages of a member under a nickname that it has given up, by the nickname as displayed.
    reservations: BTreeMap<(MemberId, String), u32>,
}

/// Why a member cannot take a nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collision {
    /// This member holds the same nickname.
    Taken(MemberId),
    /// This member holds a nickname that looks alike.
    Alike(MemberId),
    /// A message under this nickname, or under a similar one, is not published yet.
    Reserved,
}

impl Names {
    /// The member that holds this nickname, in any spelling with the same key.
    pub(super) fn holder(&self, name: &Name) -> Option<MemberId> {
        self.held.same(name)
    }

    /// Why `member` cannot take `name`; `None` if it can. Its own nickname never collides.
    pub(super) fn find_collision(&self, name: &Name, member: MemberId) -> Option<Collision> {
        let other = |holder: &MemberId| *holder != member;
        let holder = self.holder(name);
        if let Some(holder) = holder.filter(other) {
            return Some(Collision::Taken(holder));
        }
        let alike = self.held.alike(name).into_iter().flatten().find(other).map(Collision::Alike);
        let is_own = holder.is_some();
        alike.or_else(|| (!is_own && self.is_reserved_by_other(name, member)).then_some(Collision::Reserved))
    }

    /// The members whose nicknames are the same as this one, or look like it. A member may come more than once.
    pub(super) fn holders(&self, name: &Name) -> impl Iterator<Item = MemberId> {
        self.held.colliding(name)
    }

    /// Whether the member has unpublished messages under a nickname that it has given up.
    pub(super) fn has_reservation_of(&self, member: MemberId) -> bool {
        let first = (member, String::new());
        self.reservations.range(first..).next().is_some_and(|((other, _), _)| *other == member)
    }

    /// Whether messages of others keep `member` from taking `name`.
    pub(super) fn is_reserved_for(&self, name: &Name, member: MemberId) -> bool {
        self.holder(name) != Some(member) && self.is_reserved_by_other(name, member)
    }

    /// Whether another member reserves the nickname or a similar one.
    fn is_reserved_by_other(&self, name: &Name, member: MemberId) -> bool {
        let [mapped, shown] = self.reserved.alike(name);
        let reserving = [self.reserved.same(name), mapped, shown].into_iter().flatten().max().unwrap_or(0);
        reserving > 1 || (reserving == 1 && !self.reservations.contains_key(&(member, name.to_string())))
    }

    /// Records that `member`, which has no nickname, holds this one. It must not collide.
    pub(super) fn insert(&mut self, name: &Name, member: MemberId) {
        self.held.insert(name, member);
    }

    /// Frees the nickname of a member. If the member has unpublished messages under it, others may take it only after
    /// [`Names::release_reservation`] was called for each of them.
    pub(super) fn remove(&mut self, name: &Name, member: MemberId, unpublished: u32) {
        self.held.remove(name);
        self.reserve(name, member, unpublished);
    }

    /// Reserves a nickname until this number of the member's messages was published or refused.
    pub(super) fn reserve(&mut self, name: &Name, member: MemberId, messages: u32) {
        if messages == 0 {
            return;
        }
        let reserved = self.reservations.entry((member, name.to_string())).or_default();
        if *reserved == 0 {
            self.reserved.update(name, |count| *count = Some(count.unwrap_or(0) + 1));
        }
        *reserved = reserved.saturating_add(messages);
    }

    /// The nicknames that are reserved, each with the member and the number of its messages.
    pub(super) fn reservations(&self) -> impl Iterator<Item = (MemberId, &str, u32)> {
        self.reservations.iter().map(|((member, name), messages)| (*member, name.as_str(), *messages))
    }

    /// Records that one of the member's messages, under a nickname that it has given up, was published or refused.
    pub(super) fn release_reservation(&mut self, name: &Name, member: MemberId) {
        if self.reservations.is_empty() {
            return;
        }
        let key = (member, name.to_string());
        let Some(messages) = self.reservations.get_mut(&key) else { return };
        *messages -= 1;
        if *messages == 0 {
            self.reservations.remove(&key);
            self.reserved.update(name, |count| *count = count.filter(|count| *count > 1).map(|count| count - 1));
        }
    }
}
