//! Somebody at the other end of a connection that takes a few bytes at a time, and the connection's two halves: what it
//! reads when, and what it writes when it was woken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use chinwag::feed::{Cursor, Feed, Mailbox, Progress, Source};
use chinwag::limits::PRIVATE_BYTES_PAUSE;
use chinwag::protocol::{DecoderOutput, Ending, LineDecoder, LineError, OtherProtocol};

use super::reader::Reader;

pub(super) struct Peer {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) reader: Reader,
    pub(super) state: State,
    cursor: Cursor,
    woken: Arc<Woken>,
    /// Takes so many bytes more, ever.
    patience: usize,
    decoder: LineDecoder,
    /// What it sent, and how much of it the connection has read. `heard_bytes <= sent.len()`.
    sent: Vec<u8>,
    heard_bytes: usize,
    input: Input,
    ending_told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Waits to be woken.
    Waiting,
    /// Has taken what was new, and not yet written it: other things can happen between.
    Taken,
    /// Its socket takes no more.
    Blocked,
    /// Got all it was to get.
    Done,
    /// Closed for not reading.
    Slow,
}

/// How far the peer's input is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Input {
    Open,
    /// The peer sends no more; what it sent is still to be read.
    HalfClosed,
    /// All lines were read.
    Finished,
    /// The connection reads no more.
    Ended,
}

/// What the connection reads.
pub(super) enum Heard {
    /// A line; with the first, how the peer ends its lines.
    Line(Result<String, LineError>, Option<Ending>),
    /// A telnet option was asked for; this is the answer.
    Telnet([u8; 3]),
    /// Telnet's AYT.
    AreYouThere,
    /// The peer speaks another protocol, and is not read on.
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

impl Peer {
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
            heard_bytes: 0,
            input: Input::Open,
            ending_told: false,
        }
    }

    /// Sends bytes, unless the peer has said that it sends no more.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.input == Input::Open {
            self.sent.drain(..self.heard_bytes);
            self.heard_bytes = 0;
            self.sent.extend_from_slice(bytes);
        }
    }

    pub(super) fn half_close(&mut self) {
        if self.input == Input::Open {
            self.input = Input::HalfClosed;
        }
    }

    /// Nothing has arrived for a while. Returns whether that shows that lines end with CR alone.
    pub(super) fn fall_silent(&mut self) -> bool {
        let is_lone = self.heard_bytes == self.sent.len() && self.decoder.may_end_lines_at_cr();
        if is_lone {
            self.decoder.end_lines_at_cr();
        }
        is_lone
    }

    /// The connection broke.
    pub(super) fn vanish(&mut self) {
        self.input = Input::Ended;
    }

    /// The next thing that the connection reads; nothing while too much of what the peer asked for waits to be written.
    pub(super) fn hear(&mut self) -> Option<Heard> {
        if self.mailbox.waiting_bytes() > PRIVATE_BYTES_PAUSE {
            return None;
        }
        match self.input {
            Input::Open => self.hear_line(),
            Input::HalfClosed => self.hear_line().or_else(|| {
                let last = self.decoder.finish();
                last.map(|last| self.heard(last)).or_else(|| {
                    self.input = Input::Finished;
                    self.hear()
                })
            }),
            Input::Finished => {
                self.input = Input::Ended;
                Some(Heard::EndOfInput)
            }
            Input::Ended => None,
        }
    }

    fn hear_line(&mut self) -> Option<Heard> {
        let mut rest = &self.sent[self.heard_bytes..];
        let decoded = self.decoder.next(&mut rest);
        self.heard_bytes = self.sent.len() - rest.len();
        decoded.map(|decoded| self.heard(decoded))
    }

    fn heard(&mut self, decoded: DecoderOutput) -> Heard {
        match decoded {
            DecoderOutput::Telnet(answer) => Heard::Telnet(answer),
            DecoderOutput::AreYouThere => Heard::AreYouThere,
            DecoderOutput::Line(line) => {
                let is_first = !std::mem::replace(&mut self.ending_told, true);
                Heard::Line(line, self.decoder.ending().filter(|_| is_first))
            }
            DecoderOutput::OtherProtocol(foreign) => {
                self.input = Input::Ended;
                Heard::OtherProtocol(foreign)
            }
        }
    }

    /// The socket takes some bytes.
    pub(super) fn read(&mut self, feed: &Feed, bytes: usize) {
        // It may be found full and at once be ready again.
        if self.state == State::Taken || self.state == State::Blocked && bytes.is_multiple_of(2) {
            self.write(feed, bytes);
        } else if self.take_wake() || self.state == State::Blocked {
            self.fetch_new(feed);
        }
    }

    /// The socket takes everything.
    pub(super) fn read_all(&mut self, feed: &Feed) {
        if self.state == State::Taken {
            self.write(feed, usize::MAX);
        }
        while self.take_wake() || self.state == State::Blocked && self.patience > 0 {
            self.fetch_new(feed);
            self.write(feed, usize::MAX);
        }
    }

    /// Has read all there was, and was not told of more.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.state == State::Waiting && !self.woken.0.load(Ordering::Relaxed)
    }

    fn take_wake(&self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed)
    }

    /// The first thing a connection does when it was woken.
    fn fetch_new(&mut self, feed: &Feed) {
        self.cursor.fetch_new(feed, &self.mailbox, &Waker::from(Arc::clone(&self.woken)));
        self.state = if self.mailbox.lifecycle().is_slow() { State::Slow } else { State::Taken };
    }

    /// The second, with a socket that takes `bytes` more.
    fn write(&mut self, feed: &Feed, bytes: usize) {
        let bytes = bytes.min(self.patience);
        let mut room = bytes;
        while !matches!(self.state, State::Done | State::Slow) {
            let reader = &mut self.reader;
            let progress = self.cursor.write(feed, &self.mailbox, |source| take(&source, &mut room, reader));
            self.state = match progress {
                Ok(Progress::Wrote(_)) => continue,
                Ok(Progress::Idle) => State::Waiting,
                Ok(Progress::Done) => State::Done,
                Ok(Progress::Evicted) => State::Slow,
                Ok(Progress::CaughtUp | Progress::Unreadable) => panic!("there is no store to catch up from"),
                Err(_) => State::Blocked,
            };
            break;
        }
        self.patience -= bytes - room;
    }
}

fn take(source: &Source<'_>, room: &mut usize, reader: &mut Reader) -> io::Result<usize> {
    let mut bytes = source.to_vec()?;
    bytes.truncate(*room);
    if bytes.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    reader.take(&bytes);
    *room -= bytes.len();
    Ok(bytes.len())
}
