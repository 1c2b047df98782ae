//! Many who come: how long it takes until all are in, and whether everybody knows everybody afterwards.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::report::Run;
use crate::wire::Faults;

use super::connection::{Connection, Poller, READ_BYTES_MAX};
use super::contender::{Contender, SlowReaders};
use super::crowd::PATIENCE;
use super::protocol::{Presence, Role, Route};

/// Rosters that are asked for at the same time.
const ASKING_MAX: usize = 20;

/// A set of members.
struct Set(Vec<u64>);

impl Set {
    fn new(members: usize) -> Self {
        Self(vec![0; members.div_ceil(64)])
    }

    /// Says whether it is new.
    fn insert(&mut self, member: usize) -> bool {
        let Some(word) = self.0.get_mut(member / 64) else { return false };
        let bit = 1 << (member % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn contains(&self, member: usize) -> bool {
        self.0[member / 64] >> (member % 64) & 1 == 1
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

struct Member {
    connection: Connection,
    /// Who was seen to join.
    told: Set,
    /// Who was listed, since it asked.
    listed: Option<Set>,
    /// Told or listed twice.
    twice: u64,
}

/// Those who came.
pub(super) struct Members {
    presence: Option<&'static dyn Presence>,
    poller: Poller,
    ready: Vec<usize>,
    buffer: Vec<u8>,
    all: Vec<Member>,
    /// Sum of what each was told.
    told: u64,
    started: Instant,
    /// How long it took until all were in.
    pub(super) seconds: f64,
}

/// Lets so many take part in a role in which nothing is told to be checked.
pub(super) fn gather_idle(
    contender: &Contender,
    address: SocketAddr,
    count: usize,
    role: fn(usize) -> Role,
) -> Members {
    let mut members = Members::new(None);
    members.gather(contender, address, count, role);
    members
}

/// Lets those who wait wait.
pub(super) fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

/// All join; then everybody's roster is checked.
pub(super) fn run(contender: &Contender, program: &Path, count: usize) -> Run {
    let mut run = Run::default();
    let server = contender.start(program, SlowReaders::Wait);
    let (empty_bytes, cpu_before) = (server.resident_bytes(), server.cpu_precise());
    let mut members = Members::new(contender.protocol.presence());
    members.gather(contender, server.address, count, |number| Role::Reader(Route::Everybody, number));
    let all_told = (count * (count - 1) / 2) as u64;
    members.turn_until(|members| members.told >= all_told);
    let seconds = members.started.elapsed().as_secs_f64();
    let cpu = server.cpu_precise().saturating_sub(cpu_before).as_secs_f64();
    let bytes = server.resident_bytes().saturating_sub(empty_bytes) as f64;
    run.faults = members.faults();
    let asking = Instant::now();
    run.faults.add(members.check_rosters());
    run.add("members", count as f64);
    run.add("join_seconds", seconds);
    run.add("joins_per_second", count as f64 / seconds);
    run.add("told_per_second", all_told as f64 / seconds);
    run.add("server_cpu_us_told", cpu * 1e6 / all_told as f64);
    run.add("server_cpu_seconds", cpu);
    run.add("resident_bytes_a_connection", bytes / count as f64);
    run.add("rosters_seconds", asking.elapsed().as_secs_f64());
    run
}

impl Members {
    fn new(presence: Option<&'static dyn Presence>) -> Self {
        Self {
            presence,
            poller: Poller::new(),
            ready: Vec::new(),
            buffer: vec![0; READ_BYTES_MAX],
            all: Vec::new(),
            told: 0,
            seconds: 0.0,
            started: Instant::now(),
        }
    }

    fn gather(&mut self, contender: &Contender, address: SocketAddr, count: usize, role: fn(usize) -> Role) {
        self.started = Instant::now();
        for number in 0..count {
            let connection = Connection::new(address, contender.protocol.introduction(role(number)));
            self.poller.add(&connection, number);
            let told = Set::new(if self.presence.is_some() { count } else { 0 });
            self.all.push(Member { connection, told, listed: None, twice: 0 });
            if number % contender.joining_max == contender.joining_max - 1 {
                self.wait_for_introductions();
            }
        }
        self.wait_for_introductions();
        self.seconds = self.started.elapsed().as_secs_f64();
    }

    fn wait_for_introductions(&mut self) {
        let all_in = |members: &Self| members.all.iter().all(|member| member.connection.is_introduced());
        assert!(self.turn_until(all_in), "the server does not let everybody in");
    }

    /// Who was closed on; and, of every two, the one who came first must have been told of the other, once.
    pub(super) fn faults(&self) -> Faults {
        let closed = self.all.iter().filter(|member| !member.connection.open).count() as u64;
        let mut faults = Faults { closed, ..Faults::default() };
        if self.presence.is_none() {
            return faults;
        }
        for (number, member) in self.all.iter().enumerate() {
            faults.disorderly += member.twice;
            for other in 0..number {
                let times = [member.told.contains(other), self.all[other].told.contains(number)];
                match times.into_iter().filter(|told| *told).count() {
                    0 => faults.lost += 1,
                    1 => {}
                    _ => faults.disorderly += 1,
                }
            }
        }
        faults
    }

    /// Everybody asks who is here, and must hear everybody, once.
    fn check_rosters(&mut self) -> Faults {
        let Some(presence) = self.presence else { return Faults::default() };
        let count = self.all.len();
        for start in (0..count).step_by(ASKING_MAX) {
            for member in &mut self.all[start..count.min(start + ASKING_MAX)] {
                member.listed = Some(Set::new(count));
                member.connection.add_step(presence.roster());
            }
            self.wait_for_introductions();
        }
        let mut faults = Faults::default();
        for member in &self.all {
            faults.lost += (count - member.listed.as_ref().map_or(0, Set::len)) as u64;
            faults.disorderly += member.twice;
        }
        faults
    }

    fn turn_until(&mut self, holds: impl Fn(&Self) -> bool) -> bool {
        let mut quiet_since = Instant::now();
        while !holds(self) {
            let mut ready = std::mem::take(&mut self.ready);
            self.poller.wait(Duration::from_millis(100), &mut ready);
            for &number in &ready {
                self.read(number);
            }
            if !ready.is_empty() {
                quiet_since = Instant::now();
            }
            self.ready = ready;
            if quiet_since.elapsed() > PATIENCE {
                return false;
            }
        }
        true
    }

    fn read(&mut self, number: usize) {
        let Member { connection, told, listed, twice } = &mut self.all[number];
        let count = connection.read(&mut self.buffer);
        let mut lines = std::mem::take(&mut connection.lines);
        lines.take(&self.buffer[..count], |line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match self.presence.and_then(|presence| presence.joined(line)) {
                // One's own is not about another.
                Some(joined) if joined == number => {}
                Some(joined) if told.insert(joined) => self.told += 1,
                Some(_) => *twice += 1,
                None => {
                    if let (Some(presence), Some(listed)) = (self.presence, &mut *listed) {
                        presence.list(line, &mut |name| *twice += u64::from(!listed.insert(name)));
                    }
                    connection.take_introduction(line);
                }
            }
        });
        connection.lines = lines;
        if !connection.open {
            self.poller.remove(connection);
        }
    }
}
