//! The model of the server: its own room, and one queue of bytes for each client, without a feed. It also checks the outputs of the room
//! against rules that do not depend on the room's implementation.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::command::{Command, Reply, Resume, ServerLine, Set, SetReply, Setting, Whisper};
use chinwag::limits::CANVAS_BYTES_MAX;
use chinwag::protocol::{Dialect, ErrorCode, Event, MessageId, Mode, Name, Tag, Timestamp};
use chinwag::room::{RecentMessages, RecentStrokes, Room, SessionId};
use chinwag::session::{Input, InputKind, Output, Sessions, Timeouts};

use super::members::Members;
use super::message_log::{self, MessageLog};
use super::resume_tokens::ResumeTokens;
use super::rules;
use super::timers::Timers;

#[path = "../../common/server_line.rs"]
mod server_line;

pub(super) struct Model {
    pub(super) room: Sessions,
    streams: BTreeMap<SessionId, Stream>,
    pub(super) members: Members,
    pub(super) message_log: MessageLog,
    pub(super) resume_tokens: ResumeTokens,
    timers: Timers,
    last_id: MessageId,
    /// Number of actions.
    applied: u32,
    /// Number of strokes that a client received from another client.
    pub(super) shown: u32,
}

/// A room with small limits, so that messages and strokes are evicted.
pub(super) fn room(timeouts: Timeouts, resume_seconds: u64) -> Sessions {
    let canvas = RecentStrokes::new(message_log::STROKES_KEPT, CANVAS_BYTES_MAX);
    let room = Room::new(resume_seconds).with_history(RecentMessages::new(message_log::KEPT)).with_canvas(canvas);
    Sessions::new(room, timeouts)
}

/// The bytes that a client must receive, and the state that determines them.
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
    /// The session gets no more output.
    Closed,
    /// The member is detached; its session has ended.
    Detached,
    /// The session is removed.
    Removed,
}

