//! The clients of one server: readers and senders on one thread and one epoll, and the check that every reader receives
//! everything it should, in order. The workloads decide when and how much is sent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::common::event_loop::{EventLoop, Poller};
use crate::common::log::{Faults, Log};
use crate::common::socket::source;
use crate::common::tls::TlsClient;
use crate::connection::{Connection, READ_BYTES_MAX};
use crate::protocol::{Protocol, Role, Route};
use crate::sender::Sender;
use crate::text::{Order, parse_text};

/// How many windows of all senders the average reader may be behind before the senders pause. It allows any batching, and
/// for 1,000 readers it is below every server's limit for slow consumers.
const BEHIND_WINDOWS: u64 = 4;

/// How readers are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checking {
    /// If all readers should receive the same bytes, compares bytes; otherwise checks every line.
    Bytes,
    /// Checks every line of every reader, and measures its latency.
    Lines,
}

/// How many clients there are, and what they do.
pub(crate) struct Plan {
    pub(crate) readers: usize,
    pub(crate) senders: usize,
    /// How many of the readers, the last ones, stop reading once all are connected.
    pub(crate) stuck: usize,
    pub(crate) route: Route,
    pub(crate) checking: Checking,
    /// Most handshakes at the same time.
    pub(crate) handshakes_max: usize,
    /// All connections use TLS.
    pub(crate) tls: Option<TlsClient>,
}

struct Reader {
    connection: Connection,
    /// It has received the first message: what follows is checked.
    has_started: bool,
    /// Bytes received since then.
    position: u64,
    /// Its bytes were not those of the other readers.
    differs: bool,
    order: Order,
}

/// All connections to one server.
pub(crate) struct Clients {
    protocol: &'static dyn Protocol,
    address: SocketAddr,
    plan: Plan,
    poller: Poller,
    buffer: Vec<u8>,
    /// Compares bytes instead of checking lines.
    compares_bytes: bool,
    log: Log<Order>,
    readers: Vec<Reader>,
    pub(crate) senders: Vec<Sender>,
    /// The sum of what all readers received since they started: bytes if these are compared, otherwise messages.
    received: u64,
    /// The senders pause while they have sent more than this many messages that the average reader has not received.
    behind_max: Option<u64>,
    /// While it is `Some`: the latency of every message at every reader.
    latencies: Option<Vec<Duration>>,
}

impl Clients {
    /// Connects all clients, and waits until all have received a first message and nothing after it.
    pub(crate) fn connect_all(protocol: &'static dyn Protocol, address: SocketAddr, plan: Plan) -> Self {
        let compares_bytes = plan.checking == Checking::Bytes && plan.route == Route::All && protocol.has_one_order();
        let mut clients = Self {
            protocol,
            address,
            poller: Poller::new(),
            buffer: vec![0; READ_BYTES_MAX],
            compares_bytes,
            log: Log::new(Order::new(protocol, 0..plan.senders)),
            readers: Vec::new(),
            senders: Vec::new(),
            received: 0,
            behind_max: None,
            latencies: None,
            plan,
        };
        // The streams that are compared begin after the first message.
        clients.log.order.skip_first(0);
        clients.join();
        clients.synchronize();
        for reader in clients.readers.iter().rev().take(clients.plan.stuck) {
            clients.poller.remove(&reader.connection);
        }
        clients
    }

    fn join(&mut self) {
        let Plan { readers, senders, route, handshakes_max, .. } = self.plan;
        // Senders first, so that no stuck reader is the first client: some servers treat that one differently.
        for number in 0..senders {
            let connection = self.connect(readers + number, Role::Sender(route, number));
            self.senders.push(Sender::new(connection, self.protocol, route, number, senders));
        }
        self.wait_for_handshakes();
        for number in 0..readers {
            let connection = self.connect(number, Role::Reader(route, number));
            let order = Order::new(self.protocol, route.senders_of(number, senders));
            self.readers.push(Reader { connection, has_started: false, position: 0, differs: false, order });
            if number % handshakes_max == handshakes_max - 1 {
                self.wait_for_handshakes();
            }
        }
        self.wait_for_handshakes();
    }

