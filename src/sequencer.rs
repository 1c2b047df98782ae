//! The sequencer: puts all changes of the shared state into one order.
//!
//! It numbers entries, not messages: the state gives message ids (`Transition::say` in
//! `state/room_transition.rs`). With a store, `server::store_sequencer` commits a message under the id that the state will give it.
//!
//! The caller submits a change, and the sequencer returns it as an entry for [`SharedState::apply`](crate::state::SharedState::apply):
//! a message, a topic or a change of the accounts once it is durable, any other change at once. Only the sequencer knows whether a change
//! must be stored first. [`MemorySequencer`] is the sequencer of a server without a store. That of a cluster returns a change once it was
//! read back from the log that the nodes share.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod audit_tail;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use self::audit_tail::AuditTail;
use crate::protocol::{AuditEntry, AuditRecord, Timestamp};
use crate::state::{Action, Entry, Incarnation, Origin, RoomId, SharedState, Uptime};

/// A change of the shared state that is not in the order yet.
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

/// An output of a sequencer, for the state and the sessions.
#[derive(Debug)]
pub enum Sequenced {
    /// The next entry.
    Entry(Entry),
    /// The change is refused, for this reason: it is in no log, and never will be. Changes that no client and no operator waits for are never
    /// refused.
    Refused(Box<Change>, Arc<str>),
    /// The node continues with this state: that at the beginning of the log, or of a snapshot. No session has been accepted yet, or all of
    /// them end.
    Reset(Box<SharedState>),
}

impl Sequenced {
    /// The entry, if it is one.
    pub fn into_entry(self) -> Option<Entry> {
        if let Self::Entry(entry) = self { Some(entry) } else { None }
    }
}

/// Turns changes into entries.
///
/// In each turn, `Sessions` calls [`Sequencer::submit`] and [`Sequencer::next`] for each command that changes the room; at the end of the
/// turn, it calls [`Sequencer::next`] for the changes that have become durable, then [`Sequencer::end_turn`]. Between turns, the hub
/// waits with [`Sequencer::poll_report`]. When the server stops, it calls [`Sequencer::refuse_unconfirmed`] and [`Sequencer::close`].
pub trait Sequencer: Debug + Send {
    /// Accepts a change.
    fn submit(&mut self, change: Change);

    /// A stored room has vanished: the store need not keep it any more.
    fn remove_room(&mut self, _room: RoomId) {}

    /// Returns the next entry for the state, or the next change that is refused. The changes of one session are returned and refused in the
    /// order in which they were submitted.
    fn next(&mut self) -> Option<Sequenced>;

    /// Whether [`Sequencer::next`] has something to return.
    fn has_next(&self) -> bool;

    /// Whether the entries are those of a log that several nodes share: a submitted change is applied later, when it was read back, and
    /// entries of other nodes come, too. All entries are durable.
    fn has_shared_log(&self) -> bool {
        false
    }

    /// A node has joined the cluster. Returns whether it is this one.
    fn note_joined(&mut self, _run: u64, _incarnation: Incarnation) -> bool {
        false
    }

    /// A node has left the cluster or has expired. If it is this one, its changes that are in no log yet are dropped.
    fn note_expired(&mut self, _incarnation: Incarnation) {}

    /// With a shared log: keeps an entry of the audit log. Without one, [`Action::RecordModeration`] brings it.
    fn keep_audit(&mut self, _entry: AuditEntry) {}

    /// Whether a submitted change has not been returned as an entry yet.
    fn is_busy(&self) -> bool {
        self.has_next()
    }

    /// Passes the submitted changes to the store. The rooms have the ids of their newest messages.
    fn end_turn(&mut self, _state: &SharedState) {}

    /// Whether the hub must run another turn, even without input, so that [`Sequencer::end_turn`] passes changes to the store.
    fn needs_turn(&self) -> bool {
        false
    }

    /// Processes one report of the store, if there is one. Returns whether there was.
    fn process_report(&mut self) -> bool {
        false
    }

    /// The number of changes that wait for the store, or are being committed.
    fn pending_count(&self) -> usize {
        0
    }

    /// Why the store has not stored the last batch. `None` if it has, or without a store.
    fn failure(&self) -> Option<&str> {
        None
    }

    /// The entries of the audit log that no store has, by number: those that are not stored yet or, without a store, the newest ones.
    fn unstored_audit(&self) -> Vec<AuditRecord> {
        Vec::new()
    }

    /// Waits for a report of the store, and processes it. The output is false if the store has failed: no report follows.
    fn poll_report(&mut self, _cx: &mut Context<'_>) -> Poll<bool> {
        Poll::Pending
    }

    /// Refuses each change whose commit is not confirmed. Used at shutdown, when the time to wait is over.
    fn refuse_unconfirmed(&mut self) {}

    /// Closes the store cleanly; blocks until then. The caller submits nothing afterwards.
    fn close(&mut self) {}
}

/// Numbers entries.
#[derive(Debug, Default)]
pub struct Numbering(u64);

impl Numbering {
    /// Makes the next entry, with this change.
    pub fn next_entry(&mut self, change: Change) -> Entry {
        self.0 += 1;
        let Change { at, uptime, origin, action } = change;
        Entry { seq: self.0, at, uptime, origin, action }
    }
}

/// The sequencer of a server without a store: returns every change at once.
#[derive(Debug, Default)]
pub struct MemorySequencer {
    numbering: Numbering,
    ready: VecDeque<Entry>,
    audit: AuditTail,
}

impl Sequencer for MemorySequencer {
    fn submit(&mut self, mut change: Change) {
        if let Action::RecordModeration(moderated, _) = &mut change.action
            && let Some(entry) = moderated.audit.take()
        {
            let record = self.audit.number(*entry);
            self.audit.push(record);
        }
        self.ready.push_back(self.numbering.next_entry(change));
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.ready.pop_front().map(Sequenced::Entry)
    }

    fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    fn unstored_audit(&self) -> Vec<AuditRecord> {
        self.audit.records().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn submit(sequencer: &mut MemorySequencer) {
        let (at, uptime) = (Timestamp(0), Uptime(0));
        sequencer.submit(Change { at, uptime, origin: Origin::SERVER, action: Action::Tick });
    }

    #[test]
    fn memory_sequencer_returns_each_change_once_with_next_number() {
        let mut sequencer = MemorySequencer::default();
        submit(&mut sequencer);
        submit(&mut sequencer);
        assert!(sequencer.has_next() && sequencer.is_busy());
        let mut next = || match sequencer.next()? {
            Sequenced::Entry(entry) => Some(entry.seq),
            other => panic!("{other:?}"),
        };
        assert_eq!([(); 3].map(|()| next()), [Some(1), Some(2), None]);
        assert!(!sequencer.has_next() && !sequencer.is_busy());
    }

    /// Otherwise the hub would run turns without end, or would wait for reports that never come.
    #[test]
    fn memory_sequencer_needs_no_turn_and_has_no_reports() {
        let mut sequencer = MemorySequencer::default();
        submit(&mut sequencer);
        sequencer.end_turn(&SharedState::default());
        assert!(!sequencer.needs_turn() && !sequencer.process_report());
        assert!(sequencer.poll_report(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}
