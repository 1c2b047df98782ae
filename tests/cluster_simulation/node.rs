//! A simulated node: the hub with its sessions, feed and sequencer, as in the server, and its clients.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use chinwag::cluster::{Genesis, LogCore, LogSequencer};
use chinwag::command::ClientLine;
use chinwag::feed::Feed;
use chinwag::protocol::{LeaveReason, Mode, Peer, Secret, Timestamp, Token};
use chinwag::sequencer::{Change, Sequenced, Sequencer};
use chinwag::server::hub::{Hub, HubRequest};
use chinwag::session::{InputKind, Sessions, Timeouts};
use chinwag::state::{Incarnation, SessionId, SharedState, Uptime};

use super::client::Client;
use super::engine::{Link, Process};
use super::reference::{Reference, hash_of};
use super::{Coverage, Outcomes};

/// Large enough that no simulated client is slow.
const FEED_BYTES: usize = 4 << 20;

/// The sequencer of a node. The simulation looks at it, too.
#[derive(Clone, Debug)]
struct SharedSequencer(Arc<Mutex<LogSequencer<Link>>>);

impl SharedSequencer {
    fn lock(&self) -> MutexGuard<'_, LogSequencer<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sequencer for SharedSequencer {
    fn submit(&mut self, change: Change) {
        self.lock().submit(change);
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.lock().next()
    }

    fn has_next(&self) -> bool {
        self.lock().has_next()
    }

    fn has_shared_log(&self) -> bool {
        self.lock().has_shared_log()
    }

    fn note_joined(&mut self, run: u64, incarnation: Incarnation) -> bool {
        self.lock().note_joined(run, incarnation)
    }

    fn note_expired(&mut self, incarnation: Incarnation) {
        self.lock().note_expired(incarnation);
    }

    fn is_busy(&self) -> bool {
        self.lock().is_busy()
    }

    fn end_turn(&mut self, state: &SharedState) {
        self.lock().end_turn(state);
    }

    fn needs_turn(&self) -> bool {
        self.lock().needs_turn()
    }

    fn process_report(&mut self) -> bool {
        self.lock().process_report()
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.lock().poll_report(cx)
    }

    fn refuse_unconfirmed(&mut self) {
        self.lock().refuse_unconfirmed();
    }
}

pub(crate) struct Node {
    pub(crate) process: Process,
    hub: Hub,
    feed: Arc<Feed>,
    sequencer: SharedSequencer,
    link: Link,
    pub(crate) clients: BTreeMap<SessionId, Client>,
    last_session: u64,
    last_secret: u128,
    /// Its own clock, in milliseconds since its start, and in seconds at the last tick.
    pub(crate) uptime_ms: u64,
    ticked: u64,
    /// Until when it is frozen.
    pub(crate) frozen_until: u64,
    incarnation: Incarnation,
}

impl Node {
    pub(crate) fn start(name: &str, process: Process, link: Link, genesis: Genesis) -> Self {
        let name = Token::new(name).expect("a valid token");
        let core = LogCore::new(name, genesis, link.draw_run());
        let sequencer = SharedSequencer(Arc::new(Mutex::new(LogSequencer::new(core, link.clone()))));
        let feed = Arc::new(Feed::new(FEED_BYTES));
        let sessions = Sessions::new(SharedState::default(), Timeouts::default())
            .with_unlimited_creation()
            .with_shared_log(Box::new(sequencer.clone()));
        Self {
            process,
            hub: Hub::new(sessions, Arc::clone(&feed)),
            feed,
            sequencer,
            link,
            clients: BTreeMap::new(),
            last_session: 0,
            last_secret: 0,
            uptime_ms: 0,
            ticked: 0,
            frozen_until: 0,
            incarnation: Incarnation::NONE,
        }
    }

    /// The last message that the node has read.
    pub(crate) fn position(&self) -> u64 {
        self.sequencer.lock().core().position().0
    }

    pub(crate) fn accepts_clients(&self) -> bool {
        self.hub.sessions().accepts_clients()
    }

