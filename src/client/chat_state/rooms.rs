//! The user's rooms: what the chat knows of each, and the ways into, out of and between them. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::BTreeMap;

use super::{ChatAction, ChatState, ConnectionPhase, DisplayItem, note, warn};
use crate::client::typed::UserInput;
use crate::command::{ClientLine, Command, Msg, RoomPosition, TypedSecret, Verb, Who};
use crate::limits::{MEMBERS_NOTED_MAX, ROOMS_NOTED_MAX};
use crate::protocol::{Event, MessageId, Mode, Name, Rank, RoomName, Text, split_word};

/// One of the user's rooms.
#[derive(Debug, Default)]
pub(super) struct ChatRoom {
    /// The members, by the key of their nickname; at most [`MEMBERS_NOTED_MAX`].
    members: BTreeMap<String, Name>,
    /// The user's rank, as of the last member list and the events after it.
    pub(super) rank: Rank,
    /// Messages, as typed and as sent, that had no reply when the connection was lost. The replay shows whether they were published.
    pub(super) unconfirmed: Vec<(String, Text)>,
    /// Messages since the user was last in the room.
    unread: u64,
    /// How many of them mention the user.
    mentions: u64,
    /// The authors of the newest messages; at most [`MESSAGES_NOTED_MAX`].
    pub(super) authors: BTreeMap<MessageId, Name>,
    /// The user's last message on this connection, if the server has confirmed it.
    pub(super) last_own: Option<MessageId>,
}

impl ChatRoom {
    /// The nicknames of the members.
    pub(super) fn members(&self) -> impl Iterator<Item = &Name> {
        self.members.values()
    }

    pub(super) fn forget_members(&mut self) {
        self.members.clear();
    }

    /// Adds a member, up to a limit that protects the memory from a hostile server.
    pub(super) fn add_member(&mut self, name: Name) {
        if self.members.len() < MEMBERS_NOTED_MAX {
            self.members.insert(name.key().to_owned(), name);
        }
    }

    /// Changes the member list as the event says.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::Join(name) => self.add_member(name.clone()),
            Event::Leave(name, ..) => drop(self.members.remove(name.key())),
            Event::Rename { from, to } => {
                self.members.remove(from.key());
                self.add_member(to.clone());
            }
            Event::Roster(_) => self.members.clear(),
            _ => {}
        }
    }

    pub(super) fn count_unread(&mut self, is_mention: bool) {
        self.unread += 1;
        self.mentions += u64::from(is_mention);
    }

    pub(super) fn mark_read(&mut self) {
        (self.unread, self.mentions) = (0, 0);
    }

    /// The number of unread messages and of mentions in words; `None` if nothing is unread.
    pub(super) fn unread(&self) -> Option<String> {
        match (self.unread, self.mentions) {
            (0, _) => None,
            (unread, 0) => Some(unread.to_string()),
            (unread, 1) => Some(format!("{unread} (1 mentions you)")),
            (unread, mentions) => Some(format!("{unread} ({mentions} mention you)")),
        }
    }

    /// Records that the replay has this message.
    pub(super) fn confirm(&mut self, published: &Text) {
        if let Some(at) = self.unconfirmed.iter().position(|(_, text)| text == published) {
            self.unconfirmed.remove(at);
        }
    }
}

impl ChatState {
    /// The names of the user's rooms, and of the rooms that it has listed.
    pub(in crate::client) fn room_names(&self) -> impl Iterator<Item = String> {
        let own = self.rooms.iter().map(|(room, _)| (room.key(), room));
        let all: BTreeMap<_, _> = self.noted.iter().map(|(key, room)| (key.as_str(), room)).chain(own).collect();
        all.into_values().map(ToString::to_string)
    }

    /// Parses a typed line. A message that begins with the name of a room that the user is or was in may be meant for that room. One that
    /// begins with a command and its secret is not published.
    pub(super) fn parse(&self, line: &str) -> UserInput {
        if let Some(parsed) = self.parse_short_delete(line) {
            return parsed;
        }
        let parsed = UserInput::parse(line, [&self.current, self.rooms.home()], self.whisperer.as_ref());
        if let UserInput::Command(_, Command::Msg(Msg(text))) = &parsed
            && let Some(secret) = TypedSecret::all_in(text.as_str()).find(|secret| self.refuses_to_publish(*secret))
        {
            let what = match secret {
                TypedSecret::Command(verb) => {
                    format!("it looks like the command {} with a secret", verb.as_str().to_ascii_lowercase())
                }
                TypedSecret::AccessToken => "it has an access token, with which others could log in".to_owned(),
            };
            return UserInput::Invalid(format!("not sent: {what} (to send it as a message, begin it with a space)"));
        }
        if let UserInput::Command(None, Command::Msg(Msg(text))) = &parsed
            && let (word, Some(_)) = split_word(text.as_str())
            && let Ok(room) = RoomName::new(word)
            && (self.rooms.contains(&room) || self.noted.contains_key(room.key()))
        {
            return UserInput::Invalid(format!(
                "not sent: is it for {room}? Then type: /{room} text (to send it here, begin it with a space)"
            ));
        }
        parsed
    }

