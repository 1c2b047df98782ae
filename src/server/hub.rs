//! The hub owns the room: it passes inputs to the sessions, publishes the outputs, and wakes the connections that get them.
//!
//! [`Hub`] is driven by its caller: requests and the time are arguments. `run` is the task that does so: it reads the queues and the
//! clock, and it alone waits, for requests and for reports of the store.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_lite::future;
use smol::Timer;

use super::console;
use super::inbox::Rows;
use super::replay::{Replays, Told};
use super::roster::Rosters;
use super::storage::StoredMessages;
use crate::command::HistoryQuery;
use crate::command::{Reply, ServerLine};
use crate::feed::{Appended, Draft, Feed, Outbox, Place, Standing};
use crate::limits::{
    PIN_OVERHEAD_BYTES, STORE_CLOSE_MS_MAX, TURN_INPUTS_MAX, TURN_PRIVATE_BYTES_MAX, WHISPER_BYTES_MAX,
};
use crate::protocol::{Closing, DIALECTS, Dialect, Event, LeaveReason, MessageId, Mode, Tag, Timestamp, User};
use crate::room::{Kept, Room, SessionId};
use crate::session::{BySession, Input, InputKind, Output, Sessions};

/// What connections send to the hub.
#[derive(Debug)]
pub enum Request {
    /// A peer connected; what is for it goes to this outbox.
    Connect(SessionId, SocketAddr, Arc<Outbox>),
    /// Something else happened.
    Act(SessionId, InputKind),
    /// A health check: the hub adds one to the count of answered lines of this outbox.
    Probe(Arc<Outbox>),
}

/// The room, and where its outputs go.
#[derive(Debug)]
pub struct Hub {
    sessions: Sessions,
    feed: Arc<Feed>,
    draft: Draft,
    members: BySession<Member>,
    /// Those who got something for themselves alone since the last publishing.
    touched: Vec<(SessionId, Arc<Outbox>)>,
    /// Bytes of private lines rendered since the last publishing.
    private_bytes: usize,
    /// The mailboxes of connections that are done with, and whose names are held.
    held: BySession<Arc<Outbox>>,
    rosters: Rosters,
    replays: Replays,
    /// Where stored messages are read, if they are stored.
    stored: Option<Arc<dyn StoredMessages>>,
    /// Bytes of whispers since all that wait were last counted.
    whispered: usize,
    /// Those who did not read, to be let go.
    slow: BTreeSet<SessionId>,
    /// The line that is being processed has its final reply.
    is_answered: bool,
    /// Kept between calls for its capacity. Empty outside of [`Hub::apply`].
    outputs: Vec<Output>,
}

/// Somebody who is connected.
#[derive(Debug)]
struct Member {
    outbox: Arc<Outbox>,
    dialect: Dialect,
    /// The mode in which hints write commands.
    mode: Mode,
    /// From where on they read the feed in `dialect`; none before they joined.
    follows_from: Option<Place>,
    /// Is among `Hub::touched`.
    touched: bool,
    /// How old the oldest past messages are that wait for them, by [`Replays::age`], if any may.
    replayed_at: Option<u64>,
}

impl Member {
    /// Where in the feed the member is spoken to now.
    fn place(&self, draft: &Draft) -> Option<Place> {
        self.follows_from.map(|_| draft.place(self.dialect))
    }

    /// Whether what the member is to read next is older than the oldest kept.
    fn fell_off(&self, oldest: &[u64; DIALECTS]) -> bool {
        // One who is stuck since before they joined, or took this dialect, has that still ahead.
        let reached = self.outbox.reached().filter(|(dialect, _)| *dialect == self.dialect);
        let offset = reached.map(|(_, offset)| offset).or(self.follows_from.map(|place| place.offset));
        offset.is_some_and(|offset| offset < oldest[self.dialect.index()])
    }
}

impl Hub {
    /// A hub that owns these sessions and their room, and publishes to `feed`.
    pub fn new(sessions: Sessions, feed: Arc<Feed>) -> Self {
        Self {
            sessions,
            feed,
            draft: Draft::default(),
            members: BySession::default(),
            touched: Vec::new(),
            private_bytes: 0,
            held: BySession::default(),
            rosters: Rosters::default(),
            replays: Replays::default(),
            stored: None,
            whispered: 0,
            slow: BTreeSet::new(),
            is_answered: false,
            outputs: Vec::new(),
        }
    }

