//! The server's command line: what it prints where, and with what it exits.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use crate::common::{Client, HELLO, STOP_DEADLINE, Server, address_in, command};

/// Runs it to its end, which must be at once: exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Checks that this command line is refused in one line, with exit code 2.
#[track_caller]
fn check_refused(arguments: &[&str], expected: &str) {
    let (code, out, err) = run(arguments);
    assert_eq!(code, Some(2), "{arguments:?}: {err}");
    assert_eq!(out, "");
    assert_eq!(err, format!("chinwagd: {expected}; see chinwagd --help\n"));
}

/// The forms of `--listen` that the server supports.
const SCHEMES: &str = match (cfg!(feature = "tls"), cfg!(feature = "web")) {
    (true, true) => "tcp://, tls://, http:// or https:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (true, false) => "tcp:// or tls:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (false, true) => "tcp:// or http:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (false, false) => "tcp://HOST:PORT, unix:///PATH or HOST:PORT",
};

/// The end of that list.
const METRICS_SCHEME: &str = if cfg!(feature = "metrics") { "; for Prometheus, metrics://HOST:PORT" } else { "" };

/// Every error names the option, the value and what is expected, in the project's own words.
#[test]
fn invalid_option_is_one_line_and_exit_code_2() {
    let check = check_refused;
    let form = "expected HOST:PORT, such as 127.0.0.1:9999 or [::1]:9999";
    check(&["--frobnicate"], "unknown option \"--frobnicate\"");
    check(&["--lsten=127.0.0.1:0"], "unknown option \"--lsten\"; did you mean --listen?");
    check(
        &["--listen", "127.0.0.1:http"],
        &format!("invalid --listen \"127.0.0.1:http\": {form}, with a port from 0 to 65535"),
    );
    check(
        &["--listen=127.0.0.1:65536"],
        &format!("invalid --listen \"127.0.0.1:65536\": {form}, with a port from 0 to 65535"),
    );
    check(&["--listen", "127.0.0.1"], &format!("invalid --listen \"127.0.0.1\": {form}"));
    check(
        &["--listen", "x.invalid:1"],
        &format!("invalid --listen \"x.invalid:1\": this host has no known address; {form}"),
    );
    check(
        &["--listen", "unix:/run/chat"],
        "invalid --listen \"unix:/run/chat\": expected unix:///PATH, such as unix:///run/chinwag/chat.sock",
    );
    check(
        &["--listen", "::1:9999"],
        "invalid --listen \"::1:9999\": expected an IPv6 address in brackets, such as [::1]:9999",
    );
    check(
        &["--listen", ":80"],
        "invalid --listen \":80\": expected 0.0.0.0:80 (and [::]:80) for every address of this machine",
    );
    for (uri, scheme) in [
        ("ssl://127.0.0.1:0", "ssl"),
        ("ws://127.0.0.1:0", "ws"),
        ("local:///run/chat", "local"),
        ("://127.0.0.1:0", ""),
    ] {
        check(
            &["--listen", uri],
            &format!("invalid --listen \"{uri}\": unknown scheme \"{scheme}\"; expected {SCHEMES}{METRICS_SCHEME}"),
        );
    }
    check(
        &["--listen", "tcp:/127.0.0.1:0"],
        "invalid --listen \"tcp:/127.0.0.1:0\": expected // after the scheme, as in tcp://127.0.0.1:9999",
    );
    check(
        &["--listen", "tcp://127.0.0.1:0/x"],
        &format!("invalid --listen \"tcp://127.0.0.1:0/x\": {form}, and nothing after the port"),
    );
    check(
        &["--listen", "127.0.0.1:+1"],
        &format!("invalid --listen \"127.0.0.1:+1\": {form}, with a port from 0 to 65535"),
    );
    check(&["--listen", "--log"], "missing value for --listen: expected --listen <uri>");
    check(&["--log=loud"], "invalid --log \"loud\": expected off, error, warn, info or debug");
    check(&["--log-format=xml"], "invalid --log-format \"xml\": expected text or json");
    check(&["--log="], "invalid --log \"\": expected off, error, warn, info or debug");
    check(&["--log", "off", "--log=off"], "--log is given twice: expected once");
    let bytes = "expected a size from 1MiB to 1TiB";
    check(&["--backlog", "12"], &format!("invalid --backlog \"12\": {bytes}"));
    check(&["--backlog", "many"], &format!("invalid --backlog \"many\": {bytes}"));
    let seconds = "expected a duration in whole seconds from 0 to 366d, such as 30s, 5m or 12h";
    check(&["--resume-timeout", "soon"], &format!("invalid --resume-timeout \"soon\": {seconds}"));
    check(&["--idle-timeout", "-1"], &format!("invalid --idle-timeout \"-1\": {seconds}"));
    check(
        &["--dead-peer-timeout", "7"],
        "invalid --dead-peer-timeout \"7\": expected 0 or a duration in whole seconds from 8s to 1d, such as 30s, 5m or 12h",
    );
    check(&["--name-timeout", "1500ms"], &format!("invalid --name-timeout \"1500ms\": {seconds}"));
    check(&["--send-timeout", "367d"], &format!("invalid --send-timeout \"367d\": {seconds}"));
    check(&["--backlog", "1.1TiB"], &format!("invalid --backlog \"1.1TiB\": {bytes}"));
    check(&["--port-file="], "invalid --port-file \"\": expected a path");
    check(&["--version=1"], "unexpected value \"1\" for --version: it takes none");
    check(&["surplus"], "unexpected argument \"surplus\": expected options only, such as --listen 127.0.0.1:9999");
    check(&["--", "--help"], "unexpected argument \"--help\": expected options only, such as --listen 127.0.0.1:9999");
    check(
        &["--send-timeout", "31", "--log=off"],
        "invalid --send-timeout 31s: expected at most 30s, a quarter of --dead-peer-timeout (2m)",
    );
    check(
        &["--dead-peer-timeout=8s", "--send-timeout=3s"],
        "invalid --send-timeout 3s: expected at most 2s, a quarter of --dead-peer-timeout (8s)",
    );
    check(&["--line-rate=-1"], "invalid --line-rate \"-1\": expected a number of lines per second from 0 to 1000000");
    check(
        &["--connect-rate=-1"],
        "invalid --connect-rate \"-1\": expected a number of connections per second from 0 to 1000000",
    );
    check(&["--log=\x1b[2J\n"], "invalid --log \"\\u{1b}[2J\\n\": expected off, error, warn, info or debug");
}

