//! Translates the outputs of the shared state about moderation.

use super::{MembershipChange, NetworkBan, Output, OwnLine, Session, SessionId, Sessions, private_tag};
use crate::command::{
    NamedSwitch, Refusal, Reply, RoomLine, SanctionReply, ServerLine, Stored, banned_refusal, stopping_refusal,
    unavailable_refusal, watch_end_notice,
};
use crate::protocol::{
    CloseReason, Event, LeaveReason, ModerationRecord, Network, RoomName, SanctionKind, SanctionTarget, Timestamp,
    Until,
};
use crate::sequencer::Change;
use crate::state::{
    Action, MemberId, Moderated, Moderation, ModerationOutcome, Origin, Rank, Rejection, RoomId, RoomRejection,
    SanctionNotice, StateOutput,
};

impl Sessions {
    /// Carries out a command of the operator at the control socket.
    pub(super) fn moderate(&mut self, at: Timestamp, moderation: Moderation, out: &mut Vec<Output>) {
        if self.stopped {
            // The store is closed.
            return out.push(Output::Moderated(ServerLine::Err(stopping_refusal(moderation.command()))));
        }
        if let Some(why) = self.not_joined_reason() {
            let refusal = unavailable_refusal(&Action::Moderate(moderation), why);
            return out.extend(refusal.map(|refusal| Output::Moderated(ServerLine::Err(refusal))));
        }
        self.begin_moderation();
        self.submit(at, self.own_origin(), Action::Moderate(moderation), out);
    }

    /// Translates an output about moderation.
    pub(super) fn translate_moderation_output(&mut self, at: Timestamp, output: StateOutput, out: &mut Vec<Output>) {
        match output {
            StateOutput::Kicked { member, name, reason, text, at, room, room_name } => {
                self.remove_from_room(member, Event::Leave(name, reason, Some(text)), at, (room, room_name), out);
            }
            StateOutput::Invited { member, at, room, room_name, event } => {
                self.tell_invited(member, at, (room, &room_name), event, out);
            }
            StateOutput::WatchEnded(session, room, why) => self.tell_watcher(at, session, room, why, out),
            StateOutput::NetworkBanned { network, room, notice } => self.ban_network(at, network, room, &notice, out),
            StateOutput::NetworkUnbanned(network) => {
                // Another ban may go on.
                out.push(Output::BanNetwork(network, self.ban_of(network)));
            }
            // All entries of a shared log are durable.
            StateOutput::SanctionsChanged(_) if self.sequencer.has_shared_log() => {}
            StateOutput::SanctionsChanged(records) => {
                // Nobody waits for the result.
                let outcome = ModerationOutcome::SanctionsChanged;
                let moderated = Moderated { room: None, outcome, audit: None };
                self.submit_records(at, Origin::SERVER, moderated, records);
            }
            StateOutput::Moderated(origin, moderated, records) => {
                if moderated.audit.is_some() && self.is_local(origin.session) {
                    self.log_moderation(origin, &moderated, out);
                }
                if self.sequencer.has_shared_log() {
                    return self.keep_moderation(origin, moderated, out);
                }
                self.record_moderation(at, origin, moderated, records, out);
            }
            StateOutput::OwnDeletion(origin, deletion) if self.is_local(origin.session) => {
                let (uptime, action) = (self.state.now(), Action::DeleteOwn(deletion));
                self.sequencer.submit(Change { at, uptime, origin, action });
            }
            StateOutput::ModerationConfirmed(origin, moderated, failure) => {
                self.confirm_moderation(origin, moderated, failure.is_none(), out);
            }
            _ => {}
        }
    }

