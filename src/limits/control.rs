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

/// Longest reply that `chinwagd status` reads, in bytes. Thousands of listeners fit in.
pub const CONTROL_REPLY_BYTES_MAX: usize = 1024 * 1024;

/// Longest time that `chinwagd status` waits for the whole reply, in milliseconds. While the server starts, or opens a large store, it does
/// not reply.
pub const CONTROL_CLIENT_MS_MAX: u64 = 5_000;
