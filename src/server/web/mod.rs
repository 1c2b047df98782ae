//! The listener for browsers: answers HTTP requests. After a WebSocket handshake, serves the client like any other.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{FutureExt as _, future};
use smol::Timer;

use super::admission::{AdmissionLimit, Ticket};
use super::connection::{ConnectionContext, wait_for_mailbox, with_drain_timeout};
use super::hub::HubRequest;
use super::listen::{Acceptor, HttpSettings, Listener, ListenerProtocol, Scheme, SocketSource};
use super::log::FrequentEvent;
use super::transport::{Transport, WebSocket, read_input, write_all};
use crate::command::Refusal;
use crate::feed::Mailbox;
use crate::limits::{HEAD_BYTES_MAX, HEALTH_MS_MAX, LOGGED_REQUEST_BYTES_MAX};
use crate::protocol::{ClientOrigin, ErrorCode, Mode, Peer, PeerAddress, Timestamp};
use crate::web::{
    AllowedOrigins, Answer, Forwarding, HttpRequest, HttpStatus, RequestKind, RequestRoute, loggable_request,
};

/// The configuration for browsers.
#[derive(Clone, Debug, Default)]
pub struct WebOptions {
    /// The origins whose pages may join, in addition to the server's own.
    pub origins: AllowedOrigins,
    /// A connection whose request head is not complete after this time is closed.
    pub header_timeout: Duration,
    /// A ping is sent on a WebSocket connection after this time without output. `None`: never.
    pub ping_interval: Option<Duration>,
    /// The proxies that name the clients of their requests. `None`: each connection is a client's.
    pub forwarding: Option<Forwarding>,
}

impl WebOptions {
    /// The proxies, if they are at this address.
    fn forwarding_at(&self, address: PeerAddress) -> Option<&Forwarding> {
        self.forwarding.as_ref().filter(|forwarding| forwarding.trusts(address))
    }
}

impl Listener {
    /// Creates a listener for browsers: HTTP, and lines over WebSocket.
    pub fn web(socket: impl Into<SocketSource<SocketAddr>>, options: &Arc<WebOptions>) -> Self {
        let protocol = Arc::new(WebProtocol::new(options));
        Self::over_tcp(Scheme::Http, socket.into(), protocol).with_forwarding(options.forwarding.as_ref())
    }
}

/// Clients send an HTTP request, then lines over WebSocket.
#[derive(Debug, Default)]
pub(super) struct WebProtocol {
    options: Arc<WebOptions>,
}

impl WebProtocol {
    pub(super) fn new(options: &Arc<WebOptions>) -> Self {
        Self { options: Arc::clone(options) }
    }

    /// For a listener that serves pages over TLS.
    #[cfg(feature = "tls")]
    pub(super) fn over_tls(options: &WebOptions) -> Self {
        Self { options: Arc::new(WebOptions { origins: options.origins.over_tls(), ..options.clone() }) }
    }
}

impl<T: Transport + 'static> ListenerProtocol<T> for WebProtocol {
    fn http_settings(&self) -> Option<HttpSettings> {
        let WebOptions { origins, header_timeout, ping_interval, .. } = &*self.options;
        Some(HttpSettings { origins: origins.names(), header: *header_timeout, ping_interval: *ping_interval })
    }

    fn is_client(&self, address: PeerAddress) -> bool {
        self.options.forwarding_at(address).is_none()
    }

    fn serve(&self, acceptor: &Acceptor, transport: T, origin: ClientOrigin, mut ticket: Ticket) {
        let (executor, acceptor) = (&acceptor.executor, acceptor.clone());
        let options = Arc::clone(&self.options);
        let receiving = async move {
            if let Some((transport, peer)) = serve_request(transport, origin, &mut ticket, &options, &acceptor).await {
                acceptor.spawn_connection(WebSocket::new(transport, options.ping_interval), peer, ticket);
            }
        };
        executor.spawn(receiving).detach();
    }

    fn render_refusal(&self, refusal: Refusal, at: Timestamp) -> Vec<u8> {
        to_bytes(&refusal_answer(&refusal), false, at)
    }
}

