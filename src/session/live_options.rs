//! The options of the sessions that can change while the server runs.

use super::{Output, Sessions, Timeouts};
use crate::protocol::{Motd, Timestamp};
use crate::state::{self, Policy};

/// The options that [`InputKind::Configure`](super::InputKind::Configure) sets. They concern existing sessions, too, except the message of
/// the day: a session has had the one that was in force at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// How long a session may be silent, or without a nickname.
    pub timeouts: Timeouts,
    /// Whether `WATCH` is allowed. Sessions that watch a room already go on.
    pub has_watch: bool,
    /// Whether passwords are also accepted over connections that others on the way may read.
    pub allows_insecure_passwords: bool,
    /// Whether clients may register accounts, on a server that has accounts.
    pub is_registration_open: bool,
    /// The message of the day.
    pub motd: Motd,
    /// The limits of the shared state.
    pub policy: Policy,
}

impl Sessions {
    /// Puts options in force. Limits of the state change by an entry, because other entries depend on them.
    pub(super) fn configure(&mut self, at: Timestamp, options: LiveOptions, out: &mut Vec<Output>) {
        let LiveOptions { timeouts, has_watch, allows_insecure_passwords, is_registration_open, motd, policy } =
            options;
        self.set_timeouts(timeouts);
        (self.features.watch, self.motd) = (has_watch, motd);
        if let Some(password) = &mut self.password {
            password.allows_insecure = allows_insecure_passwords;
        }
        if let Some(accounts) = self.account_policy_mut() {
            (accounts.allows_insecure, accounts.is_registration_open) =
                (allows_insecure_passwords, is_registration_open);
        }
        if self.state.policy() != policy {
            self.submit(at, self.own_origin(), state::Action::SetPolicy(policy), out);
        }
    }
}
