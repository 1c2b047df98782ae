//! Nodes of a cluster, and their adapter to NATS JetStream, with real servers, which are killed and stopped.
//!
//! The servers are `target/tools/nats-server`, which `scripts/test` installs.

#[path = "../common/mod.rs"]
mod common;

mod appends;
mod chat;
mod faults;
mod node;
mod proxy;
mod servers;
