//! How entries of moderators change members and rooms.

use super::deletion_transition::Deletion;
use super::moderation::leave_text;
use super::{
    Cause, Displacement, MemberId, Moderated, Moderation, ModerationOutcome, ModerationRejection, Rank, Rejection,
    RoomId, StateOutput, StoreFailure, Transition,
};
use crate::limits::MODERATORS_MAX;
use crate::protocol::{Event, LeaveReason, ModerationRecord, Name, RoomRules, Text};

impl Transition<'_> {
    /// Carries out a command of a moderator. Ranks are those at this place in the order.
    pub(super) fn moderate(&mut self, moderation: Moderation) {
        let command = moderation.command();
        let room = moderation.room().and_then(|id| Some((id, self.state.room(id)?.name.clone())));
        let draft = self.draft_audit(&moderation);
        let result = match moderation {
            _ if moderation.room().is_some() && room.is_none() => Err(ModerationRejection::NoRoom),
            Moderation::Kick { room, name, reason } => self.kick(room, &name, reason.as_ref()),
            Moderation::Sanction { kind, room, target, duration, reason } => {
                self.sanction(kind, room, target, duration, reason)
            }
            Moderation::Lift { kind, room, which } => self.lift(kind, room, &which),
            Moderation::SetLock { room, lock } => self.set_lock(room, lock),
            Moderation::Invite { room, name, on } => self.invite(room, &name, on),
            Moderation::SetModerator { room, name, on } => self.set_moderator(room, &name, on),
            Moderation::Delete { room, id } => match self.delete(room, id) {
                Deletion::Done(result) => result,
                Deletion::Own(deletion) => return self.out.push(StateOutput::OwnDeletion(self.origin, deletion)),
            },
        };
        let origin = self.origin;
        self.out.push(match result {
            Ok((outcome, records)) => {
                let audit = records.as_ref().and_then(|_| self.finish_audit(draft, room.as_ref(), &outcome));
                let moderated = Moderated { room, outcome, audit: audit.map(Box::new) };
                StateOutput::Moderated(origin, moderated, records.unwrap_or_default())
            }
            Err(why) if origin.is_server() => {
                let outcome = ModerationOutcome::Refused(command, why);
                StateOutput::Moderated(origin, Moderated { room, outcome, audit: None }, Vec::new())
            }
            Err(why) => StateOutput::Rejected(origin, room, Rejection::Moderation(command, why)),
        });
    }

    /// Replies to a command that was carried out.
    pub(super) fn confirm_moderation(&mut self, moderated: Moderated, failure: Option<StoreFailure>) {
        self.out.push(StateOutput::ModerationConfirmed(self.origin, moderated, failure));
    }

    fn kick(&mut self, room: Option<RoomId>, name: &Name, reason: Option<&Text>) -> ModerationResult {
        self.expect_rank(room, Rank::Moderator)?;
        let id = self.find_target(room, name)?;
        let text = leave_text(self.moderator(), reason);
        let name = self.state.name(id).unwrap_or(name).clone();
        self.expel(id, room, Displacement::Kicked, text);
        Ok((ModerationOutcome::Kicked(name), Some(Vec::new())))
    }

    fn set_moderator(&mut self, room: RoomId, name: &Name, on: bool) -> ModerationResult {
        self.expect_rank(Some(room), Rank::Owner)?;
        let account = self.state.accounts.find(name).ok_or_else(|| ModerationRejection::NoAccount(name.clone()))?;
        let (id, name) = (account.id, account.name.clone());
        let before = self.state.rank_of_account(id, Some(room));
        if before > Rank::Moderator {
            return Err(ModerationRejection::Protected(name, before));
        }
        if (before == Rank::Moderator) == on {
            return Ok((ModerationOutcome::ModeratorSet(name, on), None));
        }
        let records = self.change_rules(room, |rules| {
            if on && rules.moderators.len() >= MODERATORS_MAX {
                return Err(ModerationRejection::TooManyModerators(MODERATORS_MAX));
            }
            if on {
                rules.moderators.insert(id);
            } else {
                rules.moderators.remove(&id);
            }
            Ok(())
        })?;
        let event = Event::Moderator { by: self.moderator().cloned(), name: name.clone(), on };
        self.publish_in(room, event);
        self.enforce_bans_on(self.state.member_of(id));
        Ok((ModerationOutcome::ModeratorSet(name, on), Some(records)))
    }

    /// Changes the rules of a room, and removes accounts from them that were deleted. Returns the record of that, if the store keeps it.
    pub(super) fn change_rules(
        &mut self,
        id: RoomId,
        change: impl FnOnce(&mut RoomRules) -> Result<(), ModerationRejection>,
    ) -> Result<Vec<ModerationRecord>, ModerationRejection> {
        let accounts = &self.state.accounts;
        let Some(room) = self.state.rooms.get_mut(id) else { return Ok(Vec::new()) };
        let mut rules = room.rules.take().unwrap_or_default();
        for accounts_of_rules in [&mut rules.moderators, &mut rules.invited] {
            accounts_of_rules.retain(|account| accounts.get(*account).is_some());
        }
        let result = change(&mut rules);
        let record = ModerationRecord::Rules(id, (*rules).clone());
        room.rules = Some(rules).filter(|rules| !rules.is_default());
        room.roster_version += 1;
        result?;
        // The room may be in the batch that is being stored, with its rules of then.
        Ok(if self.is_kept(Some(id)) { vec![record] } else { Vec::new() })
    }

    /// Whether the origin has at least this rank. The operator at the control socket has the highest one.
    pub(super) fn expect_rank(&self, room: Option<RoomId>, rank: Rank) -> Result<(), ModerationRejection> {
        let needed = if room.is_none() { Rank::Operator } else { rank };
        if self.origin_rank(room) < needed {
            return Err(ModerationRejection::RankTooLow(needed));
        }
        // Otherwise the owner of a room could speak by reasons and invitations.
        let mute = self.state.mute_of_member(self.origin.member, &[], self.at);
        mute.map_or(Ok(()), |mute| Err(ModerationRejection::Muted(mute.into())))
    }

    pub(super) fn origin_rank(&self, room: Option<RoomId>) -> Rank {
        if self.origin.is_server() { Rank::Operator } else { self.state.rank(self.origin.member, room) }
    }

    /// The member with this nickname in the room, or on the server, if the origin may act against it.
    pub(super) fn find_target(&self, room: Option<RoomId>, name: &Name) -> Result<MemberId, ModerationRejection> {
        let is_there =
            |id: &MemberId| self.state.member(*id).is_some_and(|member| room.is_none_or(|room| member.is_in(room)));
        let id = self.state.names.holder(name).filter(is_there);
        let id = id.ok_or_else(|| ModerationRejection::Absent(name.clone()))?;
        if id == self.origin.member {
            return Err(ModerationRejection::Own(name.clone()));
        }
        self.expect_unprotected(room, name, self.state.rank(id, room))?;
        Ok(id)
    }

    /// Whether the origin may act against somebody of this name and rank.
    pub(super) fn expect_unprotected(
        &self,
        room: Option<RoomId>,
        name: &Name,
        rank: Rank,
    ) -> Result<(), ModerationRejection> {
        let own = self.origin_rank(room);
        let may = own > rank || own == Rank::Operator;
        if may { Ok(()) } else { Err(ModerationRejection::Protected(name.clone(), rank)) }
    }

    /// The nickname of the origin. `None`: the operator at the control socket.
    pub(super) fn moderator(&self) -> Option<&Name> {
        self.state.name(self.origin.member).filter(|_| !self.origin.is_server())
    }

    /// Removes a member from a room or (`None`) from the server, because it is kicked or banned.
    pub(super) fn expel(&mut self, id: MemberId, room: Option<RoomId>, why: Displacement, text: Text) {
        match room {
            Some(room) => self.expel_from_room(id, room, why.leave_reason(), text),
            None => self.expel_from_server(id, why, text),
        }
    }

    /// Removes a member from one room, as its `PART` does.
    fn expel_from_room(&mut self, id: MemberId, room: RoomId, reason: LeaveReason, text: Text) {
        let Some(room_name) = self.state.room(room).map(|room| room.name.clone()) else { return };
        let Some(member) = self.state.members.get_mut(id) else { return };
        let name = member.name.clone();
        let Some(seniority) = member.rooms.remove(room, &room_name) else { return };
        self.silence(id, Some(room));
        let was_coordinator = self.remove_from_room(room, seniority);
        self.out.push(StateOutput::Kicked { member: id, name, reason, text, at: self.at, room, room_name });
        if was_coordinator {
            self.announce_coordinator(room);
        }
        self.close_unused_room(room);
    }

    /// Removes a member from the server, and ends its connection.
    fn expel_from_server(&mut self, id: MemberId, why: Displacement, text: Text) {
        self.silence(id, None);
        let displacement = self.is_connected(id).then_some(why);
        self.remove_member(id, why.leave_reason(), Some(text), displacement);
    }

    /// Publishes an event of a moderator in a room. The origin reads it, too: its reply has less.
    pub(super) fn publish_in(&mut self, room: RoomId, event: Event) {
        if let Some(room_name) = self.state.room(room).map(|room| room.name.clone()) {
            self.out.push(StateOutput::Event { room, room_name, id: None, at: self.at, cause: Cause::Server, event });
        }
    }
}

/// The result of a command, and what the store must keep of it. `None`: nothing has changed.
pub(super) type ModerationResult = Result<(ModerationOutcome, Option<Vec<ModerationRecord>>), ModerationRejection>;