/// Answers one request. Returns the transport and the client if lines over WebSocket follow; otherwise the transport is closed.
async fn serve_request<T: Transport>(
    transport: T,
    origin: ClientOrigin,
    ticket: &mut Ticket,
    options: &WebOptions,
    acceptor: &Acceptor,
) -> Option<(T, Peer)> {
    let answering = answer_request(&transport, origin, ticket, options, acceptor);
    // A panic in one request ends only this connection. The panic hook has logged it.
    let answered = AssertUnwindSafe(Box::pin(answering)).catch_unwind().await;
    if let Some(peer) = answered.ok()?.ok()? {
        return Some((transport, peer));
    }
    // The socket is closed even after an error.
    let _ = with_drain_timeout(transport.close()).await;
    None
}

/// Reads and answers one request. Returns the client if the request is a WebSocket handshake.
async fn answer_request<T: Transport>(
    transport: &T,
    origin: ClientOrigin,
    ticket: &mut Ticket,
    options: &WebOptions,
    acceptor: &Acceptor,
) -> io::Result<Option<Peer>> {
    let context = &acceptor.context;
    let mut head = Vec::new();
    let late = async {
        Timer::after(options.header_timeout).await;
        let text = format!("the request header was not complete within {} s", options.header_timeout.as_secs_f64());
        let asked = RequestKind::Other(Answer::text(HttpStatus::RequestTimeout, text));
        Ok(HttpRequest { is_head: false, route: RequestRoute::default(), asked })
    };
    let HttpRequest { is_head, route, asked } =
        future::or(read_request(transport, &mut head, &options.origins), late).await?;
    let way = (origin, T::IS_ENCRYPTED, route);
    let (client, admitted) = identify_client(way, ticket, &head, options, context.clock.steady());
    if let Err(limit) = admitted {
        let refusal = Refusal::from(limit.clone());
        context.metrics.count_refusal(refusal.code);
        let answer = refusal_answer(&refusal);
        acceptor.log_frequent(FrequentEvent::ConnectionRefused(client.address, limit));
        send_answer(transport, &answer, is_head, context).await?;
        return Ok(None);
    }
    let joins = matches!(asked, RequestKind::Join(_));
    let answer = match asked {
        RequestKind::Join(answer) | RequestKind::Other(answer) => answer,
        RequestKind::Health(answer) => check_health(context, answer).await,
    };
    if answer.status().is_error() {
        acceptor.log_frequent(FrequentEvent::RequestRefused {
            address: client.address,
            status: answer.status() as u16,
            reason: answer.reason().to_owned(),
            request: loggable_request(&head).map(shorten),
        });
    }
    send_answer(transport, &answer, is_head, context).await?;
    Ok(joins.then_some(client))
}

/// The client of a request. If a trusted proxy has sent the request, counts the connection for the client that it names. If the head
/// cannot be read, the connection counts for no address: it gets an error and ends.
fn identify_client(
    (origin, is_encrypted, route): (ClientOrigin, bool, RequestRoute),
    ticket: &mut Ticket,
    head: &[u8],
    options: &WebOptions,
    now: Instant,
) -> (Peer, Result<(), AdmissionLimit>) {
    let peer = origin.peer(is_encrypted);
    let Some(forwarding) = options.forwarding_at(peer.address) else {
        // The server does not know the way beyond another proxy, which may set no field, as a port forward.
        let is_direct = !route.is_forwarded && (is_encrypted || origin.proxy.is_some() || route.is_to_own_machine);
        return (Peer { is_secure: peer.is_secure && is_direct, ..peer }, Ok(()));
    };
    match forwarding.client(head, peer) {
        Some(client) => (client, ticket.count_for(client.address, now)),
        None => (Peer { is_secure: false, ..peer }, Ok(())),
    }
}

async fn send_answer(
    transport: &impl Transport,
    answer: &Answer,
    is_head: bool,
    context: &ConnectionContext,
) -> io::Result<()> {
    with_drain_timeout(write_all(transport, &to_bytes(answer, is_head, context.clock.wall()))).await
}

