//! Translates the outputs of the shared state about accounts.

use super::output::AccountEvent;
use super::{MembershipChange, Output, OwnLine, Session, SessionId, Sessions, private_tag};
use crate::command::{EmptyReply, Hint, Refusal, Reply, ServerLine, TokenReply};
use crate::protocol::{AccountId, CloseReason, ErrorCode, Event, LeaveReason, Mode, Name, RoomName, Text, Timestamp};
use crate::sequencer::Change;
use crate::state::{
    AccountChange, AccountOutcome, AccountRejection, AccountToken, AccountUpdate, Action, Displacement, MemberId,
    Origin, RoomId, StateOutput, StoreFailure,
};

/// Why a client has no nickname any more.
const DISPLACED: &str =
    "the owner of this name has logged in, so you have no name now; choose another and write: NICK name";

/// This text in chat mode.
const DISPLACED_IN_CHAT: &str =
    "the owner of this name has logged in, so you have no name now; choose another and write: /NICK name";

/// This text on a server for accounts only.
const DISPLACED_TO_LOG_IN: &str =
    "the owner of this name has logged in, so you have no name now; log in again and write: LOGIN name password";

/// This text in chat mode.
const DISPLACED_TO_LOG_IN_IN_CHAT: &str =
    "the owner of this name has logged in, so you have no name now; log in again and write: /LOGIN name password";

impl Sessions {
    /// Translates an output about accounts.
    pub(super) fn translate_account_output(&mut self, at: Timestamp, output: StateOutput, out: &mut Vec<Output>) {
        match output {
            StateOutput::LoggedIn { origin, account: _, name, from } => {
                let session = origin.session;
                if !self.is_local(session) {
                    return;
                }
                if let Some(from) = from {
                    out.push(Output::Log(MembershipChange::Renamed { session, from, to: name.clone() }));
                }
                let reply = self.confirm_login(session, name, out);
                self.reply(origin, reply, out);
            }
            StateOutput::Displaced { member, name, why, text, at, rooms } => {
                self.displace_member(member, &name, why, text.as_ref(), at, rooms, out);
            }
            StateOutput::ResumptionEnded(member) => self.forget_resume_token(member),
            StateOutput::AccountChanged(origin, _) if !self.is_local(origin.session) => {}
            StateOutput::AccountChanged(origin, outcome) => self.confirm_account_change(origin, outcome, out),
            StateOutput::TokenUsed { origin, account, token, on } if self.is_local(origin.session) => {
                let update = AccountUpdate::RecordTokenUse { account, token, on };
                let action = Action::ChangeAccount(AccountChange { at, update });
                // `Sessions::advance` applies it in its turn, after the outputs of this entry.
                self.sequencer.submit(Change { at, uptime: self.state.now(), origin: self.own_origin(), action });
            }
            _ => {}
        }
    }

    /// Records that the session has logged in to the account with this name. Returns its reply.
    pub(super) fn confirm_login(&mut self, session: SessionId, name: Name, out: &mut Vec<Output>) -> Reply {
        self.log(session, MembershipChange::Account(session, name.clone(), AccountEvent::LoggedIn), out);
        let login = self.member(session).and_then(|member| self.state.member(member)?.login());
        if login.is_some_and(|login| login.token().is_none()) {
            self.record_given_password(session);
        }
        self.record_known_account(session);
        let rare = self.all.get(session).and_then(|state| state.rare.as_ref());
        if rare.is_some_and(|rare| rare.is_taking_over) { Reply::Takeover(name) } else { Reply::Login(name) }
    }

    /// The member has left its rooms. The session of a guest remains, without a nickname.
    #[expect(clippy::too_many_arguments, reason = "the fields of an output")]
    fn displace_member(
        &mut self,
        member: MemberId,
        name: &Name,
        why: Displacement,
        text: Option<&Text>,
        at: Timestamp,
        rooms: Vec<(RoomId, RoomName)>,
        out: &mut Vec<Output>,
    ) {
        let reason = why.leave_reason();
        let session = self.session_of(member);
        self.forget_resume_token(member);
        self.resumed.remove(&member);
        let now = self.now();
        if let Some((session, state)) = session.and_then(|session| Some((session, self.all.get_mut(session)?))) {
            (state.member, state.connected_at) = (None, now);
            match why {
                Displacement::Guest => {
                    for (room, room_name) in &rooms {
                        state.remember_room(room_name.clone());
                        out.push(Output::Unfollow(session, *room));
                    }
                    out.push(Output::Send(
                        session,
                        None,
                        displacement_notice(state, self.features.accounts_only, at, name).into(),
                    ));
                }
                Displacement::TakenOver => self.say_farewell(session, taken_over(name), reason, out),
                Displacement::PasswordSet => self.say_farewell(session, password_set(name), reason, out),
                Displacement::Kicked | Displacement::Banned => {
                    self.say_farewell(session, removed(why, text), reason, out);
                }
            }
        }
        let session = session.unwrap_or(SessionId::SERVER);
        self.log(session, MembershipChange::Left(session, name.clone(), reason), out);
        for (room, _) in rooms {
            let event = Event::Leave(name.clone(), reason, text.cloned());
            out.push(Output::Publish { room, id: None, at, session, event, own: OwnLine::Event });
        }
    }

