//! The hub: the loop that owns the sessions and their room.
//!
//! Connections send it requests through the inbox; it never waits for a client. Beside it stand the sessions, with the room and the
//! sequencer (the commit pipeline), and the delivery, with the feed and the mailboxes. This is the one order in which they are called, once
//! for each turn:
//!
//! ```text
//! process_report    the store's result of a batch: its messages become ready entries
//! process        for each request: Sessions::apply, then Delivery::deliver for each output, in order
//! publish        Delivery::publish     appends the events to the feed, then wakes the connections
//!                settle                Sessions::advance applies ready entries, then Sessions::end_turn passes new messages to the store
//!                disconnect_slow       the slow consumers that Delivery::publish found leave
//!                expire                the rest of the members that timed out leave
//! ```
//!
//! What `settle` and the calls after it deliver is published in the next turn. While entries are ready, or the feed's next segment is full,
//! no request is processed. [`Hub`] is driven by its caller: requests and the time are arguments. `run` is the task that does so: it reads
//! the inbox and the clock, and it alone waits, for requests and for reports of the store.

use std::any::Any;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future;
use smol::Timer;

use super::clock::Clock;
use super::console;
use super::delivery::Delivery;
use super::request_queue::RequestQueues;
use super::storage::StoredMessages;
use crate::feed::{Feed, Mailbox};
use crate::limits::{STORE_CLOSE_MS_MAX, TURN_INPUTS_MAX};
use crate::protocol::{LeaveReason, Timestamp};
use crate::room::SessionId;
use crate::session::{BySession, Input, InputKind, Output, Sessions};

/// What connections send to the hub.
#[derive(Debug)]
pub enum Request {
    /// A client connected. Its lines go to this mailbox.
    Connect(SessionId, SocketAddr, Arc<Mailbox>),
    /// Something else happened.
    Act(SessionId, InputKind),
    /// The connection's task has ended. The ticket, which counts it as connected, is kept while its member is detached.
    KeepTicket(SessionId, Box<dyn Any + Send>),
    /// A health check: the hub adds one to the count of answered lines of this mailbox.
    Probe(Arc<Mailbox>),
}

/// The sessions with their room, and the delivery of their outputs.
#[derive(Debug)]
pub struct Hub {
    sessions: Sessions,
    delivery: Delivery,
    /// The admission tickets of detached members.
    tickets: BySession<Box<dyn Any + Send>>,
    /// Kept between calls for its capacity. Empty outside of [`Hub::apply`] and [`Hub::settle`].
    outputs: Vec<Output>,
}

impl Hub {
    /// A hub that owns these sessions and their room, and publishes to `feed`.
    pub fn new(sessions: Sessions, feed: Arc<Feed>) -> Self {
        Self { sessions, delivery: Delivery::new(feed), tickets: BySession::default(), outputs: Vec::new() }
    }

    /// The same hub, which reads stored messages here.
    #[cfg(feature = "store")]
    pub(super) fn with_stored(self, stored: Arc<dyn StoredMessages>) -> Self {
        let last_id = self.sessions.room().last_id();
        Self { delivery: self.delivery.with_stored(stored, last_id), ..self }
    }

    /// Where stored messages are read, if they are stored.
    pub(super) fn stored(&self) -> Option<&Arc<dyn StoredMessages>> {
        self.delivery.stored()
    }

    /// The sessions and their room.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Processes a request. Its events are visible to others after the next [`Hub::publish`].
    pub fn process(&mut self, at: Timestamp, request: Request) {
        match request {
            Request::Connect(session, address, mailbox) => {
                self.delivery.connect(session, mailbox);
                self.apply(at, session, InputKind::Connect(address));
            }
            Request::Probe(mailbox) => {
                mailbox.count_answered();
                mailbox.wake();
            }
            Request::KeepTicket(session, ticket) => {
                if self.sessions.is_detached(session) {
                    self.tickets.insert(session, ticket);
                }
            }
            Request::Act(session, kind) => self.apply(at, session, kind),
        }
    }

    /// Whether to publish before processing more requests.
    pub fn is_full(&self) -> bool {
        self.delivery.is_full()
    }

    /// Whether another turn is due, even without a request.
    pub fn is_turn_due(&self) -> bool {
        let sequencer = self.sessions.sequencer();
        self.delivery.has_slow()
            || self.delivery.has_events()
            || sequencer.has_next()
            || sequencer.needs_turn()
            || self.sessions.has_expired()
    }

    /// Whether entries are ready. They must be applied before the next request.
    pub fn has_entries(&self) -> bool {
        self.sessions.sequencer().has_next()
    }

    /// Whether submitted changes have not been applied yet.
    pub fn is_storing(&self) -> bool {
        self.sessions.sequencer().is_busy()
    }

    /// Processes one report of the store, if there is one. Returns whether there was.
    pub fn process_report(&mut self) -> bool {
        let is_taken = self.sessions.sequencer_mut().process_report();
        if is_taken {
            self.settle();
        }
        is_taken
    }

    /// Waits for a report of the store, and processes it. Waits forever without a store. Returns false if the store has failed.
    async fn next_report(&mut self) -> bool {
        let is_taken = future::poll_fn(|cx| self.sessions.sequencer_mut().poll_report(cx)).await;
        self.settle();
        is_taken
    }

