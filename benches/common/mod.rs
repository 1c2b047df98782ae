//! What the load generator (`benches/load`) and the comparison (`benches/compare`) share: a server process with what it
//! costs, figures over several runs, the event loop, and the check of a stream that all readers get.

pub(crate) mod event_loop;
pub(crate) mod figures;
pub(crate) mod log;
pub(crate) mod server;
