//! `UNREGISTER`: deletes the session's account.

use std::fmt;

use super::account::{PasswordRequest, parse_password, request_password, require_login};
use super::{Context, Definition, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{GivenPassword, Mode, Name};

/// Delete the account, which has this password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unregister(pub GivenPassword);

impl Definition for Unregister {
    const SPECIFICATION: Specification = Specification {
        verb: "UNREGISTER",
        usage: "UNREGISTER password",
        summary: "delete your account; nobody can take its name for 30 days",
        may_be_secret: Some(|text| !text.trim().is_empty()),
        pipelining: Pipelining::Off,
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    /// The name of the account.
    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_password(Verb::Unregister, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        require_login(context, Verb::Unregister)?;
        // Not an access token either.
        let password = self.0.check().map_err(|_| Refusal::wrong_account_password(Verb::Unregister))?;
        request_password(context, PasswordRequest::Unregister(password))
    }
}

impl fmt::Display for Unregister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
