//! The feed, mailbox and cursor together, as the hub and a connection use them. The simulation in `tests/` tries what is
//! not thought of here.

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

/// A feed with a hub's hand on it and one reader.
struct Bench {
    feed: Feed,
    draft: Draft,
    mailbox: Mailbox,
    cursor: Cursor,
    wakes: Arc<Wakes>,
    /// What was said, and how the reader would read it.
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
    /// The reader follows from the begin on.
    fn new(bytes_max: usize) -> Self {
        let mut bench = Self {
            feed: Feed::new(bytes_max),
            draft: Draft::default(),
            mailbox: Mailbox::default(),
            cursor: Cursor::new(),
            wakes: Arc::default(),
            last_id: Vec::new(),
        };
        bench.draft = Draft::marked(MessageId(0));
        let begin = bench.draft.add_reader(PLAIN);
        bench.mailbox.insert(None, Some(begin), |text| text.extend(b"welcome\n"));
        bench
    }

    fn event(&mut self, text: &str) {
        let event = Event::Msg(Name::new("a").unwrap(), Text::new(text).unwrap());
        let id = MessageId(3 * self.last_id.len() as u64 + 1);
        self.last_id.push((id, format!("{event}\n")));
        self.draft.push(Tag { id: Some(id), at: Timestamp(0) }, &event);
    }

    /// So many that the kernel is to send them by itself. Returns the lines.
    fn many_events(&mut self) -> String {
        let texts = (0..).map(|number| format!("{number:0>1000}")).take(SENDFILE_BYTES_MIN * 2 / 1000);
        let lines = texts.map(|text| {
            self.event(&text);
            format!("MSG a {text}\n")
        });
        lines.collect()
    }

    /// An event of the reader's own.
    fn own_event(&mut self, text: &str, reply: &str) {
        let before = Some(self.draft.position(PLAIN));
        self.event(text);
        self.mailbox.insert(before, Some(self.draft.position(PLAIN)), |line| line.extend(reply.bytes()));
    }

    fn private(&self, dialect: Dialect, text: &str) {
        let position = Some(self.draft.position(dialect));
        self.mailbox.insert(position, position, |line| line.extend(text.bytes()));
    }

    fn publish(&mut self) -> Appended {
        self.feed.append(&mut self.draft)
    }

    fn take_new(&mut self) {
        self.cursor.take_new(&self.feed, &self.mailbox, &Waker::from(Arc::clone(&self.wakes)));
    }

    /// All there is, in writes of at most so many bytes.
    fn read(&mut self, bytes_max: usize) -> (String, Progress) {
        self.take_new();
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
fn ones_own_event_is_its_acknowledgement_in_its_place() {
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
fn private_lines_stand_where_they_happened() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.private(PLAIN, "psst\n");
    bench.event("two");
    bench.publish();
    bench.private(PLAIN, "later\n");
    assert_eq!(bench.read(2).0, "welcome\nMSG a one\npsst\nMSG a two\nlater\n");
}

#[test]
fn shared_lines_are_kept_once_and_read_in_their_place() {
    let mut bench = Bench::new(1 << 20);
    let list = Arc::new(SharedLines::new(b"USER a\nUSER b\n".to_vec()));
    bench.event("one");
    let position = Some(bench.draft.position(PLAIN));
    bench.mailbox.insert_shared(position, Arc::clone(&list), 0..u32::try_from(list.len()).unwrap());
    bench.private(PLAIN, "OK WHO 2\n");
    bench.event("two");
    bench.publish();
    bench.mailbox.insert_whisper(Some(bench.draft.position(PLAIN)), |text| text.extend(b"psst\n"));
    assert!(Arc::strong_count(&list) > 1);
    assert!(bench.mailbox.whisper_bytes() > 5 && bench.mailbox.whisper_bytes() < bench.mailbox.waiting_bytes());
    assert_eq!(bench.read(3).0, "welcome\nMSG a one\nUSER a\nUSER b\nOK WHO 2\nMSG a two\npsst\n");
    assert_eq!((bench.mailbox.whisper_bytes(), bench.mailbox.waiting_bytes()), (0, 0));
    assert_eq!(Arc::strong_count(&list), 1);
}

#[test]
fn the_dialect_changes_at_an_exact_place() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    let before = Some(bench.draft.position(PLAIN));
    bench.draft.remove_reader(PLAIN);
    let after = bench.draft.add_reader(CRLF);
    bench.mailbox.insert(before, Some(after), |_| {});
    bench.event("two");
    bench.publish();
    bench.event("three");
    bench.publish();
    assert_eq!(bench.read(5).0, "welcome\nMSG a one\nMSG a two\r\nMSG a three\r\n");
}

#[test]
fn what_is_drawn_grows_only_what_those_read_who_draw() {
    let mut bench = Bench::new(1 << 20);
    let clear = Event::Draw(Name::new("a").unwrap(), Drawing::Clear);
    let tag = Tag { id: None, at: Timestamp(0) };
    bench.draft.push(tag, &clear);
    assert_eq!(bench.publish().grew, [false; DIALECTS], "nobody draws");
    bench.draft.add_reader(DRAWING);
    bench.draft.push(tag, &clear);
    assert_eq!(bench.publish().grew, Dialect::ALL.map(|dialect| dialect == DRAWING));
    bench.event("one");
    assert_eq!(bench.publish().grew, Dialect::ALL.map(|dialect| dialect == DRAWING || dialect == PLAIN));
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\n");
    assert_eq!(bench.feed.end_offset(DRAWING), "DRAW a clear\nMSG a one\n".len() as u64);
}

#[test]
fn nothing_comes_after_the_close() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.mailbox.close(Some(bench.draft.position(PLAIN)), CloseReason::Stopping);
    bench.private(PLAIN, "too late\n");
    bench.event("two");
    bench.publish();
    assert_eq!(bench.read(1000), ("welcome\nMSG a one\n".to_owned(), Progress::Done));
}

