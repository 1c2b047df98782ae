//! The listener for Prometheus: HTTP with `GET /metrics` and `GET /healthz`.
//!
//! Its connections are not clients: they count for no limit of clients, so a full server can be scraped. A connection has one request, of
//! limited length and time. It holds no sender to the hub while it waits for the other side, so that it does not delay a shutdown.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_lite::{FutureExt as _, future};
use smol::Timer;

use super::exposition::{Figures, Format};
use super::sampler::Sample;
use crate::command::Refusal;
use crate::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, METRICS_HUB_MS_MAX, METRICS_REQUEST_MS_MAX};
use crate::protocol::{ClientOrigin, Mode, PeerAddress, Timestamp};
use crate::server::admission::{Admission, Ticket};
use crate::server::connection::{ConnectionContext, with_drain_timeout};
use crate::server::hub::HubRequest;
use crate::server::listen::{Acceptor, Listener, ListenerProtocol, Scheme, SocketSource};
use crate::server::transport::{Transport, read_input, write_all};

impl Listener {
    /// Creates a listener for Prometheus.
    pub fn metrics(socket: impl Into<SocketSource<SocketAddr>>) -> Self {
        Self::over_tcp(Scheme::Metrics, socket.into(), Arc::new(MetricsProtocol))
    }
}

/// Prometheus sends HTTP requests.
#[derive(Debug)]
struct MetricsProtocol;

impl<T: Transport + 'static> ListenerProtocol<T> for MetricsProtocol {
    fn is_for_operators(&self) -> bool {
        true
    }

    fn is_client(&self, _: PeerAddress) -> bool {
        false
    }

    fn serve(&self, acceptor: &Acceptor, transport: T, _: ClientOrigin, ticket: Ticket) {
        let source = Source { context: Arc::downgrade(&acceptor.context), admission: Arc::clone(&acceptor.admission) };
        let serving = async move {
            // A panic in one request ends only this connection. The panic hook has logged it. The other side may have gone.
            let _ = AssertUnwindSafe(serve_request(&transport, &source)).catch_unwind().await;
            let _ = with_drain_timeout(transport.close()).await;
            // The ticket counts the connection until its descriptor is closed.
            drop(transport);
            drop(ticket);
        };
        acceptor.executor.spawn(serving).detach();
    }

    fn render_refusal(&self, refusal: Refusal, _: Timestamp) -> Vec<u8> {
        Answer::text(Status::Unavailable, refusal.text(Mode::Commands)).to_bytes(false)
    }
}

/// Where the figures come from.
struct Source {
    /// Weak: the hub ends when nobody can send to it any more.
    context: Weak<ConnectionContext>,
    admission: Arc<Admission>,
}

async fn serve_request(transport: &impl Transport, source: &Source) -> io::Result<()> {
    let late = async {
        Timer::after(Duration::from_millis(METRICS_REQUEST_MS_MAX)).await;
        Ok(Err(Answer::text(Status::Timeout, "the request header was not complete in time")))
    };
    let request = future::or(read_request(transport), late).await?;
    let is_head = request.as_ref().is_ok_and(|request| request.is_head);
    let answer = match request {
        Ok(Request { path: Path::Metrics(format), .. }) => source.metrics(format).await,
        Ok(Request { path: Path::Health, .. }) => source.health().await,
        Err(answer) => answer,
    };
    with_drain_timeout(write_all(transport, &answer.to_bytes(is_head))).await
}

impl Source {
    async fn metrics(&self, format: Format) -> Answer {
        let sources = self.context.upgrade().map(|context| (Arc::clone(&context.metrics), Arc::clone(&context.clock)));
        let Some((counted, clock)) = sources else { return silent_hub() };
        let store = counted.store.clone();
        let read_store = move || store.and_then(|store| store.bytes().ok());
        let sample = counted.sampler.sample(&*clock, self.ask_hub(HubRequest::Status), read_store).await;
        let Sample { hub: Some(hub), store, process } = sample else { return silent_hub() };
        let clients = (self.admission.client_count(), self.admission.limits().effective_clients_max());
        match (Figures { counted, hub, clients, store, process }).render(format) {
            Ok(body) => Answer { status: Status::Ok, media_type: format.media_type(), body },
            Err(fmt::Error) => Answer::text(Status::Unavailable, "the metrics cannot be rendered"),
        }
    }

