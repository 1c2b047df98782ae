//! The lines about the connection to the engine of the cluster's log. A connection can change several times a second, so after some lines
//! within [`REFUSED_LOG_SECONDS`] the changes are counted, and the last one is logged later.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::limiter::LogLimiter;
use crate::limits::{ENGINE_LOG_LINES_MAX, REFUSED_LOG_SECONDS};

/// The lines about one connection to the engine.
#[derive(Debug, Default)]
pub(in crate::server) struct EngineLog {
    state: State,
    /// The changes of the state that were not logged.
    unlogged: u64,
    /// The lines since this time.
    window: Option<(Instant, u32)>,
    failures: LogLimiter,
}

/// The lines about failed requests to the engine.
#[derive(Debug, Default)]
pub(in crate::server) struct RequestLog(LogLimiter);

impl RequestLog {
    /// A request has failed.
    pub(in crate::server) fn failed(&mut self, now: Instant, error: &str) {
        self.0.count();
        if let Some(count) = self.0.take_due(now) {
            warn!(error, count, "the cluster's log cannot be used; trying again");
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    NeverConnected,
    Connected {
        server: String,
        address: String,
    },
    Lost {
        server: String,
    },
}

impl EngineLog {
    /// A connection was made to the server with this name and address.
    pub(in crate::server) fn connected(&mut self, now: Instant, server: &str, address: &str) {
        self.change(now, State::Connected { server: server.to_owned(), address: address.to_owned() });
    }

    /// The connection was lost.
    pub(in crate::server) fn lost(&mut self, now: Instant) {
        if let State::Connected { server, .. } = &self.state {
            let server = server.clone();
            self.change(now, State::Lost { server });
        }
    }

    /// A connection cannot be made, or the server reports an error.
    pub(in crate::server) fn failed(&mut self, now: Instant, error: &str) {
        self.failures.count();
        if let Some(count) = self.failures.take_due(now) {
            warn!(error, count, "the connection to the cluster's log has an error; retrying");
        }
    }

    /// When to call [`EngineLog::log_due`].
    pub(in crate::server) fn due(&self) -> Option<Instant> {
        self.window.filter(|_| self.unlogged > 0).map(|(began_at, _)| began_at + INTERVAL)
    }

    /// Logs the last change if it was not logged.
    pub(in crate::server) fn log_due(&mut self, now: Instant) {
        if self.due().is_some_and(|at| at <= now) {
            self.log(now);
        }
    }

    fn change(&mut self, now: Instant, state: State) {
        self.state = state;
        self.unlogged += 1;
        let is_full = self.window.is_some_and(|(began_at, lines)| {
            lines >= ENGINE_LOG_LINES_MAX && now.saturating_duration_since(began_at) < INTERVAL
        });
        if !is_full {
            self.log(now);
        }
    }

    fn log(&mut self, now: Instant) {
        let (began_at, lines) =
            self.window.filter(|(at, _)| now.saturating_duration_since(*at) < INTERVAL).unwrap_or((now, 0));
        self.window = Some((began_at, lines + 1));
        // Only if there were others.
        let changes = Some(self.unlogged).filter(|&count| count > 1);
        self.unlogged = 0;
        match &self.state {
            State::NeverConnected => {}
            State::Connected { server, address } => {
                info!(server, address, changes, "connected to the cluster's log");
            }
            State::Lost { server } => warn!(server, changes, "lost the connection to the cluster's log"),
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(REFUSED_LOG_SECONDS);

/// Warns about a server that may lose acknowledged messages.
pub(in crate::server) fn engine_version(server: &str, version: &str) {
    warn!(
        server,
        version,
        "this version of the server can lose messages of the cluster's log when it fails: use 2.10.23 or later"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::log::LogFormat;
    use crate::server::log::tests::logged;

    #[test]
    fn each_change_has_one_line() {
        let lines = logged(LogFormat::Text, || {
            let (mut log, now) = (EngineLog::default(), Instant::now());
            log.lost(now);
            log.connected(now, "n1", "127.0.0.1:4222");
            log.lost(now);
            log.lost(now);
            log.connected(now, "n2", "127.0.0.1:4223");
            assert_eq!(log.due(), None);
        });
        assert_eq!(
            lines,
            [
                "INFO connected to the cluster's log server=n1 address=127.0.0.1:4222",
                "WARN lost the connection to the cluster's log server=n1",
                "INFO connected to the cluster's log server=n2 address=127.0.0.1:4223",
            ]
        );
    }

    #[test]
    fn frequent_changes_are_counted_and_the_last_one_is_logged() {
        let start = Instant::now();
        let lines = logged(LogFormat::Text, || {
            let mut log = EngineLog::default();
            for number in 0..100 {
                let now = start + Duration::from_millis(100 * number);
                log.connected(now, "n1", "a:1");
                log.lost(now);
                log.failed(now, "refused");
            }
            let due = log.due().unwrap();
            assert_eq!(due, start + INTERVAL);
            log.log_due(start + INTERVAL / 2);
            log.log_due(due);
            assert_eq!(log.due(), None);
            log.log_due(due + INTERVAL);
            log.connected(due, "n1", "a:1");
        });
        let errors: Vec<_> = lines.iter().filter(|line| line.contains("error")).collect();
        assert_eq!(errors, ["WARN the connection to the cluster's log has an error; retrying error=refused count=1"]);
        assert_eq!(lines.len(), 10 + 1 + 2, "{lines:?}");
        assert_eq!(lines[11], "WARN lost the connection to the cluster's log server=n1 changes=190");
        assert_eq!(lines[12], "INFO connected to the cluster's log server=n1 address=a:1");
    }
}
