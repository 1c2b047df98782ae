//! The service manager, systemd: takes the sockets that it passes, and tells it how the server is.
//!
//! Messages are sent in another thread, so that no task waits for the service manager. If there is no service manager, all this does
//! nothing.

mod notify_socket;

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_lite::{StreamExt as _, future};
use rustix::time::{ClockId, clock_gettime};
use smol::Timer;

use self::notify_socket::{NotifySocket, watchdog_timeout};
use super::admission::Admission;
use super::connection::ConnectionContext;
use super::hub::{HubRequest, SignOfLife};
use super::inherited_sockets::InheritedSockets;
use super::log;
use super::request_queue::HubSender;
use crate::limits::{SERVICE_INTERVAL_MS_MAX, SERVICE_START_MS, SERVICE_STATUS_MS_MIN};

/// The program that has started the process, such as systemd. By default, it passes no sockets and wants no messages.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager {
    sockets: Arc<Mutex<InheritedSockets>>,
    notifier: Option<Arc<Notifier>>,
}

#[derive(Debug)]
struct Notifier {
    /// Or why no message can be sent.
    socket: io::Result<NotifySocket>,
    /// The time within which a sign of life is expected after the last one. `None`: none is expected.
    watchdog: Option<Duration>,
    /// Locked while a message is sent, so that messages arrive in their order.
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// The changes of state that the service manager does not know of yet, the oldest first: at most two, see [`Progress::add`].
    unsent: Vec<String>,
    /// The last message was not sent.
    has_failed: bool,
}

/// The subject of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// The server is ready: again, after it has read its files.
    Ready,
    /// The server reads its files, or stops.
    Busy,
    /// How the server is. The next message of this kind stands for it.
    Health,
}

impl ServiceManager {
    /// Reads the environment. Call this once, before the process has other threads: it takes the sockets
    /// that the process has inherited, and removes their variables from the environment.
    pub fn from_environment() -> Self {
        let sockets = Arc::new(Mutex::new(InheritedSockets::from_environment()));
        let notifier = NotifySocket::from_environment().map(|socket| Notifier::new(socket, watchdog_timeout()));
        Self { sockets, notifier: notifier.map(Arc::new) }
    }

