//! The networks that are banned from the server. The hub changes them; the listeners ask before they admit a client.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::clock::Clock;
use crate::protocol::{Network, Until};
use crate::session::NetworkBan;
use crate::state::NetworkMap;

/// The networks that are banned now.
#[derive(Debug)]
pub(super) struct BannedNetworks {
    networks: RwLock<NetworkMap<Option<NetworkBan>>>,
    clock: Arc<dyn Clock>,
}

impl BannedNetworks {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { networks: RwLock::default(), clock }
    }

    /// Sets the ban of a network. `None`: it is not banned any more.
    pub(super) fn set(&self, network: Network, ban: Option<NetworkBan>) {
        let mut networks = self.networks.write().unwrap_or_else(PoisonError::into_inner);
        *networks.entry(network) = ban;
        networks.update(network, |ban| ban.is_some());
    }

    /// The ban that concerns this address, if there is one: the one that lasts longest.
    pub(super) fn find(&self, address: IpAddr) -> Option<NetworkBan> {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        // Fast path: most servers have none.
        if networks.is_empty() {
            return None;
        }
        let network = Network::of_client(address)?;
        let bans: Vec<_> = networks.containing(network).flatten().cloned().collect();
        drop(networks);
        let now = if bans.is_empty() { return None } else { self.clock.wall() };
        let going_on = bans.into_iter().filter(|ban| Until(ban.until).is_ahead(now));
        going_on.max_by_key(|ban| Until(ban.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Text, Timestamp};
    use crate::server::clock::SystemClock;

    fn network(raw: &str) -> Network {
        raw.parse().unwrap()
    }

    #[test]
    fn ban_concerns_its_network_until_its_end() {
        let banned = BannedNetworks::new(Arc::new(SystemClock));
        let find = |address: &str| banned.find(address.parse().unwrap());
        assert_eq!(find("192.0.2.7"), None);
        let until = |until| Some(NetworkBan { until, reason: None });
        let reason = Some(Text::truncated("flooding"));
        let (forever, past) = (Some(NetworkBan { until: None, reason }), until(Some(Timestamp(0))));
        banned.set(network("192.0.2.0/24"), forever.clone());
        banned.set(network("192.0.2.7"), past.clone());
        banned.set(network("198.51.100.1"), past);
        banned.set(network("2001:db8::/32"), until(Some(Timestamp::MAX)));
        assert_eq!([find("192.0.2.7"), find("::ffff:192.0.2.9"), find("192.0.3.1")], [forever.clone(), forever, None]);
        assert_eq!([find("198.51.100.1"), find("2001:db9::1")], [None, None]);
        assert_eq!(find("2001:db8:9::1"), until(Some(Timestamp::MAX)));
        banned.set(network("192.0.2.0/24"), None);
        assert_eq!(find("192.0.2.9"), None);
    }
}
