//! `chinwagd moderate`, and what it prevents: bans of addresses hold for clients behind a proxy, whose addresses are known.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::common::{self, Client, DEADLINE};
use super::{ControlledServer, stderr, stdout};

/// A server with a control socket, and a listener behind the proxy 127.0.0.1.
struct ModeratedServer {
    server: ControlledServer,
    proxied: SocketAddr,
}

impl ModeratedServer {
    fn start(arguments: &[&str]) -> Self {
        let listen = ["--listen", "tcp://127.0.0.1:0?proxy=127.0.0.1,10.9.8.7"];
        let mut server = ControlledServer::start(&[&listen, arguments].concat());
        let proxied = common::address_in(&server.server.stdout_line());
        Self { server, proxied }
    }

    fn moderate(&self, words: &[&str]) -> Output {
        moderate(&self.server.path, words)
    }

    /// A client at this address, as its proxy says.
    fn client(&self, address: &str) -> Client {
        let mut stream = TcpStream::connect(self.proxied).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        write!(stream, "PROXY TCP4 {address} 10.0.0.1 4711 9999\r\n").expect("the server reads");
        Client::new(stream)
    }

    fn member(&self, address: &str, nick: &str) -> Client {
        let mut client = self.client(address);
        client.expect_start("HELLO ");
        client.send(&format!("NICK {nick}"));
        client.expect(&format!("OK NICK {nick}"));
        client.sync();
        client
    }
}

fn moderate(path: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["moderate", "--control"]).arg(path).args(words).stdin(Stdio::null());
    command.output().expect("it runs")
}

/// Without a store, and without accounts.
#[test]
fn operator_at_the_control_socket_moderates_the_server() {
    let server = ModeratedServer::start(&[]);
    let mut alice = server.member("192.0.2.1", "alice");
    let mut bob = server.member("192.0.2.2", "bob");
    alice.expect("JOIN bob");
    assert_eq!(stdout(server.moderate(&["MUTE", "bob", "10m", "too", "loud"])), "MUTE 1 bob\n");
    assert!(bob.expect_start("MUTE - bob until=20").ends_with("Z too loud"));
    alice.expect_start("MUTE - bob ");
    bob.send("MSG hi");
    bob.expect_start("ERR MSG muted the message was not delivered: you are muted until 20");
    assert_eq!(stdout(server.moderate(&["UNMUTE", "bob"])), "UNMUTE 1 bob\n");
    bob.expect("UNMUTE - bob");
    assert_eq!(stdout(server.moderate(&["KICK", "bob", "see", "you"])), "KICK bob\n");
    bob.expect("ERR - kicked you were removed from the server by the operator: see you");
    bob.expect_end();
    alice.expect("UNMUTE - bob");
    alice.expect("LEAVE bob kicked by the operator: see you");
    server.member("192.0.2.2", "bob");
}

