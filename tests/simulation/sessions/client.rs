//! A simulated client, whose socket accepts a few bytes at a time, and both halves of its connection: the reader, and the writer, which
//! runs only after a wake-up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use chinwag::feed::{Cursor, Feed, Mailbox, Progress, Source};
use chinwag::limits::PRIVATE_BYTES_PAUSE;
use chinwag::protocol::{DecoderOutput, Ending, LineDecoder, LineError, OtherProtocol};

use super::reader::Reader;

pub(super) struct Client {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) reader: Reader,
    pub(super) state: State,
    cursor: Cursor,
    woken: Arc<Woken>,
    /// Number of bytes that the client will still read.
    patience: usize,
    decoder: LineDecoder,
    /// Bytes from the client. The connection has read the first `received_bytes`.
    sent: Vec<u8>,
    received_bytes: usize,
    input: Input,
    ending_told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Waits for a wake-up.
    Waiting,
    /// Has fetched new output, and not yet written it. Other steps can happen in between.
    Fetched,
    /// Its socket is full.
    Blocked,
    /// Received everything, and was closed.
    Done,
    /// Was disconnected as a slow consumer.
    Slow,
}

/// State of the client's input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Input {
    Open,
    /// The client has ended its input; the connection has not read all of it.
    HalfClosed,
    /// The connection has read all lines.
    Finished,
    /// The connection no longer reads.
    Ended,
}

/// Something that the connection read.
pub(super) enum Received {
    /// A line; the first one with the client's line ending.
    Line(Result<String, LineError>, Option<Ending>),
    /// A telnet option request, with its refusal.
    Telnet([u8; 3]),
    /// Telnet's AYT.
    AreYouThere,
    /// Input of another protocol. The connection reads no more.
    OtherProtocol(OtherProtocol),
    EndOfInput,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    pub(super) fn new(patience: usize, feed: &Feed) -> Self {
        Self {
            mailbox: Arc::new(Mailbox::new(feed.backlog())),
            reader: Reader::default(),
            state: State::Waiting,
            cursor: Cursor::new(),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            patience,
            decoder: LineDecoder::new(),
            sent: Vec::new(),
            received_bytes: 0,
            input: Input::Open,
            ending_told: false,
        }
    }

    /// Sends bytes, unless the client has ended its input.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.input == Input::Open {
            self.sent.drain(..self.received_bytes);
            self.received_bytes = 0;
            self.sent.extend_from_slice(bytes);
        }
    }

    pub(super) fn half_close(&mut self) {
        if self.input == Input::Open {
            self.input = Input::HalfClosed;
        }
    }

    /// Nothing has arrived for a while. Returns whether the decoder concludes that lines end with CR alone.
    pub(super) fn fall_silent(&mut self) -> bool {
        let is_lone = self.received_bytes == self.sent.len() && self.decoder.may_end_lines_at_cr();
        if is_lone {
            self.decoder.end_lines_at_cr();
        }
        is_lone
    }

    /// Breaks the connection.
    pub(super) fn lose_connection(&mut self) {
        self.input = Input::Ended;
    }

    /// Returns the next input of the connection. `None` if there is nothing, or if backpressure stops the reader.
    pub(super) fn receive(&mut self) -> Option<Received> {
        if self.mailbox.waiting_bytes() > PRIVATE_BYTES_PAUSE {
            return None;
        }
        match self.input {
            Input::Open => self.receive_line(),
            Input::HalfClosed => self.receive_line().or_else(|| {
                let last = self.decoder.finish();
                last.map(|last| self.received(last)).or_else(|| {
                    self.input = Input::Finished;
                    self.receive()
                })
            }),
            Input::Finished => {
                self.input = Input::Ended;
                Some(Received::EndOfInput)
            }
            Input::Ended => None,
        }
    }

    fn receive_line(&mut self) -> Option<Received> {
        let mut rest = &self.sent[self.received_bytes..];
        let decoded = self.decoder.next(&mut rest);
        self.received_bytes = self.sent.len() - rest.len();
        decoded.map(|decoded| self.received(decoded))
    }

    fn received(&mut self, decoded: DecoderOutput) -> Received {
        match decoded {
            DecoderOutput::Telnet(answer) => Received::Telnet(answer),
            DecoderOutput::AreYouThere => Received::AreYouThere,
            DecoderOutput::Line(line) => {
                let is_first = !std::mem::replace(&mut self.ending_told, true);
                Received::Line(line, self.decoder.ending().filter(|_| is_first))
            }
            DecoderOutput::OtherProtocol(foreign) => {
                self.input = Input::Ended;
                Received::OtherProtocol(foreign)
            }
        }
    }

    /// Runs a part of the writer. The socket accepts this many bytes.
    pub(super) fn read(&mut self, feed: &Feed, bytes: usize) {
        // A full socket may be ready again at once.
        if self.state == State::Fetched || self.state == State::Blocked && bytes.is_multiple_of(2) {
            self.write(feed, bytes);
        } else if self.take_wake() || self.state == State::Blocked {
            self.fetch_new(feed);
        }
    }

    /// Runs the writer to its end. The socket accepts everything.
    pub(super) fn read_all(&mut self, feed: &Feed) {
        if self.state == State::Fetched {
            self.write(feed, usize::MAX);
        }
        while self.take_wake() || self.state == State::Blocked && self.patience > 0 {
            self.fetch_new(feed);
            self.write(feed, usize::MAX);
        }
    }

    /// Whether the client has read everything and has no wake-up pending.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.state == State::Waiting && !self.woken.0.load(Ordering::Relaxed)
    }

    fn take_wake(&self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed)
    }

    /// Fetches new output: the first part of the writer's turn.
    fn fetch_new(&mut self, feed: &Feed) {
        self.cursor.fetch_new(feed, &self.mailbox, &Waker::from(Arc::clone(&self.woken)));
        self.state = if self.mailbox.lifecycle().is_slow() { State::Slow } else { State::Fetched };
    }

    /// Writes to a socket that accepts `bytes` bytes: the second part of the writer's turn.
    fn write(&mut self, feed: &Feed, bytes: usize) {
        let bytes = bytes.min(self.patience);
        let mut room = bytes;
        while !matches!(self.state, State::Done | State::Slow) {
            let reader = &mut self.reader;
            let progress = self.cursor.write(feed, &self.mailbox, |source| accept(&source, &mut room, reader));
            self.state = match progress {
                Ok(Progress::Wrote(_)) => continue,
                Ok(Progress::Idle) => State::Waiting,
                Ok(Progress::Done) => State::Done,
                Ok(Progress::Evicted) => State::Slow,
                Ok(Progress::CaughtUp(_) | Progress::Unreadable) => panic!("a catch-up without a store"),
                Err(_) => State::Blocked,
            };
            break;
        }
        self.patience -= bytes - room;
    }
}

fn accept(source: &Source<'_>, room: &mut usize, reader: &mut Reader) -> io::Result<usize> {
    let mut bytes = source.to_vec()?;
    bytes.truncate(*room);
    if bytes.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    reader.read(&bytes);
    *room -= bytes.len();
    Ok(bytes.len())
}
