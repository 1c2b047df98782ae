//! One connection of the load, and the sender: it keeps a number of messages unacknowledged and checks the acknowledgements.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::common::log::Faults;
use crate::common::socket::{connect_from, write_some};
use crate::common::tls::{Session, TlsClient};
use crate::web::{Frames, frame, upgrade};
use crate::wire::{Order, write_command};

/// A connection, read line by line.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    layer: Layer,
    pub(crate) open: bool,
    /// The beginning of the line that the connection waits for.
    awaited: Option<&'static str>,
    /// Other lines received since the wait began.
    pub(crate) skipped: u64,
    /// The beginning of a line that is not complete yet.
    partial_line: Vec<u8>,
}

/// The layer between TCP and the lines.
enum Layer {
    None,
    WebSocket(Frames),
    Tls(Box<Session>),
}

impl Connection {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("the server accepts"))
    }

    /// Connects from another source address than 127.0.0.1.
    pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        Self::new(connect_from(source, address))
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        Self { stream, layer: Layer::None, open: true, awaited: None, skipped: 0, partial_line: Vec::new() }
    }

    pub(crate) fn connect_over_websocket(address: SocketAddr) -> Self {
        let mut connection = Self::connect(address);
        connection.stream.set_nonblocking(false).expect("a socket");
        upgrade(&mut connection.stream);
        connection.stream.set_nonblocking(true).expect("a socket");
        Self { layer: Layer::WebSocket(Frames::default()), ..connection }
    }

    /// Connects, and waits for the end of the TLS handshake.
    pub(crate) fn connect_over_tls(address: SocketAddr, client: &TlsClient) -> Self {
        let connection = Self::connect(address);
        connection.stream.set_nonblocking(false).expect("a socket");
        let session = Box::new(handshake(&connection.stream, client));
        connection.stream.set_nonblocking(true).expect("a socket");
        Self { layer: Layer::Tls(session), ..connection }
    }

    /// Sends a short line while the socket's buffer has room for it.
    pub(crate) fn send(&mut self, line: &[u8]) {
        let sent = match &mut self.layer {
            Layer::None => self.stream.write(line).map(|sent| sent == line.len()),
            Layer::WebSocket(_) => {
                let frame = frame(line);
                self.stream.write(&frame).map(|sent| sent == frame.len())
            }
            Layer::Tls(session) => {
                let sent = session.write(&self.stream, &mut line.to_vec());
                sent.map(|()| session.output.is_empty())
            }
        };
        match sent {
            Ok(is_whole) => assert!(is_whole, "a short line is sent at once"),
            // The server has closed the connection. That is a fault, and this may be noticed before the end of the input.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => self.close(),
            Err(error) => panic!("the server does not read: {error}"),
        }
    }

    pub(crate) fn await_line(&mut self, start: &'static str) {
        self.awaited = Some(start);
        self.skipped = 0;
    }

    /// The barrier after the load: the next line that a reader receives must be the reply to this `PING`.
    pub(crate) fn send_last_ping(&mut self) {
        if self.open {
            self.await_line("OK PING end");
            self.send(b"PING end\n");
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }

    pub(crate) fn assert_between_lines(&self) {
        assert!(self.partial_line.is_empty(), "bytes follow the last line: {}", self.partial_line.escape_ascii());
    }

    pub(crate) fn close(&mut self) {
        self.open = false;
        self.awaited = None;
    }

    /// Reads once. Returns the number of bytes of lines: without frame headers, and decrypted.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let read = match &mut self.layer {
            Layer::None => self.stream.read(buffer).map(|count| (count, count == 0)),
            Layer::WebSocket(frames) => {
                let received = self.stream.read(buffer);
                received.map(|count| (frames.strip(&mut buffer[..count]), count == 0))
            }
            Layer::Tls(session) => {
                let received = session.read(&self.stream, buffer, &mut Vec::new());
                let answered = session.write(&self.stream, &mut Vec::new());
                received.and_then(|count| answered.map(|()| (count, session.has_ended())))
            }
        };
        let (count, has_ended) = match read {
            Err(error) => (0, error.kind() != ErrorKind::WouldBlock),
            Ok(read) => read,
        };
        if has_ended {
            self.close();
        }
        count
    }

    /// Splits received bytes into lines. Calls `on_line` with each complete line, without its LF.
    pub(crate) fn split_lines(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial_line.is_empty() {
                self.check_awaited(line);
                on_line(line);
            } else {
                let mut whole = std::mem::take(&mut self.partial_line);
                whole.extend_from_slice(line);
                self.check_awaited(&whole);
                on_line(&whole);
            }
        }
        self.partial_line.extend_from_slice(bytes);
    }

    fn check_awaited(&mut self, line: &[u8]) {
        if self.awaited.is_some_and(|start| line.starts_with(start.as_bytes())) {
            self.awaited = None;
        } else {
            self.skipped += 1;
        }
    }
}

