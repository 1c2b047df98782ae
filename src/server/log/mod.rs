//! The operator's log on standard error: the start, connections, nicknames, rooms, refusals, the stop. It has no messages, no whispers,
//! no passwords and no resume tokens: no function here takes a client's text, except the name of a member or a room, and the method and the path of
//! an HTTP request.
//!
//! Each function here logs one event, through `tracing`; `store::log` has the store's. A message is constant; every
//! value that varies is a field. `line` renders an event as text or JSON, and `writer` writes it. `RunLog` logs the
//! events that depend on earlier ones: the ends of connections, and frequent events.

#[cfg(feature = "cluster")]
mod engine;
mod level;
mod limiter;
mod line;
mod reload;
mod run_log;
mod writer;

use std::any::Any;
use std::fmt;
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::field::Value;
use tracing::level_filters::LevelFilter;
use tracing::{Event as LogEvent, Level, Subscriber, debug, error, info, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

#[cfg(feature = "cluster")]
pub(super) use self::engine::{EngineLog, RequestLog, engine_version};
use self::level::SetLevel;
pub(super) use self::level::set_level;
pub use self::line::push_json_string;
pub(super) use self::line::push_shown;
use self::line::{LineStyle, LogLine};
pub(super) use self::reload::{
    exposed_password, motd, nothing_to_reload, option_changed, password, reload_failed, reload_refused, reloaded,
};
pub(super) use self::run_log::{FrequentEvent, RunLog};
use self::writer::LogWriter;
use super::admission::AdmissionLimit;
use super::clock::wall_time;
use super::listen::{ListenAddress, ListenerProxies, Scheme};
use super::{ServerOptions, StartError};
use crate::command_line::{format_duration, format_size, print_error};
#[cfg(feature = "tls")]
use crate::fingerprint::Fingerprint;
use crate::limits::{ERROR_WRITE_MS_MAX, LOG_FLUSH_MS_MAX};
use crate::process::{Stream, error_text};
use crate::protocol::{AccountTokenId, CloseReason, MessageId, Name, PeerAddress, SanctionId, Token};
use crate::session::{AccountEvent, MembershipChange};
use crate::state::{Incarnation, Moderated, ModerationOutcome, SessionId};

/// How lines of the log are rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: the local time, the level, the message, then `key=value` fields. In color if
    /// [`is_colored`](crate::command_line::is_colored) allows it. In the journal, which has its own time, without the time.
    #[default]
    Text,
    /// For programs: one JSON object a line, with the time in UTC.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// The running log. Dropping it writes the waiting lines, for at most [`LOG_FLUSH_MS_MAX`], and ends the log.
#[derive(Debug)]
pub struct Log {
    format: LogFormat,
}

/// The reason for a stop that is due to a panic.
pub(super) const FAULT: &str = "fault";

/// The thread that writes the log; `None` before the start and after the end.
static WRITER: Mutex<Option<LogWriter>> = Mutex::new(None);

/// Starts the log: lines of this level and above go to standard error. Panics are logged, too.
///
/// A thread of its own writes the lines, so that no other thread waits for standard error. Call this once.
pub fn start(level: LevelFilter, format: LogFormat) -> Log {
    let style = LineStyle::of_stderr(format);
    let dropped = move |count| {
        LogLine::with_message(style, wall_time(), Level::WARN, "dropped log lines").with_number("count", count).finish()
    };
    let stderr = Stream::new(io::stderr(), None);
    #[cfg(feature = "store")]
    let stderr = crate::process::BesideProgress(stderr);
    let writer = LogWriter::new(stderr, Duration::from_millis(LOG_FLUSH_MS_MAX), dropped);
    let queue = writer.queue();
    let (subscriber, set_level) = subscriber(level, style, move || queue.clone());
    subscriber.init();
    level::keep(set_level);
    panic::set_hook(Box::new(fault));
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    Log { format }
}

/// Renders the events of this level and above, and writes each line to a writer from `output`. Returns also how to change the level.
fn subscriber<W: io::Write + 'static>(
    level: LevelFilter,
    style: LineStyle,
    output: impl Fn() -> W + Send + Sync + 'static,
) -> (impl Subscriber + Send + Sync, SetLevel) {
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(output);
    let subscriber = subscriber.log_internal_errors(false).event_format(LineFormat(style)).finish();
    level::limit(subscriber, level)
}

