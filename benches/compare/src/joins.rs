//! Many clients join: how long that takes, and whether every member is announced to and listed for every other.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use crate::common::event_loop::{EventLoop, Poller};
use crate::common::figures::Run;
use crate::common::log::Faults;
use crate::common::tls::TlsClient;
use crate::configuration::BacklogLimit;
use crate::connection::{Connection, READ_BYTES_MAX};
use crate::contender::Contender;
use crate::protocol::{Presence, Role, Route};

/// Most member lists requested at the same time.
const LIST_REQUESTS_MAX: usize = 20;

/// A set of members, as bits.
struct MemberSet(Vec<u64>);

impl MemberSet {
    fn new(members: usize) -> Self {
        Self(vec![0; members.div_ceil(64)])
    }

    /// Returns whether the member was not in the set.
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
    /// The members that were announced to this one.
    announced: MemberSet,
    /// The members in the list that it requested.
    listed: Option<MemberSet>,
    /// Members that were announced or listed twice.
    repeated: u64,
}

/// All members of one server.
pub(crate) struct Members {
    /// `None` if presence is not checked.
    presence: Option<&'static dyn Presence>,
    /// All connections use TLS.
    tls: Option<TlsClient>,
    poller: Poller,
    buffer: Vec<u8>,
    all: Vec<Member>,
    /// Announcements received by all members.
    announcements: u64,
    start: Instant,
    /// Time from the first connection to the end of the last handshake.
    pub(crate) join_seconds: f64,
}

/// Connects `count` clients, and does not check presence.
pub(crate) fn join_idle(contender: &Contender, address: SocketAddr, count: usize, tls: Option<TlsClient>) -> Members {
    let mut members = Members { tls, ..Members::new(None) };
    members.join(contender, address, count, Role::Idle);
    members
}

/// All clients join; then the member list of each is checked.
pub(crate) fn run(contender: &Contender, program: &Path, count: usize) -> Run {
    let mut run = Run::default();
    let server = contender.start(program, BacklogLimit::Highest, None);
    let (empty_bytes, cpu_before) = (server.resident_bytes(), server.cpu_precise());
    let mut members = Members::new(contender.protocol.presence());
    members.join(contender, server.address(), count, |number| Role::Reader(Route::All, number));
    // Each member is announced to those before it.
    let announcements = (count * (count - 1) / 2) as u64;
    members.turn_until(|members| members.announcements >= announcements);
    let seconds = members.start.elapsed().as_secs_f64();
    let cpu = server.cpu_precise().saturating_sub(cpu_before).as_secs_f64();
    let bytes = server.resident_bytes().saturating_sub(empty_bytes) as f64;
    run.faults = members.faults();
    let lists_start = Instant::now();
    run.faults.add(members.check_lists());
    run.add("members", count as f64);
    run.add("join_seconds", seconds);
    run.add("joins_per_second", count as f64 / seconds);
    run.add("announcements_per_second", announcements as f64 / seconds);
    run.add("server_cpu_us_per_announcement", cpu * 1e6 / announcements as f64);
    run.add("server_cpu_seconds", cpu);
    run.add("resident_bytes_a_connection", bytes / count as f64);
    run.add("member_lists_seconds", lists_start.elapsed().as_secs_f64());
    run
}

impl Members {
    fn new(presence: Option<&'static dyn Presence>) -> Self {
        Self {
            presence,
            tls: None,
            poller: Poller::new(),
            buffer: vec![0; READ_BYTES_MAX],
            all: Vec::new(),
            announcements: 0,
            start: Instant::now(),
            join_seconds: 0.0,
        }
    }

    fn join(&mut self, contender: &Contender, address: SocketAddr, count: usize, role: fn(usize) -> Role) {
        self.start = Instant::now();
        for number in 0..count {
            let connection =
                Connection::new(None, address, self.tls.as_ref(), contender.protocol.handshake(role(number)));
            self.poller.add(&connection, number);
            let announced = MemberSet::new(if self.presence.is_some() { count } else { 0 });
            self.all.push(Member { connection, announced, listed: None, repeated: 0 });
            if number % contender.handshakes_max == contender.handshakes_max - 1 {
                self.wait_for_steps();
            }
        }
        self.wait_for_steps();
        self.join_seconds = self.start.elapsed().as_secs_f64();
    }

    fn wait_for_steps(&mut self) {
        let all_finished = |members: &Self| members.all.iter().all(|member| member.connection.has_finished_steps());
        assert!(self.turn_until(all_finished), "the server does not answer all clients");
    }

    /// Closed connections, and of every two members the number of announcements that is not one.
    pub(crate) fn faults(&self) -> Faults {
        let closed = self.all.iter().filter(|member| !member.connection.open).count() as u64;
        let mut faults = Faults { closed, ..Faults::default() };
        if self.presence.is_none() {
            return faults;
        }
        for (number, member) in self.all.iter().enumerate() {
            faults.out_of_order += member.repeated;
            for other in 0..number {
                // The clients connect at the same time, so either may be the first member.
                let announced = [member.announced.contains(other), self.all[other].announced.contains(number)];
                match announced.into_iter().filter(|announced| *announced).count() {
                    0 => faults.lost += 1,
                    1 => {}
                    _ => faults.out_of_order += 1,
                }
            }
        }
        faults
    }

    /// Every member requests the list, which must have every member once.
    fn check_lists(&mut self) -> Faults {
        let Some(presence) = self.presence else { return Faults::default() };
        let count = self.all.len();
        for start in (0..count).step_by(LIST_REQUESTS_MAX) {
            for member in &mut self.all[start..count.min(start + LIST_REQUESTS_MAX)] {
                member.listed = Some(MemberSet::new(count));
                member.connection.add_step(presence.list_request());
            }
            self.wait_for_steps();
        }
        let mut faults = Faults::default();
        for member in &self.all {
            faults.lost += (count - member.listed.as_ref().map_or(0, MemberSet::len)) as u64;
            faults.out_of_order += member.repeated;
        }
        faults
    }
}

impl EventLoop for Members {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let Member { connection, announced, listed, repeated } = &mut self.all[number];
        let count = connection.read(&mut self.buffer);
        let mut lines = std::mem::take(&mut connection.lines);
        lines.push(&self.buffer[..count], |line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match self.presence.and_then(|presence| presence.joined(line)) {
                // IRC announces a member to itself too.
                Some(joined) if joined == number => {}
                Some(joined) if announced.insert(joined) => self.announcements += 1,
                Some(_) => *repeated += 1,
                None => {
                    if let (Some(presence), Some(listed)) = (self.presence, &mut *listed) {
                        presence.listed(line, &mut |member| *repeated += u64::from(!listed.insert(member)));
                    }
                    connection.advance_steps(line);
                }
            }
        });
        connection.lines = lines;
        if !connection.open {
            self.poller.remove(connection);
        }
    }
}
