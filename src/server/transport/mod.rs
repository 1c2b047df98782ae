//! Transports: how the lines of one connection get to the client and back.
//!
//! A connection sees input, output and readiness through [`Transport`] alone. [`Tcp`] is the plain one; [`WebSocket`] puts its frames
//! around the bytes of another transport.

mod tcp;
#[cfg(feature = "web")]
mod websocket;

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use futures_lite::future;

pub(super) use self::tcp::Tcp;
#[cfg(feature = "web")]
pub(super) use self::websocket::WebSocket;
use crate::feed::Source;
use crate::protocol::{CloseReason, LineDecoder};

/// One connection's way to its client.
///
/// One task reads and writes, so every method takes `&self`, and a lock inside is never contended. Both [`Transport::poll_read`] and
/// [`Transport::write`] may read and write below: TLS must, and WebSocket answers pings. Whatever the transport sends for itself
/// (control frames, the rest of a TLS record), it sends in [`Transport::write`], and in [`Transport::poll_control`] while there are no lines
/// to send; if that becomes due outside of them, it wakes the task.
///
/// A connection is generic over its transport, not `dyn`. With `Box<dyn Transport>`, a message to ten readers took 2 % more instructions (6,744,
/// not 6,591; callgrind, 2026-11-29).
pub(super) trait Transport: Send + Sync {
    /// The decoder of the bytes that [`Transport::poll_read`] returns.
    fn decoder(&self) -> LineDecoder;

    /// Reads what has arrived, at most `bytes_max` bytes, as soon as there is some. `None`: the client has ended its input in good order.
    /// While it waits, no buffer is held.
    ///
    /// # Errors
    /// `InvalidData` if the client breaks the rules of the transport. All input before that has been returned. Any other error:
    /// the connection is lost.
    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<Input>>>;

    /// Turns wake-ups by input off while nothing is to be read for a while, and on again.
    fn watch_input(&self, on: bool) -> io::Result<()>;

    /// Fails if the connection is lost, which reading would show only after all input that came before.
    fn take_error(&self) -> io::Result<()>;

    /// Sends as much of `header`, then of `source`, as is accepted now. Returns the number of bytes of both. A connection has no header:
    /// that is for a transport that frames the bytes of another one.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is accepted: see [`Transport::poll_writable`]. After `Interrupted`, try again. Other errors: the
    /// connection is lost.
    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize>;

    /// After `WouldBlock`: ready once another try is worth it.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Sends what the transport itself has to send, and returns the number of bytes. Pending while there is nothing. Called when there are
    /// no lines to send.
    fn poll_control(&self, _cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    /// Sets the size of the kernel's send buffer: room for a last line to a client that has not read.
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()>;

    /// Sends the end of the output: completes what was sent in part, then sends `last_line`, then the reason, where the transport has a
    /// place for one.
    fn send_end(&self, closing: CloseReason, last_line: Option<&str>) -> impl Future<Output = io::Result<()>> + Send;

    /// Closes the sending side, then reads and discards input until the client has closed its own. If input were left unread, the kernel
    /// would reset the connection, which destroys output that is on its way.
    fn close(&self) -> impl Future<Output = io::Result<()>> + Send;
}

/// What one read returned.
#[derive(Debug)]
pub(super) struct Input {
    /// Bytes for the line decoder. May be empty.
    pub(super) bytes: Vec<u8>,
    /// The size of the input on the wire, frame headers included: the rate limit counts that.
    pub(super) wire_bytes: usize,
}

/// Waits for input: see [`Transport::poll_read`].
pub(super) async fn read(transport: &impl Transport, bytes_max: usize) -> io::Result<Option<Input>> {
    future::poll_fn(|cx| transport.poll_read(cx, bytes_max)).await
}

/// Writes all of it.
pub(super) async fn write_all(transport: &impl Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match transport.write(&[], Source::Memory(&[IoSlice::new(bytes)])) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                future::poll_fn(|cx| transport.poll_writable(cx)).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(feature = "web")]
mod tests;
