//! Tests of the signs of life: with a hub that the test plays, and with a whole server whose hub is stuck.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use futures_lite::future;

use super::*;
use crate::feed::Feed;
use crate::sequencer::{Change, MemorySequencer, Sequenced, Sequencer};
use crate::server::admission::ConnectionLimits;
use crate::server::banned_networks::BannedNetworks;
use crate::server::clock::SystemClock;
use crate::server::hub::Hub;
use crate::server::log::LogFormat;
use crate::server::log::tests::logged;
use crate::server::tests::options;
use crate::server::token_bucket::Rate;
use crate::server::{CheckReport, Listener, ServerOptions, StoreBytes, StoreOpener, request_queue, run};
use crate::session::Sessions;
use crate::state::{Action, SharedState};

/// Limit for anything that should take no time.
const DEADLINE: Duration = Duration::from_secs(30);

/// The watchdog expects a sign of life within this time: many fit into [`SILENCE`].
const WATCHDOG: Duration = Duration::from_millis(10);

/// For so long, no sign of life comes from a server whose hub is stuck.
const SILENCE: Duration = Duration::from_millis(300);

/// A service manager that receives messages.
struct Manager {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
    server: ServiceManager,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(NotifySocket::new(path.as_os_str()), Some(WATCHDOG));
        let server = ServiceManager { notifier: Some(Arc::new(notifier)), ..ServiceManager::default() };
        Self { directory, socket, server }
    }

    /// The next message. `None` if there is none for this time.
    fn receive(&self, timeout: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(timeout)).unwrap();
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    fn wait_for(&self, part: &str) -> String {
        loop {
            let message = self.receive(DEADLINE).unwrap_or_else(|| panic!("no {part}"));
            if message.contains(part) {
                return message;
            }
        }
    }

    /// Reads the messages that were on their way, then none for [`SILENCE`].
    fn expect_silence(&self) {
        let late = std::iter::from_fn(|| self.receive(SILENCE)).take(3).count();
        assert!(late < 3, "signs of life from a hub that is stuck");
    }
}

fn admission() -> Arc<Admission> {
    let banned = Arc::new(BannedNetworks::new(Arc::new(SystemClock)));
    let per_address_rate = Rate { per_second: 0, burst: 1 };
    Admission::new(ConnectionLimits { clients_max: 1, descriptors: 1, per_address_max: 0, per_address_rate }, banned)
}

/// Fills the socket, so that it takes no message until it is read.
fn fill(manager: &Manager) {
    let path = manager.directory.path().join("notify");
    let filler = NotifySocket::new(path.as_os_str()).unwrap();
    while filler.send("FILLER=1").is_ok() {}
}

impl Manager {
    /// Reads what [`fill`] has sent, and returns the messages that are there after it.
    fn drain(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let messages = std::iter::from_fn(|| self.receive(SILENCE)).filter(|message| message != "FILLER=1").collect();
        self.socket.set_nonblocking(false).unwrap();
        messages
    }
}

#[test]
fn ready_that_was_not_sent_precedes_the_sign_of_life() {
    let (manager, admission) = (Manager::new(), admission());
    fill(&manager);
    logged(LogFormat::Text, || future::block_on(manager.server.ready()));
    assert_eq!(manager.drain(), [""; 0], "the socket was full");
    let (to_hub, mut requests) = request_queue::channel();
    let notifier = manager.server.notifier.clone().unwrap();
    let _watching = smol::spawn(async move { notifier.watch(&to_hub, &admission).await });
    assert!(future::block_on(requests.wait()));
    requests.process_in_turns(|request| {
        let HubRequest::GiveSignOfLife(answer) = request else { panic!("{request:?}") };
        answer.try_send(SignOfLife { members: 0, has_store_failure: false }).unwrap();
        ControlFlow::Continue(())
    });
    assert_eq!(manager.receive(DEADLINE).as_deref(), Some("READY=1"));
    assert_eq!(manager.receive(DEADLINE).as_deref(), Some("WATCHDOG=1\nSTATUS=clients: 0, members: 0"));
}

