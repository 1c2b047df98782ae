//! The text of the greeting: what a user must type first.

use super::Sessions;

/// The text of the greeting.
const GREETING: &str = "type NICK and your name to join, HELP for help";

/// The text on a server with a password.
const PASSWORD_GREETING: &str = "type PASS and the password, then NICK and your name to join, HELP for help";

/// The text on a server for accounts only.
const LOGIN_GREETING: &str = "type LOGIN, your name and your password to join, HELP for help";

/// The text on a server for accounts only that has a password, too.
const PASSWORD_AND_LOGIN_GREETING: &str =
    "type PASS and the password, then LOGIN, your name and your own password to join, HELP for help";

/// The text on such servers, over a connection on which they accept no password.
const INSECURE_GREETING: &str = "this server needs a password, and accepts it only over TLS: connect with TLS";

/// The same text on a server without a listener for lines over TLS.
const NO_TLS_GREETING: &str =
    "this server needs a password, and accepts it only over a secure connection: connect on its machine";

impl Sessions {
    /// The text for a connection that is secure or not.
    pub(super) fn greeting(&self, is_secure: bool) -> &'static str {
        let policy = self.account_policy().filter(|policy| policy.accounts_only);
        let accepts_login = policy.is_none_or(|policy| is_secure || policy.allows_insecure);
        let accepts_password = self.password.as_ref().is_none_or(|policy| policy.is_accepted(is_secure));
        match (self.password.is_some(), policy.is_some()) {
            _ if !accepts_login || !accepts_password => {
                if self.has_tls {
                    INSECURE_GREETING
                } else {
                    NO_TLS_GREETING
                }
            }
            (false, false) => GREETING,
            (true, false) => PASSWORD_GREETING,
            (false, true) => LOGIN_GREETING,
            (true, true) => PASSWORD_AND_LOGIN_GREETING,
        }
    }
}
