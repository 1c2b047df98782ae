//! Without the feature `proxy`, a listener has no proxies.

#[cfg(feature = "web")]
use std::sync::Arc;

#[cfg(feature = "web")]
use chinwag::server::WebOptions;
use chinwag::server::{Listener, Scheme};

use super::COMMAND_LINE;

/// The proxies in front of a listener: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxies {}

impl Proxies {
    /// Refuses the parameters of the feature `proxy`. Returns false for all others.
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "the feature `proxy` keeps them")]
    pub(super) fn take(&mut self, _: Scheme, parameter: &str) -> Result<bool, String> {
        match parameter.split_once('=') {
            Some((name @ ("proxy" | "forwarded" | "x-forwarded-for"), _)) => {
                Err(format!("{name} {}", COMMAND_LINE.needs_feature("proxy")))
            }
            _ => Ok(false),
        }
    }

    /// The parameters of a listener with this scheme, as an error lists them.
    pub(super) fn parameters(scheme: Scheme) -> &'static str {
        match scheme {
            Scheme::Unix => "mode=660 or owner=USER:GROUP",
            _ => "nothing after the port",
        }
    }

    /// The options of an HTTP listener.
    #[cfg(feature = "web")]
    #[expect(clippy::unused_self, reason = "the feature `proxy` keeps them")]
    pub(super) fn web_options(&self, options: &Arc<WebOptions>) -> Arc<WebOptions> {
        Arc::clone(options)
    }

    /// Returns the listener.
    #[expect(clippy::unused_self, reason = "the feature `proxy` keeps them")]
    pub(super) fn apply(&self, listener: Listener) -> Listener {
        listener
    }
}