    fn refuses_to_publish(&self, secret: TypedSecret) -> bool {
        match secret {
            TypedSecret::Command(Verb::Pass) => self.features.password,
            TypedSecret::Command(verb) => !verb.is_about_account() || self.features.accounts,
            TypedSecret::AccessToken => true,
        }
    }

    /// Makes a room the current one, and says where there is something unread; after `before`.
    pub(super) fn switch_to(&mut self, room: RoomName, before: &str) -> Vec<ChatAction> {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.mark_read();
        }
        let unread = self.rooms.iter().filter_map(|(room, state)| Some(format!("{room} {}", state.unread()?)));
        let unread: Vec<_> = unread.collect();
        let unread = if unread.is_empty() { String::new() } else { format!("; unread: {}", unread.join(", ")) };
        let place = if self.rooms.contains(&room) { room.to_string() } else { "no room".to_owned() };
        let text = format!("{before}you are in {place}{unread}");
        self.current = room;
        vec![note(text)]
    }

    /// Handles that the user has left a room.
    pub(super) fn leave_room(&mut self, room: &RoomName) -> Vec<ChatAction> {
        self.rooms.remove(room);
        let what = format!("you left {room}");
        if room.key() == self.current.key() {
            self.switch_to(self.next_room(), &format!("{what}; "))
        } else {
            vec![note(what)]
        }
    }

    /// Handles that the client is no longer in a room.
    pub(in crate::client) fn handle_room_lost(&mut self, room: &RoomName, why: &str) -> Vec<ChatAction> {
        let unconfirmed = self.rooms.remove(room).map(|room| room.unconfirmed).unwrap_or_default();
        let mut actions: Vec<_> =
            unconfirmed.into_iter().map(|(line, _)| warn(format!("perhaps not sent: {line}"))).collect();
        actions.push(warn(format!("you are no longer in {room}: {why}")));
        if room.key() == self.current.key() {
            actions.extend(self.drop_waiting());
            actions.extend(self.switch_to(self.next_room(), ""));
        }
        actions
    }

    /// Drops the waiting lines: they may be meant for a room that the user is not in.
    pub(super) fn drop_waiting(&mut self) -> Vec<ChatAction> {
        self.waiting.drain(..).map(|line| warn(format!("not sent: {}", line.text()))).collect()
    }

    /// The room to go to after leaving the current one: the home, if the user is in it.
    fn next_room(&self) -> RoomName {
        self.rooms.iter().next().map_or(self.rooms.home(), |(room, _)| room).clone()
    }

    /// Handles rooms that the user has entered. The caller reads their earlier messages.
    pub(super) fn enter_rooms(&mut self, entered: Vec<RoomPosition>) -> Vec<ChatAction> {
        let (mut current, mut requests) = (self.current.clone(), Vec::new());
        for RoomPosition { room, .. } in entered {
            if !self.rooms.contains(&room) {
                let Some(request) = self.enter_room(room.clone()) else { continue };
                self.phase = ConnectionPhase::CatchingUp;
                requests.push(request);
            }
            current = room;
        }
        [self.switch_to(current, ""), requests].concat()
    }

    /// Requests the member lists of all rooms.
    pub(super) fn request_members(&mut self) -> Vec<ChatAction> {
        let write = |(room, _)| ClientLine::write(self.rooms.prefix_of(room), &Who.into(), Mode::Commands);
        let lines: Vec<_> = self.rooms.iter().map(write).map(ChatAction::Send).collect();
        self.unanswered.extend(lines.iter().map(|_| None));
        lines
    }

    /// Notes that the user is in this room, and requests its member list.
    pub(super) fn enter_room(&mut self, room: RoomName) -> Option<ChatAction> {
        self.note_room(&room);
        let request = ChatAction::Send(ClientLine::write(self.rooms.prefix_of(&room), &Who.into(), Mode::Commands));
        self.rooms.insert(room, ChatRoom::default()).then(|| {
            self.unanswered.push_back(None);
            request
        })
    }

    pub(super) fn note_room(&mut self, room: &RoomName) {
        if self.noted.len() < ROOMS_NOTED_MAX {
            self.noted.insert(room.key().to_owned(), room.clone());
        }
    }

    /// The item as it is shown if it is about this room.
    pub(super) fn show_in(&self, room: &RoomName, item: DisplayItem) -> ChatAction {
        let is_current = room.key() == self.current.key();
        ChatAction::Show(if is_current { item } else { DisplayItem::InRoom(room.clone(), Box::new(item)) })
    }

    /// Handles missing messages in a room.
    pub(in crate::client) fn handle_gap(&self, room: &RoomName, what: String) -> Vec<ChatAction> {
        vec![self.show_in(room, DisplayItem::Warning(what))]
    }
}
