//! How the bytes of a test's client reach the server. Every route has the same kind of stream at the client's end.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tempfile::TempDir;

/// A listener of the server under test, in addition to that for plain TCP.
pub struct Listener {
    /// The server's options.
    pub arguments: Vec<String>,
    /// The files that the options name.
    pub directory: Option<TempDir>,
}

/// The address that the server announces.
#[derive(Clone, Debug)]
pub enum Endpoint {
    Ip(SocketAddr),
    Unix(PathBuf),
}

impl Endpoint {
    /// The address in a line like `chinwagd: listening on 127.0.0.1:9999 - join with: …`.
    pub fn in_line(line: &str) -> Self {
        let rest = line.strip_prefix("chinwagd: listening on ");
        let (address, _) = rest.and_then(|rest| rest.split_once(" - ")).unwrap_or_else(|| panic!("{line:?}"));
        address.parse().map_or_else(|_| Self::Unix(address.into()), Self::Ip)
    }

    /// The IP address and port.
    pub fn ip(&self) -> Option<SocketAddr> {
        if let Self::Ip(address) = self { Some(*address) } else { None }
    }
}

/// Connects a socket to the server itself, with a receive buffer of this size. A Unix socket is returned as a `TcpStream`, too: both are
/// descriptors with the same system calls.
pub fn connect_socket(endpoint: &Endpoint, receive_buffer: Option<usize>) -> TcpStream {
    let (domain, address) = match endpoint {
        Endpoint::Ip(address) => (Domain::for_address(*address), (*address).into()),
        Endpoint::Unix(path) => (Domain::UNIX, SockAddr::unix(path).expect("a short path")),
    };
    let socket = Socket::new(domain, Type::STREAM, None).expect("a socket");
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).expect("a socket");
    }
    socket.connect(&address).expect("the server accepts");
    OwnedFd::from(socket).into()
}

/// A way from a client to the server.
pub trait Route: Send + 'static {
    /// Whether TCP carries the client's bytes as they are.
    const IS_TCP: bool = false;
    /// Whether the client's bytes are encrypted.
    const IS_ENCRYPTED: bool = false;

    /// The listener for this scheme: `tcp` or `http`. `None`: that for plain TCP, which every server has.
    fn listener(scheme: &str) -> Option<Listener>;

    /// Connects, with a receive buffer of this size.
    fn connect(endpoint: &Endpoint, receive_buffer: Option<usize>) -> TcpStream {
        connect_socket(endpoint, receive_buffer)
    }

    /// Breaks the connection, like a host that has forgotten it.
    fn reset(stream: &TcpStream) {
        SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    }
}

/// TCP, without anything in between.
pub struct Direct;

impl Route for Direct {
    const IS_TCP: bool = true;

    fn listener(scheme: &str) -> Option<Listener> {
        let arguments = || ["--listen".to_owned(), format!("{scheme}://127.0.0.1:0")].into();
        (scheme != "tcp").then(|| Listener { arguments: arguments(), directory: None })
    }
}

/// A Unix socket.
pub struct ThroughUnix;

impl Route for ThroughUnix {
    fn listener(scheme: &str) -> Option<Listener> {
        assert_eq!(scheme, "tcp", "only lines");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("chat.sock");
        let arguments = ["--listen".to_owned(), format!("unix://{}", path.display())].into();
        Some(Listener { arguments, directory: Some(directory) })
    }

    /// The kernel reports a reset if the client closes before it has read everything.
    fn reset(mut stream: &TcpStream) {
        stream.write_all(b"PING unread\n").expect("the server reads");
        stream.peek(&mut [0]).expect("a reply");
    }
}

/// TCP behind a proxy, which says that the client uses TLS, so that `HELLO` has the word `secure`.
#[cfg(feature = "proxy")]
pub struct ThroughProxy;

#[cfg(feature = "proxy")]
impl Route for ThroughProxy {
    const IS_TCP: bool = true;

    fn listener(scheme: &str) -> Option<Listener> {
        let arguments = ["--listen".to_owned(), format!("{scheme}://127.0.0.1:0?proxy=127.0.0.1")].into();
        Some(Listener { arguments, directory: None })
    }

    fn connect(endpoint: &Endpoint, receive_buffer: Option<usize>) -> TcpStream {
        use proxy_header::{ProxiedAddress, ProxyHeader, SslInfo, Tlv};

        let mut stream = connect_socket(endpoint, receive_buffer);
        let (client, server) = (stream.local_addr().expect("an address"), stream.peer_addr().expect("an address"));
        let client_uses_tls = Tlv::Ssl(SslInfo::new(true, false, false, 0));
        let mut header = Vec::new();
        ProxyHeader::with_tlvs(Some(ProxiedAddress::stream(client, server)), [client_uses_tls])
            .encode_v2(&mut header)
            .expect("a header");
        stream.write_all(&header).expect("the server reads");
        stream
    }
}
