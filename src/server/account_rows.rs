//! The accounts of the shared state as those of the store, and back.

use crate::state::{Account, AccountEffect, AccountToken, RestingName, SharedState};
use crate::store::{AccountRecord, AccountWrite, StoredAccounts, TokenRecord};

/// The rows to write for a change of the accounts.
pub(super) fn account_writes(effect: AccountEffect) -> Vec<AccountWrite> {
    let delete_rest = AccountWrite::DeleteRest;
    match effect {
        AccountEffect::Created { account, rests_ended } => {
            let insert = AccountWrite::Insert(AccountRecord::from(account));
            rests_ended.into_iter().map(delete_rest).chain([insert]).collect()
        }
        AccountEffect::PasswordSet { account, password, generation } => {
            vec![AccountWrite::SetPassword(account, password, generation)]
        }
        AccountEffect::RoleSet { account, role } => vec![AccountWrite::SetRole(account, role)],
        AccountEffect::Deleted { account, resting: RestingName { name, until }, rests_ended } => {
            let rest = [AccountWrite::Delete(account), AccountWrite::InsertRest(name, until)];
            rests_ended.into_iter().map(delete_rest).chain(rest).collect()
        }
        AccountEffect::TokenCreated { account, token, replaced } => {
            let replaced = replaced.map(|token| AccountWrite::DeleteToken(account, token));
            replaced.into_iter().chain([AccountWrite::InsertToken(account, token.into())]).collect()
        }
        AccountEffect::TokenRevoked { account, token } => vec![AccountWrite::DeleteToken(account, token)],
        AccountEffect::TokenUseRecorded { account, token, on } => vec![AccountWrite::SetTokenUse(account, token, on)],
    }
}

/// Adds the stored accounts. Returns the number of accounts that were left out, because their names collide with others: an older version
/// may have distinguished these names.
pub(super) fn add_stored_accounts(mut state: SharedState, stored: StoredAccounts) -> (SharedState, usize) {
    let StoredAccounts { accounts, last, resting } = stored;
    let count = accounts.len();
    for record in accounts {
        state.add_stored_account(record.into());
    }
    for (name, until) in resting {
        state.add_stored_rest(RestingName { name, until });
    }
    let left_out = count - state.accounts().len();
    (state.with_last_account(last), left_out)
}

impl From<Account> for AccountRecord {
    fn from(account: Account) -> Self {
        let Account { id, name, password, generation, role, created_at, last_token, tokens } = account;
        let tokens = tokens.into_iter().map(TokenRecord::from).collect();
        Self { id, name, password, generation, role, created_at, last_token, tokens }
    }
}

impl From<AccountRecord> for Account {
    fn from(record: AccountRecord) -> Self {
        let AccountRecord { id, name, password, generation, role, created_at, last_token, tokens } = record;
        let tokens = tokens.into_iter().map(AccountToken::from).collect();
        Self { id, name, password, generation, role, created_at, last_token, tokens }
    }
}

impl From<AccountToken> for TokenRecord {
    fn from(token: AccountToken) -> Self {
        let AccountToken { id, verifier, label, created_at, expires_at, last_used_on } = token;
        Self { id, verifier, label, created_at, expires_at, last_used_on }
    }
}

impl From<TokenRecord> for AccountToken {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { id, verifier, label, created_at, expires_at, last_used_on } = record;
        Self { id, verifier, label, created_at, expires_at, last_used_on }
    }
}

#[cfg(test)]
mod tests {
    use arbtest::arbitrary::{Result, Unstructured};

    use super::*;
    use crate::protocol::{AccountId, AccountTokenId, Day, Name, PasswordHash, Secret, Text, Timestamp, TokenLabel};
    use crate::server::operator::apply_change;
    use crate::state::{AccountChange, AccountRejection, AccountUpdate, StateLimits};
    use crate::store::tests::{close, next_report, open, open_in_turn};
    use crate::store::{Batch, Report, Retention, Store};

    const DAY_MS: i64 = 24 * 3600 * 1000;

    fn empty_state() -> SharedState {
        SharedState::new(StateLimits { accounts: 4, account_tokens: 2, resting_names: 2, ..StateLimits::default() })
    }

