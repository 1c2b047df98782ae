//! The thin shell around the pure core: sockets, tasks, signals and the operator's log, on smol.
//!
//! One task accepts on each listener, one serves each connection (its reader and its writer, in `connection`), and one, the `hub`,
//! owns the room. Each listener has a `ListenerProtocol`: the protocol that its clients speak before their first line (`listen`, `web`). Connections
//! send requests to the hub through the `inbox`, which has one bounded queue for each connection. The hub never waits for a client.
//! `storage` is the hub's interface to a store, `transport` a connection's to its client; `clock` is the server's time.

pub mod console;
pub mod hub;

mod admission;
mod clock;
mod connection;
mod delivery;
mod driver;
mod listen;
mod port_file;
#[cfg(feature = "store")]
mod query;
mod request_queue;
mod shutdown;
mod sockets;
mod storage;
#[cfg(feature = "store")]
mod store_sequencer;
#[cfg(feature = "store")]
mod stored;
mod token_bucket;
mod transport;
#[cfg(feature = "web")]
mod web;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::{FutureExt as _, StreamExt as _, future};
use smol::{Executor, Task, Timer};

use self::admission::Admission;
use self::clock::{Clock, SystemClock, UptimeMeter};
use self::connection::ConnectionContext;
use self::hub::{Hub, Request};
pub use self::listen::Listener;
use self::listen::Listeners;
use self::port_file::PortFile;
use self::request_queue::HubSender;
use self::shutdown::Signals;
use self::sockets::Sockets;
pub use self::storage::Storage;
pub use self::token_bucket::Rate;
#[cfg(feature = "web")]
pub use self::web::Site;
use crate::command_line::quoted;
use crate::feed::Feed;
#[cfg(doc)]
use crate::limits::LOST_TIMEOUT_SECONDS_MIN;
use crate::limits::{EPOCH_CHARS, TICK_MS};
use crate::process::error_text;
use crate::protocol::Token;
use crate::room::{RecentMessages, Room, SessionId};
use crate::session::{InputKind, Sessions, Timeouts};

/// What a server is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 is any free one.
    pub listen: Vec<Listener>,
    /// Where to write the ports listened on, one a line.
    pub port_file: Option<PathBuf>,
    /// Bytes of the feed kept for readers that are behind.
    pub feed_bytes: usize,
    /// How many may be connected; unless it is said, as many as the limit of open files leaves room for.
    pub max_clients: Option<usize>,
    /// How many may be connected from one address, an IPv6 network of 64 bits counted as one; 0 is as many as come.
    pub max_per_address: usize,
    /// How many messages are kept to be read again, within a bound in bytes.
    pub history: usize,
    /// What the ids belong to; made up unless it is said.
    pub epoch: Option<Token>,
    /// Where messages are stored; `None`: they are kept in memory.
    pub store: Option<Arc<dyn Storage>>,
    /// How fast each peer's lines are carried out.
    pub line_rate: Rate,
    /// How fast peers are let in from one address; the others are turned away.
    pub connect_rate: Rate,
    /// How long a peer's socket may take nothing of what waits for it; none is for as long as `lost_timeout` allows.
    pub write_timeout: Option<Duration>,
    /// Within which a host that vanished is found, at least [`LOST_TIMEOUT_SECONDS_MIN`]; none is when TCP likes.
    pub lost_timeout: Option<Duration>,
    /// How long a session may be silent, or without a nickname.
    pub timeouts: Timeouts,
    /// Seconds for which a detached member can be resumed before it leaves; 0: no member can be resumed.
    pub resume_seconds: u64,
}

impl Options {
    /// A peer whose socket is full is let go, and told, well before TCP takes it for lost.
    fn write_timeout(&self) -> Option<Duration> {
        let Some(lost_timeout) = self.lost_timeout else { return self.write_timeout };
        let longest = listen::user_timeout(lost_timeout) / 2;
        Some(self.write_timeout.map_or(longest, |timeout| timeout.min(longest)))
    }
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// This address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The store cannot be opened.
    Store(Box<dyn Error + Send + Sync>),
    /// The port file cannot be written.
    PortFile(PathBuf, io::Error),
    /// The system does not give what a server needs: signals, threads.
    System(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: the address is in use; stop what listens there or choose another port"
                )
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {}", error_text(error)),
            Self::Store(error) => error.fmt(f),
            Self::PortFile(path, error) => {
                write!(f, "cannot write the port file {}: {}", quoted(&path.to_string_lossy()), error_text(error))
            }
            Self::System(error) => write!(f, "cannot start: {}", error_text(error)),
        }
    }
}

