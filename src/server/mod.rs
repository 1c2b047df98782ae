//! The shell around the pure core: sockets, tasks, signals and the operator's log, on smol.
//!
//! One task accepts on each listener. One task serves each connection: its reader and its writer (`connection`). One
//! task, the `hub`, owns the room. A `ListenerProtocol` serves clients up to their first line (`listen`, `web`).
//! Connections send requests to the hub through `request_queue`, which has one queue for each connection; the reader
//! bounds it. The hub never waits for a client.
//!
//! `delivery` renders output and finds slow consumers; `delivery::slow_consumers` lists all reasons. `token_bucket` is
//! the rate limit, `admission` refuses connections, `shutdown` ends them. `reload` changes options. `clock` is the server's time. A connection
//! reaches its client through a `transport`. `control` serves the operator, on a socket of its own.
//!
//! The server reaches the store through three traits: [`StoreOpener`] opens it, `StoreReader` reads it,
//! [`Sequencer`](crate::sequencer::Sequencer) commits. `store_adapter` and `store_sequencer` implement them for SQLite;
//! `store_pages` renders the rows.

#[cfg(feature = "cluster")]
pub mod cluster;
pub mod hub;
pub mod log;

#[cfg(feature = "accounts")]
mod account_file;
#[cfg(feature = "store")]
mod account_rows;
#[cfg(feature = "accounts")]
mod accounts;
mod admission;
mod announce;
mod banned_networks;
mod bound_sockets;
mod check;
mod clock;
mod cluster_interface;
mod connection;
mod control;
mod delivery;
mod driver;
mod inherited_sockets;
mod listen;
#[cfg_attr(not(feature = "metrics"), path = "no_metrics.rs")]
mod metrics;
mod motd;
mod node;
mod operator;
mod password;
#[cfg(feature = "accounts")]
mod password_hasher;
#[cfg(feature = "accounts")]
mod password_pool;
mod password_threads;
mod port_file;
mod reload;
mod request_queue;
#[cfg_attr(not(feature = "systemd"), path = "no_service_manager.rs")]
mod service_manager;
mod session_numbers;
mod session_options;
mod shutdown;
mod sockets;
mod start_error;
#[cfg(feature = "store")]
mod store_adapter;
mod store_interface;
#[cfg(feature = "store")]
mod store_pages;
mod store_reader;
#[cfg(feature = "store")]
mod store_sequencer;
#[cfg(feature = "tls")]
mod tls;
mod token_bucket;
mod transport;
mod unix_socket;
#[cfg(feature = "store")]
mod unstored_records;
#[cfg(feature = "web")]
mod web;

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::{FutureExt as _, StreamExt as _, future};
use smol::{Executor, Task, Timer};
use tracing::level_filters::LevelFilter;

