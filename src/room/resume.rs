//! Names that are taken back: who asked for a token has a name that outlives its connection, for a while, and that another
//! connection with the token goes on with. All that others could see of it stays as it was.

use super::{Output, Room, Session, SessionId, Uptime};
use crate::protocol::{Closing, ErrorCode, LeaveReason, Name, Refusal, ResumeToken, Secret, ServerLine};

/// What a session has that once asked for a token.
#[derive(Debug)]
pub(super) struct Resumption {
    /// The number of the session that asked first: it stands in the token, and in `STATUS`, whichever session has it now.
    id: SessionId,
    /// What is in the token; none after `SET resume off`.
    secret: Option<Secret>,
    /// Since when there is no connection, and why, if there is none.
    away: Option<(Uptime, LeaveReason)>,
}

impl Room {
    /// The session whose name this one took back, if it did: the first, if it was taken back more than once.
    pub fn resumed(&self, session: SessionId) -> Option<SessionId> {
        let id = self.sessions.get(session)?.resumption.as_ref()?.id;
        (id != session).then_some(id)
    }

    /// A token with this secret for the session, instead of any it had; none where names are not held.
    pub(super) fn give_token(&mut self, session: SessionId, secret: Secret) -> Option<ResumeToken> {
        if self.timeouts.resume_seconds == 0 {
            return None;
        }
        let state = self.sessions.get_mut(session)?;
        let new = || Box::new(Resumption { id: session, secret: None, away: None });
        let resumption = state.resumption.get_or_insert_with(new);
        resumption.secret = Some(secret);
        self.resumable.insert(resumption.id, session);
        Some(ResumeToken { id: resumption.id.0, secret })
    }

    /// The session's token is good for nothing any more.
    pub(super) fn void_token(&mut self, session: SessionId) {
        if let Some(resumption) = self.sessions.get_mut(session).and_then(|state| state.resumption.as_mut()) {
            resumption.secret = None;
        }
    }

    /// Whose name the token takes back.
    pub(super) fn holder_of(&self, token: ResumeToken) -> Option<SessionId> {
        let session = *self.resumable.get(&SessionId(token.id))?;
        let state = self.sessions.get(session)?;
        let is_its_own = state.resumption.as_ref()?.secret == Some(token.secret);
        (is_its_own && state.member.is_some()).then_some(session)
    }

    /// Moves a name, and what goes with it, from one session to another that has none; that is the end of the one.
    pub(super) fn hand_over(&mut self, from: SessionId, to: SessionId, out: &mut Vec<Output>) -> Option<Name> {
        if self.sessions.get(from).is_some_and(|state| !state.is_away()) {
            let why = "another connection showed your token and has your name now; if that is not you: RESUME it, then SET resume on for another token";
            let why = Refusal::new(None, ErrorCode::Resumed, why);
            out.push(Output::Tell(from, ServerLine::Err(why)));
        }
        out.extend([Output::Close(from, Closing::Resumed), Output::Release(from)]);
        let Session { member, mut resumption, .. } = self.sessions.remove(from)?;
        let mut member = member?;
        let name = member.name.clone();
        self.names.remove(&name, from, std::mem::take(&mut member.unpublished));
        self.names.insert(&name, to);
        self.members.insert(member.seniority, to);
        resumption.as_mut()?.away = None;
        self.resumable.insert(resumption.as_ref()?.id, to);
        let state = self.sessions.get_mut(to)?;
        state.member = Some(member);
        if let Some(own) = std::mem::replace(&mut state.resumption, resumption) {
            self.resumable.remove(&own.id);
        }
        Some(name)
    }

    /// Holds the name of a session whose connection has ended, if it can be taken back; whether it can.
    pub(super) fn hold(&mut self, session: SessionId, reason: LeaveReason, out: &mut Vec<Output>) -> bool {
        // `QUIT` is a good-bye. All else may come of a bad connection; but who sent no commands has no client to come back.
        let may_come_back = !matches!(reason, LeaveReason::Quit | LeaveReason::Errors);
        let now = self.now;
        let Some(state) = self.sessions.get_mut(session).filter(|state| may_come_back && state.member.is_some()) else {
            return false;
        };
        let Some(resumption) = state.resumption.as_mut().filter(|resumption| resumption.secret.is_some()) else {
            return false;
        };
        resumption.away = Some((now, reason));
        out.extend([Output::Close(session, Closing::Left(reason)), Output::Hold(session)]);
        true
    }

    /// Forgets what was kept so that a session could be taken back.
    pub(super) fn forget_token(&mut self, state: &Session) {
        if let Some(resumption) = &state.resumption {
            self.resumable.remove(&resumption.id);
        }
    }
}

impl Session {
    /// Since when there is no connection, and why, if only the name is held.
    pub(super) fn away(&self) -> Option<(Uptime, LeaveReason)> {
        self.resumption.as_ref()?.away
    }

    /// Whether there is no connection and only the name is held.
    pub(super) fn is_away(&self) -> bool {
        self.away().is_some()
    }
}

#[cfg(test)]
mod tests;
