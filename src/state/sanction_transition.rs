//! How entries of moderators ban and mute, and what a ban or a mute prevents.

use std::time::Duration;

use super::moderation::{SanctionNotice, leave_text};
use super::moderation_transition::ModerationResult;
use super::sanctions::Person;
use super::{
    Displacement, Member, MemberId, ModerationOutcome, ModerationRejection, MutedCommand, Rank, Rejection, RoomId,
    SanctionChoice, SanctionLimit, Sanctions, SharedState, SpeechRefusal, StateOutput, Transition,
};
use crate::limits::{EXPIRED_PER_TURN_MAX, SANCTION_ACCOUNTS_MAX, SANCTION_SUBJECTS_MAX};
use crate::protocol::{
    AccountId, Event, ModerationRecord, Name, Network, Sanction, SanctionEvent, SanctionId, SanctionKind,
    SanctionTarget, Subject, Text, Timestamp,
};

impl Transition<'_> {
    pub(super) fn sanction(
        &mut self,
        kind: SanctionKind,
        room: Option<RoomId>,
        target: SanctionTarget,
        duration: Option<Duration>,
        reason: Option<Text>,
    ) -> ModerationResult {
        self.expect_rank(room, Rank::Moderator)?;
        let subjects = self.subjects_of(kind, room, &target)?;
        let replaced = self.state.sanctions.with_target(kind, room, &target);
        if replaced.is_none()
            && let Some(limit) = self.exhausted_limit(room)
        {
            return Err(ModerationRejection::TooManySanctions(limit));
        }
        let limit = SanctionLimit::Server(self.state.limits.sanctions);
        let id = self.state.sanctions.next_id().ok_or(ModerationRejection::TooManySanctions(limit))?;
        let until = duration.map(|duration| self.at.plus(duration));
        let (at, by) = (self.at, self.moderator().cloned());
        let former = replaced.and_then(|id| self.state.sanctions.get(id));
        let subjects = with_former(subjects, former.map_or(&[][..], |former| &former.subjects));
        let sanction = Sanction { id, kind, room, target: target.clone(), subjects, at, until, by, reason };
        let replaced = replaced.and_then(|id| self.state.sanctions.remove(id));
        if let Some(replaced) = &replaced {
            self.report_unbanned(replaced);
        }
        self.state.sanctions.insert(sanction.clone());
        let records: Vec<_> = replaced
            .map(|replaced| ModerationRecord::Lifted(replaced.id))
            .into_iter()
            .chain([ModerationRecord::Sanction(sanction.clone())])
            .collect();
        let records = if self.is_kept(room) { records } else { Vec::new() };
        self.announce(&sanction);
        if kind == SanctionKind::Ban {
            self.enforce_ban(&sanction);
        }
        Ok((ModerationOutcome::Sanctioned(kind, id, target), Some(records)))
    }

    /// The limit that prevents another sanction of this room, or of the server. A part of the places is for the server only.
    fn exhausted_limit(&self, room: Option<RoomId>) -> Option<SanctionLimit> {
        let (limits, sanctions) = (&self.state.limits, &self.state.sanctions);
        let of_rooms = limits.sanctions.saturating_sub(limits.sanctions_reserved);
        let exhausted = [
            (
                SanctionLimit::Room(limits.sanctions_per_room),
                room.is_some() && sanctions.count_of(room) >= limits.sanctions_per_room,
            ),
            (SanctionLimit::Rooms(of_rooms), room.is_some() && sanctions.len() - sanctions.count_of(None) >= of_rooms),
            (SanctionLimit::Server(limits.sanctions), sanctions.len() >= limits.sanctions),
        ];
        exhausted.into_iter().find_map(|(limit, is_exhausted)| is_exhausted.then_some(limit))
    }

    pub(super) fn lift(
        &mut self,
        kind: SanctionKind,
        room: Option<RoomId>,
        which: &SanctionChoice,
    ) -> ModerationResult {
        let is_by_address = matches!(which, SanctionChoice::Target(SanctionTarget::Network(_)));
        // The result would tell whether the address is banned.
        self.expect_rank(room, if is_by_address { Rank::Operator } else { Rank::Moderator })?;
        let id = match which {
            SanctionChoice::Id(id) => Some(*id),
            SanctionChoice::Target(target) => self.state.sanctions.with_target(kind, room, target),
        };
        let is_meant = |id: &SanctionId| {
            self.state.sanctions.get(*id).is_some_and(|sanction| (sanction.kind, sanction.room) == (kind, room))
        };
        let id = id.filter(is_meant).ok_or(ModerationRejection::NoSanction)?;
        let sanction = self.state.sanctions.remove(id).ok_or(ModerationRejection::NoSanction)?;
        self.report_unbanned(&sanction);
        let event =
            Event::Lifted { kind, by: self.moderator().cloned(), target: sanction.target.clone().visible(false) };
        for room in self.readers_of(&sanction) {
            self.publish_in(room, event.clone());
        }
        let records = if self.is_kept(room) { vec![ModerationRecord::Lifted(id)] } else { Vec::new() };
        Ok((ModerationOutcome::Lifted(kind, id, sanction.target), Some(records)))
    }

    /// Removes sanctions that have ended, at most [`EXPIRED_PER_TURN_MAX`]. They concern nobody since their end.
    pub(super) fn remove_ended_sanctions(&mut self) {
        let mut records = Vec::new();
        while records.len() < EXPIRED_PER_TURN_MAX
            && let Some(id) = self.state.sanctions.first_ended(self.at)
            && let Some(sanction) = self.state.sanctions.remove(id)
        {
            self.report_unbanned(&sanction);
            records.push(ModerationRecord::Lifted(id));
        }
        if !records.is_empty() && self.state.has_store {
            self.out.push(StateOutput::SanctionsChanged(records));
        }
    }

    /// Keeps the sanctions of an account that is deleted: otherwise its member could end them by that.
    pub(super) fn keep_sanctions_of(&mut self, account: AccountId, name: &Name) {
        let own = self.state.member_of(account).and_then(|member| self.state.name(member)).filter(|own| *own != name);
        let names: Vec<_> = [name].into_iter().chain(own).cloned().collect();
        let changed = self.state.sanctions.replace_account(account, &names);
        self.record_changed(changed);
    }

    /// The origin has registered an account: mutes of the guest that it was concern the account, too. Otherwise it would speak again.
    pub(super) fn extend_mutes(&mut self, account: AccountId, name: &Name) {
        if self.origin.is_server() {
            return;
        }
        let guest = Person { account: None, name: Some(name), network: self.origin.network };
        let changed = self.state.sanctions.extend_mutes(guest, account, self.at);
        self.record_changed(changed);
    }

    /// Has sanctions stored whose subjects have changed.
    fn record_changed(&mut self, changed: Vec<Sanction>) {
        let kept = changed.into_iter().filter(|sanction| self.is_kept(sanction.room));
        let records: Vec<_> = kept.map(ModerationRecord::Sanction).collect();
        if !records.is_empty() {
            self.out.push(StateOutput::SanctionsChanged(records));
        }
    }

    /// The subjects of a sanction with this target, if the origin may act against them.
    fn subjects_of(
        &self,
        kind: SanctionKind,
        room: Option<RoomId>,
        target: &SanctionTarget,
    ) -> Result<Vec<Subject>, ModerationRejection> {
        match target {
            SanctionTarget::Name(name) => self.subjects_of_name(kind, room, name),
            SanctionTarget::Connection(name) => {
                let member = self.find_target(room, name)?;
                let network = self.state.member(member).and_then(|member| member.network);
                let network = network.ok_or_else(|| ModerationRejection::NoNetwork(name.clone()))?;
                let network = network.of_customer();
                self.expect_other_network(network)?;
                Ok(vec![Subject::Network(network)])
            }
            SanctionTarget::Network(network) => {
                // Only operators know addresses.
                if self.origin_rank(room) < Rank::Operator {
                    return Err(ModerationRejection::RankTooLow(Rank::Operator));
                }
                self.expect_other_network(*network)?;
                Ok(vec![Subject::Network(*network)])
            }
        }
    }

    fn subjects_of_name(
        &self,
        kind: SanctionKind,
        room: Option<RoomId>,
        name: &Name,
    ) -> Result<Vec<Subject>, ModerationRejection> {
        let holder = self.state.names.holder(name).filter(|holder| self.state.member(*holder).is_some());
        if holder == Some(self.origin.member) {
            return Err(ModerationRejection::Own(name.clone()));
        }
        let member = holder.and_then(|holder| self.state.member(holder));
        let account = self.state.account_of(name);
        let rank = account.map_or(Rank::Member, |account| self.state.rank_of_account(account, room));
        self.expect_unprotected(room, name, rank)?;
        let named = account.map_or_else(|| Subject::Name(name.clone()), Subject::Account);
        // Otherwise a muted member would only have to come back as a guest, under another name.
        let network = member.filter(|_| kind == SanctionKind::Mute).and_then(|member| member.network);
        let network = network.map(|network| Subject::Network(network.of_customer()));
        Ok([named].into_iter().chain(network).collect())
    }

    fn expect_other_network(&self, network: Network) -> Result<(), ModerationRejection> {
        let is_own = self.origin.network.is_some_and(|own| network.overlaps(own));
        if is_own { Err(ModerationRejection::OwnNetwork(network)) } else { Ok(()) }
    }

    /// Whether the store keeps moderation of this room, or of the server.
    pub(super) fn is_kept(&self, room: Option<RoomId>) -> bool {
        let of_room = |room: RoomId| self.state.room(room).is_some_and(|room| room.is_stored || room.unpublished > 0);
        self.state.has_store && room.is_none_or(of_room)
    }

    /// Tells the members about a sanction, before it takes effect.
    fn announce(&mut self, sanction: &Sanction) {
        let Sanction { kind, by, target, until, reason, .. } = sanction;
        let (by, until, reason) = (by.clone(), *until, reason.clone());
        let event =
            Event::Sanction(SanctionEvent { kind: *kind, by, target: target.clone().visible(false), until, reason });
        for room in self.readers_of(sanction) {
            self.publish_in(room, event.clone());
        }
    }

    /// The rooms whose members read about a sanction: its own, or, for a mute of the whole server, those of the member that it names. A ban
    /// from the server is seen by its `LEAVE`.
    fn readers_of(&self, sanction: &Sanction) -> Vec<RoomId> {
        match (sanction.room, sanction.kind, &sanction.target) {
            (Some(room), ..) => vec![room],
            (None, SanctionKind::Mute, SanctionTarget::Name(name)) => {
                let member = self.state.names.holder(name).and_then(|holder| self.state.member(holder));
                member.map_or_else(Vec::new, |member| member.rooms().collect())
            }
            (None, ..) => Vec::new(),
        }
    }

    /// Removes the members that a ban concerns.
    fn enforce_ban(&mut self, ban: &Sanction) {
        let concerned: Vec<MemberId> = match ban.room {
            Some(room) => self.state.members_of(room).map(|(id, _)| id).collect(),
            None => self.state.members().map(|(id, _)| id).collect(),
        };
        let text = leave_text(ban.by.as_ref(), ban.reason.as_ref());
        for id in concerned {
            if self.state.find_ban_of_member(id, ban.room, self.at).is_none() {
                continue;
            }
            self.expel(id, ban.room, Displacement::Banned, text.clone());
        }
        for network in ban.networks() {
            let (room, notice) = (ban.room, self.state.notice(ban));
            self.out.push(StateOutput::NetworkBanned { network, room, notice });
        }
    }

    /// Removes a member that has lost its rank from where it is banned.
    pub(super) fn enforce_bans_on(&mut self, member: Option<MemberId>) {
        let Some(id) = member.filter(|_| !self.state.sanctions.is_empty()) else { return };
        let text = |ban: &Sanction| leave_text(ban.by.as_ref(), ban.reason.as_ref());
        for room in self.state.scopes_of(id) {
            if let Some(text) = self.state.find_ban_of_member(id, room, self.at).map(text) {
                self.expel(id, room, Displacement::Banned, text);
            }
        }
    }

    /// A ban of a network from the server is over, unless another one goes on.
    fn report_unbanned(&mut self, sanction: &Sanction) {
        if sanction.kind != SanctionKind::Ban || sanction.room.is_some() {
            return;
        }
        self.out.extend(sanction.networks().map(StateOutput::NetworkUnbanned));
    }

    /// The ban that keeps the origin, under this account or nickname, from the server.
    pub(super) fn ban_of_origin(&self, account: Option<AccountId>, name: Option<&Name>) -> Option<SanctionNotice> {
        let person = Person { account, name, network: self.origin.network };
        self.state.find_ban(None, person, self.at).map(|ban| self.state.notice(ban))
    }

    /// The ban that keeps the origin, under this account or nickname, from the room.
    pub(super) fn room_ban_of_origin(
        &self,
        room: RoomId,
        account: Option<AccountId>,
        name: Option<&Name>,
    ) -> Option<SanctionNotice> {
        let person = Person { account, name, network: self.origin.network };
        self.state.find_ban(Some(room), person, self.at).map(|ban| self.state.notice(ban))
    }

    /// The ban that keeps the origin, under this account or nickname, from one of the rooms of this member.
    pub(super) fn room_ban_of_member(
        &self,
        id: MemberId,
        account: Option<AccountId>,
        name: &Name,
    ) -> Option<SanctionNotice> {
        let rooms = self.state.member(id).into_iter().flat_map(Member::rooms);
        rooms.into_iter().find_map(|room| self.room_ban_of_origin(room, account, Some(name)))
    }

    /// The mute on the server that concerns the origin as a guest with this nickname.
    pub(super) fn mute_of_origin(&self, name: &Name) -> Option<SanctionNotice> {
        let person = Person { account: None, name: Some(name), network: self.origin.network };
        self.state.sanctions.find(SanctionKind::Mute, None, person, self.at).map(|mute| self.state.notice(mute))
    }

    /// Rejects a command of the origin's member, if the member is muted in the room or on the server. Returns whether it is.
    pub(super) fn reject_muted(&mut self, command: MutedCommand, rooms: &[RoomId]) -> bool {
        let Some(notice) = self.state.mute_of_member(self.origin.member, rooms, self.at) else { return false };
        let is_about_room = matches!(command, MutedCommand::Say | MutedCommand::SetTopic | MutedCommand::Draw);
        let room = rooms.first().filter(|_| is_about_room);
        let room = room.and_then(|room| Some((*room, self.state.room(*room)?.name().clone())));
        self.out.push(StateOutput::Rejected(self.origin, room, Rejection::Muted(command, notice)));
        true
    }

    /// Remembers that a member is muted in this room (`None`: on the server) while messages of it are being stored. Otherwise it could speak
    /// by leaving at once.
    pub(super) fn remember_mute(&mut self, id: MemberId, room: Option<RoomId>) {
        if self.state.mute_of_member(id, room.as_slice(), self.at).is_some() {
            self.silence(id, room);
        }
    }

    /// Does so for a member that leaves the server.
    pub(super) fn remember_mutes(&mut self, id: MemberId) {
        if self.state.has_waiting_messages(id) {
            self.state.scopes_of(id).into_iter().for_each(|room| self.remember_mute(id, room));
        }
    }

    /// Has the messages of the member for this room (`None`: for any) refused that are being stored.
    pub(super) fn silence(&mut self, id: MemberId, room: Option<RoomId>) {
        if self.state.has_waiting_messages(id) {
            self.state.silenced.insert((id, room));
        }
    }

    /// The reason that a member gives when it leaves these rooms. A muted one gives none.
    pub(super) fn spoken(&self, id: MemberId, rooms: &[RoomId], text: Text) -> Option<Text> {
        self.state.mute_of_member(id, rooms, self.at).is_none().then_some(text)
    }
}

