//! The load: readers and senders on one thread and one epoll, and the check that every reader gets everything in order.
//! What is sent when, and what is measured, is for the scenarios to say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::common::event_loop::{EventLoop, Poller};
use crate::common::log::{Faults, Log};
use crate::peer::{Peer, Sender};
use crate::wire::{LINE_BYTES, Order, sender_name};

/// Most bytes read from a peer before it is another's turn.
const READ_BYTES_MAX: usize = 256 * 1024;

/// Peers that join at the same time.
const JOINING_MAX: usize = 500;

/// What is done with what readers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checking {
    /// Every byte of every reader is compared.
    All,
    /// So it is for the first ten; for the others the kernel discards the input unread (`MSG_TRUNC`), and only the number
    /// of bytes is compared. For when reading would be what limits.
    Sample,
}

const SAMPLE_READERS: usize = 10;

/// Whose arrivals are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timed {
    /// They look at nothing but the number of bytes: all that comes must be messages of the first sender.
    Readers,
    Senders,
}

/// Somebody who only listens.
struct Reader {
    peer: Peer,
    /// Bytes of the common stream that came, once the peer follows it.
    position: Option<u64>,
    /// They were not the bytes that others got.
    differs: bool,
}

impl Reader {
    /// Whether it got so much, or will never.
    fn is_at(&self, end: u64) -> bool {
        !self.peer.open || self.differs || self.position.is_some_and(|position| position >= end)
    }
}

/// All peers of one server.
pub(crate) struct Load {
    address: SocketAddr,
    /// Where the readers connect, if it is over WebSocket.
    web: Option<SocketAddr>,
    poller: Poller,
    buffer: Vec<u8>,
    checking: Checking,
    log: Log<Order>,
    readers: Vec<Reader>,
    senders: Vec<Sender>,
    /// Messages that came: at the readers, in bytes, and at the senders.
    reader_bytes: u64,
    sender_lines: u64,
    /// Kept between calls for its capacity.
    seen: Vec<(usize, u64)>,
    /// While there is one, every message that comes to one of these is timed.
    arrivals: Option<Vec<Duration>>,
    timed: Timed,
}

impl Load {
    pub(crate) fn new(address: SocketAddr, checking: Checking, senders: usize) -> Self {
        Self {
            address,
            web: None,
            poller: Poller::new(),
            buffer: vec![0; READ_BYTES_MAX],
            checking,
            log: Log::new(Order::new(senders)),
            readers: Vec::new(),
            senders: Vec::new(),
            reader_bytes: 0,
            sender_lines: 0,
            seen: Vec::new(),
            arrivals: None,
            timed: Timed::Readers,
        }
    }

    /// The same load, whose readers come over WebSocket.
    pub(crate) fn over_web(self, web: Option<SocketAddr>) -> Self {
        Self { web, ..self }
    }

    /// Lets everybody join, and waits until everybody follows, with nothing left to read.
    pub(crate) fn join(&mut self, readers: usize, senders: usize) {
        for number in 0..readers {
            let peer = self.web.map_or_else(|| Peer::connect(self.address), Peer::connect_over_web);
            let peer = self.admit(peer, number, &format!("r{number:06}"));
            self.readers.push(Reader { peer, position: None, differs: false });
            if number % JOINING_MAX == JOINING_MAX - 1 {
                self.wait_for_lines();
            }
        }
        for number in 0..senders {
            let peer = self.admit(Peer::connect(self.address), readers + number, &sender_name(number));
            self.senders.push(Sender::new(peer, number, senders));
        }
        self.wait_for_lines();
        self.meet();
    }

    /// The barrier before the load: one line that all have seen, with nothing after it.
    fn meet(&mut self) {
        for (number, sender) in self.senders.iter_mut().enumerate() {
            sender.peer.await_line(if number == 0 { "OK MSG" } else { "MSG s000 now" });
        }
        for reader in &mut self.readers {
            reader.peer.await_line("MSG s000 now");
        }
        self.senders[0].peer.send(b"MSG now\n");
        self.wait_for_lines();
        for reader in &mut self.readers {
            reader.peer.expect_no_part_of_a_line();
            reader.position = Some(0);
        }
        for sender in &mut self.senders {
            sender.starts = true;
        }
    }

    fn admit(&self, mut peer: Peer, number: usize, name: &str) -> Peer {
        self.poller.add(&peer.stream, number);
        peer.await_line("OK NICK");
        peer.send(format!("NICK {name}\n").as_bytes());
        peer
    }

    fn wait_for_lines(&mut self) {
        let done = |load: &Self| load.peers().all(|peer| !peer.awaits());
        assert!(self.turn_until(done), "the server does not answer {}", self.peers().filter(|p| p.awaits()).count());
    }

    fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.readers.iter().map(|reader| &reader.peer).chain(self.senders.iter().map(|sender| &sender.peer))
    }

    pub(crate) fn senders(&mut self) -> &mut [Sender] {
        &mut self.senders
    }

    /// From here on every sender keeps so many messages on their way.
    pub(crate) fn keep_sending(&mut self, window: u64) {
        for sender in &mut self.senders {
            sender.window = window;
            sender.refill();
        }
    }

    /// From here on the readers do not read.
    pub(crate) fn stop_reading(&mut self) {
        for reader in &self.readers {
            self.poller.remove(&reader.peer.stream);
        }
    }

    /// Lets the senders say so many messages a second, evenly spaced, each in its turn; calls `beside` after each.
    pub(crate) fn pace(&mut self, rate: u32, duration: Duration, mut beside: impl FnMut(&mut Self)) {
        let start = Instant::now();
        for number in 0.. {
            let due = Duration::from_secs(1) * number / rate;
            if due >= duration {
                break;
            }
            self.turn_for((start + due).saturating_duration_since(Instant::now()));
            let sender = number as usize % self.senders.len();
            self.senders[sender].send(1);
            beside(self);
        }
    }

    /// Times every acknowledgement, and every arrival at another sender, from here on.
    pub(crate) fn start_timing(&mut self) {
        self.arrivals = Some(Vec::new());
        self.timed = Timed::Senders;
        self.senders.iter_mut().for_each(|sender| sender.latencies = Some(Vec::new()));
    }

    /// How long acknowledgements took since [`Load::start_timing`].
    pub(crate) fn take_latencies(&mut self) -> Vec<Duration> {
        self.senders.iter_mut().filter_map(|sender| sender.latencies.take()).flatten().collect()
    }

    /// Messages that arrived at anybody but their own sender.
    pub(crate) fn deliveries(&self) -> u64 {
        self.reader_bytes / LINE_BYTES as u64 + self.sender_lines
    }

    /// Times the arrivals at the readers from here on. Nobody but the first sender says anything.
    pub(crate) fn start_timing_arrivals(&mut self) {
        self.arrivals = Some(Vec::new());
        self.timed = Timed::Readers;
    }

    /// How long the messages took that arrived since timing began.
    pub(crate) fn take_arrivals(&mut self) -> Vec<Duration> {
        self.arrivals.take().unwrap_or_default()
    }

    fn read_reader(&mut self, number: usize) {
        let reader = &mut self.readers[number];
        let Some(position) = reader.position.filter(|_| !reader.peer.awaits()) else {
            let count = reader.peer.read(&mut self.buffer);
            reader.peer.take_lines(&self.buffer[..count], |_| {});
            return;
        };
        let discard = self.checking == Checking::Sample && number >= SAMPLE_READERS;
        let flags = if discard { RecvFlags::TRUNC } else { RecvFlags::empty() };
        let count = match recv(&reader.peer.stream, &mut self.buffer[..], flags) {
            Ok((_, count)) if count > 0 && !discard => reader.peer.strip(&mut self.buffer[..count]),
            Ok((_, count)) if count > 0 => count,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Ok(_) | Err(_) => return reader.peer.close(),
        };
        if !discard && !reader.differs {
            reader.differs = !self.log.agrees(position, &self.buffer[..count]);
        }
        let after = position + count as u64;
        reader.position = Some(after);
        self.reader_bytes += count as u64;
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| self.timed == Timed::Readers) {
            let complete = |position: u64| usize::try_from(position / LINE_BYTES as u64).expect("64-bit");
            let sent_at = &self.senders[0].sent_at[complete(position)..complete(after)];
            arrivals.extend(sent_at.iter().map(Instant::elapsed));
        }
    }

    fn read_sender(&mut self, number: usize) {
        let sender = &mut self.senders[number];
        let count = sender.peer.read(&mut self.buffer);
        let seen = &mut self.seen;
        sender.take(&self.buffer[..count], |of, sequence| seen.push((of, sequence)));
        sender.refill();
        self.sender_lines += self.seen.len() as u64;
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| self.timed == Timed::Senders) {
            let sent_at = |&(of, sequence): &(usize, u64)| {
                self.senders[of].sent_at.get(usize::try_from(sequence).expect("64-bit"))
            };
            arrivals.extend(self.seen.iter().filter_map(sent_at).map(Instant::elapsed));
        }
        self.seen.clear();
    }

    /// Sends no more, waits until everything that was sent has arrived everywhere, and says what did not.
    pub(crate) fn finish(&mut self) -> Faults {
        self.settle();
        let sent = self.sent();
        self.turn_until(|load| {
            // What the readers got is the log; without any there is none.
            let log_has_all = (0..sent.len()).all(|sender| load.log.order.seen(sender) >= sent[sender]);
            load.readers.is_empty() || log_has_all && load.readers.iter().all(|reader| reader.is_at(load.log.end))
        });
        self.readers.iter_mut().for_each(|reader| reader.peer.ask_for_the_end());
        let mut faults = self.finish_senders();
        for reader in &self.readers {
            if reader.peer.open {
                let got = reader.position.unwrap_or(0);
                faults.lost += self.log.end.saturating_sub(got).div_ceil(LINE_BYTES as u64);
                faults.out_of_order += reader.peer.skipped + u64::from(reader.differs);
            } else {
                faults.closed += 1;
            }
        }
        faults.add(self.log.order.faults);
        faults
    }

    /// The same for the senders alone.
    pub(crate) fn finish_senders(&mut self) -> Faults {
        self.senders.iter_mut().for_each(|sender| sender.peer.ask_for_the_end());
        self.wait_for_lines();
        let sent = self.sent();
        let mut faults = Faults::default();
        for sender in &mut self.senders {
            faults.add(sender.end(&sent));
        }
        faults
    }

    fn sent(&self) -> Vec<u64> {
        self.senders.iter().map(Sender::sent).collect()
    }

    /// Sends no more and waits until everything that was sent is acknowledged.
    pub(crate) fn settle(&mut self) {
        for sender in &mut self.senders {
            sender.window = 0;
        }
        let settled = |load: &Self| load.senders.iter().all(|sender| !sender.peer.open || sender.unacknowledged() == 0);
        assert!(self.turn_until(settled), "the server does not acknowledge everything");
    }
}

impl EventLoop for Load {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let peer = if let Some(sender) = number.checked_sub(self.readers.len()) {
            self.read_sender(sender);
            &self.senders[sender].peer
        } else {
            self.read_reader(number);
            &self.readers[number].peer
        };
        if !peer.open {
            self.poller.remove(&peer.stream);
        }
    }
}
