//! Tests of the nodes of a cluster.

use super::*;
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::{LeaveReason, MessageId, Secret, Text, Verifier};

/// A state to which entries of a log are applied.
struct Log {
    state: SharedState,
    uptime: u64,
}

impl Log {
    fn new() -> Self {
        let limits = StateLimits { lease_seconds: 8, resume_seconds: 60, ..StateLimits::default() };
        Self { state: SharedState::new(limits).with_epoch(Token::truncated("k7qdbc")), uptime: 0 }
    }

    fn apply(&mut self, origin: Origin, action: Action) -> Vec<StateOutput> {
        let mut out = Vec::new();
        let entry = Entry { seq: 1, at: Timestamp(5), uptime: Uptime(self.uptime), origin, action };
        self.state.apply(entry, &mut out);
        let restored = SharedState::restore(&self.state.snapshot()).unwrap();
        assert_eq!(restored.nodes(), self.state.nodes());
        out
    }

    fn join(&mut self, node: &str, run: u64) -> Vec<StateOutput> {
        self.apply(Origin::SERVER, Action::JoinCluster(NodeJoin { node: Token::truncated(node), run }))
    }

    fn heartbeat(&mut self, incarnation: u32) -> Vec<StateOutput> {
        self.apply(Origin::of_node(Incarnation(incarnation)), Action::Heartbeat)
    }

    fn run(&mut self, session: SessionId, action: Action) -> Vec<StateOutput> {
        self.apply(Origin::local(session, MemberId(session.0)), action)
    }

    fn register(&mut self, session: SessionId, name: &str, verifier: Option<Verifier>) -> Vec<StateOutput> {
        self.run(session, Action::Register { name: Name::new(name).unwrap(), verifier, room: None })
    }
}

/// A session of an incarnation.
fn session(incarnation: u32, number: u64) -> SessionId {
    SessionId(SessionId::of_node(Incarnation(incarnation)).0 + number)
}

fn verifier() -> Verifier {
    Secret::new([7; 16]).verifier()
}

fn say(name: &str) -> Action {
    let (name, text) = (Name::new(name).unwrap(), Text::new("hello").unwrap());
    Action::Say(RoomId::LOBBY, Message { name, account: None, at: Timestamp(5), text })
}

fn joined(node: &str, run: u64, incarnation: u32) -> StateOutput {
    StateOutput::NodeJoined { node: Token::truncated(node), run, incarnation: Incarnation(incarnation) }
}

fn expired(node: &str, incarnation: u32) -> StateOutput {
    StateOutput::NodeExpired { node: Token::truncated(node), incarnation: Incarnation(incarnation) }
}

/// Number of members that have left for this reason.
fn lost_count(out: &[StateOutput]) -> usize {
    out.iter().filter(|output| matches!(output, StateOutput::Left { reason: LeaveReason::Lost, .. })).count()
}

#[test]
fn session_number_has_incarnation() {
    let last = session(Incarnation::MAX.0, 1);
    assert_eq!(last.incarnation(), Incarnation::MAX);
    let server = Origin::of_node(Incarnation::MAX);
    assert!(server.is_server() && Origin::SERVER.is_server());
    assert!(!Origin::local(last, server.member).is_server() && !Origin::local(server.session, MemberId(1)).is_server());
    assert_eq!(Origin::of_node(Incarnation::NONE), Origin::SERVER);
}

#[test]
fn silent_node_expires_once_at_first_heartbeat_after_its_lease() {
    let mut log = Log::new();
    assert_eq!((log.join("one", 11), log.join("two", 22)), (vec![joined("one", 11, 1)], vec![joined("two", 22, 2)]));
    log.register(session(1, 1), "alice", None);
    log.run(session(1, 2), Action::Watch(RoomName::lobby()));
    log.uptime = 8;
    assert_eq!(log.heartbeat(2), []);
    log.uptime = 9;
    // Only heartbeats let nodes expire.
    log.register(session(2, 1), "bob", None);
    let out = log.heartbeat(2);
    let left = |output: &StateOutput| matches!(output, StateOutput::Left { member, .. } if member.0 == session(1, 1).0);
    assert!(out[0] == expired("one", 1) && matches!(out[1], StateOutput::Unwatched(..)) && left(&out[2]), "{out:?}");
    assert_eq!((log.state.watcher_count(), log.state.member_count()), (0, 1));
    log.uptime = 10;
    assert_eq!(log.heartbeat(2), []);
}

