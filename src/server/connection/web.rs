//! What a connection over WebSocket has beside the others: the frames round what it is sent.

use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::feed::Source;
use crate::server::sockets::Socket;
use crate::web::{Failure, Farewell, Framing};

/// A connection's frames. Its reader and its writer are one task: nobody waits for the lock.
#[derive(Debug, Default)]
pub(super) struct Web {
    framing: Mutex<Framing>,
    failure: OnceLock<Failure>,
}

impl Web {
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
