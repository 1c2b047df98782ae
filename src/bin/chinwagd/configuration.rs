//! The options as the configuration of the server: which options contradict each other, and what they configure.

use std::collections::BTreeMap;
use std::path::{self, Path};
use std::time::Duration;

use chinwag::command_line::format_duration;
use chinwag::limits::{CONNECT_BURST, SEND_TIMEOUT_SECONDS_DEFAULT};
#[cfg(feature = "config")]
use chinwag::server::Configuration;
use chinwag::server::{self, MotdFile, Rate, ServerOptions, ServerPassword, ServiceManager};
use chinwag::session::Timeouts;

use super::{Arguments, control, listen};

/// Checks of options that depend on each other. Each returns an error text.
const CHECKS: &[fn(&Arguments) -> Option<String>] = &[
    listen::find_duplicate,
    #[cfg(feature = "metrics")]
    listen::find_missing,
    find_shared_path,
    find_long_send_timeout,
    find_missing_password,
    #[cfg(feature = "config")]
    find_two_reports,
    #[cfg(feature = "accounts")]
    super::accounts::find_conflict,
    #[cfg(feature = "cluster")]
    super::cluster::find_conflict,
    #[cfg(feature = "store")]
    super::store::find_missing,
    #[cfg(feature = "tls")]
    super::tls::find_missing,
    #[cfg(feature = "web")]
    super::web::find_missing,
];

/// Explains the errors in options that depend on each other: the first one of each check.
pub(super) fn find_conflicts(arguments: &Arguments) -> impl Iterator<Item = String> {
    CHECKS.iter().filter_map(|check| check(arguments))
}

/// A path that two options have for files that the server creates.
fn find_shared_path(arguments: &Arguments) -> Option<String> {
    let mut named: Vec<(&str, &Path)> = listen::unix_paths(arguments).map(|path| ("--listen", path)).collect();
    named.extend(control::given_path(arguments).map(|path| ("--control", path)));
    named.extend(arguments.port_file.as_deref().map(|path| ("--port-file", path)));
    #[cfg(feature = "store")]
    named.extend(arguments.data.as_deref().map(|path| ("--data", path)));
    let mut seen = BTreeMap::new();
    named.into_iter().find_map(|(option, path)| {
        let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let other = seen.insert(absolute, option)?;
        let options = if other == option { format!("two {option} options") } else { format!("{other} and {option}") };
        Some(format!("{options} have the path {}: expected a different path for each", path.display()))
    })
}

/// A `--send-timeout` that the server would shorten. It shortens its default without an error.
fn find_long_send_timeout(arguments: &Arguments) -> Option<String> {
    let given = seconds(arguments.send_timeout?)?;
    let dead_peer = seconds(arguments.dead_peer_timeout)?;
    let longest = server::send_timeout_max(dead_peer);
    (given > longest).then(|| {
        let [given, longest, dead_peer] = [given, longest, dead_peer].map(format_duration);
        format!(
            "invalid --send-timeout {given}: expected at most {longest}, a quarter of --dead-peer-timeout ({dead_peer})"
        )
    })
}

/// An option about a password that the server does not have.
fn find_missing_password(arguments: &Arguments) -> Option<String> {
    #[cfg(feature = "accounts")]
    let (has_accounts, alternative) = (arguments.data.is_some(), ", or --data PATH, the file to store accounts in");
    #[cfg(not(feature = "accounts"))]
    let (has_accounts, alternative) = (false, "");
    let is_missing = arguments.allow_insecure_passwords && arguments.password_file.is_none() && !has_accounts;
    is_missing.then(|| format!("--allow-insecure-passwords without --password-file: expected both{alternative}"))
}

/// Two options of which each prints something instead of a start.
#[cfg(feature = "config")]
fn find_two_reports(arguments: &Arguments) -> Option<String> {
    (arguments.check && arguments.print_config).then(|| "--check with --print-config: expected one of them".to_owned())
}

/// The configuration of the server and of its log.
#[cfg(feature = "config")]
pub(super) fn configuration(arguments: Arguments, service_manager: ServiceManager) -> Configuration {
    let (log, log_format) = (arguments.log, arguments.log_format);
    Configuration { server: server_options(arguments, service_manager), log, log_format }
}

/// The options of the server.
pub(super) fn server_options(mut arguments: Arguments, service_manager: ServiceManager) -> ServerOptions {
    #[cfg(feature = "tls")]
    let certificates = super::tls::certificates(&mut arguments);
    #[cfg(not(feature = "tls"))]
    let certificates = None;
    ServerOptions {
        listen: listen::listeners(&mut arguments, &certificates),
        service_manager,
        #[cfg(feature = "tls")]
        certificates: certificates.map(|certificates| certificates as _),
        #[cfg(not(feature = "tls"))]
        certificates: None,
        password: arguments.password_file.take().map(ServerPassword::new),
        allows_insecure_passwords: arguments.allow_insecure_passwords,
        #[cfg(feature = "accounts")]
        accounts: super::accounts::server_options(&arguments),
        #[cfg(not(feature = "accounts"))]
        accounts: server::AccountOptions::default(),
        port_file: arguments.port_file.take(),
        control: control::server_options(&arguments),
        backlog_bytes: arguments.backlog,
        history: arguments.history,
        max_rooms: arguments.max_rooms,
        has_watch: !arguments.no_watch,
        epoch: arguments.epoch.take(),
        #[cfg(feature = "cluster")]
        cluster: super::cluster::membership(&mut arguments),
        #[cfg(not(feature = "cluster"))]
        cluster: None,
        #[cfg(feature = "store")]
        store: super::store::opener(&mut arguments),
        #[cfg(not(feature = "store"))]
        store: None,
        max_clients: arguments.max_clients,
        max_per_address: arguments.max_per_address,
        line_rate: Rate { per_second: arguments.line_rate, burst: arguments.line_burst },
        connect_rate: Rate { per_second: arguments.connect_rate, burst: CONNECT_BURST },
        send_timeout: seconds(arguments.send_timeout.unwrap_or(SEND_TIMEOUT_SECONDS_DEFAULT)),
        dead_peer_timeout: seconds(arguments.dead_peer_timeout),
        timeouts: Timeouts { name_seconds: arguments.name_timeout, idle_seconds: arguments.idle_timeout },
        resume_seconds: arguments.resume_timeout,
        motd: arguments.motd.take().map(MotdFile::new),
    }
}

/// A timeout; 0 is none.
pub(super) fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
