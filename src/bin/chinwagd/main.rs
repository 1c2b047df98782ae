//! The server's command line.

#[cfg(feature = "accounts")]
mod account;
#[cfg(feature = "accounts")]
mod account_list;
#[cfg(feature = "accounts")]
mod accounts;
mod audit;
#[cfg(feature = "store")]
mod backup;
#[cfg(feature = "tls")]
mod cert;
#[cfg(feature = "store")]
mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod configuration;
mod configuration_check;
mod control;
mod control_client;
#[cfg(test)]
mod generated;
#[cfg(feature = "store")]
mod interruption;
mod listen;
mod moderate;
#[cfg(feature = "accounts")]
mod new_password;
mod option_groups;
#[cfg(feature = "store")]
mod progress_line;
#[cfg_attr(not(feature = "proxy"), path = "no_proxies.rs")]
mod proxies;
#[cfg(feature = "config")]
mod reload;
#[cfg(feature = "store")]
mod restore;
mod status;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod store_of_server;
#[cfg(feature = "tls")]
mod tls;
mod unix_socket;
mod values;
#[cfg(feature = "web")]
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
#[cfg(feature = "config")]
use std::sync::Arc;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{self, Parsed};
use chinwag::limits::{
    BACKLOG_BYTES_DEFAULT, CONNECT_RATE_DEFAULT, DEAD_PEER_TIMEOUT_SECONDS_DEFAULT, HISTORY_MESSAGES_DEFAULT,
    LINE_BURST_DEFAULT, LINE_RATE_DEFAULT, NAME_TIMEOUT_SECONDS_DEFAULT, RESUME_TIMEOUT_SECONDS_DEFAULT,
    ROOMS_MAX_DEFAULT,
};
use chinwag::protocol::Token;
#[cfg(feature = "cluster")]
use chinwag::server::cluster::{ClusterAddress, NodeName};
use chinwag::server::log::{self, LogFormat};
use chinwag::server::{self, ServiceManager, StartError};
#[cfg(feature = "store")]
use chinwag::store::{Durability, Retention};
#[cfg(feature = "web")]
use chinwag::web::WebOrigin;
use tracing::level_filters::LevelFilter;

use self::control::ControlOption;
use self::listen::ListenUri;
use self::option_groups::COMMAND_LINE;
use self::values::{
    parse_backlog, parse_clients, parse_connect_rate, parse_dead_peer_timeout, parse_epoch, parse_history, parse_level,
    parse_line_burst, parse_line_rate, parse_log_format, parse_path, parse_per_address, parse_rooms, parse_timeout,
};

/// The name in errors and in `--version`.
const PROGRAM: &str = "chinwagd";

