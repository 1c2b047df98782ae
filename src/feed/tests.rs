//! Feed, mailbox and cursor together, as the hub and a connection use them. The simulation in `tests/` covers random inputs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::limits::{SENDFILE_BYTES_MIN, SENDFILE_READERS_MIN, SENDFILE_SHARE};
use crate::protocol::{CloseReason, DIALECTS, Drawing, Ending, Event, MessageId, Name, Tag, Text, Timestamp};

const PLAIN: Dialect = Dialect { ending: Ending::Lf, tags: false, draw: false };
const CRLF: Dialect = Dialect { ending: Ending::CrLf, tags: false, draw: false };
const DRAWING: Dialect = Dialect { draw: true, ..PLAIN };

/// A feed, as the hub uses it, with one reader.
struct Bench {
    feed: Feed,
    builder: SegmentBuilder,
    mailbox: Mailbox,
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
        let mut bench = Self {
            feed: Feed::new(bytes_max),
            builder: SegmentBuilder::default(),
            mailbox: Mailbox::default(),
            cursor: Cursor::new(),
            wakes: Arc::default(),
            last_id: Vec::new(),
        };
        bench.builder = SegmentBuilder::with_marks(MessageId(0));
        let begin = bench.builder.add_reader(PLAIN);
        bench.mailbox.insert(None, Some(begin), |text| text.extend(b"welcome\n"));
        bench
    }

    fn event(&mut self, text: &str) {
        let event = Event::Msg(Name::new("a").unwrap(), Text::new(text).unwrap());
        let id = MessageId(3 * self.last_id.len() as u64 + 1);
        self.last_id.push((id, format!("{event}\n")));
        self.builder.push(Tag { id: Some(id), at: Timestamp(0) }, &event);
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
        let before = Some(self.builder.position(PLAIN));
        self.event(text);
        self.mailbox.insert(before, Some(self.builder.position(PLAIN)), |line| line.extend(reply.bytes()));
    }

    fn private(&self, dialect: Dialect, text: &str) {
        let position = Some(self.builder.position(dialect));
        self.mailbox.insert(position, position, |line| line.extend(text.bytes()));
    }

    fn publish(&mut self) -> AppendOutcome {
        self.feed.append(&mut self.builder)
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
    let position = Some(bench.builder.position(PLAIN));
    bench.mailbox.insert_shared(position, Arc::clone(&list), 0..u32::try_from(list.len()).unwrap());
    bench.private(PLAIN, "OK WHO 2\n");
    bench.event("two");
    bench.publish();
    bench.mailbox.insert_whisper(Some(bench.builder.position(PLAIN)), |text| text.extend(b"psst\n"));
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
    let before = Some(bench.builder.position(PLAIN));
    bench.builder.remove_reader(PLAIN);
    let after = bench.builder.add_reader(CRLF);
    bench.mailbox.insert(before, Some(after), |_| {});
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
    bench.builder.push(tag, &clear);
    assert_eq!(bench.publish().grew, [false; DIALECTS], "nobody draws");
    bench.builder.add_reader(DRAWING);
    bench.builder.push(tag, &clear);
    assert_eq!(bench.publish().grew, Dialect::ALL.map(|dialect| dialect == DRAWING));
    bench.event("one");
    assert_eq!(bench.publish().grew, Dialect::ALL.map(|dialect| dialect == DRAWING || dialect == PLAIN));
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\n");
    assert_eq!(bench.feed.end_offset(DRAWING), "DRAW a clear\nMSG a one\n".len() as u64);
}

#[test]
fn closed_mailbox_ends_the_stream() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.mailbox.close(Some(bench.builder.position(PLAIN)), CloseReason::Stopping);
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
    bench.publish();
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
    bench.publish();
    bench.mailbox.wake_if_awaiting_feed();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
}

#[test]
fn append_wakes_waiting_reader_but_not_blocked_one() {
    let mut bench = Bench::new(1 << 20);
    bench.read(1000);
    bench.event("one");
    bench.publish();
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
    let mut bench = Bench::new(bytes_max);
    bench.read(1000);
    let mut evicted = false;
    for _ in 0..100 {
        bench.event(&"x".repeat(100));
        evicted |= bench.publish().evicted;
        let kept = bench.feed.end_offset(PLAIN) - bench.feed.oldest()[PLAIN.index()];
        assert!(kept <= bytes_max as u64, "{kept} bytes are kept");
    }
    assert!(evicted);
    let (_, cursor_offset) = bench.mailbox.cursor_offset().unwrap();
    assert!(cursor_offset < bench.feed.oldest()[PLAIN.index()]);
    assert_eq!(bench.read(1000).1, Progress::Evicted);
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
    assert!(Dialect::ALL.iter().all(|&dialect| (bench.feed.end_offset(dialect) > 0) == (dialect == PLAIN)));
}

