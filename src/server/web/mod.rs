//! Browsers: answers their requests, and takes those that ask for WebSocket for clients like any other.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use smol::Timer;

use super::admission::Ticket;
use super::connection::{ConnectionContext, in_time, until};
use super::console;
use super::hub::Request as HubRequest;
use super::listen::{Acceptor, Listener, ListenerProtocol};
use super::transport::{Tcp, Transport, WebSocket, read as read_from, write_all};
use crate::command::Refusal;
use crate::feed::Mailbox;
use crate::limits::{HEAD_BYTES_MAX, HEALTH_MS_MAX};
use crate::protocol::{Mode, Timestamp};
use crate::web::{AllowedOrigins, Answer, HttpRequest, HttpStatus, RequestKind};

/// How browsers are served.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Whose pages may join, beside the server's own.
    pub origins: AllowedOrigins,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// Length of the silence on a WebSocket connection after which a ping is sent; `None`: never.
    pub ping_interval: Option<Duration>,
}

impl Listener {
    /// A listener for browsers: HTTP, and lines over WebSocket.
    pub fn web(address: SocketAddr, site: &Arc<Site>) -> Self {
        Self::new(address, Arc::new(WebProtocol(Arc::clone(site))))
    }
}

/// Clients speak HTTP, and lines over WebSocket.
#[derive(Debug)]
struct WebProtocol(Arc<Site>);

impl ListenerProtocol for WebProtocol {
    fn invitation(&self, address: SocketAddr) -> String {
        format!("open in a browser: http://{address}/")
    }

    fn receive(&self, acceptor: &Acceptor, tcp: Tcp, address: SocketAddr, ticket: Ticket) {
        let (executor, acceptor, site) = (&acceptor.executor, acceptor.clone(), Arc::clone(&self.0));
        let receiving = async move {
            if let Some(tcp) = receive(tcp, address, &site, &acceptor.context).await {
                acceptor.serve(WebSocket::new(tcp, site.ping_interval), address, ticket);
            }
        };
        executor.spawn(receiving).detach();
    }

    fn refuse(&self, refusal: Refusal, at: Timestamp) -> Vec<u8> {
        to_bytes(&Answer::text(HttpStatus::ServiceUnavailable, refusal.text(Mode::Commands)), false, at)
    }
}

/// Answers one request. Returns the transport if lines over WebSocket follow; otherwise it is closed.
async fn receive<T: Transport>(
    transport: T,
    address: SocketAddr,
    site: &Site,
    context: &ConnectionContext,
) -> Option<T> {
    // As with a connection, a fault here is the end of this one alone.
    let answered = AssertUnwindSafe(Box::pin(answer(&transport, address, site, context))).catch_unwind().await;
    let joins = answered.ok()?.ok()?;
    if joins {
        return Some(transport);
    }
    // Either way the socket is closed now.
    let _ = in_time(transport.close()).await;
    None
}

/// Whether the request is one to join.
async fn answer(
    transport: &impl Transport,
    address: SocketAddr,
    site: &Site,
    context: &ConnectionContext,
) -> io::Result<bool> {
    let late = async {
        Timer::after(site.head_timeout).await;
        let text = format!("the head of the request did not come within {} s", site.head_timeout.as_secs());
        Ok(HttpRequest { is_head: false, asked: RequestKind::Other(Answer::text(HttpStatus::RequestTimeout, text)) })
    };
    let HttpRequest { is_head, asked } = future::or(read(transport, &site.origins), late).await?;
    let joins = matches!(asked, RequestKind::Join(_));
    let answer = match asked {
        RequestKind::Join(answer) | RequestKind::Other(answer) => answer,
        RequestKind::Health(answer) => health(context, answer).await,
        RequestKind::Tls(answer) => {
            console::tls_on_plain_port(address);
            answer
        }
    };
    in_time(write_all(transport, &to_bytes(&answer, is_head, context.clock.wall()))).await?;
    Ok(joins)
}

async fn read(transport: &impl Transport, origins: &AllowedOrigins) -> io::Result<HttpRequest> {
    let mut head = Vec::new();
    loop {
        let more = read_from(transport, HEAD_BYTES_MAX - head.len()).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        head.extend(more.bytes);
        if let Some(request) = HttpRequest::read(&head, origins) {
            return Ok(request);
        }
    }
}

/// An answer that is sent at this time.
fn to_bytes(answer: &Answer, is_head: bool, at: Timestamp) -> Vec<u8> {
    answer.to_bytes(&at.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string(), is_head)
}

/// `ok` if the hub carries out requests; a refusal if it does not within [`HEALTH_MS_MAX`].
async fn health(context: &ConnectionContext, ok: Answer) -> Answer {
    let asked = async {
        let mailbox: Arc<Mailbox> = Arc::default();
        let told = context.to_hub.send(&Arc::default(), HubRequest::Probe(Arc::clone(&mailbox)), 0);
        until(&mailbox, |mailbox| told.is_err() || mailbox.answered() > 0).await;
        told.is_ok()
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
    use crate::limits::FEED_BYTES_DEFAULT;
    use crate::server::clock::SystemClock;
    use crate::server::hub::Hub;
    use crate::server::{Rate, request_queue};
    use crate::session::Sessions;

    #[test]
    fn invitation_can_be_opened() {
        let invitation = |address: &str| WebProtocol(Arc::default()).invitation(address.parse().unwrap());
        assert_eq!(invitation("127.0.0.1:8080"), "open in a browser: http://127.0.0.1:8080/");
        assert_eq!(invitation("[::1]:8080"), "open in a browser: http://[::1]:8080/");
    }

    async fn check(context: &ConnectionContext) -> Answer {
        health(context, Answer::text(HttpStatus::Ok, "ok")).await
    }

    /// One that hangs is found to, and one that goes on is not.
    #[test]
    fn the_health_is_that_of_the_hub() {
        let feed = Arc::new(Feed::new(FEED_BYTES_DEFAULT));
        let mut hub = Hub::new(Sessions::default(), Arc::clone(&feed));
        let (to_hub, mut queues) = request_queue::new();
        let line_rate = Rate { per_second: 0, burst: 1 };
        let context = ConnectionContext {
            feed,
            to_hub,
            stored: None,
            line_rate,
            write_timeout: None,
            clock: Arc::new(SystemClock),
        };
        assert_eq!(future::block_on(check(&context)).status(), HttpStatus::ServiceUnavailable);
        let at_work = async {
            assert!(queues.wait().await);
            queues.take_turns(|request| {
                hub.process(Timestamp(0), request);
                std::ops::ControlFlow::Continue(())
            });
            future::pending().await
        };
        assert_eq!(future::block_on(future::or(check(&context), at_work)).status(), HttpStatus::Ok);
    }
}
