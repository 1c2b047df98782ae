//! Misbehaving clients. An [`AttackPlan`] says what one attacker sends, whether it reads, and whether it reconnects.
//! [`Attackers`] runs many plans, on a separate thread with a low priority, so that the well-behaved clients are not
//! slowed.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use socket2::{Domain, SockRef, Socket, Type};

use crate::wire::ATTACKER;

/// Most bytes of one read or write, unless the plan says fewer.
const CHUNK_BYTES: usize = 64 * 1024;

/// The first byte of a record that belongs to a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

/// The lowest priority: the well-behaved clients run first.
const NICENESS: i32 = 19;

/// The behaviour of one attacker.
#[derive(Clone, Debug)]
pub(crate) struct AttackPlan {
    /// Takes a new nickname first.
    pub(crate) joins: bool,
    /// Sent once.
    pub(crate) first: Vec<u8>,
    /// Sent again and again afterwards, unless it is empty.
    pub(crate) repeated: Vec<u8>,
    /// Most bytes of one write.
    pub(crate) write_bytes_max: usize,
    pub(crate) reading: ReadingMode,
    pub(crate) closing: Closing,
    /// Connects again after the connection is closed by either side.
    pub(crate) reconnects: bool,
}

/// Whether an attacker reads what the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadingMode {
    Everything,
    /// Nothing; the kernel's receive buffer is as small as possible.
    Nothing,
}

/// When an attacker closes its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    Never,
    /// When everything is sent.
    Sent,
    /// When the server has answered.
    Answered,
}

/// Requested receive buffer of a client that does not read: below the kernel's minimum, so the kernel chooses that minimum.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 1024;

impl Default for AttackPlan {
    fn default() -> Self {
        Self {
            joins: false,
            first: Vec::new(),
            repeated: Vec::new(),
            write_bytes_max: CHUNK_BYTES,
            reading: ReadingMode::Everything,
            closing: Closing::Never,
            reconnects: false,
        }
    }
}

impl AttackPlan {
    /// A plan that sends these bytes, then nothing more.
    pub(crate) fn once(first: impl Into<Vec<u8>>) -> Self {
        Self { first: first.into(), ..Self::default() }
    }

    /// A plan that sends these bytes again and again, as fast as the server accepts them.
    pub(crate) fn flood(unit: &[u8]) -> Self {
        Self { repeated: unit.repeat((CHUNK_BYTES / unit.len()).max(1)), ..Self::default() }
    }

    /// Opens a connection; blocks until it is open. The nickname command, if any, is queued but not sent yet.
    fn connect(&self, address: SocketAddr, number: u64) -> std::io::Result<Attacker> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if self.reading == ReadingMode::Nothing {
            socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        }
        socket.connect_timeout(&address.into(), Duration::from_secs(5))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut first = Vec::new();
        if self.joins {
            first.extend_from_slice(format!("NICK {ATTACKER}{number:06}\n").as_bytes());
        }
        first.extend_from_slice(&self.first);
        Ok(Attacker { stream: socket.into(), first, sent: 0, line: Vec::new() })
    }
}

/// The counts of all attackers.
#[derive(Debug, Default)]
pub(crate) struct AttackCounts {
    /// Connections that were opened.
    pub(crate) connections: u64,
    /// Connections that could not be opened.
    pub(crate) refused: u64,
    /// Connections that the server closed.
    pub(crate) closed: u64,
    /// Connections that the server answered with a TLS handshake, of attackers that wait for an answer.
    pub(crate) handshakes: u64,
    pub(crate) sent_bytes: u64,
    /// `OK` lines received, and `ERR` lines by code.
    pub(crate) ok_lines: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// An attacker with an open connection.
struct Attacker {
    stream: TcpStream,
    /// The bytes to send once, with the nickname command.
    first: Vec<u8>,
    /// Bytes sent, of `first` and of the repeated bytes.
    sent: u64,
    /// The beginning of a received line that is not complete yet.
    line: Vec<u8>,
}

/// Attackers that run until [`Attackers::stop`].
pub(crate) struct Attackers {
    stop: Arc<AtomicBool>,
    connected_once: Arc<AtomicU64>,
    thread: JoinHandle<AttackCounts>,
}

impl Attackers {
    /// Connects all attackers, one after the other, and runs their plans.
    pub(crate) fn start(address: SocketAddr, plans: Vec<AttackPlan>) -> Self {
        let (stop, connected_once) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, connected) = (Arc::clone(&stop), Arc::clone(&connected_once));
        let thread = thread::spawn(move || {
            rustix::process::nice(NICENESS).expect("lowering the priority needs no permission");
            let mut attack_loop = AttackLoop::new(address, plans);
            attack_loop.connect_all(&stopped, &connected);
            while !stopped.load(Ordering::Relaxed) {
                attack_loop.turn();
            }
            attack_loop.reset_all();
            attack_loop.counts
        });
        Self { stop, connected_once, thread }
    }

    /// Attackers that have connected at least once.
    pub(crate) fn connected_once(&self) -> u64 {
        self.connected_once.load(Ordering::Relaxed)
    }

