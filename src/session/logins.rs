//! Commands with the password of an account, in three steps: the password waits for its turn (`login_queue`); a thread checks or hashes
//! it ([`PasswordJob`]); the change goes through the sequencer like any other, and
//! [`SharedState::apply`](crate::state::SharedState::apply) refuses it if the account has changed since.
//!
//! The reply comes after the last step. The connection's later lines wait for it; other connections do not.

use super::login_limits::LoginLimits;
use super::login_queue::{LoginQueue, QueueFull};
use super::password::Guesser;
use super::{
    BySession, Output, PasswordJob, PasswordOutcome, PasswordResult, PasswordWork, Session, SessionId, Sessions,
    counted_address,
};
use crate::command::{Hint, PasswordNotChecked, PasswordRequest, Refusal, Verb};
use crate::limits::LOGIN_FRESH_SECONDS;
use crate::protocol::{AccountId, ErrorCode, Name, PasswordHash, Timestamp};
use crate::state::{
    Account, AccountChange, AccountRejection, AccountUpdate, Action, LoginProof, LoginRequest, MemberId, Origin,
    SharedState, StoreFailure, Uptime,
};

/// How a server has accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// Clients may register accounts. Otherwise only the operator adds them.
    pub is_registration_open: bool,
    /// A session must log in before it takes a nickname.
    pub accounts_only: bool,
    /// Passwords and access tokens are also accepted over connections that others on the way may read.
    pub allows_insecure: bool,
    /// Most passwords that are checked at a time.
    pub threads: usize,
}

/// The commands whose passwords wait, or are being checked.
#[derive(Debug)]
pub(super) struct Logins {
    policy: AccountPolicy,
    queue: LoginQueue<PendingRequest>,
    limits: LoginLimits,
}

/// A command whose password waits, or is being checked.
#[derive(Debug)]
struct PendingRequest {
    request: PasswordRequest,
    guesser: Guesser,
    /// The account whose hash the password is compared with, and its generation then. `None`: there is none.
    account: Option<(AccountId, u32)>,
}

impl PendingRequest {
    /// The address of a client that creates an account.
    fn registrant(&self) -> Option<Guesser> {
        matches!(self.request, PasswordRequest::Register(_)).then_some(self.guesser)
    }
}

/// When a session has given the password of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenPassword {
    account: AccountId,
    /// The generation of the password.
    generation: u32,
    at: Uptime,
}

/// The next step of a request whose turn has come.
#[derive(Debug)]
enum Turn {
    Start(PasswordJob),
    Refuse(SessionId, Refusal),
    /// The session has ended.
    Drop(SessionId),
}

impl Logins {
    /// Begins the turn of the next request, if a thread is free.
    fn begin_turn(&mut self, state: &SharedState, sessions: &BySession<Session>) -> Option<Turn> {
        let (session, PendingRequest { request, guesser, account }) = self.queue.start_next()?;
        let guesser = *guesser;
        let Some(open) = sessions.get(session).filter(|open| !open.is_closed()) else {
            return Some(Turn::Drop(session));
        };
        let own = open.member.and_then(|member| state.accounts().get(state.member(member)?.account()?));
        let request = &*request;
        let (found, name) = match request {
            PasswordRequest::Login { name, .. } => (state.accounts().find(name), Some(name)),
            PasswordRequest::Unregister(_) => (own, own.map(|account| &account.name)),
            PasswordRequest::Register(_) | PasswordRequest::SetPassword(_) => (None, None),
        };
        *account = match request {
            // The password that gives the right to set another one.
            PasswordRequest::SetPassword(_) => {
                let given = open.rare.as_ref().and_then(|rare| rare.given_password);
                given.map(|GivenPassword { account, generation, .. }| (account, generation))
            }
            _ => found.map(|account| (account.id, account.generation)),
        };
        let verb = request.verb();
        let seconds = name.map_or(0, |name| self.limits.wait(name, guesser, state.now()));
        if seconds > 0 {
            return Some(Turn::Refuse(session, Refusal::too_many_attempts(verb, seconds)));
        }
        // `TAKEOVER` is what their owner may need.
        if let PasswordRequest::Login { name, takes_over: false, .. } = request {
            let seconds = self.limits.wait_after_refusals(name, guesser, state.now());
            if seconds > 0 {
                return Some(Turn::Refuse(session, too_many_refused_logins(seconds)));
            }
        }
        let seconds = self.limits.wait_to_register(guesser, state.now());
        if seconds > 0 && matches!(request, PasswordRequest::Register(_)) {
            return Some(Turn::Refuse(session, too_many_registrations(seconds)));
        }
        let work = match request {
            PasswordRequest::Login { .. } | PasswordRequest::Unregister(_) => {
                PasswordWork::Check(found.map(|account| account.password.clone()))
            }
            PasswordRequest::Register(_) | PasswordRequest::SetPassword(_) => PasswordWork::Hash,
        };
        Some(Turn::Start(PasswordJob { session, password: request.password().clone(), work }))
    }
}

