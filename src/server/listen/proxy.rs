//! Listeners behind proxies: read the header of the PROXY protocol, before another protocol serves the client that it names.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use smol::Timer;

use super::{Acceptor, Endpoint, HttpSettings, Listener, ListenerProtocol, ListenerProxies};
use crate::command::Refusal;
use crate::limits::{PROXY_HEADER_BYTES_MAX, PROXY_HEADER_SECONDS_MAX};
use crate::process::error_text;
use crate::protocol::{ClientOrigin, ErrorCode, PeerAddress, ProxyHop, Timestamp};
use crate::proxy::{HeaderDecoder, HeaderError, ProxyHeader, TrustedProxies};
use crate::server::admission::Ticket;
use crate::server::log::FrequentEvent;
use crate::server::transport::{Stream, StreamSocket, read_input};

impl Listener {
    /// Expects a PROXY protocol header on each connection, and accepts connections from these proxies only.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        let header = Some(proxies.to_string());
        let endpoint = match self.endpoint {
            Endpoint::Tcp(address, protocol) => Endpoint::Tcp(address, ProxyProtocol::new(protocol, proxies)),
            Endpoint::Unix(socket, protocol) => Endpoint::Unix(socket, ProxyProtocol::new(protocol, proxies)),
        };
        Self { endpoint, proxies: ListenerProxies { header, ..self.proxies }, ..self }
    }
}

/// Clients of another protocol, after a PROXY protocol header.
#[derive(Debug)]
struct ProxyProtocol<S: StreamSocket> {
    protocol: Arc<dyn ListenerProtocol<Stream<S>>>,
    proxies: TrustedProxies,
}

impl<S: StreamSocket> ProxyProtocol<S> {
    fn new(protocol: Arc<dyn ListenerProtocol<Stream<S>>>, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { protocol, proxies })
    }
}

impl<S: StreamSocket> ListenerProtocol<Stream<S>> for ProxyProtocol<S> {
    fn http_settings(&self) -> Option<HttpSettings> {
        self.protocol.http_settings()
    }

    /// The address is that of the proxy, or of a client that is refused.
    fn is_client(&self, _: PeerAddress) -> bool {
        false
    }

    fn serve(&self, acceptor: &Acceptor, stream: Stream<S>, origin: ClientOrigin, ticket: Ticket) {
        let proxy = origin.address;
        if !self.proxies.contains(proxy) {
            refuse(acceptor, stream, proxy, &HeaderFault::NoProxy, &*self.protocol);
            return;
        }
        let (executor, acceptor, protocol) = (&acceptor.executor, acceptor.clone(), Arc::clone(&self.protocol));
        let receiving = async move {
            let timeout = Duration::from_secs(PROXY_HEADER_SECONDS_MAX);
            // A panic in one header ends only this connection. The panic hook has logged it.
            let reading = AssertUnwindSafe(read_header(&stream, timeout)).catch_unwind().await;
            match reading {
                Ok(Ok(header)) => acceptor.admit_client(stream, client_origin(proxy, header), ticket, &*protocol),
                Ok(Err(fault)) => {
                    drop(ticket);
                    refuse(&acceptor, stream, proxy, &fault, &*protocol);
                }
                Err(_) => {}
            }
        };
        executor.spawn(receiving).detach();
    }

    fn render_refusal(&self, refusal: Refusal, at: Timestamp) -> Vec<u8> {
        self.protocol.render_refusal(refusal, at)
    }
}

/// The client of a connection from this proxy. Without an address in the header, it is the proxy itself.
fn client_origin(proxy: PeerAddress, header: ProxyHeader) -> ClientOrigin {
    let hop = ProxyHop { is_local: proxy.is_local(), is_client_encrypted: header.is_encrypted };
    ClientOrigin { address: header.client.map_or(proxy, PeerAddress::Ip), proxy: Some(hop) }
}

/// Logs that a connection has no valid header, and refuses it.
fn refuse<S: StreamSocket>(
    acceptor: &Acceptor,
    stream: Stream<S>,
    address: PeerAddress,
    fault: &HeaderFault,
    protocol: &dyn ListenerProtocol<Stream<S>>,
) {
    acceptor.log_frequent(FrequentEvent::HeaderRefused { address, reason: fault.to_string() });
    let problem = match fault {
        HeaderFault::NoProxy => "this port serves only clients of its proxies; connect to the proxy".to_owned(),
        fault => format!("this port expects a PROXY protocol header from your proxy: {fault}"),
    };
    acceptor.refuse(stream, Refusal::new(None, ErrorCode::ProxyExpected, problem), protocol);
}

