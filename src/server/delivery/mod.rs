//! Delivers outputs: events to the feed, all other lines to the mailboxes of clients.
//!
//! The hub calls [`Delivery::deliver`] for each output, in order, and [`Delivery::publish`] at the end of its turn. No
//! connection is woken before that, so it normally sends the output of a turn in one write. [`slow_consumers`] lists
//! the reasons for which a client is disconnected as slow.

mod pages;
mod slow_consumers;
mod user_lists;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use self::pages::{PageCache, PagedItem};
use self::slow_consumers::BacklogLimit;
use self::user_lists::UserLists;
use super::store_reader::StoreReader;
use crate::command::{HistoryQuery, Reply, ServerLine};
use crate::feed::{AppendOutcome, Feed, Mailbox, Position, SegmentBuilder};
use crate::limits::{TURN_PRIVATE_BYTES_MAX, WHISPER_BYTES_MAX};
use crate::protocol::{CloseReason, DIALECTS, Dialect, Event, MessageId, Mode, Tag, User};
use crate::room::{Recent, Room, SessionId};
use crate::session::{BySession, Output};

/// The feed, and a mailbox for each client.
#[derive(Debug)]
pub(super) struct Delivery {
    feed: Arc<Feed>,
    /// The events since the last publish.
    builder: SegmentBuilder,
    clients: BySession<Client>,
    /// The mailboxes that got lines since the last publish.
    pending_wakes: Vec<(SessionId, Arc<Mailbox>)>,
    /// Bytes of private lines rendered since the last publish.
    private_bytes: usize,
    user_lists: UserLists,
    pages: PageCache,
    /// Reads stored messages, if there is a store.
    store_reader: Option<Arc<dyn StoreReader>>,
    backlog_limit: BacklogLimit,
    /// Slow consumers that are not yet disconnected.
    slow: BTreeSet<SessionId>,
}

/// A client that gets output.
#[derive(Debug)]
struct Client {
    mailbox: Arc<Mailbox>,
    dialect: Dialect,
    /// The mode in which hints write commands.
    mode: Mode,
    /// The position at which the client began to follow the feed in `dialect`. `None`: it does not follow.
    follows_from: Option<Position>,
    /// The client is in `Delivery::pending_wakes`.
    is_wake_pending: bool,
}

impl Client {
    /// The position in the feed of the next line for this client alone. `None`: the client does not follow the feed.
    fn position(&self, builder: &SegmentBuilder) -> Option<Position> {
        self.follows_from.map(|_| builder.position(self.dialect))
    }

    /// Whether the next event for the client was evicted from the feed.
    fn is_evicted(&self, oldest: &[u64; DIALECTS]) -> bool {
        // The cursor of a slow consumer may not have reached `follows_from` yet.
        let reached = self.mailbox.cursor_offset().filter(|(dialect, _)| *dialect == self.dialect);
        let offset = reached.map(|(_, offset)| offset).or(self.follows_from.map(|position| position.offset));
        offset.is_some_and(|offset| offset < oldest[self.dialect.index()])
    }
}

impl Delivery {
    pub(super) fn new(feed: Arc<Feed>) -> Self {
        Self {
            backlog_limit: BacklogLimit::new(&feed),
            feed,
            builder: SegmentBuilder::default(),
            clients: BySession::default(),
            pending_wakes: Vec::new(),
            private_bytes: 0,
            user_lists: UserLists::default(),
            pages: PageCache::default(),
            store_reader: None,
            slow: BTreeSet::new(),
        }
    }

    /// Reads older messages from this store. The newest stored message has the id `last_id`.
    #[cfg(feature = "store")]
    pub(super) fn with_store_reader(self, reader: Arc<dyn StoreReader>, last_id: MessageId) -> Self {
        Self { store_reader: Some(reader), builder: SegmentBuilder::with_marks(last_id), ..self }
    }

