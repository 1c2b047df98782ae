//! Three servers, of which some fail while a node appends without a pause.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chinwag::cluster::LogPosition;

use crate::node::Node;
use crate::servers::{DEADLINE, Servers};

/// Appends that surround a fault on each side.
const LOAD: usize = 500;

/// One engine of three servers at a time, so that the measured times are those of the fault.
static ENGINE: Mutex<()> = Mutex::new(());

/// A node under load on three servers.
struct Trial {
    servers: Servers,
    node: Node,
    appended: usize,
    /// Dropped last.
    _engine: MutexGuard<'static, ()>,
}

impl Trial {
    fn start() -> Self {
        let engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = Servers::start(3);
        let node = Node::start(&servers.address("chat"), 3);
        Self { servers, node, appended: 0, _engine: engine }
    }

    /// Appends one message after the other, until a condition holds.
    #[track_caller]
    fn append_until(&mut self, deadline: Duration, mut is_done: impl FnMut(&Node) -> bool) {
        let began_at = Instant::now();
        while !is_done(&self.node) {
            assert!(began_at.elapsed() < deadline, "{}\n{}", self.node.summary(), self.servers.logs());
            if !self.node.is_appending() {
                self.node.begin_append(format!("{:>100}", self.appended).as_bytes().into());
                self.appended += 1;
            }
            self.node.serve(Duration::from_millis(20));
        }
    }

    /// Appends this number of messages.
    #[track_caller]
    fn append(&mut self, count: usize) {
        let target = self.node.acknowledged.len() + count;
        self.append_until(DEADLINE, |node| node.acknowledged.len() >= target);
    }

    /// Forgets the pauses so far.
    fn begin_measurement(&mut self) {
        self.node.longest_append_pause = Duration::ZERO;
        self.node.longest_read_pause = Duration::ZERO;
        self.node.acknowledged_at = Instant::now();
        self.node.read_at = Instant::now();
    }

    /// Checks that the log has what was acknowledged, once and in order, and that a new node reads the same.
    #[track_caller]
    fn check(mut self, what: &str) {
        if self.node.is_appending() {
            let target = self.node.acknowledged.len() + 1;
            self.append_until(DEADLINE, |node| node.acknowledged.len() >= target);
        }
        let last = self.node.last_own;
        self.node.read_to(last);
        println!("{what}: {}", self.node.summary());
        let mut fresh = Node::start(&self.servers.address("chat"), 3);
        fresh.read_to(last);
        assert_eq!(fresh.read[..], self.node.read[..fresh.read.len()]);
        for (at, body) in &self.node.acknowledged {
            let message = &fresh.read[usize::try_from(at.0).expect("in memory") - 1];
            assert_eq!((message.position, &message.body, message.run), (*at, body, self.node.run));
        }
        let bodies: BTreeSet<_> = fresh.read.iter().map(|message| &message.body).collect();
        assert_eq!(bodies.len(), fresh.read.len(), "a message is stored twice");
        assert_eq!(fresh.read.len(), self.node.acknowledged.len(), "a message was invented or lost");
    }
}

#[test]
fn killed_leader_loses_and_repeats_nothing() {
    let mut trial = Trial::start();
    trial.append(LOAD);
    let leader = trial.servers.leader("chat");
    trial.begin_measurement();
    trial.servers.kill(leader);
    trial.append(LOAD);
    trial.servers.restart(leader);
    trial.append(LOAD);
    trial.check("leader killed");
}

#[test]
fn frozen_leader_loses_and_repeats_nothing() {
    let mut trial = Trial::start();
    trial.append(LOAD);
    let leader = trial.servers.leader("chat");
    trial.begin_measurement();
    trial.servers.signal(leader, "-STOP");
    let stopped_at = Instant::now();
    // It comes back after another one has taken its place, and still has messages of that time in its sockets.
    trial.append_until(DEADLINE, |_| stopped_at.elapsed() > Duration::from_secs(10));
    trial.servers.signal(leader, "-CONT");
    trial.append(LOAD);
    trial.check("leader frozen for 10 s");
}

#[test]
fn lost_majority_appends_nothing_until_it_is_back() {
    let mut trial = Trial::start();
    trial.append(LOAD);
    let leader = trial.servers.leader("chat");
    let killed = [leader, (leader + 1) % 3];
    trial.begin_measurement();
    for server in killed {
        trial.servers.kill(server);
    }
    // An append that was under way may still be acknowledged; nothing else is.
    let before = trial.node.acknowledged.len() + 1;
    // Longer than the survivor takes to notice that it leads nothing any more.
    let killed_at = Instant::now();
    trial.append_until(DEADLINE, |node| node.failures.len() >= 4 && killed_at.elapsed() > Duration::from_secs(5));
    assert!(trial.node.acknowledged.len() <= before, "{}", trial.node.summary());
    assert!(!trial.node.failures.contains(&"wrong last position".to_owned()), "{}", trial.node.summary());
    let read = trial.node.read.len() as u64;
    assert!(LogPosition(read) <= trial.node.last_own.next(), "{}", trial.node.summary());
    for server in killed {
        trial.servers.restart(server);
    }
    trial.append(LOAD);
    trial.check("two of three servers killed");
}
