//! What is kept for each session.

use super::SessionId;

/// Something for each session, in the order of their numbers.
///
/// Sessions come with rising numbers, nearly, and go in any order. So this is a vector with gaps: it takes half of the
/// memory of a tree that grows at its end, and to go through all of it, as happens for each message, is to go through memory.
#[derive(Debug)]
pub struct BySession<T> {
    /// Sorted, without duplicates; none is a gap.
    entries: Vec<(SessionId, Option<T>)>,
    /// Those that are no gaps. `2 * count >= entries.len()`
    count: usize,
}

impl<T> Default for BySession<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), count: 0 }
    }
}

impl<T> BySession<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is kept for `session`.
    pub fn get(&self, session: SessionId) -> Option<&T> {
        self.entries[self.place(session).ok()?].1.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, session: SessionId) -> Option<&mut T> {
        let place = self.place(session).ok()?;
        self.entries[place].1.as_mut()
    }

    /// Keeps `value` for `session`, and returns what was kept for it before.
    pub fn insert(&mut self, session: SessionId, value: T) -> Option<T> {
        let before = match self.place(session) {
            Ok(place) => self.entries[place].1.replace(value),
            Err(place) => {
                self.entries.insert(place, (session, Some(value)));
                None
            }
        };
        self.count += usize::from(before.is_none());
        before
    }

    /// Keeps nothing for `session` any more, and returns what was kept.
    pub fn remove(&mut self, session: SessionId) -> Option<T> {
        let place = self.place(session).ok()?;
        let before = self.entries[place].1.take()?;
        self.count -= 1;
        if 2 * self.count < self.entries.len() {
            self.entries.retain(|(_, value)| value.is_some());
            self.entries.shrink_to(2 * self.count);
        }
        Some(before)
    }

    /// All of them, in the order of the sessions' numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &T)> {
        self.entries.iter().filter_map(|(session, value)| Some((*session, value.as_ref()?)))
    }

    fn place(&self, session: SessionId) -> Result<usize, usize> {
        match self.entries.last() {
            Some(&(last, _)) if last >= session => self.entries.binary_search_by_key(&session, |&(session, _)| session),
            _ => Err(self.entries.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// As a tree, whatever is done with it.
    #[test]
    fn it_is_a_map() {
        arbtest::arbtest(|u| {
            let (mut ours, mut model) = (BySession::default(), BTreeMap::new());
            for _ in 0..u.arbitrary_len::<u16>()? {
                let session = SessionId(u.int_in_range(0..=40)?);
                if u.arbitrary()? {
                    let value: u8 = u.arbitrary()?;
                    assert_eq!(ours.insert(session, value), model.insert(session, value));
                } else {
                    assert_eq!(ours.remove(session), model.remove(&session));
                }
                assert_eq!(ours.get(session), model.get(&session));
                assert_eq!(ours.get_mut(session), model.get_mut(&session));
                assert_eq!((ours.len(), ours.is_empty()), (model.len(), model.is_empty()));
                assert!(ours.iter().eq(model.iter().map(|(&session, value)| (session, value))));
                assert!(ours.entries.len() <= 2 * ours.count);
            }
            Ok(())
        });
    }
}
