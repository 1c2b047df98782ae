//! Proxies in front of the server: which addresses the operator trusts, and the header of the PROXY protocol, in which a proxy names its
//! client. [`crate::web`] has the header fields of HTTP for that.
//!
//! Pure: bytes in, addresses out. [`crate::server`] has the sockets and the timeouts.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod header;
mod trusted;

pub use self::header::{HeaderDecoder, HeaderError, ProxyHeader};
pub use self::trusted::TrustedProxies;
