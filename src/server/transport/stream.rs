//! Stream sockets: plain TCP, and Unix sockets. The client's bytes are lines from the first byte on.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(feature = "proxy")]
use futures_lite::future;
use futures_lite::ready;
use rustix::fs::sendfile;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use smallvec::SmallVec;
use smol::Timer;
use socket2::SockRef;

use super::{ReceivedBytes, Transport, read_input, send_last_line};
use crate::feed::Source;
use crate::limits::{DRAIN_PAUSE_MS, READ_BYTES_MAX};
use crate::protocol::{CloseReason, LineDecoder};
use crate::server::sockets::{Sockets, WatchedSocket};

thread_local! {
    /// The buffer of all reads in a thread. A read copies the input out of it, so a connection holds no buffer of full size.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into());
}

/// A kind of stream sockets.
pub(in crate::server) trait StreamSocket: AsFd + Debug + Send + Sync + 'static {
    /// See [`Transport::NAME`].
    const NAME: &'static str;
}

impl StreamSocket for TcpStream {
    const NAME: &'static str = "tcp";
}

impl StreamSocket for UnixStream {
    const NAME: &'static str = "unix";
}

/// A connected stream socket.
pub(in crate::server) struct Stream<S: StreamSocket>(WatchedSocket<S>);

/// A TCP socket.
pub(in crate::server) type Tcp = Stream<TcpStream>;

/// A Unix socket.
pub(in crate::server) type Unix = Stream<UnixStream>;

impl<S: StreamSocket> Stream<S> {
    /// The transport of an accepted connection.
    pub(in crate::server) fn new(stream: S, sockets: &Arc<Sockets>) -> io::Result<Self> {
        SockRef::from(&stream).set_nonblocking(true)?;
        Ok(Self(sockets.watch(stream)?))
    }

    /// Waits for input, and returns its first bytes without removing them, at most `bytes_max`. Empty at the end of the input.
    #[cfg(feature = "proxy")]
    pub(in crate::server) async fn peek(&self, bytes_max: usize) -> io::Result<Vec<u8>> {
        future::poll_fn(|cx| self.poll_receive(cx, bytes_max, RecvFlags::PEEK)).await
    }

    /// Reads until the kernel returns `WouldBlock`, or there is some input. A short read does not mean that there is no more: the kernel
    /// also ends a read at TCP's urgent mark (tcp(7)).
    fn poll_receive(&self, cx: &mut Context<'_>, bytes_max: usize, flags: RecvFlags) -> Poll<io::Result<Vec<u8>>> {
        loop {
            ready!(self.0.poll_readable(cx));
            let read: io::Result<_> = SCRATCH.with_borrow_mut(|scratch| {
                let (count, _) = recv(self.stream(), &mut scratch[..bytes_max], flags)?;
                Ok(scratch[..count].to_vec())
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.0.set_readable(),
                read => {
                    self.0.set_readable();
                    return Poll::Ready(read);
                }
            }
        }
    }

    fn stream(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: StreamSocket> Transport for Stream<S> {
    const NAME: &'static str = S::NAME;

    fn decoder(&self) -> LineDecoder {
        LineDecoder::new()
    }

    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<ReceivedBytes>>> {
        let bytes = ready!(self.poll_receive(cx, bytes_max, RecvFlags::empty()))?;
        let received = |bytes: Vec<u8>| ReceivedBytes { wire_bytes: bytes.len(), bytes };
        Poll::Ready(Ok((!bytes.is_empty()).then(|| received(bytes))))
    }

    fn watch_input(&self, on: bool) -> io::Result<()> {
        self.0.watch_input(on)
    }

    fn take_error(&self) -> io::Result<()> {
        SockRef::from(self.stream()).take_error()?.map_or(Ok(()), Err)
    }

    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize> {
        let written = match source {
            // The usual case is one slice. `send` costs less than `write`, and than `writev` with one slice.
            Source::Memory([slice]) if header.is_empty() => send(self.stream(), slice, SendFlags::NOSIGNAL),
            Source::Memory(slices) if header.is_empty() => rustix::io::writev(self.stream(), slices),
            Source::Memory(slices) => {
                let all: SmallVec<[_; 8]> =
                    std::iter::once(IoSlice::new(header)).chain(slices.iter().copied()).collect();
                rustix::io::writev(self.stream(), &all)
            }
            Source::File(file, mut offset, bytes) => {
                // Gain over copying, 2026-11-29: 14 % less CPU time for a delivery to 1,000 readers (0.0197 µs, not 0.0233; 5 pairs).
                // With `MORE`, the kernel sends the header in one packet with the bytes after it.
                let of_header = if header.is_empty() { 0 } else { send(self.stream(), header, SendFlags::MORE)? };
                if of_header < header.len() {
                    return Ok(of_header);
                }
                match sendfile(self.stream(), file, Some(&mut offset), bytes.len()) {
                    Ok(of_source) => Ok(of_header + of_source),
                    Err(_) if of_header > 0 => Ok(of_header),
                    Err(error) => Err(error),
                }
            }
        };
        Ok(written?)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_writable(cx)
    }

    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(self.stream()).set_send_buffer_size(bytes)
    }

    async fn send_end(&self, _: CloseReason, last_line: Option<&str>) -> io::Result<()> {
        send_last_line(self, last_line).await
    }

    async fn close(&self) -> io::Result<()> {
        shutdown(self.stream(), Shutdown::Write)?;
        while read_input(self, READ_BYTES_MAX).await?.is_some() {
            // Limits the CPU time for a client that does not stop sending.
            Timer::after(Duration::from_millis(DRAIN_PAUSE_MS)).await;
        }
        Ok(())
    }
}