impl Model {
    pub(super) fn new(timeouts: Timeouts, resume_seconds: u64) -> Self {
        Self {
            room: room(timeouts, resume_seconds),
            streams: BTreeMap::new(),
            members: Members::default(),
            message_log: MessageLog::default(),
            resume_tokens: ResumeTokens::new(resume_seconds),
            timers: Timers::new(timeouts),
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
        self.timers.record(session, action);
        self.restore_sometimes();
        self.room.apply(Input { at, session, kind: action.clone() }, &mut outputs);
        check_answered(session, action, &outputs);
        self.check_private(session, action, &outputs);
        if let Some(command) = command_of(action) {
            assert_eq!(rules::actual(session, &outputs), refusal, "{command:?} of {session:?}");
            self.set(session, &command);
        }
        if let InputKind::Disconnected(_) = action {
            let outlives = named.contains(&session) && is_connected && self.resume_tokens.must_detach(session, action);
            assert_eq!(outputs.contains(&Output::Detach(session)), outlives, "{action:?} of {session:?}");
        }
        if refusal.is_none() && is_connected {
            self.resume_tokens.record(session, action);
        }
        let is_tick = matches!(action, InputKind::Tick(_));
        for output in outputs {
            match output {
                Output::Remove(session) if self.resume_tokens.remove(session, named.contains(&session), is_tick) => {}
                Output::Remove(session) => self.timers.remove(session, named.contains(&session), is_tick),
                Output::Detach(session) => {
                    assert!(
                        matches!(action, InputKind::Disconnected(_) | InputKind::Tick(_)),
                        "detached after {action:?}"
                    );
                    self.timers.remove(session, true, is_tick);
                    self.resume_tokens.detach(session);
                }
                _ => {}
            }
            if let (Output::SendMessages(.., numbers), InputKind::Command(command)) = (&output, action) {
                self.message_log
                    .check(command, &self.room.room().history().messages().range(numbers.clone()).collect::<Vec<_>>());
            }
            if let Output::SendStrokes(.., numbers) = &output {
                self.message_log.check_canvas(&self.room.room().canvas().range(numbers.clone()).collect::<Vec<_>>());
            }
            self.deliver(output);
        }
        if matches!(action, InputKind::Shutdown) {
            self.members.end();
        }
        self.members.check(&self.room);
        if is_tick {
            self.timers.check(|session| self.is_named(session));
            self.resume_tokens.check();
        }
    }

    /// Replaces the room by one restored from its snapshot. The hub's room is never replaced, so the comparison with it shows whether
    /// both behave alike.
    fn restore_sometimes(&mut self) {
        self.applied = self.applied.wrapping_add(1);
        // Pseudo-random (Knuth's multiplicative hash).
        if self.applied.wrapping_mul(2_654_435_761) < u32::MAX / 8 {
            let restored = Room::restore(&self.room.room().snapshot()).expect("a snapshot can be read");
            self.room.replace_room(restored);
        }
    }

    /// The error that the action must cause. `None` if it must succeed, is not a command, or its session is not connected.
    fn refusal(&self, session: SessionId, action: &InputKind) -> Option<ErrorCode> {
        let command = command_of(action)?;
        let closing = self.streams.iter().filter(|(_, stream)| matches!(stream.end, End::Closed | End::Detached));
        let closing: Vec<_> = closing.filter_map(|(&session, _)| self.room.name(session)).collect();
        self.is_connected(session)
            .then(|| rules::expected(&self.room, &self.message_log, &closing, &self.resume_tokens, session, &command))?
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

    /// All bytes that the client must receive.
    pub(super) fn stream(&self, session: SessionId) -> &[u8] {
        self.streams.get(&session).map_or(&[], |stream| &stream.bytes)
    }

    /// Whether the room still has a connection for this session.
    pub(super) fn is_connected(&self, session: SessionId) -> bool {
        self.streams.get(&session).is_some_and(|stream| matches!(stream.end, End::Open | End::Closed))
    }

    /// Removes the stream of a client that has ended.
    pub(super) fn remove_ended(&mut self, session: SessionId) {
        let end = self.streams.get(&session).map(|stream| stream.end);
        assert!(matches!(end, Some(End::Detached | End::Removed)), "the room still has {session:?}");
        if end == Some(End::Removed) {
            self.streams.remove(&session);
        }
    }

    fn deliver(&mut self, output: Output) {
        match output {
            Output::Send(session, _, line) => {
                match line {
                    ServerLine::Ok(Reply::Set(SetReply::Resumable(token))) => self.resume_tokens.issue(session, token),
                    ServerLine::Ok(Reply::History(replayed) | Reply::Since(replayed)) => {
                        assert_eq!(replayed.last, self.last_id, "the baseline is the newest message");
                    }
                    _ => {}
                }
                self.send(session, &line);
            }
            Output::SendUsers(session, _, users) => {
                assert!(users.iter().map(|user| &user.name).eq(self.room.names()), "{users:?} are not the members");
                assert!(users.iter().skip(1).all(|user| !user.coordinator) && users[0].coordinator);
                users.iter().for_each(|user| self.send(session, &ServerLine::User(user.clone())));
            }
            Output::SendMessages(session, _, numbers) => {
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
                    self.send(session, line);
                }
            }
            Output::SendStrokes(session, _, numbers) => {
                let lines: Vec<_> =
                    self.room.room().canvas().range(numbers).cloned().map(ServerLine::DrawnStroke).collect();
                for line in &lines {
                    self.send(session, line);
                }
            }
            Output::SetDialect(session, dialect) => self.stream_mut(session).dialect = dialect,
            Output::Follow(session, ..) => self.stream_mut(session).follows = true,
            Output::Close(session, _) => self.stream_mut(session).end = End::Closed,
            Output::Detach(session) => self.stream_mut(session).end = End::Detached,
            Output::Remove(session) => {
                let before = std::mem::replace(&mut self.stream_mut(session).end, End::Removed);
                assert!(before == End::Closed, "a session must be closed before it is removed");
            }
            Output::SetMode(session, mode) => self.stream_mut(session).mode = mode,
            Output::Answered(_) => {}
            Output::QueryStore(..) => panic!("{output:?} without a store"),
            Output::SendAfterAll(..) | Output::OpenRoom(..) | Output::CloseRoom(_) | Output::Unfollow(..) => {
                panic!("{output:?} with one room")
            }
            Output::Publish { room: _, id, at, session, event, own } => {
                assert_eq!(id.is_some(), matches!(event, Event::Msg(..)), "only messages have ids");
                assert!(id.is_none_or(|id| id == self.last_id.next()), "ids have no gaps");
                self.last_id = id.unwrap_or(self.last_id);
                self.members.record(&event);
                self.message_log.record(id, at, &event);
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
                "the author must get either the event or the reply: {event}"
            );
        }
        let [plain, tagged] = [None, Some(tag)].map(|tag| render(&ServerLine::Event(tag, event.clone())));
        let own = own.map(|reply| render(&ServerLine::Ok(reply.clone())));
        for (&reader, stream) in &mut self.streams {
            match &own {
                Some(reply) if author == reader => stream.append(reply),
                _ if !stream.follows || is_drawn && !stream.dialect.draw => {}
                _ => {
                    self.shown += u32::from(is_drawn);
                    stream.append(if stream.dialect.tags { &tagged } else { &plain });
                }
            }
        }
    }

    fn send(&mut self, session: SessionId, line: &ServerLine) {
        server_line::check(line);
        let stream = self.stream_mut(session);
        stream.append(&line.in_mode(stream.mode).to_string());
    }

    /// Checks that private lines go only to the sender of the command. There are two exceptions: a whisper goes to its targets, and a
    /// session whose nickname another one resumes gets a last error.
    fn check_private(&self, from: SessionId, action: &InputKind, outputs: &[Output]) {
        let taken_back = match action {
            InputKind::Command(Command::Resume(Resume(token))) => {
                self.resume_tokens.holder(*token).filter(|&holder| holder != from)
            }
            _ => None,
        };
        let others = outputs.iter().filter_map(|output| match output {
            Output::Send(session, _, ServerLine::Err(why)) if Some(*session) == taken_back => {
                assert_eq!(why.code, ErrorCode::Resumed);
                None
            }
            Output::Send(session, _, line) if *session != from && from != SessionId::SERVER => Some((*session, line)),
            _ => None,
        });
        let receivers: Vec<&Name> = others
            .map(|(session, line)| match (line, action) {
                (
                    ServerLine::Event(_, Event::Whisper(name, text)),
                    InputKind::Command(Command::Whisper(Whisper { text: said, .. })),
                ) => {
                    assert_eq!((Some(name), text), (self.room.name(from), said), "a changed whisper");
                    self.room.name(session).expect("the target is a member")
                }
                _ => panic!("{action:?} of {from:?} sent a private line to {session:?}: {line}"),
            })
            .collect();
        if let InputKind::Command(Command::Whisper(Whisper { to, .. })) = action {
            let meant = to.iter().map(Name::key);
            assert!(
                receivers.is_empty() || receivers.iter().map(|name| name.key()).eq(meant),
                "whispered to {to:?}, delivered to {receivers:?}"
            );
        }
    }

    fn stream_mut(&mut self, session: SessionId) -> &mut Stream {
        self.streams.entry(session).or_default()
    }
}

/// The command that an action carries, if any.
fn command_of(action: &InputKind) -> Option<Command> {
    match action {
        InputKind::Command(command) => Some(command.clone()),
        InputKind::CommandWithSecret(command, _) => Some(command.clone()),
        _ => None,
    }
}

impl Stream {
    fn append(&mut self, line: &str) {
        if self.end == End::Open {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.extend_from_slice(self.dialect.ending.as_bytes());
        }
    }
}

/// Checks and renders a line.
fn render(line: &ServerLine) -> String {
    server_line::check(line);
    line.to_string()
}

/// Checks that each line of a client counts as answered once, after all its outputs, and that no other input does.
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
