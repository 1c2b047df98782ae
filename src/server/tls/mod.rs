//! TLS listeners: handshakes, before another protocol serves the client over TLS.

mod certificates;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use rustls::{ServerConfig, ServerConnection};
use smol::Timer;
use smol::lock::Semaphore;

pub use self::certificates::{CertificateFiles, TlsCertificates};
use super::admission::Ticket;
use super::connection::with_drain_timeout;
use super::driver;
use super::listen::{Acceptor, HttpSettings, LinesProtocol, Listener, ListenerProtocol, Scheme, SocketSource};
use super::log::FrequentEvent;
use super::transport::{Tcp, Tls, Transport, read_input, write_all};
use crate::command::{Hint, Refusal};
use crate::limits::{TLS_HANDSHAKE_BYTES_MAX, TLS_HANDSHAKE_SECONDS_MAX, TLS_HANDSHAKES_AT_ONCE_MAX};
use crate::process::error_text;
use crate::protocol::{ClientOrigin, ErrorCode, PeerAddress, Timestamp};

impl Listener {
    /// Creates a listener for clients that speak lines over TLS.
    pub fn tls(socket: impl Into<SocketSource<SocketAddr>>, certificates: &Arc<TlsCertificates>) -> Self {
        Self::over_tcp(Scheme::Tls, socket.into(), TlsProtocol::new(certificates, &[], LinesProtocol))
    }

    /// Creates a listener for browsers: HTTP over TLS, and lines over WebSocket.
    #[cfg(feature = "web")]
    pub fn https(
        socket: impl Into<SocketSource<SocketAddr>>,
        certificates: &Arc<TlsCertificates>,
        options: &Arc<super::web::WebOptions>,
    ) -> Self {
        let web = super::web::WebProtocol::over_tls(options);
        let protocol = TlsProtocol::new(certificates, &[b"http/1.1"], web);
        Self::over_tcp(Scheme::Https, socket.into(), protocol).with_forwarding(options.forwarding.as_ref())
    }
}

/// Limits the handshakes that compute at a time, over all listeners.
static HANDSHAKES: Semaphore = Semaphore::new(TLS_HANDSHAKES_AT_ONCE_MAX);

/// A fatal alert, `internal_error`: a client that is not admitted cannot read more before the handshake (RFC 8446, section 6).
const REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// The type of the first record of a TLS client: a handshake.
const HANDSHAKE_RECORD: u8 = 22;

/// Clients of the protocol `P`, after a TLS handshake.
struct TlsProtocol<P> {
    config: Arc<ServerConfig>,
    protocol: Arc<P>,
}

impl<P: ListenerProtocol<Tls<Tcp>>> TlsProtocol<P> {
    /// `alpn`: the protocols that the server confirms in the handshake (RFC 7301). With none, it ignores what the client offers.
    fn new(certificates: &Arc<TlsCertificates>, alpn: &[&[u8]], protocol: P) -> Arc<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(rustls::DEFAULT_VERSIONS);
        let builder = builder.unwrap_or_else(|_| unreachable!("ring has suites for both versions"));
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(certificates) as _);
        // Connections last: a session that is resumed saves little, and a ticket makes old connections readable if its key leaks.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(Self { config: Arc::new(config), protocol: Arc::new(protocol) })
    }
}

impl<P: fmt::Debug> fmt::Debug for TlsProtocol<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsProtocol").field(&self.protocol).finish()
    }
}

impl<P: ListenerProtocol<Tls<Tcp>> + 'static> ListenerProtocol<Tcp> for TlsProtocol<P> {
    fn http_settings(&self) -> Option<HttpSettings> {
        self.protocol.http_settings()
    }

    fn is_client(&self, address: PeerAddress) -> bool {
        self.protocol.is_client(address)
    }

    fn serve(&self, acceptor: &Acceptor, tcp: Tcp, origin: ClientOrigin, ticket: Ticket) {
        let (executor, acceptor) = (&acceptor.executor, acceptor.clone());
        let (config, protocol) = (Arc::clone(&self.config), Arc::clone(&self.protocol));
        let receiving = async move {
            let plain_answer = || {
                acceptor.context.metrics.count_refusal(ErrorCode::TlsExpected);
                protocol.render_refusal(tls_expected(), acceptor.context.clock.wall())
            };
            // A panic in one handshake ends only this connection. The panic hook has logged it.
            let handshake = AssertUnwindSafe(accept_handshake(tcp, config, plain_answer)).catch_unwind();
            let handshake = handshake.await;
            acceptor.context.metrics.count_handshake(matches!(handshake, Ok(Ok(_))));
            match handshake {
                Ok(Ok(tls)) => protocol.serve(&acceptor, tls, origin, ticket),
                Ok(Err(error)) => {
                    let address = origin.address;
                    acceptor.log_frequent(FrequentEvent::HandshakeFailed { address, reason: error.to_string() });
                }
                Err(_) => {}
            }
        };
        executor.spawn(receiving).detach();
    }

    fn render_refusal(&self, _: Refusal, _: Timestamp) -> Vec<u8> {
        REFUSAL.to_vec()
    }
}

