//! Who is here and what happened: a deterministic state machine with one entrance, [`Room::apply`].
//!
//! Pure: time and session numbers come in with the input, what is to be delivered goes out as [`Output`]s, in order. The
//! same inputs in the same order give the same outputs on any machine. How outputs reach anybody is for
//! [`crate::feed`] and [`crate::server`].
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod by_session;
mod canvas;
mod commands;
mod history;
mod kept;
mod names;
mod resume;
mod timeouts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

pub use self::by_session::BySession;
pub use self::canvas::Canvas;
pub use self::history::History;
pub use self::kept::{Keep, Kept};
use self::names::Names;
use self::resume::Resumption;
pub use self::timeouts::{Timeouts, Uptime};
use crate::limits::ERRORS_IN_A_ROW_MAX;
use crate::protocol::{
    Closing, Command, Dialect, Drawing, Drawn, Ending, ErrorCode, Event, EventId, Foreign, LeaveReason, Mode, Name,
    Past, Refusal, Reply, Secret, ServerLine, Setting, Tag, Text, Timestamp, Token, User,
};

/// A connection's number, given once in the life of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// Whom inputs come from that are about everybody.
    pub const SERVER: Self = Self(0);
}

/// Something that happened outside, for the room to take note of.
#[derive(Clone, Debug)]
pub struct Input {
    /// When.
    pub at: Timestamp,
    /// Whom it comes from. Inputs from a session that is not connected, or no longer, change nothing.
    pub session: SessionId,
    /// What it is.
    pub action: Action,
}

/// What an [`Input`] tells.
#[derive(Clone, Debug)]
pub enum Action {
    /// A peer connected, from this address.
    Connect(SocketAddr),
    /// How the peer ends its lines.
    Ending(Ending),
    /// It sent a blank line: a sign of life, and no more.
    Blank,
    /// The client sent telnet's AYT: it asks for a visible sign that the server is there.
    AreYouThere,
    /// It sent a command.
    Command(Command),
    /// It sent `SET resume on`; this is for its token, and was never in any other.
    Resumable(Secret),
    /// It sent a line that is no command; this is the answer.
    Refuse(Refusal),
    /// It speaks another protocol.
    Foreign(Foreign),
    /// It missed events, and gets them again from here on.
    CaughtUp,
    /// It sends no more, but is still to get its replies. A [`Action::Gone`] follows when it has them.
    EndOfInput,
    /// It is gone.
    Gone(LeaveReason),
    /// This message of the session's is stored. Its id is above every other's. The session may be gone by now.
    Stored(Past),
    /// The session's message under this nickname could not be stored, for this reason. The session may be gone by now.
    NotStored(Name, Arc<str>),
    /// All up to this id are not kept any more; comes from [`SessionId::SERVER`].
    Forget(EventId),
    /// Time since the server started; comes from [`SessionId::SERVER`], about once a second, and again with the same time while
    /// [`Room::expired_wait`].
    Tick(Uptime),
    /// The server stops; comes from [`SessionId::SERVER`].
    Shutdown,
}

/// A command about messages that are not all in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryQuery {
    /// `HISTORY`: the last messages, this many.
    Last(u64),
    /// `SINCE`: the messages with greater ids.
    Since(EventId),
    /// `SEARCH`: the messages with all these words, the newest first.
    Words(Text),
}

/// Something to be done for somebody, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A line for one session alone, at this place in the order.
    Tell(SessionId, ServerLine),
    /// The same for a list of those here, a line for each. For `WHO` it is one list for all who ask, until it changes.
    List(SessionId, Arc<[User]>),
    /// The same for past messages: those with these numbers in the room's history as it is now.
    Replay(SessionId, Range<u64>),
    /// The same for what is drawn: the strokes with these numbers on the room's canvas as it is now.
    Canvas(SessionId, Range<u64>),
    /// The session says this to everybody, once it is stored; a [`Action::Stored`] or [`Action::NotStored`] follows.
    Store(SessionId, Name, Text),
    /// The session's command is answered from the store, from messages up to this id.
    QueryStore(SessionId, HistoryQuery, EventId),
    /// An event for everybody who follows.
    Publish {
        /// Its place in the order, unless it is drawn: those who do not draw are to miss no id.
        id: Option<EventId>,
        /// When it happened.
        at: Timestamp,
        /// Whose event it is.
        session: SessionId,
        /// What it is.
        event: Event,
        /// What they get in its place, unless it is nothing they did, or they want it echoed.
        own: Option<Reply>,
    },
    /// From here on the session is spoken to in this dialect.
    Speak(SessionId, Dialect),
    /// From here on the session gets the events published.
    Follow(SessionId),
    /// From here on the session's lines are read in this mode.
    Read(SessionId, Mode),
    /// The session gets nothing after what it got so far, for this reason.
    Close(SessionId, Closing),
    /// The session's connection is done with. Its name is held, and so is its place among the connections there may be, up
    /// to the release.
    Hold(SessionId),
    /// The room has forgotten the session; always the last output for it.
    Release(SessionId),
}

