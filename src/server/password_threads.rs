//! The threads that check passwords of accounts ([`PasswordThreads`]). `password_pool` implements them with argon2id (feature
//! `accounts`).

use std::fmt::Debug;
use std::task::{Context, Poll};

use crate::session::{PasswordJob, PasswordResult};

/// Threads that check and hash passwords.
pub(super) trait PasswordThreads: Debug + Send {
    /// Passes a job to a thread. Each job has one result.
    fn submit(&mut self, job: PasswordJob);

    /// Waits for the next result. `None`: no thread is left.
    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<PasswordResult>>;
}
