//! Listeners: binds sockets, announces their addresses, accepts connections.

mod address;
mod exposure;
#[cfg(feature = "proxy")]
mod proxy;
mod socket;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future;
use smol::{Async, Executor, Task, Timer};

pub use self::address::{ListenAddress, Scheme};
pub(super) use self::exposure::Exposure;
pub(super) use self::socket::user_timeout;
use self::socket::{ListeningSocket, TcpOptions, TcpSocket};
use super::admission::{Admission, AdmissionLimit, Ticket};
use super::connection::{Connection, ConnectionContext, send_refusal};
use super::inherited_sockets::{InheritedSocketError, InheritedSockets, unix_address};
use super::log::FrequentEvent;
use super::session_numbers::SessionNumbers;
use super::sockets::Sockets;
use super::transport::{Tcp, Transport, Unix};
use super::unix_socket::{SocketFile, UnixSocket};
use super::{CheckReport, StartError, log};
use crate::command::{Refusal, ServerLine};
use crate::limits::{ACCEPT_RETRY_MS, ACCEPTS_AT_ONCE_MAX};
use crate::process::error_text;
use crate::protocol::{ClientOrigin, Network, Peer, PeerAddress, Timestamp};

/// An address to listen on, and the protocol of its clients.
#[derive(Clone, Debug)]
pub struct Listener {
    scheme: Scheme,
    endpoint: Endpoint,
    proxies: ListenerProxies,
}

/// The proxies of a listener, as the log shows them.
#[derive(Clone, Debug, Default)]
pub(super) struct ListenerProxies {
    /// Those that must name their clients, in a PROXY protocol header. `None`: clients connect without one.
    pub(super) header: Option<String>,
    /// Those that name their clients in the field `Forwarded`.
    pub(super) forwarded: Option<String>,
    /// Those that name their clients in the field `X-Forwarded-For`.
    pub(super) x_forwarded_for: Option<String>,
}

impl ListenerProxies {
    /// Their networks.
    fn networks(&self) -> impl Iterator<Item = Network> {
        let lists = [&self.header, &self.forwarded, &self.x_forwarded_for].into_iter().flatten();
        lists.flat_map(|list| list.split(',')).filter_map(Network::of_prefix)
    }

    /// Whether these proxies can say that their clients use TLS.
    fn can_report_tls(&self) -> bool {
        self.header.is_some() || self.forwarded.is_some()
    }
}

#[derive(Clone, Debug)]
enum Endpoint {
    Tcp(SocketSource<SocketAddr>, Arc<dyn ListenerProtocol<Tcp>>),
    Unix(SocketSource<UnixSocket>, Arc<dyn ListenerProtocol<Unix>>),
}

/// Where the socket of a listener comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketSource<A> {
    /// The server creates it, at this address.
    Bind(A),
    /// The process has inherited one or more sockets of this name.
    Inherited(String),
}

impl<A> From<A> for SocketSource<A> {
    fn from(address: A) -> Self {
        Self::Bind(address)
    }
}

impl Listener {
    /// Creates a listener for clients that speak plain lines: nc, telnet, scripts.
    pub fn lines(socket: impl Into<SocketSource<SocketAddr>>) -> Self {
        Self::over_tcp(Scheme::Tcp, socket.into(), Arc::new(LinesProtocol))
    }

    /// Creates a listener for clients on the same machine that speak plain lines.
    pub fn unix(socket: impl Into<SocketSource<UnixSocket>>) -> Self {
        let endpoint = Endpoint::Unix(socket.into(), Arc::new(LinesProtocol));
        Self { scheme: Scheme::Unix, endpoint, proxies: ListenerProxies::default() }
    }

    /// The networks of its trusted proxies.
    pub(super) fn proxy_networks(&self) -> impl Iterator<Item = Network> {
        self.proxies.networks()
    }

