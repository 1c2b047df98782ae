//! Listeners: binds them, announces their addresses, accepts connections.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_lite::future;
use smol::{Async, Executor, Task, Timer};
use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::admission::{Admission, AdmissionLimit, Ticket};
use super::connection::{self, ConnectionContext};
use super::sockets::Sockets;
use super::transport::{Tcp, Transport};
use super::{StartError, console};
use crate::command::{Refusal, ServerLine};
use crate::limits::{
    ACCEPT_BACKLOG, ACCEPT_RETRY_MS, ACCEPTS_AT_ONCE_MAX, KEEPALIVE_IDLE_EIGHTHS, KEEPALIVE_INTERVAL_EIGHTHS,
    RECEIVE_BUFFER_BYTES, REFUSED_LOG_SECONDS, SEND_BUFFER_BYTES, USER_TIMEOUT_EIGHTHS,
};
use crate::protocol::Timestamp;
use crate::room::SessionId;

/// An address to listen on, and the protocol of its clients.
#[derive(Clone, Debug)]
pub struct Listener {
    address: SocketAddr,
    protocol: Arc<dyn ListenerProtocol>,
}

impl Listener {
    /// A listener for nc, telnet and scripts: plain lines.
    pub fn lines(address: SocketAddr) -> Self {
        Self::new(address, Arc::new(LinesProtocol))
    }

    pub(super) fn new(address: SocketAddr, protocol: Arc<dyn ListenerProtocol>) -> Self {
        Self { address, protocol }
    }
}

/// The protocol of a listener's clients, up to their first line.
pub(super) trait ListenerProtocol: Debug + Send + Sync {
    /// Tells a user on the same machine how to join at this address.
    fn invitation(&self, address: SocketAddr) -> String;

    /// Serves a client that was admitted.
    fn receive(&self, acceptor: &Acceptor, tcp: Tcp, address: SocketAddr, ticket: Ticket);

    /// The bytes to send to a client that was not admitted, at this time.
    fn refuse(&self, refusal: Refusal, at: Timestamp) -> Vec<u8>;
}

/// Clients send lines from the start.
#[derive(Debug)]
struct LinesProtocol;

impl ListenerProtocol for LinesProtocol {
    fn invitation(&self, address: SocketAddr) -> String {
        format!("join with: nc {} {}", address.ip(), address.port())
    }

    fn receive(&self, acceptor: &Acceptor, tcp: Tcp, address: SocketAddr, ticket: Ticket) {
        acceptor.serve(tcp, address, ticket);
    }

    fn refuse(&self, refusal: Refusal, _: Timestamp) -> Vec<u8> {
        format!("{}\n", ServerLine::Err(refusal)).into_bytes()
    }
}

/// The sockets that clients connect to.
pub(super) struct Listeners(Vec<(Async<TcpListener>, Arc<dyn ListenerProtocol>)>);

impl Listeners {
    /// Listens on all the addresses, or on none.
    pub(super) fn bind(listeners: &[Listener], lost_timeout: Option<Duration>) -> Result<Self, StartError> {
        let bind = |Listener { address, protocol }: &Listener| match bind(*address, lost_timeout) {
            Ok(listener) => Ok((listener, Arc::clone(protocol))),
            Err(error) => Err(StartError::Listen(*address, error)),
        };
        Ok(Self(listeners.iter().map(bind).collect::<Result<_, _>>()?))
    }

    /// The ports, in the order of the listeners.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.addresses().map(|(address, _)| address.port())
    }

    /// One line for each listener, for standard output.
    pub(super) fn announcement(&self) -> Vec<String> {
        let line = |(address, protocol): (_, &dyn ListenerProtocol)| {
            format!("chinwagd: listening on {address} - {}", protocol.invitation(on_same_machine(address)))
        };
        self.addresses().map(line).collect()
    }

    fn addresses(&self) -> impl Iterator<Item = (SocketAddr, &dyn ListenerProtocol)> {
        self.0
            .iter()
            .filter_map(|(listener, protocol)| Some((listener.get_ref().local_addr().ok()?, protocol.as_ref())))
    }

    /// Accepts clients until what this returns is dropped.
    pub(super) fn accept(
        self,
        executor: &Arc<Executor<'static>>,
        context: &Arc<ConnectionContext>,
        sockets: &Arc<Sockets>,
        admission: &Arc<Admission>,
    ) -> Vec<Task<()>> {
        let acceptor = Acceptor {
            executor: Arc::clone(executor),
            context: Arc::clone(context),
            sockets: Arc::clone(sockets),
            admission: Arc::clone(admission),
            last_session: Arc::new(AtomicU64::new(SessionId::SERVER.0)),
        };
        let accept = |(listener, protocol)| executor.spawn(accept(listener, protocol, acceptor.clone()));
        self.0.into_iter().map(accept).collect()
    }
}

