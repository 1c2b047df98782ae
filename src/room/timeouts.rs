//! Who has been silent, nameless or without a connection for too long. The room is told how much time has passed; what a wall clock shows, which
//! can be set back or on, closes nobody.

#[cfg(doc)]
use super::Action;
use super::{Output, Room, Session, SessionId, private_tag};
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::{ErrorCode, Event, LeaveReason, Refusal, ServerLine, Timestamp, Token};

/// Whole seconds since the server started, by a clock that only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(pub u64);

impl Uptime {
    /// Whole seconds from `earlier` to here.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long a session may do without, in seconds; 0 is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Without a name, from the moment it connected, whatever it sends.
    pub name_seconds: u64,
    /// Without a line. At half of it the session is asked for a sign of life.
    pub idle_seconds: u64,
    /// Without a connection, for one whose name can be taken back; 0 is that none can.
    pub resume_seconds: u64,
}

/// What is due for a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It has had its time to take a name.
    Nameless,
    /// It has had its time to say anything.
    Silent,
    /// It has had half of that.
    Question,
    /// It has had its time to come back, since its connection ended for this reason.
    Away(LeaveReason),
}

/// What is asked for a sign of life with.
const IDLE: &str = "idle";

impl Room {
    /// Sets the time and handles the timeouts that are due. At most [`EXPIRED_PER_TURN_MAX`] members leave; if more are due,
    /// [`Room::expired_wait`] is true and this must be called again.
    pub(super) fn tick(&mut self, at: Timestamp, now: Uptime, out: &mut Vec<Output>) {
        self.now = self.now.max(now);
        let due = |state: &Session| state.due(self.now, self.timeouts);
        let due: Vec<_> = self.sessions.iter().filter_map(|(session, state)| Some((session, due(state)?))).collect();
        let mut leaves = 0;
        self.expired_wait = false;
        for (session, due) in due {
            match due {
                Due::Question => self.ask(at, session, out),
                Due::Nameless => self.dismiss(at, session, LeaveReason::Timeout, self.timeouts.nameless(), out),
                Due::Silent | Due::Away(_) if leaves == EXPIRED_PER_TURN_MAX => self.expired_wait = true,
                Due::Away(reason) => {
                    leaves += 1;
                    self.forget(at, session, reason, None, out);
                }
                Due::Silent => {
                    leaves += 1;
                    self.dismiss(at, session, LeaveReason::Timeout, self.timeouts.silent(), out);
                }
            }
        }
    }

    /// Whether members that timed out have not left yet. The next [`Action::Tick`], with the same time or a later one, continues.
    pub fn expired_wait(&self) -> bool {
        self.expired_wait
    }

    fn ask(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        let Ok(token) = Token::new(IDLE) else { return };
        state.asked = true;
        out.push(Output::Tell(session, ServerLine::Event(private_tag(state, at), Event::Ping(token))));
    }
}

impl Session {
    /// Never too early: what began within a second counts from its begin.
    fn due(&self, now: Uptime, timeouts: Timeouts) -> Option<Due> {
        let Timeouts { name_seconds, idle_seconds, resume_seconds } = timeouts;
        if let Some((since, reason)) = self.away() {
            return (now.seconds_since(since) > resume_seconds).then_some(Due::Away(reason));
        }
        let silent = now.seconds_since(self.last_line_at);
        if self.ended {
            return None;
        }
        if name_seconds > 0 && self.member.is_none() && now.seconds_since(self.connected_at) > name_seconds {
            return Some(Due::Nameless);
        }
        if idle_seconds > 0 && silent > idle_seconds {
            return Some(Due::Silent);
        }
        (idle_seconds > 0 && !self.asked && silent > idle_seconds / 2).then_some(Due::Question)
    }
}

impl Timeouts {
    fn nameless(self) -> Refusal {
        let text = format!("you took no name within {} s; connect again and write: NICK name", self.name_seconds);
        Refusal::new(None, ErrorCode::NameTimeout, text)
    }

    fn silent(self) -> Refusal {
        let text = format!("nothing came from you for {} s; connect again, and answer PING", self.idle_seconds);
        Refusal::new(None, ErrorCode::IdleTimeout, text)
    }
}