    /// Whether it is for lines over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.scheme == Scheme::Tls
    }

    pub(super) fn over_tcp(
        scheme: Scheme,
        socket: SocketSource<SocketAddr>,
        protocol: Arc<dyn ListenerProtocol<Tcp>>,
    ) -> Self {
        Self { scheme, endpoint: Endpoint::Tcp(socket, protocol), proxies: ListenerProxies::default() }
    }

    /// Notes the proxies that name the clients of requests, for the log.
    #[cfg(feature = "web")]
    pub(super) fn with_forwarding(mut self, forwarding: Option<&crate::web::Forwarding>) -> Self {
        if let Some(forwarding) = forwarding {
            (self.proxies.forwarded, self.proxies.x_forwarded_for) = forwarding.proxies_by_field();
        }
        self
    }

    pub(super) fn http_settings(&self) -> Option<HttpSettings> {
        match &self.endpoint {
            Endpoint::Tcp(_, protocol) => protocol.http_settings(),
            Endpoint::Unix(_, protocol) => protocol.http_settings(),
        }
    }

    /// The URI of the listener without parameters.
    fn name(&self) -> String {
        let Self { scheme, endpoint, .. } = self;
        match endpoint {
            Endpoint::Tcp(SocketSource::Bind(address), _) => format!("{scheme}://{address}"),
            Endpoint::Unix(SocketSource::Bind(socket), _) => format!("{scheme}://{}", socket.path.display()),
            Endpoint::Tcp(SocketSource::Inherited(name), _) | Endpoint::Unix(SocketSource::Inherited(name), _) => {
                format!("{scheme}+fd://{name}")
            }
        }
    }

    /// The URI of the listener, with its parameters.
    pub(super) fn uri(&self) -> String {
        let Self { endpoint, proxies: ListenerProxies { header, forwarded, x_forwarded_for }, .. } = self;
        let socket = match endpoint {
            Endpoint::Unix(SocketSource::Bind(socket), _) => socket.parameters(),
            _ => Vec::new(),
        };
        let named = [("proxy", header), ("forwarded", forwarded), ("x-forwarded-for", x_forwarded_for)];
        let proxies = named.into_iter().filter_map(|(name, list)| Some(format!("{name}={}", list.as_ref()?)));
        let parameters: Vec<_> = socket.into_iter().chain(proxies).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.name(), parameters.join("&"))
    }

    /// Checks whether the server can listen on the address. Listens on none.
    fn check(&self, options: TcpOptions) -> io::Result<()> {
        match &self.endpoint {
            // Clients cannot connect before the socket listens.
            Endpoint::Tcp(SocketSource::Bind(address), _) => TcpSocket::create(*address, options).map(drop),
            Endpoint::Unix(SocketSource::Bind(socket), _) => socket.check(),
            Endpoint::Tcp(SocketSource::Inherited(_), _) | Endpoint::Unix(SocketSource::Inherited(_), _) => Ok(()),
        }
    }

    /// The address that the server binds. `None`: it inherits the socket.
    fn bound_address(&self) -> Option<ListenAddress> {
        match &self.endpoint {
            Endpoint::Tcp(SocketSource::Bind(address), _) => Some(ListenAddress::Ip(*address)),
            Endpoint::Unix(SocketSource::Bind(socket), _) => Some(ListenAddress::Unix(socket.path.clone())),
            Endpoint::Tcp(SocketSource::Inherited(_), _) | Endpoint::Unix(SocketSource::Inherited(_), _) => None,
        }
    }
}

/// The protocol of a listener's clients, before their first line. The transport of their connections is `T`.
pub(super) trait ListenerProtocol<T>: Debug + Send + Sync {
    /// The options of an HTTP listener.
    fn http_settings(&self) -> Option<HttpSettings> {
        None
    }

    /// Whether the connections are not clients', and count for none of their limits. Then no address is a client's, either.
    fn is_for_operators(&self) -> bool {
        false
    }

    /// Whether a connection from this address is a client's. If it is a proxy's, [`ListenerProtocol::serve`] reads the address of the client,
    /// and counts the connection for it.
    fn is_client(&self, _address: PeerAddress) -> bool {
        true
    }

    /// Serves an admitted client.
    fn serve(&self, acceptor: &Acceptor, transport: T, origin: ClientOrigin, ticket: Ticket);

    /// The bytes to send to a client that is not admitted. `at` is the current time.
    fn render_refusal(&self, refusal: Refusal, at: Timestamp) -> Vec<u8>;
}

