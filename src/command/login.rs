//! `LOGIN`: logs in to an account, and takes its nickname. `session/logins.rs` has the password checked, and `Transition::log_in`
//! (`state/account_transition.rs`) logs in.

use std::fmt;

use super::account::{PasswordRequest, parse_credential, refuse_other_login, request_password, require_accounts};
use super::secret::has_name_and_secret;
use super::{Context, Definition, Hint, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{AccessToken, Credential, ErrorCode, Mode, Name, NameError, split_word};

/// Log in to this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name of the account.
    pub name: Name,
    /// The password, or an access token.
    pub credential: Credential,
}

impl Definition for Login {
    const SPECIFICATION: Specification = Specification {
        verb: "LOGIN",
        usage: "LOGIN name password",
        summary: "log in to your account, and take its name",
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
        parse_login(Verb::Login, arguments)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        log_in(self, context, false)
    }
}

/// Parses the arguments of `LOGIN` and `TAKEOVER`. No refusal repeats them: they may have the password in place of the name.
pub(super) fn parse_login(verb: Verb, arguments: &str) -> Result<Login, Refusal> {
    let (name, secret) = split_word(arguments.trim_start());
    let name = Name::new(name).map_err(|error| {
        let (code, what) = match error {
            NameError::Missing => (ErrorCode::NameMissing, "the name is missing"),
            NameError::TooLong(_) => (ErrorCode::NameTooLong, "the name is too long"),
            _ => (ErrorCode::NameInvalid, "the name is not one that a member can have"),
        };
        Refusal::new(verb, code, what).with_hint(Hint::Write(verb))
    })?;
    Ok(Login { name, credential: parse_credential(verb, secret.unwrap_or_default())? })
}

pub(super) fn log_in(login: Login, context: &mut dyn Context, takes_over: bool) -> Result<(), Refusal> {
    let verb = if takes_over { Verb::Takeover } else { Verb::Login };
    require_accounts(context, verb)?;
    let Login { name, credential } = login;
    refuse_other_login(context, verb, Some(&name))?;
    match credential {
        Credential::Password(password) => {
            request_password(context, PasswordRequest::Login { name, password, takes_over })
        }
        Credential::Impossible(_) => Err(Refusal::wrong_account_password(verb)),
        Credential::Token(AccessToken(secret)) => {
            // An unknown account has no tokens: one more comparison takes less time than anybody can measure over a network.
            let account = context.state().accounts().find(&name);
            let token = account
                .and_then(|account| Some((account.id, account.find_token(&secret.verifier(), context.time())?.id)));
            let (account, token) = token.ok_or_else(|| Refusal::wrong_account_password(verb))?;
            context.log_in(account, token, takes_over);
            Ok(())
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.credential)
    }
}
