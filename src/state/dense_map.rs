//! A map for keys that are added in nearly ascending order and removed in any order: numbers of sessions and members.

use std::cmp::Ordering;

/// A key that is a number. Distinct keys have distinct numbers, in the same order.
pub trait DenseKey: Copy + Ord {
    /// The number.
    fn number(self) -> u64;
}

/// A sorted vector with gaps. It takes half the memory of a tree to which keys are added in ascending order. The hub iterates over it
/// for each message, which reads memory sequentially.
#[derive(Clone, Debug)]
pub struct DenseMap<K, T> {
    /// Sorted, without duplicates; `None` is a gap.
    entries: Vec<(K, Option<T>)>,
    /// Number of entries that are not gaps. `2 * count >= entries.len()`
    count: usize,
    /// Number of gaps before the first entry, so that it is found at once however many entries before it were removed.
    gaps: usize,
}

impl<K, T> Default for DenseMap<K, T> {
    fn default() -> Self {
        Self { entries: Vec::new(), count: 0, gaps: 0 }
    }
}

impl<K: DenseKey, T> DenseMap<K, T> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: K) -> Option<&T> {
        self.entries[self.index_of(key).ok()?].1.as_ref()
    }

    /// The value of `key`, mutable.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let index = self.index_of(key).ok()?;
        self.entries[index].1.as_mut()
    }

    /// Sets the value of `key`. Returns the previous value.
    pub fn insert(&mut self, key: K, value: T) -> Option<T> {
        let before = match self.index_of(key) {
            Ok(index) => self.entries[index].1.replace(value),
            Err(index) => {
                if self.entries.is_empty() {
                    // Most rooms are small.
                    self.entries.reserve_exact(1);
                }
                self.entries.insert(index, (key, Some(value)));
                None
            }
        };
        if before.is_none() {
            self.gaps = self.gaps.min(self.index_of(key).unwrap_or(0));
        }
        self.count += usize::from(before.is_none());
        before
    }

    /// Removes and returns the value of `key`.
    pub fn remove(&mut self, key: K) -> Option<T> {
        let index = self.index_of(key).ok()?;
        let before = self.entries[index].1.take()?;
        self.count -= 1;
        if 2 * self.count < self.entries.len() {
            self.entries.retain(|(_, value)| value.is_some());
            self.entries.shrink_to(2 * self.count);
            self.gaps = 0;
        }
        while self.entries.get(self.gaps).is_some_and(|(_, value)| value.is_none()) {
            self.gaps += 1;
        }
        Some(before)
    }

    /// The entry with the smallest key.
    pub fn first(&self) -> Option<(K, &T)> {
        self.iter().next()
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.entries.iter().skip(self.gaps).filter_map(|(key, value)| Some((*key, value.as_ref()?)))
    }

    /// The values of all entries, in the order of their keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().skip(self.gaps).filter_map(|(_, value)| value.as_mut())
    }

    /// The key is at most as many entries behind the first one as its number is greater. If no entry between them was removed, it is just
    /// there.
    fn index_of(&self, key: K) -> Result<usize, usize> {
        let Some(last) = self.entries.len().checked_sub(1) else { return Err(0) };
        let Some(distance) = key.number().checked_sub(self.entries[0].0.number()) else { return Err(0) };
        let furthest = usize::try_from(distance).map_or(last, |distance| distance.min(last));
        match self.entries[furthest].0.cmp(&key) {
            Ordering::Equal => Ok(furthest),
            // Only the last entry can have a smaller key.
            Ordering::Less => Err(furthest + 1),
            Ordering::Greater => self.entries[..furthest].binary_search_by_key(&key, |&(key, _)| key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    impl DenseKey for u64 {
        fn number(self) -> u64 {
            self
        }
    }

    /// Compares with a `BTreeMap` after random operations.
    #[test]
    fn dense_map_behaves_like_btree_map() {
        arbtest::arbtest(|u| {
            let (mut ours, mut model) = (DenseMap::<u64, u8>::default(), BTreeMap::new());
            for _ in 0..u.arbitrary_len::<u16>()? {
                let key = u.int_in_range(0..=40)?;
                if u.arbitrary()? {
                    let value: u8 = u.arbitrary()?;
                    assert_eq!(ours.insert(key, value), model.insert(key, value));
                } else {
                    assert_eq!(ours.remove(key), model.remove(&key));
                }
                assert_eq!(ours.get(key), model.get(&key));
                assert_eq!(ours.get_mut(key), model.get_mut(&key));
                assert_eq!((ours.len(), ours.is_empty()), (model.len(), model.is_empty()));
                assert!(ours.iter().eq(model.iter().map(|(&key, value)| (key, value))));
                assert_eq!(ours.first(), model.first_key_value().map(|(&key, value)| (key, value)));
                assert!(ours.entries.len() <= 2 * ours.count);
                assert!(ours.entries.get(ours.gaps).is_none_or(|(_, value)| value.is_some()));
            }
            Ok(())
        });
    }
}
