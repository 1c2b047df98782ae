//! Decides which waiting query a reading thread serves next.

use std::collections::VecDeque;
use std::sync::{Arc, Weak, mpsc};
use std::time::{Duration, Instant};

use crate::limits::QUERY_OLDEST_SHARE;

/// The queries that wait for one thread. A consumer asks for one page of one query at a time, so there are at most as many as
/// consumers.
///
/// A long query takes several turns. The query with the fewest turns goes first; among equals, the oldest one. So a short answer, or the
/// next page of a long one, does not wait for long queries of other consumers. A share of the time goes to the oldest query, however many
/// turns it has had.
#[derive(Debug)]
pub(super) struct QueryQueue<Q> {
    requests: mpsc::Receiver<Weak<Q>>,
    /// In order of arrival; a query goes to the end after its turn.
    waiting: VecDeque<WaitingQuery<Q>>,
    oldest: OldestShare,
}

/// A waiting query. Held weakly: a query whose consumer has dropped it is removed.
#[derive(Debug)]
struct WaitingQuery<Q> {
    query: Weak<Q>,
    turns: u32,
}

/// Gives the oldest query its share of the time, and not more.
#[derive(Debug, Default)]
struct OldestShare {
    /// Time that the other queries must have before it is due again.
    others: Duration,
}

impl OldestShare {
    fn is_due(&self) -> bool {
        self.others.is_zero()
    }

    /// Accounts for a turn, of the oldest query or of another one.
    fn count(&mut self, was_oldest: bool, turn: Duration) {
        self.others = if was_oldest { turn * (QUERY_OLDEST_SHARE - 1) } else { self.others.saturating_sub(turn) };
    }
}

impl<Q> QueryQueue<Q> {
    pub(super) fn new(requests: mpsc::Receiver<Weak<Q>>) -> Self {
        Self { requests, waiting: VecDeque::new(), oldest: OldestShare::default() }
    }

    /// Gives one query a turn; waits for a query if there is none. `run_turn` does the work of one turn and returns whether the query
    /// needs another one. Returns false once all senders are dropped.
    pub(super) fn give_turn(&mut self, run_turn: impl FnOnce(&Arc<Q>) -> bool) -> bool {
        if self.waiting.is_empty() {
            let Ok(query) = self.requests.recv() else { return false };
            self.waiting.push_back(WaitingQuery { query, turns: 0 });
        }
        self.waiting.extend(self.requests.try_iter().map(|query| WaitingQuery { query, turns: 0 }));
        self.waiting.retain(|waiting| waiting.query.strong_count() > 0);
        let is_oldest = self.oldest.is_due();
        let fewest = self.waiting.iter().enumerate().min_by_key(|(_, waiting)| waiting.turns).map(|(index, _)| index);
        let next =
            if is_oldest { self.waiting.pop_front() } else { fewest.and_then(|index| self.waiting.remove(index)) };
        let Some((query, turns)) = next.and_then(|next| Some((next.query.upgrade()?, next.turns))) else { return true };
        let started = Instant::now();
        if run_turn(&query) {
            self.waiting.push_back(WaitingQuery { query: Arc::downgrade(&query), turns: turns + 1 });
        }
        self.oldest.count(is_oldest, started.elapsed());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, and the turns that the job needs.
    type TestJob = (&'static str, u32);

    /// Gives turns until no job waits, and returns the names of the jobs in the order of their turns.
    fn turns(
        queue: &mut QueryQueue<TestJob>,
        others: Duration,
        given: &[Arc<TestJob>],
        asks: mpsc::Sender<Weak<TestJob>>,
    ) -> String {
        for job in given {
            asks.send(Arc::downgrade(job)).unwrap();
        }
        drop(asks);
        let mut order = String::new();
        let mut had = std::collections::BTreeMap::new();
        loop {
            queue.oldest.others = others;
            let goes_on = queue.give_turn(|job| {
                order.push_str(job.0);
                let had = had.entry(job.0).or_insert(0);
                *had += 1;
                *had < job.1
            });
            if !goes_on {
                return order;
            }
        }
    }

    fn queue() -> (QueryQueue<TestJob>, mpsc::Sender<Weak<TestJob>>) {
        let (asks, requests) = mpsc::channel();
        (QueryQueue::new(requests), asks)
    }

    #[test]
    fn query_with_fewest_turns_comes_first() {
        let (mut queue, asks) = queue();
        let jobs = [("a", 3), ("b", 1), ("c", 2), ("d", 1)].map(Arc::new);
        assert_eq!(turns(&mut queue, Duration::MAX, &jobs, asks), "abcdaca");
    }

    #[test]
    fn short_query_overtakes_long_ones() {
        let (mut queue, asks) = queue();
        let long: Vec<_> = ["a", "b", "c"].map(|name| Arc::new((name, 100))).into();
        queue.waiting.extend(long.iter().map(|job| WaitingQuery { query: Arc::downgrade(job), turns: 7 }));
        let short = [Arc::new(("s", 2))];
        assert!(turns(&mut queue, Duration::MAX, &short, asks).starts_with("ssabcabc"));
    }

    #[test]
    fn oldest_query_is_due_after_its_share() {
        let (mut queue, asks) = queue();
        let jobs = [("a", 3), ("b", 1)].map(Arc::new);
        queue.waiting.push_back(WaitingQuery { query: Arc::downgrade(&jobs[0]), turns: 9 });
        assert_eq!(turns(&mut queue, Duration::ZERO, &jobs[1..], asks), "abaa");
        let mut share = OldestShare::default();
        assert!(share.is_due());
        share.count(true, Duration::from_millis(10));
        for _ in 0..QUERY_OLDEST_SHARE - 1 {
            assert!(!share.is_due());
            share.count(false, Duration::from_millis(10));
        }
        assert!(share.is_due());
    }

    #[test]
    fn query_without_consumer_is_dropped() {
        let (mut queue, asks) = queue();
        let kept = [Arc::new(("a", 1))];
        asks.send(Arc::downgrade(&Arc::new(("gone", 1)))).unwrap();
        assert_eq!(turns(&mut queue, Duration::MAX, &kept, asks), "a");
    }
}
