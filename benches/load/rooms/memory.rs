//! The memory of rooms and of memberships: growth of the resident memory while clients that are connected already enter rooms. The feed is
//! full before that, so that the growth has none of its events.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use argh::FromArgs;

use super::members::{assert_accepted, joins};
use super::stream::{ROOMS_MAX, member_name};
use crate::common::event_loop::{EventLoop, Poller};
use crate::common::figures::{Run, Runs};
use crate::common::log::Faults;
use crate::common::server::Server;
use crate::common::socket::source;
use crate::connection::Connection;
use crate::report::Report;

/// Memory: what an empty room and what a membership takes.
#[derive(FromArgs)]
#[argh(subcommand, name = "rooms-memory")]
pub(crate) struct RoomsMemory {
    /// rooms, and memberships in each of the two steps after they were created (default: 10000)
    #[argh(option, default = "ROOMS_MAX", from_str_fn(super::parse_rooms))]
    rooms: usize,

    /// rooms that each client creates (default: 20, as many as the server lets one address create at once)
    #[argh(option, default = "20", from_str_fn(super::parse_each))]
    created_each: usize,

    /// rooms that each client enters in the two steps after that (default: 50)
    #[argh(option, default = "50", from_str_fn(super::parse_each))]
    entered_each: usize,
}

impl Default for RoomsMemory {
    fn default() -> Self {
        Self { rooms: ROOMS_MAX, created_each: 20, entered_each: 50 }
    }
}

/// Time for the server to free what it needed for the last commands.
const SETTLE: Duration = Duration::from_millis(500);

/// Most bytes read from one connection before the next one is read.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The least size of the feed.
const BACKLOG: &str = "1MiB";

/// Messages that fill the feed, sent in bursts of this many, with texts of this many bytes.
const FILLING: [usize; 3] = [4000, 100, 400];

impl RoomsMemory {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Report {
        let description = format!(
            "growth of the resident memory, with a full feed, while connected clients create {} rooms, {} each; then others enter \
             {} each: each room a second member; then others all the same {} rooms",
            self.rooms, self.created_each, self.entered_each, self.entered_each
        );
        let runs = Runs((0..runs).map(|_| self.run(binary)).collect());
        Report { scenario: "rooms-memory".into(), description, runs }
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let options = ["--line-rate", "0", "--connect-rate", "0", "--max-rooms", "20000", "--backlog", BACKLOG];
        let server = Server::start(binary, &options);
        let (creators, others) = (self.rooms.div_ceil(self.created_each), self.rooms.div_ceil(self.entered_each));
        let mut clients = Clients::connect(server.address(), creators + 2 * others, self.rooms);
        let created = |client: usize| slice(client, self.created_each, self.rooms);
        let entered = |client: usize| slice(client, self.entered_each, self.rooms);
        let few = |_| 0..self.entered_each.min(self.rooms);
        clients.fill_feed();
        let mut resident = settled_bytes(&server, &mut clients);
        run.add_bytes("resident_bytes_before", resident);
        let mut step = |name: &'static str, first: usize, count: usize, rooms: &dyn Fn(usize) -> Range<usize>| {
            let memberships = clients.enter(first, count, rooms);
            let after = settled_bytes(&server, &mut clients);
            run.add(name, (after as f64 - resident as f64) / memberships as f64);
            resident = after;
        };
        step("resident_bytes_a_room", 0, creators, &created);
        step("resident_bytes_a_membership", creators, others, &entered);
        step("resident_bytes_a_membership_in_large_rooms", creators + others, others, &few);
        run.add_bytes("resident_bytes_after", resident);
        run.faults = clients.faults();
        run
    }
}

/// The rooms of one of the clients that share all rooms evenly.
fn slice(client: usize, each: usize, rooms: usize) -> Range<usize> {
    client * each..((client + 1) * each).min(rooms)
}

fn settled_bytes(server: &Server, clients: &mut Clients) -> u64 {
    clients.turn_for(SETTLE);
    server.resident_bytes()
}

/// All clients of one server: members of `#lobby`, and later of other rooms.
struct Clients {
    poller: Poller,
    buffer: Vec<u8>,
    connections: Vec<Connection>,
    /// Members of each room.
    sizes: Vec<u64>,
    /// The events of rooms that all clients must receive, and the events that they have received.
    due: u64,
    received: u64,
}

impl Clients {
    fn connect(server: SocketAddr, count: usize, rooms: usize) -> Self {
        let mut clients = Self {
            poller: Poller::new(),
            buffer: vec![0; READ_BYTES_MAX],
            connections: Vec::new(),
            sizes: vec![0; rooms],
            due: 0,
            received: 0,
        };
        for number in 0..count {
            let connection = Connection::connect_from(source(number), server);
            clients.poller.add(&connection.stream, number);
            clients.connections.push(connection);
            clients.send(number, &format!("NICK {}\n", member_name(number)));
            clients.wait();
        }
        clients.synchronize();
        clients
    }

    fn fill_feed(&mut self) {
        let [count, burst, bytes] = FILLING;
        let message = format!("MSG {}\n", "x".repeat(bytes));
        for _ in 0..count / burst {
            self.send(0, &message.repeat(burst));
            self.synchronize();
        }
    }

    /// Makes `count` clients enter rooms, one client after the other. Returns the number of memberships.
    fn enter(&mut self, first: usize, count: usize, rooms: &dyn Fn(usize) -> Range<usize>) -> u64 {
        let mut memberships = 0;
        for number in 0..count {
            for room in rooms(number) {
                // The first member receives `COORDINATOR`, and later members are announced to those before them.
                self.due += self.sizes[room].max(1);
                self.sizes[room] += 1;
                memberships += 1;
            }
            self.send(first + number, &joins(rooms(number)));
            self.wait();
        }
        self.synchronize();
        memberships
    }

    /// Sends commands, and waits for the reply to a `PING` after them.
    fn send(&mut self, number: usize, commands: &str) {
        let connection = &mut self.connections[number];
        connection.await_line("OK PING done");
        connection.send(format!("{commands}PING done\n").as_bytes());
    }

    /// The barrier: every client has received everything.
    fn synchronize(&mut self) {
        (0..self.connections.len()).for_each(|number| self.send(number, ""));
        self.wait();
    }

    fn wait(&mut self) {
        let is_done = |clients: &Self| !clients.connections.iter().any(Connection::is_waiting);
        assert!(self.turn_until(is_done), "the server does not answer all clients");
    }

    fn faults(&self) -> Faults {
        Faults {
            lost: self.due.saturating_sub(self.received),
            out_of_order: self.received.saturating_sub(self.due),
            closed: self.connections.iter().filter(|connection| !connection.open).count() as u64,
            other: 0,
        }
    }
}

impl EventLoop for Clients {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let count = connection.read(&mut self.buffer);
        connection.split_lines(&self.buffer[..count], |line| {
            assert_accepted(line);
            // Lines about `#lobby`, the home of all, name no room.
            self.received += u64::from(line.starts_with(b"#"));
        });
        if !connection.open {
            self.poller.remove(&connection.stream);
        }
    }
}
