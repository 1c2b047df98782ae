//! The resume tokens: which session has a valid one, which members are detached, and when they expire.

use std::collections::BTreeMap;

use chinwag::command::{Command, Resume, Set, Setting};
use chinwag::protocol::{LeaveReason, ResumeToken};
use chinwag::session::InputKind;
use chinwag::state::{SessionId, Uptime};

pub(super) struct ResumeTokens {
    resume_seconds: u64,
    now: Uptime,
    /// The valid token of each session that has one.
    tokens: BTreeMap<SessionId, ResumeToken>,
    /// The sessions of detached members, and when they were detached.
    detached: BTreeMap<SessionId, Uptime>,
    /// All tokens that the server has issued.
    pub(super) issued: Vec<ResumeToken>,
    /// Number of resumed members: connected, and detached.
    pub(super) resumed: [u32; 2],
    /// Number of detached members that expired.
    pub(super) expired: u32,
}

impl ResumeTokens {
    pub(super) fn new(resume_seconds: u64) -> Self {
        Self {
            resume_seconds,
            now: Uptime::default(),
            tokens: BTreeMap::new(),
            detached: BTreeMap::new(),
            issued: Vec::new(),
            resumed: [0; 2],
            expired: 0,
        }
    }

    /// Replaces the time for which a member is detached, also for members that are detached already.
    pub(super) fn set(&mut self, resume_seconds: u64) {
        self.resume_seconds = resume_seconds;
    }

    /// Whether the server issues tokens.
    pub(super) fn are_on(&self) -> bool {
        self.resume_seconds > 0
    }

    /// The session that this token resumes.
    pub(super) fn holder(&self, token: ResumeToken) -> Option<SessionId> {
        self.tokens.iter().find(|(_, other)| **other == token).map(|(&holder, _)| holder)
    }

    /// The token of the oldest detached member.
    pub(super) fn oldest_detached(&self) -> Option<ResumeToken> {
        self.detached.keys().next().and_then(|session| self.tokens.get(session)).copied()
    }

    /// Whether this action of a connected member must detach the member instead of removing it.
    pub(super) fn must_detach(&self, session: SessionId, action: &InputKind) -> bool {
        let ends_connection =
            matches!(action, InputKind::Disconnected(LeaveReason::Lost | LeaveReason::Eof | LeaveReason::Slow));
        self.tokens.contains_key(&session) && ends_connection
    }

    /// Records an action that succeeded.
    pub(super) fn record(&mut self, session: SessionId, action: &InputKind) {
        match action {
            InputKind::Tick(now) => self.now = *now,
            InputKind::Command(Command::Set(Set { setting: Setting::Resume, on: false })) => {
                self.tokens.remove(&session);
            }
            InputKind::Command(Command::Resume(Resume(token))) => {
                let holder = self.holder(*token).expect("the token was accepted");
                self.tokens.remove(&holder);
                self.tokens.insert(session, *token);
                self.resumed[usize::from(self.detached.remove(&holder).is_some())] += 1;
            }
            _ => {}
        }
    }

    /// Records that the server issued a token. It replaces the session's previous one.
    pub(super) fn issue(&mut self, session: SessionId, token: ResumeToken) {
        assert!(self.are_on() && !self.issued.contains(&token), "a token must be issued only once");
        self.issued.push(token);
        self.tokens.insert(session, token);
    }

    /// Records that the session's token has ended, if it had one.
    pub(super) fn end(&mut self, session: SessionId) {
        self.tokens.remove(&session);
    }

    /// Records that a member is detached.
    pub(super) fn detach(&mut self, session: SessionId) {
        assert!(self.tokens.contains_key(&session), "{session:?} was detached without a token");
        assert_eq!(self.detached.insert(session, self.now), None, "{session:?} was detached twice");
    }

    /// Records that the room removed a session, by a timeout (`at_tick`) or by its own action. Returns whether it was detached.
    pub(super) fn remove(&mut self, session: SessionId, named: bool, at_tick: bool) -> bool {
        let had_token = self.tokens.remove(&session).is_some();
        let detached_at = self.detached.remove(&session);
        if let Some(since) = detached_at {
            assert!(!at_tick || self.now.seconds_since(since) >= self.resume_seconds, "{session:?} expired too early");
            self.expired += u32::from(at_tick);
        } else {
            assert!(!(at_tick && had_token && named), "{session:?} was removed, not detached");
        }
        detached_at.is_some()
    }

    /// Checks after a tick that no detached member is past its time.
    pub(super) fn check(&self) {
        for (session, &since) in &self.detached {
            assert!(self.now.seconds_since(since) <= self.resume_seconds, "{session:?} did not expire");
        }
    }
}
