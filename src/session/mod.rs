//! One state machine for all sessions ([`Sessions`]), which turns the lines of connections into changes of the
//! [`SharedState`].
//!
//! Pure. The caller passes each [`Input`] to [`Sessions::apply`], which runs the command and appends [`Output`]s. The
//! caller delivers them in order, before the next input. When a connection ends, its member may remain; the session
//! then stays, Closed, until the member leaves or is resumed.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account_outputs;
mod buckets;
mod command_run;
mod former_rooms;
mod greeting;
mod input;
mod lifecycle;
mod line_room;
mod live_options;
mod login_limits;
mod login_queue;
mod logins;
mod moderation_outputs;
mod notices;
mod output;
mod password;
mod password_job;
mod refused_line;
mod room_creation;
mod state_outputs;
mod timeouts;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::input::{Input, InputKind};
pub use self::lifecycle::Lifecycle;
use self::line_room::RareState;
pub use self::live_options::LiveOptions;
pub use self::logins::AccountPolicy;
use self::logins::Logins;
use self::notices::shutdown_notice;
pub use self::output::{AccountEvent, MembershipChange, NetworkBan, Output, OwnLine};
use self::password::WrongPasswords;
pub use self::password::{PasswordCheck, PasswordPolicy};
pub use self::password_job::{PasswordJob, PasswordOutcome, PasswordResult, PasswordWork};
use self::refused_line::{without_login, without_password};
use self::room_creation::RoomCreations;
pub(crate) use self::room_creation::counted_address;
use self::timeouts::LiveTimeouts;
pub use self::timeouts::Timeouts;
use crate::command::{Features, Hint, Refusal, RoomLine, ServerLine, banned_refusal};
use crate::limits::{ERRORS_IN_A_ROW_MAX, WRONG_PASSWORDS_MAX};
use crate::protocol::{
    CloseReason, Dialect, ErrorCode, LeaveReason, Mode, Motd, Name, Network, Peer, PeerAddress, RoomName, Tag, Text,
    Timestamp, User,
};
use crate::sequencer::{Change, MemorySequencer, Sequencer};
use crate::state::{self, DenseMap, MemberId, Origin, RoomId, SessionId, SharedState, StateOutput, Uptime};

/// A value for each session.
pub type BySession<T> = DenseMap<SessionId, T>;

/// All sessions, and the state that they share.
#[derive(Debug)]
pub struct Sessions {
    state: SharedState,
    timeouts: LiveTimeouts,
    all: BySession<Session>,
    /// The sessions of members that were resumed. For any other member, the session has the member's number.
    resumed: BTreeMap<MemberId, SessionId>,
    /// The last replies to `WHO`, each with its room and the version of its roster; the newest is the last.
    rosters: Vec<(RoomId, u64, Arc<[User]>)>,
    /// More sessions have timed out than may end in one turn.
    has_more_idle: bool,
    /// The optional parts of the protocol; `secure` differs between sessions. With a store, `search` is on, and messages that are not in memory can be read from it.
    features: Features,
    /// The server has a listener for lines over TLS, which hints name.
    has_tls: bool,
    motd: Motd,
    /// The networks of trusted proxies: they cannot be banned.
    proxies: Vec<Network>,
    room_creations: RoomCreations,
    /// The password that sessions must give; `None`: none.
    password: Option<PasswordPolicy>,
    wrong_passwords: WrongPasswords,
    /// `None`: the server has no accounts.
    logins: Option<Box<Logins>>,
    sequencer: Box<dyn Sequencer>,
    /// The line in progress.
    line: Option<PendingLine>,
    /// The server is shutting down and refuses new connections.
    stopped: bool,
    /// An empty buffer, kept for its capacity.
    outputs: Vec<StateOutput>,
}

/// A line in progress.
#[derive(Debug)]
struct PendingLine {
    session: SessionId,
    /// Whether the line has its final reply. False until the state has applied the change that the command submitted.
    is_answered: bool,
}

/// State of one connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Session {
    address: PeerAddress,
    /// Nobody on the way can read the connection, as far as the server knows.
    is_secure: bool,
    /// The session has given the password of the server.
    has_given_password: bool,
    dialect: Dialect,
    echo: bool,
    mode: Mode,
    lifecycle: Lifecycle,
    connected_at: Uptime,
    last_line_at: Uptime,
    /// Number of lines in a row, up to the last one, that had no known verb or an unknown token. A wrong password counts as several
    /// of them. `errors < ERRORS_IN_A_ROW_MAX`
    errors: u32,
    /// The server has sent a `PING` since the session's last line.
    is_pinged: bool,
    /// The member of the session, once it has a nickname.
    member: Option<MemberId>,
    /// Boxed, because most sessions have none of it.
    rare: Option<Box<RareState>>,
}

