//! Shared by the load generator (`benches/load`) and the comparison (`benches/compare`): a server process and its
//! resource use, its certificate, figures over several runs, the event loop, sockets, TLS, and the check of a stream that all readers
//! receive.

pub(crate) mod certificate;
pub(crate) mod event_loop;
pub(crate) mod figures;
pub(crate) mod log;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod tls;
