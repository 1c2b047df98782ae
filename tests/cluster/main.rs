//! The adapter between a node and NATS JetStream, with real servers, which are killed and stopped.
//!
//! The servers are `target/tools/nats-server`, which `scripts/test` installs.

mod appends;
mod faults;
mod node;
mod proxy;
mod servers;
