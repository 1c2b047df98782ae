//! Carries out the attacks: several hundred hostile clients on one thread, each of which gets its turn every few milliseconds.

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

/// How often each of them gets a turn.
pub(crate) const TURN: Duration = Duration::from_millis(20);

/// A bell rings every so many turns. At the bell many take the same name, and many more connect and vanish.
const BELL_TURNS: usize = 25;
const VANISH_AT_BELL: usize = 150;

/// Turns that the server may take to close a connection that it is to close.
const CLOSE_TURNS_MAX: usize = (DEADLINE.as_millis() / TURN.as_millis()) as usize;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections, by kind.
    pub(crate) connections: BTreeMap<&'static str, usize>,
    /// How often the server said what it had to before it closed.
    pub(crate) answered: BTreeMap<&'static str, usize>,
    pub(crate) bytes_written: u64,
    pub(crate) bytes_read: u64,
}

/// Lets them do their worst until `stop` is closed. Then all are gone at once.
pub(crate) fn rage(server: SocketAddr, random: Rng, stop: &Receiver<()>) -> Tally {
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
        if turn % BELL_TURNS == 0 {
            hostile.extend((0..VANISH_AT_BELL).map(|_| Hostile::connect(server, planner.vanish(), &mut tally)));
            for hostile in &mut hostile {
                hostile.hear_bell(turn / BELL_TURNS);
            }
        }
        hostile.retain_mut(|hostile| hostile.turn(&mut tally));
    }
    tally
}

/// One of them.
struct Hostile {
    plan: Plan,
    stream: TcpStream,
    written: usize,
    turns: usize,
    input_ended: bool,
    /// What the server said, if something must be among it.
    heard: Vec<u8>,
}

impl Hostile {
    fn connect(server: SocketAddr, plan: Plan, tally: &mut Tally) -> Self {
        let stream = TcpStream::connect_timeout(&server, DEADLINE).expect("the server accepts");
        stream.set_nonblocking(true).expect("a socket");
        if plan.end == End::Reset {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
        }
        *tally.connections.entry(plan.kind).or_default() += 1;
        Self { plan, stream, written: 0, turns: 0, input_ended: false, heard: Vec::new() }
    }

    /// All who hear it take the same name now, in one spelling or another.
    fn hear_bell(&mut self, bell: usize) {
        if std::mem::take(&mut self.plan.contends) {
            let spelling = ["duke", "Duke", "DUKE"][self.turns % 3];
            self.plan.opening.extend(format!("NICK {spelling}{bell}\nMSG I am the one\n").into_bytes());
        }
    }

    /// Does what the plan says for this turn. Returns whether there is more to it.
    fn turn(&mut self, tally: &mut Tally) -> bool {
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
        assert!(self.turns < CLOSE_TURNS_MAX, "{:?} is not closed, and read {}", self.plan.kind, self.heard());
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
                Err(error) => return error.kind() == ErrorKind::WouldBlock || self.must_not_end_like_that(&error),
            }
        }
        true
    }

    /// What is to be written next.
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
                        self.heard.extend_from_slice(&scratch[..count]);
                    }
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock || self.must_not_end_like_that(&error),
            }
        }
        true
    }

    /// Who is closed must have been told why, unless time was up before the line was its turn: the machine is busy.
    fn check_end(&self, tally: &mut Tally) {
        let Some(expected) = self.plan.expects else { return };
        let heard = self.heard();
        let told =
            [expected, "ERR - name-timeout "].into_iter().find(|what| heard.lines().any(|l| l.starts_with(what)));
        let told = told.unwrap_or_else(|| panic!("{:?} was closed without {expected:?}: {heard}", self.plan.kind));
        *tally.answered.entry(told).or_default() += 1;
    }

    /// Whoever is to be told something is not to lose it to a reset. Returns false: the connection is gone.
    fn must_not_end_like_that(&self, error: &std::io::Error) -> bool {
        assert!(self.plan.expects.is_none(), "{:?} is lost: {error}, after {}", self.plan.kind, self.heard());
        false
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}