    fn connect(&self, number: usize, role: Role) -> Connection {
        let (Role::Reader(route, client) | Role::Sender(route, client)) = role else { unreachable!("not idle") };
        let (source, steps) = (route.room(client).map(source), self.protocol.handshake(role));
        let connection = Connection::new(source, self.address, self.plan.tls.as_ref(), steps);
        self.poller.add(&connection, number);
        connection
    }

    fn wait_for_handshakes(&mut self) {
        let readers = |clients: &Self| clients.readers.iter().all(|reader| reader.connection.has_finished_steps());
        let senders = |clients: &Self| clients.senders.iter().all(|sender| sender.connection.has_finished_steps());
        assert!(
            self.turn_until(|clients| readers(clients) && senders(clients)),
            "the server does not let all clients in"
        );
    }

    /// The barrier before the load: every reader has received one message and nothing after it.
    fn synchronize(&mut self) {
        self.send_one();
        let all_started = |clients: &Self| clients.readers.iter().all(|reader| reader.has_started);
        let is_done = self.turn_until(|clients| all_started(clients) && clients.has_drained());
        assert!(is_done, "the first message does not reach all readers");
        let between_lines = self.readers.iter().all(|reader| reader.connection.lines.is_between_lines());
        assert!(between_lines, "something follows the first message");
    }

    /// Sends one message to each reader: the first sender to all, or each sender to its readers.
    fn send_one(&mut self) {
        let senders = if self.plan.route == Route::All { 1 } else { self.senders.len() };
        self.senders[..senders].iter_mut().for_each(|sender| sender.send(1));
    }

    /// Messages sent by all senders.
    pub(crate) fn sent(&self) -> u64 {
        self.senders.iter().map(Sender::sent).sum()
    }

    /// The deliveries of `sent` messages: each message counts for each client that receives it, except its sender.
    pub(crate) fn deliveries(&self, sent: u64) -> u64 {
        match self.plan.route {
            Route::All => {
                let senders = if self.protocol.delivers_to_senders() { self.plan.senders - 1 } else { 0 };
                sent * (self.plan.readers - self.plan.stuck + senders) as u64
            }
            Route::Pairs => sent,
            // The senders take turns, so each has sent about as many.
            Route::Rooms(rooms) => sent * self.plan.readers as u64 / rooms as u64,
        }
    }

    /// Makes every sender keep a window of unacknowledged messages from now on. As some servers acknowledge messages before
    /// they deliver them, senders pause while the readers are far behind: the limits for that are not measured here.
    pub(crate) fn keep_sending(&mut self, window: u64) {
        self.behind_max = Some(BEHIND_WINDOWS * window * self.senders.len() as u64);
        for sender in &mut self.senders {
            sender.window = window;
            sender.refill();
        }
    }

    fn readers_are_behind(&self) -> bool {
        let messages = if self.compares_bytes {
            // The messages in the log, times the share of its bytes that the readers have received.
            u128::from(self.received) * u128::from(self.log.order.messages) / u128::from(self.log.end.max(1))
        } else {
            self.received.into()
        };
        let readers = match self.plan.route {
            Route::All => self.plan.readers - self.plan.stuck,
            Route::Pairs => 1,
            Route::Rooms(rooms) => self.plan.readers / rooms,
        };
        self.behind_max.is_some_and(|most| u128::from(self.sent()) > u128::from(most) + messages / readers as u128)
    }

    /// Makes every sender send `count` messages, and waits until all have arrived.
    pub(crate) fn send_and_drain(&mut self, count: u64) {
        self.senders.iter_mut().for_each(|sender| sender.send(count));
        self.drain();
    }

    pub(crate) fn start_timing(&mut self) {
        self.latencies = Some(Vec::new());
    }

    pub(crate) fn take_latencies(&mut self) -> Vec<Duration> {
        self.latencies.take().unwrap_or_default()
    }

