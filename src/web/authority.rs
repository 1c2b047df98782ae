//! Host and port of a URI, an origin or a `Host` field (RFC 3986, section 3.2), parsed so that equivalent ones are equal.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host, and the port if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) host: Host,
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// A DNS name in lower-case ASCII, without a dot at the end.
    Name(String),
}

impl Authority {
    /// Parses `host` or `host:port`. User information (`user@`) is not accepted.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        let host_end = if raw.starts_with('[') { raw.find(']')? + 1 } else { raw.find(':').unwrap_or(raw.len()) };
        let (host, port) = raw.split_at(host_end);
        let port = match port.strip_prefix(':') {
            None if !port.is_empty() => return None,
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { host: Host::parse(host)?, port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Host {
    /// Whether this is the machine of the client that uses it (RFC 6761, section 6.3, for the names).
    pub(super) fn is_own_machine(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    fn parse(raw: &str) -> Option<Self> {
        if let Some(literal) = raw.strip_prefix('[') {
            let literal = literal.strip_suffix(']')?;
            // A zone (RFC 6874) is meaningful only on the client's machine.
            let address = literal.split_once('%').map_or(literal, |(address, _)| address);
            return address.parse::<Ipv6Addr>().ok().map(|address| Self::Address(address.into()));
        }
        let name = raw.strip_suffix('.').unwrap_or(raw);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (!name.is_empty() && name.bytes().all(is_allowed)).then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Option<(&str, Option<u16>)>) {
        let parsed = Authority::parse(raw).map(|Authority { host, port }| {
            let host = match host {
                Host::Address(address) => address.to_string(),
                Host::Name(name) => name,
            };
            (host, port)
        });
        assert_eq!(parsed, expected.map(|(host, port)| (host.to_owned(), port)), "{raw:?}");
    }

    #[test]
    fn authority_has_one_form_for_each_spelling() {
        for same in ["chat.example.org", "Chat.EXAMPLE.org", "chat.example.org.", "chat.example.org:"] {
            check(same, Some(("chat.example.org", None)));
        }
        for same in ["chat.example.org:443", "CHAT.example.org.:443", "chat.example.org:00443"] {
            check(same, Some(("chat.example.org", Some(443))));
        }
        for same in ["[::1]:80", "[0:0:0:0:0:0:0:1]:80", "[0::0001]:080", "[::0.0.0.1]:80"] {
            check(same, Some(("::1", Some(80))));
        }
        check("[FE80::1%25eth0]", Some(("fe80::1", None)));
        check("[fe80::1%eth0]:8080", Some(("fe80::1", Some(8080))));
        check("127.0.0.1.:0", Some(("127.0.0.1", Some(0))));
        check("my_host:65535", Some(("my_host", Some(65535))));
    }

    #[test]
    fn authority_with_invalid_parts_is_refused() {
        let invalid_hosts =
            ["", ".", ":80", "[]", "[::1", "::1", "[127.0.0.1]", "[v1.x]", "a b", "a,b", "a/b", "b\u{fc}cher"];
        let invalid_ports = ["a:b", "a:65536", "a:-1", "a:+1", "a: 1", "a:1:2", "[::1]80", "[::1]:x"];
        for raw in invalid_hosts.into_iter().chain(invalid_ports).chain(["user@a", "user:password@a", "a%62"]) {
            check(raw, None);
        }
    }
}