#[cfg(feature = "accounts")]
pub use self::account_file::{AccountFile, AccountFileError};
use self::admission::{Admission, ConnectionLimits};
use self::banned_networks::BannedNetworks;
use self::bound_sockets::{BoundSockets, RunFiles};
pub use self::check::{CheckReport, check};
use self::clock::{Clock, SystemClock, UptimeMeter};
pub use self::cluster_interface::ClusterMembership;
use self::connection::ConnectionContext;
pub use self::control::ControlOptions;
use self::control::{ControlServer, StatusSource};
use self::hub::{Hub, HubRequest};
pub use self::inherited_sockets::InheritedSocketError;
pub use self::listen::{ListenAddress, Listener, Scheme, SocketSource};
use self::log::{LogFormat, RunLog};
use self::metrics::ServerMetrics;
pub use self::motd::MotdFile;
use self::node::watch_node;
pub use self::password::ServerPassword;
#[cfg(feature = "accounts")]
pub use self::password_hasher::hash_password;
use self::port_file::PortFile;
use self::reload::Reloader;
pub use self::reload::{
    CertificateStatus, Configuration, OptionsSource, Reload, ReloadError, Replacement, live_options, restart_options,
};
pub use self::service_manager::ServiceManager;
use self::shutdown::Signals;
use self::sockets::Sockets;
pub use self::start_error::StartError;
pub use self::store_interface::{StoreBytes, StoreOpener};
#[cfg(feature = "tls")]
pub use self::tls::{CertificateFiles, TlsCertificates};
use self::token_bucket::LiveRate;
pub use self::token_bucket::Rate;
pub use self::unix_socket::UnixSocket;
#[cfg(feature = "web")]
pub use self::web::WebOptions;
use crate::feed::Feed;
#[cfg(doc)]
use crate::limits::DEAD_PEER_TIMEOUT_SECONDS_MIN;
use crate::limits::{EPOCH_CHARS, TICK_MS};
use crate::protocol::Token;
use crate::session::{InputKind, Timeouts};
use crate::state::{SessionId, SharedState};

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The addresses to listen on, each with its protocol. Port 0: any free port.
    pub listen: Vec<Listener>,
    /// The program that has started the process, such as systemd.
    pub service_manager: ServiceManager,
    /// The file to write the listening ports to, one per line; `-` for a Unix socket.
    pub port_file: Option<PathBuf>,
    /// The control socket. `None`: there is none.
    pub control: Option<ControlOptions>,
    /// The most bytes that the feed keeps.
    pub backlog_bytes: usize,
    /// The maximum number of connections. `None`: as many as the limit of open files allows.
    pub max_clients: Option<usize>,
    /// The maximum number of connections from one address. An IPv6 /64 network counts as one address. 0: no limit.
    pub max_per_address: usize,
    /// The number of messages of each room kept in memory for `HISTORY` and `SINCE`. There is a limit in bytes, too, over all rooms.
    pub history: usize,
    /// The maximum number of rooms with members, besides the lobby.
    pub max_rooms: usize,
    /// Clients without a nickname may read rooms.
    pub has_watch: bool,
    /// The epoch of the message ids. `None`: the store's or, without a store, a random one.
    pub epoch: Option<Token>,
    /// The certificates. `None`: without TLS.
    pub certificates: Option<Arc<dyn Reload>>,
    /// The password that clients must give. `None`: none.
    pub password: Option<Arc<ServerPassword>>,
    /// The password is also accepted over connections that others on the way may read.
    pub allows_insecure_passwords: bool,
    /// The accounts of a server with a store.
    pub accounts: AccountOptions,
    /// The cluster that the server is a node of. `None`: it is on its own.
    pub cluster: Option<Arc<dyn ClusterMembership>>,
    /// The store for messages. `None`: messages are kept in memory.
    pub store: Option<Arc<dyn StoreOpener>>,
    /// The rate at which the lines of each client are processed. Further lines wait.
    pub line_rate: Rate,
    /// The rate at which connections from one address are admitted. Further connections are refused.
    pub connect_rate: Rate,
    /// A client that accepts no bytes of its output for this time is disconnected. `None`: after half of TCP's user
    /// timeout, if there is a `dead_peer_timeout`; otherwise never.
    pub send_timeout: Option<Duration>,
    /// A host that has vanished is detected within this time, at least [`DEAD_PEER_TIMEOUT_SECONDS_MIN`]. `None`: the kernel decides.
    pub dead_peer_timeout: Option<Duration>,
    /// How long a session may be silent, or without a nickname.
    pub timeouts: Timeouts,
    /// Seconds for which a detached member can be resumed before it leaves. 0: no member can be resumed.
    pub resume_seconds: u64,
    /// The message of the day. `None`: none.
    pub motd: Option<Arc<MotdFile>>,
}

/// How a server with a store has accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountOptions {
    /// Clients may register accounts. Otherwise only the operator adds them.
    pub is_registration_open: bool,
    /// Clients must log in before they take a nickname.
    pub accounts_only: bool,
}

impl ServerOptions {
    /// Whether clients must give a password: that of the server, or of an account.
    fn needs_passwords(&self) -> bool {
        self.password.is_some() || self.accounts.accounts_only
    }

    /// The send timeout in effect, at most [`send_timeout_max`].
    fn send_timeout(&self) -> Option<Duration> {
        let Some(dead_peer_timeout) = self.dead_peer_timeout else { return self.send_timeout };
        let longest = send_timeout_max(dead_peer_timeout);
        Some(self.send_timeout.map_or(longest, |timeout| timeout.min(longest)))
    }
}

/// The longest `send_timeout` beside this `dead_peer_timeout`: half of TCP's user timeout. So a slow consumer is disconnected, with an error,
/// before the kernel reports its connection as lost.
pub fn send_timeout_max(dead_peer_timeout: Duration) -> Duration {
    listen::user_timeout(dead_peer_timeout) / 2
}

