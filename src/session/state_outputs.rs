//! Translates the outputs of the shared state into outputs for sessions.

use super::former_rooms::FormerRooms;
use super::{MembershipChange, Output, OwnLine, SessionId, Sessions, private_tag};
use crate::command::{EmptyReply, Hint, NickReply, Refusal, Reply, RoomLine, RoomPosition, ServerLine};
use crate::protocol::{CloseReason, ErrorCode, Event, LeaveReason, MessageId, Name, RoomName, Text, Timestamp};
use crate::state::{AccountCommand, Cause, EnteredRoom, MemberId, Origin, Rejection, RoomId, StateOutput};

/// How a session has taken its first nickname.
#[derive(Clone, Copy, Debug)]
struct NewSessionMember {
    /// The command named the room.
    is_named: bool,
    /// The session has watched the room.
    was_watching: bool,
    /// The command was a login.
    has_logged_in: bool,
}

impl Sessions {
    pub(super) fn translate_output(&mut self, at: Timestamp, output: StateOutput, out: &mut Vec<Output>) {
        match output {
            StateOutput::RoomClosed { id, is_stored } => {
                if is_stored {
                    self.sequencer_mut().remove_room(id);
                }
                out.push(Output::CloseRoom(id));
            }
            StateOutput::Event { room, room_name, id, at, cause, event } => {
                self.publish(room, &room_name, id, at, cause, event, out);
            }
            StateOutput::Registered { origin, name, at, home, is_named, was_watching, login } => {
                let has_logged_in = login.is_some();
                self.register(origin, name, at, home, NewSessionMember { is_named, was_watching, has_logged_in }, out);
            }
            StateOutput::Joined { origin, name, at, rooms } => self.join(origin, &name, at, rooms, out),
            StateOutput::Parted { origin, name, at, room, room_name, text } => {
                self.part(origin, name, at, (room, room_name), text, out);
            }
            StateOutput::Renamed { origin, from, to } => {
                let session = origin.session;
                self.log(session, MembershipChange::Renamed { session, from, to: to.clone() }, out);
                self.reply(origin, Reply::Nick(NickReply { name: to, room: None }), out);
            }
            StateOutput::Watching(origin, room) => {
                let (id, is_new) = (room.id, room.is_new);
                self.reply(origin, Reply::Watch(room.into()), out);
                let follows = is_new && self.is_open(origin.session);
                out.extend(follows.then_some(Output::Follow(origin.session, id, true)));
            }
            StateOutput::Unwatched(session, room, name) => {
                // A banned session is removed before.
                if let Some(state) = self.all.get_mut(session) {
                    state.remember_room(name);
                    out.push(Output::Unfollow(session, room));
                }
            }
            StateOutput::Whispered { origin, from, to, text } => {
                self.deliver_whisper(at, origin, &from, to, &text, out);
            }
            StateOutput::Resumed { origin, member, name, rooms } => {
                self.resume_member(at, origin, member, name, &rooms, out);
            }
            StateOutput::Detached(member, reason) => {
                let Some(session) = self.session_of(member) else { return };
                let name = self.name(session).cloned();
                out.extend(name.map(|name| Output::Log(MembershipChange::Detached(session, name))));
                if let Some(state) = self.all.get_mut(session) {
                    state.lifecycle.close(CloseReason::Left(reason));
                    state.lifecycle.end();
                }
                out.extend([Output::Close(session, CloseReason::Left(reason)), Output::Detach(session)]);
            }
            StateOutput::Left { member, name, reason, text, at, rooms } => {
                let session = self.session_of(member);
                if let Some(session) = session {
                    self.remove_session(session, CloseReason::Left(reason), out);
                }
                let session = session.unwrap_or(SessionId::SERVER);
                self.log(session, MembershipChange::Left(session, name.clone(), reason), out);
                for room in rooms {
                    let event = Event::Leave(name.clone(), reason, text.clone());
                    out.push(Output::Publish { room, id: None, at, session, event, own: OwnLine::Event });
                }
            }
            StateOutput::LoggedIn { .. }
            | StateOutput::Displaced { .. }
            | StateOutput::ResumptionEnded(_)
            | StateOutput::AccountChanged(..)
            | StateOutput::TokenUsed { .. } => self.translate_account_output(at, output, out),
            StateOutput::Kicked { .. }
            | StateOutput::Invited { .. }
            | StateOutput::WatchEnded(..)
            | StateOutput::NetworkBanned { .. }
            | StateOutput::NetworkUnbanned(_)
            | StateOutput::SanctionsChanged(_)
            | StateOutput::Moderated(..)
            | StateOutput::OwnDeletion(..)
            | StateOutput::ModerationConfirmed(..) => {
                self.translate_moderation_output(at, output, out);
            }
            StateOutput::VerifierSet(origin, is_on) => self.confirm_verifier(origin, is_on, out),
            StateOutput::BarrierReached(origin, token) => self.confirm_barrier(origin, token, out),
            StateOutput::NodeJoined { node, run, incarnation } => self.note_joined(node, run, incarnation, out),
            StateOutput::NodeExpired { node, incarnation } => self.note_expired(node, incarnation, out),
            StateOutput::Rejected(origin, ..) if !self.is_local(origin.session) => {}
            StateOutput::Rejected(origin, _, Rejection::Account(command, why)) if origin.is_server() => {
                if command != AccountCommand::RecordTokenUse {
                    self.finish_account_change(Err(why), out);
                }
            }
            StateOutput::Rejected(origin, room, rejection) => self.reject(at, origin, room, rejection, out),
        }
    }

