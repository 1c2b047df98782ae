//! Messages: which of the user's own have arrived, and the authors of all, for deletions. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use super::{ChatAction, ChatState, DisplayItem, SentLine};
use crate::client::typed::UserInput;
use crate::command::{Command, Delete, Msg, split_indent};
use crate::limits::MESSAGES_NOTED_MAX;
use crate::protocol::{MessageId, Name, PastMessage, RoomName, Text, Timestamp, split_word};

impl ChatState {
    /// Records that an own message has arrived as an event, which acknowledges it.
    pub(super) fn acknowledge(&mut self, room: &RoomName, published: &Text) {
        let is_match = |request: &&mut SentLine| {
            !request.is_shown
                && request.room.key() == room.key()
                && matches!(&request.command, Command::Msg(Msg(text)) if text == published)
        };
        if let Some(request) = self.unanswered.iter_mut().flatten().find(is_match) {
            request.is_shown = true;
        } else if let Some(room) = self.rooms.get_mut(room) {
            room.confirm(published);
        }
    }

    /// Notes the author of a message.
    pub(super) fn note_message(&mut self, room: &RoomName, id: MessageId, author: Name) {
        let Some(room) = self.rooms.get_mut(room) else { return };
        room.authors.insert(id, author);
        if room.authors.len() > MESSAGES_NOTED_MAX {
            room.authors.pop_first();
        }
    }

    /// Notes the id of the user's last message in a room. `None`: it was refused, or nobody knows.
    pub(super) fn note_last_own(&mut self, room: &RoomName, id: Option<MessageId>) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.last_own = id;
        }
    }

    pub(super) fn handle_deletion(
        &self,
        room: &RoomName,
        at: Option<Timestamp>,
        by: Option<Name>,
        id: MessageId,
    ) -> Vec<ChatAction> {
        let author = self.rooms.get(room).and_then(|room| room.authors.get(&id)).cloned();
        vec![self.show_in(room, DisplayItem::Deleted(at, by, id, author))]
    }

    /// Handles a past message. Its id is shown if the user has asked for it.
    pub(super) fn handle_past_message(&mut self, room: &RoomName, past: PastMessage) -> Vec<ChatAction> {
        self.note_message(room, past.id, past.name.clone());
        let shows_id = matches!(self.unanswered.front(), Some(Some(_)));
        vec![self.show_in(room, DisplayItem::PastMessage(past, shows_id))]
    }

    /// Parses `/delete` without an id: it means the user's last message in the current room.
    pub(super) fn parse_short_delete(&self, line: &str) -> Option<UserInput> {
        let (word, rest) = split_word(split_indent(line).1);
        let is_short = rest.is_none_or(|rest| rest.trim().is_empty());
        if !is_short || !word.replacen('／', "/", 1).eq_ignore_ascii_case("/delete") {
            return None;
        }
        let is_awaited =
            |sent: &SentLine| matches!(sent.command, Command::Msg(_)) && sent.room.key() == self.current.key();
        if self.unanswered.iter().flatten().any(is_awaited) {
            return Some(UserInput::Invalid(
                "the server has not confirmed your last message yet: try again".to_owned(),
            ));
        }
        Some(match self.rooms.get(&self.current).and_then(|room| room.last_own) {
            Some(id) => UserInput::Command(None, Command::Delete(Delete(id))),
            None => UserInput::Invalid(
                "your last line here was not sent as a message; type: /delete id (/history shows the ids)".to_owned(),
            ),
        })
    }
}
