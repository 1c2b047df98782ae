//! Sessions of a node whose entries come from a log that several nodes share ([`Sequencer::has_shared_log`]).
//!
//! A change is applied later than it is submitted, and is answered then. Until then, the session's next lines wait here, so that each gets
//! its reply in order; only messages, and other commands that may follow each other, are submitted at once. A session that ends submits that
//! once, and runs no further line.
//!
//! [`Sequencer::has_shared_log`]: crate::sequencer::Sequencer::has_shared_log

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Input, InputKind, Output, SessionId, Sessions};
use crate::command::{
    Command, Hint, Refusal, Reply, RoomLine, ServerLine, SetReply, Setting, Verb, room_of_action, unavailable_refusal,
};
use crate::protocol::{CloseReason, ErrorCode, LeaveReason, ResumeToken, RoomName, Text, Timestamp, Token};
use crate::sequencer::{Change, Sequencer};
use crate::state::{
    AccountOutcome, AccountRejection, AccountUpdate, Action, Incarnation, Origin, SharedState, StoreFailure, Uptime,
};

/// The sessions' view of a shared log. Empty without one.
#[derive(Debug, Default)]
pub(super) struct SharedLog {
    /// The incarnation of this node. `NONE`: it has not joined a cluster.
    incarnation: Incarnation,
    /// The sessions with lines whose changes are under way.
    lines: BTreeMap<SessionId, LinesUnderWay>,
    /// Sessions whose next lines need not wait any more.
    released: VecDeque<SessionId>,
    /// The resume tokens whose verifiers are under way, for the replies.
    resume_tokens: BTreeMap<SessionId, ResumeToken>,
    /// The last tick was submitted, and is not applied yet.
    is_tick_under_way: bool,
    /// The time of the last tick.
    ticked_at: Uptime,
    /// Number of the operator's changes of accounts that have no result yet.
    account_changes: usize,
    /// Number of the operator's commands of moderation that have no result yet.
    moderations: usize,
}

/// The lines of a session that have no reply yet.
#[derive(Debug, Default)]
struct LinesUnderWay {
    /// Number of its lines that were carried out and are not answered.
    unanswered: usize,
    /// The kind of the last one, if a line of the same kind may follow it at once.
    last: Option<PipelinedKind>,
    /// Lines that wait until all of them are answered; also the end of the input.
    waiting: VecDeque<(Timestamp, InputKind)>,
    /// The session ends, for this reason, once they are answered. Only then it is known whether it has a member.
    end: Option<(Timestamp, LeaveReason, Option<Text>)>,
}

/// A command that may be submitted while others of the same kind are under way: the verb, and the room that the line names.
pub(super) type PipelinedKind = (Verb, Option<RoomName>);

impl LinesUnderWay {
    fn may_run(&self, kind: &InputKind) -> bool {
        self.unanswered == 0 || (self.last.is_some() && self.last == pipelined_kind(kind))
    }
}

/// The kind of a command, if others of the same kind may follow it at once. `None`: it may be answered at once, too.
fn pipelined_kind(kind: &InputKind) -> Option<PipelinedKind> {
    let (command, room) = match kind {
        InputKind::Command(command) => (command, None),
        InputKind::CommandIn(room, command) => (command, Some(room)),
        _ => return None,
    };
    command_kind(command, room)
}

pub(super) fn command_kind(command: &Command, room: Option<&RoomName>) -> Option<PipelinedKind> {
    command.waits_for_store().then(|| (command.verb(), room.cloned()))
}

/// Whether an input keeps its place among the replies to the session's lines.
fn is_ordered(kind: &InputKind) -> bool {
    let is_blank = matches!(kind, InputKind::Blank);
    (kind.is_line() && !is_blank) || matches!(kind, InputKind::EndOfInput | InputKind::OtherProtocol(_))
}

/// Why a node refuses connections and commands of its operator.
const NOT_JOINED: &str = "this server has not joined its cluster yet";

/// The refusal of a connection by a node that has not joined its cluster.
pub(super) fn not_joined() -> Refusal {
    Refusal::new(None, ErrorCode::ClusterUnavailable, NOT_JOINED).with_hint(Hint::RetryLater)
}

/// The last line to the sessions of a node that has expired.
fn expired() -> Refusal {
    let what = "this server could not reach its cluster, and has lost its place in it";
    Refusal::new(None, ErrorCode::ClusterUnavailable, what).with_hint(Hint::Reconnect)
}

impl Sessions {
    /// Sets the sequencer of a node of a cluster.
    #[must_use]
    pub fn with_shared_log(self, sequencer: Box<dyn Sequencer>) -> Self {
        Self { sequencer, ..self }
    }

