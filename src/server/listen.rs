//! Listeners: binds sockets, announces their addresses, accepts connections.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_lite::future;
use smol::{Async, Executor, Task, Timer};
use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::admission::{Admission, AdmissionLimit, Ticket};
use super::connection::{Connection, ConnectionContext, send_refusal};
use super::log::FrequentEvent;
use super::sockets::Sockets;
use super::transport::{Tcp, Transport};
use super::{StartError, log};
use crate::command::{Refusal, ServerLine};
use crate::limits::{
    ACCEPT_BACKLOG, ACCEPT_RETRY_MS, ACCEPTS_AT_ONCE_MAX, KEEPALIVE_IDLE_EIGHTHS, KEEPALIVE_INTERVAL_EIGHTHS,
    RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, USER_TIMEOUT_EIGHTHS,
};
use crate::process::error_text;
use crate::protocol::Timestamp;
use crate::state::SessionId;

/// An address to listen on, and the protocol of its clients.
#[derive(Clone, Debug)]
pub struct Listener {
    address: SocketAddr,
    protocol: Arc<dyn ListenerProtocol>,
}

impl Listener {
    /// Creates a listener for clients that speak plain lines: nc, telnet, scripts.
    pub fn lines(address: SocketAddr) -> Self {
        Self::new(address, Arc::new(LinesProtocol))
    }

    pub(super) fn new(address: SocketAddr, protocol: Arc<dyn ListenerProtocol>) -> Self {
        Self { address, protocol }
    }

    pub(super) fn http_timeouts(&self) -> Option<HttpTimeouts> {
        self.protocol.http_timeouts()
    }
}

/// The protocol of a listener's clients, before their first line.
pub(super) trait ListenerProtocol: Debug + Send + Sync {
    /// Explains to a user on the same machine how to join at this address.
    fn invitation(&self, address: SocketAddr) -> String;

    /// The scheme of the listener's URI.
    fn scheme(&self) -> &'static str;

    /// The timeouts of an HTTP listener.
    fn http_timeouts(&self) -> Option<HttpTimeouts> {
        None
    }

    /// Serves an admitted client.
    fn serve(&self, acceptor: &Acceptor, tcp: Tcp, address: SocketAddr, ticket: Ticket);

    /// The bytes to send to a client that is not admitted. `at` is the current time.
    fn render_refusal(&self, refusal: Refusal, at: Timestamp) -> Vec<u8>;
}

/// The timeouts of an HTTP listener, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpTimeouts {
    pub(super) header: Duration,
    /// `None`: no pings.
    pub(super) ping_interval: Option<Duration>,
}

/// Clients send lines from the start.
#[derive(Debug)]
struct LinesProtocol;

impl ListenerProtocol for LinesProtocol {
    fn invitation(&self, address: SocketAddr) -> String {
        format!("join with: nc {} {}", address.ip(), address.port())
    }

    fn scheme(&self) -> &'static str {
        "tcp"
    }

    fn serve(&self, acceptor: &Acceptor, tcp: Tcp, address: SocketAddr, ticket: Ticket) {
        acceptor.spawn_connection(tcp, address, ticket);
    }

    fn render_refusal(&self, refusal: Refusal, _: Timestamp) -> Vec<u8> {
        format!("{}\n", ServerLine::Err(refusal)).into_bytes()
    }
}

/// The listening sockets, each with its protocol.
pub(super) struct Listeners(Vec<(Async<TcpListener>, Arc<dyn ListenerProtocol>)>);

impl Listeners {
    /// Listens on all addresses.
    ///
    /// # Errors
    /// The first address that the server cannot listen on. It then listens on none.
    pub(super) fn bind(listeners: &[Listener], dead_peer_timeout: Option<Duration>) -> Result<Self, StartError> {
        let bind = |Listener { address, protocol }: &Listener| match bind(*address, dead_peer_timeout) {
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
            format!("chinwagd: listening on {address} - {}", protocol.invitation(reachable_address(address)))
        };
        self.addresses().map(line).collect()
    }

    /// Logs each listener.
    pub(super) fn log(&self) {
        for (address, protocol) in self.addresses() {
            log::listening(protocol.scheme(), address);
        }
    }

    fn addresses(&self) -> impl Iterator<Item = (SocketAddr, &dyn ListenerProtocol)> {
        self.0
            .iter()
            .filter_map(|(listener, protocol)| Some((listener.get_ref().local_addr().ok()?, protocol.as_ref())))
    }

    /// Starts a task for each listener that accepts clients. The caller stops the tasks by dropping them.
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
            listener: 0,
        };
        let accept = |(number, (listener, protocol))| {
            executor.spawn(accept(listener, protocol, Acceptor { listener: number, ..acceptor.clone() }))
        };
        self.0.into_iter().enumerate().map(accept).collect()
    }
}

