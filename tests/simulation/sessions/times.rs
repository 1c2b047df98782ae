//! Who may be closed for taking no name, or for silence, and who has to be: by the clock, and by when they said something.

use std::collections::BTreeMap;

use chinwag::room::{SessionId, Uptime};
use chinwag::session::{InputKind, Timeouts};

/// Room for the clock: what is told is the time of the last tick, up to a second old.
const SLACK_SECONDS: u64 = 1;

pub(super) struct Times {
    timeouts: Timeouts,
    now: Uptime,
    /// When each connected, and when it last said anything.
    peers: BTreeMap<SessionId, (Uptime, Uptime)>,
}

impl Times {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, now: Uptime::default(), peers: BTreeMap::new() }
    }

    /// What is about to be done.
    pub(super) fn take(&mut self, session: SessionId, action: &InputKind) {
        match action {
            InputKind::Tick(now) => self.now = *now,
            InputKind::Connect(_) => {
                self.peers.insert(session, (self.now, self.now));
            }
            InputKind::Blank
            | InputKind::AreYouThere
            | InputKind::Command(_)
            | InputKind::CommandWithSecret(..)
            | InputKind::Refuse(_) => {
                self.peers.entry(session).and_modify(|(_, last_line_at)| *last_line_at = self.now);
            }
            // Whoever has said all is not waited for.
            InputKind::EndOfInput => {
                self.peers.remove(&session);
            }
            _ => {}
        }
    }

    /// The room forgot a session, at a tick or at its own doing.
    pub(super) fn forget(&mut self, session: SessionId, named: bool, at_tick: bool) {
        let due = self.is_due(session, named, 0);
        self.peers.remove(&session);
        assert!(due || !at_tick, "{session:?} still had time");
    }

    /// After a tick: whoever is connected still has time.
    pub(super) fn check(&self, is_named: impl Fn(SessionId) -> bool) {
        for &session in self.peers.keys() {
            assert!(!self.is_due(session, is_named(session), SLACK_SECONDS), "{session:?} had its time");
        }
    }

    fn is_due(&self, session: SessionId, named: bool, slack_seconds: u64) -> bool {
        let Some(&(connected_at, last_line_at)) = self.peers.get(&session) else { return false };
        let Timeouts { name_seconds, idle_seconds } = self.timeouts;
        let over = |since: Uptime, seconds| seconds > 0 && self.now.seconds_since(since) >= seconds + slack_seconds;
        over(last_line_at, idle_seconds) || !named && over(connected_at, name_seconds)
    }
}
