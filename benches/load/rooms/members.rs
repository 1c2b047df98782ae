//! The members of many rooms of one server, on one thread and one epoll. Every line that a member receives is checked.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::stream::{MemberStream, RoomLog, member_name, room_name};
use crate::common::event_loop::{EventLoop, Poller};
use crate::common::log::Faults;
use crate::common::socket::source;
use crate::connection::Connection;
use crate::wire::write_command;

/// Most bytes read from one connection before the next one is read.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Clients that join at the same time.
const JOINING_MAX: usize = 500;

/// Rooms in one `JOIN`: the protocol's limit.
const ROOMS_A_JOIN: usize = 16;

/// The end of the last line that a client sends to join, and the beginning of the reply.
const JOINED: &str = "PING joined\n";
const JOINED_REPLY: &str = "OK PING joined";

/// A client, and what it does.
pub(crate) struct MemberPlan {
    /// The rooms that it is in. If it sends, it is in one.
    pub(crate) rooms: Range<usize>,
    pub(crate) sends: bool,
}

/// How clients enter their first room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By `NICK name #room`: it is their home, so its lines do not name it.
    Home,
    /// By `NICK name` and `JOIN #room`: they are members of `#lobby`, too, and every line of the load names its room.
    Join,
}

struct Member {
    connection: Connection,
    stream: MemberStream,
    /// Text before each of its commands: empty, or the name of its room.
    prefix: String,
}

/// All members of one server.
pub(crate) struct RoomMembers {
    poller: Poller,
    buffer: Vec<u8>,
    members: Vec<Member>,
    /// The members that send, in the order in which they take turns, each with the number of other members in its room.
    senders: Vec<(usize, u64)>,
    logs: Vec<RoomLog>,
    /// When each member sent each of its messages.
    sent_at: Vec<Vec<Instant>>,
    /// Received lines are checked.
    is_checked: bool,
    counts: Counts,
    /// Deliveries and acknowledgements that the messages sent so far must cause.
    due: [u64; 2],
    /// While they are `Some`: the delay of every message at every other member, and of every acknowledgement.
    arrivals: Option<Vec<Duration>>,
    acknowledgements: Option<Vec<Duration>>,
}

/// Arrivals at all members together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages at members other than their sender.
    pub(crate) deliveries: u64,
    pub(crate) acknowledgements: u64,
    /// Reads that returned something. If the load generator keeps up, it reads each write of the server by itself.
    pub(crate) reads: u64,
}

impl Counts {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            deliveries: self.deliveries - earlier.deliveries,
            acknowledgements: self.acknowledgements - earlier.acknowledgements,
            reads: self.reads - earlier.reads,
        }
    }
}

impl RoomMembers {
    /// Connects all clients, and waits until each is in its rooms and has nothing left to read.
    pub(crate) fn join(address: SocketAddr, rooms: usize, plans: &[MemberPlan], entry: Entry) -> Self {
        let (mut sizes, mut senders_of) = (vec![0; rooms], vec![Vec::new(); rooms]);
        plans.iter().flat_map(|plan| plan.rooms.clone()).for_each(|room| sizes[room] += 1);
        let sends = |&member: &usize| plans[member].sends;
        (0..plans.len()).filter(sends).for_each(|sender| senders_of[plans[sender].rooms.start].push(sender));
        let others = |sender: usize| sizes[plans[sender].rooms.start] - 1;
        let senders = (0..plans.len()).filter(sends).map(|sender| (sender, others(sender))).collect();
        let mut members = Self {
            poller: Poller::new(),
            buffer: vec![0; READ_BYTES_MAX],
            members: Vec::new(),
            senders,
            logs: senders_of.into_iter().map(RoomLog::new).collect(),
            sent_at: vec![Vec::new(); plans.len()],
            is_checked: false,
            counts: Counts::default(),
            due: [0; 2],
            arrivals: None,
            acknowledgements: None,
        };
        for (number, plan) in plans.iter().enumerate() {
            if plan.rooms.len() > 1 {
                // Its rooms exist then. It would reach the limit of rooms that clients of one address create.
                members.wait_for_lines();
            }
            members.add(address, number, plan, entry);
            if number % JOINING_MAX == JOINING_MAX - 1 {
                members.wait_for_lines();
            }
        }
        members.wait_for_lines();
        members.synchronize();
        members
    }

    fn add(&mut self, address: SocketAddr, number: usize, plan: &MemberPlan, entry: Entry) {
        let mut connection = Connection::connect_from(source(plan.rooms.start), address);
        self.poller.add(&connection.stream, number);
        connection.await_line(JOINED_REPLY);
        connection.send((join_commands(number, plan.rooms.clone(), entry) + JOINED).as_bytes());
        let home = (entry == Entry::Home).then_some(plan.rooms.start);
        let stream = MemberStream::new(number, home, plan.rooms.clone());
        let prefix = if home.is_some() { String::new() } else { room_name(plan.rooms.start) + " " };
        self.members.push(Member { connection, stream, prefix });
    }