/// `Type=notify-reload` waits for both messages of a reload.
#[test]
fn states_that_were_not_sent_come_later_in_their_order() {
    let manager = Manager::new();
    let notifier = manager.server.notifier.as_ref().unwrap();
    let begin = |message: &str| notifier.send(Subject::Busy, message.to_owned());
    let ready = || notifier.send(Subject::Ready, "READY=1".to_owned());
    let health = || notifier.send(Subject::Health, "WATCHDOG=1".to_owned());
    logged(LogFormat::Text, || {
        fill(&manager);
        assert_eq!([begin("RELOADING=1"), ready(), begin("RELOADING=2"), ready(), health()], [false; 5]);
        manager.drain();
        assert!(health());
        assert_eq!(manager.drain(), ["RELOADING=2", "READY=1", "WATCHDOG=1"]);
        assert!(health());
        assert_eq!(manager.drain(), ["WATCHDOG=1"], "each state comes once");
        fill(&manager);
        assert_eq!([begin("RELOADING=1"), ready(), begin("STOPPING=1")], [false; 3]);
        manager.drain();
        assert!(health());
        assert_eq!(manager.drain(), ["STOPPING=1", "WATCHDOG=1"]);
    });
}

#[test]
fn long_start_asks_for_more_time() {
    let manager = Manager::new();
    let (opened, opening) = async_channel::bounded(1);
    let server = manager.server.clone();
    let start = thread::spawn(move || future::block_on(server.while_starting(opening.recv())));
    let more_time = "EXTEND_TIMEOUT_USEC=120000000";
    assert_eq!(manager.receive(DEADLINE), Some(format!("STATUS=starting\n{more_time}")));
    for _ in 0..3 {
        assert_eq!(manager.receive(DEADLINE), Some(format!("STATUS=opening the store\n{more_time}")));
    }
    opened.try_send("opened").unwrap();
    assert_eq!(start.join().unwrap(), Ok("opened"));
    manager.drain();
    assert_eq!(manager.receive(SILENCE), None, "it has started");
}

#[test]
fn hub_that_answers_once_gives_one_sign_of_life() {
    let manager = Manager::new();
    let (to_hub, mut requests) = request_queue::channel();
    let (notifier, admission) = (manager.server.notifier.clone().unwrap(), admission());
    let _watching = smol::spawn(async move { notifier.watch(&to_hub, &admission).await });
    for members in [0, 7] {
        // The hub has the question, and does not answer.
        assert!(future::block_on(requests.wait()));
        let mut question = None;
        requests.process_in_turns(|request| {
            question = Some(request);
            ControlFlow::Continue(())
        });
        assert_eq!(manager.receive(SILENCE), None);
        let Some(HubRequest::GiveSignOfLife(answer)) = question else { panic!("{question:?}") };
        answer.try_send(SignOfLife { members, has_store_failure: false }).unwrap();
        let message = manager.receive(DEADLINE).expect("a sign of life");
        assert!(message.starts_with("WATCHDOG=1"), "{message}");
    }
}

#[test]
fn status_is_sent_when_it_changes_and_not_too_often() {
    let (mut status, start) = (StatusLine::default(), Instant::now());
    let sign = |members| SignOfLife { members, has_store_failure: false };
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(status.changed(&sign(2), 3, at(0)).as_deref(), Some("STATUS=clients: 3, members: 2"));
    assert_eq!(status.changed(&sign(9), 9, at(1)), None, "too early");
    assert_eq!(status.changed(&sign(2), 3, at(5)), None, "the last one");
    assert_eq!(status.changed(&sign(3), 3, at(6)).as_deref(), Some("STATUS=clients: 3, members: 3"));
    let failed = SignOfLife { members: 3, has_store_failure: true };
    let text = "STATUS=clients: 3, members: 3; cannot store messages: see the log";
    assert_eq!(status.changed(&failed, 3, at(9)).as_deref(), Some(text));
}

