//! The state of a chat: the members, the lines waiting to be sent, and the lines without a reply. Pure.
//!
//! The caller passes in typed lines, the server's lines, and changes of the connection; each call returns actions, to be carried out in
//! order. [`super::shared_chat`] is the caller. [`super::render`] formats the items to show.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account;
mod messages;
mod moderation;
mod rooms;

use std::collections::{BTreeMap, VecDeque};

use self::rooms::ChatRoom;
use super::account_input::AccountRequest;
use super::offered_commands::{help, needed_rank};
use super::own_rooms::OwnRooms;
use super::refusal::explain_at_terminal;
use super::render::{listed_room, listed_sanction, listed_user, member_count};
use super::rooms_progress::{is_displacement, removal};
use super::typed::UserInput;
use crate::command::{
    ClientLine, Command, Features, HistoryReply, Join, Login, Msg, NickReply, ReceivedLine, ReceivedRefusal, Reply,
    RoomUse, RoomsReply, ServerLine, Set, Setting, Stored, Topic, Whisper, WhoReply,
};
use crate::limits::{LINES_IN_FLIGHT_MAX, LINES_WAITING_MAX};
use crate::protocol::{Event, LeaveReason, MessageId, Mode, Name, PastMessage, Rank, RoomName, Tag, Text, Timestamp};

/// An action for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChatAction {
    /// Send this line to the server.
    Send(String),
    /// Show this item to the user.
    Show(DisplayItem),
}

/// An item to show to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DisplayItem {
    /// An event, its time if known, and whether it addresses the user: a whisper or a mention.
    Event(Option<Timestamp>, Event, bool),
    /// A message from before the user joined, and whether its id is shown.
    PastMessage(PastMessage, bool),
    /// A message was deleted: by whom, the message, its author if the client has seen it.
    Deleted(Option<Timestamp>, Option<Name>, MessageId, Option<Name>),
    /// The user's own whisper, acknowledged by the server: author, recipients, text.
    Whispered(Name, Vec<Name>, Text),
    /// A note of the client, or a line from the server that is not an event.
    Note(String),
    /// A problem.
    Warning(String),
    /// An item about another room than the current one.
    InRoom(RoomName, Box<DisplayItem>),
}

/// The state of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ConnectionPhase {
    /// Not connected yet.
    #[default]
    New,
    /// The client reads earlier messages. It must not send another command with the same reply meanwhile.
    CatchingUp,
    /// The server refused the nickname. Only one line may await its reply: it may be a `NICK`, and then the client requests earlier
    /// messages. The reply to a line sent in between could be mistaken for the reply to that request.
    Nameless,
    Ready,
    /// The connection is lost, and the client is reconnecting.
    Lost,
}

/// One chat, across reconnects.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct ChatState {
    rooms: OwnRooms<ChatRoom>,
    /// The room to which lines without a room go.
    current: RoomName,
    /// The names of rooms that the user was in or listed, by their keys; at most [`ROOMS_NOTED_MAX`](crate::limits::ROOMS_NOTED_MAX).
    noted: BTreeMap<String, RoomName>,
    /// The nickname on this connection or, until it has one, on the previous connection.
    name: Option<Name>,
    phase: ConnectionPhase,
    /// Whether others on the way can neither read nor change the lines of this connection.
    is_private: bool,
    /// Whether nobody else can read a secret on this connection.
    accepts_secrets: bool,
    /// The features of the server.
    features: Features,
    /// The account to which the user is logged in, with the secret for the next connection.
    account: Option<Login>,
    /// Whether `account` has changed since [`ChatState::take_account_change`].
    is_account_changed: bool,
    /// Whether the input has ended: `QUIT` follows the waiting lines.
    ends_input: bool,
    /// Whether `QUIT` was sent.
    is_leaving: bool,
    /// Typed lines that are not sent yet.
    waiting: VecDeque<WaitingLine>,
    /// Typed `/join` lines that had no reply when the connection was lost. They are sent again: entering a room twice changes nothing.
    interrupted_joins: Vec<String>,
    /// Whether `SET echo on` was sent on this connection: own messages then arrive as events.
    has_echo: bool,
    /// Lines without a final reply, in the order in which they were sent; `None` for requests of the client itself. Empty while
    /// disconnected.
    unanswered: VecDeque<Option<SentLine>>,
    /// The last member who whispered to the user.
    whisperer: Option<Name>,
}

