//! How entries change members: nicknames, whispers, resume, leaving.

use std::num::NonZeroU64;

use super::accounts::Protection;
use super::names::Collision;
use super::{
    Cause, Displacement, Login, Member, MemberId, Memberships, MutedCommand, Rejection, Resumption, RoomId,
    SharedState, StateOutput, Transition,
};
use crate::protocol::{Event, LeaveReason, Name, RoomName, Text, Verifier};

/// A member that is about to join.
pub(super) struct NewMember {
    pub(super) name: Name,
    /// Lets the member resume.
    pub(super) verifier: Option<Verifier>,
    /// The room that the command names.
    pub(super) room: Option<RoomName>,
    pub(super) login: Option<Login>,
}

impl Transition<'_> {
    pub(super) fn register(&mut self, name: Name, verifier: Option<Verifier>, room: Option<RoomName>) {
        if self.state.members.get(self.origin.member).is_some() || !self.check_nick(&name) {
            return;
        }
        let home = self.home_of_new_member(room.clone());
        if let Some(notice) = self.ban_of_origin(None, Some(&name)) {
            return self.reject(Rejection::NickBanned(notice));
        }
        if let Some(why) = self.refusal_at_home(&home, None, &name) {
            return self.reject(Rejection::RegisterRoom(why));
        }
        let created = match self.state.count_new_rooms(None, std::slice::from_ref(&home)) {
            Ok(created) => created,
            Err(why) => return self.reject(Rejection::RegisterRoom(why)),
        };
        if created > 0
            && let Some(notice) = self.mute_of_origin(&name)
        {
            return self.reject(Rejection::Muted(MutedCommand::Register, notice));
        }
        self.add_member(NewMember { name, verifier, room, login: None });
    }

    /// The room that a new member of the origin's session enters, if its command names this one.
    pub(super) fn home_of_new_member(&self, named: Option<RoomName>) -> RoomName {
        let watched = || Some(self.state.room(self.state.watched_room(self.origin.session)?)?.name.clone());
        named.or_else(watched).unwrap_or_else(RoomName::lobby)
    }

    /// Makes the origin a member. It may take the nickname, and enter the room.
    pub(super) fn add_member(&mut self, NewMember { name, verifier, room, login }: NewMember) {
        let (id, is_named) = (self.origin.member, room.is_some());
        let account = login.map(|login| login.account);
        let Some(home) = self.open_room(&self.home_of_new_member(room), account) else { return };
        let Some(seniority) = self.next_seniority() else { return };
        let member = Member {
            name: name.clone(),
            rooms: Memberships::new(home, seniority),
            registered_at: self.state.now,
            resumption: verifier
                .map(|verifier| Box::new(Resumption { verifier: Some(verifier), ..Resumption::default() })),
            login: None,
            unpublished: 0,
            has_ended_input: false,
            network: self.origin.network,
        };
        self.state.names.insert(&name, id);
        self.state.members.insert(id, member);
        self.set_login(id, login);
        self.add_to_room(home, id, seniority);
        let was_watching = self.state.watched_room(self.origin.session) == Some(home);
        let Some(entered) = self.describe(home, true, true) else { return };
        if was_watching {
            self.forget_watch(self.origin.session);
        } else {
            self.unwatch();
        }
        let (origin, at, login) = (self.origin, self.at, login.map(|login| login.account));
        self.out.push(StateOutput::Registered { origin, name, at, home: entered, is_named, was_watching, login });
        self.announce_first(home, id);
    }

    /// Sets or removes the login of a member. Its ranks change with it.
    pub(super) fn set_login(&mut self, id: MemberId, login: Option<Login>) {
        self.renew_rosters_of(Some(id));
        let Some(member) = self.state.members.get_mut(id) else { return };
        if let Some(before) = std::mem::replace(&mut member.login, login.map(Box::new)) {
            self.state.logged_in.remove(&before.account);
        }
        self.state.logged_in.extend(login.map(|login| (login.account, id)));
    }

    pub(super) fn rename(&mut self, to: &Name) {
        let Some(member) = self.state.members.get(self.origin.member) else { return };
        let (account, rooms) = (member.account(), member.rooms().collect::<Vec<_>>());
        if self.reject_muted(MutedCommand::Rename, &rooms) || !self.check_nick(to) {
            return;
        }
        let of_rooms = || self.room_ban_of_member(self.origin.member, account, to);
        if let Some(notice) = self.ban_of_origin(account, Some(to)).or_else(of_rooms) {
            return self.reject(Rejection::NickBanned(notice));
        }
        self.change_name(to, true);
    }

    /// Gives the origin's member another nickname, which it may take. `is_reply`: that answers the command.
    pub(super) fn change_name(&mut self, to: &Name, is_reply: bool) {
        let id = self.origin.member;
        let Some(member) = self.state.members.get_mut(id) else { return };
        let from = std::mem::replace(&mut member.name, to.clone());
        let unpublished = std::mem::take(&mut member.unpublished);
        let (home, is_home) = (member.home(), member.parted_home().is_none());
        let rooms: Vec<_> = member.rooms().filter(|room| *room != home).collect();
        self.state.names.remove(&from, id, unpublished);
        self.state.names.insert(to, id);
        let cause = if is_reply { Cause::Command(self.origin) } else { Cause::Repeated(self.origin) };
        if is_home {
            let event = Event::Rename { from: from.clone(), to: to.clone() };
            self.publish_roster(home, cause, event);
        } else if is_reply {
            self.out.push(StateOutput::Renamed { origin: self.origin, from: from.clone(), to: to.clone() });
        }
        for room in rooms {
            let event = Event::Rename { from: from.clone(), to: to.clone() };
            self.publish_roster(room, Cause::Repeated(self.origin), event);
        }
    }

    /// Whether the origin may take the nickname. If not, rejects the command, with the reason.
    fn check_nick(&mut self, name: &Name) -> bool {
        let own = self.state.members.get(self.origin.member).and_then(Member::account);
        let rejection = match self.state.accounts.protection(name, own, self.at) {
            Some(Protection::Registered(account)) => {
                Some(Rejection::NickRegistered(name.clone(), account.name.clone()))
            }
            Some(Protection::Resting(resting)) => {
                Some(Rejection::NickResting(name.clone(), resting.name.clone(), resting.until))
            }
            None => self.collision_with_member(name),
        };
        let is_free = rejection.is_none();
        if let Some(rejection) = rejection {
            self.reject(rejection);
        }
        is_free
    }

    fn collision_with_member(&self, name: &Name) -> Option<Rejection> {
        let held = |holder| self.state.name(holder).unwrap_or(name).clone();
        Some(match self.state.names.find_collision(name, self.origin.member)? {
            Collision::Taken(holder) => Rejection::NickTaken(name.clone(), held(holder)),
            Collision::Alike(holder) => Rejection::NickAlike(name.clone(), held(holder)),
            Collision::Reserved => Rejection::NickReserved(name.clone()),
        })
    }

    /// Records that one of the origin's messages under this nickname was published or refused.
    pub(super) fn release_reservation(&mut self, name: &Name) {
        let id = self.origin.member;
        match self.state.members.get_mut(id) {
            Some(member) if member.name == *name && member.unpublished > 0 => member.unpublished -= 1,
            _ => self.state.names.release_reservation(name, id),
        }
        self.forget_silenced(id);
    }

    /// Forgets from where a member was removed while messages of it were being stored, once none is.
    fn forget_silenced(&mut self, id: MemberId) {
        // Fast path: moderators are quiet.
        if self.state.silenced.is_empty() {
            return;
        }
        if !self.state.has_waiting_messages(id) {
            self.state.silenced.retain(|(member, _)| *member != id);
        }
    }

    pub(super) fn whisper(&mut self, to: &[Name], text: Text) {
        let origin = self.origin;
        let Some(from) = self.state.name(origin.member).cloned() else { return };
        match self.state.find_recipients(to, origin.member) {
            Ok(to) if self.reject_muted(MutedCommand::Whisper, &self.rooms_of(&to)) => {}
            Ok(to) => self.out.push(StateOutput::Whispered { origin, from, to, text }),
            Err(rejection) => self.reject(rejection),
        }
    }

    /// The rooms of these members.
    fn rooms_of(&self, members: &[(MemberId, Name)]) -> Vec<RoomId> {
        members.iter().filter_map(|(id, _)| self.state.member(*id)).flat_map(Member::rooms).collect()
    }

    pub(super) fn set_verifier(&mut self, verifier: Option<Verifier>) {
        if let Some(member) = self.state.members.get_mut(self.origin.member) {
            member.resumption.get_or_insert_default().verifier = verifier;
            self.out.push(StateOutput::VerifierSet(self.origin, verifier.is_some()));
        }
    }

    pub(super) fn resume(&mut self, id: MemberId, verifier: Verifier) {
        if let Err(rejection) = self.check_resume(id, verifier) {
            return self.reject(rejection);
        }
        let (origin, Some(member)) = (self.origin, self.state.members.get_mut(id)) else { return };
        let resumption = member.resumption.get_or_insert_default();
        (resumption.detached, resumption.session) = (None, NonZeroU64::new(origin.session.0));
        member.has_ended_input = false;
        member.network = origin.network;
        let (name, home) = (member.name.clone(), member.home());
        let rooms = member.rooms().map(|room| (room, room == home)).collect();
        self.unwatch();
        self.out.push(StateOutput::Resumed { origin, member: id, name, rooms });
    }

    /// Whether the token resumes the member, and the member may keep its nickname.
    fn check_resume(&self, id: MemberId, verifier: Verifier) -> Result<(), Rejection> {
        let SharedState { members, accounts, .. } = &*self.state;
        let member = members.get(id).filter(|member| member.verifier() == Some(verifier));
        let member = member.ok_or(Rejection::TokenUnknown)?;
        if let Some(notice) = self.ban_of_origin(member.account(), Some(&member.name)) {
            return Err(Rejection::ResumeBanned(notice));
        }
        // The client may have another address than before.
        if let Some(notice) = self.room_ban_of_member(id, member.account(), &member.name) {
            return Err(Rejection::ResumeBanned(notice));
        }
        if let Some(Login { account, proof }) = member.login()
            && !accounts.get(account).is_some_and(|account| account.accepts(proof, self.at))
        {
            return Err(Rejection::TokenUnknown);
        }
        match accounts.protection(&member.name, member.account(), self.at) {
            Some(Protection::Registered(account)) => {
                Err(Rejection::ResumeRegistered(member.name.clone(), account.name.clone()))
            }
            // The member has the name since before the rest.
            Some(Protection::Resting(_)) | None => Ok(()),
        }
    }

    pub(super) fn end_input(&mut self) {
        if let Some(member) = self.state.members.get_mut(self.origin.member) {
            member.has_ended_input = true;
        }
    }

    /// A member loses its connection for this reason. It leaves if it cannot be resumed.
    pub(super) fn lose_connection(&mut self, id: MemberId, reason: LeaveReason) {
        let (now, can_resume) = (self.state.now, self.state.has_resume());
        let Some(member) = self.state.members.get_mut(id) else { return };
        if !can_resume || !member.is_resumable() {
            return self.leave(id, reason, None);
        }
        member.resumption.get_or_insert_default().detached = Some((now, reason));
        self.out.push(StateOutput::Detached(id, reason));
    }

    pub(super) fn leave(&mut self, id: MemberId, reason: LeaveReason, text: Option<Text>) {
        let text = text.and_then(|text| {
            let rooms: Vec<_> = self.state.member(id).into_iter().flat_map(Member::rooms).collect();
            self.spoken(id, &rooms, text)
        });
        self.remove_member(id, reason, text, None);
    }

    /// Removes a member. With a displacement, its session remains.
    pub(super) fn remove_member(
        &mut self,
        id: MemberId,
        reason: LeaveReason,
        text: Option<Text>,
        displacement: Option<Displacement>,
    ) {
        self.remember_mutes(id);
        let Some(member) = self.state.members.remove(id) else { return };
        self.state.invited_guests.remove_member(id);
        self.state.names.remove(&member.name, id, member.unpublished);
        if let Some(account) = member.account() {
            self.state.logged_in.remove(&account);
        }
        let rooms: Vec<_> = member.rooms().collect();
        let mut led = Vec::new();
        for (room, seniority) in member.rooms.iter() {
            if self.remove_from_room(room, seniority) {
                led.push(room);
            }
        }
        let (name, at) = (member.name, self.at);
        self.out.push(match displacement {
            None => StateOutput::Left { member: id, name, reason, text, at, rooms: rooms.clone() },
            Some(why) => {
                let named = |id: &RoomId| Some((*id, self.state.room(*id)?.name.clone()));
                let rooms = rooms.iter().filter_map(named).collect();
                StateOutput::Displaced { member: id, name, why, text, at, rooms }
            }
        });
        for room in led {
            self.announce_coordinator(room);
        }
        for room in rooms {
            self.close_unused_room(room);
        }
    }

    /// Removes members that were detached for too long, at most this number.
    pub(super) fn remove_expired(&mut self, count_max: usize) {
        let SharedState { now, limits, members, .. } = &*self.state;
        let expired = members.iter().filter_map(|(id, member)| {
            let (since, reason) = member.detached()?;
            (now.seconds_since(since) > limits.resume_seconds).then_some((id, reason))
        });
        let expired: Vec<_> = expired.take(count_max + 1).collect();
        self.state.has_expired |= expired.len() > count_max;
        for (id, reason) in expired.into_iter().take(count_max) {
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
