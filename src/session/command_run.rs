//! Runs the commands of sessions: implements [`Context`] for the session that sent the command.

use std::ops::Range;
use std::sync::Arc;

use super::line_room::LineRoom;
use super::shared_log::{PipelinedKind, command_kind};
use super::{Output, Session, SessionId, Sessions, private_tag};
use crate::command::{
    Command, ConnectionInfo, Context, HistoryQuery, PasswordAttempt, PasswordNotChecked, PasswordRequest, Reply,
    RoomLine, ServerLine, SetReply, Setting, list_members,
};
use crate::limits::ROSTERS_KEPT_MAX;
use crate::protocol::{
    AccessToken, AccountId, AccountTokenId, Dialect, Event, LeaveReason, Mode, Name, Network, Password, ResumeToken,
    RoomName, Secret, Text, Timestamp, User, Verifier,
};
use crate::state::{Action, LoginProof, MemberId, Origin, Rank, Room, RoomId, SharedState};

/// A command that is being run.
struct CommandRun<'a> {
    sessions: &'a mut Sessions,
    at: Timestamp,
    session: SessionId,
    secret: Option<Secret>,
    room: LineRoom,
    /// The line itself names a room.
    names_room: bool,
    /// The kind of the command, if others of the same kind may follow it at once.
    kind: Option<PipelinedKind>,
    out: &'a mut Vec<Output>,
    /// The command has submitted a change of the state, or a password, whose result is the reply.
    has_submitted: bool,
}

impl Sessions {
    pub(super) fn run_command(
        &mut self,
        at: Timestamp,
        session: SessionId,
        named: Option<RoomName>,
        command: Command,
        secret: Option<Secret>,
        out: &mut Vec<Output>,
    ) {
        self.record_activity(session);
        let (names_room, has_shared_log) = (named.is_some(), self.sequencer.has_shared_log());
        let kind = if has_shared_log { command_kind(&command, named.as_ref()) } else { None };
        let held_room = if has_shared_log { named.clone() } else { None };
        let room = self.room_of_line(session, named, command.verb());
        let mut run =
            CommandRun { sessions: self, at, session, secret, room, names_room, kind, out, has_submitted: false };
        match command.run(&mut run) {
            Err(refusal) => {
                let held = run.sessions.hold_refusal(at, session, held_room.as_ref(), refusal);
                let Some(refusal) = held else { return };
                let refusal = refusal.with_hint_in(run.hint_room());
                let LineRoom { id, prefix, .. } = run.room;
                self.refuse(at, session, id, prefix, refusal, out);
            }
            Ok(()) if run.has_submitted => {}
            Ok(()) => {
                if let Some(state) = self.all.get_mut(session) {
                    state.errors = 0;
                }
            }
        }
    }

    /// Sends the member list of a room to a session that missed joins and leaves in it.
    pub(super) fn send_roster(&mut self, at: Timestamp, session: SessionId, room: RoomId, out: &mut Vec<Output>) {
        let Some(name) = self.state.room(room).map(|room| room.name().clone()) else { return };
        let Some(state) = self.all.get(session).filter(|_| self.own_rooms(session).contains(&room)) else { return };
        let (tag, prefix) = (private_tag(state, at), self.prefix(session, room, &name));
        let members = self.list_members(room);
        let line = ServerLine::Event(tag, Event::Roster(members.len()));
        out.push(Output::Send(session, Some(room), RoomLine { room: prefix, line }));
        out.push(Output::SendUsers(session, room, members));
    }

    /// The member list of a room. Until the members change, all replies share it.
    fn list_members(&mut self, room: RoomId) -> Arc<[User]> {
        let version = self.state.room(room).map_or(0, Room::roster_version);
        if let Some(index) = self.rosters.iter().position(|(of, ..)| *of == room) {
            let kept = self.rosters.remove(index);
            if kept.1 == version {
                let roster = Arc::clone(&kept.2);
                self.rosters.push(kept);
                return roster;
            }
        }
        let roster = list_members(&self.state, room, |_| None);
        if self.rosters.len() == ROSTERS_KEPT_MAX {
            self.rosters.remove(0);
        }
        self.rosters.push((room, version, Arc::clone(&roster)));
        roster
    }
}

