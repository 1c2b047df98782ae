//! The long replies that all clients of a room share, for all rooms ([`ReplyCaches`]).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use super::pages::{PageCache, PagedItem};
use super::user_lists::UserLists;
use crate::feed::{Backlog, Feed, SharedLines};
use crate::protocol::{Dialect, RoomName, User};
use crate::state::{Recent, RoomId};

/// Rendered replies to `WHO`, `STATUS`, `HISTORY`, `SINCE` and `CANVAS`. They take at most as much memory as the feed: the replies of the
/// rooms that were asked for least recently are dropped.
#[derive(Debug)]
pub(super) struct ReplyCaches {
    rooms: BTreeMap<RoomId, RoomReplies>,
    /// The rooms, by the number of their last use.
    by_use: BTreeMap<u64, RoomId>,
    uses: u64,
    /// Memory of all replies, in bytes. `bytes <= bytes_max`, or there is only one room.
    bytes: usize,
    bytes_max: usize,
    /// The counter of unread output, for replies that are dropped while a client still reads them.
    backlog: Arc<Backlog>,
}

#[derive(Debug, Default)]
struct RoomReplies {
    user_lists: UserLists,
    pages: PageCache,
    last_use: u64,
}

/// How a reply about a room is rendered.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyStyle<'a> {
    pub(super) room: RoomId,
    pub(super) name: &'a RoomName,
    pub(super) dialect: Dialect,
}

/// Number of styles of one room: replies have no tags.
pub(super) const REPLY_STYLES: usize = 4;

impl ReplyStyle<'_> {
    /// Number of the style among those of the room.
    pub(super) fn index(self) -> usize {
        self.dialect.ending.index() + 2 * usize::from(self.dialect.room_names)
    }

    pub(super) fn write_line(self, text: &mut Vec<u8>, line: impl Display) {
        self.dialect.write_room_line(text, self.name, line);
    }
}

impl ReplyCaches {
    pub(super) fn new(feed: &Feed) -> Self {
        Self {
            rooms: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max: feed.bytes_max(),
            backlog: Arc::clone(feed.backlog()),
        }
    }

    /// See [`UserLists::render`].
    pub(super) fn render_users(&mut self, style: ReplyStyle<'_>, users: Arc<[User]>) -> (Arc<SharedLines>, usize) {
        self.with_room(style.room, |replies, backlog| replies.user_lists.render(users, style, backlog))
    }

    /// See [`PageCache::render`].
    pub(super) fn render_pages<T: PagedItem>(
        &mut self,
        style: ReplyStyle<'_>,
        items: &Recent<T>,
        numbers: Range<u64>,
        send: impl FnMut(Arc<SharedLines>, Range<u32>),
    ) -> usize {
        self.with_room(style.room, |replies, backlog| replies.pages.render(items, numbers, style, backlog, send))
    }

    /// Drops the rendered messages of a room, because one of them was deleted.
    pub(super) fn forget_messages(&mut self, room: RoomId) {
        let Some(replies) = self.rooms.get_mut(&room) else { return };
        let before = replies.bytes();
        replies.pages.forget_messages(&self.backlog);
        self.bytes = self.bytes + replies.bytes() - before;
    }

    /// Drops the replies of a room.
    pub(super) fn remove(&mut self, room: RoomId) {
        let Some(replies) = self.rooms.remove(&room) else { return };
        self.by_use.remove(&replies.last_use);
        self.bytes -= replies.bytes();
        replies.user_lists.retire(&self.backlog);
        replies.pages.retire(&self.backlog);
    }

    fn with_room<R>(&mut self, room: RoomId, render: impl FnOnce(&mut RoomReplies, &Arc<Backlog>) -> R) -> R {
        let replies = self.rooms.entry(room).or_default();
        let before = replies.bytes();
        let rendered = render(replies, &self.backlog);
        self.bytes = self.bytes + replies.bytes() - before;
        self.uses += 1;
        self.by_use.remove(&std::mem::replace(&mut replies.last_use, self.uses));
        self.by_use.insert(self.uses, room);
        while self.bytes > self.bytes_max
            && let Some((_, least)) = self.by_use.first_key_value()
            && *least != room
        {
            self.remove(*least);
        }
        rendered
    }
}

impl RoomReplies {
    fn bytes(&self) -> usize {
        self.user_lists.bytes() + self.pages.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Name, Rank};

    fn render(caches: &mut ReplyCaches, room: u32, users: &Arc<[User]>) -> (Arc<SharedLines>, usize) {
        let style = ReplyStyle { room: RoomId(room), name: &RoomName::lobby(), dialect: Dialect::default() };
        caches.render_users(style, Arc::clone(users))
    }

    fn users(count: usize) -> Arc<[User]> {
        let name = |number| Name::new(&format!("n{number:0>30}")).unwrap();
        (0..count)
            .map(|number| User { name: name(number), coordinator: false, details: None, rank: Rank::Member })
            .collect()
    }

    #[test]
    fn caches_of_many_rooms_are_bounded() {
        let feed = Feed::new(100_000);
        let mut caches = ReplyCaches::new(&feed);
        let users = users(100);
        let (held, bytes) = render(&mut caches, 0, &users);
        let fitting = u32::try_from(feed.bytes_max() / held.cost()).unwrap();
        for room in 1..fitting {
            assert_eq!(render(&mut caches, room, &users).1, bytes);
        }
        assert_eq!(render(&mut caches, 0, &users).1, 0, "room 0 is still cached");
        for room in fitting..10 * fitting {
            assert_eq!(render(&mut caches, room, &users).1, bytes);
            assert!(caches.bytes <= feed.bytes_max());
        }
        assert_eq!(caches.bytes, caches.rooms.values().map(RoomReplies::bytes).sum::<usize>());
        assert_eq!((caches.rooms.len(), caches.by_use.len()), (fitting as usize, fitting as usize));
        // A client still reads the list of room 0, which is not cached any more.
        assert_eq!(feed.backlog().bytes(), held.cost());
        drop(held);
        assert_eq!(feed.backlog().bytes(), 0);
    }

    #[test]
    fn cache_of_room_in_use_is_kept() {
        let mut caches = ReplyCaches::new(&Feed::new(1));
        let users = users(10);
        assert!(render(&mut caches, 1, &users).1 > 0);
        assert_eq!(render(&mut caches, 1, &users).1, 0);
        caches.remove(RoomId(1));
        assert!(render(&mut caches, 1, &users).1 > 0);
    }
}
