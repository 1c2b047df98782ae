//! Tests: the memory for unread output of every kind is limited, and only slow consumers are disconnected for it.

use std::ops::Range;

use super::tests::{connect, read, say};
use super::*;
use crate::command::ServerLine;
use crate::feed::Cursor;
use crate::limits::{
    BACKLOG_BYTES_MIN, BACKLOG_FEEDS, BACKLOG_GROWTH_SHARE, SEGMENT_BYTES_MAX, TURN_PRIVATE_BYTES_MAX,
    WHISPER_BYTES_MAX,
};
use crate::protocol::{Event, Name, Text};
use crate::session::{Lifecycle, Timeouts};
use crate::state::{SharedState, StateLimits};

const CLIENTS: u64 = 500;

/// A kind of output that clients leave unread.
#[derive(Clone, Copy, Debug)]
enum BacklogKind {
    Feed,
    Whispers,
    UserLists,
    PastMessages,
    Canvas,
}

impl BacklogKind {
    /// The line that the reading client sends, and the line that a slow consumer sends.
    fn lines(self, round: u64, slow: u64) -> (String, Option<&'static str>) {
        let text = "x".repeat(3_000);
        match self {
            Self::Feed => (format!("MSG {text}"), None),
            Self::Whispers => (format!("WHISPER n{slow:0>31} {text}"), None),
            Self::UserLists => (format!("NICK reader{round}"), Some("WHO")),
            Self::PastMessages => (format!("MSG {}", "hello".repeat(100)), Some("HISTORY 50")),
            Self::Canvas => (format!("DRAW #000000 3{}", " 10,10 9999,9999".repeat(150)), Some("CANVAS")),
        }
    }
}

/// Sends these kinds of output, in turns, to clients that read nothing. Returns the number of clients that are disconnected. Checks the
/// unread output after each turn, and that the client that reads stays connected.
fn fill(kinds: &[BacklogKind], rounds: u64) -> usize {
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
    let state = SharedState::new(StateLimits { history_messages: 50, ..StateLimits::default() });
    let mut hub = Hub::new(Sessions::new(state, Timeouts::default()), Arc::clone(&feed));
    let reader = connect(&mut hub, 1);
    say(&mut hub, 1, "NICK reader");
    let mut slow: Vec<_> = (2..CLIENTS + 2).map(|session| Some(connect(&mut hub, session))).collect();
    for session in 2..CLIENTS + 2 {
        say(&mut hub, session, &format!("NICK n{session:0>31}"));
    }
    let mut cursor = Cursor::new();
    let bytes_max = BACKLOG_FEEDS * BACKLOG_BYTES_MIN;
    let turn = 2 * (TURN_PRIVATE_BYTES_MAX + SEGMENT_BYTES_MAX);
    for round in 0..rounds {
        let session = 2 + round % CLIENTS;
        for kind in kinds {
            let (of_reader, of_slow) = kind.lines(round, session);
            say(&mut hub, 1, &of_reader);
            if let Some(line) = of_slow.filter(|_| slow[usize::try_from(round % CLIENTS).unwrap()].is_some()) {
                say(&mut hub, session, line);
            }
            loop {
                hub.publish(Timestamp(0));
                read(&feed, &mut cursor, &reader);
                for mailbox in &mut slow {
                    // The connection ends, and drops its mailbox.
                    mailbox.take_if(|mailbox| mailbox.lifecycle().is_slow());
                }
                let bytes = feed.backlog().bytes();
                assert!(bytes <= bytes_max + bytes_max / BACKLOG_GROWTH_SHARE + turn, "{bytes} bytes in round {round}");
                if !hub.is_turn_due() {
                    break;
                }
            }
        }
    }
    assert_eq!(reader.lifecycle(), Lifecycle::Open, "the client that reads");
    let left: usize = slow.iter().flatten().map(|mailbox| mailbox.measure_memory(|_| {})).sum();
    drop((slow, reader));
    assert!(feed.backlog().bytes() >= feed.bytes() && left <= bytes_max);
    usize::try_from(CLIENTS).unwrap() + 1 - hub.sessions().connected_count()
}

/// Some of the clients that do not read are disconnected, the others keep their unread output.
fn assert_disconnected(kind: BacklogKind, rounds: u64, expected: Range<usize>) {
    let disconnected = fill(&[kind], rounds);
    assert!(expected.contains(&disconnected), "{disconnected}");
}

/// All clients that do not read are disconnected when the feed evicts their position.
#[test]
fn backlog_of_events_is_bounded() {
    assert_eq!(fill(&[BacklogKind::Feed], 500), usize::try_from(CLIENTS).unwrap());
}

#[test]
fn backlog_of_whispers_is_bounded() {
    assert_disconnected(BacklogKind::Whispers, 2_000, 100..450);
}

#[test]
fn backlog_of_user_lists_is_bounded() {
    assert_disconnected(BacklogKind::UserLists, 500, 100..480);
}

#[test]
fn backlog_of_past_messages_is_bounded() {
    assert_disconnected(BacklogKind::PastMessages, 500, 100..480);
}

#[test]
fn backlog_of_strokes_is_bounded() {
    assert_disconnected(BacklogKind::Canvas, 500, 100..480);
}

#[test]
fn backlog_of_all_kinds_together_is_bounded() {
    let kinds = [
        BacklogKind::Feed,
        BacklogKind::Whispers,
        BacklogKind::UserLists,
        BacklogKind::PastMessages,
        BacklogKind::Canvas,
    ];
    assert!(fill(&kinds, 500) >= 400);
}

#[test]
fn unread_whispers_of_one_client_are_bounded() {
    let mut hub = Hub::new(Sessions::default(), Arc::new(Feed::new(64 * 1024 * 1024)));
    let mailbox = connect(&mut hub, 1);
    say(&mut hub, 1, "NICK bob");
    connect(&mut hub, 2);
    say(&mut hub, 2, "NICK ann");
    let line = format!("WHISPER bob {}", "x".repeat(4000));
    let kept = (0..1000).find(|_| {
        say(&mut hub, 2, &line);
        hub.publish(Timestamp(0));
        mailbox.lifecycle().is_slow()
    });
    // The mailbox accepts one whisper beyond the limit, and the next one disconnects the client.
    assert_eq!(kept, Some(WHISPER_BYTES_MAX / (4000 + "WHISPER ann \n".len()) + 1));
}

/// In a cluster, all whispers come from the log.
#[test]
fn unread_whispers_from_a_log_are_bounded() {
    let mut hub = Hub::new(Sessions::default(), Arc::new(Feed::new(64 * 1024 * 1024)));
    connect(&mut hub, 1);
    let (from, text) = (Name::new("ann").unwrap(), Text::new(&"x".repeat(4000)).unwrap());
    let whisper = Output::Send(SessionId(1), None, ServerLine::Event(None, Event::Whisper(from, text)).into());
    let kept = (0..1000).find(|_| {
        hub.delivery.deliver(hub.sessions.state(), SessionId::SERVER, &whisper);
        hub.delivery.has_slow()
    });
    assert_eq!(kept, Some(WHISPER_BYTES_MAX / (4000 + "WHISPER ann \n".len()) + 1));
}
