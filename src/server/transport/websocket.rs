//! WebSocket: lines in text messages, over another transport.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{Stream as _, ready};
use smallvec::SmallVec;
use smol::Timer;

use super::{ReceivedBytes, Transport, write_all};
use crate::feed::Source;
use crate::protocol::{CloseReason, END_OF_MESSAGE, LeaveReason, LineDecoder};
use crate::web::{CloseMessage, FrameDecoder, FrameEncoder, FrameError, FrameEvent};

/// WebSocket over `T`, after the handshake. Boxed, because the future of a connection has space for its transport twice.
pub(in crate::server) struct WebSocket<T>(Box<Parts<T>>);

struct Parts<T> {
    inner: T,
    state: Mutex<WebSocketState>,
}

#[derive(Debug, Default)]
struct WebSocketState {
    incoming: FrameDecoder,
    outgoing: FrameEncoder,
    /// The end of the input: a close frame, or the first error in the client's frames. No frame is read after it.
    end: Option<Result<(), FrameError>>,
    /// `end` has been returned to the reader.
    is_end_read: bool,
    /// The interval of pings on a silent connection, so that no proxy closes it.
    pings: Option<Timer>,
}

impl<T: Transport> WebSocket<T> {
    /// Pings the client after a silence of `ping_interval`; `None`: never.
    pub(in crate::server) fn new(inner: T, ping_interval: Option<Duration>) -> Self {
        let state = WebSocketState { pings: ping_interval.map(Timer::interval), ..WebSocketState::default() };
        Self(Box::new(Parts { inner, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, WebSocketState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a control frame if one is due and no other frame is sent in part. Returns the number of bytes; `None`: none is due.
    fn send_control(&self, encoder: &mut FrameEncoder) -> Option<io::Result<usize>> {
        let sent = self.0.inner.write(&[], Source::Memory(&[IoSlice::new(encoder.control()?)]));
        if let Ok(bytes) = sent {
            encoder.sent_control(bytes);
        }
        Some(sent)
    }

    /// Writes a frame header, and at most `bytes_max` bytes of `source` after it.
    fn write_framed(&self, header: &[u8], source: &Source<'_>, bytes_max: usize) -> io::Result<usize> {
        match *source {
            Source::Memory(slices) => {
                let mut left = bytes_max;
                let slices = slices.iter().map(|slice| {
                    let slice = &slice[..slice.len().min(left)];
                    left -= slice.len();
                    slice
                });
                let slices: SmallVec<[_; 8]> = slices.filter(|slice| !slice.is_empty()).map(IoSlice::new).collect();
                self.0.inner.write(header, Source::Memory(&slices))
            }
            Source::File(file, offset, bytes) => {
                self.0.inner.write(header, Source::File(file, offset, &bytes[..bytes.len().min(bytes_max)]))
            }
        }
    }
}

impl WebSocketState {
    /// Replaces frames with the text of their messages, and [`END_OF_MESSAGE`] after each. Processes control frames.
    fn unframe(&mut self, input: &mut Vec<u8>, cx: &Context<'_>) {
        let mut bytes = Vec::with_capacity(input.len());
        let mut rest = input.as_mut_slice();
        while let Some(incoming) = self.incoming.next(&mut rest) {
            match incoming {
                FrameEvent::Text(text) => bytes.extend_from_slice(text),
                FrameEvent::EndOfMessage => bytes.push(END_OF_MESSAGE),
                FrameEvent::Ping(payload) => {
                    self.outgoing.queue_pong(payload);
                    // `poll_control` or `write` sends the pong.
                    cx.waker().wake_by_ref();
                }
                FrameEvent::Close => self.end = Some(Ok(())),
                FrameEvent::Failed(error) => self.end = Some(Err(error)),
            }
        }
        *input = bytes;
    }

    /// The result of a read after the last frame. `None` if there may be more frames.
    fn read_end(&mut self) -> Option<io::Result<Option<ReceivedBytes>>> {
        let end = self.end?;
        self.is_end_read = true;
        Some(match end {
            Ok(()) => Ok(None),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.as_str())),
        })
    }

    /// The contents of the close frame.
    fn close_message(&self, closing: CloseReason) -> CloseMessage<'static> {
        match self.end {
            Some(Err(error)) if self.is_end_read && closing == CloseReason::Left(LeaveReason::Errors) => error.into(),
            _ => closing.into(),
        }
    }
}

impl<T: Transport> Transport for WebSocket<T> {
    const NAME: &'static str = "websocket";
    const IS_ENCRYPTED: bool = T::IS_ENCRYPTED;

