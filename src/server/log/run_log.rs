//! The lines of the log that depend on earlier ones: each connection that began also ends, and frequent events are counted.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::Level;

use super::limiter::LogLimiter;
use crate::protocol::{CloseReason, PeerAddress};
use crate::server::admission::AdmissionLimit;
use crate::server::clock::Clock;
use crate::session::BySession;
use crate::state::SessionId;

/// The number of no listener: for events that do not depend on one.
const ALL_LISTENERS: usize = usize::MAX;

/// The log of one run of the server.
#[derive(Debug)]
pub(in crate::server) struct RunLog {
    clock: Arc<dyn Clock>,
    started_at: Instant,
    /// Locked while a line is logged, so that no line follows `stopped`.
    state: Mutex<RunState>,
}

#[derive(Debug, Default)]
struct RunState {
    /// The connections with the line `connected` and without the line `disconnected`.
    open: BySession<OpenConnection>,
    /// Few: no reason of a refusal has bytes of a client.
    frequent: Vec<FrequentEvents>,
    has_stopped: bool,
}

#[derive(Debug)]
struct OpenConnection {
    transport: &'static str,
    address: PeerAddress,
    at: Instant,
}

/// The events of one kind on one listener.
#[derive(Debug)]
struct FrequentEvents {
    listener: usize,
    newest: FrequentEvent,
    limiter: LogLimiter,
}

/// An event that clients can cause many times a second.
#[derive(Debug)]
pub(in crate::server) enum FrequentEvent {
    /// A connection was not admitted.
    ConnectionRefused(PeerAddress, AdmissionLimit),
    /// A connection cannot be accepted, with the error.
    AcceptFailed(String),
    /// A process of this user may not use the control socket. `None`: of an unknown user.
    ControlDenied(Option<u32>),
    /// A connection has no valid PROXY protocol header.
    #[cfg(feature = "proxy")]
    HeaderRefused { address: PeerAddress, reason: String },
    /// A client has given a wrong password.
    WrongPassword(PeerAddress),
    /// A TLS handshake failed.
    #[cfg(feature = "tls")]
    HandshakeFailed { address: PeerAddress, reason: String },
    /// A request was answered with an error.
    #[cfg(feature = "web")]
    RequestRefused {
        address: PeerAddress,
        status: u16,
        reason: String,
        /// The method and the path, if the request is HTTP.
        request: Option<String>,
    },
}

impl FrequentEvent {
    /// Whether one line may stand for both.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ConnectionRefused(..), Self::ConnectionRefused(..))
            | (Self::AcceptFailed(_), Self::AcceptFailed(_))
            | (Self::ControlDenied(_), Self::ControlDenied(_))
            | (Self::WrongPassword(_), Self::WrongPassword(_)) => true,
            #[cfg(feature = "proxy")]
            (Self::HeaderRefused { reason, .. }, Self::HeaderRefused { reason: other, .. }) => reason == other,
            #[cfg(feature = "tls")]
            (Self::HandshakeFailed { .. }, Self::HandshakeFailed { .. }) => true,
            #[cfg(feature = "web")]
            (Self::RequestRefused { reason, .. }, Self::RequestRefused { reason: other, .. }) => reason == other,
            _ => false,
        }
    }

    fn log(&self, count: u64) {
        match self {
            Self::ConnectionRefused(address, limit) => super::connection_refused(*address, limit, count),
            Self::AcceptFailed(error) => super::accept_failed(error, count),
            Self::ControlDenied(user) => super::control_denied(*user, count),
            #[cfg(feature = "proxy")]
            Self::HeaderRefused { address, reason } => super::header_refused(*address, reason, count),
            Self::WrongPassword(address) => super::wrong_password(*address, count),
            #[cfg(feature = "tls")]
            Self::HandshakeFailed { address, reason } => super::handshake_failed(*address, reason, count),
            #[cfg(feature = "web")]
            Self::RequestRefused { address, status, reason, request } => {
                super::request_refused(*address, *status, reason, request.as_deref(), count);
            }
        }
    }
}

