//! The thread that carries out a node's requests, with NATS JetStream.
//!
//! async-nats needs tokio, so the thread has a single-threaded runtime of tokio; the rest of the server runs on smol. Two channels connect
//! them. `crate::cluster::EngineRequest` and `EngineReport` say what they carry.
//!
//! | file | what it has |
//! |---|---|
//! | `connection` | the connection to one of the engine's servers: its options, its losses and their lines in the log |
//! | `stream` | the stream that has the log: creates and inspects it |
//! | `append` | appends, with a guard against repetitions |
//! | `reader` | readers of the log |

mod append;
mod connection;
mod reader;
mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, Event};
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::connection::ConnectionMonitor;
use super::{ClusterAddress, ClusterName, EngineCredentials, NodeName};
use crate::cluster::{AppendFailure, EngineReport, EngineRequest, LogPosition};
use crate::limits::{ENGINE_ANSWER_MS_MAX, ENGINE_BLOCKING_THREADS_MAX, ENGINE_FAILURE_MS_MIN, ENGINE_REPORTS_MAX};
use crate::server::log::RequestLog;

/// The longest wait for an answer.
const ANSWER: Duration = Duration::from_millis(ENGINE_ANSWER_MS_MAX);

/// How a node reaches the engine, and how it creates the log.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// The servers and the name of the cluster. `NatsOptions::credentials` replaces its credentials.
    pub address: ClusterAddress,
    /// The credentials at the engine.
    pub credentials: Option<EngineCredentials>,
    /// A file with the certificates in PEM that may sign those of the servers. `None`: those of the system.
    pub tls_ca: Option<PathBuf>,
    /// The name of the node, for the lists of connections that the engine shows.
    pub node: NodeName,
    /// The number of copies of the log, each on another server. It takes effect when the log is created. The engine refuses to create it on
    /// fewer servers. It is not derived from the number of servers, because some of them may just be stopped.
    pub replicas: usize,
    /// How long the engine keeps a message of the log. It takes effect when the log is created.
    pub retention: Duration,
}

/// The adapter between a node and NATS JetStream.
#[derive(Debug)]
pub struct NatsEngine;

impl NatsEngine {
    /// Starts the thread. It ends once the node drops the sender of requests. It reconnects for as long as that takes.
    ///
    /// # Errors
    /// The system refuses the thread, or the address has a server that the client does not understand.
    pub fn start(options: NatsOptions) -> io::Result<(Sender<EngineRequest>, Receiver<EngineReport>)> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let servers = options.address.server_addresses().map_err(invalid)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(ENGINE_BLOCKING_THREADS_MAX)
            .thread_name("nats-blocking")
            .build()?;
        let connect = connection::options(&options)?;
        let (request_sender, requests) = async_channel::unbounded();
        // A reader waits until the node has taken its reports.
        let (reports, report_receiver) = async_channel::bounded(ENGINE_REPORTS_MAX);
        let serve = async move {
            let (event_sender, events) = mpsc::unbounded_channel();
            let connect = connect.event_callback(move |event| {
                // Fails only if the thread ends.
                let _ = event_sender.send(event);
                std::future::ready(())
            });
            match connect.connect(servers).await {
                Ok(client) => Adapter::new(&options, client, reports).serve(requests, events).await,
                // Not reached: the client connects in the background.
                Err(error) => connection::log_start_error(&error),
            }
        };
        thread::Builder::new().name("nats".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok((request_sender, report_receiver))
    }
}

/// Shared by the tasks of the thread.
#[derive(Debug)]
struct Shared {
    client: Client,
    context: Context,
    cluster: ClusterName,
    replicas: usize,
    retention: Duration,
    /// The number of the connection. `None`: there is none.
    connection: watch::Receiver<Option<u64>>,
    /// The node's last append that the engine acknowledged.
    appended: watch::Sender<LogPosition>,
    /// The number of readers without a message, in a row.
    failed_readers: AtomicU32,
    reports: Sender<EngineReport>,
    failures: Mutex<RequestLog>,
}

/// The task that takes the requests.
struct Adapter {
    shared: Arc<Shared>,
    monitor: ConnectionMonitor,
    reader: Option<JoinHandle<()>>,
}

impl Adapter {
    fn new(options: &NatsOptions, client: Client, reports: Sender<EngineReport>) -> Self {
        let (monitor, connection) = ConnectionMonitor::new(client.clone());
        let context = ContextBuilder::new().timeout(ANSWER).build(client.clone());
        let shared = Shared {
            client,
            context,
            cluster: options.address.name.clone(),
            replicas: options.replicas,
            retention: options.retention,
            connection,
            appended: watch::Sender::default(),
            failed_readers: AtomicU32::new(0),
            reports,
            failures: Mutex::default(),
        };
        Self { shared: Arc::new(shared), monitor, reader: None }
    }

    async fn serve(mut self, requests: Receiver<EngineRequest>, mut events: mpsc::UnboundedReceiver<Event>) {
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Ok(request) => self.begin(request),
                    // The node stops.
                    Err(_) => return,
                },
                Some(event) = events.recv() => self.monitor.handle(&event),
                () = self.monitor.wait_due() => self.monitor.log_due(),
            }
        }
    }

    /// Begins a request. Its task reports the result.
    fn begin(&mut self, request: EngineRequest) {
        let shared = Arc::clone(&self.shared);
        match request {
            EngineRequest::Inspect => {
                tokio::spawn(stream::inspect_and_report(shared));
            }
            EngineRequest::Append { run, attempt, expected, body } => {
                tokio::spawn(append::append_and_report(shared, run, attempt, expected, body));
            }
            EngineRequest::Read { reader, first } => {
                let task = tokio::spawn(reader::read_and_report(shared, reader, first));
                if let Some(earlier) = self.reader.replace(task) {
                    earlier.abort();
                }
            }
        }
    }
}

impl Shared {
    /// Waits for the connection, for as long as an answer may take. Returns its number.
    async fn connected(&self) -> Result<u64, String> {
        let mut connection = self.connection.clone();
        let connected = tokio::time::timeout(ANSWER, connection.wait_for(Option::is_some)).await;
        match connected {
            Ok(Ok(number)) => Ok(number.unwrap_or_default()),
            _ => Err("not connected to the engine".to_owned()),
        }
    }

    /// Waits until the connection with this number is lost.
    async fn lost(&self, number: u64) {
        let mut connection = self.connection.clone();
        // Fails only if the thread ends.
        let _ = connection.wait_for(|&now| now != Some(number)).await;
    }

    async fn report(&self, report: EngineReport) {
        if let EngineReport::Inspected(Err(why))
        | EngineReport::AppendFailed { failure: AppendFailure::Unknown(why), .. }
        | EngineReport::ReaderLost { why, .. } = &report
        {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.failed(std::time::Instant::now(), why);
        }
        // Fails only if the node stops.
        let _ = self.reports.send(report).await;
    }
}

/// Waits until a request that began at this time may be reported as failed: the node then sends it again at once.
async fn pause_after_failure(began_at: Instant) {
    sleep_until(began_at + Duration::from_millis(ENGINE_FAILURE_MS_MIN)).await;
}
