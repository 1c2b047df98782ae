//! An index by name: finds an entry whose name is the same as another one, or looks like it. For nicknames and for rooms.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::protocol::Name;

/// A value for each form by which names collide.
#[derive(Debug)]
pub(super) struct NameIndex<T> {
    by_key: BTreeMap<NameForm<0>, T>,
    by_skeleton: (BTreeMap<NameForm<1>, T>, BTreeMap<NameForm<2>, T>),
}

/// A name, compared by one of its forms: the key (0) or a skeleton (1 and 2).
#[derive(Debug)]
struct NameForm<const FORM: usize>(Name);

impl<T> Default for NameIndex<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_skeleton: Default::default() }
    }
}

impl<T: Copy> NameIndex<T> {
    /// The entry with the same name, in any spelling with the same key.
    pub(super) fn same(&self, name: &Name) -> Option<T> {
        self.by_key.get(name.key()).copied()
    }

    /// The entries whose names look like this one: the first by each skeleton.
    pub(super) fn alike(&self, name: &Name) -> [Option<T>; 2] {
        let [mapped, shown] = name.skeletons();
        [self.by_skeleton.0.get(mapped).copied(), self.by_skeleton.1.get(shown).copied()]
    }

    /// The entries whose names are the same as this one, or look like it. An entry may come more than once.
    pub(super) fn colliding(&self, name: &Name) -> impl Iterator<Item = T> {
        let [mapped, shown] = self.alike(name);
        [self.same(name), mapped, shown].into_iter().flatten()
    }

    /// Adds an entry. Its name must not collide.
    pub(super) fn insert(&mut self, name: &Name, value: T) {
        self.update(name, |entry| *entry = Some(value));
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, name: &Name) {
        self.update(name, |entry| *entry = None);
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Changes the value of each form; `None` means that there is none.
    pub(super) fn update(&mut self, name: &Name, change: impl Fn(&mut Option<T>)) {
        update(&mut self.by_key, name, &change);
        update(&mut self.by_skeleton.0, name, &change);
        update(&mut self.by_skeleton.1, name, &change);
    }

    /// The entries whose keys are at least `from`, or greater than `after`, in the order of the keys.
    pub(super) fn range(&self, from: &str, after: Option<&str>) -> impl Iterator<Item = (&str, T)> {
        let start = match after.filter(|after| *after >= from) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(from),
        };
        self.by_key.range::<str, _>((start, Bound::Unbounded)).map(|(form, value)| (form.0.key(), *value))
    }
}

fn update<const FORM: usize, T: Copy>(
    values: &mut BTreeMap<NameForm<FORM>, T>,
    name: &Name,
    change: impl Fn(&mut Option<T>),
) {
    let form = NameForm(name.clone());
    let mut value = values.get(&form).copied();
    change(&mut value);
    match value {
        Some(value) => values.insert(form, value),
        None => values.remove(&form),
    };
}

impl<const FORM: usize> NameForm<FORM> {
    fn form(&self) -> &str {
        if FORM == 0 { self.0.key() } else { self.0.skeletons()[FORM - 1] }
    }
}

impl<const FORM: usize> Borrow<str> for NameForm<FORM> {
    fn borrow(&self) -> &str {
        self.form()
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
