//! The state of a chat: the members, and the lines that were sent and have no reply yet. Turns typed lines and the server's lines
//! into actions. Pure: [`super::shared_chat`] carries the actions out, and [`super::render`] formats what is shown.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::{BTreeMap, VecDeque};

use super::offered_commands::help;
use super::refusal::explain_at_terminal;
use super::typed::UserInput;
use crate::command::{
    Command, HistoryReply, Msg, ReceivedLine, ReceivedRefusal, Reply, ServerLine, Set, Setting, Whisper, Who,
};
use crate::limits::{LINES_IN_FLIGHT_MAX, LINES_WAITING_MAX, MEMBERS_NOTED_MAX};
use crate::protocol::{Event, Mode, Name, PastMessage, Text, Timestamp};

/// An action for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChatAction {
    /// Send this line.
    Send(String),
    /// Show this.
    Show(DisplayItem),
}

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DisplayItem {
    /// An event, its time if known, and whether it is for the user in particular: a whisper or a mention.
    Event(Option<Timestamp>, Event, bool),
    /// A message from before.
    PastMessage(PastMessage),
    /// An own whisper, with its author and targets, once the server has acknowledged it.
    Whispered(Name, Vec<Name>, Text),
    /// A text of the client, or a line of the server that is not an event.
    Note(String),
    /// A problem, in the client's words.
    Warning(String),
}

/// The state of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ConnectionPhase {
    /// Not connected yet.
    #[default]
    New,
    /// Earlier messages are being read. A command with the same reply must not be sent meanwhile.
    CatchingUp,
    /// The server refused the nickname. Only one line may wait for its reply: it may be a `NICK`, after which earlier messages are
    /// requested, and the reply to a line sent in between could be mistaken for the reply to that request.
    Nameless,
    Ready,
    /// The connection is lost, and the client is reconnecting.
    Lost,
}

/// One chat, across reconnects.
#[derive(Debug, Default)]
pub(super) struct ChatState {
    /// The nickname on this connection or, until it has one, on the previous connection.
    name: Option<Name>,
    phase: ConnectionPhase,
    /// Whether to send `QUIT` after the waiting lines.
    ends_input: bool,
    /// Whether `QUIT` was sent.
    is_leaving: bool,
    /// Typed lines that are not sent yet.
    waiting: VecDeque<String>,
    /// Whether the server was asked, on this connection, to send own messages as events.
    has_echo: bool,
    /// Lines that were sent and have no final reply yet, in order; `None` for requests of the client itself. Empty while there is no
    /// connection.
    unanswered: VecDeque<Option<SentLine>>,
    /// Messages without a reply when the connection broke, as typed and as sent. The replay shows whether they were published.
    unconfirmed: Vec<(String, Text)>,
    /// The members, by the key of their nickname. In a very large room, only a part of them.
    members: BTreeMap<String, Name>,
    /// The last member who whispered to the user.
    whisperer: Option<Name>,
}

/// A typed line that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SentLine {
    line: String,
    command: Command,
    /// Whether the message has already come back as an event.
    is_shown: bool,
}

impl ChatState {
    /// Why a typed line cannot be sent now, if it cannot.
    pub(super) fn refusal(&self, line: &str) -> Option<String> {
        match UserInput::parse(line, self.whisperer.as_ref()) {
            UserInput::Invalid(why) => Some(why),
            UserInput::Command(command)
                if self.phase == ConnectionPhase::Lost && !matches!(command, Command::Quit(_)) =>
            {
                Some(format!("not sent, there is no connection: {line}"))
            }
            _ => None,
        }
    }

    /// Queues a typed line to be sent, unless it cannot be sent: returns the reason.
    pub(super) fn queue(&mut self, line: &str) -> Option<String> {
        let refusal = if self.waiting.len() < LINES_WAITING_MAX {
            self.refusal(line)
        } else {
            Some(format!("not sent, {LINES_WAITING_MAX} lines are already waiting to be sent: {line}"))
        };
        if refusal.is_none() {
            self.waiting.push_back(line.to_owned());
        }
        refusal
    }

    /// Leaves when the waiting lines have been sent.
    pub(super) fn leave(&mut self) {
        self.ends_input = true;
    }

    /// Handles the next waiting line, if one can be handled now.
    pub(super) fn handle_waiting(&mut self) -> Option<Vec<ChatAction>> {
        // Without a connection, handling a line tells the user that it is not sent.
        if self.is_leaving || !(self.phase == ConnectionPhase::Lost || self.takes_input()) {
            return None;
        }
        let line = self.waiting.pop_front().or_else(|| self.ends_input.then(|| "/quit".to_owned()))?;
        Some(self.handle_input(&line))
    }

