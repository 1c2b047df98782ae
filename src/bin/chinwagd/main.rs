//! The server's command line.

#[cfg(feature = "store")]
mod store;
#[cfg(feature = "web")]
mod web;

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{self, Feature, parse_number};
use chinwag::limits::{
    CONNECT_BURST, CONNECT_RATE_DEFAULT, EPOCH_CHARS_MAX, FEED_BYTES_DEFAULT, FEED_BYTES_MIN, HISTORY_MESSAGES_DEFAULT,
    HISTORY_MESSAGES_MAX, LINE_BURST_DEFAULT, LINE_RATE_DEFAULT, LOST_TIMEOUT_SECONDS_DEFAULT,
    LOST_TIMEOUT_SECONDS_MAX, LOST_TIMEOUT_SECONDS_MIN, NAME_TIMEOUT_SECONDS_DEFAULT, RATE_MAX,
    RESUME_TIMEOUT_SECONDS_DEFAULT, TIMEOUT_SECONDS_MAX, WRITE_TIMEOUT_SECONDS_DEFAULT,
};
use chinwag::protocol::Token;
use chinwag::server::{self, Listener, Rate, ServerOptions, console};
use chinwag::session::Timeouts;
#[cfg(feature = "store")]
use chinwag::store::{Durability, Retention};
#[cfg(feature = "web")]
use chinwag::web::WebOrigin;
use tracing::level_filters::LevelFilter;

/// The name in errors and in `--version`.
const PROGRAM: &str = "chinwagd";

/// A chat server that any program able to open a TCP socket can join: nc, telnet, a script.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    help_triggers("-h", "--help", "help"),
    example = "{command_name}\n{command_name} --listen 0.0.0.0:9999 --listen [::]:9999\n{command_name} --listen 127.0.0.1:0 --port-file /tmp/chat.port",
    note = "A value is given as --option value or --option=value.",
    note = "Standard output has one line for each listener, once it accepts; the log is on standard error.",
    note = "SIGTERM, SIGINT or SIGHUP stops the server within a second, with exit code 0: every client first gets\n  what was acknowledged, and a NOTICE. A second SIGTERM or SIGINT ends it at once, with exit code 143\n  or 130. A signal that is already ignored at the start (nohup, & in a script) stays ignored.",
    error_code(
        1,
        "it could not start: an address is in use, the port file cannot be written, the store cannot be used; or the\n    help could not be written"
    ),
    error_code(2, "the command line was wrong"),
    error_code(101, "a fault in the program itself ended it; the log says where")
)]
#[cfg_attr(
    feature = "web",
    argh(example = "{command_name} --web 127.0.0.1:8080 --web-origin https://chat.example.org")
)]
struct Arguments {
    /// listen on this address, as host:port (an IPv6 address in brackets); port 0: any free port; may be repeated (default:
    /// 127.0.0.1:9999, which only this machine can reach)
    #[argh(option, arg_name = "addr", from_str_fn(parse_address))]
    listen: Vec<Vec<SocketAddr>>,

    /// serve browsers on this address: the chat page, and WebSocket connections to the same room; may be repeated (default: none)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "addr", from_str_fn(parse_address))]
    web: Vec<Vec<SocketAddr>>,

    /// let pages of this origin join (scheme, host, port if it is not the default), and accept requests for its host name; may be
    /// repeated (default: only the server's own page, under an IP address or localhost)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "origin", from_str_fn(web::parse_origin))]
    web_origin: Vec<WebOrigin>,

    /// close a browser's connection whose request is not complete within this time, in seconds (default: 10)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "s", from_str_fn(web::parse_head_timeout))]
    web_head_timeout: Option<u64>,

    /// ping a WebSocket connection to which nothing was sent for this time, in seconds (at the latest after twice this time), so
    /// that no proxy closes it; 0: never (default: 20)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "s", from_str_fn(parse_timeout))]
    web_ping: Option<u64>,

    /// write the ports to this file before the first client is served, one per line, those of --listen first; remove it at the
    /// end. An older port file or an empty file is replaced; any other file is an error
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    port_file: Option<PathBuf>,

    /// what to log: off, error, warn, info or debug (default: info)
    #[argh(option, arg_name = "level", default = "LevelFilter::INFO", from_str_fn(parse_level))]
    log: LevelFilter,

