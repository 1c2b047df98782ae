//! The operator's requests about accounts: what they mean for a state. The hub carries them out on the state of a running server, and
//! `account_file` on that of a store that no server uses.

use crate::control::{AccountReply, AccountRequest, AccountSummary, ControlError};
use crate::limits::CONTROL_ACCOUNTS_LISTED_MAX;
use crate::protocol::{AccountId, Name, Timestamp};
use crate::state::{Account, AccountOutcome, AccountRejection, AccountUpdate, SharedState};
#[cfg(any(test, feature = "accounts"))]
use crate::state::{AccountChange, Action, Entry, Origin, Rejection, StateOutput, Uptime};

/// The next step of a request.
#[derive(Debug)]
pub(super) enum OperatorStep {
    /// It is done.
    Reply(AccountReply),
    /// Submit this change, of the account with this name.
    Change(Name, AccountUpdate),
}

/// Decides the next step of a request. `is_serving`: the state is that of a running server.
///
/// # Errors
/// The account does not exist.
pub(super) fn begin(
    state: &SharedState,
    at: Timestamp,
    is_serving: bool,
    request: AccountRequest,
) -> Result<OperatorStep, ControlError> {
    let accounts = state.accounts();
    let find = |name: &Name| accounts.find(name).ok_or_else(|| ControlError::account_unknown(name));
    let (name, update) = match request {
        AccountRequest::List { after } => {
            let is_logged_in = |account: &Account| is_serving.then(|| state.member_of(account.id).is_some());
            let next = accounts.iter().skip_while(|account| account.id <= after).take(CONTROL_ACCOUNTS_LISTED_MAX);
            let listed = next.map(|account| AccountSummary::new(account, is_logged_in(account), at));
            return Ok(OperatorStep::Reply(AccountReply::Listed(listed.collect())));
        }
        AccountRequest::Add { name, password, ends_rest } => {
            (name.clone(), AccountUpdate::Create { name, password, ends_rest })
        }
        AccountRequest::SetPassword { name, password } => {
            let Account { id, name, .. } = find(&name)?;
            (name.clone(), AccountUpdate::SetPassword { account: *id, generation: None, password })
        }
        AccountRequest::SetRole { name, role } => {
            let Account { id, name, .. } = find(&name)?;
            (name.clone(), AccountUpdate::SetRole { account: *id, role })
        }
        AccountRequest::Remove { name } => {
            let Account { id, name, .. } = find(&name)?;
            (name.clone(), AccountUpdate::Delete { account: *id, generation: None })
        }
    };
    Ok(OperatorStep::Change(name, update))
}

/// The reply to the request that has changed the account with this name. The state is that after the change.
///
/// # Errors
/// The change was rejected.
pub(super) fn finish(
    state: &SharedState,
    at: Timestamp,
    name: Name,
    result: Result<AccountOutcome, AccountRejection>,
) -> Result<AccountReply, ControlError> {
    let outcome = result.map_err(|why| ControlError::rejected(&name, &why))?;
    let tokens = |id: AccountId| {
        let account = state.accounts().get(id);
        account.map_or(0, |account| account.count_valid_tokens(at))
    };
    Ok(match outcome {
        AccountOutcome::Deleted { rests_until, .. } => AccountReply::Removed(name, rests_until),
        AccountOutcome::RoleSet(_, role) => AccountReply::RoleSet(name, role),
        AccountOutcome::PasswordSet(account) => AccountReply::PasswordSet(name, tokens(account)),
        // The operator has no other requests.
        _ => AccountReply::Added(name),
    })
}

