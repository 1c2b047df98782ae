//! Listening sockets: their options, and the transports of the connections that they accept.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use smol::Async;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::limits::{
    ACCEPT_BACKLOG, KEEPALIVE_IDLE_EIGHTHS, KEEPALIVE_INTERVAL_EIGHTHS, RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES,
    USER_TIMEOUT_EIGHTHS,
};
use crate::protocol::PeerAddress;
use crate::server::sockets::Sockets;
use crate::server::transport::{Tcp, Transport, Unix};

/// A listening socket.
pub(super) trait ListeningSocket: Send + 'static {
    /// The transport of its connections.
    type Transport: Transport + 'static;

    /// Waits for a connection.
    fn accept(&self, sockets: &Arc<Sockets>)
    -> impl Future<Output = io::Result<(Self::Transport, PeerAddress)>> + Send;
}

impl ListeningSocket for Async<TcpListener> {
    type Transport = Tcp;

    async fn accept(&self, sockets: &Arc<Sockets>) -> io::Result<(Tcp, PeerAddress)> {
        let (stream, address) = self.read_with(TcpListener::accept).await?;
        Ok((Tcp::new(stream, sockets)?, address.into()))
    }
}

impl ListeningSocket for Async<UnixListener> {
    type Transport = Unix;

    async fn accept(&self, sockets: &Arc<Sockets>) -> io::Result<(Unix, PeerAddress)> {
        let (stream, _) = self.read_with(UnixListener::accept).await?;
        // Accepted Unix sockets do not inherit it.
        SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES)?;
        Ok((Unix::new(stream, sockets)?, PeerAddress::Unix))
    }
}

/// Creates a listening TCP socket.
pub(super) fn bind_tcp(address: SocketAddr, dead_peer_timeout: Option<Duration>) -> io::Result<Async<TcpListener>> {
    let socket = create_tcp(address, dead_peer_timeout)?;
    socket.listen(ACCEPT_BACKLOG)?;
    Async::new(socket.into())
}

/// Creates a TCP socket with this address, which does not listen yet. Accepted sockets inherit its options.
pub(super) fn create_tcp(address: SocketAddr, dead_peer_timeout: Option<Duration>) -> io::Result<Socket> {
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
    Ok(socket)
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
pub(in crate::server) fn user_timeout(dead_peer_timeout: Duration) -> Duration {
    eighths(dead_peer_timeout, USER_TIMEOUT_EIGHTHS)
}

/// A number of eighths of a timeout, in whole seconds: TCP has no shorter unit for keepalive.
fn eighths(timeout: Duration, eighths: u64) -> Duration {
    Duration::from_secs(timeout.as_secs() * eighths / 8)
}