    /// Sends a session the reason why it ends, as its last line, and removes it.
    fn say_farewell(&mut self, session: SessionId, why: Refusal, reason: LeaveReason, out: &mut Vec<Output>) {
        out.push(Output::SendAfterAll(session, ServerLine::Err(why)));
        self.remove_session(session, CloseReason::Left(reason), out);
    }

    /// A token that the session requested before does not let its next member resume either.
    fn forget_resume_token(&mut self, member: MemberId) {
        let session = self.session_of(member);
        if let Some(rare) = session.and_then(|session| self.all.get_mut(session)?.rare.as_mut()) {
            rare.verifier = None;
        }
    }

    /// Submits a change of the operator.
    pub(super) fn change_account(&mut self, at: Timestamp, update: AccountUpdate, out: &mut Vec<Output>) {
        // While it is shutting down, the store is closed.
        let why = if self.stopped { Some("the server is shutting down") } else { self.not_joined_reason() };
        if let Some(why) = why {
            let why = StoreFailure::NotStored(why.into());
            return out.push(Output::AccountChanged(Err(AccountRejection::NotStored(why))));
        }
        self.begin_account_change();
        self.submit(at, self.own_origin(), Action::ChangeAccount(AccountChange { at, update }), out);
    }

    /// Replies to a command that has changed an account, or to the operator.
    fn confirm_account_change(&mut self, origin: Origin, outcome: AccountOutcome, out: &mut Vec<Output>) {
        let session = origin.session;
        let is_operator = origin.is_server();
        let result = is_operator.then(|| Ok(outcome.clone()));
        let (name, event, reply) = match outcome {
            AccountOutcome::Created { name, is_logged_in, .. } => {
                if is_logged_in {
                    self.record_given_password(session);
                    self.record_known_account(session);
                }
                (Some(name.clone()), AccountEvent::Registered, Reply::Register(name))
            }
            AccountOutcome::PasswordSet(account) => {
                self.record_given_password(session);
                (self.account_name(account), AccountEvent::PasswordChanged, Reply::SetPassword(EmptyReply))
            }
            AccountOutcome::RoleSet(account, role) => {
                // Only the operator sets roles.
                let name = self.account_name(account);
                out.extend(
                    name.map(|name| Output::Log(MembershipChange::Account(session, name, AccountEvent::RoleSet(role)))),
                );
                if let Some(result) = result {
                    self.finish_account_change(result, out);
                }
                return;
            }
            AccountOutcome::Deleted { name, .. } => {
                (Some(name.clone()), AccountEvent::Unregistered, Reply::Unregister(name))
            }
            AccountOutcome::TokenCreated { account, token: AccountToken { id, expires_at, .. } } => {
                let rare = self.all.get_mut(session).and_then(|state| state.rare.as_mut());
                // Of a session that has ended: nobody gets the token.
                let Some(token) = rare.and_then(|rare| rare.new_token.take()) else { return };
                let reply = Reply::AccessTokens(TokenReply::New { number: id, token, expires_at });
                (self.account_name(account), AccountEvent::TokenMade(id), reply)
            }
            AccountOutcome::TokenRevoked { account, token } => {
                let reply = Reply::AccessTokens(TokenReply::Revoke(token));
                (self.account_name(account), AccountEvent::TokenRevoked(token), reply)
            }
        };
        out.extend(name.map(|name| Output::Log(MembershipChange::Account(session, name, event))));
        match result {
            Some(result) => self.finish_account_change(result, out),
            None => self.reply(origin, reply, out),
        }
    }

    fn account_name(&self, account: AccountId) -> Option<Name> {
        self.state.accounts().get(account).map(|account| account.name.clone())
    }
}

/// The line that tells a guest that it has no nickname any more. It is about no room: the guest has left all of its rooms.
fn displacement_notice(state: &Session, accounts_only: bool, at: Timestamp, name: &Name) -> ServerLine {
    let text = match (state.mode, accounts_only) {
        (Mode::Commands, false) => DISPLACED,
        (Mode::Chat, false) => DISPLACED_IN_CHAT,
        (Mode::Commands, true) => DISPLACED_TO_LOG_IN,
        (Mode::Chat, true) => DISPLACED_TO_LOG_IN_IN_CHAT,
    };
    let event = Event::Leave(name.clone(), LeaveReason::Displaced, Some(Text::truncated(text)));
    ServerLine::Event(private_tag(state, at), event)
}

/// The last line to a session whose account another session has taken over.
fn taken_over(name: &Name) -> Refusal {
    let what = format!("another connection logged in as {name} with TAKEOVER");
    Refusal::new(None, ErrorCode::TakenOver, what).with_hint(Hint::ChangePassword)
}

/// The last line to a session that has logged in with a password that the operator has replaced.
fn password_set(name: &Name) -> Refusal {
    let what = format!("the operator has set another password for {name}, with which you must log in");
    Refusal::new(None, ErrorCode::LoginRequired, what).with_hint(Hint::Reconnect)
}

/// The last line to a session that an operator has removed.
fn removed(why: Displacement, by: Option<&Text>) -> Refusal {
    let (code, what) = match why {
        Displacement::Banned => (ErrorCode::Banned, "you were banned from the server"),
        _ => (ErrorCode::Kicked, "you were removed from the server"),
    };
    let by = by.map_or_else(String::new, |by| format!(" {by}"));
    Refusal::new(None, code, format!("{what}{by}"))
}
