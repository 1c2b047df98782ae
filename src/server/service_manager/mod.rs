//! The service manager, systemd: takes the sockets that it passes, and tells it how the server is.
//!
//! Messages are sent in another thread, so that no task waits for the service manager. If there is no service manager, all this does
//! nothing.

mod notify_socket;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_lite::StreamExt as _;
use rustix::time::{ClockId, clock_gettime};
use smol::Timer;

use self::notify_socket::{NotifySocket, watchdog_timeout};
use super::admission::Admission;
use super::connection::ConnectionContext;
use super::hub::{HubRequest, SignOfLife};
use super::inherited_sockets::InheritedSockets;
use super::log;
use super::request_queue::HubSender;
use crate::limits::{SERVICE_INTERVAL_MS_MAX, SERVICE_STATUS_MS_MIN};

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
    /// The last message was not sent.
    has_failed: AtomicBool,
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

    /// Opening a store may take long.
    pub(super) async fn starting(&self) {
        self.notify("STATUS=starting".to_owned()).await;
    }

    /// All listeners accept clients; or the files are read again.
    pub(super) async fn ready(&self) {
        self.notify("READY=1".to_owned()).await;
    }

    /// The server reads its files again, until it is [`ServiceManager::ready`].
    pub(super) async fn reloading(&self) {
        // By this time, systemd knows which request to reload the message belongs to (`Type=notify-reload`).
        let now = clock_gettime(ClockId::Monotonic);
        self.notify(format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000)).await;
    }

    pub(super) async fn stopping(&self) {
        self.notify("STOPPING=1\nSTATUS=stopping".to_owned()).await;
    }

    async fn notify(&self, message: String) {
        if let Some(notifier) = &self.notifier {
            notifier.notify(message).await;
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
        Self { socket, watchdog, has_failed: AtomicBool::new(false) }
    }

    /// Sends a message in another thread.
    async fn notify(self: &Arc<Self>, message: String) {
        let notifier = Arc::clone(self);
        smol::unblock(move || notifier.send(&message)).await;
    }

    /// Logs a failure, unless the last message failed, too.
    fn send(&self, message: &str) {
        let failed = match &self.socket {
            Ok(socket) => socket.send(message).err(),
            Err(error) => Some(io::Error::new(error.kind(), error.to_string())),
        };
        let had_failed = self.has_failed.swap(failed.is_some(), Ordering::Relaxed);
        failed.iter().filter(|_| !had_failed).for_each(log::notify_failed);
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
            let status = status.changed(&sign, admission.client_count(), Instant::now());
            let message: Vec<_> = watchdog.into_iter().chain(status).collect();
            if !message.is_empty() {
                self.notify(message.join("\n")).await;
            }
            ticks.next().await;
        }
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
