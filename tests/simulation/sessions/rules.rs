//! The rules of `protocol.md` about which commands are refused, and with which code. The room's replies must match them.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::command::{
    Chat, Command, Join, Msg, Nick, Part, Resume, RoomLine, RoomUse, ServerLine, Set, Setting, Since, Topic,
    TypedSecret, Verb, Watch, Whisper,
};
use chinwag::protocol::{ErrorCode, Mode, Name, RoomName, Text, Timestamp};
use chinwag::session::{Output, Sessions};
use chinwag::state::{RoomId, SessionId};

use super::accounts::{self, Accounts};
use super::model;
use super::moderation_rules::is_moderation;
use super::resume_tokens::ResumeTokens;
use super::roles::Roles;
use super::rooms::Rooms;

/// A command of a session, and what its reply depends on.
pub(super) struct Line<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) rooms: &'a Rooms,
    /// The nicknames of members that receive no more lines.
    pub(super) closing: &'a [&'a Name],
    pub(super) resume_tokens: &'a ResumeTokens,
    pub(super) accounts: &'a Accounts,
    pub(super) roles: &'a Roles,
    pub(super) now: Timestamp,
    pub(super) session: SessionId,
    /// The room in front of the command.
    pub(super) named: Option<&'a RoomName>,
    pub(super) mode: Mode,
    pub(super) chat_room: Option<&'a RoomName>,
    /// The rooms that the session follows.
    pub(super) follows: &'a BTreeMap<RoomId, bool>,
    /// The keys of the rooms that the session has followed.
    pub(super) former: &'a BTreeSet<String>,
}

impl Line<'_> {
    /// The code with which the command must be refused, or `None` if it must be carried out.
    pub(super) fn expected_refusal(&self, command: &Command) -> Option<ErrorCode> {
        let own = self.sessions.name(self.session);
        let specification = command.verb().specification();
        let is_watching = own.is_none() && !self.follows.is_empty();
        match command {
            Command::Nick(Nick { room: Some(_), .. }) if own.is_some() => return Some(ErrorCode::RoomUnexpected),
            Command::Nick(Nick { name, room }) => {
                return self.alike_room(room.as_slice()).or_else(|| self.refused_name(own, name));
            }
            Command::Resume(_) | Command::Watch(_) if own.is_some() => return Some(ErrorCode::AlreadyNamed),
            Command::Resume(Resume(token)) => {
                let holder = self.resume_tokens.holder(*token);
                let is_good = holder.is_some_and(|holder| self.may_be_resumed(holder));
                return (!is_good).then_some(ErrorCode::TokenUnknown);
            }
            Command::Watch(Watch(room)) => {
                let is_missing = room.as_ref().is_some_and(|room| self.rooms.find(room).is_none());
                return is_missing.then_some(ErrorCode::NotInRoom);
            }
            Command::Set(Set { setting: Setting::Resume, on: true }) => {
                return (!self.resume_tokens.are_on()).then_some(ErrorCode::ResumeOff);
            }
            Command::Login(_)
            | Command::Takeover(_)
            | Command::Register(_)
            | Command::SetPassword(_)
            | Command::Unregister(_)
            | Command::AccessTokens(_) => {
                return self.accounts.expected_refusal(self.sessions, self.now, self.session, command);
            }
            // The server has no password.
            Command::Pass(_) => return Some(ErrorCode::PasswordUnexpected),
            _ if !specification.needs_nickname => return None,
            _ if own.is_none() && !(specification.allows_watchers && is_watching) => return Some(ErrorCode::NoName),
            _ => {}
        }
        if let Command::Msg(Msg(text)) = command
            && self.mode == Mode::Chat
            && TypedSecret::all_in(text.as_str()).any(|secret| secret != TypedSecret::Command(Verb::Pass))
        {
            return Some(ErrorCode::SecretRefused);
        }
        if let Command::Msg(Msg(text)) = command
            && self.is_ambiguous(text)
        {
            return Some(ErrorCode::RoomAmbiguous);
        }
        if is_moderation(command) {
            return self.refused_moderation(command);
        }
        let room = self.room_of_line();
        if specification.room == RoomUse::Prefix && room.is_none() {
            return Some(ErrorCode::NotInRoom);
        }
        match command {
            Command::Status(_) => {
                (model::names_in(self.sessions, room?).next() != own).then_some(ErrorCode::NotCoordinator)
            }
            Command::Whisper(Whisper { to, .. }) => refused_target(self.sessions, self.closing, own, to),
            Command::Since(Since { after: id, .. }) => match self.rooms.message_log(room?) {
                Some(log) => log.refusal(*id),
                None => (id.0 > 0).then_some(ErrorCode::IdAhead),
            },
            Command::Search(_) => Some(ErrorCode::NoStore),
            Command::Topic(Topic::Set(_) | Topic::Clear) => own.is_none().then_some(ErrorCode::NoName),
            Command::Join(Join(rooms)) => self.alike_room(rooms),
            Command::Part(Part { room, .. }) => self.find(Some(room)).is_none().then_some(ErrorCode::NotInRoom),
            Command::Chat(Chat(None)) if self.mode == Mode::Chat => None,
            Command::Chat(Chat(room)) => self.find(room.as_ref()).is_none().then_some(ErrorCode::NotInRoom),
            _ => None,
        }
    }

    /// The room that the line is about.
    pub(super) fn room_of_line(&self) -> Option<RoomId> {
        let chat_room = self.chat_room.filter(|_| self.mode == Mode::Chat);
        self.find(self.named.or(chat_room))
    }

    /// Whether the member of this session keeps its nickname if another session resumes it.
    fn may_be_resumed(&self, holder: SessionId) -> bool {
        let own = accounts::own_account(self.sessions, holder).map(|own| own.id);
        let registered =
            |name| accounts::protected(self.sessions, own, name, self.now) == Some(ErrorCode::NameRegistered);
        self.sessions.name(holder).is_some_and(|name| !registered(name))
            && !accounts::has_expired(self.sessions, holder, self.now)
    }

    /// The code with which the nickname must be refused.
    fn refused_name(&self, own: Option<&Name>, name: &Name) -> Option<ErrorCode> {
        if own == Some(name) {
            return None;
        }
        let account = accounts::own_account(self.sessions, self.session).map(|own| own.id);
        let protected = accounts::protected(self.sessions, account, name, self.now);
        protected.or_else(|| refused_name(self.sessions, own, name))
    }

    /// The room with this name, or the home, if the session follows it.
    fn find(&self, name: Option<&RoomName>) -> Option<RoomId> {
        match name {
            Some(name) => self.rooms.find(name).filter(|room| self.follows.contains_key(room)),
            None => self.follows.iter().find(|(_, is_home)| **is_home).map(|(room, _)| *room),
        }
    }

    /// Whether a line of chat mode may be meant for a room of the session.
    fn is_ambiguous(&self, text: &Text) -> bool {
        let word = text.as_str().split(' ').next().unwrap_or_default();
        let Ok(room) = RoomName::new(word) else { return false };
        let was_in = self.former.contains(room.key()) || self.find(Some(&room)).is_some();
        self.mode == Mode::Chat && self.named.is_none() && was_in
    }

    /// The refusal of rooms of which one would be created, and looks like another one.
    fn alike_room(&self, rooms: &[RoomName]) -> Option<ErrorCode> {
        let mut names: Vec<_> = self.rooms.names().into_values().collect();
        let alike = |a: &RoomName, b: &RoomName| a.skeletons().into_iter().zip(b.skeletons()).any(|(a, b)| a == b);
        for room in rooms {
            if names.iter().any(|other| other.key() == room.key()) {
                continue;
            }
            if names.iter().any(|other| alike(room, other)) {
                return Some(ErrorCode::RoomAlike);
            }
            names.push(room.clone());
        }
        None
    }
}