    /// Closes the sequencer. The hub submits nothing afterwards.
    async fn close_sequencer(&mut self) {
        let mut sequencer = self.sessions.take_sequencer();
        smol::unblock(move || sequencer.close()).await;
    }

    /// Publishes the events of the turn. Then applies ready entries, and lets slow consumers and expired members leave; those events are
    /// published in the next turn.
    pub fn publish(&mut self, at: Timestamp) {
        self.delivery.publish();
        self.settle();
        self.disconnect_slow(at);
        self.expire(at);
    }

    /// Applies ready entries, as many as fit into a segment. Then ends the sequencer's turn.
    fn settle(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        while !self.is_full() && self.sessions.advance(&mut outputs) {
            self.deliver(SessionId::SERVER, &mut outputs);
        }
        self.outputs = outputs;
        self.sessions.end_turn();
    }

    /// Disconnects slow consumers, as many as fit into a segment.
    fn disconnect_slow(&mut self, at: Timestamp) {
        while !self.is_full()
            && !self.has_entries()
            && let Some(session) = self.delivery.next_slow()
        {
            self.apply(at, session, InputKind::Disconnected(LeaveReason::Slow));
        }
    }

    /// Repeats the last tick, if more sessions or members timed out at it than may leave in one turn.
    fn expire(&mut self, at: Timestamp) {
        if self.sessions.has_expired() && !self.is_full() && !self.has_entries() {
            self.apply(at, SessionId::SERVER, InputKind::Tick(self.sessions.now()));
        }
    }

    fn apply(&mut self, at: Timestamp, session: SessionId, kind: InputKind) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.sessions.apply(Input { at, session, kind }, &mut outputs);
        self.deliver(session, &mut outputs);
        self.outputs = outputs;
    }

    /// Delivers outputs, in order, and empties the list.
    fn deliver(&mut self, cause: SessionId, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            log(&self.sessions, &output);
            if let Output::Remove(session) = output {
                self.tickets.remove(session);
            }
            self.delivery.deliver(self.sessions.room(), cause, output);
        }
    }
}

/// Writes to the operator's log what an output means.
fn log(sessions: &Sessions, output: &Output) {
    match output {
        Output::Publish { session, event, .. } => console::event(*session, event),
        Output::Follow(session) => match (sessions.name(*session), sessions.resumed_session(*session)) {
            (Some(name), Some(first)) => console::resumed(*session, first, name),
            (Some(name), None) => console::named(*session, name),
            (None, _) => {}
        },
        Output::Detach(session) => {
            if let Some(name) = sessions.name(*session) {
                console::detached(*session, name);
            }
        }
        _ => {}
    }
}

/// Runs a hub for as long as requests can come.
///
/// A turn carries out all that waits, up to a bound, and publishes it at once; then the writers that were woken run
/// before the next turn. So the more there is to do, the more each write carries.
///
/// # Panics
/// After a fault in the store's thread.
pub(super) async fn run(mut hub: Hub, mut queues: RequestQueues, clock: Arc<dyn Clock>) {
    loop {
        if !hub.is_turn_due() && !wait(&mut hub, &mut queues).await {
            return;
        }
        let at = clock.wall();
        hub.process_report();
        if take_turns(&mut hub, &mut queues, at).is_break() {
            // Lines that were read before the stop, from clients that had more than one turn's worth.
            let _ = take_turns(&mut hub, &mut queues, at);
            settle_in_time(&mut hub, &*clock).await;
            hub.process(clock.wall(), Request::Act(SessionId::SERVER, InputKind::Shutdown));
            hub.publish(clock.wall());
            hub.close_sequencer().await;
        }
        hub.publish(at);
        future::yield_now().await;
    }
}

/// Carries out as many requests as there are, or fit into a turn; breaks off where one is that the server stops.
fn take_turns(hub: &mut Hub, queues: &mut RequestQueues, at: Timestamp) -> ControlFlow<()> {
    let mut stop = ControlFlow::Continue(());
    let mut taken = 0;
    if !hub.is_full() && !hub.has_entries() {
        queues.take_turns(|request| {
            if matches!(request, Request::Act(_, InputKind::Shutdown)) {
                stop = ControlFlow::Break(());
                return stop;
            }
            hub.process(at, request);
            taken += 1;
            if taken < TURN_INPUTS_MAX && !hub.is_full() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    stop
}

/// Waits for requests, or a report of the store. Returns false if neither can come any more.
async fn wait(hub: &mut Hub, queues: &mut RequestQueues) -> bool {
    let report = async {
        assert!(hub.next_report().await, "the thread that stores messages is gone");
        true
    };
    future::or(report, queues.wait()).await
}

/// At shutdown, waits for the store's result of each message, and replies to its author. Refuses messages whose result comes too late.
async fn settle_in_time(hub: &mut Hub, clock: &dyn Clock) {
    let settle = async {
        while hub.is_storing() {
            if !hub.has_entries() && !hub.sessions.sequencer().needs_turn() && !hub.next_report().await {
                return;
            }
            hub.publish(clock.wall());
        }
    };
    let late = async {
        Timer::after(Duration::from_millis(STORE_CLOSE_MS_MAX)).await;
    };
    future::or(settle, late).await;
    hub.sessions.sequencer_mut().refuse_unconfirmed();
    while hub.has_entries() {
        hub.publish(clock.wall());
    }
}

#[cfg(test)]
mod backlog_tests;
#[cfg(test)]
mod tests;