/// The options of an HTTP listener, for the log.
#[derive(Clone, Debug)]
pub(super) struct HttpSettings {
    /// The origins whose pages may join, in addition to the server's own.
    pub(super) origins: Vec<String>,
    pub(super) header: Duration,
    /// `None`: no pings.
    pub(super) ping_interval: Option<Duration>,
}

/// Clients send lines from the start.
#[derive(Debug)]
pub(super) struct LinesProtocol;

impl<T: Transport + 'static> ListenerProtocol<T> for LinesProtocol {
    fn serve(&self, acceptor: &Acceptor, transport: T, origin: ClientOrigin, ticket: Ticket) {
        acceptor.spawn_connection(transport, origin.peer(T::IS_ENCRYPTED), ticket);
    }

    fn render_refusal(&self, refusal: Refusal, _: Timestamp) -> Vec<u8> {
        format!("{}\n", ServerLine::Err(refusal)).into_bytes()
    }
}

/// The listening sockets, each with its protocol.
pub(super) struct Listeners {
    all: Vec<BoundListener>,
    socket_files: Vec<SocketFile>,
}

struct BoundListener {
    scheme: Scheme,
    address: ListenAddress,
    endpoint: BoundEndpoint,
    proxies: ListenerProxies,
}

enum BoundEndpoint {
    Tcp(TcpSocket, Arc<dyn ListenerProtocol<Tcp>>),
    Unix(Async<UnixListener>, Arc<dyn ListenerProtocol<Unix>>),
}

impl Listeners {
    /// Listens on all addresses, and on all inherited sockets.
    ///
    /// # Errors
    /// The first address or socket that the server cannot listen on, or a socket that no listener names. It then listens on none.
    pub(super) fn bind(
        listeners: &[Listener],
        dead_peer_timeout: Option<Duration>,
        mut inherited: InheritedSockets,
    ) -> Result<Self, StartError> {
        inherited.check().map_err(StartError::Inherited)?;
        let mut bound = Self { all: Vec::new(), socket_files: Vec::new() };
        for listener in listeners {
            bound.add(listener, TcpOptions { dead_peer_timeout }, &mut inherited)?;
        }
        inherited.check_all_taken().map_err(StartError::Inherited)?;
        Ok(bound)
    }

    /// Adds to the report on which addresses the server cannot listen, and which sockets it inherits: a check does not have them.
    pub(super) fn check(listeners: &[Listener], dead_peer_timeout: Option<Duration>, report: &mut CheckReport) {
        let mut checked: Vec<ListenAddress> = Vec::new();
        for listener in listeners {
            let Some(address) = listener.bound_address() else {
                report
                    .notes
                    .push(format!("the sockets of {} were not checked: only systemd has them", listener.name()));
                continue;
            };
            let result = match checked.iter().find(|other| other.overlaps(&address)) {
                None => listener.check(TcpOptions { dead_peer_timeout }),
                Some(other) => Err(io::Error::other(format!("another listener has {other}, which overlaps with it"))),
            };
            report.add(result.map_err(|error| StartError::Listen(address.clone(), error)));
            if listener.scheme.shows_metrics(&address) {
                report.notes.push(format!("{}: other machines can read the metrics", listener.name()));
            }
            checked.push(address);
        }
        report.count(checked.len(), "address", "addresses");
    }

    fn add(
        &mut self,
        listener: &Listener,
        options: TcpOptions,
        inherited: &mut InheritedSockets,
    ) -> Result<(), StartError> {
        match &listener.endpoint {
            Endpoint::Tcp(SocketSource::Bind(address), protocol) => {
                let bound = TcpSocket::bind(*address, options);
                let added = bound.and_then(|socket| self.add_tcp(listener, socket, protocol));
                added.map_err(|error| StartError::Listen(ListenAddress::Ip(*address), error))
            }
            Endpoint::Unix(SocketSource::Bind(socket), protocol) => {
                let address = ListenAddress::Unix(socket.path.clone());
                let added = socket.bind().and_then(|(socket, file)| {
                    self.socket_files.push(file);
                    self.add_unix(listener, socket, address.clone(), protocol)
                });
                added.map_err(|error| StartError::Listen(address, error))
            }
            Endpoint::Tcp(SocketSource::Inherited(name), protocol) => {
                let sockets = inherited.take_tcp(listener.scheme, name).map_err(StartError::Inherited)?;
                let add = |socket| self.add_tcp(listener, TcpSocket::inherit(socket, options)?, protocol);
                sockets.into_iter().try_for_each(add).map_err(|error| unusable(name, &error))
            }
            Endpoint::Unix(SocketSource::Inherited(name), protocol) => {
                let sockets = inherited.take_unix(name).map_err(StartError::Inherited)?;
                let add = |socket: UnixListener| {
                    let address = unix_address(&socket.local_addr()?);
                    self.add_unix(listener, socket, address, protocol)
                };
                sockets.into_iter().try_for_each(add).map_err(|error| unusable(name, &error))
            }
        }
    }