/// Writes the waiting lines, for at most [`LOG_FLUSH_MS_MAX`], and ends the log.
pub(super) fn end() {
    #[cfg(feature = "store")]
    crate::process::clear_progress();
    let writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(writer);
}

impl Drop for Log {
    fn drop(&mut self) {
        end();
    }
}

impl Log {
    /// Ends the log, then reports why `program` could not start, in the format of the log. The report does not depend on the log's level.
    pub fn report_start_error(self, program: &str, error: &StartError) {
        let format = self.format;
        drop(self);
        match format {
            LogFormat::Text => print_error(program, &error.to_string()),
            LogFormat::Json => {
                let style = LineStyle::of_stderr(format);
                let line = LogLine::with_message(style, wall_time(), Level::ERROR, "cannot start");
                let line = line.with_text("error", &error.to_string()).finish();
                let mut stderr = Stream::new(io::stderr(), Some(Duration::from_millis(ERROR_WRITE_MS_MAX)));
                // If this fails, the exit code still reports the error.
                let _ = stderr.write_all(line.as_bytes());
            }
        }
    }
}

/// Renders events for the log's thread.
struct LineFormat(LineStyle);

impl<S, F> FormatEvent<S, F> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, F>,
        mut to: Writer<'_>,
        event: &LogEvent<'_>,
    ) -> Result<(), fmt::Error> {
        to.write_str(&LogLine::new(self.0, wall_time(), event).finish())
    }
}

/// Logs a panic in one line.
fn fault(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    error!(location, panic = constant_text(info.payload()), "a fault in the server; please report it");
}

/// The text of a panic, if it is constant. A formatted text may have a client's text, as the panic of a slice that splits a character has.
fn constant_text(payload: &dyn Any) -> Option<&'static str> {
    payload.downcast_ref().copied()
}

pub(super) fn starting() {
    info!(version = env!("CARGO_PKG_VERSION"), "starting");
}

