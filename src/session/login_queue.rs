//! The passwords that wait to be checked or hashed. The addresses take turns, so a client does not wait for all passwords from another
//! address. If too many wait, those of the address with the most waiting ones make room for those of others.
//!
//! No two passwords from one address are in progress at a time. So the result of each counts before the next one starts: many
//! connections gain no guesses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use super::SessionId;
use crate::limits::{LOGINS_WAITING_MAX, LOGINS_WAITING_OF_ONE_MAX};

/// An address as [`counted_address`](super::counted_address) has it; `None`: all clients on Unix sockets, so that a user of the machine
/// gets no more turns from more connections.
type Address = Option<IpAddr>;

/// The waiting jobs, and those in progress. `J` is a job of a session; each session has at most one.
#[derive(Debug)]
pub(super) struct LoginQueue<J> {
    waiting: BTreeMap<Address, VecDeque<(SessionId, J)>>,
    /// The addresses in `waiting`, by the number of their jobs.
    by_length: BTreeSet<(usize, Address)>,
    /// The addresses with waiting jobs and without one in progress, in the order of their turns.
    turns: VecDeque<Address>,
    in_progress: BTreeMap<SessionId, (Address, J)>,
    /// The sessions with waiting jobs.
    sessions: BTreeSet<SessionId>,
    /// Most jobs in progress.
    threads: usize,
}

/// Too many jobs wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

