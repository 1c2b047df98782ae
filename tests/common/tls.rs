//! A route through TLS: a relay in a thread of the test, with a client that is not our own server's: rustls' client.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use socket2::SockRef;
use tempfile::TempDir;

use super::route::{Endpoint, Listener, Route, connect_socket};

/// TLS.
pub struct ThroughTls;

/// A self-signed certificate and its key, made by `chinwagd cert`, for all tests of a program.
static FILES: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    make_certificate(directory.path(), &[]);
    directory
});

/// Makes `chinwag-cert.pem` and `chinwag-key.pem` in this directory. Returns what the command prints.
pub fn make_certificate(directory: &Path, names: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.arg("cert").arg("--out").arg(directory);
    command.args(names.iter().flat_map(|name| ["--name", name]));
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The options for the certificate in this directory.
pub fn certificate_options(directory: &Path) -> Vec<String> {
    let path = |name: &str| directory.join(name).to_str().expect("UTF-8").to_owned();
    ["--tls-cert".to_owned(), path("chinwag-cert.pem"), "--tls-key".to_owned(), path("chinwag-key.pem")].into()
}

/// The directory of the certificate that all tests share.
pub fn shared_certificate() -> &'static Path {
    FILES.path()
}

/// A client that trusts the certificate in this directory, and speaks these versions.
pub fn client_config(directory: &Path, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(directory.join("chinwag-cert.pem")).expect("a certificate");
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    builder.with_root_certificates(roots).with_no_client_auth()
}

impl Route for ThroughTls {
    const IS_ENCRYPTED: bool = true;

    fn listener(scheme: &str) -> Option<Listener> {
        let scheme = if scheme == "http" { "https" } else { "tls" };
        let mut arguments = vec!["--listen".to_owned(), format!("{scheme}://127.0.0.1:0")];
        arguments.extend(certificate_options(shared_certificate()));
        Some(Listener { arguments, directory: None })
    }

    fn connect(endpoint: &Endpoint, receive_buffer: Option<usize>) -> TcpStream {
        let config = client_config(shared_certificate(), rustls::ALL_VERSIONS);
        relay(connect_socket(endpoint, receive_buffer), config, "127.0.0.1")
    }
}

/// Connects a stream of plain text to a server for TLS with this name. Panics if the handshake fails.
pub fn relay(far: TcpStream, config: ClientConfig, name: &str) -> TcpStream {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
    tls.complete_io(&mut &far).expect("a handshake");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // Small buffers, so that the server soon notices if the client does not read. With still smaller ones, TCP waits for larger windows.
    SockRef::from(&listener).set_recv_buffer_size(64 * 1024).expect("a socket");
    let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    SockRef::from(&near).set_recv_buffer_size(64 * 1024).expect("a socket");
    let (relay_end, _) = listener.accept().expect("a connection");
    SockRef::from(&relay_end).set_send_buffer_size(64 * 1024).expect("a socket");
    for stream in [&near, &relay_end, &far] {
        stream.set_nodelay(true).expect("no delay");
    }
    let mut relay =
        Relay { near: relay_end, far, tls, to_near: Vec::new(), has_near_ended: false, has_far_ended: false };
    // With TLS 1.2, the greeting may have come with the end of the handshake.
    relay.take_text().expect("records");
    thread::spawn(move || {
        if relay.run().is_err() {
            // Each side sees that the other has broken the connection.
            for stream in [&relay.near, &relay.far] {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
    });
    near
}

struct Relay {
    near: TcpStream,
    far: TcpStream,
    tls: ClientConnection,
    /// Text for the near side.
    to_near: Vec<u8>,
    has_near_ended: bool,
    has_far_ended: bool,
}

impl Relay {
    /// Runs until both sides have ended. An end of the far side without `close_notify` is an error.
    fn run(&mut self) -> io::Result<()> {
        self.near.set_nonblocking(true)?;
        self.far.set_nonblocking(true)?;
        loop {
            let is_blocked = [self.send_far()?, self.send_near()?];
            if self.has_near_ended && self.has_far_ended {
                return Ok(());
            }
            let event = |is_wanted: bool, event| if is_wanted { event } else { PollFlags::empty() };
            let near =
                event(!self.has_near_ended && !is_blocked[0], PollFlags::IN) | event(is_blocked[1], PollFlags::OUT);
            let far =
                event(!self.has_far_ended && !is_blocked[1], PollFlags::IN) | event(is_blocked[0], PollFlags::OUT);
            let mut both = [PollFd::new(&self.near, near), PollFd::new(&self.far, far)];
            poll(&mut both, None)?;
            let [near, far] = both.map(|side| side.revents());
            let broken = PollFlags::HUP | PollFlags::ERR;
            if near.intersects(PollFlags::IN | broken) && !self.has_near_ended {
                self.receive_near()?;
            }
            if far.intersects(PollFlags::IN | broken) && !self.has_far_ended {
                self.receive_far()?;
            }
        }
    }

    fn receive_near(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match (&self.near).read(&mut buffer) {
            Ok(0) => {
                self.has_near_ended = true;
                self.tls.send_close_notify();
            }
            Ok(count) => self.tls.writer().write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn receive_far(&mut self) -> io::Result<()> {
        match self.tls.read_tls(&mut &self.far) {
            Ok(0) if !self.has_far_ended => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        self.take_text()
    }

    /// Takes the text that has been received from the far side.
    fn take_text(&mut self) -> io::Result<()> {
        let state = self.tls.process_new_packets().map_err(io::Error::other)?;
        let start = self.to_near.len();
        self.to_near.resize(start + state.plaintext_bytes_to_read(), 0);
        self.tls.reader().read_exact(&mut self.to_near[start..])?;
        self.has_far_ended = state.peer_has_closed();
        if self.has_far_ended && self.to_near.is_empty() {
            self.near.shutdown(std::net::Shutdown::Write)?;
        }
        Ok(())
    }

    /// Sends what is encrypted. Returns whether some is left.
    fn send_far(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut &self.far) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                sent => sent?,
            };
        }
        Ok(false)
    }

    fn send_near(&mut self) -> io::Result<bool> {
        while !self.to_near.is_empty() {
            match (&self.near).write(&self.to_near) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Ok(count) => drop(self.to_near.drain(..count)),
                Err(error) => return Err(error),
            }
            if self.has_far_ended && self.to_near.is_empty() {
                self.near.shutdown(std::net::Shutdown::Write)?;
            }
        }
        Ok(false)
    }
}