/// Admits and serves the clients of one listener. Most of its state is shared by all listeners.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) executor: Arc<Executor<'static>>,
    pub(super) context: Arc<ConnectionContext>,
    sockets: Arc<Sockets>,
    admission: Arc<Admission>,
    last_session: Arc<AtomicU64>,
    /// The number of the listener.
    listener: usize,
}

impl Acceptor {
    fn admit_or_refuse(
        &self,
        tcp: Tcp,
        address: SocketAddr,
        protocol: &dyn ListenerProtocol,
    ) -> Result<(), AdmissionLimit> {
        match self.admission.admit(address.ip(), self.context.clock.steady()) {
            Ok(ticket) => {
                protocol.serve(self, tcp, address, ticket);
                Ok(())
            }
            Err(limit) => {
                let refusal = protocol.render_refusal(limit.into(), self.context.clock.wall());
                if let Some(draining) = send_refusal(tcp, &refusal, &self.admission) {
                    self.executor.spawn(draining).detach();
                }
                Err(limit)
            }
        }
    }

    /// Starts a task that serves a connection. The client's next bytes on this transport are lines.
    pub(super) fn spawn_connection<T: Transport + 'static>(&self, transport: T, address: SocketAddr, ticket: Ticket) {
        let session = SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = Connection::new(transport, session, Arc::clone(&self.context), ticket);
        // Fails only if the hub has ended, and the server with it.
        if connection.announce(address).is_ok() {
            self.executor.spawn(connection.serve()).detach();
        }
    }

    /// Logs an event on this listener, at most once a minute.
    pub(super) fn log_frequent(&self, event: FrequentEvent) {
        self.context.log.count(self.listener, event);
    }
}

async fn accept(listener: Async<TcpListener>, protocol: Arc<dyn ListenerProtocol>, acceptor: Acceptor) {
    let mut count: u32 = 0;
    loop {
        let accepted = listener.read_with(TcpListener::accept).await;
        let accepted = accepted.and_then(|(stream, address)| Ok((Tcp::new(stream, &acceptor.sockets)?, address)));
        match accepted {
            Ok((tcp, address)) => {
                if let Err(limit) = acceptor.admit_or_refuse(tcp, address, protocol.as_ref()) {
                    acceptor.log_frequent(FrequentEvent::ConnectionRefused(address, limit));
                }
                count = count.wrapping_add(1);
                if count.is_multiple_of(ACCEPTS_AT_ONCE_MAX) {
                    // During a burst of connections, this loop would never wait, so other tasks would not run.
                    future::yield_now().await;
                }
            }
            // The client closed the connection before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: other connections must end first.
            Err(error) => {
                acceptor.log_frequent(FrequentEvent::AcceptFailed(error_text(&error)));
                Timer::after(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

/// Creates a listening socket. Accepted sockets inherit its options.
fn bind(address: SocketAddr, dead_peer_timeout: Option<Duration>) -> io::Result<Async<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // So that the server can listen on both 0.0.0.0 and [::].
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    // Keeps urgent data in its place in the stream. Otherwise the kernel would remove the urgent byte: of telnet's Synch (IAC DM,
    // with DM urgent) only IAC would be left, and would swallow the first byte of the next line.
    socket.set_out_of_band_inline(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if let Some(timeout) = dead_peer_timeout {
        detect_lost_hosts(&socket, timeout)?;
    }
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Async::new(socket.into())
}

/// Sends TCP keepalive probes on silent connections, and ends connections whose host does not answer within `timeout`.
fn detect_lost_hosts(socket: &Socket, timeout: Duration) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(eighths(timeout, KEEPALIVE_IDLE_EIGHTHS))
        .with_interval(eighths(timeout, KEEPALIVE_INTERVAL_EIGHTHS));
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(user_timeout(timeout)))
}

/// The time after which TCP ends a connection whose data is not acknowledged (`TCP_USER_TIMEOUT`, tcp(7)).
pub(super) fn user_timeout(dead_peer_timeout: Duration) -> Duration {
    eighths(dead_peer_timeout, USER_TIMEOUT_EIGHTHS)
}

/// A number of eighths of a timeout, in whole seconds: TCP has no shorter unit for keepalive.
fn eighths(timeout: Duration, eighths: u64) -> Duration {
    Duration::from_secs(timeout.as_secs() * eighths / 8)
}

/// An address at which programs on the same machine reach a listener with this address.
fn reachable_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_is_a_command_that_works_here() {
        let check = |address: &str, expected: &str| {
            assert_eq!(LinesProtocol.invitation(reachable_address(address.parse().unwrap())), expected);
        };
        check("127.0.0.1:9999", "join with: nc 127.0.0.1 9999");
        check("0.0.0.0:9999", "join with: nc 127.0.0.1 9999");
        check("[::]:1", "join with: nc ::1 1");
        check("[fe80::1]:9999", "join with: nc fe80::1 9999");
    }
}