/// The server begins to join a cluster.
pub(super) fn joining(settings: &[(&'static str, String)]) {
    let settings: Vec<_> = settings.iter().map(|(option, value)| format!("{option} {value}")).collect();
    info!(options = settings.join(" "), "joining the cluster");
}

/// A file with what the engine wants to see is exposed.
#[cfg(feature = "cluster")]
pub(super) fn engine_credentials(warning: &str) {
    warn!("{warning}");
}

/// A node has joined the cluster. `is_own`: it is this one.
pub(super) fn node_joined(node: &Token, incarnation: Incarnation, is_own: bool) {
    let incarnation = incarnation.0;
    if is_own {
        info!(%node, incarnation, "joined the cluster");
    } else {
        info!(%node, incarnation, "another node has joined the cluster");
    }
}

/// A node has left the cluster, or has lost its place in it.
pub(super) fn node_expired(node: &Token, incarnation: Incarnation, is_own: bool) {
    let incarnation = incarnation.0;
    if is_own {
        warn!(%node, incarnation, "this node has lost its place in the cluster: its clients are disconnected, and it joins again");
    } else {
        warn!(%node, incarnation, "another node has left the cluster");
    }
}

/// The server has no store.
pub(super) fn no_store(epoch: &Token, history: usize) {
    info!(%epoch, history, "no store: the newest messages are kept in memory");
}

#[cfg(feature = "store")]
pub(super) fn store_opened(options: &crate::store::Options, state: &crate::store::StoredState) {
    use super::store_adapter::{shown_durability, shown_retention};
    use crate::store::Durability;

    let oldest_id = state.oldest_id.map(|id| id.0);
    info!(
        path = %std::path::absolute(&options.path).as_ref().unwrap_or(&options.path).display(),
        oldest_id,
        newest_id = state.last_id.0,
        epoch = %state.epoch,
        durability = shown_durability(options.durability),
        keep = shown_retention(options.keep),
        "opened the store"
    );
    if options.durability == Durability::Relaxed {
        warn!(
            "--durability relaxed: messages are acknowledged before they are on the disk; if the machine crashes, the newest ones are lost"
        );
    }
}

/// The names of stored accounts collide with those of others.
#[cfg(feature = "store")]
pub(super) fn accounts_left_out(count: usize) {
    warn!(
        count,
        "the store has accounts whose names look like those of older accounts: nobody can log in to them or take their names"
    );
}

/// Logs the limits in force, each under the name of its option. `max_clients` is the effective number.
pub(super) fn limits(options: &ServerOptions, max_clients: usize) {
    let number = |number: u64| -> Box<dyn Value> { if number == 0 { Box::new(NO_LIMIT) } else { Box::new(number) } };
    let seconds = |seconds: u64| limit_value((seconds > 0).then(|| Duration::from_secs(seconds)));
    let http = options.listen.iter().find_map(super::Listener::http_settings);
    info!(
        max_clients,
        max_per_address = number(options.max_per_address as u64),
        connect_rate = number(options.connect_rate.per_second.into()),
        line_rate = number(options.line_rate.per_second.into()),
        line_burst = options.line_rate.burst,
        name_timeout = seconds(options.timeouts.name_seconds),
        idle_timeout = seconds(options.timeouts.idle_seconds),
        resume_timeout = seconds(options.resume_seconds),
        send_timeout = limit_value(options.send_timeout()),
        dead_peer_timeout = limit_value(options.dead_peer_timeout),
        http_header_timeout = http.as_ref().map(|http| limit_value(Some(http.header))),
        http_ping_interval = http.map(|http| limit_value(http.ping_interval)),
        backlog = format_size(options.backlog_bytes as u64),
        history = options.history,
        "limits"
    );
}

/// Logs a listener and the proxies that name its clients, and warns if other machines can reach it and it is not encrypted.
pub(super) fn listening(scheme: Scheme, address: &ListenAddress, proxies: &ListenerProxies) {
    let listener = format!("{scheme}://{address}");
    let ListenerProxies { header, forwarded, x_forwarded_for } = proxies;
    info!(listener, proxies = header, forwarded, x_forwarded_for, "listening");
    if scheme.shows_metrics(address) {
        warn!(
            listener,
            "other machines can reach this listener: anyone there can read the metrics; listen on 127.0.0.1, or restrict the port with a firewall"
        );
    }
    if scheme.is_exposed(address) {
        warn!(
            listener,
            "other machines can reach this listener, and it is not encrypted: anyone on the network path can read and change messages; listen on 127.0.0.1 behind a TLS proxy, or restrict the port with a firewall"
        );
    }
}

pub(super) fn control_socket(path: &Path) {
    info!(path = %path.display(), "opened the control socket");
}

/// Logs why the server runs without its control socket. The error says what to do.
pub(super) fn no_control_socket(error: &StartError) {
    warn!(%error, "running without a control socket");
}

/// Logs that a process was refused on the control socket. `count` processes were refused since the last such line.
fn control_denied(user: Option<u32>, count: u64) {
    warn!(uid = user, count, "refused a user on the control socket");
}

pub(super) fn announce_failed(error: &io::Error) {
    warn!(error = error_text(error), "cannot write to standard output");
}

pub(super) fn few_descriptors(max_clients: usize, available: usize) {
    warn!(
        max_clients,
        available, "the limit of open files allows fewer connections than --max-clients; raise it with: ulimit -n"
    );
}

/// Logs a new session on a connection. `id` is the number of the session, as in `STATUS`.
fn connected(session: SessionId, transport: &str, address: PeerAddress) {
    info!(id = session.0, transport, %address, "connected");
}

/// Logs the end of a connection after `duration`.
fn disconnected(session: SessionId, transport: &str, address: PeerAddress, reason: CloseReason, duration: Duration) {
    let reason = reason.as_str();
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    info!(id = session.0, transport, %address, reason, duration_ms, "disconnected");
}

pub(super) fn membership_change(change: &MembershipChange) {
    match change {
        MembershipChange::Joined(SessionId(id), nick, room) => info!(id, %nick, %room, "joined"),
        MembershipChange::Resumed { session: SessionId(id), first: SessionId(first_id), name: nick } => {
            info!(id, first_id, %nick, "resumed");
        }
        MembershipChange::Renamed { session: SessionId(id), from, to } => info!(id, %from, %to, "renamed"),
        MembershipChange::Entered(SessionId(id), nick, rooms) => {
            let rooms = rooms.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            info!(id, %nick, rooms, "entered");
        }
        MembershipChange::Parted(SessionId(id), nick, room) => info!(id, %nick, %room, "parted"),
        MembershipChange::Detached(SessionId(id), nick) => info!(id, %nick, "detached"),
        MembershipChange::Left(SessionId(id), nick, reason) => info!(id, %nick, reason = reason.as_str(), "left"),
        MembershipChange::Account(SessionId::SERVER, account, event) => operator_event(account, *event),
        MembershipChange::Account(SessionId(id), account, event) => account_event(*id, account, *event),
        MembershipChange::Coordinator(nick, room) => debug!(%nick, %room, "new coordinator"),
        MembershipChange::Moderated(SessionId(id), by, moderated) => moderation_event(*id, by.as_ref(), moderated),
    }
}

/// Logs what a moderator has done. Without a nickname, it is the operator at the control socket.
fn moderation_event(id: u64, by: Option<&Name>, moderated: &Moderated) {
    let by = by.map_or("-", Name::as_str);
    let room = moderated.room.as_ref().map_or_else(|| "-".to_owned(), |(_, name)| name.to_string());
    match &moderated.outcome {
        ModerationOutcome::Kicked(nick) => info!(id, by, %room, %nick, "kicked"),
        ModerationOutcome::Sanctioned(kind, SanctionId(number), target) => {
            info!(id, by, %room, sanction = kind.as_str(), number, %target, "began a sanction");
        }
        ModerationOutcome::Lifted(kind, SanctionId(number), target) => {
            info!(id, by, %room, sanction = kind.as_str(), number, %target, "lifted a sanction");
        }
        ModerationOutcome::Refused(..) | ModerationOutcome::SanctionsChanged => {}
        ModerationOutcome::LockSet(lock) => info!(id, by, %room, lock = lock.as_str(), "locked"),
        ModerationOutcome::Invited(nick, true) => info!(id, by, %room, %nick, "invited"),
        ModerationOutcome::Invited(nick, false) => info!(id, by, %room, %nick, "took an invitation back"),
        ModerationOutcome::ModeratorSet(account, true) => info!(id, by, %room, %account, "made a moderator"),
        ModerationOutcome::ModeratorSet(account, false) => info!(id, by, %room, %account, "removed a moderator"),
        ModerationOutcome::Deleted(MessageId(message_id)) => info!(id, by, %room, message_id, "deleted a message"),
    }
}

fn account_event(id: u64, account: &Name, event: AccountEvent) {
    match event {
        AccountEvent::Registered => info!(id, %account, "registered"),
        AccountEvent::LoggedIn => info!(id, %account, "logged in"),
        AccountEvent::PasswordChanged => info!(id, %account, "changed the password"),
        // Only the operator sets roles.
        AccountEvent::RoleSet(_) => {}
        AccountEvent::Unregistered => info!(id, %account, "unregistered"),
        AccountEvent::TokenMade(AccountTokenId(token)) => info!(id, %account, token, "made an access token"),
        AccountEvent::TokenRevoked(AccountTokenId(token)) => info!(id, %account, token, "revoked an access token"),
    }
}

/// Logs a change by an operator, who has no session.
fn operator_event(account: &Name, event: AccountEvent) {
    match event {
        AccountEvent::Registered => info!(%account, "the operator added an account"),
        AccountEvent::PasswordChanged => info!(%account, "the operator set the password of an account"),
        AccountEvent::RoleSet(role) => info!(%account, role = role.as_str(), "the operator set the role of an account"),
        AccountEvent::Unregistered => info!(%account, "the operator removed an account"),
        // The operator has no other requests.
        AccountEvent::LoggedIn | AccountEvent::TokenMade(_) | AccountEvent::TokenRevoked(_) => {}
    }
}

/// Logs that the feed evicted a client's position, and that the client catches up from the store.
pub(super) fn fell_behind(session: SessionId) {
    debug!(id = session.0, "reads too slowly; catching up from the store");
}

/// Logs a connection that was not admitted. `count` connections were refused since the last such line.
fn connection_refused(address: PeerAddress, limit: &AdmissionLimit, count: u64) {
    let (reason, limit) = match limit {
        AdmissionLimit::Clients(max) => ("--max-clients", Some(*max as u64)),
        AdmissionLimit::Address(max) => ("--max-per-address", Some(*max as u64)),
        AdmissionLimit::Rate(max) => ("--connect-rate", Some(u64::from(*max))),
        AdmissionLimit::Operators(max) => ("metrics", Some(*max as u64)),
        AdmissionLimit::Banned(_) => ("banned", None),
    };
    info!(%address, reason, limit, count, "refused a connection");
}

/// Logs a request that was answered with an error. `count` requests were refused for this reason since the last such line.
#[cfg(feature = "web")]
fn request_refused(address: PeerAddress, status: u16, reason: &str, request: Option<&str>, count: u64) {
    info!(%address, status, reason, request, count, "refused an HTTP request");
}

/// Logs a connection without a valid PROXY protocol header. `count` were refused for this reason since the last such line.
#[cfg(feature = "proxy")]
fn header_refused(address: PeerAddress, reason: &str, count: u64) {
    info!(%address, reason, count, "refused a connection without a valid PROXY protocol header");
}

/// Logs a TLS handshake that failed. `count` handshakes failed since the last such line.
#[cfg(feature = "tls")]
fn handshake_failed(address: PeerAddress, reason: &str, count: u64) {
    info!(%address, reason, count, "a TLS handshake failed");
}

/// Logs a certificate that is in use from now on.
#[cfg(feature = "tls")]
pub(super) fn certificate(path: &Path, fingerprint: Fingerprint) {
    info!(path = %path.display(), %fingerprint, "read a certificate");
}

/// Logs that clients will not accept a certificate.
#[cfg(feature = "tls")]
pub(super) fn invalid_certificate(path: &Path, reason: &str) {
    warn!(path = %path.display(), reason, "clients will not accept this certificate");
}

/// Warns that a listener, which other machines can reach, is not encrypted, so that its clients cannot give the password, or others can
/// read it.
pub(super) fn password_over_plain_text(is_allowed: bool) {
    if is_allowed {
        warn!(
            "--allow-insecure-passwords: anyone on the network path to a listener that is not encrypted can read the password"
        );
    } else {
        warn!(
            "clients on other machines cannot give the password on a listener that is not encrypted; use tls:// or https://"
        );
    }
}

/// Logs a wrong password. `count` wrong passwords were given since the last such line.
fn wrong_password(address: PeerAddress, count: u64) {
    info!(%address, count, "a client gave a wrong password");
}

/// Logs that connections cannot be accepted. `count` attempts failed since the last such line.
fn accept_failed(error: &str, count: u64) {
    warn!(error, count, "cannot accept connections; retrying");
}

#[cfg(feature = "store")]
pub(super) fn commit_failed(error: &str) {
    warn!(error, "cannot store messages; refusing new ones until writes succeed");
}

#[cfg(feature = "store")]
pub(super) fn commits_recovered() {
    info!("messages are stored again");
}

/// The oldest entries of the audit log that wait for the disk are lost from now on.
#[cfg(feature = "store")]
pub(super) fn audit_is_full(kept: usize) {
    warn!(kept, "the disk does not take the audit log: only its newest entries are kept in memory");
}

/// These entries of the audit log will not be stored.
#[cfg(feature = "store")]
pub(super) fn audit_entries_lost(count: u64) {
    warn!(count, "entries of the audit log are lost, because they could not be stored");
}

/// Logs that the service manager does not get messages. They are tried again; this is not.
#[cfg(feature = "systemd")]
pub(super) fn notify_failed(error: &io::Error) {
    warn!(error = error_text(error), "cannot notify the service manager; it may restart the server");
}

pub(super) fn stopping(signal: &str) {
    info!(signal, "stopping; a second SIGTERM or SIGINT ends the server at once");
}

fn stopped(reason: &str, uptime: Duration) {
    info!(reason, uptime_seconds = uptime.as_secs(), "stopped");
}

/// The value of a limit that is switched off: `none` in text, `null` in JSON.
const NO_LIMIT: f64 = f64::INFINITY;

/// A duration as an option takes it, or [`NO_LIMIT`].
fn limit_value(duration: Option<Duration>) -> Box<dyn Value> {
    match duration {
        Some(duration) => Box::new(format_duration(duration)),
        None => Box::new(NO_LIMIT),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;

    /// Collects the lines of a log.
    #[derive(Clone, Debug, Default)]
    pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        /// Takes the lines, without the time.
        pub(super) fn take_lines(&self, format: LogFormat) -> Vec<String> {
            let log = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
            let separator = if format == LogFormat::Json { ',' } else { ' ' };
            log.lines().map(|line| line.split_once(separator).unwrap().1.trim_start().to_owned()).collect()
        }
    }

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `run` logs in this thread, in this format, without the time.
    pub(in crate::server) fn logged(format: LogFormat, run: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let output = buffer.clone();
        let style = LineStyle { format, ..LineStyle::default() };
        let (subscriber, _) = subscriber(LevelFilter::DEBUG, style, move || output.clone());
        tracing::subscriber::with_default(subscriber, run);
        buffer.take_lines(format)
    }

    #[test]
    fn plain_listener_beyond_loopback_is_warned_about() {
        let levels_of = |scheme: Scheme, address: &str| {
            let ip = address.parse().map(ListenAddress::Ip);
            let listening = || {
                listening(
                    scheme,
                    &ip.unwrap_or_else(|_| ListenAddress::Unix(address.into())),
                    &ListenerProxies::default(),
                );
            };
            let lines = logged(LogFormat::Text, listening);
            assert!(lines.iter().all(|line| line.ends_with(&format!(" listener={scheme}://{address}"))), "{lines:?}");
            lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let levels = |address| levels_of(Scheme::Tcp, address);
        assert_eq!(levels_of(Scheme::Http, "192.0.2.1:80"), ["INFO", "WARN"]);
        assert_eq!(levels_of(Scheme::Metrics, "0.0.0.0:9464"), ["INFO", "WARN"]);
        assert_eq!(levels_of(Scheme::Metrics, "127.0.0.1:9464"), ["INFO"]);
        assert_eq!(levels_of(Scheme::Unix, "/run/chat"), ["INFO"]);
        for address in ["127.0.0.1:9999", "127.1.2.3:1", "[::1]:9999", "[::ffff:127.0.0.1]:9999"] {
            assert_eq!(levels(address), ["INFO"], "{address}");
        }
        for address in ["0.0.0.0:9999", "[::]:9999", "192.0.2.1:9999", "[fe80::1]:9999", "[::ffff:192.0.2.1]:1"] {
            assert_eq!(levels(address), ["INFO", "WARN"], "{address}");
        }
    }

    #[test]
    fn panic_text_from_a_client_is_not_logged() {
        let text_of = |run: fn(&str)| {
            let secret = String::from("sécret");
            constant_text(&*panic::catch_unwind(|| run(&secret)).unwrap_err())
        };
        assert_eq!(text_of(|_| panic!("a constant text")), Some("a constant text"));
        assert_eq!(text_of(|secret| drop(secret[..2].to_owned())), None);
        assert_eq!(text_of(|secret| panic!("{secret}")), None);
    }

    #[test]
    fn fields_keep_their_types() {
        let log = || {
            warn!(
                id = 7_u64,
                less = -1,
                half = 0.5,
                none = f64::INFINITY,
                yes = true,
                text = "7",
                absent = None::<u8>,
                "types"
            );
        };
        assert_eq!(logged(LogFormat::Text, log), ["WARN types id=7 less=-1 half=0.5 none=none yes=true text=7"]);
        let json = r#""level":"warn","message":"types","id":7,"less":-1,"half":0.5,"none":null,"yes":true,"text":"7"}"#;
        assert_eq!(logged(LogFormat::Json, log), [json]);
    }
}
