//! The options of the feature `cluster`.

use std::sync::Arc;

use chinwag::limits::{LOG_REPLICAS_DEFAULT, LOG_REPLICAS_MAX};
use chinwag::server::ClusterMembership;
use chinwag::server::cluster::{ClusterAddress, CredentialFiles, NodeName, NodeOptions};

use super::Arguments;

/// Explains which options contradict each other.
pub(super) fn find_conflict(arguments: &Arguments) -> Option<String> {
    if arguments.cluster.is_none() {
        let given = [
            (arguments.cluster_node.is_some(), "--cluster-node"),
            (arguments.cluster_copies.is_some(), "--cluster-copies"),
            (arguments.cluster_ca.is_some(), "--cluster-ca"),
            (arguments.cluster_user.is_some(), "--cluster-user"),
            (arguments.cluster_password_file.is_some(), "--cluster-password-file"),
            (arguments.cluster_token_file.is_some(), "--cluster-token-file"),
            (arguments.cluster_nkey_file.is_some(), "--cluster-nkey-file"),
            (arguments.cluster_credentials.is_some(), "--cluster-credentials"),
        ];
        let (_, option) = given.into_iter().find(|(is_given, _)| *is_given)?;
        return Some(format!("{option} without --cluster: expected --cluster nats://HOST, the servers of NATS"));
    }
    #[cfg(feature = "store")]
    if arguments.data.is_some() {
        return Some(
            "--cluster with --data: expected one of them; the log of the cluster keeps the messages".to_owned(),
        );
    }
    if arguments.cluster_node.is_none() {
        return NodeName::of_host().err();
    }
    None
}

/// The cluster that the server is a node of.
pub(super) fn membership(arguments: &mut Arguments) -> Option<Arc<dyn ClusterMembership>> {
    let address = arguments.cluster.take()?;
    // `find_conflict` has checked the name of the host.
    let node = arguments.cluster_node.take().or_else(|| NodeName::of_host().ok())?;
    let credentials = CredentialFiles {
        user: arguments.cluster_user.take(),
        password: arguments.cluster_password_file.take(),
        token: arguments.cluster_token_file.take(),
        nkey_seed: arguments.cluster_nkey_file.take(),
        credentials: arguments.cluster_credentials.take(),
    };
    let replicas = arguments.cluster_copies.unwrap_or(LOG_REPLICAS_DEFAULT);
    Some(Arc::new(NodeOptions { address, node, credentials, tls_ca: arguments.cluster_ca.take(), replicas }))
}

pub(super) fn parse_address(raw: &str) -> Result<ClusterAddress, String> {
    let address: ClusterAddress = raw.parse()?;
    if address.credentials.is_some() {
        // Other users of the machine can read a command line.
        return Err(
            "expected no password in it: put that into a file, for --cluster-password-file or --cluster-token-file"
                .to_owned(),
        );
    }
    Ok(address)
}

pub(super) fn parse_node(raw: &str) -> Result<NodeName, String> {
    raw.parse()
}

pub(super) fn parse_copies(raw: &str) -> Result<usize, String> {
    let copies = raw.parse().ok().filter(|copies| (1..=LOG_REPLICAS_MAX).contains(copies));
    copies.ok_or_else(|| format!("expected a number from 1 to {LOG_REPLICAS_MAX}"))
}

pub(super) fn parse_user(raw: &str) -> Result<String, String> {
    if raw.is_empty() { Err("expected a name".to_owned()) } else { Ok(raw.to_owned()) }
}