/// A connection sends the same bytes in the same order from memory and from the file.
#[test]
fn large_segment_with_many_readers_is_sent_from_file_unchanged() {
    let mut bench = Bench::new(1 << 20);
    for _ in 1..SENDFILE_READERS_MIN {
        bench.builder.add_reader(PLAIN);
    }
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
    for _ in 1..SENDFILE_READERS_MIN {
        bench.builder.add_reader(PLAIN);
    }
    for _ in 0..100 {
        bench.many_events();
        bench.publish();
        let kept = bench.feed.end_offset(PLAIN) - bench.feed.oldest()[PLAIN.index()];
        let in_file = bench.feed.file_bytes();
        assert!((1..=(bytes_max / SENDFILE_SHARE) as u64).contains(&in_file), "{in_file} bytes of memory");
        assert!(kept + in_file <= bytes_max as u64, "{kept} bytes are kept, and {in_file} twice");
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
}

/// A source with as many pages ready as `ready` says.
#[derive(Debug)]
struct TestPages {
    texts: VecDeque<&'static str>,
    ready: Arc<AtomicU32>,
}

impl PageSource for TestPages {
    fn next(&mut self) -> NextPage {
        if !self.texts.is_empty() && self.ready.load(Ordering::Relaxed) == 0 {
            return NextPage::NotYet;
        }
        self.texts.pop_front().map_or(NextPage::End, |text| {
            self.ready.fetch_sub(1, Ordering::Relaxed);
            NextPage::Text(text.as_bytes().into())
        })
    }
}

#[test]
fn paged_text_is_read_at_its_position_and_awaited() {
    for bytes_max in [1, 3, 1000] {
        let mut bench = Bench::new(1 << 20);
        bench.event("one");
        let ready = [vec!["PAST 1\n", "OK 1\n"], vec!["OK 2\n"], vec![]].map(|texts| {
            let ready = Arc::<AtomicU32>::default();
            let pages = TestPages { texts: texts.into(), ready: Arc::clone(&ready) };
            bench.mailbox.insert_pages(Some(bench.builder.position(PLAIN)), Box::new(pages));
            ready
        });
        bench.private(PLAIN, "psst\n");
        bench.event("two");
        bench.publish();
        let mut check = |expected: &str| {
            assert_eq!(bench.read(bytes_max), (expected.to_owned(), Progress::Idle));
        };
        check("welcome\nMSG a one\n");
        ready[0].store(1, Ordering::Relaxed);
        check("PAST 1\n");
        check("");
        ready[1].store(1, Ordering::Relaxed);
        check("");
        ready[0].store(1, Ordering::Relaxed);
        check("OK 1\nOK 2\npsst\nMSG a two\n");
        assert_eq!(bench.mailbox.waiting_bytes(), 0);
    }
}

impl Bench {
    /// After [`Progress::Evicted`]: asserts which messages have to be read from elsewhere.
    #[track_caller]
    fn assert_missed(&mut self, expected: MissedMessages) {
        let source = |missed| {
            assert_eq!(missed, expected);
            Box::<LateEnd>::default() as _
        };
        self.cursor.catch_up(&self.feed, &self.mailbox, |_, _| {}, source);
    }

    /// Reads everything that is ready. Reads messages that the feed evicted from elsewhere.
    fn read_and_catch_up(&mut self, bytes_max: usize) -> String {
        let mut all = String::new();
        loop {
            let (text, end) = self.read(bytes_max);
            all += &text;
            match end {
                Progress::Evicted => {
                    let (last_id, dialect) = (&self.last_id, PLAIN);
                    let source = |missed: MissedMessages| {
                        assert_eq!(missed.dialect, dialect);
                        let lines = last_id.iter().filter(|(id, _)| (missed.after.next()..=missed.until).contains(id));
                        let texts = lines.map(|(_, line)| Box::leak(line.clone().into_boxed_str()) as &'static str);
                        Box::new(TestPages { texts: texts.collect(), ready: Arc::new(u32::MAX.into()) }) as _
                    };
                    let lead = |_, text: &mut Vec<u8>| text.extend(b"behind\n");
                    self.cursor.catch_up(&self.feed, &self.mailbox, lead, source);
                }
                Progress::CaughtUp => all += "back\n",
                end => {
                    assert_eq!(end, Progress::Idle);
                    return all;
                }
            }
        }
    }
}

/// At each byte at which a reader can stop, even in the middle of a line: no line is missing or repeated, and private
/// lines and replies are at their positions.
#[test]
fn evicted_reader_catches_up_without_gap_or_repeat() {
    let lines = "welcome\nMSG a one\nMSG a two\npsst\nOK MSG 3\n";
    for stop in 0..=lines.len() {
        let mut bench = Bench::new(1);
        bench.event("one");
        bench.event("two");
        bench.private(PLAIN, "psst\n");
        bench.own_event("mine", "OK MSG 3\n");
        bench.publish();
        bench.fetch_new();
        let mut first = Vec::new();
        while first.len() < stop {
            let take = |source: Source<'_>| {
                let bytes = source.to_vec()?;
                let room = bytes.len().min(stop - first.len());
                first.extend_from_slice(&bytes[..room]);
                Ok(room)
            };
            bench.cursor.write(&bench.feed, &bench.mailbox, take).unwrap();
        }
        for text in ["four", "five"] {
            bench.event(text);
            bench.publish();
        }
        bench.own_event("mine", "OK MSG 6\n");
        bench.private(PLAIN, "later\n");
        bench.publish();
        bench.event("seven");
        bench.publish();
        let rest = bench.read_and_catch_up(1 + stop % 7);
        let read = String::from_utf8(first).unwrap() + &rest;
        assert!(rest.contains("behind\n") && rest.contains("back\n"), "{read}");
        let lines_read = read.replacen("behind\n", "", 1).replace("back\n", "");
        assert_eq!(
            lines_read,
            lines.to_owned() + "MSG a four\nMSG a five\nOK MSG 6\nlater\nMSG a seven\n",
            "after {stop}"
        );
        bench.event("eight");
        bench.publish();
        assert_eq!(bench.read_and_catch_up(1000), "MSG a eight\n");
        assert_eq!(bench.mailbox.waiting_bytes(), 0);
    }
}

/// A source whose end is known only once `ready` says so.
#[derive(Debug, Default)]
struct LateEnd {
    has_begun: bool,
    ready: Arc<AtomicU32>,
}

impl PageSource for LateEnd {
    fn next(&mut self) -> NextPage {
        if !std::mem::replace(&mut self.has_begun, true) {
            return NextPage::Text(b"MSG a two\nMSG a three\n"[..].into());
        }
        if self.ready.load(Ordering::Relaxed) == 0 { NextPage::NotYet } else { NextPage::End }
    }
}

/// Regression: the feed evicted a position while the end of a full last page was not known yet. Catching up began again before all of the
/// messages, again and again.
#[test]
fn catch_up_resumes_after_second_eviction() {
    let mut bench = Bench::new(1);
    bench.event("one");
    bench.publish();
    assert_eq!(bench.read(1000).1, Progress::Idle);
    for text in ["two", "three"] {
        bench.event(text);
        bench.publish();
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let missed = LateEnd::default();
    let ready = Arc::clone(&missed.ready);
    bench.cursor.catch_up(&bench.feed, &bench.mailbox, |_, _| {}, |_| Box::new(missed));
    assert_eq!(bench.read(1000), ("MSG a two\nMSG a three\n".to_owned(), Progress::Idle));
    for text in ["four", "five"] {
        bench.event(text);
        bench.publish();
    }
    ready.store(1, Ordering::Relaxed);
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let expected = MissedMessages { dialect: PLAIN, after: bench.last_id[2].0, until: bench.last_id[4].0 };
    bench.assert_missed(expected);
}

/// Regression: a drawing has no id. A reader that read one first in a new dialect, and was evicted, read the whole store.
#[test]
fn catch_up_after_drawing_begins_at_last_message() {
    let mut bench = Bench::new(1);
    bench.event("one");
    let before = Some(bench.builder.position(PLAIN));
    bench.builder.remove_reader(PLAIN);
    let after = bench.builder.add_reader(DRAWING);
    bench.mailbox.insert(before, Some(after), |_| {});
    bench.builder.push(Tag { id: None, at: Timestamp(0) }, &Event::Draw(Name::new("a").unwrap(), Drawing::Clear));
    bench.publish();
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\nDRAW a clear\n");
    for text in ["two", "three"] {
        bench.event(text);
        bench.publish();
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let expected = MissedMessages { dialect: DRAWING, after: bench.last_id[0].0, until: bench.last_id[2].0 };
    bench.assert_missed(expected);
}