/// The code with which the room did refuse the command.
pub(super) fn actual(session: SessionId, outputs: &[Output]) -> Option<ErrorCode> {
    outputs.iter().find_map(|output| match output {
        Output::Send(to, _, RoomLine { line: ServerLine::Err(refusal), .. }) if *to == session => Some(refusal.code),
        _ => None,
    })
}

/// Whether a command may end so. If a ban, a mute or a lock prevents it, it must be refused, with one of these codes or as it would be
/// without them.
pub(super) fn is_expected(actual: Option<ErrorCode>, refusal: Option<ErrorCode>, barriers: &[ErrorCode]) -> bool {
    match actual {
        None => refusal.is_none() && barriers.is_empty(),
        Some(code) => refusal == actual || barriers.contains(&code),
    }
}

fn refused_name(room: &Sessions, own: Option<&Name>, name: &Name) -> Option<ErrorCode> {
    let others = || room.names().filter(|&other| Some(other) != own);
    let alike = |other: &Name| other.skeletons().into_iter().zip(name.skeletons()).any(|(a, b)| a == b);
    if others().any(|other| other.key() == name.key()) {
        return Some(ErrorCode::NameTaken);
    }
    others().any(alike).then_some(ErrorCode::NameAlike)
}

/// The first invalid target determines the code. Targets that receive no more lines are considered only if all targets are valid.
fn refused_target(room: &Sessions, closing: &[&Name], own: Option<&Name>, to: &[Name]) -> Option<ErrorCode> {
    let holder = |name: &Name| room.names().find(|other| other.key() == name.key());
    let first = to.iter().find_map(|name| match holder(name) {
        None => Some(ErrorCode::TargetAbsent),
        some => (some == own).then_some(ErrorCode::TargetSelf),
    });
    let is_closing = |name| holder(name).is_some_and(|holder| closing.contains(&holder));
    first.or_else(|| to.iter().any(is_closing).then_some(ErrorCode::TargetAbsent))
}
