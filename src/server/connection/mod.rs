//! One connection, in one task: its reader turns bytes into requests for the hub; its writer sends the feed and the
//! mailbox. This module starts and ends the task. Its parts know of a command only its verb, its pipelining and
//! whether it needs a secret.

mod reader;
mod writer;

use std::io::{self, IoSlice};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use smol::Timer;

use self::reader::InputReader;
use self::writer::OutputWriter;
use super::admission::Ticket;
use super::clock::Clock;
use super::hub::HubRequest;
use super::log::RunLog;
use super::metrics::ServerMetrics;
use super::request_queue::{HubSender, RequestQueue};
use super::store_reader::StoreReader;
use super::token_bucket::LiveRate;
use super::transport::Transport;
use crate::command::{Hint, Refusal, ServerLine};
use crate::feed::{Feed, Mailbox, Source};
use crate::limits::{DRAIN_MS_MAX, LAST_SEND_BUFFER_BYTES};
use crate::protocol::{CloseReason, ErrorCode, LeaveReason, Peer};
use crate::session::InputKind;
use crate::state::SessionId;

/// State that all connections share.
pub(super) struct ConnectionContext {
    pub(super) feed: Arc<Feed>,
    pub(super) to_hub: HubSender,
    /// Reads stored messages. With a store, `MSG` is acknowledged only after the message is stored.
    pub(super) store_reader: Option<Arc<dyn StoreReader>>,
    pub(super) line_rate: LiveRate,
    pub(super) send_timeout: Option<Duration>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: Arc<RunLog>,
    pub(super) metrics: Arc<ServerMetrics>,
}

/// How the exchange with a client ended.
#[derive(Debug)]
enum ConnectionEnd {
    /// The hub ended the output; the mailbox has the reason. `is_sent`: all of it was sent; otherwise the client did not read it in time.
    Closed { is_sent: bool },
    /// The client is a slow consumer. The text explains why.
    Slow(String),
    /// The connection broke.
    Lost,
}

/// Sends a refusal to a client that is not admitted. Returns a future that closes the connection after the client has read the refusal, at
/// most after [`DRAIN_MS_MAX`]. `None` if the connection is closed at once, because too many refused ones are open.
pub(super) fn send_refusal<T: Transport>(
    transport: T,
    refusal: &[u8],
    ticket: Option<Ticket>,
) -> Option<impl Future<Output = ()> + use<T>> {
    // The send buffer of a new socket is empty, so all of it is written, or the socket is broken.
    let sent = transport.write(&[], Source::Memory(&[IoSlice::new(refusal)]));
    let ticket = ticket.filter(|_| sent.is_ok())?;
    Some(async move {
        // The socket is closed even after an error.
        let _ = with_drain_timeout(transport.close()).await;
        drop(ticket);
    })
}