#[test]
#[cfg(feature = "store")]
fn invalid_store_option_is_refused() {
    let check = check_refused;
    check(&["--durability", "x"], "invalid --durability \"x\": expected full or relaxed");
    check(
        &["--listen", "127.0.0.1:9", "--listen=tcp://127.0.0.1:9"],
        "two --listen options have the address 127.0.0.1:9: expected another port for one of them",
    );
    check(&["--durability=full"], "--durability without --data: expected --data PATH, the file to store messages in");
    check(&["--keep=30d"], "--keep without --data: expected --data PATH, the file to store messages in");
    check(
        &["--keep=9x", "--data=x"],
        "invalid --keep \"9x\": expected an age (30d), a size (1GiB), a number of messages (\"100000 messages\") or all",
    );
    check(&["--data="], "invalid --data \"\": expected a path");
}

#[test]
#[cfg(feature = "web")]
fn invalid_web_option_is_refused() {
    let web = "expected one, such as --listen http://127.0.0.1:8080";
    for option in ["--http-origin=https://x.example", "--http-header-timeout=5", "--http-ping-interval=5"] {
        let (name, _) = option.split_once('=').expect("a value");
        check_refused(&[option], &format!("{name} without an http:// or https:// listener: {web}"));
    }
    check_refused(
        &["--http-header-timeout=0"],
        "invalid --http-header-timeout \"0\": expected a duration in whole seconds from 1s to 366d, such as 30s, 5m or 12h",
    );
    check_refused(&["--listen", "--http-origin"], "missing value for --listen: expected --listen <uri>");
}