    fn decoder(&self) -> LineDecoder {
        LineDecoder::for_messages()
    }

    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<ReceivedBytes>>> {
        let mut state = self.state();
        if let Some(end) = state.read_end() {
            return Poll::Ready(end);
        }
        let Some(mut input) = ready!(self.0.inner.poll_read(cx, bytes_max))? else {
            // A client that closes properly sends a close frame first.
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        };
        state.unframe(&mut input.bytes, cx);
        Poll::Ready(Ok(Some(input)))
    }

    fn watch_input(&self, on: bool) -> io::Result<()> {
        self.0.inner.watch_input(on)
    }

    fn take_error(&self) -> io::Result<()> {
        self.0.inner.take_error()
    }

    /// Sends lines in a text frame. Returns `Interrupted` if only a control frame or a frame header was sent, and nothing of `source`.
    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize> {
        debug_assert!(header.is_empty(), "lines have no header");
        let encoder = &mut self.state().outgoing;
        if let Some(sent) = self.send_control(encoder) {
            sent?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        encoder.begin(&source);
        let (header, text_bytes) = encoder.next();
        match self.write_framed(header, &source, text_bytes)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            sent => match encoder.sent(sent, &source) {
                0 => Err(io::ErrorKind::Interrupted.into()),
                of_source => Ok(of_source),
            },
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.inner.poll_writable(cx)
    }

    fn poll_control(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let WebSocketState { outgoing, pings, .. } = &mut *state;
        loop {
            if let Some(sent) = self.send_control(outgoing) {
                return Poll::Ready(sent);
            }
            let is_ping_due = pings.as_mut().is_some_and(|pings| Pin::new(pings).poll_next(cx).is_ready());
            if !is_ping_due {
                return self.0.inner.poll_control(cx);
            }
            outgoing.ping_if_silent();
        }
    }

    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.0.inner.set_send_buffer(bytes)
    }

    /// Sends blank lines instead of the rest of a frame that was sent in part, then `last_line`, then a close frame.
    async fn send_end(&self, closing: CloseReason, last_line: Option<&str>) -> io::Result<()> {
        let last_lines = last_line.map_or_else(String::new, |line| format!("{line}\n"));
        let last_bytes = {
            let state = self.state();
            state.outgoing.end(&CloseMessage { last_lines: &last_lines, ..state.close_message(closing) })
        };
        write_all(&self.0.inner, &last_bytes).await
    }

    async fn close(&self) -> io::Result<()> {
        self.0.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    use futures_lite::future;

    use super::*;
    use crate::server::transport::tests::Pipe;

    #[derive(Default)]
    struct WakeCounter(AtomicU32);

    impl Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn web_socket() -> WebSocket<Pipe> {
        WebSocket::new(Pipe::default(), None)
    }

    /// A whole frame, masked with zeros.
    fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
        [&[first_byte, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0], payload].concat()
    }

    fn poll_read(web_socket: &WebSocket<Pipe>, waker: &Waker) -> Poll<io::Result<Option<ReceivedBytes>>> {
        web_socket.poll_read(&mut Context::from_waker(waker), 4096)
    }

    #[track_caller]
    fn expect_input(web_socket: &WebSocket<Pipe>, bytes: &[u8], wire_bytes: usize) {
        let Poll::Ready(Ok(Some(input))) = poll_read(web_socket, Waker::noop()) else { panic!("no input") };
        assert_eq!((&*input.bytes, input.wire_bytes), (bytes, wire_bytes));
    }

    /// Checks how reading ends: with this error, or with a close frame (`None`).
    #[track_caller]
    fn expect_end(web_socket: &WebSocket<Pipe>, expected: Option<io::ErrorKind>) {
        for _ in 0..2 {
            let Poll::Ready(end) = poll_read(web_socket, Waker::noop()) else { panic!("the input has not ended") };
            assert_eq!(end.map(|input| input.is_none()).map_err(|error| error.kind()), expected.map_or(Ok(true), Err));
            web_socket.0.inner.receive_end();
        }
    }

    fn write(web_socket: &WebSocket<Pipe>, line: &str) -> io::Result<usize> {
        web_socket.write(&[], Source::Memory(&[IoSlice::new(line.as_bytes())]))
    }

