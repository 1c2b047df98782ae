//! How entries of moderators lock rooms and invite into them, and whom a lock keeps out.

use super::moderation_transition::ModerationResult;
use super::{
    GuestInvitations, MemberId, ModerationOutcome, ModerationRejection, Rank, Room, RoomId, RoomRejection, SharedState,
    StateOutput, Transition,
};
use crate::limits::INVITATIONS_MAX;
use crate::protocol::{AccountId, Event, ModerationRecord, Name, RoomLock, RoomName};

/// An account or a guest that a moderator names.
struct Invitee {
    name: Name,
    account: Option<AccountId>,
    /// The member of the account, or the guest.
    member: Option<MemberId>,
}

/// The records of a change, if anything has changed.
type ChangeOfInvitations = Result<Option<Vec<ModerationRecord>>, ModerationRejection>;

impl Transition<'_> {
    pub(super) fn set_lock(&mut self, id: RoomId, lock: RoomLock) -> ModerationResult {
        self.expect_rank(Some(id), Rank::Moderator)?;
        if self.state.lock_of(id) == lock {
            return Ok((ModerationOutcome::LockSet(lock), None));
        }
        let records = self.change_rules(id, |rules| {
            rules.lock = lock;
            Ok(())
        })?;
        // Watchers read it, too, before they stop watching.
        self.publish_in(id, Event::Lock { by: self.moderator().cloned(), lock });
        if let Some((name, lock)) = self.state.lock_against_watchers(id) {
            self.end_watches(id, &name, lock);
        }
        Ok((ModerationOutcome::LockSet(lock), Some(records)))
    }

    fn end_watches(&mut self, id: RoomId, name: &RoomName, lock: RoomLock) {
        let watchers = self.state.watchers.iter().filter(|(_, watched)| **watched == id);
        for session in watchers.map(|(session, _)| session).collect::<Vec<_>>() {
            self.state.watchers.remove(session);
            if let Some(room) = self.state.rooms.get_mut(id) {
                room.watchers = room.watchers.saturating_sub(1);
            }
            self.out.push(StateOutput::WatchEnded(session, id, RoomRejection::Locked(name.clone(), lock)));
            self.out.push(StateOutput::Unwatched(session, id, name.clone()));
        }
        self.close_unused_room(id);
    }

    pub(super) fn invite(&mut self, id: RoomId, name: &Name, on: bool) -> ModerationResult {
        self.expect_rank(Some(id), Rank::Moderator)?;
        let invitee = self.find_invitee(name)?;
        let outcome = ModerationOutcome::Invited(invitee.name.clone(), on);
        let changed =
            if on { self.add_invitation(id, &invitee) } else { self.take_back_invitations(id, name, &invitee) }?;
        let Some(records) = changed else { return Ok((outcome, None)) };
        self.announce_invitation(id, &invitee, on);
        Ok((outcome, Some(records)))
    }

    fn add_invitation(&mut self, id: RoomId, invitee: &Invitee) -> ChangeOfInvitations {
        let is_known = match (invitee.account, invitee.member) {
            (Some(account), _) => self.state.is_account_invited(id, account),
            (None, member) => member.is_none_or(|member| self.state.invited_guests.contains(id, member)),
        };
        if is_known {
            return Ok(None);
        }
        if self.state.invitation_count(id) >= INVITATIONS_MAX {
            return Err(ModerationRejection::TooManyInvitations(INVITATIONS_MAX));
        }
        if let Some(account) = invitee.account {
            let records = self.change_rules(id, |rules| {
                rules.invited.insert(account);
                Ok(())
            });
            return records.map(Some);
        }
        if let Some(guest) = invitee.member {
            self.state.invited_guests.insert(id, guest);
        }
        Ok(Some(Vec::new()))
    }

    /// Takes back the invitation of the account, and those of guests. The guest may have an account since, or its nickname may be that of an
    /// account since.
    fn take_back_invitations(&mut self, id: RoomId, name: &Name, invitee: &Invitee) -> ChangeOfInvitations {
        let guests = [invitee.member, self.state.names.holder(name)].into_iter().flatten();
        let removed = guests.filter(|guest| self.state.invited_guests.remove(id, *guest)).count();
        match invitee.account.filter(|account| self.state.is_account_invited(id, *account)) {
            Some(account) => {
                let records = self.change_rules(id, |rules| {
                    rules.invited.remove(&account);
                    Ok(())
                });
                records.map(Some)
            }
            None => Ok((removed > 0).then(Vec::new)),
        }
    }

    /// The members of the room read about an invitation, and so does the client that is invited.
    fn announce_invitation(&mut self, id: RoomId, Invitee { name, member, .. }: &Invitee, on: bool) {
        let event = Event::Invite { by: self.moderator().cloned(), name: name.clone(), on };
        self.publish_in(id, event.clone());
        let is_elsewhere = |member: &MemberId| self.state.member(*member).is_some_and(|member| !member.is_in(id));
        let (room, at) = (self.state.room(id).map(|room| room.name.clone()), self.at);
        if let Some(member) = member.filter(|_| on).filter(is_elsewhere)
            && let Some(room_name) = room
        {
            self.out.push(StateOutput::Invited { member, at, room: id, room_name, event });
        }
    }

    /// The account with this name, or otherwise the member with this nickname. A nickname that looks like that of an account is none of it.
    fn find_invitee(&self, name: &Name) -> Result<Invitee, ModerationRejection> {
        if let Some(account) = self.state.accounts.find(name) {
            let (name, id) = (account.name.clone(), account.id);
            return Ok(Invitee { name, account: Some(id), member: self.state.member_of(id) });
        }
        let holder = self.state.names.holder(name);
        let found = holder.and_then(|id| Some((id, self.state.member(id)?)));
        let (id, member) = found.ok_or_else(|| ModerationRejection::NoInvitee(name.clone()))?;
        Ok(Invitee { name: member.name.clone(), account: member.account(), member: Some(id) })
    }

    /// Why the origin, under this account and nickname, may not enter the room: a ban, which no invitation lifts, or a lock.
    pub(super) fn refusal_at(
        &self,
        room: RoomId,
        account: Option<AccountId>,
        name: Option<&Name>,
    ) -> Option<RoomRejection> {
        let banned = self.room_ban_of_origin(room, account, name).map(RoomRejection::Banned);
        banned.or_else(|| self.state.lock_against(room, account, self.origin.member))
    }

    /// Why the origin, under this account or nickname, may not enter its home.
    pub(super) fn refusal_at_home(
        &self,
        home: &RoomName,
        account: Option<AccountId>,
        name: &Name,
    ) -> Option<RoomRejection> {
        self.refusal_at(self.state.find_room(home)?, account, Some(name))
    }
}

