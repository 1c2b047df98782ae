//! The hub with its room, its feed and its store, without sockets.

use super::*;
use crate::protocol::{Command, Mode, Token};
use crate::store::Durability;

/// The token of a `PING` that makes the hub fail, for the tests of what comes of it.
pub(in crate::server) const FAULT: &str = "fault-in-the-hub";

pub(super) fn fail_if_asked(request: &Request) {
    if let Request::Act(_, Action::Command(Command::Ping(Some(token)))) = request {
        assert_ne!(token.to_string(), FAULT);
    }
}

/// Somebody who connects and says these lines, and whose connection never gets to write.
fn stuck(hub: &mut Hub, lines: &[&str]) -> Arc<Outbox> {
    let outbox = Arc::new(Outbox::default());
    let session = SessionId(1);
    hub.take(Timestamp(0), Request::Connect(session, ([127, 0, 0, 1], 1024).into(), Arc::clone(&outbox)));
    for line in lines {
        let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(session, Action::Command(command)));
        hub.publish(Timestamp(0));
    }
    outbox
}

/// The cursor of one who is stuck since before they joined has never been in the feed; it was taken for nobody's.
#[test]
fn a_peer_that_is_stuck_since_before_it_joined_is_let_go() {
    let talk = ["MSG hello"; 200];
    for before in [&["NICK a"][..], &["NICK a", "SET tags on"], &["SET tags on", "NICK a", "SET tags off"]] {
        let mut hub = Hub::new(Room::default(), Arc::new(Feed::new(4096)));
        let outbox = stuck(&mut hub, &[before, &talk].concat());
        assert_eq!(outbox.standing(), Standing::Slow, "{before:?}");
        assert_eq!(hub.room().connected(), 0);
    }
}

/// One who reads everything in time, beside many who fall off at once: their leaves alone are more than is kept, and
/// were once published before anybody could read on.
#[test]
fn those_who_read_stay_when_many_are_let_go() {
    let feed = Arc::new(Feed::new(64 * 1024));
    let mut hub = Hub::new(Room::default(), Arc::clone(&feed));
    let join = |hub: &mut Hub, session: u64| {
        let outbox = Arc::new(Outbox::default());
        let id = SessionId(session);
        hub.take(Timestamp(0), Request::Connect(id, ([127, 0, 0, 1], 1024).into(), Arc::clone(&outbox)));
        let command = Command::parse(&format!("NICK {session:0>32}"), Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(id, Action::Command(command)));
        outbox
    };
    let reader = join(&mut hub, 1);
    let mut cursor = crate::feed::Cursor::new();
    let mut turn = |hub: &mut Hub| {
        hub.publish(Timestamp(0));
        cursor.take_new(&feed, &reader, std::task::Waker::noop());
        let all = |source: crate::feed::Source<'_>| Ok(source.to_vec()?.len());
        while let crate::feed::Progress::Wrote(_) = cursor.write(&feed, &reader, all).unwrap() {}
    };
    for session in 2..2000 {
        join(&mut hub, session);
        turn(&mut hub);
    }
    while hub.is_behind() {
        turn(&mut hub);
    }
    let say = Command::parse(&format!("MSG {}", "x".repeat(1000)), Mode::Commands).unwrap().unwrap();
    for _ in 0..200 {
        hub.take(Timestamp(0), Request::Act(SessionId(1), Action::Command(say.clone())));
        turn(&mut hub);
    }
    assert_eq!(reader.standing(), Standing::Present);
    assert_eq!(hub.room().connected(), 1);
}