impl Error for StartError {}

/// Serves until a signal stops it, then closes every connection and returns.
///
/// # Errors
/// What kept it from starting.
///
/// # Panics
/// After a fault in a task that everybody needs: the one that owns the room, one that accepts, the clock. One in a connection
/// ends only that.
pub fn run(options: &Options) -> Result<(), StartError> {
    let signals = Signals::new().map_err(StartError::System)?;
    if let Some(path) = &options.port_file {
        // Checked first, so that a server that cannot start creates no store.
        PortFile::check(path).map_err(|error| StartError::PortFile(path.clone(), error))?;
    }
    let listeners = Listeners::bind(&options.listen, options.lost_timeout)?;
    let executor = Arc::new(Executor::new());
    spawn_threads(&executor).map_err(StartError::System)?;
    let sockets = Sockets::new().map_err(StartError::System)?;
    let serving = serve(Arc::clone(&executor), listeners, options.clone(), signals, Arc::clone(&sockets));
    driver::block_on(&sockets, &executor, executor.spawn(serving)).map_err(StartError::System)?
}

async fn serve(
    executor: Arc<Executor<'static>>,
    listeners: Listeners,
    options: Options,
    mut signals: Signals,
    sockets: Arc<Sockets>,
) -> Result<(), StartError> {
    let (to_hub, queues) = request_queue::new();
    let feed = Arc::new(Feed::new(options.feed_bytes));
    let Some(hub) = future::or(open(&options, &feed), stopped(&mut signals)).await else { return Ok(()) };
    let hub = hub?;
    let (line_rate, write_timeout) = (options.line_rate, options.write_timeout());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (stored, context_clock) = (hub.stored().cloned(), Arc::clone(&clock));
    let context = Arc::new(ConnectionContext { feed, stored, to_hub, line_rate, write_timeout, clock: context_clock });
    let mut hub = executor.spawn(hub::run(hub, queues, Arc::clone(&clock)));
    let write = |path: &PathBuf| {
        let written = PortFile::write(path, listeners.ports());
        written.map(Arc::new).map_err(|error| StartError::PortFile(path.clone(), error))
    };
    let port_file = options.port_file.as_ref().map(write).transpose()?;
    console::announce(listeners.announcement()).await;
    let mut vital = listeners.accept(&executor, &context, &sockets, &admission(&options));
    vital.push(executor.spawn(send_ticks(context.to_hub.clone(), clock)));
    let in_place = port_file.as_ref().map(Arc::downgrade).unwrap_or_default();
    signals.until_stopped(future::or(&mut hub, first_to_end(&mut vital)), in_place).await;
    drop(vital);
    shutdown::dismiss(context, hub).await;
    drop(port_file);
    Ok(())
}

/// Creates the hub on a thread of its own: opening a store takes long if the file is locked or large.
async fn open(options: &Options, feed: &Arc<Feed>) -> Option<Result<Hub, StartError>> {
    let (options, feed) = (options.clone(), Arc::clone(feed));
    Some(smol::unblock(move || hub(&options, &feed)).await)
}

/// Completes when a signal stops the server before it has started to serve.
async fn stopped<T>(signals: &mut Signals) -> Option<T> {
    signals.stop().await;
    None
}

/// Makes the hub. Its room has the newest stored messages, if there is a store.
fn hub(options: &Options, feed: &Arc<Feed>) -> Result<Hub, StartError> {
    if let Some(store) = &options.store {
        return store.open(options, Arc::clone(feed)).map_err(StartError::Store);
    }
    let epoch = options.epoch.clone().unwrap_or_else(random_epoch);
    let room = Room::new(options.resume_seconds).with_epoch(epoch).with_history(RecentMessages::new(options.history));
    Ok(Hub::new(Sessions::new(room, options.timeouts), Arc::clone(feed)))
}

