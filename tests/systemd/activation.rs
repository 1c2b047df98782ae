//! Sockets that systemd, or a stand-in for it, creates before the server runs.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::activated;
use crate::common::{DEADLINE, EPOCH, HELLO, Server, needs};

/// A client that reads lines within the deadline.
struct Peer<S>(BufReader<S>);

impl<S: Read + Write> Peer<S> {
    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it is sent");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }
}

fn tcp(address: SocketAddr) -> io::Result<Peer<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(Peer(BufReader::new(stream)))
}

fn unix(path: &Path) -> io::Result<Peer<UnixStream>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(Peer(BufReader::new(stream)))
}

/// Connects as soon as the other program listens.
fn until_connected<P>(connect: impl Fn() -> io::Result<P>) -> P {
    let start = Instant::now();
    loop {
        match connect() {
            Ok(peer) => return peer,
            Err(error) => assert!(start.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::yield_now();
    }
}

fn stop(mut server: Server) {
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// The first client starts the server. Its line is sent before the server exists.
#[test]
fn first_client_starts_the_server_and_its_line_is_not_lost() {
    if !needs("systemd-socket-activate") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (path, port_file) = (directory.path().join("chat.sock"), directory.path().join("ports"));
    // systemd-socket-activate takes no port 0. No other test has this address.
    let [_, _, high, low] = process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 73, high, low.clamp(1, 254));
    let [lines, web] = [9999, 8080].map(|port| SocketAddr::from((ip, port)));
    let mut command = Command::new("systemd-socket-activate");
    command.arg("-l").arg(lines.to_string()).arg("-l").arg(&path);
    let with_web = cfg!(feature = "web");
    if with_web {
        command.arg("-l").arg(web.to_string());
    }
    command.arg(if with_web { "--fdname=chat:chat:web" } else { "--fdname=chat:chat" });
    command.args([env!("CARGO_BIN_EXE_chinwagd"), "--epoch", EPOCH, "--log", "error"]);
    command.args(["--listen", "tcp+fd://chat", "--listen", "unix+fd://chat"]);
    if with_web {
        command.args(["--listen", "http+fd://web"]);
    }
    let child = command.arg("--port-file").arg(&port_file).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.expect("systemd-socket-activate starts");
    let mut alice = until_connected(|| tcp(lines));
    alice.send("NICK alice");
    // Reads the line of the first listener.
    let mut server = Server::adopt(child);
    assert_eq!(server.address, lines);
    alice.expect(HELLO);
    alice.expect("OK NICK alice");
    let path_text = path.display();
    assert_eq!(server.stdout_line(), format!("chinwagd: listening on {path_text} - join with: nc -U {path_text}"));
    let mut bob = unix(&path).expect("it accepts");
    bob.expect(HELLO);
    bob.send("NICK bob");
    bob.expect("OK NICK bob");
    if with_web {
        let line = server.stdout_line();
        assert_eq!(line, format!("chinwagd: listening on {web} - open in a browser: http://{web}/"));
        let mut browser = tcp(web).expect("it accepts");
        browser.send(&format!("GET /healthz HTTP/1.1\r\nHost: {web}\r\n\r"));
        browser.expect("HTTP/1.1 200 OK");
    }
    let ports = fs::read_to_string(&port_file).expect("a port file");
    assert_eq!(ports, if with_web { "9999\n-\n8080\n" } else { "9999\n-\n" });
    stop(server);
    assert!(path.exists(), "the server has removed a file of systemd");
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[test]
fn name_stands_for_all_its_sockets() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, port_file) = (directory.path().join("chat.sock"), directory.path().join("ports"));
    let socket = UnixListener::bind(&path).expect("a socket");
    let [(a, address_a), (b, address_b), (c, address_c)] = [listener(), listener(), listener()];
    let sockets: [(&str, &dyn AsFd); 4] = [("chat", &a), ("unknown", &b), ("chat", &socket), ("chat", &c)];
    let arguments = ["--listen", "unix+fd://chat", "--listen", "tcp+fd://chat", "--listen", "tcp+fd://unknown"];
    let (mut command, _sockets) = activated(&sockets, "error", &arguments);
    let child = command.arg("--port-file").arg(&port_file).stdout(Stdio::piped()).spawn().expect("bash starts");
    let mut client = unix(&path).expect("it accepts");
    client.expect(HELLO);
    for address in [address_a, address_b, address_c] {
        tcp(address).expect("it accepts").expect(HELLO);
    }
    let ports = fs::read_to_string(&port_file).expect("a port file");
    assert_eq!(ports, format!("-\n{}\n{}\n{}\n", address_a.port(), address_c.port(), address_b.port()));
    let mut server = RunningServer(child);
    server.stop();
    // The sockets still belong to the test: clients that connect now wait for the next server.
    let mut waiting = tcp(address_a).expect("it is queued");
    waiting.send("NICK alice");
    let (mut command, _sockets) = activated(&sockets, "error", &arguments);
    let _server = RunningServer(command.stdout(Stdio::null()).spawn().expect("bash starts"));
    waiting.expect(HELLO);
    waiting.expect("OK NICK alice");
}

/// A server whose first listener is a Unix socket.
struct RunningServer(process::Child);

impl RunningServer {
    fn stop(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
        assert_eq!(crate::common::exit_code(&mut self.0, DEADLINE), Some(0));
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kernel has set up its connection before the server could set any option.
#[test]
fn waiting_connection_gets_the_options_of_others() {
    if !needs("ss") {
        return;
    }
    let (socket, address) = listener();
    let mut early = tcp(address).expect("it is queued");
    let (mut command, _sockets) = activated(&[("chat", &socket)], "error", &["--listen", "tcp+fd://chat"]);
    let server = Server::spawn(&mut command);
    early.expect(HELLO);
    let mut late = tcp(address).expect("it accepts");
    late.expect(HELLO);
    for client in [early, late] {
        let port = client.0.get_ref().local_addr().expect("an address").port();
        let filter = format!("sport = :{} and dport = :{port}", address.port());
        let listed = Command::new("ss").args(["-tnoH", &filter]).output().expect("ss runs");
        let listed = String::from_utf8(listed.stdout).expect("text");
        assert!(listed.contains("timer:(keepalive,"), "no keepalive: {listed}");
    }
    stop(server);
}

/// systemd creates sockets that serve both (`ListenStream=9999`).
#[test]
fn ipv4_client_of_an_ipv6_socket_has_its_ipv4_address() {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a socket");
    socket.set_only_v6(false).expect("it serves IPv4, too");
    socket.bind(&SocketAddr::from(([0_u16; 8], 0)).into()).expect("a port");
    socket.listen(10).expect("it listens");
    let port = socket.local_addr().expect("an address").as_socket().expect("an IP address").port();
    let (mut command, _sockets) = activated(&[("chat", &socket)], "info", &["--listen", "tcp+fd://chat"]);
    let server = Server::spawn(command.stderr(Stdio::piped()));
    let mut client = tcp(SocketAddr::from(([127, 0, 0, 1], port))).expect("it accepts");
    client.expect(HELLO);
    let own = client.0.get_ref().local_addr().expect("an address");
    let log = server.stop();
    assert!(log.contains(&format!(" connected id=1 transport=tcp address={own}\n")), "{log}");
    assert!(log.contains(" other machines can reach this listener"), "{log}");
}