/// Runs `closing` for at most [`DRAIN_MS_MAX`].
pub(super) async fn with_drain_timeout(closing: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let deadline = async {
        Timer::after(Duration::from_millis(DRAIN_MS_MAX)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future::or(closing, deadline).await
}

/// The state of a connection, shared by its reader and its writer.
pub(super) struct Connection<T> {
    transport: T,
    session: SessionId,
    context: Arc<ConnectionContext>,
    /// Requests that the hub has not processed yet.
    queue: Arc<RequestQueue>,
    mailbox: Arc<Mailbox>,
    /// Counts the connection while it exists.
    ticket: Ticket,
}

impl<T: Transport> Connection<T> {
    /// Creates a connection. The caller calls [`Connection::announce`], then [`Connection::serve`].
    pub(super) fn new(transport: T, session: SessionId, context: Arc<ConnectionContext>, ticket: Ticket) -> Self {
        let mailbox = Arc::new(Mailbox::new(context.feed.backlog()));
        Self { transport, session, context, queue: Arc::default(), mailbox, ticket }
    }

    /// Announces the connection to the log and to the hub.
    ///
    /// # Errors
    /// The hub has ended.
    pub(super) fn announce(&self, peer: Peer) -> io::Result<()> {
        self.context.log.connected(self.session, T::NAME, peer.address);
        self.context.metrics.count_opened(T::NAME);
        let connect = HubRequest::Connect(self.session, peer, Arc::clone(&self.mailbox));
        self.context.to_hub.send(&self.queue, connect, 0)
    }

    /// Serves the client until the connection ends.
    ///
    /// An idle connection waits in here. To keep its future small, the futures of rare steps are boxed.
    pub(super) async fn serve(self) {
        // A panic in one connection ends only this connection. The panic hook has logged it.
        let end = AssertUnwindSafe(self.run_exchange()).catch_unwind().await.unwrap_or(ConnectionEnd::Lost);
        self.mailbox.discard();
        let reporting = AssertUnwindSafe(self.report_end(&end)).catch_unwind();
        let _ = Box::pin(reporting).await;
        self.context.metrics.count_closed(T::NAME, self.close_reason());
        // Before the client has read the rest, which may take longer than the shutdown of the server.
        self.context.log.disconnected(self.session, self.close_reason());
        let closing = AssertUnwindSafe(self.close_transport(end)).catch_unwind();
        let _ = Box::pin(closing).await;
        let Self { transport, context, queue, session, ticket, .. } = self;
        // The ticket counts the connection until its descriptor is closed.
        drop(transport);
        let _ = context.to_hub.send(&queue, HubRequest::KeepTicket(session, Box::new(ticket)), 0);
    }

    /// Reads and writes until the connection ends. Polls the writer first: its progress may allow the reader to continue.
    async fn run_exchange(&self) -> ConnectionEnd {
        let (mut writer, mut reader) = (OutputWriter::new(self), InputReader::new(self));
        let writing = future::poll_fn(|cx| writer.poll(cx));
        let reading = async {
            match reader.read().await {
                // The writer sends the rest, and then ends the exchange.
                Ok(()) => future::pending().await,
                Err(_) => ConnectionEnd::Lost,
            }
        };
        future::or(writing, reading).await
    }

    /// Reports the end to the hub, and waits until the session is closed. So when a client sees its connection closed, all other clients
    /// have been sent its `LEAVE`.
    async fn report_end(&self, end: &ConnectionEnd) {
        let reason = match end {
            ConnectionEnd::Closed { .. } => LeaveReason::Eof,
            ConnectionEnd::Slow(_) => LeaveReason::Slow,
            ConnectionEnd::Lost => LeaveReason::Lost,
        };
        if !self.mailbox.lifecycle().is_closed() && self.send_to_hub(InputKind::Disconnected(reason)).is_ok() {
            self.wait_for_mailbox(|mailbox| mailbox.lifecycle().is_closed()).await;
        }
    }

    /// Sends the reason for the end, and closes the transport, if the client can still receive. Output that was sent
    /// still arrives after that: the kernel keeps it until TCP gives up.
    async fn close_transport(&self, end: ConnectionEnd) {
        let closing = async {
            match end {
                ConnectionEnd::Closed { is_sent: false } | ConnectionEnd::Lost => return Ok(()),
                ConnectionEnd::Closed { is_sent: true } => {
                    self.transport.send_end(self.close_reason(), None).await?;
                }
                ConnectionEnd::Slow(why) => self.send_slow_error(&why).await?,
            }
            self.transport.close().await
        };
        // The socket is closed even after an error.
        let _ = with_drain_timeout(closing).await;
    }

    /// Why the connection was closed. Without a reason in the mailbox, the hub has ended or this task has panicked.
    fn close_reason(&self) -> CloseReason {
        self.mailbox.lifecycle().reason().unwrap_or(CloseReason::Left(LeaveReason::Lost))
    }

    /// Sends an error to a slow consumer before it is disconnected. Its socket is full, so this raises the size of the send buffer; a
    /// client that reads on later gets the error.
    async fn send_slow_error(&self, what: &str) -> io::Result<()> {
        self.context.metrics.count_refusal(ErrorCode::Slow);
        self.transport.set_send_buffer(LAST_SEND_BUFFER_BYTES)?;
        let line = ServerLine::Err(Refusal::new(None, ErrorCode::Slow, what).with_hint(Hint::Reconnect));
        self.transport.send_end(CloseReason::Left(LeaveReason::Slow), Some(&line.to_string())).await
    }

    fn send_to_hub(&self, kind: InputKind) -> io::Result<()> {
        self.send_line_to_hub(kind, 0)
    }

    /// Sends an input to the hub that comes from a line of this many bytes.
    fn send_line_to_hub(&self, kind: InputKind, bytes: u32) -> io::Result<()> {
        self.context.to_hub.send(&self.queue, HubRequest::Input(self.session, kind), bytes)
    }

    async fn wait_for_mailbox(&self, condition: impl FnMut(&Mailbox) -> bool) {
        wait_for_mailbox(&self.mailbox, condition).await;
    }
}

/// Waits until `condition` is true. Checks it after each wake-up by the mailbox.
pub(super) async fn wait_for_mailbox(mailbox: &Mailbox, mut condition: impl FnMut(&Mailbox) -> bool) {
    future::poll_fn(|cx| {
        mailbox.register(cx.waker());
        if condition(mailbox) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::transport::Tcp;

    /// Each idle connection keeps a future of this size in memory. A rare step that would make it larger is boxed.
    const FUTURE_BYTES_MAX: usize = 648;

    fn future_bytes<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn future_of_idle_connection_is_small() {
        let bytes = future_bytes(Connection::<Tcp>::serve);
        assert!(bytes <= FUTURE_BYTES_MAX, "{bytes}");
    }
}
