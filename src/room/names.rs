//! Which session has which name, and which names are too much like one that is taken.

use std::collections::BTreeMap;

use super::SessionId;
use crate::protocol::Name;

/// The names that are taken. No two share a key, nor a skeleton of the same kind.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_key: BTreeMap<Box<str>, SessionId>,
    by_skeleton: [BTreeMap<Box<str>, SessionId>; 2],
}

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
        self.by_key.get(name.key()).copied()
    }

    /// What stands in the way of `session` taking `name`; its own name never does.
    pub(super) fn collision(&self, name: &Name, session: SessionId) -> Option<Collision> {
        let other = |holder: &SessionId| *holder != session;
        if let Some(holder) = self.holder(name).filter(other) {
            return Some(Collision::Taken(holder));
        }
        let alike = self.by_skeleton.iter().zip(name.skeletons());
        alike.filter_map(|(taken, skeleton)| taken.get(skeleton).copied()).find(other).map(Collision::Alike)
    }

    /// Gives a name that collides with none to a session that has none.
    pub(super) fn insert(&mut self, name: &Name, session: SessionId) {
        self.by_key.insert(name.key().into(), session);
        for (taken, skeleton) in self.by_skeleton.iter_mut().zip(name.skeletons()) {
            taken.insert(skeleton.into(), session);
        }
    }

    /// Sets a name free.
    pub(super) fn remove(&mut self, name: &Name) {
        self.by_key.remove(name.key());
        for (taken, skeleton) in self.by_skeleton.iter_mut().zip(name.skeletons()) {
            taken.remove(skeleton);
        }
    }
}
