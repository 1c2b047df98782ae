//! Listening sockets that the process inherits, as systemd passes them (`sd_listen_fds(3)`). Each has a name, and several may have the same.
//!
//! systemd creates the sockets and keeps them: clients can connect before the server runs and while it restarts, and wait. The server
//! removes no file of such a socket.

#[cfg(feature = "systemd")]
use std::env;
use std::error::Error;
use std::fmt;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
#[cfg(feature = "systemd")]
use std::process;

#[cfg(feature = "systemd")]
use listenfd::ListenFd;
#[cfg(feature = "systemd")]
use rustix::net::sockopt::socket_acceptconn;

use super::listen::{ListenAddress, Scheme};
use crate::command_line::quoted;

/// The inherited sockets that no listener has taken yet.
#[derive(Debug, Default)]
pub(super) struct InheritedSockets {
    sockets: Vec<InheritedSocket>,
    /// The process that the sockets are for, if it is not this one.
    other_process: Option<String>,
}

#[derive(Debug)]
struct InheritedSocket {
    name: String,
    kind: SocketKind,
}

#[derive(Debug)]
#[cfg_attr(not(feature = "systemd"), allow(dead_code, reason = "nothing passes sockets then"))]
enum SocketKind {
    Tcp(TcpListener),
    Unix(UnixListener),
    /// Another kind of descriptor: its kind, and the setting that is expected.
    Unusable(&'static str),
}

/// The kinds of descriptors that are not listening stream sockets, each with the setting that is expected.
#[cfg(feature = "systemd")]
const CONNECTION: &str = "it is a connection; set Accept=no in its .socket unit";
#[cfg(feature = "systemd")]
const DATAGRAM: &str = "it is a datagram socket; use ListenStream= in its .socket unit";
#[cfg(feature = "systemd")]
const NO_STREAM: &str = "it is not a stream socket; use ListenStream= in its .socket unit";

/// The name of a socket to which systemd has given none, as for `sd_listen_fds_with_names(3)`.
#[cfg(feature = "systemd")]
const NO_NAME: &str = "unknown";

#[cfg(feature = "systemd")]
impl InheritedSockets {
    /// Takes the sockets that the environment names. Call this once, before the process has other threads: it removes the variables.
    pub(super) fn from_environment() -> Self {
        let process = env::var("LISTEN_PID").unwrap_or_default();
        if process != process::id().to_string() {
            let other_process = (!process.is_empty()).then_some(process);
            return Self { sockets: Vec::new(), other_process };
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut passed = ListenFd::from_env();
        let count = passed.len();
        let socket = |index| InheritedSocket {
            name: names.next().unwrap_or(NO_NAME).to_owned(),
            kind: SocketKind::take(&mut passed, index),
        };
        Self { sockets: (0..count).map(socket).collect(), other_process: None }
    }
}

impl InheritedSockets {
    /// Checks that the process can listen on each socket.
    pub(super) fn check(&self) -> Result<(), InheritedSocketError> {
        let unusable = self.sockets.iter().find_map(|InheritedSocket { name, kind }| match kind {
            SocketKind::Unusable(why) => Some((name, *why)),
            SocketKind::Tcp(_) | SocketKind::Unix(_) => None,
        });
        let Some((name, why)) = unusable else { return Ok(()) };
        Err(InheritedSocketError::Unusable { name: name.clone(), why: why.to_owned() })
    }

    /// Takes the TCP sockets of this name, at least one, for a listener with this scheme.
    pub(super) fn take_tcp(&mut self, scheme: Scheme, name: &str) -> Result<Vec<TcpListener>, InheritedSocketError> {
        let is_taken = |socket: &mut InheritedSocket| socket.name == name && matches!(socket.kind, SocketKind::Tcp(_));
        let taken = self.sockets.extract_if(.., is_taken).filter_map(|socket| match socket.kind {
            SocketKind::Tcp(socket) => Some(socket),
            _ => None,
        });
        let taken: Vec<_> = taken.collect();
        if taken.is_empty() { Err(self.missing(scheme, name)) } else { Ok(taken) }
    }

    /// Takes the Unix sockets of this name, at least one.
    pub(super) fn take_unix(&mut self, name: &str) -> Result<Vec<UnixListener>, InheritedSocketError> {
        let is_taken = |socket: &mut InheritedSocket| socket.name == name && matches!(socket.kind, SocketKind::Unix(_));
        let taken = self.sockets.extract_if(.., is_taken).filter_map(|socket| match socket.kind {
            SocketKind::Unix(socket) => Some(socket),
            _ => None,
        });
        let taken: Vec<_> = taken.collect();
        if taken.is_empty() { Err(self.missing(Scheme::Unix, name)) } else { Ok(taken) }
    }

    fn missing(&self, scheme: Scheme, name: &str) -> InheritedSocketError {
        let others = self.sockets.iter().map(ToString::to_string).collect();
        let other_process = self.other_process.clone();
        InheritedSocketError::Missing { scheme, name: name.to_owned(), others, other_process }
    }

