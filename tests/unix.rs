//! The server on Unix sockets: the file, its mode, the addresses in `STATUS`, the limits. Tests that run over every transport are in
//! `tests/transports`.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use self::common::{DEADLINE, HELLO, Server, command, exit_code};

/// A server that listens for plain TCP, and on a Unix socket with these parameters.
struct UnixServer {
    server: Server,
    path: PathBuf,
    directory: tempfile::TempDir,
}

impl UnixServer {
    fn start(parameters: &str, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), parameters, arguments)
    }

    fn start_in(directory: tempfile::TempDir, parameters: &str, arguments: &[&str]) -> Self {
        let path = directory.path().join("chat.sock");
        let listen = format!("unix://{}{parameters}", path.display());
        let mut server = Server::with(&[&["--listen", &*listen], arguments].concat());
        let line = server.stdout_line();
        let path_text = path.display();
        assert_eq!(line, format!("chinwagd: listening on {path_text} - join with: nc -U {path_text}"));
        Self { server, path, directory }
    }

    fn connect(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(&self.path).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        BufReader::new(stream)
    }

    fn mode(&self) -> u32 {
        fs::metadata(&self.path).expect("the socket's file").mode() & 0o7777
    }
}

fn line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

/// The error of a server that cannot listen on this path.
fn start_error(path: &Path) -> String {
    let mut command = command(&["--log", "error", "--listen", &format!("unix://{}", path.display())]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(1));
    io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8")
}

#[test]
fn socket_has_its_mode_and_owner_and_is_removed_at_the_stop() {
    let mut server = UnixServer::start("", &[]);
    assert_eq!(server.mode(), 0o660);
    server.server.signal("-TERM");
    server.server.wait();
    assert!(!server.path.exists());
    let own = fs::metadata(server.directory.path()).expect("a directory");
    let server = UnixServer::start(&format!("?mode=600&owner={}:{}", own.uid(), own.gid()), &[]);
    assert_eq!(server.mode(), 0o600);
}

#[test]
fn second_signal_removes_the_socket() {
    let mut server = UnixServer::start("", &[]);
    let _stuck: Vec<_> = (0..3).map(|_| server.connect()).collect();
    server.server.signal("-TERM");
    server.server.signal("-INT");
    server.server.wait();
    assert!(!server.path.exists());
}

/// The socket of a server that was killed is replaced; that of a running one is not, and no other file is.
#[test]
fn stale_socket_is_replaced_and_nothing_else() {
    let mut server = UnixServer::start("", &[]);
    let path = server.path.clone();
    let expected = format!(
        "chinwagd: cannot listen on {}: a server listens there already; stop it or choose another path\n",
        path.display()
    );
    assert_eq!(start_error(&path), expected);
    assert_eq!(line(&mut server.connect()), HELLO, "the first server is still there");
    server.server.signal("-KILL");
    server.server.wait();
    assert!(path.exists());
    let server = UnixServer::start_in(server.directory, "", &[]);
    assert_eq!(line(&mut server.connect()), HELLO);
    let file = server.directory.path().join("file");
    fs::write(&file, "text").expect("a file");
    let expected = format!(
        "chinwagd: cannot listen on {}: expected a new path or the socket of a server that no longer runs; found a file\n",
        file.display()
    );
    assert_eq!(start_error(&file), expected);
    assert_eq!(fs::read_to_string(&file).expect("the file"), "text");
}

/// If one listener cannot be opened, no file of another is left behind.
#[test]
fn failed_start_leaves_no_socket() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let (unix, tcp) = (format!("unix://{}", path.display()), server.address.to_string());
    let mut child = command(&["--log", "off", "--listen", &unix, "--listen", &tcp]).stderr(Stdio::null()).spawn();
    assert_eq!(exit_code(child.as_mut().expect("it starts"), DEADLINE), Some(1));
    assert!(!path.exists());
}

#[test]
fn client_has_the_address_unix_and_no_limit_of_an_address() {
    let server = UnixServer::start("", &["--max-per-address", "1", "--connect-rate", "1", "--max-clients", "3"]);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(line(client), HELLO);
    }
    let full = "ERR - server-full the server has its maximum of 3 connections; try again later";
    assert_eq!(line(&mut server.connect()), full);
    let alice = &mut clients[0];
    alice.get_mut().write_all(b"NICK alice\nSTATUS\n").expect("the server reads");
    for expected in ["OK NICK alice", "COORDINATOR alice"] {
        assert_eq!(line(alice), expected);
    }
    assert_eq!(line(alice), "USER alice coordinator id=1 address=unix idle=0 online=0");
}

/// All clients on Unix sockets create rooms from one bucket.
#[test]
fn clients_share_the_limit_of_room_creations() {
    let server = UnixServer::start("", &[]);
    let (mut alice, mut bob) = (server.connect(), server.connect());
    for (client, name) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        writeln!(client.get_mut(), "NICK {name}").expect("the server reads");
    }
    let rooms = |first: u32| (first..first + 16).map(|n| format!("#room{n}")).collect::<Vec<_>>().join(",");
    let join = |client: &mut BufReader<UnixStream>, first| {
        writeln!(client.get_mut(), "JOIN {}", rooms(first)).expect("the server reads");
        std::iter::repeat_with(|| line(client)).find(|line| line.contains(" JOIN ")).expect("a reply")
    };
    for number in 0..6 {
        let reply = join(&mut alice, number * 16);
        assert!(reply.starts_with("OK JOIN "), "{reply}");
    }
    let reply = join(&mut bob, 1000);
    assert!(reply.starts_with("ERR JOIN rooms-too-fast your address creates rooms too fast"), "{reply}");
}

/// So that line n of the port file belongs to the listener n.
#[test]
fn port_file_has_a_hyphen_for_a_unix_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ports");
    let file_text = file.to_str().expect("UTF-8");
    for _ in 0..2 {
        let mut server = UnixServer::start("", &["--port-file", file_text]);
        let expected = format!("{}\n-\n", server.server.address.port());
        assert_eq!(fs::read_to_string(&file).expect("the port file"), expected);
        // The next server replaces it.
        server.server.signal("-KILL");
        server.server.wait();
    }
}
