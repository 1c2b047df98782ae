//! Appends and readers on one server that works.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chinwag::cluster::{AppendFailure, EngineReport, EngineRequest, LogPosition};

use crate::node::Node;
use crate::proxy::Proxy;
use crate::servers::{DEADLINE, Servers};

fn body(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("in range")
}

#[test]
fn appends_are_read_back_in_order() {
    let servers = Servers::start(1);
    let address = servers.address("chat");
    let before = now_ms();
    let mut one = Node::start(&address, 1);
    let mut two = Node::start(&address, 1);
    for number in 0..100 {
        one.append(&format!("one {number}"));
        two.append(&format!("two {number}"));
    }
    for node in [&mut one, &mut two] {
        node.read_to(LogPosition(200));
    }
    assert_eq!(one.read, two.read);
    let after = now_ms();
    for (at, message) in one.read.iter().enumerate() {
        let (name, run) = if at % 2 == 0 { ("one", one.run) } else { ("two", two.run) };
        assert_eq!(message.position, LogPosition(at as u64 + 1));
        assert_eq!((&*message.body, message.run), (format!("{name} {}", at / 2).as_bytes(), run));
        assert!((before..=after).contains(&message.engine_ms), "{before} {} {after}", message.engine_ms);
    }
    assert!(one.lost.is_empty() && one.failures.is_empty(), "{}", one.summary());
    // A reader may begin anywhere, and waits for messages that do not exist yet.
    let mut late = Node::connect(&address, 1);
    let info = late.inspect();
    assert_eq!((info.first, info.last), (LogPosition(1), LogPosition(200)));
    assert_eq!(info.identity, one.inspect().identity);
    late.request(EngineRequest::Read { reader: chinwag::cluster::ReaderId(1), first: LogPosition(201) });
    one.append("last");
    match late.report() {
        EngineReport::Read { message, .. } => {
            assert_eq!((message.position, &*message.body), (LogPosition(201), &b"last"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn append_with_old_position_is_refused() {
    let servers = Servers::start(1);
    let address = servers.address("chat");
    let mut node = Node::start(&address, 1);
    let first = node.append_with(LogPosition(0), &body("first"));
    assert_eq!(node.outcome(first), Ok(LogPosition(1)));
    for text in ["first", "other"] {
        let again = node.append_with(LogPosition(0), &body(text));
        assert_eq!(node.outcome(again), Err(AppendFailure::WrongLastPosition), "{text}");
    }
    // The guard is about the node's own messages.
    let mut other = Node::start(&address, 1);
    other.append("of another node");
    let second = node.append_with(LogPosition(1), &body("second"));
    assert_eq!(node.outcome(second), Ok(LogPosition(3)));
    // A position that the log does not have yet: the server is behind what the node knows, so nothing is known.
    let future = node.append_with(LogPosition(9), &body("future"));
    assert!(matches!(node.outcome(future), Err(AppendFailure::Unknown(_))));
    node.read_to(LogPosition(3));
    let bodies: Vec<_> = node.read.iter().map(|message| message.body.to_vec()).collect();
    assert_eq!(bodies, [&b"first"[..], b"of another node", b"second"]);
}

#[test]
fn append_with_lost_answer_is_stored_once() {
    let servers = Servers::start(1);
    // This node has another way to the log.
    let mut witness = Node::start(&servers.address("chat"), 1);
    let proxy = Proxy::start(servers.port(0));
    let mut node = Node::start(&format!("nats://127.0.0.1:{}/chat", proxy.port), 1);
    node.append("before");
    proxy.lose_answers(true);
    let first = node.append_with(LogPosition(1), &body("twice"));
    assert!(matches!(node.outcome(first), Err(AppendFailure::Unknown(_))));
    witness.read_to(LogPosition(2));
    proxy.lose_answers(false);
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "{}", node.summary());
        let again = node.append_with(LogPosition(1), &body("twice"));
        match node.outcome(again) {
            Err(AppendFailure::WrongLastPosition) => break,
            // The connection is still to be replaced.
            Err(AppendFailure::Unknown(_)) => {}
            Ok(at) => panic!("stored again at {at:?}"),
        }
    }
    node.read_to(LogPosition(2));
    node.last_own = LogPosition(2);
    node.append("after");
    for node in [&mut node, &mut witness] {
        node.read_to(LogPosition(3));
        let bodies: Vec<_> = node.read.iter().map(|message| message.body.to_vec()).collect();
        assert_eq!(bodies, [&b"before"[..], b"twice", b"after"]);
    }
}

#[test]
fn log_has_its_own_name_and_as_many_copies_as_asked_for() {
    let servers = Servers::start(1);
    let identity = Node::connect(&servers.address("chat"), 1).inspect().identity;
    let other = Node::connect(&servers.address("other"), 1).inspect();
    assert!(other.identity != identity && other.identity.len() == 16, "{other:?}");
    let three = Node::connect(&servers.address("three"), 3);
    assert!(inspection_error(&three).starts_with("cannot create the log with 3 copies: "));
}

#[test]
fn log_of_others_is_refused() {
    let servers = Servers::start(1);
    Node::connect(&servers.address("chat"), 1).inspect();
    servers.create_stream("chinwag-other", "chinwag.other.*");
    let error = inspection_error(&Node::connect(&servers.address("other"), 1));
    assert_eq!(
        error,
        "the stream chinwag-other was not created by chinwagd; delete it or choose another name for the cluster"
    );
}

/// Why an engine that is ready does not have the log.
#[track_caller]
fn inspection_error(node: &Node) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        node.request(EngineRequest::Inspect);
        match node.report() {
            EngineReport::Inspected(Err(error)) if error.contains("not connected") => {
                assert!(Instant::now() < deadline, "{error}");
            }
            EngineReport::Inspected(Err(error)) => return error,
            other => panic!("{other:?}"),
        }
    }
}
