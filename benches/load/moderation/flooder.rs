//! The time from the ban of a flooding client until each reader has received its last message.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{PROXY_LISTENER, proxy_header};
use crate::attackers::{AttackPlan, Attackers};
use crate::common::event_loop::{EventLoop, Poller};
use crate::common::figures::{Run, median};
use crate::common::log::TEXT_BYTES;
use crate::common::server::Server;
use crate::connection::Connection;

/// Time between the first message and the ban.
pub(super) const FLOOD: Duration = Duration::from_secs(1);

const FLOODER: &str = "flooder";
const FLOODER_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const BAN: &str = "moderate BAN @flooder 1h flooding\n";

/// The last line that a reader receives. All lines before it are the flooder's messages.
const LEAVE: &[u8] = b"LEAVE flooder banned by the operator: flooding\n";

/// Bytes of a message at a reader: `MSG flooder `, the text, LF.
const MESSAGE_BYTES: usize = "MSG ".len() + FLOODER.len() + " ".len() + TEXT_BYTES + "\n".len();

/// Most bytes read from one connection before the next one is read.
const READ_BYTES_MAX: usize = 256 * 1024;

pub(super) fn run(binary: &Path, count: usize) -> Run {
    let directory = tempfile::tempdir().expect("a directory");
    let control = directory.path().join("control.sock");
    let path = control.to_str().expect("a path");
    let options = ["--control", path, "--line-rate", "0", "--connect-rate", "0"];
    let server = Server::start(binary, &[&PROXY_LISTENER[..], &options].concat());
    let mut readers = Readers::join(server.address(), count);
    let message = format!("MSG {}\n", "x".repeat(TEXT_BYTES));
    let first = format!("{}NICK {FLOODER}\n", proxy_header(FLOODER_ADDRESS)).into_bytes();
    let flooder =
        Attackers::start(server.second_address(), vec![AttackPlan { first, ..AttackPlan::flood(message.as_bytes()) }]);
    let operator = Operator::connect(&control);
    readers.turn_for(FLOOD);
    let received: Vec<_> = readers.all.iter().map(|reader| reader.received).collect();
    let ban = thread::spawn(move || operator.ban());
    let all_have_ended = readers.turn_until(|readers| readers.all.iter().all(Reader::is_done));
    let Banned { start, reply, is_confirmed } = ban.join().expect("the operator's thread does not panic");
    flooder.stop();

    let mut run = Run::default();
    run.faults.other += u64::from(!is_confirmed) + u64::from(!all_have_ended);
    run.faults.closed += readers.count(|reader| !reader.connection.open);
    run.faults.out_of_order += readers.count(|reader| reader.continues_after_leave);
    let messages = |bytes: usize| (bytes / MESSAGE_BYTES) as f64;
    let before: Vec<_> = received.iter().map(|&bytes| messages(bytes)).collect();
    let after = readers.all.iter().zip(&received).map(|(reader, before)| messages(reader.received - before));
    let delays = readers.all.iter().map(|reader| reader.last_message_at.saturating_duration_since(start));
    run.add("messages_per_second_before_ban", median(&before) / FLOOD.as_secs_f64());
    run.add_latencies_to_max("last_message", delays.collect());
    run.add("messages_after_ban_p50", median(&after.collect::<Vec<_>>()));
    run.add("reply_to_ban_ms", reply.as_secs_f64() * 1e3);
    run
}

/// An operator on the control socket.
struct Operator(BufReader<UnixStream>);

/// When the ban was sent, how long its reply took, and whether it confirms the ban.
struct Banned {
    start: Instant,
    reply: Duration,
    is_confirmed: bool,
}

impl Operator {
    fn connect(path: &Path) -> Self {
        let mut socket = BufReader::new(UnixStream::connect(path).expect("the server has a control socket"));
        socket.read_line(&mut String::new()).expect("a greeting");
        Self(socket)
    }

    fn ban(mut self) -> Banned {
        let start = Instant::now();
        self.0.get_mut().write_all(BAN.as_bytes()).expect("the server reads");
        let mut reply = String::new();
        self.0.read_to_string(&mut reply).expect("a reply");
        Banned { start, reply: start.elapsed(), is_confirmed: reply.ends_with("OK moderate\n") }
    }
}

/// A member that reads.
struct Reader {
    connection: Connection,
    /// Bytes since the flood began.
    received: usize,
    /// The newest of them, at most as many as `LEAVE` has.
    tail: Vec<u8>,
    last_message_at: Instant,
    continues_after_leave: bool,
}

impl Reader {
    fn has_read_leave(&self) -> bool {
        self.tail == LEAVE
    }

    fn is_done(&self) -> bool {
        self.has_read_leave() || !self.connection.open
    }

    fn receive(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.continues_after_leave |= self.has_read_leave();
        self.received += bytes.len();
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(LEAVE.len())..]);
        self.tail.drain(..self.tail.len().saturating_sub(LEAVE.len()));
        if bytes.len() > LEAVE.len() || !self.has_read_leave() {
            self.last_message_at = Instant::now();
        }
    }
}

struct Readers {
    poller: Poller,
    buffer: Vec<u8>,
    all: Vec<Reader>,
    /// All have joined.
    are_timed: bool,
}

impl Readers {
    /// Connects the readers, and waits until each has joined and has read that all others have.
    fn join(address: SocketAddr, count: usize) -> Self {
        let mut readers =
            Self { poller: Poller::new(), buffer: vec![0; READ_BYTES_MAX], all: Vec::new(), are_timed: false };
        for number in 0..count {
            let mut connection = Connection::connect(address);
            readers.poller.add(&connection.stream, number);
            connection.await_line("OK NICK");
            connection.send(format!("NICK r{number:06}\n").as_bytes());
            let last_message_at = Instant::now();
            let (received, tail, continues_after_leave) = (0, Vec::new(), false);
            readers.all.push(Reader { connection, received, tail, last_message_at, continues_after_leave });
        }
        readers.await_lines();
        for reader in &mut readers.all {
            reader.connection.await_line("OK PING");
            reader.connection.send(b"PING\n");
        }
        readers.await_lines();
        readers.are_timed = true;
        readers
    }

    fn await_lines(&mut self) {
        let answered = self.turn_until(|readers| readers.all.iter().all(|reader| !reader.connection.is_waiting()));
        assert!(answered, "the server does not answer all readers");
    }

    fn count(&self, condition: impl Fn(&Reader) -> bool) -> u64 {
        self.all.iter().filter(|reader| condition(reader)).count() as u64
    }
}

impl EventLoop for Readers {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let reader = &mut self.all[number];
        let count = reader.connection.read(&mut self.buffer);
        let bytes = &self.buffer[..count];
        if self.are_timed {
            reader.receive(bytes);
        } else {
            reader.connection.split_lines(bytes, |_| {});
        }
        if !reader.connection.open {
            self.poller.remove(&reader.connection.stream);
        }
    }
}
