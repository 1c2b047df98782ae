//! One connection, and the way from its socket to lines.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::protocol::Step;

/// Most bytes read from a connection before it is another's turn.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;

/// Which connections have something to read.
pub(super) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub(super) fn new() -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        Self { epoll, events: Vec::with_capacity(1024) }
    }

    pub(super) fn add(&self, connection: &Connection, number: usize) {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &connection.stream, data, epoll::EventFlags::IN).expect("epoll takes a socket");
    }

    pub(super) fn remove(&self, connection: &Connection) {
        epoll::delete(&self.epoll, &connection.stream).expect("it was added");
    }

    /// Puts the numbers of those that have something, waiting no longer than so long for one.
    pub(super) fn wait(&mut self, wait: Duration, ready: &mut Vec<usize>) {
        self.events.clear();
        let timeout = Timespec::try_from(wait).expect("a short time");
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("epoll: {error}"),
        }
        ready.clear();
        ready.extend(self.events.iter().map(|event| usize::try_from({ event.data }.u64()).expect("64-bit")));
    }
}

/// Puts lines together from pieces.
#[derive(Default)]
pub(super) struct Lines {
    /// A line's begin, of which the rest has not come yet.
    part: Vec<u8>,
}

impl Lines {
    /// Takes bytes that came; hands on every line complete by now, without its LF.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.part.is_empty() {
                take(line);
            } else {
                self.part.extend_from_slice(line);
                take(&self.part);
                self.part.clear();
            }
        }
        self.part.extend_from_slice(bytes);
    }

    pub(super) fn is_between_lines(&self) -> bool {
        self.part.is_empty()
    }
}

/// A socket, who introduces itself and what it has still to send.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) open: bool,
    pub(super) lines: Lines,
    /// What it does to take part; the first is under way.
    steps: VecDeque<Step>,
    /// What the kernel did not take yet.
    pub(super) unsent: Vec<u8>,
}

impl Connection {
    /// Connects and begins with the first step.
    pub(super) fn new(address: SocketAddr, steps: Vec<Step>) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let unsent = Vec::new();
        let mut connection = Self { stream, open: true, lines: Lines::default(), steps: steps.into(), unsent };
        connection.begin_step();
        connection
    }

    /// Does one thing more, and waits for what says that it is done.
    pub(super) fn add_step(&mut self, step: Step) {
        self.steps.push_back(step);
        if self.steps.len() == 1 {
            self.begin_step();
        }
    }

    fn begin_step(&mut self) {
        if let Some(step) = self.steps.front() {
            self.unsent.extend_from_slice(&step.send);
            self.flush();
        }
    }

    pub(super) fn is_introduced(&self) -> bool {
        self.steps.is_empty() || !self.open
    }

    /// Takes a line while it introduces itself.
    pub(super) fn take_introduction(&mut self, line: &[u8]) {
        let Some(step) = self.steps.front() else { return };
        if line.windows(step.until.len()).any(|part| part == step.until.as_bytes()) {
            self.steps.pop_front();
            self.begin_step();
        }
    }

    /// What does not go now goes when it is tried again.
    pub(super) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.open = false,
            }
        }
    }

    /// How many bytes came. If it was closed on, it is not open any more.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.stream.read(buffer) {
            Ok(0) => self.open = false,
            Ok(count) => return count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.open = false,
        }
        0
    }
}
