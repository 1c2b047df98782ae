//! The obvious server: a room of its own, and a queue of bytes for each peer. Beside it stand the rules that the room's
//! outputs keep whatever the room is made of.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::command::{Command, Reply, Resume, ServerLine, Set, SetReply, Setting, Whisper};
use chinwag::limits::CANVAS_BYTES_MAX;
use chinwag::protocol::{Dialect, ErrorCode, Event, MessageId, Mode, Name, Tag, Timestamp};
use chinwag::room::{RecentMessages, RecentStrokes, Room, SessionId};
use chinwag::session::{Input, InputKind, Output, Sessions, Timeouts};

use super::claims::Claims;
use super::history::History;
use super::rules;
use super::said::{self, Said};
use super::times::Times;

#[path = "../../common/server_line.rs"]
mod server_line;

pub(super) struct Model {
    pub(super) room: Sessions,
    streams: BTreeMap<SessionId, Stream>,
    pub(super) history: History,
    pub(super) said: Said,
    pub(super) claims: Claims,
    times: Times,
    last_id: MessageId,
    /// Number of actions.
    applied: u32,
    /// How often somebody was told of a stroke of another's.
    pub(super) shown: u32,
}

/// A room that keeps little.
pub(super) fn room(timeouts: Timeouts, resume_seconds: u64) -> Sessions {
    let canvas = RecentStrokes::new(said::STROKES_KEPT, CANVAS_BYTES_MAX);
    let room = Room::new(resume_seconds).with_history(RecentMessages::new(said::KEPT)).with_canvas(canvas);
    Sessions::new(room, timeouts)
}

/// What a peer is to read.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    dialect: Dialect,
    mode: Mode,
    follows: bool,
    echo: bool,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// Nothing more is said.
    Closed,
    /// The same, and there is no connection: its name is held.
    Held,
    /// The room has forgotten the peer.
    Released,
}

impl Model {
    pub(super) fn new(timeouts: Timeouts, resume_seconds: u64) -> Self {
        Self {
            room: room(timeouts, resume_seconds),
            streams: BTreeMap::new(),
            history: History::default(),
            said: Said::default(),
            claims: Claims::new(resume_seconds),
            times: Times::new(timeouts),
            last_id: MessageId::default(),
            applied: 0,
            shown: 0,
        }
    }

    pub(super) fn apply(&mut self, at: Timestamp, session: SessionId, action: &InputKind) {
        let named: BTreeSet<_> = self.streams.keys().copied().filter(|&reader| self.is_named(reader)).collect();
        let refusal = self.refusal(session, action);
        let is_connected = session == SessionId::SERVER || self.is_connected(session);
        let mut outputs = Vec::new();
        self.times.take(session, action);
        self.restore_now_and_then();
        self.room.apply(Input { at, session, kind: action.clone() }, &mut outputs);
        check_answered(session, action, &outputs);
        self.check_private(session, action, &outputs);
        if let Some(command) = command_of(action) {
            assert_eq!(rules::refused(session, &outputs), refusal, "{command:?} of {session:?}");
            self.set(session, &command);
        }
        if let InputKind::Disconnected(_) = action {
            let outlives = named.contains(&session) && is_connected && self.claims.outlives(session, action);
            assert_eq!(outputs.contains(&Output::Detach(session)), outlives, "{action:?} of {session:?}");
        }
        if refusal.is_none() && is_connected {
            self.claims.take(session, action);
        }
        let is_tick = matches!(action, InputKind::Tick(_));
        for output in outputs {
            match output {
                Output::Remove(session) if self.claims.forget(session, named.contains(&session), is_tick) => {}
                Output::Remove(session) => self.times.forget(session, named.contains(&session), is_tick),
                Output::Detach(session) => {
                    assert!(matches!(action, InputKind::Disconnected(_) | InputKind::Tick(_)), "held after {action:?}");
                    self.times.forget(session, true, is_tick);
                    self.claims.hold(session);
                }
                _ => {}
            }
            if let (Output::SendMessages(_, numbers), InputKind::Command(command)) = (&output, action) {
                self.said
                    .check(command, &self.room.room().history().messages().range(numbers.clone()).collect::<Vec<_>>());
            }
            if let Output::SendStrokes(_, numbers) = &output {
                self.said.check_canvas(&self.room.room().canvas().range(numbers.clone()).collect::<Vec<_>>());
            }
            self.deliver(output);
        }
        if matches!(action, InputKind::Shutdown) {
            self.history.end();
        }
        self.history.check(&self.room);
        if is_tick {
            self.times.check(|session| self.is_named(session));
            self.claims.check();
        }
    }