    /// The same hub, which reads stored messages here.
    #[cfg(feature = "store")]
    pub(super) fn with_stored(self, stored: Arc<dyn StoredMessages>) -> Self {
        let draft = Draft::marked(self.sessions.room().last_id());
        Self { stored: Some(stored), draft, ..self }
    }

    /// Where stored messages are read, if they are stored.
    pub(super) fn stored(&self) -> Option<&Arc<dyn StoredMessages>> {
        self.stored.as_ref()
    }

    /// The sessions and their room.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Processes a request. Its events are visible to others after the next [`Hub::publish`].
    pub fn take(&mut self, at: Timestamp, request: Request) {
        #[cfg(test)]
        tests::fail_if_asked(&request);
        match request {
            Request::Connect(session, address, outbox) => {
                let member = Member {
                    outbox,
                    dialect: Dialect::default(),
                    mode: Mode::default(),
                    follows_from: None,
                    touched: false,
                    replayed_at: None,
                };
                self.members.insert(session, member);
                self.apply(at, session, InputKind::Connect(address));
            }
            Request::Probe(outbox) => {
                outbox.count_answered();
                outbox.wake();
            }
            Request::Act(session, action) => {
                let is_line = matches!(
                    action,
                    InputKind::Blank
                        | InputKind::AreYouThere
                        | InputKind::Command(_)
                        | InputKind::CommandWithSecret(..)
                        | InputKind::Refuse(_)
                );
                let sender = self.members.get_mut(session).filter(|_| is_line).map(|member| {
                    touch(&mut self.touched, session, member);
                    Arc::clone(&member.outbox)
                });
                self.apply(at, session, action);
                // Last: once a line counts as answered, all its outputs must be in the outbox. A message is answered once it is durable.
                if let Some(outbox) = sender.filter(|_| std::mem::take(&mut self.is_answered)) {
                    outbox.count_answered();
                }
            }
        }
    }

    /// Whether to publish before carrying out more.
    pub fn is_full(&self) -> bool {
        self.private_bytes > TURN_PRIVATE_BYTES_MAX || self.draft.is_full(self.feed.bytes_max())
    }

    /// Whether there is something to publish, whatever comes in.
    pub fn is_behind(&self) -> bool {
        !self.slow.is_empty()
            || !self.draft.is_empty()
            || self.is_settling()
            || self.is_gathering()
            || self.sessions.expired_wait()
    }

    /// Whether entries are ready. They must be applied before the next request.
    pub fn is_settling(&self) -> bool {
        self.sessions.sequencer().has_next()
    }

    /// Whether the next turn passes messages to the store when it ends.
    fn is_gathering(&self) -> bool {
        self.sessions.sequencer().needs_turn()
    }

    /// Whether submitted changes have not been applied yet.
    pub fn is_storing(&self) -> bool {
        self.sessions.sequencer().is_busy()
    }