/// Runs a server until a signal stops it. Then closes all connections and returns. SIGHUP makes the server read its
/// files again; if it has none, SIGHUP stops it.
///
/// # Errors
/// The server cannot start.
///
/// # Panics
/// If a task panics that all connections need: the hub, a listener, or the timer of ticks. A panic in a connection ends only that
/// connection.
pub fn run(options: &ServerOptions) -> Result<(), StartError> {
    // Without a source of options, the log stays as it is.
    let (log, log_format) = (LevelFilter::OFF, LogFormat::default());
    run_with(&Configuration { server: options.clone(), log, log_format }, None)
}

/// Like [`run`], but SIGHUP makes the server read its options again, too.
///
/// # Errors
/// The server cannot start.
///
/// # Panics
/// As [`run`], and if the source panics.
pub fn run_reloadable(configuration: &Configuration, source: Arc<dyn OptionsSource>) -> Result<(), StartError> {
    run_with(configuration, Some(source))
}

fn run_with(configuration: &Configuration, source: Option<Arc<dyn OptionsSource>>) -> Result<(), StartError> {
    let options = &configuration.server;
    // A service manager sends SIGHUP to reload, and expects the server to run on.
    let has_reload = source.is_some() || !options.reloaded_files().is_empty() || options.service_manager.is_notified();
    let signals = Signals::new(has_reload).map_err(StartError::System)?;
    if let Some(path) = &options.port_file {
        // Checks before it opens the store, so that a server that cannot start creates no store.
        PortFile::check(path).map_err(|error| StartError::PortFile(path.clone(), error))?;
    }
    let bound = BoundSockets::bind(options)?;
    log::starting();
    if let Some(certificates) = &options.certificates {
        certificates.reload().map_err(StartError::Certificates)?;
    }
    if let Some(password) = &options.password {
        password.reload().map_err(StartError::Password)?;
    }
    if let Some(motd) = &options.motd {
        motd.reload().map_err(StartError::Motd)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let run = Run { log: Arc::new(RunLog::new(Arc::clone(&clock))) };
    let executor = Arc::new(Executor::new());
    spawn_threads(&executor).map_err(StartError::System)?;
    let sockets = Sockets::new().map_err(StartError::System)?;
    let log = Arc::clone(&run.log);
    let reload = (configuration.clone(), source);
    let serving = serve(Arc::clone(&executor), bound, reload, signals, Arc::clone(&sockets), clock, log);
    let reason = driver::block_on(&sockets, &executor, executor.spawn(serving)).map_err(StartError::System)??;
    run.log.stopped(reason);
    Ok(())
}

/// A run of the server. Logs the stop if a panic ends it.
struct Run {
    log: Arc<RunLog>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if thread::panicking() {
            self.log.stopped(log::FAULT);
        }
    }
}

