//! The life of a connection and its session.
//!
//! ```text
//!                       end of input
//!      ┌────────┐                         ┌───────────┐
//!      │  Open  │ ──────────────────────▶ │  Closing  │
//!      └────────┘                         └───────────┘
//!           │                                   │ all replies are sent, or not read for 10 s;
//!           │ QUIT, errors, timeout,            │ or one of the reasons on the left
//!           │ slow, lost, resumed,              │
//!           │ shutdown                          ▼
//!           │                             ┌───────────┐  the member, if any, left or was resumed   ┌───────────┐
//!           └───────────────────────────▶ │  Closed   │ ─────────────────────────────────────────▶ │  removed  │
//!                                         └───────────┘                                            └───────────┘
//!                                           while the member is detached, the session stays Closed
//! ```
//!
//! The session decides; the hub writes the state into the mailbox, where the connection's task reads it:
//!
//! | state | connection's task | session |
//! |---|---|---|
//! | Open | reads and writes | processes lines |
//! | Closing | writes what is in the mailbox, then reports `Disconnected` | its member is still in the room |
//! | Closed | writes what is in the mailbox, unless the reason is `slow`; closes the socket; ends | exists only for a detached member |
//!
//! When a connection breaks, or the client is a slow consumer, the task reports `Disconnected`, and waits for Closed before it closes the
//! socket. So when a client sees its connection closed, its member has left or is detached, and all other clients have been sent the
//! `LEAVE`, if there is one. When the task ends, it passes its admission ticket to the hub, which keeps it while the member is detached.

use crate::protocol::{CloseReason, LeaveReason};

/// The state of a connection. It only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// The client can send and receive.
    #[default]
    Open,
    /// Output has ended: the client ended its input, or the session is about to be Closed.
    Closing(CloseReason),
    /// The session has no connection any more.
    Closed(CloseReason),
}

impl Lifecycle {
    /// Ends the output, for this reason. A later reason is ignored, except `slow`, which replaces it and drops the
    /// unsent rest.
    pub fn close(&mut self, reason: CloseReason) {
        *self = match *self {
            Self::Open => Self::Closing(reason),
            Self::Closing(_) if reason == CloseReason::Left(LeaveReason::Slow) => Self::Closing(reason),
            state => state,
        };
    }

    /// The session gives up its connection, for the reason for which it was closed.
    pub fn end(&mut self) {
        if let Self::Closing(reason) = *self {
            *self = Self::Closed(reason);
        }
    }

    /// Why the connection is closed, or will be.
    pub fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Open => None,
            Self::Closing(reason) | Self::Closed(reason) => Some(reason),
        }
    }

    /// Whether the session has given up its connection.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// Whether the rest of the output is not sent.
    pub fn is_slow(self) -> bool {
        self == Self::Closed(CloseReason::Left(LeaveReason::Slow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: [CloseReason; 8] = [
        CloseReason::Left(LeaveReason::Quit),
        CloseReason::Left(LeaveReason::Eof),
        CloseReason::Left(LeaveReason::Lost),
        CloseReason::Left(LeaveReason::Slow),
        CloseReason::Left(LeaveReason::Timeout),
        CloseReason::Left(LeaveReason::Errors),
        CloseReason::Resumed,
        CloseReason::Stopping,
    ];

    fn all() -> impl Iterator<Item = Lifecycle> {
        let ended = REASONS.into_iter().flat_map(|reason| [Lifecycle::Closing(reason), Lifecycle::Closed(reason)]);
        std::iter::once(Lifecycle::Open).chain(ended)
    }

    fn step(state: Lifecycle) -> u8 {
        match state {
            Lifecycle::Open => 0,
            Lifecycle::Closing(_) => 1,
            Lifecycle::Closed(_) => 2,
        }
    }

    #[test]
    fn lifecycle_only_moves_forward_and_keeps_the_first_reason_but_slow() {
        let slow = CloseReason::Left(LeaveReason::Slow);
        for (before, reason) in all().flat_map(|state| REASONS.map(|reason| (state, reason))) {
            let mut state = before;
            state.close(reason);
            assert_eq!(step(state), step(before).max(1), "{before:?} {reason:?}");
            let is_overridden = reason == slow && !before.is_closed();
            let expected = if is_overridden { slow } else { before.reason().unwrap_or(reason) };
            assert_eq!(state.reason(), Some(expected), "{before:?} {reason:?}");
            state.end();
            assert_eq!((state.is_closed(), state.reason(), state.is_slow()), (true, Some(expected), expected == slow));
        }
    }
}
