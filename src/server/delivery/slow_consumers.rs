//! Limits the memory for unread output, and selects the slow consumers to disconnect. A client is a slow consumer if
//!
//! - the unread output of all clients exceeds its limit, and this client has one of the largest parts (this module);
//! - it is sent a whisper while more than [`WHISPER_BYTES_MAX`](crate::limits::WHISPER_BYTES_MAX) of whispers wait for
//!   it ([`super::Delivery`]);
//! - without a store, the feed evicts its next event ([`super::Delivery`], `connection::writer`);
//! - with a store, the messages that it missed cannot be read (`Progress::Unreadable` in `connection::writer`);
//! - its socket accepts nothing for the `--send-timeout` (`connection::writer`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::feed::{Feed, Mailbox};
use crate::limits::{BACKLOG_FEEDS, BACKLOG_GROWTH_SHARE};
use crate::state::SessionId;

/// The limit on all unread output, feed included.
#[derive(Debug)]
pub(super) struct BacklogLimit {
    bytes_max: usize,
    /// The unread output after the last search for slow consumers, or less. Memory of clients that were disconnected
    /// then may still be part of it.
    searched_bytes: usize,
}

/// The clients that hold some retired lines: lines that no further client will get.
struct Holders {
    /// The memory of the lines, in bytes.
    cost: usize,
    /// The number of clients.
    count: usize,
}

/// A client's part of the unread output.
struct ClientBacklog {
    session: SessionId,
    own_bytes: usize,
    /// Keys of [`Holders`], without duplicates.
    shared: Vec<usize>,
}

impl BacklogLimit {
    pub(super) fn new(feed: &Feed) -> Self {
        Self { bytes_max: BACKLOG_FEEDS * feed.bytes_max(), searched_bytes: 0 }
    }

    /// The clients to disconnect so that the unread output falls below the limit: the client with the largest part of
    /// it, then the next. Lines that several clients hold are divided among them.
    pub(super) fn find_slow<'a>(
        &mut self,
        feed: &Feed,
        clients: impl Iterator<Item = (SessionId, &'a Arc<Mailbox>)>,
    ) -> Vec<SessionId> {
        let backlog = feed.backlog().bytes();
        self.searched_bytes = self.searched_bytes.min(backlog);
        // A search visits all clients, so it is repeated only after the unread output has grown.
        if backlog <= self.bytes_max.max(self.searched_bytes + self.bytes_max / BACKLOG_GROWTH_SHARE) {
            return Vec::new();
        }
        self.searched_bytes = backlog;
        select_largest(clients, self.bytes_max.saturating_sub(feed.bytes()))
    }
}

/// Selects the clients with the largest parts of the unread output, as few as leave at most `bytes_max` of it.
fn select_largest<'a>(
    clients: impl Iterator<Item = (SessionId, &'a Arc<Mailbox>)>,
    bytes_max: usize,
) -> Vec<SessionId> {
    let mut lines = BTreeMap::new();
    let mut backlogs: Vec<ClientBacklog> =
        clients.map(|(session, mailbox)| measure_backlog(session, mailbox, &mut lines)).collect();
    let mut left = backlogs.iter().map(|backlog| backlog.own_bytes).sum::<usize>();
    left += lines.values().map(|holders| holders.cost).sum::<usize>();
    let part = |backlog: &ClientBacklog| {
        let shared = backlog.shared.iter().filter_map(|key| lines.get(key));
        backlog.own_bytes + shared.map(|holders| holders.cost / holders.count).sum::<usize>()
    };
    backlogs.sort_by_cached_key(|backlog| (Reverse(part(backlog)), backlog.session));
    let mut slow = Vec::new();
    for ClientBacklog { session, own_bytes, shared } in backlogs {
        if left <= bytes_max {
            break;
        }
        left -= own_bytes;
        for key in shared {
            let Some(holders) = lines.get_mut(&key) else { continue };
            holders.count -= 1;
            left -= if holders.count == 0 { holders.cost } else { 0 };
        }
        slow.push(session);
    }
    slow
}

