//! Who is let in: so many connections in all, and so many from one address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::{DESCRIPTORS_RESERVED, TURNED_AWAY_MAX};
use crate::protocol::{ErrorCode, Refusal};

/// The one place where connections are counted.
#[derive(Debug)]
pub(super) struct Admission {
    clients_max: usize,
    /// 0 is as many as come.
    per_address_max: usize,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    /// `clients <= clients_max`
    clients: usize,
    /// Empty if nobody asks.
    by_origin: BTreeMap<IpAddr, usize>,
    /// `turned_away <= TURNED_AWAY_MAX`
    turned_away: usize,
}

/// A place in the count; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Arc<Admission>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Connected, from there.
    Client(IpAddr),
    /// Only still to be told why not.
    TurnedAway,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are so many already.
    Server(usize),
    /// So many are from the same address.
    Address(usize),
}

impl Admission {
    pub(super) fn new(clients_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { clients_max, per_address_max, guests: Mutex::default() })
    }

    /// Lets one more in.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Ticket, Full> {
        let origin = origin(address);
        let mut guests = self.guests();
        if guests.clients >= self.clients_max {
            return Err(Full::Server(self.clients_max));
        }
        if self.per_address_max > 0 {
            let here = guests.by_origin.entry(origin).or_default();
            if *here >= self.per_address_max {
                return Err(Full::Address(self.per_address_max));
            }
            *here += 1;
        }
        guests.clients += 1;
        Ok(Ticket { admission: Arc::clone(self), kind: Kind::Client(origin) })
    }

    /// Leave to keep the socket of one who was not let in for a moment; none if too many are kept already.
    pub(super) fn turn_away(self: &Arc<Self>) -> Option<Ticket> {
        let mut guests = self.guests();
        (guests.turned_away < TURNED_AWAY_MAX).then(|| {
            guests.turned_away += 1;
            Ticket { admission: Arc::clone(self), kind: Kind::TurnedAway }
        })
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut guests = self.admission.guests();
        match self.kind {
            Kind::TurnedAway => guests.turned_away -= 1,
            Kind::Client(origin) => {
                guests.clients -= 1;
                if let Some(here) = guests.by_origin.get_mut(&origin) {
                    *here -= 1;
                    if *here == 0 {
                        guests.by_origin.remove(&origin);
                    }
                }
            }
        }
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        let text = match full {
            Full::Server(max) => format!("{max} are connected, and that is all there is room for; try again later"),
            Full::Address(max) => format!("{max} are connected from your address, and no more may be; close one first"),
        };
        Self::new(None, ErrorCode::ServerFull, text)
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, all of which one host may have (RFC 6177).
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        IpAddr::V4(address) => address.into(),
    }
}

/// Raises the limit of open files as far as it goes, and returns for how many connections that is enough.
pub(super) fn room_for_clients() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, it has to do as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let open_files =
        getrlimit(Resource::Nofile).current.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    open_files - DESCRIPTORS_RESERVED.min(open_files / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_all_and_so_many_from_one_address() {
        let admission = Admission::new(3, 2);
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), Full::Address(2));
        let _third = admit("192.0.2.2").unwrap();
        assert_eq!(admit("192.0.2.3").unwrap_err(), Full::Server(3));
        drop(first);
        let _again = admit("192.0.2.1").unwrap();
        assert_eq!(admission.guests().by_origin.len(), 2);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = Admission::new(10, 1);
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let one = admit("2001:db8::1").unwrap();
        assert_eq!(admit("2001:db8::ffff:0:0:2").unwrap_err(), Full::Address(1));
        let other = admit("2001:db8:0:1::1").unwrap();
        drop((one, other));
        assert_eq!(admission.guests().by_origin.len(), 0, "nothing is kept of those who left");
    }
}
