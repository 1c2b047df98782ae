//! Accounts, and the names of deleted accounts. [`super::account_change`] says how they change.
//!
//! Account names do not collide with each other, nor with a name that rests. Members may hold nicknames that collide with both: they took them
//! before.

use std::collections::BTreeMap;

use super::LoginProof;
use super::dense_map::{DenseKey, DenseMap};
use super::name_index::NameIndex;
use crate::protocol::{AccountId, AccountTokenId, Day, Name, PasswordHash, Role, Timestamp, TokenLabel, Verifier};

/// A nickname with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub id: AccountId,
    /// The nickname.
    pub name: Name,
    /// The hash of the password.
    pub password: PasswordHash,
    /// Grows with each change of the password.
    pub generation: u32,
    /// The rights of its member on the whole server.
    pub role: Role,
    /// When the account was created.
    pub created_at: Timestamp,
    /// The highest number of an access token that the account ever had.
    pub last_token: AccountTokenId,
    /// The access tokens, in the order of their numbers, expired ones included.
    pub tokens: Vec<AccountToken>,
}

/// An access token of an account: what the server keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountToken {
    /// The number.
    pub id: AccountTokenId,
    /// Verifies the secret.
    pub verifier: Verifier,
    /// The label that the owner has given it.
    pub label: TokenLabel,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
    /// The day of the last login with it.
    pub last_used_on: Option<Day>,
}

/// The name of a deleted account, which nobody can take for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingName {
    /// The name.
    pub name: Name,
    /// When its rest ends.
    pub until: Timestamp,
}

/// Why a nickname cannot be taken, although no member may hold it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protection<'a> {
    /// It is that of this account, or looks like it.
    Registered(&'a Account),
    /// It is this name, or looks like it.
    Resting(&'a RestingName),
}

impl DenseKey for AccountId {
    fn number(self) -> u64 {
        self.0.into()
    }
}

/// All accounts, and the names that rest.
#[derive(Debug, Default)]
pub struct Accounts {
    all: DenseMap<AccountId, Box<Account>>,
    by_name: NameIndex<AccountId>,
    /// The highest number that was ever given; 0: none.
    last: AccountId,
    /// The names of deleted accounts, in the order of their deletion. Some rests have ended.
    resting: BTreeMap<u64, RestingName>,
    resting_by_name: NameIndex<u64>,
    next_rest: u64,
}

impl Account {
    /// The token with this number.
    pub fn token(&self, id: AccountTokenId) -> Option<&AccountToken> {
        let index = self.tokens.binary_search_by_key(&id, |token| token.id).ok()?;
        self.tokens.get(index)
    }

    /// Number of the tokens that are valid now.
    pub fn count_valid_tokens(&self, now: Timestamp) -> usize {
        self.tokens.iter().filter(|token| token.is_valid(now)).count()
    }

    /// The token with this number, if it is valid now.
    pub(super) fn valid_token(&self, id: AccountTokenId, now: Timestamp) -> Option<&AccountToken> {
        self.token(id).filter(|token| token.is_valid(now))
    }

    /// Whether what proved a login is still valid: the password has not changed, or the token has not expired and was not revoked.
    pub fn accepts(&self, proof: LoginProof, now: Timestamp) -> bool {
        match proof {
            LoginProof::Password { generation } => generation == self.generation,
            LoginProof::Token(token) => self.valid_token(token, now).is_some(),
        }
    }

    /// The token with this verifier, if it is valid now.
    pub fn find_token(&self, verifier: &Verifier, now: Timestamp) -> Option<&AccountToken> {
        self.tokens.iter().find(|token| token.verifier == *verifier).filter(|token| token.is_valid(now))
    }
}

impl AccountToken {
    /// Whether it has not expired.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

impl RestingName {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}

impl Accounts {
    /// Number of accounts.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are no accounts.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The accounts, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.all.iter().map(|(_, account)| &**account)
    }

    /// The account with this number.
    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.all.get(id).map(|account| &**account)
    }

    /// The account with this name, in any spelling with the same key. A name that only looks alike is not found.
    pub fn find(&self, name: &Name) -> Option<&Account> {
        self.get(self.by_name.same(name)?)
    }

    /// The highest number that was ever given; 0: none.
    pub fn last_id(&self) -> AccountId {
        self.last
    }

    /// The names of deleted accounts, in the order of their deletion. Some rests have ended.
    pub fn resting(&self) -> impl ExactSizeIterator<Item = &RestingName> {
        self.resting.values()
    }

    /// Why a member of the account `own` cannot take this nickname at this time.
    pub(super) fn protection(&self, name: &Name, own: Option<AccountId>, now: Timestamp) -> Option<Protection<'_>> {
        let other = self.by_name.colliding(name).find(|id| Some(*id) != own);
        let registered = other.and_then(|id| self.get(id)).map(Protection::Registered);
        registered.or_else(|| {
            let mut resting = self.colliding_rests(name);
            resting.find(|resting| !resting.is_over(now)).map(Protection::Resting)
        })
    }

    /// The account whose name is the same, or looks alike.
    pub(super) fn find_colliding(&self, name: &Name) -> Option<&Account> {
        self.get(self.by_name.colliding(name).next()?)
    }

    /// The names that rest and collide with this one.
    pub(super) fn colliding_rests(&self, name: &Name) -> impl Iterator<Item = &RestingName> {
        self.resting_by_name.colliding(name).filter_map(|rest| self.resting.get(&rest))
    }

    /// The name whose rest ends first.
    pub(super) fn first_rest(&self) -> Option<&RestingName> {
        self.resting.values().min_by_key(|resting| resting.until)
    }

    /// Records that numbers up to this one were given.
    pub(super) fn skip_to(&mut self, last: AccountId) {
        self.last = self.last.max(last);
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.all.get_mut(id).map(|account| &mut **account)
    }

    /// Adds an account. Returns false if its number was given, or its name collides with that of another one.
    pub(super) fn insert(&mut self, account: Account) -> bool {
        if self.find_colliding(&account.name).is_some()
            || account.id == AccountId::default()
            || self.all.get(account.id).is_some()
        {
            return false;
        }
        self.skip_to(account.id);
        self.by_name.insert(&account.name, account.id);
        self.all.insert(account.id, Box::new(account));
        true
    }

    pub(super) fn remove(&mut self, id: AccountId) -> Option<Box<Account>> {
        let account = self.all.remove(id)?;
        self.by_name.remove(&account.name);
        Some(account)
    }

    /// Adds a name that rests. Returns false if it collides with another one.
    pub(super) fn rest(&mut self, resting: RestingName) -> bool {
        if self.colliding_rests(&resting.name).next().is_some() {
            return false;
        }
        self.resting_by_name.insert(&resting.name, self.next_rest);
        self.resting.insert(self.next_rest, resting);
        self.next_rest += 1;
        true
    }

    /// Ends the rest of exactly this name.
    pub(super) fn end_rest(&mut self, name: &Name) {
        if let Some(rest) = self.resting_by_name.same(name)
            && let Some(resting) = self.resting.remove(&rest)
        {
            self.resting_by_name.remove(&resting.name);
        }
    }
}