    fn add_tcp(
        &mut self,
        listener: &Listener,
        socket: TcpSocket,
        protocol: &Arc<dyn ListenerProtocol<Tcp>>,
    ) -> io::Result<()> {
        let address = ListenAddress::Ip(socket.local_addr()?);
        self.push(listener, address, BoundEndpoint::Tcp(socket, Arc::clone(protocol)));
        Ok(())
    }

    fn add_unix(
        &mut self,
        listener: &Listener,
        socket: UnixListener,
        address: ListenAddress,
        protocol: &Arc<dyn ListenerProtocol<Unix>>,
    ) -> io::Result<()> {
        self.push(listener, address, BoundEndpoint::Unix(Async::new(socket)?, Arc::clone(protocol)));
        Ok(())
    }

    fn push(&mut self, listener: &Listener, address: ListenAddress, endpoint: BoundEndpoint) {
        let proxies = listener.proxies.clone();
        self.all.push(BoundListener { scheme: listener.scheme, address, endpoint, proxies });
    }

    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Which of them other machines can reach without encryption.
    pub(super) fn exposure(&self) -> Exposure {
        let exposed = || self.all.iter().filter(|listener| listener.scheme.is_exposed(&listener.address));
        Exposure {
            any: exposed().next().is_some(),
            without_proxies: exposed().any(|listener| !listener.proxies.can_report_tls()),
        }
    }

    /// The ports, in the order of the listeners; `None` for a Unix socket.
    pub(super) fn ports(&self) -> impl Iterator<Item = Option<u16>> {
        self.all.iter().map(|listener| listener.address.port())
    }

    /// One line for each listener, for standard output.
    pub(super) fn announcement(&self) -> Vec<String> {
        let line = |BoundListener { scheme, address, proxies, .. }: &BoundListener| {
            let invitation = match &proxies.header {
                None => scheme.invitation(address),
                Some(proxies) => format!("for proxies that send a PROXY protocol header: {proxies}"),
            };
            format!("chinwagd: listening on {address} - {invitation}")
        };
        self.all.iter().map(line).collect()
    }

    /// The listeners as URIs.
    pub(super) fn uris(&self) -> Vec<String> {
        self.all.iter().map(|BoundListener { scheme, address, .. }| format!("{scheme}://{address}")).collect()
    }

    /// Logs each listener.
    pub(super) fn log(&self) {
        for BoundListener { scheme, address, proxies, .. } in &self.all {
            log::listening(*scheme, address, proxies);
        }
    }

    /// Takes the files of the Unix sockets, which the caller keeps until the server stops.
    pub(super) fn take_socket_files(&mut self) -> Vec<SocketFile> {
        std::mem::take(&mut self.socket_files)
    }

    /// Starts a task for each listener that accepts clients. The caller stops the tasks by dropping them.
    pub(super) fn accept(
        self,
        executor: &Arc<Executor<'static>>,
        context: &Arc<ConnectionContext>,
        sockets: &Arc<Sockets>,
        admission: &Arc<Admission>,
        numbers: &Arc<SessionNumbers>,
    ) -> Vec<Task<()>> {
        let acceptor = Acceptor {
            executor: Arc::clone(executor),
            context: Arc::clone(context),
            sockets: Arc::clone(sockets),
            admission: Arc::clone(admission),
            numbers: Arc::clone(numbers),
            listener: 0,
        };
        let accept = |(number, listener): (_, BoundListener)| {
            let acceptor = Acceptor { listener: number, ..acceptor.clone() };
            match listener.endpoint {
                BoundEndpoint::Tcp(socket, protocol) => executor.spawn(accept(socket, protocol, acceptor)),
                BoundEndpoint::Unix(socket, protocol) => executor.spawn(accept(socket, protocol, acceptor)),
            }
        };
        self.all.into_iter().enumerate().map(accept).collect()
    }
}