    fn update(u: &mut Unstructured<'_>, now: Timestamp, last: AccountId) -> Result<AccountUpdate> {
        let account = AccountId(last.0.saturating_sub(u.int_in_range(0..=3)?));
        let token = AccountTokenId(u.int_in_range(1..=4)?);
        let password = PasswordHash::new(&format!("$test${}", u.int_in_range(0..=9)?)).unwrap();
        Ok(match u.int_in_range(0..=9)? {
            0..=2 => {
                let name =
                    Name::new(u.choose(&["ann", "Ann", "bob", "b0b", "carol", "dave", "eve", "frank"])?).unwrap();
                AccountUpdate::Create { name, password, ends_rest: u.ratio(1, 4)? }
            }
            3 => AccountUpdate::SetPassword { account, generation: None, password },
            4 => AccountUpdate::Delete { account, generation: None },
            5 | 6 => AccountUpdate::CreateToken {
                account,
                generation: None,
                verifier: Secret::new([u.arbitrary()?; 16]).verifier(),
                label: TokenLabel::new(Text::new("build server").unwrap()).unwrap(),
                expires_at: Timestamp(now.0 + u.int_in_range(0..=40)? * DAY_MS),
            },
            7 => AccountUpdate::RevokeToken { account, generation: None, token },
            _ => AccountUpdate::RecordTokenUse { account, token, on: Day::from(now) },
        })
    }

    /// Changes that do not depend on each other, as the sequencer puts them into one batch.
    fn batch(u: &mut Unstructured<'_>, now: &mut Timestamp, last: AccountId) -> Result<Vec<AccountChange>> {
        let mut changes: Vec<AccountChange> = Vec::new();
        for _ in 0..u.int_in_range(1..=6)? {
            // The clock may also go back.
            now.0 += u.int_in_range(-2..=15)? * DAY_MS / 2;
            let update = update(u, *now, last)?;
            if changes.iter().any(|earlier| update.depends_on(&earlier.update)) {
                break;
            }
            changes.push(AccountChange { at: *now, update });
        }
        Ok(changes)
    }

    fn commit(store: &Store, accounts: Vec<AccountWrite>) {
        store.commit(Batch { accounts, ..Batch::default() });
        assert!(matches!(next_report(store.reports()), Report::Committed(_, Ok(_))));
    }

    /// The batches of the sequencer are planned before any of their changes is applied, and a change whose plan failed is not stored.
    #[test]
    fn file_has_the_accounts_of_the_state_after_each_restart() {
        let (mut stored, mut rejected, mut restarts) = (0, 0, 0);
        arbtest::arbtest(|u| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("chat.db");
            let (mut store, _) = open(&path, Retention::All).unwrap();
            let (mut state, mut now) = (empty_state(), Timestamp(0));
            for _ in 0..u.int_in_range(20..=60)? {
                let changes = batch(u, &mut now, state.accounts().last_id())?;
                let plans: Vec<_> = changes.iter().map(|change| state.plan_account_change(change)).collect();
                commit(&store, plans.iter().flatten().cloned().flat_map(account_writes).collect());
                for (change, plan) in changes.into_iter().zip(plans) {
                    let planned = plan.err().filter(|why| *why != AccountRejection::AlreadyRecorded);
                    let token_use = matches!(change.update, AccountUpdate::RecordTokenUse { .. });
                    let found = apply_change(&mut state, change).and_then(Result::err);
                    assert!(found == planned || (token_use && found.is_none()), "{found:?}, not {planned:?}");
                    stored += u32::from(planned.is_none());
                    rejected += u32::from(planned.is_some());
                }
                if u.ratio(1, 10)? {
                    close(store);
                    let opened = open_in_turn(&path);
                    store = opened.0;
                    let (loaded, left_out) = add_stored_accounts(empty_state(), opened.1.accounts);
                    assert_eq!(left_out, 0);
                    let accounts = |state: &SharedState| state.accounts().iter().cloned().collect::<Vec<_>>();
                    assert_eq!(accounts(&loaded), accounts(&state));
                    let resting = |state: &SharedState| state.accounts().resting().cloned().collect::<Vec<_>>();
                    assert_eq!(resting(&loaded), resting(&state));
                    assert_eq!(loaded.accounts().last_id(), state.accounts().last_id());
                    state = loaded;
                    restarts += 1;
                }
            }
            close(store);
            Ok(())
        })
        .size_min(2_000)
        .size_max(4_000)
        .budget_ms(6_000);
        assert!(
            stored > 30 && rejected > 30 && restarts > 3,
            "{stored} stored, {rejected} rejected, {restarts} restarts"
        );
    }
}
