//! Tests of sessions that end, and of commands for sessions of other nodes, while changes are under way in the log of a cluster.

use super::cluster_tests::{Cluster, replies};
use super::tests::resumable;
use super::{InputKind, Uptime};
use crate::protocol::{AccountId, LeaveReason, ResumeToken, RoomLock, Secret};
use crate::state::{AccountUpdate, Action, Incarnation, Moderation, Origin, RoomId, SessionId};

/// The verb of the reply to a line.
pub(super) fn expected_verb(line: &str) -> &str {
    let mut words = line.split(' ').filter(|word| !word.starts_with('#'));
    match words.next() {
        Some("nonsense") | None => "-",
        Some(verb) => verb,
    }
}

fn count(out: &[String], line: &str) -> usize {
    out.iter().filter(|other| *other == line).count()
}

fn token(session: SessionId) -> String {
    ResumeToken { id: session.0, secret: Secret::new([7; 16]) }.to_string()
}

#[test]
fn session_that_ends_submits_that_once_and_runs_no_more_lines() {
    let mut cluster = Cluster::new(2);
    cluster.enter(0, 1, "alice");
    cluster.send(0, 1, "MSG one");
    cluster.send(0, 1, "WHO");
    let mut out = cluster.lose(0, 1);
    assert_eq!(out, ["1.1 closed"], "the connection is closed at once");
    let slow = InputKind::Disconnected(LeaveReason::Slow);
    for kind in [slow, InputKind::EndOfInput, InputKind::Disconnected(LeaveReason::Lost)] {
        out.extend(cluster.apply(0, cluster.session(0, 1), kind));
    }
    out.extend(cluster.send(0, 1, "MSG two"));
    assert_eq!(cluster.waiting(0), 2, "the message and the end");
    out.extend(cluster.commit_all());
    assert!(!out.iter().any(|line| line.contains("MSG alice two") || line.contains("OK WHO")), "{out:?}");
    // Each node publishes it.
    assert_eq!((count(&out, "*- LEAVE alice lost"), count(&out, "1.1 removed")), (2, 1), "{out:?}");
    assert_eq!(cluster.nodes[0].0.connected_count(), 0);
}

/// Otherwise a member without a connection would stay.
#[test]
fn session_that_ends_before_it_is_a_member_leaves_nothing() {
    for line in ["NICK alice", "WATCH #lobby", "nonsense"] {
        let mut cluster = Cluster::new(2);
        cluster.connect(0, 1);
        cluster.send(0, 1, line);
        let mut out = cluster.lose(0, 1);
        out.extend(cluster.lose(0, 1));
        out.extend(cluster.commit_all());
        assert_eq!(count(&out, "1.1 removed"), 1, "{line}: {out:?}");
        let sessions = &cluster.nodes[0].0;
        assert_eq!((sessions.names().count(), sessions.state().watcher_count()), (0, 0), "{line}");
    }
}

#[test]
fn end_of_input_waits_for_replies() {
    let mut cluster = Cluster::new(1);
    cluster.connect(0, 1);
    let session = cluster.session(0, 1);
    let mut out = cluster.send(0, 1, "NICK alice");
    out.extend(cluster.send(0, 1, "MSG bye"));
    out.extend(cluster.apply(0, session, InputKind::EndOfInput));
    out.extend(cluster.commit_all());
    let end = out.iter().position(|line| line == "1.1 closed").unwrap();
    assert_eq!(replies(&out[..end], "1.1"), ["OK NICK alice", "OK MSG 1"]);
    out.extend(cluster.apply(0, session, InputKind::Disconnected(LeaveReason::Eof)));
    assert_eq!(count(&cluster.commit_all(), "*- LEAVE alice eof"), 1);
}

/// Its member is removed before the end of its session is applied.
#[test]
fn session_of_displaced_member_ends() {
    let mut cluster = Cluster::new(1);
    cluster.enter(0, 1, "alice");
    cluster.lose(0, 1);
    let kick = Moderation::Kick { room: None, name: crate::protocol::Name::new("alice").unwrap(), reason: None };
    cluster.append(Origin::of_node(Incarnation(1)), Action::Moderate(kick));
    cluster.commit_all();
    assert_eq!((cluster.nodes[0].0.connected_count(), cluster.names().len()), (0, 0));
}

