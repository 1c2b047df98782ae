//! The addresses of the proxies that the operator trusts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::protocol::PeerAddress;

/// The word that stands for all programs that connect to a Unix socket. The mode of its file says which ones may.
const UNIX: &str = "unix";

/// The proxies that a listener trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    prefixes: Vec<IpNet>,
    has_unix: bool,
}

impl TrustedProxies {
    /// Whether a proxy at this address is trusted.
    pub fn contains(&self, address: PeerAddress) -> bool {
        match address {
            PeerAddress::Ip(address) => {
                let address = address.ip().to_canonical();
                self.prefixes.iter().any(|prefix| prefix.contains(&address))
            }
            PeerAddress::Unix => self.has_unix,
        }
    }

    /// Whether these are programs that connect to a Unix socket.
    pub fn has_unix(&self) -> bool {
        self.has_unix
    }

    /// Whether these are IP addresses.
    pub fn has_addresses(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Trusts these, too.
    pub fn add(&mut self, other: Self) {
        self.prefixes.extend(other.prefixes);
        self.has_unix |= other.has_unix;
    }
}

/// Parses addresses, prefixes (`10.0.0.0/8`) and the word `unix`, separated by commas.
impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let mut proxies = Self::default();
        for word in raw.split(',') {
            if word == UNIX {
                proxies.has_unix = true;
            } else {
                proxies.prefixes.push(parse_prefix(word)?);
            }
        }
        Ok(proxies)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes = self.prefixes.iter().map(ToString::to_string);
        let all: Vec<_> = prefixes.chain(self.has_unix.then(|| UNIX.to_owned())).collect();
        f.write_str(&all.join(","))
    }
}

fn parse_prefix(word: &str) -> Result<IpNet, String> {
    let address = || word.parse::<IpAddr>().map(IpNet::from);
    let prefix = word.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        format!(
            "invalid proxy {word:?}: expected an IP address or a prefix, such as 10.0.0.9, 10.0.0.0/8 or 2001:db8::/32"
        )
    })?;
    if prefix.addr().to_canonical() != prefix.addr() {
        return Err(format!("invalid proxy {word:?}: expected an IPv4 address without ::ffff:"));
    }
    // Most likely a typing error, which would trust other machines than the operator means.
    if prefix.trunc() != prefix {
        return Err(format!("invalid proxy {word:?}: expected {} or {}", prefix.trunc(), prefix.addr()));
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn proxies(raw: &str) -> TrustedProxies {
        raw.parse().unwrap()
    }

    #[test]
    fn prefix_contains_its_addresses_only() {
        let all = proxies("10.0.0.0/8,192.0.2.7,2001:db8::/32,::1");
        let contains = |address: &str| all.contains((address.parse::<IpAddr>().unwrap(), 1024).into());
        for inside in ["10.0.0.0", "10.255.255.255", "192.0.2.7", "2001:db8:ffff::1", "::1", "::ffff:10.1.2.3"] {
            assert!(contains(inside), "{inside}");
        }
        for outside in
            ["9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db9::", "::2", "::a00:1", "127.0.0.1"]
        {
            assert!(!contains(outside), "{outside}");
        }
        assert!(!all.contains(PeerAddress::Unix));
    }

    #[test]
    fn unix_is_no_address() {
        let unix = proxies("unix");
        assert!(unix.contains(PeerAddress::Unix) && !unix.contains(([127, 0, 0, 1], 1).into()));
        assert!(unix.has_unix() && !unix.has_addresses());
        let everything = proxies("0.0.0.0/0,::/0");
        assert!(!everything.contains(PeerAddress::Unix) && everything.contains(([192, 0, 2, 1], 1).into()));
        assert!(!everything.has_unix() && everything.has_addresses());
    }

    #[test]
    fn added_proxies_are_trusted_too() {
        let mut all = proxies("10.0.0.9");
        all.add(proxies("10.0.1.0/24"));
        assert_eq!(all, proxies("10.0.0.9,10.0.1.0/24"));
        all.add(proxies("unix"));
        assert_eq!(all.to_string(), "10.0.0.9/32,10.0.1.0/24,unix");
    }

    #[test]
    fn invalid_proxy_says_what_is_expected() {
        let check = |raw: &str, expected: &str| assert_eq!(raw.parse::<TrustedProxies>().unwrap_err(), expected);
        for word in ["", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "::/129", "[::1]", "10.0.0.0/8 ", "UNIX"] {
            let expected = "expected an IP address or a prefix, such as 10.0.0.9, 10.0.0.0/8 or 2001:db8::/32";
            check(word, &format!("invalid proxy {word:?}: {expected}"));
        }
        check("::1,10.0.0.1/8", "invalid proxy \"10.0.0.1/8\": expected 10.0.0.0/8 or 10.0.0.1");
        check("::ffff:10.0.0.1", "invalid proxy \"::ffff:10.0.0.1\": expected an IPv4 address without ::ffff:");
        check("10.0.0.1,", &"".parse::<TrustedProxies>().unwrap_err());
    }
}
