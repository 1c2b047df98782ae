//! One connection of the load, and what a sender does with it: keep messages on their way and see them acknowledged.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::common::log::Faults;
use crate::web::{Frames, frame, shake_hands};
use crate::wire::{Order, write_command};

/// A connection that is read line by line.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// What its bytes come in, if that is WebSocket.
    frames: Option<Frames>,
    pub(crate) open: bool,
    /// The begin of a line that is to come.
    awaited: Option<&'static str>,
    /// Other lines that came since that is awaited.
    pub(crate) skipped: u64,
    /// A line's begin, of which the rest has not come yet.
    part: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        Self { stream, frames: None, open: true, awaited: None, skipped: 0, part: Vec::new() }
    }

    pub(crate) fn connect_over_web(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.stream.set_nonblocking(false).expect("a socket");
        shake_hands(&mut peer.stream);
        peer.stream.set_nonblocking(true).expect("a socket");
        Self { frames: Some(Frames::default()), ..peer }
    }

    /// Sends a short line at a time when there is room for it.
    pub(crate) fn send(&mut self, line: &[u8]) {
        let bytes = if self.frames.is_some() { &*frame(line) } else { line };
        let sent = self.stream.write(bytes).expect("the server reads");
        assert_eq!(sent, bytes.len(), "a short line is sent at once");
    }

    pub(crate) fn await_line(&mut self, start: &'static str) {
        self.awaited = Some(start);
        self.skipped = 0;
    }

    /// The barrier after the load: what a reader gets next must be the answer to its question.
    pub(crate) fn ask_for_the_end(&mut self) {
        if self.open {
            self.await_line("OK PING end");
            self.send(b"PING end\n");
        }
    }

    pub(crate) fn awaits(&self) -> bool {
        self.awaited.is_some()
    }

    pub(crate) fn expect_no_part_of_a_line(&self) {
        assert!(self.part.is_empty(), "something comes after the last line: {}", self.part.escape_ascii());
    }

    pub(crate) fn close(&mut self) {
        self.open = false;
        self.awaited = None;
    }

    /// How many bytes came.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.stream.read(buffer) {
            Ok(0) => self.close(),
            Ok(count) => return self.strip(&mut buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.close(),
        }
        0
    }

    /// Leaves of the bytes what is not for the transport; returns how many these are.
    pub(crate) fn strip(&mut self, bytes: &mut [u8]) -> usize {
        match &mut self.frames {
            Some(frames) => frames.strip(bytes),
            None => bytes.len(),
        }
    }

    /// Takes bytes that came; hands on every line complete by now, without its LF.
    pub(crate) fn take_lines(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.part.is_empty() {
                self.note(line);
                take(line);
            } else {
                let mut whole = std::mem::take(&mut self.part);
                whole.extend_from_slice(line);
                self.note(&whole);
                take(&whole);
            }
        }
        self.part.extend_from_slice(bytes);
    }

    fn note(&mut self, line: &[u8]) {
        if self.awaited.is_some_and(|start| line.starts_with(start.as_bytes())) {
            self.awaited = None;
        } else {
            self.skipped += 1;
        }
    }
}

/// Somebody who sends, and reads along.
pub(crate) struct Sender {
    pub(crate) peer: Peer,
    number: usize,
    /// Messages kept on their way.
    pub(crate) window: u64,
    /// When each message was handed to the kernel, or was to be.
    pub(crate) sent_at: Vec<Instant>,
    acknowledged: u64,
    /// Commands that the kernel did not take yet.
    unsent: Vec<u8>,
    /// What comes from here on is checked.
    pub(crate) starts: bool,
    order: Order,
    /// While there is one, the time to every acknowledgement.
    pub(crate) latencies: Option<Vec<Duration>>,
    /// Others who left: their names and why.
    pub(crate) left: Vec<(String, String)>,
}

impl Sender {
    pub(crate) fn new(peer: Peer, number: usize, senders: usize) -> Self {
        Self {
            peer,
            number,
            window: 0,
            sent_at: Vec::new(),
            acknowledged: 0,
            unsent: Vec::new(),
            starts: false,
            order: Order::new(senders),
            latencies: None,
            left: Vec::new(),
        }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent_at.len() as u64
    }

    pub(crate) fn unacknowledged(&self) -> u64 {
        self.sent() - self.acknowledged
    }

    /// Sends as many messages as the window has room for, once that is worth a system call.
    pub(crate) fn refill(&mut self) {
        let room = self.window.saturating_sub(self.unacknowledged());
        if room > 0 && room >= self.window / 4 {
            self.send(room);
        } else {
            self.flush();
        }
    }

    pub(crate) fn send(&mut self, count: u64) {
        let sent = self.sent();
        (sent..sent + count).for_each(|sequence| write_command(&mut self.unsent, sequence));
        self.sent_at.resize(self.sent_at.len() + usize::try_from(count).expect("64-bit"), Instant::now());
        self.flush();
    }

    /// What does not go now goes when the next acknowledgement comes: there is one under way.
    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.peer.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.peer.close(),
            }
        }
    }

    /// Takes bytes that came; hands on every message of others among them, as its sender and number.
    pub(crate) fn take(&mut self, bytes: &[u8], mut on_message: impl FnMut(usize, u64)) {
        let now = Instant::now();
        let Self { peer, starts, order, sent_at, acknowledged, latencies, left, .. } = self;
        peer.take_lines(bytes, |line| {
            if !*starts {
                return;
            }
            if line.starts_with(b"OK MSG ") {
                let sent_at = sent_at.get(usize::try_from(*acknowledged).expect("64-bit"));
                match (sent_at, &mut *latencies) {
                    (Some(&sent_at), Some(latencies)) => latencies.push(now - sent_at),
                    (Some(_), None) => {}
                    (None, _) => order.faults.out_of_order += 1,
                }
                *acknowledged += 1;
            } else if !line.starts_with(b"OK PING ") {
                match order.take_event(line) {
                    Some((sender, sequence)) => on_message(sender, sequence),
                    None => left.extend(leave(line)),
                }
            }
        });
    }

    /// Others who were closed because they did not read.
    pub(crate) fn slow_peers(&self) -> u64 {
        self.left.iter().filter(|(_, reason)| reason == "slow").count() as u64
    }

    /// Takes note how many messages each sender sent, this one, too; says what went wrong on the way.
    pub(crate) fn end(&mut self, counts: &[u64]) -> Faults {
        for (number, &count) in counts.iter().enumerate() {
            let seen = if number == self.number { self.acknowledged } else { self.order.seen(number) };
            self.order.faults.lost += count.saturating_sub(seen);
        }
        self.order.faults.closed += u64::from(!self.peer.open);
        self.order.faults
    }
}

/// The name and the reason, if the line says that somebody left.
fn leave(line: &[u8]) -> Option<(String, String)> {
    let mut words = std::str::from_utf8(line).ok()?.strip_prefix("LEAVE ")?.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}
