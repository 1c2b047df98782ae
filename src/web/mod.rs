//! What a browser needs to join: the page, the heads of HTTP requests and their answers (RFC 9110, RFC 9112), and WebSocket's
//! frames (RFC 6455), both ways. What is in the frames is the protocol that every peer speaks.
//!
//! Pure: bytes in, bytes out. Sockets, and how long anything may take, are for [`crate::server`].
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod answer;
mod authority;
mod incoming;
mod origins;
mod outgoing;
mod page;
mod request;
mod target;

pub use self::answer::{Answer, Status};
pub use self::incoming::{Failure, Frames, Incoming};
pub use self::origins::{Origin, Origins};
pub use self::outgoing::{Farewell, Framing};
pub use self::request::{Asked, Request};
