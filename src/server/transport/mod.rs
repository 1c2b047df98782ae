//! Transports carry the bytes of one connection to the client and back.
//!
//! A connection reads, writes and waits for readiness only through [`Transport`]. [`Tcp`] is plain TCP, [`Unix`] a Unix socket;
//! [`Tls`] encrypts the bytes of another transport, and [`WebSocket`] puts frames around them.

mod stream;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "web")]
mod websocket;

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use futures_lite::future;

#[cfg(feature = "proxy")]
pub(super) use self::stream::{Stream, StreamSocket};
pub(super) use self::stream::{Tcp, Unix};
#[cfg(feature = "tls")]
pub(super) use self::tls::Tls;
#[cfg(feature = "web")]
pub(super) use self::websocket::WebSocket;
use crate::feed::Source;
use crate::protocol::{CloseReason, LineDecoder};

/// The byte stream between one connection and its client.
///
/// One task reads and writes, so every method takes `&self`, and a lock inside is never contended. Both [`Transport::poll_read`] and
/// [`Transport::write`] may read and write the transport below: WebSocket answers pings, and TLS changes keys. The transport sends
/// its own output (such as control frames) in [`Transport::write`], and in [`Transport::poll_control`] while no line waits to be sent. If
/// such output becomes due at another time, the transport wakes the task.
///
/// A connection is generic over its transport, not `dyn`. With `Box<dyn Transport>`, a message to ten readers took 2 % more instructions
/// (6,744, not 6,591; callgrind, 2026-11-29).
pub(super) trait Transport: Send + Sync {
    /// The name in the log.
    const NAME: &'static str;

    /// Whether the bytes on the wire are encrypted.
    const IS_ENCRYPTED: bool = false;

    /// The decoder of the bytes that [`Transport::poll_read`] returns.
    fn decoder(&self) -> LineDecoder;

    /// Reads the input that has arrived, at most `bytes_max` bytes. Pending while there is none; no buffer is held then. `None`: the client
    /// has ended its input by the rules of the transport.
    ///
    /// # Errors
    /// `InvalidData` if the client breaks the rules of the transport. All input before that has been returned. Any other error:
    /// the connection is lost.
    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<ReceivedBytes>>>;

    /// Turns wake-ups by input on or off. They are off while the caller does not read.
    fn watch_input(&self, on: bool) -> io::Result<()>;

    /// Fails if the connection is lost. A read would report that only after all input before it.
    fn take_error(&self) -> io::Result<()>;

    /// Sends as much of `header`, then of `source`, as is accepted now. Returns the number of bytes of both. A connection passes an empty
    /// header: only a transport that puts frames around the bytes of another one uses it.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is accepted: see [`Transport::poll_writable`]. After `Interrupted`, try again. Other errors: the
    /// connection is lost.
    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize>;

    /// After `WouldBlock`: ready once the caller should try again.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Sends the transport's own output, and returns the number of bytes. Pending while there is none. Called while no line waits
    /// to be sent.
    fn poll_control(&self, _cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    /// Sets the size of the kernel's send buffer, so that a last line fits in for a client that has not read.
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()>;

    /// Sends the end of the output: completes the line or frame that was sent in part, then sends `last_line`, then the reason, if the
    /// transport can express one.
    fn send_end(&self, closing: CloseReason, last_line: Option<&str>) -> impl Future<Output = io::Result<()>> + Send;

    /// Closes the sending side, then reads and discards input until the client has closed its own. If input were left unread, the kernel
    /// would reset the connection, which destroys output that is on its way.
    fn close(&self) -> impl Future<Output = io::Result<()>> + Send;
}

/// The result of one read.
#[derive(Debug)]
pub(super) struct ReceivedBytes {
    /// Bytes for the line decoder. May be empty.
    pub(super) bytes: Vec<u8>,
    /// The size of the input on the wire, frame headers included: the rate limit counts that.
    pub(super) wire_bytes: usize,
}

/// Waits for input: see [`Transport::poll_read`].
pub(super) async fn read_input(transport: &impl Transport, bytes_max: usize) -> io::Result<Option<ReceivedBytes>> {
    future::poll_fn(|cx| transport.poll_read(cx, bytes_max)).await
}

/// Writes all of `bytes`. Waits while the transport accepts nothing.
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

/// Sends a last line after output that most likely stopped within a line: the first line ending completes that one.
async fn send_last_line(transport: &impl Transport, last_line: Option<&str>) -> io::Result<()> {
    let Some(line) = last_line else { return Ok(()) };
    write_all(transport, format!("\r\n{line}\r\n").as_bytes()).await
}

#[cfg(test)]
#[cfg(any(feature = "tls", feature = "web"))]
mod tests;
