//! The options of the server, with their values as the log shows them: which of them a reload changes, and which need a restart.

use std::path::PathBuf;
use std::time::Duration;

use super::{Configuration, Reload as _};
use crate::command_line::{format_duration, format_size};
use crate::server::listen::HttpSettings;
use crate::server::{Listener, ServerOptions};

/// A function that shows the value of an option.
type Show = fn(&Configuration) -> String;

/// An option that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct Change {
    /// The option, as on the command line.
    pub(in crate::server) option: &'static str,
    pub(in crate::server) from: String,
    pub(in crate::server) to: String,
    /// Whether the new value is in force. Otherwise, the change needs a restart.
    pub(in crate::server) is_live: bool,
}

/// The value of an option that is not given, or switched off.
const NONE: &str = "none";

/// The options that a reload changes. Some of them wait for the restart together with an option that they belong to: see [`merge`].
const LIVE: &[(&str, Show)] = &[
    ("--log", |all| all.log.to_string()),
    ("--motd", |all| shown(all.server.motd.as_ref(), |motd| motd.path().display().to_string())),
    ("--max-clients", |all| shown(all.server.max_clients, |max| max.to_string())),
    ("--max-per-address", |all| number(all.server.max_per_address as u64)),
    ("--connect-rate", |all| number(all.server.connect_rate.per_second.into())),
    ("--line-rate", |all| number(all.server.line_rate.per_second.into())),
    ("--line-burst", |all| all.server.line_rate.burst.to_string()),
    ("--max-rooms", |all| all.server.max_rooms.to_string()),
    ("--no-watch", |all| switch(!all.server.has_watch)),
    ("--name-timeout", |all| seconds(all.server.timeouts.name_seconds)),
    ("--idle-timeout", |all| seconds(all.server.timeouts.idle_seconds)),
    ("--resume-timeout", |all| seconds(all.server.resume_seconds)),
    ("--allow-insecure-passwords", |all| switch(all.server.allows_insecure_passwords)),
    ("--registration", |all| {
        if all.server.accounts.is_registration_open { "open".to_owned() } else { "operators".to_owned() }
    }),
];

/// The options that name files. A reload changes them, but a server that has none of these files cannot begin to have one, or end it: the
/// listeners and the members depend on that.
const FILES: &[(&str, Show)] = &[
    ("--password-file", |all| paths(all.server.password.iter().flat_map(|file| file.paths()))),
    ("--tls-cert", |all| paths(certificate_paths(all).into_iter().step_by(2))),
    ("--tls-key", |all| paths(certificate_paths(all).into_iter().skip(1).step_by(2))),
];

/// The options that need a restart.
const RESTART: &[(&str, Show)] = &[
    ("--listen", uris),
    ("--port-file", |all| shown(all.server.port_file.as_ref(), |path| path.display().to_string())),
    ("--control", |all| shown(all.server.control.as_ref(), |control| control.path.display().to_string())),
    ("--accounts-only", |all| switch(all.server.accounts.accounts_only)),
    ("--http-origin", |all| shown(http(all), |http| join(http.origins.into_iter()))),
    ("--http-header-timeout", |all| shown(http(all), |http| format_duration(http.header))),
    ("--http-ping-interval", |all| shown(http(all), |http| duration(http.ping_interval))),
    ("--backlog", |all| format_size(all.server.backlog_bytes as u64)),
    ("--history", |all| all.server.history.to_string()),
    ("--data", |all| of_store(all, "--data")),
    ("--durability", |all| of_store(all, "--durability")),
    ("--keep", |all| of_store(all, "--keep")),
    ("--cluster", |all| of_cluster(all, "--cluster")),
    ("--cluster-node", |all| of_cluster(all, "--cluster-node")),
    ("--cluster-copies", |all| of_cluster(all, "--cluster-copies")),
    ("--cluster-ca", |all| of_cluster(all, "--cluster-ca")),
    ("--cluster-user", |all| of_cluster(all, "--cluster-user")),
    ("--cluster-password-file", |all| of_cluster(all, "--cluster-password-file")),
    ("--cluster-token-file", |all| of_cluster(all, "--cluster-token-file")),
    ("--cluster-nkey-file", |all| of_cluster(all, "--cluster-nkey-file")),
    ("--cluster-credentials", |all| of_cluster(all, "--cluster-credentials")),
    ("--epoch", |all| shown(all.server.epoch.as_ref(), ToString::to_string)),
    ("--send-timeout", |all| duration(all.server.send_timeout)),
    ("--dead-peer-timeout", |all| duration(all.server.dead_peer_timeout)),
    ("--log-format", |all| all.log_format.to_string()),
];

