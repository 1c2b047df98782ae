//! Delivers outputs: events to the feed, all other lines to the mailboxes of clients.
//!
//! The hub calls [`Delivery::deliver`] for each output, in order, and [`Delivery::publish`] at the end of its turn. No
//! connection is woken before that, so it normally sends the output of a turn in one write. Only the followers of rooms
//! with events, and the clients that got lines of their own, are visited.
//!
//! Each line has a room whose order it keeps: the room that it is about or, without one, the first room that the client
//! follows. `PING` and the end of the output keep the order of all rooms ([`Client::point_after_all`]). The replies of
//! `WHO`, `HISTORY` and so on are rendered once for all clients of a room (`replies`). [`slow_consumers`] lists the
//! reasons for which a client is disconnected as slow.

mod client;
mod pages;
mod replies;
mod slow_consumers;
mod user_lists;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use self::client::Client;
use self::pages::PagedItem;
use self::replies::{ReplyCaches, ReplyStyle};
use self::slow_consumers::BacklogLimit;
use super::metrics::ServerMetrics;
use super::store_reader::{RoomQuery, StoreReader};
use crate::command::{HistoryQuery, RoomLine, ServerLine};
use crate::feed::{CursorMove, Feed, InsertionPoint, Mailbox, Publisher};
use crate::limits::{TURN_PRIVATE_BYTES_MAX, WHISPER_BYTES_MAX};
use crate::protocol::{CloseReason, Dialect, Event, MessageId, Mode, RoomName, Tag, User};
use crate::session::{BySession, Output, OwnLine};
use crate::state::{Recent, RoomId, SessionId, SharedState};

/// The feed, and a mailbox for each client.
#[derive(Debug)]
pub(super) struct Delivery {
    feed: Arc<Feed>,
    publisher: Publisher,
    clients: BySession<Client>,
    /// The mailboxes that got lines since the last publish.
    pending_wakes: Vec<(SessionId, Arc<Mailbox>)>,
    /// Bytes of private lines rendered since the last publish.
    private_bytes: usize,
    /// Messages whose author follows the room, and so reads the message itself (`SET echo on`) or its acknowledgement.
    own_messages: u64,
    replies: ReplyCaches,
    /// Reads stored messages, if there is a store.
    store_reader: Option<Arc<dyn StoreReader>>,
    /// Counts the refusals among the replies of the store.
    metrics: Arc<ServerMetrics>,
    backlog_limit: BacklogLimit,
    /// Slow consumers that are not yet disconnected.
    slow: BTreeSet<SessionId>,
}

impl Delivery {
    pub(super) fn new(feed: Arc<Feed>) -> Self {
        Self {
            backlog_limit: BacklogLimit::new(&feed),
            publisher: Publisher::new(Arc::clone(&feed)),
            replies: ReplyCaches::new(&feed),
            feed,
            clients: BySession::default(),
            pending_wakes: Vec::new(),
            private_bytes: 0,
            own_messages: 0,
            store_reader: None,
            metrics: Arc::default(),
            slow: BTreeSet::new(),
        }
    }

    /// Reads older messages from this store.
    #[cfg(feature = "store")]
    pub(super) fn with_store_reader(self, reader: Arc<dyn StoreReader>) -> Self {
        Self { store_reader: Some(reader), publisher: self.publisher.with_store(), ..self }
    }