fn too_many_refused_logins(seconds: u64) -> Refusal {
    let what = format!("the account was in use at too many logins from your address; try again in {seconds} s");
    Refusal::new(Verb::Login, ErrorCode::TooManyAttempts, what)
}

fn too_many_registrations(seconds: u64) -> Refusal {
    let what = format!("too many accounts were registered from your address; try again in {seconds} s");
    Refusal::new(Verb::Register, ErrorCode::AccountsTooFast, what)
}

impl Sessions {
    /// Lets clients log in to accounts. The state has those of the store.
    #[must_use]
    pub fn with_accounts(mut self, policy: AccountPolicy) -> Self {
        (self.features.accounts, self.features.accounts_only) = (true, policy.accounts_only);
        let queue = LoginQueue::new(policy.threads);
        self.logins = Some(Box::new(Logins { policy, queue, limits: LoginLimits::default() }));
        self
    }

    /// Whether the server has accounts.
    pub fn has_accounts(&self) -> bool {
        self.logins.is_some()
    }

    /// How the server has accounts. `None`: it has none.
    pub(super) fn account_policy(&self) -> Option<AccountPolicy> {
        Some(self.logins.as_ref()?.policy)
    }

    /// How the server has accounts, mutable.
    pub(super) fn account_policy_mut(&mut self) -> Option<&mut AccountPolicy> {
        Some(&mut self.logins.as_mut()?.policy)
    }

    /// The account of the session's member.
    pub(super) fn account(&self, session: SessionId) -> Option<&Account> {
        self.state.accounts().get(self.state.member(self.member(session)?)?.account()?)
    }

    /// Whether the server is for accounts only, and the session has not logged in.
    pub(super) fn needs_login(&self, session: SessionId) -> bool {
        self.features.accounts_only && self.account(session).is_none()
    }

    /// Whether the session has given the password of its account recently. A change of the password ends the sessions that gave the old one.
    pub(super) fn has_fresh_login(&self, session: SessionId) -> bool {
        let given = self.all.get(session).and_then(|state| state.rare.as_ref()?.given_password);
        given.zip(self.account(session)).is_some_and(|(given, account)| {
            given.account == account.id && self.now().seconds_since(given.at) <= LOGIN_FRESH_SECONDS
        })
    }

    /// Records that the session has given the password of its account.
    pub(super) fn record_given_password(&mut self, session: SessionId) {
        let Some(Account { id, generation, .. }) = self.account(session) else { return };
        let given = GivenPassword { account: *id, generation: *generation, at: self.now() };
        if let Some(state) = self.all.get_mut(session) {
            state.rare.get_or_insert_default().given_password = Some(given);
        }
    }

    /// Records that a client of the session's address has logged in to the session's account.
    pub(super) fn record_known_account(&mut self, session: SessionId) {
        let (now, name) = (self.now(), self.account(session).map(|account| account.name.clone()));
        let address = self.all.get(session).map(|state| state.address);
        if let (Some(logins), Some(name), Some(address)) = (&mut self.logins, name, address) {
            logins.limits.record_login(&name, Guesser::new(session, address), now);
        }
    }

    /// The number of passwords that wait to be checked or hashed.
    pub fn password_queue_len(&self) -> usize {
        self.logins.as_ref().map_or(0, |logins| logins.queue.len())
    }

    /// Whether a password of the session waits, or is being checked.
    pub(super) fn awaits_password(&self, session: SessionId) -> bool {
        self.logins.as_ref().is_some_and(|logins| logins.queue.contains(session))
    }

