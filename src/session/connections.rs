//! The beginning and the end of sessions.

use super::notices::shutdown_notice;
use super::shared_log::not_joined;
use super::{Lifecycle, Output, Session, SessionId, Sessions, private_tag};
use crate::command::{Features, Refusal, ServerLine, banned_refusal};
use crate::protocol::{CloseReason, Dialect, LeaveReason, Mode, Peer, Text, Timestamp};
use crate::state::{self, Action, RoomId};

impl Sessions {
    /// Ends and removes a session.
    pub(super) fn remove_session(&mut self, session: SessionId, closing: CloseReason, out: &mut Vec<Output>) {
        if let Some(member) = self.all.remove(session).and_then(|state| state.member) {
            self.resumed.remove(&member);
        }
        self.forget_lines(session);
        out.extend([Output::Close(session, closing), Output::Remove(session)]);
    }

    pub(super) fn connect(&mut self, at: Timestamp, session: SessionId, peer: Peer, out: &mut Vec<Output>) {
        if self.stopped {
            let farewell = ServerLine::Event(None, shutdown_notice());
            let close = Output::Close(session, CloseReason::Stopping);
            out.extend([Output::Send(session, None, farewell.into()), close, Output::Remove(session)]);
            return;
        }
        if !self.accepts_session(session) {
            return refuse_connection(session, not_joined(), LeaveReason::Lost, out);
        }
        let network = self.network_of(peer.address);
        if let Some(notice) = network.and_then(|network| self.state.ban_of_network(network, at)) {
            return refuse_connection(session, banned_refusal(&notice), LeaveReason::Banned, out);
        }
        let now = self.state.now();
        let state = Session {
            address: peer.address,
            is_secure: peer.is_secure,
            has_given_password: false,
            dialect: Dialect::default(),
            echo: false,
            mode: Mode::default(),
            lifecycle: Lifecycle::Open,
            connected_at: now,
            last_line_at: now,
            errors: 0,
            is_pinged: false,
            member: None,
            rare: None,
            is_leaving: false,
        };
        let before = self.all.insert(session, state);
        assert!(before.is_none(), "session numbers are given once");
        let epoch = self.state.room(RoomId::LOBBY).and_then(state::Room::epoch).cloned();
        let features = Features { secure: peer.is_secure, ..self.features };
        let hello = ServerLine::Hello(epoch, features, Text::truncated(self.greeting(peer.is_secure)));
        out.push(Output::Send(session, None, hello.into()));
        self.send_motd(at, session, out);
    }

    pub(super) fn shutdown(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        self.stopped = true;
        // The notice is about no room, so each session gets it as a line of its own.
        for (session, state) in std::mem::take(&mut self.all).iter() {
            let notice = ServerLine::Event(private_tag(state, at), shutdown_notice());
            let close = Output::Close(session, CloseReason::Stopping);
            out.extend([Output::SendAfterAll(session, notice), close, Output::Remove(session)]);
        }
        self.submit(at, self.own_origin(), Action::Stop, out);
        self.resumed.clear();
        self.forget_all_lines();
    }

    /// Sends a session the reason why it ends, as its last line, and ends it.
    pub(super) fn disconnect_with_error(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        why: Refusal,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::SendAfterAll(session, ServerLine::Err(why)));
        self.leave(at, session, reason, None, out);
    }

    pub(super) fn end_input(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        if let Some(state) = self.all.get_mut(session) {
            state.lifecycle.close(CloseReason::Left(LeaveReason::Eof));
        }
        if let Some(origin) = self.origin(session) {
            self.submit(at, origin, Action::EndOfInput, out);
        }
        out.push(Output::Close(session, CloseReason::Left(LeaveReason::Eof)));
    }

    /// Ends a session. With a shared log, its connection is closed at once, and the session ends when the member has lost it.
    pub(super) fn leave(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        if self.sequencer.has_shared_log() && !self.begin_leaving(at, session, reason, text.as_ref(), out) {
            return;
        }
        self.finish_leaving(at, session, reason, text, out);
    }

    pub(super) fn finish_leaving(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        let Some(origin) = self.origin(session) else {
            if self.state.watched_room(session).is_some() {
                self.submit(at, self.any_origin(session), Action::Unwatch, out);
            }
            return self.remove_session(session, CloseReason::Left(reason), out);
        };
        // After `QUIT`, and after too many invalid lines, the client does not come back. Any other end may be a broken connection.
        let action = match reason {
            LeaveReason::Quit | LeaveReason::Errors => Action::Leave(reason, text),
            _ => Action::Detach(reason),
        };
        self.submit(at, origin, action, out);
    }
}

/// Closes a new connection with this line.
fn refuse_connection(session: SessionId, why: Refusal, reason: LeaveReason, out: &mut Vec<Output>) {
    let close = Output::Close(session, CloseReason::Left(reason));
    out.extend([Output::Send(session, None, ServerLine::Err(why).into()), close, Output::Remove(session)]);
}
