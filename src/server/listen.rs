//! Listeners: binds them, announces their addresses, accepts connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_lite::future;
use smol::{Async, Executor, Task, Timer};
use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::admission::{Admission, Full, Ticket};
use super::connection::{self, Host};
use super::sockets::{Socket as PeerSocket, Sockets};
use super::web::{self, Site};
use super::{StartError, console};
use crate::limits::{
    ACCEPT_BACKLOG, ACCEPT_RETRY_MS, ACCEPTS_AT_ONCE_MAX, KEEPALIVE_IDLE_EIGHTHS, KEEPALIVE_INTERVAL_EIGHTHS,
    RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, TURNED_AWAY_LOG_SECONDS, USER_TIMEOUT_EIGHTHS,
};
use crate::protocol::{Refusal, ServerLine};
use crate::room::SessionId;
use crate::web::{Answer, Status};

/// The sockets that peers connect to.
pub(super) struct Listeners(Vec<(Async<TcpListener>, Kind)>);

/// What is spoken by those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Lines.
    Plain,
    /// HTTP, and lines over WebSocket.
    Web,
}

impl Listeners {
    /// Listens on all the addresses, on some of them for browsers; or on none.
    pub(super) fn bind(
        plain: &[SocketAddr],
        web: &[SocketAddr],
        lost_timeout: Option<Duration>,
    ) -> Result<Self, StartError> {
        let bind = |(&address, kind)| match bind(address, lost_timeout) {
            Ok(listener) => Ok((listener, kind)),
            Err(error) => Err(StartError::Listen(address, error)),
        };
        let plain = plain.iter().map(|address| (address, Kind::Plain));
        let bound = plain.chain(web.iter().map(|address| (address, Kind::Web))).map(bind);
        Ok(Self(bound.collect::<Result<_, _>>()?))
    }

    /// The ports, in the order of the command line.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.addresses().map(|(address, _)| address.port())
    }

    /// One line for each listener, for standard output.
    pub(super) fn announcement(&self) -> Vec<String> {
        let line = |(address, kind)| format!("chinwagd: listening on {address} - {}", hint(address, kind));
        self.addresses().map(line).collect()
    }

    fn addresses(&self) -> impl Iterator<Item = (SocketAddr, Kind)> {
        self.0.iter().filter_map(|(listener, kind)| Some((listener.get_ref().local_addr().ok()?, *kind)))
    }

    /// Accepts peers until what this returns is dropped.
    pub(super) fn accept(
        self,
        executor: &Arc<Executor<'static>>,
        host: &Arc<Host>,
        sockets: &Arc<Sockets>,
        admission: &Arc<Admission>,
        site: Site,
    ) -> Vec<Task<()>> {
        let porter = Porter {
            executor: Arc::clone(executor),
            host: Arc::clone(host),
            sockets: Arc::clone(sockets),
            admission: Arc::clone(admission),
            site: Arc::new(site),
            last_session: Arc::new(AtomicU64::new(SessionId::SERVER.0)),
        };
        let accept = |(listener, kind)| executor.spawn(accept(listener, kind, porter.clone()));
        self.0.into_iter().map(accept).collect()
    }
}

/// Sees to those who come, whichever listener they come by.
#[derive(Clone)]
struct Porter {
    executor: Arc<Executor<'static>>,
    host: Arc<Host>,
    sockets: Arc<Sockets>,
    admission: Arc<Admission>,
    site: Arc<Site>,
    last_session: Arc<AtomicU64>,
}

impl Porter {
    fn receive(&self, socket: PeerSocket, address: SocketAddr, kind: Kind) -> Result<(), Full> {
        match (self.admission.admit(address.ip(), Instant::now()), kind) {
            (Ok(ticket), Kind::Plain) => self.let_in(socket, address, kind, ticket),
            (Ok(ticket), Kind::Web) => {
                let porter = self.clone();
                let receiving = async move {
                    if let Some(socket) = web::receive(socket, &porter.site, &porter.host).await {
                        porter.let_in(socket, address, kind, ticket);
                    }
                };
                self.executor.spawn(receiving).detach();
            }
            (Err(full), _) => {
                if let Some(draining) = connection::turn_away(socket, &why(full, kind), &self.admission) {
                    self.executor.spawn(draining).detach();
                }
                return Err(full);
            }
        }
        Ok(())
    }

    fn let_in(&self, socket: PeerSocket, address: SocketAddr, kind: Kind, ticket: Ticket) {
        let session = SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = connection::connect(socket, session, Arc::clone(&self.host), ticket);
        let connection = if kind == Kind::Web { connection.over_web(self.site.ping_interval) } else { connection };
        console::connected(session, address);
        // Fails only if the hub is gone, and the server with it.
        if connection.announce(address).is_ok() {
            self.executor.spawn(connection.serve()).detach();
        }
    }
}