/// With 503, clients would try again.
#[cfg(feature = "web")]
#[test]
fn banned_address_is_refused_by_http_listeners() {
    let mut server = ModeratedServer::start(&["--listen", "http://127.0.0.1:0?proxy=127.0.0.1"]);
    let web = common::address_in(&server.server.server.stdout_line());
    let get = |address: &str| {
        let mut stream = TcpStream::connect(web).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        write!(stream, "PROXY TCP4 {address} 10.0.0.1 4711 9999\r\n{request}").expect("the server reads");
        std::io::read_to_string(stream).expect("an answer")
    };
    assert!(get("192.0.2.66").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(stdout(server.moderate(&["BAN", "192.0.2.66"])), "BAN 1 192.0.2.66\n");
    let answer = get("192.0.2.66");
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nyour address is banned from this server\n"), "{answer}");
    assert!(get("192.0.2.67").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn banned_address_is_refused() {
    let server = ModeratedServer::start(&[]);
    let mut alice = server.member("192.0.2.1", "alice");
    let mut eve = server.member("192.0.2.66", "eve");
    let mut silent = server.client("192.0.2.66");
    silent.expect_start("HELLO ");
    assert_eq!(stdout(server.moderate(&["BAN", "@eve", "1h", "flooding"])), "BAN 1 @eve\n");
    eve.expect("ERR - banned you were banned from the server by the operator: flooding");
    eve.expect_end();
    silent.expect_start("ERR - banned your address is banned from this server until 20");
    silent.expect_end();
    alice.until("LEAVE eve banned by the operator: flooding");
    let mut again = server.client("192.0.2.66");
    let refusal = again.expect_start("ERR - banned your address is banned from this server until 20");
    assert!(refusal.ends_with(" UTC: flooding"), "{refusal}");
    again.expect_end();
    server.member("192.0.2.67", "eve");
    let listed = stdout(server.moderate(&["BANS"]));
    assert!(listed.starts_with("SANCTION 1 ban @eve by=- created=20") && listed.ends_with("Z flooding\n"), "{listed}");
    assert!(!listed.contains("192.0.2.66"), "nobody needs the address: {listed}");
    assert_eq!(stdout(server.moderate(&["UNBAN", "1"])), "UNBAN 1 @eve\n");
    server.member("192.0.2.66", "eve2");
    assert_eq!(stdout(server.moderate(&["BANS"])), "");
    // A network, with an address in each form.
    assert_eq!(stdout(server.moderate(&["BAN", "::ffff:192.0.2.0/120"])), "BAN 2 192.0.2.0/24\n");
    server.client("192.0.2.200").expect("ERR - banned your address is banned from this server");
}

#[test]
fn refused_commands_say_what_is_wrong() {
    let server = ModeratedServer::start(&[]);
    let path = server.server.path.display().to_string();
    let mut alice = server.member("192.0.2.1", "alice");
    let check = |words: &[&str], expected: &str| {
        let refused = format!("chinwagd: the server at \"{path}\" refused: {expected}\n");
        assert_eq!(stderr(&server.moderate(words), 1), refused, "{words:?}");
    };
    check(
        &[],
        "the command is missing: expected KICK, MUTE, UNMUTE, BAN, UNBAN, BANS, LOCK, INVITE, MODERATOR or DELETE",
    );
    check(&["KICK", "bob"], "target-absent: bob is not here; WHO lists names");
    check(&["MSG", "hi"], "not-moderator: MSG is not a command of moderators");
    check(
        &["BAN", "127.0.0.1"],
        "address-refused: '127.0.0.1' cannot be banned: it has addresses of the server's own machine",
    );
    check(
        &["BAN", "0.0.0.0/0"],
        "address-refused: '0.0.0.0/0' cannot be banned: the prefix is too short: expected at least /8",
    );
    check(&["BAN", "10.9.0.0/16"], "address-refused: 10.9.0.0/16 contains the address of a trusted proxy");
    check(&["UNBAN", "7"], "ban-unknown: there is no such ban; BANS lists them");
    check(&["#ops", "KICK", "alice"], "there is no room #ops with members or stored messages");
    check(
        &["BAN", "alice", "7x"],
        "duration-invalid: invalid duration '7x': expected a number and s, m, h, d or w, at most 3660 days; then the reason; write: BAN name|@name|address [duration] [reason]",
    );
    alice.send("JOIN #ops");
    alice.expect_start("OK JOIN #ops ");
    assert_eq!(stdout(server.moderate(&["#OPS", "KICK", "alice"])), "KICK alice\n");
    alice.expect("#ops COORDINATOR alice");
    alice.expect("#ops LEAVE alice kicked by the operator");
}

/// Also after `kill -9`.
#[cfg(feature = "store")]
#[test]
fn bans_and_mutes_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let arguments = ["--data", data.to_str().expect("UTF-8")];
    let server = ModeratedServer::start(&arguments);
    let commands = [&["BAN", "192.0.2.0/24"][..], &["BAN", "eve", "1h"], &["MUTE", "bob", "1h"]];
    let replies = commands.map(|words| stdout(server.moderate(words)));
    assert_eq!(replies, ["BAN 1 192.0.2.0/24\n", "BAN 2 eve\n", "MUTE 3 bob\n"]);
    let ControlledServer { mut server, .. } = server.server;
    server.signal("-KILL");
    server.wait();
    let server = ModeratedServer::start(&arguments);
    server.client("192.0.2.9").expect("ERR - banned your address is banned from this server");
    let mut client = server.client("198.51.100.1");
    client.expect_start("HELLO ");
    client.send("NICK EVE");
    client.expect_start("ERR NICK banned you are banned from this server until ");
    client.send("NICK bob");
    client.expect("OK NICK bob");
    client.expect("COORDINATOR bob");
    client.send("MSG hi");
    client.expect_start("ERR MSG muted ");
    assert_eq!(stdout(server.moderate(&["UNMUTE", "bob"])), "UNMUTE 3 bob\n");
}

/// Also after `kill -9`.
#[cfg(feature = "store")]
#[test]
fn locks_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let arguments = ["--data", data.to_str().expect("UTF-8")];
    let server = ModeratedServer::start(&arguments);
    let path = server.server.path.display().to_string();
    let refused = |words: &[&str], why: &str| {
        let expected = format!("chinwagd: the server at \"{path}\" refused: {why}\n");
        assert_eq!(stderr(&server.moderate(words), 1), expected);
    };
    refused(&["LOCK", "invited"], "room-missing: the command is about a room: name it first, as in #ops LOCK accounts");
    let mut alice = server.member("192.0.2.1", "alice");
    alice.send("JOIN #ops");
    alice.send("#ops MSG hi");
    alice.until("#ops OK MSG 1");
    assert_eq!(stdout(server.moderate(&["#ops", "LOCK", "invited"])), "LOCK invited\n");
    alice.expect("#ops LOCK - invited");
    let mut bob = server.member("192.0.2.2", "bob");
    alice.expect("JOIN bob");
    bob.send("JOIN #ops");
    bob.expect_start("ERR JOIN room-locked #ops is locked: ");
    assert_eq!(stdout(server.moderate(&["#ops", "INVITE", "bob"])), "INVITE bob on\n");
    bob.expect("#ops INVITE - bob on");
    bob.send("JOIN #ops");
    bob.expect_start("OK JOIN #ops ");
    let ControlledServer { mut server, .. } = server.server;
    server.signal("-KILL");
    server.wait();
    let server = ModeratedServer::start(&arguments);
    let mut bob = server.member("192.0.2.2", "bob");
    bob.send("JOIN #ops");
    bob.expect_start("ERR JOIN room-locked ");
    bob.send("ROOMS #o");
    bob.expect("ROOM #ops members=0 out lock=invited");
    assert_eq!(stdout(server.moderate(&["#ops", "LOCK", "open"])), "LOCK open\n");
    bob.expect("OK ROOMS 1");
    bob.send("JOIN #ops");
    bob.expect_start("OK JOIN #ops ");
}