    /// Takes the sockets, of which later calls find none.
    pub(super) fn take_sockets(&self) -> InheritedSockets {
        std::mem::take(&mut self.sockets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the service manager wants messages.
    pub(super) fn is_notified(&self) -> bool {
        self.notifier.is_some()
    }

    /// Waits for a part of the start that may take long, such as opening a store, and asks for more time until it ends.
    pub(super) async fn while_starting<T>(&self, starting: impl Future<Output = T>) -> T {
        let mut starting = pin!(starting);
        let Some(notifier) = &self.notifier else { return starting.await };
        let mut status = "starting";
        loop {
            // Waits for the message even if the start ends meanwhile, so that it does not arrive after those that follow.
            notifier
                .notify(Subject::Health, format!("STATUS={status}\nEXTEND_TIMEOUT_USEC={}", SERVICE_START_MS * 1000))
                .await;
            status = "opening the store";
            let tick = async {
                Timer::after(notifier.interval()).await;
                None
            };
            if let Some(result) = future::or(async { Some(starting.as_mut().await) }, tick).await {
                return result;
            }
        }
    }

    /// All listeners accept clients; or the files are read again.
    pub(super) async fn ready(&self) {
        self.notify(Subject::Ready, "READY=1".to_owned()).await;
    }

    /// The server reads its files again, until it is [`ServiceManager::ready`].
    pub(super) async fn reloading(&self) {
        // By this time, systemd knows which request to reload the message belongs to (`Type=notify-reload`).
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.notify(Subject::Busy, format!("RELOADING=1\nMONOTONIC_USEC={now}")).await;
    }

    pub(super) async fn stopping(&self) {
        self.notify(Subject::Busy, "STOPPING=1\nSTATUS=stopping".to_owned()).await;
    }

    async fn notify(&self, subject: Subject, message: String) {
        if let Some(notifier) = &self.notifier {
            notifier.notify(subject, message).await;
        }
    }

    /// Sends signs of life, and the numbers of clients and members, until it is dropped. `None`: the service manager wants no messages.
    pub(super) fn watch(
        &self,
        context: &Arc<ConnectionContext>,
        admission: &Arc<Admission>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let (notifier, context, admission) =
            (Arc::clone(self.notifier.as_ref()?), Arc::clone(context), Arc::clone(admission));
        Some(async move { notifier.watch(&context.to_hub, &admission).await })
    }
}

impl Notifier {
    fn new(socket: io::Result<NotifySocket>, watchdog: Option<Duration>) -> Self {
        Self { socket, watchdog, progress: Mutex::default() }
    }

    /// Sends a message in another thread. Returns whether it was sent.
    async fn notify(self: &Arc<Self>, subject: Subject, message: String) -> bool {
        let notifier = Arc::clone(self);
        smol::unblock(move || notifier.send(subject, message)).await
    }

    /// Sends a message, after the changes of state that could not be sent before. Logs a failure, unless the last message failed, too.
    /// Returns whether the message was sent.
    fn send(&self, subject: Subject, message: String) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match &self.socket {
            Ok(socket) => progress.send(socket, subject, message),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        let had_failed = std::mem::replace(&mut progress.has_failed, sent.is_err());
        sent.as_ref().err().filter(|_| !had_failed).into_iter().for_each(log::notify_failed);
        sent.is_ok()
    }

    /// Whether the service manager does not know the state of the server.
    fn has_unsent(&self) -> bool {
        !self.progress.lock().unwrap_or_else(PoisonError::into_inner).unsent.is_empty()
    }

    /// The interval of signs of life: at most half of the time within which one is expected.
    fn interval(&self) -> Duration {
        let longest = Duration::from_millis(SERVICE_INTERVAL_MS_MAX);
        self.watchdog.map_or(longest, |watchdog| (watchdog / 2).clamp(Duration::from_millis(1), longest))
    }

    /// Sends a sign of life at each interval in which the hub gives one. If the hub is stuck, the service manager gets none, and restarts
    /// the server. A hub that has ended gives none either.
    async fn watch(self: &Arc<Self>, hub: &HubSender, admission: &Admission) {
        let mut ticks = Timer::interval(self.interval());
        let mut status = StatusLine::default();
        loop {
            let (asking, answer) = async_channel::bounded(1);
            if hub.send(&Arc::default(), HubRequest::GiveSignOfLife(asking), 0).is_err() {
                return;
            }
            let Ok(sign) = answer.recv().await else { return };
            let watchdog = self.watchdog.map(|_| "WATCHDOG=1".to_owned());
            let change = status.changed(&sign, admission.client_count(), Instant::now());
            let message: Vec<_> = watchdog.into_iter().chain(change).collect();
            if (!message.is_empty() || self.has_unsent()) && !self.notify(Subject::Health, message.join("\n")).await {
                status = StatusLine::default();
            }
            ticks.next().await;
        }
    }
}

impl Progress {
    /// Sends a message after what is unsent. Keeps what cannot be sent, unless the next message of its kind stands for it.
    fn send(&mut self, socket: &NotifySocket, subject: Subject, message: String) -> io::Result<()> {
        let health = self.add(subject, message);
        while let Some(state) = self.unsent.first() {
            socket.send(state)?;
            self.unsent.remove(0);
        }
        health.filter(|health| !health.is_empty()).map_or(Ok(()), |health| socket.send(&health))
    }

    /// Adds a change of state to the unsent ones; returns another message. A busy server's older states do not matter; one that
    /// is ready may first have to say that it was busy, because systemd waits for both (`Type=notify-reload`).
    fn add(&mut self, subject: Subject, message: String) -> Option<String> {
        match subject {
            Subject::Health => return Some(message),
            Subject::Busy => self.unsent.clear(),
            Subject::Ready => {}
        }
        self.unsent.push(message);
        None
    }
}

/// The line that `systemctl status` shows.
#[derive(Debug, Default)]
struct StatusLine {
    /// The last one, and when it was sent.
    sent: Option<(String, Instant)>,
}

impl StatusLine {
    /// The line to send now. `None` if it is the last one, or if the last one was sent less than [`SERVICE_STATUS_MS_MIN`] ago.
    fn changed(&mut self, sign: &SignOfLife, clients: usize, now: Instant) -> Option<String> {
        let trouble = if sign.has_store_failure { "; cannot store messages: see the log" } else { "" };
        let line = format!("STATUS=clients: {clients}, members: {}{trouble}", sign.members);
        let is_due = self.sent.as_ref().is_none_or(|(last, at)| {
            *last != line && now.saturating_duration_since(*at) >= Duration::from_millis(SERVICE_STATUS_MS_MIN)
        });
        is_due.then(|| {
            self.sent = Some((line.clone(), now));
            line
        })
    }
}

#[cfg(test)]
mod tests;