/// A chat server that any program able to open a TCP socket can join: nc, telnet, a script. Without options, it listens on
/// 127.0.0.1:9999 and keeps messages in memory.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    help_triggers("-h", "--help", "help"),
    example = "{command_name}\n{command_name} --listen 0.0.0.0:9999 --listen [::]:9999\n{command_name} --listen 127.0.0.1:0 --port-file /tmp/chat.port",
    note = "An option is given as --option value or --option=value.",
    note = "A <duration> is a number with a unit: 30s, 5m, 12h, 30d. Without a unit it is in seconds. It must be a whole number of \
            seconds.",
    note = "A <size> is a number with a unit: 64KiB, 8MiB, 1GiB. Without a unit it is in bytes. KB, MB and GB mean KiB, MiB and GiB.",
    note = "Standard output has one line for each listener, once it accepts connections. The log is on standard error.",
    note = "With a tls:// or https:// listener, --password-file or --motd, SIGHUP reads these files again, and does not stop the server. \
            Under systemd (Type=notify), SIGHUP never stops the server.",
    note = "SIGTERM or SIGINT stops the server within a second, and so does SIGHUP if it has nothing to read again. Each client \
            first gets all acknowledged messages and a NOTICE. A second SIGTERM or SIGINT ends the server at once. A signal that \
            is ignored at the start (nohup, & in a script) stays ignored, except a SIGHUP that reads files or options again.",
    error_code(0, "stopped by a signal; with --check: a server with these options can start"),
    error_code(
        1,
        "cannot start: for example, an address is in use, the port file cannot be written, or the store cannot be used; or \
         --help, --version or --print-config could not be printed"
    ),
    error_code(2, "invalid command line or configuration file"),
    error_code(101, "stopped by a fault in the program; the log says where"),
    error_code(130, "ended at once by a second SIGINT"),
    error_code(143, "ended at once by a second SIGTERM")
)]
#[cfg_attr(
    feature = "web",
    argh(
        example = "{command_name} --listen 127.0.0.1:9999 --listen http://127.0.0.1:8080",
        example = "{command_name} --listen http://127.0.0.1:8080 --http-origin https://chat.example.org"
    )
)]
#[cfg_attr(feature = "store", argh(example = "{command_name} --data chat.db --keep 30d"))]
#[cfg_attr(
    feature = "config",
    argh(
        note = "With --config, SIGHUP reads all options again. It changes --log, --motd, most limits and timeouts, and the paths of \
                certificates and passwords; the log says which options need a restart. After an error, nothing changes.",
        example = "{command_name} --config /etc/chinwag/chinwagd.toml --check",
        note = "In a configuration file, each heading above options is a section, such as [limits] or [control-socket], and each option is a \
                key without --: `max-clients = 2000`. A repeated option is an array of strings. The options of the command line win."
    )
)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
struct Arguments {
    #[doc = "listen on this address; may be repeated. tcp://HOST:PORT or HOST:PORT is for nc, telnet and scripts; "]
    #[cfg_attr(feature = "tls", doc = "tls://HOST:PORT is the same over TLS; ")]
    #[cfg_attr(feature = "web", doc = "http://HOST:PORT is for browsers (the chat page, and WebSocket); ")]
    #[cfg_attr(all(feature = "tls", feature = "web"), doc = "https://HOST:PORT is the same over TLS; ")]
    #[doc = "unix:///PATH?mode=660&owner=USER:GROUP is for programs on this machine \
             (nc -U). "]
    #[cfg_attr(
        feature = "metrics",
        doc = "metrics://HOST:PORT shows Prometheus the metrics of the server, at /metrics. "
    )]
    #[cfg_attr(
        feature = "proxy",
        doc = "Behind proxies, tcp://HOST:PORT?proxy=10.0.0.0/8 expects a PROXY protocol header from these addresses, and serves no \
               other (unix:///PATH?proxy=unix: from every client); "
    )]
    #[cfg_attr(
        all(feature = "proxy", feature = "web"),
        doc = "http://HOST:PORT?forwarded=10.0.0.0/8 or ?x-forwarded-for=10.0.0.0/8 takes the client's address from that field of \
               requests from these addresses. "
    )]
    #[cfg_attr(
        feature = "systemd",
        doc = "tcp+fd://NAME takes the sockets of this name from systemd (FileDescriptorName=), as do tls+fd, http+fd, https+fd and \
               unix+fd. "
    )]
    #[doc = "Put an IPv6 address in brackets; port 0 takes a free port \
             (default: tcp://127.0.0.1:9999, which only this machine can reach)"]
    #[argh(option, arg_name = "uri", from_str_fn(listen::parse_uri))]
    listen: Vec<ListenUri>,

    /// write the port of each listener (- for a Unix socket) to this file, one per line in the order of --listen, before the first client is served;
    /// remove the file at the end. An empty file or an older port file is replaced; any other file is an error (default: none)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    port_file: Option<PathBuf>,

    /// the certificate of the tls:// and https:// listeners, in PEM, followed by its chain; may be repeated, each with its --tls-key. A
    /// client gets the first one that is valid for the name that it asks for, or the first of all. SIGHUP reads the files again (default:
    /// none; chinwagd cert makes one)
    #[cfg(feature = "tls")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    tls_cert: Vec<PathBuf>,

    /// the private key of a --tls-cert, in PEM, in the same order (default: none)
    #[cfg(feature = "tls")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    tls_key: Vec<PathBuf>,

    /// let only clients in that give the password in this file, which has one line of 1 to 256 bytes. They give it as PASS password, over
    /// TLS, a Unix socket or the loopback interface. SIGHUP reads the file again; members stay in (default: none)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    password_file: Option<PathBuf>,

    /// let only clients in that log in to an account. Only the operator adds accounts then, with chinwagd account. Needs --data
    /// (default: a client may take any name without an account)
    #[cfg(feature = "accounts")]
    #[argh(switch)]
    accounts_only: bool,

    /// who adds accounts: open, every client, with REGISTER; or operators, only the operator, with chinwagd account. Needs --data
    /// (default: open; operators with --accounts-only)
    #[cfg(feature = "accounts")]
    #[argh(option, arg_name = "who", from_str_fn(accounts::parse_registration))]
    registration: Option<accounts::Registration>,

    /// also accept passwords over connections that others on the way may read, such as plain TCP from other machines, or through a
    /// proxy on another machine (default: refuse them there)
    #[argh(switch)]
    allow_insecure_passwords: bool,

    /// let pages of this origin join (`https://chat.example.org`), and accept requests for its host name; may be repeated (default:
    /// only the server's own page, at an IP address or localhost)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "origin", from_str_fn(web::parse_origin))]
    http_origin: Vec<WebOrigin>,

    /// close a connection whose request header is not complete within this time (default: 10s)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "duration", from_str_fn(web::parse_header_timeout))]
    http_header_timeout: Option<u64>,

    /// ping an idle WebSocket client after this time, at the latest after twice this time, so that no proxy closes the connection;
    /// 0: never (default: 20s)
    #[cfg(feature = "web")]
    #[argh(option, arg_name = "duration", from_str_fn(parse_timeout))]
    http_ping_interval: Option<u64>,

    /// maximum number of connections (default: as many as the limit of open files allows; see ulimit -n)
    #[argh(option, arg_name = "n", from_str_fn(parse_clients))]
    max_clients: Option<usize>,

    /// maximum number of connections from one address; an IPv6 /64 network counts as one address; 0: no limit (default: 0)
    #[argh(option, arg_name = "n", default = "0", from_str_fn(parse_per_address))]
    max_per_address: usize,

    /// new connections per second from one address, after a burst of 1000; further ones are refused; 0: no limit (default: 500)
    #[argh(option, arg_name = "n", default = "CONNECT_RATE_DEFAULT", from_str_fn(parse_connect_rate))]
    connect_rate: u32,

    /// lines per second that are read from each client; faster input waits and is not lost; 0: no limit (default: 10)
    #[argh(option, arg_name = "n", default = "LINE_RATE_DEFAULT", from_str_fn(parse_line_rate))]
    line_rate: u32,

    /// lines that a client may send at once before --line-rate applies (default: 40)
    #[argh(option, arg_name = "n", default = "LINE_BURST_DEFAULT", from_str_fn(parse_line_burst))]
    line_burst: u32,

    #[cfg_attr(
        feature = "store",
        doc = "size of the events that are kept in memory for slow consumers; a client that falls further behind is \
               disconnected or, with --data, reads on from the store (default: 8MiB)"
    )]
    #[cfg_attr(
        not(feature = "store"),
        doc = "size of the events that are kept in memory for slow consumers; a client that falls further behind is \
               disconnected (default: 8MiB)"
    )]
    #[argh(option, arg_name = "size", default = "BACKLOG_BYTES_DEFAULT", from_str_fn(parse_backlog))]
    backlog: usize,

    /// maximum number of rooms with members, besides #lobby (default: 10000)
    #[argh(option, arg_name = "n", default = "ROOMS_MAX_DEFAULT", from_str_fn(parse_rooms))]
    max_rooms: usize,

    /// refuse WATCH: only clients with a nickname read rooms (default: a client without a nickname may read every room)
    #[argh(switch)]
    no_watch: bool,

    /// messages of each room kept in memory for HISTORY and SINCE, within 4MiB for all rooms (default: 1000)
    #[argh(option, arg_name = "n", default = "HISTORY_MESSAGES_DEFAULT", from_str_fn(parse_history))]
    history: usize,

    /// store messages in this SQLite file, which is created if it does not exist. A message is delivered only after it is stored
    /// (default: messages are kept in memory, and are lost when the server stops)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,

    /// when a message counts as stored: full, when the disk has it; or relaxed, when the operating system has it, so that a crash
    /// of the machine may lose the last messages (default: full)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "mode", from_str_fn(store::parse_durability))]
    durability: Option<Durability>,

    /// delete the oldest stored messages beyond an age (30d), a size (1GiB) or a number ("100000 messages"); all keeps everything.
    /// While the system clock is implausible, no message is deleted by age, and the log says so (default: all)
    #[cfg(feature = "store")]
    #[argh(option, arg_name = "limit", from_str_fn(store::parse_keep))]
    keep: Option<Retention>,

    /// be a node of a cluster: the NATS servers that keep its log, and the name of the cluster, such as
    /// `nats://host1,host2,host3/chat`; tls:// encrypts the connections (default: the server is on its own)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "uri", from_str_fn(cluster::parse_address))]
    cluster: Option<ClusterAddress>,

    /// the name of this node, which no other node has (default: the name of the host)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "name", from_str_fn(cluster::parse_node))]
    cluster_node: Option<NodeName>,

    /// number of copies of the log, each on another server of NATS, when the first node creates it (default: 3)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "n", from_str_fn(cluster::parse_copies))]
    cluster_copies: Option<usize>,

    /// the certificates, in PEM, that may sign those of the servers of NATS (default: those that the system trusts)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    cluster_ca: Option<PathBuf>,

    /// the user of NATS, with --cluster-password-file (default: none)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "name", from_str_fn(cluster::parse_user))]
    cluster_user: Option<String>,

    /// the password of the user of NATS, in one line (default: none)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    cluster_password_file: Option<PathBuf>,

    /// the token of NATS, in one line (default: none)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    cluster_token_file: Option<PathBuf>,

    /// the seed of an nkey of NATS, in one line (default: none)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    cluster_nkey_file: Option<PathBuf>,

    /// the credentials file of NATS, as nsc writes it (default: none)
    #[cfg(feature = "cluster")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    cluster_credentials: Option<PathBuf>,

    /// the epoch in HELLO: the word that names this numbering of message ids. Set it for tests with fixed output, or to a new word
    /// after you put back, by hand, a copy that another program made; chinwagd restore needs no new word (default: as
    /// stored; otherwise random at each start)
    #[argh(option, arg_name = "word", from_str_fn(parse_epoch))]
    epoch: Option<Token>,

    /// send the text of this file to each client that connects, as NOTICE lines after the greeting or, with --password-file, after the
    /// client has given the password: at most 8KiB of UTF-8 in 50 lines; blank lines are left out. SIGHUP reads the file again
    /// (default: none)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    motd: Option<PathBuf>,

    /// disconnect a client that takes no nickname within this time; 0: never (default: 60s)
    #[argh(option, arg_name = "duration", default = "NAME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    name_timeout: u64,

    /// disconnect a client that sends no line for this time; it gets a PING after half of it; 0: never (default: 0)
    #[argh(option, arg_name = "duration", default = "0", from_str_fn(parse_timeout))]
    idle_timeout: u64,

    /// after a lost connection, keep a member with a resume token (SET resume on) for this time; 0: do not keep it (default: 60s)
    #[argh(option, arg_name = "duration", default = "RESUME_TIMEOUT_SECONDS_DEFAULT", from_str_fn(parse_timeout))]
    resume_timeout: u64,

    /// disconnect a client that accepts no output for this time, at most a quarter of --dead-peer-timeout; 0: that maximum, or no
    /// limit with --dead-peer-timeout 0 (default: 30s)
    #[argh(option, arg_name = "duration", from_str_fn(parse_timeout))]
    send_timeout: Option<u64>,

    /// detect a host that has vanished within this time, from 8s to 1d; 0: the kernel detects it only while output waits, after about
    /// 15 minutes (default: 120s)
    #[argh(
        option,
        arg_name = "duration",
        default = "DEAD_PEER_TIMEOUT_SECONDS_DEFAULT",
        from_str_fn(parse_dead_peer_timeout)
    )]
    dead_peer_timeout: u64,

    /// what to log: off, error, warn, info or debug (default: info)
    #[argh(option, arg_name = "level", default = "LevelFilter::INFO", from_str_fn(parse_level))]
    log: LevelFilter,

    /// format of the log: text, in lines that begin with the local time, except in the journal; or json, one object per line, with the
    /// time in UTC (default: text)
    #[argh(option, arg_name = "format", default = "LogFormat::Text", from_str_fn(parse_log_format))]
    log_format: LogFormat,

    /// answer chinwagd status, account, moderate, audit, backup and check on a Unix socket at this path, for root and the user of the
    /// server; off: do not (default: control.sock in the first directory of `$RUNTIME_DIRECTORY`, which systemd sets, if it can be
    /// created there; off without it)
    #[argh(option, arg_name = "path", from_str_fn(control::parse_option))]
    control: Option<ControlOption>,

    /// read options from this TOML file, too; relative paths in it are relative to the working directory (default: none)
    #[cfg(feature = "config")]
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    config: Option<PathBuf>,

    /// check whether a server with these options can start, with its addresses, certificates and files; print all errors, and exit.
    /// Nothing is changed or created
    #[argh(switch)]
    check: bool,

    /// print the given options as a configuration file, with the place where each is given, and the defaults of the others; exit
    #[cfg(feature = "config")]
    #[argh(switch)]
    print_config: bool,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,

    #[argh(subcommand)]
    command: Option<Subcommand>,
}

