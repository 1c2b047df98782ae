//! Gives each connection the number of its session.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::state::{Incarnation, SessionId};

/// The number that was given last. The sessions of a node of a cluster have its incarnation in their numbers.
#[derive(Debug)]
pub(super) struct SessionNumbers(AtomicU64);

impl SessionNumbers {
    /// Numbers of a server without a cluster, or of a node that has not joined it yet: it refuses these sessions.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(SessionId::SERVER.0))
    }

    /// The next number.
    pub(super) fn next(&self) -> SessionId {
        SessionId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The node has joined the cluster with this incarnation, or (`NONE`) has lost its place in it.
    pub(super) fn begin(&self, incarnation: Incarnation) {
        self.0.store(SessionId::of_node(incarnation).0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_numbers_have_the_incarnation_from_its_beginning_on() {
        let numbers = SessionNumbers::new();
        assert_eq!([numbers.next(), numbers.next()], [SessionId(1), SessionId(2)]);
        numbers.begin(Incarnation(3));
        let next = numbers.next();
        assert_eq!((next.incarnation(), next.0 - SessionId::of_node(Incarnation(3)).0), (Incarnation(3), 1));
    }
}
