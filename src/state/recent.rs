//! The newest items of a room, limited in number for each room, and in memory over all rooms together.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::RoomId;

/// An item that knows its memory cost.
pub trait MemoryCost {
    /// Memory of the item, in bytes.
    fn cost(&self) -> usize;
}

/// The newest items of a room. Each has a number: how many items precede it in the room.
#[derive(Debug)]
pub struct Recent<T> {
    /// The items, each with its age: its number over all rooms.
    items: VecDeque<(u64, T)>,
    /// Number of the oldest retained item. The next item's number is `evicted + items.len()`.
    evicted: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), evicted: 0 }
    }
}

impl<T: MemoryCost> Recent<T> {
    /// Restores a snapshot, in which the oldest retained item has the number `evicted`.
    pub(super) fn restore(evicted: u64, items: VecDeque<(u64, T)>) -> Self {
        Self { items, evicted }
    }

    /// The retained items with their ages.
    pub(super) fn with_ages(&self) -> impl ExactSizeIterator<Item = (u64, &T)> {
        self.items.iter().map(|(age, item)| (*age, item))
    }

    /// Number of retained items.
    fn len(&self) -> usize {
        self.items.len()
    }

    fn oldest_age(&self) -> Option<u64> {
        self.items.front().map(|(age, _)| *age)
    }

    /// Numbers of all retained items.
    pub fn all(&self) -> Range<u64> {
        self.evicted..self.evicted + self.items.len() as u64
    }

    /// Numbers of the retained items after those for which `is_before` holds.
    pub fn after(&self, mut is_before: impl FnMut(&T) -> bool) -> Range<u64> {
        self.evicted + self.items.partition_point(|(_, item)| is_before(item)) as u64..self.all().end
    }

    /// The oldest retained item.
    pub fn oldest(&self) -> Option<&T> {
        self.items.front().map(|(_, item)| item)
    }

    /// The item with this number, if it is retained.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.range(number..number.saturating_add(1)).next()
    }

    /// The items with these numbers, as far as they are retained.
    pub fn range(&self, numbers: Range<u64>) -> impl Iterator<Item = &T> {
        let index = |number: u64| {
            usize::try_from(number.saturating_sub(self.evicted)).unwrap_or(usize::MAX).min(self.items.len())
        };
        let (start, end) = (index(numbers.start), index(numbers.end));
        self.items.range(start..end.max(start)).map(|(_, item)| item)
    }
}

/// The memory of the items of all rooms, and which room has the oldest one.
#[derive(Debug)]
pub struct Budget {
    /// Memory of the items, in bytes.
    bytes: usize,
    bytes_max: usize,
    /// Most items in a room.
    count_max: usize,
    /// The age of the next item.
    next_age: u64,
    /// The rooms with items.
    oldest: RoomsByAge,
}

/// The rooms with items, by the age of their oldest one.
///
/// The first is beside the tree, so that a message costs no change of the tree while all rooms but one are silent.
#[derive(Debug, Default)]
struct RoomsByAge {
    first: Option<(u64, RoomId)>,
    /// All others. Empty without a first one.
    others: BTreeMap<u64, RoomId>,
}

impl RoomsByAge {
    /// Adds a room. Returns false if another one has this age.
    fn insert(&mut self, age: u64, room: RoomId) -> bool {
        match self.first {
            Some((first, _)) if first == age => false,
            Some((first, _)) if first < age => self.others.insert(age, room).is_none(),
            _ => self.first.replace((age, room)).is_none_or(|(age, room)| self.others.insert(age, room).is_none()),
        }
    }

    /// The oldest item of the room with this age has been removed. `next`: the age of the next one.
    fn replace(&mut self, age: u64, next: Option<u64>) {
        let room = match self.first {
            Some((first, room)) if first == age => {
                let second = self.others.first_key_value().map(|(age, _)| *age);
                if let Some(next) = next
                    && second.is_none_or(|second| next < second)
                {
                    self.first = Some((next, room));
                    return;
                }
                self.first = self.others.pop_first();
                Some(room)
            }
            _ => self.others.remove(&age),
        };
        if let (Some(room), Some(next)) = (room, next) {
            self.insert(next, room);
        }
    }
}

