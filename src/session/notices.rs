//! The events `NOTICE` that are about no room: the message of the day, the answer to telnet's AYT, and the end of the server.

use super::{Output, SessionId, Sessions, private_tag};
use crate::command::ServerLine;
use crate::protocol::{Event, Motd, Text, Timestamp};

/// The answer to telnet's AYT.
const PRESENCE: &str = "yes, the server is here";

/// The text of the last event, when the server shuts down.
const SHUTDOWN_NOTICE: &str = "the server is shutting down";

impl Sessions {
    /// Sets the message of the day.
    #[must_use]
    pub fn with_motd(self, motd: Motd) -> Self {
        Self { motd, ..self }
    }

    /// Sends the message of the day, after the greeting or, on a server with a password, once the session has given it: the text may be for
    /// its users only.
    pub(super) fn send_motd(&self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.all.get(session).filter(|_| !self.needs_password(session)) else { return };
        let line = |text: &Text| ServerLine::Event(private_tag(state, at), Event::Notice(text.clone()));
        out.extend(self.motd.lines().iter().map(|text| Output::SendAfterAll(session, line(text))));
    }

    pub(super) fn show_presence(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        self.record_activity(session);
        let Some(state) = self.all.get(session) else { return };
        let notice = Event::Notice(Text::truncated(PRESENCE));
        out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), notice).into()));
    }
}

pub(super) fn shutdown_notice() -> Event {
    Event::Notice(Text::truncated(SHUTDOWN_NOTICE))
}
