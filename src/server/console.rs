//! The operator's log on standard error, and the announcement on standard output. The log has connections, nicknames and reasons for
//! leaving. It has no messages, and no bytes of clients unescaped: a [`Name`] has no control characters.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_channel::Sender;
use chrono::{Local, SecondsFormat};
use futures_lite::future;
use nu_ansi_term::Style;
use smol::Timer;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::admission::AdmissionLimit;
use super::clock::wall_time;
use crate::command_line::is_colored;
use crate::limits::{ANNOUNCE_MS_MAX, LOG_FLUSH_MS_MAX, LOG_LINES_MAX};
use crate::process::{Stream, error_text, write_line};
use crate::protocol::{Event, Name};
use crate::room::SessionId;

/// Starts the log: lines of this level and above go to standard error, in colour if [`is_colored`] allows it. Panics are logged, too.
///
/// A dedicated thread writes the lines, so that no other thread waits. If standard error accepts nothing, up to [`LOG_LINES_MAX`] lines
/// wait, and further ones are dropped.
pub fn start(level: LevelFilter) -> Log {
    let log = Log::new(Stream::new(io::stderr(), None), Duration::from_millis(LOG_FLUSH_MS_MAX));
    let lines = log.lines.clone();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || lines.clone())
        .with_ansi(is_colored(&io::stderr()))
        .with_target(false)
        .with_timer(LocalTime)
        .log_internal_errors(false)
        .init();
    panic::set_hook(Box::new(log_panic));
    log
}

/// The queue of lines that wait to be written.
#[derive(Clone, Debug)]
struct LogQueue(Sender<Vec<u8>>);

impl Write for LogQueue {
    /// Queues a whole line, or drops it if the queue is full.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.try_send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs a panic in one line. Its message may contain bytes of a client, so it is escaped.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or_default();
    error!(%place, ?what, "a fault in the server: please report it");
}

/// Prints lines to standard output. If it does not accept them within [`ANNOUNCE_MS_MAX`], returns, and a thread keeps trying.
pub(super) async fn announce(lines: Vec<String>) {
    let (done, printed) = async_channel::bounded::<()>(1);
    let print = move || {
        for line in lines {
            if let Err(error) = write_line(io::stdout(), &line, None) {
                warn!(error = %error_text(&error), "cannot write to standard output");
                break;
            }
        }
        drop(done);
    };
    if let Err(error) = thread::Builder::new().name("announcer".to_owned()).spawn(print) {
        warn!(error = %error_text(&error), "cannot write to standard output");
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

/// The log, and the thread that writes it. Dropping it ends the log after the waiting lines are written, at most after `flush_max`.
#[derive(Debug)]
pub struct Log {
    lines: LogQueue,
    /// The thread closes this channel when it ends.
    end: mpsc::Receiver<()>,
    flush_max: Duration,
}

impl Log {
    fn new(mut output: impl Write + Send + 'static, flush_max: Duration) -> Self {
        let (lines, queue) = async_channel::bounded::<Vec<u8>>(LOG_LINES_MAX);
        let (writing, end) = mpsc::channel();
        let write = move || {
            while let Ok(line) = queue.recv_blocking() {
                // A line that cannot be written is lost; the next one may be accepted.
                let _ = output.write_all(&line);
            }
            drop(writing);
        };
        // If the thread does not start, nothing is logged. The server then fails to start its other threads, too, and reports that.
        let _ = thread::Builder::new().name("log-writer".to_owned()).spawn(write);
        Self { lines: LogQueue(lines), end, flush_max }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The thread writes the lines in the queue, then ends.
        self.lines.0.close();
        let _ = self.end.recv_timeout(self.flush_max);
    }
}

/// Writes the time in the form of RFC 3339, in the local time zone.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let time = wall_time().utc().with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false);
        if w.has_ansi_escapes() { write!(w, "{}", Style::new().dimmed().paint(time)) } else { w.write_str(&time) }
    }
}

pub(super) fn log_connected(session: SessionId, address: SocketAddr) {
    info!(id = session.0, %address, "connected");
}

