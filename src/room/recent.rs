//! The newest items of a sequence, limited in number and memory.

use std::collections::VecDeque;
use std::ops::Range;

/// An item that knows its memory cost.
pub trait MemoryCost {
    /// Memory of the item, in bytes.
    fn cost(&self) -> usize;
}

/// The newest items of a sequence. Each has a number: how many items precede it in the sequence.
#[derive(Debug)]
pub struct Recent<T> {
    items: VecDeque<T>,
    /// Number of the oldest retained item. The next item's number is `evicted + items.len()`.
    evicted: u64,
    /// Memory of the items, in bytes. `bytes <= bytes_max`
    bytes: usize,
    count_max: usize,
    bytes_max: usize,
}

impl<T: MemoryCost> Recent<T> {
    /// Creates an empty sequence that retains at most `count_max` items and `bytes_max` bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { items: VecDeque::new(), evicted: 0, bytes: 0, count_max, bytes_max }
    }

    /// Restores a snapshot, in which the oldest retained item has the number `evicted`. Returns `None` if it exceeds its limits.
    pub(super) fn restore(count_max: usize, bytes_max: usize, evicted: u64, items: VecDeque<T>) -> Option<Self> {
        let bytes = items.iter().map(T::cost).sum();
        let fits = items.len() <= count_max && bytes <= bytes_max;
        fits.then_some(Self { items, evicted, bytes, count_max, bytes_max })
    }

    /// The limits: number of items, and bytes.
    pub(super) fn bounds(&self) -> (usize, usize) {
        (self.count_max, self.bytes_max)
    }

    /// Appends an item and evicts the oldest ones beyond the limits. Returns the last evicted item.
    pub fn push(&mut self, item: T) -> Option<T> {
        self.bytes += item.cost();
        self.items.push_back(item);
        let mut evicted = None;
        while self.items.len() > self.count_max || self.bytes > self.bytes_max {
            evicted = self.evict_oldest();
        }
        evicted
    }

    /// Evicts the oldest item and returns it.
    pub fn evict_oldest(&mut self) -> Option<T> {
        let oldest = self.items.pop_front()?;
        self.bytes -= oldest.cost();
        self.evicted += 1;
        Some(oldest)
    }

    /// Evicts all items.
    pub fn clear(&mut self) {
        self.evicted = self.all().end;
        self.bytes = 0;
        self.items = VecDeque::new();
    }

    /// Numbers of all retained items.
    pub fn all(&self) -> Range<u64> {
        self.evicted..self.evicted + self.items.len() as u64
    }

    /// Numbers of the retained items after those for which `is_before` holds.
    pub fn after(&self, is_before: impl FnMut(&T) -> bool) -> Range<u64> {
        self.evicted + self.items.partition_point(is_before) as u64..self.all().end
    }

    /// The oldest retained item.
    pub fn oldest(&self) -> Option<&T> {
        self.items.front()
    }

    /// The items with these numbers, as far as they are retained.
    pub fn range(&self, numbers: Range<u64>) -> impl Iterator<Item = &T> {
        let index = |number: u64| {
            usize::try_from(number.saturating_sub(self.evicted)).unwrap_or(usize::MAX).min(self.items.len())
        };
        let (start, end) = (index(numbers.start), index(numbers.end));
        self.items.range(start..end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl MemoryCost for usize {
        fn cost(&self) -> usize {
            *self
        }
    }

    #[test]
    fn recent_items_stay_within_both_limits() {
        let mut recent = Recent::new(3, 100);
        for (cost, evicted, all) in [(10, None, 0..1), (20, None, 0..2), (30, None, 0..3), (40, Some(10), 1..4)] {
            assert_eq!((recent.push(cost), recent.all()), (evicted, all));
        }
        assert_eq!((recent.push(70), recent.all(), recent.oldest()), (Some(40), 4..5, Some(&70)));
        assert_eq!((recent.push(101), recent.all(), recent.bytes), (Some(101), 6..6, 0));
        recent.push(60);
        recent.clear();
        assert_eq!((recent.all(), recent.bytes, recent.range(0..9).count()), (7..7, 0, 0));
        recent.push(80);
        assert_eq!((recent.all(), recent.range(0..9).collect::<Vec<_>>()), (7..8, vec![&80]));
    }
    #[test]
    fn exact_limits_evict_nothing() {
        let mut recent = Recent::new(2, 100);
        assert_eq!((recent.push(60), recent.push(40), recent.all()), (None, None, 0..2));
    }

    #[test]
    fn restore_refuses_items_beyond_either_limit() {
        let restore = |items: &[usize]| Recent::restore(2, 100, 7, items.iter().copied().collect());
        assert_eq!(restore(&[60, 40]).map(|recent| recent.all()), Some(7..9));
        assert!(restore(&[1, 1, 1]).is_none());
        assert!(restore(&[60, 41]).is_none());
    }
}
