//! The server: how the command line names it. A first word that is not a command is a host, but may be a mistyped command.

use std::env;
use std::path::PathBuf;

use argh::ArgsInfo as _;

use super::Arguments;
use crate::client::address::ServerAddress;
use crate::client::trust::{TlsOptions, Trust};
use crate::command_line::{nearest, quoted};
use crate::fingerprint::Fingerprint;

/// The environment variable that names the server.
const SERVER_VARIABLE: &str = "CHINWAG_SERVER";

impl Arguments {
    /// Reports a single word that resembles a command, such as `taill`. It may also be a host: the caller must look it up first.
    pub(in crate::client) fn unknown_command(&self) -> Option<String> {
        let [word] = self.host.as_slice() else { return None };
        let near = nearest(word, command_names().into_iter()).filter(|_| self.command.is_none())?;
        Some(format!("unknown command {}: did you mean {near}? No host has this name, either", quoted(word)))
    }
}

/// Each option about certificates requires TLS: without it, they would have no effect.
pub(super) fn tls_options(
    is_on: bool,
    issuers: Option<&PathBuf>,
    fingerprint: Option<Fingerprint>,
) -> Result<TlsOptions, String> {
    let trust = match (issuers, fingerprint) {
        (Some(_), Some(_)) => return Err("--tls-ca and --tls-fingerprint: expected one of them".to_owned()),
        (Some(path), None) => Trust::Issuers(path.clone()),
        (None, Some(fingerprint)) => Trust::Fingerprint(fingerprint),
        (None, None) => Trust::System,
    };
    Ok(TlsOptions { is_required: is_on || trust != Trust::System, trust })
}

/// The server: from `--server`, from the words before the command, or from the environment variable.
pub(super) fn address(server: Option<&str>, words: &[String], tls: &TlsOptions) -> Result<ServerAddress, String> {
    let is_number = |word: &&String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let (host, rest) = match words.split_first() {
        Some((host, rest)) if server.is_none() => (Some(host), rest),
        _ => (None, words),
    };
    let port = rest.first().filter(is_number).filter(|_| host.is_some());
    if let Some(command) = rest.get(usize::from(port.is_some())) {
        return Err(unknown_command(command, host.map(String::as_str)));
    }
    if let (Some(host), Some(port)) = (host, port) {
        check_port(host, port, tls)?;
    }
    let variable = env::var_os(SERVER_VARIABLE).filter(|value| !value.is_empty());
    let (place, raw) = match (server, host, port, variable) {
        (Some(server), ..) => ("--server", server.to_owned()),
        (_, Some(host), Some(port), _) => ("server", format!("{host} {port}")),
        (_, Some(host), ..) => ("server", host.clone()),
        (.., Some(variable)) => (SERVER_VARIABLE, variable.to_string_lossy().into_owned()),
        _ => ("server", "127.0.0.1".to_owned()),
    };
    ServerAddress::parse(&raw, tls).map_err(|why| format!("invalid {place} {}: {why}", quoted(&raw)))
}

/// Refuses a port after an address that has one already, or cannot have one.
fn check_port(host: &str, port: &str, tls: &TlsOptions) -> Result<(), String> {
    match ServerAddress::parse(host, tls) {
        Ok(ServerAddress::Unix(_)) => Err(format!("unexpected port {}: a Unix socket has none", quoted(port))),
        Ok(address) if address.to_string().trim_start_matches("tls://") == host.trim_start_matches("tls://") => {
            Err(format!("two ports for one server: {} and {}, expected one", quoted(host), quoted(port)))
        }
        _ => Ok(()),
    }
}

fn command_names() -> Vec<&'static str> {
    Arguments::get_args_info().commands.iter().map(|command| command.name).collect()
}

/// Reports a word in the place of the command. The word before it was parsed as the host, but may be a mistyped command.
fn unknown_command(word: &str, host: Option<&str>) -> String {
    let names = command_names();
    let hint = match host {
        None => "--server names the server already".to_owned(),
        Some(host) => {
            if let Some(near) = nearest(host, names.iter().copied()) {
                let (host, word) = (quoted(host), quoted(word));
                return format!(
                    "unknown command {host}: did you mean {near}? If it is the server, {word} is not a command"
                );
            }
            format!("{} was parsed as the server", quoted(host))
        }
    };
    format!("unknown command {}: expected one of {}; {hint}", quoted(word), names.join(", "))
}
