//! How entries change the nodes of the cluster: joining, signs of life, leaving.

use super::nodes::Node;
use super::{
    Action, Incarnation, MemberCommand, MemberId, NodeJoin, Origin, Rejection, SharedState, StateOutput, Transition,
};
use crate::limits::EXPIRED_PER_TURN_MAX;
use crate::protocol::LeaveReason;

impl SharedState {
    /// Whether an entry of this origin has an effect. A node that has expired may not know it yet: its entries have none. Nor have those of a
    /// session whose member another session has resumed: its client has lost that connection.
    pub(super) fn accepts(&self, origin: Origin) -> bool {
        let incarnation = origin.session.incarnation();
        // Fast path: a server without a cluster.
        if incarnation == Incarnation::NONE {
            return true;
        }
        let is_outdated = self.session_of(origin.member).is_some_and(|session| session != origin.session);
        self.nodes.is_current(incarnation) && !is_outdated
    }
}

impl Transition<'_> {
    /// Whether the action's member has left since the session submitted it. Rejects the command then.
    pub(super) fn reject_without_member(&mut self, action: &Action) -> bool {
        if !self.is_of_cluster() || self.state.member(self.origin.member).is_some() {
            return false;
        }
        let command = match action {
            Action::Rename(_) => MemberCommand::Rename,
            Action::Join(_) => MemberCommand::Join,
            Action::Part(..) => MemberCommand::Part,
            Action::Say(..) => MemberCommand::Say,
            Action::SetTopic(..) => MemberCommand::SetTopic,
            Action::Whisper(..) => MemberCommand::Whisper,
            Action::Draw(..) => MemberCommand::Draw,
            Action::SetVerifier(_) => MemberCommand::SetResume,
            _ => return false,
        };
        self.reject(Rejection::NoName(command));
        true
    }

    /// Whether the entry is from the log of a cluster. Such an entry was checked only by the session's node, before it was in the order.
    pub(super) fn is_of_cluster(&self) -> bool {
        self.origin.session.incarnation() != Incarnation::NONE
    }

    /// A node joins. If it is there already, it has been restarted: its former sessions have ended.
    pub(super) fn join_cluster(&mut self, NodeJoin { node, run }: NodeJoin) {
        if let Some(former) = self.state.nodes.find(&node) {
            self.remove_node(former, LeaveReason::Lost);
        }
        let joined = Node { name: node.clone(), run, alive_at: self.state.now };
        if let Some(incarnation) = self.state.nodes.join(joined) {
            self.out.push(StateOutput::NodeJoined { node, run, incarnation });
        }
        self.disconnect_members();
    }

    /// The origin's node lives. Nodes that were silent for too long expire.
    pub(super) fn record_heartbeat(&mut self) {
        let now = self.state.now;
        self.state.nodes.record_heartbeat(self.origin.session.incarnation(), now);
        for silent in self.state.nodes.silent(now, self.state.limits.lease_seconds) {
            self.remove_node(silent, LeaveReason::Lost);
        }
        self.tick();
    }

    /// The origin's node leaves the cluster.
    pub(super) fn leave_cluster(&mut self) {
        self.remove_node(self.origin.session.incarnation(), LeaveReason::Lost);
        self.disconnect_members();
    }

    /// Advances the time. At most [`EXPIRED_PER_TURN_MAX`] members lose their connections or leave.
    pub(super) fn tick(&mut self) {
        self.state.has_expired = false;
        let disconnected = self.disconnect_members();
        self.remove_expired(EXPIRED_PER_TURN_MAX - disconnected);
        self.remove_ended_sanctions();
    }

    /// Removes a node. Its entries have no effect from here on, and its sessions watch nothing any more. Its members lose their connections
    /// with [`Transition::disconnect_members`].
    fn remove_node(&mut self, incarnation: Incarnation, reason: LeaveReason) {
        let Some(node) = self.state.nodes.remove(incarnation, reason) else { return };
        self.out.push(StateOutput::NodeExpired { node: node.name, incarnation });
        let is_of_node = |(session, _): &(super::SessionId, _)| session.incarnation() == incarnation;
        let watching: Vec<_> = self.state.watchers.iter().filter(is_of_node).map(|(session, _)| session).collect();
        for session in watching {
            self.unwatch_session(session);
        }
    }

    /// Disconnects members of nodes that are gone, at most [`EXPIRED_PER_TURN_MAX`]. Returns how many. Sets `has_expired` if there are more.
    fn disconnect_members(&mut self) -> usize {
        // Fast path: no node is gone.
        if self.state.nodes.departing().is_empty() {
            return 0;
        }
        let SharedState { nodes, members, .. } = &*self.state;
        let reason_of = |(id, member): (MemberId, &super::Member)| {
            let reason = nodes.departing().get(&member.session(id).incarnation())?;
            member.detached().is_none().then_some((id, *reason))
        };
        let lost: Vec<_> = members.iter().filter_map(reason_of).take(EXPIRED_PER_TURN_MAX + 1).collect();
        let has_more = lost.len() > EXPIRED_PER_TURN_MAX;
        let count = lost.len().min(EXPIRED_PER_TURN_MAX);
        for (id, reason) in lost.into_iter().take(count) {
            self.lose_connection(id, reason);
        }
        if has_more {
            self.state.has_expired = true;
        } else {
            self.state.nodes.finish_departures();
        }
        count
    }
}