    /// Refuses a command that the state has rejected. `room`: the one that it was about.
    fn reject(
        &mut self,
        at: Timestamp,
        origin: Origin,
        room: Option<(RoomId, RoomName)>,
        rejection: Rejection,
        out: &mut Vec<Output>,
    ) {
        match &rejection {
            Rejection::Account(AccountCommand::Login | AccountCommand::TakeOver, _) => {
                self.record_refused_login(origin.session);
            }
            Rejection::Account(AccountCommand::Create, why) => {
                self.record_refused_registration(origin.session, why);
            }
            _ => {}
        }
        self.refuse_submitted(at, origin, room, Refusal::from(rejection), out);
    }

    /// Refuses a command that was submitted. `room`: the one that it was about.
    pub(super) fn refuse_submitted(
        &mut self,
        at: Timestamp,
        origin: Origin,
        room: Option<(RoomId, RoomName)>,
        refusal: Refusal,
        out: &mut Vec<Output>,
    ) {
        if self.is_open(origin.session) {
            match room {
                Some((id, name)) => {
                    let prefix = self.prefix(origin.session, id, &name);
                    let hint_room = Some(name).filter(|name| !self.is_implied(origin.session, name));
                    let refusal = refusal.with_hint_in(hint_room);
                    self.refuse(at, origin.session, Some(id), prefix, refusal, out);
                }
                None => {
                    let room = self.room_of_refusal(origin.session, None, &refusal);
                    self.refuse(at, origin.session, room.id, room.prefix, refusal, out);
                }
            }
        }
        self.record_answer(origin, out);
    }

    /// Logs a change of this session. The log of another node has those of its sessions.
    pub(super) fn log(&self, session: SessionId, change: MembershipChange, out: &mut Vec<Output>) {
        if self.is_local(session) {
            out.push(Output::Log(change));
        }
    }

    pub(super) fn is_open(&self, session: SessionId) -> bool {
        self.all.get(session).is_some_and(|state| !state.is_closed())
    }

    /// Sends the reply to a command that is not about one room.
    pub(super) fn reply(&mut self, origin: Origin, reply: Reply, out: &mut Vec<Output>) {
        if let Some(state) = self.all.get_mut(origin.session).filter(|state| !state.is_closed()) {
            state.errors = 0;
            out.push(Output::Send(origin.session, None, ServerLine::Ok(reply).into()));
        }
        self.record_answer(origin, out);
    }