    /// A moderator has removed a member from a room. The member reads that, too.
    fn remove_from_room(
        &mut self,
        member: MemberId,
        event: Event,
        at: Timestamp,
        (room, room_name): (RoomId, RoomName),
        out: &mut Vec<Output>,
    ) {
        let session = SessionId::SERVER;
        out.push(Output::Publish { room, id: None, at, session, event, own: OwnLine::Event });
        let Some(session) = self.session_of(member) else { return };
        // A detached member follows no room.
        if let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) {
            state.remember_room(room_name);
            out.push(Output::Unfollow(session, room));
        }
    }

    /// A member reads that it is invited into a room in which it is not.
    fn tell_invited(
        &self,
        member: MemberId,
        at: Timestamp,
        (room, name): (RoomId, &RoomName),
        event: Event,
        out: &mut Vec<Output>,
    ) {
        let session = self.session_of(member).filter(|session| self.is_open(*session));
        let Some((session, state)) = session.and_then(|id| Some((id, self.all.get(id)?))) else { return };
        let line = ServerLine::Event(private_tag(state, at), event);
        let prefix = self.prefix(session, room, name);
        out.push(Output::Send(session, None, RoomLine { room: prefix, line }));
    }

    /// A session reads why it does not watch the room any more. It follows the room until its [`StateOutput::Unwatched`].
    fn tell_watcher(&self, at: Timestamp, session: SessionId, room: RoomId, why: RoomRejection, out: &mut Vec<Output>) {
        let Some(state) = self.all.get(session).filter(|state| !state.is_closed()) else { return };
        let line = ServerLine::Event(private_tag(state, at), Event::Notice(watch_end_notice(why)));
        out.push(Output::Send(session, Some(room), line.into()));
    }

    /// Ends the sessions without a nickname in a banned network, or their watching of the room. The state has removed the members.
    fn ban_network(
        &mut self,
        at: Timestamp,
        network: Network,
        room: Option<RoomId>,
        notice: &SanctionNotice,
        out: &mut Vec<Output>,
    ) {
        let is_concerned = |state: &Session| {
            state.member.is_none() && self.network_of(state.address).is_some_and(|own| network.contains_network(own))
        };
        let concerned = self.all.iter().filter(|(_, state)| is_concerned(state)).map(|(session, _)| session);
        let concerned: Vec<_> = concerned.collect();
        for session in concerned {
            match room {
                None => {
                    out.push(Output::SendAfterAll(session, ServerLine::Err(banned_refusal(notice))));
                    // With a shared log, a line under way may make it a member.
                    let reason = LeaveReason::Banned;
                    if self.sequencer.has_shared_log() && !self.begin_leaving(at, session, reason, None, out) {
                        continue;
                    }
                    if self.state.watched_room(session).is_some() {
                        self.submit_later(at, session, Action::Unwatch);
                    }
                    self.remove_session(session, CloseReason::Left(reason), out);
                }
                Some(room) if self.state.watched_room(session) == Some(room) => {
                    self.tell_watcher(at, session, room, RoomRejection::Banned(notice.clone()), out);
                    self.submit_later(at, session, Action::Unwatch);
                }
                Some(_) => {}
            }
        }
        if room.is_none() {
            out.push(Output::BanNetwork(network, self.ban_of(network)));
        }
    }

    /// Of the bans of exactly this network from the server, the one that lasts longest.
    fn ban_of(&self, network: Network) -> Option<NetworkBan> {
        let longest = self.state.bans_of_network(network).max_by_key(|ban| Until(ban.until))?;
        Some(NetworkBan { until: longest.until, reason: longest.reason.clone() })
    }

    /// The networks that are banned from the server.
    pub fn banned_networks(&self) -> impl Iterator<Item = (Network, Option<NetworkBan>)> {
        self.state.banned_networks().map(|network| (network, self.ban_of(network)))
    }

    /// Submits a change that `Sessions::advance` applies in its turn, after the outputs of the present entry.
    fn submit_later(&mut self, at: Timestamp, session: SessionId, action: Action) {
        let (uptime, origin) = (self.state.now(), self.any_origin(session));
        self.sequencer.submit(Change { at, uptime, origin, action });
    }

    fn log_moderation(&self, origin: Origin, moderated: &Moderated, out: &mut Vec<Output>) {
        let by = self.name(origin.session).cloned();
        out.push(Output::Log(MembershipChange::Moderated(origin.session, by, moderated.clone())));
    }

    /// Has the records stored before the reply. They have taken effect already.
    fn record_moderation(
        &mut self,
        at: Timestamp,
        origin: Origin,
        moderated: Moderated,
        records: Vec<ModerationRecord>,
        out: &mut Vec<Output>,
    ) {
        // The operator's results keep their order: all of them wait for the store.
        let has_records = moderated.audit.is_some() || !records.is_empty();
        let is_immediate = !has_records && (!origin.is_server() || !self.features.search);
        if is_immediate {
            return self.confirm_moderation(origin, moderated, true, out);
        }
        self.submit_records(at, origin, moderated, records);
    }

    /// All nodes keep the entry of the audit log. That of the origin replies at once: the log of the cluster has the command.
    fn keep_moderation(&mut self, origin: Origin, mut moderated: Moderated, out: &mut Vec<Output>) {
        if let Some(entry) = moderated.audit.take() {
            self.sequencer.keep_audit(*entry);
        }
        if self.is_local(origin.session) {
            self.confirm_moderation(origin, moderated, true, out);
        }
    }

    fn submit_records(&mut self, at: Timestamp, origin: Origin, moderated: Moderated, records: Vec<ModerationRecord>) {
        let action = Action::RecordModeration(moderated, records);
        // `Sessions::advance` applies the result in its turn, after the outputs of this entry.
        self.sequencer.submit(Change { at, uptime: self.state.now(), origin, action });
    }

    /// Replies to the moderator.
    fn confirm_moderation(&mut self, origin: Origin, moderated: Moderated, is_stored: bool, out: &mut Vec<Output>) {
        let Moderated { room, outcome, audit: _ } = moderated;
        // A moderator of a room may lift the ban of an address, and does not learn the address.
        let shows_networks = origin.is_server() || self.state.rank(origin.member, None) == Rank::Operator;
        let shown = |target: SanctionTarget| target.visible(shows_networks);
        let reply = match outcome {
            // The removal of a member needs no disk. Only its entry in the audit log may be missing.
            ModerationOutcome::Kicked(name) => Reply::Kick(name),
            ModerationOutcome::Sanctioned(kind, id, target) => {
                let reply = Stored { value: SanctionReply { id, target: shown(target) }, is_stored };
                if kind == SanctionKind::Ban { Reply::Ban(reply) } else { Reply::Mute(reply) }
            }
            ModerationOutcome::Lifted(kind, id, target) => {
                let reply = Stored { value: SanctionReply { id, target: shown(target) }, is_stored };
                if kind == SanctionKind::Ban { Reply::Unban(reply) } else { Reply::Unmute(reply) }
            }
            ModerationOutcome::Refused(command, why) => {
                let refusal = Refusal::from(Rejection::Moderation(command, why));
                return self.finish_moderation(ServerLine::Err(refusal), out);
            }
            // Nobody has caused it.
            ModerationOutcome::SanctionsChanged => return,
            ModerationOutcome::LockSet(value) => Reply::Lock(Stored { value, is_stored }),
            ModerationOutcome::Invited(name, on) => {
                Reply::Invite(Stored { value: NamedSwitch { name, on }, is_stored })
            }
            ModerationOutcome::ModeratorSet(name, on) => {
                Reply::Moderator(Stored { value: NamedSwitch { name, on }, is_stored })
            }
            ModerationOutcome::Deleted(id) => Reply::Delete(Stored { value: id, is_stored }),
        };
        let session = origin.session;
        if origin.is_server() {
            return self.finish_moderation(ServerLine::Ok(reply), out);
        }
        if self.is_open(session)
            && let Some(state) = self.all.get_mut(session)
        {
            state.errors = 0;
            let prefix = room.as_ref().and_then(|(id, name)| self.prefix(session, *id, name));
            // The room may have vanished since.
            let room = room.map(|(id, _)| id).filter(|id| self.state.room(*id).is_some());
            out.push(Output::Send(session, room, RoomLine { room: prefix, line: ServerLine::Ok(reply) }));
        }
        self.record_answer(origin, out);
    }
}
