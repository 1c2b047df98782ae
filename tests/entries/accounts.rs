//! The rules of accounts, checked after each entry: who may hold a nickname, and which numbers are given.

use std::collections::BTreeMap;

use chinwag::protocol::{AccountId, Name, Timestamp};
use chinwag::state::{Login, Member, MemberId, SharedState, StateLimits, StateOutput};

/// The observations so far. Entries are counted from 1.
#[derive(Default)]
pub(super) struct AccountObserver {
    /// The nickname of each member, and the entry with which it was taken.
    taken: BTreeMap<MemberId, (Name, u64)>,
    /// The entry with which each account was created.
    created: BTreeMap<AccountId, u64>,
    /// The entry with which each name began to rest.
    rested: BTreeMap<String, u64>,
    last: AccountId,
    /// Number of logins, displaced members and nicknames that were protected.
    pub(super) logins: u32,
    pub(super) displaced: u32,
    pub(super) protected: u32,
}

impl AccountObserver {
    /// Checks the state after an entry with these outputs.
    pub(super) fn check(
        &mut self,
        entry: u64,
        now: Timestamp,
        state: &SharedState,
        limits: &StateLimits,
        outputs: &[StateOutput],
    ) {
        self.check_numbers(entry, state, limits);
        self.record_nicknames(entry, state);
        for (id, member) in state.members() {
            let (name, taken) = &self.taken[&id];
            if let Some(account) = member.account() {
                assert_eq!(state.member_of(account), Some(id), "two members have logged in to {account:?}");
                assert!(
                    state.accounts().get(account).is_some(),
                    "{name} has logged in to {account:?}, which is deleted"
                );
            }
            for account in state.accounts().iter().filter(|account| Some(account.id) != member.account()) {
                let is_before = *taken < self.created[&account.id];
                assert!(is_before || !collide(name, &account.name), "{name} is not of the account {}", account.name);
            }
            for resting in state.accounts().resting().filter(|resting| now < resting.until) {
                let is_before = *taken < self.rested[resting.name.as_str()];
                assert!(is_before || !collide(name, &resting.name), "{name} was taken while {} rests", resting.name);
            }
        }
        for output in outputs {
            self.record(output, now, state);
        }
    }

    fn record(&mut self, output: &StateOutput, now: Timestamp, state: &SharedState) {
        match output {
            StateOutput::LoggedIn { account, name, .. }
            | StateOutput::Registered { login: Some(account), name, .. } => {
                assert_eq!(state.accounts().get(*account).map(|account| &account.name), Some(name));
                self.logins += 1;
            }
            StateOutput::Displaced { member, .. } => {
                assert!(state.member(*member).is_none(), "{member:?} was displaced, and is here");
                self.displaced += 1;
            }
            StateOutput::Resumed { member, name, .. } => {
                let own = state.member(*member).and_then(Member::account);
                let mut others = state.accounts().iter().filter(|account| Some(account.id) != own);
                assert!(!others.any(|account| collide(name, &account.name)), "{name} was taken by a resume token");
                let login = state.member(*member).and_then(Member::login);
                let is_valid =
                    |login: Login| state.accounts().get(login.account)?.accepts(login.proof, now).then_some(());
                assert!(login.is_none_or(|login| is_valid(login).is_some()), "{name} resumed an invalid {login:?}");
            }
            StateOutput::Rejected(_, _, rejection) => {
                use chinwag::state::Rejection::{NickRegistered, NickResting, ResumeRegistered};
                let is_protected = matches!(rejection, NickRegistered(..) | NickResting(..) | ResumeRegistered(..));
                self.protected += u32::from(is_protected);
            }
            _ => {}
        }
    }

    fn check_numbers(&mut self, entry: u64, state: &SharedState, limits: &StateLimits) {
        let accounts: Vec<_> = state.accounts().iter().collect();
        assert!(accounts.len() <= limits.accounts && state.accounts().len() == accounts.len());
        let new = accounts.iter().filter(|account| !self.created.contains_key(&account.id));
        let new: Vec<_> = new.map(|account| account.id).collect();
        assert!(new.len() <= 1 && new.iter().all(|id| *id > self.last), "{new:?} after {:?}", self.last);
        self.created.retain(|id, _| state.accounts().get(*id).is_some());
        self.created.extend(new.iter().map(|id| (*id, entry)));
        self.last = state.accounts().last_id();
        assert!(accounts.last().is_none_or(|newest| newest.id <= self.last));
        for account in &accounts {
            assert!(account.tokens.len() <= limits.account_tokens);
            assert!(account.tokens.is_sorted_by(|before, next| before.id < next.id));
            assert!(account.tokens.last().is_none_or(|newest| newest.id <= account.last_token));
        }
        let resting: Vec<_> = state.accounts().resting().map(|resting| &resting.name).collect();
        assert!(resting.len() <= limits.resting_names);
        self.rested.retain(|rested, _| resting.iter().any(|name| name.as_str() == rested));
        for name in &resting {
            self.rested.entry(name.to_string()).or_insert(entry);
        }
        let names: Vec<_> = accounts.iter().map(|account| &account.name).chain(resting).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].iter().any(|other| collide(name, other)), "two names collide: {names:?}");
        }
    }

    fn record_nicknames(&mut self, entry: u64, state: &SharedState) {
        self.taken.retain(|id, (name, _)| state.name(*id) == Some(name));
        for (id, member) in state.members() {
            self.taken.entry(id).or_insert_with(|| (member.name().clone(), entry));
        }
    }
}

/// Whether two names are the same, or look alike.
fn collide(a: &Name, b: &Name) -> bool {
    a.key() == b.key() || a.skeletons().into_iter().zip(b.skeletons()).any(|(a, b)| a == b)
}
