//! Signals, and the shutdown: the end of all connections in bounded time.
//!
//! First the hub answers every message it has (`finish_commits` in `hub.rs`). Then `Sessions::shutdown`
//! (`session/mod.rs`) sends each client `NOTICE the server is shutting down`, and closes its connection.

use std::io;
use std::process;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use async_signal::Signal;
use futures_lite::{StreamExt as _, future};
use smol::{Task, Timer};

use super::RunFiles;
use super::connection::ConnectionContext;
use super::hub::HubRequest;
use super::log::{self, RunLog};
use crate::limits::{SHUTDOWN_MS_MAX, SIGNAL_COPY_MS_MAX};
use crate::process::catch_signals;
use crate::session::InputKind;
use crate::state::SessionId;

/// The signals that the server handles. They stay caught until the process ends.
pub(super) struct Signals {
    /// SIGTERM and SIGINT stop the server; so does SIGHUP, unless there is something to read again.
    stop: async_signal::Signals,
    /// SIGHUP, if it makes the server read files again.
    reload: Option<async_signal::Signals>,
    /// SIGXFSZ would end the process at a file size limit (`ulimit -f`). It is caught and never read: the write fails with EFBIG.
    _file_size: async_signal::Signals,
}

impl Signals {
    /// Catches the signals. `has_reload`: SIGHUP makes the server read files again, if there are any, even if it was ignored at the start
    /// (`nohup`).
    pub(super) fn new(has_reload: bool) -> io::Result<Self> {
        let hangup = [Signal::Hup];
        let (stop, reload) = if has_reload { (&[][..], Some(&hangup)) } else { (&hangup[..], None) };
        let stop = catch_signals(&[&[Signal::Term, Signal::Int], stop].concat())?;
        let reload = reload.map(async_signal::Signals::new).transpose()?;
        Ok(Self { stop, reload, _file_size: catch_signals(&[Signal::Xfsz])? })
    }

    /// Takes the signals that make the server read files again, for `Reloader::run`.
    pub(super) fn take_reload(&mut self) -> Option<async_signal::Signals> {
        self.reload.take()
    }

    /// Waits for the first signal, and logs it. Returns its name.
    pub(super) async fn wait_first(&mut self) -> &'static str {
        match self.stop.next().await {
            Some(Ok(signal)) => {
                let name = name_of(signal);
                log::stopping(name);
                name
            }
            // The stream of signals has failed: only SIGKILL stops the server.
            _ => future::pending().await,
        }
    }

    /// Waits for the first signal, or until `critical_tasks` completes. Returns the reason to stop. From then on, a
    /// further signal removes the files of the run and ends the process at once, with the status 128 + signal number, as after
    /// a death by that signal. [`Signals::wait_second`] lists the signals that do not count.
    pub(super) async fn run_until_stop(
        mut self,
        critical_tasks: impl Future<Output = ()>,
        files: Weak<RunFiles>,
        log: Arc<RunLog>,
    ) -> &'static str {
        let tasks_ended = async {
            critical_tasks.await;
            log::FAULT
        };
        let reason = future::or(self.wait_first(), tasks_ended).await;
        let first_at = Instant::now();
        let exit_at_second = move || {
            let Some(second) = smol::block_on(self.wait_second(first_at)) else { return };
            if let Some(files) = files.upgrade() {
                files.remove();
            }
            log.stopped(&format!("second {}", name_of(second)));
            log::end();
            process::exit(128 + second as i32);
        };
        // Without the thread, a second signal has no effect; the server still stops after the first one.
        let _ = thread::Builder::new().name("second-signal".to_owned()).spawn(exit_at_second);
        reason
    }

    /// Waits for a signal that ends the process at once. Ignores SIGHUP: the kernel and the shell each send one when a terminal closes, and
    /// systemd may send one right after SIGTERM (`SendSIGHUP=`). Ignores all signals
    /// directly after the first one, which may be copies of it.
    async fn wait_second(&mut self, first_at: Instant) -> Option<Signal> {
        loop {
            match self.stop.next().await? {
                Ok(Signal::Hup) => {}
                _ if first_at.elapsed() < Duration::from_millis(SIGNAL_COPY_MS_MAX) => {}
                signal => return signal.ok(),
            }
        }
    }
}

fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Hup => "SIGHUP",
        Signal::Int => "SIGINT",
        _ => "SIGTERM",
    }
}

/// Shuts the hub down, which closes all connections. Waits until all clients have read their output, at most [`SHUTDOWN_MS_MAX`].
pub(super) async fn close_connections(context: Arc<ConnectionContext>, hub: Task<()>) {
    let closed = async {
        // Fails only if the hub has ended, and all connections with it.
        let _ = context.to_hub.send(&Arc::default(), HubRequest::Input(SessionId::SERVER, InputKind::Shutdown), 0);
        // The hub ends when the last connection has dropped its sender, too.
        drop(context);
        hub.await;
    };
    let deadline = async {
        Timer::after(Duration::from_millis(SHUTDOWN_MS_MAX)).await;
    };
    future::or(closed, deadline).await;
}