/// Whoever leaves more whispers unread than may wait for one is let go, and not before.
#[test]
fn whispers_that_one_does_not_read_are_bounded() {
    let mut hub = Hub::new(Room::default(), Arc::new(Feed::new(64 * 1024 * 1024)));
    let outbox = stuck(&mut hub, &["NICK bob"]);
    let ann = SessionId(2);
    hub.take(Timestamp(0), Request::Connect(ann, ([127, 0, 0, 1], 1024).into(), Arc::default()));
    let mut say = |line: &str| {
        let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(ann, Action::Command(command)));
        hub.publish(Timestamp(0));
    };
    say("NICK ann");
    let line = format!("WHISPER bob {}", "x".repeat(4000));
    let kept = (0..1000).find(|_| {
        say(&line);
        outbox.standing() == Standing::Slow
    });
    // One more than fits is kept, and the one after it is too much.
    assert_eq!(kept, Some(WHISPER_BYTES_MAX / (4000 + "WHISPER ann \n".len()) + 1));
}

/// No one of them has many, and one reads.
#[test]
fn whispers_that_nobody_reads_are_bounded_in_all() {
    let feed_bytes = 64 * 1024;
    let feed = Arc::new(Feed::new(feed_bytes));
    let mut hub = Hub::new(Room::default(), Arc::clone(&feed));
    let mut kept = Vec::new();
    let say = |hub: &mut Hub, session, line: &str| {
        let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(SessionId(session), Action::Command(command)));
    };
    for session in 1..=102 {
        let outbox = Arc::new(Outbox::default());
        kept.push(Arc::clone(&outbox));
        let address = ([127, 0, 0, 1], 1024).into();
        hub.take(Timestamp(0), Request::Connect(SessionId(session), address, outbox));
        say(&mut hub, session, &format!("NICK n{session}"));
    }
    hub.publish(Timestamp(0));
    let mut cursor = crate::feed::Cursor::new();
    for round in 0..2000 {
        for session in [2, 3 + round % 100] {
            say(&mut hub, 1, &format!("WHISPER n{session} {}", "x".repeat(500)));
        }
        hub.publish(Timestamp(0));
        cursor.take_new(&feed, &kept[1], std::task::Waker::noop());
        let all = |source: crate::feed::Source<'_>| Ok(source.to_vec()?.len());
        while let crate::feed::Progress::Wrote(_) = cursor.write(&feed, &kept[1], all).unwrap() {}
        let waiting: usize = hub.members.iter().map(|(_, member)| member.outbox.unasked_bytes()).sum();
        assert!(waiting <= feed_bytes + 2048, "{waiting} bytes wait after {round} rounds");
    }
    assert_eq!(kept[1].standing(), Standing::Present, "the one who reads");
    let let_go = kept[2..].iter().filter(|outbox| outbox.standing() == Standing::Slow).count();
    assert!(let_go > 50, "{let_go} of those who do not");
}

/// Each asks for messages that are another page with the next one, and nobody reads; but one does. Nobody falls off the feed.
#[test]
fn past_messages_that_nobody_reads_are_bounded() {
    let feed_bytes = 64 * 1024;
    let feed = Arc::new(Feed::new(feed_bytes));
    let room = Room::default().with_history(crate::room::History::new(50));
    let mut hub = Hub::new(room, Arc::clone(&feed));
    let say = |hub: &mut Hub, session, line: &str| {
        let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(SessionId(session), Action::Command(command)));
    };
    let mut kept = Vec::new();
    for session in 1..=400 {
        let outbox = Arc::new(Outbox::default());
        kept.push(Arc::clone(&outbox));
        let address = ([127, 0, 0, 1], 1024).into();
        hub.take(Timestamp(0), Request::Connect(SessionId(session), address, outbox));
        say(&mut hub, session, &format!("NICK n{session}"));
    }
    let mut cursor = crate::feed::Cursor::new();
    for session in 2..=400 {
        say(&mut hub, 1, &format!("MSG {}", "x".repeat(100)));
        for asking in [1, session] {
            say(&mut hub, asking, "HISTORY 50");
        }
        while hub.is_behind() {
            hub.publish(Timestamp(0));
            cursor.take_new(&feed, &kept[0], std::task::Waker::noop());
            let all = |source: crate::feed::Source<'_>| Ok(source.to_vec()?.len());
            while let crate::feed::Progress::Wrote(_) = cursor.write(&feed, &kept[0], all).unwrap() {}
        }
        assert!(hub.replays.bytes() <= feed_bytes, "{} bytes wait", hub.replays.bytes());
    }
    assert_eq!(kept[0].standing(), Standing::Present, "the one who reads");
    let let_go = kept[1..].iter().filter(|outbox| outbox.standing() == Standing::Slow).count();
    assert!(let_go > 50, "{let_go} of those who do not");
}

