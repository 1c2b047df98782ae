//! The end: signals, and closing every connection in good order but in bounded time.

use std::io;
use std::process;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use async_signal::Signal;
use futures_lite::{StreamExt as _, future};
use smol::{Task, Timer};

use super::connection::ConnectionContext;
use super::console;
use super::hub::Request;
use super::port_file::PortFile;
use crate::limits::{SHUTDOWN_MS_MAX, SIGNAL_COPY_MS_MAX};
use crate::process::catch_signals;
use crate::room::SessionId;
use crate::session::InputKind;

/// The signals that the server handles. They stay caught until the process ends.
pub(super) struct Signals {
    /// SIGTERM, SIGINT and SIGHUP stop the server.
    stop: async_signal::Signals,
    /// SIGXFSZ would end the process at a file size limit (`ulimit -f`). It is caught and never read: the write fails with EFBIG.
    _file_size: async_signal::Signals,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let stop = catch_signals(&[Signal::Term, Signal::Int, Signal::Hup])?;
        Ok(Self { stop, _file_size: catch_signals(&[Signal::Xfsz])? })
    }

    /// Waits for the first signal, and logs it.
    pub(super) async fn stop(&mut self) {
        match self.stop.next().await {
            Some(Ok(signal)) => console::stopping(name_of(signal)),
            // The stream of signals has failed: only SIGKILL stops the server.
            _ => future::pending().await,
        }
    }

    /// Waits for the first signal. From then on, a second one removes the port file and ends the process at once, with the
    /// status that a shell gives it.
    pub(super) async fn until_stopped(mut self, vital: impl Future<Output = ()>, port_file: Weak<PortFile>) {
        future::or(self.stop(), vital).await;
        let first = Instant::now();
        let at_second = move || {
            let Some(second) = smol::block_on(self.second(first)) else { return };
            if let Some(file) = port_file.upgrade() {
                file.remove();
            }
            process::exit(128 + second as i32);
        };
        // If there is no thread, only the second signal has no effect.
        let _ = thread::Builder::new().name("second-signal".to_owned()).spawn(at_second);
    }

    /// The next signal that ends the process at once. SIGHUP does not: the kernel and the shell each send one when a terminal
    /// closes, and systemd may send one right after SIGTERM (`SendSIGHUP=`). Nor does a copy of the first one.
    async fn second(&mut self, first: Instant) -> Option<Signal> {
        loop {
            match self.stop.next().await? {
                Ok(Signal::Hup) => {}
                _ if first.elapsed() < Duration::from_millis(SIGNAL_COPY_MS_MAX) => {}
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

/// Tells everybody, and waits until they have read what was acknowledged, or for as long as may be.
pub(super) async fn dismiss(context: Arc<ConnectionContext>, hub: Task<()>) {
    let everybody = async {
        // Fails only if the hub is gone, and everybody with it.
        let _ = context.to_hub.send(&Arc::default(), Request::Act(SessionId::SERVER, InputKind::Shutdown), 0);
        // When the last connection has let go of its end, too, the hub ends.
        drop(context);
        hub.await;
    };
    let deadline = async {
        Timer::after(Duration::from_millis(SHUTDOWN_MS_MAX)).await;
    };
    future::or(everybody, deadline).await;
}
