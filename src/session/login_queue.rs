//! The passwords that wait to be checked or hashed. The addresses take turns, so a client does not wait for all passwords from another
//! address.
//!
//! No two passwords from one address are in progress at a time. So the result of each counts before the next one starts: many
//! connections gain no guesses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::SessionId;
use super::password::Guesser;
use crate::limits::{LOGINS_WAITING_MAX, LOGINS_WAITING_OF_ONE_MAX};

/// The waiting jobs, and those in progress. `J` is a job of a session; each session has at most one.
#[derive(Debug)]
pub(super) struct LoginQueue<J> {
    waiting: BTreeMap<Guesser, VecDeque<(SessionId, J)>>,
    /// The addresses with waiting jobs and without one in progress, in the order of their turns.
    turns: VecDeque<Guesser>,
    in_progress: BTreeMap<SessionId, (Guesser, J)>,
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
            turns: VecDeque::new(),
            in_progress: BTreeMap::new(),
            sessions: BTreeSet::new(),
            threads,
        }
    }

    /// Appends a job.
    ///
    /// # Errors
    /// Too many jobs wait, of this address or of all.
    pub(super) fn push(&mut self, guesser: Guesser, session: SessionId, job: J) -> Result<(), QueueFull> {
        let of_one = self.waiting.get(&guesser).map_or(0, VecDeque::len);
        if of_one >= LOGINS_WAITING_OF_ONE_MAX || self.sessions.len() >= LOGINS_WAITING_MAX {
            return Err(QueueFull);
        }
        self.waiting.entry(guesser).or_default().push_back((session, job));
        self.sessions.insert(session);
        if of_one == 0 && !self.is_in_progress(guesser) {
            self.turns.push_back(guesser);
        }
        Ok(())
    }

    /// Starts the next job, if a thread is free: returns its address, and its session.
    pub(super) fn start_next(&mut self) -> Option<(Guesser, SessionId, &mut J)> {
        if self.in_progress.len() >= self.threads {
            return None;
        }
        let guesser = self.turns.pop_front()?;
        let jobs = self.waiting.get_mut(&guesser)?;
        let (session, job) = jobs.pop_front()?;
        if jobs.is_empty() {
            self.waiting.remove(&guesser);
        }
        self.sessions.remove(&session);
        let (guesser, job) = self.in_progress.entry(session).or_insert((guesser, job));
        Some((*guesser, session, job))
    }

    /// Ends the job of a session that is in progress, and returns it with its address.
    pub(super) fn finish(&mut self, session: SessionId) -> Option<(Guesser, J)> {
        let (guesser, job) = self.in_progress.remove(&session)?;
        if self.waiting.contains_key(&guesser) {
            self.turns.push_back(guesser);
        }
        Some((guesser, job))
    }

    /// Whether a job of the session waits, or is in progress.
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains(&session) || self.in_progress.contains_key(&session)
    }

    fn is_in_progress(&self, guesser: Guesser) -> bool {
        self.in_progress.values().any(|(other, _)| *other == guesser)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> Guesser {
        Guesser::Address([10, 0, 0, number].into())
    }

    fn push(queue: &mut LoginQueue<u8>, number: u8, session: u64) -> Result<(), QueueFull> {
        queue.push(address(number), SessionId(session), number)
    }

    fn start(queue: &mut LoginQueue<u8>) -> Option<u64> {
        queue.start_next().map(|(guesser, SessionId(session), number)| {
            assert_eq!(guesser, address(*number));
            session
        })
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
            assert_eq!(
                queue.finish(SessionId(session)).map(|(_, number)| number),
                Some(if session < 10 { 1 } else { 2 })
            );
            order.push(session);
        }
        assert_eq!(order, [0, 10, 1, 11, 2]);
        assert!(queue.waiting.is_empty() && queue.turns.is_empty() && queue.sessions.is_empty());
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
    fn full_queue_refuses_jobs_of_the_address_and_then_all() {
        let mut queue = LoginQueue::new(1);
        let mut sessions = 0..;
        let mut fill = |queue: &mut LoginQueue<u8>, number| {
            let pushed = sessions.by_ref().take_while(|session| push(queue, number, *session).is_ok());
            pushed.count()
        };
        assert_eq!(fill(&mut queue, 1), LOGINS_WAITING_OF_ONE_MAX);
        let others: usize = (2..20).map(|number| fill(&mut queue, number)).sum();
        assert_eq!(others, LOGINS_WAITING_MAX - LOGINS_WAITING_OF_ONE_MAX);
        let session = start(&mut queue).unwrap();
        assert_eq!(push(&mut queue, 1, 9999), Ok(()));
        assert!(queue.finish(SessionId(session)).is_some());
    }
}
