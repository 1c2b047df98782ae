//! What a connection over WebSocket has beside the others: the frames round what it is sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{Stream as _, ready};
use smol::Timer;

use crate::feed::Source;
use crate::server::sockets::Socket;
use crate::web::{Failure, Farewell, Framing};

/// A connection's frames. Its reader and its writer are one task: nobody waits for the lock.
#[derive(Debug)]
pub(super) struct Web {
    framing: Mutex<Framing>,
    failure: OnceLock<Failure>,
    /// Length of the silence after which a ping is sent; `None`: never.
    pub(super) ping_interval: Option<Duration>,
}

impl Web {
    pub(super) fn new(ping_interval: Option<Duration>) -> Self {
        Self { framing: Mutex::default(), failure: OnceLock::new(), ping_interval }
    }

    /// Sends as much of a frame with what comes next as the kernel takes, and returns how many bytes of the source that was.
    pub(super) fn send(&self, socket: &Socket, source: Source<'_>) -> io::Result<usize> {
        let mut framing = self.framing();
        framing.begin(&source);
        let (header, text_bytes) = framing.next();
        match socket.write_framed(header, &source, text_bytes)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            sent => match framing.sent(sent, &source) {
                // That was the header, or a part of it.
                0 => Err(io::ErrorKind::Interrupted.into()),
                of_source => Ok(of_source),
            },
        }
    }

    /// Sends what is due between two frames, if anything is.
    pub(super) fn send_control(&self, socket: &Socket) -> Option<io::Result<usize>> {
        let mut framing = self.framing();
        let sent = socket.write(Source::Memory(&[IoSlice::new(framing.control()?)]));
        if let Ok(bytes) = sent {
            framing.sent_control(bytes);
        }
        Some(sent)
    }

    /// The peer asks for a sign of life.
    pub(super) fn answer(&self, ping: Vec<u8>) {
        self.framing().answer(ping);
    }

    /// Makes a ping due if nothing was sent since the last call. Returns whether it did.
    fn ping_if_silent(&self) -> bool {
        self.framing().ping_if_silent()
    }

    /// What came is not to be read on.
    pub(super) fn fail(&self, failure: Failure) {
        // It is the first that nothing is read after.
        let _ = self.failure.set(failure);
    }

    /// Why it is not, if so.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get().copied()
    }

    /// The last bytes of the connection.
    pub(super) fn end(&self, farewell: &Farewell<'_>) -> Vec<u8> {
        self.framing().end(farewell)
    }

    fn framing(&self) -> MutexGuard<'_, Framing> {
        self.framing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pings a silent connection, so that no proxy on the way closes it.
#[derive(Debug)]
pub(super) struct KeepAlive(Timer);

impl KeepAlive {
    pub(super) fn new(interval: Duration) -> Self {
        Self(Timer::interval(interval))
    }

    /// Ready when a ping is to be sent.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, web: &Web) -> Poll<()> {
        loop {
            ready!(Pin::new(&mut self.0).poll_next(cx));
            if web.ping_if_silent() {
                return Poll::Ready(());
            }
        }
    }
}
