//! The address of a client, as `STATUS` and the log show it, and whether the way to it is secure.

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

impl PeerAddress {
    /// Whether the client is on this machine.
    pub fn is_local(self) -> bool {
        match self {
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix => true,
        }
    }
}

/// A client, as the server knows it before its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: PeerAddress,
    /// Whether nobody on the way can read or change the lines, as far as the server knows.
    pub is_secure: bool,
}

impl Peer {
    /// A client at this address, which may be on this machine, over a transport that may be encrypted.
    pub fn new(address: PeerAddress, is_encrypted: bool) -> Self {
        Self { address, is_secure: is_encrypted || address.is_local() }
    }
}

impl From<PeerAddress> for Peer {
    fn from(address: PeerAddress) -> Self {
        Self::new(address, false)
    }
}

impl<T: Into<IpAddr>> From<(T, u16)> for Peer {
    fn from(address: (T, u16)) -> Self {
        PeerAddress::from(address).into()
    }
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
