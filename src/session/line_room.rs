//! Which room a line is about, and whether its reply names the room.

use super::former_rooms::FormerRooms;
use super::logins::GivenPassword;
use super::{Session, SessionId, Sessions};
use crate::command::{Refusal, RoomUse, Verb};
use crate::protocol::{AccessToken, AccountId, ErrorCode, Mode, RoomName, Verifier};
use crate::state::RoomId;

/// The room that a line is about.
#[derive(Clone, Debug, Default)]
pub(super) struct LineRoom {
    /// The room, if the session is in it or watches it.
    pub(super) id: Option<RoomId>,
    /// Its name in the reply. `None`: the reply names no room.
    pub(super) prefix: Option<RoomName>,
    /// The room that the line, or chat mode, names. `None`: the home.
    pub(super) named: Option<RoomName>,
}

impl Sessions {
    /// The room that a command is about. Commands that are not about a room have the home as their room, and no prefix.
    pub(super) fn room_of_line(&self, session: SessionId, named: Option<RoomName>, verb: Verb) -> LineRoom {
        if verb.specification().room == RoomUse::None {
            return LineRoom { id: self.home(session), prefix: None, named: None };
        }
        self.resolve(session, named.or_else(|| self.chat_room(session)))
    }

    /// The room that lines of chat mode go to, if it is not the home.
    fn chat_room(&self, session: SessionId) -> Option<RoomName> {
        self.all.get(session).filter(|state| state.mode == Mode::Chat)?.rare.as_ref()?.chat_room.clone()
    }

    /// The room that the commands in a hint must name, after a line that itself named a room.
    pub(super) fn room_of_hint(&self, session: SessionId, room: &LineRoom) -> Option<RoomName> {
        let named = if room.named.is_some() { room.prefix.clone() } else { self.home_name(session) };
        named.filter(|named| !self.is_implied(session, named))
    }

    /// Whether lines that name no room are about this one.
    pub(super) fn is_implied(&self, session: SessionId, room: &RoomName) -> bool {
        let implied = self.chat_room(session).or_else(|| self.home_name(session));
        implied.is_some_and(|implied| implied.key() == room.key())
    }

    /// The room whose name the refusal of a line has as its prefix.
    pub(super) fn room_of_refusal(&self, session: SessionId, named: Option<RoomName>, refusal: &Refusal) -> LineRoom {
        match (named, refusal.verb) {
            // The name of a room may be the password.
            (Some(_), None) if self.needs_password(session) || self.needs_login(session) => LineRoom::default(),
            (named @ Some(_), _) => self.resolve(session, named),
            (None, Some(verb)) if refusal.code != ErrorCode::RoomInvalid => self.room_of_line(session, None, verb),
            (None, _) => LineRoom::default(),
        }
    }

    fn resolve(&self, session: SessionId, named: Option<RoomName>) -> LineRoom {
        let named = named.filter(|room| !self.is_home(session, room));
        match named {
            None => LineRoom { id: self.home(session), prefix: self.home_prefix(session), named },
            Some(ref room) => {
                let id = self.find_own_room(session, room);
                let spelled = id.and_then(|id| self.state.room(id)).map(|room| room.name().clone());
                LineRoom { id, prefix: spelled.or_else(|| named.clone()), named }
            }
        }
    }

    /// The prefix of lines to this session about a room.
    pub(super) fn prefix(&self, session: SessionId, id: RoomId, name: &RoomName) -> Option<RoomName> {
        let shows_home = self.all.get(session).is_some_and(|state| state.dialect.room_names);
        let is_home = self.home(session) == Some(id) || self.is_home(session, name);
        (shows_home || !is_home).then(|| name.clone())
    }

    fn home_prefix(&self, session: SessionId) -> Option<RoomName> {
        self.all.get(session).filter(|state| state.dialect.room_names).and_then(|_| self.home_name(session))
    }

    /// The home of the session's member if it is in it, or the room that the session watches.
    pub(super) fn home(&self, session: SessionId) -> Option<RoomId> {
        match self.member(session).and_then(|member| self.state.member(member)) {
            Some(member) => Some(member.home()).filter(|_| member.parted_home().is_none()),
            None => self.state.watched_room(session),
        }
    }

    /// The name of the home of the session's member, even if it has parted from it, or of the room that the session watches.
    pub(super) fn home_name(&self, session: SessionId) -> Option<RoomName> {
        let parted = self.member(session).and_then(|member| self.state.member(member)?.parted_home().cloned());
        parted.or_else(|| Some(self.state.room(self.home(session)?)?.name().clone()))
    }

    pub(super) fn is_home(&self, session: SessionId, room: &RoomName) -> bool {
        self.home_name(session).is_some_and(|home| home.key() == room.key())
    }

    /// Whether the session is in the room or watches it.
    fn is_in(&self, session: SessionId, room: RoomId) -> bool {
        match self.member(session).and_then(|member| self.state.member(member)) {
            Some(member) => member.is_in(room),
            None => self.state.watched_room(session) == Some(room),
        }
    }

    pub(super) fn find_own_room(&self, session: SessionId, room: &RoomName) -> Option<RoomId> {
        self.state.find_room(room).filter(|id| self.is_in(session, *id))
    }

    /// The rooms that the session is in, or watches.
    pub(super) fn own_rooms(&self, session: SessionId) -> Vec<RoomId> {
        match self.member(session).and_then(|member| self.state.member(member)) {
            Some(member) => member.rooms().collect(),
            None => self.state.watched_room(session).into_iter().collect(),
        }
    }
}

/// The parts of a session that few sessions have.
#[derive(Debug, Default)]
pub(super) struct RareState {
    /// The verifier of the resume token that was requested before the session took a nickname.
    pub(super) verifier: Option<Verifier>,
    /// The room that lines of chat mode go to, even if the member has left it: these lines are refused. `None`: the home.
    pub(super) chat_room: Option<RoomName>,
    pub(super) former_rooms: FormerRooms,
    /// When the session has given the password of its account.
    pub(super) given_password: Option<GivenPassword>,
    /// The access token that the session's `TOKEN new` makes.
    pub(super) new_token: Option<AccessToken>,
    /// The session's last login was a `TAKEOVER`.
    pub(super) is_taking_over: bool,
    /// The account whose password was checked for the session's last login. `None`: it had an access token.
    pub(super) checked_account: Option<AccountId>,
}

impl Session {
    /// Records that the session's member was in a room, or that the session watched it.
    pub(super) fn remember_room(&mut self, room: RoomName) {
        self.rare.get_or_insert_default().former_rooms.add(room);
    }

    /// The session takes over a member whose former session has left these rooms. A token that it requested before does not count.
    pub(super) fn take_former_rooms(&mut self, others: FormerRooms) {
        let mut former_rooms = self.rare.take().map(|rare| rare.former_rooms).unwrap_or_default();
        former_rooms.add_all(others);
        if !former_rooms.is_empty() {
            self.rare = Some(Box::new(RareState { former_rooms, ..RareState::default() }));
        }
    }
}
