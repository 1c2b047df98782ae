//! A map from networks to values, which finds all networks that contain an address.

use std::collections::BTreeMap;

use crate::protocol::Network;

/// Values by network. Finding those of an address takes one lookup for each length of prefix that occurs, however many networks there are.
#[derive(Clone, Debug)]
pub struct NetworkMap<T> {
    values: BTreeMap<Network, T>,
    /// The number of networks of each length, by whether they are IPv6.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl<T> Default for NetworkMap<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), lengths: BTreeMap::new() }
    }
}

impl<T> NetworkMap<T> {
    /// Number of networks.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of the networks that contain this one.
    pub fn containing(&self, network: Network) -> impl Iterator<Item = &T> {
        let is_ipv6 = network.is_ipv6();
        let lengths = self.lengths.range((is_ipv6, 0)..=(is_ipv6, network.bits()));
        lengths.filter_map(move |((_, bits), _)| self.values.get(&network.at_length(*bits)?))
    }

    /// The value of exactly this network.
    pub fn get(&self, network: Network) -> Option<&T> {
        self.values.get(&network)
    }

    /// The value of exactly this network, which is added if it is missing.
    pub fn entry(&mut self, network: Network) -> &mut T
    where
        T: Default,
    {
        let lengths = &mut self.lengths;
        self.values.entry(network).or_insert_with(|| {
            *lengths.entry((network.is_ipv6(), network.bits())).or_default() += 1;
            T::default()
        })
    }

    /// Changes the value of exactly this network, if there is one; removes it if `change` returns false.
    pub fn update(&mut self, network: Network, change: impl FnOnce(&mut T) -> bool) {
        let Some(value) = self.values.get_mut(&network) else { return };
        if change(value) {
            return;
        }
        self.values.remove(&network);
        let length = (network.is_ipv6(), network.bits());
        if let Some(count) = self.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use arbtest::arbitrary::{Result, Unstructured};

    use super::*;

    /// Near to each other, so that many contain others.
    fn any_network(u: &mut Unstructured<'_>) -> Result<Network> {
        let near = u32::from(u.arbitrary::<u8>()?) << 24 | u32::from(u.arbitrary::<u8>()?);
        let (address, bits): (IpAddr, u8) = if u.arbitrary()? {
            (Ipv4Addr::from(near).into(), u.int_in_range(8..=32)?)
        } else {
            (Ipv6Addr::from(u128::from(near) << 64).into(), u.int_in_range(16..=128)?)
        };
        Ok(Network::of_address(address).at_length(bits).expect("shorter than an address"))
    }

    #[test]
    fn map_finds_each_network_that_contains_an_address() {
        arbtest::arbtest(|u| {
            let mut map = NetworkMap::<Vec<u32>>::default();
            let mut all = Vec::new();
            for number in 0..u.int_in_range(0..=40)? {
                let network = any_network(u)?;
                map.entry(network).push(number);
                all.push((network, number));
                if !all.is_empty() && u.ratio(1, 3)? {
                    let index = u.choose_index(all.len())?;
                    let (network, number) = all.swap_remove(index);
                    map.update(network, |numbers| {
                        numbers.retain(|other| *other != number);
                        !numbers.is_empty()
                    });
                }
                let wanted = any_network(u)?;
                let mut found: Vec<_> = map.containing(wanted).flatten().copied().collect();
                let mut expected: Vec<_> = all
                    .iter()
                    .filter(|(network, _)| network.contains_network(wanted))
                    .map(|(_, number)| *number)
                    .collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "{wanted}: {all:?}");
            }
            assert_eq!(map.is_empty(), all.is_empty());
            Ok(())
        });
    }
}
