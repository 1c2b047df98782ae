//! How entries change members: nicknames, whispers, resume, leaving.

use super::names::Collision;
use super::{
    Cause, Member, MemberId, Memberships, Rejection, Resumption, SharedState, StateOutput, Transition, Verifier,
};
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::{Event, LeaveReason, Name, RoomName, Text};

impl Transition<'_> {
    pub(super) fn register(&mut self, name: Name, verifier: Option<Verifier>, room: Option<RoomName>) {
        let id = self.origin.member;
        if self.state.members.get(id).is_some() || !self.check_nick(&name) {
            return;
        }
        let (is_named, watched) = (room.is_some(), self.state.watched_room(self.origin.session));
        let room = room.or_else(|| Some(self.state.room(watched?)?.name.clone())).unwrap_or_else(RoomName::lobby);
        if let Err(why) = self.state.count_new_rooms(None, std::slice::from_ref(&room)) {
            return self.reject(Rejection::RegisterRoom(why));
        }
        let Some(home) = self.open_room(&room) else { return };
        let Some(seniority) = self.next_seniority() else { return };
        let member = Member {
            name: name.clone(),
            rooms: Memberships::new(home, seniority),
            registered_at: self.state.now,
            resumption: verifier.map(|verifier| Box::new(Resumption { verifier: Some(verifier), detached: None })),
            unpublished: 0,
            has_ended_input: false,
        };
        self.state.names.insert(&name, id);
        self.state.members.insert(id, member);
        self.add_to_room(home, id, seniority);
        let was_watching = watched == Some(home);
        let Some(entered) = self.describe(home, true, true) else { return };
        if was_watching {
            self.forget_watch();
        } else {
            self.unwatch();
        }
        let (origin, at) = (self.origin, self.at);
        self.out.push(StateOutput::Registered { origin, name, at, home: entered, is_named, was_watching });
        self.announce_first(home, id);
    }

    pub(super) fn rename(&mut self, to: &Name) {
        let id = self.origin.member;
        if self.state.members.get(id).is_none() || !self.check_nick(to) {
            return;
        }
        let Some(member) = self.state.members.get_mut(id) else { return };
        let from = std::mem::replace(&mut member.name, to.clone());
        let unpublished = std::mem::take(&mut member.unpublished);
        let (home, is_home) = (member.home(), member.parted_home().is_none());
        let rooms: Vec<_> = member.rooms().filter(|room| *room != home).collect();
        self.state.names.remove(&from, id, unpublished);
        self.state.names.insert(to, id);
        if is_home {
            let event = Event::Rename { from: from.clone(), to: to.clone() };
            self.publish_roster(home, Cause::Command(self.origin), event);
        } else {
            self.out.push(StateOutput::Renamed { origin: self.origin, from: from.clone(), to: to.clone() });
        }
        for room in rooms {
            let event = Event::Rename { from: from.clone(), to: to.clone() };
            self.publish_roster(room, Cause::Repeated(self.origin), event);
        }
    }

    /// Whether the origin may take the nickname. If not, rejects the command, with the reason.
    fn check_nick(&mut self, name: &Name) -> bool {
        let Some(collision) = self.state.names.find_collision(name, self.origin.member) else { return true };
        let held = |holder| self.state.name(holder).unwrap_or(name).clone();
        let rejection = match collision {
            Collision::Taken(holder) => Rejection::NickTaken(name.clone(), held(holder)),
            Collision::Alike(holder) => Rejection::NickAlike(name.clone(), held(holder)),
            Collision::Reserved => Rejection::NickReserved(name.clone()),
        };
        self.reject(rejection);
        false
    }

    /// Records that one of the origin's messages under this nickname was published or refused.
    pub(super) fn release_reservation(&mut self, name: &Name) {
        let id = self.origin.member;
        match self.state.members.get_mut(id) {
            Some(member) if member.name == *name && member.unpublished > 0 => member.unpublished -= 1,
            _ => self.state.names.release_reservation(name, id),
        }
    }

    pub(super) fn whisper(&mut self, to: &[Name], text: Text) {
        let origin = self.origin;
        let Some(from) = self.state.name(origin.member).cloned() else { return };
        match self.state.find_recipients(to, origin.member) {
            Ok(to) => self.out.push(StateOutput::Whispered { origin, from, to, text }),
            Err(rejection) => self.reject(rejection),
        }
    }

    pub(super) fn set_verifier(&mut self, verifier: Option<Verifier>) {
        if let Some(member) = self.state.members.get_mut(self.origin.member) {
            member.resumption.get_or_insert_default().verifier = verifier;
        }
    }

    pub(super) fn resume(&mut self, id: MemberId, verifier: Verifier) {
        let origin = self.origin;
        let member = self.state.members.get_mut(id).filter(|member| member.verifier() == Some(verifier));
        let Some(member) = member else { return self.reject(Rejection::TokenUnknown) };
        member.resumption.get_or_insert_default().detached = None;
        member.has_ended_input = false;
        let (name, home) = (member.name.clone(), member.home());
        let rooms = member.rooms().map(|room| (room, room == home)).collect();
        self.unwatch();
        self.out.push(StateOutput::Resumed { origin, member: id, name, rooms });
    }

    pub(super) fn end_input(&mut self) {
        if let Some(member) = self.state.members.get_mut(self.origin.member) {
            member.has_ended_input = true;
        }
    }

    pub(super) fn detach(&mut self, reason: LeaveReason) {
        let id = self.origin.member;
        let (now, can_resume) = (self.state.now, self.state.has_resume());
        let Some(member) = self.state.members.get_mut(id) else { return };
        if !can_resume || !member.is_resumable() {
            return self.leave(id, reason, None);
        }
        member.resumption.get_or_insert_default().detached = Some((now, reason));
        self.out.push(StateOutput::Detached(id, reason));
    }

    pub(super) fn leave(&mut self, id: MemberId, reason: LeaveReason, text: Option<Text>) {
        let Some(member) = self.state.members.remove(id) else { return };
        self.state.names.remove(&member.name, id, member.unpublished);
        let rooms: Vec<_> = member.rooms().collect();
        let mut led = Vec::new();
        for (room, seniority) in member.rooms.iter() {
            if self.remove_from_room(room, seniority) {
                led.push(room);
            }
        }
        let (name, at) = (member.name, self.at);
        self.out.push(StateOutput::Left { member: id, name, reason, text, at, rooms: rooms.clone() });
        for room in led {
            self.announce_coordinator(room);
        }
        for room in rooms {
            self.close_unused_room(room);
        }
    }

    /// Removes members that were detached for too long, at most [`EXPIRED_PER_TURN_MAX`].
    pub(super) fn remove_expired(&mut self) {
        let SharedState { now, limits, members, .. } = &*self.state;
        let expired = members.iter().filter_map(|(id, member)| {
            let (since, reason) = member.detached()?;
            (now.seconds_since(since) > limits.resume_seconds).then_some((id, reason))
        });
        let expired: Vec<_> = expired.take(EXPIRED_PER_TURN_MAX + 1).collect();
        self.state.has_expired = expired.len() > EXPIRED_PER_TURN_MAX;
        for (id, reason) in expired.into_iter().take(EXPIRED_PER_TURN_MAX) {
            self.leave(id, reason, None);
        }
    }

    pub(super) fn reject(&mut self, rejection: Rejection) {
        self.out.push(StateOutput::Rejected(self.origin, None, rejection));
    }
}

impl SharedState {
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
