//! The model of the server: its own state, and one queue of bytes for each client, without a feed. It also checks the outputs of the
//! sessions against rules that do not depend on their implementation.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::command::{ChatReply, Command, Reply, Resume, RoomLine, ServerLine, Set, SetReply, Setting, Whisper};
use chinwag::protocol::{ErrorCode, Event, LeaveReason, Name, RoomName, Tag, Timestamp, Token};
use chinwag::session::{AccountPolicy, Input, InputKind, MembershipChange, Output, OwnLine, Sessions, Timeouts};
use chinwag::state::{RoomId, SessionId, SharedState, StateLimits};

use super::accounts::{self, Accounts};
use super::expected_lines::LineKind;
use super::message_log;
use super::moderation_rules::is_moderation;
use super::resume_tokens::ResumeTokens;
use super::roles::{self, Processed, Roles};
use super::rooms::Rooms;
use super::rules;
use super::stream::{End, Stream};
use super::timers::Timers;

#[path = "../../common/server_line.rs"]
mod server_line;

pub(super) struct Model {
    pub(super) room: Sessions,
    pub(super) streams: BTreeMap<SessionId, Stream>,
    pub(super) rooms: Rooms,
    pub(super) resume_tokens: ResumeTokens,
    pub(super) accounts: Accounts,
    pub(super) roles: Roles,
    timers: Timers,
    /// Number of the hub's turns.
    turn: u64,
    /// Number of actions.
    applied: u32,
    /// Number of strokes that a client received from another client.
    pub(super) shown: u32,
}

/// A room with small limits, so that messages and strokes are evicted.
pub(super) fn room(timeouts: Timeouts, resume_seconds: u64) -> Sessions {
    let limits = StateLimits {
        resume_seconds,
        history_messages: message_log::KEPT,
        canvas_strokes: message_log::STROKES_KEPT,
        sanctions_per_room: roles::SANCTIONS_PER_ROOM,
        ..accounts::limits()
    };
    let start = Token::new("k7qd").expect("a token");
    let sessions = Sessions::new(SharedState::new(limits).with_start(start), timeouts).with_unlimited_creation();
    // Each session has its own address, so all of their passwords may be checked at once.
    let (is_registration_open, accounts_only, allows_insecure) = (true, false, true);
    let threads = 1_000;
    sessions.with_accounts(AccountPolicy { is_registration_open, accounts_only, allows_insecure, threads })
}

/// The members of a room, in the order in which they entered it.
pub(super) fn names_in(sessions: &Sessions, room: RoomId) -> impl Iterator<Item = &Name> {
    sessions.state().members_of(room).map(|(_, member)| member.name())
}

impl Model {
    pub(super) fn new(timeouts: Timeouts, resume_seconds: u64) -> Self {
        Self {
            room: room(timeouts, resume_seconds),
            streams: BTreeMap::new(),
            rooms: Rooms::default(),
            resume_tokens: ResumeTokens::new(resume_seconds),
            accounts: Accounts::default(),
            roles: Roles::default(),
            timers: Timers::new(timeouts),
            turn: 0,
            applied: 0,
            shown: 0,
        }
    }

    /// The operator has changed the timeouts.
    pub(super) fn set_timeouts(&mut self, timeouts: Timeouts, resume_seconds: u64) {
        self.timers.set(timeouts);
        self.resume_tokens.set(resume_seconds);
    }

