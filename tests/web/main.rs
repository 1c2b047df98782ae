//! HTTP requests, and what is particular to WebSocket. What it has in common with the other transports is in `tests/transports`.

#[path = "../common/mod.rs"]
mod common;

mod close_frames;
mod frames;
mod http;
mod proxies;
mod requests;
