//! The addresses of listeners, and what clients speak there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::process::shell_word;

/// The scheme of a listener's URI: the transport of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Lines over TCP.
    Tcp,
    /// Lines over TLS.
    Tls,
    /// Lines over a Unix socket.
    Unix,
    /// The chat page, and lines over WebSocket.
    Http,
    /// The same over TLS.
    Https,
    /// Metrics, over HTTP.
    Metrics,
}

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
            Self::Http => "http",
            Self::Https => "https",
            Self::Metrics => "metrics",
        }
    }

    /// Whether other machines may read what clients of this address send.
    pub(in crate::server) fn is_exposed(self, address: &ListenAddress) -> bool {
        match (self, address) {
            (Self::Tcp | Self::Http, address) => address.is_beyond_loopback(),
            _ => false,
        }
    }

    /// Whether other machines can read the server's metrics at this address.
    pub(in crate::server) fn shows_metrics(self, address: &ListenAddress) -> bool {
        self == Self::Metrics && address.is_beyond_loopback()
    }

    /// Explains to a user on the same machine how to join at this address.
    pub(super) fn invitation(self, address: &ListenAddress) -> String {
        let address = address.reachable();
        match (self, &address) {
            (Self::Http | Self::Https, _) => format!("open in a browser: {self}://{address}/"),
            (Self::Metrics, _) => format!("metrics for Prometheus: http://{address}/metrics"),
            (Self::Tls, _) => format!("join with: openssl s_client -quiet -connect {address}"),
            (_, ListenAddress::Ip(address)) => format!("join with: nc {} {}", address.ip(), address.port()),
            (_, ListenAddress::Unix(path)) => format!("join with: nc -U {}", shell_word(&path.to_string_lossy())),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ListenAddress {
    /// The port; `None` for a Unix socket.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }

    /// Whether other machines can reach it.
    fn is_beyond_loopback(&self) -> bool {
        matches!(self, Self::Ip(address) if !address.ip().to_canonical().is_loopback())
    }

    /// Whether a server cannot listen on both: they have a port in common, and one of them includes the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (Self::Ip(one), Self::Ip(other)) = (self, other) else { return self == other };
        let includes = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() > 0 && one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && includes
    }

    /// An address at which programs on the same machine reach a listener with this address.
    fn reachable(&self) -> Self {
        let Self::Ip(address) = self else { return self.clone() };
        let ip = match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            _ => return self.clone(),
        };
        Self::Ip(SocketAddr::new(ip, address.port()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_if_one_includes_the_other() {
        let overlaps = |one: &str, other: &str| {
            let ip = |raw: &str| ListenAddress::Ip(raw.parse().unwrap());
            assert_eq!(ip(one).overlaps(&ip(other)), ip(other).overlaps(&ip(one)));
            ip(one).overlaps(&ip(other))
        };
        assert!(overlaps("127.0.0.1:9", "127.0.0.1:9") && overlaps("0.0.0.0:9", "127.0.0.1:9"));
        assert!(overlaps("[::]:9", "[::1]:9"));
        assert!(!overlaps("127.0.0.1:9", "127.0.0.2:9") && !overlaps("0.0.0.0:9", "127.0.0.1:8"));
        assert!(!overlaps("0.0.0.0:9", "[::]:9") && !overlaps("0.0.0.0:0", "127.0.0.1:0"));
        let unix = ListenAddress::Unix("/run/x".into());
        assert!(unix.overlaps(&unix.clone()) && !unix.overlaps(&ListenAddress::Unix("/run/y".into())));
    }

    #[test]
    fn invitation_is_a_command_that_works_here() {
        let check = |scheme: Scheme, address: &str, expected: &str| {
            let ip = address.parse().map(ListenAddress::Ip);
            let address = ip.unwrap_or_else(|_| ListenAddress::Unix(address.into()));
            assert_eq!(scheme.invitation(&address), expected);
        };
        check(Scheme::Tcp, "127.0.0.1:9999", "join with: nc 127.0.0.1 9999");
        check(Scheme::Tcp, "0.0.0.0:9999", "join with: nc 127.0.0.1 9999");
        check(Scheme::Tcp, "[::]:1", "join with: nc ::1 1");
        check(Scheme::Tcp, "[fe80::1]:9999", "join with: nc fe80::1 9999");
        check(Scheme::Tls, "0.0.0.0:9998", "join with: openssl s_client -quiet -connect 127.0.0.1:9998");
        check(Scheme::Https, "[::]:8443", "open in a browser: https://[::1]:8443/");
        check(Scheme::Unix, "/run/chat.sock", "join with: nc -U /run/chat.sock");
        check(Scheme::Unix, "/tmp/it's", r"join with: nc -U '/tmp/it'\''s'");
        check(Scheme::Http, "127.0.0.1:8080", "open in a browser: http://127.0.0.1:8080/");
        check(Scheme::Metrics, "0.0.0.0:9464", "metrics for Prometheus: http://127.0.0.1:9464/metrics");
        check(Scheme::Http, "[::]:8080", "open in a browser: http://[::1]:8080/");
    }
}
