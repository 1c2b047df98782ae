//! How accounts change. A change has an effect, or is rejected: [`Accounts::plan`] decides that, and changes nothing. With a store, the
//! sequencer stores the effect first; [`SharedState::apply`] then computes the same one again.
//!
//! That holds because the effect follows from the change, its time and the accounts alone, and accounts change in the order of these
//! entries only. So the store's sequencer stores dependent changes in separate batches ([`AccountUpdate::depends_on`]).

use std::time::Duration;

#[cfg(doc)]
use super::SharedState;
use super::StateLimits;
use super::accounts::{Account, AccountToken, Accounts, Protection, RestingName};
use super::output::AccountRejection;
use crate::limits::NAME_REST_DAYS;
use crate::protocol::{AccountId, AccountTokenId, Day, Name, PasswordHash, Role, Timestamp, TokenLabel, Verifier};

/// Time for which the name of a deleted account rests.
const NAME_REST: Duration = Duration::from_secs(NAME_REST_DAYS as u64 * 24 * 3600);

/// A change of the accounts, as it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// When it was requested.
    pub at: Timestamp,
    /// The change.
    pub update: AccountUpdate,
}

/// The change of an [`AccountChange`]. The caller has checked that the origin may make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountUpdate {
    /// Creates an account. If the origin's member has exactly this nickname, it is logged in.
    Create {
        /// The nickname.
        name: Name,
        /// The hash of the password.
        password: PasswordHash,
        /// Also if the name rests: the operator has decided that.
        ends_rest: bool,
    },
    /// Sets the password, and ends the resume token of the account's member. If the operator sets it, a member that has logged in with the
    /// old one is displaced.
    SetPassword {
        /// The account.
        account: AccountId,
        /// The generation with which the old password was verified. `None`: the operator sets the password.
        generation: Option<u32>,
        /// The hash of the new password.
        password: PasswordHash,
    },
    /// Sets the role. Only the operator at the control socket does.
    SetRole {
        /// The account.
        account: AccountId,
        /// The role.
        role: Role,
    },
    /// Deletes the account with its tokens. Its member becomes a guest whose resume token ends, and its name rests.
    Delete {
        /// The account.
        account: AccountId,
        /// The generation with which the password was verified. `None`: the operator deletes the account.
        generation: Option<u32>,
    },
    /// Creates an access token.
    CreateToken {
        /// The account.
        account: AccountId,
        /// The generation with which the password was verified.
        generation: Option<u32>,
        /// Verifies the secret.
        verifier: Verifier,
        /// The label.
        label: TokenLabel,
        /// When it becomes invalid.
        expires_at: Timestamp,
    },
    /// Revokes an access token, and ends the resume token of a member that has logged in with it.
    RevokeToken {
        /// The account.
        account: AccountId,
        /// The generation with which the password was verified. `None`: the client has logged in with this token.
        generation: Option<u32>,
        /// The token.
        token: AccountTokenId,
    },
    /// Records the day of a login with an access token.
    RecordTokenUse {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountTokenId,
        /// The day.
        on: Day,
    },
}

/// A kind of command about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// [`AccountUpdate::Create`].
    Create,
    /// [`AccountUpdate::SetPassword`].
    SetPassword,
    /// [`AccountUpdate::SetRole`].
    SetRole,
    /// [`AccountUpdate::Delete`].
    Delete,
    /// [`AccountUpdate::CreateToken`].
    CreateToken,
    /// [`AccountUpdate::RevokeToken`].
    RevokeToken,
    /// [`AccountUpdate::RecordTokenUse`]. No client reads the result.
    RecordTokenUse,
    /// A login.
    Login,
    /// A login that displaces a connected member of the account.
    TakeOver,
}

/// The result of a change: the rows to store, and the part of the state to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountEffect {
    /// A new account, without tokens.
    Created {
        /// The account.
        account: Account,
        /// The names whose rest ends.
        rests_ended: Vec<Name>,
    },
    /// Another password.
    PasswordSet {
        /// The account.
        account: AccountId,
        /// The hash.
        password: PasswordHash,
        /// The generation.
        generation: u32,
    },
    /// Another role.
    RoleSet {
        /// The account.
        account: AccountId,
        /// The role.
        role: Role,
    },
    /// The account and its tokens are gone.
    Deleted {
        /// The account.
        account: AccountId,
        /// Its name.
        resting: RestingName,
        /// The name whose rest ends, because too many names rest.
        rests_ended: Option<Name>,
    },
    /// A new access token.
    TokenCreated {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountToken,
        /// The expired token whose place it takes.
        replaced: Option<AccountTokenId>,
    },
    /// The token is gone.
    TokenRevoked {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountTokenId,
    },
    /// Another day of the last use.
    TokenUseRecorded {
        /// The account.
        account: AccountId,
        /// The token.
        token: AccountTokenId,
        /// The day.
        on: Day,
    },
}

