//! Who can take whose name back, and until when: by the tokens that were given, and by what came of those who got them.

use std::collections::BTreeMap;

use chinwag::command::{Command, Resume, Set, Setting};
use chinwag::protocol::{LeaveReason, ResumeToken};
use chinwag::room::{SessionId, Uptime};
use chinwag::session::InputKind;

pub(super) struct Claims {
    resume_seconds: u64,
    now: Uptime,
    /// The token of each session that has one which is good.
    tokens: BTreeMap<SessionId, ResumeToken>,
    /// Since when those have no connection whose names are held.
    away: BTreeMap<SessionId, Uptime>,
    /// All tokens that were ever given.
    pub(super) given: Vec<ResumeToken>,
    /// How often a name was taken back from a connection that was there, and from one that was not.
    pub(super) taken_back: [u32; 2],
    /// How often nobody came for a name.
    pub(super) given_up: u32,
}

impl Claims {
    pub(super) fn new(resume_seconds: u64) -> Self {
        Self {
            resume_seconds,
            now: Uptime::default(),
            tokens: BTreeMap::new(),
            away: BTreeMap::new(),
            given: Vec::new(),
            taken_back: [0; 2],
            given_up: 0,
        }
    }

    /// Whether names are held at all.
    pub(super) fn are_kept(&self) -> bool {
        self.resume_seconds > 0
    }

    /// Whose token this is.
    pub(super) fn holder(&self, token: ResumeToken) -> Option<SessionId> {
        self.tokens.iter().find(|(_, other)| **other == token).map(|(&holder, _)| holder)
    }

    /// The token of a name that is held, if one is.
    pub(super) fn held(&self) -> Option<ResumeToken> {
        self.away.keys().next().and_then(|session| self.tokens.get(session)).copied()
    }

    /// Whether an action, of somebody who has a name and is connected, has to be the end of the connection only.
    pub(super) fn outlives(&self, session: SessionId, action: &InputKind) -> bool {
        let is_good_bye =
            !matches!(action, InputKind::Disconnected(LeaveReason::Lost | LeaveReason::Eof | LeaveReason::Slow));
        self.tokens.contains_key(&session) && !is_good_bye
    }

    /// What was carried out.
    pub(super) fn take(&mut self, session: SessionId, action: &InputKind) {
        match action {
            InputKind::Tick(now) => self.now = *now,
            InputKind::Command(Command::Set(Set { setting: Setting::Resume, on: false })) => {
                self.tokens.remove(&session);
            }
            InputKind::Command(Command::Resume(Resume(token))) => {
                let holder = self.holder(*token).expect("it was not refused");
                self.tokens.remove(&holder);
                self.tokens.insert(session, *token);
                self.taken_back[usize::from(self.away.remove(&holder).is_some())] += 1;
            }
            _ => {}
        }
    }

    /// It has this token, and no other any more.
    pub(super) fn give(&mut self, session: SessionId, token: ResumeToken) {
        assert!(self.are_kept() && !self.given.contains(&token), "a token is given once");
        self.given.push(token);
        self.tokens.insert(session, token);
    }

    pub(super) fn hold(&mut self, session: SessionId) {
        assert!(self.tokens.contains_key(&session), "{session:?} has no token and its name is held");
        assert_eq!(self.away.insert(session, self.now), None, "held once");
    }

    /// The room forgot a session, at a tick or at its own doing; whether its name was held.
    pub(super) fn forget(&mut self, session: SessionId, named: bool, at_tick: bool) -> bool {
        let had_token = self.tokens.remove(&session).is_some();
        let away_since = self.away.remove(&session);
        if let Some(since) = away_since {
            assert!(!at_tick || self.now.seconds_since(since) >= self.resume_seconds, "{session:?} still had time");
            self.given_up += u32::from(at_tick);
        } else {
            assert!(!(at_tick && had_token && named), "{session:?} could have come back");
        }
        away_since.is_some()
    }

    /// After a tick: names that are held still have time.
    pub(super) fn check(&self) {
        for (session, &since) in &self.away {
            assert!(self.now.seconds_since(since) <= self.resume_seconds, "{session:?} had its time");
        }
    }
}
