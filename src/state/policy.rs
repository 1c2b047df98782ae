//! The limits of the shared state that can change while the server runs.

use super::{SharedState, StateLimits};

/// Limits that an entry can set. A lower limit removes nobody from a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// See [`StateLimits::resume_seconds`]. Members that have been detached for longer leave at the next tick.
    pub resume_seconds: u64,
    /// See [`StateLimits::rooms`].
    pub rooms: usize,
    /// See [`StateLimits::empty_rooms`].
    pub empty_rooms: usize,
}

impl SharedState {
    /// The limits that can change.
    pub fn policy(&self) -> Policy {
        let StateLimits { resume_seconds, rooms, empty_rooms, .. } = self.limits;
        Policy { resume_seconds, rooms, empty_rooms }
    }

    pub(super) fn set_policy(&mut self, Policy { resume_seconds, rooms, empty_rooms }: Policy) {
        self.limits = StateLimits { resume_seconds, rooms, empty_rooms, ..self.limits };
    }
}
