//! The server's command line: what it prints where, and with what it exits.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;

use crate::common::{HELLO, Peer, STOP_DEADLINE, Server, address_in, command};

/// Runs it to its end, which must be at once: exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_command_line_is_one_clear_line_and_exit_code_2() {
    let check = |arguments: &[&str], expected: &str| {
        let (code, out, err) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert_eq!(out, "");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains(expected) && err.contains("chinwagd --help"), "{err}");
    };
    check(&["--frobnicate"], "--frobnicate");
    check(&["--listen", "127.0.0.1:http"], "http is no port");
    check(&["--listen", "127.0.0.1:65536"], "65536 is no port");
    check(&["--listen", "127.0.0.1"], "has no port");
    check(&["--listen", "::1:9999"], "in brackets");
    check(&["--listen", ":9999"], "write 0.0.0.0:9999");
    check(&["--log", "loud"], "is no level; there are off");
    check(&["--log", ""], "is no level; there are off");
    check(&["--feed-bytes", "12"], "the least is 1048576");
    check(&["--feed-bytes", "many"], "no number");
    check(&["--resume-timeout", "soon"], "soon is no number of seconds");
    check(&["surplus"], "surplus");
}

#[test]
fn what_cannot_start_is_one_clear_line_and_exit_code_1() {
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
    let (code, out, err) = run(&["--listen", "127.0.0.1:0", "--port-file", "/nonexistent/port"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("chinwagd: cannot write the port file /nonexistent/port: "), "{err}");
}

#[test]
fn help_and_version_are_on_standard_output() {
    let (code, out, err) = run(&["--help"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for said in ["--listen", "--port-file", "--log", "--feed-bytes", "127.0.0.1:9999", "Error codes:"] {
        assert!(out.contains(said), "{said} is missing in {out}");
    }
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.as_str()), (Some(0), concat!("chinwagd ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn there_is_one_line_for_each_listener_and_the_port_file_is_whole_by_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let port_file = directory.path().join("port");
    let path = port_file.to_str().expect("UTF-8");
    let mut server = Server::with(&["--listen", "[::1]:0", "--port-file", path]);
    let second = address_in(&server.stdout_line());
    assert!(second.is_ipv6());
    let ports = fs::read_to_string(&port_file).expect("the port file");
    assert_eq!(ports, format!("{}\n{}\n", server.address.port(), second.port()));
    let mut over_ipv6 = Peer::new(std::net::TcpStream::connect(second).expect("IPv6"));
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

#[test]
fn the_log_says_who_and_why_but_not_what() {
    let mut child =
        command(&["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let mut peer = Peer::new(std::net::TcpStream::connect(address_in(&line)).expect("it accepts"));
    peer.expect(HELLO);
    peer.send_bytes(b"NICK alice\nMSG secret words\nNICK Alice\nQUIT secret reason\n");
    assert_eq!(peer.rest().last().map(String::as_str), Some("OK QUIT"));
    let from = peer.stream().local_addr().expect("an address").to_string();
    std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    for said in [
        &format!("INFO connected id=1 address={from}"),
        "INFO joined id=1 name=alice",
        "INFO renamed id=1 from=alice to=Alice",
        "INFO left id=1 name=Alice reason=quit",
        "INFO stopping",
    ] {
        assert!(log.contains(said), "{said:?} is missing in\n{log}");
    }
    assert!(!log.contains("secret"), "{log}");
    assert!(!log.contains('\x1b'), "no colour but on a terminal: {log}");
    let time = log.split(' ').next().expect("a time");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
}

/// Nobody reads the log, or nobody can: the room goes on, and ends when it is told to.
#[test]
fn a_log_that_nobody_takes_does_not_hold_up_the_room() {
    let (unread, pipe) = std::io::pipe().expect("a pipe");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let (gone, broken) = std::io::pipe().expect("a pipe");
    drop(gone);
    for stderr in [Stdio::from(pipe), Stdio::from(full), Stdio::from(broken)] {
        let mut server =
            Server::spawn(command(&["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0"]).stderr(stderr));
        let mut peer = server.join("a");
        // More than a pipe holds.
        for number in 0..2000 {
            peer.send(&format!("NICK a{number}"));
        }
        peer.sync();
        server.join("b");
        server.signal("-TERM");
        let (status, took) = server.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < STOP_DEADLINE, "it took {took:?}");
    }
    drop(unread);
}

#[test]
fn the_port_file_is_taken_away_only_by_whom_it_tells_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    let argument = ["--port-file", path.to_str().expect("UTF-8")];
    let mut first = Server::with(&argument);
    let second = Server::with(&argument);
    first.signal("-TERM");
    first.wait();
    assert_eq!(fs::read_to_string(&path).expect("the port file"), format!("{}\n", second.address.port()));
    let (code, _, err) = run(&["--listen", "127.0.0.1:0", "--port-file", directory.path().to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "nothing is left beside it");
}
