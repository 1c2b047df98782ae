//! Feed, mailbox and cursor together, as the hub and a connection use them. The simulation in `tests/` covers random inputs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::limits::{SENDFILE_BYTES_MIN, SENDFILE_READERS_MIN, SENDFILE_SHARE};
use crate::protocol::{CloseReason, Dialect, Drawing, Ending, Event, MessageId, Name, RoomName, Tag, Text, Timestamp};
use crate::state::{RoomId, SessionId};

const PLAIN: Dialect = Dialect { ending: Ending::Lf, tags: false, draw: false, room_names: false };
const CRLF: Dialect = Dialect { ending: Ending::CrLf, ..PLAIN };
const DRAWING: Dialect = Dialect { draw: true, ..PLAIN };

/// The session of the reader.
const READER: SessionId = SessionId(1);

/// A feed with one room, as the hub uses it, with one reader.
struct Bench {
    feed: Arc<Feed>,
    publisher: Publisher,
    mailbox: Arc<Mailbox>,
    cursor: Cursor,
    wakes: Arc<Wakes>,
    /// The messages so far, and their lines in the reader's dialect.
    last_id: Vec<(MessageId, String)>,
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bench {
    /// The reader reads the feed from its beginning.
    fn new(bytes_max: usize) -> Self {
        Self::with_publisher(bytes_max, Publisher::with_store)
    }

    /// The reader is slow if it has not read what is evicted.
    fn without_store(bytes_max: usize) -> Self {
        Self::with_publisher(bytes_max, |publisher| publisher)
    }

    fn with_publisher(bytes_max: usize, adapt: impl FnOnce(Publisher) -> Publisher) -> Self {
        let feed = Arc::new(Feed::new(bytes_max));
        let mut publisher = adapt(Publisher::new(Arc::clone(&feed)));
        publisher.open_room(RoomId::LOBBY, &RoomName::lobby(), MessageId(0));
        let mut bench = Self {
            publisher,
            feed,
            mailbox: Arc::default(),
            cursor: Cursor::new(),
            wakes: Arc::default(),
            last_id: Vec::new(),
        };
        let begin = bench.follow(READER, PLAIN);
        let nowhere = InsertionPoint { at: None, ..bench.insertion_point(PLAIN) };
        bench.mailbox.insert(nowhere, CursorMove::Enter(Box::new(begin)), |text| text.extend(b"welcome\n"));
        bench
    }

    /// Makes a session with the reader's mailbox follow the room.
    fn follow(&mut self, session: SessionId, dialect: Dialect) -> LogEntry {
        self.publisher.follow(RoomId::LOBBY, dialect, session, &self.mailbox).unwrap()
    }

    /// Adds enough readers that large segments go into the memory file.
    fn add_readers(&mut self) {
        for session in (2..).take(SENDFILE_READERS_MIN - 1) {
            self.follow(SessionId(session), PLAIN);
        }
    }

    fn insertion_point(&self, dialect: Dialect) -> InsertionPoint {
        let at = self.publisher.position(RoomId::LOBBY, dialect);
        InsertionPoint { turn: self.publisher.turn(), at, is_alone: true }
    }

    fn position(&self, dialect: Dialect) -> Position {
        self.publisher.position(RoomId::LOBBY, dialect).unwrap()
    }

    /// Changes the reader's dialect from [`PLAIN`].
    fn switch(&mut self, dialect: Dialect) {
        let point = self.insertion_point(PLAIN);
        let entry = self.follow(READER, dialect);
        self.publisher.unfollow(RoomId::LOBBY, PLAIN, READER);
        self.mailbox.insert(point, CursorMove::Switch(Box::new(entry)), |_| {});
    }

    /// Bytes of the room's log in this dialect since its start. `None`: there is no such log.
    fn log_bytes(&self, dialect: Dialect) -> Option<u64> {
        Some(self.publisher.log(RoomId::LOBBY, dialect)?.end())
    }

    /// Bytes of the room's log in this dialect that are retained.
    fn retained_bytes(&self, dialect: Dialect) -> u64 {
        let log = self.publisher.log(RoomId::LOBBY, dialect).unwrap();
        let oldest = (0..=log.end()).find(|offset| log.retains(*offset)).unwrap();
        log.end() - oldest
    }

    fn event(&mut self, text: &str) {
        let event = Event::Msg(Name::new("a").unwrap(), Text::new(text).unwrap());
        let id = MessageId(3 * self.last_id.len() as u64 + 1);
        self.last_id.push((id, format!("{event}\n")));
        self.publisher.push(RoomId::LOBBY, Tag { id: Some(id), at: Timestamp(0) }, &event);
    }

    /// Adds enough events that the segment goes into the memory file. Returns their lines.
    fn many_events(&mut self) -> String {
        let texts = (0..).map(|number| format!("{number:0>1000}")).take(SENDFILE_BYTES_MIN * 2 / 1000);
        let lines = texts.map(|text| {
            self.event(&text);
            format!("MSG a {text}\n")
        });
        lines.collect()
    }

    /// Adds an event that the reader caused itself.
    fn own_event(&mut self, text: &str, reply: &str) {
        let point = self.insertion_point(PLAIN);
        self.event(text);
        self.mailbox.insert(point, CursorMove::SkipTo(self.position(PLAIN)), |line| line.extend(reply.bytes()));
    }

    fn private(&self, dialect: Dialect, text: &str) {
        self.mailbox.insert(self.insertion_point(dialect), CursorMove::Stay, |line| line.extend(text.bytes()));
    }

    /// Ends the turn, and wakes the reader. Returns whether it is slow.
    fn publish(&mut self) -> bool {
        let mut is_slow = false;
        self.publisher.publish();
        self.publisher.wake_followers(|session| is_slow |= session == READER);
        is_slow
    }

    /// Ends the turn, and wakes nobody: the hub does that later.
    fn publish_silently(&mut self) {
        self.publisher.publish();
    }

    fn fetch_new(&mut self) {
        self.cursor.fetch_new(&self.feed, &self.mailbox, &Waker::from(Arc::clone(&self.wakes)));
    }

    /// Reads everything that is ready, in writes of at most `bytes_max` bytes.
    fn read(&mut self, bytes_max: usize) -> (String, Progress) {
        self.fetch_new();
        self.write(bytes_max)
    }

    fn write(&mut self, bytes_max: usize) -> (String, Progress) {
        let mut got = Vec::new();
        loop {
            let take = |source: Source<'_>| {
                let before = got.len();
                got.extend(source.to_vec()?.into_iter().take(bytes_max));
                Ok(got.len() - before)
            };
            match self.cursor.write(&self.feed, &self.mailbox, take).unwrap() {
                Progress::Wrote(_) => {}
                end => return (String::from_utf8(got).unwrap(), end),
            }
        }
    }
}

