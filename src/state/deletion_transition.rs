//! How entries delete messages: the text goes, and a tombstone with id, time and nickname stays.

use super::moderation_transition::ModerationResult;
use super::{
    ContentKind, Member, Moderated, ModerationCommand, ModerationOutcome, ModerationRejection, Rank, RecentMessage,
    Rejection, RoomId, StateOutput, StoreFailure, Transition,
};
use crate::protocol::{Event, MessageId, ModerationRecord, OwnDeletion, PastMessage};

/// The result of a deletion that a member asks for.
pub(super) enum Deletion {
    /// It is done, or refused.
    Done(ModerationResult),
    /// Only the store knows the author of the message.
    Own(OwnDeletion),
}

impl Transition<'_> {
    /// Deletes a message of the room, as its author or as a moderator.
    pub(super) fn delete(&mut self, id: RoomId, message: MessageId) -> Deletion {
        let Some(room) = self.state.room(id) else { return Deletion::Done(Err(ModerationRejection::NoRoom)) };
        let recent = room.history.get(message);
        let is_in_store = self.state.has_store && room.deleted < message && message <= room.last_id;
        if recent.is_none() && !is_in_store {
            return Deletion::Done(Err(ModerationRejection::NoMessage(message)));
        }
        let account = self.state.member(self.origin.member).and_then(Member::account);
        let is_author = recent.is_some_and(|recent| recent.author.is(self.origin.member, account));
        if !is_author && self.origin_rank(Some(id)) < Rank::Moderator {
            return match (recent, account) {
                (None, Some(author)) => Deletion::Own(OwnDeletion { room: id, id: message, author }),
                _ => Deletion::Done(Err(ModerationRejection::NotAuthor(message))),
            };
        }
        let records = match recent {
            Some(RecentMessage { past: PastMessage { text: None, .. }, .. }) => None,
            _ => Some(self.remove_text(id, message)),
        };
        Deletion::Done(Ok((ModerationOutcome::Deleted(message), records)))
    }

    /// The store has looked for the message of the origin's account, and has deleted it if there is one.
    pub(super) fn finish_own_deletion(&mut self, deletion: OwnDeletion, result: Result<bool, StoreFailure>) {
        let OwnDeletion { room, id, .. } = deletion;
        let named = self.state.room(room).map(|entered| (room, entered.name.clone()));
        let not_author = || Rejection::Moderation(ModerationCommand::Delete, ModerationRejection::NotAuthor(id));
        let rejection = match result {
            Ok(true) => {
                self.remove_text(room, id);
                let moderated = Moderated { room: named, outcome: ModerationOutcome::Deleted(id), audit: None };
                return self.confirm_moderation(moderated, None);
            }
            Ok(false) => not_author(),
            Err(why) => Rejection::NotStored(ContentKind::Deletion, why),
        };
        self.out.push(StateOutput::Rejected(self.origin, named, rejection));
    }

    /// Removes the text of a message from memory, and tells the members. Returns what the store must keep.
    fn remove_text(&mut self, id: RoomId, message: MessageId) -> Vec<ModerationRecord> {
        if let Some(room) = self.state.rooms.get_mut(id) {
            room.history.remove_text(&mut self.state.messages, message);
        }
        self.publish_in(id, Event::Deleted { by: self.moderator().cloned(), id: message });
        if self.state.has_store { vec![ModerationRecord::Deleted(id, message)] } else { Vec::new() }
    }
}
