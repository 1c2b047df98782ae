//! The end: signals, and letting everybody go in good order but in bounded time.

use std::io;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use async_signal::Signal;
use futures_lite::{StreamExt as _, future};
use smol::{Task, Timer};

use super::connection::Host;
use super::console;
use super::hub::Request;
use crate::limits::SHUTDOWN_MS_MAX;
use crate::room::{Action, SessionId};

/// SIGTERM and SIGINT. Kept for life: once taken over, the signals do nothing by themselves any more.
pub(super) struct Signals(async_signal::Signals);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        async_signal::Signals::new([Signal::Term, Signal::Int]).map(Self)
    }

    /// Waits for the first signal; from then on a second one ends the process at once, with the status a shell gives it.
    ///
    /// # Panics
    /// If one of the tasks did that everybody needs: the process is to end, and to say so by its status.
    pub(super) async fn until_stopped(mut self, vital: impl Future<Output = ()>) {
        let first = async { self.0.next().await };
        let ended = async {
            vital.await;
            None
        };
        future::or(first, ended).await;
        std::thread::spawn(move || {
            if let Some(Ok(second)) = smol::block_on(self.0.next()) {
                process::exit(128 + second as i32);
            }
        });
        console::stopping();
    }
}

/// Tells everybody, and waits until they have read what was acknowledged, or for as long as may be.
pub(super) async fn dismiss(host: Arc<Host>, hub: Task<()>) {
    let everybody = async {
        // Fails only if the hub is gone, and everybody with it.
        let _ = host.to_hub.put(&Arc::default(), Request::Act(SessionId::SERVER, Action::Shutdown), 0);
        // When the last connection has let go of its end, too, the hub ends.
        drop(host);
        hub.await;
    };
    let deadline = async {
        Timer::after(Duration::from_millis(SHUTDOWN_MS_MAX)).await;
    };
    future::or(everybody, deadline).await;
}