    fn at(&self) -> Timestamp {
        // Each node has another clock, and none of them counts.
        Timestamp(i64::try_from(self.uptime_ms + 1_000_000 * self.process.0).unwrap_or(i64::MAX))
    }

    fn input(&mut self, session: SessionId, kind: InputKind) {
        self.hub.process(self.at(), HubRequest::Input(session, kind));
    }

    /// Runs turns until nothing is left to do.
    fn run_turns(&mut self) {
        for _ in 0..10_000 {
            self.hub.publish(self.at());
            if !self.hub.is_turn_due() {
                return;
            }
        }
        panic!("the hub has more and more turns to run");
    }

    /// Runs the node for a moment: its clock, and the reports of the engine, one after the other. After each message, its state must equal
    /// that of the reference.
    pub(crate) fn step(
        &mut self,
        passed_ms: u64,
        reference: &Reference,
        outcomes: &mut Outcomes,
        coverage: &mut Coverage,
    ) {
        self.uptime_ms += passed_ms;
        let now = self.uptime_ms / 1000;
        if now > self.ticked {
            self.ticked = now;
            self.input(SessionId::SERVER, InputKind::Tick(Uptime(now)));
        }
        self.run_turns();
        while self.link.allow_one() {
            let before = self.position();
            self.hub.process_report();
            self.run_turns();
            let position = self.position();
            if position > before {
                let own = hash_of(self.hub.sessions().state());
                assert_eq!(own, reference.hash_at(position), "the state after message {position} differs");
            }
            let failure = self.sequencer.lock().failure().map(str::to_owned);
            assert_eq!(failure, None, "a node has stopped");
        }
        let incarnation = self.hub.sessions().incarnation();
        if std::mem::replace(&mut self.incarnation, incarnation) != incarnation {
            self.last_session = 0;
            coverage.rejoined += u32::from(self.uptime_ms > 5000);
        }
        for client in self.clients.values_mut() {
            client.read(&self.feed, reference, outcomes, coverage);
        }
        self.remove_ended(outcomes);
    }

    /// Accepts a client, if the node is in the cluster.
    pub(crate) fn connect(&mut self) -> Option<SessionId> {
        if !self.accepts_clients() {
            return None;
        }
        self.last_session += 1;
        let session = SessionId(SessionId::of_node(self.incarnation).0 + self.last_session);
        let client = Client::new(&self.feed);
        let peer = Peer::from(([10, 0, 0, 1], 1024));
        self.hub.process(self.at(), HubRequest::Connect(session, peer, Arc::clone(&client.mailbox)));
        self.clients.insert(session, client);
        Some(session)
    }

    /// A client sends a line.
    pub(crate) fn send(&mut self, session: SessionId, line: &str) {
        let Some(client) = self.clients.get_mut(&session) else { return };
        if client.mailbox.lifecycle().reason().is_some() {
            return;
        }
        client.note_sent(line);
        let kind = match InputKind::from(ClientLine::parse(line, Mode::Commands)) {
            InputKind::Command(command) if command.needs_secret() => {
                self.last_secret += 1;
                let secret = self.last_secret + (u128::from(self.process.0) << 64);
                InputKind::CommandWithSecret(command, Secret::new(secret.to_be_bytes()))
            }
            kind => kind,
        };
        self.input(session, kind);
    }

    /// A client's connection breaks.
    pub(crate) fn lose(&mut self, session: SessionId, outcomes: &mut Outcomes) {
        self.input(session, InputKind::Disconnected(LeaveReason::Lost));
        if let Some(client) = self.clients.remove(&session) {
            outcomes.tokens.extend(client.token);
        }
    }

    /// Removes clients that have read their last line.
    fn remove_ended(&mut self, outcomes: &mut Outcomes) {
        let ended: Vec<_> = self.clients.iter().filter(|(_, client)| client.is_done).map(|(id, _)| *id).collect();
        for session in ended {
            let Some(client) = self.clients.remove(&session) else { continue };
            outcomes.tokens.extend(client.token);
            if !client.mailbox.lifecycle().is_closed() {
                self.input(session, InputKind::Disconnected(LeaveReason::Eof));
            }
        }
    }
}
