//! The interface between a connection and a protocol that wraps its lines in frames, such as WebSocket. A plain connection has none.

use std::fmt::Debug;
use std::io;
use std::task::{Context, Poll};

use crate::feed::Source;
use crate::protocol::CloseReason;
use crate::server::sockets::Socket;

/// The frames of one connection, in both directions. One task runs the connection's reader and writer, so a lock in here is never
/// contended.
pub(in crate::server) trait FrameLayer: Debug + Send + Sync {
    /// Parses received bytes: returns the next piece of `input`, and advances `input` past it. `None`: `input` is used up.
    #[expect(clippy::mut_mut, reason = "the input is moved on, and may be decoded in place")]
    fn read<'a>(&self, input: &mut &'a mut [u8]) -> Option<Framed<'a>>;

    /// Sends as much of `source` as the kernel accepts, in frames. Returns how many bytes of `source` that was.
    ///
    /// # Errors
    /// Those of [`Socket::write`].
    fn send(&self, socket: &Socket, source: Source<'_>) -> io::Result<usize>;

    /// Sends a control frame, if one is due and may be sent now. Returns how many bytes the kernel accepted.
    fn send_control(&self, socket: &Socket) -> Option<io::Result<usize>>;

    /// Ready when a control frame is due because nothing was sent for a while.
    fn poll_silence(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The last bytes of the connection: the rest of a partly sent frame, these lines, and a close frame with the reason.
    fn end(&self, closing: CloseReason, last_lines: &str) -> Vec<u8>;
}

/// A piece of a client's frames.
#[derive(Debug)]
#[cfg_attr(not(feature = "web"), expect(dead_code, reason = "WebSocket is the only frame layer"))]
pub(in crate::server) enum Framed<'a> {
    /// A part of a message, which may end within a line and within a character.
    Text(&'a [u8]),
    /// A message ends, and with it a line.
    EndOfMessage,
    /// A control frame to which a control frame must be sent as the answer.
    Control,
    /// The client ends the connection. Nothing comes after this.
    EndOfInput,
    /// The frames are invalid. Nothing comes after this.
    Invalid,
}
