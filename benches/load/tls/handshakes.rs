//! Handshakes per second: clients that connect, read the first line of the server, and connect again. The same clients without TLS show what a
//! connection costs without a handshake.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustls::HandshakeKind;

use super::start;
use crate::common::event_loop::{EventLoop, Poller};
use crate::common::figures::Run;
use crate::common::log::Faults;
use crate::common::server::own_cpu;
use crate::common::socket::{connect_from, source};
use crate::common::tls::{Session, TlsClient};

/// Time before the measurement.
const WARM_UP: Duration = Duration::from_millis(500);

/// The beginning of the first line of the server.
const GREETING: &[u8] = b"HELLO ";

const READ_BYTES_MAX: usize = 64 * 1024;

pub(super) fn run(binary: &Path, clients: usize, seconds: u64) -> Run {
    let mut run = Run::default();
    let tcp_us = measure(binary, clients, seconds, false, &mut run);
    let tls_us = measure(binary, clients, seconds, true, &mut run);
    run.add("server_cpu_us_a_handshake", tls_us - tcp_us);
    run
}

/// Returns the server's CPU time for a connection, in microseconds.
fn measure(binary: &Path, clients: usize, seconds: u64, is_encrypted: bool, run: &mut Run) -> f64 {
    let (server, client) = start(binary, &["--connect-rate", "0"]);
    let (name, address) = if is_encrypted { ("tls", server.second_address()) } else { ("tcp", server.address()) };
    let mut storm = Storm::start(address, is_encrypted.then_some(client), clients);
    storm.turn_for(WARM_UP);
    let (before, server_before, own_before) = (storm.greeted, server.cpu_precise(), own_cpu());
    let start = Instant::now();
    storm.turn_for(Duration::from_secs(seconds));
    let seconds = start.elapsed().as_secs_f64();
    let greeted = (storm.greeted - before) as f64;
    let cpu = server.cpu_precise().saturating_sub(server_before).as_secs_f64();
    let own = own_cpu().since(own_before).total().as_secs_f64();
    let us_each = cpu * 1e6 / greeted;
    run.add(format!("{name}_connections_per_second"), greeted / seconds);
    run.add(format!("server_cpu_us_a_{name}_connection"), us_each);
    run.add(format!("server_busy_percent_{name}"), cpu / seconds * 100.0);
    run.add(format!("load_busy_percent_{name}"), own / seconds * 100.0);
    if is_encrypted {
        run.add("resumed_sessions", storm.resumed as f64);
    }
    run.faults.add(storm.faults);
    us_each
}

/// Clients that connect again and again.
struct Storm {
    address: SocketAddr,
    /// They use TLS, and offer to resume a session if the server has given them a ticket.
    tls: Option<TlsClient>,
    poller: Poller,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// Connections on which the first line has arrived, and those of them that resumed a session.
    greeted: u64,
    resumed: u64,
    faults: Faults,
}

struct Client {
    stream: TcpStream,
    session: Option<Session>,
    line: Vec<u8>,
}

impl Storm {
    fn start(address: SocketAddr, tls: Option<TlsClient>, clients: usize) -> Self {
        let (poller, buffer) = (Poller::new(), vec![0; READ_BYTES_MAX]);
        let mut storm = Self {
            address,
            tls,
            poller,
            buffer,
            clients: Vec::new(),
            greeted: 0,
            resumed: 0,
            faults: Faults::default(),
        };
        for number in 0..clients {
            let client = storm.connect(number);
            storm.clients.push(client);
        }
        storm
    }

    /// Connects from an address of its own, so that the ports suffice for connections that the kernel still keeps.
    fn connect(&self, number: usize) -> Client {
        let stream = connect_from(source(number), self.address);
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        self.poller.add(&stream, number);
        let mut session = self.tls.as_ref().map(TlsClient::session);
        if let Some(session) = &mut session {
            session.write(&stream, &mut Vec::new()).expect("the kernel takes a ClientHello");
        }
        Client { stream, session, line: Vec::new() }
    }

    fn count(&mut self, number: usize) {
        let Client { session, line, .. } = &self.clients[number];
        self.greeted += 1;
        self.faults.out_of_order += u64::from(!line.starts_with(GREETING));
        let kind = session.as_ref().and_then(|session| session.connection.handshake_kind());
        self.resumed += u64::from(kind == Some(HandshakeKind::Resumed));
    }
}

impl Client {
    /// Reads once. Returns whether the server has ended the connection.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let read = match &mut self.session {
            None => self.stream.read(buffer).map(|count| (count, count == 0)),
            Some(session) => {
                let read = session.read(&self.stream, buffer, &mut Vec::new());
                let answered = session.write(&self.stream, &mut Vec::new());
                read.and_then(|count| answered.map(|()| (count, session.has_ended())))
            }
        };
        match read {
            Ok((count, has_ended)) => {
                self.line.extend_from_slice(&buffer[..count]);
                has_ended
            }
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

impl EventLoop for Storm {
    fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    fn read(&mut self, number: usize) {
        let has_ended = self.clients[number].read(&mut self.buffer);
        if self.clients[number].line.contains(&b'\n') {
            self.count(number);
        } else if has_ended {
            self.faults.closed += 1;
        } else {
            return;
        }
        self.poller.remove(&self.clients[number].stream);
        self.clients[number] = self.connect(number);
    }
}
