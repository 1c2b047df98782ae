//! How often the clients of an address may guess the passwords of accounts.
//!
//! Wrong passwords count for the account at this address, and for the address. An account to which a client of the address has logged in
//! counts only for itself there: so the owner, who shares an address with a guesser, can still log in. Clients of other addresses never
//! matter. Names without an account count like those with one, so that the limits do not tell them apart.
//!
//! A right password whose login is refused, because another connection uses the account, counts for itself: its check costs as much.

use super::buckets::Buckets;
use super::password::Guesser;
use crate::limits::{
    LOGIN_ADDRESS_BURST, LOGIN_ADDRESS_SECONDS, LOGIN_BURST, LOGIN_KEYS_MAX, LOGIN_KNOWN_SECONDS, LOGIN_REFUSED_BURST,
    LOGIN_REFUSED_SECONDS, LOGIN_SECONDS, REGISTRATION_ADDRESSES_MAX, REGISTRATION_BURST, REGISTRATION_SECONDS,
};
use crate::protocol::Name;
use crate::state::Uptime;

/// A part of the hash of a nickname's key: it stands for the nickname, in little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NameHash([u8; 8]);

impl NameHash {
    fn new(name: &Name) -> Self {
        let hash = hmac_sha256::Hash::hash(name.key().as_bytes());
        let mut part = [0; 8];
        part.copy_from_slice(&hash[..8]);
        Self(part)
    }
}

/// The wrong passwords of each address.
#[derive(Debug)]
pub(super) struct LoginLimits {
    of_account: Buckets<(NameHash, Guesser)>,
    of_address: Buckets<Guesser>,
    /// The logins with the right password that were refused.
    refused: Buckets<(NameHash, Guesser)>,
    /// The accounts to which clients of an address have logged in: their buckets are empty until they are forgotten.
    known: Buckets<(NameHash, Guesser)>,
    registrations: Buckets<Guesser>,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            of_account: Buckets::new(LOGIN_BURST, LOGIN_SECONDS, LOGIN_KEYS_MAX),
            of_address: Buckets::new(LOGIN_ADDRESS_BURST, LOGIN_ADDRESS_SECONDS, LOGIN_KEYS_MAX),
            refused: Buckets::new(LOGIN_REFUSED_BURST, LOGIN_REFUSED_SECONDS, LOGIN_KEYS_MAX),
            known: Buckets::new(1, LOGIN_KNOWN_SECONDS, LOGIN_KEYS_MAX),
            registrations: Buckets::new(REGISTRATION_BURST, REGISTRATION_SECONDS, REGISTRATION_ADDRESSES_MAX),
        }
    }
}

impl LoginLimits {
    /// The seconds until a client of this address may try a password for this account; 0: it may now.
    pub(super) fn wait(&self, name: &Name, guesser: Guesser, now: Uptime) -> u64 {
        let pair = (NameHash::new(name), guesser);
        let of_account = self.of_account.wait(pair, 1, now);
        if self.is_known(pair, now) { of_account } else { of_account.max(self.of_address.wait(guesser, 1, now)) }
    }

    /// Counts a wrong password.
    pub(super) fn count_wrong(&mut self, name: &Name, guesser: Guesser, now: Uptime) {
        let pair = (NameHash::new(name), guesser);
        self.of_account.spend(pair, 1, now);
        if !self.is_known(pair, now) {
            self.of_address.spend(guesser, 1, now);
        }
    }

    /// Records that a client of this address has logged in to the account, in any way, or has given its password.
    pub(super) fn record_login(&mut self, name: &Name, guesser: Guesser, now: Uptime) {
        let pair = (NameHash::new(name), guesser);
        if !self.is_known(pair, now) {
            self.known.spend(pair, 1, now);
        }
    }

    /// The seconds until a login to this account, from a client of this address, may be refused again; 0: it may now.
    pub(super) fn wait_after_refusals(&self, name: &Name, guesser: Guesser, now: Uptime) -> u64 {
        self.refused.wait((NameHash::new(name), guesser), 1, now)
    }

