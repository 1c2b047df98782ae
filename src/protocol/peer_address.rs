//! The address of a client, as `STATUS` and the log show it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The word that stands for the address of a client on a Unix socket.
const UNIX: &str = "unix";

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A Unix socket: the client is on this machine and has no address.
    Unix,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str(UNIX),
        }
    }
}

impl FromStr for PeerAddress {
    type Err = std::net::AddrParseError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        if raw == UNIX { Ok(Self::Unix) } else { raw.parse().map(Self::Ip) }
    }
}

impl<T: Into<IpAddr>> From<(T, u16)> for PeerAddress {
    fn from(address: (T, u16)) -> Self {
        Self::Ip(address.into())
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}