#[test]
fn own_event_is_replaced_by_its_reply() {
    for bytes_max in [1, 3, 1000] {
        let mut bench = Bench::new(1 << 20);
        bench.event("one");
        bench.own_event("two", "OK MSG 2\n");
        bench.own_event("three", "OK MSG 3\n");
        bench.event("four");
        bench.publish();
        let expected = "welcome\nMSG a one\nOK MSG 2\nOK MSG 3\nMSG a four\n";
        assert_eq!(bench.read(bytes_max), (expected.to_owned(), Progress::Idle));
        assert_eq!(bench.mailbox.waiting_bytes(), 0);
    }
}

#[test]
fn private_lines_are_read_at_their_position() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.private(PLAIN, "psst\n");
    bench.event("two");
    bench.publish();
    bench.private(PLAIN, "later\n");
    assert_eq!(bench.read(2).0, "welcome\nMSG a one\npsst\nMSG a two\nlater\n");
}

#[test]
fn shared_lines_are_read_at_their_position_and_stored_once() {
    let mut bench = Bench::new(1 << 20);
    let list = Arc::new(SharedLines::new(b"USER a\nUSER b\n".to_vec()));
    bench.event("one");
    bench.mailbox.insert_shared(bench.insertion_point(PLAIN), Arc::clone(&list), 0..u32::try_from(list.len()).unwrap());
    bench.private(PLAIN, "OK WHO 2\n");
    bench.event("two");
    bench.publish();
    bench.mailbox.insert_whisper(bench.insertion_point(PLAIN), |text| text.extend(b"psst\n"));
    assert!(Arc::strong_count(&list) > 1);
    assert!(bench.mailbox.whisper_bytes() > 5 && bench.mailbox.whisper_bytes() < bench.mailbox.waiting_bytes());
    assert_eq!(bench.read(3).0, "welcome\nMSG a one\nUSER a\nUSER b\nOK WHO 2\nMSG a two\npsst\n");
    assert_eq!((bench.mailbox.whisper_bytes(), bench.mailbox.waiting_bytes()), (0, 0));
    assert_eq!(Arc::strong_count(&list), 1);
}

