//! The ranks, sanctions and locks before an input, as the model knows them.

use chinwag::command::Command;
use chinwag::protocol::{ErrorCode, MessageId, RoomLock, RoomName, Timestamp};
use chinwag::session::{InputKind, Output};
use chinwag::state::{Member, RoomId, SessionId};

use super::model::{Model, command_of, named_room};
use super::moderation_rules::is_moderation;
use super::roles::facts::MEMBER;
use super::roles::{Before, Moderating, members_of_rooms};

impl Model {
    /// The errors of bans, mutes and locks that prevent the action. If there are any, it must fail.
    pub(super) fn barriers(&self, now: Timestamp, session: SessionId, action: &InputKind) -> Vec<ErrorCode> {
        let codes = || match (action, command_of(action)) {
            (InputKind::PasswordProcessed(result), _) => {
                let account = self.accounts.account_of_login(&self.room, result.session)?;
                let line = self.line(now, result.session, None, &[])?;
                Some(line.barriers_of_login(account.id, &account.name))
            }
            (_, Some(command)) if self.is_connected(session) => {
                Some(self.line(now, session, named_room(action), &[])?.barriers(&command))
            }
            _ => None,
        };
        codes().unwrap_or_default()
    }

    /// The facts from before an input by which its effects are checked.
    pub(super) fn before(&self, now: Timestamp, session: SessionId, action: &InputKind) -> Before {
        let session = if let InputKind::PasswordProcessed(result) = action { result.session } else { session };
        let line = self.line(now, session, named_room(action), &[]);
        let command = command_of(action).filter(|_| self.is_connected(session));
        let (state, member) = (self.room.state(), self.room.member(session));
        let member = member.and_then(|member| state.member(member));
        let is_muted = |rooms| line.as_ref().is_some_and(|line| line.is_muted(rooms));
        let is_unread = match &command {
            Some(Command::Quit(_)) => is_muted(member.into_iter().flat_map(Member::rooms).collect()),
            Some(Command::Part(part)) => is_muted(self.rooms.find(&part.room).into_iter().collect()),
            _ => false,
        };
        let moderating = command.filter(is_moderation).and_then(|command| {
            let room = line.as_ref()?.moderated_room(&command).ok().flatten();
            Some(Moderating { command, room, snapshot: state.snapshot() })
        });
        let sessions = self.streams.keys().copied();
        Before {
            session,
            name: self.room.name(session).cloned(),
            account: member.and_then(Member::account),
            members: members_of_rooms(state),
            holders: sessions.filter_map(|session| Some((self.room.member(session)?, session))).collect(),
            sanctions: state.sanctions().iter().map(|sanction| (sanction.id, sanction.clone())).collect(),
            moderating,
            is_unread,
        }
    }

    /// Counts a client whose address was banned when it connected.
    pub(super) fn count_banned_connection(&mut self, action: &InputKind, outputs: &[Output]) {
        let is_refused = outputs.iter().any(|output| matches!(output, Output::Remove(_)));
        self.roles.coverage.connections += u32::from(matches!(action, InputKind::Connect(_)) && is_refused);
    }

    /// Whether the session's member has a rank on the server or in one of its rooms.
    pub(super) fn has_rank(&self, session: SessionId) -> bool {
        let state = self.room.state();
        let Some(member) = self.room.member(session).and_then(|member| state.member(member)) else { return false };
        let mut rooms = [None].into_iter().chain(member.rooms().map(Some));
        rooms.any(|room| self.roles.ranks.of_member(state, member, room) > MEMBER)
    }

    /// Whether the session's member is muted on the server or in one of its rooms.
    pub(super) fn is_muted(&self, now: Timestamp, session: SessionId) -> bool {
        let line = self.line(now, session, None, &[]);
        line.is_some_and(|line| line.is_muted(line.follows.keys().copied().collect()))
    }

    /// A room for the invited that the session's member may enter.
    pub(super) fn invitation_of(&self, session: SessionId) -> Option<RoomName> {
        let id = self.room.member(session)?;
        let member = self.room.state().member(id)?;
        let is_invited = |room: &RoomId| {
            let is_locked = self.roles.locks.lock_of(*room) == RoomLock::Invited;
            is_locked && !member.is_in(*room) && self.roles.locks.lets_in(*room, member.account(), Some(id))
        };
        self.rooms.names().into_iter().find(|(room, _)| is_invited(room)).map(|(_, name)| name)
    }

    /// The rooms of the session, with their last messages.
    pub(super) fn rooms_of(&self, session: SessionId) -> Vec<(RoomName, MessageId)> {
        let Some(stream) = self.streams.get(&session) else { return Vec::new() };
        stream.follows.keys().map(|room| (self.rooms.name(*room), self.rooms.last_id(*room))).collect()
    }
}