/// The subjects of a sanction that replaces another one of the same target: also the former ones, for the same person may have had
/// another address. Of too many, the oldest are left out.
fn with_former(mut subjects: Vec<Subject>, former: &[Subject]) -> Vec<Subject> {
    let is_account = |subject: &Subject| matches!(subject, Subject::Account(_));
    for subject in former {
        let limit = if is_account(subject) { SANCTION_ACCOUNTS_MAX } else { SANCTION_SUBJECTS_MAX };
        let alike = subjects.iter().filter(|other| is_account(other) == is_account(subject)).count();
        if alike < limit && !subjects.contains(subject) {
            subjects.push(subject.clone());
        }
    }
    subjects
}

impl SharedState {
    /// The part of a sanction that clients read.
    fn notice(&self, sanction: &Sanction) -> SanctionNotice {
        let room = sanction.room.and_then(|room| self.room(room)).map(|room| room.name().clone());
        SanctionNotice { room, until: sanction.until, reason: sanction.reason.clone() }
    }

    /// The ban of a person from the room, or from the server. Operators are never banned; in a room, neither are its owner and moderators.
    fn find_ban(&self, room: Option<RoomId>, person: Person<'_>, now: Timestamp) -> Option<&Sanction> {
        let ban = self.sanctions.find(SanctionKind::Ban, room, person, now)?;
        let rank = person.account.map_or(Rank::Member, |account| self.rank_of_account(account, room));
        (rank == Rank::Member).then_some(ban)
    }

