//! The records of moderation that a full disk has refused. Bounded: a moderator may repeat its commands for as long as the disk is full.

use std::collections::BTreeMap;

use crate::protocol::{MessageId, ModerationRecord, RoomId, Sanction, SanctionId};
use crate::state::SharedState;

/// The newest record for each room, each sanction and each message.
#[derive(Debug, Default)]
pub(super) struct UnstoredRecords {
    newest: BTreeMap<Key, ModerationRecord>,
    /// The file has no sanction above this one. `None` before the first batch.
    stored_up_to: Option<SanctionId>,
    /// Nor does it once it has the batch that is being committed.
    committing_up_to: SanctionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Room(RoomId),
    Sanction(SanctionId),
    Message(RoomId, MessageId),
}

impl UnstoredRecords {
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// The records for a batch of this state. Those of rooms that have vanished are dropped.
    pub(super) fn begin_batch(&mut self, state: &SharedState) -> Vec<ModerationRecord> {
        self.committing_up_to = state.sanctions().last_id();
        self.stored_up_to.get_or_insert(self.committing_up_to);
        self.newest.retain(|_, record| match record {
            ModerationRecord::Rules(room, _) | ModerationRecord::Sanction(Sanction { room: Some(room), .. }) => {
                state.room(*room).is_some()
            }
            ModerationRecord::Sanction(_) | ModerationRecord::Lifted(_) | ModerationRecord::Deleted(..) => true,
        });
        self.newest.values().cloned().collect()
    }

    /// The batch is stored. Returns its records.
    pub(super) fn take_stored(&mut self) -> Vec<ModerationRecord> {
        self.stored_up_to = Some(self.committing_up_to);
        std::mem::take(&mut self.newest).into_values().collect()
    }

    /// Adds the records of a batch that was refused. A sanction that was lifted before the file had it needs none.
    pub(super) fn extend(&mut self, records: &[ModerationRecord]) {
        for record in records {
            let key = match record {
                ModerationRecord::Rules(room, _) => Key::Room(*room),
                ModerationRecord::Sanction(Sanction { id, .. }) | ModerationRecord::Lifted(id) => Key::Sanction(*id),
                ModerationRecord::Deleted(room, id) => Key::Message(*room, *id),
            };
            if matches!(record, ModerationRecord::Lifted(id) if self.stored_up_to.is_some_and(|last| *id > last)) {
                self.newest.remove(&key);
            } else {
                self.newest.insert(key, record.clone());
            }
        }
    }

    /// Number of records.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }
}