#[test]
fn dialect_changes_at_exact_position() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.switch(CRLF);
    bench.event("two");
    bench.publish();
    bench.event("three");
    bench.publish();
    assert_eq!(bench.read(5).0, "welcome\nMSG a one\nMSG a two\r\nMSG a three\r\n");
}

#[test]
fn drawing_is_rendered_only_in_dialects_with_draw() {
    let mut bench = Bench::new(1 << 20);
    let clear = Event::Draw(Name::new("a").unwrap(), Drawing::Clear);
    let tag = Tag { id: None, at: Timestamp(0) };
    bench.publisher.push(RoomId::LOBBY, tag, &clear);
    assert!(bench.publisher.is_empty(), "nobody draws");
    bench.follow(SessionId(2), DRAWING);
    bench.publisher.push(RoomId::LOBBY, tag, &clear);
    bench.publish();
    let lengths = [0, "DRAW a clear\n".len() as u64];
    assert_eq!([PLAIN, DRAWING].map(|dialect| bench.log_bytes(dialect).unwrap()), lengths);
    bench.event("one");
    bench.publish();
    let lengths = lengths.map(|length| length + "MSG a one\n".len() as u64);
    assert_eq!([PLAIN, DRAWING].map(|dialect| bench.log_bytes(dialect).unwrap()), lengths);
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\n");
}

#[test]
fn closed_mailbox_ends_the_stream() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.mailbox.close(bench.insertion_point(PLAIN), CloseReason::Stopping);
    bench.private(PLAIN, "too late\n");
    bench.event("two");
    bench.publish();
    assert_eq!(bench.read(1000), ("welcome\nMSG a one\n".to_owned(), Progress::Done));
}

/// Regression: a writer drained its mailbox, the hub inserted a line and appended, and the writer read the feed past the insertion. The
/// author read its own message, and never its reply.
#[test]
fn append_after_drain_does_not_skip_insertions() {
    let mut bench = Bench::new(1 << 20);
    assert_eq!(bench.read(1000), ("welcome\n".to_owned(), Progress::Idle));
    bench.fetch_new();
    bench.own_event("mine", "OK MSG 1\n");
    bench.publish_silently();
    assert_eq!(bench.write(1000), (String::new(), Progress::Idle));
    bench.mailbox.wake_if_awaiting_feed();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(bench.read(1000), ("OK MSG 1\n".to_owned(), Progress::Idle));
}

/// Regression: a socket was full and ready again at once; the writer went on to the end, and the hub, which took it for blocked, did not
/// wake it any more.
#[test]
fn briefly_blocked_reader_is_woken_again() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.publish();
    bench.fetch_new();
    let full = |_: Source<'_>| Err(io::ErrorKind::WouldBlock.into());
    bench.cursor.write(&bench.feed, &bench.mailbox, full).unwrap_err();
    assert_eq!(bench.write(1000).1, Progress::Idle);
    bench.event("two");
    bench.publish_silently();
    bench.mailbox.wake_if_awaiting_feed();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
}

#[test]
fn append_wakes_waiting_reader_but_not_blocked_one() {
    let mut bench = Bench::new(1 << 20);
    bench.read(1000);
    bench.event("one");
    bench.publish_silently();
    bench.mailbox.wake_if_awaiting_feed();
    bench.mailbox.wake_if_awaiting_feed();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    bench.fetch_new();
    let full = |_: Source<'_>| Err(io::ErrorKind::WouldBlock.into());
    bench.cursor.write(&bench.feed, &bench.mailbox, full).unwrap_err();
    bench.mailbox.wake_if_awaiting_feed();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    bench.mailbox.wake();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 2);
}

#[test]
fn feed_retains_its_maximum_and_finds_evicted_reader() {
    let bytes_max = 4096;
    let mut bench = Bench::without_store(bytes_max);
    bench.read(1000);
    let mut slow = 0;
    for _ in 0..100 {
        bench.event(&"x".repeat(100));
        slow += u32::from(bench.publish());
        let kept = bench.retained_bytes(PLAIN);
        assert!(kept <= bytes_max as u64, "{kept} bytes are kept");
    }
    assert!(slow > 50, "{slow} of 100 times");
    assert_eq!(bench.read(1000).1, Progress::Evicted);
}

