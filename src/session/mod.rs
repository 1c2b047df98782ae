//! One state machine for all sessions ([`Sessions`]), which turns the lines of connections into changes of the
//! [`Room`].
//!
//! Pure. The caller passes each [`Input`] to [`Sessions::apply`], which runs the command and appends [`Output`]s. The
//! caller delivers them in order, before the next input. When a connection ends, its member may remain; the session
//! then stays, Closed, until the member leaves or is resumed.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod command_run;
mod input;
mod lifecycle;
mod output;
mod timeouts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

pub use self::input::{Input, InputKind};
pub use self::lifecycle::Lifecycle;
pub use self::output::Output;
pub use self::timeouts::Timeouts;
use crate::command::{EmptyReply, Hint, Refusal, Reply, ServerLine};
use crate::limits::ERRORS_IN_A_ROW_MAX;
use crate::protocol::{
    CloseReason, Dialect, ErrorCode, Event, LeaveReason, MessageId, Mode, Name, Tag, Text, Timestamp, User,
};
use crate::room::{self, DenseMap, MemberId, Origin, Room, RoomId, RoomOutput, SessionId, Uptime, Verifier};
use crate::sequencer::{Change, MemorySequencer, Sequencer};

/// A value for each session.
pub type BySession<T> = DenseMap<SessionId, T>;

/// All sessions, and the room that they share.
#[derive(Debug)]
pub struct Sessions {
    room: Room,
    timeouts: Timeouts,
    all: BySession<Session>,
    /// The sessions of members that were resumed. For any other member, the session has the member's number.
    resumed: BTreeMap<MemberId, SessionId>,
    /// The last reply to `WHO`, with the version of the roster.
    roster: Option<(u64, Arc<[User]>)>,
    /// More sessions have timed out than may end in one turn.
    has_more_idle: bool,
    /// Messages that are not in memory can be read from a store.
    has_store: bool,
    sequencer: Box<dyn Sequencer>,
    /// The line in progress.
    line: Option<PendingLine>,
    /// The server is shutting down and refuses new connections.
    stopped: bool,
    /// An empty buffer, kept for its capacity.
    outputs: Vec<RoomOutput>,
}

/// A line in progress.
#[derive(Debug)]
struct PendingLine {
    session: SessionId,
    /// Whether the line has its final reply. False until the room has applied the change that the command submitted.
    is_answered: bool,
}

/// State of one connection.
#[derive(Debug)]
struct Session {
    address: SocketAddr,
    dialect: Dialect,
    echo: bool,
    mode: Mode,
    lifecycle: Lifecycle,
    connected_at: Uptime,
    last_line_at: Uptime,
    /// Number of lines in a row, up to the last one, that had no known verb or an unknown token. `errors < ERRORS_IN_A_ROW_MAX`
    errors: u32,
    /// The server has sent a `PING` since the session's last line.
    is_pinged: bool,
    /// The member of the session, once it has a nickname.
    member: Option<MemberId>,
    /// The verifier of the resume token that was requested before the session took a nickname.
    verifier: Option<Box<Verifier>>,
}

impl Session {
    fn is_closed(&self) -> bool {
        self.lifecycle.is_closed()
    }
}

/// The text of the greeting.
const GREETING: &str = "type NICK and your name to join, HELP for help";

/// The answer to telnet's AYT.
const PRESENCE: &str = "yes, the server is here";

/// The text of the last event, when the server shuts down.
const SHUTDOWN_NOTICE: &str = "the server is shutting down";

impl Default for Sessions {
    fn default() -> Self {
        Self::new(Room::default(), Timeouts::default())
    }
}

impl Sessions {
    /// Creates the state without sessions, with this room.
    pub fn new(room: Room, timeouts: Timeouts) -> Self {
        Self {
            room,
            timeouts,
            all: BySession::default(),
            resumed: BTreeMap::new(),
            roster: None,
            has_more_idle: false,
            has_store: false,
            sequencer: Box::new(MemorySequencer::default()),
            line: None,
            stopped: false,
            outputs: Vec::new(),
        }
    }

