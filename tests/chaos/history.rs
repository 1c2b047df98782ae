//! The order of events. The first regular client that reads an event appends it; all others must read the same events in the same
//! order. Each appended event is checked for consistency with those before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::attacks::NOBODY;

/// The first character of a regular client's messages. No hostile client sends it.
const MARK: char = '#';

/// The text of a regular's message.
pub(crate) fn text(regular: usize, number: usize) -> String {
    format!("{MARK}{regular}/{number} is what I say")
}

/// Parses a text that [`text`] made. Returns the number of the regular client and the number of its message.
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
    /// The nicknames in use, in lower case. No two members may have the same.
    present: BTreeSet<String>,
    /// Number of members that left, by reason.
    pub(crate) left: BTreeMap<String, usize>,
    /// When each message of each regular client was sent. The first `seen` of them are in `events`, in this order.
    sent_at: Vec<Vec<Instant>>,
    seen: Vec<usize>,
}

impl History {
    /// Starts after the message with this id, with these members.
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

    /// Number of members.
    pub(crate) fn present(&self) -> usize {
        self.present.len()
    }

    /// Records that this regular client sends its next message. Returns the number of the message.
    pub(crate) fn record_send(&mut self, regular: usize) -> usize {
        self.sent_at[regular].push(Instant::now());
        self.sent_at[regular].len() - 1
    }

    /// Records that a regular client read this event at this position. Returns the delay of the message, if a regular client sent it.
    ///
    /// # Errors
    /// Another client read a different event at this position. Returns that event.
    pub(crate) fn record_read(&mut self, position: usize, event: &str) -> Result<Option<Duration>, &str> {
        if position == self.events.len() {
            self.append(event);
        } else if &*self.events[position] != event {
            return Err(&self.events[position]);
        }
        let message = parse_message(event);
        Ok(message.map(|(regular, number)| self.sent_at[regular][number].elapsed()))
    }

    /// Whether it contains every message that regular clients sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.sent_at.iter().map(Vec::len).eq(self.seen.iter().copied())
    }

    pub(crate) fn messages(&self) -> usize {
        self.seen.iter().sum()
    }

    fn append(&mut self, event: &str) {
        assert!(!event.contains(char::is_control), "a control character in {event:?}");
        if let Some((regular, number)) = parse_message(event) {
            assert_eq!(number, self.seen[regular], "regular client {regular}: out of order: {event:?}");
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
            _ => panic!("unexpected event {event:?}"),
        }
        self.ids.push(self.last_id(self.events.len()) + u64::from(event.starts_with("MSG ")));
        self.events.push(event.into());
    }

    fn take_name(&mut self, name: &str) {
        assert_ne!(name, NOBODY, "the server ran a command from an HTTP request");
        assert!(self.present.insert(name.to_lowercase()), "two members have the nickname {name}");
    }

    fn drop_name(&mut self, name: &str) {
        assert!(self.present.remove(&name.to_lowercase()), "{name} is not a member");
    }
}

fn parse_message(event: &str) -> Option<(usize, usize)> {
    let (_, text) = event.strip_prefix("MSG ")?.split_once(' ')?;
    parse_text(text)
}