/// What one who is turned away reads.
fn why(full: Full, kind: Kind) -> Vec<u8> {
    let refusal = Refusal::from(full);
    match kind {
        Kind::Plain => format!("{}\n", ServerLine::Err(refusal)).into_bytes(),
        Kind::Web => web::to_bytes(&Answer::text(Status::ServiceUnavailable, refusal.text.to_string()), false),
    }
}

async fn accept(listener: Async<TcpListener>, kind: Kind, porter: Porter) {
    let (mut failures, mut turned_away) = (Seldom::default(), Seldom::default());
    let mut accepted: u32 = 0;
    loop {
        let accepted_one = listener.read_with(TcpListener::accept).await;
        let accepted_one = accepted_one.and_then(|(stream, address)| Ok((porter.sockets.add(stream)?, address)));
        match accepted_one {
            Ok((socket, address)) => {
                if let Err(full) = porter.receive(socket, address, kind) {
                    turned_away.tell(|times| console::turned_away(address, full, times));
                }
                accepted = accepted.wrapping_add(1);
                if accepted.is_multiple_of(ACCEPTS_AT_ONCE_MAX) {
                    // In a crowd the next is there already, and this would go on for as long as it comes.
                    future::yield_now().await;
                }
            }
            // The peer went away before it was its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // No descriptors, no memory: others have to leave first.
            Err(error) => {
                failures.tell(|_| console::accept_failed(&error));
                Timer::after(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

/// Something that can happen many times a second and is told of now and then.
#[derive(Default)]
struct Seldom {
    told_at: Option<Instant>,
    /// How often it happened since.
    times: u64,
}

impl Seldom {
    fn tell(&mut self, tell: impl FnOnce(u64)) {
        self.times += 1;
        if self.told_at.is_none_or(|at| at.elapsed().as_secs() >= TURNED_AWAY_LOG_SECONDS) {
            tell(std::mem::take(&mut self.times));
            self.told_at = Some(Instant::now());
        }
    }
}

/// A listening socket. What is set here, accepted sockets inherit.
fn bind(address: SocketAddr, lost_timeout: Option<Duration>) -> io::Result<Async<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // As said, and no more: 0.0.0.0 and [::] can both be listened on.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    // Keeps urgent data in its place in the stream. Otherwise the kernel would remove the urgent byte: of telnet's Synch (IAC DM,
    // with DM urgent) only IAC would be left, and would swallow the first byte of the next line.
    socket.set_out_of_band_inline(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if let Some(timeout) = lost_timeout {
        find_lost_hosts(&socket, timeout)?;
    }
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Async::new(socket.into())
}

/// Asks a silent peer's host now and then whether it is there, and gives up on one that does not answer.
fn find_lost_hosts(socket: &Socket, timeout: Duration) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(eighths(timeout, KEEPALIVE_IDLE_EIGHTHS))
        .with_interval(eighths(timeout, KEEPALIVE_INTERVAL_EIGHTHS));
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(user_timeout(timeout)))
}

/// How long TCP waits for what was sent to be taken.
pub(super) fn user_timeout(lost_timeout: Duration) -> Duration {
    eighths(lost_timeout, USER_TIMEOUT_EIGHTHS)
}

/// In whole seconds, as TCP has them.
fn eighths(timeout: Duration, eighths: u64) -> Duration {
    Duration::from_secs(timeout.as_secs() * eighths / 8)
}

/// How to join, on the same machine.
fn hint(address: SocketAddr, kind: Kind) -> String {
    let host = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match kind {
        Kind::Plain => format!("join with: nc {host} {}", address.port()),
        Kind::Web => format!("open in a browser: http://{}/", SocketAddr::new(host, address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_can_be_typed() {
        let check = |address: &str, kind, expected: &str| assert_eq!(hint(address.parse().unwrap(), kind), expected);
        check("127.0.0.1:9999", Kind::Plain, "join with: nc 127.0.0.1 9999");
        check("0.0.0.0:9999", Kind::Plain, "join with: nc 127.0.0.1 9999");
        check("[::]:1", Kind::Plain, "join with: nc ::1 1");
        check("[fe80::1]:9999", Kind::Plain, "join with: nc fe80::1 9999");
        check("0.0.0.0:8080", Kind::Web, "open in a browser: http://127.0.0.1:8080/");
        check("[::]:8080", Kind::Web, "open in a browser: http://[::1]:8080/");
    }
}
