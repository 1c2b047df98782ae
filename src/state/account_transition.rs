//! How entries change accounts, and log members in.

use super::member_transition::NewMember;
use super::{
    AccountChange, AccountCommand, AccountEffect, AccountOutcome, AccountRejection, AccountUpdate, Displacement, Login,
    LoginProof, LoginRequest, MemberId, Rejection, RoomRejection, StateOutput, StoreFailure, Transition,
};
use crate::protocol::{AccountId, Day, LeaveReason, Name};

impl Transition<'_> {
    /// A change of the accounts that the origin has requested is being stored. If it creates an account, the origin's nickname is
    /// reserved.
    pub(super) fn reserve_account_name(&mut self) {
        if let Some(member) = self.state.members.get_mut(self.origin.member) {
            member.unpublished = member.unpublished.saturating_add(1);
        }
    }

    pub(super) fn change_account(&mut self, change: &AccountChange) {
        let command = change.update.command();
        if let AccountUpdate::Create { name, .. } = &change.update {
            self.release_reservation(name);
        }
        let effect = match self.state.accounts.plan(&self.state.limits, change) {
            Ok(effect) => effect,
            Err(why) => return self.reject_account_command(command, why),
        };
        self.state.accounts.carry_out(effect.clone());
        match effect {
            AccountEffect::Created { account, .. } => {
                self.extend_mutes(account.id, &account.name);
                let is_logged_in = self.has_free_nickname(&account.name);
                if is_logged_in {
                    let proof = LoginProof::Password { generation: account.generation };
                    self.set_login(self.origin.member, Some(Login { account: account.id, proof }));
                }
                self.confirm(AccountOutcome::Created { account: account.id, name: account.name, is_logged_in });
            }
            AccountEffect::PasswordSet { account, generation, .. } => {
                self.confirm(AccountOutcome::PasswordSet(account));
                self.end_resumption(self.state.member_of(account));
                let is_of_operator = matches!(change.update, AccountUpdate::SetPassword { generation: None, .. });
                self.end_login_by_password(account, generation, is_of_operator);
            }
            AccountEffect::RoleSet { account, role } => {
                self.renew_rosters_of(self.state.member_of(account));
                self.confirm(AccountOutcome::RoleSet(account, role));
                self.enforce_bans_on(self.state.member_of(account));
            }
            AccountEffect::Deleted { account, resting, .. } => {
                self.keep_sanctions_of(account, &resting.name);
                let member = self.state.member_of(account);
                if let Some(member) = member {
                    self.set_login(member, None);
                }
                self.confirm(AccountOutcome::Deleted { account, name: resting.name, rests_until: resting.until });
                self.end_resumption(member);
                self.enforce_bans_on(member);
            }
            AccountEffect::TokenCreated { account, token, .. } => {
                self.confirm(AccountOutcome::TokenCreated { account, token });
            }
            AccountEffect::TokenRevoked { account, token } => {
                self.confirm(AccountOutcome::TokenRevoked { account, token });
                let has_used = |login: Login| login.token() == Some(token);
                let member = self.state.member_of(account);
                self.end_resumption(member.filter(|member| self.login_of(*member).is_some_and(has_used)));
            }
            AccountEffect::TokenUseRecorded { .. } => {}
        }
    }

    /// The change could not be stored.
    pub(super) fn refuse_account_change(&mut self, command: AccountCommand, name: Option<&Name>, why: StoreFailure) {
        if let Some(name) = name {
            self.release_reservation(name);
        }
        self.reject_account_command(command, AccountRejection::NotStored(why));
    }

    /// The origin's session logs in. Members that stand in the way are displaced, but only if the login succeeds, with one exception: a
    /// guest with an unpublished message leaves at once, and the login succeeds later. Otherwise a guest that never stops sending would
    /// keep the name.
    pub(super) fn log_in(&mut self, request: LoginRequest) {
        let LoginRequest { account, proof, takes_over, verifier } = request;
        let command = if takes_over { AccountCommand::TakeOver } else { AccountCommand::Login };
        let id = self.origin.member;
        let checked = self.check_login(account, proof, takes_over);
        let name = match checked {
            Ok(name) => name,
            Err(why) => return self.reject_account_command(command, why),
        };
        let other = self.state.member_of(account).filter(|other| *other != id);
        let holders = self.state.names.holders(&name);
        let guests: Vec<_> = holders.filter(|holder| *holder != id && Some(*holder) != other).collect();
        let is_unpublished = |guest: &MemberId| self.state.member(*guest).is_some_and(|guest| guest.unpublished > 0);
        let is_reserved = guests.iter().any(is_unpublished) || self.state.names.is_reserved_for(&name, id);
        for guest in guests {
            self.displace(guest, Displacement::Guest);
        }
        if is_reserved {
            return self.reject_account_command(command, AccountRejection::Reserved(name));
        }
        if let Some(other) = other {
            self.displace(other, Displacement::TakenOver);
        }
        let login = Login { account, proof };
        if let Some(from) = self.state.name(id).cloned() {
            self.set_login(id, Some(login));
            let (origin, from) = (self.origin, Some(from).filter(|from| *from != name));
            self.out.push(StateOutput::LoggedIn { origin, account, name: name.clone(), from: from.clone() });
            if from.is_some() {
                self.change_name(&name, false);
            }
        } else {
            self.add_member(NewMember { name, verifier, room: None, login: Some(login) });
        }
        self.report_token_use(login);
    }

    /// The name of the account, if the login may succeed.
    fn check_login(&self, account: AccountId, proof: LoginProof, takes_over: bool) -> Result<Name, AccountRejection> {
        let id = self.origin.member;
        let found = self.state.accounts.get(account).filter(|account| account.accepts(proof, self.at));
        let name = found.ok_or(AccountRejection::Changed)?.name.clone();
        if let Some(notice) = self.ban_of_origin(Some(account), Some(&name)) {
            return Err(AccountRejection::Banned(notice));
        }
        if let Some(notice) = self.room_ban_of_member(id, Some(account), &name) {
            return Err(AccountRejection::Room(RoomRejection::Banned(notice)));
        }
        if let Some(own) = self.login_of(id)
            && own.account != account
        {
            return Err(AccountRejection::LoggedIn);
        }
        if self.state.member(id).is_none() {
            let room = self.home_of_new_member(None);
            if let Some(why) = self.refusal_at_home(&room, Some(account), &name) {
                return Err(AccountRejection::Room(why));
            }
            self.state.count_new_rooms(None, std::slice::from_ref(&room)).map_err(AccountRejection::Room)?;
        }
        let other = self.state.member_of(account).filter(|other| *other != id);
        if other.is_some_and(|other| self.is_connected(other)) && !takes_over {
            return Err(AccountRejection::InUse(name));
        }
        Ok(name)
    }

    /// Reports the first use of a token on a day, so that it is stored.
    fn report_token_use(&mut self, login: Login) {
        let (account, Some(token)) = (login.account, login.token()) else { return };
        let on = Day::from(self.at);
        let found = self.state.accounts.get(account).and_then(|account| account.token(token));
        if found.is_some_and(|token| token.last_used_on < Some(on)) {
            self.out.push(StateOutput::TokenUsed { origin: self.origin, account, token, on });
        }
    }

    /// Removes a member whose nickname another session takes. If it is connected, its session remains.
    fn displace(&mut self, id: MemberId, why: Displacement) {
        let displacement = self.is_connected(id).then_some(why);
        self.remove_member(id, LeaveReason::Displaced, None, displacement);
    }

    pub(super) fn is_connected(&self, member: MemberId) -> bool {
        let is_current = |found: &super::Member| self.state.nodes.is_current(found.session(member).incarnation());
        self.state.member(member).is_some_and(|found| found.detached().is_none() && is_current(found))
    }

    /// The account has a password of this generation. A member that has logged in with the one before has set the new one itself, or else is
    /// displaced by the operator.
    fn end_login_by_password(&mut self, account: AccountId, generation: u32, is_of_operator: bool) {
        let Some(id) = self.state.member_of(account) else { return };
        if self.login_of(id).is_none_or(|login| login.token().is_some()) {
            return;
        }
        if is_of_operator {
            self.displace(id, Displacement::PasswordSet);
        } else if id == self.origin.member {
            self.set_login(id, Some(Login { account, proof: LoginProof::Password { generation } }));
        }
    }

    /// Ends the resume token of a member. If the member is detached, it leaves.
    fn end_resumption(&mut self, member: Option<MemberId>) {
        let Some(id) = member else { return };
        let Some(resumption) = self.state.members.get_mut(id).and_then(|member| member.resumption.as_mut()) else {
            return;
        };
        if resumption.verifier.take().is_none() {
            return;
        }
        match resumption.detached {
            Some((_, reason)) => self.leave(id, reason, None),
            None => self.out.push(StateOutput::ResumptionEnded(id)),
        }
    }

    /// Whether the origin's member has exactly this nickname, and no account.
    fn has_free_nickname(&self, name: &Name) -> bool {
        let member = self.state.member(self.origin.member);
        member.is_some_and(|member| member.name == *name && member.login.is_none())
    }

    fn login_of(&self, member: MemberId) -> Option<Login> {
        self.state.member(member)?.login()
    }

    fn confirm(&mut self, outcome: AccountOutcome) {
        self.out.push(StateOutput::AccountChanged(self.origin, outcome));
    }

    fn reject_account_command(&mut self, command: AccountCommand, why: AccountRejection) {
        // The session has no command that awaits a reply.
        if command != AccountCommand::RecordTokenUse {
            self.reject(Rejection::Account(command, why));
        }
    }
}
