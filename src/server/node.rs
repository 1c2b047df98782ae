//! The server as a node of a cluster: what the hub reports about that, and the numbers of sessions that follow from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_channel::{Receiver, Sender};
use futures_lite::future;

use super::{ServerOptions, StartError, log};
use crate::protocol::Token;
use crate::state::{Incarnation, SessionId};

/// Gives each session a number that no other session of the server, or of its cluster, has.
#[derive(Debug, Default)]
pub(super) struct SessionNumbers {
    last: AtomicU64,
}

impl SessionNumbers {
    /// The number of the next session.
    pub(super) fn next(&self) -> SessionId {
        SessionId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The node has joined its cluster: its next sessions have the numbers of this incarnation. The sessions refuse connections that have
    /// got an earlier number.
    fn begin(&self, incarnation: Incarnation) {
        self.last.store(SessionId::of_node(incarnation).0, Ordering::Relaxed);
    }
}

/// What happens to the node as a whole.
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
    let numbers = Arc::new(SessionNumbers::default());
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

    /// Waits until the server can accept clients: at once, or once it has joined its cluster.
    ///
    /// # Errors
    /// The node cannot join.
    pub(super) async fn wait_joined(&self, options: &ServerOptions) -> Result<(), StartError> {
        if options.cluster.is_none() {
            return Ok(());
        }
        match self.events.recv().await {
            Ok(NodeEvent::Joined) => Ok(()),
            Ok(NodeEvent::Failed(why)) => Err(StartError::Cluster(why.into())),
            // The hub has panicked, and its task says so.
            Err(_) => future::pending().await,
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

    #[test]
    fn session_numbers_follow_each_other_and_belong_to_incarnation() {
        let (reporter, monitor) = watch_node();
        let numbers = monitor.numbers();
        assert_eq!([(); 2].map(|()| numbers.next()), [SessionId(1), SessionId(2)]);
        let node = Token::new("chat1").unwrap();
        reporter.report_joined(&node, Incarnation(3), false);
        assert_eq!(numbers.next(), SessionId(3), "another node has joined");
        reporter.report_joined(&node, Incarnation(3), true);
        let next = numbers.next();
        assert_eq!((next.incarnation(), next.0), (Incarnation(3), SessionId::of_node(Incarnation(3)).0 + 1));
    }
}
