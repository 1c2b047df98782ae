//! Delivery, feed, mailboxes and cursors with many rooms. Outputs come from a random script instead of sessions.

mod memory;
mod model;

use std::io;
use std::task::Waker;

use arbtest::arbitrary::{self, Unstructured};

use self::model::{AtomKind, Model};
use super::*;
use crate::command::Reply;
use crate::feed::{Cursor, MissedMessages, NextPage, PageSource, Progress, Source};
use crate::protocol::{Name, RoomName, Text, Timestamp};
use crate::state::StoredRoom;

const ROOMS: u32 = 4;
const SESSIONS: u64 = 3;

/// The names of the rooms, by their number modulo [`ROOMS`].
fn room_name(room: RoomId) -> RoomName {
    RoomName::new(["#lobby", "#ops", "#tea", "#x"][(room.0 % ROOMS) as usize]).unwrap()
}

/// A delivery with many rooms and sessions, and what each session should receive.
struct Script {
    delivery: Delivery,
    state: SharedState,
    readers: Vec<Reader>,
    /// The current room of each name.
    rooms: Vec<RoomId>,
    model: Model,
}

/// A connection.
struct Reader {
    session: SessionId,
    mailbox: Arc<Mailbox>,
    cursor: Cursor,
    /// The bytes that it has written.
    output: Vec<u8>,
    /// How often it has caught up in a room.
    caught_up: usize,
    end: Option<Progress>,
}

impl Script {
    fn new(bytes_max: usize, has_store: bool) -> Self {
        let mut delivery = Delivery::new(Arc::new(Feed::new(bytes_max)));
        if has_store {
            let publisher = Publisher::new(Arc::clone(&delivery.feed)).with_store();
            delivery.publisher = publisher;
        }
        // Only evictions make a session slow.
        delivery.backlog_limit = BacklogLimit::new(&Feed::new(1 << 30));
        let readers: Vec<_> = (1..=SESSIONS).map(|session| Reader::new(SessionId(session))).collect();
        for reader in &readers {
            delivery.connect(reader.session, Arc::clone(&reader.mailbox));
        }
        let rooms = (0..ROOMS).map(RoomId).collect();
        Self { delivery, state: SharedState::default(), readers, rooms, model: Model::default() }
    }

    fn deliver(&mut self, cause: SessionId, output: &Output) {
        self.delivery.deliver(&self.state, cause, output);
    }

    /// Runs a random step.
    fn step(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let session = SessionId(u.int_in_range(1..=SESSIONS)?);
        let room = *u.choose(&self.rooms)?;
        match u.int_in_range(0..=15)? {
            0 | 1 => self.publish(),
            2..=5 => self.event(room, session, self.model.has_own_replies && u.arbitrary()?),
            6 => self.line(session, Some(room)),
            7 => self.line(session, None),
            8 => self.line_after_all(session),
            9 => self.follow(session, room, u.arbitrary()?),
            10 => self.unfollow(session, room),
            11 => self.set_dialect(session, Dialect::ALL[u.choose_index(Dialect::ALL.len())?]),
            12 => {
                let feed = Arc::clone(&self.delivery.feed);
                self.reader(session).fetch(&feed);
            }
            13 => self.reopen(room),
            _ => {
                let (feed, bytes) = (Arc::clone(&self.delivery.feed), u.int_in_range(1..=60)?);
                self.write(session, &feed, bytes);
            }
        }
        Ok(())
    }

    fn reader(&mut self, session: SessionId) -> &mut Reader {
        &mut self.readers[usize::try_from(session.0).unwrap() - 1]
    }

    fn publish(&mut self) {
        self.delivery.publish();
        self.model.turn += 1;
    }

    /// Publishes a message. With `is_own`, its author reads the reply in its place.
    fn event(&mut self, room: RoomId, session: SessionId, is_own: bool) {
        let id = self.model.add_message(room);
        let event = Event::Msg(Name::new("a").unwrap(), Text::new(&format!("{}", self.model.next_number())).unwrap());
        let is_own = is_own && self.model.follows(session, room);
        let reply = |dialect: Dialect| {
            let name = dialect.room_names.then(|| room_name(room));
            RoomLine { room: name, line: ServerLine::Ok(Reply::Msg(id)) }
        };
        let mut own = OwnLine::Event;
        let tag = Tag { id: Some(id), at: Timestamp(0) };
        for reader in (1..=SESSIONS).map(SessionId) {
            let Some(dialect) = self.model.dialect_in(reader, room) else { continue };
            let mut line = Vec::new();
            if is_own && reader == session {
                own = OwnLine::Reply(reply(dialect).room, Reply::Msg(id));
                dialect.write_line(&mut line, reply(dialect));
                self.model.add(reader, AtomKind::Private, Some(room), line);
            } else {
                dialect.write_room_event(&mut line, tag, &room_name(room), &event);
                self.model.add_missable(reader, room, id, line);
            }
        }
        self.deliver(session, &Output::Publish { room, id: Some(id), at: Timestamp(0), session, event, own });
    }