    /// Counts a right password whose login was refused.
    pub(super) fn count_refused(&mut self, name: &Name, guesser: Guesser, now: Uptime) {
        self.refused.spend((NameHash::new(name), guesser), 1, now);
    }

    /// The seconds until a client of this address may register an account; 0: it may now.
    pub(super) fn wait_to_register(&self, guesser: Guesser, now: Uptime) -> u64 {
        self.registrations.wait(guesser, 1, now)
    }

    /// Counts an account that is about to be created.
    pub(super) fn count_registration(&mut self, guesser: Guesser, now: Uptime) {
        self.registrations.spend(guesser, 1, now);
    }

    /// The account was not created.
    pub(super) fn uncount_registration(&mut self, guesser: Guesser, now: Uptime) {
        self.registrations.give_back(guesser, 1, now);
    }

    fn is_known(&self, pair: (NameHash, Guesser), now: Uptime) -> bool {
        self.known.wait(pair, 1, now) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> Guesser {
        Guesser::Address([10, 0, 0, number].into())
    }

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    /// Guesses until the limit. Returns the number of guesses, and the seconds to wait.
    fn guess(limits: &mut LoginLimits, raw: &str, number: u8, now: u64) -> (u32, u64) {
        let mut guesses = 0;
        loop {
            match limits.wait(&name(raw), address(number), Uptime(now)) {
                0 => limits.count_wrong(&name(raw), address(number), Uptime(now)),
                seconds => return (guesses, seconds),
            }
            guesses += 1;
        }
    }

    #[test]
    fn guesses_are_limited_for_an_account_and_for_an_address() {
        let mut limits = LoginLimits::default();
        assert_eq!(guess(&mut limits, "alice", 1, 0), (5, 60));
        assert_eq!(guess(&mut limits, "ALICE", 1, 0), (0, 60), "the same nickname");
        assert_eq!(guess(&mut limits, "bob", 1, 0), (5, 60));
        assert_eq!(guess(&mut limits, "carol", 1, 0), (0, 6), "ten of the address");
        assert_eq!(guess(&mut limits, "alice", 1, 59), (0, 1));
        assert_eq!(guess(&mut limits, "alice", 1, 60), (1, 60));
        assert_eq!(guess(&mut limits, "alice", 1, 100_000), (5, 60));
    }

    /// Nobody locks out the owner from another address.
    #[test]
    fn other_addresses_do_not_matter() {
        let mut limits = LoginLimits::default();
        for number in 1..100 {
            assert_eq!(guess(&mut limits, "alice", number, 0), (5, 60));
        }
        assert_eq!(limits.wait(&name("alice"), address(100), Uptime(0)), 0);
    }

    /// Nor from the same address, where the owner has logged in before, except at this very account.
    #[test]
    fn known_account_does_not_count_for_its_address() {
        let mut limits = LoginLimits::default();
        limits.record_login(&name("alice"), address(1), Uptime(0));
        for other in ["bob", "carol", "dave"] {
            guess(&mut limits, other, 1, 0);
        }
        assert_eq!(limits.wait(&name("dave"), address(1), Uptime(0)), 6);
        assert_eq!(guess(&mut limits, "alice", 1, 0), (5, 60));
        assert_eq!(limits.wait(&name("dave"), address(1), Uptime(6)), 0, "these five did not count for the address");
        assert_eq!(limits.wait(&name("alice"), address(2), Uptime(0)), 0);
    }

    #[test]
    fn address_registers_accounts_at_once_and_then_slowly() {
        let mut limits = LoginLimits::default();
        for _ in 0..REGISTRATION_BURST {
            assert_eq!(limits.wait_to_register(address(1), Uptime(5)), 0);
            limits.count_registration(address(1), Uptime(5));
        }
        assert_eq!(limits.wait_to_register(address(1), Uptime(5)), REGISTRATION_SECONDS);
        assert_eq!(limits.wait_to_register(address(2), Uptime(5)), 0);
        assert_eq!(limits.wait_to_register(address(1), Uptime(5 + REGISTRATION_SECONDS)), 0);
    }
}
