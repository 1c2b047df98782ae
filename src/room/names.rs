//! The nicknames that members hold, and the reserved ones. Finds a nickname in use that collides with another one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::MemberId;
use crate::protocol::Name;

/// The nicknames in use. No two held nicknames share a key, or a skeleton of the same kind.
#[derive(Debug, Default)]
pub struct Names {
    held: ByForm<MemberId>,
    /// Number of members that reserve a nickname of this form.
    reserved: ByForm<u32>,
    /// Number of unpublished messages of a member under a nickname that it has given up, by the nickname as displayed.
    reservations: BTreeMap<(MemberId, String), u32>,
}

/// A value for each form by which nicknames collide.
#[derive(Debug)]
struct ByForm<T> {
    by_key: BTreeMap<NameForm<0>, T>,
    by_skeleton: (BTreeMap<NameForm<1>, T>, BTreeMap<NameForm<2>, T>),
}

/// A name, compared by one of its forms: the key (0) or a skeleton (1 and 2).
#[derive(Debug)]
struct NameForm<const FORM: usize>(Name);

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
        self.held.by_key.get(&NameForm(name.clone())).copied()
    }

    /// Why `member` cannot take `name`; `None` if it can. Its own nickname never collides.
    pub(super) fn find_collision(&self, name: &Name, member: MemberId) -> Option<Collision> {
        let other = |holder: &MemberId| *holder != member;
        let holder = self.holder(name);
        if let Some(holder) = holder.filter(other) {
            return Some(Collision::Taken(holder));
        }
        let mapped = self.held.by_skeleton.0.get(&NameForm(name.clone())).copied().filter(other);
        let shown = || self.held.by_skeleton.1.get(&NameForm(name.clone())).copied().filter(other);
        let alike = mapped.or_else(shown).map(Collision::Alike);
        let is_own = holder.is_some();
        alike.or_else(|| (!is_own && self.is_reserved_by_other(name, member)).then_some(Collision::Reserved))
    }

    /// Whether another member reserves the nickname or a similar one.
    fn is_reserved_by_other(&self, name: &Name, member: MemberId) -> bool {
        let reserving = self.reserved.max_count(name);
        reserving > 1 || (reserving == 1 && !self.reservations.contains_key(&(member, name.to_string())))
    }

    /// Records that `member`, which has no nickname, holds this one. It must not collide.
    pub(super) fn insert(&mut self, name: &Name, member: MemberId) {
        self.held.update(name, |holder| *holder = Some(member));
    }

    /// Frees the nickname of a member. If the member has unpublished messages under it, others may take it only after
    /// [`Names::release_reservation`] was called for each of them.
    pub(super) fn remove(&mut self, name: &Name, member: MemberId, unpublished: u32) {
        self.held.update(name, |holder| *holder = None);
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

impl<T: Copy> ByForm<T> {
    /// Changes the value of each form; `None` means that there is none.
    fn update(&mut self, name: &Name, change: impl Fn(&mut Option<T>)) {
        update(&mut self.by_key, name, &change);
        update(&mut self.by_skeleton.0, name, &change);
        update(&mut self.by_skeleton.1, name, &change);
    }
}

impl ByForm<u32> {
    /// The largest count of any form of the name.
    fn max_count(&self, name: &Name) -> u32 {
        let by_key = self.by_key.get(&NameForm(name.clone()));
        let by_skeleton =
            (self.by_skeleton.0.get(&NameForm(name.clone())), self.by_skeleton.1.get(&NameForm(name.clone())));
        [by_key, by_skeleton.0, by_skeleton.1].into_iter().flatten().copied().max().unwrap_or(0)
    }
}

fn update<const FORM: usize, T: Copy>(
    values: &mut BTreeMap<NameForm<FORM>, T>,
    name: &Name,
    change: impl Fn(&mut Option<T>),
) {
    let mut value = values.get(&NameForm(name.clone())).copied();
    change(&mut value);
    match value {
        Some(value) => values.insert(NameForm(name.clone()), value),
        None => values.remove(&NameForm(name.clone())),
    };
}

impl<T> Default for ByForm<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_skeleton: Default::default() }
    }
}

impl<const FORM: usize> NameForm<FORM> {
    fn form(&self) -> &str {
        if FORM == 0 { self.0.key() } else { self.0.skeletons()[FORM - 1] }
    }
}

impl<const FORM: usize> Ord for NameForm<FORM> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.form().cmp(other.form())
    }
}

impl<const FORM: usize> PartialOrd for NameForm<FORM> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const FORM: usize> PartialEq for NameForm<FORM> {
    fn eq(&self, other: &Self) -> bool {
        self.form() == other.form()
    }
}

impl<const FORM: usize> Eq for NameForm<FORM> {}
