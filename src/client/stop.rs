//! Catches the signals that end the commands for scripts: SIGHUP, SIGINT and SIGTERM. A signal ends every wait, in tasks and in threads. If
//! the client is still blocked after a grace time, the signal's default action ends it. [`super::terminal`] catches signals itself.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use async_channel::Receiver;
use async_signal::Signal;
use futures_lite::StreamExt as _;
use futures_lite::future::or;
use smol::Timer;

use super::ExitCode;
use crate::limits::SIGNAL_GRACE_MS_MAX;
use crate::process::{catch_signals, end_by};

/// Reports whether a signal has arrived. Clones share the state.
#[derive(Clone, Debug)]
pub(super) struct StopSignal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    signal: OnceLock<ExitCode>,
    /// Closed by a signal, to wake tasks.
    closed: Receiver<()>,
    /// Closed by a signal, to wake threads that wait for a descriptor.
    hung_up: PipeReader,
}

impl StopSignal {
    /// Catches the signals, except signals that were ignored when the process started.
    pub(super) fn new() -> io::Result<Self> {
        let (open, closed) = async_channel::bounded(1);
        let (hung_up, writer) = io::pipe()?;
        let stop = Self(Arc::new(Inner { signal: OnceLock::new(), closed, hung_up }));
        let shared = stop.clone();
        let mut signals = catch_signals(&[Signal::Hup, Signal::Int, Signal::Term])?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let Some(Ok(signal)) = smol::block_on(signals.next()) else { return };
            let _ = shared.0.signal.set(ExitCode::Signal(signal));
            drop((open, writer));
            let grace = async {
                Timer::after(Duration::from_millis(SIGNAL_GRACE_MS_MAX)).await;
            };
            // A second signal ends the grace time.
            smol::block_on(or(grace, async { drop(signals.next().await) }));
            end_by(signal);
        })?;
        Ok(stop)
    }

    /// The exit code of the signal, if there was one.
    pub(super) fn code(&self) -> Option<ExitCode> {
        self.0.signal.get().copied()
    }

    /// Waits for a signal.
    pub(super) async fn wait(&self) -> ExitCode {
        // Nothing is ever sent: this returns when the channel is closed.
        let _ = self.0.closed.recv().await;
        self.code().unwrap_or(ExitCode::Signal(Signal::Term))
    }

    /// A descriptor for `poll` that reports a hang-up after a signal.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.hung_up.as_fd()
    }
}
