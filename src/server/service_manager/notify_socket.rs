//! The socket on which the service manager receives messages (`sd_notify(3)`).
//!
//! No crate sends them here: sd-notify opens a socket for each message, which fails when clients have taken all file descriptors, just when
//! the watchdog must not fail, and it knows no names of abstract sockets.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use crate::limits::SERVICE_NOTIFY_MS_MAX;

/// Sends messages to the service manager.
#[derive(Debug)]
pub(super) struct NotifySocket {
    /// Open from the start, because later all descriptors may be in use.
    socket: UnixDatagram,
    address: SocketAddr,
}

impl NotifySocket {
    /// The socket that the environment names. `None`: the service manager wants no messages.
    pub(super) fn from_environment() -> Option<io::Result<Self>> {
        let address = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())?;
        Some(Self::new(&address))
    }

    /// `address`: a path, or `@` and the name of an abstract socket.
    pub(super) fn new(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_encoded_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET is neither a path nor @NAME")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(Duration::from_millis(SERVICE_NOTIFY_MS_MAX)))?;
        Ok(Self { socket, address })
    }

    /// Sends a message: lines of `NAME=value`. Waits for at most [`SERVICE_NOTIFY_MS_MAX`].
    pub(super) fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.address).map(|_| ())
    }
}

/// The time within which the service manager expects the next sign of life (`sd_watchdog_enabled(3)`). `None`: it expects none, at least not
/// from this process.
pub(super) fn watchdog_timeout() -> Option<Duration> {
    let number = |name| env::var(name).ok();
    watchdog_timeout_of(number("WATCHDOG_USEC").as_deref(), number("WATCHDOG_PID").as_deref(), process::id())
}

fn watchdog_timeout_of(microseconds: Option<&str>, expected: Option<&str>, process: u32) -> Option<Duration> {
    let is_expected = expected.is_none_or(|expected| expected.parse() == Ok(process));
    let microseconds = microseconds?.parse::<u64>().ok().filter(|&microseconds| microseconds > 0 && is_expected)?;
    Some(Duration::from_micros(microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchdog_is_for_this_process() {
        let half_a_minute = Some(Duration::from_secs(30));
        assert_eq!(watchdog_timeout_of(Some("30000000"), Some("7"), 7), half_a_minute);
        assert_eq!(watchdog_timeout_of(Some("30000000"), None, 7), half_a_minute);
        assert_eq!(watchdog_timeout_of(Some("30000000"), Some("8"), 7), None);
        for absent in [None, Some(""), Some("0"), Some("-1"), Some("30s")] {
            assert_eq!(watchdog_timeout_of(absent, None, 7), None, "{absent:?}");
        }
    }

    #[test]
    fn abstract_socket_begins_with_at() {
        let name = format!("chinwag-test-{}", process::id());
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        NotifySocket::new(OsStr::new(&format!("@{name}"))).unwrap().send("READY=1").unwrap();
        let mut message = [0; 64];
        let length = receiver.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1");
        assert!(NotifySocket::new(OsStr::new("vsock:2:1234")).is_err());
    }

    /// systemd may be too busy to read: the server does not wait for it.
    #[test]
    fn full_socket_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _unread = UnixDatagram::bind(&path).unwrap();
        let socket = NotifySocket::new(path.as_os_str()).unwrap();
        let error = (0..100_000).find_map(|_| socket.send("WATCHDOG=1").err()).expect("the socket is full");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
