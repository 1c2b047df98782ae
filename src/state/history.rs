//! The newest messages, in memory for `HISTORY` and `SINCE`.

use std::ops::Range;

use super::RoomId;
use super::recent::{Budget, MemoryCost, Recent};
use crate::limits::PAST_OVERHEAD_BYTES;
use crate::protocol::{MessageId, PastMessage};

/// The newest messages of a room. Each has a number: how many messages precede it. Numbers are not ids: in a store of an older
/// version, ids have gaps.
#[derive(Debug, Default)]
pub struct RecentMessages {
    messages: Recent<PastMessage>,
    /// Id of the newest evicted message; 0 if none was evicted.
    evicted_id: MessageId,
}

impl MemoryCost for PastMessage {
    fn cost(&self) -> usize {
        self.name.as_str().len() + self.text.as_str().len() + PAST_OVERHEAD_BYTES
    }
}

impl RecentMessages {
    /// Restores a snapshot. `evicted_id` is the id of the newest evicted message.
    pub(super) fn restore(messages: Recent<PastMessage>, evicted_id: MessageId) -> Self {
        Self { messages, evicted_id }
    }

    /// Id of the newest evicted message; 0 if none was evicted.
    pub(super) fn evicted_id(&self) -> MessageId {
        self.evicted_id
    }

    /// Appends the newest message of this room, as [`Budget::push`] does.
    pub fn push(&mut self, budget: &mut Budget, room: RoomId, past: PastMessage) {
        if let Some(evicted) = budget.push(room, &mut self.messages, past) {
            self.evicted_id = evicted.id;
        }
    }

    /// Evicts the oldest message.
    pub fn evict_oldest(&mut self, budget: &mut Budget) {
        if let Some(evicted) = budget.evict_oldest(&mut self.messages) {
            self.evicted_id = evicted.id;
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
    pub fn messages(&self) -> &Recent<PastMessage> {
        &self.messages
    }

    /// Numbers of the last `count` messages, as far as they are retained.
    pub fn last(&self, count: u64) -> Range<u64> {
        let all = self.messages.all();
        all.end.saturating_sub(count).max(all.start)..all.end
    }

    /// Numbers of the messages with ids above `id`. `None` if one of them was evicted.
    pub fn since(&self, id: MessageId) -> Option<Range<u64>> {
        (id >= self.evicted_id).then(|| self.messages.after(|past| past.id <= id))
    }

    /// Id of the oldest retained message.
    pub fn oldest(&self) -> Option<MessageId> {
        self.messages.oldest().map(|past| past.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{HISTORY_BYTES_MAX, TEXT_BYTES_MAX};
    use crate::protocol::{Name, Text, Timestamp};

    fn past(id: u64, text: &str) -> PastMessage {
        let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
        PastMessage { id: MessageId(id), at: Timestamp(0), name, text }
    }

    fn push(history: &mut RecentMessages, budget: &mut Budget, past: PastMessage) {
        history.push(budget, RoomId::LOBBY, past);
        while budget.overdrawn().is_some() {
            history.evict_oldest(budget);
        }
    }

    #[test]
    fn since_returns_none_after_eviction() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(3, HISTORY_BYTES_MAX));
        assert_eq!((history.last(20), history.since(MessageId(7)), history.oldest()), (0..0, Some(0..0), None));
        for id in [2, 5, 6, 9, 12] {
            push(&mut history, &mut budget, past(id, "hi"));
        }
        assert_eq!(
            (history.messages.all(), history.last(2), history.last(0), history.last(20)),
            (2..5, 3..5, 5..5, 2..5)
        );
        let ids = |numbers| history.messages.range(numbers).map(|past| past.id.0).collect::<Vec<_>>();
        assert_eq!((ids(2..5), ids(0..3), ids(4..9), ids(9..9)), (vec![6, 9, 12], vec![6], vec![12], vec![]));
        let since = |id| history.since(MessageId(id));
        assert_eq!([since(0), since(4), since(5), since(7)], [None, None, Some(2..5), Some(3..5)]);
        assert_eq!([since(12), since(99)], [Some(5..5), Some(5..5)]);
        assert_eq!(history.oldest(), Some(MessageId(6)));
        let (mut none, mut budget) = (RecentMessages::default(), Budget::new(0, HISTORY_BYTES_MAX));
        push(&mut none, &mut budget, past(1, "hi"));
        assert_eq!((none.since(MessageId(0)), none.since(MessageId(1)), none.messages.all()), (None, Some(1..1), 1..1));
    }

    #[test]
    fn recent_messages_stay_within_byte_limit() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(usize::MAX, HISTORY_BYTES_MAX));
        let text = "x".repeat(TEXT_BYTES_MAX);
        for id in 1..=2 * (HISTORY_BYTES_MAX / TEXT_BYTES_MAX) as u64 {
            push(&mut history, &mut budget, past(id, &text));
            let bytes: usize = history.messages.range(history.messages.all()).map(PastMessage::cost).sum();
            assert!(bytes <= HISTORY_BYTES_MAX);
        }
        let recent = history.messages.range(history.messages.all()).count();
        assert_eq!(recent, HISTORY_BYTES_MAX / (TEXT_BYTES_MAX + "ann".len() + PAST_OVERHEAD_BYTES));
    }

    #[test]
    fn evict_up_to_evicts_this_message_and_older_ones() {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(9, HISTORY_BYTES_MAX));
        (1..=4).for_each(|id| push(&mut history, &mut budget, past(id, "hi")));
        for (up_to, oldest, evicted) in [(2, Some(3), 2), (1, Some(3), 2), (9, None, 9)] {
            history.evict_up_to(&mut budget, MessageId(up_to));
            assert_eq!((history.oldest(), history.evicted_id()), (oldest.map(MessageId), MessageId(evicted)));
        }
    }
}