/// A word that is most likely new: letters that nobody takes for another, and no vowels, lest it be a word.
fn random_epoch() -> Token {
    let letters = b"bcdfghjkmnpqrstvwxz23456789";
    let letter = || char::from(letters[fastrand::usize(..letters.len())]);
    Token::truncated(&std::iter::repeat_with(letter).take(EPOCH_CHARS).collect::<String>())
}

/// Waits for one of tasks that are not to end.
async fn first_to_end(tasks: &mut [Task<()>]) {
    future::poll_fn(|cx| {
        let ended = tasks.iter_mut().any(|task| task.poll(cx).is_ready());
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn admission(options: &Options) -> Arc<Admission> {
    let room = admission::room_for_clients();
    let max_clients = options.max_clients.unwrap_or(room);
    if max_clients > room {
        console::few_descriptors(max_clients, room);
    }
    Admission::new(max_clients, options.max_per_address, options.connect_rate)
}

/// Tells the room how much time has passed, for as long as there is one.
async fn send_ticks(to_hub: HubSender, clock: Arc<dyn Clock>) {
    let queue = Arc::default();
    let mut meter = UptimeMeter::new(clock.steady());
    let mut ticks = Timer::interval(Duration::from_millis(TICK_MS));
    loop {
        ticks.next().await;
        let now = meter.read(clock.steady());
        if to_hub.send(&queue, Request::Act(SessionId::SERVER, InputKind::Tick(now)), 0).is_err() {
            return;
        }
    }
}

/// Lets the executor run on every processor that the process may use; the main thread is one of them.
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
    use std::fs;
    use std::io::Write as _;
    use std::net::TcpStream;

    use super::*;
    use crate::room::{Action, Entry};
    use crate::sequencer::{Change, MemorySequencer, Sequencer};

    /// A store whose sequencer panics at the first message, in the hub's task.
    #[derive(Debug)]
    struct FaultyStorage;

    impl Storage for FaultyStorage {
        fn open(&self, options: &Options, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
            let sessions = Sessions::new(Room::new(options.resume_seconds), options.timeouts);
            Ok(Hub::new(sessions.with_store(Box::new(FaultySequencer::default())), feed))
        }
    }

    #[derive(Debug, Default)]
    struct FaultySequencer(MemorySequencer);

    impl Sequencer for FaultySequencer {
        fn submit(&mut self, change: Change) {
            assert!(!matches!(change.action, Action::Say(_)), "a fault in the hub, on purpose");
            self.0.submit(change);
        }

        fn next(&mut self) -> Option<Entry> {
            self.0.next()
        }

        fn has_next(&self) -> bool {
            self.0.has_next()
        }
    }

    /// Without the one who owns the room everybody would wait for ever.
    #[test]
    fn a_fault_in_the_hub_ends_the_server() {
        let directory = tempfile::tempdir().unwrap();
        let port_file = directory.path().join("port");
        let options = Options {
            listen: vec![Listener::lines(([127, 0, 0, 1], 0).into())],
            port_file: Some(port_file.clone()),
            feed_bytes: crate::limits::FEED_BYTES_DEFAULT,
            max_clients: None,
            max_per_address: 0,
            history: 0,
            epoch: None,
            store: Some(Arc::new(FaultyStorage)),
            line_rate: Rate { per_second: 0, burst: 1 },
            connect_rate: Rate { per_second: 0, burst: 1 },
            write_timeout: None,
            lost_timeout: None,
            timeouts: Timeouts::default(),
            resume_seconds: 0,
        };
        let server = thread::spawn(move || run(&options));
        let port = loop {
            assert!(!server.is_finished(), "it did not start");
            if let Ok(port) = fs::read_to_string(&port_file) {
                break port.trim().parse::<u16>().unwrap();
            }
        };
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        writeln!(peer, "NICK ann\nMSG hi").unwrap();
        assert!(server.join().is_err(), "it ended in good order");
        assert!(!port_file.exists(), "the port file tells of nobody");
    }
}