    /// Sets the store's sequencer.
    #[must_use]
    pub fn with_store(self, sequencer: Box<dyn Sequencer>) -> Self {
        Self { has_store: true, sequencer, ..self }
    }

    /// Processes an input, and appends the outputs to `out`, in order.
    pub fn apply(&mut self, input: Input, out: &mut Vec<Output>) {
        let session = input.session;
        let is_line = matches!(
            input.kind,
            InputKind::Blank
                | InputKind::AreYouThere
                | InputKind::Command(_)
                | InputKind::CommandWithSecret(..)
                | InputKind::Refuse(_)
        );
        self.line = is_line.then_some(PendingLine { session, is_answered: true });
        self.process(input, out);
        if self.line.take().is_some_and(|line| line.is_answered) {
            out.push(Output::Answered(session));
        }
    }

    fn process(&mut self, input: Input, out: &mut Vec<Output>) {
        let Input { at, session, kind } = input;
        match kind {
            InputKind::Connect(address) => self.connect(session, address, out),
            InputKind::Tick(now) => self.tick(at, now, out),
            InputKind::Shutdown => self.shutdown(at, out),
            _ if self.all.get(session).is_none_or(Session::is_closed) => {}
            InputKind::Ending(ending) => self.set_dialect(session, out, |dialect| dialect.ending = ending),
            InputKind::Blank => self.record_activity(session),
            InputKind::AreYouThere => self.show_presence(at, session, out),
            InputKind::Command(command) => self.run_command(at, session, command, None, out),
            InputKind::CommandWithSecret(command, secret) => self.run_command(at, session, command, Some(secret), out),
            InputKind::Refuse(refusal) => self.refuse(at, session, refusal, out),
            InputKind::OtherProtocol(protocol) => {
                self.disconnect_with_error(at, session, LeaveReason::Errors, protocol.into(), out);
            }
            InputKind::CaughtUp => self.send_roster(at, session, out),
            InputKind::EndOfInput => self.end_input(at, session, out),
            InputKind::Disconnected(reason) => self.leave(at, session, reason, None, out),
        }
    }

    /// The room.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Replaces the room with another one in the same state: for tests of snapshots.
    pub fn replace_room(&mut self, room: Room) {
        (self.room, self.roster) = (room, None);
    }

    /// The sequencer of the room's changes.
    pub fn sequencer(&self) -> &dyn Sequencer {
        &*self.sequencer
    }

    /// The sequencer, mutable.
    pub fn sequencer_mut(&mut self) -> &mut dyn Sequencer {
        &mut *self.sequencer
    }

    /// Takes the sequencer out so that it can be closed, and puts a [`MemorySequencer`] in its place.
    pub fn take_sequencer(&mut self) -> Box<dyn Sequencer> {
        std::mem::replace(&mut self.sequencer, Box::new(MemorySequencer::default()))
    }

    /// The member of a session, even after its connection has ended.
    pub fn member(&self, session: SessionId) -> Option<MemberId> {
        self.all.get(session)?.member
    }

    /// The nickname of a session's member.
    pub fn name(&self, session: SessionId) -> Option<&Name> {
        self.room.name(self.member(session)?)
    }