    fn line(&mut self, session: SessionId, room: Option<RoomId>) {
        let line = self.private_line(session, AtomKind::Private, room);
        self.deliver(session, &Output::Send(session, room, line.into()));
    }

    fn line_after_all(&mut self, session: SessionId) {
        let line = self.private_line(session, AtomKind::AfterAll, None);
        self.deliver(session, &Output::SendAfterAll(session, line));
    }

    fn private_line(&mut self, session: SessionId, kind: AtomKind, room: Option<RoomId>) -> ServerLine {
        let text = Text::new(&format!("private {}", self.model.next_number())).unwrap();
        let line = ServerLine::Event(None, Event::Notice(text));
        let mut bytes = Vec::new();
        self.model.dialect(session).write_line(&mut bytes, line.in_mode(Mode::Commands));
        self.model.add(session, kind, room, bytes);
        line
    }

    fn follow(&mut self, session: SessionId, room: RoomId, is_home: bool) {
        self.model.follow(session, room, is_home);
        // Without a state, `Delivery::follow` does not do it.
        self.delivery.publisher.open_room(room, &room_name(room), self.model.last_message(room));
        self.deliver(session, &Output::Follow(session, room, is_home));
    }

    fn unfollow(&mut self, session: SessionId, room: RoomId) {
        self.model.unfollow(session, room);
        self.deliver(session, &Output::Unfollow(session, room));
    }

    fn set_dialect(&mut self, session: SessionId, dialect: Dialect) {
        self.model.set_dialect(session, dialect);
        self.deliver(session, &Output::SetDialect(session, dialect));
    }

    /// Closes a room without followers, and opens another one with its name.
    fn reopen(&mut self, room: RoomId) {
        if room != RoomId::LOBBY && (1..=SESSIONS).all(|session| !self.model.follows(SessionId(session), room)) {
            self.deliver(SessionId::SERVER, &Output::CloseRoom(room));
            let new = RoomId(room.0 + ROOMS);
            self.rooms[(new.0 % ROOMS) as usize] = new;
        }
    }

    fn write(&mut self, session: SessionId, feed: &Feed, bytes: usize) {
        let model = &self.model;
        let reader = &mut self.readers[usize::try_from(session.0).unwrap() - 1];
        reader.write(feed, bytes, |missed| model.missed(session, missed));
    }

    /// Lets all sessions read everything.
    fn finish(&mut self, close: bool) {
        for session in (1..=SESSIONS).map(SessionId) {
            if close {
                self.deliver(session, &Output::Close(session, CloseReason::Stopping));
            }
        }
        self.publish();
        let feed = Arc::clone(&self.delivery.feed);
        for session in (1..=SESSIONS).map(SessionId) {
            self.reader(session).fetch(&feed);
            while self.reader(session).end.is_none() {
                self.write(session, &feed, usize::MAX);
            }
        }
    }
}

impl Reader {
    fn new(session: SessionId) -> Self {
        Self { session, mailbox: Arc::default(), cursor: Cursor::new(), output: Vec::new(), caught_up: 0, end: None }
    }

    fn fetch(&mut self, feed: &Feed) {
        self.cursor.fetch_new(feed, &self.mailbox, Waker::noop());
        self.end = self.end.filter(|end| *end == Progress::Evicted);
    }

    /// Writes at most `bytes` bytes, in one write.
    fn write(
        &mut self,
        feed: &Feed,
        bytes: usize,
        missed: impl FnOnce(&MissedMessages) -> Option<Box<dyn PageSource>>,
    ) {
        if self.end.is_some() {
            return;
        }
        let output = &mut self.output;
        let progress = self.cursor.write(feed, &self.mailbox, |source: Source<'_>| {
            let mut part = source.to_vec()?;
            part.truncate(bytes);
            output.extend_from_slice(&part);
            Ok::<_, io::Error>(part.len())
        });
        match progress.unwrap() {
            Progress::Wrote(_) => {}
            Progress::CaughtUp(_) => self.caught_up += 1,
            Progress::Evicted => {
                let mut is_caught = false;
                let lead = |missed: &MissedMessages, text: &mut Vec<u8>| {
                    text.extend(format!("BEHIND {:?}\n", missed.room).bytes());
                };
                let mut missed = Some(missed);
                self.cursor.catch_up(feed, &self.mailbox, lead, |range| {
                    let pages = missed.take().and_then(|missed| missed(&range));
                    is_caught = pages.is_some();
                    pages.unwrap_or_else(|| Box::new(NoPages))
                });
                self.end = (!is_caught).then_some(Progress::Evicted);
            }
            end => self.end = Some(end),
        }
    }
}

/// A source without any text.
#[derive(Debug)]
struct NoPages;

impl PageSource for NoPages {
    fn next(&mut self) -> NextPage {
        NextPage::Failed
    }
}

