//! A nonblocking connection, its handshake, and the lines that it receives.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use crate::common::socket::connect_from;
use crate::protocol::Step;

/// Most bytes read from a connection in one turn.
pub(crate) const READ_BYTES_MAX: usize = 256 * 1024;

/// Splits a stream that comes in pieces into lines.
#[derive(Default)]
pub(crate) struct Lines {
    /// The beginning of a line that is not complete yet.
    partial: Vec<u8>,
}

impl Lines {
    /// Calls `on_line` with each line that these bytes complete, without its LF.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial.is_empty() {
                on_line(line);
            } else {
                self.partial.extend_from_slice(line);
                on_line(&self.partial);
                self.partial.clear();
            }
        }
        self.partial.extend_from_slice(bytes);
    }

    pub(crate) fn is_between_lines(&self) -> bool {
        self.partial.is_empty()
    }
}

/// A socket, the rest of its handshake, and its unsent output.
pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) open: bool,
    pub(crate) lines: Lines,
    /// The steps of the handshake that are not done; the first has been sent.
    steps: VecDeque<Step>,
    /// Output that the kernel has not taken yet.
    pub(crate) unsent: Vec<u8>,
}

impl Connection {
    /// Connects, from this source address if there is one, and sends the first step of the handshake.
    pub(crate) fn new(source: Option<Ipv4Addr>, address: SocketAddr, steps: Vec<Step>) -> Self {
        let stream = match source {
            Some(source) => connect_from(source, address),
            None => TcpStream::connect(address).expect("the server accepts"),
        };
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let unsent = Vec::new();
        let mut connection = Self { stream, open: true, lines: Lines::default(), steps: steps.into(), unsent };
        connection.send_step();
        connection
    }

    /// Adds a request whose answer ends with the line that completes the step.
    pub(crate) fn add_step(&mut self, step: Step) {
        self.steps.push_back(step);
        if self.steps.len() == 1 {
            self.send_step();
        }
    }

    fn send_step(&mut self) {
        if let Some(step) = self.steps.front() {
            self.unsent.extend_from_slice(&step.request);
            self.flush();
        }
    }

    /// Whether no step is open, or none can be completed any more.
    pub(crate) fn has_finished_steps(&self) -> bool {
        self.steps.is_empty() || !self.open
    }

    /// Sends the next step if this line completes the current one.
    pub(crate) fn advance_steps(&mut self, line: &[u8]) {
        let Some(step) = self.steps.front() else { return };
        if line.windows(step.done.len()).any(|part| part == step.done.as_bytes()) {
            self.steps.pop_front();
            self.send_step();
        }
    }

    /// Writes as much as the kernel takes; the rest waits for the next call.
    pub(crate) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.open = false,
            }
        }
    }

    /// Returns the number of bytes read. Clears `open` if the server has closed the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.stream.read(buffer) {
            Ok(0) => self.open = false,
            Ok(count) => return count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.open = false,
        }
        0
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_anywhere_are_whole() {
        let stream = b"one\r\n\ntwo\nthree";
        for split in 0..=stream.len() {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            let (first, second) = stream.split_at(split);
            lines.push(first, |line| got.push(line.to_vec()));
            lines.push(second, |line| got.push(line.to_vec()));
            assert_eq!(got, [&b"one\r"[..], b"", b"two"], "split at {split}");
            assert!(!lines.is_between_lines());
        }
    }
}