    /// Processes one report of the store, if there is one. Returns whether there was.
    pub fn take_report(&mut self) -> bool {
        let is_taken = self.sessions.sequencer_mut().take_report();
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

    /// Applies ready entries, as many as fit into a segment. Then ends the sequencer's turn.
    fn settle(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        while !self.is_full() && self.sessions.advance(&mut outputs) {
            for output in outputs.drain(..) {
                self.deliver(SessionId::SERVER, output);
            }
        }
        self.outputs = outputs;
        self.sessions.end_turn();
    }

    /// Publishes what was drafted and wakes whom it concerns; then lets go of those who do not read, which is drafted for
    /// the next time: those who do read have a turn to do so before.
    pub fn publish(&mut self, at: Timestamp) {
        let appended = self.feed.append(&mut self.draft);
        self.private_bytes = 0;
        for (session, outbox) in self.touched.drain(..) {
            outbox.wake();
            if let Some(member) = self.members.get_mut(session) {
                member.touched = false;
            }
        }
        self.wake_followers(appended);
        for (session, bytes) in self.rosters.call_in(self.feed.bytes_max()) {
            let unread = |member: &Member| member.outbox.waiting_bytes() >= bytes;
            if self.members.get(session).is_some_and(unread) {
                self.slow.insert(session);
            }
        }
        self.bound_replays();
        self.bound_whispers();
        self.settle();
        self.let_go(at);
        self.expire(at);
    }

    /// Repeats the last tick, if more sessions or members timed out at it than may leave in one turn.
    fn expire(&mut self, at: Timestamp) {
        if self.sessions.expired_wait() && !self.is_full() && !self.is_settling() {
            self.apply(at, SessionId::SERVER, InputKind::Tick(self.sessions.now()));
        }
    }

    /// Of past messages that are kept for those only who asked for them and did not read, as much is kept as of the feed.
    fn bound_replays(&mut self) {
        let Some(last) = self.replays.call_in(self.feed.bytes_max()) else { return };
        let unread = |member: &Member| member.replayed_at.is_some_and(|age| age <= last) && member.outbox.has_shared();
        let unread = self.members.iter().filter(|(_, member)| unread(member));
        self.slow.extend(unread.map(|(session, _)| session));
    }

    /// Of whispers that wait, over all connections, as much is kept as of the feed: half of it after a count, and as much
    /// again until the next. Who has most of them goes.
    fn bound_whispers(&mut self) {
        let half = self.feed.bytes_max() / 2;
        if self.whispered <= half {
            return;
        }
        self.whispered = 0;
        let unread = self.members.iter().map(|(session, member)| (member.outbox.unasked_bytes(), session));
        let mut unread: Vec<_> = unread.filter(|&(bytes, _)| bytes > 0).collect();
        unread.sort_unstable();
        let mut sum: usize = unread.iter().map(|&(bytes, _)| bytes).sum();
        while sum > half
            && let Some((bytes, session)) = unread.pop()
        {
            sum -= bytes;
            self.slow.insert(session);
        }
    }

    /// As many as fit into a segment; the youngest first, so that the coordinator hands over once and not to each.
    fn let_go(&mut self, at: Timestamp) {
        while !self.is_full()
            && !self.is_settling()
            && let Some(session) = self.slow.pop_last()
        {
            if let Some(member) = self.members.get(session) {
                member.outbox.release(Standing::Slow);
            }
            self.apply(at, session, InputKind::Gone(LeaveReason::Slow));
        }
    }

    /// Wakes those who await more and are to get some and, if something old is gone, finds those who had not read it, unless they
    /// can find it in the store.
    fn wake_followers(&mut self, appended: Appended) {
        if !appended.grew.contains(&true) {
            return;
        }
        let oldest = (appended.shrank && self.stored.is_none()).then(|| self.feed.oldest());
        for (session, member) in self.members.iter() {
            if member.follows_from.is_none() {
                continue;
            }
            if appended.grew[member.dialect.index()] {
                member.outbox.wake_awaiting();
            }
            if oldest.is_some_and(|oldest| member.fell_off(&oldest)) {
                self.slow.insert(session);
            }
        }
    }

    fn apply(&mut self, at: Timestamp, session: SessionId, action: InputKind) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.sessions.apply(Input { at, session, kind: action }, &mut outputs);
        for output in outputs.drain(..) {
            self.deliver(session, output);
        }
        self.outputs = outputs;
    }

    fn deliver(&mut self, cause: SessionId, output: Output) {
        match output {
            Output::Publish { id, at, session, event, own } => {
                self.announce(session, Tag { id, at }, &event, own);
            }
            Output::Tell(session, line) => self.tell(cause, session, &line),
            Output::List(session, users) => self.list(session, users),
            Output::Replay(session, numbers) => self.replay(session, numbers, |room| room.history().messages()),
            Output::Canvas(session, numbers) => self.replay(session, numbers, Room::canvas),
            Output::Answered(session) => self.answered(cause, session),
            Output::QueryStore(session, query, until) => self.query_store(session, query, until),
            Output::Speak(session, dialect) => self.speak(session, dialect),
            Output::Follow(session) => self.follow(session),
            Output::Read(session, mode) => {
                if let Some(member) = self.members.get_mut(session) {
                    member.mode = mode;
                    member.outbox.set_mode(mode);
                }
            }
            Output::Close(session, closing) => self.close(session, closing),
            Output::Hold(session) => self.hold(session),
            Output::Release(session) => self.release(session),
        }
    }

