//! The one order of events as the first regular to read each wrote it down; the others must read the same. What can be
//! wrong with the order in itself is checked as it grows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::attacks::NOBODY;

/// What a regular's messages begin with, so that nobody else's are taken for one.
const MARK: char = '#';

/// The text of a regular's message.
pub(crate) fn text(regular: usize, number: usize) -> String {
    format!("{MARK}{regular}/{number} is what I say")
}

/// Who says it, and the how-manieth of theirs it is, of a text that [`text`] made.
pub(crate) fn parse_text(text: &str) -> Option<(usize, usize)> {
    let (mark, _) = text.strip_prefix(MARK)?.split_once(' ')?;
    let (regular, number) = mark.split_once('/')?;
    Some((regular.parse().ok()?, number.parse().ok()?))
}

pub(crate) struct History {
    /// The id of the last message before the first event.
    before: u64,
    events: Vec<Box<str>>,
    /// For each event, the id of the last message up to it.
    ids: Vec<u64>,
    /// The names taken, in lower case: none is ever taken twice.
    present: BTreeSet<String>,
    /// How many left, by reason.
    pub(crate) left: BTreeMap<String, usize>,
    /// When each message of each regular was sent. The first `seen` of them are in `events`, in this order.
    sent_at: Vec<Vec<Instant>>,
    seen: Vec<usize>,
}

impl History {
    /// Begins after the message with this id, with these members.
    pub(crate) fn new(before: u64, present: impl IntoIterator<Item = String>) -> Self {
        let present: BTreeSet<_> = present.into_iter().collect();
        let regulars = present.len();
        Self {
            before,
            events: Vec::new(),
            ids: Vec::new(),
            present,
            left: BTreeMap::new(),
            sent_at: vec![Vec::new(); regulars],
            seen: vec![0; regulars],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The id of the last message before this position.
    pub(crate) fn last_id(&self, position: usize) -> u64 {
        position.checked_sub(1).map_or(self.before, |last| self.ids[last])
    }

    /// How many names are taken.
    pub(crate) fn present(&self) -> usize {
        self.present.len()
    }

    /// The next message of this regular is about to be sent. Returns its number.
    pub(crate) fn sends(&mut self, regular: usize) -> usize {
        self.sent_at[regular].push(Instant::now());
        self.sent_at[regular].len() - 1
    }

    /// Somebody reads an event at this position, for the first time or as others did. Returns how long a regular's
    /// message took to get there.
    ///
    /// # Errors
    /// What others read there.
    pub(crate) fn reads(&mut self, position: usize, event: &str) -> Result<Option<Duration>, &str> {
        if position == self.events.len() {
            self.append(event);
        } else if &*self.events[position] != event {
            return Err(&self.events[position]);
        }
        let message = parse_message(event);
        Ok(message.map(|(regular, number)| self.sent_at[regular][number].elapsed()))
    }

    /// Every message that was sent is in it.
    pub(crate) fn is_complete(&self) -> bool {
        self.sent_at.iter().map(Vec::len).eq(self.seen.iter().copied())
    }

    pub(crate) fn messages(&self) -> usize {
        self.seen.iter().sum()
    }

    fn append(&mut self, event: &str) {
        assert!(!event.contains(char::is_control), "a terminal would obey {event:?}");
        if let Some((regular, number)) = parse_message(event) {
            assert_eq!(number, self.seen[regular], "of regular {regular} comes {event:?}");
            self.seen[regular] += 1;
        }
        let mut words = event.split(' ');
        let mut word = || words.next().unwrap_or_default();
        match word() {
            "JOIN" => self.take_name(word()),
            "LEAVE" => {
                self.drop_name(word());
                *self.left.entry(word().to_owned()).or_default() += 1;
            }
            "RENAME" => {
                self.drop_name(word());
                self.take_name(word());
            }
            "MSG" => {}
            _ => panic!("{event:?} was not to happen"),
        }
        self.ids.push(self.last_id(self.events.len()) + u64::from(event.starts_with("MSG ")));
        self.events.push(event.into());
    }

    fn take_name(&mut self, name: &str) {
        assert_ne!(name, NOBODY, "what came by another protocol was carried out");
        assert!(self.present.insert(name.to_lowercase()), "{name} is taken twice");
    }

    fn drop_name(&mut self, name: &str) {
        assert!(self.present.remove(&name.to_lowercase()), "{name} is not here");
    }
}

fn parse_message(event: &str) -> Option<(usize, usize)> {
    let (_, text) = event.strip_prefix("MSG ")?.split_once(' ')?;
    parse_text(text)
}