/// The refusal of a client that does not begin with a handshake.
fn tls_expected() -> Refusal {
    Refusal::new(None, ErrorCode::TlsExpected, "this port expects TLS").with_hint(Hint::ConnectWithTls)
}

/// Why a handshake failed, for the log.
#[derive(Debug)]
enum HandshakeError {
    /// The client sent plain text, or nothing in time.
    NoTls,
    Timeout,
    TooLong,
    Lost(io::Error),
    Tls(rustls::Error),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTls => f.write_str("the client does not speak TLS"),
            Self::Timeout => write!(f, "it was not complete within {TLS_HANDSHAKE_SECONDS_MAX} s"),
            Self::TooLong => write!(f, "it has more than {TLS_HANDSHAKE_BYTES_MAX} bytes"),
            Self::Lost(error) => f.write_str(&error_text(error)),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Carries out a handshake. A client that sends plain text, or nothing, gets the plain answer. No memory is held for TLS before the client
/// has sent something.
async fn accept_handshake(
    tcp: Tcp,
    config: Arc<ServerConfig>,
    plain_answer: impl Fn() -> Vec<u8>,
) -> Result<Tls<Tcp>, HandshakeError> {
    let mut deadline = Timer::after(Duration::from_secs(TLS_HANDSHAKE_SECONDS_MAX));
    let late = async {
        (&mut deadline).await;
        Ok(None)
    };
    let first = future::or(async { read_some(&tcp).await.map(Some) }, late).await?;
    let Some(first) = first.filter(|bytes| bytes[0] == HANDSHAKE_RECORD) else {
        // The client may read while it does not.
        let closing = async {
            write_all(&tcp, &plain_answer()).await?;
            tcp.close().await
        };
        let _ = Box::pin(with_drain_timeout(closing)).await;
        return Err(HandshakeError::NoTls);
    };
    let connection = ServerConnection::new(config).map_err(HandshakeError::Tls)?;
    let tls = Tls::new(tcp, connection);
    let late = async {
        deadline.await;
        Err(HandshakeError::Timeout)
    };
    future::or(complete_handshake(&tls, first), late).await?;
    Ok(tls)
}

async fn complete_handshake(tls: &Tls<Tcp>, first: Vec<u8>) -> Result<(), HandshakeError> {
    let (mut input, mut bytes) = (first, 0);
    loop {
        bytes += input.len();
        if bytes > TLS_HANDSHAKE_BYTES_MAX {
            return Err(HandshakeError::TooLong);
        }
        let is_complete = compute_in_turn(&HANDSHAKES, || tls.receive_handshake(&input)).await;
        tls.flush().await?;
        if is_complete.map_err(HandshakeError::Tls)? {
            return Ok(());
        }
        input = read_some(tls.inner()).await?;
    }
}

/// Computes a step of a handshake once it is its turn, after all other tasks that can run. The sockets are polled before the next step, so
/// lines that arrive meanwhile wait for one step at most.
async fn compute_in_turn<T>(turns: &Semaphore, compute: impl FnOnce() -> T) -> T {
    let turn = turns.acquire().await;
    // With the turn: otherwise, of handshakes that arrive together, each would be the next task, and find the turn free.
    future::yield_now().await;
    let result = compute();
    driver::poll_sockets_soon();
    drop(turn);
    result
}

/// Reads at least one byte of a handshake.
async fn read_some(tcp: &Tcp) -> io::Result<Vec<u8>> {
    let input = read_input(tcp, TLS_HANDSHAKE_BYTES_MAX / 2).await?;
    Ok(input.ok_or(io::ErrorKind::UnexpectedEof)?.bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use smol::Executor;

    use super::*;

    /// Ten handshakes arrive together, and a line after them.
    #[test]
    fn handshakes_that_arrive_together_let_other_tasks_run_between_them() {
        let (executor, turns, order) =
            (Executor::new(), Arc::new(Semaphore::new(1)), Arc::new(Mutex::new(String::new())));
        let handshakes: Vec<_> = (0..10)
            .map(|_| {
                let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
                executor.spawn(async move { compute_in_turn(&turns, || order.lock().unwrap().push('h')).await })
            })
            .collect();
        let other = Arc::clone(&order);
        let line = executor.spawn(async move {
            // The steps of a line: it is read, processed, and written.
            for _ in 0..3 {
                other.lock().unwrap().push('l');
                future::yield_now().await;
            }
        });
        future::block_on(executor.run(async {
            line.await;
            for handshake in handshakes {
                handshake.await;
            }
        }));
        let order = order.lock().unwrap();
        let before_the_reply = order.rfind('l').unwrap();
        assert!(order[..before_the_reply].matches('h').count() <= 2, "{order}");
        assert_eq!(order.matches('h').count(), 10, "{order}");
    }
}