    /// Replaces the room by one restored from its snapshot. The hub's room is never replaced, so the comparison with it shows whether
    /// both behave alike.
    fn restore_now_and_then(&mut self) {
        self.applied = self.applied.wrapping_add(1);
        // Pseudo-random (Knuth's multiplicative hash).
        if self.applied.wrapping_mul(2_654_435_761) < u32::MAX / 8 {
            let restored = Room::restore(&self.room.room().snapshot()).expect("a snapshot can be read");
            self.room.replace_room(restored);
        }
    }

    /// Why the action is to be refused, if it is a command and there is somebody to refuse it to.
    fn refusal(&self, session: SessionId, action: &InputKind) -> Option<ErrorCode> {
        let command = command_of(action)?;
        let deaf = self.streams.iter().filter(|(_, stream)| matches!(stream.end, End::Closed | End::Held));
        let deaf: Vec<_> = deaf.filter_map(|(&session, _)| self.room.name(session)).collect();
        self.is_connected(session)
            .then(|| rules::refusal(&self.room, &self.said, &deaf, &self.claims, session, &command))?
    }

    fn set(&mut self, session: SessionId, command: &Command) {
        if let (Some(stream), &Command::Set(Set { setting: Setting::Echo, on })) =
            (self.streams.get_mut(&session), command)
        {
            stream.echo = on;
        }
    }

    fn is_named(&self, session: SessionId) -> bool {
        self.room.name(session).is_some()
    }

    /// All that the peer is to read.
    pub(super) fn stream(&self, session: SessionId) -> &[u8] {
        self.streams.get(&session).map_or(&[], |stream| &stream.bytes)
    }

    /// Whether the peer is connected as far as the room knows.
    pub(super) fn is_connected(&self, session: SessionId) -> bool {
        self.streams.get(&session).is_some_and(|stream| matches!(stream.end, End::Open | End::Closed))
    }

    /// Nobody reads this stream any more.
    pub(super) fn bury(&mut self, session: SessionId) {
        let end = self.streams.get(&session).map(|stream| stream.end);
        assert!(matches!(end, Some(End::Held | End::Released)), "the room forgets whoever is gone, but for a name");
        if end == Some(End::Released) {
            self.streams.remove(&session);
        }
    }

    fn deliver(&mut self, output: Output) {
        match output {
            Output::Send(session, line) => {
                match line {
                    ServerLine::Ok(Reply::Set(SetReply::Resumable(token))) => self.claims.give(session, token),
                    ServerLine::Ok(Reply::History(replayed) | Reply::Since(replayed)) => {
                        assert_eq!(replayed.last, self.last_id, "the baseline is the newest message");
                    }
                    _ => {}
                }
                self.tell(session, &line);
            }
            Output::SendUsers(session, users) => {
                assert!(users.iter().map(|user| &user.name).eq(self.room.names()), "{users:?} is not who is here");
                assert!(users.iter().skip(1).all(|user| !user.coordinator) && users[0].coordinator);
                users.iter().for_each(|user| self.tell(session, &ServerLine::User(user.clone())));
            }
            Output::SendMessages(session, numbers) => {
                let lines: Vec<_> = self
                    .room
                    .room()
                    .history()
                    .messages()
                    .range(numbers)
                    .cloned()
                    .map(ServerLine::PastMessage)
                    .collect();
                for line in &lines {
                    self.tell(session, line);
                }
            }
            Output::SendStrokes(session, numbers) => {
                let lines: Vec<_> =
                    self.room.room().canvas().range(numbers).cloned().map(ServerLine::DrawnStroke).collect();
                for line in &lines {
                    self.tell(session, line);
                }
            }
            Output::SetDialect(session, dialect) => self.stream_mut(session).dialect = dialect,
            Output::Follow(session) => self.stream_mut(session).follows = true,
            Output::Close(session, _) => self.stream_mut(session).end = End::Closed,
            Output::Detach(session) => self.stream_mut(session).end = End::Held,
            Output::Remove(session) => {
                let before = std::mem::replace(&mut self.stream_mut(session).end, End::Released);
                assert!(before == End::Closed, "closed first, and released once");
            }
            Output::SetMode(session, mode) => self.stream_mut(session).mode = mode,
            Output::Answered(_) => {}
            Output::QueryStore(..) => panic!("{output:?} without a store"),
            Output::Publish { id, at, session, event, own } => {
                assert_eq!(id.is_some(), matches!(event, Event::Msg(..)), "only messages have ids");
                assert!(id.is_none_or(|id| id == self.last_id.next()), "ids have no gaps");
                self.last_id = id.unwrap_or(self.last_id);
                self.history.take(&event);
                self.said.take(id, at, &event);
                self.publish(session, Tag { id, at }, &event, own.as_ref());
            }
        }
    }

