//! The networks that are banned from the server. The hub changes them; the listeners ask before they admit a client.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::clock::Clock;
use crate::protocol::{Network, Until};
use crate::session::BanEnd;
use crate::state::NetworkMap;

/// The networks that are banned now.
#[derive(Debug)]
pub(super) struct BannedNetworks {
    networks: RwLock<NetworkMap<Option<BanEnd>>>,
    clock: Arc<dyn Clock>,
}

impl BannedNetworks {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { networks: RwLock::default(), clock }
    }

    /// Sets when the ban of a network ends. `None`: it is not banned any more.
    pub(super) fn set(&self, network: Network, end: Option<BanEnd>) {
        let mut networks = self.networks.write().unwrap_or_else(PoisonError::into_inner);
        *networks.entry(network) = end;
        networks.update(network, |end| end.is_some());
    }

    /// The end of the ban that concerns this address, if there is one: that of the ban that lasts longest.
    pub(super) fn find(&self, address: IpAddr) -> Option<BanEnd> {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        // Fast path: most servers have none.
        if networks.is_empty() {
            return None;
        }
        let network = Network::of_client(address)?;
        let ends: Vec<_> = networks.containing(network).copied().flatten().collect();
        drop(networks);
        let now = if ends.is_empty() { return None } else { self.clock.wall() };
        let going_on = ends.into_iter().filter(|BanEnd(until)| Until(*until).is_ahead(now));
        going_on.max_by_key(|BanEnd(until)| Until(*until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Timestamp;
    use crate::server::clock::SystemClock;

    fn network(raw: &str) -> Network {
        raw.parse().unwrap()
    }

    #[test]
    fn ban_concerns_its_network_until_its_end() {
        let banned = BannedNetworks::new(Arc::new(SystemClock));
        let find = |address: &str| banned.find(address.parse().unwrap());
        assert_eq!(find("192.0.2.7"), None);
        let (forever, past) = (Some(BanEnd(None)), Some(BanEnd(Some(Timestamp(0)))));
        banned.set(network("192.0.2.0/24"), forever);
        banned.set(network("192.0.2.7"), past);
        banned.set(network("198.51.100.1"), past);
        banned.set(network("2001:db8::/32"), Some(BanEnd(Some(Timestamp::MAX))));
        assert_eq!([find("192.0.2.7"), find("::ffff:192.0.2.9"), find("192.0.3.1")], [forever, forever, None]);
        assert_eq!([find("198.51.100.1"), find("2001:db9::1")], [None, None]);
        assert_eq!(find("2001:db8:9::1"), Some(BanEnd(Some(Timestamp::MAX))));
        banned.set(network("192.0.2.0/24"), None);
        assert_eq!(find("192.0.2.9"), None);
    }
}