/// Why a connection has no valid header.
#[derive(Debug)]
enum HeaderFault {
    /// The connection comes from an address that is not a trusted proxy's.
    NoProxy,
    Invalid(HeaderError),
    Timeout,
    Lost(io::Error),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProxy => f.write_str("the address is not that of a proxy"),
            Self::Invalid(error) => f.write_str(&error.reason()),
            Self::Timeout => write!(f, "it was not complete within {PROXY_HEADER_SECONDS_MAX} s"),
            Self::Lost(error) => f.write_str(&error_text(error)),
        }
    }
}

impl From<io::Error> for HeaderFault {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

fn end_of_input() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Reads a header, and none of the bytes after it.
async fn read_header<S: StreamSocket>(stream: &Stream<S>, timeout: Duration) -> Result<ProxyHeader, HeaderFault> {
    let reading = async {
        let mut decoder = HeaderDecoder::default();
        loop {
            let input = stream.peek(PROXY_HEADER_BYTES_MAX).await?;
            if input.is_empty() {
                return Err(end_of_input().into());
            }
            let (mut count, header) = decoder.decode(&input).map_err(HeaderFault::Invalid)?;
            while count > 0 {
                let removed = read_input(stream, count).await?.ok_or_else(end_of_input)?;
                count -= removed.bytes.len();
            }
            if let Some(header) = header {
                return Ok(header);
            }
        }
    };
    let late = async {
        Timer::after(timeout).await;
        Err(HeaderFault::Timeout)
    };
    future::or(reading, late).await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;
    use crate::server::sockets::Sockets;
    use crate::server::transport::Unix;

    /// Both ends of a connection, and the sockets that report its events.
    fn connection() -> (UnixStream, Unix, Arc<Sockets>) {
        let (proxy, server) = UnixStream::pair().unwrap();
        let sockets = Sockets::new().unwrap();
        (proxy, Unix::new(server, &sockets).unwrap(), sockets)
    }

    /// Polls the sockets until the future is ready.
    fn block_on<R>(sockets: &Sockets, future: impl Future<Output = R>) -> R {
        let polling = async {
            loop {
                sockets.poll_events(false).unwrap();
                future::yield_now().await;
            }
        };
        future::block_on(future::or(future, polling))
    }

    const HEADER: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 9999\r\n";

    #[test]
    fn read_header_leaves_the_bytes_after_it() {
        let (mut proxy, server, sockets) = connection();
        proxy.write_all(format!("{HEADER}NICK alice\n").as_bytes()).unwrap();
        let header = block_on(&sockets, read_header(&server, Duration::from_mins(1))).unwrap();
        assert_eq!(header.client, Some(([192, 0, 2, 7], 4711).into()));
        let rest = block_on(&sockets, read_input(&server, 100)).unwrap().unwrap();
        assert_eq!(rest.bytes, b"NICK alice\n");
    }

    #[test]
    fn header_in_single_bytes_is_read() {
        let (mut proxy, server, sockets) = connection();
        let writer = thread::spawn(move || {
            for byte in format!("{HEADER}N").bytes() {
                proxy.write_all(&[byte]).unwrap();
                thread::yield_now();
            }
            proxy
        });
        assert!(block_on(&sockets, read_header(&server, Duration::from_mins(1))).is_ok());
        let _proxy = writer.join().unwrap();
        assert_eq!(block_on(&sockets, read_input(&server, 100)).unwrap().unwrap().bytes, b"N");
    }

    #[test]
    fn late_header_is_refused() {
        let (mut proxy, server, sockets) = connection();
        proxy.write_all(&HEADER.as_bytes()[..HEADER.len() - 1]).unwrap();
        let fault = block_on(&sockets, read_header(&server, Duration::from_millis(20))).unwrap_err();
        assert!(matches!(fault, HeaderFault::Timeout), "{fault}");
    }

    #[test]
    fn connection_that_ends_in_its_header_is_lost() {
        let (mut proxy, server, sockets) = connection();
        proxy.write_all(b"PROXY ").unwrap();
        drop(proxy);
        let fault = block_on(&sockets, read_header(&server, Duration::from_mins(1))).unwrap_err();
        assert!(matches!(fault, HeaderFault::Lost(_)), "{fault}");
    }
}