    #[cfg_attr(
        feature = "store",
        doc = "backlog kept for slow clients, in bytes; clients that fall further behind are disconnected or, with --data, read on \
               from the store (default: 8388608)"
    )]
    #[cfg_attr(
        not(feature = "store"),
        doc = "backlog kept for slow clients, in bytes; clients that fall further behind are disconnected (default: 8388608)"
    )]
    #[argh(option, arg_name = "bytes", default = "FEED_BYTES_DEFAULT", from_str_fn(parse_feed_bytes))]
    feed_bytes: usize,

    /// messages kept in memory for HISTORY and SINCE, within 4 MiB (default: 1000)
    #[argh(option, arg_name = "n", default = "HISTORY_MESSAGES_DEFAULT", from_str_fn(parse_history))]
    history: usize,

    /// store messages in this SQLite file, which is created if it does not exist; a message is delivered only after it is safely
    /// stored, and outlives the server (default: messages are kept in memory)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,

    /// when a message counts as stored: full, when the disk has it, or relaxed, when the operating system has it, so that the
    /// last messages may be lost if the machine fails (default: full)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "how", from_str_fn(store::parse_durability))]
    durability: Option<Durability>,

    /// delete the oldest stored messages beyond an age (30d, 12h), a size (1gb, 500mb) or a number of messages; all keeps
    /// everything. By age nothing is deleted while the system clock is implausible; the log says so (default: all)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "limit", from_str_fn(store::parse_keep))]
    keep: Option<Retention>,

    /// the epoch: the word in HELLO that tells which numbering message ids belong to; set it for tests with fixed output, or after
    /// restoring an older copy of the store (default: random at each start, or as stored)
    #[argh(option, arg_name = "word", from_str_fn(parse_epoch))]
    epoch: Option<Token>,

    /// maximum number of connections (default: as many as the limit of open files allows; see ulimit -n)
    #[argh(option, arg_name = "n", from_str_fn(parse_clients))]
    max_clients: Option<usize>,

    /// maximum number of connections from one address; an IPv6 /64 network counts as one; 0: no limit (default: 0)
    #[argh(option, arg_name = "n", default = "0", from_str_fn(parse_per_address))]
    max_per_address: usize,

    /// accept this many connections a second from one address, after a burst of 1000; refuse the others; 0: no limit (default: 500)
    #[argh(option, arg_name = "n", default = "CONNECT_RATE_DEFAULT", from_str_fn(parse_rate))]
    connect_rate: u32,

    /// read this many lines a second from each client; faster input waits and is not lost; 0: no limit (default: 10)
    #[argh(option, arg_name = "n", default = "LINE_RATE_DEFAULT", from_str_fn(parse_rate))]
    line_rate: u32,

    /// lines that a client may send at once after a silence, before --line-rate applies (default: 40)
    #[argh(option, arg_name = "n", default = "LINE_BURST_DEFAULT", from_str_fn(parse_line_burst))]
    line_burst: u32,

    /// disconnect a client that takes no nickname within this time, in seconds; 0: never (default: 60)
    #[argh(option, arg_name = "s", default = "NAME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    name_timeout: u64,

    /// disconnect a client that sends no line within this time, in seconds; it gets a PING at half of it; 0: never (default: 0)
    #[argh(option, arg_name = "s", default = "0", from_str_fn(parse_timeout))]
    idle_timeout: u64,

    /// after a lost connection, keep the nickname of a client with a resume token (SET resume on) for this time, in seconds;
    /// until then it counts as connected; 0: do not keep it (default: 60)
    #[argh(option, arg_name = "s", default = "RESUME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    resume_timeout: u64,

    /// disconnect a client that accepts no bytes of its backlog within this time, in seconds, at most a quarter of
    /// --lost-timeout; 0: that maximum (default: 30)
    #[argh(option, arg_name = "s", default = "WRITE_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    write_timeout: u64,

    /// detect hosts that vanished within this time, in seconds, at least 8; 0: leave it to the kernel, about 2 hours (default: 120)
    #[argh(option, arg_name = "s", default = "LOST_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_lost_timeout))]
    lost_timeout: u64,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,
}

/// The features that add options.
const FEATURES: &[Feature] = &[
    Feature { name: "store", is_built: cfg!(feature = "store"), options: &["--data", "--durability", "--keep"] },
    Feature {
        name: "web",
        is_built: cfg!(feature = "web"),
        options: &["--web", "--web-origin", "--web-head-timeout", "--web-ping"],
    },
];

/// The options of a feature.
struct OptionGroup {
    /// Returns an error if another option is missing that an option of this group needs.
    find_missing: fn(&Arguments) -> Option<String>,
    /// Applies the options to the configuration of the server.
    apply: fn(&mut Arguments, &mut ServerOptions),
}

/// The option groups of the features that this program is built with.
const OPTION_GROUPS: &[OptionGroup] = &[
    #[cfg(feature = "store")]
    store::OPTION_GROUP,
    #[cfg(feature = "web")]
    web::OPTION_GROUP,
];

