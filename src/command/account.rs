//! Common parts of the commands of accounts: permission, passwords, refusals. `session/logins.rs` checks the passwords.

use super::{Context, Hint, Refusal, Verb};
use crate::limits::LOGIN_FRESH_SECONDS;
use crate::protocol::{AccountId, AccountPassword, Credential, ErrorCode, GivenPassword, Name};
use crate::state::Account;

/// A command that needs a password to be checked or hashed. The result is its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordRequest {
    /// `LOGIN` and `TAKEOVER`.
    Login {
        /// The name of the account, as the client wrote it.
        name: Name,
        /// The password.
        password: AccountPassword,
        /// Also while another connection uses the account.
        takes_over: bool,
    },
    /// `REGISTER`, with the password of the new account.
    Register(AccountPassword),
    /// `PASSWORD`, with the new password.
    SetPassword(AccountPassword),
    /// `UNREGISTER`, with the password of the account.
    Unregister(AccountPassword),
}

impl PasswordRequest {
    /// The verb of the command.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Login { takes_over: false, .. } => Verb::Login,
            Self::Login { takes_over: true, .. } => Verb::Takeover,
            Self::Register(_) => Verb::Register,
            Self::SetPassword(_) => Verb::SetPassword,
            Self::Unregister(_) => Verb::Unregister,
        }
    }

    /// The password.
    pub fn password(&self) -> &AccountPassword {
        match self {
            Self::Login { password, .. }
            | Self::Register(password)
            | Self::SetPassword(password)
            | Self::Unregister(password) => password,
        }
    }
}

/// A password that nobody checks now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordNotChecked {
    /// Too many passwords wait.
    Busy,
}

/// Parses a password. Its form is checked after everything else: another password must be of use.
pub(super) fn parse_password(verb: Verb, arguments: &str) -> Result<GivenPassword, Refusal> {
    GivenPassword::new(arguments).ok_or_else(|| missing_password(verb))
}

/// Parses a password, or an access token, that is compared with that of an account.
pub(super) fn parse_credential(verb: Verb, arguments: &str) -> Result<Credential, Refusal> {
    Credential::given(arguments).ok_or_else(|| missing_password(verb))
}

/// Checks the form of the new password of an account.
pub(super) fn check_new_password(verb: Verb, password: &GivenPassword) -> Result<AccountPassword, Refusal> {
    password
        .check()
        .map_err(|error| Refusal::new(verb, ErrorCode::PasswordInvalid, error.to_string()).with_hint(Hint::Write(verb)))
}

fn missing_password(verb: Verb) -> Refusal {
    Refusal::new(verb, ErrorCode::PasswordMissing, "the password is missing").with_hint(Hint::Write(verb))
}

impl Refusal {
    /// The password is wrong. For a login, does not tell whether the account exists.
    pub(crate) fn wrong_account_password(verb: Verb) -> Self {
        let what = match verb {
            Verb::Login | Verb::Takeover => "the name or the password is wrong",
            _ => "the password is wrong",
        };
        Self::new(verb, ErrorCode::PasswordWrong, what).with_hint(Hint::Write(verb))
    }

    /// Clients of the address must wait for this number of seconds.
    pub(crate) fn too_many_attempts(verb: Verb, seconds: u64) -> Self {
        let what = format!("too many wrong passwords from your address; try again in {seconds} s");
        Self::new(verb, ErrorCode::TooManyAttempts, what)
    }

    /// The password was not checked, because too many others wait.
    pub(crate) fn busy(verb: Verb) -> Self {
        let what = "the server has too many passwords to check, so it did nothing";
        Self::new(verb, ErrorCode::Busy, what).with_hint(Hint::RetryLater)
    }
}

/// Checks that the server has accounts, and that the session may send it a secret.
pub(super) fn require_accounts(context: &dyn Context, verb: Verb) -> Result<(), Refusal> {
    if !context.has_accounts() {
        let refusal = Refusal::new(verb, ErrorCode::AccountsOff, "this server has no accounts");
        return Err(refusal.with_hint(Hint::EnableAccounts));
    }
    if !context.accepts_account_secrets() {
        return Err(insecure(context, verb, "others may read this connection, so the server did nothing"));
    }
    Ok(())
}

/// The refusal of a secret over a connection that others may read.
pub(super) fn insecure(context: &dyn Context, verb: Verb, what: &str) -> Refusal {
    let hint = if context.has_tls() { Hint::ConnectWithTls } else { Hint::ConnectLocally };
    Refusal::new(verb, ErrorCode::Insecure, what).with_hint(hint)
}

/// The account of the session, on a server with accounts.
pub(super) fn require_login(context: &dyn Context, verb: Verb) -> Result<AccountId, Refusal> {
    require_accounts(context, verb)?;
    context.account().ok_or_else(|| {
        Refusal::new(verb, ErrorCode::NotLoggedIn, "you are not logged in").with_hint(Hint::Write(Verb::Login))
    })
}

/// The account of the session, if the client has given its password recently: a stolen access token or connection must not suffice.
pub(super) fn require_fresh_login(context: &dyn Context, verb: Verb) -> Result<AccountId, Refusal> {
    let account = require_login(context, verb)?;
    if context.has_fresh_login() {
        return Ok(account);
    }
    let name = context.state().accounts().get(account).map(|account| account.name.to_string()).unwrap_or_default();
    let minutes = LOGIN_FRESH_SECONDS / 60;
    let what = format!("you have not given the password of {name} on this connection in the last {minutes} minutes");
    Err(Refusal::new(verb, ErrorCode::LoginTooOld, what).with_hint(Hint::Write(Verb::Login)))
}

/// Refuses a session that is logged in, unless to the account with this name.
pub(super) fn refuse_other_login(context: &dyn Context, verb: Verb, name: Option<&Name>) -> Result<(), Refusal> {
    let own = context.account().and_then(|own| context.state().accounts().get(own));
    match own {
        Some(Account { name: own, .. }) if name.is_none_or(|name| name.key() != own.key()) => {
            Err(Refusal::already_logged_in(verb, own))
        }
        _ => Ok(()),
    }
}

impl Refusal {
    /// The session has an account already.
    pub(super) fn already_logged_in(verb: Verb, own: &Name) -> Self {
        let refusal = Self::new(verb, ErrorCode::AlreadyLoggedIn, format!("you are logged in as {own} already"));
        if verb == Verb::Register { refusal } else { refusal.with_hint(Hint::Reconnect) }
    }
}

/// Passes a command with a password on.
pub(super) fn request_password(context: &mut dyn Context, request: PasswordRequest) -> Result<(), Refusal> {
    let verb = request.verb();
    context.check_password(request).map_err(|PasswordNotChecked::Busy| Refusal::busy(verb))
}
