//! The server as a node of a cluster: what the hub reports about that, and the numbers of sessions that follow from it.

use std::sync::Arc;

use async_channel::{Receiver, Sender};
use futures_lite::future;

use super::session_numbers::SessionNumbers;
use super::{StartError, log};
use crate::protocol::Token;
use crate::state::Incarnation;

/// An event of the node as a whole.
#[derive(Debug)]
enum NodeEvent {
    Joined,
    /// It must stop, for this reason.
    Failed(String),
}

/// The hub's side: reports what happens to the node.
#[derive(Debug)]
pub(super) struct NodeReporter {
    numbers: Arc<SessionNumbers>,
    events: Sender<NodeEvent>,
}

/// The server's side: waits for what happens to the node.
#[derive(Clone, Debug)]
pub(super) struct NodeMonitor {
    numbers: Arc<SessionNumbers>,
    events: Receiver<NodeEvent>,
}

/// Creates both sides.
pub(super) fn watch_node() -> (NodeReporter, NodeMonitor) {
    let (sender, receiver) = async_channel::unbounded();
    let numbers = Arc::new(SessionNumbers::new());
    (NodeReporter { numbers: Arc::clone(&numbers), events: sender }, NodeMonitor { numbers, events: receiver })
}

impl NodeReporter {
    /// A node has joined the cluster. `is_own`: it is this one.
    pub(super) fn report_joined(&self, node: &Token, incarnation: Incarnation, is_own: bool) {
        log::node_joined(node, incarnation, is_own);
        if is_own {
            self.numbers.begin(incarnation);
            // Fails only if the server stops.
            let _ = self.events.try_send(NodeEvent::Joined);
        }
    }

    /// A node has left the cluster or has expired. `is_own`: it is this one, which joins again.
    pub(super) fn report_expired(&self, node: &Token, incarnation: Incarnation, is_own: bool) {
        log::node_expired(node, incarnation, is_own);
        if is_own {
            self.numbers.begin(Incarnation::NONE);
        }
    }

    /// This node must stop.
    pub(super) fn report_failure(&self, why: String) {
        let _ = self.events.try_send(NodeEvent::Failed(why));
    }
}

impl NodeMonitor {
    /// The numbers of the node's sessions.
    pub(super) fn numbers(&self) -> &Arc<SessionNumbers> {
        &self.numbers
    }

    /// Waits until the node has joined its cluster: only then can it accept clients.
    ///
    /// # Errors
    /// The node cannot join.
    pub(super) async fn wait_joined(&self) -> Result<(), StartError> {
        match self.events.recv().await {
            Ok(NodeEvent::Joined) => Ok(()),
            Ok(NodeEvent::Failed(why)) => Err(StartError::Cluster(why.into())),
            Err(_) => Err(StartError::Cluster("a fault in the program has ended the hub; the log has it".into())),
        }
    }

    /// Waits until the node must stop. Returns the reason. Never completes without a cluster.
    pub(super) async fn wait_failed(&self) -> String {
        loop {
            match self.events.recv().await {
                Ok(NodeEvent::Joined) => {}
                Ok(NodeEvent::Failed(why)) => return why,
                Err(_) => return future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SessionId;

    #[test]
    fn sessions_have_the_incarnation_of_their_own_node() {
        let (reporter, monitor) = watch_node();
        let node = Token::new("chat1").unwrap();
        let next = || monitor.numbers().next().incarnation();
        reporter.report_joined(&node, Incarnation(3), false);
        assert_eq!(next(), Incarnation::NONE, "another node has joined");
        reporter.report_joined(&node, Incarnation(4), true);
        reporter.report_expired(&node, Incarnation(3), false);
        assert_eq!(next(), Incarnation(4), "another node has expired");
        assert_eq!(SessionId::of_node(Incarnation(4)).0 + 2, monitor.numbers().next().0);
        reporter.report_expired(&node, Incarnation(4), true);
        assert_eq!(next(), Incarnation::NONE);
    }
}
