//! The server's command line.

mod listen;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "web")]
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{
    self, Feature, Program, RenamedOption, format_size, parse_number, parse_seconds, parse_size,
};
use chinwag::limits::{
    BACKLOG_BYTES_DEFAULT, BACKLOG_BYTES_MAX, BACKLOG_BYTES_MIN, CONNECT_BURST, CONNECT_RATE_DEFAULT,
    DEAD_PEER_TIMEOUT_SECONDS_DEFAULT, DEAD_PEER_TIMEOUT_SECONDS_MAX, DEAD_PEER_TIMEOUT_SECONDS_MIN, EPOCH_CHARS_MAX,
    HISTORY_MESSAGES_DEFAULT, HISTORY_MESSAGES_MAX, LINE_BURST_DEFAULT, LINE_RATE_DEFAULT,
    NAME_TIMEOUT_SECONDS_DEFAULT, RATE_MAX, RESUME_TIMEOUT_SECONDS_DEFAULT, SEND_TIMEOUT_SECONDS_DEFAULT,
    TIMEOUT_SECONDS_MAX,
};
use chinwag::protocol::Token;
use chinwag::server::{self, Rate, ServerOptions, console};
use chinwag::session::Timeouts;
#[cfg(feature = "store")]
use chinwag::store::{Durability, Retention};
#[cfg(feature = "web")]
use chinwag::web::WebOrigin;
use tracing::level_filters::LevelFilter;

use self::listen::ListenUri;

/// This program, as errors and `--help` describe it.
const PROGRAM: Program = Program {
    name: "chinwagd",
    features: &[
        Feature { name: "store", is_built: cfg!(feature = "store"), options: &["--data", "--durability", "--keep"] },
        Feature {
            name: "web",
            is_built: cfg!(feature = "web"),
            options: &["--http-origin", "--http-header-timeout", "--http-ping-interval"],
        },
    ],
    renamed: &[
        RenamedOption { old: "--web", new: "--listen http://HOST:PORT" },
        RenamedOption { old: "--web-origin", new: "--http-origin" },
        RenamedOption { old: "--web-head-timeout", new: "--http-header-timeout" },
        RenamedOption { old: "--web-ping", new: "--http-ping-interval" },
        RenamedOption { old: "--feed-bytes", new: "--backlog" },
        RenamedOption { old: "--write-timeout", new: "--send-timeout" },
        RenamedOption { old: "--lost-timeout", new: "--dead-peer-timeout" },
    ],
};

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
    argh(example = "{command_name} --listen http://127.0.0.1:8080 --http-origin https://chat.example.org")
)]
struct Arguments {
    /// listen on this address: tcp://HOST:PORT or HOST:PORT for nc, telnet and scripts, http://HOST:PORT for browsers (the chat
    /// page, and WebSocket connections to the same room). Put an IPv6 address in brackets; port 0: any free port; may be
    /// repeated (default: 127.0.0.1:9999, which only this machine can reach)
    #[argh(option, arg_name = "uri", from_str_fn(listen::parse_uri))]
    listen: Vec<ListenUri>,

    /// let pages of this origin join (scheme, host, port if it is not the default), and accept requests for its host name; may be
    /// repeated (default: only the server's own page, under an IP address or localhost)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "origin", from_str_fn(web::parse_origin))]
    http_origin: Vec<WebOrigin>,

    /// close a browser's connection whose request is not complete within this time, in seconds (default: 10)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "s", from_str_fn(web::parse_header_timeout))]
    http_header_timeout: Option<u64>,

    /// ping a WebSocket connection to which nothing was sent for this time, in seconds (at the latest after twice this time), so
    /// that no proxy closes it; 0: never (default: 20)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "s", from_str_fn(parse_timeout))]
    http_ping_interval: Option<u64>,

    /// write the ports to this file before the first client is served, one per line, in the order of the --listen options;
    /// remove it at the end. An older port file or an empty file is replaced; any other file is an error
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
    #[argh(option, arg_name = "bytes", default = "BACKLOG_BYTES_DEFAULT", from_str_fn(parse_backlog))]
    backlog: usize,

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
    /// --dead-peer-timeout; 0: that maximum (default: 30)
    #[argh(option, arg_name = "s", default = "SEND_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    send_timeout: u64,