/// A typed line that is not sent yet.
#[derive(Debug)]
enum WaitingLine {
    Typed(String),
    /// A command of an account, with the passwords for which the client has asked.
    Account(AccountRequest),
}

impl WaitingLine {
    /// The line as typed.
    fn text(&self) -> &str {
        match self {
            Self::Typed(line) | Self::Account(AccountRequest { line, .. }) => line,
        }
    }
}

/// A typed line that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SentLine {
    line: String,
    room: RoomName,
    command: Command,
    /// The command to send if the server accepts this one.
    then: Option<Command>,
    /// Whether the user has named the room.
    names_room: bool,
    /// Whether the message has arrived as an event, and is shown.
    is_shown: bool,
}

impl Default for ChatState {
    fn default() -> Self {
        let home = RoomName::lobby();
        Self {
            rooms: OwnRooms::new(home.clone(), ChatRoom::default()),
            current: home,
            noted: BTreeMap::new(),
            name: None,
            phase: ConnectionPhase::default(),
            is_private: false,
            accepts_secrets: false,
            features: Features::default(),
            account: None,
            is_account_changed: false,
            ends_input: false,
            is_leaving: false,
            waiting: VecDeque::new(),
            interrupted_joins: Vec::new(),
            has_echo: false,
            unanswered: VecDeque::new(),
            whisperer: None,
        }
    }
}

impl ChatState {
    /// The reason why a typed line cannot be sent now; `None` if it can.
    pub(super) fn refusal(&self, line: &str) -> Option<String> {
        match self.parse(line) {
            UserInput::Invalid(why) => Some(why),
            UserInput::Command(_, command)
                if self.phase == ConnectionPhase::Lost && !matches!(command, Command::Quit(_)) =>
            {
                Some(not_connected(line))
            }
            _ => None,
        }
    }

    /// Queues a typed line to be sent. If it cannot be sent, returns the reason instead.
    pub(super) fn queue(&mut self, line: &str) -> Option<String> {
        let refusal = self.refusal_of_more(line).or_else(|| self.refusal(line));
        if refusal.is_none() {
            self.waiting.push_back(WaitingLine::Typed(line.to_owned()));
        }
        refusal
    }

    /// The reason why no more lines can wait to be sent.
    fn refusal_of_more(&self, line: &str) -> Option<String> {
        let is_full = self.waiting.len() >= LINES_WAITING_MAX;
        is_full.then(|| format!("not sent ({LINES_WAITING_MAX} lines are waiting to be sent already): {line}"))
    }

    /// Leaves when the waiting lines have been sent.
    pub(super) fn leave(&mut self) {
        self.ends_input = true;
    }

    /// Handles the next waiting line, if one can be handled now.
    pub(super) fn handle_waiting(&mut self) -> Option<Vec<ChatAction>> {
        // While disconnected, handling a line only reports that it is not sent.
        if self.is_leaving || !(self.phase == ConnectionPhase::Lost || self.takes_input()) {
            return None;
        }
        match self.waiting.pop_front() {
            Some(WaitingLine::Typed(line)) => Some(self.handle_input(&line)),
            Some(WaitingLine::Account(request)) => Some(self.handle_account_request(request)),
            None => self.ends_input.then(|| self.handle_input("/quit")),
        }
    }