    async fn health(&self) -> Answer {
        match self.ask_hub(HubRequest::GiveSignOfLife).await {
            Some(_) => Answer::text(Status::Ok, "ok"),
            None => silent_hub(),
        }
    }

    /// Asks the hub, through the queue of all commands. `None`: it gives no answer in time.
    async fn ask_hub<A>(&self, request: impl FnOnce(Sender<A>) -> HubRequest) -> Option<A> {
        let (asking, answer): (_, Receiver<A>) = async_channel::bounded(1);
        self.context.upgrade()?.to_hub.send(&Arc::default(), request(asking), 0).ok()?;
        let late = async {
            Timer::after(Duration::from_millis(METRICS_HUB_MS_MAX)).await;
            None
        };
        future::or(async { answer.recv().await.ok() }, late).await
    }
}

/// A hub that is stuck makes the scrape fail, so that an alert fires.
fn silent_hub() -> Answer {
    Answer::text(Status::Unavailable, format!("the hub did not answer within {METRICS_HUB_MS_MAX} ms"))
}

#[derive(Debug, PartialEq)]
struct Request {
    is_head: bool,
    path: Path,
}

#[derive(Debug, PartialEq)]
enum Path {
    Metrics(Format),
    Health,
}

/// Reads the head of a request. Returns the answer to a request that is refused.
async fn read_request(transport: &impl Transport) -> io::Result<Result<Request, Answer>> {
    let mut head = Vec::new();
    loop {
        let more = read_input(transport, HEAD_BYTES_MAX - head.len()).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        head.extend(more.bytes);
        if let Some(request) = parse_request(&head) {
            return Ok(request);
        }
        if head.len() >= HEAD_BYTES_MAX {
            let text = format!("the request header has more than {HEAD_BYTES_MAX} bytes");
            return Ok(Err(Answer::text(Status::HeaderTooLarge, text)));
        }
    }
}

/// Parses the head of a request. `None`: it is not complete.
fn parse_request(head: &[u8]) -> Option<Result<Request, Answer>> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(error) => return Some(Err(Answer::text(Status::BadRequest, format!("invalid request: {error}")))),
    }
    let accepts_openmetrics = request.headers.iter().any(|field| {
        let media_types = String::from_utf8_lossy(field.value).to_ascii_lowercase();
        field.name.eq_ignore_ascii_case("accept") && media_types.contains("application/openmetrics-text")
    });
    let format = if accepts_openmetrics { Format::OpenMetrics } else { Format::Prometheus };
    let target = request.path.unwrap_or_default();
    let path = match target.split_once('?').map_or(target, |(path, _)| path) {
        "/metrics" => Path::Metrics(format),
        "/healthz" => Path::Health,
        _ => return Some(Err(Answer::text(Status::NotFound, "not found: this listener has /metrics and /healthz"))),
    };
    match request.method {
        Some("GET") => Some(Ok(Request { is_head: false, path })),
        Some("HEAD") => Some(Ok(Request { is_head: true, path })),
        _ => Some(Err(Answer::text(Status::MethodNotAllowed, "expected GET or HEAD"))),
    }
}

/// An answer. The connection closes after it.
#[derive(Debug, PartialEq)]
struct Answer {
    status: Status,
    media_type: &'static str,
    body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    Timeout,
    HeaderTooLarge,
    Unavailable,
}