/// Carries out a handshake on a blocking socket.
fn handshake(stream: &TcpStream, client: &TlsClient) -> Session {
    let (mut session, mut buffer) = (client.session(), vec![0; 64 * 1024]);
    loop {
        session.write(stream, &mut Vec::new()).expect("the server reads");
        if !session.connection.is_handshaking() {
            return session;
        }
        let count = session.read(stream, &mut buffer, &mut Vec::new()).expect("the server completes the handshake");
        assert!(count == 0 && !session.has_ended(), "the server completes the handshake");
    }
}

/// A client that sends messages and reads those of others.
pub(crate) struct Sender {
    pub(crate) connection: Connection,
    number: usize,
    /// Messages to keep unacknowledged.
    pub(crate) window: u64,
    /// When each message was given to the kernel, or queued because the kernel did not accept it.
    pub(crate) sent_at: Vec<Instant>,
    acknowledged: u64,
    /// Commands that the kernel has not accepted yet.
    unsent: Vec<u8>,
    /// Received lines are checked.
    pub(crate) is_checked: bool,
    order: Order,
    /// While it is `Some`: the delay of every acknowledgement.
    pub(crate) latencies: Option<Vec<Duration>>,
    /// Members that left, each with the reason.
    pub(crate) left: Vec<(String, String)>,
}

impl Sender {
    pub(crate) fn new(connection: Connection, number: usize, senders: usize) -> Self {
        Self {
            connection,
            number,
            window: 0,
            sent_at: Vec::new(),
            acknowledged: 0,
            unsent: Vec::new(),
            is_checked: false,
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

    /// Fills the window once a quarter of it is free: fewer messages are not worth a system call.
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

    /// Sends as much as the kernel accepts. The rest is sent at the next acknowledgement, which is due.
    fn flush(&mut self) {
        if write_some(&self.connection.stream, &mut self.unsent).is_err() {
            self.connection.close();
        }
    }

    /// Processes received bytes. Calls `on_message` with the sender and the sequence number of each message of another sender.
    pub(crate) fn receive(&mut self, bytes: &[u8], mut on_message: impl FnMut(usize, u64)) {
        let now = Instant::now();
        let Self { connection, is_checked, order, sent_at, acknowledged, latencies, left, .. } = self;
        connection.split_lines(bytes, |line| {
            if !*is_checked {
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
                match order.check_event(line) {
                    Some((sender, sequence)) => on_message(sender, sequence),
                    None => left.extend(leave(line)),
                }
            }
        });
    }

    /// Members that were disconnected as slow consumers.
    pub(crate) fn slow_consumers(&self) -> u64 {
        self.left.iter().filter(|(_, reason)| reason == "slow").count() as u64
    }

    /// The faults, given the number of messages that each sender has sent, this one included.
    pub(crate) fn final_faults(&mut self, counts: &[u64]) -> Faults {
        for (number, &count) in counts.iter().enumerate() {
            let seen = if number == self.number { self.acknowledged } else { self.order.seen(number) };
            self.order.faults.lost += count.saturating_sub(seen);
        }
        self.order.faults.closed += u64::from(!self.connection.open);
        self.order.faults
    }
}

/// The nickname and the reason in a `LEAVE` line.
fn leave(line: &[u8]) -> Option<(String, String)> {
    let mut words = std::str::from_utf8(line).ok()?.strip_prefix("LEAVE ")?.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}
