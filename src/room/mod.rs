//! The shared state: nicknames, members, messages, canvas. A deterministic state machine: after it is set up, only
//! [`Room::apply`] changes it.
//!
//! Pure: no clock, no I/O, no randomness, and no panic on any entry. The same entries in the same order give the same
//! outputs on any machine. The room keeps no state of sessions; it only passes back the session that caused an entry.
//! [`crate::session`] handles the clients' commands, and [`crate::server`] delivers outputs.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod canvas;
mod dense_map;
mod entry;
mod history;
mod names;
mod output;
mod recent;
mod snapshot;

use std::collections::BTreeMap;

pub use self::canvas::RecentStrokes;
pub use self::dense_map::DenseMap;
pub use self::entry::{Action, Entry, MemberId, Message, Origin, RoomId, SessionId, StoreFailure, Uptime, Verifier};
pub use self::history::RecentMessages;
use self::names::Collision;
pub use self::names::Names;
pub use self::output::{Rejection, RoomOutput};
pub use self::recent::{MemoryCost, Recent};
pub use self::snapshot::SnapshotError;
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::{Drawing, DrawnStroke, Event, LeaveReason, MessageId, Name, PastMessage, Text, Timestamp, Token};

/// The room.
#[derive(Debug, Default)]
pub struct Room {
    /// Seconds for which a detached member remains; 0: no member can be resumed.
    resume_seconds: u64,
    /// Steady time as of the last entry.
    now: Uptime,
    members: DenseMap<MemberId, Member>,
    /// The members in the order in which they registered; the first is the coordinator.
    by_seniority: BTreeMap<Seniority, MemberId>,
    names: Names,
    /// More detached members have expired than one entry may remove.
    has_expired: bool,
    /// The epoch of the message ids; `None` if clients do not learn it.
    epoch: Option<Token>,
    /// The id of the newest message, even if it was deleted.
    last_id: MessageId,
    history: RecentMessages,
    canvas: RecentStrokes,
    registered: Seniority,
    /// Counts the changes of the member list, so that a rendered list can be reused until the next change.
    roster_version: u64,
}

/// Rank of a member by registration: 1 for the first member that ever registered.
type Seniority = u64;

/// A nickname in the room, with or without a connection.
#[derive(Clone, Debug)]
pub struct Member {
    name: Name,
    seniority: Seniority,
    registered_at: Uptime,
    has_ended_input: bool,
    /// Boxed, because most members have none.
    resumption: Option<Box<Resumption>>,
    /// Number of the member's messages under this nickname that are being stored.
    unpublished: u32,
}

/// State of a member that can be resumed, or is detached.
#[derive(Clone, Debug, Default)]
struct Resumption {
    /// The hash of the secret in the resume token, if the member has one.
    verifier: Option<Verifier>,
    /// Since when the member has no connection, and why.
    detached: Option<(Uptime, LeaveReason)>,
}

impl Member {
    fn verifier(&self) -> Option<Verifier> {
        self.resumption.as_ref()?.verifier
    }

    fn detached(&self) -> Option<(Uptime, LeaveReason)> {
        self.resumption.as_ref()?.detached
    }

    /// The nickname.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// When the member registered.
    pub fn registered_at(&self) -> Uptime {
        self.registered_at
    }

    /// Whether the member can be resumed after it has lost its connection.
    pub fn is_resumable(&self) -> bool {
        self.verifier().is_some()
    }
}

impl Room {
    /// Creates an empty room, in which detached members remain for `resume_seconds`; 0: no member can be resumed.
    pub fn new(resume_seconds: u64) -> Self {
        Self { resume_seconds, ..Self::default() }
    }

    /// Sets the epoch.
    #[must_use]
    pub fn with_epoch(self, epoch: Token) -> Self {
        Self { epoch: Some(epoch), ..self }
    }

    /// Sets the messages in memory.
    #[must_use]
    pub fn with_history(self, history: RecentMessages) -> Self {
        Self { history, ..self }
    }

