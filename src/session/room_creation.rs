//! Limits how fast clients of one address create rooms: a token bucket for each address.
//!
//! It counts at most [`ROOM_CREATORS_MAX`] addresses (`buckets`). An attacker with more of them can create rooms at any rate. It gains
//! little: its addresses may create [`ROOM_CREATION_BURST`] rooms each at once anyway, together far more than `--max-rooms`.

use std::net::{IpAddr, Ipv6Addr};

use super::buckets::Buckets;
use crate::limits::{ROOM_CREATION_BURST, ROOM_CREATION_SECONDS, ROOM_CREATORS_MAX};
use crate::protocol::PeerAddress;
use crate::state::Uptime;

/// The token buckets of addresses that have created rooms recently. `None`: no limit.
#[derive(Debug)]
pub(super) struct RoomCreations(Option<Buckets<Option<IpAddr>>>);

impl Default for RoomCreations {
    fn default() -> Self {
        Self(Some(Buckets::new(ROOM_CREATION_BURST, ROOM_CREATION_SECONDS, ROOM_CREATORS_MAX)))
    }
}

impl RoomCreations {
    /// Limits nothing.
    pub(super) fn unlimited() -> Self {
        Self(None)
    }

    /// Spends a token of the address for each of these rooms, if it has as many. Returns whether it had.
    pub(super) fn try_spend(&mut self, address: PeerAddress, rooms: usize, now: Uptime) -> bool {
        let Some(buckets) = &mut self.0 else { return true };
        let (address, rooms) = (counted_address(address), rooms as u64);
        let is_available = rooms == 0 || buckets.wait(address, rooms, now) == 0;
        if is_available && rooms > 0 {
            buckets.spend(address, rooms, now);
        }
        is_available
    }
}

/// The address under which connections and rooms are counted: for IPv6 the /64 network, because one host may have all of it (RFC 6177).
/// `None` for all clients on Unix sockets.
pub(crate) fn counted_address(address: PeerAddress) -> Option<IpAddr> {
    let PeerAddress::Ip(address) = address else { return None };
    Some(match address.ip().to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        IpAddr::V4(address) => address.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client at this IP address, or on a Unix socket.
    fn at(address: &str) -> PeerAddress {
        address.parse::<IpAddr>().map_or_else(|_| address.parse().unwrap(), |ip| (ip, 1024).into())
    }

    #[test]
    fn address_creates_rooms_at_once_and_then_one_a_minute() {
        let mut creations = RoomCreations::default();
        let mut spend = |address: &str, rooms, now| creations.try_spend(at(address), rooms, Uptime(now));
        assert!(spend("::1", 96, 5) && !spend("::1", 5, 5) && spend("::1", 4, 5) && !spend("::1", 1, 64));
        assert!(spend("::1", 0, 5) && spend("10.0.0.1", 100, 5));
        assert!(spend("::1", 1, 65) && !spend("::1", 1, 65));
        assert!(spend("::1", 100, 100_000) && !spend("::1", 101, 200_000));
    }

    #[test]
    fn addresses_of_a_prefix_share_their_rooms() {
        let mut creations = RoomCreations::default();
        let mut spend = |address: &str| creations.try_spend(at(address), 100, Uptime(0));
        assert!(spend("2001:db8::1") && !spend("2001:db8::2") && spend("2001:db8:0:1::1"));
        assert!(spend("10.0.0.1") && !spend("::ffff:10.0.0.1") && spend("10.0.0.2"));
        assert!(spend("unix") && !spend("unix"));
    }

    fn address(number: usize) -> PeerAddress {
        PeerAddress::from((u32::try_from(number).unwrap().to_be_bytes(), 1024))
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let mut creations = RoomCreations::default();
        for number in 0..9 {
            assert!(creations.try_spend(address(number), 1, Uptime(0)));
        }
        assert!(creations.try_spend(address(0), 1, Uptime(59)));
        let counted = |creations: &RoomCreations| creations.0.as_ref().unwrap().keys();
        assert_eq!(counted(&creations).len(), 9);
        assert!(creations.try_spend(address(9), 1, Uptime(60)));
        assert_eq!(counted(&creations), [0, 9].map(|number| counted_address(address(number))));
    }

    /// No address is refused because of others.
    #[test]
    fn address_that_has_spent_least_is_forgotten_for_another_one() {
        let mut creations = RoomCreations::default();
        let mut spend = |number, rooms| creations.try_spend(address(number), rooms, Uptime(0));
        for number in 0..ROOM_CREATORS_MAX {
            assert!(spend(number, if number == 7 { 98 } else { 99 }));
        }
        assert!(spend(ROOM_CREATORS_MAX, 100), "a new address has all its rooms");
        assert!(!spend(ROOM_CREATORS_MAX, 1) && !spend(6, 2) && spend(6, 1), "the others are still counted");
        assert!(spend(7, 100), "this address was forgotten");
        assert_eq!(creations.0.unwrap().keys().len(), ROOM_CREATORS_MAX);
    }
}