/// The options that a reload changes, as on the command line.
pub fn live_options() -> impl Iterator<Item = &'static str> {
    LIVE.iter().chain(FILES).map(|(option, _)| *option)
}

/// The options whose change needs a restart, as on the command line.
pub fn restart_options() -> impl Iterator<Item = &'static str> {
    RESTART.iter().map(|(option, _)| *option)
}

/// The values of all options.
pub(super) fn values(all: &Configuration) -> Vec<String> {
    rows().map(|(_, show)| show(all)).collect()
}

/// The options whose values in `new` are not those `before` the reload. Those that are `in_force` now are live.
pub(super) fn find_changes(before: Vec<String>, in_force: &Configuration, new: &Configuration) -> Vec<Change> {
    let changes = rows().zip(before).map(|(&(option, show), from)| {
        let to = show(new);
        let is_live = show(in_force) == to;
        Change { option, from, to, is_live }
    });
    changes.filter(|change| change.from != change.to).collect()
}

fn rows() -> impl Iterator<Item = &'static (&'static str, Show)> {
    LIVE.iter().chain(FILES).chain(RESTART)
}

/// The server gets its first password at the restart, or loses it then.
pub(super) fn awaits_password(old: &ServerOptions, new: &ServerOptions) -> bool {
    old.password.is_some() != new.password.is_some()
}

/// The configuration that is in force after a change from `old` to `new`. The contents of files are not read here.
///
/// An option that belongs to one that needs a restart waits with it. Otherwise, the message of the day for the users of a new password
/// would be for strangers until the restart, and users of a password would be locked out if it may no longer be given where they are.
pub(super) fn merge(old: &Configuration, new: &Configuration) -> Configuration {
    let from = &new.server;
    let awaits_password = awaits_password(&old.server, from);
    let awaits_accounts_only = old.server.accounts.accounts_only != from.accounts.accounts_only;
    let awaits_listeners = uris(old) != uris(new);
    let of_passwords = if awaits_password || awaits_accounts_only || awaits_listeners { &old.server } else { from };
    let of_accounts = if awaits_accounts_only { &old.server } else { from };
    let mut accounts = old.server.accounts;
    accounts.is_registration_open = of_accounts.accounts.is_registration_open;
    let server = ServerOptions {
        max_clients: from.max_clients,
        max_per_address: from.max_per_address,
        max_rooms: from.max_rooms,
        has_watch: from.has_watch,
        allows_insecure_passwords: of_passwords.allows_insecure_passwords,
        accounts,
        line_rate: from.line_rate,
        connect_rate: from.connect_rate,
        timeouts: from.timeouts,
        resume_seconds: from.resume_seconds,
        motd: if awaits_password { old.server.motd.clone() } else { from.motd.clone() },
        ..old.server.clone()
    };
    Configuration { server, log: new.log, log_format: old.log_format }
}

fn uris(all: &Configuration) -> String {
    join(all.server.listen.iter().map(Listener::uri))
}

/// The certificates and their keys, in turns.
fn certificate_paths(all: &Configuration) -> Vec<PathBuf> {
    all.server.certificates.as_ref().map(|files| files.paths()).unwrap_or_default()
}

/// The options of the HTTP listeners.
fn http(all: &Configuration) -> Option<HttpSettings> {
    all.server.listen.iter().find_map(Listener::http_settings)
}

/// The value of an option of the cluster.
fn of_cluster(all: &Configuration, option: &str) -> String {
    value_of(option, all.server.cluster.as_ref().map(|cluster| cluster.settings()))
}

/// The value of an option of the store.
fn of_store(all: &Configuration, option: &str) -> String {
    value_of(option, all.server.store.as_ref().map(|store| store.settings()))
}

fn value_of(option: &str, settings: Option<Vec<(&'static str, String)>>) -> String {
    let mut settings = settings.into_iter().flatten();
    shown(settings.find(|(name, _)| *name == option), |(_, value)| value)
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), show)
}

/// A limit; 0 is none.
fn number(number: u64) -> String {
    shown((number > 0).then_some(number), |number| number.to_string())
}

fn switch(is_on: bool) -> String {
    if is_on { "on".to_owned() } else { "off".to_owned() }
}

/// A timeout; 0 is none.
fn seconds(seconds: u64) -> String {
    duration((seconds > 0).then(|| Duration::from_secs(seconds)))
}

fn duration(duration: Option<Duration>) -> String {
    shown(duration, format_duration)
}

fn paths(paths: impl Iterator<Item = PathBuf>) -> String {
    join(paths.map(|path| path.display().to_string()))
}

fn join(values: impl Iterator<Item = String>) -> String {
    let values: Vec<_> = values.collect();
    if values.is_empty() { NONE.to_owned() } else { values.join(", ") }
}
