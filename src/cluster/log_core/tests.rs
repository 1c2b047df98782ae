//! Tests of how a node joins, reads and leaves.

use super::super::engine::{EngineReport, EngineRequest, LogPosition, ReaderId, StreamInfo};
use super::test_log::{Append, INCARNATION, TestLog, TestNode, unknown};
use crate::limits::{LOG_OUTDATED_TICKS_MAX, LOG_REFUSAL_TICKS};
use crate::protocol::LeaveReason;
use crate::state::{Action, Incarnation, Origin};

#[test]
fn first_node_begins_log_and_joins() {
    let mut log = TestLog::default();
    let mut node = TestNode::new("a", 1);
    assert_eq!(node.requests(), [EngineRequest::Inspect]);
    node.core.handle(EngineReport::Inspected(Err("no quorum".to_owned())));
    assert_eq!(node.requests(), [EngineRequest::Inspect], "asked again");
    node.core.handle(EngineReport::Inspected(Ok(log.info())));
    let Ok([read, EngineRequest::Append { attempt, run, expected, body }]) =
        <[EngineRequest; 2]>::try_from(node.requests())
    else {
        panic!("expected a reader and an append")
    };
    assert_eq!(read, EngineRequest::Read { reader: ReaderId(1), first: LogPosition(1) });
    let genesis = Append { attempt, run, expected, body };
    assert_eq!((genesis.changes(), genesis.expected), (vec!["genesis".to_owned()], LogPosition(0)));
    node.reader = ReaderId(1);
    node.core.handle(log.append(&genesis));
    assert_eq!(node.requests(), [], "the log is not read yet");
    node.read(log.message(1));
    let join = node.append();
    assert_eq!((join.changes(), join.expected), (vec!["join a 1".to_owned()], LogPosition(1)));
    node.core.handle(log.append(&join));
    node.read(log.message(2));
    assert_eq!(node.taken(), ["reset e1", "join a 1"]);
}

/// All three find the stream empty. The first message of the stream counts for all of them.
#[test]
fn nodes_that_begin_log_together_have_first_genesis() {
    let mut log = TestLog::default();
    let mut nodes = [TestNode::new("a", 1), TestNode::new("b", 2), TestNode::new("c", 3)];
    let empty = log.info();
    for node in &mut nodes {
        node.requests();
        node.core.handle(EngineReport::Inspected(Ok(empty.clone())));
    }
    // The second node is the fastest; the acknowledgement of the third one is lost.
    for nth in [1, 2, 0] {
        let requests = nodes[nth].requests();
        let [EngineRequest::Read { reader, .. }, EngineRequest::Append { attempt, run, expected, body }] =
            &requests[..]
        else {
            panic!("expected a reader and an append: {requests:?}")
        };
        nodes[nth].reader = *reader;
        let append = Append { attempt: *attempt, run: *run, expected: *expected, body: body.clone() };
        let report = log.append(&append);
        if nth == 2 {
            nodes[nth].fail(append.attempt, unknown());
            let again = nodes[nth].append();
            nodes[nth].core.handle(log.append(&again));
        } else {
            nodes[nth].core.handle(report);
        }
    }
    assert_eq!(log.messages.len(), 3, "each has appended its own one once");
    for (nth, node) in nodes.iter_mut().enumerate() {
        for position in 1..=3 {
            node.read(log.message(position));
        }
        let join = node.append();
        assert_eq!(node.taken(), ["reset e2"]);
        node.core.handle(log.append(&join));
        node.read(log.message(4 + nth as u64));
    }
    assert_eq!(nodes[0].taken(), ["join a 1"]);
    assert_eq!(log.messages.len(), 6);
}

#[test]
fn node_reads_whole_log_before_it_joins() {
    let mut log = TestLog::default();
    let mut first = TestNode::joined(&mut log);
    for word in ["one", "two", "three"] {
        first.submit(word);
        first.run_all(&mut log);
    }
    let mut node = TestNode::new("b", 2);
    node.requests();
    node.core.handle(EngineReport::Inspected(Ok(log.info())));
    assert_eq!(node.requests(), [EngineRequest::Read { reader: ReaderId(1), first: LogPosition(1) }]);
    node.reader = ReaderId(1);
    for position in 1..=5 {
        assert_eq!(node.requests(), [], "joins too early, before message {position}");
        node.read(log.message(position));
    }
    assert_eq!(node.append().changes(), ["join b 2"]);
    assert_eq!(node.taken(), ["reset e1", "join a 1", "one", "two", "three"]);
}

#[test]
fn log_without_its_first_messages_is_refused() {
    for (last, is_empty) in [(9, false), (4, true)] {
        let mut node = TestNode::new("a", 1);
        node.requests();
        let info = StreamInfo { identity: "first".to_owned(), first: LogPosition(5), last: LogPosition(last) };
        assert_eq!(info.last < info.first, is_empty);
        node.core.handle(EngineReport::Inspected(Ok(info)));
        let failure = "the log begins at message 5, and this server needs it from 1 on";
        assert_eq!(node.core.failure(), Some(failure));
        assert!(node.requests().is_empty());
    }
}

