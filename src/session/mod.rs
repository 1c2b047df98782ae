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
mod connections;
mod entries;
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
mod shared_log;
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
pub use self::output::{AccountEvent, MembershipChange, NetworkBan, Output, OwnLine};
use self::password::WrongPasswords;
pub use self::password::{PasswordCheck, PasswordPolicy};
pub use self::password_job::{PasswordJob, PasswordOutcome, PasswordResult, PasswordWork};
use self::refused_line::{without_login, without_password};
use self::room_creation::RoomCreations;
pub(crate) use self::room_creation::counted_address;
use self::shared_log::SharedLog;
use self::timeouts::LiveTimeouts;
pub use self::timeouts::Timeouts;
use crate::command::{Features, Hint, Refusal, RoomLine, ServerLine};
use crate::limits::{ERRORS_IN_A_ROW_MAX, WRONG_PASSWORDS_MAX};
use crate::protocol::{
    Dialect, ErrorCode, LeaveReason, Mode, Motd, Name, Network, PeerAddress, RoomName, Tag, Timestamp, User,
};
use crate::sequencer::{MemorySequencer, Sequencer};
use crate::state::{DenseMap, MemberId, Origin, RoomId, SessionId, SharedState, StateOutput, Uptime};

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
    shared_log: SharedLog,
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
    /// With a shared log: the end of the session is under way.
    is_leaving: bool,
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
            shared_log: SharedLog::default(),
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

    /// Processes an input, and appends the outputs to `out`, in order. With a shared log, it may have to wait for earlier lines.
    pub fn apply(&mut self, input: Input, out: &mut Vec<Output>) {
        if self.must_wait(&input) {
            self.enqueue(input);
        } else {
            self.apply_now(input, out);
        }
        self.run_released(out);
    }

    fn apply_now(&mut self, input: Input, out: &mut Vec<Output>) {
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
            _ if self.is_ending(session) => {}
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

    /// Steady time as of the last [`InputKind::Tick`] or, in a cluster, of the log's last entry.
    pub fn now(&self) -> Uptime {
        self.state.now()
    }

    /// Whether sessions or members that timed out have not ended yet. The next [`InputKind::Tick`], with the same time or a later one,
    /// continues.
    pub fn has_expired(&self) -> bool {
        self.has_more_idle || (self.state.has_expired() && !self.is_tick_under_way())
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

    /// Ends a turn: the sequencer passes the submitted changes to the store.
    pub fn end_turn(&mut self) {
        self.sequencer.end_turn(&self.state);
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
mod cluster_tests;
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
mod shared_log_tests;
#[cfg(test)]
mod tests;
