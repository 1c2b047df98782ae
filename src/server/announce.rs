//! Prints the announcement of the listeners to standard output.

use std::io;
use std::thread;
use std::time::Duration;

use futures_lite::future;
use smol::Timer;

use super::log;
use crate::limits::ANNOUNCE_MS_MAX;
use crate::process::write_line;

/// Prints lines to standard output. If it does not accept them within [`ANNOUNCE_MS_MAX`], returns, and a thread keeps trying.
pub(super) async fn announce(lines: Vec<String>) {
    let (done, printed) = async_channel::bounded::<()>(1);
    let print = move || {
        for line in lines {
            if let Err(error) = write_line(io::stdout(), &line, None) {
                log::announce_failed(&error);
                break;
            }
        }
        drop(done);
    };
    if let Err(error) = thread::Builder::new().name("announcer".to_owned()).spawn(print) {
        log::announce_failed(&error);
    }
    let late = async {
        Timer::after(Duration::from_millis(ANNOUNCE_MS_MAX)).await;
    };
    let printed = async {
        // The thread closes the channel when it is done; nothing is sent on it.
        let _ = printed.recv().await;
    };
    future::or(printed, late).await;
}
