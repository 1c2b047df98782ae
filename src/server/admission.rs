//! Who is let in: so many connections in all, and so many, and so often, from one address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::token_bucket::{Rate, TokenBucket};
use crate::command::{Hint, Refusal};
use crate::limits::{DESCRIPTORS_RESERVED, ORIGINS_KEPT_MIN, REFUSED_MAX};
use crate::protocol::ErrorCode;

/// The one place where connections are counted.
#[derive(Debug)]
pub(super) struct Admission {
    clients_max: usize,
    /// 0 is as many as come.
    per_address_max: usize,
    /// How often from one address.
    per_address_rate: Rate,
    counts: Mutex<ConnectionCounts>,
}

#[derive(Debug, Default)]
struct ConnectionCounts {
    /// `clients <= clients_max`
    clients: usize,
    /// Those from where somebody is connected or was lately.
    by_origin: BTreeMap<IpAddr, Origin>,
    /// As soon as so many origins are kept, those are let go from where nobody is.
    origins_max: usize,
    /// `refused <= REFUSED_MAX`
    refused: usize,
}

#[derive(Debug, Default)]
struct Origin {
    clients: usize,
    pace: TokenBucket,
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
    Refused,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdmissionLimit {
    /// There are so many already.
    Clients(usize),
    /// So many are from the same address.
    Address(usize),
    /// So many have come from the same address within a second.
    Rate(u32),
}

impl Admission {
    pub(super) fn new(clients_max: usize, per_address_max: usize, per_address_rate: Rate) -> Arc<Self> {
        Arc::new(Self { clients_max, per_address_max, per_address_rate, counts: Mutex::default() })
    }

    /// Lets one more in.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Ticket, AdmissionLimit> {
        let kind = Kind::Client(origin(address));
        let mut counts = self.counts();
        if counts.clients >= self.clients_max {
            return Err(AdmissionLimit::Clients(self.clients_max));
        }
        let here = counts.origin(origin(address), now);
        if self.per_address_max > 0 && here.clients >= self.per_address_max {
            return Err(AdmissionLimit::Address(self.per_address_max));
        }
        if !here.pace.try_take(self.per_address_rate, now) {
            return Err(AdmissionLimit::Rate(self.per_address_rate.per_second));
        }
        here.clients += 1;
        counts.clients += 1;
        Ok(Ticket { admission: Arc::clone(self), kind })
    }

    /// Leave to keep the socket of one who was not let in for a moment; none if too many are kept already.
    pub(super) fn refuse(self: &Arc<Self>) -> Option<Ticket> {
        let mut counts = self.counts();
        (counts.refused < REFUSED_MAX).then(|| {
            counts.refused += 1;
            Ticket { admission: Arc::clone(self), kind: Kind::Refused }
        })
    }

    fn counts(&self) -> MutexGuard<'_, ConnectionCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionCounts {
    fn origin(&mut self, origin: IpAddr, now: Instant) -> &mut Origin {
        if self.by_origin.len() >= self.origins_max {
            self.by_origin.retain(|_, origin| origin.clients > 0 || !origin.pace.is_full(now));
            self.origins_max = 2 * self.by_origin.len() + ORIGINS_KEPT_MIN;
        }
        self.by_origin.entry(origin).or_default()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        match self.kind {
            Kind::Refused => counts.refused -= 1,
            Kind::Client(origin) => {
                counts.clients -= 1;
                if let Some(here) = counts.by_origin.get_mut(&origin) {
                    here.clients -= 1;
                }
            }
        }
    }
}

impl From<AdmissionLimit> for Refusal {
    fn from(full: AdmissionLimit) -> Self {
        let (what, hint) = match full {
            AdmissionLimit::Clients(max) => {
                (format!("{max} are connected, and that is all there is room for"), Hint::RetryLater)
            }
            AdmissionLimit::Address(max) => {
                (format!("{max} are connected from your address, and no more may be"), Hint::CloseConnection)
            }
            AdmissionLimit::Rate(max) => {
                (format!("more than {max} a second connect from your address"), Hint::RetryInASecond)
            }
        };
        Self::new(None, ErrorCode::ServerFull, what).with_hint(hint)
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
    use std::time::Duration;

    use super::*;

    const UNLIMITED: Rate = Rate { per_second: 0, burst: 1 };

    #[test]
    fn so_many_in_all_and_so_many_from_one_address() {
        let admission = Admission::new(3, 2, UNLIMITED);
        let admit = |address: &str| admission.admit(address.parse().unwrap(), Instant::now());
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), AdmissionLimit::Address(2));
        let _third = admit("192.0.2.2").unwrap();
        assert_eq!(admit("192.0.2.3").unwrap_err(), AdmissionLimit::Clients(3));
        drop(first);
        let _again = admit("192.0.2.1").unwrap();
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = Admission::new(10, 1, UNLIMITED);
        let admit = |address: &str| admission.admit(address.parse().unwrap(), Instant::now());
        let one = admit("2001:db8::1").unwrap();
        assert_eq!(admit("2001:db8::ffff:0:0:2").unwrap_err(), AdmissionLimit::Address(1));
        let other = admit("2001:db8:0:1::1").unwrap();
        drop((one, other));
    }

    /// Whoever comes too often keeps only themselves out.
    #[test]
    fn so_often_from_one_address() {
        let admission = Admission::new(10, 0, Rate { per_second: 10, burst: 2 });
        let start = Instant::now();
        let admit = |address: &str, ms| admission.admit(address.parse().unwrap(), start + Duration::from_millis(ms));
        let comes = |address, ms| admit(address, ms).map(drop);
        assert_eq!([0, 0, 0, 50].map(|ms| comes("192.0.2.1", ms).is_ok()), [true, true, false, false]);
        assert_eq!(comes("192.0.2.1", 0), Err(AdmissionLimit::Rate(10)));
        assert_eq!(comes("192.0.2.2", 50), Ok(()));
        assert_eq!(comes("192.0.2.1", 100), Ok(()));
    }

    #[test]
    fn nothing_is_kept_for_long_of_those_who_left() {
        let admission = Admission::new(10, 0, Rate { per_second: 10, burst: 2 });
        let start = Instant::now();
        for number in 0..100_000_u32 {
            let now = start + Duration::from_millis(number.into());
            drop(admission.admit(std::net::Ipv4Addr::from_bits(number).into(), now));
            assert!(admission.counts().by_origin.len() <= 2 * ORIGINS_KEPT_MIN);
        }
    }
}