/// Measures a client's part of the unread output. Adds the client to the holders of its lines.
fn measure_backlog(session: SessionId, mailbox: &Mailbox, lines: &mut BTreeMap<usize, Holders>) -> ClientBacklog {
    let mut shared = Vec::new();
    let own_bytes = mailbox.measure_memory(|held| {
        if held.is_retired() {
            shared.push((Arc::as_ptr(held).addr(), held.cost()));
        }
    });
    shared.sort_unstable();
    shared.dedup();
    for &(key, cost) in &shared {
        lines.entry(key).or_insert(Holders { cost, count: 0 }).count += 1;
    }
    ClientBacklog { session, own_bytes, shared: shared.into_iter().map(|(key, _)| key).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Backlog, CursorMove, InsertionPoint, Publisher, SharedLines};

    /// Of a client that follows no room.
    fn insertion_point() -> InsertionPoint {
        let turn = Publisher::new(Arc::new(Feed::new(1))).turn();
        InsertionPoint { turn, at: None, is_alone: true }
    }

    fn mailbox(backlog: &Arc<Backlog>, own_bytes: usize, shared: &[&Arc<SharedLines>]) -> Arc<Mailbox> {
        let mailbox = Mailbox::new(backlog);
        mailbox.insert(insertion_point(), CursorMove::Stay, |text| text.resize(own_bytes, b'x'));
        for lines in shared {
            mailbox.insert_shared(insertion_point(), Arc::clone(lines), 0..1);
        }
        Arc::new(mailbox)
    }

    fn retired(backlog: &Arc<Backlog>, bytes: usize) -> Arc<SharedLines> {
        let lines = SharedLines::new(vec![b'x'; bytes]);
        lines.retire(backlog);
        Arc::new(lines)
    }

    fn slow(mailboxes: &[Arc<Mailbox>], bytes_max: usize) -> Vec<u64> {
        let clients = (1..).map(SessionId).zip(mailboxes);
        select_largest(clients, bytes_max).iter().map(|session| session.0).collect()
    }

    #[test]
    fn select_largest_divides_common_lines() {
        let backlog = Arc::default();
        let (alone, common) = (retired(&backlog, 50_000), retired(&backlog, 90_000));
        let mailboxes = [
            mailbox(&backlog, 20_000, &[&common]),
            mailbox(&backlog, 100, &[&common]),
            mailbox(&backlog, 100, &[&common, &alone, &alone]),
        ];
        assert_eq!(slow(&mailboxes, 200_000), [0; 0]);
        // Each client has 30,000 bytes of the common lines, and its own bytes.
        assert_eq!(slow(&mailboxes, 150_000), [3]);
        assert_eq!(slow(&mailboxes, 100_000), [3, 1]);
        assert_eq!(slow(&mailboxes, 0), [3, 1, 2]);
    }

    #[test]
    fn cached_lines_count_only_when_retired() {
        let backlog = Arc::default();
        let cached = Arc::new(SharedLines::new(vec![b'x'; 1_000_000]));
        let mailboxes = [mailbox(&backlog, 10, &[&cached]), mailbox(&backlog, 2_000, &[])];
        assert_eq!(slow(&mailboxes, 1_000), [2]);
        cached.retire(&backlog);
        assert_eq!(slow(&mailboxes, 1_000), [1, 2]);
    }

    #[test]
    fn discarded_mailbox_leaves_no_backlog() {
        let backlog: Arc<Backlog> = Arc::default();
        let lines = retired(&backlog, 1_000);
        let mailbox = mailbox(&backlog, 500, &[&lines]);
        drop(lines);
        assert!(backlog.bytes() > 1_500);
        mailbox.discard();
        mailbox.insert(insertion_point(), CursorMove::Stay, |text| text.push(b'x'));
        drop(mailbox);
        assert_eq!(backlog.bytes(), 0);
    }
}
