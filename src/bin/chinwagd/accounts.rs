//! The options of the feature `accounts`.

use chinwag::server::AccountOptions;

use super::Arguments;

/// The value of `--registration`: who adds accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    /// Clients, with `REGISTER`, and the operator.
    Open,
    /// The operator.
    Operators,
}

pub(super) fn parse_registration(raw: &str) -> Result<Registration, String> {
    match raw {
        "open" => Ok(Registration::Open),
        "operators" => Ok(Registration::Operators),
        _ => Err("expected open or operators".to_owned()),
    }
}

/// Explains an option that contradicts another one, or needs one that is missing.
pub(super) fn find_conflict(arguments: &Arguments) -> Option<String> {
    let given = [(arguments.accounts_only, "--accounts-only"), (arguments.registration.is_some(), "--registration")];
    if let Some((_, option)) = given.into_iter().find(|(is_given, _)| *is_given && arguments.data.is_none()) {
        return Some(format!("{option} without --data: expected --data PATH, the file to store accounts in"));
    }
    let is_open = arguments.registration == Some(Registration::Open);
    (arguments.accounts_only && is_open).then(|| {
        "--registration open with --accounts-only: no client could register, because it needs a name for that; \
         expected --registration operators, or none"
            .to_owned()
    })
}

/// How the server has accounts.
pub(super) fn server_options(arguments: &Arguments) -> AccountOptions {
    let is_registration_open = arguments.registration != Some(Registration::Operators) && !arguments.accounts_only;
    AccountOptions { is_registration_open, accounts_only: arguments.accounts_only }
}