/// Admits and serves the clients of all listeners.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) executor: Arc<Executor<'static>>,
    pub(super) context: Arc<ConnectionContext>,
    sockets: Arc<Sockets>,
    admission: Arc<Admission>,
    last_session: Arc<AtomicU64>,
}

impl Acceptor {
    fn receive(&self, tcp: Tcp, address: SocketAddr, protocol: &dyn ListenerProtocol) -> Result<(), AdmissionLimit> {
        match self.admission.admit(address.ip(), self.context.clock.steady()) {
            Ok(ticket) => {
                protocol.receive(self, tcp, address, ticket);
                Ok(())
            }
            Err(full) => {
                let refusal = protocol.refuse(full.into(), self.context.clock.wall());
                if let Some(draining) = connection::refuse(tcp, &refusal, &self.admission) {
                    self.executor.spawn(draining).detach();
                }
                Err(full)
            }
        }
    }

    /// Serves a client whose next bytes are lines, as this transport has them.
    pub(super) fn serve<T: Transport + 'static>(&self, transport: T, address: SocketAddr, ticket: Ticket) {
        let session = SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = connection::connect(transport, session, Arc::clone(&self.context), ticket);
        console::connected(session, address);
        // Fails only if the hub is gone, and the server with it.
        if connection.announce(address).is_ok() {
            self.executor.spawn(connection.serve()).detach();
        }
    }
}

async fn accept(listener: Async<TcpListener>, protocol: Arc<dyn ListenerProtocol>, acceptor: Acceptor) {
    let (mut failures, mut refused) = (LogLimiter::default(), LogLimiter::default());
    let mut accepted: u32 = 0;
    loop {
        let accepted_one = listener.read_with(TcpListener::accept).await;
        let accepted_one =
            accepted_one.and_then(|(stream, address)| Ok((Tcp::new(stream, &acceptor.sockets)?, address)));
        match accepted_one {
            Ok((tcp, address)) => {
                if let Err(full) = acceptor.receive(tcp, address, protocol.as_ref()) {
                    refused.tell(acceptor.context.clock.steady(), |times| console::refused(address, full, times));
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
                failures.tell(acceptor.context.clock.steady(), |_| console::accept_failed(&error));
                Timer::after(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

/// Something that can happen many times a second and is told of now and then.
#[derive(Default)]
struct LogLimiter {
    told_at: Option<Instant>,
    /// How often it happened since.
    times: u64,
}

impl LogLimiter {
    fn tell(&mut self, now: Instant, tell: impl FnOnce(u64)) {
        self.times += 1;
        if self.told_at.is_none_or(|at| (now - at).as_secs() >= REFUSED_LOG_SECONDS) {
            tell(std::mem::take(&mut self.times));
            self.told_at = Some(now);
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

/// An address at which a listener of this address can be reached on the same machine.
fn on_same_machine(address: SocketAddr) -> SocketAddr {
    let context = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(context, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_can_be_typed() {
        let check = |address: &str, expected: &str| {
            assert_eq!(LinesProtocol.invitation(on_same_machine(address.parse().unwrap())), expected);
        };
        check("127.0.0.1:9999", "join with: nc 127.0.0.1 9999");
        check("0.0.0.0:9999", "join with: nc 127.0.0.1 9999");
        check("[::]:1", "join with: nc ::1 1");
        check("[fe80::1]:9999", "join with: nc fe80::1 9999");
    }
}