    /// Sets the canvas.
    #[must_use]
    pub fn with_canvas(self, canvas: RecentStrokes) -> Self {
        Self { canvas, ..self }
    }

    /// Sets the id of the newest message.
    #[must_use]
    pub fn with_last_id(self, last_id: MessageId) -> Self {
        Self { last_id, ..self }
    }

    /// Applies an entry, and appends its consequences to `out`.
    pub fn apply(&mut self, entry: Entry, out: &mut Vec<RoomOutput>) {
        let Entry { seq: _, at, uptime, origin, action } = entry;
        self.now = self.now.max(uptime);
        let mut transition = Transition { room: self, at, origin, out };
        match action {
            Action::Register(name, verifier) => transition.register(name, verifier),
            Action::Rename(name) => transition.rename(name),
            Action::Say(message) => transition.say(message),
            Action::SayPending => transition.count_unpublished(),
            Action::SayFailed(name, why) => transition.reject_message(&name, Rejection::NotStored(why)),
            Action::Whisper(to, text) => transition.whisper(&to, text),
            Action::Draw(drawing) => transition.draw(drawing),
            Action::SetVerifier(verifier) => transition.set_verifier(verifier),
            Action::Resume(member, verifier) => transition.resume(member, verifier),
            Action::EndOfInput => transition.end_input(),
            Action::Detach(reason) => transition.detach(reason),
            Action::Leave(reason, text) => transition.leave(origin.member, reason, text),
            Action::Evict(id) => self.history.evict_up_to(id.min(self.last_id)),
            Action::Tick => transition.remove_expired(),
            Action::Stop => self.stop(),
        }
    }

    /// The members, in the order in which they registered.
    pub fn members(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.by_seniority.values().filter_map(|id| Some((*id, self.members.get(*id)?)))
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The nickname of a member.
    pub fn name(&self, id: MemberId) -> Option<&Name> {
        Some(&self.members.get(id)?.name)
    }

    /// The member that has been here longest.
    pub fn coordinator(&self) -> Option<MemberId> {
        self.by_seniority.values().next().copied()
    }

    /// A number that changes with the members, their nicknames and the coordinator.
    pub fn roster_version(&self) -> u64 {
        self.roster_version
    }

    /// The epoch of the message ids.
    pub fn epoch(&self) -> Option<&Token> {
        self.epoch.as_ref()
    }

    /// The id of the newest message, even if it was deleted; 0 before the first one.
    pub fn last_id(&self) -> MessageId {
        self.last_id
    }

    /// The messages in memory.
    pub fn history(&self) -> &RecentMessages {
        &self.history
    }

    /// The strokes in memory.
    pub fn canvas(&self) -> &RecentStrokes {
        &self.canvas
    }

    /// Steady time as of the last entry.
    pub fn now(&self) -> Uptime {
        self.now
    }

    /// Whether members can be resumed.
    pub fn has_resume(&self) -> bool {
        self.resume_seconds > 0
    }

    /// Whether more detached members have expired than one entry may remove. The next [`Action::Tick`], with the same
    /// time or a later one, lets them leave.
    pub fn has_expired(&self) -> bool {
        self.has_expired
    }

    fn stop(&mut self) {
        self.members = DenseMap::default();
        self.by_seniority.clear();
        self.names = Names::default();
        self.has_expired = false;
        self.roster_version += 1;
    }
}

/// Application of one entry.
struct Transition<'a> {
    room: &'a mut Room,
    at: Timestamp,
    origin: Origin,
    out: &'a mut Vec<RoomOutput>,
}