#[test]
#[cfg(not(feature = "web"))]
fn http_listener_needs_feature_web() {
    check_refused(
        &["--listen", "http://127.0.0.1:0"],
        "invalid --listen \"http://127.0.0.1:0\": http:// needs the feature web, and this chinwagd was built without it; \
         build one that has it: cargo build --release --bin chinwagd --features web",
    );
}

#[test]
#[cfg(not(feature = "proxy"))]
fn proxies_need_feature_proxy() {
    check_refused(
        &["--listen", "tcp://127.0.0.1:0?proxy=10.0.0.9"],
        "invalid --listen \"tcp://127.0.0.1:0?proxy=10.0.0.9\": proxy needs the feature proxy, and this chinwagd was built without it; \
         build one that has it: cargo build --release --bin chinwagd --features proxy",
    );
}

#[test]
fn other_option_name_is_refused_with_the_known_one() {
    for (old, new) in [
        ("--port", "--listen HOST:PORT, such as --listen 127.0.0.1:9999"),
        ("--web", "--listen http://HOST:PORT (with --listen 127.0.0.1:9999 to keep that one)"),
        ("--web-origin", "--http-origin"),
        ("--web-head-timeout", "--http-header-timeout"),
        ("--web-ping", "--http-ping-interval"),
        ("--feed-bytes", "--backlog"),
        ("--write-timeout", "--send-timeout"),
        ("--lost-timeout", "--dead-peer-timeout"),
    ] {
        let expected = format!("unknown option \"{old}\"; use {new}");
        check_refused(&[old, "1"], &expected);
        check_refused(&[&format!("{old}=1")], &expected);
    }
}

/// The options of each feature, each with a value that it accepts.
const FEATURE_OPTIONS: [(&str, bool, &[&str]); 8] = [
    // It has the switch --accounts-only, too.
    ("accounts", cfg!(feature = "accounts"), &["--registration=open"]),
    // It has the switch --print-config, too.
    ("config", cfg!(feature = "config"), &["--config=x"]),
    // It has a form of --listen.
    ("metrics", cfg!(feature = "metrics"), &[]),
    // It has parameters of --listen.
    ("proxy", cfg!(feature = "proxy"), &[]),
    ("store", cfg!(feature = "store"), &["--data=x", "--durability=full", "--keep=all"]),
    // It has a form of --listen.
    ("systemd", cfg!(feature = "systemd"), &[]),
    ("tls", cfg!(feature = "tls"), &["--tls-cert=x", "--tls-key=x"]),
    (
        "web",
        cfg!(feature = "web"),
        &["--http-origin=https://x.example", "--http-header-timeout=5", "--http-ping-interval=5"],
    ),
];

/// `--help` lists the options of the features that the server has. Those of other features are refused with the way to build them.
#[test]
fn option_of_missing_feature_is_refused() {
    let (_, help, _) = run(&["--help"]);
    for (feature, is_built, options) in FEATURE_OPTIONS {
        for option in options {
            let (name, value) = option.split_once('=').expect("a value");
            assert_eq!(help.contains(name), is_built, "{name} in {help}");
            if !is_built {
                let expected = format!(
                    "{name} needs the feature {feature}, and this chinwagd was built without it; \
                     build one that has it: cargo build --release --bin chinwagd --features {feature}"
                );
                check_refused(&[option], &expected);
                check_refused(&[name, value], &expected);
            }
        }
    }
}

#[test]
fn version_lists_features() {
    let (_, version, _) = run(&["--version"]);
    let names = FEATURE_OPTIONS.iter().filter(|(_, is_built, _)| *is_built).map(|(feature, ..)| *feature);
    let names: Vec<_> = names.collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(" ") };
    assert_eq!(version.lines().nth(1), Some(format!("features: {names}").as_str()));
}

