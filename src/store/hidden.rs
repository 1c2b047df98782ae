//! The messages that were deleted while the file still has their texts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::protocol::{MessageId, RoomId};

/// The deleted messages whose deletion is not committed yet: queries return them without text. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct HiddenMessages(Arc<Mutex<BTreeSet<(RoomId, MessageId)>>>);

impl HiddenMessages {
    /// Hides the text of a message in all queries that begin from now on.
    pub fn insert(&self, room: RoomId, id: MessageId) {
        self.with(|all| all.insert((room, id)));
    }

    /// The file does not have the text any more.
    pub fn remove(&self, room: RoomId, id: MessageId) {
        self.with(|all| all.remove(&(room, id)));
    }

    /// The hidden messages of a room. A reader must ask before it opens its snapshot of the file: a message that is not hidden any more
    /// then is a message whose text the snapshot does not have.
    pub(super) fn of(&self, room: RoomId) -> BTreeSet<MessageId> {
        self.with(|all| all.range((room, MessageId(0))..=(room, MessageId(u64::MAX))).map(|(_, id)| *id).collect())
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|all| all.is_empty())
    }

    fn with<T>(&self, run: impl FnOnce(&mut BTreeSet<(RoomId, MessageId)>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