    /// The lines that wait to be sent.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().map(String::as_str)
    }

    /// The messages and whispers that the server has not acknowledged yet.
    pub(super) fn sending(&self) -> impl Iterator<Item = &str> {
        let request = self.unanswered.iter().flatten().filter(|request| request.is_message() && !request.is_shown);
        self.unconfirmed.iter().map(|(line, _)| line.as_str()).chain(request.map(|request| request.line.as_str()))
    }

    /// The nicknames of the other members.
    pub(super) fn other_members(&self) -> impl Iterator<Item = &str> {
        self.members.values().filter(|name| self.name.as_ref() != Some(name)).map(Name::as_str)
    }

    /// How many lines were sent and have no final reply yet.
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
            ConnectionPhase::Ready => LINES_IN_FLIGHT_MAX,
            ConnectionPhase::Nameless => 1,
            ConnectionPhase::New | ConnectionPhase::CatchingUp | ConnectionPhase::Lost => 0,
        };
        !self.is_leaving && self.unanswered.len() < unanswered_max
    }

    fn is_connected(&self) -> bool {
        !matches!(self.phase, ConnectionPhase::New | ConnectionPhase::Lost)
    }

    /// Handles a new connection, with the nickname or the reason why it was refused.
    pub(super) fn handle_connect(&mut self, named: Result<Name, ReceivedRefusal>) -> Vec<ChatAction> {
        self.phase = if named.is_ok() { ConnectionPhase::CatchingUp } else { ConnectionPhase::Nameless };
        match named {
            Ok(name) => self.handle_name(name),
            Err(why) => vec![warn(format!("you have no name now: {}", explain_at_terminal(&why)))],
        }
    }

    /// Handles the end of a replay, in which messages may be missing unless it `is_complete`. The first replay also begins the
    /// chat.
    pub(super) fn handle_replay_end(&mut self, name: &Name, is_complete: bool) -> Vec<ChatAction> {
        let mut actions = if self.is_connected() { Vec::new() } else { self.handle_connect(Ok(name.clone())) };
        self.phase = ConnectionPhase::Ready;
        let verdict = if is_complete { "not sent" } else { "perhaps not sent" };
        actions.extend(self.unconfirmed.drain(..).map(|(line, _)| warn(format!("{verdict}: {line}"))));
        actions
    }

    /// Handles the loss of the connection. Lines without a reply may have been lost; for messages, the replay will tell.
    pub(super) fn handle_disconnect(&mut self) -> Vec<ChatAction> {
        (self.phase, self.has_echo) = (ConnectionPhase::Lost, false);
        self.members.clear();
        let mut actions = vec![warn("Server disconnected.")];
        for SentLine { line, command, .. } in self.unanswered.drain(..).flatten().filter(|request| !request.is_shown) {
            match command {
                Command::Msg(Msg(text)) => self.unconfirmed.push((line, text)),
                _ => actions.push(warn(format!("perhaps not sent: {line}"))),
            }
        }
        actions
    }

    /// Handles the loss of the connection for good; `left`: because the user has left.
    pub(super) fn handle_end(&mut self, left: bool) -> Vec<ChatAction> {
        let mut actions = if self.is_connected() && !left { self.handle_disconnect() } else { Vec::new() };
        actions.extend(self.unconfirmed.drain(..).map(|(line, _)| warn(format!("perhaps not sent: {line}"))));
        actions
    }

    /// Handles a typed line.
    pub(super) fn handle_input(&mut self, line: &str) -> Vec<ChatAction> {
        match UserInput::parse(line, self.whisperer.as_ref()) {
            UserInput::Blank => Vec::new(),
            UserInput::Help => help().map(note).collect(),
            UserInput::Invalid(why) => vec![warn(why)],
            UserInput::Command(command @ Command::Quit(_)) => {
                self.is_leaving = true;
                vec![ChatAction::Send(command.to_line(Mode::Commands))]
            }
            UserInput::Command(_) if !self.is_connected() => {
                vec![warn(format!("not sent, there is no connection: {line}"))]
            }
            UserInput::Command(command) => {
                let sent = command.to_line(Mode::Commands);
                self.unanswered.push_back(Some(SentLine { line: line.to_owned(), command, is_shown: false }));
                vec![ChatAction::Send(sent)]
            }
        }
    }

    /// Handles a line from the server.
    pub(super) fn handle_line(&mut self, heard: ReceivedLine) -> Vec<ChatAction> {
        let is_internal = matches!(self.unanswered.front(), Some(None));
        let request = if heard.is_reply() { self.unanswered.pop_front().flatten() } else { None };
        if let Some(refusal) = heard.refusal() {
            let why = explain_at_terminal(&refusal);
            return match request {
                // If SET echo is refused, own messages are shown when they are acknowledged.
                None if is_internal && heard.is_reply() => Vec::new(),
                Some(request) if request.is_message() => vec![warn(format!("{why}; not sent: {}", request.line))],
                _ => vec![warn(why)],
            };
        }
        match heard.known {
            Some(ServerLine::Ok(reply)) if !is_internal => self.handle_reply(reply, request),
            Some(ServerLine::User(user)) => {
                self.add_member(user.name);
                if is_internal { Vec::new() } else { vec![note(heard.line.replacen("USER ", "", 1))] }
            }
            Some(ServerLine::PastMessage(past)) => vec![ChatAction::Show(DisplayItem::PastMessage(past))],
            Some(ServerLine::Event(tag, event)) => self.handle_event(tag.map(|tag| tag.at), event),
            Some(_) => Vec::new(),
            None => vec![note(heard.line)],
        }
    }

    #[expect(clippy::match_wildcard_for_single_variants, reason = "a new command needs no words of its own here")]
    fn handle_reply(&mut self, reply: Reply, request: Option<SentLine>) -> Vec<ChatAction> {
        if let (Some(SentLine { command, is_shown, .. }), Some(own)) = (request, self.name.clone()) {
            match (&reply, command) {
                (Reply::Whisper(names), Command::Whisper(Whisper { text, .. })) => {
                    return vec![ChatAction::Show(DisplayItem::Whispered(own, names.clone(), text))];
                }
                (Reply::Msg(_), Command::Msg(Msg(text))) if !is_shown => {
                    return vec![ChatAction::Show(DisplayItem::Event(None, Event::Msg(own, text), false))];
                }
                _ => {}
            }
        }
        let text = match reply {
            Reply::Nick(name) | Reply::Resume(name) => return self.handle_name(name),
            Reply::Who(count) | Reply::Status(count) => format!("{count} here"),
            Reply::Ping(_) => "the server answered".to_owned(),
            Reply::History(HistoryReply { count, .. })
            | Reply::Since(HistoryReply { count, .. })
            | Reply::Search(count)
                if count == 0 =>
            {
                "no messages found".to_owned()
            }
            Reply::Msg(_)
            | Reply::Whisper(_)
            | Reply::History(_)
            | Reply::Since(_)
            | Reply::Search(_)
            | Reply::Draw(_)
            | Reply::Canvas(_)
            | Reply::Help(_)
            | Reply::Set(_)
            | Reply::Chat(_)
            | Reply::Quit(_) => return Vec::new(),
            #[allow(
                clippy::match_wildcard_for_single_variants,
                reason = "a new command needs no words of its own here"
            )]
            other => other.to_string(),
        };
        vec![note(text)]
    }

    /// Sets the nickname, and requests the members and, once a connection, own messages as events.
    fn handle_name(&mut self, name: Name) -> Vec<ChatAction> {
        let mut actions = vec![note(format!("you are {name}; /help lists the commands"))];
        self.name = Some(name);
        self.members.clear();
        if self.phase == ConnectionPhase::Nameless {
            self.phase = ConnectionPhase::CatchingUp;
        }
        // With echo, own messages arrive as events, with their time and in the order of the room.
        let echo = (!self.has_echo).then_some(Command::from(Set { setting: Setting::Echo, on: true }));
        self.has_echo = true;
        for command in echo.into_iter().chain([Who.into()]) {
            self.unanswered.push_back(None);
            actions.push(ChatAction::Send(command.to_line(Mode::Commands)));
        }
        actions
    }

    /// Records that an own message has come back as an event: it is acknowledged.
    fn acknowledge(&mut self, published: &Text) {
        let is_match = |request: &&mut SentLine| {
            !request.is_shown && matches!(&request.command, Command::Msg(Msg(text)) if text == published)
        };
        if let Some(request) = self.unanswered.iter_mut().flatten().find(is_match) {
            request.is_shown = true;
        } else if let Some(at) = self.unconfirmed.iter().position(|(_, text)| text == published) {
            self.unconfirmed.remove(at);
        }
    }

    fn handle_event(&mut self, at: Option<Timestamp>, event: Event) -> Vec<ChatAction> {
        let mut for_user = false;
        match &event {
            Event::Ping(_) => return Vec::new(),
            Event::Join(name) => self.add_member(name.clone()),
            Event::Leave(name, ..) => drop(self.members.remove(name.key())),
            Event::Rename { from, to } => {
                self.members.remove(from.key());
                self.add_member(to.clone());
                self.whisperer = self.whisperer.take().map(|name| if name == *from { to.clone() } else { name });
                if self.name.as_ref() == Some(from) {
                    // The reply that follows reports it.
                    return Vec::new();
                }
            }
            Event::Whisper(from, _) => {
                self.whisperer = Some(from.clone());
                for_user = true;
            }
            Event::Msg(from, text) if self.name.as_ref() == Some(from) => self.acknowledge(text),
            Event::Msg(_, text) => {
                for_user = self.name.as_ref().is_some_and(|name| text.mentions(name));
            }
            Event::Roster(_) => self.members.clear(),
            Event::Coordinator(_) | Event::Notice(_) | Event::Draw(..) => {}
        }
        vec![ChatAction::Show(DisplayItem::Event(at, event, for_user))]
    }

    /// Adds a member, up to a limit, so that a hostile server cannot fill the memory.
    fn add_member(&mut self, name: Name) {
        if self.members.len() < MEMBERS_NOTED_MAX {
            self.members.insert(name.key().to_owned(), name);
        }
    }
}

impl SentLine {
    /// Whether the line is a message or a whisper.
    fn is_message(&self) -> bool {
        matches!(self.command, Command::Msg(_) | Command::Whisper(..))
    }
}

fn note(text: impl Into<String>) -> ChatAction {
    ChatAction::Show(DisplayItem::Note(text.into()))
}

fn warn(text: impl Into<String>) -> ChatAction {
    ChatAction::Show(DisplayItem::Warning(text.into()))
}

#[cfg(test)]
mod tests;
