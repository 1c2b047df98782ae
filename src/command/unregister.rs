//! `UNREGISTER`: deletes the session's account.

use std::fmt;

use super::account::{PasswordRequest, parse_credential, request_password, require_login};
use super::{Context, Definition, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{AccountPassword, Credential, Mode, Name};

/// Delete the account, which has this password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unregister(pub AccountPassword);

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
        match parse_credential(Verb::Unregister, arguments)? {
            Credential::Password(password) => Ok(Self(password)),
            Credential::Token(_) => Err(Refusal::wrong_account_password(Verb::Unregister)),
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        require_login(context, Verb::Unregister)?;
        request_password(context, PasswordRequest::Unregister(self.0))
    }
}

impl fmt::Display for Unregister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
