//! `PASSWORD`: sets a new password for the session's account.

use std::fmt;

use super::account::{PasswordRequest, check_new_password, parse_password, request_password, require_fresh_login};
use super::{Context, Definition, EmptyReply, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{GivenPassword, Mode};

/// Set this password. The old one is not an argument: the client has given it with `LOGIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPassword(pub GivenPassword);

impl Definition for SetPassword {
    const SPECIFICATION: Specification = Specification {
        verb: "PASSWORD",
        usage: "PASSWORD password",
        summary: "set a new password for your account, within 10 minutes after LOGIN with the old one",
        may_be_secret: Some(|text| !text.trim().is_empty()),
        pipelining: Pipelining::Off,
        ..Specification::DEFAULT
    };

    type Reply = EmptyReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_password(Verb::SetPassword, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        require_fresh_login(context, Verb::SetPassword)?;
        let password = check_new_password(Verb::SetPassword, &self.0)?;
        request_password(context, PasswordRequest::SetPassword(password))
    }
}

impl fmt::Display for SetPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