    /// Publishes an event. The session whose command caused it gets the reply in place of the event or, with `SET echo on`, after it.
    #[expect(clippy::too_many_arguments, reason = "the fields of an output")]
    fn publish(
        &mut self,
        room: RoomId,
        room_name: &RoomName,
        id: Option<MessageId>,
        at: Timestamp,
        cause: Cause,
        event: Event,
        out: &mut Vec<Output>,
    ) {
        let (origin, is_repeated) = match cause {
            Cause::Server => (Origin::SERVER, false),
            Cause::Command(origin) => (origin, false),
            Cause::Repeated(origin) => (origin, true),
        };
        let session = origin.session;
        match &event {
            Event::Rename { from, to } if !is_repeated => {
                let (from, to) = (from.clone(), to.clone());
                self.log(session, MembershipChange::Renamed { session, from, to }, out);
            }
            Event::Coordinator(name) => {
                out.push(Output::Log(MembershipChange::Coordinator(name.clone(), room_name.clone())));
            }
            _ => {}
        }
        let state = self.all.get_mut(session).filter(|state| !state.is_closed() && cause != Cause::Server);
        let echo = state.as_ref().is_some_and(|state| state.echo);
        let reply = match &event {
            _ if is_repeated => None,
            Event::Rename { to: name, .. } => Some(Reply::Nick(NickReply { name: name.clone(), room: None })),
            Event::Msg(..) => id.map(Reply::Msg),
            Event::Topic(_, topic) => Some(Reply::Topic(topic.clone())),
            Event::Draw(..) => Some(Reply::Draw(EmptyReply)),
            _ => None,
        };
        let reply = state.and_then(|state| {
            state.errors = 0;
            reply
        });
        let prefix = match &reply {
            Some(Reply::Nick(_)) | None => None,
            Some(_) => self.prefix(session, room, room_name),
        };
        let own = match (echo, reply) {
            (false, Some(reply)) => OwnLine::Reply(prefix, reply),
            (false, None) if is_repeated => OwnLine::Nothing,
            (true, Some(reply)) => {
                out.push(Output::Publish { room, id, at, session, event, own: OwnLine::Event });
                let line = RoomLine { room: prefix, line: ServerLine::Ok(reply) };
                out.push(Output::Send(session, Some(room), line));
                return self.record_publication(cause, out);
            }
            _ => OwnLine::Event,
        };
        out.push(Output::Publish { room, id, at, session, event, own });
        self.record_publication(cause, out);
    }

    /// The origin's line is answered by its event.
    fn record_publication(&mut self, cause: Cause, out: &mut Vec<Output>) {
        if let Cause::Command(origin) = cause {
            self.record_answer(origin, out);
        }
    }

