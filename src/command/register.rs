//! `REGISTER`: makes the session's nickname an account.

use std::fmt;

use super::account::{
    PasswordRequest, check_new_password, parse_password, refuse_other_login, request_password, require_accounts,
};
use super::{Context, Definition, Hint, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{ErrorCode, GivenPassword, Mode, Name};

/// Make the nickname an account with this password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register(pub GivenPassword);

impl Definition for Register {
    const SPECIFICATION: Specification = Specification {
        verb: "REGISTER",
        usage: "REGISTER password",
        summary: "make your name an account, so that nobody else can take it",
        may_be_secret: Some(|text| !text.trim().is_empty()),
        pipelining: Pipelining::Off,
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    /// The name of the account.
    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_password(Verb::Register, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        require_accounts(context, Verb::Register)?;
        if !context.has_registration() {
            let what = "only the operator of this server adds accounts";
            return Err(Refusal::new(Verb::Register, ErrorCode::RegistrationClosed, what).with_hint(Hint::AskOperator));
        }
        refuse_other_login(context, Verb::Register, None)?;
        let password = check_new_password(Verb::Register, &self.0)?;
        request_password(context, PasswordRequest::Register(password))
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
