//! The contents of one message of the log.

use crate::protocol::Token;
use crate::state::{Action, Origin, StateLimits};

/// A message of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Begins the log. Only the first message of a stream is one; later ones are ignored.
    Genesis(Genesis),
    /// Changes of one node, which follow each other.
    Batch(Batch),
}

/// The beginning of the shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The limits.
    pub limits: StateLimits,
    /// The epoch of the lobby, and the first part of the epochs of other rooms.
    pub epoch: Token,
}

/// Changes of one node, which follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The run of the node: a random number, drawn when it started.
    pub run: u64,
    /// The changes, in order.
    pub changes: Vec<LoggedChange>,
}

/// A change that can be in the log, see [`NotLogged`](super::NotLogged). It has no times: the log gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    pub(super) origin: Origin,
    pub(super) action: Action,
}

impl LoggedChange {
    /// The cause.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The change.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The change, for an entry.
    pub fn into_action(self) -> Action {
        self.action
    }
}
