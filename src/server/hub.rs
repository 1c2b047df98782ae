//! The hub: the loop that owns the sessions and their room.
//!
//! Connections send it requests through `request_queue`; it never waits for a client. It owns the sessions, with the
//! room and the sequencer, and the delivery, with the feed and the mailboxes. Each turn calls them in this order:
//!
//! ```text
//! process_report     applies the messages of a committed batch; this turn publishes them
//! process_passwords  runs the logins whose passwords were checked
//! process            for each request: Sessions::apply, then Delivery::deliver for each output, in order
//! publish         Delivery::publish     appends the events to the feed, then wakes the connections
//!                 apply_ready           Sessions::advance applies ready entries, then Sessions::end_turn passes new messages to the store
//!                 disconnect_slow       disconnects the slow consumers that Delivery::publish found
//!                 expire_members        removes the rest of the members that timed out
//! ```
//!
//! The next turn publishes what `publish` applies after `Delivery::publish`. While entries are ready, or the feed's
//! next segment is full, no request is processed. [`Hub`] is driven by its caller: requests and the time are arguments.
//! The task `run` drives it: it receives the requests, reads the clock, and is the only part that waits, for requests
//! and for reports of the store.

mod operator;
mod status;

use std::any::Any;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_channel::Sender;
use futures_lite::future;
use smol::Timer;

use self::operator::OperatorChange;
pub use self::operator::{ModerationResult, OperatorResult};
pub use self::status::{HubStatus, SignOfLife};
use super::banned_networks::BannedNetworks;
use super::clock::Clock;
use super::delivery::Delivery;
use super::log::{self, RunLog};
use super::metrics::{CommitTimes, ServerMetrics};
use super::node::NodeReporter;
use super::password_threads::PasswordThreads;
use super::request_queue::HubReceiver;
pub use super::request_queue::HubRequest;
use super::store_reader::StoreReader;
use crate::feed::Feed;
use crate::limits::{STORE_CLOSE_MS_MAX, TURN_INPUTS_MAX};
use crate::protocol::{LeaveReason, Timestamp};
use crate::session::{BySession, Input, InputKind, Output, PasswordResult, Sessions};
use crate::state::SessionId;

/// The sessions with their room, and the delivery of their outputs.
#[derive(Debug)]
pub struct Hub {
    sessions: Sessions,
    delivery: Delivery,
    /// The admission tickets of detached members.
    tickets: BySession<Box<dyn Any + Send>>,
    /// Number of messages that were published.
    messages: u64,
    /// Check the passwords of accounts. `None`: the server has no accounts.
    passwords: Option<Box<dyn PasswordThreads>>,
    /// The results that were received and not processed yet.
    password_results: Vec<PasswordResult>,
    /// The operators whose moderation is not stored yet, in order.
    moderating: VecDeque<Sender<ModerationResult>>,
    /// The operators' changes of accounts that are not stored yet, in order.
    operator_changes: VecDeque<OperatorChange>,
    /// Counts wrong passwords. `None`: nobody reads about them.
    log: Option<Arc<RunLog>>,
    /// The networks that the listeners refuse.
    banned: Option<Arc<BannedNetworks>>,
    metrics: Arc<ServerMetrics>,
    commit_times: CommitTimes,
    /// Reports what happens to the server as a node of a cluster. `None`: nobody asks.
    node: Option<NodeReporter>,
    /// Kept between calls for its capacity. Empty outside of [`Hub::apply`] and [`Hub::apply_ready`].
    outputs: Vec<Output>,
}

impl Hub {
    /// Creates a hub that owns these sessions and their room, and publishes to `feed`.
    pub fn new(sessions: Sessions, feed: Arc<Feed>) -> Self {
        let (delivery, tickets) = (Delivery::new(feed), BySession::default());
        Self {
            sessions,
            delivery,
            tickets,
            messages: 0,
            passwords: None,
            password_results: Vec::new(),
            moderating: VecDeque::new(),
            operator_changes: VecDeque::new(),
            log: None,
            banned: None,
            metrics: Arc::default(),
            commit_times: CommitTimes::default(),
            node: None,
            outputs: Vec::new(),
        }
    }

