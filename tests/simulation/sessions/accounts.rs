//! The accounts: passwords that wait to be checked, how commands about accounts must end, and who may hold a nickname.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use chinwag::command::{AccessTokens, Command, Login, Register, Reply, SetPassword, Takeover, TokenReply, Unregister};
use chinwag::limits::{LOGIN_BURST, LOGIN_FRESH_SECONDS, LOGIN_REFUSED_BURST, REGISTRATION_BURST};
use chinwag::protocol::{
    AccessToken, AccountId, AccountPassword, Credential, ErrorCode, Name, PasswordHash, Timestamp,
};
use chinwag::session::{PasswordJob, PasswordOutcome, PasswordResult, PasswordWork, Sessions};
use chinwag::state::{Account, AccountUpdate, SessionId, StateLimits, Uptime};

use self::account_observer::AccountObserver;
use super::roles::address_of;

#[path = "../../entries/accounts.rs"]
mod account_observer;

const ACCOUNTS: usize = 3;
const ACCOUNT_TOKENS: usize = 2;
const RESTING_NAMES: usize = 2;

/// A password of a command that is being checked, with the account that it is for and the generation of its password then.
struct Check {
    command: Command,
    account: Option<(AccountId, u32)>,
}

/// The account whose password a session has given, and when.
struct GivenPassword {
    account: AccountId,
    generation: u32,
    at: Uptime,
}

#[derive(Default)]
pub(super) struct Accounts {
    /// All access tokens that the server has issued.
    pub(super) issued: Vec<AccessToken>,
    /// The passwords that are being checked or hashed, in the order in which the simulation ends that.
    jobs: VecDeque<PasswordJob>,
    checks: BTreeMap<SessionId, Check>,
    given: BTreeMap<SessionId, GivenPassword>,
    /// All sessions that there ever were.
    sessions: BTreeSet<SessionId>,
    /// The sessions that ended before their password was checked: the line has no reply.
    unanswered: BTreeSet<SessionId>,
    /// Number of wrong passwords, of right ones whose logins were refused, and of registrations, of each address.
    wrong: BTreeMap<Ipv4Addr, u32>,
    refused: BTreeMap<Ipv4Addr, u32>,
    registrations: BTreeMap<Ipv4Addr, u32>,
    observer: AccountObserver,
    /// Number of actions.
    actions: u64,
    /// Number of accounts that clients created, logins, displaced members, and accounts that clients deleted.
    pub(super) registered: u32,
    pub(super) logins: u32,
    pub(super) displaced: u32,
    pub(super) deleted: u32,
    /// Number of displaced members whose session remained.
    pub(super) displaced_guests: u32,
    /// Number of changes of the operator that succeeded.
    pub(super) operator_changes: u32,
}

impl Accounts {
    /// Records that a client connects.
    pub(super) fn connect(&mut self, session: SessionId) {
        self.sessions.insert(session);
    }

    /// Whether the session has sent a password that is being checked: its later lines wait.
    pub(super) fn is_pending(&self, session: SessionId) -> bool {
        self.checks.contains_key(&session)
    }

    /// Records that the sessions pass this password to a thread.
    pub(super) fn start(&mut self, job: PasswordJob, command: Command, sessions: &Sessions) {
        let account = match &command {
            Command::Login(login) | Command::Takeover(Takeover(login)) => sessions.state().accounts().find(&login.name),
            _ => own_account(sessions, job.session),
        };
        let account = account.map(|account| (account.id, account.generation));
        self.checks.insert(job.session, Check { command, account });
        self.jobs.push_back(job);
    }

    /// Ends the work on the `nth` password.
    pub(super) fn take_result(&mut self, nth: usize) -> Option<PasswordResult> {
        let nth = nth % self.jobs.len().max(1);
        let PasswordJob { session, password, work } = self.jobs.remove(nth)?;
        let hash = hash(&password);
        let outcome = match work {
            PasswordWork::Hash => PasswordOutcome::Hashed(hash),
            PasswordWork::Check(Some(expected)) if expected == hash => PasswordOutcome::Right,
            PasswordWork::Check(_) => PasswordOutcome::Wrong,
        };
        Some(PasswordResult { session, outcome })
    }