#[test]
fn member_resumes_at_another_node() {
    let mut cluster = Cluster::new(2);
    cluster.enter(0, 1, "alice");
    let first = cluster.session(0, 1);
    cluster.apply(0, first, resumable(Secret::new([7; 16])));
    let given = cluster.commit_all();
    assert_eq!(replies(&given, "1.1").len(), 1, "{given:?}");
    cluster.connect(1, 1);
    cluster.send(1, 1, &format!("RESUME {}", token(first)));
    // The first node does not know yet.
    cluster.send(0, 1, "MSG too late");
    let out = cluster.commit(1);
    assert_eq!(replies(&out, "2.1"), ["OK RESUME alice"]);
    let farewell = out.iter().position(|line| line.starts_with("1.1< ERR - resumed ")).unwrap();
    assert_eq!(out[farewell + 1..farewell + 3], ["1.1 closed", "1.1 removed"]);
    let out = cluster.commit_all();
    assert!(!out.iter().any(|line| line.contains("too late")), "{out:?}");
    cluster.send(1, 1, "MSG here");
    assert_eq!(replies(&cluster.commit_all(), "2.1"), ["OK MSG 1"]);
    assert_eq!((cluster.nodes[0].0.connected_count(), cluster.nodes[1].0.connected_count()), (0, 1));
}

/// Otherwise a resumed member without a connection would never be detached.
#[test]
fn member_resumed_by_an_ended_session_is_detached() {
    let mut cluster = Cluster::new(2);
    cluster.enter(0, 1, "alice");
    let first = cluster.session(0, 1);
    cluster.apply(0, first, resumable(Secret::new([7; 16])));
    cluster.commit_all();
    cluster.connect(1, 1);
    cluster.send(1, 1, &format!("RESUME {}", token(first)));
    cluster.lose(1, 1);
    cluster.commit_all();
    assert!(cluster.nodes[1].0.is_detached(cluster.session(1, 1)));
    cluster.connect(0, 2);
    cluster.send(0, 2, &format!("RESUME {}", token(first)));
    assert_eq!(replies(&cluster.commit_all(), "1.2"), ["OK RESUME alice"]);
    assert_eq!((cluster.nodes[1].0.detached_count(), cluster.nodes[0].0.connected_count()), (0, 1));
}

#[test]
fn whispers_and_moderation_reach_members_of_other_nodes() {
    let mut cluster = Cluster::new(2);
    cluster.enter(0, 1, "alice");
    cluster.enter(1, 1, "bob");
    cluster.send(0, 1, "WHISPER bob psst");
    let out = cluster.commit_all();
    assert_eq!((count(&out, "2.1< WHISPER alice psst"), replies(&out, "1.1").len()), (1, 1), "{out:?}");
    let operator = Origin::of_node(Incarnation(1));
    let kick = |room| Moderation::Kick { room, name: crate::protocol::Name::new("bob").unwrap(), reason: None };
    let out = cluster.append(operator, Action::Moderate(kick(Some(RoomId::LOBBY))));
    assert_eq!((count(&out, "2.1 follows no more"), cluster.waiting(0), cluster.waiting(1)), (1, 0, 0), "{out:?}");
    let operators = out.iter().filter(|line| line.starts_with("operator< OK KICK")).count();
    assert_eq!(operators, 1, "only the operator of the first node gets the result: {out:?}");
    let out = cluster.append(operator, Action::Moderate(kick(None)));
    assert!(
        out.iter().any(|line| line.starts_with("2.1< ERR - kicked ")) && count(&out, "2.1 removed") == 1,
        "{out:?}"
    );
    let audits = [0, 1].map(|node: usize| cluster.nodes[node].1.lock().unwrap().audit.clone());
    assert!(audits[0].len() == 2 && audits[0] == audits[1], "{audits:?}");
}

#[test]
fn refused_changes_get_their_reply() {
    let mut cluster = Cluster::new(1);
    cluster.enter(0, 1, "alice");
    let lines = ["MSG hi", "JOIN #ops", "PING x", "SET resume off", "WHISPER alice x", "TOPIC tea", "NICK al"];
    for line in lines {
        cluster.send(0, 1, line);
        let out = cluster.refuse(0);
        let verb = expected_verb(line);
        let why = "nothing was changed: the cluster does not accept changes at the moment; try again later";
        assert_eq!(replies(&out, "1.1"), [format!("ERR {verb} cluster-unavailable {why}")], "{out:?}");
        assert_eq!(count(&out, "1.1 answered"), 1);
    }
    let remove = AccountUpdate::Delete { account: AccountId(1), generation: None };
    cluster.apply(0, SessionId::SERVER, InputKind::ChangeAccount(remove));
    let out = cluster.refuse(0);
    assert!(out.len() == 1 && out[0].starts_with("operator: Err(NotStored("), "{out:?}");
    let lock = Moderation::SetLock { room: RoomId::LOBBY, lock: RoomLock::Accounts };
    cluster.apply(0, SessionId::SERVER, InputKind::Moderate(lock));
    let out = cluster.refuse(0);
    assert!(out.len() == 1 && out[0].starts_with("operator< ERR LOCK cluster-unavailable "), "{out:?}");
}