    /// Has a password checked or hashed when it is its turn. If too many wait, one of another session may be refused.
    pub(super) fn queue_password(
        &mut self,
        at: Timestamp,
        session: SessionId,
        request: PasswordRequest,
        out: &mut Vec<Output>,
    ) -> Result<(), PasswordNotChecked> {
        let address = self.all.get(session).map(|state| state.address);
        let (Some(logins), Some(address)) = (&mut self.logins, address) else { return Err(PasswordNotChecked::Busy) };
        let pending = PendingRequest { request, guesser: Guesser::new(session, address), account: None };
        let pushed = logins.queue.push(counted_address(address), session, pending);
        if let Some((other, displaced)) = pushed.map_err(|QueueFull| PasswordNotChecked::Busy)? {
            self.refuse_request(at, other, Refusal::busy(displaced.request.verb()), out);
        }
        Ok(())
    }

    /// Begins the turns of waiting passwords, until all threads are busy.
    pub(super) fn begin_turns(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        while let Some(turn) = self.logins.as_mut().and_then(|logins| logins.begin_turn(&self.state, &self.all)) {
            match turn {
                Turn::Start(job) => out.push(Output::CheckPassword(job)),
                Turn::Refuse(session, refusal) => {
                    self.finish_password(session);
                    self.refuse_request(at, session, refusal, out);
                }
                Turn::Drop(session) => drop(self.finish_password(session)),
            }
        }
    }

    fn finish_password(&mut self, session: SessionId) -> Option<PendingRequest> {
        self.logins.as_mut()?.queue.finish(session)
    }

    /// Processes the result of a [`PasswordJob`].
    pub(super) fn process_password(&mut self, at: Timestamp, result: PasswordResult, out: &mut Vec<Output>) {
        let PasswordResult { session, outcome } = result;
        if let Some(pending) = self.finish_password(session) {
            self.count_password(session, &pending, &outcome, out);
            self.carry_out(at, session, pending, outcome, out);
        }
        self.begin_turns(at, out);
    }

    /// Counts the password for the limits, also if the session has ended.
    fn count_password(
        &mut self,
        session: SessionId,
        pending: &PendingRequest,
        outcome: &PasswordOutcome,
        out: &mut Vec<Output>,
    ) {
        let (now, guesser) = (self.now(), pending.guesser);
        let Some(logins) = &mut self.logins else { return };
        let own = pending.account.and_then(|(id, _)| self.state.accounts().get(id)).map(|account| &account.name);
        let name = match &pending.request {
            PasswordRequest::Login { name, .. } => Some(name),
            _ => own,
        };
        match (outcome, name) {
            (PasswordOutcome::Right, Some(name)) => logins.limits.record_login(name, guesser, now),
            (PasswordOutcome::Wrong, Some(name)) => logins.limits.count_wrong(name, guesser, now),
            (PasswordOutcome::Hashed(_), _) if matches!(pending.request, PasswordRequest::Register(_)) => {
                logins.limits.count_registration(guesser, now);
            }
            _ => {}
        }
        if matches!(outcome, PasswordOutcome::Wrong) {
            out.extend(self.all.get(session).map(|state| Output::WrongPassword(state.address)));
        }
    }

    /// Submits the change of a command whose password was checked or hashed, or refuses the command.
    fn carry_out(
        &mut self,
        at: Timestamp,
        session: SessionId,
        pending: PendingRequest,
        outcome: PasswordOutcome,
        out: &mut Vec<Output>,
    ) {
        let registrant = pending.registrant().filter(|_| matches!(outcome, PasswordOutcome::Hashed(_)));
        if self.is_ending(session) {
            self.release_line(session);
            // A client that does not wait for the reply has the check for nothing.
            if let (PasswordRequest::Login { name, .. }, PasswordOutcome::Right) = (&pending.request, &outcome) {
                self.count_refused(&name.clone(), pending.guesser);
            }
            return self.uncount_registration(registrant);
        }
        match self.action_of(at, session, pending, outcome) {
            Ok(action) => {
                self.submit(at, self.any_origin(session), action, out);
            }
            Err(refusal) => {
                self.uncount_registration(registrant);
                self.refuse_request(at, session, refusal, out);
            }
        }
    }

