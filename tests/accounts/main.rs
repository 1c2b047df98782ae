//! Accounts over plain TCP of this machine: stops of the server, limits for each address, secrets. `src/session/login_tests.rs` has the
//! rules in virtual time; the transcripts in `protocol.md` have each command.

#[path = "../common/mod.rs"]
mod common;

mod durable;
mod limits;
mod options;
mod secrets;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use self::common::{Client, DEADLINE, Server, command};

const PASSWORD: &str = "correct horse battery";
const WRONG: &str = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";

/// A server with accounts, and its log at the level `debug`.
struct AccountServer {
    server: Server,
    directory: TempDir,
    log: Receiver<String>,
}

impl AccountServer {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), arguments)
    }

    fn start_in(directory: TempDir, arguments: &[&str]) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--log", "debug", "--line-rate", "0", "--data"]);
        command.arg(directory.path().join("chat.db")).args(arguments);
        let mut server = Server::spawn(command.stderr(Stdio::piped()));
        let (stderr, (to_test, log)) = (server.take_stderr(), mpsc::channel());
        thread::spawn(move || BufReader::new(stderr).lines().try_for_each(|line| to_test.send(line.expect("UTF-8"))));
        Self { server, directory, log }
    }

    /// Stops the server with this signal. Returns its files and its log.
    fn stop(mut self, signal: &str) -> (TempDir, Vec<String>) {
        self.server.signal(signal);
        self.server.wait();
        (self.directory, self.log.iter().collect())
    }

    fn restart(self, signal: &str, arguments: &[&str]) -> Self {
        Self::start_in(self.stop(signal).0, arguments)
    }

    fn connect(&self) -> Client {
        self.connect_from(1)
    }

    /// A connection from the address 127.0.0.`number` of this machine.
    fn connect_from(&self, number: u8) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), 0));
        socket.bind(&source.into()).expect("an address of this machine");
        socket.connect(&self.server.address.into()).expect("the server accepts");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut client = Client::new(stream);
        client.expect_start("HELLO ");
        client
    }

    /// A member that has registered this account.
    fn register(&self, number: u8, name: &str) -> Client {
        let mut client = self.connect_from(number);
        client.send(&format!("NICK {name}"));
        client.expect(&format!("OK NICK {name}"));
        client.sync();
        assert_eq!(ask(&mut client, &format!("REGISTER {PASSWORD}")), format!("OK REGISTER {name}"));
        client
    }
}

/// Sends a line, and reads up to its reply, which it returns.
fn ask(client: &mut Client, line: &str) -> String {
    client.send(line);
    reply(client)
}

/// Reads up to a reply.
fn reply(client: &mut Client) -> String {
    loop {
        let line = client.next().expect("a reply");
        if line.starts_with("OK ") || line.starts_with("ERR ") {
            return line;
        }
    }
}

fn quit(mut client: Client) {
    client.send("QUIT");
    client.until("OK QUIT");
    client.expect_end();
}