    /// Lets these threads check the passwords of accounts.
    #[cfg(feature = "accounts")]
    pub(super) fn with_passwords(self, passwords: Box<dyn PasswordThreads>) -> Self {
        Self { passwords: Some(passwords), ..self }
    }

    /// Reports wrong passwords to this log.
    pub(super) fn with_log(self, log: Arc<RunLog>) -> Self {
        Self { log: Some(log), ..self }
    }

    /// Reports what happens to the server as a node of a cluster.
    pub(super) fn with_node(self, node: NodeReporter) -> Self {
        Self { node: Some(node), ..self }
    }

    /// Tells the listeners, by this set, which networks are banned.
    pub(super) fn with_banned_networks(self, banned: Arc<BannedNetworks>) -> Self {
        for (network, ban) in self.sessions.banned_networks() {
            banned.set(network, ban);
        }
        Self { banned: Some(banned), ..self }
    }

    /// Counts turns and refusals here.
    pub(super) fn with_metrics(self, metrics: Arc<ServerMetrics>) -> Self {
        Self { delivery: self.delivery.with_metrics(Arc::clone(&metrics)), metrics, ..self }
    }

    /// The times of the store's commits, for the metrics.
    #[cfg(feature = "store")]
    pub(super) fn with_commit_times(self, commit_times: CommitTimes) -> Self {
        Self { commit_times, ..self }
    }

    /// How long the store's commits take.
    pub(super) fn commit_times(&self) -> &CommitTimes {
        &self.commit_times
    }

    /// Lets the hub read stored messages.
    #[cfg(feature = "store")]
    pub(super) fn with_store_reader(self, reader: Arc<dyn StoreReader>) -> Self {
        Self { delivery: self.delivery.with_store_reader(reader), ..self }
    }

    /// The reader of stored messages. `None` without a store.
    pub(super) fn store_reader(&self) -> Option<&Arc<dyn StoreReader>> {
        self.delivery.store_reader()
    }

    /// The sessions and their room.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Processes a request. Its events are visible to others after the next [`Hub::publish`].
    pub fn process(&mut self, at: Timestamp, request: HubRequest) {
        match request {
            HubRequest::Connect(session, peer, mailbox) => {
                self.delivery.connect(session, mailbox);
                self.apply(at, session, InputKind::Connect(peer));
            }
            HubRequest::Probe(mailbox) => {
                mailbox.count_answered();
                mailbox.wake();
            }
            HubRequest::GiveSignOfLife(asking) => {
                // Fails if the server stops.
                let _ = asking.try_send(self.sign_of_life());
            }
            HubRequest::Status(asking) => {
                // Fails if the operator no longer waits.
                let _ = asking.try_send(self.status());
            }
            HubRequest::Audit(asking) => {
                let _ = asking.try_send(self.sessions.sequencer().unstored_audit());
            }
            HubRequest::Operate(request, to_operator) => self.process_operator(at, request, to_operator),
            HubRequest::Moderate(line, to_operator) => self.process_moderation(at, line, to_operator),
            HubRequest::KeepTicket(session, ticket) => {
                if self.sessions.is_detached(session) {
                    self.tickets.insert(session, ticket);
                }
            }
            HubRequest::Input(session, kind) => self.apply(at, session, kind),
        }
    }

    /// Whether to publish before processing more requests.
    pub fn must_publish(&self) -> bool {
        self.delivery.is_full()
    }

    /// Whether another turn is due, even without a request.
    pub fn is_turn_due(&self) -> bool {
        self.delivery.has_slow()
            || self.delivery.has_events()
            || self.has_ready_entries()
            || self.sessions.sequencer().needs_turn()
            || self.sessions.has_expired()
    }

    /// Whether entries are ready. They must be applied before the next request.
    pub fn has_ready_entries(&self) -> bool {
        self.sessions.sequencer().has_next()
    }

    /// Whether submitted changes have not been applied yet.
    pub fn has_pending_changes(&self) -> bool {
        self.sessions.sequencer().is_busy()
    }

    /// Processes one report of the store, if there is one. Returns whether there was.
    pub fn process_report(&mut self) -> bool {
        let was_processed = self.sessions.sequencer_mut().process_report();
        if was_processed {
            self.apply_ready();
        }
        was_processed
    }

