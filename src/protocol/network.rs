//! Networks: the addresses that a ban is about.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::limits::{BAN_IPV4_BITS_MIN, BAN_IPV6_BITS_MIN, IPV6_NETWORK_BITS};

/// A prefix of IPv4 or IPv6 addresses. IPv4 addresses in IPv6 form (RFC 4291, 2.5.5.2) count as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network(IpNet);

/// Why a text is not a network that can be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// It is not an address, or a prefix.
    Syntax,
    /// The address has bits beyond the length of the prefix. Holds the prefix without them.
    HostBits(Network),
    /// It has addresses of the server's own machine.
    Loopback,
    /// It has too many addresses: the prefix must have at least this many bits.
    TooWide(u8),
}

impl Network {
    /// The network of a client, which has only its address. `None`: it is on this machine.
    pub fn of_client(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        (!address.is_loopback()).then(|| Self(address.into()))
    }

    /// The network that a ban of a client concerns: its IPv4 address, or the network of its IPv6 address ([`IPV6_NETWORK_BITS`]).
    #[must_use]
    pub fn of_customer(self) -> Self {
        if self.is_ipv6() { self.at_length(IPV6_NETWORK_BITS).unwrap_or(self) } else { self }
    }

    /// The network with this prefix, or with this address only. `None`: the word is neither.
    pub(crate) fn of_prefix(word: &str) -> Option<Self> {
        word.parse().map(canonical).map(Self).ok().or_else(|| word.parse().ok().map(Self::of_address))
    }

    /// Whether the address is in the network.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all addresses of the other network are in this one.
    pub fn contains_network(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether the two have addresses in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains_network(other) || other.contains_network(self)
    }

    /// The networks with this address, or with all addresses of this network: one for each length of the prefix.
    pub(crate) fn at_length(self, bits: u8) -> Option<Self> {
        (bits <= self.0.prefix_len()).then(|| Self(IpNet::new_assert(self.0.addr(), bits).trunc()))
    }

    /// The length of the prefix in bits.
    pub(crate) fn bits(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether it has IPv6 addresses.
    pub(crate) fn is_ipv6(self) -> bool {
        matches!(self.0, IpNet::V6(_))
    }

    /// The network with one address only.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    fn check(self) -> Result<Self, NetworkError> {
        let loopback = [IpNet::new_assert(Ipv4Addr::LOCALHOST.into(), 8), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))];
        let least = if self.is_ipv6() { BAN_IPV6_BITS_MIN } else { BAN_IPV4_BITS_MIN };
        if self.bits() < least {
            return Err(NetworkError::TooWide(least));
        }
        if loopback.into_iter().any(|loopback| self.overlaps(Self(loopback))) {
            return Err(NetworkError::Loopback);
        }
        Ok(self)
    }
}

/// Parses an address or a prefix that can be banned. An IPv6 address without a length stands for its network of 64 bits.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(raw: &str) -> Result<Self, NetworkError> {
        if let Ok(address) = raw.parse::<IpAddr>() {
            return Self::of_client(address).ok_or(NetworkError::Loopback)?.of_customer().check();
        }
        let prefix = canonical(raw.parse().map_err(|_| NetworkError::Syntax)?);
        if prefix.trunc() != prefix {
            return Err(NetworkError::HostBits(Self(prefix.trunc())));
        }
        Self(prefix).check()
    }
}

/// A prefix of IPv4 addresses in IPv6 form as one of IPv4 addresses.
fn canonical(prefix: IpNet) -> IpNet {
    /// The bits before the IPv4 address.
    const MAPPED_BITS: u8 = 96;
    match (prefix.addr().to_canonical(), prefix.prefix_len().checked_sub(MAPPED_BITS)) {
        (address @ IpAddr::V4(_), Some(bits)) if matches!(prefix, IpNet::V6(_)) => IpNet::new_assert(address, bits),
        _ => prefix,
    }
}

impl fmt::Display for Network {
    /// An IPv4 address, or a prefix: an IPv6 address without a length would stand for its network.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpNet::V4(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            net => net.fmt(f),
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => {
                f.write_str("expected an IP address or a prefix, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
            }
            Self::HostBits(network) => write!(f, "expected {network}"),
            Self::Loopback => f.write_str("it has addresses of the server's own machine"),
            Self::TooWide(bits) => write!(f, "the prefix is too short: expected at least /{bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(raw: &str) -> Network {
        raw.parse().unwrap_or_else(|error| panic!("{raw}: {error}"))
    }

    fn address(raw: &str) -> IpAddr {
        raw.parse().unwrap()
    }

    #[test]
    fn network_is_shown_as_it_is_parsed() {
        for (raw, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::7/128", "2001:db8::7/128"),
            ("2001:db8::/16", ""),
            ("2001::/16", "2001::/16"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ] {
            match raw.parse::<Network>() {
                Ok(network) => {
                    assert_eq!(network.to_string(), shown);
                    assert_eq!(shown.parse(), Ok(network), "as the store and clients parse it");
                }
                Err(error) => assert_eq!((error, shown), (NetworkError::HostBits(network("2001::/16")), "")),
            }
        }
    }

    #[test]
    fn network_that_would_hit_everybody_is_refused() {
        let check = |raw: &str, expected| assert_eq!(raw.parse::<Network>(), Err(expected), "{raw}");
        for raw in
            ["127.0.0.1", "127.0.0.0/8", "::1", "::1/128", "::ffff:127.0.0.1", "127.1.0.0/16", "::ffff:127.0.0.0/104"]
        {
            check(raw, NetworkError::Loopback);
        }
        for raw in ["0.0.0.0/0", "64.0.0.0/7", "::ffff:0.0.0.0/96"] {
            check(raw, NetworkError::TooWide(BAN_IPV4_BITS_MIN));
        }
        for raw in ["::/0", "2000::/3", "2000::/15"] {
            check(raw, NetworkError::TooWide(BAN_IPV6_BITS_MIN));
        }
        for raw in ["", "alice", "192.0.2", "192.0.2.7/33", "192.0.2.7/", "2001:db8::/129", "192.0.2.7:80", "[::1]"] {
            check(raw, NetworkError::Syntax);
        }
        check("192.0.2.7/24", NetworkError::HostBits(network("192.0.2.0/24")));
    }

    #[test]
    fn one_ipv6_address_can_be_banned() {
        let one = Network::of_client(address("2001:db8::7")).unwrap();
        assert_eq!(one, network("2001:db8::7/128"));
        assert!(!one.overlaps(network("2001:db8::8/128")) && network("2001:db8::8").contains_network(one));
    }

    #[test]
    fn client_counts_by_its_address_or_its_network() {
        let of = |raw: &str| Network::of_client(address(raw)).map(Network::of_customer);
        assert_eq!(of("192.0.2.7"), Some(network("192.0.2.7")));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!([of("127.0.0.9"), of("::1")], [None, None]);
        assert!(network("192.0.2.0/24").contains(address("::ffff:192.0.2.255")));
        assert!(!network("192.0.2.0/24").contains(address("192.0.3.0")));
        assert!(network("2001:db8::/32").contains_network(network("2001:db8::7")));
        assert!(
            network("192.0.2.7").overlaps(network("192.0.2.0/24"))
                && !network("192.0.2.7").overlaps(network("192.0.2.8"))
        );
    }
}
