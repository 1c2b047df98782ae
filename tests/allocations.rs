//! Counts the allocations and wake-ups of a delivery. Unlike times, the counts are the same on every machine.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use chinwag::command::Command;
use chinwag::feed::{Cursor, Feed, Mailbox, Progress, Source};
use chinwag::limits::BACKLOG_BYTES_DEFAULT;
use chinwag::protocol::{Mode, Timestamp};
use chinwag::server::hub::{Hub, HubRequest};
use chinwag::session::{InputKind, Sessions};
use chinwag::state::SessionId;

/// Allocations to publish a hundred messages, one after the other, and to deliver each of them to this many readers.
fn allocations(readers: u64) -> u64 {
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_DEFAULT));
    let mut hub = Hub::new(Sessions::default(), Arc::clone(&feed));
    let mut at_work: Vec<_> = (1..=readers).map(|number| join(&mut hub, SessionId(number))).collect();
    let message = |text: &str| Command::parse(text, Mode::Commands).expect("a command").expect("not blank");
    let messages: Vec<_> = (0..100).map(|number| message(&format!("MSG message {number}"))).collect();
    deliver(&feed, &mut at_work);
    let counted = allocation_counter::measure(|| {
        for message in messages {
            hub.process(Timestamp(0), HubRequest::Input(SessionId(1), InputKind::Command(message)));
            hub.publish(Timestamp(0));
            deliver(&feed, &mut at_work);
        }
    });
    counted.count_total
}

fn join(hub: &mut Hub, session: SessionId) -> (Arc<Mailbox>, Cursor) {
    let mailbox = Arc::new(Mailbox::default());
    hub.process(Timestamp(0), HubRequest::Connect(session, ([127, 0, 0, 1], 1024).into(), Arc::clone(&mailbox)));
    let nick = Command::parse(&format!("NICK reader-{}", session.0), Mode::Commands).expect("a command");
    hub.process(Timestamp(0), HubRequest::Input(session, InputKind::Command(nick.expect("not blank"))));
    hub.publish(Timestamp(0));
    (mailbox, Cursor::new())
}

/// Lets every reader read everything. Returns the number of bytes that the last one reads.
fn deliver(feed: &Feed, readers: &mut [(Arc<Mailbox>, Cursor)]) -> usize {
    let mut of_last = 0;
    for (mailbox, cursor) in readers {
        of_last = 0;
        cursor.fetch_new(feed, mailbox, Waker::noop());
        let discard = |source: Source<'_>| match source {
            Source::Memory(slices) => std::io::sink().write_vectored(slices),
            Source::File(_, _, bytes) => Ok(bytes.len()),
        };
        while let Ok(Progress::Wrote(bytes)) = cursor.write(feed, mailbox, discard) {
            of_last += bytes;
        }
    }
    of_last
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Other clients are not woken for it, and have nothing to read.
#[test]
fn stroke_wakes_only_drawing_clients() {
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_DEFAULT));
    let mut hub = Hub::new(Sessions::default(), Arc::clone(&feed));
    let mut at_work: Vec<_> = (1..=3).map(|number| join(&mut hub, SessionId(number))).collect();
    let mut say = |session, line: &str| {
        let command = Command::parse(line, Mode::Commands).expect("a command").expect("not blank");
        hub.process(Timestamp(0), HubRequest::Input(SessionId(session), InputKind::Command(command)));
        hub.publish(Timestamp(0));
    };
    say(2, "SET draw on");
    deliver(&feed, &mut at_work);
    let mut check = |line: &str, expected: [u32; 3], has_text: bool| {
        let wakes: [Arc<Wakes>; 3] = Default::default();
        for ((mailbox, cursor), wakes) in at_work.iter_mut().zip(&wakes) {
            cursor.fetch_new(&feed, mailbox, &Waker::from(Arc::clone(wakes)));
        }
        say(1, line);
        assert_eq!(wakes.map(|wakes| wakes.0.load(Ordering::Relaxed)), expected, "{line}");
        assert_eq!(deliver(&feed, &mut at_work) > 0, has_text, "{line}");
    };
    for _ in 0..10 {
        check("DRAW #1e90ff 40 0,0 9999,9999", [1, 1, 0], false);
        check("MSG hi", [1, 1, 1], true);
    }
}

#[test]
fn delivery_allocates_nothing() {
    let (few, many) = (allocations(10), allocations(1010));
    assert!(few > 0, "allocations are not counted");
    assert!(many <= few + 1_000, "{few} allocations with ten readers, {many} with a thousand more");
}