    /// Counts the refusals among the replies of the store here.
    pub(super) fn with_metrics(self, metrics: Arc<ServerMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// The feed.
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(super) fn store_reader(&self) -> Option<&Arc<dyn StoreReader>> {
        self.store_reader.as_ref()
    }

    /// Messages times their readers, without their authors, since the start.
    pub(super) fn deliveries(&self) -> u64 {
        self.publisher.deliveries() - self.own_messages
    }

    /// Adds a client whose lines go to this mailbox.
    pub(super) fn connect(&mut self, session: SessionId, mailbox: Arc<Mailbox>) {
        self.clients.insert(session, Client::new(mailbox));
    }

    /// Whether the caller must publish before it delivers more outputs.
    pub(super) fn is_full(&self) -> bool {
        self.private_bytes > TURN_PRIVATE_BYTES_MAX || self.publisher.is_full()
    }

    /// Whether events wait for the next [`Delivery::publish`].
    pub(super) fn has_events(&self) -> bool {
        !self.publisher.is_empty()
    }

    /// Delivers an output. `cause` is the session whose input caused it.
    pub(super) fn deliver(&mut self, state: &SharedState, cause: SessionId, output: &Output) {
        match *output {
            Output::Publish { room, id, at, session, ref event, ref own } => {
                if let Event::Deleted { .. } = event {
                    self.replies.forget_messages(room);
                }
                self.add_event(room, session, Tag { id, at }, event, own);
            }
            Output::Send(session, room, ref line) => self.send(cause, session, room, line),
            Output::SendAfterAll(session, ref line) => self.send_after_all(session, line),
            Output::SendUsers(session, room, ref users) => self.send_users(session, room, Arc::clone(users)),
            Output::SendMessages(session, id, ref numbers) => {
                let Some(room) = state.room(id) else { return };
                self.send_pages(session, id, numbers.clone(), room.history().messages());
            }
            Output::SendStrokes(session, id, ref numbers) => {
                let Some(room) = state.room(id) else { return };
                self.send_pages(session, id, numbers.clone(), room.canvas());
            }
            Output::QueryStore { session, room, ref query, until, ref hint_room } => {
                self.query_store(session, room, query.clone(), until, hint_room.clone());
            }
            Output::Answered(session) => self.count_answered(session),
            Output::SetDialect(session, dialect) => self.set_dialect(session, dialect),
            Output::SetMode(session, mode) => self.set_mode(session, mode),
            Output::CloseRoom(room) => self.replies.remove(room),
            Output::Follow(session, room, is_home) => self.follow(state, session, room, is_home),
            Output::Unfollow(session, room) => self.unfollow(session, room),
            Output::Close(session, reason) => self.close(session, reason),
            Output::Detach(session) | Output::Remove(session) => self.disconnect(session),
            Output::Log(_)
            | Output::WrongPassword(_)
            | Output::CheckPassword(_)
            | Output::AccountChanged(_)
            | Output::Moderated(_)
            | Output::NodeJoined { .. }
            | Output::NodeExpired { .. }
            | Output::BanNetwork(..) => {}
        }
    }

    /// Appends the events to the feed, then wakes the connections that have output. Finds slow consumers: without a store, a follower
    /// whose next event was evicted. The hub disconnects them one turn later, so that clients that keep up can read in between.
    pub(super) fn publish(&mut self) {
        self.publisher.publish();
        self.private_bytes = 0;
        for (session, mailbox) in self.pending_wakes.drain(..) {
            mailbox.wake();
            if let Some(client) = self.clients.get_mut(session) {
                client.is_wake_pending = false;
            }
        }
        self.publisher.wake_followers(|session| {
            self.slow.insert(session);
        });
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

    /// Adds an event to a room. The session that caused it gets `own` in its position.
    fn add_event(&mut self, room: RoomId, session: SessionId, tag: Tag, event: &Event, own: &OwnLine) {
        let Some(client) = self.clients.get_mut(session) else { return self.publisher.push(room, tag, event) };
        if *own == OwnLine::Event {
            let reads_event = client.followed_dialect(room).is_some_and(|dialect| dialect.shows(event));
            self.own_messages += u64::from(tag.id.is_some() && reads_event);
            return self.publisher.push(room, tag, event);
        }
        let of_client = client.dialect();
        let write = |text: &mut Vec<u8>| match own {
            OwnLine::Reply(None, reply) => of_client.write_line(text, reply),
            OwnLine::Reply(Some(room), reply) => of_client.write_line(text, format_args!("{room} {reply}")),
            OwnLine::Event | OwnLine::Nothing => {}
        };
        let point = client.insertion_point_at(&self.publisher, None);
        self.private_bytes += if let Some(dialect) = client.followed_dialect(room) {
            let Some([before, after]) = self.publisher.push_between(room, dialect, tag, event) else { return };
            let point = InsertionPoint { at: Some(before), ..point };
            let next = if before == after { CursorMove::Stay } else { CursorMove::SkipTo(after) };
            self.own_messages += u64::from(tag.id.is_some() && before != after);
            client.mailbox.insert(point, next, write)
        } else {
            self.publisher.push(room, tag, event);
            let point = client.insertion_point(&self.publisher, None);
            client.mailbox.insert(point, CursorMove::Stay, write)
        };
        wake_later(&mut self.pending_wakes, session, client);
    }

    /// Sends a line to one session. A line that another session caused is limited as a whisper is; the server itself causes replies to
    /// messages that were stored, or read from the log of a cluster.
    fn send(&mut self, cause: SessionId, session: SessionId, room: Option<RoomId>, line: &RoomLine) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let point = client.insertion_point(&self.publisher, room);
        let write = |text: &mut Vec<u8>| client.dialect().write_line(text, line.in_mode(client.mode));
        let is_whisper = matches!(line.line, ServerLine::Event(_, Event::Whisper(..)));
        self.private_bytes += if cause == session || (cause == SessionId::SERVER && !is_whisper) {
            client.mailbox.insert(point, CursorMove::Stay, write)
        } else if client.mailbox.whisper_bytes() <= WHISPER_BYTES_MAX {
            client.mailbox.insert_whisper(point, write)
        } else {
            self.slow.insert(session);
            return;
        };
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn send_after_all(&mut self, session: SessionId, line: &ServerLine) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let point = client.point_after_all(&self.publisher);
        let write = |text: &mut Vec<u8>| client.dialect().write_line(text, line.in_mode(client.mode));
        self.private_bytes += client.mailbox.insert(point, CursorMove::Stay, write);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn send_users(&mut self, session: SessionId, room: RoomId, users: Arc<[User]>) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let Some(name) = self.publisher.room_name(room) else { return };
        let style = ReplyStyle { room, name, dialect: client.dialect_in(room) };
        let (lines, rendered) = self.replies.render_users(style, users);
        self.private_bytes += rendered;
        let all = 0..u32::try_from(lines.len()).unwrap_or(u32::MAX);
        client.mailbox.insert_shared(client.insertion_point(&self.publisher, Some(room)), lines, all);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn send_pages<T: PagedItem>(&mut self, session: SessionId, room: RoomId, numbers: Range<u64>, items: &Recent<T>) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let Some(name) = self.publisher.room_name(room) else { return };
        let point = client.insertion_point(&self.publisher, Some(room));
        let style = ReplyStyle { room, name, dialect: client.dialect_in(room) };
        let send = |lines, range| client.mailbox.insert_shared(point, lines, range);
        self.private_bytes += self.replies.render_pages(style, items, numbers, send);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn query_store(
        &mut self,
        session: SessionId,
        room: RoomId,
        query: HistoryQuery,
        until: MessageId,
        hint_room: Option<RoomName>,
    ) {
        let Some(client) = self.clients.get_mut(session) else { return };
        let (Some(reader), Some(name)) = (&self.store_reader, self.publisher.room_name(room)) else { return };
        let (room_name, dialect, mode) = (name.clone(), client.dialect_in(room), client.mode);
        let metrics = Arc::clone(&self.metrics);
        let query = RoomQuery { room, room_name, query, until, dialect, mode, hint_room, metrics };
        let answer = reader.start_query(query, &client.mailbox);
        client.mailbox.insert_pages(client.insertion_point(&self.publisher, Some(room)), answer);
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn count_answered(&mut self, session: SessionId) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mailbox.count_answered();
        wake_later(&mut self.pending_wakes, session, client);
    }

    fn set_dialect(&mut self, session: SessionId, dialect: Dialect) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.set_dialect(&mut self.publisher, session, dialect);
    }

    fn set_mode(&mut self, session: SessionId, mode: Mode) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mode = mode;
        client.mailbox.set_mode(mode);
    }