impl SharedState {
    fn lock_of(&self, room: RoomId) -> RoomLock {
        self.room(room).map_or(RoomLock::Open, Room::lock)
    }

    fn is_account_invited(&self, room: RoomId, account: AccountId) -> bool {
        self.room(room).and_then(Room::rules).is_some_and(|rules| rules.invited.contains(&account))
    }

    /// Number of accounts and guests that are invited into the room.
    fn invitation_count(&self, id: RoomId) -> usize {
        let accounts = self.room(id).and_then(Room::rules).map(|rules| &rules.invited);
        let accounts = accounts.into_iter().flatten().filter(|account| self.accounts.get(**account).is_some());
        accounts.count() + self.invited_guests.count(id)
    }

    /// The lock that keeps the member, under this account, from entering the room. A member that is in the room stays.
    fn lock_against(&self, id: RoomId, account: Option<AccountId>, member: MemberId) -> Option<RoomRejection> {
        let room = self.room(id)?;
        let is_in = self.member(member).is_some_and(|member| member.is_in(id));
        let has_rank = || account.is_some_and(|account| self.rank_of_account(account, Some(id)) > Rank::Member);
        let is_let_in = match room.lock() {
            RoomLock::Open => true,
            RoomLock::Accounts => account.is_some(),
            RoomLock::Invited => {
                let is_invited = account.is_some_and(|account| self.is_account_invited(id, account));
                is_invited || self.invited_guests.contains(id, member)
            }
        };
        (!is_let_in && !is_in && !has_rank()).then(|| RoomRejection::Locked(room.name.clone(), room.lock()))
    }

    /// The lock of the room with this name, which keeps clients without a nickname from reading it.
    pub(super) fn lock_against_watchers(&self, id: RoomId) -> Option<(RoomName, RoomLock)> {
        let room = self.room(id).filter(|room| room.lock() != RoomLock::Open)?;
        Some((room.name.clone(), room.lock()))
    }

    /// The guests that are invited into rooms.
    pub fn invited_guests(&self) -> &GuestInvitations {
        &self.invited_guests
    }
}