/// A writer looked into its mailbox, then the hub pinned and published, then the writer read the feed: it ran past the insertion,
/// sent its own message to its author, and never found the insertion again.
#[test]
fn what_is_published_after_a_writer_looked_does_not_outrun_its_pins() {
    let mut bench = Bench::new(1 << 20);
    assert_eq!(bench.read(1000), ("welcome\n".to_owned(), Progress::Idle));
    bench.take_new();
    bench.own_event("mine", "OK MSG 1\n");
    bench.publish();
    assert_eq!(bench.write(1000), (String::new(), Progress::Idle));
    bench.mailbox.wake_awaiting();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(bench.read(1000), ("OK MSG 1\n".to_owned(), Progress::Idle));
}

/// A socket was full, and ready again at once; the writer went on, came to the end, and was not woken any more, because
/// the hub still took it for stuck.
#[test]
fn a_reader_that_was_stuck_for_a_moment_is_woken_again() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.publish();
    bench.take_new();
    let full = |_: Source<'_>| Err(io::ErrorKind::WouldBlock.into());
    bench.cursor.write(&bench.feed, &bench.mailbox, full).unwrap_err();
    assert_eq!(bench.write(1000).1, Progress::Idle);
    bench.event("two");
    bench.publish();
    bench.mailbox.wake_awaiting();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_reader_at_the_end_is_woken_and_a_stuck_one_left_alone() {
    let mut bench = Bench::new(1 << 20);
    bench.read(1000);
    bench.event("one");
    bench.publish();
    bench.mailbox.wake_awaiting();
    bench.mailbox.wake_awaiting();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    bench.take_new();
    let full = |_: Source<'_>| Err(io::ErrorKind::WouldBlock.into());
    bench.cursor.write(&bench.feed, &bench.mailbox, full).unwrap_err();
    bench.mailbox.wake_awaiting();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 1);
    bench.mailbox.wake();
    assert_eq!(bench.wakes.0.load(Ordering::Relaxed), 2);
}

#[test]
fn what_is_kept_is_bounded_and_who_falls_off_is_found() {
    let bytes_max = 4096;
    let mut bench = Bench::new(bytes_max);
    bench.read(1000);
    let mut shrank = false;
    for _ in 0..100 {
        bench.event(&"x".repeat(100));
        shrank |= bench.publish().shrank;
        let kept = bench.feed.end_offset(PLAIN) - bench.feed.oldest()[PLAIN.index()];
        assert!(kept <= bytes_max as u64, "{kept} bytes are kept");
    }
    assert!(shrank);
    let (_, reached) = bench.mailbox.reached().unwrap();
    assert!(reached < bench.feed.oldest()[PLAIN.index()]);
    assert_eq!(bench.read(1000).1, Progress::Evicted);
}