impl Answer {
    fn text(status: Status, text: impl Into<String>) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: text.into() + "\n" }
    }

    /// Renders the answer. Omits the body if `is_head`.
    fn to_bytes(&self, is_head: bool) -> Vec<u8> {
        let (line, field) = match self.status {
            Status::Ok => ("200 OK", ""),
            Status::BadRequest => ("400 Bad Request", ""),
            Status::NotFound => ("404 Not Found", ""),
            Status::MethodNotAllowed => ("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
            Status::Timeout => ("408 Request Timeout", ""),
            Status::HeaderTooLarge => ("431 Request Header Fields Too Large", ""),
            Status::Unavailable => ("503 Service Unavailable", ""),
        };
        let Self { media_type, body, .. } = self;
        let head = format!(
            "HTTP/1.1 {line}\r\n{field}Connection: close\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), if is_head { &[] } else { body.as_bytes() }].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Feed;
    use crate::limits::BACKLOG_BYTES_MIN;
    use crate::server::admission::ConnectionLimits;
    use crate::server::banned_networks::BannedNetworks;
    use crate::server::clock::{Clock, SystemClock};
    use crate::server::log::RunLog;
    use crate::server::{LiveRate, Rate, request_queue};

    fn status_of(head: &str) -> Option<Status> {
        parse_request(head.as_bytes()).map(|parsed| parsed.map_or_else(|answer| answer.status, |_| Status::Ok))
    }

    #[test]
    fn format_follows_the_accept_field() {
        let format = |accept: &str| {
            let head = format!("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n{accept}\r\n");
            match parse_request(head.as_bytes()) {
                Some(Ok(Request { is_head: false, path: Path::Metrics(format) })) => format,
                other => panic!("{other:?}"),
            }
        };
        let prometheus = "ACCEPT: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3\r\n";
        assert_eq!(format(prometheus), Format::OpenMetrics);
        assert_eq!(format("Accept: text/plain;version=0.0.4\r\n"), Format::Prometheus);
        assert_eq!(format(""), Format::Prometheus);
    }

    /// The hub has received the question, and does not answer.
    #[test]
    fn scrape_of_a_stuck_hub_fails() {
        let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
        let (to_hub, requests) = request_queue::channel();
        let line_rate = Rate { per_second: 0, burst: 1 };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let context = Arc::new(ConnectionContext {
            feed,
            to_hub,
            store_reader: None,
            line_rate: LiveRate::new(line_rate),
            send_timeout: None,
            log: Arc::new(RunLog::new(Arc::clone(&clock))),
            metrics: Arc::default(),
            clock: Arc::clone(&clock),
        });
        let limits =
            ConnectionLimits { clients_max: 9, descriptors: 99, per_address_max: 0, per_address_rate: line_rate };
        let admission = Admission::new(limits, Arc::new(BannedNetworks::new(clock)));
        let source = Source { context: Arc::downgrade(&context), admission };
        let answers = future::block_on(future::zip(source.metrics(Format::Prometheus), source.health()));
        assert_eq!(answers, (silent_hub(), silent_hub()));
        assert_eq!(requests.waiting(), 2);
        // After the end of the hub, at once.
        drop((context, requests));
        assert_eq!(future::block_on(source.health()), silent_hub());
    }

    #[test]
    fn other_requests_are_refused() {
        for (head, status) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", None),
            ("HEAD /healthz HTTP/1.0\r\n\r\n", Some(Status::Ok)),
            ("GET / HTTP/1.1\r\n\r\n", Some(Status::NotFound)),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Some(Status::NotFound)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some(Status::MethodNotAllowed)),
            ("NICK ann\r\n", Some(Status::BadRequest)),
        ] {
            assert_eq!(status_of(head), status, "{head:?}");
        }
        let many = "a: b\r\n".repeat(HEAD_FIELDS_MAX + 1);
        assert_eq!(status_of(&format!("GET /metrics HTTP/1.1\r\n{many}\r\n")), Some(Status::BadRequest));
    }
}