    pub(super) fn apply(&mut self, at: Timestamp, session: SessionId, action: &InputKind) {
        let named: BTreeSet<_> = self.streams.keys().copied().filter(|&reader| self.is_named(reader)).collect();
        let mut refusal = self.refusal(at, session, action);
        let mut result = self.expected_result(at, action);
        let barriers = self.barriers(at, session, action);
        let is_change_allowed = self.begin_operator_change(at, action);
        if let InputKind::Connect(_) = action {
            self.accounts.connect(session);
        }
        let is_connected = session == SessionId::SERVER || self.is_connected(session);
        let mut outputs = Vec::new();
        self.timers.record(session, action);
        self.restore_sometimes();
        let before = self.before(at, session, action);
        self.room.apply(Input { at, session, kind: action.clone() }, &mut outputs);
        self.check_private(session, action, &outputs);
        if let Some(command) = command_of(action) {
            let actual = rules::actual(session, &outputs);
            let is_limited = self.accounts.may_be_limited(session, &command, actual);
            let is_expected = is_limited || rules::is_expected(actual, refusal, &barriers);
            assert!(is_expected, "{actual:?}, not {refusal:?} or {barriers:?}: {command:?} of {session:?}");
            refusal = actual;
            self.set(session, &command);
        }
        self.start_checks(action, &outputs);
        self.check_answered(session, action, result.is_some(), &outputs);
        if let InputKind::PasswordProcessed(processed) = action {
            if let Some(expected) = result {
                let actual = rules::actual(processed.session, &outputs);
                let is_expected = rules::is_expected(actual, expected.err(), &barriers);
                assert!(is_expected, "{actual:?}, not {expected:?} or {barriers:?}: {processed:?}");
                refusal = actual;
                result = Some(actual.map_or(Ok(()), Err));
            }
            self.accounts.finish(processed, result);
        }
        self.check_operator_change(is_change_allowed, &outputs);
        if let InputKind::Disconnected(_) = action {
            let outlives = named.contains(&session) && is_connected && self.resume_tokens.must_detach(session, action);
            assert_eq!(outputs.contains(&Output::Detach(session)), outlives, "{action:?} of {session:?}");
        }
        if let InputKind::Command(Command::Resume(Resume(token))) = action
            && refusal.is_none()
            && is_connected
        {
            let holder = self.resume_tokens.holder(*token).expect("the token was accepted");
            let former = std::mem::take(&mut self.stream_mut(holder).former);
            self.stream_mut(session).former.extend(former);
            self.stream_mut(session).chat_room = None;
        }
        if refusal.is_none() && is_connected {
            self.resume_tokens.record(session, action);
        }
        let is_tick = matches!(action, InputKind::Tick(_));
        self.rooms.open_new(&self.room);
        self.roles.check(&before, Processed { at, sessions: &self.room, outputs: &outputs, refusal });
        self.count_banned_connection(action, &outputs);
        let removed = |output: &Output| if let Output::Remove(session) = output { Some(*session) } else { None };
        let removed: BTreeSet<_> = outputs.iter().filter_map(removed).collect();
        for output in outputs {
            match output {
                Output::Log(MembershipChange::Left(session, _, LeaveReason::Displaced)) => {
                    self.accounts.displaced_guests += u32::from(!removed.contains(&session));
                    self.displace(session);
                }
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
            self.check_replayed(&output, action);
            self.deliver(output);
        }
        if matches!(action, InputKind::Shutdown) {
            self.rooms.end();
        }
        self.rooms.check(&self.room);
        self.accounts.check(&self.room, at);
        if is_tick {
            let is_watching = |session| self.room.state().watched_room(session).is_some();
            // While its password is checked, a session needs no nickname either.
            let is_pending = |session| self.accounts.is_pending(session);
            self.timers.check(|session| self.is_named(session) || is_watching(session) || is_pending(session));
            self.resume_tokens.check();
        }
    }

    /// The session's member was displaced. If the session remains, it has to take another nickname in time.
    fn displace(&mut self, session: SessionId) {
        self.accounts.displaced += 1;
        self.resume_tokens.end(session);
        self.timers.restart(session);
    }

    /// Whether this change of the operator must succeed; `None` if the action is another one. Ends the resume token that the change ends.
    fn begin_operator_change(&mut self, at: Timestamp, action: &InputKind) -> Option<bool> {
        let InputKind::ChangeAccount(update) = action else { return None };
        if let Some(session) = self.accounts.session_without_resume(&self.room, update) {
            self.resume_tokens.end(session);
        }
        Some(Accounts::is_change_allowed(&self.room, at, update))
    }

    /// Checks that the operator gets the result of a change at once, and that it is this one.
    fn check_operator_change(&mut self, is_allowed: Option<bool>, outputs: &[Output]) {
        let result =
            |output: &Output| if let Output::AccountChanged(result) = output { Some(result.is_ok()) } else { None };
        let results: Vec<_> = outputs.iter().filter_map(result).collect();
        assert_eq!(results, Vec::from_iter(is_allowed), "the result of the operator's change");
        self.accounts.operator_changes += u32::from(is_allowed == Some(true));
    }

    /// How the command whose password was checked must end. `None` if the action is not a result, or nobody waits for the reply.
    fn expected_result(&self, at: Timestamp, action: &InputKind) -> Option<Result<(), ErrorCode>> {
        let InputKind::PasswordProcessed(result) = action else { return None };
        let is_open = self.streams.get(&result.session).is_some_and(|stream| stream.end == End::Open);
        is_open.then(|| self.accounts.expected_result(&self.room, at, result).map_or(Ok(()), Err))
    }

    /// Records the passwords that the command passes to a thread.
    fn start_checks(&mut self, action: &InputKind, outputs: &[Output]) {
        for output in outputs {
            if let Output::CheckPassword(job) = output {
                let command = command_of(action).expect("a command has a password");
                self.accounts.start(job.clone(), command, &self.room);
            }
        }
    }

    /// Checks that each line of a client counts as answered once, after all its outputs, and that no other input does. A line whose password
    /// is checked is answered with the result.
    fn check_answered(&self, session: SessionId, action: &InputKind, is_awaited: bool, outputs: &[Output]) {
        let is_line = action.is_line() && !self.accounts.is_pending(session);
        let answered = outputs.iter().filter(|output| matches!(output, Output::Answered(_))).count();
        assert_eq!(answered, usize::from(is_line || is_awaited), "{action:?}: {outputs:?}");
        assert!(!is_line || outputs.last() == Some(&Output::Answered(session)));
    }

    /// Replaces the room by one restored from its snapshot. The hub's room is never replaced, so the comparison with it shows whether
    /// both behave alike.
    fn restore_sometimes(&mut self) {
        self.applied = self.applied.wrapping_add(1);
        // Pseudo-random (Knuth's multiplicative hash).
        if self.applied.wrapping_mul(2_654_435_761) < u32::MAX / 8 {
            let restored = SharedState::restore(&self.room.state().snapshot()).expect("a snapshot can be read");
            self.room.replace_state(restored);
        }
    }

    /// The error that the action must cause. `None` if it must succeed, is not a command, or its session is not connected.
    fn refusal(&self, now: Timestamp, session: SessionId, action: &InputKind) -> Option<ErrorCode> {
        let command = command_of(action)?;
        let closing = self.streams.iter().filter(|(_, stream)| matches!(stream.end, End::Closed | End::Detached));
        let closing: Vec<_> = closing.filter_map(|(&session, _)| self.room.name(session)).collect();
        let line = self.line(now, session, named_room(action), &closing)?;
        self.is_connected(session).then(|| line.expected_refusal(&command))?
    }

    pub(super) fn line<'a>(
        &'a self,
        now: Timestamp,
        session: SessionId,
        named: Option<&'a RoomName>,
        closing: &'a [&'a Name],
    ) -> Option<rules::Line<'a>> {
        let stream = self.streams.get(&session)?;
        Some(rules::Line {
            sessions: &self.room,
            rooms: &self.rooms,
            closing,
            resume_tokens: &self.resume_tokens,
            accounts: &self.accounts,
            roles: &self.roles,
            now,
            session,
            named,
            mode: stream.mode,
            chat_room: stream.chat_room.as_ref(),
            follows: &stream.follows,
            former: &stream.former,
        })
    }

    /// Checks the messages and strokes in a reply, and that the session follows their room.
    fn check_replayed(&mut self, output: &Output, action: &InputKind) {
        let (Output::SendUsers(session, id, _)
        | Output::SendMessages(session, id, _)
        | Output::SendStrokes(session, id, _)) = output
        else {
            return;
        };
        assert!(
            self.stream_mut(*session).follows.contains_key(id),
            "{session:?} gets lines of a room that it does not follow"
        );
        let room = self.room.state().room(*id).expect("the room of a reply exists");
        match output {
            Output::SendMessages(.., numbers) => {
                let command = command_of(action).expect("a command asks for messages");
                let replayed = room.history().messages().range(numbers.clone()).map(|message| &message.past);
                let replayed: Vec<_> = replayed.collect();
                self.rooms.get(*id).message_log.check(&command, &replayed);
            }
            Output::SendStrokes(.., numbers) => {
                self.rooms.get(*id).message_log.check_canvas(&room.canvas().range(numbers.clone()).collect::<Vec<_>>());
            }
            _ => {}
        }
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

    /// The names of the accounts.
    pub(super) fn account_names(&self) -> Vec<Name> {
        self.room.state().accounts().iter().map(|account| account.name.clone()).collect()
    }

    /// Number of bytes that the client must receive in all.
    pub(super) fn stream_bytes(&self, session: SessionId) -> usize {
        self.streams.get(&session).map_or(0, |stream| stream.lines.bytes())
    }

    /// Checks a line that the client received.
    pub(super) fn receive(&mut self, session: SessionId, line: &[u8]) {
        self.stream_mut(session).lines.receive(line).unwrap_or_else(|why| panic!("{session:?}: {why}"));
    }

    /// The hub has published the events of a turn.
    pub(super) fn end_turn(&mut self) {
        self.turn += 1;
        self.roles.end_turn();
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
            Output::Send(session, room, line) => {
                match &line.line {
                    ServerLine::Ok(Reply::Set(SetReply::Resumable(token))) => self.resume_tokens.issue(session, *token),
                    ServerLine::Ok(Reply::History(replayed) | Reply::Since(replayed)) => {
                        let room = room.expect("the reply is about a room");
                        assert_eq!(replayed.last, self.rooms.get(room).last_id, "the baseline is the newest message");
                    }
                    ServerLine::Ok(Reply::Chat(reply)) => {
                        let chat_room = if let ChatReply::On(room) = reply { room.clone() } else { None };
                        self.stream_mut(session).chat_room = chat_room;
                    }
                    _ => {}
                }
                if let ServerLine::Ok(reply) = &line.line {
                    self.record_account_reply(session, reply);
                }
                let is_reply = matches!(line.line, ServerLine::Ok(_) | ServerLine::Err(_));
                let room = room.filter(|room| self.stream_mut(session).follows.contains_key(room));
                self.send(session, room, if is_reply { LineKind::Reply } else { LineKind::Other }, &line);
            }
            Output::SendAfterAll(session, line) => self.send(session, None, LineKind::AfterAll, &line.into()),
            Output::SendUsers(session, room, users) => {
                assert!(
                    users.iter().map(|user| &user.name).eq(names_in(&self.room, room)),
                    "{users:?} are not the members"
                );
                assert!(users.iter().skip(1).all(|user| !user.coordinator));
                assert!(users.first().is_none_or(|user| user.coordinator));
                let lines: Vec<_> = users.iter().cloned().map(ServerLine::User).collect();
                self.send_all(session, room, lines);
            }
            Output::SendMessages(session, id, numbers) => {
                let room = self.room.state().room(id).expect("the room of a reply exists");
                let messages = room.history().messages().range(numbers).map(|message| message.past.clone());
                let lines = messages.map(ServerLine::PastMessage).collect();
                self.send_all(session, id, lines);
            }
            Output::SendStrokes(session, id, numbers) => {
                let room = self.room.state().room(id).expect("the room of a reply exists");
                let lines = room.canvas().range(numbers).cloned().map(ServerLine::DrawnStroke).collect();
                self.send_all(session, id, lines);
            }
            Output::SetDialect(session, dialect) => self.stream_mut(session).dialect = dialect,
            Output::CloseRoom(room) => {
                self.rooms.close(room);
                assert!(self.streams.values().all(|stream| !stream.receives(room)), "somebody follows {room:?}");
            }
            Output::Follow(session, room, is_home) => {
                let is_member = self.room.member(session).and_then(|member| self.room.state().member(member));
                let may_follow = is_member.is_some_and(|member| member.is_in(room));
                assert!(
                    may_follow || self.room.state().watched_room(session) == Some(room),
                    "{session:?} is not in {room:?}"
                );
                let before = self.stream_mut(session).follows.insert(room, is_home);
                assert_eq!(before, None, "{session:?} follows {room:?} twice");
                self.stream_mut(session).lines.follow(room);
            }
            Output::Unfollow(session, room) => {
                let key = self.rooms.name(room).key().to_owned();
                let stream = self.stream_mut(session);
                stream.follows.remove(&room).expect("the session follows the room");
                stream.former.insert(key);
            }
            Output::Close(session, _) => self.stream_mut(session).end = End::Closed,
            Output::Detach(session) => self.stream_mut(session).end = End::Detached,
            Output::Remove(session) => {
                let before = std::mem::replace(&mut self.stream_mut(session).end, End::Removed);
                assert!(before == End::Closed, "a session must be closed before it is removed");
            }
            Output::SetMode(session, mode) => self.stream_mut(session).mode = mode,
            Output::Answered(_)
            | Output::Log(_)
            | Output::WrongPassword(_)
            | Output::CheckPassword(_)
            | Output::AccountChanged(_)
            | Output::Moderated(_)
            | Output::BanNetwork(..) => {}
            Output::QueryStore { .. } => panic!("{output:?} without a store"),
            Output::NodeJoined { .. } | Output::NodeExpired { .. } => panic!("{output:?} without a cluster"),
            Output::Publish { room, id, at, session, event, own } => {
                assert_eq!(id.is_some(), matches!(event, Event::Msg(..)), "only messages have ids");
                self.rooms.get(room).record(id, at, &event);
                if let OwnLine::Reply(_, reply) = &own {
                    self.record_account_reply(session, reply);
                }
                self.publish(room, session, Tag { id, at }, &event, &own);
            }
        }
    }

    fn record_account_reply(&mut self, session: SessionId, reply: &Reply) {
        if self.accounts.record_reply(&self.room, session, reply) {
            self.resume_tokens.end(session);
        }
    }

    fn publish(&mut self, room: RoomId, author: SessionId, tag: Tag, event: &Event, own: &OwnLine) {
        let is_drawn = matches!(event, Event::Draw(..));
        if is_drawn || matches!(event, Event::Msg(..) | Event::Rename { .. } | Event::Topic(..)) {
            let echo = self.streams[&author].echo;
            assert_eq!(*own == OwnLine::Event, echo, "the author must get either the event or the reply: {event}");
        }
        let (name, turn) = (self.rooms.name(room), self.turn);
        for (&reader, stream) in &mut self.streams {
            let is_own = author == reader;
            match own {
                OwnLine::Nothing if is_own => {}
                OwnLine::Reply(prefix, reply) if is_own => {
                    let line = RoomLine { room: prefix.clone(), line: ServerLine::Ok(reply.clone()) };
                    stream.append(turn, Some(room), LineKind::Reply, &render(&line));
                }
                _ => {
                    let Some(&is_home) = stream.follows.get(&room).filter(|_| !is_drawn || stream.dialect.draw) else {
                        continue;
                    };
                    self.shown += u32::from(is_drawn);
                    let line = ServerLine::Event(stream.dialect.tags.then_some(tag), event.clone());
                    let line = RoomLine { room: stream.prefix(is_home, &name), line };
                    stream.append(turn, Some(room), LineKind::Other, &render(&line));
                }
            }
        }
    }

    fn send(&mut self, session: SessionId, room: Option<RoomId>, kind: LineKind, line: &RoomLine) {
        server_line::check(&line.line);
        let turn = self.turn;
        let stream = self.stream_mut(session);
        stream.append(turn, room, kind, &line.in_mode(stream.mode).to_string());
    }

    /// Sends lines about a room that the session follows.
    fn send_all(&mut self, session: SessionId, room: RoomId, lines: Vec<ServerLine>) {
        let name = self.rooms.name(room);
        let stream = self.stream_mut(session);
        let prefix = stream.prefix(stream.follows[&room], &name);
        for line in lines {
            self.send(session, Some(room), LineKind::Other, &RoomLine { room: prefix.clone(), line });
        }
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
            Output::Send(session, _, RoomLine { line: ServerLine::Err(why), .. }) if Some(*session) == taken_back => {
                assert_eq!(why.code, ErrorCode::Resumed);
                None
            }
            // Invited members, and watchers that a ban or a lock has ended.
            Output::Send(
                _,
                _,
                RoomLine { line: ServerLine::Event(_, Event::Invite { .. } | Event::Notice(_)), .. },
            ) if command_of(action).as_ref().is_some_and(is_moderation) => None,
            Output::Send(session, _, line) if *session != from && from != SessionId::SERVER => {
                Some((*session, &line.line))
            }
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
pub(super) fn command_of(action: &InputKind) -> Option<Command> {
    match action {
        InputKind::Command(command) | InputKind::CommandIn(_, command) => Some(command.clone()),
        InputKind::CommandWithSecret(command, _) => Some(command.clone()),
        _ => None,
    }
}

/// The room that a line names in front of its command.
pub(super) fn named_room(action: &InputKind) -> Option<&RoomName> {
    if let InputKind::CommandIn(room, _) = action { Some(room) } else { None }
}

/// Checks and renders a line.
fn render(line: &RoomLine) -> String {
    server_line::check(&line.line);
    line.to_string()
}