    #[test]
    fn read_marks_end_of_message_and_counts_headers() {
        let web = web_socket();
        web.0.inner.receive(&[frame(0x81, b"PING a"), frame(0x81, b""), frame(0x01, b"PING b\nPI")].concat());
        expect_input(&web, b"PING a\xff\xffPING b\nPI", 12 + 6 + 15);
        web.0.inner.receive(&frame(0x80, b"NG c\n"));
        expect_input(&web, b"NG c\n\xff", 11);
        // A control frame alone counts, too.
        web.0.inner.receive(&frame(0x8a, b""));
        expect_input(&web, b"", 6);
        assert!(poll_read(&web, Waker::noop()).is_pending());
    }

    #[test]
    fn close_frame_ends_input() {
        let web = web_socket();
        web.0.inner.receive(&[frame(0x81, b"PING a"), frame(0x88, b""), frame(0x81, b"PING b")].concat());
        expect_input(&web, b"PING a\xff", 12 + 6 + 12);
        expect_end(&web, None);
    }

    #[test]
    fn end_without_close_frame_is_an_error() {
        let web = web_socket();
        web.0.inner.receive(&frame(0x81, b"PING a"));
        web.0.inner.receive_end();
        expect_input(&web, b"PING a\xff", 12);
        expect_end(&web, Some(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn invalid_frame_fails_after_lines_before_it() {
        let web = web_socket();
        web.0.inner.receive(&[frame(0x81, b"PING a"), frame(0x82, b"x"), frame(0x81, b"PING b")].concat());
        // If the session ends before the reader has read the error, the close frame has the session's reason.
        expect_input(&web, b"PING a\xff", 12 + 7 + 12);
        assert_eq!(
            web.state().close_message(CloseReason::Left(LeaveReason::Errors)),
            CloseReason::Left(LeaveReason::Errors).into()
        );
        expect_end(&web, Some(io::ErrorKind::InvalidData));
        assert_eq!(web.state().close_message(CloseReason::Left(LeaveReason::Errors)), FrameError::Binary.into());
        assert_eq!(web.state().close_message(CloseReason::Stopping), CloseReason::Stopping.into());
    }

    #[test]
    fn ping_wakes_task_and_pong_precedes_lines() {
        let (web, count) = (web_socket(), Arc::new(WakeCounter::default()));
        let waker = Waker::from(Arc::clone(&count));
        web.0.inner.receive(&frame(0x81, b"PING a"));
        assert!(poll_read(&web, &waker).is_ready());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        web.0.inner.receive(&frame(0x89, b"x"));
        assert!(poll_read(&web, &waker).is_ready());
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the ping did not wake the task");
        assert_eq!(write(&web, "hi\n").map_err(|error| error.kind()), Err(io::ErrorKind::Interrupted));
        assert_eq!(write(&web, "hi\n").unwrap(), 3);
        assert_eq!(web.0.inner.take_sent(), b"\x8a\x01x\x81\x03hi\n");
        // Without a line to send, `poll_control` sends the pong.
        web.0.inner.receive(&frame(0x89, b"y"));
        assert!(poll_read(&web, &waker).is_ready());
        let mut cx = Context::from_waker(&waker);
        assert!(matches!(web.poll_control(&mut cx), Poll::Ready(Ok(3))));
        assert!(web.poll_control(&mut cx).is_pending());
        assert_eq!(web.0.inner.take_sent(), b"\x8a\x01y");
    }

    #[test]
    fn write_does_not_count_header_sent_alone() {
        let web = web_socket();
        web.0.inner.set_room(2);
        assert_eq!(write(&web, "hi\n").map_err(|error| error.kind()), Err(io::ErrorKind::Interrupted));
        assert_eq!(write(&web, "hi\n").map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        web.0.inner.set_room(1);
        assert_eq!(write(&web, "hi\n").unwrap(), 1);
        web.0.inner.set_room(9);
        assert_eq!(write(&web, "i\n").unwrap(), 2);
        assert_eq!(web.0.inner.take_sent(), b"\x81\x03hi\n");
    }

    #[test]
    fn send_end_completes_frame_then_sends_line_and_reason() {
        let web = web_socket();
        web.0.inner.set_room(3);
        assert_eq!(write(&web, "hi\n").unwrap(), 1);
        web.set_send_buffer(100).unwrap();
        future::block_on(web.send_end(CloseReason::Left(LeaveReason::Slow), Some("ERR - slow"))).unwrap();
        assert_eq!(web.0.inner.take_sent(), b"\x81\x03h\n\n\x81\x0bERR - slow\n\x88\x06\x03\xf0slow");
        future::block_on(web.close()).unwrap();
        assert_eq!(web.0.inner.closed.load(Ordering::Relaxed), 1);
    }
}