    fn publish(&mut self, author: SessionId, tag: Tag, event: &Event, own: Option<&Reply>) {
        let is_drawn = matches!(event, Event::Draw(..));
        if is_drawn || matches!(event, Event::Msg(..) | Event::Rename { .. }) {
            assert_eq!(
                own.is_none(),
                self.streams[&author].echo,
                "one's own event, or the answer in its place: {event}"
            );
        }
        let [plain, tagged] = [None, Some(tag)].map(|tag| rendered(&ServerLine::Event(tag, event.clone())));
        let own = own.map(|reply| rendered(&ServerLine::Ok(reply.clone())));
        for (&reader, stream) in &mut self.streams {
            match &own {
                Some(reply) if author == reader => stream.say(reply),
                _ if !stream.follows || is_drawn && !stream.dialect.draw => {}
                _ => {
                    self.shown += u32::from(is_drawn);
                    stream.say(if stream.dialect.tags { &tagged } else { &plain });
                }
            }
        }
    }

    fn tell(&mut self, session: SessionId, line: &ServerLine) {
        server_line::check(line);
        let stream = self.stream_mut(session);
        stream.say(&line.in_mode(stream.mode).to_string());
    }

    /// What is for one alone is for whoever asked. Only a whisper is for others, and then for those named; and the last
    /// word to a connection whose name is taken back.
    fn check_private(&self, from: SessionId, action: &InputKind, outputs: &[Output]) {
        let taken_back = match action {
            InputKind::Command(Command::Resume(Resume(token))) => {
                self.claims.holder(*token).filter(|&holder| holder != from)
            }
            _ => None,
        };
        let others = outputs.iter().filter_map(|output| match output {
            Output::Send(session, ServerLine::Err(why)) if Some(*session) == taken_back => {
                assert_eq!(why.code, ErrorCode::Resumed);
                None
            }
            Output::Send(session, line) if *session != from && from != SessionId::SERVER => Some((*session, line)),
            _ => None,
        });
        let told: Vec<&Name> = others
            .map(|(session, line)| match (line, action) {
                (
                    ServerLine::Event(_, Event::Whisper(name, text)),
                    InputKind::Command(Command::Whisper(Whisper { text: said, .. })),
                ) => {
                    assert_eq!((Some(name), text), (self.room.name(from), said), "told as it was whispered");
                    self.room.name(session).expect("a name that was whispered to")
                }
                _ => panic!("{from:?} did {action:?}, and {session:?} alone was told {line}"),
            })
            .collect();
        if let InputKind::Command(Command::Whisper(Whisper { to, .. })) = action {
            let meant = to.iter().map(Name::key);
            assert!(told.is_empty() || told.iter().map(|name| name.key()).eq(meant), "{to:?}, but {told:?} were told");
        }
    }

    fn stream_mut(&mut self, session: SessionId) -> &mut Stream {
        self.streams.entry(session).or_default()
    }
}

/// The command that an action carries, if it does.
fn command_of(action: &InputKind) -> Option<Command> {
    match action {
        InputKind::Command(command) => Some(command.clone()),
        InputKind::CommandWithSecret(command, _) => Some(command.clone()),
        _ => None,
    }
}

impl Stream {
    fn say(&mut self, line: &str) {
        if self.end == End::Open {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.extend_from_slice(self.dialect.ending.as_bytes());
        }
    }
}

/// The line as it is written, checked on the way: whoever reads it reads these bytes.
fn rendered(line: &ServerLine) -> String {
    server_line::check(line);
    line.to_string()
}

/// Checks that each line is answered once, after all its outputs, and nothing else is answered.
fn check_answered(session: SessionId, action: &InputKind, outputs: &[Output]) {
    let is_line = matches!(
        action,
        InputKind::Blank
            | InputKind::AreYouThere
            | InputKind::Command(_)
            | InputKind::CommandWithSecret(..)
            | InputKind::Refuse(_)
    );
    let answered = outputs.iter().filter(|output| matches!(output, Output::Answered(_))).count();
    assert_eq!(answered, usize::from(is_line), "{action:?}: {outputs:?}");
    assert!(!is_line || outputs.last() == Some(&Output::Answered(session)));
}
