//! Work for the threads that hash passwords: the sessions say what to do, and get the result as an input.

use super::SessionId;
use crate::protocol::{AccountPassword, PasswordHash};

/// A password to check or to hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordJob {
    /// The session that gave it.
    pub session: SessionId,
    /// The password.
    pub password: AccountPassword,
    /// The work.
    pub work: PasswordWork,
}

/// The work with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordWork {
    /// Compare it with this hash. `None`: there is no account; takes the same time.
    Check(Option<PasswordHash>),
    /// Make a hash of it.
    Hash,
}

/// The end of a [`PasswordJob`].
#[derive(Clone, Debug)]
pub struct PasswordResult {
    /// The session of the job.
    pub session: SessionId,
    /// The result.
    pub outcome: PasswordOutcome,
}

/// The result of a [`PasswordJob`].
#[derive(Clone, Debug)]
pub enum PasswordOutcome {
    /// It is the password.
    Right,
    /// It is not the password, or there is no account.
    Wrong,
    /// The hash of the password.
    Hashed(PasswordHash),
    /// There is no hash: the system has no memory or no random bits for it.
    Failed,
}
