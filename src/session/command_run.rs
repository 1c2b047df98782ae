//! Runs the commands of sessions: implements [`Context`] for the session that sent the command.

use std::ops::Range;
use std::sync::Arc;

use super::{Output, Session, SessionId, Sessions, private_tag};
use crate::command::{Command, ConnectionInfo, Context, HistoryQuery, ServerLine, list_members};
use crate::protocol::{Dialect, Event, LeaveReason, Mode, Name, Secret, Text, Timestamp, User};
use crate::room::{Action, MemberId, Origin, Room, RoomId, Verifier};

/// A command that is being run.
struct CommandRun<'a> {
    sessions: &'a mut Sessions,
    at: Timestamp,
    session: SessionId,
    secret: Option<Secret>,
    out: &'a mut Vec<Output>,
    /// The command has submitted a change to the room, whose result is the reply.
    has_submitted: bool,
}

impl Sessions {
    pub(super) fn run_command(
        &mut self,
        at: Timestamp,
        session: SessionId,
        command: Command,
        secret: Option<Secret>,
        out: &mut Vec<Output>,
    ) {
        self.record_activity(session);
        let mut run = CommandRun { sessions: self, at, session, secret, out, has_submitted: false };
        match command.run(&mut run) {
            Err(refusal) => self.refuse(at, session, refusal, out),
            Ok(()) if run.has_submitted => {}
            Ok(()) => {
                if let Some(state) = self.all.get_mut(session) {
                    state.errors = 0;
                }
            }
        }
    }

    /// Sends the member list to a session that missed joins and leaves.
    pub(super) fn send_roster(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.all.get(session).filter(|state| state.member.is_some()) else { return };
        let tag = private_tag(state, at);
        let members = self.list_members();
        out.push(Output::Send(session, None, ServerLine::Event(tag, Event::Roster(members.len()))));
        out.push(Output::SendUsers(session, RoomId::LOBBY, members));
    }

    /// The member list. Until the members change, all replies share it.
    fn list_members(&mut self) -> Arc<[User]> {
        let version = self.room.roster_version();
        let kept = self.roster.take().filter(|(of, _)| *of == version);
        let (_, roster) = kept.unwrap_or_else(|| (version, list_members(&self.room, |_| None)));
        self.roster = Some((version, Arc::clone(&roster)));
        roster
    }
}

impl CommandRun<'_> {
    fn state(&self) -> Option<&Session> {
        self.sessions.all.get(self.session)
    }

    fn state_mut(&mut self) -> Option<&mut Session> {
        self.sessions.all.get_mut(self.session)
    }

    fn origin(&self) -> Origin {
        Origin { session: self.session, member: self.member() }
    }
}

impl Context for CommandRun<'_> {
    fn time(&self) -> Timestamp {
        self.at
    }

    fn room(&self) -> &Room {
        &self.sessions.room
    }

    fn has_store(&self) -> bool {
        self.sessions.has_store
    }

    fn member(&self) -> MemberId {
        self.sessions.member(self.session).unwrap_or(MemberId(self.session.0))
    }

    fn nickname(&self) -> Option<&Name> {
        self.sessions.name(self.session)
    }

    fn members(&mut self) -> Arc<[User]> {
        self.sessions.list_members()
    }

    fn connection_of(&self, member: MemberId) -> Option<ConnectionInfo> {
        let Session { address, last_line_at, .. } = self.sessions.all.get(self.sessions.session_of(member)?)?;
        Some(ConnectionInfo { address: *address, last_line_at: *last_line_at })
    }

    fn secret(&self) -> Option<Secret> {
        self.secret
    }

    fn mode(&self) -> Mode {
        self.state().map_or(Mode::default(), |state| state.mode)
    }

    fn set_mode(&mut self, mode: Mode) {
        if let Some(state) = self.state_mut() {
            state.mode = mode;
        }
        self.out.push(Output::SetMode(self.session, mode));
    }

    fn dialect(&self) -> Dialect {
        self.state().map_or(Dialect::default(), |state| state.dialect)
    }

    fn set_dialect(&mut self, dialect: Dialect) {
        self.sessions.set_dialect(self.session, self.out, |current| *current = dialect);
    }

    fn set_echo(&mut self, echo: bool) {
        if let Some(state) = self.state_mut() {
            state.echo = echo;
        }
    }

    fn verifier(&self) -> Option<Verifier> {
        self.state()?.verifier.as_deref().copied()
    }

    fn set_verifier(&mut self, verifier: Option<Verifier>) {
        if self.sessions.member(self.session).is_some() {
            // Unlike `Context::submit`: the command itself replies, and the room does not.
            self.sessions.submit(self.at, self.origin(), Action::SetVerifier(verifier), self.out);
        } else if let Some(state) = self.state_mut() {
            state.verifier = verifier.map(Box::new);
        }
    }

    fn submit(&mut self, action: Action) {
        if let Some(line) = &mut self.sessions.line {
            line.is_answered = false;
        }
        self.has_submitted = true;
        self.sessions.submit(self.at, self.origin(), action, self.out);
    }

    fn quit(&mut self, reason: Option<Text>) {
        self.sessions.leave(self.at, self.session, LeaveReason::Quit, reason, self.out);
    }

    fn send(&mut self, line: ServerLine) {
        self.out.push(Output::Send(self.session, None, line));
    }

    fn send_users(&mut self, users: Arc<[User]>) {
        self.out.push(Output::SendUsers(self.session, RoomId::LOBBY, users));
    }

    fn send_messages(&mut self, numbers: Range<u64>) {
        self.out.push(Output::SendMessages(self.session, RoomId::LOBBY, numbers));
    }

    fn send_strokes(&mut self, numbers: Range<u64>) {
        self.out.push(Output::SendStrokes(self.session, RoomId::LOBBY, numbers));
    }

    fn query_store(&mut self, query: HistoryQuery) {
        self.out.push(Output::QueryStore(self.session, RoomId::LOBBY, query, self.sessions.room.last_id()));
    }
}