/// The commands.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
enum Subcommand {
    #[cfg(feature = "accounts")]
    Account(account::Account),
    #[cfg(feature = "tls")]
    Cert(cert::Cert),
    #[cfg(feature = "store")]
    Backup(backup::Backup),
    #[cfg(feature = "store")]
    Restore(restore::Restore),
    #[cfg(feature = "store")]
    Check(check::Check),
    Status(status::Status),
    Moderate(moderate::Moderate),
    Audit(audit::Audit),
}

fn main() -> ExitCode {
    let parsed: Parsed<Arguments> = match command_line::parse(&COMMAND_LINE) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    if parsed.arguments.check && !parsed.arguments.version {
        return configuration_check::run(parsed);
    }
    let Parsed { arguments, options, .. } = parsed;
    if arguments.version {
        return command_line::print_output(PROGRAM, &version());
    }
    match arguments.command {
        #[cfg(feature = "accounts")]
        Some(Subcommand::Account(account)) => return account::run(account),
        #[cfg(feature = "tls")]
        Some(Subcommand::Cert(cert)) => return cert::run(cert),
        #[cfg(feature = "store")]
        Some(Subcommand::Backup(backup)) => return backup::run(backup),
        #[cfg(feature = "store")]
        Some(Subcommand::Restore(restore)) => return restore::run(&restore),
        #[cfg(feature = "store")]
        Some(Subcommand::Check(check)) => return check::run(check),
        Some(Subcommand::Status(status)) => return status::run(status),
        Some(Subcommand::Moderate(moderate)) => return moderate::run(moderate),
        Some(Subcommand::Audit(audit)) => return audit::run(audit),
        None => {}
    }
    if let Some(what) = configuration::find_conflicts(&arguments).next() {
        return command_line::print_usage_error(PROGRAM, "", &options.locate(&what));
    }
    #[cfg(feature = "config")]
    if arguments.print_config {
        return command_line::print_output(PROGRAM, options.render_config::<Arguments>(&COMMAND_LINE).trim_end());
    }
    // Before the log has a thread.
    let service_manager = service_manager();
    let log = log::start(arguments.log, arguments.log_format);
    match serve(arguments, service_manager) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.report_start_error(PROGRAM, &error);
            ExitCode::FAILURE
        }
    }
}