/// Between writes a reader holds no segment, or a stuck one would keep what the retention lets go of.
#[test]
fn a_reader_that_stopped_in_the_middle_holds_nothing() {
    let mut bench = Bench::new(1);
    bench.event("one");
    bench.publish();
    bench.take_new();
    let write = |_: Source<'_>| Ok(10);
    assert_eq!(bench.cursor.write(&bench.feed, &bench.mailbox, write).unwrap(), Progress::Wrote(10));
    bench.event("two");
    bench.publish();
    assert_eq!(bench.read(1000), (String::new(), Progress::Evicted));
}

#[test]
fn a_dialect_that_nobody_reads_is_not_rendered() {
    let mut bench = Bench::new(1 << 20);
    bench.event("one");
    bench.publish();
    assert!(Dialect::ALL.iter().all(|&dialect| (bench.feed.end_offset(dialect) > 0) == (dialect == PLAIN)));
}

/// From where on the kernel sends by itself, the bytes and their order are the same.
#[test]
fn a_large_text_for_many_is_read_from_the_file_and_is_the_same() {
    let mut bench = Bench::new(1 << 20);
    for _ in 1..SENDFILE_READERS_MIN {
        bench.draft.add_reader(PLAIN);
    }
    bench.event("before");
    bench.own_event("mine", "OK MSG 2\n");
    let many = bench.many_events();
    bench.private(PLAIN, "whispered\n");
    bench.publish();
    let expected = format!("welcome\nMSG a before\nOK MSG 2\n{many}whispered\n");
    bench.take_new();
    let (mut got, mut from_file) = (Vec::new(), 0);
    while let Ok(Progress::Wrote(_)) = bench.cursor.write(&bench.feed, &bench.mailbox, |source| {
        let mut bytes = source.to_vec()?;
        // A socket takes what it has room for.
        bytes.truncate(10_000);
        from_file += if matches!(source, Source::File(..)) { bytes.len() } else { 0 };
        got.extend_from_slice(&bytes);
        Ok(bytes.len())
    }) {}
    assert_eq!(String::from_utf8(got).unwrap(), expected);
    // A rest that is small is copied.
    let rest = many.len() - from_file;
    assert!(rest < SENDFILE_BYTES_MIN, "{rest} bytes were copied");
}