#[test]
fn sign_of_life_comes_twice_within_the_watchdog_timeout() {
    let interval = |watchdog| Notifier::new(Err(io::ErrorKind::NotFound.into()), watchdog).interval();
    assert_eq!(interval(None), Duration::from_millis(SERVICE_INTERVAL_MS_MAX));
    assert_eq!(interval(Some(Duration::from_hours(1))), Duration::from_millis(SERVICE_INTERVAL_MS_MAX));
    assert_eq!(interval(Some(Duration::from_secs(3))), Duration::from_millis(1500));
    assert_eq!(interval(Some(Duration::from_micros(1))), Duration::from_millis(1));
}

#[test]
fn failure_to_notify_is_logged_once() {
    let notifier = Arc::new(Notifier::new(Err(io::Error::other("a reason")), None));
    let lines = logged(LogFormat::Text, || {
        // In this thread, whose log is collected.
        for _ in 0..3 {
            notifier.send(Subject::Ready, "READY=1".to_owned());
        }
    });
    let line = "WARN cannot notify the service manager; it may restart the server error=\"a reason\"";
    assert_eq!(lines, [line]);
}

/// The hub of this store stops at the first message, until it is released. The second message ends the server.
#[derive(Debug)]
struct StuckStore(Mutex<Option<StuckSequencer>>);

#[derive(Debug)]
struct StuckSequencer {
    inner: MemorySequencer,
    is_stuck: Sender<()>,
    release: Receiver<()>,
    messages: usize,
}

impl StoreOpener for StuckStore {
    fn path(&self) -> &Path {
        Path::new("/")
    }

    fn bytes(&self) -> io::Result<StoreBytes> {
        Ok(StoreBytes::default())
    }

    fn check(&self, _: &mut CheckReport) {}

    fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
        let sequencer = self.0.lock().unwrap().take().unwrap();
        let sessions = Sessions::new(SharedState::default(), options.timeouts).with_store(Box::new(sequencer));
        Ok(Hub::new(sessions, feed))
    }
}

impl Sequencer for StuckSequencer {
    fn submit(&mut self, change: Change) {
        if matches!(change.action, Action::Say(..)) {
            self.messages += 1;
            assert!(self.messages < 2, "the end of the test");
            self.is_stuck.send(()).unwrap();
            self.release.recv().unwrap();
        }
        self.inner.submit(change);
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.inner.next()
    }

    fn has_next(&self) -> bool {
        self.inner.has_next()
    }
}

#[test]
fn stuck_hub_gives_no_sign_of_life() {
    let (manager, directory) = (Manager::new(), tempfile::tempdir().unwrap());
    let (is_stuck, stuck) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let sequencer = StuckSequencer { inner: MemorySequencer::default(), is_stuck, release: released, messages: 0 };
    let port_file = directory.path().join("port");
    let store = Arc::new(StuckStore(Mutex::new(Some(sequencer))));
    // It cannot be opened yet.
    let closed = store.0.lock().unwrap();
    let options = ServerOptions {
        listen: vec![Listener::lines(SocketAddr::from(([127, 0, 0, 1], 0)))],
        service_manager: manager.server.clone(),
        port_file: Some(port_file.clone()),
        store: Some(Arc::clone(&store) as Arc<dyn StoreOpener>),
        ..options()
    };
    let server = thread::spawn(move || {
        let mut has_panicked = false;
        let run = || has_panicked = catch_unwind(AssertUnwindSafe(|| run(&options))).is_err();
        logged(LogFormat::Text, run);
        has_panicked
    });
    manager.wait_for("STATUS=opening the store\nEXTEND_TIMEOUT_USEC=");
    drop(closed);
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    let port = fs::read_to_string(&port_file).unwrap().trim().parse::<u16>().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    writeln!(client, "NICK ann\nMSG hi").unwrap();
    stuck.recv_timeout(DEADLINE).unwrap();
    manager.expect_silence();
    release.send(()).unwrap();
    manager.wait_for("WATCHDOG=1");
    writeln!(client, "MSG bye").unwrap();
    assert!(server.join().unwrap(), "the server ended without a panic");
}
