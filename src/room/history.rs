//! The messages that are kept in memory to be read again.

use std::collections::VecDeque;
use std::ops::Range;

use crate::limits::{HISTORY_BYTES_MAX, HISTORY_MESSAGES_DEFAULT, PAST_OVERHEAD_BYTES};
use crate::protocol::{EventId, Past};

/// The last messages, each with a number: how many there were before it.
#[derive(Debug)]
pub struct History {
    messages: VecDeque<Past>,
    /// The number of the first. `dropped + messages.len()` is that of the next one.
    dropped: u64,
    /// The id of the newest that is not kept; 0 if all are.
    dropped_id: EventId,
    /// What they cost. `bytes <= HISTORY_BYTES_MAX`
    bytes: usize,
    messages_max: usize,
}

impl Default for History {
    fn default() -> Self {
        Self::new(HISTORY_MESSAGES_DEFAULT)
    }
}

impl History {
    /// None yet; keeps so many, within [`HISTORY_BYTES_MAX`].
    pub fn new(messages_max: usize) -> Self {
        Self { messages: VecDeque::new(), dropped: 0, dropped_id: EventId::default(), bytes: 0, messages_max }
    }

    /// Keeps a message, the newest, and lets go of the oldest for it.
    pub fn push(&mut self, past: Past) {
        self.bytes += cost(&past);
        self.messages.push_back(past);
        while self.messages.len() > self.messages_max || self.bytes > HISTORY_BYTES_MAX {
            self.drop_oldest();
        }
    }

    /// Lets go of all up to this id.
    pub fn forget(&mut self, id: EventId) {
        while self.messages.front().is_some_and(|oldest| oldest.id <= id) {
            self.drop_oldest();
        }
        self.dropped_id = self.dropped_id.max(id);
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else { return };
        self.bytes -= cost(&oldest);
        self.dropped += 1;
        self.dropped_id = oldest.id;
    }

    /// Whether the last so many are all here, or all there ever were.
    pub fn has_last(&self, count: u64) -> bool {
        self.dropped_id == EventId::default() || count <= self.messages.len() as u64
    }

    /// The numbers of all that are kept.
    pub fn all(&self) -> Range<u64> {
        self.dropped..self.dropped + self.messages.len() as u64
    }

    /// The numbers of the last ones, at most so many.
    pub fn last(&self, count: u64) -> Range<u64> {
        let all = self.all();
        all.end.saturating_sub(count).max(all.start)..all.end
    }

    /// The numbers of those with a greater id than this. None if one of them is no longer kept.
    pub fn since(&self, id: EventId) -> Option<Range<u64>> {
        let before = self.messages.partition_point(|past| past.id <= id) as u64;
        (id >= self.dropped_id).then(|| self.dropped + before..self.all().end)
    }

    /// The id of the oldest that is kept.
    pub fn oldest(&self) -> Option<EventId> {
        self.messages.front().map(|past| past.id)
    }

    /// Those with these numbers, as far as they are kept.
    pub fn range(&self, numbers: Range<u64>) -> impl Iterator<Item = &Past> {
        let place = |number: u64| {
            usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX).min(self.messages.len())
        };
        let (start, end) = (place(numbers.start), place(numbers.end));
        self.messages.range(start..end.max(start))
    }
}

fn cost(past: &Past) -> usize {
    past.name.as_str().len() + past.text.as_str().len() + PAST_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES_MAX;
    use crate::protocol::{Name, Text, Timestamp};

    fn past(id: u64, text: &str) -> Past {
        let (name, text) = (Name::new("ann").unwrap(), Text::new(text).unwrap());
        Past { id: EventId(id), at: Timestamp(0), name, text }
    }

    #[test]
    fn the_last_ones_are_kept_and_none_is_passed_over_silently() {
        let mut history = History::new(3);
        assert_eq!((history.last(20), history.since(EventId(7)), history.oldest()), (0..0, Some(0..0), None));
        for id in [2, 5, 6, 9, 12] {
            history.push(past(id, "hi"));
        }
        assert_eq!((history.all(), history.last(2), history.last(0), history.last(20)), (2..5, 3..5, 5..5, 2..5));
        let ids = |numbers| history.range(numbers).map(|past| past.id.0).collect::<Vec<_>>();
        assert_eq!((ids(2..5), ids(0..3), ids(4..9), ids(9..9)), (vec![6, 9, 12], vec![6], vec![12], vec![]));
        let since = |id| history.since(EventId(id));
        assert_eq!([since(0), since(4), since(5), since(7)], [None, None, Some(2..5), Some(3..5)]);
        assert_eq!([since(12), since(99)], [Some(5..5), Some(5..5)]);
        assert_eq!(history.oldest(), Some(EventId(6)));
        let mut none = History::new(0);
        none.push(past(1, "hi"));
        assert_eq!((none.since(EventId(0)), none.since(EventId(1)), none.all()), (None, Some(1..1), 1..1));
    }

    #[test]
    fn they_are_bounded_in_bytes() {
        let mut history = History::new(usize::MAX);
        let text = "x".repeat(TEXT_BYTES_MAX);
        for id in 1..=2 * (HISTORY_BYTES_MAX / TEXT_BYTES_MAX) as u64 {
            history.push(past(id, &text));
            assert_eq!(history.bytes, history.messages.iter().map(cost).sum::<usize>());
            assert!(history.bytes <= HISTORY_BYTES_MAX);
        }
        assert_eq!(history.messages.len(), HISTORY_BYTES_MAX / (TEXT_BYTES_MAX + "ann".len() + PAST_OVERHEAD_BYTES));
    }
}
