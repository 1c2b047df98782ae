//! Browsers, as the server sees them: HTTP over plain sockets, and a WebSocket client that is not our own.

#[path = "../common/mod.rs"]
mod common;

mod bytes;
mod client;
mod endings;
mod proxies;
mod requests;
mod room;
mod slow;
mod urgent;