/// The copies for the kernel count against the retention, are of the newest only, and go.
#[test]
fn few_large_texts_are_kept_twice_and_counted_twice() {
    let bytes_max = 64 * SENDFILE_BYTES_MIN;
    let mut bench = Bench::new(bytes_max);
    for _ in 1..SENDFILE_READERS_MIN {
        bench.draft.add_reader(PLAIN);
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

/// Pages that somebody else fetches, as many as are permitted.
#[derive(Debug)]
struct Pages {
    texts: VecDeque<&'static str>,
    permitted: Arc<AtomicU32>,
}

impl PageSource for Pages {
    fn next(&mut self) -> NextPage {
        if !self.texts.is_empty() && self.permitted.load(Ordering::Relaxed) == 0 {
            return NextPage::NotYet;
        }
        self.texts.pop_front().map_or(NextPage::End, |text| {
            self.permitted.fetch_sub(1, Ordering::Relaxed);
            NextPage::Text(text.as_bytes().into())
        })
    }
}

#[test]
fn what_is_fetched_stands_in_its_place_and_is_waited_for() {
    for bytes_max in [1, 3, 1000] {
        let mut bench = Bench::new(1 << 20);
        bench.event("one");
        let permitted = [vec!["PAST 1\n", "OK 1\n"], vec!["OK 2\n"], vec![]].map(|texts| {
            let permitted = Arc::<AtomicU32>::default();
            let pages = Pages { texts: texts.into(), permitted: Arc::clone(&permitted) };
            bench.mailbox.insert_pages(Some(bench.draft.position(PLAIN)), Box::new(pages));
            permitted
        });
        bench.private(PLAIN, "psst\n");
        bench.event("two");
        bench.publish();
        let mut check = |expected: &str| {
            assert_eq!(bench.read(bytes_max), (expected.to_owned(), Progress::Idle));
        };
        check("welcome\nMSG a one\n");
        permitted[0].store(1, Ordering::Relaxed);
        check("PAST 1\n");
        check("");
        permitted[1].store(1, Ordering::Relaxed);
        check("");
        permitted[0].store(1, Ordering::Relaxed);
        check("OK 1\nOK 2\npsst\nMSG a two\n");
        assert_eq!(bench.mailbox.waiting_bytes(), 0);
    }
}

impl Bench {
    /// After [`Progress::Evicted`]: this is what has to be read from elsewhere.
    #[track_caller]
    fn misses(&mut self, expected: MissedMessages) {
        let source = |missed| {
            assert_eq!(missed, expected);
            Box::<EndsLate>::default() as _
        };
        self.cursor.catch_up(&self.feed, &self.mailbox, |_, _| {}, source);
    }

    /// All there is, with what fell off the feed from elsewhere.
    fn read_all(&mut self, bytes_max: usize) -> String {
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
                        Box::new(Pages { texts: texts.collect(), permitted: Arc::new(u32::MAX.into()) }) as _
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

/// Wherever it stopped, also in the middle of a line: nothing is missing, nothing is there twice, and private lines and
/// acknowledgements are in their positions.
#[test]
fn who_falls_off_the_feed_reads_on_from_elsewhere() {
    let lines = "welcome\nMSG a one\nMSG a two\npsst\nOK MSG 3\n";
    for stop in 0..=lines.len() {
        let mut bench = Bench::new(1);
        bench.event("one");
        bench.event("two");
        bench.private(PLAIN, "psst\n");
        bench.own_event("mine", "OK MSG 3\n");
        bench.publish();
        bench.take_new();
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
        let rest = bench.read_all(1 + stop % 7);
        let read = String::from_utf8(first).unwrap() + &rest;
        assert!(rest.contains("behind\n") && rest.contains("back\n"), "{read}");
        let told = read.replacen("behind\n", "", 1).replace("back\n", "");
        assert_eq!(told, lines.to_owned() + "MSG a four\nMSG a five\nOK MSG 6\nlater\nMSG a seven\n", "after {stop}");
        bench.event("eight");
        bench.publish();
        assert_eq!(bench.read_all(1000), "MSG a eight\n");
        assert_eq!(bench.mailbox.waiting_bytes(), 0);
    }
}

/// What was missed, whose end shows only when that is permitted.
#[derive(Debug, Default)]
struct EndsLate {
    has_begun: bool,
    permitted: Arc<AtomicU32>,
}

impl PageSource for EndsLate {
    fn next(&mut self) -> NextPage {
        if !std::mem::replace(&mut self.has_begun, true) {
            return NextPage::Text(b"MSG a two\nMSG a three\n"[..].into());
        }
        if self.permitted.load(Ordering::Relaxed) == 0 { NextPage::NotYet } else { NextPage::End }
    }
}

/// The last page of what was missed was full, and what came after it was not kept any more when the next was found to be empty: the
/// reader was taken back to before all of it, again and again, without ever letting others go on.
#[test]
fn who_falls_off_again_at_the_end_of_what_was_missed_goes_on_from_there() {
    let mut bench = Bench::new(1);
    bench.event("one");
    bench.publish();
    assert_eq!(bench.read(1000).1, Progress::Idle);
    for text in ["two", "three"] {
        bench.event(text);
        bench.publish();
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let missed = EndsLate::default();
    let permitted = Arc::clone(&missed.permitted);
    bench.cursor.catch_up(&bench.feed, &bench.mailbox, |_, _| {}, |_| Box::new(missed));
    assert_eq!(bench.read(1000), ("MSG a two\nMSG a three\n".to_owned(), Progress::Idle));
    for text in ["four", "five"] {
        bench.event(text);
        bench.publish();
    }
    permitted.store(1, Ordering::Relaxed);
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let expected = MissedMessages { dialect: PLAIN, after: bench.last_id[2].0, until: bench.last_id[4].0 };
    bench.misses(expected);
}

/// A drawing has no id of its own. Whoever read one first in a dialect that was new, and fell off, was told all that is stored.
#[test]
fn who_falls_off_after_a_drawing_is_told_nothing_from_before_it() {
    let mut bench = Bench::new(1);
    bench.event("one");
    let before = Some(bench.draft.position(PLAIN));
    bench.draft.remove_reader(PLAIN);
    let after = bench.draft.add_reader(DRAWING);
    bench.mailbox.insert(before, Some(after), |_| {});
    bench.draft.push(Tag { id: None, at: Timestamp(0) }, &Event::Draw(Name::new("a").unwrap(), Drawing::Clear));
    bench.publish();
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\nDRAW a clear\n");
    for text in ["two", "three"] {
        bench.event(text);
        bench.publish();
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    let expected = MissedMessages { dialect: DRAWING, after: bench.last_id[0].0, until: bench.last_id[2].0 };
    bench.misses(expected);
}
