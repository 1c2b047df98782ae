//! Gives every change of the room its place in the one order. Nothing else numbers anything.
//!
//! A change is submitted, and comes back as an entry for [`Room::apply`](crate::room::Room::apply). Presence comes back at once. A
//! durable change (a message) comes back when it is durable; where that is so is known here only. [`Memory`] is the sequencer of a
//! server that stores nothing. One with a store is in `server`; a log that several servers share could be another.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::fmt::Debug;
use std::task::{Context, Poll};

use crate::protocol::{MessageId, Timestamp};
use crate::room::{Action, Entry, Origin, Uptime};

/// A change of the room that has no place in the order yet.
#[derive(Clone, Debug)]
pub struct Change {
    /// Wall time.
    pub at: Timestamp,
    /// Steady time.
    pub uptime: Uptime,
    /// The cause.
    pub origin: Origin,
    /// The change.
    pub action: Action,
}

/// Turns changes into entries.
///
/// The hub calls it in this order, turn by turn: [`Sequencer::submit`] and [`Sequencer::next`] for each command; at the end of the
/// turn [`Sequencer::next`] for what has become durable, then [`Sequencer::end_turn`]. Between turns it waits with
/// [`Sequencer::poll_report`]. At the end of all it calls [`Sequencer::abandon`] and [`Sequencer::close`].
pub trait Sequencer: Debug + Send {
    /// Accepts a change.
    fn submit(&mut self, change: Change);

    /// The next entry for the room.
    fn next(&mut self) -> Option<Entry>;

    /// Whether [`Sequencer::next`] has an entry.
    fn has_next(&self) -> bool;

    /// Whether an accepted change has not come back as an entry yet.
    fn is_busy(&self) -> bool {
        self.has_next()
    }

    /// Passes on what was accepted. `last_id` is the id of the room's newest message.
    fn end_turn(&mut self, _last_id: MessageId) {}

    /// Whether there is something to pass on at the end of the next turn, even if nothing else happens.
    fn needs_turn(&self) -> bool {
        false
    }

    /// Takes note of one report about durable changes, if there is one. Returns whether there was.
    fn take_report(&mut self) -> bool {
        false
    }

    /// Ready once it has taken note of a report. The output is false if there will be no more because of a fault.
    fn poll_report(&mut self, _cx: &mut Context<'_>) -> Poll<bool> {
        Poll::Pending
    }

    /// Refuses all changes that are not known to be durable. Used when there is no time left to wait.
    fn abandon(&mut self) {}

    /// Ends in good order, for which it blocks. Nothing is submitted any more.
    fn close(&mut self) {}
}

/// Numbers entries.
#[derive(Debug, Default)]
pub struct Numbering(u64);

impl Numbering {
    /// The next entry, with this change.
    pub fn entry(&mut self, change: Change) -> Entry {
        self.0 += 1;
        let Change { at, uptime, origin, action } = change;
        Entry { seq: self.0, at, uptime, origin, action }
    }
}

/// The sequencer of a server that stores nothing: every change comes back at once.
#[derive(Debug, Default)]
pub struct Memory {
    numbering: Numbering,
    ready: VecDeque<Entry>,
}

impl Sequencer for Memory {
    fn submit(&mut self, change: Change) {
        self.ready.push_back(self.numbering.entry(change));
    }

    fn next(&mut self) -> Option<Entry> {
        self.ready.pop_front()
    }

    fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }
}