    /// Processes the passwords that were checked.
    pub fn process_passwords(&mut self, at: Timestamp) {
        while let Poll::Ready(()) = self.poll_password(&mut Context::from_waker(Waker::noop())) {}
        for result in std::mem::take(&mut self.password_results) {
            self.apply(at, SessionId::SERVER, InputKind::PasswordProcessed(result));
        }
    }

    /// Waits until [`Hub::process_passwords`] has something to do.
    fn poll_password(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.passwords.as_mut().map(|passwords| passwords.poll_result(cx)) {
            Some(Poll::Ready(Some(result))) => {
                self.password_results.push(result);
                Poll::Ready(())
            }
            // The threads end after the hub, unless one has panicked.
            Some(Poll::Ready(None) | Poll::Pending) | None => Poll::Pending,
        }
    }

    /// Waits for a report of the store, and processes it. Waits forever without a store. Returns false if the store has failed. Returns
    /// earlier if a password was checked.
    async fn next_report(&mut self) -> bool {
        let was_processed = future::poll_fn(|cx| match self.poll_password(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => self.sessions.sequencer_mut().poll_report(cx),
        });
        let was_processed = was_processed.await;
        self.apply_ready();
        was_processed
    }

    /// Why the server cannot be a node of its cluster any more.
    fn node_failure(&self) -> Option<String> {
        let sequencer = self.sessions.sequencer();
        sequencer.failure().filter(|_| sequencer.has_shared_log()).map(str::to_owned)
    }

    /// Disconnects all clients if the server cannot be a node of its cluster any more. The server then stops.
    async fn stop_if_failed(&mut self, clock: &dyn Clock) {
        let Some(why) = self.node_failure() else { return };
        self.process(clock.wall(), HubRequest::Input(SessionId::SERVER, InputKind::Shutdown));
        self.publish(clock.wall());
        self.close_sequencer().await;
        self.node.iter().for_each(|node| node.report_failure(why.clone()));
    }

    /// Closes the sequencer. The hub submits nothing afterwards.
    async fn close_sequencer(&mut self) {
        let mut sequencer = self.sessions.take_sequencer();
        smol::unblock(move || sequencer.close()).await;
    }

    /// Publishes the events of the turn. Then applies ready entries, disconnects slow consumers and removes expired
    /// members; the next turn publishes those events.
    pub fn publish(&mut self, at: Timestamp) {
        self.delivery.publish();
        self.apply_ready();
        self.disconnect_slow(at);
        self.expire_members(at);
    }

    /// Applies ready entries, as many as fit into a segment. Then ends the sequencer's turn.
    fn apply_ready(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        while !self.must_publish() && self.sessions.advance(&mut outputs) {
            self.deliver(SessionId::SERVER, &mut outputs);
        }
        self.outputs = outputs;
        self.sessions.end_turn();
    }

    /// Disconnects slow consumers, as many as fit into a segment.
    fn disconnect_slow(&mut self, at: Timestamp) {
        while !self.must_publish()
            && !self.has_ready_entries()
            && let Some(session) = self.delivery.next_slow()
        {
            self.apply(at, session, InputKind::Disconnected(LeaveReason::Slow));
        }
    }