/// A reader is slow only if the evicted events are new to it: not if it has read them, and not if it began to follow after them.
#[test]
fn reader_that_has_read_what_is_evicted_is_not_slow() {
    let mut bench = Bench::without_store(1);
    for _ in 0..10 {
        bench.event("one");
        assert!(!bench.publish());
        assert_eq!(bench.read(1000).1, Progress::Idle);
    }
    // It follows another log from the end of a segment on, which is then evicted.
    bench.follow(SessionId(2), CRLF);
    bench.event("one");
    bench.switch(CRLF);
    assert!(!bench.publish());
    bench.publisher.open_room(RoomId(1), &RoomName::new("#ops").unwrap(), MessageId(0));
    let other = Arc::default();
    bench.publisher.follow(RoomId(1), PLAIN, SessionId(3), &other);
    bench.publisher.push(RoomId(1), Tag { id: None, at: Timestamp(0) }, &Event::Join(Name::new("a").unwrap()));
    assert!(!bench.publish());
    bench.event("two");
    assert!(!bench.publish());
    bench.event("three");
    assert!(bench.publish());
}

#[test]
fn feed_evicts_no_more_than_exceeds_its_limit() {
    let bytes_max = 4096;
    let mut bench = Bench::new(bytes_max);
    let mut publish = || {
        bench.event(&"x".repeat(100));
        bench.publish();
        bench.feed.bytes()
    };
    let segment_bytes = publish();
    let segments_max = bytes_max / segment_bytes;
    for count in 2..3 * segments_max {
        assert_eq!(publish(), segment_bytes * count.min(segments_max));
    }
}

/// A reader holds no segment between writes, or a blocked one would keep evicted segments in memory.
#[test]
fn reader_between_writes_holds_no_segment() {
    let mut bench = Bench::new(1);
    bench.event("one");
    bench.publish();
    bench.fetch_new();
    let write = |_: Source<'_>| Ok(10);
    assert_eq!(bench.cursor.write(&bench.feed, &bench.mailbox, write).unwrap(), Progress::Wrote(10));
    bench.event("two");
    bench.publish();
    assert_eq!(bench.read(1000), (String::new(), Progress::Evicted));
}

#[test]
fn dialect_without_readers_is_not_rendered() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.publish();
    assert!(Dialect::ALL.iter().all(|&dialect| bench.log_bytes(dialect).is_some() == (dialect == PLAIN)));
    assert_eq!(bench.log_bytes(PLAIN), Some("MSG a one\n".len() as u64));
}

/// A connection sends the same bytes in the same order from memory and from the file.
#[test]
fn large_segment_with_many_readers_is_sent_from_file_unchanged() {
    let mut bench = Bench::new(1 << 20);
    bench.add_readers();
    bench.event("before");
    bench.own_event("mine", "OK MSG 2\n");
    let many = bench.many_events();
    bench.private(PLAIN, "whispered\n");
    bench.publish();
    let expected = format!("welcome\nMSG a before\nOK MSG 2\n{many}whispered\n");
    bench.fetch_new();
    let (mut got, mut from_file) = (Vec::new(), 0);
    while let Ok(Progress::Wrote(_)) = bench.cursor.write(&bench.feed, &bench.mailbox, |source| {
        let mut bytes = source.to_vec()?;
        // Takes as much as a socket has room for.
        bytes.truncate(10_000);
        from_file += if matches!(source, Source::File(..)) { bytes.len() } else { 0 };
        got.extend_from_slice(&bytes);
        Ok(bytes.len())
    }) {}
    assert_eq!(String::from_utf8(got).unwrap(), expected);
    // The end of the segment is smaller than a send from the file.
    let rest = many.len() - from_file;
    assert!(rest < SENDFILE_BYTES_MIN, "{rest} bytes were copied");
}

/// The copies in the memory file count against the feed size, and the oldest are evicted.
#[test]
fn memory_file_is_bounded_and_counts_against_retention() {
    let bytes_max = 64 * SENDFILE_BYTES_MIN;
    let mut bench = Bench::new(bytes_max);
    bench.add_readers();
    for _ in 0..100 {
        bench.many_events();
        bench.publish();
        let kept = bench.retained_bytes(PLAIN);
        let in_file = bench.publisher.file_bytes();
        assert!((1..=(bytes_max / SENDFILE_SHARE) as u64).contains(&in_file), "{in_file} bytes of memory");
        assert!(kept + in_file <= bytes_max as u64, "{kept} bytes are kept, and {in_file} twice");
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
}

mod pages;