impl Transition<'_> {
    fn register(&mut self, name: Name, verifier: Option<Verifier>) {
        let id = self.origin.member;
        if self.room.members.get(id).is_some() || !self.check_nick(&name) {
            return;
        }
        self.room.registered += 1;
        let member = Member {
            name: name.clone(),
            seniority: self.room.registered,
            registered_at: self.room.now,
            has_ended_input: false,
            resumption: verifier.map(|verifier| Box::new(Resumption { verifier: Some(verifier), detached: None })),
            unpublished: 0,
        };
        self.room.names.insert(&name, id);
        self.room.by_seniority.insert(member.seniority, id);
        self.room.members.insert(id, member);
        self.publish_own(Event::Join(name));
        if self.room.coordinator() == Some(id) {
            self.announce_coordinator();
        }
    }

    fn rename(&mut self, to: Name) {
        let id = self.origin.member;
        if self.room.members.get(id).is_none() || !self.check_nick(&to) {
            return;
        }
        let Some(member) = self.room.members.get_mut(id) else { return };
        let from = std::mem::replace(&mut member.name, to.clone());
        let unpublished = std::mem::take(&mut member.unpublished);
        self.room.names.remove(&from, id, unpublished);
        self.room.names.insert(&to, id);
        self.publish_own(Event::Rename { from, to });
    }

    /// Whether the origin may take the nickname. If not, rejects the command, with the reason.
    fn check_nick(&mut self, name: &Name) -> bool {
        let Some(collision) = self.room.names.find_collision(name, self.origin.member) else { return true };
        let held = |holder| self.room.name(holder).unwrap_or(name).clone();
        let rejection = match collision {
            Collision::Taken(holder) => Rejection::NickTaken(name.clone(), held(holder)),
            Collision::Alike(holder) => Rejection::NickAlike(name.clone(), held(holder)),
            Collision::Reserved => Rejection::NickReserved(name.clone()),
        };
        self.reject(rejection);
        false
    }

    fn say(&mut self, Message { name, at, text }: Message) {
        self.release_reservation(&name);
        let id = self.room.last_id.next();
        self.room.last_id = id;
        self.room.history.push(PastMessage { id, at, name: name.clone(), text: text.clone() });
        let event = Event::Msg(name, text);
        self.out.push(RoomOutput::Event { id: Some(id), at, origin: Some(self.origin), event });
    }

    fn count_unpublished(&mut self) {
        if let Some(member) = self.room.members.get_mut(self.origin.member) {
            member.unpublished = member.unpublished.saturating_add(1);
        }
    }

    fn reject_message(&mut self, name: &Name, rejection: Rejection) {
        self.release_reservation(name);
        self.reject(rejection);
    }

    /// Records that one of the origin's messages under this nickname was published or refused.
    fn release_reservation(&mut self, name: &Name) {
        let id = self.origin.member;
        match self.room.members.get_mut(id) {
            Some(member) if member.name == *name && member.unpublished > 0 => member.unpublished -= 1,
            _ => self.room.names.release_reservation(name, id),
        }
    }

    fn whisper(&mut self, to: &[Name], text: Text) {
        let origin = self.origin;
        let Some(from) = self.room.name(origin.member).cloned() else { return };
        match self.room.find_recipients(to, origin.member) {
            Ok(to) => self.out.push(RoomOutput::Whispered { origin, from, to, text }),
            Err(rejection) => self.reject(rejection),
        }
    }

    fn draw(&mut self, drawing: Drawing) {
        let Some(name) = self.room.name(self.origin.member).cloned() else { return };
        match &drawing {
            Drawing::Clear => self.room.canvas.clear(),
            Drawing::Stroke(stroke) => {
                self.room.canvas.push(DrawnStroke { name: name.clone(), stroke: stroke.clone() });
            }
        }
        let event = Event::Draw(name, drawing);
        self.out.push(RoomOutput::Event { id: None, at: self.at, origin: Some(self.origin), event });
    }

    fn set_verifier(&mut self, verifier: Option<Verifier>) {
        if let Some(member) = self.room.members.get_mut(self.origin.member) {
            member.resumption.get_or_insert_default().verifier = verifier;
        }
    }

    fn resume(&mut self, id: MemberId, verifier: Verifier) {
        let origin = self.origin;
        let member = self.room.members.get_mut(id).filter(|member| member.verifier() == Some(verifier));
        let Some(member) = member else { return self.reject(Rejection::TokenUnknown) };
        member.resumption.get_or_insert_default().detached = None;
        member.has_ended_input = false;
        self.out.push(RoomOutput::Resumed { origin, member: id, name: member.name.clone() });
    }

    fn end_input(&mut self) {
        if let Some(member) = self.room.members.get_mut(self.origin.member) {
            member.has_ended_input = true;
        }
    }

    fn detach(&mut self, reason: LeaveReason) {
        let id = self.origin.member;
        let (now, can_resume) = (self.room.now, self.room.has_resume());
        let Some(member) = self.room.members.get_mut(id) else { return };
        if !can_resume || !member.is_resumable() {
            return self.leave(id, reason, None);
        }
        member.resumption.get_or_insert_default().detached = Some((now, reason));
        self.out.push(RoomOutput::Detached(id, reason));
    }

    fn leave(&mut self, id: MemberId, reason: LeaveReason, text: Option<Text>) {
        let was_coordinator = self.room.coordinator() == Some(id);
        let Some(member) = self.room.members.remove(id) else { return };
        self.room.names.remove(&member.name, id, member.unpublished);
        self.room.by_seniority.remove(&member.seniority);
        self.room.roster_version += 1;
        self.out.push(RoomOutput::Left { member: id, name: member.name, reason, text, at: self.at });
        if was_coordinator {
            self.announce_coordinator();
        }
    }

    /// Removes members that were detached for too long, at most [`EXPIRED_PER_TURN_MAX`].
    fn remove_expired(&mut self) {
        let Room { now, resume_seconds, members, .. } = &*self.room;
        let expired = members.iter().filter_map(|(id, member)| {
            let (since, reason) = member.detached()?;
            (now.seconds_since(since) > *resume_seconds).then_some((id, reason))
        });
        let expired: Vec<_> = expired.take(EXPIRED_PER_TURN_MAX + 1).collect();
        self.room.has_expired = expired.len() > EXPIRED_PER_TURN_MAX;
        for (id, reason) in expired.into_iter().take(EXPIRED_PER_TURN_MAX) {
            self.leave(id, reason, None);
        }
    }

    fn announce_coordinator(&mut self) {
        if let Some(name) = self.room.coordinator().and_then(|id| self.room.name(id)).cloned() {
            self.publish(Event::Coordinator(name), None);
        }
    }

    fn publish_own(&mut self, event: Event) {
        self.publish(event, Some(self.origin));
    }

    /// Publishes a change of the members.
    fn publish(&mut self, event: Event, origin: Option<Origin>) {
        self.room.roster_version += 1;
        self.out.push(RoomOutput::Event { id: None, at: self.at, origin, event });
    }

    fn reject(&mut self, rejection: Rejection) {
        self.out.push(RoomOutput::Rejected(self.origin, rejection));
    }
}

impl Room {
    /// The members with these nicknames, if all of them can receive a whisper.
    fn find_recipients(&self, to: &[Name], from: MemberId) -> Result<Vec<(MemberId, Name)>, Rejection> {
        let mut targets = Vec::with_capacity(to.len());
        for name in to {
            let holder = self.names.holder(name).filter(|holder| self.members.get(*holder).is_some());
            match holder {
                Some(holder) if holder == from => return Err(Rejection::TargetSelf(name.clone())),
                Some(holder) => targets.push(holder),
                None => return Err(Rejection::TargetAbsent(name.clone())),
            }
        }
        let members = targets.into_iter().filter_map(|id| Some((id, self.members.get(id)?)));
        let member = |(id, member): (MemberId, &Member)| match member.detached() {
            Some(_) => Err(Rejection::TargetDetached(member.name.clone())),
            None if member.has_ended_input => Err(Rejection::TargetLeaving(member.name.clone())),
            None => Ok((id, member.name.clone())),
        };
        members.map(member).collect()
    }
}