#[test]
fn log_without_genesis_is_refused() {
    let mut log = TestLog::default();
    TestNode::joined(&mut log);
    let join = log.message(2);
    log.messages.clear();
    log.messages.push(super::LogMessage { position: LogPosition(1), ..join });
    let mut node = TestNode::new("b", 2);
    node.run_all(&mut log);
    assert_eq!(node.core.failure(), Some("the log does not begin with the limits of the cluster"));
}

#[test]
fn unreadable_message_stops_node() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    let mut message = log.message(2);
    (message.position, message.run, message.body) = (LogPosition(3), 9, b"not a record".as_slice().into());
    node.read(message);
    let failure = node.core.failure().expect("a failure").to_owned();
    assert!(failure.starts_with("cannot read message 3 of the log: "), "{failure}");
}

/// A reader can skip messages, repeat them and end. The state gets each message once.
#[test]
fn gap_repetition_and_loss_of_reader_lose_nothing() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    let mut other = TestNode::new("b", 2);
    other.run_all(&mut log);
    other.core.record_joined(INCARNATION);
    for word in ["one", "two", "three", "four"] {
        other.submit(word);
        other.run_all(&mut log);
    }
    // Messages 3 to 7: the join of `b` and its changes.
    node.read(log.message(3));
    node.read(log.message(2));
    node.read(log.message(3));
    node.read(log.message(5));
    assert_eq!(node.requests(), [EngineRequest::Read { reader: ReaderId(2), first: LogPosition(4) }]);
    node.read(log.message(4));
    assert_eq!(node.taken(), ["join b 2"], "the outdated reader is ignored");
    node.reader = ReaderId(2);
    node.read(log.message(4));
    let lost = |reader| EngineReport::ReaderLost { reader, why: "no heartbeat".to_owned() };
    node.core.handle(lost(ReaderId(1)));
    assert_eq!(node.requests(), [], "an outdated reader");
    node.core.handle(lost(ReaderId(2)));
    assert_eq!(node.requests(), [EngineRequest::Inspect]);
    node.read(log.message(5));
    assert_eq!(node.taken(), ["one"], "nothing is read before the stream is known to be the same");
    node.core.handle(EngineReport::Inspected(Ok(log.info())));
    assert_eq!(node.requests(), [EngineRequest::Read { reader: ReaderId(3), first: LogPosition(5) }]);
    node.reader = ReaderId(3);
    for position in 5..=7 {
        node.read(log.message(position));
    }
    assert_eq!(node.taken(), ["two", "three", "four"]);
}

#[test]
fn replaced_or_evicted_log_stops_node() {
    let check = |change: fn(&mut StreamInfo), failure: &str| {
        let mut log = TestLog::default();
        let mut node = TestNode::joined(&mut log);
        node.core.handle(EngineReport::ReaderLost { reader: node.reader, why: "gone".to_owned() });
        let mut info = log.info();
        change(&mut info);
        node.core.handle(EngineReport::Inspected(Ok(info)));
        assert_eq!(node.core.failure(), Some(failure));
    };
    let replaced = "the log was replaced by another one; restart this server to join that";
    check(|info| "second".clone_into(&mut info.identity), replaced);
    let evicted = "the log begins at message 4, and this server needs it from 3 on";
    check(|info| (info.first, info.last) = (LogPosition(4), LogPosition(9)), evicted);
}

/// A leader that was cut off from the others gives an outdated answer.
#[test]
fn shortened_log_stops_node_if_it_stays_short() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    let short = StreamInfo { last: LogPosition(1), ..log.info() };
    let mut check = |last_tick: u64| {
        node.core.handle(EngineReport::ReaderLost { reader: node.reader, why: "gone".to_owned() });
        for _ in 0..last_tick {
            let requests = node.requests();
            assert!(requests.contains(&EngineRequest::Inspect), "{requests:?}");
            node.core.handle(EngineReport::Inspected(Ok(short.clone())));
            assert_eq!(node.core.failure(), None);
            node.tick();
        }
        assert!(node.requests().contains(&EngineRequest::Inspect));
        let is_short = last_tick > LOG_OUTDATED_TICKS_MAX;
        let info = if is_short { short.clone() } else { log.info() };
        node.core.handle(EngineReport::Inspected(Ok(info)));
        node.reader = ReaderId(node.reader.0 + 1);
    };
    check(LOG_OUTDATED_TICKS_MAX);
    check(LOG_OUTDATED_TICKS_MAX + 1);
    assert_eq!(node.core.failure(), Some("the log has lost messages: it ends at 1, and 2 were read"));
}