    /// detect hosts that vanished within this time, in seconds, at least 8; 0: leave it to the kernel, about 2 hours (default: 120)
    #[argh(
        option,
        arg_name = "s",
        default = "DEAD_PEER_TIMEOUT_SECONDS_DEFAULT",
        from_str_fn(parse_dead_peer_timeout)
    )]
    dead_peer_timeout: u64,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,
}

/// Each explains an option of its feature that has no effect without another one, if that is missing.
const FIND_MISSING: &[fn(&Arguments) -> Option<String>] = &[
    #[cfg(feature = "store")]
    store::find_missing,
    #[cfg(feature = "web")]
    web::find_missing,
];

fn main() -> ExitCode {
    let arguments: Arguments = match command_line::parse(&PROGRAM) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.version {
        return command_line::print_output(PROGRAM.name, &version());
    }
    if let Some(what) = FIND_MISSING.iter().find_map(|find_missing| find_missing(&arguments)) {
        return command_line::print_usage_error(PROGRAM.name, "", &what);
    }
    let _log = console::start(arguments.log);
    match server::run(&server_options(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command_line::print_error(PROGRAM.name, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The text of `--version`: the version, then the features.
fn version() -> String {
    let features: Vec<_> =
        PROGRAM.features.iter().filter(|feature| feature.is_built).map(|feature| feature.name).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(" ") };
    format!("chinwagd {}\nfeatures: {features}", env!("CARGO_PKG_VERSION"))
}

/// The configuration of the server.
fn server_options(mut arguments: Arguments) -> ServerOptions {
    ServerOptions {
        listen: listen::listeners(&mut arguments),
        port_file: arguments.port_file.take(),
        backlog_bytes: arguments.backlog,
        history: arguments.history,
        epoch: arguments.epoch.take(),
        #[cfg(feature = "store")]
        store: store::opener(&mut arguments),
        #[cfg(not(feature = "store"))]
        store: None,
        max_clients: arguments.max_clients,
        max_per_address: arguments.max_per_address,
        line_rate: Rate { per_second: arguments.line_rate, burst: arguments.line_burst },
        connect_rate: Rate { per_second: arguments.connect_rate, burst: CONNECT_BURST },
        send_timeout: seconds(arguments.send_timeout),
        dead_peer_timeout: seconds(arguments.dead_peer_timeout),
        timeouts: Timeouts { name_seconds: arguments.name_timeout, idle_seconds: arguments.idle_timeout },
        resume_seconds: arguments.resume_timeout,
    }
}

// These errors say only what is expected; `command_line` adds the option and its value.

fn parse_path(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() { Err("expected a path".to_owned()) } else { Ok(raw.into()) }
}

fn parse_level(raw: &str) -> Result<LevelFilter, String> {
    let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
    let level = levels.into_iter().find(|level| level.to_string() == raw);
    level.ok_or_else(|| "expected off, error, warn, info or debug".to_owned())
}

fn parse_backlog(raw: &str) -> Result<usize, String> {
    let bytes = parse_size(raw, BACKLOG_BYTES_MIN as u64..=BACKLOG_BYTES_MAX)?;
    usize::try_from(bytes).map_err(|_| format!("expected at most {}", format_size(usize::MAX as u64)))
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

fn parse_dead_peer_timeout(raw: &str) -> Result<u64, String> {
    match parse_seconds(raw, DEAD_PEER_TIMEOUT_SECONDS_MIN..=DEAD_PEER_TIMEOUT_SECONDS_MAX) {
        Err(_) if parse_seconds(raw, 0..=0).is_ok() => Ok(0),
        Err(what) => Err(what.replacen("expected", "expected 0 or", 1)),
        Ok(seconds) => Ok(seconds),
    }
}

fn parse_timeout(raw: &str) -> Result<u64, String> {
    parse_seconds(raw, 0..=TIMEOUT_SECONDS_MAX)
}

fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_peer_timeout_is_0_or_in_range() {
        for (raw, expected) in [("0", 0), ("0s", 0), ("8", 8), ("2m", 120), ("1d", 86_400)] {
            assert_eq!(parse_dead_peer_timeout(raw), Ok(expected), "{raw:?}");
        }
        for raw in ["7", "1ms", "7999ms", "25h", "-0", ""] {
            assert!(parse_dead_peer_timeout(raw).is_err(), "{raw:?}");
        }
    }
}