impl AccountUpdate {
    /// The kind of command that causes the change.
    pub fn command(&self) -> AccountCommand {
        match self {
            Self::Create { .. } => AccountCommand::Create,
            Self::SetPassword { .. } => AccountCommand::SetPassword,
            Self::SetRole { .. } => AccountCommand::SetRole,
            Self::Delete { .. } => AccountCommand::Delete,
            Self::CreateToken { .. } => AccountCommand::CreateToken,
            Self::RevokeToken { .. } => AccountCommand::RevokeToken,
            Self::RecordTokenUse { .. } => AccountCommand::RecordTokenUse,
        }
    }

    /// The account that alone decides the effect. `None`: the effect depends on all accounts.
    fn only_account(&self) -> Option<AccountId> {
        match self {
            Self::Create { .. } | Self::Delete { .. } => None,
            Self::SetPassword { account, .. }
            | Self::SetRole { account, .. }
            | Self::CreateToken { account, .. }
            | Self::RevokeToken { account, .. }
            | Self::RecordTokenUse { account, .. } => Some(*account),
        }
    }

    /// Whether the effect may depend on whether the `earlier` change was applied.
    pub fn depends_on(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            // Each writes one row. Many scripts may log in after midnight.
            (
                Self::RecordTokenUse { account, token, on },
                Self::RecordTokenUse { account: other_account, token: other_token, on: other_on },
            ) => (account, token) == (other_account, other_token) && on != other_on,
            _ => match (self.only_account(), earlier.only_account()) {
                (Some(account), Some(other)) => account == other,
                _ => true,
            },
        }
    }

    /// The memory that it needs in addition to its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Create { name, password, .. } => name.as_str().len() + password.as_str().len(),
            Self::SetPassword { password, .. } => password.as_str().len(),
            Self::CreateToken { label, .. } => label.as_str().len(),
            Self::SetRole { .. } | Self::Delete { .. } | Self::RevokeToken { .. } | Self::RecordTokenUse { .. } => 0,
        }
    }
}

impl Accounts {
    /// The effect of a change on these accounts.
    ///
    /// # Errors
    /// The change must not be made.
    pub fn plan(&self, limits: &StateLimits, change: &AccountChange) -> Result<AccountEffect, AccountRejection> {
        let now = change.at;
        match &change.update {
            AccountUpdate::Create { name, password, ends_rest } => {
                self.plan_creation(limits, now, name, password, *ends_rest)
            }
            AccountUpdate::SetPassword { account, generation, password } => {
                let Account { id, generation, .. } = *self.verified(*account, *generation)?;
                let generation = generation.wrapping_add(1);
                Ok(AccountEffect::PasswordSet { account: id, password: password.clone(), generation })
            }
            AccountUpdate::SetRole { account, role } => {
                let account = self.verified(*account, None)?.id;
                Ok(AccountEffect::RoleSet { account, role: *role })
            }
            AccountUpdate::Delete { account, generation } => {
                let Account { id, name, .. } = self.verified(*account, *generation)?;
                let resting = RestingName { name: name.clone(), until: now.plus(NAME_REST) };
                let is_full = self.resting().len() >= limits.resting_names;
                let rests_ended = self.first_rest().filter(|_| is_full).map(|first| first.name.clone());
                Ok(AccountEffect::Deleted { account: *id, resting, rests_ended })
            }
            AccountUpdate::CreateToken { account, generation, verifier, label, expires_at } => {
                let account = self.verified(*account, *generation)?;
                let token = account.last_token.0.checked_add(1).map(AccountTokenId);
                let too_many = AccountRejection::TooManyTokens(limits.account_tokens);
                let (id, replaced) = (token.ok_or_else(|| too_many.clone())?, account.replaceable(limits, now));
                if replaced.is_none() && account.tokens.len() >= limits.account_tokens {
                    return Err(too_many);
                }
                let (verifier, label, expires_at) = (*verifier, label.clone(), *expires_at);
                let token = AccountToken { id, verifier, label, created_at: now, expires_at, last_used_on: None };
                Ok(AccountEffect::TokenCreated { account: account.id, token, replaced })
            }
            AccountUpdate::RevokeToken { account, generation, token } => {
                let found = self.verified(*account, *generation)?.token(*token);
                let token = found.ok_or(AccountRejection::TokenUnknown(*token))?.id;
                Ok(AccountEffect::TokenRevoked { account: *account, token })
            }
            AccountUpdate::RecordTokenUse { account, token, on } => {
                let found = self.verified(*account, None)?.token(*token);
                let last_used_on = found.ok_or(AccountRejection::TokenUnknown(*token))?.last_used_on;
                if last_used_on >= Some(*on) {
                    return Err(AccountRejection::AlreadyRecorded);
                }
                Ok(AccountEffect::TokenUseRecorded { account: *account, token: *token, on: *on })
            }
        }
    }