#[test]
fn option_value_after_equals_sign_is_accepted() {
    let mut server = Server::spawn(&mut command(&["--listen=127.0.0.1:0", "--log=error", "--line-rate=0"]));
    server.join("alice");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn address_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, out, err) = run(&["--listen", &address]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(
        err,
        format!(
            "chinwagd: cannot listen on {address}: the address is in use; stop what listens there or choose another port\n"
        )
    );
}

#[test]
fn address_of_another_machine_is_refused() {
    // An address of RFC 5737, which is never that of a machine.
    let (code, _, err) = run(&["--listen", "192.0.2.1:0"]);
    assert_eq!(code, Some(1));
    let expected = "this machine has no such address; use one of its own, or 0.0.0.0 for all of them";
    assert_eq!(err, format!("chinwagd: cannot listen on 192.0.2.1:0: {expected}\n"));
}

#[test]
fn default_send_timeout_fits_any_dead_peer_timeout() {
    let mut server = Server::spawn(&mut command(&["--listen=127.0.0.1:0", "--log=error", "--dead-peer-timeout=8s"]));
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// `tests/config` has the other checks.
#[test]
fn check_starts_no_server() {
    let (code, out, err) = run(&["--check", "--listen", "127.0.0.1:0", "--log", "off"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "chinwagd: the command line can be used; checked: 3 options, 1 address\n");
    let (code, out, err) = run(&["--check", "--log=loud", "--lsten=x", "--listen", "192.0.2.1:0"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let expected = "chinwagd: unknown option \"--lsten\"; did you mean --listen?; see chinwagd --help
chinwagd: invalid --log \"loud\": expected off, error, warn, info or debug; see chinwagd --help
chinwagd: cannot listen on 192.0.2.1:0: this machine has no such address; use one of its own, or 0.0.0.0 for all of them
";
    assert_eq!(err, expected);
}

#[test]
fn help_and_version_go_to_stdout() {
    for asked in [&["--help"][..], &["-h"], &["help"], &["--log=off", "--help"]] {
        let (code, out, err) = run(asked);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{asked:?}");
        for said in ["--listen", "--port-file", "--log", "--log-format", "--backlog", "127.0.0.1:9999", "Exit codes:"] {
            assert!(out.contains(said), "{said} is missing in {out}");
        }
        for line in out.lines() {
            assert!(line.chars().count() <= 80 && !line.ends_with(' '), "{line:?}");
        }
    }
    for asked in ["--version", "-V"] {
        let (code, out, err) = run(&[asked]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{asked}");
        assert_eq!(out.lines().next(), Some(concat!("chinwagd ", env!("CARGO_PKG_VERSION"))), "{out}");
    }
}

#[test]
fn each_listener_gets_a_line_after_the_port_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let port_file = directory.path().join("port");
    let path = port_file.to_str().expect("UTF-8");
    let mut server = Server::with(&["--listen", "[::1]:0", "--port-file", path]);
    let second = address_in(&server.stdout_line());
    assert!(second.is_ipv6());
    let ports = fs::read_to_string(&port_file).expect("the port file");
    assert_eq!(ports, format!("{}\n{}\n", server.address.port(), second.port()));
    let mut over_ipv6 = Client::new(std::net::TcpStream::connect(second).expect("IPv6"));
    over_ipv6.expect(HELLO);
    over_ipv6.send("NICK six");
    over_ipv6.expect("OK NICK six");
    server.join("four");
    over_ipv6.until("JOIN four");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(server.stdout_line(), "", "standard output has one line for each listener and no more");
    assert!(!port_file.exists(), "the port file goes with the server");
}

/// The default address counts only without `--listen`.
#[test]
#[cfg(feature = "web")]
fn http_listener_may_be_the_only_one() {
    let mut server = Server::spawn(&mut command(&["--listen", "http://127.0.0.1:0"]));
    assert_ne!(server.address.port(), 9999);
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(server.stdout_line(), "");
}

/// Standard output and the port file have the listeners in the order of the options, whatever their schemes.
#[test]
#[cfg(feature = "web")]
fn listeners_are_announced_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let port_file = directory.path().join("port");
    let path = port_file.to_str().expect("UTF-8");
    let uris = ["HTTP://127.0.0.1:0/", "127.0.0.1:0", "http://[::1]:0", "tcp://[::1]:0"];
    let listen = uris.iter().flat_map(|uri| ["--listen", uri]);
    let arguments: Vec<_> = listen.chain(["--port-file", path]).collect();
    let mut server = Server::spawn(&mut command(&arguments));
    // `spawn` has read the first line.
    let mut ports = format!("{}\n", server.address.port());
    for (uri, invitation) in uris.iter().zip(["http://127", "nc 127", "http://[::1]", "nc ::1"]).skip(1) {
        let line = server.stdout_line();
        assert!(line.contains(invitation), "{uri}: {line}");
        ports.push_str(&format!("{}\n", address_in(&line).port()));
    }
    assert_eq!(fs::read_to_string(&port_file).expect("the port file"), ports);
}

#[test]
fn log_has_nicks_but_no_text_and_no_token() {
    let mut command = command(&["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0"]);
    let server = Server::spawn(command.stderr(Stdio::piped()));
    let mut alice = server.connect();
    let from = alice.stream().local_addr().expect("an address").to_string();
    alice.send("NICK alice");
    for line in ["MSG secret words", "WHISPER bob secret", "secret", "PING secret", "NICK \x1b[31msecret", "NICK Alice"]
    {
        alice.send(line);
    }
    alice.send("SET resume on");
    let reply = alice.until_start("OK SET resume on ");
    let (_, secret) = reply.rsplit_once('-').expect("a token");
    let token = reply.rsplit(' ').next().expect("a token");
    drop(alice);
    let mut resumed = server.connect();
    resumed.send(&format!("RESUME {token}\nQUIT secret reason"));
    assert_eq!(resumed.rest(), ["OK RESUME Alice", "OK QUIT"]);
    let log = server.stop();
    for logged in [
        &format!("INFO connected id=1 transport=tcp address={from}"),
        "INFO joined id=1 nick=alice room=#lobby",
        "INFO renamed id=1 from=alice to=Alice",
        &format!("INFO disconnected id=1 transport=tcp address={from} reason="),
        "INFO resumed id=2 first_id=1 nick=Alice",
        "INFO left id=2 nick=Alice reason=quit",
        "INFO stopping",
    ] {
        assert!(log.contains(logged), "{logged:?} is missing in\n{log}");
    }
    assert_eq!(log.matches(" left ").count(), 1, "{log}");
    assert!(!log.contains("secret") && !log.contains(secret), "{log}");
    assert!(!log.contains('\x1b'), "colour only on a terminal: {log}");
    let time = log.split(' ').next().expect("a time");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
}

/// The server runs on if nobody reads its log, or if it cannot be written, and it stops by a signal as usual.
#[test]
fn unread_log_delays_no_client() {
    let (unread, pipe) = std::io::pipe().expect("a pipe");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let (gone, broken) = std::io::pipe().expect("a pipe");
    drop(gone);
    for stderr in [Stdio::from(pipe), Stdio::from(full), Stdio::from(broken)] {
        let mut server =
            Server::spawn(command(&["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0"]).stderr(stderr));
        let mut client = server.join("a");
        // More than a pipe holds.
        for number in 0..2000 {
            client.send(&format!("NICK a{number}"));
        }
        client.sync();
        server.join("b");
        server.signal("-TERM");
        let (status, took) = server.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < STOP_DEADLINE, "it took {took:?}");
    }
    drop(unread);
}