fn main() -> ExitCode {
    let arguments: Arguments = match command_line::parse(PROGRAM, FEATURES) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.version {
        return command_line::print_output(PROGRAM, &version());
    }
    if let Some(what) = OPTION_GROUPS.iter().find_map(|group| (group.find_missing)(&arguments)) {
        return command_line::print_usage_error(PROGRAM, "", &what);
    }
    let _log = console::start(arguments.log);
    match server::run(&server_options(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command_line::print_error(PROGRAM, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The text of `--version`: the version, then the features.
fn version() -> String {
    let features: Vec<_> = FEATURES.iter().filter(|feature| feature.is_built).map(|feature| feature.name).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(" ") };
    format!("chinwagd {}\nfeatures: {features}", env!("CARGO_PKG_VERSION"))
}

/// The configuration of the server.
fn server_options(mut arguments: Arguments) -> ServerOptions {
    let default = || vec![SocketAddr::from(([127, 0, 0, 1], 9999))];
    let listen: Vec<_> = std::mem::take(&mut arguments.listen).into_iter().flatten().collect();
    let listen = if listen.is_empty() { default() } else { listen };
    let mut options = ServerOptions {
        listen: listen.into_iter().map(Listener::lines).collect(),
        port_file: arguments.port_file.take(),
        feed_bytes: arguments.feed_bytes,
        history: arguments.history,
        epoch: arguments.epoch.take(),
        store: None,
        max_clients: arguments.max_clients,
        max_per_address: arguments.max_per_address,
        line_rate: Rate { per_second: arguments.line_rate, burst: arguments.line_burst },
        connect_rate: Rate { per_second: arguments.connect_rate, burst: CONNECT_BURST },
        write_timeout: seconds(arguments.write_timeout),
        lost_timeout: seconds(arguments.lost_timeout),
        timeouts: Timeouts { name_seconds: arguments.name_timeout, idle_seconds: arguments.idle_timeout },
        resume_seconds: arguments.resume_timeout,
    };
    for group in OPTION_GROUPS {
        (group.apply)(&mut arguments, &mut options);
    }
    options
}

// These errors say only what is expected; `command_line` adds the option and its value.

fn parse_address(raw: &str) -> Result<Vec<SocketAddr>, String> {
    let form = "expected host:port, such as 127.0.0.1:9999 or [::1]:9999";
    let (host, port) = raw.rsplit_once(':').ok_or(form)?;
    if host.contains(':') && !host.starts_with('[') {
        return Err("expected an IPv6 address in brackets, such as [::1]:9999".to_owned());
    }
    port.parse::<u16>().map_err(|_| format!("{form}, with a port from 0 to 65535"))?;
    if host.is_empty() || host == "*" {
        return Err(format!("expected 0.0.0.0:{port} (and [::]:{port}) for every address of this machine"));
    }
    let addresses = raw.to_socket_addrs().map_err(|_| format!("this host has no known address; {form}"))?;
    // A host name may have an IPv4 and an IPv6 address (localhost); the resolver may return one of them twice.
    Ok(addresses.collect::<BTreeSet<_>>().into_iter().collect())
}

fn parse_path(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() { Err("expected a path".to_owned()) } else { Ok(raw.into()) }
}

fn parse_level(raw: &str) -> Result<LevelFilter, String> {
    let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
    let level = levels.into_iter().find(|level| level.to_string() == raw);
    level.ok_or_else(|| "expected off, error, warn, info or debug".to_owned())
}

fn parse_feed_bytes(raw: &str) -> Result<usize, String> {
    parse_number(raw, FEED_BYTES_MIN.., "a number of bytes")
}

fn parse_history(raw: &str) -> Result<usize, String> {
    parse_number(raw, 0..=HISTORY_MESSAGES_MAX, "a number of messages")
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    let fits = (1..=EPOCH_CHARS_MAX).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let epoch = Token::new(raw).ok().filter(|_| fits);
    epoch.ok_or_else(|| format!("expected 1 to {EPOCH_CHARS_MAX} letters and digits"))
}

fn parse_clients(raw: &str) -> Result<usize, String> {
    parse_number(raw, 1.., "a number of connections")
}

fn parse_per_address(raw: &str) -> Result<usize, String> {
    parse_number(raw, 0.., "a number of connections")
}

fn parse_rate(raw: &str) -> Result<u32, String> {
    parse_number(raw, 0..=RATE_MAX, "a number a second")
}

fn parse_line_burst(raw: &str) -> Result<u32, String> {
    parse_number(raw, 1..=RATE_MAX, "a number of lines")
}

fn parse_lost_timeout(raw: &str) -> Result<u64, String> {
    let seconds = LOST_TIMEOUT_SECONDS_MIN..=LOST_TIMEOUT_SECONDS_MAX;
    if raw == "0" { Ok(0) } else { parse_number(raw, seconds, "0 or a number of seconds") }
}

fn parse_timeout(raw: &str) -> Result<u64, String> {
    parse_number(raw, 0..=TIMEOUT_SECONDS_MAX, "a number of seconds")
}

fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