/// The program that has started the server, if this build can talk to it.
fn service_manager() -> ServiceManager {
    #[cfg(feature = "systemd")]
    return ServiceManager::from_environment();
    #[cfg(not(feature = "systemd"))]
    ServiceManager::default()
}

/// Runs the server. With a configuration file, SIGHUP reads the options again.
fn serve(arguments: Arguments, service_manager: ServiceManager) -> Result<(), StartError> {
    #[cfg(feature = "config")]
    if arguments.config.is_some() {
        let configuration = configuration::configuration(arguments, service_manager);
        return server::run_reloadable(&configuration, Arc::new(reload::CommandLineSource));
    }
    server::run(&configuration::server_options(arguments, service_manager))
}

/// The text of `--version`: the version, then the features.
fn version() -> String {
    let features: Vec<_> =
        COMMAND_LINE.features.iter().filter(|feature| feature.is_built).map(|feature| feature.name).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(" ") };
    format!("chinwagd {}\nfeatures: {features}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use chinwag::command_line::{format_duration, format_size};
    use chinwag::limits::{
        CONNECT_BURST, DEAD_PEER_TIMEOUT_SECONDS_MAX, DEAD_PEER_TIMEOUT_SECONDS_MIN, HISTORY_BYTES_MAX,
        SEND_TIMEOUT_SECONDS_DEFAULT,
    };

    use super::*;

    /// The descriptions, by option: those of the program and of its commands.
    fn descriptions() -> BTreeMap<&'static str, &'static str> {
        let info = Arguments::get_args_info();
        let of_commands = info.commands.iter().flat_map(|command| command.command.flags);
        let options = info.flags.iter().chain(of_commands);
        options.filter(|option| !option.hidden).map(|option| (option.long, option.description)).collect()
    }

    #[test]
    fn help_shows_every_option_once() {
        let mut grouped: Vec<_> = COMMAND_LINE.groups.iter().flat_map(|group| group.options).copied().collect();
        // Options of features that this build does not have.
        let absent = COMMAND_LINE.features.iter().filter(|feature| !feature.is_built);
        let absent: Vec<_> = absent.flat_map(|feature| feature.options).collect();
        grouped.retain(|option| !absent.contains(&option));
        grouped.sort_unstable();
        assert_eq!(grouped, descriptions().into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn features_have_known_options() {
        let built = COMMAND_LINE.features.iter().filter(|feature| feature.is_built);
        for option in built.flat_map(|feature| feature.options) {
            assert!(descriptions().contains_key(option), "{option}");
        }
    }

    #[test]
    fn old_names_are_no_options() {
        for renamed in COMMAND_LINE.renamed {
            assert!(!descriptions().contains_key(renamed.old), "{renamed:?}");
            let new = renamed.new.split(' ').next().unwrap();
            assert!(COMMAND_LINE.groups.iter().any(|group| group.options.contains(&new)), "{renamed:?}");
        }
    }

    /// Every value has a default in the help, and the numbers are those of the code.
    #[test]
    fn help_states_the_defaults() {
        let descriptions = descriptions();
        let default = |option: &str| {
            let (_, default) = descriptions[option].rsplit_once("(default: ")?;
            default.strip_suffix(')')
        };
        let shown_instead = ["--check", "--print-config", "--version", "--help"];
        for option in descriptions.keys().filter(|option| !shown_instead.contains(option)) {
            assert!(default(option).is_some(), "{option}");
        }
        let arguments = Arguments::from_args(&[PROGRAM], &[]).unwrap();
        for (option, seconds) in [
            ("--name-timeout", arguments.name_timeout),
            ("--idle-timeout", arguments.idle_timeout),
            ("--resume-timeout", arguments.resume_timeout),
            ("--send-timeout", SEND_TIMEOUT_SECONDS_DEFAULT),
            ("--dead-peer-timeout", arguments.dead_peer_timeout),
            #[cfg(feature = "web")]
            ("--http-header-timeout", chinwag::limits::HTTP_HEADER_TIMEOUT_SECONDS_DEFAULT),
            #[cfg(feature = "web")]
            ("--http-ping-interval", chinwag::limits::HTTP_PING_INTERVAL_SECONDS_DEFAULT),
        ] {
            let shown = default(option).unwrap();
            assert_eq!(parse_timeout(shown), Ok(seconds), "{option}");
            assert!(seconds == 0 || shown.ends_with('s'), "{option} has no unit: {shown}");
        }
        for (option, number) in [
            ("--max-per-address", arguments.max_per_address),
            ("--connect-rate", arguments.connect_rate as usize),
            ("--line-rate", arguments.line_rate as usize),
            ("--line-burst", arguments.line_burst as usize),
            ("--history", arguments.history),
            ("--max-rooms", arguments.max_rooms),
        ] {
            assert_eq!(default(option), Some(number.to_string().as_str()), "{option}");
        }
        assert_eq!(default("--backlog"), Some(format_size(arguments.backlog as u64).as_str()));
        assert_eq!(default("--log"), Some(arguments.log.to_string().as_str()));
        let within = format!("within {} ", format_size(HISTORY_BYTES_MAX as u64));
        assert!(descriptions["--history"].contains(&within));
        assert!(descriptions["--connect-rate"].contains(&format!("a burst of {CONNECT_BURST};")));
        let [first, last] = [DEAD_PEER_TIMEOUT_SECONDS_MIN, DEAD_PEER_TIMEOUT_SECONDS_MAX].map(Duration::from_secs);
        let range = format!("from {} to {};", format_duration(first), format_duration(last));
        assert!(descriptions["--dead-peer-timeout"].contains(&range));
    }
}
