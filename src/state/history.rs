//! The newest messages, in memory for `HISTORY` and `SINCE`.

use std::fmt;
use std::ops::Range;

use super::recent::{Budget, MemoryCost, Recent};
use super::{MemberId, RoomId};
use crate::limits::PAST_OVERHEAD_BYTES;
use crate::protocol::{AccountId, MessageId, PastMessage};

/// A published message, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentMessage {
    /// The message.
    pub past: PastMessage,
    /// Its author.
    pub author: Author,
}

/// The author of a message. Its nickname proves nothing: somebody else may have it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// The member. `None`: an earlier server has published the message.
    pub member: Option<MemberId>,
    /// The account of the member when it sent the message. `None`: it was a guest.
    pub account: Option<AccountId>,
}

impl Author {
    /// Whether the author is this member, or another one of this account.
    pub fn is(self, member: MemberId, account: Option<AccountId>) -> bool {
        self.member == Some(member) || (self.account.is_some() && self.account == account)
    }
}

impl fmt::Display for RecentMessage {
    /// The line in a reply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.past.fmt(f)
    }
}

/// The newest messages of a room. Each has a number: how many messages precede it. Numbers are not ids: in a store of an older
/// version, ids have gaps.
#[derive(Debug, Default)]
pub struct RecentMessages {
    messages: Recent<RecentMessage>,
    /// Id of the newest evicted message; 0 if none was evicted.
    evicted_id: MessageId,
}

impl MemoryCost for RecentMessage {
    fn cost(&self) -> usize {
        let PastMessage { name, text, .. } = &self.past;
        name.as_str().len() + text.as_ref().map_or(0, |text| text.as_str().len()) + PAST_OVERHEAD_BYTES
    }
}

impl RecentMessages {
    /// Restores a snapshot. `evicted_id` is the id of the newest evicted message.
    pub(super) fn restore(messages: Recent<RecentMessage>, evicted_id: MessageId) -> Self {
        Self { messages, evicted_id }
    }

    /// Id of the newest evicted message; 0 if none was evicted.
    pub(super) fn evicted_id(&self) -> MessageId {
        self.evicted_id
    }

    /// Appends the newest message of this room, as [`Budget::push`] does.
    pub fn push(&mut self, budget: &mut Budget, room: RoomId, message: RecentMessage) {
        if let Some(evicted) = budget.push(room, &mut self.messages, message) {
            self.evicted_id = evicted.past.id;
        }
    }

    /// Evicts the oldest message.
    pub fn evict_oldest(&mut self, budget: &mut Budget) {
        if let Some(evicted) = budget.evict_oldest(&mut self.messages) {
            self.evicted_id = evicted.past.id;
        }
    }

    /// Evicts all messages up to this id.
    pub fn evict_up_to(&mut self, budget: &mut Budget, id: MessageId) {
        while self.oldest().is_some_and(|oldest| oldest <= id) {
            self.evict_oldest(budget);
        }
        self.evicted_id = self.evicted_id.max(id);
    }

    /// Evicts all messages, because the room vanishes.
    pub(super) fn clear(&mut self, budget: &mut Budget) {
        budget.clear(&mut self.messages);
    }

    /// Whether memory holds the last `count` messages, or all messages that there ever were.
    pub fn retains_last(&self, count: u64) -> bool {
        let all = self.messages.all();
        self.evicted_id == MessageId::default() || count <= all.end - all.start
    }

    /// The retained messages.
    pub fn messages(&self) -> &Recent<RecentMessage> {
        &self.messages
    }

    /// Numbers of the last `count` messages, as far as they are retained.
    pub fn last(&self, count: u64) -> Range<u64> {
        let all = self.messages.all();
        all.end.saturating_sub(count).max(all.start)..all.end
    }

    /// Numbers of the messages with ids above `id`. `None` if one of them was evicted.
    pub fn since(&self, id: MessageId) -> Option<Range<u64>> {
        (id >= self.evicted_id).then(|| self.messages.after(|message| message.past.id <= id))
    }

    /// Id of the oldest retained message.
    pub fn oldest(&self) -> Option<MessageId> {
        self.messages.oldest().map(|message| message.past.id)
    }

    /// The message with this id, if it is in memory.
    pub fn get(&self, id: MessageId) -> Option<&RecentMessage> {
        let number = self.messages.after(|message| message.past.id < id).start;
        self.messages.get(number).filter(|message| message.past.id == id)
    }