    /// The typed lines that wait to be sent.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().map(WaitingLine::text)
    }

    /// The messages and whispers that the server has not acknowledged yet.
    pub(super) fn sending(&self) -> impl Iterator<Item = &str> {
        let request = self.unanswered.iter().flatten().filter(|request| request.is_message() && !request.is_shown);
        let unconfirmed = self.rooms.iter().flat_map(|(_, room)| &room.unconfirmed);
        unconfirmed.map(|(line, _)| line.as_str()).chain(request.map(|request| request.line.as_str()))
    }

    /// The nicknames of the other members of the current room.
    pub(super) fn other_members(&self) -> impl Iterator<Item = &str> {
        let members = self.rooms.get(&self.current).into_iter().flat_map(ChatRoom::members);
        members.filter(|name| self.name.as_ref() != Some(name)).map(Name::as_str)
    }

    /// The current room, unless it is the home.
    pub(super) fn current_elsewhere(&self) -> Option<&RoomName> {
        self.rooms.prefix_of(&self.current)
    }

    /// The number of lines without a final reply.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether `QUIT` was sent.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether a line can be sent now.
    pub(super) fn takes_input(&self) -> bool {
        let unanswered_max = match self.phase {
            // The next line is for the room that the reply makes the current one.
            ConnectionPhase::Ready if self.unanswered.iter().flatten().any(SentLine::changes_room) => 0,
            ConnectionPhase::Ready => LINES_IN_FLIGHT_MAX,
            ConnectionPhase::Nameless => 1,
            ConnectionPhase::New | ConnectionPhase::CatchingUp | ConnectionPhase::Lost => 0,
        };
        !self.is_leaving && self.unanswered.len() < unanswered_max
    }

    fn is_connected(&self) -> bool {
        !matches!(self.phase, ConnectionPhase::New | ConnectionPhase::Lost)
    }

    /// Sets whether others on the way can neither read nor change the lines of the next connection.
    pub(super) fn set_private(&mut self, is_private: bool) {
        self.is_private = is_private;
    }

    /// Sets the features of the server.
    pub(super) fn set_features(&mut self, features: Features) {
        self.features = features;
    }

    /// Handles a new connection. `named`: the nickname, or its refusal.
    pub(super) fn handle_connect(&mut self, named: Result<Name, ReceivedRefusal>) -> Vec<ChatAction> {
        self.phase = if named.is_ok() { ConnectionPhase::CatchingUp } else { ConnectionPhase::Nameless };
        self.interrupted_joins.drain(..).rev().for_each(|line| self.waiting.push_front(WaitingLine::Typed(line)));
        match named {
            Ok(name) => self.handle_name(name),
            Err(why) => vec![warn(format!("you have no nickname now: {}", explain_at_terminal(&why)))],
        }
    }

    /// Handles the end of a replay; messages may be missing in it unless it `is_complete`. The first replay also begins the chat.
    pub(super) fn handle_replay_end(
        &mut self,
        room: &RoomName,
        name: Option<&Name>,
        is_complete: bool,
    ) -> Vec<ChatAction> {
        let name = name.filter(|_| !self.is_connected()).cloned();
        let mut actions = name.map_or_else(Vec::new, |name| self.handle_connect(Ok(name)));
        if !self.rooms.contains(room) {
            // The user had left its home, and has entered it again with its nickname on a new connection.
            actions.extend(self.enter_room(room.clone()));
        }
        let verdict = if is_complete { "not sent" } else { "perhaps not sent" };
        let unconfirmed = self.rooms.get_mut(room).map(|room| std::mem::take(&mut room.unconfirmed));
        actions.extend(unconfirmed.into_iter().flatten().map(|(line, _)| warn(format!("{verdict}: {line}"))));
        actions
    }

    /// Handles the end of all replays: typed lines can be sent.
    pub(super) fn handle_ready(&mut self) {
        self.phase = ConnectionPhase::Ready;
    }

    /// Handles the loss of the connection. Reports lines without a reply, except messages: the next replay shows whether they were
    /// published.
    pub(super) fn handle_disconnect(&mut self) -> Vec<ChatAction> {
        (self.phase, self.has_echo) = (ConnectionPhase::Lost, false);
        for (_, room) in self.rooms.iter_mut() {
            room.forget_members();
            room.last_own = None;
        }
        let mut actions = vec![warn("Server disconnected.")];
        let lost = self.unanswered.drain(..).flatten().filter(|request| !request.is_shown);
        for SentLine { line, room, command, .. } in lost {
            match (command, self.rooms.get_mut(&room)) {
                (Command::Msg(Msg(text)), Some(room)) => room.unconfirmed.push((line, text)),
                (Command::Join(_), _) => self.interrupted_joins.push(line),
                _ => actions.push(warn(format!("perhaps not sent: {line}"))),
            }
        }
        actions
    }

    /// Handles the final loss of the connection. `left`: the user ended it.
    pub(super) fn handle_end(&mut self, left: bool) -> Vec<ChatAction> {
        let mut actions = if self.is_connected() && !left { self.handle_disconnect() } else { Vec::new() };
        let joins = self.interrupted_joins.drain(..);
        actions.extend(joins.map(|line| warn(format!("perhaps not sent: {line}"))));
        let unconfirmed = self.rooms.iter_mut().flat_map(|(_, room)| std::mem::take(&mut room.unconfirmed));
        actions.extend(unconfirmed.map(|(line, _)| warn(format!("perhaps not sent: {line}"))));
        actions
    }

    /// Handles a typed line.
    pub(super) fn handle_input(&mut self, line: &str) -> Vec<ChatAction> {
        match self.parse(line) {
            UserInput::Blank => Vec::new(),
            UserInput::Help => help(self.highest_rank()).map(note).collect(),
            UserInput::Invalid(why) => vec![warn(why)],
            // At a terminal, the line has been carried out already.
            UserInput::Account(_) => vec![warn(format!(
                "not sent: {line} (without a terminal, log in with --login and a file, or make a token with chinwag login)"
            ))],
            UserInput::Command(_, command @ Command::Quit(_)) => {
                self.is_leaving = true;
                vec![ChatAction::Send(command.to_line(Mode::Commands))]
            }
            UserInput::Command(..) if !self.is_connected() => {
                vec![warn(not_connected(line))]
            }
            UserInput::Command(_, Command::Join(Join(rooms))) if rooms.iter().all(|room| self.rooms.contains(room)) => {
                let last = rooms.last().map(|room| self.rooms.spelling_of(room).clone());
                last.map_or_else(Vec::new, |room| self.switch_to(room, ""))
            }
            UserInput::Command(room, command) => {
                let names_room = room.is_some();
                let room = match &room {
                    _ if command.verb().specification().room == RoomUse::None => self.rooms.home().clone(),
                    Some(room) => self.rooms.spelling_of(room).clone(),
                    None => self.current.clone(),
                };
                let line = line.to_owned();
                vec![self.send(SentLine { line, room, command, then: None, names_room, is_shown: false })]
            }
        }
    }

    fn send(&mut self, line: SentLine) -> ChatAction {
        // Without a room, an operator moderates the whole server.
        let is_named = line.names_room && needed_rank(line.command.verb()) > Rank::Member;
        let room = if is_named { Some(&line.room) } else { self.rooms.prefix_of(&line.room) };
        let sent = ClientLine::write(room, &line.command, Mode::Commands);
        self.unanswered.push_back(Some(line));
        ChatAction::Send(sent)
    }

    /// Handles a line from the server.
    pub(super) fn handle_line(&mut self, received: ReceivedLine) -> Vec<ChatAction> {
        let is_internal = matches!(self.unanswered.front(), Some(None));
        let room = self.rooms.of_line(received.room.as_ref()).clone();
        let request = if received.is_reply() { self.unanswered.pop_front().flatten() } else { None };
        if let Some(refusal) = received.refusal() {
            let why = explain_at_terminal(&refusal);
            if let Some(SentLine { command: Command::Msg(_), room, .. }) = &request {
                self.note_last_own(room, None);
            }
            return match request {
                // If the server refuses SET echo, own messages are shown when it acknowledges them.
                None if is_internal && received.is_reply() => Vec::new(),
                Some(request) if request.is_message() => vec![warn(format!("{why}; not sent: {}", request.line))],
                Some(SentLine { command: Command::Join(_), .. }) => [vec![warn(why)], self.drop_waiting()].concat(),
                _ => vec![warn(why)],
            };
        }
        if let Some((_, why)) = removal(&received, self.name.as_ref()) {
            return self.handle_room_lost(&room, &why);
        }
        match received.known {
            Some(ServerLine::Ok(reply)) if !is_internal => self.handle_reply(&room, reply, request),
            Some(ServerLine::User(ref user)) => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.add_member(user.name.clone());
                }
                self.note_rank(&room, &user.name, user.rank);
                let shown = DisplayItem::Note(listed_user(user));
                if is_internal { Vec::new() } else { vec![self.show_in(&room, shown)] }
            }
            Some(ServerLine::PastMessage(past)) => self.handle_past_message(&room, past),
            Some(ServerLine::Room(listed)) => {
                self.note_room(&listed.name);
                vec![note(listed_room(&listed))]
            }
            Some(ServerLine::Sanction(listed)) => {
                vec![self.show_in(&room, DisplayItem::Note(listed_sanction(&listed)))]
            }
            Some(ServerLine::Token(listed)) => vec![note(account::listed_token(&listed))],
            Some(ServerLine::Event(_, Event::Leave(_, LeaveReason::Displaced, Some(_))))
                if is_displacement(&received, self.name.as_ref()) =>
            {
                self.handle_displacement()
            }
            Some(ServerLine::Event(tag, event)) => self.handle_event(&room, tag, event),
            Some(_) => Vec::new(),
            None => vec![note(received.line)],
        }
    }

    fn handle_reply(&mut self, room: &RoomName, reply: Reply, request: Option<SentLine>) -> Vec<ChatAction> {
        if reply.verb().is_about_account() {
            return self.handle_account_reply(reply, request);
        }
        if let (Reply::Msg(id), Some(own)) = (&reply, self.name.clone()) {
            self.note_message(room, *id, own);
            self.note_last_own(room, Some(*id));
        }
        if needed_rank(reply.verb()) > Rank::Member {
            return self.handle_moderation_reply(room, reply, request.as_ref());
        }
        if let (Some(SentLine { command, is_shown, .. }), Some(own)) = (request, self.name.clone()) {
            match (&reply, command) {
                (Reply::Whisper(names), Command::Whisper(Whisper { text, .. })) => {
                    return vec![ChatAction::Show(DisplayItem::Whispered(own, names.clone(), text))];
                }
                (Reply::Msg(_), Command::Msg(Msg(text))) if !is_shown => {
                    return vec![self.show_in(room, DisplayItem::Event(None, Event::Msg(own, text), false))];
                }
                // The event shows the change.
                (Reply::Topic(_), Command::Topic(Topic::Set(_) | Topic::Clear)) if self.has_echo => return Vec::new(),
                _ => {}
            }
        }
        let text = match reply {
            Reply::Nick(NickReply { name, .. }) | Reply::Resume(name) => return self.handle_name(name),
            Reply::Join(entered) => return self.enter_rooms(entered),
            Reply::Part(room) => return self.leave_room(&room),
            Reply::Rooms(RoomsReply { next: Some(_), .. }) => {
                "there are more rooms; /rooms #prefix lists the ones with this prefix".to_owned()
            }
            Reply::Rooms(RoomsReply { count: 0, .. }) => "no rooms found".to_owned(),
            Reply::Ping(_) => "the server answered".to_owned(),
            Reply::Who(WhoReply { count, .. }) | Reply::Status(count) => {
                return vec![self.show_in(room, DisplayItem::Note(member_count(count)))];
            }
            Reply::Topic(topic) => {
                let text = topic.map_or("no topic".to_owned(), |topic| format!("topic: {topic}"));
                return vec![self.show_in(room, DisplayItem::Note(text))];
            }
            Reply::History(HistoryReply { count, .. })
            | Reply::Since(HistoryReply { count, .. })
            | Reply::Search(count)
                if count == 0 =>
            {
                "no messages found".to_owned()
            }
            Reply::Msg(_)
            | Reply::Rooms(_)
            | Reply::Watch(_)
            | Reply::Whisper(_)
            | Reply::History(_)
            | Reply::Since(_)
            | Reply::Search(_)
            | Reply::Draw(_)
            | Reply::Canvas(_)
            | Reply::Help(_)
            | Reply::Set(_)
            | Reply::Chat(_)
            | Reply::Pass(_)
            | Reply::Delete(Stored { is_stored: true, .. })
            | Reply::Quit(_) => return Vec::new(),
            Reply::Delete(_) => "the message is deleted, but not on the server's disk yet".to_owned(),
            // A new command needs no words of its own here.
            other => other.to_string(),
        };
        vec![note(text)]
    }

    /// Sets the nickname. Requests the member list and, once per connection, own messages as events.
    fn handle_name(&mut self, name: Name) -> Vec<ChatAction> {
        let private = if self.is_private { " (private connection)" } else { "" };
        let mut actions = vec![note(format!("you are {name}{private}; /help lists the commands"))];
        self.name = Some(name);
        self.rooms.iter_mut().for_each(|(_, room)| room.forget_members());
        if self.phase == ConnectionPhase::Nameless {
            self.phase = ConnectionPhase::CatchingUp;
        }
        // With echo, own messages arrive as events, with their time and in the room's order.
        let echo =
            (!self.has_echo).then(|| Command::from(Set { setting: Setting::Echo, on: true }).to_line(Mode::Commands));
        self.has_echo = true;
        if let Some(line) = echo {
            self.unanswered.push_back(None);
            actions.push(ChatAction::Send(line));
        }
        actions.extend(self.request_members());
        actions
    }

    fn handle_event(&mut self, room: &RoomName, tag: Option<Tag>, event: Event) -> Vec<ChatAction> {
        let (mut for_user, at) = (self.follow_moderation(room, &event), tag.map(|tag| tag.at));
        if let (Event::Msg(author, _), Some(id)) = (&event, tag.and_then(|tag| tag.id)) {
            self.note_message(room, id, author.clone());
        }
        if let Some(room) = self.rooms.get_mut(room) {
            room.follow(&event);
        }
        match &event {
            Event::Ping(_) => return Vec::new(),
            Event::Deleted { by, id } => return self.handle_deletion(room, at, by.clone(), *id),
            // The reply to the own JOIN is shown.
            Event::Join(name) if self.name.as_ref() == Some(name) => return Vec::new(),
            Event::Rename { from, to } => {
                self.whisperer = self.whisperer.take().map(|name| if name == *from { to.clone() } else { name });
                if self.name.as_ref().is_some_and(|name| [from, to].contains(&name)) {
                    // The reply reports the new name, once for all rooms.
                    return Vec::new();
                }
            }
            Event::Whisper(from, _) => {
                self.whisperer = Some(from.clone());
                for_user = true;
            }
            Event::Msg(from, text) if self.name.as_ref() == Some(from) => self.acknowledge(room, text),
            Event::Msg(_, text) => {
                for_user = self.name.as_ref().is_some_and(|name| text.mentions(name));
                if let Some(state) = self.rooms.get_mut(room).filter(|_| room.key() != self.current.key()) {
                    state.count_unread(for_user);
                }
            }
            _ => {}
        }
        let is_of_room = !matches!(event, Event::Whisper(..) | Event::Notice(_));
        let item = DisplayItem::Event(at, event, for_user);
        vec![if is_of_room { self.show_in(room, item) } else { ChatAction::Show(item) }]
    }
}

impl SentLine {
    /// Whether the line is a message or a whisper.
    fn is_message(&self) -> bool {
        matches!(self.command, Command::Msg(_) | Command::Whisper(..))
    }

    /// Whether the reply can make another room the current one.
    fn changes_room(&self) -> bool {
        matches!(self.command, Command::Join(_) | Command::Part(_))
    }
}

fn not_connected(line: &str) -> String {
    format!("not sent (no connection): {line}")
}

fn note(text: impl Into<String>) -> ChatAction {
    ChatAction::Show(DisplayItem::Note(text.into()))
}

fn warn(text: impl Into<String>) -> ChatAction {
    ChatAction::Show(DisplayItem::Warning(text.into()))
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod moderation_tests;
#[cfg(test)]
mod tests;