impl Budget {
    /// Allows `count_max` items in each room, and `bytes_max` bytes over all rooms together.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max, count_max, next_age: 0, oldest: RoomsByAge::default() }
    }

    /// Restores a snapshot without items. The next item will have this age.
    pub(super) fn restore(count_max: usize, bytes_max: usize, next_age: u64) -> Self {
        Self { next_age, ..Self::new(count_max, bytes_max) }
    }

    /// The age of the next item.
    pub(super) fn next_age(&self) -> u64 {
        self.next_age
    }

    /// Adds the items of a room that was restored from a snapshot. Returns false if they break a limit or an order.
    pub(super) fn add_restored<T: MemoryCost>(&mut self, room: RoomId, recent: &Recent<T>) -> bool {
        let mut before = None;
        let is_rising = recent.with_ages().all(|(age, _)| before.replace(age).is_none_or(|before| before < age));
        self.bytes = recent.with_ages().fold(self.bytes, |bytes, (_, item)| bytes.saturating_add(item.cost()));
        let is_first = recent.oldest_age().is_none_or(|age| self.oldest.insert(age, room));
        let is_past = before.is_none_or(|newest| newest < self.next_age);
        is_rising && is_first && is_past && recent.len() <= self.count_max && self.bytes <= self.bytes_max
    }

    /// Appends an item, and evicts the room's oldest ones beyond its limit. Returns the last evicted item. The caller
    /// then evicts from the rooms that [`Budget::overdrawn`] returns.
    pub fn push<T: MemoryCost>(&mut self, room: RoomId, recent: &mut Recent<T>, item: T) -> Option<T> {
        self.bytes += item.cost();
        if recent.items.is_empty() {
            self.oldest.insert(self.next_age, room);
        }
        recent.items.push_back((self.next_age, item));
        self.next_age += 1;
        let mut evicted = None;
        while recent.len() > self.count_max {
            evicted = self.evict_oldest(recent);
        }
        evicted
    }

    /// Changes the item with this number, if the room retains it. It must not cost more afterwards.
    pub fn update<T: MemoryCost>(&mut self, recent: &mut Recent<T>, number: u64, change: impl FnOnce(&mut T)) {
        let index = number.checked_sub(recent.evicted).and_then(|index| usize::try_from(index).ok());
        let Some((_, item)) = index.and_then(|index| recent.items.get_mut(index)) else { return };
        let before = item.cost();
        change(item);
        self.bytes -= before.saturating_sub(item.cost());
    }

    /// The room with the oldest item, if the items take too much memory.
    pub fn overdrawn(&self) -> Option<RoomId> {
        (self.bytes > self.bytes_max).then_some(self.oldest.first?.1)
    }

    /// Evicts the oldest item of a room and returns it.
    pub fn evict_oldest<T: MemoryCost>(&mut self, recent: &mut Recent<T>) -> Option<T> {
        let (age, oldest) = recent.items.pop_front()?;
        self.bytes -= oldest.cost();
        recent.evicted += 1;
        self.oldest.replace(age, recent.oldest_age());
        Some(oldest)
    }

    /// Evicts all items of a room, and frees their memory.
    pub fn clear<T: MemoryCost>(&mut self, recent: &mut Recent<T>) {
        self.bytes -= recent.with_ages().map(|(_, item)| item.cost()).sum::<usize>();
        if let Some(age) = recent.oldest_age() {
            self.oldest.replace(age, None);
        }
        *recent = Recent { items: VecDeque::new(), evicted: recent.all().end };
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

    /// Appends an item, and evicts as the state does. Returns the evicted items of the room.
    fn push(budget: &mut Budget, rooms: &mut [Recent<usize>], room: usize, item: usize) {
        let id = |room: usize| RoomId(u32::try_from(room).unwrap());
        budget.push(id(room), &mut rooms[room], item);
        while let Some(RoomId(oldest)) = budget.overdrawn() {
            budget.evict_oldest(&mut rooms[oldest as usize]);
        }
    }

    fn rooms(count: usize) -> Vec<Recent<usize>> {
        (0..count).map(|_| Recent::default()).collect()
    }

    #[test]
    fn recent_items_stay_within_both_limits() {
        let (mut budget, mut rooms) = (Budget::new(3, 100), rooms(1));
        for (cost, all) in [(10, 0..1), (20, 0..2), (30, 0..3), (40, 1..4), (70, 4..5), (101, 6..6), (60, 6..7)] {
            push(&mut budget, &mut rooms, 0, cost);
            assert_eq!(rooms[0].all(), all);
        }
        assert_eq!((rooms[0].oldest(), budget.bytes), (Some(&60), 60));
        budget.clear(&mut rooms[0]);
        assert_eq!((rooms[0].all(), budget.bytes, rooms[0].range(0..9).count()), (7..7, 0, 0));
        push(&mut budget, &mut rooms, 0, 80);
        assert_eq!((rooms[0].all(), rooms[0].range(0..9).collect::<Vec<_>>()), (7..8, vec![&80]));
    }

    #[test]
    fn exact_limits_evict_nothing() {
        let (mut budget, mut rooms) = (Budget::new(2, 100), rooms(1));
        push(&mut budget, &mut rooms, 0, 60);
        push(&mut budget, &mut rooms, 0, 40);
        assert_eq!(rooms[0].all(), 0..2);
    }

    #[test]
    fn oldest_item_of_all_rooms_is_evicted_first() {
        let (mut budget, mut rooms) = (Budget::new(9, 100), rooms(3));
        for (room, cost) in [(0, 30), (1, 30), (0, 30), (2, 10), (2, 35)] {
            push(&mut budget, &mut rooms, room, cost);
        }
        let all = |rooms: &[Recent<usize>]| rooms.iter().map(Recent::all).collect::<Vec<_>>();
        assert_eq!(all(&rooms), [1..2, 1..1, 0..2], "both oldest items made way for the last one");
        push(&mut budget, &mut rooms, 1, 20);
        assert_eq!(all(&rooms), [1..2, 1..2, 0..2]);
        push(&mut budget, &mut rooms, 1, 20);
        assert_eq!(all(&rooms), [2..2, 1..3, 0..2]);
    }

    /// Compares with a list of all items, after random operations.
    #[test]
    fn budget_evicts_as_one_list_of_all_rooms() {
        arbtest::arbtest(|u| {
            let (mut budget, mut rooms, mut model) = (Budget::new(4, 50), rooms(3), Vec::new());
            for _ in 0..u.arbitrary_len::<u16>()? {
                let (room, item) = (u.choose_index(3)?, u.int_in_range(1..=30)?);
                if u.ratio(1, 8)? {
                    budget.clear(&mut rooms[room]);
                    model.retain(|(of, _)| *of != room);
                } else {
                    push(&mut budget, &mut rooms, room, item);
                    model.push((room, item));
                    if model.iter().filter(|(of, _)| *of == room).count() > 4 {
                        model.remove(model.iter().position(|(of, _)| *of == room).unwrap());
                    }
                    while model.iter().map(|(_, item)| item).sum::<usize>() > 50 {
                        model.remove(0);
                    }
                }
                assert_eq!(budget.bytes, model.iter().map(|(_, item)| item).sum::<usize>());
                for (at, recent) in rooms.iter().enumerate() {
                    let items = model.iter().filter(|(of, _)| *of == at).map(|(_, item)| item);
                    assert!(recent.range(recent.all()).eq(items));
                }
            }
            Ok(())
        });
    }
}
