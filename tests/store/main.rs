//! The real server with a store: what was acknowledged is there again, whatever happens to the server and its disk.

#[path = "../common/mod.rs"]
mod common;

mod clock;
mod faults;
mod kept;
mod killed;
mod paths;
mod synced;
mod truncated;
mod waiting;