    fn follow(&mut self, state: &SharedState, session: SessionId, room: RoomId, is_home: bool) {
        let Some(client) = self.clients.get_mut(session) else { return };
        // The publisher needs a room from its first follower on. The state has no later message than the outputs before this one.
        if let Some(entered) = state.room(room) {
            self.publisher.open_room(room, entered.name(), entered.last_id());
        }
        client.follow(&mut self.publisher, session, room, is_home);
    }

    fn unfollow(&mut self, session: SessionId, room: RoomId) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.unfollow(&mut self.publisher, session, room);
        // The room's last events do not wake it any more.
        wake_later(&mut self.pending_wakes, session, client);
    }

    /// Ends the client's output after the lines and the events so far.
    fn close(&mut self, session: SessionId, reason: CloseReason) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.mailbox.close(client.point_after_all(&self.publisher), reason);
        client.unfollow_all(&mut self.publisher, session);
        wake_later(&mut self.pending_wakes, session, client);
    }

    /// Removes the client. Its connection ends once it has sent the contents of its mailbox.
    fn disconnect(&mut self, session: SessionId) {
        let Some(mut client) = self.clients.remove(session) else { return };
        client.unfollow_all(&mut self.publisher, session);
        client.mailbox.end();
        self.pending_wakes.push((session, client.mailbox));
    }
}

/// Wakes the client's connection at the next publish.
fn wake_later(pending_wakes: &mut Vec<(SessionId, Arc<Mailbox>)>, session: SessionId, client: &mut Client) {
    if !std::mem::replace(&mut client.is_wake_pending, true) {
        pending_wakes.push((session, Arc::clone(&client.mailbox)));
    }
}

#[cfg(test)]
mod tests;
