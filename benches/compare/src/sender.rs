//! A sender: keeps a window of unacknowledged messages, and counts acknowledgements in the form that the protocol has.

use std::collections::VecDeque;
use std::time::Instant;

use crate::common::log::Faults;
use crate::connection::Connection;
use crate::protocol::{Acknowledged, Protocol, Route};
use crate::text::{Order, parse_text, write_text};

pub(crate) struct Sender {
    pub(crate) connection: Connection,
    protocol: &'static dyn Protocol,
    route: Route,
    number: usize,
    /// Messages to keep unacknowledged.
    pub(crate) window: u64,
    /// When each message was handed to the kernel, or queued if the kernel did not take it.
    sent_at: Vec<Instant>,
    acknowledged: u64,
    /// If the protocol acknowledges batches: the number of messages sent before each request for it.
    batch_ends: VecDeque<u64>,
    /// The first message of any sender has arrived; what follows is checked.
    has_started: bool,
    /// Checks the messages of the other senders, if the protocol delivers them to senders.
    order: Order,
}

impl Sender {
    pub(crate) fn new(
        connection: Connection,
        protocol: &'static dyn Protocol,
        route: Route,
        number: usize,
        senders: usize,
    ) -> Self {
        Self {
            connection,
            protocol,
            route,
            number,
            window: 0,
            sent_at: Vec::new(),
            acknowledged: 0,
            batch_ends: VecDeque::new(),
            has_started: false,
            order: Order::new(protocol, 0..senders),
        }
    }

    /// Messages sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent_at.len() as u64
    }

    /// When the message with this sequence number was sent.
    pub(crate) fn sent_at(&self, sequence: u64) -> Option<Instant> {
        self.sent_at.get(usize::try_from(sequence).ok()?).copied()
    }

    /// Whether the server has acknowledged everything and delivered the messages of the others.
    pub(crate) fn has_drained(&self, sent: &[u64]) -> bool {
        !self.connection.open || self.acknowledged >= self.sent() && self.missing(sent) == 0
    }

    fn missing(&self, sent: &[u64]) -> u64 {
        let reads_others = self.route == Route::All && self.protocol.delivers_to_senders();
        if reads_others { self.order.missing_except(self.number, sent) } else { 0 }
    }

    pub(crate) fn send(&mut self, count: u64) {
        let sent = self.sent();
        let out = &mut self.connection.unsent;
        for sequence in sent..sent + count {
            self.protocol.write_message(out, self.route, self.number, &write_text(self.number, sequence));
        }
        let before = out.len();
        self.protocol.write_acknowledgement_request(out);
        if out.len() > before {
            self.batch_ends.push_back(sent + count);
        }
        self.sent_at.resize(self.sent_at.len() + usize::try_from(count).expect("64-bit"), Instant::now());
        self.connection.flush();
    }

    /// Fills the window, once a quarter of it is free: fewer messages are not worth a system call.
    pub(crate) fn refill(&mut self) {
        let room = self.window.saturating_sub(self.sent().saturating_sub(self.acknowledged));
        if room > 0 && room >= self.window / 4 {
            self.send(room);
        } else {
            self.connection.flush();
        }
    }

    /// Reads once from the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) {
        let count = self.connection.read(buffer);
        let mut lines = std::mem::take(&mut self.connection.lines);
        lines.push(&buffer[..count], |line| self.receive(line.strip_suffix(b"\r").unwrap_or(line)));
        self.connection.lines = lines;
    }

    fn receive(&mut self, line: &[u8]) {
        if !self.connection.has_finished_steps() {
            return self.connection.advance_steps(line);
        }
        let acknowledged = self.protocol.acknowledged(line);
        self.has_started |= acknowledged != Acknowledged::Nothing || parse_text(line).is_some();
        if !self.has_started {
            return;
        }
        match acknowledged {
            Acknowledged::One => self.acknowledged += 1,
            Acknowledged::Batch => self.acknowledged = self.batch_ends.pop_front().unwrap_or(u64::MAX),
            Acknowledged::Nothing => {
                let is_own = self.order.check(line).is_some_and(|(sender, _)| sender == self.number);
                self.acknowledged += u64::from(is_own);
            }
        }
        if self.acknowledged > self.sent() {
            self.acknowledged = self.sent();
            self.order.faults.out_of_order += 1;
        }
    }

    /// The faults of this sender, when each sender has sent as many messages as `sent` says.
    pub(crate) fn faults(&self, sent: &[u64]) -> Faults {
        let mut faults = self.order.faults;
        faults.closed += u64::from(!self.connection.open);
        faults.lost += self.sent() - self.acknowledged + self.missing(sent);
        faults
    }
}
