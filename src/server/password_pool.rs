//! Hashes and checks the passwords of accounts (`password_hasher`) in threads of their own, for which nothing else waits. The sessions
//! decide which password is next (`session/login_queue.rs`); no more jobs are in progress than there are threads.
//!
//! A check takes the same time whether the account exists or not: without one, it is compared with a hash that no password has.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, thread};

use async_channel::{Receiver, Sender};
use futures_lite::Stream as _;

use super::password_hasher;
use super::password_threads::PasswordThreads;
use crate::limits::{PASSWORD_THREAD_NICENESS, PASSWORD_THREADS_MAX};
use crate::session::{PasswordJob, PasswordOutcome, PasswordResult, PasswordWork};

/// The threads that check passwords. They end when it is dropped.
#[derive(Debug)]
pub(super) struct PasswordPool {
    jobs: Sender<PasswordJob>,
    results: Pin<Box<Receiver<PasswordResult>>>,
    threads: usize,
}

impl PasswordPool {
    /// Starts the threads: one for each two processors that the process may use, within limits.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start() -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (processors / 2).clamp(1, PASSWORD_THREADS_MAX);
        // The sessions have one job in progress for each thread, so no channel needs more space.
        let (jobs, to_do) = async_channel::bounded::<PasswordJob>(threads);
        let (done, results) = async_channel::bounded(threads);
        for number in 1..=threads {
            let (to_do, done) = (to_do.clone(), done.clone());
            thread::Builder::new().name(format!("password-{number}")).spawn(move || {
                // Fails only where the process may not change priorities; then the threads compete with the others.
                let _ = rustix::process::nice(PASSWORD_THREAD_NICENESS);
                while let Ok(job) = to_do.recv_blocking() {
                    if done.send_blocking(run(&job)).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok(Self { jobs, results: Box::pin(results), threads })
    }

    /// Number of jobs that may be in progress.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }
}

impl PasswordThreads for PasswordPool {
    fn submit(&mut self, job: PasswordJob) {
        // The channel has space: the sessions submit no more jobs than there are threads.
        let sent = self.jobs.try_send(job);
        debug_assert!(sent.is_ok(), "more jobs than threads");
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<PasswordResult>> {
        self.results.as_mut().poll_next(cx)
    }
}

fn run(job: &PasswordJob) -> PasswordResult {
    let outcome = match &job.work {
        PasswordWork::Hash => {
            password_hasher::hash_password(&job.password).map_or(PasswordOutcome::Failed, PasswordOutcome::Hashed)
        }
        PasswordWork::Check(hash) if password_hasher::check_password(&job.password, hash.as_ref()) => {
            PasswordOutcome::Right
        }
        PasswordWork::Check(_) => PasswordOutcome::Wrong,
    };
    PasswordResult { session: job.session, outcome }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use futures_lite::future;

    use super::*;
    use crate::protocol::AccountPassword;
    use crate::state::SessionId;

    fn password(raw: &str) -> AccountPassword {
        AccountPassword::new(raw).unwrap()
    }

    /// Every job has one result.
    #[test]
    fn pool_runs_jobs_in_its_threads() {
        let mut pool = PasswordPool::start().unwrap();
        let threads = u64::try_from(pool.threads()).unwrap();
        let hash = password_hasher::hash_password(&password("hunter22")).unwrap();
        for session in 0..threads {
            let work = PasswordWork::Check(Some(hash.clone()));
            pool.submit(PasswordJob { session: SessionId(session), password: password("hunter22"), work });
        }
        let mut sessions = BTreeSet::new();
        for _ in 0..threads {
            let result = future::block_on(future::poll_fn(|cx| pool.poll_result(cx)));
            let PasswordResult { session, outcome } = result.expect("the threads run");
            assert!(matches!(outcome, PasswordOutcome::Right) && sessions.insert(session));
        }
        let rest = future::block_on(future::poll_once(future::poll_fn(|cx| pool.poll_result(cx))));
        assert!(rest.is_none(), "a result without a job");
    }
}
