//! Those who are up to no good: connections that send what they like, read or do not, and come back when they are closed.
//! What each does is a [`Plan`]; a [`Mob`] carries out many, on a thread of its own that yields to the rest of the load.

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

/// Bytes written at once, unless the plan says fewer, and read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Least of the priorities that there are: whoever is well-behaved comes first.
const NICENESS: i32 = 19;

/// What one of them does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Takes a name first, one that no other had.
    pub(crate) joins: bool,
    /// Is sent once.
    pub(crate) first: Vec<u8>,
    /// Is sent over and over from then on, unless it is empty.
    pub(crate) again: Vec<u8>,
    /// How much of it is written at once.
    pub(crate) write_bytes_max: usize,
    pub(crate) reading: Reading,
    /// Closes when everything is sent.
    pub(crate) leaves: bool,
    /// Connects again when it is closed, by whomever.
    pub(crate) returns: bool,
}

/// How much of what comes is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Everything,
    /// Nothing, and the kernel takes in as little as it can be brought to.
    Nothing,
}

/// What is asked of the kernel for those who do not read: less than its least.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 1024;

impl Default for Plan {
    fn default() -> Self {
        Self {
            joins: false,
            first: Vec::new(),
            again: Vec::new(),
            write_bytes_max: CHUNK_BYTES,
            reading: Reading::Everything,
            leaves: false,
            returns: false,
        }
    }
}

impl Plan {
    /// Sends this, then nothing more.
    pub(crate) fn once(first: impl Into<Vec<u8>>) -> Self {
        Self { first: first.into(), ..Self::default() }
    }

    /// Sends this as fast as it is taken.
    pub(crate) fn flood(unit: &[u8]) -> Self {
        Self { again: unit.repeat((CHUNK_BYTES / unit.len()).max(1)), ..Self::default() }
    }

    /// A connection that takes a name, if it is to, and says nothing else yet. It blocks until it is connected.
    fn connect(&self, address: SocketAddr, number: u64) -> std::io::Result<Peer> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if self.reading == Reading::Nothing {
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
        Ok(Peer { stream: socket.into(), first, sent: 0, line: Vec::new() })
    }
}

/// What a mob saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often one of them connected.
    pub(crate) connections: u64,
    /// How often one could not.
    pub(crate) refused: u64,
    /// How often one was closed on.
    pub(crate) closed: u64,
    pub(crate) sent_bytes: u64,
    /// Lines that came: how many `OK`, and how many `ERR` of each code.
    pub(crate) ok_lines: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// One of them, connected.
struct Peer {
    stream: TcpStream,
    /// What is sent once, with the name.
    first: Vec<u8>,
    /// How much of that, and of what is repeated, was sent.
    sent: u64,
    /// Where a line that came begins, until the rest has come.
    line: Vec<u8>,
}

/// A mob at work, until it is told to stop.
pub(crate) struct Mob {
    stop: Arc<AtomicBool>,
    gathered: Arc<AtomicU64>,
    thread: JoinHandle<Tally>,
}

impl Mob {
    /// Connects all of them, one after the other, and lets them do what they do.
    pub(crate) fn start(address: SocketAddr, plans: Vec<Plan>) -> Self {
        let (stop, gathered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, connected) = (Arc::clone(&stop), Arc::clone(&gathered));
        let thread = thread::spawn(move || {
            rustix::process::nice(NICENESS).expect("anybody may be nicer");
            let mut riot = Riot::new(address, plans);
            riot.gather(&stopped, &connected);
            while !stopped.load(Ordering::Relaxed) {
                riot.turn();
            }
            riot.vanish();
            riot.tally
        });
        Self { stop, gathered, thread }
    }

    /// How many connected once at least.
    pub(crate) fn gathered(&self) -> u64 {
        self.gathered.load(Ordering::Relaxed)
    }

    /// Resets all connections, as a machine does that lost its power and comes back.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the mob does not panic")
    }
}

/// What a mob's thread owns.
struct Riot {
    address: SocketAddr,
    epoll: OwnedFd,
    buffer: Vec<u8>,
    plans: Vec<Plan>,
    /// By the plan's number; none where it is closed for good.
    peers: Vec<Option<Peer>>,
    tally: Tally,
}

