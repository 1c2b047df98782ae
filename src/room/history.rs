//! The messages that are kept in memory to be read again.

use std::ops::Range;

use super::recent::{Item, Recent};
use crate::limits::{HISTORY_BYTES_MAX, HISTORY_MESSAGES_DEFAULT, PAST_OVERHEAD_BYTES};
use crate::protocol::{MessageId, PastMessage};

/// The last messages, each with a number: how many there were before it.
#[derive(Debug)]
pub struct RecentMessages {
    messages: Recent<PastMessage>,
    /// The id of the newest that is not kept; 0 if all are.
    evicted_id: MessageId,
}

impl Default for RecentMessages {
    fn default() -> Self {
        Self::new(HISTORY_MESSAGES_DEFAULT)
    }
}

impl Item for PastMessage {
    fn cost(&self) -> usize {
        self.name.as_str().len() + self.text.as_str().len() + PAST_OVERHEAD_BYTES
    }
}

impl RecentMessages {
    /// None yet; keeps so many, within [`HISTORY_BYTES_MAX`].
    pub fn new(messages_max: usize) -> Self {
        Self { messages: Recent::new(messages_max, HISTORY_BYTES_MAX), evicted_id: MessageId::default() }
    }

    /// Restores a snapshot. The newest message that is not kept has the id `evicted_id`.
    pub(super) fn restore(messages: Recent<PastMessage>, evicted_id: MessageId) -> Self {
        Self { messages, evicted_id }
    }

    /// The id of the newest message that is not kept; 0 if all are.
    pub(super) fn evicted_id(&self) -> MessageId {
        self.evicted_id
    }

    /// Keeps a message, the newest, and lets go of the oldest for it.
    pub fn push(&mut self, past: PastMessage) {
        if let Some(dropped) = self.messages.push(past) {
            self.evicted_id = dropped.id;
        }
    }

    /// Lets go of all up to this id.
    pub fn forget(&mut self, id: MessageId) {
        while self.oldest().is_some_and(|oldest| oldest <= id) {
            self.messages.evict_oldest();
        }
        self.evicted_id = self.evicted_id.max(id);
    }

    /// Whether the last so many are all here, or all there ever were.
    pub fn has_last(&self, count: u64) -> bool {
        let all = self.messages.all();
        self.evicted_id == MessageId::default() || count <= all.end - all.start
    }

    /// All that are kept.
    pub fn messages(&self) -> &Recent<PastMessage> {
        &self.messages
    }

    /// The numbers of the last ones, at most so many.
    pub fn last(&self, count: u64) -> Range<u64> {
        let all = self.messages.all();
        all.end.saturating_sub(count).max(all.start)..all.end
    }

    /// The numbers of those with a greater id than this. None if one of them is no longer kept.
    pub fn since(&self, id: MessageId) -> Option<Range<u64>> {
        (id >= self.evicted_id).then(|| self.messages.after(|past| past.id <= id))
    }

    /// The id of the oldest that is kept.
    pub fn oldest(&self) -> Option<MessageId> {
        self.messages.oldest().map(|past| past.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES_MAX;
    use crate::protocol::{Name, Text, Timestamp};

    fn past(id: u64, text: &str) -> PastMessage {
        let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
        PastMessage { id: MessageId(id), at: Timestamp(0), name, text }
    }

    #[test]
    fn the_last_ones_are_kept_and_none_is_passed_over_silently() {
        let mut history = RecentMessages::new(3);
        assert_eq!((history.last(20), history.since(MessageId(7)), history.oldest()), (0..0, Some(0..0), None));
        for id in [2, 5, 6, 9, 12] {
            history.push(past(id, "hi"));
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
        let mut none = RecentMessages::new(0);
        none.push(past(1, "hi"));
        assert_eq!((none.since(MessageId(0)), none.since(MessageId(1)), none.messages.all()), (None, Some(1..1), 1..1));
    }

    #[test]
    fn they_are_bounded_in_bytes() {
        let mut history = RecentMessages::new(usize::MAX);
        let text = "x".repeat(TEXT_BYTES_MAX);
        for id in 1..=2 * (HISTORY_BYTES_MAX / TEXT_BYTES_MAX) as u64 {
            history.push(past(id, &text));
            let bytes: usize = history.messages.range(history.messages.all()).map(PastMessage::cost).sum();
            assert!(bytes <= HISTORY_BYTES_MAX);
        }
        let kept = history.messages.range(history.messages.all()).count();
        assert_eq!(kept, HISTORY_BYTES_MAX / (TEXT_BYTES_MAX + "ann".len() + PAST_OVERHEAD_BYTES));
    }
}