#[test]
fn node_accepts_clients_while_it_is_in_the_cluster() {
    let mut cluster = Cluster::not_joined(1);
    let refused = "ERR - cluster-unavailable this server has not joined its cluster yet; try again later";
    let out = cluster.connect(0, 1);
    assert_eq!(out, [format!("1< {refused}"), "1 closed".to_owned(), "1 removed".to_owned()]);
    let remove = AccountUpdate::Delete { account: AccountId(1), generation: None };
    assert!(cluster.apply(0, SessionId::SERVER, InputKind::ChangeAccount(remove))[0].starts_with("operator: Err("));
    cluster.join(0, 7);
    assert!(cluster.connect(0, 1)[0].starts_with("1.1< HELLO "));
    // A number that was given before the node joined again.
    let early = cluster.session(0, 2);
    cluster.join(0, 8);
    let kind = InputKind::Connect(([127, 0, 0, 1], 1024).into());
    assert_eq!(cluster.apply(0, early, kind)[0], format!("1.2< {refused}"));
}

#[test]
fn sessions_of_an_expired_node_end_with_a_reason() {
    let mut cluster = Cluster::new(2);
    cluster.enter(0, 1, "alice");
    cluster.enter(1, 1, "bob");
    cluster.connect(0, 2);
    cluster.send(0, 1, "MSG lost");
    let lock = Moderation::SetLock { room: RoomId::LOBBY, lock: RoomLock::Accounts };
    cluster.apply(0, SessionId::SERVER, InputKind::Moderate(lock));
    cluster.uptime = 9;
    let out = cluster.append(Origin::of_node(Incarnation(2)), Action::Heartbeat);
    for session in ["1.1", "1.2"] {
        let ended =
            out.iter().position(|line| line.starts_with(&format!("{session}< ERR - cluster-unavailable "))).unwrap();
        assert_eq!(out[ended + 1..ended + 3], [format!("{session} closed"), format!("{session} removed")]);
    }
    assert!(out.iter().any(|line| line.starts_with("operator< ERR - cluster-unavailable ")), "{out:?}");
    assert_eq!((count(&out, "*- LEAVE alice lost"), cluster.waiting(0), cluster.names()), (2, 0, vec!["bob"]));
    assert!(!cluster.nodes[0].0.accepts_clients() && cluster.nodes[1].0.accepts_clients());
    cluster.join(0, 9);
    assert!(cluster.connect(0, 1)[0].starts_with("3.1< HELLO "));
}

/// Otherwise the hub would run turns without end.
#[test]
fn expiry_does_not_ask_for_turns_while_a_tick_is_under_way() {
    let mut cluster = Cluster::new(2);
    for number in 1..=9 {
        cluster.connect(1, number);
    }
    for number in 0..150 {
        let session = SessionId(SessionId::of_node(Incarnation(2)).0 + 100 + number);
        let name = crate::protocol::Name::new(&format!("user-{number}")).unwrap();
        let origin = Origin::local(session, crate::state::MemberId(session.0));
        cluster.append(origin, Action::Register { name, verifier: None, room: None });
    }
    cluster.uptime = 9;
    cluster.append(Origin::of_node(Incarnation(1)), Action::Heartbeat);
    let tick = |cluster: &mut Cluster, seconds| cluster.apply(0, SessionId::SERVER, InputKind::Tick(Uptime(seconds)));
    assert!(cluster.nodes[0].0.has_expired());
    tick(&mut cluster, 1);
    assert!(!cluster.nodes[0].0.has_expired() && cluster.waiting(0) == 1, "the heartbeat is under way");
    tick(&mut cluster, 1);
    assert_eq!(cluster.waiting(0), 1);
    cluster.commit(0);
    assert!(cluster.nodes[0].0.has_expired(), "there are more");
    tick(&mut cluster, 1);
    cluster.commit(0);
    assert!(!cluster.nodes[0].0.has_expired() && cluster.names().is_empty());
    tick(&mut cluster, 2);
    assert_eq!(cluster.waiting(0), 1, "one heartbeat each second");
}

/// The session's time is that of the log.
#[test]
fn timed_out_session_ends_once() {
    let mut cluster = Cluster::new(1);
    cluster.connect(0, 1);
    cluster.uptime = 61;
    cluster.append(Origin::of_node(Incarnation(1)), Action::Heartbeat);
    let tick = |cluster: &mut Cluster| cluster.apply(0, SessionId::SERVER, InputKind::Tick(Uptime(1)));
    let out = tick(&mut cluster);
    assert!(out[0].starts_with("1.1< ERR - name-timeout ") && count(&out, "1.1 removed") == 1, "{out:?}");
    assert_eq!(tick(&mut cluster), [""; 0]);
}