    /// Removes the text of the message with this id, if it is in memory.
    pub(super) fn remove_text(&mut self, budget: &mut Budget, id: MessageId) {
        if self.get(id).is_some() {
            let number = self.messages.after(|message| message.past.id < id).start;
            budget.update(&mut self.messages, number, |message| message.past.text = None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{HISTORY_BYTES_MAX, TEXT_BYTES_MAX};
    use crate::protocol::{Name, Text, Timestamp};

    fn message(id: u64, text: &str) -> RecentMessage {
        let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
        let past = PastMessage { id: MessageId(id), at: Timestamp(0), name, text: Some(text) };
        RecentMessage { past, author: Author::default() }
    }

    fn push(history: &mut RecentMessages, budget: &mut Budget, message: RecentMessage) {
        history.push(budget, RoomId::LOBBY, message);
        while budget.overdrawn().is_some() {
            history.evict_oldest(budget);
        }
    }

    #[test]
    fn since_returns_none_after_eviction() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(3, HISTORY_BYTES_MAX));
        assert_eq!((history.last(20), history.since(MessageId(7)), history.oldest()), (0..0, Some(0..0), None));
        for id in [2, 5, 6, 9, 12] {
            push(&mut history, &mut budget, message(id, "hi"));
        }
        assert_eq!(
            (history.messages.all(), history.last(2), history.last(0), history.last(20)),
            (2..5, 3..5, 5..5, 2..5)
        );
        let ids = |numbers| history.messages.range(numbers).map(|message| message.past.id.0).collect::<Vec<_>>();
        assert_eq!((ids(2..5), ids(0..3), ids(4..9), ids(9..9)), (vec![6, 9, 12], vec![6], vec![12], vec![]));
        let since = |id| history.since(MessageId(id));
        assert_eq!([since(0), since(4), since(5), since(7)], [None, None, Some(2..5), Some(3..5)]);
        assert_eq!([since(12), since(99)], [Some(5..5), Some(5..5)]);
        assert_eq!(history.oldest(), Some(MessageId(6)));
        let (mut none, mut budget) = (RecentMessages::default(), Budget::new(0, HISTORY_BYTES_MAX));
        push(&mut none, &mut budget, message(1, "hi"));
        assert_eq!((none.since(MessageId(0)), none.since(MessageId(1)), none.messages.all()), (None, Some(1..1), 1..1));
    }

    #[test]
    fn recent_messages_stay_within_byte_limit() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(usize::MAX, HISTORY_BYTES_MAX));
        let text = "x".repeat(TEXT_BYTES_MAX);
        for id in 1..=2 * (HISTORY_BYTES_MAX / TEXT_BYTES_MAX) as u64 {
            push(&mut history, &mut budget, message(id, &text));
            let bytes: usize = history.messages.range(history.messages.all()).map(RecentMessage::cost).sum();
            assert!(bytes <= HISTORY_BYTES_MAX);
        }
        let recent = history.messages.range(history.messages.all()).count();
        assert_eq!(recent, HISTORY_BYTES_MAX / (TEXT_BYTES_MAX + "ann".len() + PAST_OVERHEAD_BYTES));
    }

    #[test]
    fn evict_up_to_evicts_this_message_and_older_ones() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(9, HISTORY_BYTES_MAX));
        (1..=4).for_each(|id| push(&mut history, &mut budget, message(id, "hi")));
        for (up_to, oldest, evicted) in [(2, Some(3), 2), (1, Some(3), 2), (9, None, 9)] {
            history.evict_up_to(&mut budget, MessageId(up_to));
            assert_eq!((history.oldest(), history.evicted_id()), (oldest.map(MessageId), MessageId(evicted)));
        }
    }

    #[test]
    fn removed_text_frees_its_memory() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(9, 4 * message(1, "hi").cost() - 2));
        for id in [2, 5, 6] {
            push(&mut history, &mut budget, message(id, "hi"));
        }
        for id in [5, 4, 5] {
            history.remove_text(&mut budget, MessageId(id));
        }
        assert_eq!((history.get(MessageId(4)), history.get(MessageId(7))), (None, None));
        push(&mut history, &mut budget, message(7, "hi"));
        let all = history.messages.range(history.messages.all());
        let texts: Vec<_> = all.map(|message| (message.past.id.0, message.past.text.is_some())).collect();
        assert_eq!(texts, [(2, true), (5, false), (6, true), (7, true)]);
    }
}