impl RunLog {
    pub(in crate::server) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started_at: clock.steady(), clock, state: Mutex::default() }
    }

    /// Logs a new session on a connection.
    pub(in crate::server) fn connected(&self, session: SessionId, transport: &'static str, address: PeerAddress) {
        // Without these lines, a connection needs no memory for its end.
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        let mut state = self.state();
        if !state.has_stopped {
            state.open.insert(session, OpenConnection { transport, address, at: self.clock.steady() });
            super::connected(session, transport, address);
        }
    }

    /// Logs the end of a connection.
    pub(in crate::server) fn disconnected(&self, session: SessionId, reason: CloseReason) {
        let mut state = self.state();
        if let Some(connection) = state.open.remove(session) {
            self.log_end(session, &connection, reason);
        }
    }

    /// Counts an event on the listener with this number; the control socket has the number after those. Logs it, with the number of events since the last line, unless that line was
    /// too recent.
    pub(in crate::server) fn count(&self, listener: usize, event: FrequentEvent) {
        let mut state = self.state();
        let is_like = |events: &FrequentEvents| events.listener == listener && events.newest.is_like(&event);
        let index = state.frequent.iter().position(is_like).unwrap_or(state.frequent.len());
        if let Some(events) = state.frequent.get_mut(index) {
            events.newest = event;
        } else {
            state.frequent.push(FrequentEvents { listener, newest: event, limiter: LogLimiter::default() });
        }
        let events = &mut state.frequent[index];
        events.limiter.count();
        events.log_due(self.clock.steady());
    }

    /// Counts a wrong password, over all listeners.
    pub(in crate::server) fn count_wrong_password(&self, address: PeerAddress) {
        self.count(ALL_LISTENERS, FrequentEvent::WrongPassword(address));
    }

    /// Logs the events that have waited long enough for their line. Called at each tick.
    pub(in crate::server) fn flush(&self) {
        let now = self.clock.steady();
        self.state().frequent.iter_mut().for_each(|events| events.log_due(now));
    }

    /// Logs the events that wait for a line, the end of all open connections, and the stop. Nothing follows.
    pub(in crate::server) fn stopped(&self, reason: &str) {
        let mut state = self.state();
        if mem::replace(&mut state.has_stopped, true) {
            return;
        }
        for FrequentEvents { newest, mut limiter, .. } in mem::take(&mut state.frequent) {
            if let Some(count) = limiter.take() {
                newest.log(count);
            }
        }
        for (session, connection) in mem::take(&mut state.open).iter() {
            self.log_end(session, connection, CloseReason::Stopping);
        }
        super::stopped(reason, self.clock.steady().saturating_duration_since(self.started_at));
    }

    fn log_end(&self, session: SessionId, connection: &OpenConnection, reason: CloseReason) {
        let OpenConnection { transport, address, at } = *connection;
        super::disconnected(session, transport, address, reason, self.clock.steady().saturating_duration_since(at));
    }

    fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrequentEvents {
    fn log_due(&mut self, now: Instant) {
        if let Some(count) = self.limiter.take_due(now) {
            self.newest.log(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::REFUSED_LOG_SECONDS;
    use crate::protocol::{LeaveReason, Timestamp};
    use crate::server::clock::tests::ManualClock;
    use crate::server::log::LogFormat;
    use crate::server::log::tests::logged;

    fn run_log() -> (Arc<ManualClock>, RunLog) {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        (Arc::clone(&clock), RunLog::new(clock))
    }

    fn address(port: u16) -> PeerAddress {
        ([192, 0, 2, 1], port).into()
    }

    /// A connection from this port is refused.
    fn refuse(log: &RunLog, listener: usize, port: u16) {
        log.count(listener, FrequentEvent::ConnectionRefused(address(port), AdmissionLimit::Clients(5)));
    }

    #[test]
    fn rest_of_a_burst_is_logged_after_a_minute() {
        let (clock, log) = run_log();
        let lines = logged(LogFormat::Text, || {
            (0..50).for_each(|port| refuse(&log, 0, port));
            refuse(&log, 1, 99);
            for seconds in [1, REFUSED_LOG_SECONDS - 2, 1, REFUSED_LOG_SECONDS, REFUSED_LOG_SECONDS] {
                clock.advance(Duration::from_secs(seconds));
                log.flush();
            }
        });
        let line = |port: u16, count: u16| {
            format!("INFO refused a connection address={} reason=--max-clients limit=5 count={count}", address(port))
        };
        assert_eq!(lines, [line(0, 1), line(99, 1), line(49, 49)]);
    }

    #[test]
    fn rest_of_a_burst_is_logged_at_the_stop() {
        let (_, log) = run_log();
        let lines = logged(LogFormat::Text, || {
            for error in ["first", "second", "third"] {
                log.count(0, FrequentEvent::AcceptFailed(error.to_owned()));
            }
            log.stopped("SIGTERM");
        });
        let accept = |error, count| format!("WARN cannot accept connections; retrying error={error} count={count}");
        let stopped = "INFO stopped reason=SIGTERM uptime_seconds=0".to_owned();
        assert_eq!(lines, [accept("first", 1), accept("third", 2), stopped]);
    }

    #[test]
    fn every_connection_ends_once_before_the_stop() {
        let (clock, log) = run_log();
        let lines = logged(LogFormat::Text, || {
            (1..=3).for_each(|number| log.connected(SessionId(number.into()), "tcp", address(number)));
            clock.advance(Duration::from_millis(1500));
            log.disconnected(SessionId(2), CloseReason::Left(LeaveReason::Quit));
            log.stopped("SIGTERM");
            log.disconnected(SessionId(1), CloseReason::Stopping);
            log.connected(SessionId(4), "tcp", address(4));
            log.stopped("second SIGTERM");
        });
        let line = |message, number: u16, rest| {
            format!("INFO {message} id={number} transport=tcp address={}{rest}", address(number))
        };
        let expected = [
            line("connected", 1, ""),
            line("connected", 2, ""),
            line("connected", 3, ""),
            line("disconnected", 2, " reason=quit duration_ms=1500"),
            line("disconnected", 1, " reason=shutdown duration_ms=1500"),
            line("disconnected", 3, " reason=shutdown duration_ms=1500"),
            "INFO stopped reason=SIGTERM uptime_seconds=1".to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
