//! WebSocket's frames around the lines of one connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{Stream as _, ready};
use rustix::net::{SendFlags, send};
use smallvec::SmallVec;
use smol::Timer;

use crate::feed::Source;
use crate::protocol::{CloseReason, LeaveReason};
use crate::server::connection::{FrameLayer, Framed};
use crate::server::sockets::Socket;
use crate::web::{Failure, Farewell, Frames, Framing, Incoming};

/// The frames of a connection over WebSocket.
#[derive(Debug)]
pub(super) struct WebSocketFrames(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    incoming: Frames,
    outgoing: Framing,
    /// The first error in the client's frames.
    failure: Option<Failure>,
    /// Set if a silent connection is pinged, so that no proxy on the way closes it.
    pings: Option<Timer>,
}

impl WebSocketFrames {
    /// Frames of a connection that is pinged after a silence of `ping_interval`; `None`: never.
    pub(super) fn new(ping_interval: Option<Duration>) -> Self {
        Self(Mutex::new(State { pings: ping_interval.map(Timer::interval), ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrameLayer for WebSocketFrames {
    #[expect(clippy::mut_mut, reason = "as the trait has it")]
    fn read<'a>(&self, input: &mut &'a mut [u8]) -> Option<Framed<'a>> {
        let mut state = self.state();
        Some(match state.incoming.next(input)? {
            Incoming::Text(text) => Framed::Text(text),
            Incoming::EndOfMessage => Framed::EndOfMessage,
            Incoming::Ping(payload) => {
                state.outgoing.answer(payload);
                Framed::Control
            }
            Incoming::Close => Framed::EndOfInput,
            Incoming::Failed(failure) => {
                state.failure = Some(failure);
                Framed::Invalid
            }
        })
    }

    fn send(&self, socket: &Socket, source: Source<'_>) -> io::Result<usize> {
        let framing = &mut self.state().outgoing;
        framing.begin(&source);
        let (header, text_bytes) = framing.next();
        match write_framed(socket, header, &source, text_bytes)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            sent => match framing.sent(sent, &source) {
                // That was the header, or a part of it.
                0 => Err(io::ErrorKind::Interrupted.into()),
                of_source => Ok(of_source),
            },
        }
    }

    fn send_control(&self, socket: &Socket) -> Option<io::Result<usize>> {
        let framing = &mut self.state().outgoing;
        let sent = socket.write(Source::Memory(&[IoSlice::new(framing.control()?)]));
        if let Ok(bytes) = sent {
            framing.sent_control(bytes);
        }
        Some(sent)
    }

    fn poll_silence(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let State { outgoing, pings, .. } = &mut *state;
        let Some(pings) = pings else { return Poll::Pending };
        loop {
            ready!(Pin::new(&mut *pings).poll_next(cx));
            if outgoing.ping_if_silent() {
                return Poll::Ready(());
            }
        }
    }

    fn end(&self, closing: CloseReason, last_lines: &str) -> Vec<u8> {
        let state = self.state();
        let farewell: Farewell<'_> = match state.failure {
            Some(failure) if closing == CloseReason::Left(LeaveReason::Errors) => failure.into(),
            _ => closing.into(),
        };
        state.outgoing.end(&Farewell { last_words: last_lines, ..farewell })
    }
}

/// Writes a header, and at most `bytes_max` bytes of `source` after it. Returns how many bytes of both the kernel accepted.
fn write_framed(socket: &Socket, header: &[u8], source: &Source<'_>, bytes_max: usize) -> io::Result<usize> {
    match *source {
        Source::Memory(slices) => {
            let mut left = bytes_max;
            let slices = slices.iter().map(|slice| {
                let slice = &slice[..slice.len().min(left)];
                left -= slice.len();
                slice
            });
            let all = std::iter::once(header).chain(slices).filter(|slice| !slice.is_empty()).map(IoSlice::new);
            socket.write(Source::Memory(&all.collect::<SmallVec<[_; 8]>>()))
        }
        Source::File(file, offset, bytes) => {
            let of_header = if header.is_empty() { 0 } else { send(socket.get_ref(), header, SendFlags::MORE)? };
            if of_header < header.len() {
                return Ok(of_header);
            }
            match socket.write(Source::File(file, offset, &bytes[..bytes.len().min(bytes_max)])) {
                Ok(of_source) => Ok(of_header + of_source),
                Err(_) if of_header > 0 => Ok(of_header),
                Err(error) => Err(error),
            }
        }
    }
}
