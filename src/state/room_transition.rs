//! How entries change rooms: entering and leaving them, messages, topics, strokes, watchers.

use super::{
    Author, Cause, ContentKind, EnteredRoom, MemberCommand, MemberId, Message, MutedCommand, RecentMessage, Rejection,
    Room, RoomId, Seniority, SessionId, StateOutput, StoreFailure, TopicChange, Transition,
};
use crate::protocol::{AccountId, Drawing, DrawnStroke, Event, MessageId, Name, PastMessage, RoomName, Text};

impl Transition<'_> {
    pub(super) fn join(&mut self, names: &[RoomName]) {
        let (origin, at, id) = (self.origin, self.at, self.origin.member);
        let Some(member) = self.state.members.get(id) else { return };
        let (name, account) = (member.name.clone(), member.account());
        let created = match self.state.count_new_rooms(Some(id), names) {
            Ok(created) => created,
            Err(why) => return self.reject(Rejection::JoinRoom(why)),
        };
        let found = names.iter().filter_map(|room| self.state.find_room(room));
        if let Some(why) = found.into_iter().find_map(|room| self.refusal_at(room, account, Some(&name))) {
            return self.reject(Rejection::JoinRoom(why));
        }
        if created > 0 && self.reject_muted(MutedCommand::CreateRoom, &[]) {
            return;
        }
        let mut rooms = Vec::with_capacity(names.len());
        for room_name in names {
            let Some(room) = self.open_room(room_name, account) else { continue };
            let is_new = self.state.member(id).is_some_and(|member| !member.is_in(room));
            if is_new && let Some(seniority) = self.next_seniority() {
                self.add_to_room(room, id, seniority);
                if let Some(member) = self.state.members.get_mut(id) {
                    member.rooms.insert(room, room_name, seniority);
                }
            }
            let is_home = self.state.member(id).is_some_and(|member| member.home() == room);
            rooms.extend(self.describe(room, is_home, is_new));
        }
        let entered: Vec<_> = rooms.iter().filter(|room| room.is_new).map(|room| room.id).collect();
        self.out.push(StateOutput::Joined { origin, name, at, rooms });
        for room in entered {
            self.announce_first(room, id);
        }
    }

    pub(super) fn part(&mut self, room: RoomId, text: Option<Text>) {
        let (origin, at, id) = (self.origin, self.at, self.origin.member);
        let Some(room_name) = self.state.room(room).map(|room| room.name.clone()) else {
            return self.reject(Rejection::NotInRoom(MemberCommand::Part));
        };
        let text = text.and_then(|text| self.spoken(id, &[room], text));
        self.remember_mute(id, Some(room));
        let Some(member) = self.state.members.get_mut(id) else { return };
        let name = member.name.clone();
        let Some(seniority) = member.rooms.remove(room, &room_name) else {
            return self.reject(Rejection::NotInRoom(MemberCommand::Part));
        };
        let was_coordinator = self.remove_from_room(room, seniority);
        self.out.push(StateOutput::Parted { origin, name, at, room, room_name, text });
        if was_coordinator {
            self.announce_coordinator(room);
        }
        self.close_unused_room(room);
    }

    pub(super) fn say(&mut self, room: RoomId, Message { name, account, at, text }: Message) {
        self.release_unpublished(room, &name);
        if self.reject_outside(MemberCommand::Say, room) {
            return;
        }
        // With a store, the message is on the disk, and has its id: the sequencer has asked before.
        if !self.state.has_store && self.reject_muted(MutedCommand::Say, &[room]) {
            return self.close_unused_room(room);
        }
        let Some(entered) = self.state.rooms.get_mut(room) else {
            return self.reject(Rejection::NotInRoom(MemberCommand::Say));
        };
        let (id, room_name) = (entered.last_id.next(), entered.name.clone());
        (entered.last_id, entered.is_stored) = (id, self.state.has_store);
        let past = PastMessage { id, at, name: name.clone(), text: Some(text.clone()) };
        let author = Author { member: Some(self.origin.member), account };
        self.state.retain_message(room, RecentMessage { past, author });
        let (cause, event) = (Cause::Command(self.origin), Event::Msg(name, text));
        self.out.push(StateOutput::Event { room, room_name, id: Some(id), at, cause, event });
        self.close_unused_room(room);
    }

    pub(super) fn set_topic(&mut self, room: RoomId, TopicChange { name, at, topic }: TopicChange) {
        self.release_unpublished(room, &name);
        if self.reject_outside(MemberCommand::SetTopic, room) {
            return;
        }
        if !self.state.has_store && self.reject_muted(MutedCommand::SetTopic, &[room]) {
            return self.close_unused_room(room);
        }
        let Some(entered) = self.state.rooms.get_mut(room) else {
            return self.reject(Rejection::NotInRoom(MemberCommand::SetTopic));
        };
        entered.topic.clone_from(&topic);
        entered.is_stored = self.state.has_store;
        let room_name = entered.name.clone();
        let (cause, event) = (Cause::Command(self.origin), Event::Topic(name, topic));
        self.out.push(StateOutput::Event { room, room_name, id: None, at, cause, event });
        self.close_unused_room(room);
    }

    /// Rejects a command of a cluster's node whose member was removed from the room since. Without a cluster, the session has checked that
    /// in the same place of the order, or the store has the content. Returns whether it was.
    fn reject_outside(&mut self, command: MemberCommand, room: RoomId) -> bool {
        let is_in = |member: &super::Member| member.is_in(room);
        if !self.is_of_cluster() || self.state.member(self.origin.member).is_some_and(is_in) {
            return false;
        }
        self.reject(Rejection::NotInRoom(command));
        true
    }

    pub(super) fn count_unpublished(&mut self, room: RoomId) {
        if let Some(member) = self.state.members.get_mut(self.origin.member)
            && let Some(room) = self.state.rooms.get_mut(room)
        {
            member.unpublished = member.unpublished.saturating_add(1);
            room.unpublished = room.unpublished.saturating_add(1);
        }
    }

    pub(super) fn reject_content(&mut self, room: RoomId, name: &Name, kind: ContentKind, why: StoreFailure) {
        self.release_unpublished(room, name);
        let named = self.state.room(room).map(|entered| (room, entered.name.clone()));
        self.out.push(StateOutput::Rejected(self.origin, named, Rejection::NotStored(kind, why)));
        self.close_unused_room(room);
    }

    /// Records that a message or a topic for the room under this nickname was published or refused.
    fn release_unpublished(&mut self, room: RoomId, name: &Name) {
        self.release_reservation(name);
        if let Some(room) = self.state.rooms.get_mut(room) {
            room.unpublished = room.unpublished.saturating_sub(1);
        }
    }

    pub(super) fn draw(&mut self, room: RoomId, drawing: Drawing) {
        let Some(member) = self.state.members.get(self.origin.member) else { return };
        let name = member.name.clone();
        let is_in = member.is_in(room);
        if is_in && self.reject_muted(MutedCommand::Draw, &[room]) {
            return;
        }
        let Some(entered) = self.state.rooms.get_mut(room).filter(|_| is_in) else {
            return self.reject(Rejection::NotInRoom(MemberCommand::Draw));
        };
        let (room_name, strokes) = (entered.name.clone(), &mut self.state.strokes);
        match &drawing {
            Drawing::Clear => strokes.clear(&mut entered.canvas),
            Drawing::Stroke(stroke) => {
                strokes.push(room, &mut entered.canvas, DrawnStroke { name: name.clone(), stroke: stroke.clone() });
                while let Some(oldest) = strokes.overdrawn().and_then(|room| self.state.rooms.get_mut(room)) {
                    strokes.evict_oldest(&mut oldest.canvas);
                }
            }
        }
        let (at, cause, event) = (self.at, Cause::Command(self.origin), Event::Draw(name, drawing));
        self.out.push(StateOutput::Event { room, room_name, id: None, at, cause, event });
    }

    /// The origin's session watches this room. A session with a nickname watches none.
    pub(super) fn watch(&mut self, name: &RoomName) {
        let session = self.origin.session;
        if self.state.members.get(self.origin.member).is_some() {
            return;
        }
        let Some(id) = self.state.find_room(name) else { return self.reject(Rejection::WatchRoom(name.clone())) };
        if let Some(notice) = self.ban_of_origin(None, None).or_else(|| self.room_ban_of_origin(id, None, None)) {
            return self.reject(Rejection::WatchBanned(notice));
        }
        if let Some((name, lock)) = self.state.lock_against_watchers(id) {
            return self.reject(Rejection::WatchLocked(name, lock));
        }
        let is_new = self.state.watched_room(session) != Some(id);
        if is_new {
            // First the new room, so that the old one is closed last.
            if let Some(room) = self.state.rooms.get_mut(id) {
                room.watchers = room.watchers.saturating_add(1);
            }
            self.unwatch();
            self.state.watchers.insert(session, id);
        }
        if let Some(room) = self.describe(id, true, is_new) {
            self.out.push(StateOutput::Watching(self.origin, room));
        }
    }

    /// The origin's session watches no room any more.
    pub(super) fn unwatch(&mut self) {
        self.unwatch_session(self.origin.session);
    }

    /// This session watches no room any more.
    pub(super) fn unwatch_session(&mut self, session: SessionId) {
        if let Some(room) = self.forget_watch(session)
            && let Some(name) = self.state.room(room).map(|room| room.name.clone())
        {
            self.out.push(StateOutput::Unwatched(session, room, name));
            self.close_unused_room(room);
        }
    }

    /// Like [`Transition::unwatch_session`], but the session still follows the room.
    pub(super) fn forget_watch(&mut self, session: SessionId) -> Option<RoomId> {
        let room = self.state.watchers.remove(session)?;
        if let Some(room) = self.state.rooms.get_mut(room) {
            room.watchers = room.watchers.saturating_sub(1);
        }
        Some(room)
    }

    pub(super) fn evict(&mut self, room: RoomId, id: MessageId) {
        let Some(evicted) = self.state.rooms.get_mut(room) else { return };
        let id = id.min(evicted.last_id);
        evicted.deleted = evicted.deleted.max(id);
        evicted.history.evict_up_to(&mut self.state.messages, id);
        self.close_unused_room(room);
    }

    /// The room with this name; creates it, for a member of this account, if it is missing. `None`: no more rooms can be created.
    pub(super) fn open_room(&mut self, name: &RoomName, account: Option<AccountId>) -> Option<RoomId> {
        if let Some(id) = self.state.find_room(name) {
            return Some(id);
        }
        self.state.create_room(name, account)
    }

    pub(super) fn close_unused_room(&mut self, id: RoomId) {
        if let Some(room) = self.state.remove_unused_room(id) {
            self.out.push(StateOutput::RoomClosed { id, is_stored: room.is_stored });
        }
    }

    /// The rank of the next member that enters a room.
    pub(super) fn next_seniority(&mut self) -> Option<Seniority> {
        self.state.entrances = self.state.entrances.checked_add(1)?;
        Seniority::new(self.state.entrances)
    }

    pub(super) fn add_to_room(&mut self, id: RoomId, member: MemberId, seniority: Seniority) {
        let Some(room) = self.state.rooms.get_mut(id) else { return };
        self.state.occupied += usize::from(room.members.is_empty() && id != RoomId::LOBBY);
        room.members.insert(seniority, member);
        room.roster_version += 1;
    }

    /// Removes a member from a room. Returns whether it was the coordinator.
    pub(super) fn remove_from_room(&mut self, id: RoomId, seniority: Seniority) -> bool {
        let Some(room) = self.state.rooms.get_mut(id) else { return false };
        let was_coordinator = room.members.first().is_some_and(|(first, _)| first == seniority);
        room.members.remove(seniority);
        room.roster_version += 1;
        self.state.occupied -= usize::from(room.members.is_empty() && id != RoomId::LOBBY);
        was_coordinator
    }

    pub(super) fn describe(&self, id: RoomId, is_home: bool, is_new: bool) -> Option<EnteredRoom> {
        let room = self.state.room(id)?;
        let (name, epoch, last_id) = (room.name.clone(), room.epoch.clone(), room.last_id);
        Some(EnteredRoom { id, name, epoch, last_id, is_home, is_new })
    }

    /// Announces the member as coordinator if it is the room's first member.
    pub(super) fn announce_first(&mut self, room: RoomId, member: MemberId) {
        if self.state.room(room).and_then(Room::coordinator) == Some(member) {
            self.announce_coordinator(room);
        }
    }

    pub(super) fn announce_coordinator(&mut self, id: RoomId) {
        let coordinator = self.state.room(id).and_then(Room::coordinator);
        if let Some(name) = coordinator.and_then(|member| self.state.name(member)).cloned() {
            self.publish_roster(id, Cause::Server, Event::Coordinator(name));
        }
    }

    /// Records that the ranks of a member may have changed, which the member lists of its rooms have.
    pub(super) fn renew_rosters_of(&mut self, member: Option<MemberId>) {
        let Some(member) = member.and_then(|id| self.state.members.get(id)) else { return };
        for (room, _) in member.rooms.iter() {
            if let Some(room) = self.state.rooms.get_mut(room) {
                room.roster_version += 1;
            }
        }
    }

    /// Publishes a change of the members of a room.
    pub(super) fn publish_roster(&mut self, room: RoomId, cause: Cause, event: Event) {
        let Some(entered) = self.state.rooms.get_mut(room) else { return };
        entered.roster_version += 1;
        let room_name = entered.name.clone();
        self.out.push(StateOutput::Event { room, room_name, id: None, at: self.at, cause, event });
    }
}
