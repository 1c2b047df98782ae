//! Carries out the attacks: several hundred hostile clients on one thread. Each gets a turn every few milliseconds.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use fastrand::Rng;
use socket2::SockRef;

use crate::attacks::{End, Plan, Planner};
use crate::common::DEADLINE;

/// Hostile clients at any moment.
pub(crate) const HOSTILE: usize = 400;

/// Time between two turns of a hostile client.
pub(crate) const TURN: Duration = Duration::from_millis(20);

/// Turns between two signals. At a signal, all contenders take the same nickname.
const SIGNAL_TURNS: usize = 25;

/// Clients that connect and disconnect at once at each signal.
const VANISH_AT_SIGNAL: usize = 150;

/// Turns within which the server must close a connection that waits for it.
const CLOSE_TURNS_MAX: usize = (DEADLINE.as_millis() / TURN.as_millis()) as usize;

/// Counts over all hostile clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections, by kind.
    pub(crate) connections: BTreeMap<&'static str, usize>,
    /// Expected lines that the server sent before it closed a connection, by their start.
    pub(crate) answered: BTreeMap<&'static str, usize>,
    pub(crate) bytes_written: u64,
    pub(crate) bytes_read: u64,
}

/// Attacks the server until the sender of `stop` is dropped. Then all hostile clients disconnect at once.
pub(crate) fn attack(server: SocketAddr, random: Rng, stop: &Receiver<()>) -> Tally {
    let mut planner = Planner::new(random);
    let mut tally = Tally::default();
    let mut hostile: Vec<Hostile> = Vec::new();
    for turn in 1.. {
        if stop.recv_timeout(TURN) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        while hostile.len() < HOSTILE {
            hostile.push(Hostile::connect(server, planner.any(), &mut tally));
        }
        if turn % SIGNAL_TURNS == 0 {
            hostile.extend((0..VANISH_AT_SIGNAL).map(|_| Hostile::connect(server, planner.vanish(), &mut tally)));
            for hostile in &mut hostile {
                hostile.contend(turn / SIGNAL_TURNS);
            }
        }
        hostile.retain_mut(|hostile| hostile.take_turn(&mut tally));
    }
    tally
}

/// A hostile client.
struct Hostile {
    plan: Plan,
    stream: TcpStream,
    written: usize,
    turns: usize,
    input_ended: bool,
    /// The bytes from the server, if the plan expects a line.
    received: Vec<u8>,
}

impl Hostile {
    fn connect(server: SocketAddr, plan: Plan, tally: &mut Tally) -> Self {
        let stream = TcpStream::connect_timeout(&server, DEADLINE).expect("the server accepts");
        stream.set_nonblocking(true).expect("a socket");
        if plan.end == End::Reset {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
        }
        *tally.connections.entry(plan.kind).or_default() += 1;
        Self { plan, stream, written: 0, turns: 0, input_ended: false, received: Vec::new() }
    }

    /// A contender takes the nickname of this signal, in one of three spellings.
    fn contend(&mut self, signal: usize) {
        if std::mem::take(&mut self.plan.contends) {
            let spelling = ["duke", "Duke", "DUKE"][self.turns % 3];
            self.plan.opening.extend(format!("NICK {spelling}{signal}\nMSG I am the one\n").into_bytes());
        }
    }

    /// Carries out one turn of the plan. Returns false at its end.
    fn take_turn(&mut self, tally: &mut Tally) -> bool {
        let open = self.write(tally) && self.read(tally);
        self.turns += 1;
        if !open || self.turns <= self.plan.turns {
            return open;
        }
        if !matches!(self.plan.end, End::HalfClose | End::Wait) {
            return false;
        }
        if self.plan.end == End::HalfClose && self.written >= self.plan.opening.len() && !self.input_ended {
            self.input_ended = self.stream.shutdown(Shutdown::Write).is_ok();
        }
        assert!(self.turns < CLOSE_TURNS_MAX, "{:?} was not closed; it read {}", self.plan.kind, self.received());
        true
    }

    /// Returns false if the connection is gone.
    fn write(&mut self, tally: &mut Tally) -> bool {
        let mut left = self.plan.write_max;
        while left > 0 {
            let rest = self.rest();
            let rest = &rest[..rest.len().min(left)];
            if rest.is_empty() {
                break;
            }
            match (&self.stream).write(rest) {
                Ok(count) => {
                    self.written += count;
                    left -= count;
                    tally.bytes_written += count as u64;
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock || self.check_error(&error),
            }
        }
        true
    }

    /// The bytes to write next.
    fn rest(&self) -> &[u8] {
        let Plan { opening, flood, flood_bytes, .. } = &self.plan;
        if let Some(rest) = opening.get(self.written..).filter(|rest| !rest.is_empty()) {
            return rest;
        }
        let flooded = self.written - opening.len();
        if flooded < *flood_bytes { &flood[flooded % flood.len()..] } else { &[] }
    }

    /// Returns false if the connection is gone.
    fn read(&mut self, tally: &mut Tally) -> bool {
        let mut scratch = [0; 16 * 1024];
        let mut left = self.plan.read_max;
        while left > 0 {
            let room = left.min(scratch.len());
            match self.stream.read(&mut scratch[..room]) {
                Ok(0) => {
                    self.check_end(tally);
                    return false;
                }
                Ok(count) => {
                    left -= count;
                    tally.bytes_read += count as u64;
                    if self.plan.expects.is_some() {
                        self.received.extend_from_slice(&scratch[..count]);
                    }
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock || self.check_error(&error),
            }
        }
        true
    }

    /// Checks that the server sent the expected line before it closed. On a busy machine, the name timeout may come first.
    fn check_end(&self, tally: &mut Tally) {
        let Some(expected) = self.plan.expects else { return };
        let received = self.received();
        let sent =
            [expected, "ERR - name-timeout "].into_iter().find(|start| received.lines().any(|l| l.starts_with(start)));
        let sent = sent.unwrap_or_else(|| panic!("{:?} was closed without {expected:?}: {received}", self.plan.kind));
        *tally.answered.entry(sent).or_default() += 1;
    }

    /// A reset may destroy an expected line, so it fails the test then. Returns false: the connection is gone.
    fn check_error(&self, error: &std::io::Error) -> bool {
        assert!(self.plan.expects.is_none(), "{:?}: {error}, after {}", self.plan.kind, self.received());
        false
    }

    fn received(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}