    /// The state has refused to create the session's account. If the session has ended, or the account may exist after a restart, it counts.
    pub(super) fn record_refused_registration(&mut self, session: SessionId, why: &AccountRejection) {
        let is_unconfirmed = matches!(why, AccountRejection::NotStored(StoreFailure::Unconfirmed(_)));
        let registrant = self.all.get(session).map(|state| Guesser::new(session, state.address));
        self.uncount_registration(registrant.filter(|_| !is_unconfirmed));
    }

    /// An account of this address was counted before it was created, and is not created.
    fn uncount_registration(&mut self, registrant: Option<Guesser>) {
        let now = self.now();
        if let (Some(logins), Some(guesser)) = (&mut self.logins, registrant) {
            logins.limits.uncount_registration(guesser, now);
        }
    }

    /// The state has refused a login of the session.
    pub(super) fn record_refused_login(&mut self, session: SessionId) {
        let Some(state) = self.all.get(session) else { return };
        let account = state.rare.as_ref().and_then(|rare| self.state.accounts().get(rare.checked_account?));
        if let Some(name) = account.map(|account| account.name.clone()) {
            self.count_refused(&name, Guesser::new(session, state.address));
        }
    }

    fn count_refused(&mut self, name: &Name, guesser: Guesser) {
        let now = self.now();
        if let Some(logins) = &mut self.logins {
            logins.limits.count_refused(name, guesser, now);
        }
    }

    fn action_of(
        &mut self,
        at: Timestamp,
        session: SessionId,
        pending: PendingRequest,
        outcome: PasswordOutcome,
    ) -> Result<Action, Refusal> {
        let PendingRequest { request, account, .. } = pending;
        let verb = request.verb();
        let update = match (request, outcome, account) {
            (PasswordRequest::Login { takes_over, .. }, PasswordOutcome::Right, Some((account, generation))) => {
                let proof = LoginProof::Password { generation };
                return Ok(self.login_action(session, account, proof, takes_over));
            }
            (PasswordRequest::Unregister(_), PasswordOutcome::Right, Some((account, generation))) => {
                AccountUpdate::Delete { account, generation: Some(generation) }
            }
            (PasswordRequest::Register(_), PasswordOutcome::Hashed(password), _) => self.creation(session, password)?,
            (PasswordRequest::SetPassword(_), PasswordOutcome::Hashed(password), Some((account, generation))) => {
                AccountUpdate::SetPassword { account, generation: Some(generation), password }
            }
            (_, PasswordOutcome::Failed, _) => return Err(Refusal::busy(verb)),
            _ => return Err(Refusal::wrong_account_password(verb)),
        };
        Ok(Action::ChangeAccount(AccountChange { at, update }))
    }

    /// The creation of an account with the session's nickname, which another session may have displaced.
    fn creation(&self, session: SessionId, password: PasswordHash) -> Result<AccountUpdate, Refusal> {
        let name = self.name(session).cloned().ok_or_else(|| {
            Refusal::new(Verb::Register, ErrorCode::NoName, "you have no name any more").with_hint(Hint::TakeNickname)
        })?;
        Ok(AccountUpdate::Create { name, password, ends_rest: false })
    }

    /// The login of a session.
    pub(super) fn login_action(
        &mut self,
        session: SessionId,
        account: AccountId,
        proof: LoginProof,
        takes_over: bool,
    ) -> Action {
        let rare = self.all.get_mut(session).map(|state| state.rare.get_or_insert_default());
        let verifier = rare.and_then(|rare| {
            rare.is_taking_over = takes_over;
            rare.checked_account = matches!(proof, LoginProof::Password { .. }).then_some(account);
            rare.verifier
        });
        Action::Login(LoginRequest { account, proof, takes_over, verifier })
    }

    /// Refuses a command whose password has waited.
    fn refuse_request(&mut self, at: Timestamp, session: SessionId, refusal: Refusal, out: &mut Vec<Output>) {
        if self.is_open(session) {
            let room = self.room_of_refusal(session, None, &refusal);
            self.refuse(at, session, room.id, room.prefix, refusal, out);
        }
        self.record_answer(Origin::local(session, MemberId(session.0)), out);
    }
}
