//! The load on any server: readers and senders on one thread and one epoll, and the check that every reader gets everything
//! that it is to get, in order. When who sends how much is for the workloads to say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::{Faults, Log};

use super::connection::{Connection, Poller, READ_BYTES_MAX};
use super::protocol::{Protocol, Role, Route};
use super::sender::Sender;
use super::text::{Order, split};

/// How long anything may take before it counts as never.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How many times what senders keep on their way the average reader may be behind, before they wait. It is enough for any
/// batching, and no server's bound for slow readers is less for a thousand.
const BEHIND_WINDOWS: u64 = 4;

/// How readers are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checking {
    /// Every byte is compared with those that others got, if the protocol gives all the same; else every line.
    Bytes,
    /// Every line, of every reader, and how long it took.
    Lines,
}

/// Who comes, and in which way.
pub(super) struct Plan {
    pub(super) readers: usize,
    pub(super) senders: usize,
    /// How many of the readers, the last, do not read once all are there.
    pub(super) stuck: usize,
    pub(super) route: Route,
    pub(super) checking: Checking,
    /// How many introduce themselves at the same time.
    pub(super) joining_max: usize,
}

struct Reader {
    connection: Connection,
    /// It got the first message: what comes from there on is checked.
    follows: bool,
    /// Bytes that came since.
    position: u64,
    /// They were not those that others got.
    differs: bool,
    order: Order,
}

/// All connections to one server.
pub(super) struct Crowd {
    protocol: &'static dyn Protocol,
    address: SocketAddr,
    plan: Plan,
    poller: Poller,
    ready: Vec<usize>,
    buffer: Vec<u8>,
    /// Bytes are compared, not lines.
    common: bool,
    log: Log<Order>,
    readers: Vec<Reader>,
    pub(super) senders: Vec<Sender>,
    /// What readers got since they follow: in bytes, if those are compared, else in messages.
    received: u64,
    /// Messages sent, less those that the average reader has, above which nobody sends more.
    behind_max: Option<u64>,
    /// While there is one, how long every message took to every reader.
    arrivals: Option<Vec<Duration>>,
}

impl Crowd {
    /// Lets everybody come, and waits until everybody follows, with nothing left to read.
    pub(super) fn gather(protocol: &'static dyn Protocol, address: SocketAddr, plan: Plan) -> Self {
        let common = plan.checking == Checking::Bytes && plan.route == Route::Everybody && protocol.has_one_order();
        let mut crowd = Self {
            protocol,
            address,
            poller: Poller::new(),
            ready: Vec::new(),
            buffer: vec![0; READ_BYTES_MAX],
            common,
            log: Log::new(Order::new(protocol, plan.senders, None)),
            readers: Vec::new(),
            senders: Vec::new(),
            received: 0,
            behind_max: None,
            arrivals: None,
            plan,
        };
        // The first message is in nobody's stream: with it the streams begin.
        crowd.log.order.skip_first(0);
        crowd.join();
        crowd.meet();
        for reader in crowd.readers.iter().rev().take(crowd.plan.stuck) {
            crowd.poller.remove(&reader.connection);
        }
        crowd
    }

    fn join(&mut self) {
        let Plan { readers, senders, route, joining_max, .. } = self.plan;
        // Senders first: none of those who are stuck is the first of all, which some servers make something of.
        for number in 0..senders {
            let connection = self.connect(readers + number, Role::Sender(route, number));
            self.senders.push(Sender::new(connection, self.protocol, route, number, senders));
        }
        self.wait_for_introductions();
        for number in 0..readers {
            let connection = self.connect(number, Role::Reader(route, number));
            let order = Order::new(self.protocol, senders, (route == Route::Pairs).then_some(number));
            self.readers.push(Reader { connection, follows: false, position: 0, differs: false, order });
            if number % joining_max == joining_max - 1 {
                self.wait_for_introductions();
            }
        }
        self.wait_for_introductions();
    }

    fn connect(&self, number: usize, role: Role) -> Connection {
        let connection = Connection::new(self.address, self.protocol.introduction(role));
        self.poller.add(&connection, number);
        connection
    }

    fn wait_for_introductions(&mut self) {
        let readers = |crowd: &Self| crowd.readers.iter().all(|reader| reader.connection.is_introduced());
        let senders = |crowd: &Self| crowd.senders.iter().all(|sender| sender.connection.is_introduced());
        assert!(self.turn_until(|crowd| readers(crowd) && senders(crowd)), "the server does not let everybody in");
    }

    /// The barrier before the load: one message that each reader has seen, with nothing after it.
    fn meet(&mut self) {
        self.send_one();
        let met = self.turn_until(|crowd| crowd.readers.iter().all(|reader| reader.follows) && crowd.is_settled());
        assert!(met, "a first message does not reach everybody");
        let at_rest = self.readers.iter().all(|reader| reader.connection.lines.is_between_lines());
        assert!(at_rest, "something comes after the first message");
    }

    /// One message to each reader: the first says it to all, or each says it to its own.
    fn send_one(&mut self) {
        let senders = if self.plan.route == Route::Pairs { self.senders.len() } else { 1 };
        self.senders[..senders].iter_mut().for_each(|sender| sender.send(1));
    }

    /// Messages that were sent, by everybody together.
    pub(super) fn sent(&self) -> u64 {
        self.senders.iter().map(Sender::sent).sum()
    }

    /// Messages that are to reach somebody other than their sender, for so many that were sent.
    pub(super) fn deliveries(&self, sent: u64) -> u64 {
        match self.plan.route {
            Route::Everybody => {
                let senders = if self.protocol.makes_senders_read() { self.plan.senders - 1 } else { 0 };
                sent * (self.plan.readers - self.plan.stuck + senders) as u64
            }
            Route::Pairs => sent,
        }
    }

