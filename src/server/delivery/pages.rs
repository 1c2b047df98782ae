//! The replies to `HISTORY`, `SINCE` and `CANVAS` in a room: rendered once, in pages, for all clients that ask.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use super::replies::{REPLY_STYLES, ReplyStyle};
use crate::feed::{Backlog, SharedLines};
use crate::limits::{PAGE_MESSAGES, PAGE_STROKES};
use crate::protocol::DrawnStroke;
use crate::state::{MemoryCost, Recent, RecentMessage};

/// The rendered pages of a room's history and canvas.
#[derive(Debug, Default)]
pub(super) struct PageCache {
    messages: RenderedPages,
    strokes: RenderedPages,
    /// Memory of the pages, in bytes.
    bytes: usize,
}

/// The rendered pages in each style, by page number.
pub(super) type RenderedPages = [BTreeMap<u64, RenderedPage>; REPLY_STYLES];

/// An item that is sent in pages. Page `n` has the items with the numbers from `n * ITEMS` on.
pub(super) trait PagedItem: MemoryCost + Display {
    /// Number of items in a page.
    const ITEMS: u64;

    /// The cached pages of this type of item.
    fn pages(cache: &mut PageCache) -> &mut RenderedPages;
}

impl PagedItem for RecentMessage {
    const ITEMS: u64 = PAGE_MESSAGES;

    fn pages(cache: &mut PageCache) -> &mut RenderedPages {
        &mut cache.messages
    }
}

impl PagedItem for DrawnStroke {
    const ITEMS: u64 = PAGE_STROKES;

    fn pages(cache: &mut PageCache) -> &mut RenderedPages {
        &mut cache.strokes
    }
}

/// The lines of a page. It may lack items that were evicted before it was rendered, or added afterwards.
#[derive(Debug)]
pub(super) struct RenderedPage {
    /// The number of its first item.
    first: u64,
    lines: Arc<SharedLines>,
    /// The offset at which each item ends, in bytes.
    ends: Vec<u32>,
}

impl PageCache {
    /// Calls `send` with the lines of the items with these numbers, page by page. Returns the number of bytes rendered for this call.
    /// Retires pages that are out of date.
    pub(super) fn render<T: PagedItem>(
        &mut self,
        items: &Recent<T>,
        numbers: Range<u64>,
        style: ReplyStyle<'_>,
        backlog: &Arc<Backlog>,
        mut send: impl FnMut(Arc<SharedLines>, Range<u32>),
    ) -> usize {
        let all = T::pages(self);
        let (mut retired, mut added) = (0, 0);
        for pages in &mut *all {
            while let Some(oldest) = pages.first_entry().filter(|page| *page.key() < items.all().start / T::ITEMS) {
                retired += oldest.remove().retire(backlog);
            }
        }
        let pages = &mut all[style.index()];
        let mut rendered = 0;
        let mut from = numbers.start;
        while from < numbers.end {
            let number = from / T::ITEMS;
            let until = numbers.end.min((number + 1) * T::ITEMS);
            if pages.get(&number).is_none_or(|page| page.range(from..until).is_none()) {
                let page = RenderedPage::new(items, number, style);
                rendered += page.lines.len();
                added += page.cost();
                if let Some(before) = pages.insert(number, page) {
                    retired += before.retire(backlog);
                }
            }
            if let Some(page) = pages.get(&number)
                && let Some(range) = page.range(from..until)
            {
                send(Arc::clone(&page.lines), range);
            }
            from = until;
        }
        self.bytes = self.bytes + added - retired;
        rendered
    }

    /// Retires the pages of messages, because one of them was deleted.
    pub(super) fn forget_messages(&mut self, backlog: &Arc<Backlog>) {
        for page in self.messages.iter_mut().flat_map(std::mem::take).map(|(_, page)| page) {
            self.bytes -= page.retire(backlog);
        }
    }

    /// Retires all pages.
    pub(super) fn retire(&self, backlog: &Arc<Backlog>) {
        let all = self.messages.iter().chain(&self.strokes);
        all.flat_map(BTreeMap::values).for_each(|page| page.lines.retire(backlog));
    }