    #[cfg(test)]
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(super) fn store_reader(&self) -> Option<&Arc<dyn StoreReader>> {
        self.store_reader.as_ref()
    }

    /// Adds a client whose lines go to this mailbox.
    pub(super) fn connect(&mut self, session: SessionId, mailbox: Arc<Mailbox>) {
        let client = Client {
            mailbox,
            dialect: Dialect::default(),
            mode: Mode::default(),
            follows_from: None,
            is_wake_pending: false,
        };
        self.clients.insert(session, client);
    }

    /// Whether the caller must publish before it delivers more outputs.
    pub(super) fn is_full(&self) -> bool {
        self.private_bytes > TURN_PRIVATE_BYTES_MAX || self.builder.is_full(self.feed.bytes_max())
    }

    /// Whether events wait for the next [`Delivery::publish`].
    pub(super) fn has_events(&self) -> bool {
        !self.builder.is_empty()
    }

    /// Delivers an output. `cause` is the session whose input caused it.
    pub(super) fn deliver(&mut self, room: &Room, cause: SessionId, output: Output) {
        match output {
            Output::Publish { room: _, id, at, session, event, own } => {
                self.add_event(session, Tag { id, at }, &event, own)
            }
            Output::Send(session, _, line) => self.send(cause, session, &line),
            Output::SendUsers(session, _, users) => self.send_users(session, users),
            Output::SendMessages(session, _, numbers) => self.send_pages(session, numbers, room.history().messages()),
            Output::SendStrokes(session, _, numbers) => self.send_pages(session, numbers, room.canvas()),
            Output::QueryStore(session, _, query, until) => self.query_store(session, query, until),
            Output::Answered(session) => self.count_answered(session),
            Output::SetDialect(session, dialect) => self.set_dialect(session, dialect),
            Output::SetMode(session, mode) => self.set_mode(session, mode),
            Output::Follow(session, _) => self.follow(session),
            Output::Close(session, reason) => self.close(session, reason),
            Output::Detach(session) | Output::Remove(session) => self.disconnect(session),
        }
    }

    /// Appends the events to the feed, then wakes the connections that have output. Finds slow consumers. The hub disconnects them one turn
    /// later, so that clients that keep up can read in between.
    pub(super) fn publish(&mut self) {
        let appended = self.feed.append(&mut self.builder);
        self.private_bytes = 0;
        for (session, mailbox) in self.pending_wakes.drain(..) {
            mailbox.wake();
            if let Some(client) = self.clients.get_mut(session) {
                client.is_wake_pending = false;
            }
        }
        self.wake_followers(appended);
        let mailboxes = self.clients.iter().map(|(session, client)| (session, &client.mailbox));
        self.slow.extend(self.backlog_limit.find_slow(&self.feed, mailboxes));
    }

    /// Whether slow consumers wait to be disconnected.
    pub(super) fn has_slow(&self) -> bool {
        !self.slow.is_empty()
    }

    /// The next slow consumer to disconnect. The youngest session comes first, so that the coordinator changes at most once.
    pub(super) fn next_slow(&mut self) -> Option<SessionId> {
        self.slow.pop_last()
    }

    /// Wakes the followers that wait for an event. Without a store, a follower whose next event was evicted is a slow consumer.
    fn wake_followers(&mut self, appended: AppendOutcome) {
        if !appended.grew.contains(&true) {
            return;
        }
        let oldest = (appended.evicted && self.store_reader.is_none()).then(|| self.feed.oldest());
        for (session, client) in self.clients.iter() {
            if client.follows_from.is_none() {
                continue;
            }
            if appended.grew[client.dialect.index()] {
                client.mailbox.wake_if_awaiting_feed();
            }
            if oldest.is_some_and(|oldest| client.is_evicted(&oldest)) {
                self.slow.insert(session);
            }
        }
    }