    /// The barrier before the load: nobody joins any more, and every member has received everything.
    fn synchronize(&mut self) {
        for member in &mut self.members {
            member.connection.await_line("OK PING all");
            member.connection.send(b"PING all\n");
        }
        self.wait_for_lines();
        self.members.iter().for_each(|member| member.connection.assert_between_lines());
        self.is_checked = true;
    }

    fn wait_for_lines(&mut self) {
        let is_done = |all: &Self| !all.members.iter().any(|member| member.connection.is_waiting());
        assert!(self.turn_until(is_done), "the server does not answer all clients");
    }

    /// Sends one message in each interval, the senders taking turns.
    pub(crate) fn pace(&mut self, interval: Duration, duration: Duration) {
        let start = Instant::now();
        for number in 0.. {
            let due = interval * number;
            if due >= duration {
                break;
            }
            self.turn_until_due(start + due);
            let (sender, others) = self.senders[number as usize % self.senders.len()];
            self.send(sender);
            self.due = [self.due[0] + others, self.due[1] + 1];
        }
    }

    fn send(&mut self, sender: usize) {
        let member = &mut self.members[sender];
        let sent_at = &mut self.sent_at[sender];
        let mut command = member.prefix.clone().into_bytes();
        write_command(&mut command, sent_at.len() as u64);
        sent_at.push(Instant::now());
        member.connection.send(&command);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// From here on, times every arrival and every acknowledgement.
    pub(crate) fn start_timing(&mut self) {
        self.arrivals = Some(Vec::new());
        self.acknowledgements = Some(Vec::new());
    }

    /// The delays since [`RoomMembers::start_timing`]: of arrivals, and of acknowledgements.
    pub(crate) fn take_delays(&mut self) -> (Vec<Duration>, Vec<Duration>) {
        (self.arrivals.take().unwrap_or_default(), self.acknowledgements.take().unwrap_or_default())
    }

    /// Waits until everything sent has arrived at every member, or nothing more arrives.
    pub(crate) fn drain(&mut self) {
        let has_all =
            |Self { counts, due, .. }: &Self| counts.deliveries >= due[0] && counts.acknowledgements >= due[1];
        if !self.turn_until(has_all) {
            // The next call does not wait again for what is lost.
            self.due = [self.counts.deliveries, self.counts.acknowledgements];
        }
    }

    /// Waits until everything has arrived, and returns the faults.
    pub(crate) fn finish(&mut self) -> Faults {
        self.drain();
        self.members.iter_mut().for_each(|member| member.connection.send_last_ping());
        self.wait_for_lines();
        let mut faults = Faults::default();
        for member in &self.members {
            faults.add(member.stream.final_faults(&self.logs));
            faults.closed += u64::from(!member.connection.open);
        }
        for log in &self.logs {
            faults.add(log.final_faults(|sender| self.sent_at[sender].len() as u64));
        }
        faults
    }
}

impl EventLoop for RoomMembers {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let Self { members, logs, sent_at, counts, arrivals, acknowledgements, is_checked, .. } = self;
        let Member { connection, stream, .. } = &mut members[number];
        let count = connection.read(&mut self.buffer);
        let now = Instant::now();
        counts.reads += u64::from(count > 0);
        connection.split_lines(&self.buffer[..count], |line| {
            if !*is_checked {
                return assert_accepted(line);
            }
            if line == b"OK PING end" {
                return;
            }
            let Some(message) = stream.check_line(line, logs) else { return };
            let (counted, delays) = if message.sender == number {
                (&mut counts.acknowledgements, &mut *acknowledgements)
            } else {
                (&mut counts.deliveries, &mut *arrivals)
            };
            *counted += 1;
            let sequence = usize::try_from(message.sequence).expect("64-bit");
            if let (Some(delays), Some(&sent_at)) = (delays, sent_at[message.sender].get(sequence)) {
                delays.push(now - sent_at);
            }
        });
        if !connection.open {
            self.poller.remove(&connection.stream);
        }
    }
}

/// The commands with which a client takes its nickname and enters its rooms.
pub(crate) fn join_commands(member: usize, rooms: Range<usize>, entry: Entry) -> String {
    let name = member_name(member);
    match entry {
        Entry::Home => format!("NICK {name} {}\n", room_name(rooms.start)) + &joins(rooms.skip(1)),
        Entry::Join => format!("NICK {name}\n") + &joins(rooms),
    }
}

/// The `JOIN` commands for these rooms.
pub(crate) fn joins(rooms: impl Iterator<Item = usize>) -> String {
    let names: Vec<_> = rooms.map(room_name).collect();
    names.chunks(ROOMS_A_JOIN).map(|names| format!("JOIN {}\n", names.join(","))).collect()
}

/// Ends the program if a client cannot join.
pub(crate) fn assert_accepted(line: &[u8]) {
    assert!(!line.starts_with(b"ERR "), "the server refuses a client: {}", line.escape_ascii());
}