/// Somebody joined while a message was being stored, so that it has to be stored once more; who searched just then found it
/// before it was said.
#[test]
fn what_is_stored_and_not_said_yet_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let keep = crate::store::Keep::All;
    let options =
        crate::store::Options { path: directory.path().join("chat.db"), durability: Durability::Relaxed, keep };
    let (store, _) = Store::open(&options, None, Token::ours("epoch"), 0, || Timestamp(0)).unwrap();
    let committed = store.committed().clone();
    let feed = Arc::new(Feed::new(64 * 1024));
    let mut hub = Hub::new(Room::default().with_store(EventId(0)), Arc::clone(&feed)).with_store(store);
    let say = |hub: &mut Hub, session, line: &str| {
        let command = Command::parse(line, Mode::Commands).unwrap().unwrap();
        hub.take(Timestamp(0), Request::Act(SessionId(session), Action::Command(command)));
        hub.publish(Timestamp(0));
    };
    let outboxes: [Arc<Outbox>; 2] = Default::default();
    for (session, outbox) in (1..).zip(&outboxes) {
        let address = ([127, 0, 0, 1], 1024).into();
        hub.take(Timestamp(0), Request::Connect(SessionId(session), address, Arc::clone(outbox)));
    }
    let mut cursor = crate::feed::Cursor::new();
    let mut search = |hub: &mut Hub| {
        say(hub, 1, "SEARCH tea");
        let mut told = Vec::new();
        while !told.windows(10).any(|bytes| bytes == b"OK SEARCH ") {
            cursor.take_new(&feed, &outboxes[0], std::task::Waker::noop());
            let take = |source: crate::feed::Source<'_>| {
                let bytes = source.to_vec()?;
                told.extend_from_slice(&bytes);
                Ok(bytes.len())
            };
            cursor.write(&feed, &outboxes[0], take).unwrap();
            std::thread::yield_now();
        }
        String::from_utf8(told).unwrap().lines().last().unwrap().to_owned()
    };
    say(&mut hub, 1, "NICK ann");
    say(&mut hub, 1, "MSG tea");
    hub.publish(Timestamp(0));
    let first = committed.recv_blocking().unwrap();
    say(&mut hub, 2, "NICK bob");
    assert_eq!(search(&mut hub), "OK SEARCH 0");
    hub.take_committed(Timestamp(0), first);
    hub.take_committed(Timestamp(0), committed.recv_blocking().unwrap());
    hub.publish(Timestamp(0));
    assert_eq!(search(&mut hub), "OK SEARCH 1");
}

/// Each asks after a change of its own, and nobody reads.
#[test]
fn lists_that_nobody_reads_are_bounded() {
    let feed_bytes = 64 * 1024;
    let mut hub = Hub::new(Room::default(), Arc::new(Feed::new(feed_bytes)));
    let mut kept = Vec::new();
    for session in 1..1000 {
        let (id, outbox) = (SessionId(session), Arc::new(Outbox::default()));
        kept.push(Arc::clone(&outbox));
        hub.take(Timestamp(0), Request::Connect(id, ([127, 0, 0, 1], 1024).into(), outbox));
        for line in [format!("NICK {session:0>32}"), "WHO".to_owned()] {
            let command = Command::parse(&line, Mode::Commands).unwrap().unwrap();
            hub.take(Timestamp(0), Request::Act(id, Action::Command(command)));
        }
        while hub.is_behind() {
            hub.publish(Timestamp(0));
        }
        let waiting: usize = hub.members.iter().map(|(_, member)| member.outbox.waiting_bytes()).sum();
        assert!(waiting < 4 * feed_bytes, "{waiting} bytes wait for {session} peers");
    }
}
