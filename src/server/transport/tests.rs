//! A transport without a socket, for tests of transports that use another one.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Returns the input piece by piece, and keeps the output. Accepts up to `room` bytes of output; `None`: no limit.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) input: Mutex<VecDeque<io::Result<Option<Vec<u8>>>>>,
    pub(super) sent: Mutex<Vec<u8>>,
    pub(super) room: Mutex<Option<usize>>,
    pub(super) closed: AtomicU32,
}

impl Pipe {
    pub(super) fn receive(&self, bytes: &[u8]) {
        self.input.lock().unwrap().push_back(Ok(Some(bytes.to_vec())));
    }

    pub(super) fn receive_end(&self) {
        self.input.lock().unwrap().push_back(Ok(None));
    }

    pub(super) fn take_sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    pub(super) fn set_room(&self, bytes: usize) {
        *self.room.lock().unwrap() = Some(bytes);
    }
}

impl Transport for Pipe {
    const NAME: &'static str = "pipe";

    fn decoder(&self) -> LineDecoder {
        LineDecoder::new()
    }

    fn poll_read(&self, _: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<ReceivedBytes>>> {
        match self.input.lock().unwrap().pop_front() {
            None => Poll::Pending,
            Some(Ok(Some(bytes))) => {
                assert!(bytes.len() <= bytes_max, "the test's pieces are short");
                Poll::Ready(Ok(Some(ReceivedBytes { wire_bytes: bytes.len(), bytes })))
            }
            Some(Ok(None)) => Poll::Ready(Ok(None)),
            Some(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn watch_input(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize> {
        let mut bytes = [header, &source.to_vec()?].concat();
        if let Some(room) = &mut *self.room.lock().unwrap() {
            bytes.truncate(*room);
            *room -= bytes.len();
            if bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.sent.lock().unwrap().extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<()> {
        panic!("no test waits until the pipe is writable");
    }

    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.set_room(bytes);
        Ok(())
    }

    async fn send_end(&self, _: CloseReason, _: Option<&str>) -> io::Result<()> {
        panic!("a transport on top of the pipe sends its own end");
    }

    async fn close(&self) -> io::Result<()> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