    /// The account to which a command of this session that waits for its password logs in.
    pub(super) fn account_of_login<'a>(&self, sessions: &'a Sessions, session: SessionId) -> Option<&'a Account> {
        let Check { command, account } = self.checks.get(&session)?;
        let (id, _) = account.filter(|_| matches!(command, Command::Login(_) | Command::Takeover(_)))?;
        sessions.state().accounts().get(id)
    }

    /// The code with which the command that waits for this result must be refused; `None` if it must succeed.
    pub(super) fn expected_result(
        &self,
        sessions: &Sessions,
        now: Timestamp,
        result: &PasswordResult,
    ) -> Option<ErrorCode> {
        let PasswordResult { session, outcome } = result;
        let Check { command, account } = &self.checks[session];
        let accounts = sessions.state().accounts();
        let unchanged = account.and_then(|(id, generation)| Some((accounts.get(id)?, generation)));
        let unchanged = unchanged.filter(|(account, generation)| account.generation == *generation);
        match (command, outcome) {
            (Command::Register(_), PasswordOutcome::Hashed(_)) => {
                let Some(name) = sessions.name(*session) else { return Some(ErrorCode::NoName) };
                let is_full = accounts.len() >= ACCOUNTS;
                protected(sessions, None, name, now).or(is_full.then_some(ErrorCode::AccountsFull))
            }
            (Command::SetPassword(_), PasswordOutcome::Hashed(_)) => {
                unchanged.is_none().then_some(ErrorCode::LoginTooOld)
            }
            (Command::Login(_), PasswordOutcome::Right) => {
                let Some((account, _)) = unchanged else { return Some(ErrorCode::PasswordWrong) };
                self.is_used_by_other(sessions, *session, account).then_some(ErrorCode::AccountInUse)
            }
            (Command::Takeover(_) | Command::Unregister(_), PasswordOutcome::Right) => {
                unchanged.is_none().then_some(ErrorCode::PasswordWrong)
            }
            _ => Some(ErrorCode::PasswordWrong),
        }
    }

    /// Whether this change of the operator must succeed.
    pub(super) fn is_change_allowed(sessions: &Sessions, now: Timestamp, update: &AccountUpdate) -> bool {
        let AccountUpdate::Create { name, ends_rest, .. } = update else { return true };
        let is_full = sessions.state().accounts().len() >= ACCOUNTS;
        match protected(sessions, None, name, now) {
            Some(ErrorCode::NameRegistered) => false,
            Some(_) => *ends_rest && !is_full,
            None => !is_full,
        }
    }

    /// The session whose resume token this change of the operator must end.
    pub(super) fn session_without_resume(&self, sessions: &Sessions, update: &AccountUpdate) -> Option<SessionId> {
        let (AccountUpdate::SetPassword { account, .. } | AccountUpdate::Delete { account, .. }) = update else {
            return None;
        };
        let member = sessions.state().member_of(*account)?;
        self.sessions.iter().copied().find(|session| sessions.member(*session) == Some(member))
    }

    /// Whether the session has sent a line that has no reply, or had none when the session ended.
    pub(super) fn lacks_reply(&self, session: SessionId) -> bool {
        self.is_pending(session) || self.unanswered.contains(&session)
    }

    /// Records the end of the check. Call it after the sessions have processed the result. `end`: how the command has ended, if the session
    /// is there.
    pub(super) fn finish(&mut self, result: &PasswordResult, end: Option<Result<(), ErrorCode>>) {
        let check = self.checks.remove(&result.session).expect("only a password that is checked has a result");
        if end.is_none() {
            self.unanswered.insert(result.session);
        }
        let wrong = matches!(result.outcome, PasswordOutcome::Wrong);
        let address = address_of(result.session);
        *self.wrong.entry(address).or_default() += u32::from(wrong);
        let refused = matches!(result.outcome, PasswordOutcome::Right) && end != Some(Ok(()));
        *self.refused.entry(address).or_default() += u32::from(refused);
        let registered = matches!(check.command, Command::Register(_));
        *self.registrations.entry(address).or_default() += u32::from(registered);
    }

    /// Whether the session may have tried too often, so that its password is not checked.
    pub(super) fn may_be_limited(&self, session: SessionId, command: &Command, code: Option<ErrorCode>) -> bool {
        let count = |counts: &BTreeMap<Ipv4Addr, u32>| counts.get(&address_of(session)).copied().unwrap_or(0);
        match (command, code) {
            (Command::Login(_) | Command::Takeover(_) | Command::Unregister(_), Some(ErrorCode::TooManyAttempts)) => {
                count(&self.wrong) >= LOGIN_BURST || count(&self.refused) >= LOGIN_REFUSED_BURST
            }
            (Command::Register(_), Some(ErrorCode::AccountsTooFast)) => {
                count(&self.registrations) >= REGISTRATION_BURST
            }
            _ => false,
        }
    }

    /// The code with which a command about accounts must be refused at once; `None` if it must succeed, or if its password must be checked.
    pub(super) fn expected_refusal(
        &self,
        sessions: &Sessions,
        now: Timestamp,
        session: SessionId,
        command: &Command,
    ) -> Option<ErrorCode> {
        let own = own_account(sessions, session);
        let is_named = sessions.name(session).is_some();
        match command {
            Command::Login(login) => self.expected_login(sessions, now, session, login, false),
            Command::Takeover(Takeover(login)) => self.expected_login(sessions, now, session, login, true),
            _ if !is_named => Some(ErrorCode::NoName),
            Command::Register(Register(password)) => {
                own.is_some().then_some(ErrorCode::AlreadyLoggedIn).or(invalid(password, ErrorCode::PasswordInvalid))
            }
            _ if own.is_none() => Some(ErrorCode::NotLoggedIn),
            Command::SetPassword(SetPassword(password)) => {
                self.stale(sessions, session).or(invalid(password, ErrorCode::PasswordInvalid))
            }
            Command::AccessTokens(AccessTokens::New { .. }) => self.stale(sessions, session).or_else(|| {
                let is_full = own.is_some_and(|own| {
                    own.tokens.iter().filter(|token| now < token.expires_at).count() >= ACCOUNT_TOKENS
                });
                is_full.then_some(ErrorCode::TokensTooMany)
            }),
            Command::AccessTokens(AccessTokens::Revoke(token)) => {
                let login = sessions.member(session).and_then(|member| sessions.state().member(member)?.login());
                let is_own = login.is_some_and(|login| login.token() == Some(*token));
                let is_known = own.is_some_and(|own| own.tokens.iter().any(|other| other.id == *token));
                let stale = if is_own { None } else { self.stale(sessions, session) };
                stale.or((!is_known).then_some(ErrorCode::TokenUnknown))
            }
            Command::Unregister(Unregister(password)) => invalid(password, ErrorCode::PasswordWrong),
            Command::AccessTokens(AccessTokens::List) => None,
            _ => panic!("{command:?} is not about accounts"),
        }
    }

    /// The refusal if the session has not given its password recently.
    fn stale(&self, sessions: &Sessions, session: SessionId) -> Option<ErrorCode> {
        let own = own_account(sessions, session);
        let given = self.given.get(&session).zip(own).is_some_and(|(given, own)| {
            (given.account, given.generation) == (own.id, own.generation)
                && sessions.now().seconds_since(given.at) <= LOGIN_FRESH_SECONDS
        });
        (!given).then_some(ErrorCode::LoginTooOld)
    }

    /// Records a reply. Returns whether the session's resume token has ended.
    pub(super) fn record_reply(&mut self, sessions: &Sessions, session: SessionId, reply: &Reply) -> bool {
        let login = sessions.member(session).and_then(|member| sessions.state().member(member)?.login());
        match reply {
            Reply::Login(_) | Reply::Takeover(_) => {
                self.logins += 1;
                if login.expect("the session has logged in").token().is_none() {
                    self.record_given_password(sessions, session);
                }
                false
            }
            Reply::Register(_) => {
                self.registered += 1;
                assert!(login.is_some(), "the session has registered, and is not logged in");
                self.record_given_password(sessions, session);
                false
            }
            Reply::SetPassword(_) => {
                self.record_given_password(sessions, session);
                true
            }
            Reply::Unregister(_) => {
                self.deleted += 1;
                assert!(login.is_none(), "the account is deleted, and the session is logged in");
                true
            }
            Reply::AccessTokens(TokenReply::New { token, .. }) => {
                assert!(!self.issued.contains(token), "a token must be issued only once");
                self.issued.push(*token);
                false
            }
            Reply::AccessTokens(TokenReply::Revoke(token)) => login.is_some_and(|login| login.token() == Some(*token)),
            _ => false,
        }
    }

    fn record_given_password(&mut self, sessions: &Sessions, session: SessionId) {
        let Account { id, generation, .. } = own_account(sessions, session).expect("the session has an account");
        let given = GivenPassword { account: *id, generation: *generation, at: sessions.now() };
        self.given.insert(session, given);
    }

    /// Whether a connected session other than this one has logged in to the account.
    fn is_used_by_other(&self, sessions: &Sessions, session: SessionId, account: &Account) -> bool {
        let other = sessions.state().member_of(account.id).filter(|other| sessions.member(session) != Some(*other));
        let mut known = self.sessions.iter();
        known.any(|known| other.is_some() && sessions.member(*known) == other && !sessions.is_detached(*known))
    }

    fn expected_login(
        &self,
        sessions: &Sessions,
        now: Timestamp,
        session: SessionId,
        Login { name, credential }: &Login,
        takes_over: bool,
    ) -> Option<ErrorCode> {
        if own_account(sessions, session).is_some_and(|own| own.name.key() != name.key()) {
            return Some(ErrorCode::AlreadyLoggedIn);
        }
        let AccessToken(secret) = match credential {
            Credential::Token(token) => token,
            // It is checked first.
            Credential::Password(_) => return None,
            Credential::Impossible(_) => return Some(ErrorCode::PasswordWrong),
        };
        let account = sessions.state().accounts().iter().find(|account| account.name.key() == name.key());
        let has_token = |account: &&Account| {
            account.tokens.iter().any(|token| token.verifier == secret.verifier() && now < token.expires_at)
        };
        let Some(account) = account.filter(has_token) else { return Some(ErrorCode::PasswordWrong) };
        (!takes_over && self.is_used_by_other(sessions, session, account)).then_some(ErrorCode::AccountInUse)
    }

    /// Checks after an action who holds which nickname.
    pub(super) fn check(&mut self, sessions: &Sessions, now: Timestamp) {
        self.actions += 1;
        self.observer.check(self.actions, now, sessions.state(), &limits(), &[]);
    }
}