impl Riot {
    fn new(address: SocketAddr, plans: Vec<Plan>) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        let peers = plans.iter().map(|_| None).collect();
        Self { address, epoll, buffer: vec![0; CHUNK_BYTES], plans, peers, tally: Tally::default() }
    }

    fn gather(&mut self, stopped: &AtomicBool, gathered: &AtomicU64) {
        for number in 0..self.plans.len() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            self.connect(number);
            self.write(number);
            gathered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn connect(&mut self, number: usize) {
        let plan = &self.plans[number];
        let Ok(peer) = plan.connect(self.address, self.tally.connections) else {
            self.tally.refused += 1;
            return;
        };
        self.tally.connections += 1;
        let mut interest = epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        interest.set(epoll::EventFlags::IN, plan.reading == Reading::Everything);
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &peer.stream, data, interest).expect("epoll takes a socket");
        self.peers[number] = Some(peer);
    }

    /// Lets everybody whom the kernel is ready for do one thing.
    fn turn(&mut self) {
        let mut events = Vec::with_capacity(256);
        let timeout = Timespec::try_from(Duration::from_millis(20)).expect("a short time");
        // Nothing but a signal can interrupt it, and then the next turn is the same.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout));
        for event in events {
            let number = usize::try_from({ event.data }.u64()).expect("64-bit");
            let flags = { event.flags };
            // Whatever else there is but room to write, reading finds out what it is.
            if flags != epoll::EventFlags::OUT {
                self.read(number);
            }
            if flags.contains(epoll::EventFlags::OUT) {
                self.write(number);
            }
        }
    }

    fn read(&mut self, number: usize) {
        let Some(peer) = &mut self.peers[number] else { return };
        match peer.stream.read(&mut self.buffer) {
            Ok(count) if count > 0 => peer.take(&self.buffer[..count], &mut self.tally),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => {
                self.tally.closed += 1;
                self.close(number);
            }
        }
    }

    fn write(&mut self, number: usize) {
        let (plan, Some(peer)) = (&self.plans[number], &mut self.peers[number]) else { return };
        let rest = plan.next(&peer.first, peer.sent);
        if rest.is_empty() {
            if plan.leaves {
                return self.close(number);
            }
            let mut interest = epoll::EventFlags::RDHUP;
            interest.set(epoll::EventFlags::IN, plan.reading == Reading::Everything);
            let data = epoll::EventData::new_u64(number as u64);
            epoll::modify(&self.epoll, &peer.stream, data, interest).expect("it was added");
            return;
        }
        match peer.stream.write(rest) {
            Ok(count) => {
                peer.sent += count as u64;
                self.tally.sent_bytes += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // What the server said before it closed is still to be read.
            Err(_) => self.read(number),
        }
    }

    fn vanish(&mut self) {
        for peer in self.peers.drain(..).flatten() {
            SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
    }

    fn close(&mut self, number: usize) {
        // With the last of its descriptors, the kernel takes it out of the epoll.
        self.peers[number] = None;
        if self.plans[number].returns {
            self.connect(number);
        }
    }
}

impl Plan {
    /// What is to be written after so many bytes; nothing if that was all.
    fn next<'a>(&'a self, first: &'a [u8], sent: u64) -> &'a [u8] {
        let sent = usize::try_from(sent).expect("64-bit");
        let rest = match sent.checked_sub(first.len()) {
            None => &first[sent..],
            Some(_) if self.again.is_empty() => &[],
            Some(sent) => &self.again[sent % self.again.len()..],
        };
        &rest[..rest.len().min(self.write_bytes_max)]
    }
}

impl Peer {
    fn take(&mut self, bytes: &[u8], tally: &mut Tally) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                tally.note(&self.line);
                self.line.clear();
            }
        }
    }
}

impl Tally {
    fn note(&mut self, line: &[u8]) {
        if line.starts_with(b"OK ") {
            self.ok_lines += 1;
        } else if let Some(rest) = line.strip_prefix(b"ERR ") {
            let code = rest.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
            *self.errors.entry(String::from_utf8_lossy(code).trim_end().to_owned()).or_default() += 1;
        }
    }
}