impl<J> LoginQueue<J> {
    /// Creates an empty queue, of which this number of jobs may be in progress.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            by_length: BTreeSet::new(),
            turns: VecDeque::new(),
            in_progress: BTreeMap::new(),
            sessions: BTreeSet::new(),
            threads,
        }
    }

    /// The number of waiting jobs.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Appends a job. If the queue is full, the newest job of the address with the most waiting jobs makes room, and is returned.
    ///
    /// # Errors
    /// Too many jobs wait: of this address, or of all, and no address has at least two more than this one.
    pub(super) fn push(
        &mut self,
        address: Address,
        session: SessionId,
        job: J,
    ) -> Result<Option<(SessionId, J)>, QueueFull> {
        let of_one = self.waiting_of(address);
        if of_one >= LOGINS_WAITING_OF_ONE_MAX {
            return Err(QueueFull);
        }
        let displaced = if self.sessions.len() >= LOGINS_WAITING_MAX { Some(self.make_room(of_one)?) } else { None };
        self.waiting.entry(address).or_default().push_back((session, job));
        self.record_length(address, of_one);
        self.sessions.insert(session);
        if of_one == 0 && !self.is_in_progress(address) {
            self.turns.push_back(address);
        }
        Ok(displaced)
    }

    /// Removes the newest job of the address with the most waiting jobs, for an address with this number of them. The only job of an address
    /// keeps its place.
    fn make_room(&mut self, of_one: usize) -> Result<(SessionId, J), QueueFull> {
        let (longest, address) = *self.by_length.last().ok_or(QueueFull)?;
        if of_one + 1 >= longest {
            return Err(QueueFull);
        }
        let newest = self.waiting.get_mut(&address).and_then(VecDeque::pop_back).ok_or(QueueFull)?;
        self.record_length(address, longest);
        self.sessions.remove(&newest.0);
        Ok(newest)
    }

    /// Starts the next job, if a thread is free: returns its session.
    pub(super) fn start_next(&mut self) -> Option<(SessionId, &mut J)> {
        if self.in_progress.len() >= self.threads {
            return None;
        }
        let address = self.turns.pop_front()?;
        let before = self.waiting_of(address);
        let (session, job) = self.waiting.get_mut(&address)?.pop_front()?;
        self.record_length(address, before);
        self.sessions.remove(&session);
        let (_, job) = self.in_progress.entry(session).or_insert((address, job));
        Some((session, job))
    }

    /// Ends the job of a session that is in progress, and returns it.
    pub(super) fn finish(&mut self, session: SessionId) -> Option<J> {
        let (address, job) = self.in_progress.remove(&session)?;
        if self.waiting.contains_key(&address) {
            self.turns.push_back(address);
        }
        Some(job)
    }

    /// Whether a job of the session waits, or is in progress.
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains(&session) || self.in_progress.contains_key(&session)
    }

    fn waiting_of(&self, address: Address) -> usize {
        self.waiting.get(&address).map_or(0, VecDeque::len)
    }

    /// Records the number of waiting jobs of an address that had `before` of them. Forgets an address without jobs.
    fn record_length(&mut self, address: Address, before: usize) {
        self.by_length.remove(&(before, address));
        match self.waiting_of(address) {
            0 => drop(self.waiting.remove(&address)),
            length => drop(self.by_length.insert((length, address))),
        }
    }

    fn is_in_progress(&self, address: Address) -> bool {
        self.in_progress.values().any(|(other, _)| *other == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        [10, 0, high, low].into()
    }

    /// Adds a job that has the number of its address. Returns the session whose job made room.
    fn push(queue: &mut LoginQueue<u16>, number: u16, session: u64) -> Result<Option<u64>, QueueFull> {
        let displaced = queue.push(Some(address(number)), SessionId(session), number)?;
        Ok(displaced.map(|(SessionId(session), _)| session))
    }

    fn start(queue: &mut LoginQueue<u16>) -> Option<u64> {
        queue.start_next().map(|(SessionId(session), _)| session)
    }

    /// Adds jobs of an address, of sessions from this number on, until one is refused, or makes room. Returns their count.
    fn fill(queue: &mut LoginQueue<u16>, number: u16, first: u64) -> usize {
        (first..first + 2000).take_while(|session| push(queue, number, *session) == Ok(None)).count()
    }

    /// A queue with as many jobs as may wait, of eight addresses. The last session of the address `number` is `number * 1000 + 127`.
    fn full() -> LoginQueue<u16> {
        let mut queue = LoginQueue::new(1);
        for number in 1..=8 {
            for nth in 0..LOGINS_WAITING_OF_ONE_MAX as u64 {
                assert_eq!(push(&mut queue, number, u64::from(number) * 1000 + nth), Ok(None));
            }
        }
        assert_eq!(queue.sessions.len(), LOGINS_WAITING_MAX);
        queue
    }

    #[test]
    fn addresses_take_turns() {
        let mut queue = LoginQueue::new(1);
        for session in 0..3 {
            push(&mut queue, 1, session).unwrap();
        }
        push(&mut queue, 2, 10).unwrap();
        push(&mut queue, 2, 11).unwrap();
        let mut order = Vec::new();
        while let Some(session) = start(&mut queue) {
            assert_eq!(start(&mut queue), None, "there is one thread");
            assert_eq!(queue.finish(SessionId(session)), Some(if session < 10 { 1 } else { 2 }));
            order.push(session);
        }
        assert_eq!(order, [0, 10, 1, 11, 2]);
        assert!(queue.waiting.is_empty() && queue.turns.is_empty() && queue.sessions.is_empty());
        assert!(queue.by_length.is_empty());
    }

    /// Otherwise an address could guess as often at once as there are threads, whatever its bucket has.
    #[test]
    fn one_job_of_an_address_is_in_progress() {
        let mut queue = LoginQueue::new(3);
        push(&mut queue, 1, 1).unwrap();
        assert!(queue.contains(SessionId(1)) && !queue.contains(SessionId(2)));
        assert_eq!(start(&mut queue), Some(1));
        assert!(queue.contains(SessionId(1)));
        push(&mut queue, 1, 2).unwrap();
        assert_eq!(start(&mut queue), None);
        push(&mut queue, 2, 3).unwrap();
        assert_eq!(start(&mut queue), Some(3));
        assert!(queue.finish(SessionId(1)).is_some() && queue.finish(SessionId(1)).is_none());
        assert_eq!((start(&mut queue), start(&mut queue)), (Some(2), None));
    }

    #[test]
    fn jobs_of_one_address_are_limited() {
        let mut queue = LoginQueue::new(1);
        assert_eq!(fill(&mut queue, 1, 1), LOGINS_WAITING_OF_ONE_MAX);
        assert_eq!(push(&mut queue, 1, 9999), Err(QueueFull));
        assert_eq!(start(&mut queue), Some(1));
        assert_eq!(push(&mut queue, 1, 9999), Ok(None));
        // Also of all clients on Unix sockets together.
        let local = (10_000..).map(SessionId);
        assert_eq!(
            local.take_while(|session| queue.push(None, *session, 0).is_ok()).count(),
            LOGINS_WAITING_OF_ONE_MAX
        );
    }

    /// Eight addresses lock nobody out.
    #[test]
    fn full_queue_makes_room_for_addresses_with_fewer_jobs() {
        let mut queue = full();
        assert_eq!(push(&mut queue, 9, 1), Ok(Some(8127)), "the newest job of an address with the most");
        assert!(!queue.contains(SessionId(8127)) && queue.contains(SessionId(8126)) && queue.contains(SessionId(1)));
        assert_eq!(push(&mut queue, 8, 8128), Err(QueueFull), "127 wait, and 128 of the others");
        // The ninth address has its turn after those that came before it.
        let mut order = Vec::new();
        for _ in 0..9 {
            let session = start(&mut queue).unwrap();
            order.push(session);
            queue.finish(SessionId(session)).unwrap();
        }
        assert_eq!(order, [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 1]);
        assert!(push(&mut queue, 9, 2).is_ok());
    }

    /// It gets the same share in the end, and not more.
    #[test]
    fn full_queue_is_shared_alike() {
        let mut queue = full();
        let pushed = (1..=2000).take_while(|session| push(&mut queue, 9, *session).is_ok()).count();
        assert_eq!(pushed, LOGINS_WAITING_MAX / 9);
        let lengths: Vec<_> = (1..=9).map(|number| queue.waiting_of(Some(address(number)))).collect();
        assert_eq!(lengths.iter().sum::<usize>(), LOGINS_WAITING_MAX);
        assert!(lengths.iter().all(|length| (113..=114).contains(length)), "{lengths:?}");
        assert_eq!(queue.by_length.iter().map(|(length, _)| length).sum::<usize>(), LOGINS_WAITING_MAX);
    }

    /// Otherwise an attacker with many addresses would take the place of those that wait.
    #[test]
    fn full_queue_keeps_the_only_job_of_an_address() {
        let mut queue = LoginQueue::new(1);
        for number in (0..).take(LOGINS_WAITING_MAX) {
            assert_eq!(push(&mut queue, number, number.into()), Ok(None));
        }
        assert_eq!(push(&mut queue, 5000, 5000), Err(QueueFull));
        let session = start(&mut queue).unwrap();
        assert_eq!(push(&mut queue, 5000, 5000), Ok(None));
        assert!(queue.finish(SessionId(session)).is_some());
    }
}
