//! `TAKEOVER`: logs in like `LOGIN`, also while another connection uses the account.

use std::fmt;

use super::login::{log_in, parse_login};
use super::secret::has_name_and_secret;
use super::{Context, Definition, Login, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{Mode, Name};

/// Log in to this account, and close the other connection that uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover(pub Login);

impl Definition for Takeover {
    const SPECIFICATION: Specification = Specification {
        verb: "TAKEOVER",
        usage: "TAKEOVER name password",
        summary: "log in to your account, and close the other connection that uses it",
        needs_nickname: false,
        needs_login: false,
        may_be_secret: Some(has_name_and_secret),
        pipelining: Pipelining::Off,
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    /// The name of the account.
    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_login(Verb::Takeover, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        log_in(self.0, context, true)
    }
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
