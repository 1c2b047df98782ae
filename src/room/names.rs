//! Which session has which name, and which names are too much like one that is taken.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::SessionId;
use crate::protocol::Name;

/// The names that are taken. No two share a key, nor a skeleton of the same kind.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_key: BTreeMap<By<0>, SessionId>,
    by_skeleton: (BTreeMap<By<1>, SessionId>, BTreeMap<By<2>, SessionId>),
}

/// A name, compared by one of its forms: the key (0) or a skeleton (1 and 2).
#[derive(Debug)]
struct By<const FORM: usize>(Name);

/// Why a name cannot be had, and who has the one it collides with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collision {
    /// It is the same name.
    Taken(SessionId),
    /// It looks alike.
    Alike(SessionId),
}

impl Names {
    /// Who has this name, however it is written.
    pub(super) fn holder(&self, name: &Name) -> Option<SessionId> {
        self.by_key.get(&By(name.clone())).copied()
    }

    /// What stands in the way of `session` taking `name`; its own name never does.
    pub(super) fn collision(&self, name: &Name, session: SessionId) -> Option<Collision> {
        let other = |holder: &SessionId| *holder != session;
        if let Some(holder) = self.holder(name).filter(other) {
            return Some(Collision::Taken(holder));
        }
        let mapped = self.by_skeleton.0.get(&By(name.clone())).copied().filter(other);
        let shown = || self.by_skeleton.1.get(&By(name.clone())).copied().filter(other);
        mapped.or_else(shown).map(Collision::Alike)
    }

    /// Gives a name that collides with none to a session that has none.
    pub(super) fn insert(&mut self, name: &Name, session: SessionId) {
        self.by_key.insert(By(name.clone()), session);
        self.by_skeleton.0.insert(By(name.clone()), session);
        self.by_skeleton.1.insert(By(name.clone()), session);
    }

    /// Sets a name free.
    pub(super) fn remove(&mut self, name: &Name) {
        self.by_key.remove(&By(name.clone()));
        self.by_skeleton.0.remove(&By(name.clone()));
        self.by_skeleton.1.remove(&By(name.clone()));
    }
}

impl<const FORM: usize> By<FORM> {
    fn form(&self) -> &str {
        if FORM == 0 { self.0.key() } else { self.0.skeletons()[FORM - 1] }
    }
}

impl<const FORM: usize> Ord for By<FORM> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.form().cmp(other.form())
    }
}

impl<const FORM: usize> PartialOrd for By<FORM> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const FORM: usize> PartialEq for By<FORM> {
    fn eq(&self, other: &Self) -> bool {
        self.form() == other.form()
    }
}

impl<const FORM: usize> Eq for By<FORM> {}