    /// The incarnation of this node. [`Incarnation::NONE`]: it has not joined a cluster, or there is none.
    pub fn incarnation(&self) -> Incarnation {
        self.shared_log.incarnation
    }

    /// Whether clients are served: a node of a cluster has joined it.
    pub fn accepts_clients(&self) -> bool {
        !self.sequencer.has_shared_log() || self.incarnation() != Incarnation::NONE
    }

    /// The time of the last [`InputKind::Tick`]. In a cluster, [`Sessions::now`] is the time of the log.
    pub fn last_tick(&self) -> Uptime {
        self.shared_log.ticked_at
    }

    /// Why a command of the operator cannot be submitted: the node has not joined its cluster.
    pub(super) fn not_joined_reason(&self) -> Option<&'static str> {
        (!self.accepts_clients()).then_some(NOT_JOINED)
    }

    /// Whether this node has the session, or had it.
    pub(super) fn is_local(&self, session: SessionId) -> bool {
        session.incarnation() == self.shared_log.incarnation
    }

    /// The origin of this node's own entries, and of those of its operator.
    pub(super) fn own_origin(&self) -> Origin {
        Origin::of_node(self.shared_log.incarnation)
    }

    /// Whether this is a new session of this node. A number that was given before the node joined is not.
    pub(super) fn accepts_session(&self, session: SessionId) -> bool {
        self.accepts_clients() && self.is_local(session)
    }

    /// Records that a line of the session was carried out, and waits for its answer.
    pub(super) fn record_unanswered(&mut self, session: SessionId, kind: Option<PipelinedKind>) {
        if self.sequencer.has_shared_log() {
            let lines = self.shared_log.lines.entry(session).or_default();
            lines.unanswered += 1;
            lines.last = kind;
        }
    }

    /// Whether earlier lines of the session have no reply yet, so that this input must wait.
    pub(super) fn must_wait(&self, input: &Input) -> bool {
        // Fast path: without a shared log, no line waits here.
        if self.shared_log.lines.is_empty() {
            return false;
        }
        let lines = self.shared_log.lines.get(&input.session);
        let has_to = |lines: &LinesUnderWay| !lines.waiting.is_empty() || !lines.may_run(&input.kind);
        is_ordered(&input.kind) && lines.is_some_and(has_to)
    }

    /// Keeps an input until the session's earlier lines are answered.
    pub(super) fn enqueue(&mut self, Input { at, session, kind }: Input) {
        if !self.is_ending(session) {
            self.record_activity(session);
            self.shared_log.lines.entry(session).or_default().waiting.push_back((at, kind));
        }
    }

    /// Keeps the refusal of the line in progress until the session's earlier lines are answered. Returns it if there are none.
    pub(super) fn hold_refusal(
        &mut self,
        at: Timestamp,
        session: SessionId,
        room: Option<&RoomName>,
        refusal: Refusal,
    ) -> Option<Refusal> {
        let lines = self.shared_log.lines.get_mut(&session).filter(|lines| lines.unanswered > 0);
        let Some(lines) = lines else { return Some(refusal) };
        let kind = match room {
            None => InputKind::Refuse(refusal),
            Some(room) => InputKind::RefuseIn(room.clone(), refusal),
        };
        lines.waiting.push_front((at, kind));
        if let Some(line) = &mut self.line {
            line.is_answered = false;
        }
        None
    }

    /// A line of the session is answered.
    pub(super) fn release_line(&mut self, session: SessionId) {
        if let Some(lines) = self.shared_log.lines.get_mut(&session) {
            lines.unanswered = lines.unanswered.saturating_sub(1);
            if lines.unanswered == 0 {
                self.shared_log.released.push_back(session);
            }
        }
    }

    /// Carries out the lines that need not wait any more.
    pub(super) fn run_released(&mut self, out: &mut Vec<Output>) {
        while let Some(session) = self.shared_log.released.pop_front() {
            while let Some(input) = self.next_waiting(session, out) {
                self.apply_now(input, out);
            }
        }
    }

    /// The session's next line, if it need not wait.
    fn next_waiting(&mut self, session: SessionId, out: &mut Vec<Output>) -> Option<Input> {
        let lines = self.shared_log.lines.get_mut(&session)?;
        if lines.unanswered == 0
            && let Some((at, reason, text)) = lines.end.take()
        {
            self.shared_log.lines.remove(&session);
            self.finish_leaving(at, session, reason, text, out);
            return None;
        }
        if lines.waiting.front().is_some_and(|(_, kind)| !lines.may_run(kind)) {
            return None;
        }
        match lines.waiting.pop_front() {
            Some((at, kind)) => Some(Input { at, session, kind }),
            None if lines.unanswered == 0 => {
                self.shared_log.lines.remove(&session);
                None
            }
            None => None,
        }
    }

    /// Whether the session has ended, or its end is under way.
    pub(super) fn is_ending(&self, session: SessionId) -> bool {
        self.all.get(session).is_none_or(|state| state.is_closed() || state.is_leaving)
    }

    /// Closes the session's connection: nothing is sent to it from here on, and its waiting lines are dropped. Returns whether its end can be
    /// submitted now. It cannot if the end is under way, or if a line under way may make the session a member.
    pub(super) fn begin_leaving(
        &mut self,
        at: Timestamp,
        session: SessionId,
        reason: LeaveReason,
        text: Option<&Text>,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.is_ending(session) {
            return false;
        }
        let Some(state) = self.all.get_mut(session) else { return false };
        state.is_leaving = true;
        state.lifecycle.close(CloseReason::Left(reason));
        out.push(Output::Close(session, CloseReason::Left(reason)));
        let has_member = state.member.is_some();
        let Some(lines) = self.shared_log.lines.get_mut(&session) else { return true };
        lines.waiting.clear();
        if has_member || lines.unanswered == 0 {
            return true;
        }
        lines.end = Some((at, reason, text.cloned()));
        false
    }

    /// The end of a session was applied. Removes it if its member was displaced before: nothing else does.
    pub(super) fn end_without_member(&mut self, session: SessionId, out: &mut Vec<Output>) {
        let Some(state) = self.all.get(session).filter(|state| state.is_leaving) else { return };
        let is_member = state.member.is_some_and(|member| self.state.member(member).is_some());
        if let (false, Some(reason)) = (is_member, state.lifecycle.reason()) {
            self.remove_session(session, reason, out);
        }
    }

    /// A session that has ended has become a member, or has resumed one: the member loses its connection.
    pub(super) fn detach_from_ended(&mut self, at: Timestamp, origin: Origin) {
        if self.incarnation() != Incarnation::NONE
            && self.is_local(origin.session)
            && self.all.get(origin.session).is_none()
        {
            let (uptime, action) = (self.state.now(), Action::Detach(LeaveReason::Lost));
            self.sequencer.submit(Change { at, uptime, origin, action });
        }
    }

    /// The session is removed.
    pub(super) fn forget_lines(&mut self, session: SessionId) {
        self.shared_log.lines.remove(&session);
        self.shared_log.resume_tokens.remove(&session);
    }

    /// All sessions are removed.
    pub(super) fn forget_all_lines(&mut self) {
        let SharedLog { lines, released, resume_tokens, .. } = &mut self.shared_log;
        (*lines, *released, *resume_tokens) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
    }

    /// Whether a tick must be submitted: the clock has advanced, or the rest of an expiry has no tick under way.
    pub(super) fn begin_tick(&mut self, now: Uptime) -> bool {
        let is_new = now > std::mem::replace(&mut self.shared_log.ticked_at, now);
        if !self.sequencer.has_shared_log() {
            return true;
        }
        let was_under_way = std::mem::replace(&mut self.shared_log.is_tick_under_way, true);
        is_new || !was_under_way
    }

    /// Whether a submitted tick is not applied yet.
    pub(super) fn is_tick_under_way(&self) -> bool {
        self.shared_log.is_tick_under_way
    }

    /// A node gives a sign of life.
    pub(super) fn note_heartbeat(&mut self, origin: Origin) {
        if origin.session == self.own_origin().session {
            self.shared_log.is_tick_under_way = false;
        }
    }

    /// Keeps the resume token whose verifier is about to be submitted.
    pub(super) fn expect_resume_token(&mut self, session: SessionId, token: ResumeToken) {
        self.shared_log.resume_tokens.insert(session, token);
    }

    /// Replies to `SET resume`.
    pub(super) fn confirm_verifier(&mut self, origin: Origin, is_on: bool, out: &mut Vec<Output>) {
        let session = origin.session;
        let token = self.shared_log.resume_tokens.remove(&session).filter(|_| is_on);
        let home = self.home(session);
        if let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) {
            state.errors = 0;
            out.push(match token {
                Some(token) => {
                    let line = ServerLine::Ok(Reply::Set(SetReply::Resumable(token)));
                    Output::Send(session, home, RoomLine { room: None, line })
                }
                None => {
                    Output::SendAfterAll(session, ServerLine::Ok(Reply::Set(SetReply::Set(Setting::Resume, is_on))))
                }
            });
        }
        self.record_answer(origin, out);
    }

    /// Replies to `PING`.
    pub(super) fn confirm_barrier(&mut self, origin: Origin, token: Option<Token>, out: &mut Vec<Output>) {
        let session = origin.session;
        if let Some(state) = self.all.get_mut(session).filter(|state| !state.is_closed()) {
            state.errors = 0;
            out.push(Output::SendAfterAll(session, ServerLine::Ok(Reply::Ping(token))));
        }
        self.record_answer(origin, out);
    }

    /// Refuses the command whose change is in no log.
    pub(super) fn refuse_change(&mut self, change: Change, why: Arc<str>, out: &mut Vec<Output>) {
        let Change { at, origin, action, .. } = change;
        let Some(refusal) = unavailable_refusal(&action, &why) else { return };
        if origin.is_server() {
            match action {
                Action::ChangeAccount(_) => self.finish_account_change(Err(not_stored(why)), out),
                Action::Moderate(_) => self.finish_moderation(ServerLine::Err(refusal), out),
                _ => {}
            }
            return;
        }
        let session = origin.session;
        self.shared_log.resume_tokens.remove(&session);
        if let Action::ChangeAccount(change) = &action
            && let AccountUpdate::Create { .. } = change.update
        {
            self.record_refused_registration(session, &not_stored(why));
        }
        let room = room_of_action(&action).and_then(|id| Some((id, self.state.room(id)?.name().clone())));
        self.refuse_submitted(at, origin, room, refusal, out);
    }

    /// Continues with another state. All sessions end: its members have none here.
    pub(super) fn reset(&mut self, state: SharedState, out: &mut Vec<Output>) {
        self.end_all(out);
        out.extend(self.state.rooms().map(|(room, _)| Output::CloseRoom(room)));
        out.extend(self.state.banned_networks().map(|network| Output::BanNetwork(network, None)));
        self.replace_state(state);
        out.extend(self.banned_networks().map(|(network, ban)| Output::BanNetwork(network, ban)));
        self.shared_log.is_tick_under_way = false;
    }

    /// A node has joined the cluster.
    pub(super) fn note_joined(&mut self, node: Token, run: u64, incarnation: Incarnation, out: &mut Vec<Output>) {
        let is_own = self.sequencer.note_joined(run, incarnation);
        if is_own {
            (self.shared_log.incarnation, self.shared_log.is_tick_under_way) = (incarnation, false);
        }
        out.push(Output::NodeJoined { node, incarnation, is_own });
    }

    /// A node has left the cluster or has expired. If it is this one, its sessions end.
    pub(super) fn note_expired(&mut self, node: Token, incarnation: Incarnation, out: &mut Vec<Output>) {
        self.sequencer.note_expired(incarnation);
        let is_own = incarnation == self.shared_log.incarnation;
        if is_own {
            self.end_all(out);
            self.shared_log.is_tick_under_way = false;
        }
        out.push(Output::NodeExpired { node, incarnation, is_own });
    }

    /// Ends all sessions, and the operator's commands: the log takes no more changes of this incarnation.
    fn end_all(&mut self, out: &mut Vec<Output>) {
        let reason = CloseReason::Left(LeaveReason::Lost);
        for (session, _) in std::mem::take(&mut self.all).iter() {
            let why = ServerLine::Err(expired());
            out.extend([Output::SendAfterAll(session, why), Output::Close(session, reason), Output::Remove(session)]);
        }
        self.resumed.clear();
        self.forget_all_lines();
        let unconfirmed =
            || AccountRejection::NotStored(StoreFailure::Unconfirmed("the server has left its cluster".into()));
        for _ in 0..std::mem::take(&mut self.shared_log.account_changes) {
            out.push(Output::AccountChanged(Err(unconfirmed())));
        }
        for _ in 0..std::mem::take(&mut self.shared_log.moderations) {
            out.push(Output::Moderated(ServerLine::Err(expired())));
        }
        self.shared_log.incarnation = Incarnation::NONE;
    }

    /// Counts a change of the operator that is about to be submitted.
    pub(super) fn begin_account_change(&mut self) {
        self.shared_log.account_changes += 1;
    }

    /// The result of the oldest change of the operator that has none.
    pub(super) fn finish_account_change(
        &mut self,
        result: Result<AccountOutcome, AccountRejection>,
        out: &mut Vec<Output>,
    ) {
        self.shared_log.account_changes = self.shared_log.account_changes.saturating_sub(1);
        out.push(Output::AccountChanged(result));
    }

    /// Counts a command of the operator that is about to be submitted.
    pub(super) fn begin_moderation(&mut self) {
        self.shared_log.moderations += 1;
    }

    /// The reply to the oldest command of the operator that has none.
    pub(super) fn finish_moderation(&mut self, line: ServerLine, out: &mut Vec<Output>) {
        self.shared_log.moderations = self.shared_log.moderations.saturating_sub(1);
        out.push(Output::Moderated(line));
    }
}

fn not_stored(why: Arc<str>) -> AccountRejection {
    AccountRejection::NotStored(StoreFailure::NotStored(why))
}