/// This code, if no account can have the password.
fn invalid(password: &chinwag::protocol::GivenPassword, code: ErrorCode) -> Option<ErrorCode> {
    password.check().err().map(|_| code)
}

/// The limits of the simulated state: few accounts, so that most nicknames are free.
pub(super) fn limits() -> StateLimits {
    StateLimits {
        accounts: ACCOUNTS,
        account_tokens: ACCOUNT_TOKENS,
        resting_names: RESTING_NAMES,
        ..StateLimits::default()
    }
}

/// The account of the session's member.
pub(super) fn own_account(sessions: &Sessions, session: SessionId) -> Option<&Account> {
    let account = sessions.state().member(sessions.member(session)?)?.account()?;
    sessions.state().accounts().get(account)
}

/// Whether the member of this session has logged in with an access token that has expired.
pub(super) fn has_expired(sessions: &Sessions, session: SessionId, now: Timestamp) -> bool {
    let login = sessions.member(session).and_then(|member| sessions.state().member(member)?.login());
    let Some(token) = login.and_then(chinwag::state::Login::token) else { return false };
    let own = own_account(sessions, session);
    let valid = |own: &Account| own.tokens.iter().any(|other| other.id == token && now < other.expires_at);
    !own.is_some_and(valid)
}

/// Why a member of the account `own` must not take this nickname.
pub(super) fn protected(sessions: &Sessions, own: Option<AccountId>, name: &Name, now: Timestamp) -> Option<ErrorCode> {
    let collide = |other: &Name| {
        other.key() == name.key() || other.skeletons().into_iter().zip(name.skeletons()).any(|(a, b)| a == b)
    };
    let accounts = sessions.state().accounts();
    if accounts.iter().any(|account| Some(account.id) != own && collide(&account.name)) {
        return Some(ErrorCode::NameRegistered);
    }
    let rests = accounts.resting().any(|resting| now < resting.until && collide(&resting.name));
    rests.then_some(ErrorCode::NameResting)
}

/// Stands for a real hash: two of the few passwords have different ones.
fn hash(password: &AccountPassword) -> PasswordHash {
    hash_of(&password.to_string())
}

/// Like [`hash`], of a text.
pub(super) fn hash_of(password: &str) -> PasswordHash {
    let fnv = password
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    PasswordHash::new(&format!("$fnv${fnv:016x}")).expect("a hash")
}
