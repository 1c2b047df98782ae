//! The well-behaved clients of one server: readers and senders on one thread and one epoll, and the check that every reader receives
//! everything in order. The scenarios decide when messages are sent and what is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::common::event_loop::{EventLoop, Poller};
use crate::common::log::{Faults, Log};
use crate::common::tls::TlsClient;
use crate::connection::{Connection, Sender};
use crate::wire::{LINE_BYTES, Order, sender_name};

/// Most bytes read from one connection before the next one is read.
const READ_BYTES_MAX: usize = 256 * 1024;

/// Clients that join at the same time.
const JOINING_MAX: usize = 500;

/// How the bytes that readers receive are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checking {
    /// Every byte of every reader is compared.
    All,
    /// Every byte of the first ten readers is compared. For the others, the kernel discards the bytes (`MSG_TRUNC`),
    /// and only their number is compared. For loads in which reading would be the bottleneck.
    Sample,
}

const SAMPLE_READERS: usize = 10;

/// The clients at which arrivals are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timed {
    /// Readers only count bytes, so every line must be a message of the first sender.
    Readers,
    Senders,
}

/// How readers connect.
pub(crate) enum Access {
    Tcp,
    /// Over WebSocket, to this address.
    WebSocket(SocketAddr),
    /// Over TLS, to this address.
    Tls(SocketAddr, TlsClient),
}

/// A client that only reads.
struct Reader {
    connection: Connection,
    /// Bytes of the common stream that were received. `None` until the reader has joined it.
    position: Option<u64>,
    /// Its bytes differ from those of the other readers.
    differs: bool,
}

impl Reader {
    /// Whether the reader has received everything up to this offset, or never will.
    fn has_received(&self, end: u64) -> bool {
        !self.connection.open || self.differs || self.position.is_some_and(|position| position >= end)
    }
}

/// All well-behaved clients of one server.
pub(crate) struct Load {
    address: SocketAddr,
    access: Access,
    poller: Poller,
    buffer: Vec<u8>,
    checking: Checking,
    log: Log<Order>,
    readers: Vec<Reader>,
    senders: Vec<Sender>,
    /// Bytes that the readers received, and messages that the senders received.
    reader_bytes: u64,
    sender_lines: u64,
    /// A buffer, kept for its capacity.
    seen: Vec<(usize, u64)>,
    /// While it is `Some`: the delay of every message that arrives at the clients of `timed`.
    arrivals: Option<Vec<Duration>>,
    timed: Timed,
}

