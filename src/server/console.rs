//! The operator's log, on standard error: who connected from where, named themselves, left and why. Never what people
//! say, and nothing of theirs raw: a [`Name`] is safe for terminals by its type.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{Local, SecondsFormat};
use futures_lite::future;
use nu_ansi_term::Style;
use smol::Timer;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::admission::Full;
use super::hub::now;
use crate::command_line::is_colored;
use crate::limits::{ANNOUNCE_MS_MAX, LOG_FLUSH_MS_MAX, LOG_LINES_MAX};
use crate::process::{Stream, reason, wait_writable, write_line};
use crate::protocol::{Event, Name};
use crate::room::SessionId;

/// Begins to log what is at least as weighty as `level`; in colour where that is wanted.
///
/// A thread of its own writes the lines. If nobody takes them from it, or standard error is closed, they are dropped, and
/// the room goes on.
pub fn start(level: LevelFilter) -> Log {
    let builder = NonBlockingBuilder::default().buffered_lines_limit(LOG_LINES_MAX).lossy(true);
    let (writer, guard) = builder.finish(Stream::new(io::stderr(), None));
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_ansi(is_colored(&io::stderr()))
        .with_target(false)
        .with_timer(LocalTime)
        .log_internal_errors(false)
        .init();
    panic::set_hook(Box::new(fault));
    Log(Some(guard))
}

/// A panic, in one line. What it says may repeat a peer's bytes, so they are escaped.
fn fault(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or_default();
    error!(%place, ?what, "a fault in the server: please report it");
}

/// Prints these lines on standard output. If nobody reads them within [`ANNOUNCE_MS_MAX`], a thread keeps trying, and the room
/// opens nevertheless.
pub(super) async fn announce(lines: Vec<String>) {
    let (done, printed) = async_channel::bounded::<()>(1);
    let print = move || {
        for line in lines {
            if let Err(error) = write_line(io::stdout(), &line, None) {
                warn!(error = %reason(&error), "cannot write to standard output");
                break;
            }
        }
        drop(done);
    };
    if let Err(error) = thread::Builder::new().name("announcer".to_owned()).spawn(print) {
        warn!(error = %reason(&error), "cannot write to standard output");
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

/// Writes what is still to be written of the log when it is dropped, for at most [`LOG_FLUSH_MS_MAX`].
#[derive(Debug)]
pub struct Log(Option<WorkerGuard>);

impl Drop for Log {
    fn drop(&mut self) {
        let guard = self.0.take();
        let (start, flush_max) = (Instant::now(), Duration::from_millis(LOG_FLUSH_MS_MAX));
        if wait_writable(io::stderr(), Some(flush_max)).is_err() {
            // The lines cannot be written. Dropping the guard would report that on standard output.
            mem::forget(guard);
            return;
        }
        let (flushed, end) = mpsc::channel();
        thread::spawn(move || {
            drop(guard);
            // Nobody waits any more if it took too long.
            let _ = flushed.send(());
        });
        // As above.
        let _ = end.recv_timeout(flush_max.saturating_sub(start.elapsed()));
    }
}

/// RFC 3339, with the offset of the place where the operator reads it.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let time = now().utc().with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false);
        if w.has_ansi_escapes() { write!(w, "{}", Style::new().dimmed().paint(time)) } else { w.write_str(&time) }
    }
}

pub(super) fn connected(session: SessionId, address: SocketAddr) {
    info!(id = session.0, %address, "connected");
}

/// One of so many since it was last told.
pub(super) fn turned_away(address: SocketAddr, full: Full, times: u64) {
    let why = match full {
        Full::Server(_) => "the server is full",
        Full::Address(_) => "too many from this address",
        Full::Rate(_) => "too often from this address",
    };
    info!(%address, why, times, "turned away");
}

pub(super) fn tls_on_plain_port(address: SocketAddr) {
    info!(%address, "refused a TLS handshake: the --web port speaks plain HTTP");
}

pub(super) fn few_descriptors(clients_max: usize, room: usize) {
    warn!(clients_max, room, "the limit of open files leaves room for fewer connections; raise it: ulimit -n");
}

pub(super) fn relaxed() {
    warn!(
        "durability=relaxed: messages are acknowledged before the disk has them; if the machine fails, the last ones are lost"
    );
}

pub(super) fn not_stored(error: &str) {
    warn!(%error, "cannot store what is said; refusing it until it can");
}

pub(super) fn stored_again() {
    info!("what is said is stored again");
}

pub(super) fn disconnected(session: SessionId) {
    debug!(id = session.0, "disconnected");
}

pub(super) fn named(session: SessionId, name: &Name) {
    info!(id = session.0, %name, "joined");
}

/// Took a name back that was first in use by another session.
pub(super) fn resumed(session: SessionId, first: SessionId, name: &Name) {
    info!(id = session.0, first = first.0, %name, "resumed");
}

/// Has not read what is gone from the feed, and goes on from the store.
pub(super) fn fell_behind(session: SessionId) {
    debug!(id = session.0, "fell behind");
}

/// Has no connection any more, and may come back.
pub(super) fn held(session: SessionId, name: &Name) {
    info!(id = session.0, %name, "held");
}

/// What happened in the room, as far as it is the operator's business.
pub(super) fn event(session: SessionId, event: &Event) {
    match event {
        Event::Rename { from, to } => info!(id = session.0, %from, %to, "renamed"),
        Event::Leave(name, reason, _) => info!(id = session.0, %name, reason = %reason.as_str(), "left"),
        Event::Coordinator(name) => debug!(%name, "coordinator"),
        _ => {}
    }
}

pub(super) fn accept_failed(error: &io::Error) {
    warn!(%error, "cannot accept; trying until it can");
}

pub(super) fn stopping(signal: &str) {
    info!(signal, "stopping; a second SIGTERM or SIGINT stops at once");
}
