//! Without the feature `proxy`, no field of a request names its client.

use crate::protocol::{Peer, PeerAddress};

/// Has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarding {}

impl Forwarding {
    /// See the feature `proxy`.
    pub fn proxies_by_field(&self) -> (Option<String>, Option<String>) {
        match *self {}
    }

    /// See the feature `proxy`.
    pub fn trusts(&self, _: PeerAddress) -> bool {
        match *self {}
    }

    /// See the feature `proxy`.
    pub fn client(&self, _: &[u8], _: Peer) -> Option<Peer> {
        match *self {}
    }
}