impl Session {
    fn is_closed(&self) -> bool {
        self.lifecycle.is_closed()
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(SharedState::default(), Timeouts::default())
    }
}

impl Sessions {
    /// Creates the sessions of this state: there are none yet.
    pub fn new(state: SharedState, timeouts: Timeouts) -> Self {
        Self {
            state,
            timeouts: LiveTimeouts::new(timeouts),
            all: BySession::default(),
            resumed: BTreeMap::new(),
            rosters: Vec::new(),
            has_more_idle: false,
            features: Features { rooms: true, watch: true, ..Features::default() },
            has_tls: false,
            motd: Motd::default(),
            proxies: Vec::new(),
            room_creations: RoomCreations::default(),
            password: None,
            wrong_passwords: WrongPasswords::default(),
            logins: None,
            sequencer: Box::new(MemorySequencer::default()),
            line: None,
            stopped: false,
            outputs: Vec::new(),
        }
    }

    /// Sets the store's sequencer.
    #[must_use]
    pub fn with_store(self, sequencer: Box<dyn Sequencer>) -> Self {
        let features = Features { search: true, ..self.features };
        Self { features, sequencer, ..self }
    }

    /// Lets only sessions with a nickname read.
    #[must_use]
    pub fn without_watch(self) -> Self {
        let features = Features { watch: false, ..self.features };
        Self { features, ..self }
    }

