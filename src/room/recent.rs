//! The last of what happened, each with a number, to be told again: bounded in count and in bytes.

use std::collections::VecDeque;
use std::ops::Range;

/// Something that is kept.
pub trait Item {
    /// What it counts against the bytes.
    fn cost(&self) -> usize;
}

/// The last ones, each with a number: how many there were before it.
#[derive(Debug)]
pub struct Recent<T> {
    items: VecDeque<T>,
    /// The number of the first. `evicted + items.len()` is that of the next one.
    evicted: u64,
    /// What they cost. `bytes <= bytes_max`
    bytes: usize,
    count_max: usize,
    bytes_max: usize,
}

impl<T: Item> Recent<T> {
    /// None yet; keeps so many, within so many bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { items: VecDeque::new(), evicted: 0, bytes: 0, count_max, bytes_max }
    }

    /// Restores a snapshot, in which the first thing has the number `evicted`. Returns `None` if it exceeds its bounds.
    pub(super) fn restore(count_max: usize, bytes_max: usize, evicted: u64, items: VecDeque<T>) -> Option<Self> {
        let bytes = items.iter().map(T::cost).sum();
        let fits = items.len() <= count_max && bytes <= bytes_max;
        fits.then_some(Self { items, evicted, bytes, count_max, bytes_max })
    }

    /// The bounds: the count and the bytes.
    pub(super) fn bounds(&self) -> (usize, usize) {
        (self.count_max, self.bytes_max)
    }

    /// Keeps one more, the newest, and lets go of the oldest for it. Returns the last of those.
    pub fn push(&mut self, item: T) -> Option<T> {
        self.bytes += item.cost();
        self.items.push_back(item);
        let mut evicted = None;
        while self.items.len() > self.count_max || self.bytes > self.bytes_max {
            evicted = self.evict_oldest();
        }
        evicted
    }

    /// Lets go of the oldest.
    pub fn evict_oldest(&mut self) -> Option<T> {
        let oldest = self.items.pop_front()?;
        self.bytes -= oldest.cost();
        self.evicted += 1;
        Some(oldest)
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.evicted = self.all().end;
        self.bytes = 0;
        self.items = VecDeque::new();
    }

    /// The numbers of all that are kept.
    pub fn all(&self) -> Range<u64> {
        self.evicted..self.evicted + self.items.len() as u64
    }

    /// The numbers of those after the ones for which `is_before` holds.
    pub fn after(&self, is_before: impl FnMut(&T) -> bool) -> Range<u64> {
        self.evicted + self.items.partition_point(is_before) as u64..self.all().end
    }

    /// The oldest.
    pub fn oldest(&self) -> Option<&T> {
        self.items.front()
    }

    /// Those with these numbers, as far as they are kept.
    pub fn range(&self, numbers: Range<u64>) -> impl Iterator<Item = &T> {
        let place = |number: u64| {
            usize::try_from(number.saturating_sub(self.evicted)).unwrap_or(usize::MAX).min(self.items.len())
        };
        let (start, end) = (place(numbers.start), place(numbers.end));
        self.items.range(start..end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Item for usize {
        fn cost(&self) -> usize {
            *self
        }
    }

    #[test]
    fn the_last_ones_are_kept_within_both_bounds() {
        let mut kept = Recent::new(3, 100);
        for (cost, evicted, all) in [(10, None, 0..1), (20, None, 0..2), (30, None, 0..3), (40, Some(10), 1..4)] {
            assert_eq!((kept.push(cost), kept.all()), (evicted, all));
        }
        assert_eq!((kept.push(70), kept.all(), kept.oldest()), (Some(40), 4..5, Some(&70)));
        assert_eq!((kept.push(101), kept.all(), kept.bytes), (Some(101), 6..6, 0));
        kept.push(60);
        kept.clear();
        assert_eq!((kept.all(), kept.bytes, kept.range(0..9).count()), (7..7, 0, 0));
        kept.push(80);
        assert_eq!((kept.all(), kept.range(0..9).collect::<Vec<_>>()), (7..8, vec![&80]));
    }
}
