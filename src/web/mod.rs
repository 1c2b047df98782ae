//! Support for browsers: the page, HTTP request heads and answers (RFC 9110, RFC 9112), and WebSocket frames in both directions
//! (RFC 6455). The frames carry the same protocol as a TCP connection.
//!
//! Pure: bytes in, bytes out. [`crate::server`] has the sockets and the timeouts.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod answer;
mod authority;
#[cfg(feature = "proxy")]
mod forwarded;
mod incoming;
#[cfg(not(feature = "proxy"))]
mod no_forwarded;
mod origins;
mod outgoing;
mod page;
mod request;
mod route;
mod target;

pub use self::answer::{Answer, HttpStatus};
#[cfg(feature = "proxy")]
pub use self::forwarded::{Forwarding, ForwardingField};
pub use self::incoming::{FrameDecoder, FrameError, FrameEvent};
#[cfg(not(feature = "proxy"))]
pub use self::no_forwarded::Forwarding;
pub use self::origins::{AllowedOrigins, WebOrigin};
pub use self::outgoing::{CloseMessage, FrameEncoder};
pub use self::request::{HttpRequest, RequestKind, loggable_request};
pub use self::route::RequestRoute;