    fn person(&self, id: MemberId) -> Option<Person<'_>> {
        let member = self.member(id)?;
        Some(Person { account: member.account(), name: Some(member.name()), network: member.network })
    }

    fn find_ban_of_member(&self, id: MemberId, room: Option<RoomId>, now: Timestamp) -> Option<&Sanction> {
        self.find_ban(room, self.person(id)?, now)
    }

    /// The mute of a member on the server, or in one of these rooms.
    pub(super) fn mute_of_member(&self, id: MemberId, rooms: &[RoomId], now: Timestamp) -> Option<SanctionNotice> {
        // Fast path: most servers have none.
        if self.sanctions.is_empty() {
            return None;
        }
        let person = self.person(id)?;
        let scopes = [None].into_iter().chain(rooms.iter().copied().map(Some));
        let mute_in = |room: Option<RoomId>| {
            let mute = self.sanctions.find(SanctionKind::Mute, room, person, now)?;
            (self.rank(id, room) == Rank::Member).then(|| self.notice(mute))
        };
        scopes.into_iter().find_map(mute_in)
    }

    /// Whether a client in this network is banned from the server.
    pub fn ban_of_network(&self, network: Network, now: Timestamp) -> Option<SanctionNotice> {
        let person = Person { account: None, name: None, network: Some(network) };
        self.find_ban(None, person, now).map(|ban| self.notice(ban))
    }

    /// The bans of exactly this network from the server.
    pub fn bans_of_network(&self, network: Network) -> impl Iterator<Item = &Sanction> {
        let is_ban = |sanction: &&Sanction| sanction.room.is_none() && sanction.kind == SanctionKind::Ban;
        self.sanctions.of_network(network).filter(is_ban)
    }

    /// The networks that are banned from the server.
    pub fn banned_networks(&self) -> impl Iterator<Item = Network> {
        let bans = self.sanctions.of(None).filter(|sanction| sanction.kind == SanctionKind::Ban);
        bans.flat_map(Sanction::networks)
    }

    /// Removes the sanctions of a room that has vanished.
    pub(super) fn remove_sanctions_of(&mut self, room: RoomId) {
        let ids: Vec<_> = self.sanctions.of(Some(room)).map(|sanction| sanction.id).collect();
        for id in ids {
            self.sanctions.remove(id);
        }
    }

    /// The places in which a sanction may concern the member: the server (`None`), and its rooms.
    fn scopes_of(&self, id: MemberId) -> Vec<Option<RoomId>> {
        let rooms = self.member(id).into_iter().flat_map(Member::rooms);
        [None].into_iter().chain(rooms.map(Some)).collect()
    }

    /// Whether messages of the member are being stored.
    pub(super) fn has_waiting_messages(&self, id: MemberId) -> bool {
        self.member(id).is_some_and(|member| member.unpublished > 0) || self.names.has_reservation_of(id)
    }

    /// The sanctions.
    pub fn sanctions(&self) -> &Sanctions {
        &self.sanctions
    }

    /// Why a message or a topic of a member must not be published, although the member has sent it: it is muted, or it was removed since.
    pub fn check_speech(&self, member: MemberId, room: RoomId, now: Timestamp) -> Result<(), SpeechRefusal> {
        if self.silenced.contains(&(member, Some(room))) || self.silenced.contains(&(member, None)) {
            return Err(SpeechRefusal::Removed);
        }
        self.mute_of_member(member, &[room], now).map_or(Ok(()), |mute| Err(SpeechRefusal::Muted(mute)))
    }
}