    fn plan_creation(
        &self,
        limits: &StateLimits,
        now: Timestamp,
        name: &Name,
        password: &PasswordHash,
        ends_rest: bool,
    ) -> Result<AccountEffect, AccountRejection> {
        match self.protection(name, None, now) {
            Some(Protection::Registered(account)) => {
                return Err(AccountRejection::Registered(name.clone(), account.name.clone()));
            }
            Some(Protection::Resting(RestingName { name: resting, until })) if !ends_rest => {
                return Err(AccountRejection::Resting(name.clone(), resting.clone(), *until));
            }
            _ => {}
        }
        let id = self.last_id().0.checked_add(1).filter(|_| self.len() < limits.accounts).map(AccountId);
        let mut rests_ended: Vec<_> = self.colliding_rests(name).map(|resting| resting.name.clone()).collect();
        rests_ended.dedup();
        let account = Account {
            id: id.ok_or(AccountRejection::TooMany(limits.accounts))?,
            name: name.clone(),
            password: password.clone(),
            generation: 0,
            role: Role::User,
            created_at: now,
            last_token: AccountTokenId::default(),
            tokens: Vec::new(),
        };
        Ok(AccountEffect::Created { account, rests_ended })
    }

    /// The account, if it exists and its password has not changed since it was verified.
    fn verified(&self, id: AccountId, generation: Option<u32>) -> Result<&Account, AccountRejection> {
        let account = self.get(id).filter(|account| generation.is_none_or(|verified| verified == account.generation));
        account.ok_or(AccountRejection::Changed)
    }

    /// Carries out a change.
    pub(super) fn carry_out(&mut self, effect: AccountEffect) {
        match effect {
            AccountEffect::Created { account, rests_ended } => {
                for name in &rests_ended {
                    self.end_rest(name);
                }
                self.insert(account);
            }
            AccountEffect::PasswordSet { account, password, generation } => {
                if let Some(account) = self.get_mut(account) {
                    (account.password, account.generation) = (password, generation);
                }
            }
            AccountEffect::RoleSet { account, role } => {
                if let Some(account) = self.get_mut(account) {
                    account.role = role;
                }
            }
            AccountEffect::Deleted { account, resting, rests_ended } => {
                self.remove(account);
                if let Some(name) = &rests_ended {
                    self.end_rest(name);
                }
                self.rest(resting);
            }
            AccountEffect::TokenCreated { account, token, replaced } => {
                if let Some(account) = self.get_mut(account) {
                    account.tokens.retain(|token| Some(token.id) != replaced);
                    account.last_token = token.id;
                    account.tokens.push(token);
                }
            }
            AccountEffect::TokenRevoked { account, token } => {
                if let Some(account) = self.get_mut(account) {
                    account.tokens.retain(|other| other.id != token);
                }
            }
            AccountEffect::TokenUseRecorded { account, token, on } => {
                let tokens = self.get_mut(account).map(|account| account.tokens.iter_mut());
                if let Some(token) = tokens.and_then(|mut tokens| tokens.find(|other| other.id == token)) {
                    token.last_used_on = Some(on);
                }
            }
        }
    }
}

impl Account {
    /// The expired token whose place a new one takes.
    fn replaceable(&self, limits: &StateLimits, now: Timestamp) -> Option<AccountTokenId> {
        let is_full = self.tokens.len() >= limits.account_tokens;
        let oldest = self.tokens.iter().min_by_key(|token| token.expires_at).filter(|_| is_full)?;
        (!oldest.is_valid(now)).then_some(oldest.id)
    }
}