    /// Adds an event to the builder. The session that caused it gets `own` in its position.
    fn add_event(&mut self, session: SessionId, tag: Tag, event: &Event, own: Option<Reply>) {
        let own = own.and_then(|reply| Some((self.clients.get_mut(session)?, reply)));
        let Some((client, reply)) = own else { return self.builder.push(tag, event) };
        let before = client.position(&self.builder);
        self.builder.push(tag, event);
        let after = client.position(&self.builder);
        self.private_bytes += client.mailbox.insert(before, after, |text| client.dialect.write_line(text, reply));
        wake_later(&mut self.pending_wakes, session, client);
    }

    /// Sends a line to one session. A line that another session caused is limited as a whisper is; the server itself causes replies to
    /// messages that were stored.
    fn send(&mut self, cause: SessionId, session: SessionId, line: &ServerLine) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let position = client.position(&self.builder);
        let write = |text: &mut Vec<u8>| client.dialect.write_line(text, line.in_mode(client.mode));
        self.private_bytes += if cause == session || cause == SessionId::SERVER {
            client.mailbox.insert(position, position, write)
        } else if client.mailbox.whisper_bytes() <= WHISPER_BYTES_MAX {
            client.mailbox.insert_whisper(position, write)
        } else {
            self.slow.insert(session);
            return;
        };
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn send_users(&mut self, session: SessionId, users: Arc<[User]>) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let (lines, rendered) = self.user_lists.render(users, client.dialect, self.feed.backlog());
        self.private_bytes += rendered;
        let all = 0..u32::try_from(lines.len()).unwrap_or(u32::MAX);
        client.mailbox.insert_shared(client.position(&self.builder), lines, all);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn send_pages<T: PagedItem>(&mut self, session: SessionId, numbers: Range<u64>, items: &Recent<T>) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let position = client.position(&self.builder);
        let send = |lines, range| client.mailbox.insert_shared(position, lines, range);
        self.private_bytes += self.pages.render(items, numbers, client.dialect, self.feed.backlog(), send);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn query_store(&mut self, session: SessionId, query: HistoryQuery, until: MessageId) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let Some(reader) = &self.store_reader else { return };
        let answer = reader.start_query(query, until, client.dialect, client.mode, &client.mailbox);
        client.mailbox.insert_pages(client.position(&self.builder), answer);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn count_answered(&mut self, session: SessionId) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mailbox.count_answered();
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn set_dialect(&mut self, session: SessionId, dialect: Dialect) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let before = client.position(&self.builder);
        if before.is_some() {
            self.builder.remove_reader(client.dialect);
            client.follows_from = Some(self.builder.add_reader(dialect));
        }
        client.dialect = dialect;
        client.mailbox.insert(before, client.follows_from, |_| {});
    }

    fn set_mode(&mut self, session: SessionId, mode: Mode) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mode = mode;
        client.mailbox.set_mode(mode);
    }

    fn follow(&mut self, session: SessionId) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.follows_from = Some(self.builder.add_reader(client.dialect));
        client.mailbox.insert(None, client.follows_from, |_| {});
    }

    /// Ends the client's output after the lines so far.
    fn close(&mut self, session: SessionId, reason: CloseReason) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mailbox.close(client.position(&self.builder), reason);
        if client.follows_from.take().is_some() {
            self.builder.remove_reader(client.dialect);
        }
        wake_later(&mut self.pending_wakes, session, client);
    }

    /// Removes the client. Its connection ends once it has sent the contents of its mailbox.
    fn disconnect(&mut self, session: SessionId) {
        let Some(Client { mailbox, .. }) = self.clients.remove(session) else { return };
        mailbox.end();
        self.pending_wakes.push((session, mailbox));
    }
}

/// Wakes the client's connection at the next publish.
fn wake_later(pending_wakes: &mut Vec<(SessionId, Arc<Mailbox>)>, session: SessionId, client: &mut Client) {
    if !std::mem::replace(&mut client.is_wake_pending, true) {
        pending_wakes.push((session, Arc::clone(&client.mailbox)));
    }
}
