//! The options of the server as the sessions and the shared state take them.

use std::sync::Arc;

use super::{Listener, ServerOptions};
use crate::limits::STORED_ROOMS_PER_ROOM;
use crate::session::{LiveOptions, PasswordPolicy, Sessions};
use crate::state::{Policy, SharedState, StateLimits};

impl ServerOptions {
    /// The limits of the shared state.
    pub(super) fn state_limits(&self) -> StateLimits {
        StateLimits {
            resume_seconds: self.resume_seconds,
            history_messages: self.history,
            rooms: self.max_rooms,
            empty_rooms: self.max_rooms.saturating_mul(STORED_ROOMS_PER_ROOM),
            ..StateLimits::default()
        }
    }

    /// The options of the sessions that can change while the server runs.
    pub(super) fn live_options(&self) -> LiveOptions {
        let StateLimits { resume_seconds, rooms, empty_rooms, .. } = self.state_limits();
        LiveOptions {
            timeouts: self.timeouts,
            has_watch: self.has_watch,
            allows_insecure_passwords: self.allows_insecure_passwords,
            is_registration_open: self.accounts.is_registration_open,
            motd: self.motd.as_ref().map(|file| file.motd()).unwrap_or_default(),
            policy: Policy { resume_seconds, rooms, empty_rooms },
        }
    }

    /// Creates the sessions of this state.
    pub(super) fn create_sessions(&self, state: SharedState) -> Sessions {
        let sessions = Sessions::new(state, self.timeouts).with_motd(self.live_options().motd);
        let sessions = if self.has_watch { sessions } else { sessions.without_watch() };
        let sessions = if self.listen.iter().any(Listener::is_tls) { sessions.with_tls() } else { sessions };
        let sessions = sessions.with_proxies(self.listen.iter().flat_map(Listener::proxy_networks).collect());
        match &self.password {
            Some(password) => sessions.with_password(PasswordPolicy {
                check: Arc::clone(password) as _,
                allows_insecure: self.allows_insecure_passwords,
            }),
            None => sessions,
        }
    }
}