/// Serves clients until the server stops. Returns the reason for the stop.
async fn serve(
    executor: Arc<Executor<'static>>,
    bound: BoundSockets,
    (configuration, source): (Configuration, Option<Arc<dyn OptionsSource>>),
    mut signals: Signals,
    sockets: Arc<Sockets>,
    clock: Arc<dyn Clock>,
    log: Arc<RunLog>,
) -> Result<&'static str, StartError> {
    let BoundSockets { listeners, control, files } = bound;
    let options = &configuration.server;
    let (to_hub, requests) = request_queue::channel();
    let feed = Arc::new(Feed::new(options.backlog_bytes));
    let manager = options.service_manager.clone();
    let stop = async { Err(signals.wait_first().await) };
    let hub = match manager.while_starting(future::or(open_hub(options, &feed), stop)).await {
        Ok(hub) => hub?,
        Err(signal) => {
            manager.stopping().await;
            return Ok(signal);
        }
    };
    let (line_rate, send_timeout) = (LiveRate::new(options.line_rate), options.send_timeout());
    let store_reader = hub.store_reader().cloned();
    let banned = Arc::new(BannedNetworks::new(Arc::clone(&clock)));
    let metrics = Arc::new(ServerMetrics::new(options, hub.commit_times()));
    let hub = hub.with_log(Arc::clone(&log)).with_banned_networks(Arc::clone(&banned));
    let hub = hub.with_metrics(Arc::clone(&metrics));
    let (reporter, node) = watch_node();
    let mut hub = executor.spawn(hub::run(hub.with_node(reporter), requests, Arc::clone(&clock)));
    let context = ConnectionContext {
        feed,
        store_reader,
        to_hub,
        line_rate,
        send_timeout,
        clock,
        log: Arc::clone(&log),
        metrics,
    };
    let context = Arc::new(context);
    // A node that joins its cluster needs them, too.
    let ticks = executor.spawn(send_ticks(Arc::clone(&context)));
    if options.cluster.is_some() {
        let stop = async { Err(signals.wait_first().await) };
        let joined = async { Ok(node.wait_joined().await) };
        match manager.while_starting(future::or(joined, stop)).await {
            Ok(joined) => joined?,
            Err(signal) => {
                manager.stopping().await;
                return Ok(signal);
            }
        }
    }
    let write = |path: &PathBuf| {
        PortFile::write(path, listeners.ports()).map_err(|error| StartError::PortFile(path.clone(), error))
    };
    let port_file = options.port_file.as_ref().map(write).transpose()?;
    let files = Arc::new(RunFiles { port_file, sockets: files });
    let admission = create_admission(options, banned);
    listeners.log();
    let exposure = listeners.exposure();
    exposure.warn(options);
    let control = control.and_then(|bound| bound.inspect_err(log::no_control_socket).ok());
    let control = control.map(|socket| {
        log::control_socket(&socket.path);
        let status = StatusSource::new(options, listeners.uris(), &admission, &*context.clock);
        ControlServer::new(socket, status, Arc::clone(&context), listeners.len())
    });
    announce::announce(listeners.announcement()).await;
    let mut critical_tasks = listeners.accept(&executor, &context, &sockets, &admission, node.numbers());
    critical_tasks.push(ticks);
    critical_tasks.extend(control.map(|control| executor.spawn(control.run())));
    if let Some(signals) = signals.take_reload() {
        let reloader = Reloader::new(configuration, source, exposure, &admission, &context);
        critical_tasks.push(executor.spawn(reloader.run(signals)));
    }
    manager.ready().await;
    critical_tasks.extend(manager.watch(&context, &admission).map(|watching| executor.spawn(watching)));
    let tasks_end = future::or(&mut hub, wait_for_any(&mut critical_tasks));
    let failure = OnceLock::new();
    let tasks_end = future::or(tasks_end, async { failure.set(node.wait_failed().await).unwrap_or_default() });
    let reason = signals.run_until_stop(tasks_end, Arc::downgrade(&files), log).await;
    // No reload reports its end after this.
    drop(critical_tasks);
    manager.stopping().await;
    shutdown::close_connections(context, hub).await;
    drop(files);
    failure.into_inner().map_or(Ok(reason), |why| Err(StartError::Cluster(why.into())))
}

/// Creates the hub in another thread: opening a store takes long if the file is locked or large.
async fn open_hub<E>(options: &ServerOptions, feed: &Arc<Feed>) -> Result<Result<Hub, StartError>, E> {
    let (options, feed) = (options.clone(), Arc::clone(feed));
    Ok(smol::unblock(move || create_hub(&options, &feed)).await)
}

/// Creates the hub. With a store, its room has the newest stored messages.
fn create_hub(options: &ServerOptions, feed: &Arc<Feed>) -> Result<Hub, StartError> {
    if let Some(store) = &options.store {
        return store.open(options, Arc::clone(feed)).map_err(StartError::Store);
    }
    if let Some(cluster) = &options.cluster {
        let sequencer = cluster.join(options).map_err(StartError::Cluster)?;
        log::joining(&cluster.settings());
        let sessions = options.create_sessions(SharedState::new(options.state_limits()));
        return Ok(Hub::new(sessions.with_shared_log(sequencer), Arc::clone(feed)));
    }
    let epoch = options.epoch.clone().unwrap_or_else(random_epoch);
    log::no_store(&epoch, options.history);
    let state = SharedState::new(options.state_limits()).with_epoch(epoch).with_start(random_epoch());
    Ok(Hub::new(options.create_sessions(state), Arc::clone(feed)))
}

/// A random epoch of characters that look different from each other. It has no vowels, so that it does not spell a word.
fn random_epoch() -> Token {
    let letters = b"bcdfghjkmnpqrstvwxz23456789";
    let letter = || char::from(letters[fastrand::usize(..letters.len())]);
    Token::truncated(&std::iter::repeat_with(letter).take(EPOCH_CHARS).collect::<String>())
}