/// Logs a refused connection. `times` connections were refused since the last such line.
pub(super) fn log_refused(address: SocketAddr, limit: AdmissionLimit, times: u64) {
    let why = match limit {
        AdmissionLimit::Clients(_) => "the server is full",
        AdmissionLimit::Address(_) => "too many from this address",
        AdmissionLimit::Rate(_) => "too often from this address",
    };
    info!(%address, why, times, "turned away");
}

#[cfg(feature = "web")]
pub(super) fn log_tls_on_plain_port(address: SocketAddr) {
    info!(%address, "refused a TLS handshake: the http:// port speaks plain HTTP");
}

pub(super) fn log_few_descriptors(clients_max: usize, room: usize) {
    warn!(clients_max, room, "the limit of open files leaves room for fewer connections; raise it: ulimit -n");
}

#[cfg(feature = "store")]
pub(super) fn log_relaxed_durability() {
    warn!(
        "durability=relaxed: messages are acknowledged before the disk has them; if the machine fails, the last ones are lost"
    );
}

#[cfg(feature = "store")]
pub(super) fn log_store_failed(error: &str) {
    warn!(%error, "cannot store what is said; refusing it until it can");
}

#[cfg(feature = "store")]
pub(super) fn log_store_recovered() {
    info!("what is said is stored again");
}

pub(super) fn log_disconnected(session: SessionId) {
    debug!(id = session.0, "disconnected");
}

pub(super) fn log_joined(session: SessionId, name: &Name) {
    info!(id = session.0, %name, "joined");
}

/// Logs that a session resumed the member of the session `first`.
pub(super) fn log_resumed(session: SessionId, first: SessionId, name: &Name) {
    info!(id = session.0, first = first.0, %name, "resumed");
}

/// Logs that the feed evicted a client's position, and that it catches up from the store.
pub(super) fn log_fell_behind(session: SessionId) {
    debug!(id = session.0, "fell behind");
}

/// Logs that a member lost its connection and can be resumed.
pub(super) fn log_detached(session: SessionId, name: &Name) {
    info!(id = session.0, %name, "detached");
}

/// Logs an event of the room that concerns the operator.
pub(super) fn log_event(session: SessionId, event: &Event) {
    match event {
        Event::Rename { from, to } => info!(id = session.0, %from, %to, "renamed"),
        Event::Leave(name, reason, _) => info!(id = session.0, %name, reason = %reason.as_str(), "left"),
        Event::Coordinator(name) => debug!(%name, "coordinator"),
        _ => {}
    }
}

pub(super) fn log_accept_failed(error: &io::Error) {
    warn!(%error, "cannot accept; trying until it can");
}

pub(super) fn log_stopping(signal: &str) {
    info!(signal, "stopping; a second SIGTERM or SIGINT stops at once");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that accepts a line only after the test has allowed it.
    struct Gate {
        open: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Open for good once the test has dropped its end.
            let _ = self.open.recv();
            self.written.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated_log(flush_max: Duration) -> (Log, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (opener, open) = mpsc::channel();
        let (written, lines) = mpsc::channel();
        (Log::new(Gate { open, written }, flush_max), opener, lines)
    }

    #[test]
    fn dropped_log_writes_all_lines() {
        let (mut log, opener, lines) = gated_log(Duration::MAX);
        drop(opener);
        for number in 0..1000 {
            log.lines.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(log);
        let written: Vec<_> = lines.try_iter().collect();
        assert!(written.iter().cloned().eq((0..1000).map(|number| format!("{number}\n").into_bytes())), "{written:?}");
    }

    #[test]
    fn blocked_log_drops_lines_and_ends() {
        let (mut log, opener, lines) = gated_log(Duration::ZERO);
        for _ in 0..2 * LOG_LINES_MAX {
            log.lines.write_all(b"line\n").unwrap();
        }
        drop(log);
        drop(opener);
        let written = lines.iter().count();
        // The thread may hold one line beside those in the queue.
        assert!((LOG_LINES_MAX..=LOG_LINES_MAX + 1).contains(&written), "{written} lines");
    }
}
