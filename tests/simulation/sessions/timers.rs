//! The timeouts: which sessions may be closed because they took no nickname or sent no line, and which must be.

use std::collections::BTreeMap;

use chinwag::session::{InputKind, Timeouts};
use chinwag::state::{SessionId, Uptime};

/// Tolerance: the room's clock is the last tick, which is up to a second old.
const SLACK_SECONDS: u64 = 1;

pub(super) struct Timers {
    timeouts: Timeouts,
    now: Uptime,
    /// Since when a session can have been without a nickname, and silent: a changed timeout gives the time to do what it asks for.
    counted_from: (Uptime, Uptime),
    /// When each session connected or lost its nickname, and when it last sent a line.
    clients: BTreeMap<SessionId, (Uptime, Uptime)>,
}

impl Timers {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, now: Uptime::default(), counted_from: Default::default(), clients: BTreeMap::new() }
    }

    /// Replaces the timeouts, also for existing sessions. They get all of a new time for a nickname, and half of a new time of silence.
    pub(super) fn set(&mut self, timeouts: Timeouts) {
        if timeouts.name_seconds != self.timeouts.name_seconds {
            self.counted_from.0 = self.now;
        }
        if timeouts.idle_seconds != self.timeouts.idle_seconds {
            self.counted_from.1 = Uptime(self.now.0.saturating_sub(timeouts.idle_seconds / 2));
        }
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
        let (name_from, idle_from) = self.counted_from;
        over(last_line_at.max(idle_from), idle_seconds) || !named && over(connected_at.max(name_from), name_seconds)
    }
}
