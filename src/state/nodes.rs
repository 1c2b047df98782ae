//! The nodes of the cluster, as the log's entries tell. A server without a cluster has none.

use std::collections::BTreeMap;

use super::{Incarnation, Uptime};
use crate::protocol::{LeaveReason, Token};

/// A node that is in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Token,
    /// Its run.
    pub run: u64,
    /// The time of its last sign of life: of its heartbeat, or of the entry by which it has joined.
    pub alive_at: Uptime,
}

/// The nodes of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    joined: BTreeMap<Incarnation, Node>,
    /// The incarnations that have left or expired, and some of whose members may not have lost their connections yet, with the reason for
    /// which they lose them.
    departing: BTreeMap<Incarnation, LeaveReason>,
    /// The incarnation that was given last.
    last: Incarnation,
}

impl Nodes {
    /// The nodes, by incarnation.
    pub fn iter(&self) -> impl Iterator<Item = (Incarnation, &Node)> {
        self.joined.iter().map(|(incarnation, node)| (*incarnation, node))
    }

    /// Whether sessions of this incarnation exist: its node is in the cluster, or it is a server without a cluster.
    pub fn is_current(&self, incarnation: Incarnation) -> bool {
        incarnation == Incarnation::NONE || self.joined.contains_key(&incarnation)
    }

    /// The incarnation of the node with this name.
    pub fn find(&self, name: &Token) -> Option<Incarnation> {
        self.iter().find(|(_, node)| node.name == *name).map(|(incarnation, _)| incarnation)
    }

    /// Adds a node. Returns its incarnation. `None`: all numbers were given.
    pub(super) fn join(&mut self, node: Node) -> Option<Incarnation> {
        let incarnation = Incarnation(self.last.0 + 1);
        if incarnation > Incarnation::MAX {
            return None;
        }
        self.last = incarnation;
        self.joined.insert(incarnation, node);
        Some(incarnation)
    }

    /// Removes a node, whose members lose their connections for this reason. Returns it.
    pub(super) fn remove(&mut self, incarnation: Incarnation, reason: LeaveReason) -> Option<Node> {
        let node = self.joined.remove(&incarnation)?;
        self.departing.insert(incarnation, reason);
        Some(node)
    }

    /// Records a sign of life of a node.
    pub(super) fn record_heartbeat(&mut self, incarnation: Incarnation, now: Uptime) {
        if let Some(node) = self.joined.get_mut(&incarnation) {
            node.alive_at = now;
        }
    }

    /// The incarnations that were silent for longer than this.
    pub(super) fn silent(&self, now: Uptime, lease_seconds: u64) -> Vec<Incarnation> {
        let is_silent = |node: &Node| now.seconds_since(node.alive_at) > lease_seconds;
        self.iter().filter(|(_, node)| is_silent(node)).map(|(incarnation, _)| incarnation).collect()
    }

    /// The incarnations whose members lose their connections, with the reason.
    pub(super) fn departing(&self) -> &BTreeMap<Incarnation, LeaveReason> {
        &self.departing
    }

    /// All members of departing incarnations have lost their connections.
    pub(super) fn finish_departures(&mut self) {
        self.departing.clear();
    }

    /// The incarnation that was given last.
    pub(super) fn last(&self) -> Incarnation {
        self.last
    }

    /// The parts of a snapshot. `None`: they are inconsistent.
    pub(super) fn restore(
        last: Incarnation,
        joined: Vec<(Incarnation, Node)>,
        departing: Vec<(Incarnation, LeaveReason)>,
    ) -> Option<Self> {
        let numbers = joined.iter().map(|(number, _)| *number).chain(departing.iter().map(|(number, _)| *number));
        let is_given = |number: Incarnation| Incarnation::NONE < number && number <= last;
        let (mut names, count) = (std::collections::BTreeSet::new(), joined.len() + departing.len());
        let are_valid = last <= Incarnation::MAX
            && numbers.clone().all(is_given)
            && numbers.collect::<std::collections::BTreeSet<_>>().len() == count
            && joined.iter().all(|(_, node)| names.insert(node.name.to_string()));
        are_valid.then(|| Self {
            joined: joined.into_iter().collect(),
            departing: departing.into_iter().collect(),
            last,
        })
    }
}