/// Reads a request, and collects its bytes in `head`.
async fn read_request(
    transport: &impl Transport,
    head: &mut Vec<u8>,
    origins: &AllowedOrigins,
) -> io::Result<HttpRequest> {
    loop {
        let more = read_input(transport, HEAD_BYTES_MAX - head.len()).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        head.extend(more.bytes);
        if let Some(request) = HttpRequest::read(head, origins) {
            return Ok(request);
        }
    }
}

/// Cuts a request line to at most [`LOGGED_REQUEST_BYTES_MAX`].
fn shorten(mut line: String) -> String {
    if line.len() > LOGGED_REQUEST_BYTES_MAX {
        line.truncate(line.floor_char_boundary(LOGGED_REQUEST_BYTES_MAX));
        line.push('…');
    }
    line
}

/// The answer to a client that is not admitted.
fn refusal_answer(refusal: &Refusal) -> Answer {
    let status = match refusal.code {
        ErrorCode::ProxyExpected | ErrorCode::TlsExpected => HttpStatus::BadRequest,
        // It need not come again.
        ErrorCode::Banned => HttpStatus::Forbidden,
        _ => HttpStatus::ServiceUnavailable,
    };
    Answer::text(status, refusal.text(Mode::Commands))
}

/// Renders an answer, with the current time `at` as its date.
fn to_bytes(answer: &Answer, is_head: bool, at: Timestamp) -> Vec<u8> {
    answer.to_bytes(&at.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string(), is_head)
}

/// Returns `ok` if the hub processes a request within [`HEALTH_MS_MAX`]; otherwise a refusal.
async fn check_health(context: &ConnectionContext, ok: Answer) -> Answer {
    let asked = async {
        let mailbox: Arc<Mailbox> = Arc::default();
        let sent = context.to_hub.send(&Arc::default(), HubRequest::Probe(Arc::clone(&mailbox)), 0);
        wait_for_mailbox(&mailbox, |mailbox| sent.is_err() || mailbox.answered() > 0).await;
        sent.is_ok()
    };
    let late = async {
        Timer::after(Duration::from_millis(HEALTH_MS_MAX)).await;
        false
    };
    if future::or(asked, late).await {
        ok
    } else {
        Answer::text(HttpStatus::ServiceUnavailable, format!("the room did not answer within {HEALTH_MS_MAX} ms"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Feed;
    use crate::limits::BACKLOG_BYTES_DEFAULT;
    use crate::server::clock::SystemClock;
    use crate::server::hub::Hub;
    use crate::server::log::RunLog;
    use crate::server::{LiveRate, Rate, request_queue};
    use crate::session::Sessions;

    async fn check(context: &ConnectionContext) -> Answer {
        check_health(context, Answer::text(HttpStatus::Ok, "ok")).await
    }

    #[test]
    fn check_health_fails_only_if_hub_hangs() {
        let feed = Arc::new(Feed::new(BACKLOG_BYTES_DEFAULT));
        let mut hub = Hub::new(Sessions::default(), Arc::clone(&feed));
        let (to_hub, mut requests) = request_queue::channel();
        let line_rate = LiveRate::new(Rate { per_second: 0, burst: 1 });
        let context = ConnectionContext {
            feed,
            to_hub,
            store_reader: None,
            line_rate,
            send_timeout: None,
            clock: Arc::new(SystemClock),
            log: Arc::new(RunLog::new(Arc::new(SystemClock))),
            metrics: Arc::default(),
        };
        assert_eq!(future::block_on(check(&context)).status(), HttpStatus::ServiceUnavailable);
        let at_work = async {
            assert!(requests.wait().await);
            requests.process_in_turns(|request| {
                hub.process(Timestamp(0), request);
                std::ops::ControlFlow::Continue(())
            });
            future::pending().await
        };
        assert_eq!(future::block_on(future::or(check(&context), at_work)).status(), HttpStatus::Ok);
    }
}
