//! One who sends: keeps messages on their way, and learns that the server has them, in whichever way it says so.

use std::collections::VecDeque;
use std::time::Instant;

use crate::wire::Faults;

use super::connection::Connection;
use super::protocol::{Acknowledged, Protocol, Route};
use super::text::{Order, split, text};

pub(super) struct Sender {
    pub(super) connection: Connection,
    protocol: &'static dyn Protocol,
    route: Route,
    number: usize,
    /// Messages kept on their way.
    pub(super) window: u64,
    /// When each message was handed to the kernel, or was to be.
    sent_at: Vec<Instant>,
    acknowledged: u64,
    /// Where the protocol acknowledges batches: how many messages each question stands after.
    asked: VecDeque<u64>,
    /// The first message, of anybody, came: what comes from there on is checked.
    follows: bool,
    /// What it got of others, where the protocol makes it read them.
    order: Order,
}

impl Sender {
    pub(super) fn new(
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
            asked: VecDeque::new(),
            follows: false,
            order: Order::new(protocol, senders, None),
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent_at.len() as u64
    }

    /// When a message was sent.
    pub(super) fn sent_at(&self, sequence: u64) -> Option<Instant> {
        self.sent_at.get(usize::try_from(sequence).ok()?).copied()
    }

    /// Whether the server has everything, and this has what the others sent, if it is to.
    pub(super) fn is_settled(&self, sent: &[u64]) -> bool {
        !self.connection.open || self.acknowledged >= self.sent() && self.missing(sent) == 0
    }

    fn missing(&self, sent: &[u64]) -> u64 {
        let reads = self.route == Route::Everybody && self.protocol.makes_senders_read();
        if reads { self.order.missing_but_of(self.number, sent) } else { 0 }
    }

    pub(super) fn send(&mut self, count: u64) {
        let sent = self.sent();
        let out = &mut self.connection.unsent;
        for sequence in sent..sent + count {
            self.protocol.publish(out, self.route, self.number, &text(self.number, sequence));
        }
        let before = out.len();
        self.protocol.ask(out);
        if out.len() > before {
            self.asked.push_back(sent + count);
        }
        self.sent_at.resize(self.sent_at.len() + usize::try_from(count).expect("64-bit"), Instant::now());
        self.connection.flush();
    }

    /// Sends as many messages as the window has room for, once that is worth a system call.
    pub(super) fn refill(&mut self) {
        let room = self.window.saturating_sub(self.sent().saturating_sub(self.acknowledged));
        if room > 0 && room >= self.window / 4 {
            self.send(room);
        } else {
            self.connection.flush();
        }
    }

    /// Takes what came.
    pub(super) fn read(&mut self, buffer: &mut [u8]) {
        let count = self.connection.read(buffer);
        let mut lines = std::mem::take(&mut self.connection.lines);
        lines.take(&buffer[..count], |line| self.take_line(line.strip_suffix(b"\r").unwrap_or(line)));
        self.connection.lines = lines;
    }

    fn take_line(&mut self, line: &[u8]) {
        if !self.connection.is_introduced() {
            return self.connection.take_introduction(line);
        }
        let acknowledged = self.protocol.acknowledged(line);
        self.follows |= acknowledged != Acknowledged::Nothing || split(line).is_some();
        if !self.follows {
            return;
        }
        match acknowledged {
            Acknowledged::One => self.acknowledged += 1,
            Acknowledged::Batch => self.acknowledged = self.asked.pop_front().unwrap_or(u64::MAX),
            Acknowledged::Nothing => {
                let is_own = self.order.take(line).is_some_and(|(sender, _)| sender == self.number);
                self.acknowledged += u64::from(is_own);
            }
        }
        if self.acknowledged > self.sent() {
            self.acknowledged = self.sent();
            self.order.faults.disorderly += 1;
        }
    }

    /// Takes note how many messages each sender sent, this one, too; says what went wrong on the way.
    pub(super) fn end(&mut self, sent: &[u64]) -> Faults {
        let mut faults = self.order.faults;
        faults.closed += u64::from(!self.connection.open);
        faults.lost += self.sent() - self.acknowledged + self.missing(sent);
        faults
    }
}