impl CommandRun<'_> {
    fn session(&self) -> Option<&Session> {
        self.sessions.all.get(self.session)
    }

    fn session_mut(&mut self) -> Option<&mut Session> {
        self.sessions.all.get_mut(self.session)
    }

    fn hint_room(&self) -> Option<RoomName> {
        self.names_room.then(|| self.sessions.room_of_hint(self.session, &self.room)).flatten()
    }

    /// The reply follows from another input or entry.
    fn await_answer(&mut self) {
        if let Some(line) = &mut self.sessions.line {
            line.is_answered = false;
        }
        self.has_submitted = true;
        self.sessions.record_unanswered(self.session, self.kind.take());
    }

    fn origin(&self) -> Origin {
        self.sessions.any_origin(self.session)
    }
}

impl Context for CommandRun<'_> {
    fn time(&self) -> Timestamp {
        self.at
    }

    fn state(&self) -> &SharedState {
        &self.sessions.state
    }

    fn room(&self) -> Option<RoomId> {
        self.room.id
    }

    fn room_name(&self) -> Option<RoomName> {
        self.room.named.clone().or_else(|| self.sessions.home_name(self.session))
    }

    fn names_room(&self) -> bool {
        self.names_room
    }

    fn is_home(&self, room: &RoomName) -> bool {
        self.sessions.is_home(self.session, room)
    }

    fn find_own_room(&self, room: &RoomName) -> Option<RoomId> {
        self.sessions.find_own_room(self.session, room)
    }

    fn own_rooms(&self) -> Vec<RoomId> {
        self.sessions.own_rooms(self.session)
    }

    fn may_have_read(&self, room: &RoomName) -> bool {
        let rare = self.session().and_then(|state| state.rare.as_ref());
        rare.is_some_and(|rare| rare.former_rooms.may_contain(room)) || self.find_own_room(room).is_some()
    }

    fn is_watching(&self) -> bool {
        self.sessions.state.watched_room(self.session).is_some()
    }

    fn has_watch(&self) -> bool {
        self.sessions.features.watch
    }

    fn has_password(&self) -> bool {
        self.sessions.password.is_some()
    }

    fn needs_password(&self) -> bool {
        self.sessions.needs_password(self.session)
    }

    fn try_password(&mut self, password: &Password) -> PasswordAttempt {
        self.sessions.try_password(self.session, password, self.out)
    }

    fn has_tls(&self) -> bool {
        self.sessions.has_tls
    }

    fn has_accounts(&self) -> bool {
        self.sessions.account_policy().is_some()
    }

    fn has_registration(&self) -> bool {
        self.sessions.account_policy().is_some_and(|policy| policy.is_registration_open)
    }

    fn accepts_account_secrets(&self) -> bool {
        let is_secure = self.session().is_some_and(|state| state.is_secure);
        self.sessions.account_policy().is_some_and(|policy| is_secure || policy.allows_insecure)
    }

    fn needs_login(&self) -> bool {
        self.sessions.needs_login(self.session)
    }

    fn account(&self) -> Option<AccountId> {
        self.sessions.account(self.session).map(|account| account.id)
    }

    fn has_fresh_login(&self) -> bool {
        self.sessions.has_fresh_login(self.session)
    }

    fn check_password(&mut self, request: PasswordRequest) -> Result<(), PasswordNotChecked> {
        self.sessions.queue_password(self.at, self.session, request, self.out)?;
        self.await_answer();
        self.sessions.begin_turns(self.at, self.out);
        Ok(())
    }

    fn log_in(&mut self, account: AccountId, token: AccountTokenId, takes_over: bool) {
        let action = self.sessions.login_action(self.session, account, LoginProof::Token(token), takes_over);
        self.submit(action);
    }

    fn expect_token(&mut self, token: AccessToken) {
        if let Some(state) = self.session_mut() {
            state.rare.get_or_insert_default().new_token = Some(token);
        }
    }

    fn spend_room_creations(&mut self, rooms: usize) -> bool {
        let Some(address) = self.session().map(|state| state.address) else { return false };
        let now = self.sessions.now();
        self.sessions.room_creations.try_spend(address, rooms, now)
    }

    fn has_store(&self) -> bool {
        self.sessions.features.search
    }

    fn member(&self) -> MemberId {
        self.sessions.member(self.session).unwrap_or(MemberId(self.session.0))
    }

    fn rank(&self, room: Option<RoomId>) -> Rank {
        self.sessions.state.rank(self.member(), room)
    }

    fn is_proxy(&self, network: Network) -> bool {
        self.sessions.is_proxy(network)
    }

    fn nickname(&self) -> Option<&Name> {
        self.sessions.name(self.session)
    }

    fn members(&mut self, room: RoomId) -> Arc<[User]> {
        self.sessions.list_members(room)
    }

    fn connection_of(&self, member: MemberId) -> Option<ConnectionInfo> {
        let Session { address, last_line_at, .. } = self.sessions.all.get(self.sessions.session_of(member)?)?;
        Some(ConnectionInfo { address: *address, last_line_at: *last_line_at })
    }

    fn secret(&self) -> Option<Secret> {
        self.secret
    }

    fn mode(&self) -> Mode {
        self.session().map_or(Mode::default(), |state| state.mode)
    }

    fn set_mode(&mut self, mode: Mode) {
        if let Some(state) = self.session_mut() {
            state.mode = mode;
        }
        self.out.push(Output::SetMode(self.session, mode));
    }

    fn set_chat_room(&mut self, room: Option<RoomName>) {
        if let Some(state) = self.session_mut()
            && (room.is_some() || state.rare.is_some())
        {
            state.rare.get_or_insert_default().chat_room = room;
        }
    }

    fn dialect(&self) -> Dialect {
        self.session().map_or(Dialect::default(), |state| state.dialect)
    }

    fn set_dialect(&mut self, dialect: Dialect) {
        self.sessions.set_dialect(self.session, self.out, |current| *current = dialect);
    }

    fn set_echo(&mut self, echo: bool) {
        if let Some(state) = self.session_mut() {
            state.echo = echo;
        }
    }

    fn verifier(&self) -> Option<Verifier> {
        self.session()?.rare.as_ref()?.verifier
    }

    fn set_resume(&mut self, token: Option<ResumeToken>) {
        let verifier = token.as_ref().map(|token| token.secret.verifier());
        if self.sessions.member(self.session).is_some() {
            if let Some(token) = token {
                self.sessions.expect_resume_token(self.session, token);
            }
            return self.submit(Action::SetVerifier(verifier));
        }
        match token {
            Some(token) => self.reply(Reply::Set(SetReply::Resumable(token))),
            None => self.reply_after_all(Reply::Set(SetReply::Set(Setting::Resume, false))),
        }
        if let Some(state) = self.session_mut() {
            state.rare.get_or_insert_default().verifier = verifier;
        }
    }

    fn submit(&mut self, action: Action) {
        self.await_answer();
        self.sessions.submit(self.at, self.origin(), action, self.out);
    }

    fn quit(&mut self, reason: Option<Text>) {
        self.sessions.leave(self.at, self.session, LeaveReason::Quit, reason, self.out);
    }

    fn send(&mut self, line: ServerLine) {
        let LineRoom { id, prefix, .. } = &self.room;
        self.out.push(Output::Send(self.session, *id, RoomLine { room: prefix.clone(), line }));
    }

    fn reply_after_all(&mut self, reply: Reply) {
        self.out.push(Output::SendAfterAll(self.session, ServerLine::Ok(reply)));
    }

    fn send_motd(&mut self) {
        self.sessions.send_motd(self.at, self.session, self.out);
    }

    fn send_users(&mut self, users: Arc<[User]>) {
        self.out.extend(self.room.id.map(|room| Output::SendUsers(self.session, room, users)));
    }

    fn send_messages(&mut self, numbers: Range<u64>) {
        self.out.extend(self.room.id.map(|room| Output::SendMessages(self.session, room, numbers)));
    }

    fn send_strokes(&mut self, numbers: Range<u64>) {
        self.out.extend(self.room.id.map(|room| Output::SendStrokes(self.session, room, numbers)));
    }

    fn query_store(&mut self, query: HistoryQuery) {
        let Some(room) = self.room.id else { return };
        let Some(until) = self.sessions.state.room(room).map(Room::last_id) else { return };
        let hint_room = self.hint_room();
        self.out.push(Output::QueryStore { session: self.session, room, query, until, hint_room });
    }
}