    /// Checks that listeners have taken all sockets: the clients of any other would wait forever.
    pub(super) fn check_all_taken(&self) -> Result<(), InheritedSocketError> {
        let Some(socket) = self.sockets.first() else { return Ok(()) };
        let scheme = if matches!(socket.kind, SocketKind::Unix(_)) { Scheme::Unix } else { Scheme::Tcp };
        Err(InheritedSocketError::Untaken { socket: socket.to_string(), scheme, name: socket.name.clone() })
    }
}

#[cfg(feature = "systemd")]
impl SocketKind {
    /// Takes the descriptor with this index.
    fn take(passed: &mut ListenFd, index: usize) -> Self {
        let or_connection = |is_listening, socket| if is_listening { socket } else { Self::Unusable(CONNECTION) };
        if let Ok(Some(socket)) = passed.take_tcp_listener(index) {
            return or_connection(socket_acceptconn(&socket) == Ok(true), Self::Tcp(socket));
        }
        if let Ok(Some(socket)) = passed.take_unix_listener(index) {
            return or_connection(socket_acceptconn(&socket) == Ok(true), Self::Unix(socket));
        }
        let is_datagram = passed.take_udp_socket(index).is_ok() || passed.take_unix_datagram(index).is_ok();
        Self::Unusable(if is_datagram { DATAGRAM } else { NO_STREAM })
    }
}

/// The address of a Unix socket. That of one without a file begins with `@`, as in the units of systemd.
pub(super) fn unix_address(address: &SocketAddr) -> ListenAddress {
    let path = address.as_pathname().map(PathBuf::from);
    let name = || address.as_abstract_name().map(String::from_utf8_lossy).unwrap_or_default();
    ListenAddress::Unix(path.unwrap_or_else(|| format!("@{}", name()).into()))
}

impl fmt::Display for InheritedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.kind {
            SocketKind::Tcp(socket) => socket.local_addr().ok().map(ListenAddress::Ip),
            SocketKind::Unix(socket) => socket.local_addr().ok().map(|address| unix_address(&address)),
            SocketKind::Unusable(_) => None,
        };
        f.write_str(&quoted(&self.name))?;
        address.map_or(Ok(()), |address| write!(f, " ({address})"))
    }
}

/// Why the server cannot start with the sockets that the process has inherited.
#[derive(Debug, PartialEq, Eq)]
pub enum InheritedSocketError {
    /// A listener names a socket that is not there, or that is of another kind.
    Missing {
        /// The scheme of the listener.
        scheme: Scheme,
        /// The name of the socket.
        name: String,
        /// The sockets that no listener has taken, each with its name and its address.
        others: Vec<String>,
        /// The process that the sockets are for, if it is not this one.
        other_process: Option<String>,
    },
    /// No listener names this socket.
    Untaken {
        /// Its name and its address.
        socket: String,
        /// A scheme that fits it.
        scheme: Scheme,
        /// Its name.
        name: String,
    },
    /// The server cannot listen on a socket.
    Unusable {
        /// The name of the socket.
        name: String,
        /// The problem, and the setting that is expected.
        why: String,
    },
}

impl fmt::Display for InheritedSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { scheme, name, others, other_process } => {
                write!(f, "cannot listen on {scheme}+fd://{name}: ")?;
                match other_process {
                    _ if !others.is_empty() => {
                        let others = others.join(", ");
                        let kind = if *scheme == Scheme::Unix { "Unix" } else { "TCP" };
                        write!(f, "expected a {kind} socket of this name (FileDescriptorName=); found {others}")
                    }
                    Some(process) => write!(
                        f,
                        "LISTEN_PID is {process}, not the number of this process; a script that starts the server must do so with exec"
                    ),
                    None => f.write_str(
                        "systemd has passed no socket, or other --listen options have taken all; start the server by its .socket unit, or with \
                         systemd-socket-activate",
                    ),
                }
            }
            Self::Untaken { socket, scheme, name } => write!(
                f,
                "no --listen option names the inherited socket {socket}, so its clients would wait forever; add --listen \
                 {scheme}+fd://{name}, or remove the socket from the .socket unit"
            ),
            Self::Unusable { name, why } => write!(f, "cannot listen on the inherited socket {}: {why}", quoted(name)),
        }
    }
}

impl Error for InheritedSocketError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(name: &str) -> InheritedSocket {
        InheritedSocket { name: name.to_owned(), kind: SocketKind::Tcp(TcpListener::bind("127.0.0.1:0").unwrap()) }
    }

    #[test]
    fn name_takes_all_sockets_of_its_kind() {
        let directory = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(directory.path().join("chat")).unwrap();
        let unix = InheritedSocket { name: "chat".to_owned(), kind: SocketKind::Unix(unix) };
        let sockets = vec![tcp("chat"), tcp("web"), unix, tcp("chat")];
        let mut inherited = InheritedSockets { sockets, other_process: None };
        assert_eq!(inherited.take_tcp(Scheme::Tcp, "chat").map(|taken| taken.len()), Ok(2));
        let error = inherited.take_tcp(Scheme::Tls, "chat").unwrap_err().to_string();
        assert!(error.starts_with("cannot listen on tls+fd://chat: expected a TCP socket of this name"), "{error}");
        let found = format!("\"chat\" ({})", directory.path().join("chat").display());
        assert!(error.ends_with(&found), "{error}");
        assert!(inherited.check_all_taken().is_err());
        assert_eq!(inherited.take_unix("chat").map(|taken| taken.len()), Ok(1));
        assert_eq!(inherited.take_tcp(Scheme::Http, "web").map(|taken| taken.len()), Ok(1));
        assert_eq!(inherited.check_all_taken(), Ok(()));
        let error = inherited.take_unix("chat").unwrap_err().to_string();
        assert!(error.starts_with("cannot listen on unix+fd://chat: systemd has passed no socket, or "), "{error}");
    }

    #[test]
    fn socket_without_a_file_begins_with_at() {
        let address = SocketAddr::from_abstract_name("chat").unwrap();
        assert_eq!(unix_address(&address), ListenAddress::Unix("@chat".into()));
    }
}
