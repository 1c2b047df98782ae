//! How a server becomes a node of a cluster ([`ClusterMembership`]). `cluster` implements it (feature `cluster`).

use std::error::Error;
use std::fmt::Debug;

use super::{CheckReport, ServerOptions};
use crate::sequencer::Sequencer;

/// A server's place in a cluster.
pub trait ClusterMembership: Debug + Send + Sync {
    /// Begins to join the cluster. The node has joined once the state says so, as
    /// [`StateOutput::NodeJoined`](crate::state::StateOutput::NodeJoined).
    ///
    /// # Errors
    /// A file cannot be used, or the system refuses a thread. The error is for the operator.
    fn join(&self, options: &ServerOptions) -> Result<Box<dyn Sequencer>, Box<dyn Error + Send + Sync>>;

    /// Adds to the report whether [`ClusterMembership::join`] can begin. Changes nothing, and connects to nothing.
    fn check(&self, report: &mut CheckReport);

    /// The options of the cluster, as on the command line, with their values. They have no secrets.
    fn settings(&self) -> Vec<(&'static str, String)>;
}
