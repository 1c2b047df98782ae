//! A server as a node of a cluster whose log is in NATS JetStream.

use std::error::Error;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use futures_lite::{Stream as _, future};
use smol::Timer;

use super::{ClusterAddress, CredentialFiles, EngineCredentials, NatsEngine, NatsOptions, NodeName};
use crate::cluster::{EnginePort, EngineReport, EngineRequest, Genesis, LogCore, LogSequencer};
use crate::limits::LEAVE_MS_MAX;
use crate::sequencer::Sequencer;
use crate::server::{CheckReport, ClusterMembership, ServerOptions, log, random_epoch};

/// The options of a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The engine, and the name of the cluster.
    pub address: ClusterAddress,
    /// The name of the node.
    pub node: NodeName,
    /// The files with what the engine wants to see.
    pub credentials: CredentialFiles,
    /// The certificates in PEM that may sign those of the engine. `None`: those of the system.
    pub tls_ca: Option<PathBuf>,
    /// The number of copies of the log.
    pub replicas: usize,
}

impl NodeOptions {
    /// Reads what the engine wants to see. Returns warnings, too.
    fn read_credentials(&self) -> Result<(Option<EngineCredentials>, Vec<String>), Box<dyn Error + Send + Sync>> {
        let mut warnings = Vec::new();
        let credentials = self.credentials.read(self.address.credentials.as_ref(), &mut warnings)?;
        Ok((credentials, warnings))
    }
}

impl ClusterMembership for NodeOptions {
    fn join(&self, options: &ServerOptions) -> Result<Box<dyn Sequencer>, Box<dyn Error + Send + Sync>> {
        let (credentials, warnings) = self.read_credentials()?;
        for warning in &warnings {
            log::engine_credentials(warning);
        }
        let engine = NatsOptions {
            address: self.address.clone(),
            credentials,
            tls_ca: self.tls_ca.clone(),
            node: self.node.clone(),
            replicas: self.replicas,
            // The log has all that a new node starts from.
            retention: Duration::ZERO,
        };
        let (requests, reports) = NatsEngine::start(engine)?;
        let mut port = ChannelPort { requests, reports: Box::pin(reports), leaves_at: None };
        let epoch = options.epoch.clone().unwrap_or_else(random_epoch);
        let genesis = Genesis { limits: options.state_limits(), epoch };
        let core = LogCore::new(self.node.token().clone(), genesis, port.draw_run());
        Ok(Box::new(LogSequencer::new(core, port)))
    }

    fn check(&self, report: &mut CheckReport) {
        match self.read_credentials() {
            Ok((_, warnings)) => report.notes.extend(warnings),
            Err(error) => report.errors.push(error.to_string()),
        }
        report.checked.push("the options of the cluster (no connection was made)".to_owned());
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| Some(path.as_ref()?.display().to_string());
        let CredentialFiles { user, password, token, nkey_seed, credentials } = &self.credentials;
        let settings = [
            ("--cluster", Some(self.address.to_string())),
            ("--cluster-node", Some(self.node.to_string())),
            ("--cluster-copies", Some(self.replicas.to_string())),
            ("--cluster-ca", path(&self.tls_ca)),
            ("--cluster-user", user.clone()),
            ("--cluster-password-file", path(password)),
            ("--cluster-token-file", path(token)),
            ("--cluster-nkey-file", path(nkey_seed)),
            ("--cluster-credentials", path(credentials)),
        ];
        settings.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
    }
}

/// The channels to the thread of the engine.
#[derive(Debug)]
struct ChannelPort {
    requests: Sender<EngineRequest>,
    reports: Pin<Box<Receiver<EngineReport>>>,
    /// Until when the node waits for the end of its last append. `None`: it does not leave yet.
    leaves_at: Option<Instant>,
}

impl EnginePort for ChannelPort {
    fn send(&mut self, request: EngineRequest) {
        // Fails only if the thread has ended, which the reports show, too.
        let _ = self.requests.try_send(request);
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<Option<EngineReport>> {
        self.reports.as_mut().poll_next(cx)
    }

    fn wait_to_leave(&mut self) -> Option<EngineReport> {
        let until = *self.leaves_at.get_or_insert_with(|| Instant::now() + Duration::from_millis(LEAVE_MS_MAX));
        let late = async {
            Timer::at(until).await;
            None
        };
        smol::block_on(future::or(async { self.reports.recv().await.ok() }, late))
    }

    fn draw_run(&mut self) -> u64 {
        // 0 is the run of messages that no node has appended.
        getrandom::u64().unwrap_or_else(|_| fastrand::u64(..)).max(1)
    }
}
