//! The server's command line.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use chinwag::command_line::{self, say};
use chinwag::limits::{
    CONNECT_BURST, CONNECT_RATE_DEFAULT, EPOCH_CHARS_MAX, FEED_BYTES_DEFAULT, FEED_BYTES_MIN,
    HEAD_TIMEOUT_SECONDS_DEFAULT, HISTORY_MESSAGES_DEFAULT, HISTORY_MESSAGES_MAX, LINE_BURST_DEFAULT,
    LINE_RATE_DEFAULT, LOST_TIMEOUT_SECONDS_DEFAULT, LOST_TIMEOUT_SECONDS_MAX, LOST_TIMEOUT_SECONDS_MIN,
    NAME_TIMEOUT_SECONDS_DEFAULT, RATE_MAX, RESUME_TIMEOUT_SECONDS_DEFAULT, TIMEOUT_SECONDS_MAX,
    WEB_PING_SECONDS_DEFAULT, WRITE_TIMEOUT_SECONDS_DEFAULT,
};
use chinwag::protocol::Token;
use chinwag::room::Timeouts;
use chinwag::server::{self, Options, Rate, Site, console};
use chinwag::store::{self, Durability, Keep};
use chinwag::web::{Origin, Origins};
use tracing::level_filters::LevelFilter;

/// A chat server that any program able to open a TCP socket can join: nc, telnet, a script.
#[derive(FromArgs, Debug)]
#[argh(
    example = "{command_name}\n{command_name} --listen 0.0.0.0:9999 --listen [::]:9999\n{command_name} --web 127.0.0.1:8080 --web-origin https://chat.example.org\n{command_name} --listen 127.0.0.1:0 --port-file /tmp/chat.port",
    note = "Standard output has one line for each listener, once it accepts; the log is on standard error.",
    note = "SIGTERM or SIGINT stops it within a second, after everybody read what was acknowledged; a second one at once.",
    error_code(
        1,
        "it could not start: an address is in use, the port file cannot be written, the store cannot be used"
    ),
    error_code(2, "the command line was wrong"),
    error_code(101, "a fault in the program itself ended it; the log says where")
)]
struct Arguments {
    /// where to listen, as host:port (an IPv6 address in brackets); may be repeated; port 0 takes a free one (default:
    /// 127.0.0.1:9999, which only this machine can reach)
    #[argh(option, arg_name = "addr", from_str_fn(parse_address))]
    listen: Vec<Vec<SocketAddr>>,

    /// where to listen for browsers, in the same form; they find a page there, and the same room (default: nowhere)
    #[argh(option, arg_name = "addr", from_str_fn(parse_address))]
    web: Vec<Vec<SocketAddr>>,

    /// an origin (scheme, host, and port if it has one) whose pages may join beside the server's own, and by whose name the
    /// server may be called; may be repeated (default: the server goes by its addresses and by localhost)
    #[argh(option, arg_name = "origin")]
    web_origin: Vec<Origin>,

    /// within how many seconds a browser's request has to be there (default: 10)
    #[argh(option, arg_name = "s", from_str_fn(parse_head_timeout))]
    web_head_timeout: Option<u64>,

    /// ping a WebSocket connection when nothing was sent to it for this many seconds, or twice as many at most, so that no proxy
    /// closes it; 0: never (default: 20)
    #[argh(option, arg_name = "s", from_str_fn(parse_timeout))]
    web_ping: Option<u64>,

    /// a file to write the ports to, one a line, those of --listen first, before the first peer is served; removed at the end
    #[argh(option, arg_name = "path")]
    port_file: Option<PathBuf>,

    /// what to log: off, error, warn, info or debug (default: info)
    #[argh(option, arg_name = "level", default = "LevelFilter::INFO", from_str_fn(parse_level))]
    log: LevelFilter,

    /// how many bytes of what was said are kept for readers that are behind; who falls behind further is closed or, with
    /// --data, reads on from there (default: 8388608)
    #[argh(option, arg_name = "bytes", default = "FEED_BYTES_DEFAULT", from_str_fn(parse_feed_bytes))]
    feed_bytes: usize,

    /// how many messages are kept to be read again with HISTORY and SINCE, within 4 MiB (default: 1000)
    #[argh(option, arg_name = "n", default = "HISTORY_MESSAGES_DEFAULT", from_str_fn(parse_history))]
    history: usize,

    /// a file (SQLite) to store what is said in; a message is said once it is there, and outlives the server
    #[argh(option, arg_name = "path")]
    data: Option<PathBuf>,

    /// when a message is stored: full, when the disk has it, or relaxed, when the system has it, so that the last ones are lost
    /// if the machine fails (default: full)
    #[argh(option, arg_name = "how", from_str_fn(parse_durability))]
    durability: Option<Durability>,

    /// how much is stored: an age (30d, 12h), a size (1gb, 500mb), a number of messages, or all (default: all)
    #[argh(option, arg_name = "bound")]
    keep: Option<Keep>,