    fn answered(&mut self, cause: SessionId, session: SessionId) {
        if cause == session {
            self.is_answered = true;
        } else if let Some(member) = self.members.get_mut(session) {
            touch(&mut self.touched, session, member);
            member.outbox.count_answered();
        }
    }

    fn announce(&mut self, session: SessionId, tag: Tag, event: &Event, own: Option<Reply>) {
        console::event(session, event);
        let own = own.and_then(|reply| Some((self.members.get_mut(session)?, reply)));
        let Some((member, reply)) = own else { return self.draft.push(tag, event) };
        let before = member.place(&self.draft);
        self.draft.push(tag, event);
        let after = member.place(&self.draft);
        self.private_bytes += member.outbox.pin(before, after, |text| member.dialect.write_line(text, reply));
        touch(&mut self.touched, session, member);
    }

    fn tell(&mut self, cause: SessionId, session: SessionId, line: &ServerLine) {
        let Some(member) = self.members.get_mut(session) else { return };
        let place = member.place(&self.draft);
        let write = |text: &mut Vec<u8>| member.dialect.write_line(text, line.in_mode(member.mode));
        self.private_bytes += if cause == session || cause == SessionId::SERVER {
            member.outbox.pin(place, place, write)
        } else if member.outbox.unasked_bytes() <= WHISPER_BYTES_MAX {
            let bytes = member.outbox.pin_unasked(place, write);
            self.whispered += bytes + PIN_OVERHEAD_BYTES;
            bytes
        } else {
            self.slow.insert(session);
            return;
        };
        touch(&mut self.touched, session, member);
    }

    fn list(&mut self, session: SessionId, users: Arc<[User]>) {
        let Some(member) = self.members.get_mut(session) else { return };
        let (text, rendered) = self.rosters.lend(users, member.dialect, session);
        self.private_bytes += rendered;
        let all = 0..u32::try_from(text.len()).unwrap_or(u32::MAX);
        member.outbox.pin_shared(member.place(&self.draft), text, all);
        touch(&mut self.touched, session, member);
    }

    fn replay<T: Told>(&mut self, session: SessionId, numbers: Range<u64>, of: impl FnOnce(&Room) -> &Kept<T>) {
        let Some(member) = self.members.get_mut(session) else { return };
        let place = member.place(&self.draft);
        let before = member.replayed_at.filter(|_| member.outbox.has_shared());
        let pin = |(text, range)| member.outbox.pin_shared(place, text, range);
        self.private_bytes += self.replays.lend(of(self.sessions.room()), numbers, member.dialect, pin);
        member.replayed_at = before.or(Some(self.replays.age()));
        touch(&mut self.touched, session, member);
    }

    fn query_store(&mut self, session: SessionId, query: HistoryQuery, until: MessageId) {
        let Some(member) = self.members.get_mut(session) else { return };
        let Some(stored) = &self.stored else { return };
        let answer = stored.answer(query, until, member.dialect, member.mode, &member.outbox);
        member.outbox.pin_fetched(member.place(&self.draft), answer);
        touch(&mut self.touched, session, member);
    }

    fn speak(&mut self, session: SessionId, dialect: Dialect) {
        let Some(member) = self.members.get_mut(session) else { return };
        let before = member.place(&self.draft);
        if before.is_some() {
            self.draft.exit(member.dialect);
            member.follows_from = Some(self.draft.enter(dialect));
        }
        member.dialect = dialect;
        member.outbox.pin(before, member.follows_from, |_| {});
    }

    fn follow(&mut self, session: SessionId) {
        let Some(member) = self.members.get_mut(session) else { return };
        member.follows_from = Some(self.draft.enter(member.dialect));
        member.outbox.pin(None, member.follows_from, |_| {});
        if let Some(name) = self.sessions.name(session) {
            match self.sessions.resumed(session) {
                None => console::named(session, name),
                Some(first) => console::resumed(session, first, name),
            }
        }
    }