/// The room. There is one, and one task owns it.
#[derive(Debug, Default)]
pub struct Room {
    timeouts: Timeouts,
    /// The time as of the last [`Action::Tick`].
    now: Uptime,
    /// Whether more members timed out at that time than leave in one turn.
    expired_wait: bool,
    sessions: BySession<Session>,
    /// Whose name is whose. A session is in here exactly if `Session::member` is set.
    names: Names,
    /// The named sessions in the order in which they joined; the first is the coordinator.
    members: BTreeMap<Seniority, SessionId>,
    /// Which session has what can be taken back, by the number in the token. A session is in here exactly if
    /// `Session::resumption` is set.
    resumable: BTreeMap<SessionId, SessionId>,
    /// What `WHO` lists; none after a change, until somebody asks.
    roster: Option<Arc<[User]>>,
    /// The id of the newest event.
    last_event: EventId,
    /// The first and the last of the ids that messages have which are being stored: no other event gets one of them.
    being_stored: Option<(EventId, EventId)>,
    /// What the ids belong to; none is told if there is none.
    epoch: Option<Token>,
    history: History,
    canvas: Canvas,
    /// Messages are stored before they are published.
    stores: bool,
    joins: Seniority,
    /// The server stops: whoever still comes is sent away.
    stopped: bool,
}

/// The how-manieth to join.
type Seniority = u64;

#[derive(Debug)]
struct Session {
    address: SocketAddr,
    dialect: Dialect,
    echo: bool,
    mode: Mode,
    /// It sends no more, and gets no more either.
    ended: bool,
    connected_at: Uptime,
    last_line_at: Uptime,
    /// Lines up to the last that were no commands at all, or tokens of nobody. `errors < ERRORS_IN_A_ROW_MAX`
    errors: u32,
    /// It was asked for a sign of life since its last line.
    asked: bool,
    member: Option<Member>,
    resumption: Option<Box<Resumption>>,
}

#[derive(Debug)]
struct Member {
    name: Name,
    seniority: Seniority,
    joined_at: Uptime,
    /// Number of the session's messages under this nickname that are being stored.
    unpublished: u32,
}

/// What the greeting says after the version.
const GREETING: &str = "type NICK and your name to join, HELP for help";

/// The answer to telnet's AYT.
const PRESENCE: &str = "yes, the server is here";

/// What everybody reads at the end.
const FAREWELL: &str = "the server is shutting down";