    /// the word in HELLO that says which server's ids these are, for tests whose output is never to change (default: made up
    /// at each start, or as it is stored)
    #[argh(option, arg_name = "word", from_str_fn(parse_epoch))]
    epoch: Option<Token>,

    /// how many may be connected (default: as many as the limit of open files leaves room for; see ulimit -n)
    #[argh(option, arg_name = "n", from_str_fn(parse_clients))]
    max_clients: Option<usize>,

    /// how many may be connected from one address; an IPv6 network of 64 bits counts as one (default: 0, no limit)
    #[argh(option, arg_name = "n", default = "0", from_str_fn(parse_per_address))]
    max_per_address: usize,

    /// how many connections a second are let in from one address, 1000 at once; others are turned away; 0 is as many as come
    /// (default: 500)
    #[argh(option, arg_name = "n", default = "CONNECT_RATE_DEFAULT", from_str_fn(parse_rate))]
    connect_rate: u32,

    /// how many lines a second are read from each peer; what comes faster waits, and nothing is lost; 0 is as many as come
    /// (default: 10)
    #[argh(option, arg_name = "n", default = "LINE_RATE_DEFAULT", from_str_fn(parse_rate))]
    line_rate: u32,

    /// how many lines a peer that was silent may send at once before that (default: 40)
    #[argh(option, arg_name = "n", default = "LINE_BURST_DEFAULT", from_str_fn(parse_line_burst))]
    line_burst: u32,

    /// how many seconds a peer may take for its name before it is closed; 0 is for ever (default: 60)
    #[argh(option, arg_name = "s", default = "NAME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    name_timeout: u64,

    /// after how many seconds without a line a peer is closed; at half of it the server asks with PING (default: 0, never)
    #[argh(option, arg_name = "s", default = "0", from_str_fn(parse_timeout))]
    idle_timeout: u64,

    /// for how many seconds the name of a peer is held that asked for it (SET resume on) and lost its connection, which counts
    /// as connected until then; 0 holds nobody's (default: 60)
    #[argh(option, arg_name = "s", default = "RESUME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    resume_timeout: u64,

    /// after how many seconds a peer that takes nothing of what waits for it is closed, at most a quarter of --lost-timeout; 0
    /// is as late as that allows (default: 30)
    #[argh(option, arg_name = "s", default = "WRITE_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    write_timeout: u64,

    /// within how many seconds a host that vanished is found, at least 8; 0 is when TCP likes (default: 120)
    #[argh(option, arg_name = "s", default = "LOST_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_lost_timeout))]
    lost_timeout: u64,

    /// print the version and leave
    #[argh(switch)]
    version: bool,
}

