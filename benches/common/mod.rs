//! Shared by the load generator (`benches/load`) and the comparison (`benches/compare`): a server process and its
//! resource use, figures over several runs, the event loop, source addresses, and the check of a stream that all readers receive.

pub(crate) mod event_loop;
pub(crate) mod figures;
pub(crate) mod log;
pub(crate) mod server;
pub(crate) mod socket;