    /// Whoever is closed reads up to here, and is not waited for as a reader any more.
    fn close(&mut self, session: SessionId, closing: Closing) {
        let Some(member) = self.members.get_mut(session) else { return };
        member.outbox.close(member.place(&self.draft), closing);
        if member.follows_from.take().is_some() {
            self.draft.exit(member.dialect);
        }
        touch(&mut self.touched, session, member);
    }

    fn hold(&mut self, session: SessionId) {
        let Some(member) = self.members.remove(session) else { return };
        member.outbox.release(Standing::Released);
        self.touched.push((session, Arc::clone(&member.outbox)));
        self.held.insert(session, member.outbox);
        if let Some(name) = self.sessions.name(session) {
            console::held(session, name);
        }
    }

    fn release(&mut self, session: SessionId) {
        let member = self.members.remove(session).map(|member| member.outbox);
        let Some(outbox) = member.or_else(|| self.held.remove(session)) else { return };
        outbox.release(Standing::Released);
        outbox.forget();
        self.touched.push((session, outbox));
    }
}

fn touch(touched: &mut Vec<(SessionId, Arc<Outbox>)>, session: SessionId, member: &mut Member) {
    if !std::mem::replace(&mut member.touched, true) {
        touched.push((session, Arc::clone(&member.outbox)));
    }
}

/// Runs a hub for as long as requests can come.
///
/// A turn carries out all that waits, up to a bound, and publishes it at once; then the writers that were woken run
/// before the next turn. So the more there is to do, the more each write carries.
///
/// # Panics
/// After a fault in the store's thread.
pub(super) async fn run(mut hub: Hub, mut rows: Rows) {
    loop {
        if !hub.is_behind() && !wait(&mut hub, &mut rows).await {
            return;
        }
        let at = now();
        hub.take_report();
        if take_turns(&mut hub, &mut rows, at).is_break() {
            // Lines that were read before the stop, from clients that had more than one turn's worth.
            let _ = take_turns(&mut hub, &mut rows, at);
            settle_in_time(&mut hub).await;
            hub.take(now(), Request::Act(SessionId::SERVER, InputKind::Shutdown));
            hub.publish(now());
            hub.close_sequencer().await;
        }
        hub.publish(at);
        future::yield_now().await;
    }
}

/// Carries out as many requests as there are, or fit into a turn; breaks off where one is that the server stops.
fn take_turns(hub: &mut Hub, rows: &mut Rows, at: Timestamp) -> ControlFlow<()> {
    let mut stop = ControlFlow::Continue(());
    let mut taken = 0;
    if !hub.is_full() && !hub.is_settling() {
        rows.take_turns(|request| {
            if matches!(request, Request::Act(_, InputKind::Shutdown)) {
                stop = ControlFlow::Break(());
                return stop;
            }
            hub.take(at, request);
            taken += 1;
            if taken < TURN_INPUTS_MAX && !hub.is_full() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    stop
}

/// Waits for requests, or a report of the store. Returns false if neither can come any more.
async fn wait(hub: &mut Hub, rows: &mut Rows) -> bool {
    let report = async {
        assert!(hub.next_report().await, "the thread that stores messages is gone");
        true
    };
    future::or(report, rows.wait()).await
}

/// At shutdown, waits for the store's result of each message, and replies to its author. Refuses messages whose result comes too late.
async fn settle_in_time(hub: &mut Hub) {
    let settle = async {
        while hub.is_storing() {
            if !hub.is_settling() && !hub.is_gathering() && !hub.next_report().await {
                return;
            }
            hub.publish(now());
        }
    };
    let late = async {
        Timer::after(Duration::from_millis(STORE_CLOSE_MS_MAX)).await;
    };
    future::or(settle, late).await;
    hub.sessions.sequencer_mut().abandon();
    while hub.is_settling() {
        hub.publish(now());
    }
}

/// The server's wall clock, which dates everything. Times before 1970 read as the start of 1970, and times after 9999 as the end
/// of 9999, the latest that RFC 3339 can write.
pub(super) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)).clamped()
}

#[cfg(test)]
pub(super) mod tests;
