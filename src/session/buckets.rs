//! Token buckets for many keys, such as the addresses of clients, in bounded memory.
//!
//! If there are too many keys, the fullest bucket is forgotten for a new one, as if it were full. An attacker with more addresses (a /48
//! network has 65,536 of them) can use this to refill its own buckets early. Refusing new addresses instead would let this attacker lock
//! out all other clients.
//!
//! Unlike `server::token_bucket`, it has the steady time of the state, in whole seconds, and spends several tokens or none.

use std::collections::{BTreeMap, BTreeSet};

use crate::state::Uptime;

/// The buckets of keys that have spent tokens recently.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    /// When the bucket of each key will be full: it holds `burst` tokens, and gets one in every `seconds`.
    full_at: BTreeMap<K, Uptime>,
    /// The same keys, by that time.
    by_full_at: BTreeSet<(Uptime, K)>,
    burst: u32,
    seconds: u64,
    keys_max: usize,
}

impl<K: Copy + Ord> Buckets<K> {
    /// Creates full buckets of `burst` tokens that get one in every `seconds`, for at most `keys_max` keys.
    pub(super) fn new(burst: u32, seconds: u64, keys_max: usize) -> Self {
        Self { full_at: BTreeMap::new(), by_full_at: BTreeSet::new(), burst, seconds, keys_max }
    }

    /// The seconds until this bucket has this number of tokens; 0: it has them now.
    pub(super) fn wait(&self, key: K, tokens: u64, now: Uptime) -> u64 {
        self.full_after(key, tokens, now).seconds_since(now).saturating_sub(self.seconds * u64::from(self.burst))
    }

    /// Spends tokens of this bucket.
    pub(super) fn spend(&mut self, key: K, tokens: u64, now: Uptime) {
        let full_at = self.full_after(key, tokens, now);
        self.insert(key, full_at, now);
    }

    /// Gives back spent tokens, unless the bucket was forgotten meanwhile.
    pub(super) fn give_back(&mut self, key: K, tokens: u64, now: Uptime) {
        if let Some(full_at) = self.full_at.get(&key) {
            let full_at = full_at.0.saturating_sub(self.seconds.saturating_mul(tokens));
            self.insert(key, Uptime(full_at), now);
        }
    }

    /// When the bucket will be full if these tokens are spent now.
    fn full_after(&self, key: K, tokens: u64, now: Uptime) -> Uptime {
        let full_at = self.full_at.get(&key).copied().unwrap_or(now).max(now);
        Uptime(full_at.0.saturating_add(self.seconds.saturating_mul(tokens)))
    }

    /// Records when the bucket will be full. Forgets full buckets and, if there are still too many, the fullest one.
    fn insert(&mut self, key: K, full_at: Uptime, now: Uptime) {
        if let Some(before) = self.full_at.insert(key, full_at) {
            self.by_full_at.remove(&(before, key));
        }
        while let Some(&(fullest_at, fullest)) = self.by_full_at.first()
            && (fullest_at <= now || self.by_full_at.len() >= self.keys_max)
        {
            self.by_full_at.pop_first();
            self.full_at.remove(&fullest);
        }
        self.by_full_at.insert((full_at, key));
    }

    /// The keys whose buckets are not full, and perhaps some whose buckets are.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<K> {
        assert_eq!(self.full_at.len(), self.by_full_at.len());
        self.full_at.keys().copied().collect()
    }
}