/// Admits and serves the clients of one listener. Most of its state is shared by all listeners.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) executor: Arc<Executor<'static>>,
    pub(super) context: Arc<ConnectionContext>,
    sockets: Arc<Sockets>,
    pub(super) admission: Arc<Admission>,
    numbers: Arc<SessionNumbers>,
    /// The number of the listener.
    listener: usize,
}

impl Acceptor {
    /// Admits a connection that was accepted, or refuses it.
    fn admit_connection<T: Transport + 'static>(
        &self,
        transport: T,
        address: PeerAddress,
        protocol: &dyn ListenerProtocol<T>,
    ) {
        let admitted =
            if protocol.is_for_operators() { self.admission.admit_operator() } else { self.admission.admit() };
        match admitted {
            Ok(ticket) => self.admit_client(transport, address.into(), ticket, protocol),
            Err(limit) => self.refuse_at_limit(transport, address, limit, protocol),
        }
    }

    /// Counts a connection for its client, if the client is known, and serves it; or refuses it.
    fn admit_client<T: Transport + 'static>(
        &self,
        transport: T,
        origin: ClientOrigin,
        mut ticket: Ticket,
        protocol: &dyn ListenerProtocol<T>,
    ) {
        let address = origin.address;
        let is_client = protocol.is_client(address);
        match if is_client { ticket.count_for(address, self.context.clock.steady()) } else { Ok(()) } {
            Ok(()) => protocol.serve(self, transport, origin, ticket),
            Err(limit) => {
                drop(ticket);
                self.refuse_at_limit(transport, address, limit, protocol);
            }
        }
    }

    fn refuse_at_limit<T: Transport + 'static>(
        &self,
        transport: T,
        address: PeerAddress,
        limit: AdmissionLimit,
        protocol: &dyn ListenerProtocol<T>,
    ) {
        let refusal = limit.clone().into();
        self.log_frequent(FrequentEvent::ConnectionRefused(address, limit));
        self.refuse(transport, refusal, protocol);
    }

    /// Sends a refusal, and closes the connection.
    fn refuse<T: Transport + 'static>(&self, transport: T, refusal: Refusal, protocol: &dyn ListenerProtocol<T>) {
        let is_client = !protocol.is_for_operators();
        if is_client {
            self.context.metrics.count_refusal(refusal.code);
        }
        let refusal = protocol.render_refusal(refusal, self.context.clock.wall());
        let admission = &self.admission;
        let ticket = if is_client { admission.admit_refused() } else { admission.admit_refused_operator() };
        if let Some(draining) = send_refusal(transport, &refusal, ticket) {
            self.executor.spawn(draining).detach();
        }
    }

    /// Starts a task that serves a connection. The client's next bytes on this transport are lines.
    pub(super) fn spawn_connection<T: Transport + 'static>(&self, transport: T, peer: Peer, ticket: Ticket) {
        let connection = Connection::new(transport, self.numbers.next(), Arc::clone(&self.context), ticket);
        // Fails only if the hub has ended, and the server with it.
        if connection.announce(peer).is_ok() {
            self.executor.spawn(connection.serve()).detach();
        }
    }

    /// Logs an event on this listener, at most once a minute.
    pub(super) fn log_frequent(&self, event: FrequentEvent) {
        self.context.log.count(self.listener, event);
    }
}

/// An inherited socket that the system does not let the server use.
fn unusable(name: &str, error: &io::Error) -> StartError {
    StartError::Inherited(InheritedSocketError::Unusable { name: name.to_owned(), why: error_text(error) })
}

async fn accept<L: ListeningSocket>(socket: L, protocol: Arc<dyn ListenerProtocol<L::Transport>>, acceptor: Acceptor) {
    let mut count: u32 = 0;
    loop {
        match socket.accept(&acceptor.sockets).await {
            Ok((transport, address)) => {
                acceptor.admit_connection(transport, address, protocol.as_ref());
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