    /// Repeats the last tick if more sessions or members timed out at it than may leave in one turn.
    fn expire_members(&mut self, at: Timestamp) {
        if self.sessions.has_expired() && !self.must_publish() && !self.has_ready_entries() {
            self.apply(at, SessionId::SERVER, InputKind::Tick(self.sessions.last_tick()));
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
        // A node that joins a cluster reads what happened before: that is neither logged nor counted again.
        let is_live = self.sessions.accepts_clients();
        for output in outputs.iter() {
            if is_live {
                self.metrics.count_output(output);
            }
            match (output, &self.log) {
                (Output::Log(change), _) if is_live => log::membership_change(change),
                (Output::NodeJoined { node, incarnation, is_own }, _) if is_live || *is_own => {
                    self.node.iter().for_each(|reporter| reporter.report_joined(node, *incarnation, *is_own));
                }
                (Output::NodeExpired { node, incarnation, is_own }, _) if is_live || *is_own => {
                    self.node.iter().for_each(|reporter| reporter.report_expired(node, *incarnation, *is_own));
                }
                (Output::Remove(session), _) => drop(self.tickets.remove(*session)),
                (Output::CheckPassword(job), _) => {
                    self.passwords.iter_mut().for_each(|passwords| passwords.submit(job.clone()));
                }
                (Output::AccountChanged(result), _) => self.finish_operator_change(result.clone()),
                (Output::WrongPassword(address), Some(log)) => log.count_wrong_password(*address),
                (Output::Moderated(line), _) => self.finish_moderation(line),
                (Output::BanNetwork(network, ban), _) => {
                    self.banned.iter().for_each(|banned| banned.set(*network, ban.clone()));
                }
                (Output::Publish { id: Some(_), .. }, _) if is_live => self.messages += 1,
                _ => {}
            }
            self.delivery.deliver(self.sessions.state(), cause, output);
        }
        outputs.clear();
    }
}

/// Runs the turns of a hub until no request can come any more.
///
/// Each turn processes the requests that wait, up to a limit, and publishes the result once. Then the writers that it woke run before the
/// next turn. So under heavy load, each write carries more.
///
/// # Panics
/// If the store's writer thread has panicked.
pub(super) async fn run(mut hub: Hub, mut requests: HubReceiver, clock: Arc<dyn Clock>) {
    loop {
        if !hub.is_turn_due() && !wait_for_work(&mut hub, &mut requests).await {
            return;
        }
        hub.stop_if_failed(&*clock).await;
        let (at, turn) = (clock.wall(), hub.metrics.begin_turn(&*clock));
        hub.process_report();
        hub.process_passwords(at);
        if process_requests(&mut hub, &mut requests, at).is_break() {
            // Processes what clients sent before the stop beyond their share of one turn.
            let _ = process_requests(&mut hub, &mut requests, at);
            finish_commits(&mut hub, &*clock).await;
            hub.process(clock.wall(), HubRequest::Input(SessionId::SERVER, InputKind::Shutdown));
            hub.publish(clock.wall());
            hub.close_sequencer().await;
        }
        hub.publish(at);
        hub.metrics.end_turn(turn, &*clock, &requests);
        future::yield_now().await;
    }
}

/// Processes the requests that wait, as many as fit into a turn. Breaks at the request to shut down.
fn process_requests(hub: &mut Hub, requests: &mut HubReceiver, at: Timestamp) -> ControlFlow<()> {
    let mut stop = ControlFlow::Continue(());
    let mut processed = 0;
    if !hub.must_publish() && !hub.has_ready_entries() {
        requests.process_in_turns(|request| {
            if matches!(request, HubRequest::Input(_, InputKind::Shutdown)) {
                stop = ControlFlow::Break(());
                return stop;
            }
            hub.process(at, request);
            processed += 1;
            if processed < TURN_INPUTS_MAX && !hub.must_publish() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
    }
    stop
}

/// Waits for requests, or a report of the store. Returns false if neither can come any more.
async fn wait_for_work(hub: &mut Hub, requests: &mut HubReceiver) -> bool {
    let report = async {
        let was_processed = hub.next_report().await;
        assert!(was_processed || hub.node_failure().is_some(), "the thread that stores messages is gone");
        true
    };
    future::or(report, requests.wait()).await
}

/// At shutdown, waits for the store's result of each message, and replies to its author. After [`STORE_CLOSE_MS_MAX`], refuses the messages
/// that have no result.
async fn finish_commits(hub: &mut Hub, clock: &dyn Clock) {
    let commits = async {
        while hub.has_pending_changes() {
            if !hub.has_ready_entries() && !hub.sessions.sequencer().needs_turn() && !hub.next_report().await {
                return;
            }
            hub.process_passwords(clock.wall());
            hub.publish(clock.wall());
        }
    };
    let late = async {
        Timer::after(Duration::from_millis(STORE_CLOSE_MS_MAX)).await;
    };
    future::or(commits, late).await;
    hub.sessions.sequencer_mut().refuse_unconfirmed();
    while hub.has_ready_entries() {
        hub.publish(clock.wall());
    }
}

#[cfg(test)]
mod backlog_tests;
#[cfg(test)]
mod operator_tests;
#[cfg(test)]
mod tests;