/// Applies a change to a state without a sequencer. Returns its result; the record of a token's use has none.
#[cfg(any(test, feature = "accounts"))]
pub(super) fn apply_change(
    state: &mut SharedState,
    change: AccountChange,
) -> Option<Result<AccountOutcome, AccountRejection>> {
    let (at, action) = (change.at, Action::ChangeAccount(change));
    let mut out = Vec::new();
    state.apply(Entry { seq: 1, at, uptime: Uptime(0), origin: Origin::SERVER, action }, &mut out);
    out.into_iter().find_map(|output| match output {
        StateOutput::AccountChanged(_, outcome) => Some(Ok(outcome)),
        StateOutput::Rejected(_, _, Rejection::Account(_, why)) => Some(Err(why)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PasswordHash;

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn add(raw: &str) -> AccountRequest {
        AccountRequest::Add { name: name(raw), password: PasswordHash::unusable(), ends_rest: false }
    }

    /// Carries out a request. Returns the lines of its reply, or the error.
    fn run(state: &mut SharedState, request: AccountRequest) -> String {
        let at = Timestamp(0);
        let step = begin(state, at, true, request);
        let result = step.and_then(|step| match step {
            OperatorStep::Reply(reply) => Ok(reply),
            OperatorStep::Change(name, update) => {
                let result = apply_change(state, AccountChange { at, update });
                finish(state, at, name, result.expect("a result"))
            }
        });
        result.map_or_else(|error| error.to_string(), |reply| reply.to_string())
    }

    #[test]
    fn names_are_found_in_every_spelling() {
        let mut state = SharedState::default();
        assert_eq!(run(&mut state, add("Ann")), "added the account Ann\n");
        let set = |raw: &str| AccountRequest::SetPassword { name: name(raw), password: PasswordHash::unusable() };
        assert_eq!(run(&mut state, set("ANN")), "set the password of Ann\n");
        // A name that only looks alike is another one.
        let unknown = "ERR account account-unknown there is no account \u{430}nn; account list shows all accounts";
        assert_eq!(run(&mut state, set("\u{430}nn")), unknown);
        let remove = AccountRequest::Remove { name: name("ann") };
        assert_eq!(run(&mut state, remove.clone()), "removed the account Ann; its name rests until 1970-01-31 UTC\n");
        assert!(run(&mut state, remove).starts_with("ERR account account-unknown there is no account ann;"));
    }

    #[test]
    fn added_names_follow_the_rules_of_all_names() {
        let mut state = SharedState::default();
        run(&mut state, add("ann"));
        let registered =
            "ERR account name-registered ann is an account already; set its password with account password";
        assert_eq!(run(&mut state, add("ANN")), registered);
        let alike = "ERR account name-registered \u{430}nn looks too much like the account ann; choose another name";
        assert_eq!(run(&mut state, add("\u{430}nn")), alike);
        run(&mut state, AccountRequest::Remove { name: name("ann") });
        let resting = run(&mut state, add("\u{430}nn"));
        assert!(
            resting.starts_with("ERR account name-resting \u{430}nn rests until 1970-01-31 UTC, because "),
            "{resting}"
        );
        let ended = AccountRequest::Add { name: name("ann"), password: PasswordHash::unusable(), ends_rest: true };
        assert_eq!(run(&mut state, ended), "added the account ann\n");
        assert!(run(&mut state, AccountRequest::List { after: AccountId(0) }).starts_with("2 ann "), "a new number");
    }

    #[test]
    fn lists_continue_until_one_is_empty() {
        let mut state = SharedState::default();
        let count = CONTROL_ACCOUNTS_LISTED_MAX + 2;
        for number in 0..count {
            assert!(run(&mut state, add(&format!("n{number}"))).starts_with("added "));
        }
        run(&mut state, AccountRequest::Remove { name: name("n0") });
        let (mut after, mut numbers) = (AccountId(0), Vec::new());
        loop {
            let lines = run(&mut state, AccountRequest::List { after });
            let listed: Vec<_> = lines.lines().map(|line| AccountSummary::parse(line).expect(line).id).collect();
            assert!(listed.len() <= CONTROL_ACCOUNTS_LISTED_MAX);
            let Some(last) = listed.last() else { break };
            after = *last;
            numbers.extend(listed);
        }
        assert!(numbers.iter().copied().eq((2..=u32::try_from(count).unwrap()).map(AccountId)), "{numbers:?}");
    }
}