    /// The nicknames of all members, in the order in which they registered.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.room.members().map(|(_, member)| member.name())
    }

    /// The first session of this session's member, if it is another one: this session has resumed the member.
    pub fn resumed_session(&self, session: SessionId) -> Option<SessionId> {
        let first = SessionId(self.member(session)?.0);
        (first != session).then_some(first)
    }

    /// Number of connected sessions, with or without a nickname.
    pub fn connected_count(&self) -> usize {
        self.all.iter().filter(|(_, state)| !state.is_closed()).count()
    }

    /// Steady time as of the last [`InputKind::Tick`].
    pub fn now(&self) -> Uptime {
        self.room.now()
    }

    /// Whether sessions or members that timed out have not ended yet. The next [`InputKind::Tick`], with the same time or a later one,
    /// continues.
    pub fn has_expired(&self) -> bool {
        self.has_more_idle || self.room.has_expired()
    }

    /// Whether the session waits, without a connection, until its member is resumed or leaves.
    pub fn is_detached(&self, session: SessionId) -> bool {
        self.all.get(session).is_some_and(Session::is_closed)
    }

    /// The session of a member, with or without a connection.
    fn session_of(&self, member: MemberId) -> Option<SessionId> {
        let session = self.resumed.get(&member).copied().unwrap_or(SessionId(member.0));
        (self.member(session) == Some(member)).then_some(session)
    }

    /// Submits a change, and applies the entries that are ready.
    fn submit(&mut self, at: Timestamp, origin: Origin, action: room::Action, out: &mut Vec<Output>) {
        self.submit_at(self.room.now(), at, origin, action, out);
    }

    fn submit_at(
        &mut self,
        uptime: Uptime,
        at: Timestamp,
        origin: Origin,
        action: room::Action,
        out: &mut Vec<Output>,
    ) {
        self.sequencer.submit(Change { at, uptime, origin, action });
        while self.advance(out) {}
    }

    /// Applies the next entry, if there is one. Returns whether there was.
    pub fn advance(&mut self, out: &mut Vec<Output>) -> bool {
        let Some(entry) = self.sequencer.next() else { return false };
        let at = entry.at;
        let mut outputs = std::mem::take(&mut self.outputs);
        self.room.apply(entry, &mut outputs);
        for output in outputs.drain(..) {
            self.translate_output(at, output, out);
        }
        self.outputs = outputs;
        true
    }

    /// Ends a turn: the sequencer passes the submitted changes to the store.
    pub fn end_turn(&mut self) {
        self.sequencer.end_turn(self.room.last_id());
    }

    /// Records that the room has answered a line of the origin.
    fn record_answer(&mut self, origin: Origin, out: &mut Vec<Output>) {
        match &mut self.line {
            Some(line) if line.session == origin.session => line.is_answered = true,
            _ => out.push(Output::Answered(origin.session)),
        }
    }

    /// Translates an output of the room into outputs for sessions.
    fn translate_output(&mut self, at: Timestamp, output: RoomOutput, out: &mut Vec<Output>) {
        match output {
            RoomOutput::Event { id, at, origin, event } => {
                self.publish(id, at, origin, event, out);
                if let Some(origin) = origin {
                    self.record_answer(origin, out);
                }
            }
            RoomOutput::Whispered { origin, from, to, text } => {
                self.deliver_whisper(at, origin, &from, to, &text, out);
                self.record_answer(origin, out);
            }
            RoomOutput::Resumed { origin, member, name } => {
                self.resume_member(origin.session, member, name, out);
                self.record_answer(origin, out);
            }
            RoomOutput::Detached(member, reason) => {
                let Some(session) = self.session_of(member) else { return };
                if let Some(state) = self.all.get_mut(session) {
                    state.lifecycle.close(CloseReason::Left(reason));
                    state.lifecycle.end();
                }
                out.extend([Output::Close(session, CloseReason::Left(reason)), Output::Detach(session)]);
            }
            RoomOutput::Left { member, name, reason, text, at } => {
                let session = self.session_of(member);
                if let Some(session) = session {
                    self.remove_session(session, CloseReason::Left(reason), out);
                }
                let (session, event) = (session.unwrap_or(SessionId::SERVER), Event::Leave(name, reason, text));
                out.push(Output::Publish { room: RoomId::LOBBY, id: None, at, session, event, own: None });
            }
            RoomOutput::Rejected(origin, rejection) => {
                if self.all.get(origin.session).is_some_and(|state| !state.is_closed()) {
                    self.refuse(at, origin.session, rejection.into(), out);
                }
                self.record_answer(origin, out);
            }
        }
    }

    /// Publishes an event. The session whose command caused it gets the reply in place of the event or, with `SET echo on`, after it.
    fn publish(
        &mut self,
        id: Option<MessageId>,
        at: Timestamp,
        origin: Option<Origin>,
        event: Event,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = origin.map(|origin| origin.session) else {
            return out.push(Output::Publish {
                room: RoomId::LOBBY,
                id,
                at,
                session: SessionId::SERVER,
                event,
                own: None,
            });
        };
        let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) else {
            return out.push(Output::Publish { room: RoomId::LOBBY, id, at, session, event, own: None });
        };
        let echo = state.echo;
        let reply = match &event {
            Event::Join(name) | Event::Rename { to: name, .. } => Some(Reply::Nick(name.clone())),
            Event::Msg(..) => id.map(Reply::Msg),
            Event::Draw(..) => Some(Reply::Draw(EmptyReply)),
            _ => None,
        };
        if reply.is_some() {
            state.errors = 0;
        }
        if matches!(event, Event::Join(_)) {
            state.member = Some(MemberId(session.0));
            out.extend(echo.then_some(Output::Follow(session, RoomId::LOBBY, true)));
            out.push(Output::Publish { room: RoomId::LOBBY, id, at, session, event, own: None });
            out.extend(reply.map(|reply| Output::Send(session, None, ServerLine::Ok(reply))));
            out.extend((!echo).then_some(Output::Follow(session, RoomId::LOBBY, true)));
            return;
        }
        let own = reply.clone().filter(|_| !echo);
        out.push(Output::Publish { room: RoomId::LOBBY, id, at, session, event, own });
        out.extend(reply.filter(|_| echo).map(|reply| Output::Send(session, None, ServerLine::Ok(reply))));
    }

    fn deliver_whisper(
        &mut self,
        at: Timestamp,
        origin: Origin,
        from: &Name,
        to: Vec<(MemberId, Name)>,
        text: &Text,
        out: &mut Vec<Output>,
    ) {
        let mut names = Vec::with_capacity(to.len());
        for (member, name) in to {
            names.push(name);
            let Some(session) = self.session_of(member) else { continue };
            let Some(state) = self.all.get(session) else { continue };
            let event = Event::Whisper(from.clone(), text.clone());
            out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), event)));
        }
        if let Some(state) = self.all.get_mut(origin.session).filter(|state| !state.is_closed()) {
            state.errors = 0;
            out.push(Output::Send(origin.session, None, ServerLine::Ok(Reply::Whisper(names))));
        }
    }

    /// Resumes a member on this session. The member's previous session ends.
    fn resume_member(&mut self, session: SessionId, member: MemberId, name: Name, out: &mut Vec<Output>) {
        if let Some(before) = self.session_of(member) {
            if self.all.get(before).is_some_and(|state| !state.is_closed()) {
                let what = "another connection resumed this session with its token";
                let why = Refusal::new(None, ErrorCode::Resumed, what).with_hint(Hint::ReplaceToken);
                out.push(Output::Send(before, None, ServerLine::Err(why)));
            }
            self.remove_session(before, CloseReason::Resumed, out);
        }
        let Some(state) = self.all.get_mut(session) else { return };
        (state.member, state.verifier, state.errors) = (Some(member), None, 0);
        self.resumed.insert(member, session);
        out.extend([
            Output::Send(session, None, ServerLine::Ok(Reply::Resume(name))),
            Output::Follow(session, RoomId::LOBBY, true),
        ]);
    }

    /// Ends and removes a session.
    fn remove_session(&mut self, session: SessionId, closing: CloseReason, out: &mut Vec<Output>) {
        if let Some(member) = self.all.remove(session).and_then(|state| state.member) {
            self.resumed.remove(&member);
        }
        out.extend([Output::Close(session, closing), Output::Remove(session)]);
    }

    fn connect(&mut self, session: SessionId, address: SocketAddr, out: &mut Vec<Output>) {
        if self.stopped {
            let farewell = ServerLine::Event(None, shutdown_notice());
            let close = Output::Close(session, CloseReason::Stopping);
            out.extend([Output::Send(session, None, farewell), close, Output::Remove(session)]);
            return;
        }
        let now = self.room.now();
        let state = Session {
            address,
            dialect: Dialect::default(),
            echo: false,
            mode: Mode::default(),
            lifecycle: Lifecycle::Open,
            connected_at: now,
            last_line_at: now,
            errors: 0,
            is_pinged: false,
            member: None,
            verifier: None,
        };
        let before = self.all.insert(session, state);
        assert!(before.is_none(), "session numbers are given once");
        out.push(Output::Send(session, None, ServerLine::Hello(self.room.epoch().cloned(), Text::truncated(GREETING))));
    }

    fn shutdown(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        self.stopped = true;
        if self.room.coordinator().is_some() {
            out.push(Output::Publish {
                room: RoomId::LOBBY,
                id: None,
                at,
                session: SessionId::SERVER,
                event: shutdown_notice(),
                own: None,
            });
        }
        self.submit(at, Origin::SERVER, room::Action::Stop, out);
        for (session, state) in std::mem::take(&mut self.all).iter() {
            if state.member.is_none() {
                out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), shutdown_notice())));
            }
            out.extend([Output::Close(session, CloseReason::Stopping), Output::Remove(session)]);
        }
        self.resumed.clear();
    }

    fn show_presence(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        self.record_activity(session);
        let Some(state) = self.all.get(session) else { return };
        let notice = Event::Notice(Text::truncated(PRESENCE));
        out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), notice)));
    }

    /// Refuses a line. Ends the session after too many lines in a row that had no known verb or an unknown token, because clients must
    /// not guess tokens.
    fn refuse(&mut self, at: Timestamp, session: SessionId, refusal: Refusal, out: &mut Vec<Output>) {
        self.record_activity(session);
        let Some(state) = self.all.get_mut(session) else { return };
        let is_error = refusal.verb.is_none() || refusal.code == ErrorCode::TokenUnknown;
        state.errors = if is_error { state.errors + 1 } else { 0 };
        let too_many = state.errors == ERRORS_IN_A_ROW_MAX;
        out.push(Output::Send(session, None, ServerLine::Err(refusal)));
        if too_many {
            let what = format!("{ERRORS_IN_A_ROW_MAX} invalid lines in a row");
            let why = Refusal::new(None, ErrorCode::TooManyErrors, what).with_hint(Hint::ReconnectAndHelp);
            self.disconnect_with_error(at, session, LeaveReason::Errors, why, out);
        }
    }

    /// Sends a session the reason why it ends, and ends it.
    fn disconnect_with_error(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        why: Refusal,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Send(session, None, ServerLine::Err(why)));
        self.leave(at, session, reason, None, out);
    }

    fn end_input(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        if let Some(state) = self.all.get_mut(session) {
            state.lifecycle.close(CloseReason::Left(LeaveReason::Eof));
        }
        if let Some(origin) = self.origin(session) {
            self.submit(at, origin, room::Action::EndOfInput, out);
        }
        out.push(Output::Close(session, CloseReason::Left(LeaveReason::Eof)));
    }

    fn leave(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        let Some(origin) = self.origin(session) else {
            return self.remove_session(session, CloseReason::Left(reason), out);
        };
        // After `QUIT`, and after too many invalid lines, the client does not come back. Any other end may be a broken connection.
        let action = match reason {
            LeaveReason::Quit | LeaveReason::Errors => room::Action::Leave(reason, text),
            _ => room::Action::Detach(reason),
        };
        self.submit(at, origin, action, out);
    }

    /// The origin of a session's entries, if the session has a member.
    fn origin(&self, session: SessionId) -> Option<Origin> {
        Some(Origin { session, member: self.member(session)? })
    }

    fn set_dialect(&mut self, session: SessionId, out: &mut Vec<Output>, change: impl FnOnce(&mut Dialect)) {
        let Some(state) = self.all.get_mut(session) else { return };
        change(&mut state.dialect);
        out.push(Output::SetDialect(session, state.dialect));
    }

    /// Records that the session's client is alive.
    fn record_activity(&mut self, session: SessionId) {
        let now = self.room.now();
        if let Some(state) = self.all.get_mut(session) {
            state.last_line_at = now;
            state.is_pinged = false;
        }
    }
}

fn shutdown_notice() -> Event {
    Event::Notice(Text::truncated(SHUTDOWN_NOTICE))
}

/// The tag of an event that is sent to this session only, if the session wants tags.
fn private_tag(state: &Session, at: Timestamp) -> Option<Tag> {
    state.dialect.tags.then_some(Tag { id: None, at })
}

#[cfg(test)]
mod reservation_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;