    /// Resets all connections, as after a power failure of the attackers' machine.
    pub(crate) fn stop(self) -> AttackCounts {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the attackers' thread does not panic")
    }
}

/// The state of the attackers' thread.
struct AttackLoop {
    address: SocketAddr,
    epoll: OwnedFd,
    buffer: Vec<u8>,
    plans: Vec<AttackPlan>,
    /// By the number of the plan; `None` if the attacker has disconnected and does not reconnect.
    attackers: Vec<Option<Attacker>>,
    counts: AttackCounts,
}

impl AttackLoop {
    fn new(address: SocketAddr, plans: Vec<AttackPlan>) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        let attackers = plans.iter().map(|_| None).collect();
        Self { address, epoll, buffer: vec![0; CHUNK_BYTES], plans, attackers, counts: AttackCounts::default() }
    }

    fn connect_all(&mut self, stopped: &AtomicBool, connected_once: &AtomicU64) {
        for number in 0..self.plans.len() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            self.connect(number);
            self.write(number);
            connected_once.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn connect(&mut self, number: usize) {
        let plan = &self.plans[number];
        let Ok(attacker) = plan.connect(self.address, self.counts.connections) else {
            self.counts.refused += 1;
            return;
        };
        self.counts.connections += 1;
        let mut interest = epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        interest.set(epoll::EventFlags::IN, plan.reading == ReadingMode::Everything);
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &attacker.stream, data, interest).expect("epoll takes a socket");
        self.attackers[number] = Some(attacker);
    }

    /// Reads or writes once for each attacker whose socket is ready.
    fn turn(&mut self) {
        let mut events = Vec::with_capacity(256);
        let timeout = Timespec::try_from(Duration::from_millis(20)).expect("a short time");
        // Only a signal can interrupt it; the next turn waits again.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout));
        for event in events {
            let number = usize::try_from({ event.data }.u64()).expect("64-bit");
            let flags = { event.flags };
            // Reading tells input, an end and an error apart.
            if flags != epoll::EventFlags::OUT {
                self.read(number);
            }
            if flags.contains(epoll::EventFlags::OUT) {
                self.write(number);
            }
        }
    }

    fn read(&mut self, number: usize) {
        let Some(attacker) = &mut self.attackers[number] else { return };
        match attacker.stream.read(&mut self.buffer) {
            Ok(count) if count > 0 => {
                attacker.read_lines(&self.buffer[..count], &mut self.counts);
                if self.plans[number].closing == Closing::Answered {
                    self.counts.handshakes += u64::from(self.buffer[0] == TLS_HANDSHAKE);
                    self.close(number);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => {
                self.counts.closed += 1;
                self.close(number);
            }
        }
    }

    fn write(&mut self, number: usize) {
        let (plan, Some(attacker)) = (&self.plans[number], &mut self.attackers[number]) else { return };
        let rest = plan.unsent_bytes(&attacker.first, attacker.sent);
        if rest.is_empty() {
            if plan.closing == Closing::Sent {
                return self.close(number);
            }
            let mut interest = epoll::EventFlags::RDHUP;
            interest.set(epoll::EventFlags::IN, plan.reading == ReadingMode::Everything);
            let data = epoll::EventData::new_u64(number as u64);
            epoll::modify(&self.epoll, &attacker.stream, data, interest).expect("it was added");
            return;
        }
        match attacker.stream.write(rest) {
            Ok(count) => {
                attacker.sent += count as u64;
                self.counts.sent_bytes += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The server's last lines before it closed may still be unread.
            Err(_) => self.read(number),
        }
    }

    fn reset_all(&mut self) {
        for attacker in self.attackers.drain(..).flatten() {
            SockRef::from(&attacker.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
    }

    fn close(&mut self, number: usize) {
        // Closing the descriptor removes the socket from epoll.
        self.attackers[number] = None;
        if self.plans[number].reconnects {
            self.connect(number);
        }
    }
}

impl AttackPlan {
    /// The bytes to write next, when `sent` bytes have been sent. Empty if there are none.
    fn unsent_bytes<'a>(&'a self, first: &'a [u8], sent: u64) -> &'a [u8] {
        let sent = usize::try_from(sent).expect("64-bit");
        let rest = match sent.checked_sub(first.len()) {
            None => &first[sent..],
            Some(_) if self.repeated.is_empty() => &[],
            Some(sent) => &self.repeated[sent % self.repeated.len()..],
        };
        &rest[..rest.len().min(self.write_bytes_max)]
    }
}

impl Attacker {
    fn read_lines(&mut self, bytes: &[u8], counts: &mut AttackCounts) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                counts.count_line(&self.line);
                self.line.clear();
            }
        }
    }
}

impl AttackCounts {
    fn count_line(&mut self, line: &[u8]) {
        if line.starts_with(b"OK ") {
            self.ok_lines += 1;
        } else if let Some(rest) = line.strip_prefix(b"ERR ") {
            let code = rest.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
            *self.errors.entry(String::from_utf8_lossy(code).trim_end().to_owned()).or_default() += 1;
        }
    }
}