    /// From here on every sender keeps so many messages on their way to the server, which may acknowledge them before they
    /// are delivered; as long as the readers are not far behind: it is not to be measured how far they may be.
    pub(super) fn keep_sending(&mut self, window: u64) {
        self.behind_max = Some(BEHIND_WINDOWS * window * self.senders.len() as u64);
        for sender in &mut self.senders {
            sender.window = window;
            sender.refill();
        }
    }

    fn is_behind(&self) -> bool {
        let messages = if self.common {
            // All messages that were compared, in proportion.
            u128::from(self.received) * u128::from(self.log.order.messages) / u128::from(self.log.end.max(1))
        } else {
            self.received.into()
        };
        let readers = match self.plan.route {
            Route::Everybody => self.plan.readers - self.plan.stuck,
            Route::Pairs => 1,
        };
        self.behind_max.is_some_and(|most| u128::from(self.sent()) > u128::from(most) + messages / readers as u128)
    }

    /// Every sender says so many, and all of it arrives.
    pub(super) fn send_and_settle(&mut self, count: u64) {
        self.senders.iter_mut().for_each(|sender| sender.send(count));
        self.settle();
    }

    pub(super) fn start_timing(&mut self) {
        self.arrivals = Some(Vec::new());
    }

    pub(super) fn take_arrivals(&mut self) -> Vec<Duration> {
        self.arrivals.take().unwrap_or_default()
    }

    /// Sends no more and waits until everything that was sent is where it should be; gives up on what never comes.
    pub(super) fn settle(&mut self) {
        self.behind_max = None;
        self.senders.iter_mut().for_each(|sender| sender.window = 0);
        self.turn_until(Self::is_settled);
    }

    fn is_settled(&self) -> bool {
        let sent: Vec<_> = self.senders.iter().map(Sender::sent).collect();
        self.senders.iter().all(|sender| sender.is_settled(&sent)) && self.readers_have_all(&sent)
    }

    fn readers_have_all(&self, sent: &[u64]) -> bool {
        // The log is what came to the reader furthest ahead.
        let log_has_all = !self.common || self.log.order.missing(sent) == 0;
        log_has_all
            && self.reading().all(|reader| {
                let has_all =
                    if self.common { reader.position >= self.log.end } else { reader.order.missing(sent) == 0 };
                has_all || reader.differs || !reader.connection.open
            })
    }

    /// Those that are not stuck.
    fn reading(&self) -> impl Iterator<Item = &Reader> {
        self.readers[..self.plan.readers - self.plan.stuck].iter()
    }

    /// Waits until everything has arrived, and then for one message more: nothing may come between. Says what went wrong.
    pub(super) fn finish(&mut self) -> Faults {
        self.settle();
        self.send_one();
        self.settle();
        let sent: Vec<_> = self.senders.iter().map(Sender::sent).collect();
        let mut faults = Faults::default();
        for reader in self.reading() {
            faults.closed += u64::from(!reader.connection.open);
            faults.disorderly += u64::from(reader.differs);
            if self.common {
                let message_bytes = self.log.end / self.log.order.messages.max(1);
                faults.lost += self.log.end.saturating_sub(reader.position).div_ceil(message_bytes.max(1));
            } else {
                faults.add(reader.order.faults);
                faults.lost += reader.order.missing(&sent);
            }
        }
        if self.common {
            faults.add(self.log.order.faults);
            faults.lost += self.log.order.missing(&sent);
        }
        self.senders.iter_mut().for_each(|sender| faults.add(sender.end(&sent)));
        faults
    }

    pub(super) fn turn_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while let Some(rest) = end.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            self.turn(rest);
        }
    }

    /// Takes turns until it holds; says whether it ever did. Patience begins anew whenever something arrives.
    fn turn_until(&mut self, holds: impl Fn(&Self) -> bool) -> bool {
        let mut quiet_since = Instant::now();
        while !holds(self) {
            if self.turn(Duration::from_millis(100)) {
                quiet_since = Instant::now();
            }
            if quiet_since.elapsed() > PATIENCE {
                return false;
            }
        }
        true
    }

    /// Takes what came, once; waits for something no longer than `wait`. Says whether there was something.
    fn turn(&mut self, wait: Duration) -> bool {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(wait, &mut ready);
        for &number in &ready {
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
        self.ready = ready;
        if !self.is_behind() {
            self.senders.iter_mut().for_each(Sender::refill);
        }
        !self.ready.is_empty()
    }

    fn read_reader(&mut self, number: usize) {
        let reader = &mut self.readers[number];
        let count = reader.connection.read(&mut self.buffer);
        let bytes = &self.buffer[..count];
        if !reader.follows {
            reader.take_first(bytes);
        } else if self.common {
            reader.differs = reader.differs || !self.log.agrees(reader.position, bytes);
            reader.position += count as u64;
            self.received += count as u64;
        } else {
            let (now, arrivals, senders) = (Instant::now(), &mut self.arrivals, &self.senders);
            let Reader { connection, order, .. } = reader;
            let before = order.messages;
            connection.lines.take(bytes, |line| {
                if let (Some((sender, sequence)), Some(arrivals)) = (order.take(line), &mut *arrivals) {
                    arrivals
                        .extend(senders.get(sender).and_then(|sender| sender.sent_at(sequence)).map(|sent| now - sent));
                }
            });
            self.received += order.messages - before;
        }
    }
}

impl Reader {
    /// Takes what comes before, and with, the first message.
    fn take_first(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.connection.lines);
        lines.take(bytes, |line| {
            self.connection.take_introduction(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if split(line).is_some() {
                self.follows = true;
                self.order.take(line);
            }
        });
        self.connection.lines = lines;
    }
}
