//! Limits of the control socket.

/// Permissions of the control socket: only its owner and root may connect.
pub const CONTROL_MODE: u32 = 0o600;

/// Most connections on the control socket at a time; further ones are refused. An operator has one, and a program that watches the server
/// another.
pub const CONTROL_CONNECTIONS_MAX: usize = 4;

/// Longest request on the control socket, in bytes, without its line ending.
pub const CONTROL_REQUEST_BYTES_MAX: usize = 512;

/// Longest time until a request on the control socket is complete, in milliseconds: an operator may type it.
pub const CONTROL_REQUEST_MS_MAX: u64 = 10_000;

/// Longest time from a request on the control socket to the end of its reply, in milliseconds: a thousand times what it takes.
pub const CONTROL_REPLY_MS_MAX: u64 = 3_000;

/// Longest time from the request of a change of an account to the end of its reply, in milliseconds: it waits for the disk.
pub const CONTROL_CHANGE_MS_MAX: u64 = 10_000;

/// Most changes of accounts that operators have requested and that are not stored yet; further ones are refused. With a disk that hangs,
/// operators may give up waiting and try again.
pub const CONTROL_CHANGES_MAX: usize = 16;

/// Most accounts in one reply. The hub collects them in one turn.
pub const CONTROL_ACCOUNTS_LISTED_MAX: usize = 1000;

/// Longest line of an account in a reply, in bytes, without its name.
pub const CONTROL_ACCOUNT_BYTES_MAX: usize = 128;

/// Most entries of the audit log in one reply.
pub const CONTROL_AUDIT_LISTED_MAX: usize = 200;

/// Longest line of an entry of the audit log in a reply, in bytes, without its names and its reason.
pub const CONTROL_AUDIT_BYTES_MAX: usize = 384;

/// Longest reply that `chinwagd status` and `chinwagd account` read, in bytes. Thousands of listeners fit in.
pub const CONTROL_REPLY_BYTES_MAX: usize = 1024 * 1024;

/// Longest time that `chinwagd status` waits for the whole reply, in milliseconds. While the server starts, or opens a large store, it does
/// not reply.
pub const CONTROL_CLIENT_MS_MAX: u64 = 5_000;

/// Longest time that `chinwagd account` waits for the whole reply, in milliseconds.
pub const CONTROL_CLIENT_CHANGE_MS_MAX: u64 = 15_000;