fn run(
    u: &mut Unstructured<'_>,
    bytes_max: usize,
    has_store: bool,
    has_own_replies: bool,
) -> arbitrary::Result<Script> {
    let mut script = Script::new(bytes_max, has_store);
    (script.model.has_store, script.model.has_own_replies) = (has_store, has_own_replies);
    for _ in 0..u.int_in_range(1..=120)? {
        script.step(u)?;
    }
    script.finish(u.arbitrary()?);
    Ok(script)
}

/// Any number of rooms, joins, parts, changes of the dialect and partial writes; see [`Model::check`].
#[test]
fn merged_rooms_keep_all_orders() {
    let mut reads = 0;
    arbtest::arbtest(|u| {
        let script = run(u, 1 << 20, false, true)?;
        assert_eq!(script.delivery.slow.len(), 0);
        for reader in &script.readers {
            assert_ne!(reader.end, Some(Progress::Evicted));
            reads += script.model.check(reader.session, &reader.output, true);
            assert_eq!(reader.mailbox.waiting_bytes(), 0);
        }
        Ok(())
    })
    .budget_ms(3_000);
    assert!(reads > 1_000, "{reads} lines");
}

/// The feed keeps only the newest turn. A slow consumer reads in order until it is disconnected, and no other client is slow.
#[test]
fn merged_rooms_with_evictions_disconnect_only_slow_consumers() {
    let (mut slow, mut evicted) = (0, 0);
    arbtest::arbtest(|u| {
        // An evicted event of its own makes a session slow, although it would read the reply instead.
        let has_own_replies = u.arbitrary()?;
        let script = run(u, 1, false, has_own_replies)?;
        for reader in &script.readers {
            let is_evicted = reader.end == Some(Progress::Evicted);
            script.model.check(reader.session, &reader.output, !is_evicted);
            let is_slow = script.delivery.slow.contains(&reader.session);
            assert!(is_evicted || !is_slow || has_own_replies, "{:?} is not slow", reader.session);
            slow += u32::from(is_slow);
            evicted += u32::from(is_evicted);
        }
        Ok(())
    })
    .budget_ms(3_000);
    // A busy machine runs few scripts.
    assert!(evicted == 0 || 2 * slow > evicted, "{slow} slow consumers, {evicted} evicted");
}

/// With a store, a slow consumer reads every message of each of its rooms once, in its place.
#[test]
fn merged_rooms_with_evictions_catch_up_per_room() {
    let mut behind = 0;
    arbtest::arbtest(|u| {
        let script = run(u, 1, true, true)?;
        for reader in &script.readers {
            assert_ne!(reader.end, Some(Progress::Evicted));
            script.model.check(reader.session, &reader.output, true);
            let output = String::from_utf8_lossy(&reader.output);
            // It may leave a room before it has caught up.
            assert!(output.matches("BEHIND").count() >= reader.caught_up);
            behind += reader.caught_up;
        }
        Ok(())
    })
    .budget_ms(3_000);
    assert!(behind > 100, "{behind} times");
}

/// The events of another room are evicted while a private line is sent in parts. They must not be caught up within the line.
#[test]
fn partly_read_line_is_completed_before_catch_up() {
    for bytes in 1.."NOTICE private 1\n".len() {
        let mut script = Script::new(1, true);
        script.model.has_store = true;
        let feed = Arc::clone(&script.delivery.feed);
        let [reader, other] = [1, 2].map(SessionId);
        let [lobby, ops] = [0, 1].map(RoomId);
        script.follow(reader, lobby, true);
        script.follow(reader, ops, false);
        script.line(reader, None);
        script.publish();
        script.reader(reader).fetch(&feed);
        script.write(reader, &feed, bytes);
        for room in [ops, lobby, ops] {
            script.event(room, other, false);
            script.publish();
        }
        script.finish(false);
        assert_eq!(script.model.check(reader, &script.readers[0].output, true), 4);
        assert!(script.readers[0].caught_up > 0);
    }
}

/// Events before that are not rendered. The id of its newest message is the mark by which followers catch up.
#[test]
fn first_follower_opens_room_with_its_newest_message() {
    let mut script = Script::new(1, true);
    let (reader, room) = (SessionId(1), RoomId(9));
    let stored = StoredRoom { last_id: MessageId(5), ..StoredRoom::default() };
    script.state = SharedState::default().with_stored_room(room, room_name(room), stored, Vec::new());
    let event = Event::Join(Name::new("a").unwrap());
    let own = OwnLine::Event;
    script.deliver(reader, &Output::Publish { room, id: None, at: Timestamp(0), session: reader, event, own });
    assert!(!script.delivery.has_events());
    script.deliver(reader, &Output::Follow(reader, room, false));
    let dialect = Dialect { room_names: true, ..Dialect::default() };
    let position = script.delivery.publisher.position(room, dialect).expect("the room is open");
    assert_eq!(position.last_message, MessageId(5));
}
