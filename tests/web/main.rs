//! HTTP requests and WebSocket frames. `tests/transports` has the tests that run over every transport.

#[path = "../common/mod.rs"]
mod common;

mod close_frames;
mod frames;
mod http;
mod log;
mod proxies;
mod requests;