impl Load {
    pub(crate) fn new(address: SocketAddr, checking: Checking, senders: usize) -> Self {
        Self {
            address,
            access: Access::Tcp,
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

    /// Connects the readers in this way, instead of over TCP.
    pub(crate) fn with_readers(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Connects all clients, and waits until each has joined and has nothing left to read.
    pub(crate) fn join(&mut self, readers: usize, senders: usize) {
        for number in 0..readers {
            let connection = match &self.access {
                Access::Tcp => Connection::connect(self.address),
                Access::WebSocket(address) => Connection::connect_over_websocket(*address),
                Access::Tls(address, client) => Connection::connect_over_tls(*address, client),
            };
            let connection = self.join_one(connection, number, &format!("r{number:06}"));
            self.readers.push(Reader { connection, position: None, differs: false });
            if number % JOINING_MAX == JOINING_MAX - 1 {
                self.wait_for_lines();
            }
        }
        for number in 0..senders {
            let connection = self.join_one(Connection::connect(self.address), readers + number, &sender_name(number));
            self.senders.push(Sender::new(connection, number, senders));
        }
        self.wait_for_lines();
        self.synchronize();
    }

    /// The barrier before the load: every client has received one message and nothing after it.
    fn synchronize(&mut self) {
        for (number, sender) in self.senders.iter_mut().enumerate() {
            sender.connection.await_line(if number == 0 { "OK MSG" } else { "MSG s000 now" });
        }
        for reader in &mut self.readers {
            reader.connection.await_line("MSG s000 now");
        }
        self.senders[0].connection.send(b"MSG now\n");
        self.wait_for_lines();
        for reader in &mut self.readers {
            reader.connection.assert_between_lines();
            reader.position = Some(0);
        }
        for sender in &mut self.senders {
            sender.is_checked = true;
        }
    }

    fn join_one(&self, mut connection: Connection, number: usize, name: &str) -> Connection {
        self.poller.add(&connection.stream, number);
        connection.await_line("OK NICK");
        connection.send(format!("NICK {name}\n").as_bytes());
        connection
    }

    fn wait_for_lines(&mut self) {
        let done = |load: &Self| load.connections().all(|connection| !connection.is_waiting());
        assert!(
            self.turn_until(done),
            "the server does not answer {} clients",
            self.connections().filter(|p| p.is_waiting()).count()
        );
    }

    fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.readers.iter().map(|reader| &reader.connection).chain(self.senders.iter().map(|sender| &sender.connection))
    }

    pub(crate) fn senders(&mut self) -> &mut [Sender] {
        &mut self.senders
    }

    /// From here on, every sender keeps this many messages unacknowledged.
    pub(crate) fn keep_sending(&mut self, window: u64) {
        for sender in &mut self.senders {
            sender.window = window;
            sender.refill();
        }
    }

    /// From here on, the readers do not read.
    pub(crate) fn stop_reading(&mut self) {
        for reader in &self.readers {
            self.poller.remove(&reader.connection.stream);
        }
    }

    /// Sends `rate` messages per second at equal intervals, the senders taking turns. Calls `beside` after each message.
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

    /// From here on, times every acknowledgement, and every arrival at another sender.
    pub(crate) fn start_timing(&mut self) {
        self.arrivals = Some(Vec::new());
        self.timed = Timed::Senders;
        self.senders.iter_mut().for_each(|sender| sender.latencies = Some(Vec::new()));
    }

    /// The delays of acknowledgements since [`Load::start_timing`].
    pub(crate) fn take_latencies(&mut self) -> Vec<Duration> {
        self.senders.iter_mut().filter_map(|sender| sender.latencies.take()).flatten().collect()
    }

    /// Messages that arrived at clients other than their sender.
    pub(crate) fn deliveries(&self) -> u64 {
        self.reader_bytes / LINE_BYTES as u64 + self.sender_lines
    }

    /// From here on, times the arrivals at the readers. Only the first sender may send.
    pub(crate) fn start_timing_arrivals(&mut self) {
        self.arrivals = Some(Vec::new());
        self.timed = Timed::Readers;
    }

    /// The delays of the messages that arrived since timing began.
    pub(crate) fn take_arrivals(&mut self) -> Vec<Duration> {
        self.arrivals.take().unwrap_or_default()
    }

    fn read_reader(&mut self, number: usize) {
        let reader = &mut self.readers[number];
        let Some(position) = reader.position.filter(|_| !reader.connection.is_waiting()) else {
            let count = reader.connection.read(&mut self.buffer);
            reader.connection.split_lines(&self.buffer[..count], |_| {});
            return;
        };
        let discard = self.checking == Checking::Sample && number >= SAMPLE_READERS;
        let count = if discard {
            match recv(&reader.connection.stream, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, count)) if count > 0 => count,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Ok(_) | Err(_) => return reader.connection.close(),
            }
        } else {
            reader.connection.read(&mut self.buffer)
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
        let count = sender.connection.read(&mut self.buffer);
        let seen = &mut self.seen;
        sender.receive(&self.buffer[..count], |of, sequence| seen.push((of, sequence)));
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

    /// Stops sending, waits until everything has arrived, and returns the faults.
    pub(crate) fn finish(&mut self) -> Faults {
        self.wait_for_acknowledgements();
        let sent = self.sent();
        self.turn_until(|load| {
            // The log is the readers' stream; without readers it is empty.
            let log_has_all = (0..sent.len()).all(|sender| load.log.order.seen(sender) >= sent[sender]);
            load.readers.is_empty()
                || log_has_all && load.readers.iter().all(|reader| reader.has_received(load.log.end))
        });
        self.readers.iter_mut().for_each(|reader| reader.connection.send_last_ping());
        let mut faults = self.finish_senders();
        for reader in &self.readers {
            if reader.connection.open {
                let got = reader.position.unwrap_or(0);
                faults.lost += self.log.end.saturating_sub(got).div_ceil(LINE_BYTES as u64);
                faults.out_of_order += reader.connection.skipped + u64::from(reader.differs);
            } else {
                faults.closed += 1;
            }
        }
        faults.add(self.log.order.faults);
        faults
    }

    /// Waits until everything has arrived at the senders, and returns their faults.
    pub(crate) fn finish_senders(&mut self) -> Faults {
        self.senders.iter_mut().for_each(|sender| sender.connection.send_last_ping());
        self.wait_for_lines();
        let sent = self.sent();
        let mut faults = Faults::default();
        for sender in &mut self.senders {
            faults.add(sender.final_faults(&sent));
        }
        faults
    }

    fn sent(&self) -> Vec<u64> {
        self.senders.iter().map(Sender::sent).collect()
    }

    /// Stops sending, and waits until every message is acknowledged.
    pub(crate) fn wait_for_acknowledgements(&mut self) {
        for sender in &mut self.senders {
            sender.window = 0;
        }
        let is_acknowledged =
            |load: &Self| load.senders.iter().all(|sender| !sender.connection.open || sender.unacknowledged() == 0);
        assert!(self.turn_until(is_acknowledged), "the server does not acknowledge everything");
    }
}

impl EventLoop for Load {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let connection = if let Some(sender) = number.checked_sub(self.readers.len()) {
            self.read_sender(sender);
            &self.senders[sender].connection
        } else {
            self.read_reader(number);
            &self.readers[number].connection
        };
        if !connection.open {
            self.poller.remove(&connection.stream);
        }
    }
}
