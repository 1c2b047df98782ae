//! Limits of accounts: how many there are, and what the server keeps of each.

/// Most accounts. An account takes about 400 bytes of memory, and 350 more with its first access token (`state/memory_tests.rs`).
pub const ACCOUNTS_MAX: usize = 100_000;

/// Most access tokens of an account: one for each script or machine of a user.
pub const ACCOUNT_TOKENS_MAX: usize = 32;

/// Most changes of accounts in one commit. Each is compared with those before it.
pub const ACCOUNT_CHANGES_AT_ONCE_MAX: usize = 64;

/// Longest label of an access token, in bytes: a short description on one screen line.
pub const TOKEN_LABEL_BYTES_MAX: usize = 64;

/// Longest hash of a password with its parameters, in bytes. One of argon2id has 97.
pub const PASSWORD_HASH_BYTES_MAX: usize = 256;

/// Days for which the name of a deleted account rests: long enough that others notice that its owner has gone.
pub const NAME_REST_DAYS: u32 = 30;

/// Most names that rest. Beyond that, the rest that would end first ends early, so that a user can always delete an account.
pub const RESTING_NAMES_MAX: usize = 100_000;
