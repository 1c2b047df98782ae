//! Listeners over which passwords can be read on the way.

use super::super::{ServerOptions, log};

/// Which listeners other machines can reach without encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Exposure {
    /// There is one.
    pub(in crate::server) any: bool,
    /// There is one without proxies that can say that their clients use TLS.
    pub(in crate::server) without_proxies: bool,
}

impl Exposure {
    /// Warns if clients need a password, and others can read it on the way, or clients on other machines cannot give it.
    pub(in crate::server) fn warn(self, options: &ServerOptions) {
        let is_allowed = options.allows_insecure_passwords;
        let concerns_passwords = if is_allowed { self.any } else { self.without_proxies };
        if options.needs_passwords() && concerns_passwords {
            log::password_over_plain_text(is_allowed);
        }
    }
}
