//! Bounds the memory for output that clients have not read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::feed::{Feed, Mailbox};
use crate::limits::{BACKLOG_FEEDS, BACKLOG_GROWTH_SHARE};
use crate::room::SessionId;

/// The limit on the backlog of all clients, feed included.
#[derive(Debug)]
pub(super) struct BacklogLimit {
    bytes_max: usize,
    /// The backlog after the last search for slow consumers, or less. Memory of clients that were disconnected then may be part of it.
    searched: usize,
}

/// Retired lines, and how many clients hold them.
struct Holders {
    cost: usize,
    count: usize,
}

/// A client's part of the backlog.
struct Holding {
    session: SessionId,
    own_bytes: usize,
    /// Keys of [`Holders`], without duplicates.
    shared: Vec<usize>,
}

impl BacklogLimit {
    pub(super) fn new(feed: &Feed) -> Self {
        Self { bytes_max: BACKLOG_FEEDS * feed.bytes_max(), searched: 0 }
    }

    /// The clients to disconnect so that the backlog falls below the limit. Each time it is the client that alone holds back most of it:
    /// lines that several clients hold are divided among them.
    pub(super) fn find_slow<'a>(
        &mut self,
        feed: &Feed,
        clients: impl Iterator<Item = (SessionId, &'a Arc<Mailbox>)>,
    ) -> Vec<SessionId> {
        let backlog = feed.backlog().bytes();
        self.searched = self.searched.min(backlog);
        // A search looks at all clients, so it is repeated only after the backlog has grown.
        if backlog <= self.bytes_max.max(self.searched + self.bytes_max / BACKLOG_GROWTH_SHARE) {
            return Vec::new();
        }
        self.searched = backlog;
        disconnect_greatest(clients, self.bytes_max.saturating_sub(feed.bytes()))
    }
}

/// The clients with the greatest parts of the backlog, of which at most `bytes_max` are left without them.
fn disconnect_greatest<'a>(
    clients: impl Iterator<Item = (SessionId, &'a Arc<Mailbox>)>,
    bytes_max: usize,
) -> Vec<SessionId> {
    let mut lines = BTreeMap::new();
    let mut holdings: Vec<Holding> = clients.map(|(session, mailbox)| holding(session, mailbox, &mut lines)).collect();
    let mut left = holdings.iter().map(|holding| holding.own_bytes).sum::<usize>();
    left += lines.values().map(|holders| holders.cost).sum::<usize>();
    let part = |holding: &Holding| {
        let shared = holding.shared.iter().filter_map(|key| lines.get(key));
        holding.own_bytes + shared.map(|holders| holders.cost / holders.count).sum::<usize>()
    };
    holdings.sort_by_cached_key(|holding| (Reverse(part(holding)), holding.session));
    let mut slow = Vec::new();
    for Holding { session, own_bytes, shared } in holdings {
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

/// What a client holds. Adds it to the holders of its lines.
fn holding(session: SessionId, mailbox: &Mailbox, lines: &mut BTreeMap<usize, Holders>) -> Holding {
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
    Holding { session, own_bytes, shared: shared.into_iter().map(|(key, _)| key).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Backlog, SharedLines};

    fn mailbox(backlog: &Arc<Backlog>, own_bytes: usize, shared: &[&Arc<SharedLines>]) -> Arc<Mailbox> {
        let mailbox = Mailbox::new(backlog);
        mailbox.insert(None, None, |text| text.resize(own_bytes, b'x'));
        for lines in shared {
            mailbox.insert_shared(None, Arc::clone(lines), 0..1);
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
        disconnect_greatest(clients, bytes_max).iter().map(|session| session.0).collect()
    }

    #[test]
    fn client_that_alone_holds_most_is_disconnected() {
        let backlog = Arc::default();
        let (alone, common) = (retired(&backlog, 50_000), retired(&backlog, 90_000));
        let mailboxes = [
            mailbox(&backlog, 20_000, &[&common]),
            mailbox(&backlog, 100, &[&common]),
            mailbox(&backlog, 100, &[&common, &alone, &alone]),
        ];
        assert_eq!(slow(&mailboxes, 200_000), [0; 0]);
        // 30,000 bytes of the common lines each, and what each client alone holds.
        assert_eq!(slow(&mailboxes, 150_000), [3]);
        assert_eq!(slow(&mailboxes, 100_000), [3, 1]);
        assert_eq!(slow(&mailboxes, 0), [3, 1, 2]);
    }

    #[test]
    fn lines_that_are_still_cached_are_nobodys_backlog() {
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
        mailbox.insert(None, None, |text| text.push(b'x'));
        drop(mailbox);
        assert_eq!(backlog.bytes(), 0);
    }
}
