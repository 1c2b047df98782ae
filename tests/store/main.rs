//! The server with a store: acknowledged messages survive whatever happens to the server and its disk.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "accounts")]
mod accounts;
mod clock;
mod faults;
mod killed;
mod paths;
mod retention;
mod rooms;
mod synced;
mod truncated;
mod upgrade;
mod waiting;
