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

/// Where a connection comes from, before the server has read the client's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The address of the client.
    pub address: PeerAddress,
    /// The proxy whose header names the client. `None`: without such a header, the address is the connection's own.
    pub proxy: Option<ProxyHop>,
}

/// A proxy, and the way beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHop {
    /// The proxy is on this machine.
    pub is_local: bool,
    /// The proxy says that the client's connection to it is encrypted.
    pub is_client_encrypted: bool,
}

impl ClientOrigin {
    /// The client, over a transport to the server or to the proxy that may be encrypted.
    pub fn peer(self, is_encrypted: bool) -> Peer {
        let Self { address, proxy } = self;
        match proxy {
            None => Peer::new(address, is_encrypted),
            // Even TLS may end at the proxy.
            Some(proxy) => Peer { address, is_secure: proxy.is_client_encrypted && (is_encrypted || proxy.is_local) },
        }
    }
}

impl From<PeerAddress> for ClientOrigin {
    fn from(address: PeerAddress) -> Self {
        Self { address, proxy: None }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn way_through_a_proxy_is_secure_if_both_parts_are() {
        let local = PeerAddress::from(([127, 0, 0, 1], 1024));
        let is_secure = |is_local, is_client_encrypted, is_encrypted| {
            let proxy = Some(ProxyHop { is_local, is_client_encrypted });
            ClientOrigin { address: local, proxy }.peer(is_encrypted).is_secure
        };
        assert!(is_secure(true, true, false) && is_secure(false, true, true));
        assert!(!is_secure(false, true, false), "the way to the proxy is plain");
        assert!(!is_secure(true, false, true), "the way to the client may be plain");
        let direct = |address: PeerAddress, is_encrypted| ClientOrigin::from(address).peer(is_encrypted).is_secure;
        let remote = PeerAddress::from(([192, 0, 2, 1], 1024));
        assert!(
            direct(local, false) && direct(PeerAddress::Unix, false) && direct(remote, true) && !direct(remote, false)
        );
    }
}