    /// Lets hints name the listener for lines over TLS.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { has_tls: true, ..self }
    }

    /// Sets the networks of the trusted proxies.
    #[must_use]
    pub fn with_proxies(self, proxies: Vec<Network>) -> Self {
        Self { proxies, ..self }
    }

    /// Lets clients create rooms as fast as they want.
    #[must_use]
    pub fn with_unlimited_creation(self) -> Self {
        Self { room_creations: RoomCreations::unlimited(), ..self }
    }

    /// Processes an input, and appends the outputs to `out`, in order.
    pub fn apply(&mut self, input: Input, out: &mut Vec<Output>) {
        let session = input.session;
        let is_line = input.kind.is_line();
        self.line = is_line.then_some(PendingLine { session, is_answered: true });
        self.process(input, out);
        if self.line.take().is_some_and(|line| line.is_answered) {
            out.push(Output::Answered(session));
        }
    }

    fn process(&mut self, input: Input, out: &mut Vec<Output>) {
        let Input { at, session, kind } = input;
        match kind {
            InputKind::Connect(peer) => self.connect(at, session, peer, out),
            InputKind::Tick(now) => self.tick(at, now, out),
            InputKind::Shutdown => self.shutdown(at, out),
            InputKind::PasswordProcessed(result) => self.process_password(at, result, out),
            InputKind::Moderate(moderation) => self.moderate(at, moderation, out),
            InputKind::ChangeAccount(update) => self.change_account(at, update, out),
            InputKind::Configure(options) => self.configure(at, *options, out),
            _ if self.all.get(session).is_none_or(Session::is_closed) => {}
            InputKind::Ending(ending) => self.set_dialect(session, out, |dialect| dialect.ending = ending),
            InputKind::Blank => self.record_activity(session),
            InputKind::AreYouThere => self.show_presence(at, session, out),
            InputKind::Command(command) => self.run_command(at, session, None, command, None, out),
            InputKind::CommandIn(room, command) => self.run_command(at, session, Some(room), command, None, out),
            InputKind::CommandWithSecret(command, secret) => {
                self.run_command(at, session, None, command, Some(secret), out);
            }
            InputKind::Refuse(refusal) => self.refuse_line(at, session, None, refusal, out),
            InputKind::RefuseIn(room, refusal) => self.refuse_line(at, session, Some(room), refusal, out),
            InputKind::OtherProtocol(protocol) => {
                self.disconnect_with_error(at, session, LeaveReason::Errors, protocol.into(), out);
            }
            InputKind::CaughtUp(room) => self.send_roster(at, session, room, out),
            InputKind::EndOfInput => self.end_input(at, session, out),
            InputKind::Disconnected(reason) => self.leave(at, session, reason, None, out),
        }
    }

    /// The members and the rooms.
    pub fn state(&self) -> &SharedState {
        &self.state
    }

    /// Replaces the state with an equal one: for tests of snapshots.
    pub fn replace_state(&mut self, state: SharedState) {
        (self.state, self.rosters) = (state, Vec::new());
    }

    /// The sequencer of the changes.
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
        self.state.name(self.member(session)?)
    }

    /// The nicknames of all members, by the members' numbers.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.state.names()
    }

    /// Number of connected sessions, with or without a nickname.
    pub fn connected_count(&self) -> usize {
        self.all.iter().filter(|(_, state)| !state.is_closed()).count()
    }

    /// Number of connected sessions without a nickname.
    pub fn unnamed_count(&self) -> usize {
        self.all.iter().filter(|(_, state)| !state.is_closed() && state.member.is_none()).count()
    }

    /// Number of members without a connection.
    pub fn detached_count(&self) -> usize {
        self.all.iter().filter(|(_, state)| state.is_closed()).count()
    }

    /// Steady time as of the last [`InputKind::Tick`].
    pub fn now(&self) -> Uptime {
        self.state.now()
    }

    /// Whether sessions or members that timed out have not ended yet. The next [`InputKind::Tick`], with the same time or a later one,
    /// continues.
    pub fn has_expired(&self) -> bool {
        self.has_more_idle || self.state.has_expired()
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
    fn submit(&mut self, at: Timestamp, origin: Origin, action: state::Action, out: &mut Vec<Output>) {
        self.submit_at(self.state.now(), at, origin, action, out);
    }

    fn submit_at(
        &mut self,
        uptime: Uptime,
        at: Timestamp,
        origin: Origin,
        action: state::Action,
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
        self.state.apply(entry, &mut outputs);
        for output in outputs.drain(..) {
            self.translate_output(at, output, out);
        }
        self.outputs = outputs;
        true
    }

    /// Ends a turn: the sequencer passes the submitted changes to the store.
    pub fn end_turn(&mut self) {
        self.sequencer.end_turn(&self.state);
    }

    /// Records that the state has answered a line of the origin.
    fn record_answer(&mut self, origin: Origin, out: &mut Vec<Output>) {
        match &mut self.line {
            Some(line) if line.session == origin.session => line.is_answered = true,
            _ => out.push(Output::Answered(origin.session)),
        }
    }

    /// Ends and removes a session.
    fn remove_session(&mut self, session: SessionId, closing: CloseReason, out: &mut Vec<Output>) {
        if let Some(member) = self.all.remove(session).and_then(|state| state.member) {
            self.resumed.remove(&member);
        }
        out.extend([Output::Close(session, closing), Output::Remove(session)]);
    }

    fn connect(&mut self, at: Timestamp, session: SessionId, peer: Peer, out: &mut Vec<Output>) {
        if self.stopped {
            let farewell = ServerLine::Event(None, shutdown_notice());
            let close = Output::Close(session, CloseReason::Stopping);
            out.extend([Output::Send(session, None, farewell.into()), close, Output::Remove(session)]);
            return;
        }
        let network = self.network_of(peer.address);
        if let Some(notice) = network.and_then(|network| self.state.ban_of_network(network, at)) {
            let refusal = ServerLine::Err(banned_refusal(&notice));
            let close = Output::Close(session, CloseReason::Left(LeaveReason::Banned));
            out.extend([Output::Send(session, None, refusal.into()), close, Output::Remove(session)]);
            return;
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
        };
        let before = self.all.insert(session, state);
        assert!(before.is_none(), "session numbers are given once");
        let epoch = self.state.room(RoomId::LOBBY).and_then(state::Room::epoch).cloned();
        let features = Features { secure: peer.is_secure, ..self.features };
        let hello = ServerLine::Hello(epoch, features, Text::truncated(self.greeting(peer.is_secure)));
        out.push(Output::Send(session, None, hello.into()));
        self.send_motd(at, session, out);
    }

    fn shutdown(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        self.stopped = true;
        // The notice is about no room, so each session gets it as a line of its own.
        for (session, state) in std::mem::take(&mut self.all).iter() {
            let notice = ServerLine::Event(private_tag(state, at), shutdown_notice());
            let close = Output::Close(session, CloseReason::Stopping);
            out.extend([Output::SendAfterAll(session, notice), close, Output::Remove(session)]);
        }
        self.submit(at, Origin::SERVER, state::Action::Stop, out);
        self.resumed.clear();
    }

    /// Refuses a line that no command was parsed from.
    fn refuse_line(
        &mut self,
        at: Timestamp,
        session: SessionId,
        named: Option<RoomName>,
        refusal: Refusal,
        out: &mut Vec<Output>,
    ) {
        self.record_activity(session);
        let refusal = if self.needs_password(session) {
            without_password(refusal)
        } else if self.needs_login(session) {
            without_login(refusal)
        } else {
            refusal
        };
        let names_room = named.is_some();
        let room = self.room_of_refusal(session, named, &refusal);
        let refusal = refusal.with_hint_in(names_room.then(|| self.room_of_hint(session, &room)).flatten());
        self.refuse(at, session, room.id, room.prefix, refusal, out);
    }

    /// Refuses a line about this room. Ends the session after too many lines in a row that had no known verb, an unknown token or a wrong
    /// password, because clients must not guess.
    fn refuse(
        &mut self,
        at: Timestamp,
        session: SessionId,
        room: Option<RoomId>,
        prefix: Option<RoomName>,
        refusal: Refusal,
        out: &mut Vec<Output>,
    ) {
        let refusal = if self.needs_login(session) { refusal.for_accounts_only() } else { refusal };
        let Some(state) = self.all.get_mut(session) else { return };
        let errors = match refusal.code {
            ErrorCode::PasswordWrong | ErrorCode::TooManyAttempts => ERRORS_IN_A_ROW_MAX / WRONG_PASSWORDS_MAX,
            ErrorCode::TokenUnknown => 1,
            _ => u32::from(refusal.verb.is_none()),
        };
        state.errors = if errors > 0 { state.errors + errors } else { 0 };
        let too_many = state.errors >= ERRORS_IN_A_ROW_MAX;
        out.push(Output::Send(session, room, RoomLine { room: prefix, line: ServerLine::Err(refusal) }));
        if too_many {
            let what = if errors > 1 {
                "too many wrong passwords in a row".to_owned()
            } else {
                format!("{ERRORS_IN_A_ROW_MAX} invalid lines in a row")
            };
            let why = Refusal::new(None, ErrorCode::TooManyErrors, what).with_hint(Hint::ReconnectAndHelp);
            self.disconnect_with_error(at, session, LeaveReason::Errors, why, out);
        }
    }

    /// Sends a session the reason why it ends, as its last line, and ends it.
    fn disconnect_with_error(
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

    fn end_input(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        if let Some(state) = self.all.get_mut(session) {
            state.lifecycle.close(CloseReason::Left(LeaveReason::Eof));
        }
        if let Some(origin) = self.origin(session) {
            self.submit(at, origin, state::Action::EndOfInput, out);
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
            if self.state.watched_room(session).is_some() {
                self.submit(at, self.any_origin(session), state::Action::Unwatch, out);
            }
            return self.remove_session(session, CloseReason::Left(reason), out);
        };
        // After `QUIT`, and after too many invalid lines, the client does not come back. Any other end may be a broken connection.
        let action = match reason {
            LeaveReason::Quit | LeaveReason::Errors => state::Action::Leave(reason, text),
            _ => state::Action::Detach(reason),
        };
        self.submit(at, origin, action, out);
    }

    /// The origin of a session's entries, if the session has a member.
    fn origin(&self, session: SessionId) -> Option<Origin> {
        self.member(session)?;
        Some(self.any_origin(session))
    }

    /// The origin of a session's entries. Without a member, it is the member that the session would register.
    fn any_origin(&self, session: SessionId) -> Origin {
        let member = self.member(session).unwrap_or(MemberId(session.0));
        let address = self.all.get(session).map(|state| state.address);
        Origin { session, member, network: address.and_then(|address| self.network_of(address)) }
    }

    /// The network by which a client at this address can be banned. `None`: the client is on the server's machine, or the address is that of
    /// a trusted proxy, behind which there are others.
    fn network_of(&self, address: PeerAddress) -> Option<Network> {
        let PeerAddress::Ip(address) = address else { return None };
        Network::of_client(address.ip()).filter(|network| !self.is_proxy(*network))
    }

    /// Whether the network has addresses of a trusted proxy.
    pub(crate) fn is_proxy(&self, network: Network) -> bool {
        self.proxies.iter().any(|proxy| proxy.overlaps(network))
    }

    fn set_dialect(&mut self, session: SessionId, out: &mut Vec<Output>, change: impl FnOnce(&mut Dialect)) {
        let Some(state) = self.all.get_mut(session) else { return };
        change(&mut state.dialect);
        out.push(Output::SetDialect(session, state.dialect));
    }

    /// Records that the session's client is alive.
    fn record_activity(&mut self, session: SessionId) {
        let now = self.state.now();
        if let Some(state) = self.all.get_mut(session) {
            state.last_line_at = now;
            state.is_pinged = false;
        }
    }
}

/// The tag of an event that is sent to this session only, if the session wants tags.
fn private_tag(state: &Session, at: Timestamp) -> Option<Tag> {
    state.dialect.tags.then_some(Tag { id: None, at })
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod audit_tests;
#[cfg(test)]
mod chat_tests;
#[cfg(test)]
mod deletion_tests;
#[cfg(test)]
mod live_options_tests;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
mod login_limit_tests;
#[cfg(test)]
mod login_tests;
#[cfg(test)]
mod moderation_tests;
#[cfg(test)]
mod password_tests;
#[cfg(test)]
mod reservation_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod sanction_tests;
#[cfg(test)]
mod tests;
