//! The timeouts: which sessions may be closed because they took no nickname or sent no line, and which must be.

use std::collections::BTreeMap;

use chinwag::session::{InputKind, Timeouts};
use chinwag::state::{SessionId, Uptime};

/// Tolerance: the room's clock is the last tick, which is up to a second old.
const SLACK_SECONDS: u64 = 1;

pub(super) struct Timers {
    timeouts: Timeouts,
    now: Uptime,
    /// When each session connected or lost its nickname, and when it last sent a line.
    clients: BTreeMap<SessionId, (Uptime, Uptime)>,
}

impl Timers {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, now: Uptime::default(), clients: BTreeMap::new() }
    }

    /// Replaces the timeouts, also for existing sessions.
    pub(super) fn set(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
    }

    /// Records an action before the room applies it.
    pub(super) fn record(&mut self, session: SessionId, action: &InputKind) {
        match action {
            InputKind::Tick(now) => self.now = *now,
            InputKind::Connect(_) => {
                self.clients.insert(session, (self.now, self.now));
            }
            action if action.is_line() => {
                self.clients.entry(session).and_modify(|(_, last_line_at)| *last_line_at = self.now);
            }
            // After the end of its input, a session has no timeouts.
            InputKind::EndOfInput => {
                self.clients.remove(&session);
            }
            _ => {}
        }
    }

    /// Records that a session has lost its nickname.
    pub(super) fn restart(&mut self, session: SessionId) {
        self.clients.entry(session).and_modify(|(unnamed_since, _)| *unnamed_since = self.now);
    }

    /// Records that the room removed a session, by a timeout (`at_tick`) or by its own action.
    pub(super) fn remove(&mut self, session: SessionId, named: bool, at_tick: bool) {
        let due = self.is_due(session, named, 0);
        self.clients.remove(&session);
        assert!(due || !at_tick, "{session:?} timed out too early");
    }

    /// Checks after a tick that no session is past its timeout.
    pub(super) fn check(&self, is_named: impl Fn(SessionId) -> bool) {
        for &session in self.clients.keys() {
            assert!(!self.is_due(session, is_named(session), SLACK_SECONDS), "{session:?} did not time out");
        }
    }

    fn is_due(&self, session: SessionId, named: bool, slack_seconds: u64) -> bool {
        let Some(&(connected_at, last_line_at)) = self.clients.get(&session) else { return false };
        let Timeouts { name_seconds, idle_seconds } = self.timeouts;
        let over = |since: Uptime, seconds| seconds > 0 && self.now.seconds_since(since) >= seconds + slack_seconds;
        over(last_line_at, idle_seconds) || !named && over(connected_at, name_seconds)
    }
}
