//! One connection: its reader turns bytes into requests for the hub, its writer sends what the feed and the mailbox hold.
//! Both are parts of one task. Here is how it begins and ends. What a line does is for the room to say.

mod reader;
mod writer;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use smol::Timer;

use self::reader::Reader;
use self::writer::Writer;
use super::admission::{Admission, Ticket};
use super::clock::Clock;
use super::console;
use super::hub::Request;
use super::request_queue::{HubSender, RequestQueue};
use super::storage::StoredMessages;
use super::token_bucket::Rate;
use super::transport::Transport;
use crate::command::{Hint, Refusal, ServerLine};
use crate::feed::{Feed, Mailbox, Source};
use crate::limits::{DRAIN_MS_MAX, LAST_SEND_BUFFER_BYTES};
use crate::protocol::{CloseReason, ErrorCode, LeaveReason};
use crate::room::SessionId;
use crate::session::InputKind;

/// What every connection shares.
pub(super) struct ConnectionContext {
    pub(super) feed: Arc<Feed>,
    pub(super) to_hub: HubSender,
    /// Reads stored messages, if there is a store. `MSG` is then acknowledged only after the message is stored.
    pub(super) stored: Option<Arc<dyn StoredMessages>>,
    pub(super) line_rate: Rate,
    pub(super) write_timeout: Option<Duration>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How the exchange with a client ended.
#[derive(Debug)]
enum End {
    /// The output ended, for the reason that the mailbox has. `is_sent`: the client got all of it; otherwise it did not read it in time.
    Closed { is_sent: bool },
    /// The client is a slow consumer. The text tells it why.
    Slow(String),
    /// The connection broke.
    Lost,
}

/// One peer's connection, for as long as which the ticket is kept. To be announced to the hub before it is served.
pub(super) fn connect<T: Transport>(
    transport: T,
    session: SessionId,
    context: Arc<ConnectionContext>,
    ticket: Ticket,
) -> Connection<T> {
    let mailbox = Arc::new(Mailbox::new(context.feed.backlog()));
    Connection { transport, session, context, queue: Arc::default(), mailbox, ticket }
}

/// Says why somebody is not served. They have a moment to read it, unless many are having theirs.
pub(super) fn refuse<T: Transport>(
    transport: T,
    why: &[u8],
    admission: &Arc<Admission>,
) -> Option<impl Future<Output = ()> + use<T>> {
    // A new socket takes it, or is broken already.
    let told = transport.write(&[], Source::Memory(&[IoSlice::new(why)]));
    let ticket = told.is_ok().then(|| admission.refuse()).flatten()?;
    Some(async move {
        // Either way the socket is closed now.
        let _ = in_time(transport.close()).await;
        drop(ticket);
    })
}

pub(super) async fn in_time(closing: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let deadline = async {
        Timer::after(Duration::from_millis(DRAIN_MS_MAX)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future::or(closing, deadline).await
}

/// A peer's socket, and what is for it.
pub(super) struct Connection<T> {
    transport: T,
    session: SessionId,
    context: Arc<ConnectionContext>,
    /// What of the peer's lines is on its way to the hub.
    queue: Arc<RequestQueue>,
    mailbox: Arc<Mailbox>,
    /// Counts the connection, for as long as it exists.
    ticket: Ticket,
}

impl<T: Transport> Connection<T> {
    /// Tells the hub of it.
    ///
    /// # Errors
    /// The hub is gone.
    pub(super) fn announce(&self, address: SocketAddr) -> io::Result<()> {
        let connect = Request::Connect(self.session, address, Arc::clone(&self.mailbox));
        self.context.to_hub.send(&self.queue, connect, 0)
    }

    /// Serves the peer from its first byte to its last.
    ///
    /// Ten thousand wait in here and do nothing, so what is not needed for waiting is kept in boxes, for as long as it is
    /// needed.
    pub(super) async fn serve(self) {
        // A panic in one connection ends only this connection. The panic hook has logged it.
        let end = AssertUnwindSafe(self.talk()).catch_unwind().await.unwrap_or(End::Lost);
        self.mailbox.discard();
        let ending = AssertUnwindSafe(self.end(end)).catch_unwind();
        let _ = Box::pin(ending).await;
        console::disconnected(self.session);
        let Self { context, queue, session, ticket, .. } = self;
        let _ = context.to_hub.send(&queue, Request::KeepTicket(session, Box::new(ticket)), 0);
    }

    async fn end(&self, end: End) {
        self.leave(&end).await;
        self.close(end).await;
    }

    /// Reads and writes until there is nothing more to do. The writer goes first: what it sends may let the reader go on.
    async fn talk(&self) -> End {
        let (mut writer, mut reader) = (Writer::new(self), Reader::new(self));
        let writing = future::poll_fn(|cx| writer.poll(cx));
        let reading = async {
            match reader.read().await {
                // The writer sends the rest, and ends the conversation.
                Ok(()) => future::pending().await,
                Err(_) => End::Lost,
            }
        };
        future::or(writing, reading).await
    }

    /// Reports the end to the hub, and waits until the session has given up the connection: a client that sees its connection closed can
    /// rely on it that all others have seen it leave.
    async fn leave(&self, end: &End) {
        let reason = match end {
            End::Closed { .. } => LeaveReason::Eof,
            End::Slow(_) => LeaveReason::Slow,
            End::Lost => LeaveReason::Lost,
        };
        if !self.mailbox.lifecycle().is_closed() && self.tell(InputKind::Disconnected(reason)).is_ok() {
            self.until(|mailbox| mailbox.lifecycle().is_closed()).await;
        }
    }

    /// Closes so that what was sent arrives, late if need be: the kernel keeps it until TCP gives up.
    async fn close(&self, end: End) {
        let closing = async {
            match &end {
                End::Closed { .. } | End::Lost => {
                    let reason = self.mailbox.lifecycle().reason().unwrap_or(CloseReason::Left(LeaveReason::Lost));
                    self.transport.send_end(reason, None).await?;
                }
                End::Slow(why) => self.tell_slow(why).await?,
            }
            self.transport.close().await
        };
        if !matches!(end, End::Closed { is_sent: false } | End::Lost) {
            // Either way the socket is closed now.
            let _ = in_time(closing).await;
        }
    }

    /// Tells a slow consumer why it is disconnected. Its socket is full, so it gets some room for that; a client that reads on later reads
    /// it.
    async fn tell_slow(&self, what: &str) -> io::Result<()> {
        self.transport.set_send_buffer(LAST_SEND_BUFFER_BYTES)?;
        let line = ServerLine::Err(Refusal::new(None, ErrorCode::Slow, what).with_hint(Hint::Reconnect));
        self.transport.send_end(CloseReason::Left(LeaveReason::Slow), Some(&line.to_string())).await
    }

    fn tell(&self, action: InputKind) -> io::Result<()> {
        self.tell_line(action, 0)
    }

    /// Puts into the row what a line of so many bytes says.
    fn tell_line(&self, action: InputKind, bytes: u32) -> io::Result<()> {
        self.context.to_hub.send(&self.queue, Request::Act(self.session, action), bytes)
    }

    async fn until(&self, holds: impl FnMut(&Mailbox) -> bool) {
        until(&self.mailbox, holds).await;
    }
}

pub(super) async fn until(mailbox: &Mailbox, mut holds: impl FnMut(&Mailbox) -> bool) {
    future::poll_fn(|cx| {
        mailbox.register(cx.waker());
        if holds(mailbox) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