impl Room {
    /// An empty room in which nobody has longer than this.
    pub fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, ..Self::default() }
    }

    /// The same room, with this epoch.
    #[must_use]
    pub fn with_epoch(self, epoch: Token) -> Self {
        Self { epoch: Some(epoch), ..self }
    }

    /// The same room, which keeps this history.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// The same room, which keeps this canvas.
    #[must_use]
    pub fn with_canvas(self, canvas: Canvas) -> Self {
        Self { canvas, ..self }
    }

    /// The same room, with a store that goes on from this id. Its history has to hold the store's last messages.
    #[must_use]
    pub fn with_store(self, last_event: EventId) -> Self {
        Self { last_event, stores: true, ..self }
    }

    /// Takes note of an input and appends to `out` what is to be done about it, in order.
    pub fn apply(&mut self, input: Input, out: &mut Vec<Output>) {
        let Input { at, session, action } = input;
        match action {
            Action::Connect(address) => self.connect(session, address, out),
            Action::Stored(past) => self.say(session, past, out),
            Action::NotStored(name, why) => self.not_stored(session, &name, &why, out),
            Action::Forget(id) => self.history.forget(id),
            Action::Tick(now) => self.tick(at, now, out),
            Action::Shutdown => self.shutdown(at, out),
            _ if self.sessions.get(session).is_none_or(Session::is_away) => {}
            Action::Ending(ending) => self.speak(session, out, |dialect| dialect.ending = ending),
            Action::Blank => self.touch(session),
            Action::AreYouThere => self.show_presence(at, session, out),
            Action::Command(command) => self.carry_out(at, session, command, None, out),
            Action::Resumable(secret) => {
                self.carry_out(at, session, Command::Set(Setting::Resume, true), Some(secret), out);
            }
            Action::Refuse(refusal) => self.refuse(at, session, refusal, out),
            Action::Foreign(foreign) => self.dismiss(at, session, LeaveReason::Errors, foreign.into(), out),
            Action::CaughtUp => self.caught_up(at, session, out),
            Action::EndOfInput => self.end_input(session, out),
            Action::Gone(reason) => self.leave(at, session, reason, None, out),
        }
    }

    /// Those who are here, in the order in which they joined.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.members.values().filter_map(|&session| self.name(session))
    }

    /// The name of a session, if it has one.
    pub fn name(&self, session: SessionId) -> Option<&Name> {
        Some(&self.sessions.get(session)?.member.as_ref()?.name)
    }

    /// Messages are being stored under the ids from the first up to the last of these, if any are: an event that happens before
    /// they are said gets none of them, or there would be two things with one id in the file when the server is killed.
    pub fn reserve(&mut self, ids: Option<(EventId, EventId)>) {
        self.being_stored = ids;
    }

    /// The id of the newest event.
    pub fn last_event(&self) -> EventId {
        self.last_event
    }

    /// What was said, as far as it is kept.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What is drawn, as far as it is kept.
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// The time as of the last [`Action::Tick`].
    pub fn now(&self) -> Uptime {
        self.now
    }

    /// How many are connected, named or not.
    pub fn connected(&self) -> usize {
        self.sessions.iter().filter(|(_, state)| !state.is_away()).count()
    }

    fn connect(&mut self, session: SessionId, address: SocketAddr, out: &mut Vec<Output>) {
        if self.stopped {
            let farewell = ServerLine::Event(None, farewell());
            let close = Output::Close(session, Closing::Stopping);
            out.extend([Output::Tell(session, farewell), close, Output::Release(session)]);
            return;
        }
        let state = Session {
            address,
            dialect: Dialect::default(),
            echo: false,
            mode: Mode::default(),
            ended: false,
            connected_at: self.now,
            last_line_at: self.now,
            errors: 0,
            asked: false,
            member: None,
            resumption: None,
        };
        let before = self.sessions.insert(session, state);
        assert!(before.is_none(), "session numbers are given once");
        out.push(Output::Tell(session, ServerLine::Hello(self.epoch.clone(), Text::ours(GREETING))));
    }

    fn shutdown(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        self.stopped = true;
        if !self.members.is_empty() {
            self.publish(at, SessionId::SERVER, farewell(), None, out);
        }
        for (session, state) in std::mem::take(&mut self.sessions).iter() {
            if state.member.is_none() {
                out.push(Output::Tell(session, ServerLine::Event(private_tag(state, at), farewell())));
            }
            out.extend([Output::Close(session, Closing::Stopping), Output::Release(session)]);
        }
        self.names = Names::default();
        self.members.clear();
        self.resumable.clear();
        self.roster = None;
    }

    fn show_presence(&mut self, at: Timestamp, session: SessionId, out: &mut Vec<Output>) {
        self.touch(session);
        let Some(state) = self.sessions.get(session) else { return };
        let notice = Event::Notice(Text::ours(PRESENCE));
        out.push(Output::Tell(session, ServerLine::Event(private_tag(state, at), notice)));
    }

    /// Answers a line that cannot be carried out. After too many that were no commands at all the session is not one who
    /// types, and after too many tokens of nobody it is one who guesses.
    fn refuse(&mut self, at: Timestamp, session: SessionId, refusal: Refusal, out: &mut Vec<Output>) {
        self.touch(session);
        let Some(state) = self.sessions.get_mut(session) else { return };
        let is_error = refusal.verb.is_none() || refusal.code == ErrorCode::TokenUnknown;
        state.errors = if is_error { state.errors + 1 } else { 0 };
        let too_many = state.errors == ERRORS_IN_A_ROW_MAX;
        out.push(Output::Tell(session, ServerLine::Err(refusal)));
        if too_many {
            let why = format!("{ERRORS_IN_A_ROW_MAX} lines in a row were of no use; connect again, and write: HELP");
            let why = Refusal::new(None, ErrorCode::TooManyErrors, why);
            self.dismiss(at, session, LeaveReason::Errors, why, out);
        }
    }

    /// Sends a session away, and says why.
    fn dismiss(&mut self, at: Timestamp, session: SessionId, reason: LeaveReason, why: Refusal, out: &mut Vec<Output>) {
        out.push(Output::Tell(session, ServerLine::Err(why)));
        self.leave(at, session, reason, None, out);
    }

    fn end_input(&mut self, session: SessionId, out: &mut Vec<Output>) {
        if let Some(state) = self.sessions.get_mut(session) {
            state.ended = true;
        }
        out.push(Output::Close(session, Closing::Left(LeaveReason::Eof)));
    }

    fn leave(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        if !self.hold(session, reason, out) {
            self.forget(at, session, reason, text, out);
        }
    }

    fn forget(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        let state = self.sessions.remove(session);
        out.extend([Output::Close(session, Closing::Left(reason)), Output::Release(session)]);
        let Some(state) = state else { return };
        self.forget_token(&state);
        let Some(member) = state.member else { return };
        let was_coordinator = self.coordinator() == Some(session);
        self.names.remove(&member.name, session, member.unpublished);
        self.members.remove(&member.seniority);
        self.roster = None;
        self.publish(at, session, Event::Leave(member.name, reason, text), None, out);
        if was_coordinator {
            self.announce_coordinator(at, out);
        }
    }

    fn coordinator(&self) -> Option<SessionId> {
        self.members.values().next().copied()
    }

    fn announce_coordinator(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        if let Some(session) = self.coordinator()
            && let Some(name) = self.name(session).cloned()
        {
            self.publish(at, session, Event::Coordinator(name), None, out);
        }
    }

    fn publish(&mut self, at: Timestamp, session: SessionId, event: Event, own: Option<Reply>, out: &mut Vec<Output>) {
        let id = match &event {
            Event::Draw(name, drawing) => {
                self.draw(name, drawing);
                None
            }
            _ => Some(self.give_id()),
        };
        if let (Event::Msg(name, text), Some(id)) = (&event, id) {
            self.history.push(Past { id, at, name: name.clone(), text: text.clone() });
        }
        out.push(Output::Publish { id, at, session, event, own });
    }

    fn give_id(&mut self) -> EventId {
        let next = self.last_event.next();
        self.last_event = match self.being_stored {
            Some((first, last)) if (first..=last).contains(&next) => last.next(),
            _ => next,
        };
        self.last_event
    }

    fn draw(&mut self, name: &Name, drawing: &Drawing) {
        match drawing {
            Drawing::Clear => self.canvas.clear(),
            Drawing::Stroke(stroke) => {
                self.canvas.push(Drawn { name: name.clone(), stroke: stroke.clone() });
            }
        }
    }

    fn speak(&mut self, session: SessionId, out: &mut Vec<Output>, change: impl FnOnce(&mut Dialect)) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        change(&mut state.dialect);
        out.push(Output::Speak(session, state.dialect));
    }

    /// The session gave a sign of life.
    fn touch(&mut self, session: SessionId) {
        if let Some(state) = self.sessions.get_mut(session) {
            state.last_line_at = self.now;
            state.asked = false;
        }
    }
}

fn farewell() -> Event {
    Event::Notice(Text::ours(FAREWELL))
}

/// The tag of an event that one session alone gets, if it wants tags.
fn private_tag(state: &Session, at: Timestamp) -> Option<Tag> {
    state.dialect.tags.then_some(Tag { id: None, at })
}

#[cfg(test)]
mod tests;