#[test]
fn one_heartbeat_at_a_time_is_appended() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.tick();
    let heartbeat = node.append();
    assert_eq!(heartbeat.changes(), ["Heartbeat"]);
    for _ in 0..3 {
        node.tick();
        node.fail(heartbeat.attempt, unknown());
    }
    node.requests();
    node.run_all(&mut log);
    assert_eq!(log.messages.len(), 2, "its fate is not known");
    log.append(&heartbeat);
    assert!(node.read_one(&log));
    node.tick();
    assert_eq!(node.append().changes(), ["Heartbeat"]);
}

/// Its entries have the incarnation's number, so that the state can ignore those of a node that has expired.
#[test]
fn heartbeat_and_leave_are_from_own_incarnation() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.tick();
    node.run_all(&mut log);
    node.submit_change(Origin::SERVER, Action::Stop);
    node.run_all(&mut log);
    let origins = std::iter::from_fn(|| node.core.next()).map(|value| match value {
        crate::sequencer::Sequenced::Entry(entry) => {
            (format!("{:?}", entry.action), entry.origin.session.incarnation())
        }
        other => panic!("expected an entry: {other:?}"),
    });
    let expected = [("Heartbeat".to_owned(), INCARNATION), ("LeaveCluster".to_owned(), INCARNATION)];
    assert_eq!(origins.collect::<Vec<_>>(), expected);
    node.submit("late");
    node.tick();
    assert!(node.requests().is_empty() && node.taken().is_empty(), "it has left");
}

#[test]
fn node_is_silent_until_it_knows_its_incarnation() {
    let mut log = TestLog::default();
    let mut node = TestNode::new("a", 1);
    node.run_all(&mut log);
    node.tick();
    assert_eq!(node.requests(), []);
    node.core.record_joined(INCARNATION);
    node.tick();
    assert_eq!(node.append().changes(), ["Heartbeat"]);
}

/// The append in flight may still succeed. The new run has a guard of its own.
#[test]
fn expired_node_joins_again_as_another_run() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit("handed");
    let handed = node.append();
    node.submit_from(2, Action::Detach(LeaveReason::Lost));
    node.submit("waiting");
    node.core.rejoin(2);
    assert_eq!(node.taken(), ["refused waiting"]);
    assert_eq!(node.core.run(), 2);
    let join = node.append();
    assert_eq!((join.changes(), join.run, join.expected), (vec!["join a 2".to_owned()], 2, LogPosition(0)));
    assert!(join.attempt > handed.attempt);
    log.append(&handed);
    node.fail(handed.attempt, unknown());
    assert_eq!(node.requests(), [], "the former run is over");
    node.core.handle(log.append(&join));
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["handed", "join a 2"], "the state ignores the former incarnation's change");
    node.submit("late");
    assert_eq!(node.taken(), ["refused late"]);
    let next = Incarnation(INCARNATION.0 + 1);
    node.core.record_joined(next);
    node.tick();
    assert_eq!(node.append().changes(), ["Heartbeat"]);
}

/// The first `JoinCluster` of another process may be a late one of the process before. At the second one, the node stops: otherwise each
/// would expire the other again and again.
#[test]
fn second_process_with_same_name_stops_first_one() {
    let mut log = TestLog::default();
    let mut first = TestNode::joined(&mut log);
    let mut second = TestNode::new("a", 2);
    second.run_all(&mut log);
    assert_eq!(second.taken(), ["reset e1", "join a 1", "join a 2"]);
    first.run_all(&mut log);
    first.core.rejoin(3);
    first.run_all(&mut log);
    assert_eq!(first.taken(), ["join a 2", "join a 3"]);
    second.run_all(&mut log);
    second.core.rejoin(4);
    second.run_all(&mut log);
    assert_eq!((first.core.failure(), second.core.failure()), (None, None));
    first.run_all(&mut log);
    assert_eq!(first.core.failure(), Some("another process has joined the cluster as node a"));
    second.run_all(&mut log);
    assert_eq!(second.core.failure(), None, "one of the two remains");
}

/// A node that stops refuses what is not on its way, and leaves after what is.
#[test]
fn stop_refuses_waiting_changes_and_leaves() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.submit_from(1, Action::Barrier(None));
    let append = node.append();
    node.submit_from(2, Action::Barrier(None));
    node.core.refuse_waiting();
    assert_eq!(node.taken(), ["refused Barrier(None)"]);
    node.submit_change(Origin::SERVER, Action::Stop);
    node.core.handle(log.append(&append));
    node.run_all(&mut log);
    assert_eq!(node.taken(), ["Barrier(None)", "LeaveCluster"]);
    assert!(!node.core.is_busy());
    for _ in 0..LOG_REFUSAL_TICKS {
        node.tick();
    }
    assert!(node.taken().is_empty());
}

/// The sessions repeat a tick while members expire. Such a tick does not count as a second.
#[test]
fn repeated_tick_refuses_nothing_early() {
    let mut log = TestLog::default();
    let mut node = TestNode::joined(&mut log);
    node.tick();
    node.append();
    node.submit("waiting");
    for _ in 0..2 * LOG_REFUSAL_TICKS {
        node.submit_change(Origin::SERVER, Action::Tick);
    }
    assert!(node.taken().is_empty());
}
