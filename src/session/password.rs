//! The password of the server: whether a session must give it, and how often the clients of an address may try.
//!
//! Only wrong passwords count, so that many clients behind one address may connect at once. While an address has no attempt left, its
//! passwords are not checked: the reply does not tell whether one was right. No client is limited because of other addresses.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use super::buckets::Buckets;
use super::{Output, SessionId, Sessions, counted_address};
use crate::command::PasswordAttempt;
use crate::limits::{PASSWORD_ADDRESSES_MAX, PASSWORD_BURST, PASSWORD_SECONDS};
use crate::protocol::{Password, PeerAddress};

/// Checks passwords. The password may change while the server runs.
pub trait PasswordCheck: Debug + Send + Sync {
    /// Whether this is the password now. Takes the same time for all passwords of the same length.
    fn is_correct(&self, password: &Password) -> bool;
}

/// The password that sessions must give before most commands.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// Checks it.
    pub check: Arc<dyn PasswordCheck>,
    /// Whether it is also accepted over connections that others on the way may read.
    pub allows_insecure: bool,
}

impl PasswordPolicy {
    /// Whether the password may be given over a connection that is secure or not.
    pub(super) fn is_accepted(&self, is_secure: bool) -> bool {
        is_secure || self.allows_insecure
    }
}

/// The sender of a wrong password. Clients on Unix sockets have no address, so each connection counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Guesser {
    Address(IpAddr),
    Local(SessionId),
}

impl Guesser {
    pub(super) fn new(session: SessionId, address: PeerAddress) -> Self {
        counted_address(address).map_or(Self::Local(session), Self::Address)
    }
}

/// The wrong passwords of each address.
#[derive(Debug)]
pub(super) struct WrongPasswords(Buckets<Guesser>);

impl Default for WrongPasswords {
    fn default() -> Self {
        Self(Buckets::new(PASSWORD_BURST, PASSWORD_SECONDS, PASSWORD_ADDRESSES_MAX))
    }
}

#[cfg(test)]
impl WrongPasswords {
    /// The number of addresses that are counted.
    pub(super) fn counted(&self) -> usize {
        self.0.keys().len()
    }
}

impl Sessions {
    /// Requires a password from each session.
    #[must_use]
    pub fn with_password(mut self, policy: PasswordPolicy) -> Self {
        self.features.password = true;
        self.password = Some(policy);
        self
    }

    /// Whether the server has a password that the session has not given yet.
    pub(super) fn needs_password(&self, session: SessionId) -> bool {
        self.password.is_some() && !self.all.get(session).is_some_and(|state| state.has_given_password)
    }

    pub(super) fn try_password(
        &mut self,
        session: SessionId,
        password: &Password,
        out: &mut Vec<Output>,
    ) -> PasswordAttempt {
        let now = self.now();
        let (Some(policy), Some(state)) = (&self.password, self.all.get_mut(session)) else {
            return PasswordAttempt::NotNeeded;
        };
        if state.has_given_password {
            return PasswordAttempt::GivenAlready;
        }
        if !policy.is_accepted(state.is_secure) {
            return PasswordAttempt::Insecure;
        }
        let guesser = Guesser::new(session, state.address);
        let seconds = self.wrong_passwords.0.wait(guesser, 1, now);
        if seconds > 0 {
            return PasswordAttempt::TooMany { seconds };
        }
        if policy.check.is_correct(password) {
            state.has_given_password = true;
            return PasswordAttempt::Accepted;
        }
        self.wrong_passwords.0.spend(guesser, 1, now);
        out.push(Output::WrongPassword(state.address));
        PasswordAttempt::Wrong
    }
}