/// Waits until one of the tasks ends.
async fn wait_for_any(tasks: &mut [Task<()>]) {
    future::poll_fn(|cx| {
        let ended = tasks.iter_mut().any(|task| task.poll(cx).is_ready());
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Creates the admission of connections, and logs the limits in force.
fn create_admission(options: &ServerOptions, banned: Arc<BannedNetworks>) -> Arc<Admission> {
    let limits = ConnectionLimits::new(options);
    log::limits(options, limits.effective_clients_max());
    limits.warn();
    Admission::new(limits, banned)
}

/// Sends a tick with the uptime to the hub every [`TICK_MS`], until the hub ends. The log gets a tick, too.
async fn send_ticks(context: Arc<ConnectionContext>) {
    let (queue, clock) = (Arc::default(), &context.clock);
    let mut meter = UptimeMeter::new(clock.steady());
    let mut ticks = Timer::interval(Duration::from_millis(TICK_MS));
    loop {
        ticks.next().await;
        let now = meter.read(clock.steady());
        context.log.flush();
        if context.to_hub.send(&queue, HubRequest::Input(SessionId::SERVER, InputKind::Tick(now)), 0).is_err() {
            return;
        }
    }
}

/// Starts one executor thread for each processor that the process may use, except one: the main thread runs tasks, too.
fn spawn_threads(executor: &Arc<Executor<'static>>) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for number in 1..threads {
        let executor = Arc::clone(executor);
        let run = move || future::block_on(driver::run_tasks::<()>(&executor));
        thread::Builder::new().name(format!("executor-{number}")).spawn(run)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpStream};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    use super::log::tests::logged;
    use super::*;
    use crate::sequencer::{Change, MemorySequencer, Sequenced, Sequencer};
    use crate::session::Sessions;
    use crate::state::Action;

    /// Opens a store whose sequencer panics at the first message, in the task of the hub.
    #[derive(Debug)]
    struct FaultyStore;

    impl StoreOpener for FaultyStore {
        fn path(&self) -> &Path {
            Path::new("/")
        }

        fn bytes(&self) -> io::Result<StoreBytes> {
            Ok(StoreBytes::default())
        }

        fn check(&self, _: &mut CheckReport) {}

        fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
            let sessions = Sessions::new(SharedState::default(), options.timeouts);
            Ok(Hub::new(sessions.with_store(Box::new(FaultySequencer::default())), feed))
        }
    }

    #[derive(Debug, Default)]
    struct FaultySequencer(MemorySequencer);

    impl Sequencer for FaultySequencer {
        fn submit(&mut self, change: Change) {
            assert!(!matches!(change.action, Action::Say(..)), "a fault in the hub, on purpose");
            self.0.submit(change);
        }

        fn next(&mut self) -> Option<Sequenced> {
            self.0.next()
        }

        fn has_next(&self) -> bool {
            self.0.has_next()
        }
    }

    /// The options of a server without listeners and limits.
    pub(super) fn options() -> ServerOptions {
        ServerOptions {
            listen: Vec::new(),
            service_manager: ServiceManager::default(),
            port_file: None,
            control: None,
            backlog_bytes: crate::limits::BACKLOG_BYTES_DEFAULT,
            max_clients: None,
            max_per_address: 0,
            history: 0,
            max_rooms: 10,
            has_watch: true,
            epoch: None,
            certificates: None,
            cluster: None,
            store: None,
            password: None,
            allows_insecure_passwords: false,
            accounts: AccountOptions::default(),
            line_rate: Rate { per_second: 0, burst: 1 },
            connect_rate: Rate { per_second: 0, burst: 1 },
            send_timeout: None,
            dead_peer_timeout: None,
            timeouts: Timeouts::default(),
            resume_seconds: 0,
            motd: None,
        }
    }

    /// Otherwise all clients would wait forever.
    #[test]
    fn panic_in_hub_ends_server() {
        let directory = tempfile::tempdir().unwrap();
        let port_file = directory.path().join("port");
        let options = ServerOptions {
            listen: vec![Listener::lines(SocketAddr::from(([127, 0, 0, 1], 0)))],
            port_file: Some(port_file.clone()),
            store: Some(Arc::new(FaultyStore)),
            ..options()
        };
        let server = thread::spawn(move || {
            let mut has_panicked = false;
            let run = || has_panicked = catch_unwind(AssertUnwindSafe(|| run(&options))).is_err();
            (logged(LogFormat::Text, run), has_panicked)
        });
        let port = loop {
            assert!(!server.is_finished(), "the server did not start");
            if let Ok(port) = fs::read_to_string(&port_file) {
                break port.trim().parse::<u16>().unwrap();
            }
        };
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        writeln!(client, "NICK ann\nMSG hi").unwrap();
        let (log, has_panicked) = server.join().unwrap();
        assert!(has_panicked, "the server ended without a panic");
        assert!(log.last().is_some_and(|line| line.starts_with("INFO stopped reason=fault ")), "{log:?}");
        assert!(!port_file.exists(), "the port file was not removed");
    }
}
