//! Ends sessions that were silent, or without a nickname, for too long, and on a server for accounts only those of deleted accounts. Uses
//! the steady time of [`InputKind::Tick`]: setting the wall clock ends no session.

#[cfg(doc)]
use super::InputKind;
use super::{Lifecycle, Output, Session, SessionId, Sessions, Uptime, private_tag};
use crate::command::{Hint, Refusal, ServerLine};
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::{ErrorCode, Event, LeaveReason, Timestamp, Token};
use crate::state;

/// Time that a session may be in a state, in seconds; 0: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Without a nickname, counted from the connection on, whatever the client sends.
    pub name_seconds: u64,
    /// Without a line. After half of this time, the server sends a `PING`.
    pub idle_seconds: u64,
}

/// The timeouts in force. One that has changed gives existing sessions the time to do what it asks for.
#[derive(Debug, Default)]
pub(super) struct LiveTimeouts {
    limits: Timeouts,
    /// Since when a session can have been without a nickname.
    name_from: Uptime,
    /// Since when a session can have been silent.
    idle_from: Uptime,
}

impl LiveTimeouts {
    pub(super) fn new(limits: Timeouts) -> Self {
        Self { limits, ..Self::default() }
    }
}

/// Timeout that is due for a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timeout {
    /// The session took no nickname in time.
    Registration,
    /// The account of the session's member was deleted, and the server is for accounts only.
    AccountDeleted,
    /// The session was silent for too long.
    Idle,
    /// The session was silent for half of that time.
    Ping,
}

/// The token of the server's `PING`.
const IDLE: &str = "idle";

impl Sessions {
    /// Changes the timeouts. Sessions without a nickname get all of a new time from now on. Silent ones get half of it: for them, that is the
    /// time for a `PING`, which the next tick sends.
    pub(super) fn set_timeouts(&mut self, limits: Timeouts) {
        let LiveTimeouts { limits: old, mut name_from, mut idle_from } = self.timeouts;
        let now = self.now();
        if limits.name_seconds != old.name_seconds {
            name_from = now;
        }
        if limits.idle_seconds != old.idle_seconds {
            idle_from = Uptime(now.0.saturating_sub(limits.idle_seconds / 2));
            self.all.values_mut().for_each(|session| session.is_pinged = false);
        }
        self.timeouts = LiveTimeouts { limits, name_from, idle_from };
    }

    /// Sets the time and handles the timeouts that are due. At most [`EXPIRED_PER_TURN_MAX`] idle sessions end, and as
    /// many detached members leave; if more are due, [`Sessions::has_expired`] is true and this must be called again.
    /// All sessions without a nickname that are due end at once: their end causes no `LEAVE`.
    pub(super) fn tick(&mut self, at: Timestamp, now: Uptime, out: &mut Vec<Output>) {
        if self.begin_tick(now) {
            self.submit_at(now, at, self.own_origin(), state::Action::Tick, out);
        }
        let now = self.now();
        let due = |session, state: &Session| {
            if state.lifecycle == Lifecycle::Open && state.member.is_some() && self.needs_login(session) {
                return Some(Timeout::AccountDeleted);
            }
            let is_named = state.member.is_some() || self.state.watched_room(session).is_some();
            // A client that has sent its password in time is not disconnected because others are checked first.
            state.due_timeout(now, &self.timeouts, is_named || self.awaits_password(session))
        };
        let due: Vec<_> =
            self.all.iter().filter_map(|(session, state)| Some((session, due(session, state)?))).collect();
        let mut ended = 0;
        self.has_more_idle = false;
        for (session, timeout) in due {
            match timeout {
                Timeout::Ping => self.send_ping(at, session, out),
                Timeout::Registration => {
                    self.disconnect_with_error(at, session, LeaveReason::Timeout, self.registration_error(), out);
                }
                Timeout::AccountDeleted => {
                    self.disconnect_with_error(at, session, LeaveReason::Displaced, account_deleted(), out);
                }
                Timeout::Idle if ended == EXPIRED_PER_TURN_MAX => self.has_more_idle = true,
                Timeout::Idle => {
                    ended += 1;
                    self.disconnect_with_error(
                        at,
                        session,
                        LeaveReason::Timeout,
                        self.timeouts.limits.idle_error(),
                        out,
                    );
                }
            }
        }
    }

    fn send_ping(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.all.get_mut(session) else { return };
        let Ok(token) = Token::new(IDLE) else { return };
        state.is_pinged = true;
        out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), Event::Ping(token)).into()));
    }
}

impl Session {
    /// Compares with `>` because times are whole seconds: so no timeout is due too early. A session that watches a room needs no
    /// nickname.
    fn due_timeout(&self, now: Uptime, timeouts: &LiveTimeouts, is_named: bool) -> Option<Timeout> {
        let Timeouts { name_seconds, idle_seconds } = timeouts.limits;
        if self.lifecycle != Lifecycle::Open {
            return None;
        }
        let silent = now.seconds_since(self.last_line_at.max(timeouts.idle_from));
        let nameless = now.seconds_since(self.connected_at.max(timeouts.name_from));
        if name_seconds > 0 && !is_named && nameless > name_seconds {
            return Some(Timeout::Registration);
        }
        if idle_seconds > 0 && silent > idle_seconds {
            return Some(Timeout::Idle);
        }
        (idle_seconds > 0 && !self.is_pinged && silent > idle_seconds / 2).then_some(Timeout::Ping)
    }
}

impl Sessions {
    fn registration_error(&self) -> Refusal {
        let what = format!("you did not take a name within {} s", self.timeouts.limits.name_seconds);
        let refusal = Refusal::new(None, ErrorCode::NameTimeout, what).with_hint(Hint::ReconnectAndJoin);
        if self.features.accounts_only { refusal.for_accounts_only() } else { refusal }
    }
}

fn account_deleted() -> Refusal {
    let what = "your account was deleted, and this server is for accounts only";
    Refusal::new(None, ErrorCode::LoginRequired, what).with_hint(Hint::AskOperator)
}

impl Timeouts {
    fn idle_error(self) -> Refusal {
        let what = format!("you sent no line for {} s", self.idle_seconds);
        Refusal::new(None, ErrorCode::IdleTimeout, what).with_hint(Hint::ReconnectAndPong)
    }
}
