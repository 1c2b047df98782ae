//! Text in pages, and readers that catch up on what the feed evicted.

use std::collections::VecDeque;

use super::*;

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
            bench.mailbox.insert_pages(bench.insertion_point(PLAIN), Box::new(pages));
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
    fn assert_missed(&mut self, dialect: Dialect, after: MessageId, until: MessageId) {
        let expected = MissedMessages { room: RoomId::LOBBY, room_name: RoomName::lobby(), dialect, after, until };
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
                    let lead = |_: &MissedMessages, text: &mut Vec<u8>| text.extend(b"behind\n");
                    self.cursor.catch_up(&self.feed, &self.mailbox, lead, source);
                }
                Progress::CaughtUp(RoomId::LOBBY) => all += "back\n",
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
    bench.assert_missed(PLAIN, bench.last_id[2].0, bench.last_id[4].0);
}

/// Regression: a drawing has no id. A reader that read one first in a new dialect, and was evicted, read the whole store.
#[test]
fn catch_up_after_drawing_begins_at_last_message() {
    let mut bench = Bench::new(1);
    bench.event("one");
    bench.switch(DRAWING);
    let clear = Event::Draw(Name::new("a").unwrap(), Drawing::Clear);
    bench.publisher.push(RoomId::LOBBY, Tag { id: None, at: Timestamp(0) }, &clear);
    bench.publish();
    assert_eq!(bench.read(1000).0, "welcome\nMSG a one\nDRAW a clear\n");
    for text in ["two", "three"] {
        bench.event(text);
        bench.publish();
    }
    assert_eq!(bench.read(1000).1, Progress::Evicted);
    bench.assert_missed(DRAWING, bench.last_id[0].0, bench.last_id[2].0);
}
