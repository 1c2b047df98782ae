//! Lets the clients of a server with a store log in to accounts.

use std::io;

use super::ServerOptions;
use super::password_pool::PasswordPool;
use super::password_threads::PasswordThreads;
use crate::session::{AccountPolicy, Sessions};

/// Starts the threads that check passwords, and lets these sessions use them.
///
/// # Errors
/// The system refuses a thread.
pub(super) fn start(options: &ServerOptions, sessions: Sessions) -> io::Result<(Sessions, Box<dyn PasswordThreads>)> {
    let pool = PasswordPool::start()?;
    let policy = AccountPolicy {
        is_registration_open: options.accounts.is_registration_open,
        accounts_only: options.accounts.accounts_only,
        allows_insecure: options.allows_insecure_passwords,
        threads: pool.threads(),
    };
    Ok((sessions.with_accounts(policy), Box::new(pool)))
}