    /// Stops sending and waits until everything has arrived, or nothing more arrives.
    pub(crate) fn drain(&mut self) {
        self.behind_max = None;
        self.senders.iter_mut().for_each(|sender| sender.window = 0);
        self.turn_until(Self::has_drained);
    }

    fn has_drained(&self) -> bool {
        let sent: Vec<_> = self.senders.iter().map(Sender::sent).collect();
        self.senders.iter().all(|sender| sender.has_drained(&sent)) && self.readers_have_all(&sent)
    }

    fn readers_have_all(&self, sent: &[u64]) -> bool {
        // The log is the stream of the reader that is furthest ahead.
        let log_has_all = !self.compares_bytes || self.log.order.missing(sent) == 0;
        let has_all = |reader: &Reader| {
            if self.compares_bytes { reader.position >= self.log.end } else { reader.order.missing(sent) == 0 }
        };
        log_has_all && self.active_readers().all(|reader| has_all(reader) || reader.differs || !reader.connection.open)
    }

    /// The readers that are not stuck.
    fn active_readers(&self) -> impl Iterator<Item = &Reader> {
        self.readers[..self.plan.readers - self.plan.stuck].iter()
    }

    /// Waits until everything has arrived, and then for one more message, before which nothing may arrive. Returns the faults.
    pub(crate) fn finish(&mut self) -> Faults {
        self.drain();
        self.send_one();
        self.drain();
        let sent: Vec<_> = self.senders.iter().map(Sender::sent).collect();
        let mut faults = Faults::default();
        for reader in self.active_readers() {
            faults.closed += u64::from(!reader.connection.open);
            faults.out_of_order += u64::from(reader.differs);
            if self.compares_bytes {
                let message_bytes = self.log.end / self.log.order.messages.max(1);
                faults.lost += self.log.end.saturating_sub(reader.position).div_ceil(message_bytes.max(1));
            } else {
                faults.add(reader.order.faults);
                faults.lost += reader.order.missing(&sent);
            }
        }
        if self.compares_bytes {
            faults.add(self.log.order.faults);
            faults.lost += self.log.order.missing(&sent);
        }
        self.senders.iter().for_each(|sender| faults.add(sender.faults(&sent)));
        faults
    }

    fn read_reader(&mut self, number: usize) {
        let reader = &mut self.readers[number];
        let count = reader.connection.read(&mut self.buffer);
        let bytes = &self.buffer[..count];
        if !reader.has_started {
            reader.read_first(bytes);
        } else if self.compares_bytes {
            reader.differs = reader.differs || !self.log.agrees(reader.position, bytes);
            reader.position += count as u64;
            self.received += count as u64;
        } else {
            let (now, latencies, senders) = (Instant::now(), &mut self.latencies, &self.senders);
            let Reader { connection, order, .. } = reader;
            let before = order.messages;
            connection.lines.push(bytes, |line| {
                if let (Some((sender, sequence)), Some(latencies)) = (order.check(line), &mut *latencies) {
                    let sent_at = senders.get(sender).and_then(|sender| sender.sent_at(sequence));
                    latencies.extend(sent_at.map(|sent_at| now - sent_at));
                }
            });
            self.received += order.messages - before;
        }
    }
}

impl EventLoop for Clients {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let connection = if let Some(sender) = number.checked_sub(self.plan.readers) {
            let sender = &mut self.senders[sender];
            sender.read(&mut self.buffer);
            &sender.connection
        } else {
            self.read_reader(number);
            &self.readers[number].connection
        };
        if !connection.open {
            self.poller.remove(connection);
        }
    }

    fn finish_turn(&mut self) {
        if !self.readers_are_behind() {
            self.senders.iter_mut().for_each(Sender::refill);
        }
    }
}

impl Reader {
    /// Reads the answers to the handshake, and the first message.
    fn read_first(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.connection.lines);
        lines.push(bytes, |line| {
            self.connection.advance_steps(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if parse_text(line).is_some() {
                self.has_started = true;
                self.order.check(line);
            }
        });
        self.connection.lines = lines;
    }
}