    /// Memory of the pages, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl RenderedPage {
    fn new<T: PagedItem>(items: &Recent<T>, number: u64, style: ReplyStyle<'_>) -> Self {
        let numbers = number * T::ITEMS..(number + 1) * T::ITEMS;
        let first = numbers.start.max(items.all().start);
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for item in items.range(numbers) {
            style.write_line(&mut text, item);
            // The conversion cannot fail: a page has few lines, each of a few thousand bytes.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { first, lines: Arc::new(SharedLines::new(text)), ends }
    }

    /// Memory of the page, in bytes.
    fn cost(&self) -> usize {
        self.lines.cost() + self.ends.capacity() * size_of::<u32>()
    }

    /// Retires the lines. Returns the memory of the page, in bytes.
    fn retire(self, backlog: &Arc<Backlog>) -> usize {
        self.lines.retire(backlog);
        self.cost()
    }

    /// The bytes of the items with these numbers. `None` if the page lacks one of them.
    fn range(&self, numbers: Range<u64>) -> Option<Range<u32>> {
        let end = |number: u64| match number.checked_sub(self.first)? {
            0 => Some(0),
            count => self.ends.get(usize::try_from(count).ok()? - 1).copied(),
        };
        Some(end(numbers.start)?..end(numbers.end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Dialect, MessageId, Name, PastMessage, RoomName, Text, Timestamp};
    use crate::state::{Author, Budget, RecentMessages, RoomId};

    fn history(published: u64, count_max: usize) -> RecentMessages {
        let (mut history, mut budget) = (RecentMessages::default(), Budget::new(count_max, usize::MAX));
        for id in 0..published {
            let (name, text) = (Name::new("ann").unwrap(), Text::new(&format!("message {id}")).unwrap());
            let past = PastMessage { id: MessageId(id), at: Timestamp(0), name, text: Some(text) };
            history.push(&mut budget, RoomId::LOBBY, RecentMessage { past, author: Author::default() });
        }
        history
    }

    /// Returns the lines of these messages, and the number of bytes rendered for them.
    fn render(cache: &mut PageCache, history: &RecentMessages, numbers: Range<u64>) -> (String, usize) {
        let mut text = Vec::new();
        let send = |lines: Arc<SharedLines>, range: Range<u32>| {
            text.extend_from_slice(&lines[range.start as usize..range.end as usize]);
        };
        let style = ReplyStyle { room: RoomId::LOBBY, name: &RoomName::lobby(), dialect: Dialect::default() };
        let rendered = cache.render(history.messages(), numbers, style, &Arc::default(), send);
        let pages = cache.messages.iter().flat_map(BTreeMap::values);
        assert_eq!(cache.bytes(), pages.map(RenderedPage::cost).sum::<usize>());
        (String::from_utf8(text).unwrap(), rendered)
    }

    #[test]
    fn page_cache_renders_each_message_once() {
        for (published, count_max) in [(40, 100), (100, 40), (16, 16), (32, 15)] {
            let history = history(published, count_max);
            let mut cache = PageCache::default();
            let all = history.messages().all();
            assert!(render(&mut cache, &history, all.clone()).1 > 0);
            for start in all.clone() {
                for end in start..=all.end {
                    let expected: String =
                        history.messages().range(start..end).map(|past| format!("{past}\n")).collect();
                    assert_eq!(render(&mut cache, &history, start..end), (expected, 0), "{start}..{end} of {all:?}");
                }
            }
        }
    }

    #[test]
    fn page_cache_renders_few_old_messages_with_a_new_one() {
        let mut cache = PageCache::default();
        for published in 1..100 {
            let (text, rendered) = render(&mut cache, &history(published, 50), published.saturating_sub(50)..published);
            assert_eq!(text.lines().count() as u64, published.min(50));
            assert!(rendered <= 1024, "{rendered} bytes");
        }
        assert!(cache.messages[0].len() <= 5, "pages that are out of date are still cached");
    }
}
