//! The past messages that `HISTORY` and `SINCE` ask for, and the strokes that `CANVAS` does: rendered once, in pages, for all who
//! ask, and bounded, however many ask and do not read.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::ops::Range;
use std::sync::{Arc, Weak};

use crate::limits::{PAGE_MESSAGES, PAGE_STROKES, SEGMENT_OVERHEAD_BYTES};
use crate::protocol::{Dialect, Drawn, Ending, Past};
use crate::room::{Keep, Kept};

/// The pages that were rendered and that somebody may still want to read, or has to.
#[derive(Debug, Default)]
pub(super) struct Replays {
    messages: Pages,
    strokes: Pages,
    /// Those that are out of date, in the order in which they came to be, while somebody has to read them.
    retired: VecDeque<Retired>,
    /// How many ever came to be.
    retirements: u64,
    /// What `retired` counts, those read by now included.
    bytes: usize,
}

/// Those of what is kept, for each line ending, by number.
pub(super) type Pages = [BTreeMap<u64, Page>; 2];

/// Something that is told in pages of so many lines.
pub(super) trait Told: Keep + Display {
    const PAGE: u64;

    fn pages(replays: &mut Replays) -> &mut Pages;
}

impl Told for Past {
    const PAGE: u64 = PAGE_MESSAGES;

    fn pages(replays: &mut Replays) -> &mut Pages {
        &mut replays.messages
    }
}

impl Told for Drawn {
    const PAGE: u64 = PAGE_STROKES;

    fn pages(replays: &mut Replays) -> &mut Pages {
        &mut replays.strokes
    }
}

/// Those with the numbers from [`Told::PAGE`] times the page's on, as far as they were there when it was rendered.
#[derive(Debug)]
pub(super) struct Page {
    /// The number of its first one.
    first: u64,
    text: Arc<[u8]>,
    /// Where each ends.
    ends: Vec<u32>,
}

#[derive(Debug)]
struct Retired {
    text: Weak<[u8]>,
    bytes: usize,
    /// How many were out of date before it.
    age: u64,
}

/// A stretch of shared text.
pub(super) type Piece = (Arc<[u8]>, Range<u32>);

impl Replays {
    /// Hands the lines that tell these to `take`, piece by piece. Returns how many bytes had to be rendered for it.
    pub(super) fn lend<T: Told>(
        &mut self,
        kept: &Kept<T>,
        numbers: Range<u64>,
        dialect: Dialect,
        mut take: impl FnMut(Piece),
    ) -> usize {
        let ending = usize::from(dialect.ending == Ending::CrLf);
        self.retire::<T>(kept.all().start / T::PAGE);
        let mut rendered = 0;
        let mut from = numbers.start;
        while from < numbers.end {
            let number = from / T::PAGE;
            let until = numbers.end.min((number + 1) * T::PAGE);
            let pages = &mut T::pages(self)[ending];
            if pages.get(&number).is_none_or(|page| page.piece(from..until).is_none()) {
                let page = Page::new(kept, number, dialect);
                rendered += page.text.len();
                if let Some(before) = pages.insert(number, page) {
                    self.put_aside(&before.text);
                }
            }
            let pages = &T::pages(self)[ending];
            pages.get(&number).and_then(|page| page.piece(from..until)).into_iter().for_each(&mut take);
            from = until;
        }
        rendered
    }

    /// What was put aside counts, at most.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Pages before this one are not asked for any more.
    fn retire<T: Told>(&mut self, first: u64) {
        for ending in [0, 1] {
            while let Some(oldest) = T::pages(self)[ending].first_entry().filter(|page| *page.key() < first) {
                let page = oldest.remove();
                self.put_aside(&page.text);
            }
        }
    }

    fn put_aside(&mut self, text: &Arc<[u8]>) {
        let bytes = text.len() + SEGMENT_OVERHEAD_BYTES;
        self.bytes += bytes;
        self.retired.push_back(Retired { text: Arc::downgrade(text), bytes, age: self.retirements });
        self.retirements += 1;
    }

    /// How many pages are out of date by now. What is lent from here on is none of them.
    pub(super) fn age(&self) -> u64 {
        self.retirements
    }

    /// Of pages that are out of date, takes back the oldest until the rest counts at most `bytes_max`. Returns the age of the last
    /// of these, if somebody still has to read one: whoever does was lent it at that age or before.
    pub(super) fn call_in(&mut self, bytes_max: usize) -> Option<u64> {
        if self.bytes <= bytes_max {
            return None;
        }
        self.retired.retain(|page| page.text.strong_count() > 0);
        self.bytes = self.retired.iter().map(|page| page.bytes).sum();
        let mut overdue = None;
        while self.bytes > bytes_max
            && let Some(oldest) = self.retired.pop_front()
        {
            self.bytes -= oldest.bytes;
            overdue = Some(oldest.age);
        }
        overdue
    }
}

impl Page {
    fn new<T: Told>(kept: &Kept<T>, number: u64, dialect: Dialect) -> Self {
        let numbers = number * T::PAGE..(number + 1) * T::PAGE;
        let first = numbers.start.max(kept.all().start);
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for line in kept.range(numbers) {
            dialect.write_line(&mut text, line);
            // A page is so many lines, each of a few thousand bytes.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { first, text: text.into(), ends }
    }

    /// The lines that tell these, if they are all in it.
    fn piece(&self, numbers: Range<u64>) -> Option<Piece> {
        let end = |number: u64| match number.checked_sub(self.first)? {
            0 => Some(0),
            place => self.ends.get(usize::try_from(place).ok()? - 1).copied(),
        };
        Some((Arc::clone(&self.text), end(numbers.start)?..end(numbers.end)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MessageId, Name, Text, Timestamp};
    use crate::room::RecentMessages;

    fn history(said: u64, kept: usize) -> RecentMessages {
        let mut history = RecentMessages::new(kept);
        for id in 0..said {
            let (name, text) = (Name::new("ann").unwrap(), Text::new(&format!("message {id}")).unwrap());
            history.push(Past { id: MessageId(id), at: Timestamp(0), name, text });
        }
        history
    }

    fn lent(replays: &mut Replays, history: &RecentMessages, numbers: Range<u64>) -> (String, usize) {
        let mut text = Vec::new();
        let take = |(page, range): Piece| text.extend_from_slice(&page[range.start as usize..range.end as usize]);
        let rendered = replays.lend(history.messages(), numbers, Dialect::default(), take);
        (String::from_utf8(text).unwrap(), rendered)
    }

    #[test]
    fn any_stretch_is_the_lines_that_tell_it_and_is_rendered_once() {
        for (said, kept) in [(40, 100), (100, 40), (16, 16), (32, 15)] {
            let history = history(said, kept);
            let mut replays = Replays::default();
            let all = history.messages().all();
            assert!(lent(&mut replays, &history, all.clone()).1 > 0);
            for start in all.clone() {
                for end in start..=all.end {
                    let expected: String =
                        history.messages().range(start..end).map(|past| format!("{past}\n")).collect();
                    assert_eq!(lent(&mut replays, &history, start..end), (expected, 0), "{start}..{end} of {all:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_new_is_rendered_with_little_of_what_is_old() {
        let mut replays = Replays::default();
        for said in 1..100 {
            let (text, rendered) = lent(&mut replays, &history(said, 50), said.saturating_sub(50)..said);
            assert_eq!(text.lines().count() as u64, said.min(50));
            assert!(rendered <= 1024, "{rendered} bytes");
        }
        assert!(replays.messages[0].len() <= 5, "those out of date are gone");
    }
}