    /// A session has taken a nickname. It follows the home from its reply on or, with `SET echo on`, from its `JOIN` on.
    fn register(
        &mut self,
        origin: Origin,
        name: Name,
        at: Timestamp,
        home: EnteredRoom,
        how: NewSessionMember,
        out: &mut Vec<Output>,
    ) {
        let NewSessionMember { is_named, was_watching, has_logged_in } = how;
        let (session, room) = (origin.session, home.id);
        self.log(session, MembershipChange::Joined(session, name.clone(), home.name.clone()), out);
        self.detach_from_ended(at, origin);
        let event = Event::Join(name.clone());
        if let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) {
            (state.member, state.errors) = (Some(origin.member), 0);
        }
        let reply = if has_logged_in {
            self.confirm_login(session, name, out)
        } else {
            Reply::Nick(NickReply { name, room: is_named.then(|| RoomPosition::from(home)) })
        };
        let publish = |own| Output::Publish { room, id: None, at, session, event, own };
        let Some(state) = self.all.get(session).filter(|state| !state.is_closed()) else {
            out.push(publish(OwnLine::Event));
            return self.record_answer(origin, out);
        };
        let follow = (!was_watching).then_some(Output::Follow(session, room, true));
        match (state.echo, was_watching) {
            (false, true) => out.push(publish(OwnLine::Reply(None, reply))),
            (true, _) => {
                out.extend(follow);
                out.push(publish(OwnLine::Event));
                out.push(Output::Send(session, None, ServerLine::Ok(reply).into()));
            }
            (false, false) => {
                out.push(publish(OwnLine::Event));
                out.push(Output::Send(session, None, ServerLine::Ok(reply).into()));
                out.extend(follow);
            }
        }
        self.record_answer(origin, out);
    }

    /// A member has entered rooms. Its session follows them from its reply on: with `SET echo on`, its `JOIN` is the first event.
    fn join(&mut self, origin: Origin, name: &Name, at: Timestamp, rooms: Vec<EnteredRoom>, out: &mut Vec<Output>) {
        let session = origin.session;
        let (is_open, echo) = (self.is_open(session), self.all.get(session).is_some_and(|state| state.echo));
        let new = || rooms.iter().filter(|room| room.is_new);
        let names: Vec<_> = new().map(|room| room.name.clone()).collect();
        if !names.is_empty() {
            self.log(session, MembershipChange::Entered(session, name.clone(), names), out);
        }
        let entered: Vec<_> = new().map(|room| (room.id, room.is_home)).collect();
        // First, because a member that has parted from its home reads the reply in one of the other rooms.
        self.reply(origin, Reply::Join(rooms.into_iter().map(RoomPosition::from).collect()), out);
        for (room, is_home) in entered {
            let event = Event::Join(name.clone());
            let publish = Output::Publish { room, id: None, at, session, event, own: OwnLine::Event };
            let follow = is_open.then_some(Output::Follow(session, room, is_home));
            if echo {
                out.extend(follow.into_iter().chain([publish]));
            } else {
                out.extend([publish].into_iter().chain(follow));
            }
        }
    }

    fn part(
        &mut self,
        origin: Origin,
        name: Name,
        at: Timestamp,
        (room, room_name): (RoomId, RoomName),
        text: Option<Text>,
        out: &mut Vec<Output>,
    ) {
        let session = origin.session;
        self.log(session, MembershipChange::Parted(session, name.clone(), room_name.clone()), out);
        let event = Event::Leave(name, LeaveReason::Part, text);
        let reply = Reply::Part(room_name.clone());
        let publish = |own| Output::Publish { room, id: None, at, session, event, own };
        if let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) {
            state.errors = 0;
            out.push(publish(OwnLine::Reply(None, reply)));
            state.remember_room(room_name);
        } else {
            out.push(publish(OwnLine::Event));
        }
        out.push(Output::Unfollow(session, room));
        self.record_answer(origin, out);
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
            out.push(Output::Send(session, None, ServerLine::Event(private_tag(state, at), event).into()));
        }
        self.reply(origin, Reply::Whisper(names), out);
    }

    /// Resumes a member on this session. The member's previous session ends.
    fn resume_member(
        &mut self,
        at: Timestamp,
        origin: Origin,
        member: MemberId,
        name: Name,
        rooms: &[(RoomId, bool)],
        out: &mut Vec<Output>,
    ) {
        let session = origin.session;
        let first = SessionId(member.0);
        self.log(session, MembershipChange::Resumed { session, first, name: name.clone() }, out);
        self.detach_from_ended(at, Origin { member, ..origin });
        let mut former_rooms = FormerRooms::default();
        if let Some(before) = self.session_of(member) {
            if let Some(state) = self.all.get_mut(before) {
                former_rooms = state.rare.take().map(|rare| rare.former_rooms).unwrap_or_default();
                if !state.is_closed() {
                    let what = "another connection resumed this session with its token";
                    let why = Refusal::new(None, ErrorCode::Resumed, what).with_hint(Hint::ReplaceToken);
                    out.push(Output::SendAfterAll(before, ServerLine::Err(why)));
                }
            }
            self.remove_session(before, CloseReason::Resumed, out);
        }
        if let Some(state) = self.all.get_mut(session) {
            (state.member, state.errors) = (Some(member), 0);
            state.take_former_rooms(former_rooms);
            self.resumed.insert(member, session);
            out.push(Output::Send(session, None, ServerLine::Ok(Reply::Resume(name)).into()));
            out.extend(rooms.iter().map(|(room, is_home)| Output::Follow(session, *room, *is_home)));
        }
        self.record_answer(origin, out);
    }
}