fn main() -> ExitCode {
    let arguments: Arguments = match command_line::parse("chinwagd") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.version {
        say(&mut std::io::stdout(), &format!("chinwagd {}", env!("CARGO_PKG_VERSION")));
        return ExitCode::SUCCESS;
    }
    let web: Vec<_> = arguments.web.into_iter().flatten().collect();
    let has_web_limits = arguments.web_head_timeout.or(arguments.web_ping).is_some();
    if web.is_empty() && (has_web_limits || !arguments.web_origin.is_empty()) {
        say(
            &mut std::io::stderr(),
            "chinwagd: --web-origin, --web-head-timeout and --web-ping are about browsers; say where they come: --web 127.0.0.1:8080",
        );
        return ExitCode::from(2);
    }
    let head_timeout = Duration::from_secs(arguments.web_head_timeout.unwrap_or(HEAD_TIMEOUT_SECONDS_DEFAULT));
    let mut listen: Vec<_> = arguments.listen.into_iter().flatten().collect();
    if listen.is_empty() {
        listen.push(SocketAddr::from(([127, 0, 0, 1], 9999)));
    }
    if arguments.data.is_none() && (arguments.durability.is_some() || arguments.keep.is_some()) {
        say(
            &mut std::io::stderr(),
            "chinwagd: --durability and --keep are about what is stored; say where: --data PATH",
        );
        return ExitCode::from(2);
    }
    let (durability, keep) = (arguments.durability.unwrap_or_default(), arguments.keep.unwrap_or_default());
    let store = arguments.data.map(|path| store::Options { path, durability, keep });
    let _log = console::start(arguments.log);
    let options = Options {
        listen,
        web,
        site: Site {
            origins: Origins::new(arguments.web_origin),
            head_timeout,
            ping_interval: seconds(arguments.web_ping.unwrap_or(WEB_PING_SECONDS_DEFAULT)),
        },
        port_file: arguments.port_file,
        feed_bytes: arguments.feed_bytes,
        history: arguments.history,
        epoch: arguments.epoch,
        store,
        max_clients: arguments.max_clients,
        max_per_address: arguments.max_per_address,
        line_rate: Rate { per_second: arguments.line_rate, burst: arguments.line_burst },
        connect_rate: Rate { per_second: arguments.connect_rate, burst: CONNECT_BURST },
        write_timeout: seconds(arguments.write_timeout),
        lost_timeout: seconds(arguments.lost_timeout),
        timeouts: Timeouts {
            name_seconds: arguments.name_timeout,
            idle_seconds: arguments.idle_timeout,
            resume_seconds: arguments.resume_timeout,
        },
    };
    match server::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("chinwagd: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn parse_address(raw: &str) -> Result<Vec<SocketAddr>, String> {
    let form = "write host:port, as 127.0.0.1:9999 or [::1]:9999";
    let (host, port) = raw.rsplit_once(':').ok_or_else(|| format!("{raw} has no port; {form}"))?;
    port.parse::<u16>().map_err(|_| format!("{port} is no port (0 to 65535); {form}"))?;
    if host.is_empty() || host == "*" {
        return Err(format!("for every address of this machine, write 0.0.0.0:{port} (and [::]:{port})"));
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err(format!("an IPv6 address stands in brackets; {form}"));
    }
    let addresses = raw.to_socket_addrs().map_err(|error| format!("{host}: {error}; {form}"))?;
    // A name may stand for an address of each kind (localhost), and more than once for the same.
    Ok(addresses.collect::<BTreeSet<_>>().into_iter().collect())
}

fn parse_level(raw: &str) -> Result<LevelFilter, String> {
    let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
    let level = levels.into_iter().find(|level| level.to_string() == raw);
    level.ok_or_else(|| format!("{raw} is no level; there are off, error, warn, info and debug"))
}

fn parse_feed_bytes(raw: &str) -> Result<usize, String> {
    match raw.parse() {
        Ok(bytes) if bytes >= FEED_BYTES_MIN => Ok(bytes),
        Ok(_) => Err(format!("{raw} is too few bytes; the least is {FEED_BYTES_MIN}")),
        Err(_) => Err(format!("{raw} is no number of bytes")),
    }
}

fn parse_history(raw: &str) -> Result<usize, String> {
    let messages = raw.parse().ok().filter(|&messages| messages <= HISTORY_MESSAGES_MAX);
    messages.ok_or_else(|| format!("{raw} is no number of messages (0 to {HISTORY_MESSAGES_MAX})"))
}

fn parse_durability(raw: &str) -> Result<Durability, String> {
    match raw {
        "full" => Ok(Durability::Full),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err(format!("{raw} is no durability; there are full and relaxed")),
    }
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    let fits = (1..=EPOCH_CHARS_MAX).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let epoch = Token::new(raw).ok().filter(|_| fits);
    epoch.ok_or_else(|| format!("{raw} is no epoch (1 to {EPOCH_CHARS_MAX} letters and digits)"))
}

fn parse_clients(raw: &str) -> Result<usize, String> {
    raw.parse()
        .ok()
        .filter(|&clients| clients > 0)
        .ok_or_else(|| format!("{raw} is no number of connections (1 or more)"))
}

fn parse_per_address(raw: &str) -> Result<usize, String> {
    raw.parse().map_err(|_| format!("{raw} is no number of connections (0 or more)"))
}

fn parse_rate(raw: &str) -> Result<u32, String> {
    let rate = raw.parse().ok().filter(|&rate| rate <= RATE_MAX);
    rate.ok_or_else(|| format!("{raw} is no number a second (0 to {RATE_MAX})"))
}

fn parse_line_burst(raw: &str) -> Result<u32, String> {
    let burst = raw.parse().ok().filter(|burst| (1..=RATE_MAX).contains(burst));
    burst.ok_or_else(|| format!("{raw} is no number of lines (1 to {RATE_MAX})"))
}

fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn parse_lost_timeout(raw: &str) -> Result<u64, String> {
    let allowed =
        |seconds: &u64| *seconds == 0 || (LOST_TIMEOUT_SECONDS_MIN..=LOST_TIMEOUT_SECONDS_MAX).contains(seconds);
    raw.parse().ok().filter(allowed).ok_or_else(|| {
        format!("{raw} is no number of seconds ({LOST_TIMEOUT_SECONDS_MIN} to {LOST_TIMEOUT_SECONDS_MAX}, or 0)")
    })
}

fn parse_head_timeout(raw: &str) -> Result<u64, String> {
    let seconds = raw.parse().ok().filter(|seconds| (1..=TIMEOUT_SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| format!("{raw} is no number of seconds (1 to {TIMEOUT_SECONDS_MAX})"))
}

fn parse_timeout(raw: &str) -> Result<u64, String> {
    let seconds = raw.parse().ok().filter(|&seconds| seconds <= TIMEOUT_SECONDS_MAX);
    seconds.ok_or_else(|| format!("{raw} is no number of seconds (0 to {TIMEOUT_SECONDS_MAX})"))
}