#[test]
fn heartbeat_renews_lease_of_its_node_only() {
    let mut log = Log::new();
    log.join("one", 11);
    log.join("two", 22);
    for second in 1..=8 {
        log.uptime = second;
        assert_eq!(log.heartbeat(1), []);
    }
    log.uptime = 9;
    assert_eq!(log.heartbeat(1), [expired("two", 2)]);
    assert_eq!(log.state.nodes().iter().map(|(incarnation, _)| incarnation.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn node_that_joins_again_ends_its_former_incarnation() {
    let mut log = Log::new();
    log.join("one", 11);
    log.register(session(1, 1), "alice", None);
    let out = log.join("one", 12);
    assert!(out[..2] == [expired("one", 1), joined("one", 12, 2)] && lost_count(&out) == 1, "{out:?}");
    assert_eq!(log.join("one", 13), [expired("one", 2), joined("one", 13, 3)]);
}

#[test]
fn entries_of_an_expired_node_have_no_effect() {
    let mut log = Log::new();
    log.join("one", 11);
    log.register(session(1, 1), "alice", Some(verifier()));
    log.join("one", 12);
    let before = log.state.snapshot();
    let heartbeat = Action::Heartbeat;
    for action in [say("alice"), Action::Rename(Name::new("al").unwrap()), Action::Barrier(None), heartbeat] {
        assert_eq!(log.run(session(1, 1), action), []);
    }
    assert_eq!(log.apply(Origin::of_node(Incarnation(1)), Action::LeaveCluster), []);
    assert_eq!(log.register(session(7, 1), "eve", None), [], "of a node that has never joined");
    assert_eq!(log.state.snapshot(), before);
}

#[test]
fn node_that_leaves_detaches_its_members_at_once() {
    let mut log = Log::new();
    log.join("one", 11);
    log.join("two", 22);
    log.register(session(1, 1), "alice", Some(verifier()));
    let out = log.apply(Origin::of_node(Incarnation(1)), Action::LeaveCluster);
    let member = MemberId(session(1, 1).0);
    assert_eq!(out, [expired("one", 1), StateOutput::Detached(member, LeaveReason::Lost)]);
    let resumed = log.run(session(2, 1), Action::Resume(member, verifier()));
    assert!(matches!(resumed[..], [StateOutput::Resumed { .. }]), "{resumed:?}");
    assert_eq!(log.state.session_of(member), Some(session(2, 1)));
}

#[test]
fn members_of_an_expired_node_leave_in_bounded_steps() {
    let mut log = Log::new();
    log.join("one", 11);
    log.join("two", 22);
    let count = EXPIRED_PER_TURN_MAX * 2 + 3;
    for number in 1..=count {
        log.register(session(1, number as u64), &format!("user-{number:0>3}"), None);
    }
    log.register(session(2, 1), "bob", None);
    let mut steps = vec![lost_count(&log.join("one", 12))];
    while log.state.has_expired() {
        steps.push(lost_count(&log.heartbeat(2)));
    }
    assert_eq!(steps, [EXPIRED_PER_TURN_MAX, EXPIRED_PER_TURN_MAX, 3]);
    assert_eq!(log.state.names().map(Name::as_str).collect::<Vec<_>>(), ["bob"]);
}

/// Otherwise its client, which sends the messages without a reply again, would say them twice.
#[test]
fn entries_after_resumption_elsewhere_have_no_effect() {
    let mut log = Log::new();
    log.join("one", 11);
    log.join("two", 22);
    let (first, second) = (session(1, 1), session(2, 1));
    log.register(first, "alice", Some(verifier()));
    log.run(second, Action::Resume(MemberId(first.0), verifier()));
    assert_eq!(log.run(first, say("alice")), []);
    assert_eq!(log.run(first, Action::Detach(LeaveReason::Lost)), []);
    let out = log.apply(Origin::local(second, MemberId(first.0)), say("alice"));
    assert!(matches!(out[..], [StateOutput::Event { id: Some(MessageId(1)), .. }]), "{out:?}");
    // The expiry of the first node does not concern the member.
    assert_eq!(log.join("one", 12), [expired("one", 1), joined("one", 12, 3)]);
}

/// A moderator at another node may be faster than the member.
#[test]
fn commands_of_removed_members_are_rejected() {
    let mut log = Log::new();
    log.join("one", 11);
    let (alice, bob) = (session(1, 1), session(1, 2));
    log.register(alice, "alice", None);
    log.register(bob, "bob", None);
    let kick = |room| Moderation::Kick { room, name: Name::new("alice").unwrap(), reason: None };
    log.apply(Origin::of_node(Incarnation(1)), Action::Moderate(kick(Some(RoomId::LOBBY))));
    let rejected =
        |out: &[StateOutput], why: &Rejection| matches!(out, [StateOutput::Rejected(_, None, r)] if r == why);
    assert!(rejected(&log.run(alice, say("alice")), &Rejection::NotInRoom(MemberCommand::Say)));
    log.apply(Origin::of_node(Incarnation(1)), Action::Moderate(kick(None)));
    assert!(rejected(&log.run(alice, say("alice")), &Rejection::NoName(MemberCommand::Say)));
    assert!(rejected(&log.run(alice, Action::Join(vec![RoomName::lobby()])), &Rejection::NoName(MemberCommand::Join)));
}

#[test]
fn last_incarnation_is_given_once() {
    let mut log = Log::new();
    log.state.nodes = Nodes::restore(Incarnation(Incarnation::MAX.0 - 1), Vec::new(), Vec::new()).unwrap();
    assert_eq!(log.join("one", 11), [joined("one", 11, Incarnation::MAX.0)]);
    assert_eq!(log.join("two", 22), []);
}
